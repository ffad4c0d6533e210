"""The slider figure hands over the numbers it was given, for every frame."""

from __future__ import annotations

import numpy as np
import pytest

from course_utils.slider_figure import Panel, Series, Slider, slider_figure


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


LAMBDA = Slider("lambda", values=[0.0, 0.5, 1.0], start=0.6)
EPSILON = Slider("epsilon", values=[0.1, 0.2], start=0.2, texts=["low", "high"])


def numbers(figure, place, frame):
    start, n, fixed = place
    start += 0 if fixed else frame * n
    return np.frombuffer(figure.numbers, "<f4")[start : start + n].tolist()


def test_every_frame_holds_its_own_numbers():
    y = np.arange(6 * 4).reshape(6, 4)
    panel = Panel(
        "A", "step", "value",
        [Series("line", "yours", x=[0, 1, 2, 3], y=y), Series("marks", "end", x=[2])],
    )  # fmt: skip
    figure = slider_figure([LAMBDA, EPSILON], [panel], list("abcdef"), description="What it is.")
    line, marks = figure.spec["panels"][0]["series"]
    assert figure.at == [1, 1]
    assert [s["texts"] for s in figure.spec["sliders"]] == [["0", "0.5", "1"], ["low", "high"]]
    for frame in range(6):
        assert numbers(figure, line["x"], frame) == [0, 1, 2, 3]
        assert numbers(figure, line["y"], frame) == y[frame].tolist()
    assert numbers(figure, marks["x"], 5) == [2]
    low, high = figure.spec["panels"][0]["y_range"]
    assert low < 0 and high > 23


def test_nan_and_infinity_do_not_move_the_axes():
    y = [[1.0, np.nan, 3.0], [np.inf, 2.0, 1.0], [1.0, 1.0, 1.0]]
    panel = Panel("A", "x", "y", [Series("line", x=[0, 1, 2], y=y)])
    figure = slider_figure([LAMBDA], [panel], description="d")
    low, high = figure.spec["panels"][0]["y_range"]
    assert 0.8 < low < 1 and 3 < high < 3.2
    log = Panel("A", "x", "y", [Series("points", x=[0, 1, 2], y=[0.0, 1e-3, 10.0])], y_log=True)
    panel = slider_figure([LAMBDA], [log], description="d").spec["panels"][0]
    assert 0 < panel["y_range"][0] < 1e-3
    assert all(panel["y_range"][0] <= v <= panel["y_range"][1] for v, _ in panel["y_ticks"])
    assert panel["y_ticks"]


def test_ticks_can_be_words():
    thin = Series("thin", "many", x=[0, 1], y=[0.0, 1.0])
    panel = Panel("A", "epsilon", "y", [thin], x_ticks=[(0, "0.1"), (1, "none")])
    drawn = slider_figure([LAMBDA], [panel], description="d").spec["panels"][0]
    assert drawn["x_ticks"] == [[0, "0.1"], [1, "none"]]
    assert drawn["series"][0]["kind"] == "thin"


def test_bars_stand_on_zero_and_a_flat_picture_has_a_range():
    panel = Panel("A", "x", "y", [Series("bars", x=[0, 1], y=[5.0, 6.0])])
    drawn = slider_figure([LAMBDA], [panel], description="d").spec["panels"][0]
    assert drawn["y_range"][0] < 0 and drawn["y_range"][1] > 6
    assert drawn["x_range"][0] <= -0.5 and drawn["x_range"][1] >= 1.5
    panel = Panel("A", "x", "y", [Series("line", x=[0, 1], y=[2.0, 2.0])])
    low, high = slider_figure([LAMBDA], [panel], description="d").spec["panels"][0]["y_range"]
    assert low < 2 < high


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (Series("line", "a", x=[0, 1], y=np.zeros((2, 2))), r"\[2, 2\].*\[3, n\]"),
        (Series("line", "a", x=[0, 1], y=[1.0]), "x has 2 entries, y 1"),
        (Series("pie", "a"), "'pie'"),
    ],
)
def test_what_does_not_fit_is_said(series, message):
    with pytest.raises(ValueError, match=message):
        slider_figure([LAMBDA], [Panel("A", "x", "y", [series])], description="d")
    with pytest.raises(ValueError, match="reading has 2"):
        slider_figure([LAMBDA], [], ["a", "b"], description="d")


def test_nothing_is_drawn_while_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert slider_figure([LAMBDA], [], description="d") is None

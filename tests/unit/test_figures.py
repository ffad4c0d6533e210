"""Figures are made from data alone, leave nothing open, and carry an alternative text."""

import base64
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from course_utils import figures

STEPS = np.arange(1, 301) * 100
RETURNS = np.linspace(10, 500, 300)
HISTORY = {
    "env_steps": STEPS,
    "episode_returns": RETURNS,
    "mean_return": RETURNS,
    "log_steps": np.arange(1, 6) * 4096,
    "approx_kl": np.array([0.01, np.nan, 0.02, 0.01, 0.01]),
    "entropy": np.linspace(0.69, 0.4, 5),
}


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_running_mean_against_a_loop():
    values = np.random.default_rng(0).normal(size=50)
    expected = [values[max(0, i - 6) : i + 1].mean() for i in range(50)]
    np.testing.assert_allclose(figures.running_mean(values, 7), expected)
    assert figures.running_mean([], 7).shape == (0,)


def test_learning_curve_draws_the_mean_goal_band_and_others():
    other = ([0, 30_000], [10, 20])
    band = ([0, 30_000], [0, 5], [10, 15])
    figure = figures.learning_curve(
        STEPS, RETURNS, goal=475, window=10, title="T", extra={"other": other}, band=band
    )
    (axes,) = figure.axes
    drawn = lines(axes)
    assert drawn["mean of the last 10"].get_ydata()[-1] == pytest.approx(RETURNS[-10:].mean())
    assert set(drawn["goal 475"].get_ydata()) == {475}
    np.testing.assert_array_equal(drawn["other"].get_ydata(), [10, 20])
    styles = [drawn[label].get_linestyle() for label in ("mean of the last 10", "other")]
    assert styles[0] != styles[1]  # not told apart by colour alone
    assert len(axes.collections) == 1
    assert axes.get_title() == "T"


def test_training_summary_has_one_panel_a_series():
    figure = figures.training_summary(HISTORY, goal=475, window=100, title="PPO")
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == ["PPO", "approx kl", "entropy"]
    only_returns = {k: HISTORY[k] for k in ("env_steps", "episode_returns")}
    assert len(figures.training_summary(only_returns).axes) == 1


def test_training_diagnostics():
    series = {name: HISTORY[name] for name in ("approx_kl", "entropy")}
    figure = figures.training_diagnostics(series, HISTORY["log_steps"])
    assert [a.get_title() for a in figure.axes] == ["approx kl", "entropy"]
    with pytest.raises(ValueError, match="series is empty"):
        figures.training_diagnostics({}, [])


def test_ratio_histogram_counts_every_sample():
    rng = np.random.default_rng(0)
    epochs = [np.exp(rng.normal(0, s, 500)) for s in (0.01, 0.3)]
    epochs[1][0] = 1e6  # lies beyond the axis, counts in the last bar
    tensors = [torch.tensor(e, requires_grad=True) for e in epochs]
    figure = figures.ratio_histogram(tensors, 0.2)
    assert len(figure.axes) == 2
    for axes in figure.axes:
        (bars,) = (p for p in axes.patches if isinstance(p, StepPatch))
        assert bars.get_data().values.sum() == pytest.approx(1)
    assert [a.texts[0].get_text() for a in figure.axes] == ["epoch 1", "epoch 2"]
    figure = figures.ratio_histogram(epochs, 0.2, labels=["first", "last"])
    assert [a.texts[0].get_text() for a in figure.axes] == ["first", "last"]


@pytest.mark.parametrize("values", [np.ones(8), np.full(8, np.nan), np.array([0.0, 1.0])])
def test_ratio_histogram_survives_odd_ratios(values):
    figures.img_html(figures.ratio_histogram([values], 0.2), "odd")


def test_returns_histogram_counts_every_episode_on_a_common_axis():
    import torch

    rng = np.random.default_rng(0)
    before, after = rng.normal(-200, 100, 40), torch.tensor(rng.normal(250, 20, 60))
    figure = figures.returns_histogram({"before": before, "after": after}, goal=200)
    top, bottom = figure.axes
    assert sum(bar.get_height() for bar in top.patches) == 40
    assert sum(bar.get_height() for bar in bottom.patches) == 60
    assert top.get_xlim() == bottom.get_xlim()
    assert f"mean {after.mean():.0f}" in [t.get_text() for t in bottom.get_legend().get_texts()]


@pytest.mark.parametrize("empty", [{}, {"none": []}])
def test_returns_histogram_needs_data(empty):
    with pytest.raises(ValueError, match="at least one"):
        figures.returns_histogram(empty)


def test_ratio_histogram_needs_data():
    for empty in ([], [np.array([])]):
        with pytest.raises(ValueError, match="at least one array"):
            figures.ratio_histogram(empty, 0.2)
    with pytest.raises(ValueError, match="1 labels for 2 arrays"):
        figures.ratio_histogram([np.ones(2), np.ones(2)], 0.2, labels=["a"])


@pytest.mark.parametrize("between", [False, True])
def test_six_regions_marks_where_the_slope_is_zero(between):
    ratio = np.linspace(0, 2, 21)
    at = (ratio[:-1] + ratio[1:]) / 2 if between else ratio
    figure = figures.six_regions(
        ratio,
        np.where(ratio < 1.2, ratio, 1.2),
        -np.where(ratio > 0.8, ratio, 0.8),
        np.where(at < 1.2 - 1e-9, 1.0, 0.0),
        np.where(at > 0.8 + 1e-9, -1.0, 0.0),
        0.2,
    )
    for axes, (low, high) in zip(figure.axes, [(1.2, 2.0), (0.0, 0.8)], strict=True):
        zero = lines(axes)["gradient is zero"]
        assert (zero.get_xdata().min(), zero.get_xdata().max()) == pytest.approx((low, high))
        assert zero.get_linestyle() != lines(axes)["gradient flows"].get_linestyle()


def test_lr_schedule_one_or_several():
    figure = figures.lr_schedule([0, 1, 2], [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1, 0.5, 0])
    figure = figures.lr_schedule([0, 1], {"a": [1, 0], "b": [1, 1]})
    assert {"a", "b"} <= set(lines(figure.axes[0]))


def test_lengths_that_differ_are_named():
    with pytest.raises(ValueError, match="env_steps 2, episode_returns 3"):
        figures.learning_curve([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="updates 2, lrs 1"):
        figures.lr_schedule([0, 1], [1])


def test_nothing_stays_open_and_data_is_not_changed():
    steps, returns = STEPS.copy(), RETURNS.copy()
    assert isinstance(figures.learning_curve(steps, returns), Figure)
    np.testing.assert_array_equal(steps, STEPS)
    np.testing.assert_array_equal(returns, RETURNS)
    assert plt.get_fignums() == []


def test_an_image_with_its_alternative_text():
    page = figures.img_html(figures.lr_schedule([0, 1], [1, 0]), 'falls "to" <0>')
    assert 'alt="falls &quot;to&quot; &lt;0&gt;"' in page
    png = base64.b64decode(re.search(r"base64,([^\"]+)", page).group(1))
    assert png.startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="needs an alternative text"):
        figures.img_html(figures.lr_schedule([0, 1], [1, 0]), "  ")


def test_show_is_silent_in_plain_python(capsys):
    assert figures.show(figures.lr_schedule([0, 1], [1, 0]), alt="a") is None
    assert capsys.readouterr().out == ""

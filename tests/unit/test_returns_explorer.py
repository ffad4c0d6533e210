"""The discount slider draws the student's own returns, right or wrong, and never breaks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autograde.judge.mistakes import corpus_files, load
from course_utils import returns_explorer as explorer
from course_utils.explorers import Note
from course_utils.returns_explorer import GAMMAS, evaluate, first_fact_off
from course_utils.slider_figure import SliderFigure

EXERCISE = "lab2_reinforce/discounted_returns"


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


def corpus(kind):
    for path in corpus_files(EXERCISE, kind):
        yield path.stem, load(EXERCISE, path.read_text(encoding="utf-8"), str(path))


def right():
    return next(corpus("ok"))[1]


def test_correct_functions_get_a_picture_without_complaint():
    for name, function in corpus("ok"):
        figure = explorer.returns_explorer(function)
        assert isinstance(figure, SliderFigure), name
        assert figure.spec["fact"] == "", name
        assert figure.at == [GAMMAS.index(0.99)]
        assert len(figure.spec["reading"]) == len(GAMMAS)


def test_the_picture_shows_what_the_text_says():
    picture = evaluate(right())
    k, near = GAMMAS.index(0.99), GAMMAS.index(0.9)
    assert picture.single[k, 0] == pytest.approx(0.99**50, rel=1e-4)
    assert picture.single[near, 0] == pytest.approx(0.9**50, rel=1e-3)
    assert picture.fell[k, 0] == pytest.approx((1 - 0.99**120) / 0.01, rel=1e-4)
    # A time limit, with what was still to come as last value: as if nobody had stopped it.
    assert picture.cut[k, 0] == pytest.approx((1 - 0.99**500) / 0.01, rel=1e-4)
    assert "is worth 0.605" in explorer._reading(picture, k)
    assert "for ever: 100" in explorer._reading(picture, k)


# Their pictures are right in every point that is looked at; their checks find them.
UNSEEN = {"quadratic", "changes_rewards", "float64", "recursive"}


def test_wrong_functions_get_their_wrong_picture_and_the_fact_that_is_off():
    for name, function in corpus("bad"):
        name = name.removeprefix("bad_")
        shown = explorer.returns_explorer(function)
        if isinstance(shown, Note):
            assert shown.text.startswith("No picture yet: "), name
        elif name not in UNSEEN:
            assert shown.spec["fact"].startswith("One thing is off in this picture. At gamma = "), (
                name
            )
            assert "; " in shown.spec["fact"] or "not finite" in shown.spec["fact"], name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("forward_order", "after step 50 nothing more comes"),
        ("discounts_the_present", "the reward counts in full, 1; yours is 0.99"),
        ("no_discount", "rewards to come count nothing, 0; yours is 1"),
        ("ignores_last_value", "make 500 at step 0; yours is 120"),
        ("last_value_not_discounted", "Look at what the last value counts there"),
        ("gamma_twice", "one step before the reward it is worth 0.99; yours is 0.98"),
    ],
)
def test_the_fact_names_what_is_seen(name, words):
    path = next(p for p in corpus_files(EXERCISE, "bad") if p.stem == f"bad_{name}")
    fact, gamma = first_fact_off(evaluate(load(EXERCISE, path.read_text(), str(path))))
    assert words in fact
    assert f"At gamma = {gamma:g}:" in fact


def unwritten(rewards, gamma, last_value=0.0):
    raise NotImplementedError()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unwritten, "unwritten is not written. Complete its cell above"),
        (lambda r, g, v: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda r, g, v: None, "returned None. Is the return line missing?"),
        (lambda r, g, v: [1.0], "returned a list; it should return a tensor"),
        (lambda r, g, v: r[:3], "returned shape [3]; there is one return for each step"),
        (lambda r, g, v: r.to(torch.complex64), "there is one return for each step"),
        (lambda r: r, "raised TypeError"),
    ],
)
def test_what_cannot_be_drawn_is_said(function, words):
    note = explorer.returns_explorer(function)
    assert isinstance(note, Note) and words in note.text


def test_not_a_number_is_named_and_a_far_off_picture_stays_on_the_page():
    figure = explorer.returns_explorer(lambda r, g, v: r * float("nan"))
    assert "not finite" in figure.spec["fact"]
    figure = explorer.returns_explorer(lambda r, g, v: r * 1e9)
    assert max(abs(np.array(figure.spec["panels"][0]["y_range"]))) <= 60
    figure = explorer.returns_explorer(lambda r, g, v: -r)
    assert figure.spec["panels"][0]["y_range"][0] < -1


def test_while_grading_there_is_none(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert explorer.returns_explorer(right()) is None

"""Lab 1's sliders draw what the functions give, and say in words why there is nothing to draw."""

from __future__ import annotations

import pytest
import torch

from course_utils import gradient_explorer
from course_utils.explorers import Note
from course_utils.gradient_explorer import bandit_explorer, spread_explorer

MEANS = torch.tensor([1.0, 0.0])
EXACT = torch.tensor([0.5, -0.5])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(gradient_explorer, "SAMPLES", (4, 16, 64))


def pool():
    """Scores whose product with the returns has the mean 0.5, -0.5."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(20_000, 2, generator=generator)
    return scores, scores @ EXACT


def estimate(scores, returns, baseline=0.0):
    terms = scores * (returns - baseline)[:, None]
    return terms.mean(0), terms.std(0) / len(terms) ** 0.5


def drawn(function):
    return spread_explorer(function, *pool(), EXACT, (0.0, 1.0))


def test_a_right_estimate_has_nothing_off():
    figure = drawn(estimate)
    assert figure.spec["fact"] == ""
    assert len(figure.spec["reading"]) == 6
    assert figure.spec["reading"][0].startswith("4 samples, baseline 0: the 300 estimates")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda *a: tuple(-x for x in estimate(*a)), "exact gradient is +0.500"),
        (lambda *a: (estimate(*a)[0], 8 * estimate(*a)[1]), "your standard error says"),
        (lambda s, r, b=0.0: (s.sum(0), s.std(0)), "One thing is off"),
    ],
)
def test_one_fact_is_named(wrong, words):
    assert words in drawn(wrong).spec["fact"]


def unwritten(*args):
    raise NotImplementedError()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unwritten, "unwritten is not written"),
        (lambda *a: None, "returned None"),
        (lambda *a: torch.zeros(2), "tensor of shape [2]; it came as []"),
        (lambda *a: 3, "should return two tensors"),
        (lambda *a: (torch.zeros(2, 1), torch.zeros(2)), "came as [2, 1]"),
        (lambda *a: 1 / 0, "raised ZeroDivisionError"),
    ],
)
def test_what_cannot_be_drawn_is_a_note(function, words):
    note = drawn(function)
    assert isinstance(note, Note) and words in note.text


def run(first=(0.5, 0.5), last=(0.9, 0.1)):
    probabilities = torch.stack([torch.tensor(first)] * 3 + [torch.tensor(last)] * 6)
    return lambda: (probabilities, torch.zeros(8, dtype=torch.int64), torch.ones(8))


def test_the_bandit_is_drawn_step_by_step():
    figure = bandit_explorer(run(), MEANS)
    assert figure.spec["fact"] == ""
    assert len(figure.spec["reading"]) == 3
    assert "probabilities 0.90, 0.10; expected reward 0.90" in figure.spec["reading"][-1]


def test_a_bandit_that_stands_still_or_goes_down_is_told():
    assert "no probability ever moves" in bandit_explorer(run(last=(0.5, 0.5)), MEANS).spec["fact"]
    assert "falls from 0.50 to 0.10" in bandit_explorer(run(last=(0.1, 0.9)), MEANS).spec["fact"]


@pytest.mark.parametrize(
    ("learn", "words"),
    [
        (unwritten, "is not written"),
        (lambda: None, "no numbers that can be drawn"),
        (lambda: (torch.zeros(3), torch.zeros(8), torch.zeros(8)), "shape [9, 2]"),
        (run(last=(float("nan"), 0.1)), "NaN"),
    ],
)
def test_a_bandit_without_a_run_is_a_note(learn, words):
    note = bandit_explorer(learn, MEANS)
    assert isinstance(note, Note) and words in note.text


def test_nothing_is_drawn_while_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert bandit_explorer(unwritten, MEANS) is None
    assert drawn(unwritten) is None


def test_a_slow_function_is_told_what_it_would_take(monkeypatch):
    monkeypatch.setattr(gradient_explorer, "TIME_BUDGET", 0.0)
    note = drawn(estimate)
    assert isinstance(note, Note) and "A loop over the samples can be right" in note.text

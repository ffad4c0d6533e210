"""Lab 1's own code is right, and every cell of the notebook is what it says."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
import torch

from autograde import build
from autograde.course import Course
from autograde.judge.reference import namespace
from autograde.leaks import leaks

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course(ROOT)
LAB = "lab1_policy_gradients"
EXERCISES = [
    "select_log_probs",
    "sample_actions",
    "softmax_score",
    "score_function_gradient",
    "pg_surrogate_loss",
]


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(ROOT / "solutions" / f"{LAB}.py").cells


@pytest.fixture(scope="module")
def lab() -> dict:
    return namespace(LAB)


# --- the worked code -------------------------------------------------------------------------


def test_the_corridor_is_that_of_the_book(lab):
    """Sutton and Barto, example 13.1: about -44 and -82 at the ends, -11.6 at 0.59."""
    values = {p: lab["corridor_value"](p) for p in np.linspace(0.01, 0.99, 99)}
    best = max(values, key=values.get)
    assert best == pytest.approx(0.59, abs=0.011) and values[best] == pytest.approx(-11.66, abs=0.1)
    assert lab["corridor_value"](0.95) == pytest.approx(-44.2, abs=0.1)
    assert lab["corridor_value"](0.05) == pytest.approx(-82.1, abs=0.1)


def test_the_theorem_gives_the_gradient_of_j_wherever_one_looks(lab):
    for seed in range(4):
        theta = torch.randn(
            3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        theta.requires_grad_()
        (gradient,) = torch.autograd.grad(lab["solve_world"](theta)[0], theta)
        torch.testing.assert_close(lab["theorem"](theta.detach()), gradient, rtol=1e-5, atol=1e-7)


def test_transition_probabilities_leave_a_chance_to_end(lab):
    onward = lab["transition"].sum(-1)
    assert (lab["transition"] >= 0).all() and (onward <= 1 + 1e-12).all() and (onward < 1).any()
    assert lab["start"].sum() == pytest.approx(1.0)


def test_played_episodes_have_the_exact_mean_return(lab):
    theta = lab["theta_mdp"]
    _, _, rewards = lab["play"](theta, 20_000, torch.Generator().manual_seed(0))
    returns = lab["gamma"] ** torch.arange(len(rewards)) @ rewards
    exact = lab["solve_world"](theta)[0].item()
    assert abs(returns.mean().item() - exact) < 5 * returns.std().item() / 20_000**0.5


def test_estimators_agree_with_their_exact_values(lab):
    theta = lab["theta_mdp"]
    generator = torch.Generator().manual_seed(3)
    scores, returns, terms, without = lab["episode_terms"](theta, 20_000, generator)
    for samples, exact in (
        (scores * returns[:, None], lab["theorem"](theta)),
        (terms, lab["theorem"](theta)),
        (without, lab["theorem"](theta, factor=1.0)),
    ):
        error = samples.std(0) / len(samples) ** 0.5
        assert ((samples.mean(0) - exact.flatten()).abs() < 5 * error).all()
    # What leaving out later actions is for:
    assert (terms.var(0).sum() < (scores * returns[:, None]).var(0).sum()).item()


def test_the_bandit_learns_and_climbing_works(lab):
    for seed in (1, 2, 3):
        probabilities, _, _ = lab["learn_bandit"](seed=seed)
        assert probabilities[-1] @ lab["arms"].float() > 1.2
    exact, sampled = lab["climb_exactly"](60)[-1], lab["climb_by_sampling"](0, 60)[-1]
    start = lab["climb_exactly"](1)[0]
    assert sampled > start + 0.7 * (exact - start)


# --- form ------------------------------------------------------------------------------------


def test_exercises_are_those_of_the_contract_in_order_with_24_points(cells):
    graded = [c.metadata["nbgrader"] for c in cells if "nbgrader" in c.metadata]
    assert [m["grade_id"] for m in graded if m["solution"] and not m["grade"]] == EXERCISES
    tests = [m["grade_id"] for m in graded if m["grade"] and not m["solution"]]
    assert tests == [f"test_{name}" for name in EXERCISES]
    assert sum(m["points"] for m in graded if m["grade"] and not m["solution"]) == 20
    assert sum(m["points"] for m in graded if m["grade"] and m["solution"]) == 4
    text = "\n".join(c.source for c in cells)
    for name in EXERCISES:
        points = next(m["points"] for m in graded if m["grade_id"] == f"test_{name}")
        assert re.search(rf"`{name}`\n\n\*Difficulty \d of 5, .* {points} points\.\*", text), name


@pytest.mark.parametrize("name", EXERCISES)
def test_three_hints_follow_each_check_and_hold_no_solution_line(cells, name):
    ids = [c.metadata.get("nbgrader", {}).get("grade_id") for c in cells]
    hints = cells[ids.index(f"test_{name}") + 1].source
    assert re.findall(r"<summary>Hint (\d)", hints) == ["1", "2", "3"]
    solution = cells[ids.index(name)].source
    region = solution.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
    for line in region.splitlines():
        if len(line.strip()) > 12:
            assert line.strip() not in hints


def test_cells_that_show_something_are_skipped_when_grading(cells):
    shows = re.compile(r"^ *(figures\.show|bandit_explorer\(|display\()", re.M)
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and shows.search(cell.source):
            assert "skip-execution" in tags, cell.source[:60]
        if "skip-execution" in tags:
            assert "nbgrader" not in cell.metadata


def test_figures_have_alternative_texts_and_details_are_closed(cells):
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.source.count("figures.show(") == cell.source.count("alt=")
        else:
            assert cell.source.count("<details>") == cell.source.count("</details>")
            assert not re.search("[\U0001f300-\U0001faff\u2600-\u27bf]", cell.source)


def test_no_later_lab_is_given_away(cells):
    code = "\n".join(c.source for c in cells if c.cell_type == "code")
    for name in ("discounted_returns", "td_error", "entropy", "clamp", "gae", "reinforce_"):
        assert name not in code


def test_release_gives_nothing_of_its_source_away():
    source = build.source_notebook(COURSE.solution_path(LAB))
    assert leaks(source, source)
    assert leaks(nbformat.read(COURSE.release_path(LAB), as_version=4), source) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "course_utils").rglob("*.py")), ids=lambda p: p.name
)
def test_course_utils_holds_no_answer(path):
    source = build.source_notebook(COURSE.solution_path(LAB))
    text = path.read_text(encoding="utf-8")
    notebook = {"cells": [{"cell_type": "code", "source": text, "metadata": {}}]}
    assert leaks(notebook, source) == []

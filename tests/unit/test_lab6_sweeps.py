"""The runs of lab 6 that come with the course are those of the command and of the notebook."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils.ablation import CHANGES, ablation
from course_utils.hyperparameter_explorer import sweep

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import lunar_lander  # noqa: E402


def test_the_stored_runs_are_those_of_the_command():
    stored, study = ablation(), lunar_lander.STUDIES["ablation"]
    assert [(r.name, r.title) for r in stored.results] == [(c.name, c.title) for c in CHANGES]
    assert stored.budget == study.budget and stored.goal == lunar_lander.GOAL
    for result in stored.results:
        assert len(result.steps) == len(result.solved) == len(result.cpu_s) >= 10
        assert (result.steps <= study.budget).all() and (result.steps > 10_000).all()
        assert (result.steps[~result.solved] == study.budget).all()
        assert result.low <= result.iqm <= result.high
        assert result.cpu_low <= result.cpu_iqm <= result.cpu_high
        cut = len(result.steps) // 4
        middle = np.sort(result.steps)[cut : len(result.steps) - cut]
        assert result.iqm == pytest.approx(middle.mean(), abs=1)
    assert stored.results[0].name == "default" and stored.results[0].solved.mean() >= 0.8
    assert study.target.stat().st_size < 60_000


def test_the_stored_sweep_is_that_of_the_command():
    data, study = sweep(), lunar_lander.STUDIES["sweep"]
    assert data["epsilons"].tolist() == list(lunar_lander.EPSILONS)
    assert data["lambdas"].tolist() == list(lunar_lander.LAMBDAS)
    assert data["env_steps"].tolist() == study.grid.tolist()
    shape = (len(data["epsilons"]), len(data["lambdas"]))
    assert data["runs"].shape[:2] == data["solved_at"].shape[:2] == shape
    assert data["runs"].shape[2] == data["solved_at"].shape[2] >= 10
    assert study.target.stat().st_size < 60_000
    there = np.isfinite(data["iqm"])
    assert there[..., 2:].all()
    assert (data["low"] <= data["iqm"])[there].all() and (data["iqm"] <= data["high"])[there].all()
    n = data["runs"].shape[2]
    middle = np.sort(data["runs"], axis=2)[:, :, n // 4 : n - n // 4].mean(axis=2)
    np.testing.assert_allclose(data["iqm"][there], middle[there], atol=1.1)
    # A run that is above the goal at the end was solved; one never near it was not.
    solved = np.isfinite(data["solved_at"])
    assert solved[data["runs"][..., -1] > data["goal"] + 1].all()
    assert (data["solved_at"][solved] <= data["budget"]).all()


def test_the_sweep_is_of_the_notebooks_code():
    """Its first numbers come out again."""
    stored, study = sweep(), lunar_lander.STUDIES["sweep"]
    short = dataclasses.replace(study, budget=15_000)
    row = lunar_lander.one_run(short, lunar_lander.point(0.2, 0.95), study.first_seed)
    e, k = (stored[name].tolist().index(v) for name, v in (("epsilons", 0.2), ("lambdas", 0.95)))
    assert row["returns"] == pytest.approx(stored["runs"][e, k, 0, :3].tolist(), abs=10)

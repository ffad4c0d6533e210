"""The training benchmarks measure what they say, and say what they measure."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import planted_faults  # noqa: E402
import reference_curves  # noqa: E402
import training  # noqa: E402

from course_utils import progress, runs  # noqa: E402

PPO = training.METHODS["ppo"]


def test_every_planted_fault_still_finds_its_place():
    for edits in planted_faults.FAULTS.values():
        training.notebook_namespace(PPO.source, edits)


def test_an_edit_that_does_not_apply_is_an_error():
    with pytest.raises(ValueError, match="does not contain 'no such text'"):
        training.notebook_namespace(PPO.source, (("no such text", ""),))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "0"],
        ["--seeds", "two"],
        ["--seed-base", "-1"],
        ["--only", "theirs"],
        ["dqn"],
        ["--json", "--markdown"],
        ["--bogus"],
    ],
)
def test_wrong_arguments_get_one_line_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        training.main(arguments)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def row(who: str, seed: int, cpu: float, solved: bool = True) -> dict:
    return {
        "who": who, "seed": seed, "solved": solved, "cpu_s": cpu, "wall_s": cpu,
        "steps": 100_000, "legs": 1, "process_cpu_s": cpu + 3,
    }  # fmt: skip


def test_the_summary_compares_medians_and_seeds():
    rows = [row("ours", 1, 1.0), row("sb3", 1, 20.0), row("ours", 2, 2.0), row("sb3", 2, 16.0)]
    summary = training.summarize(rows)
    assert summary["cpu_ratio"] == {"median": 12.0, "lowest": 8.0, "highest": 20.0}
    assert summary["ours"]["median_cpu_s"] == 1.5
    said = "\n".join(training.conclusions(PPO, summary))
    assert "12.0 times" in said and "8.0 to 20.0" in said and "not solved" not in said


def test_a_run_that_hits_the_cap_is_reported_as_such():
    summary = training.summarize([row("ours", 1, 1.0), row("ours", 2, 2.0, solved=False)])
    said = "\n".join(training.conclusions(PPO, summary))
    assert "solved 1 of 2" in said and "not solved within 300,000 steps" in said
    assert "cpu_ratio" not in summary


@pytest.mark.parametrize("method", list(training.METHODS))
def test_one_measured_run_of_the_notebook_solves_cartpole(method):
    result = training.measure(method, "ours", 12345)
    assert result["solved"] and 47_500 < result["steps"] < training.METHODS[method].cap
    assert 0 < result["cpu_s"] < result["process_cpu_s"]


# --- the reference curves --------------------------------------------------------------------


def test_a_curve_is_the_mean_of_the_middle_half_with_its_interval():
    rng = np.random.default_rng(0)
    runs_ = rng.normal(300, 50, (20, 3))
    curve = reference_curves.curve(runs_)
    middle = np.sort(runs_, axis=0)[5:15].mean(axis=0)
    assert curve["iqm"] == pytest.approx(middle, abs=0.01)
    # By hand, with other random numbers: resampled seeds, percentiles of their middle halves.
    picked = runs_[rng.integers(20, size=(2000, 20))]
    means = np.sort(picked, axis=1)[:, 5:15].mean(axis=1)
    for name, percent in (("low", 2.5), ("high", 97.5)):
        assert curve[name] == pytest.approx(np.percentile(means, percent, axis=0), abs=3)


def test_one_run_counts_with_its_last_hundred_episodes(monkeypatch):
    history = {"env_steps": [4000, 9000, 9000, 12000], "mean_return": [20.0, 30.0, 40.0, 50.0]}
    notebook = {
        "TrainConfig": lambda **options: options,
        "new_run": lambda config, seed: None,
        "train": lambda run, config: history,
    }
    monkeypatch.setattr(reference_curves, "notebook_namespace", lambda source: notebook)
    assert reference_curves.one_run("ppo", 0, steps=15_000) == [20.0, 40.0, 50.0]
    history["env_steps"][0] = 6000
    assert np.isnan(reference_curves.one_run("ppo", 0, steps=5_000)).tolist() == [True]


def test_the_shipped_curves_are_those_of_the_course():
    shipped = runs.references()
    labs = [entry["lab"] for entry in progress.course_map()]
    assert list(shipped) == [lab for lab in labs if lab in shipped]
    assert list(shipped) == [method.lab for method in training.METHODS.values()]
    for curve in shipped.values():
        assert curve.seeds >= 10 and curve.env_steps[-1] == reference_curves.STEPS
        assert (curve.low <= curve.iqm).all() and (curve.iqm <= curve.high).all()
    assert reference_curves.TARGET.stat().st_size < 300_000

"""The training benchmarks measure what they say, and say what they measure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import planted_faults  # noqa: E402
import training  # noqa: E402

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


@pytest.mark.parametrize("method", ["ppo"])
def test_one_measured_run_of_the_notebook_solves_cartpole(method):
    result = training.measure(method, "ours", 12345)
    assert result["solved"] and 47_500 < result["steps"] < training.METHODS[method].cap
    assert 0 < result["cpu_s"] < result["process_cpu_s"]

"""The ablation and the sweep of lab 6: what is run, what is kept, and what the files say."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import lunar_lander  # noqa: E402
from lunar_lander import STUDIES, config_of, one_run  # noqa: E402

from course_utils.ablation import CHANGES, change  # noqa: E402

TOY = ROOT / "tests" / "fixtures" / "lander_notebook.py"
ABLATION = dataclasses.replace(STUDIES["ablation"], source=TOY)
SWEEP = dataclasses.replace(STUDIES["sweep"], source=TOY)


def by_hand(seed: int, slow: bool = False) -> list[tuple[int, float]]:
    """(steps, mean of the last 100 episodes) after every rollout of the toy notebook."""
    slope = np.random.default_rng(seed).uniform(1, 2) * (0.1 if slow else 1.0)
    ends = np.arange(4096, 600_000, 4096)
    last = [-200 + slope * s / 300 for s in ends if s > 8000]
    means = [last[0], *((a + b) / 2 for a, b in itertools.pairwise(last))]
    return list(zip(ends[1:], means, strict=True))


def test_each_change_changes_what_it_says_and_a_rollout_stays_as_large():
    config = config_of(ABLATION, change("default"))
    plain = dataclasses.asdict(config)
    for one in CHANGES[1:]:
        other = dataclasses.asdict(config_of(ABLATION, one))
        differ = {key for key in plain if plain[key] != other[key]}
        assert differ == set(one.settings) | ({"n_steps"} if "num_envs" in one.settings else set())
        assert one.name.startswith(tuple(one.settings))
        assert other["num_envs"] * other["n_steps"] == plain["num_envs"] * plain["n_steps"]
    assert len({one.name for one in CHANGES}) == len(CHANGES)
    with pytest.raises(ValueError, match=r"'ortho'; there are: default, orthogonal"):
        change("ortho")


def test_a_run_of_the_ablation_ends_when_it_is_solved():
    row = one_run(ABLATION, change("default"), 5)
    run = by_hand(5)
    solved, mean = next((s, m) for s, m in run if m >= 200)
    assert row["solved"] and row["steps"] == solved
    assert row["returns"][:2] == [None, pytest.approx(run[0][1], abs=0.06)]
    assert row["returns"][-1] == pytest.approx(mean, abs=0.06)  # kept after the end


def test_a_run_that_is_not_solved_counts_with_the_budget_and_ends_there():
    row = one_run(ABLATION, change("orthogonal"), 5)
    run = dict(by_hand(5, slow=True))
    assert not row["solved"] and row["steps"] == ABLATION.budget == 200_000
    assert row["returns"][-1] == pytest.approx(run[48 * 4096], abs=0.06)
    assert len(row["returns"]) == 40


def test_a_run_of_the_sweep_goes_on_after_it_is_solved():
    row = one_run(SWEEP, SWEEP.variants[0], 5)
    run = dict(by_hand(5))
    solved = next(s for s, m in run.items() if m >= 200)
    assert row["solved"] and row["steps"] == solved < 120_000
    assert row["returns"][:2] == [None, pytest.approx(run[8192], abs=0.06)]
    assert row["returns"][-1] == pytest.approx(run[29 * 4096], abs=0.06)


@pytest.mark.slow
def test_a_stopped_command_goes_on_and_the_file_holds_all_runs(tmp_path, capsys):
    kept, target = tmp_path / "kept" / "runs.jsonl", tmp_path / "out.json"
    command = ["ablation", "--notebook", str(TOY), "--runs", str(kept), "--jobs", "1"]
    only = ["--only", "default", "orthogonal"]
    assert lunar_lander.main([*command, *only, "--seeds", "2"]) == 0
    assert "written" not in capsys.readouterr().out
    lines = kept.read_text().splitlines()
    assert len(lines) == 4
    # A command that was killed while it wrote: the broken line is done again, the others are not.
    marked = json.loads(lines[0])
    marked["cpu_s"] = 1234.0
    kept.write_text("\n".join([json.dumps(marked), *lines[1:3], lines[3][:40]]))
    assert lunar_lander.main([*command, *only, "--seeds", "3", "--output", str(target)]) == 0
    assert len(kept.read_text().splitlines()) == 7  # the broken one stands there still
    result = json.loads(target.read_text())
    assert [entry["name"] for entry in result["changes"]] == ["default", "orthogonal"]
    default, slow = result["changes"]
    assert default["solved"] == [True] * 3 and slow["solved"] == [False] * 3
    assert slow["steps"] == [200_000] * 3
    assert slow["steps_iqm"] == {"iqm": 200_000, "low": 200_000, "high": 200_000}
    assert 1234.0 in default["cpu_s"] + slow["cpu_s"]
    assert default["steps_iqm"]["iqm"] == pytest.approx(np.mean(default["steps"]), abs=1)
    assert result["budget"] == 200_000 and result["seeds"] == 3
    out = capsys.readouterr().out
    assert "PyTorch's default start" in out and "0/3" in out and "3/3" in out
    lunar_lander.main([*command, "--only", "default", "--seeds", "1", "--again"])
    assert len(kept.read_text().splitlines()) == 1


def test_the_sweeps_file_holds_every_point(tmp_path):
    variants = SWEEP.variants
    played = [one_run(SWEEP, variants[3], s) for s in (1, 2, 3, 4)]
    rows = [  # of all points; at the end each has returns of its own
        {**row, "variant": v.name, "returns": [*row["returns"][:-1], 1000.0 * i]}
        for row in played
        for i, v in enumerate(variants)
    ]
    file = lunar_lander.sweep_file(SWEEP, range(1, 5), rows)
    lunar_lander.write(tmp_path / "sweep.json", file)
    assert json.loads((tmp_path / "sweep.json").read_text()) == file
    assert len(file["points"]) == len(file["epsilons"]) * len(file["lambdas"]) == len(variants)
    assert [p["iqm"][-1] for p in file["points"]] == [1000 * i for i in range(len(variants))]
    first, second = variants[0].settings, variants[1].settings
    assert first["clip_epsilon"] == second["clip_epsilon"] == file["epsilons"][0]
    assert [first["gae_lambda"], second["gae_lambda"]] == file["lambdas"][:2]
    one = file["points"][3]
    runs = np.array([[np.nan if y is None else y for y in run] for run in one["runs"]])
    assert runs.shape == (4, len(file["env_steps"])) and np.isnan(runs[:, 0]).all()
    assert one["iqm"][0] is None
    assert one["iqm"][9] == pytest.approx(np.sort(runs[:, 9])[1:3].mean(), abs=1)
    assert one["low"][9] <= one["iqm"][9] <= one["high"][9]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["both"],
        ["ablation", "--seeds", "0"],
        ["ablation", "--only", "nothing"],
        ["sweep", "--jobs", "none"],
        ["sweep", "--bogus"],
    ],
)
def test_wrong_arguments_get_one_line_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        lunar_lander.main(arguments)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_notebook_that_is_not_there_is_said(capsys):
    assert lunar_lander.main(["sweep", "--notebook", "nowhere.py"]) == 2
    assert "no file nowhere.py" in capsys.readouterr().err

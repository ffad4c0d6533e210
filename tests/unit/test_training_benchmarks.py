"""The training benchmarks measure what they say, and say what they measure."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import planted_faults  # noqa: E402
import reference_curves  # noqa: E402
import training  # noqa: E402
import training_cells  # noqa: E402
import training_profile  # noqa: E402
import training_report as report  # noqa: E402

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
        ["--cap", "0"],
        ["--peer-seeds", "none"],
        ["--figure", "runs.txt"],
        ["--output", "a", "--resume", "b"],
        ["--json", "--markdown"],
        ["--bogus"],
    ],
)
def test_wrong_arguments_get_one_line_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        training.main(arguments)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def run(who: str, seed: int, cpu: float, solved: bool = True, method: str = "ppo") -> dict:
    return {
        "method": method, "who": who, "seed": seed, "solved": solved, "cpu_s": cpu,
        "wall_s": 2 * cpu, "steps": 100_000, "legs": 1, "cap": 300_000, "process_cpu_s": cpu + 3,
    }  # fmt: skip


def runs_of(ours: list[float], sb3: list[float], **options) -> list[dict]:
    sides = {"ours": ours, "sb3": sb3}
    return [run(who, i, cpu, **options) for who in sides for i, cpu in enumerate(sides[who])]


def said(runs: list[dict]) -> str:
    summaries = report.by_method(runs)
    return report.table(summaries) + "\n" + "\n".join(report.remarks(summaries))


def test_the_ratio_is_that_of_the_medians_with_its_interval():
    rng = np.random.default_rng(0)
    theirs, ours = rng.lognormal(3, 0.3, 5), rng.lognormal(0, 0.3, 10)
    found = report.ratio_of_medians(theirs.tolist(), ours.tolist())
    assert found["ratio"] == pytest.approx(np.median(theirs) / np.median(ours))
    # By hand, with other random numbers: each side resampled by itself.
    picked = [np.median(x[rng.integers(len(x), size=(20_000, len(x)))], 1) for x in (theirs, ours)]
    low, high = np.percentile(picked[0] / picked[1], [2.5, 97.5])
    assert (found["low"], found["high"]) == pytest.approx((low, high), rel=0.03)


def test_the_summary_compares_medians():
    summary = report.summarize(runs_of([1.0, 2.0, 1.5], [20.0, 16.0]))
    assert summary["ours"]["median_cpu_s"] == 1.5
    assert summary["cpu_ratio"]["ratio"] == summary["wall_ratio"]["ratio"] == 12.0
    assert not summary["cpu_ratio"]["at_least"]
    alone = report.summarize(runs_of([1.0], [20.0]))
    assert alone["cpu_ratio"] == {"ratio": 20.0, "low": None, "high": None, "at_least": False}
    text = said(runs_of([1.0, 2.0, 1.5], [20.0, 16.0]))
    assert "12.0 times (8.0 to 20.0)" in text
    assert "at least" not in text and "not solved" not in text


def test_a_peer_that_hits_the_cap_makes_the_ratio_a_lower_bound():
    text = said([*runs_of([1.0, 2.0], [20.0]), run("sb3", 1, 30.0, solved=False)])
    assert "1 of 2" in text and "at least 16.7 times" in text
    assert "1 of 2 not solved within 300,000 steps; counted with the time until then" in text


def test_a_run_of_ours_that_is_not_solved_counts_as_endless_in_the_ratio():
    failed = run("ours", 9, 0.5, solved=False)
    text = said([*runs_of([1.0, 2.0], [20.0, 30.0]), failed])
    assert "12.5 times (0.0 to 30.0)" in text and "1 of 3 not solved" in text
    assert "in the ratio as endless" in text
    assert "times" not in said([*runs_of([1.0], [20.0, 30.0]), failed])  # nor would a median end


def test_the_markdown_table_has_one_line_a_side():
    lines = report.table(report.by_method(runs_of([1.0], [20.0])), markdown=True).splitlines()
    assert len(lines) == 4 and {line.count("|") for line in lines} == {9}
    assert lines[2].startswith(
        "| PPO, CartPole-v1 | this notebook | 1 of 1 | 1.00 (1.00 to 1.00) |"
    )


def test_the_figure_shows_every_run_and_those_given_up_as_open_arrows():
    runs = [
        *runs_of([1.0, 2.0], [20.0, 16.0]),
        *runs_of([9.0], [], method="ppo_lunar"),
        run("sb3", 1, 500.0, solved=False, method="ppo_lunar"),
    ]
    axes = report.draw(runs).axes[0]
    dots = [line for line in axes.lines if line.get_marker() in "os>"]
    assert sorted(float(line.get_xdata()[0]) for line in dots) == [1, 2, 9, 16, 20, 500]
    (given_up,) = [line for line in dots if line.get_marker() == ">"]
    assert given_up.get_xdata()[0] == 500 and given_up.get_markerfacecolor() == "none"
    assert "at least" in " ".join(text.get_text() for text in axes.texts)
    assert axes.get_xscale() == "log"


# --- measuring ----------------------------------------------------------------------------------


def plan(**changes) -> dict:
    return {
        "methods": ["reinforce", "ppo"], "only": None, "seed_base": 7, "seeds": 2, "peer_seeds": 1,
        "cap": 1000, "evaluate": False, **changes,
    }  # fmt: skip


def test_the_sides_take_turns_and_the_next_seed_begins_with_the_other_one():
    assert training.to_measure(plan(peer_seeds=2)) == [
        ("reinforce", "ours", 7), ("ppo", "ours", 7), ("ppo", "sb3", 7),
        ("reinforce", "ours", 1007), ("ppo", "sb3", 1007), ("ppo", "ours", 1007),
    ]  # fmt: skip
    assert ("ppo", "sb3", 1007) not in training.to_measure(plan())
    assert {who for _, who, _ in training.to_measure(plan(only="sb3"))} == {"sb3"}


def test_a_run_that_was_stopped_goes_on_and_can_be_shown(tmp_path, monkeypatch, capsys):
    measured = []

    def measure(method, who, seed, cap, evaluate):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append((method, who, seed))
        return run(who, seed, 1.0 if who == "ours" else 25.0)

    monkeypatch.setattr(training, "measure", measure)
    file, picture = tmp_path / "runs.json", tmp_path / "runs.png"
    begin = ["ppo", "--seeds", "2", "--seed-base", "5", "--output", str(file)]
    assert training.main(begin) == 130
    assert "--resume" in capsys.readouterr().err
    assert len(training.load(file)["runs"]) == 2

    first, measured[:] = measured[:], []
    assert training.main(["--resume", str(file)]) == 0
    assert sorted(first + measured) == sorted(training.to_measure(training.load(file)["plan"]))
    table = capsys.readouterr().out
    assert "25.0 times" in table and "2 of 2" in table

    measured.clear()
    assert training.main(["--show", str(file), "--figure", str(picture)]) == 0
    assert capsys.readouterr().out == table and not measured
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert training.main(["--resume", str(file), "--seeds", "3"]) == 0
    assert measured == [("ppo", "ours", 2005)]

    changed = training.load(file)
    changed["sources"]["ppo"] = "of another lab 5"
    training.save(changed, file)
    capsys.readouterr()
    assert training.main(["--show", str(file)]) == 0
    assert "has changed since" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        training.main(["--resume", str(file)])
    assert "has changed since" in capsys.readouterr().err


def test_only_what_computes_makes_results_outdated(tmp_path):
    """Nobody measures for an hour because a comment was mended."""
    text = PPO.source.read_text(encoding="utf-8")
    reworded, other = tmp_path / "reworded.py", tmp_path / "other.py"
    step = "        optimizer.step()\n"
    assert text.count(step) == 1
    reworded.write_text(text.replace(step, f"        # A comment of the test's.\n{step}"))
    other.write_text(text.replace(step, "        pass\n"))
    ours = training.fingerprint(PPO)
    assert training.fingerprint(dataclasses.replace(PPO, lab=str(reworded.with_suffix("")))) == ours
    assert training.fingerprint(dataclasses.replace(PPO, lab=str(other.with_suffix("")))) != ours


def test_the_files_asked_for_are_looked_at_before_anything_is_measured(tmp_path, capsys):
    there, other = tmp_path / "there.json", tmp_path / "other.json"
    training.save(training.new_results(plan()), there)
    other.write_text("[1, 2]")
    for arguments, reason in [
        (["--output", str(there)], "is there already"),
        (["--output", str(tmp_path / "no" / "runs.json")], "there is no folder"),
        (["--resume", str(tmp_path / "none.json")], "cannot be read"),
        (["--show", str(other)], "holds no results"),
        (["--resume", str(there), "--cap", "5"], "--cap cannot be given"),
        (["--show", str(there), "--seeds", "5"], "--seeds cannot be given"),
        (["ppo", "--resume", str(there)], "method cannot be given"),
        (["reinforce", "--only", "sb3"], "Stable-Baselines3 has no REINFORCE"),
        (["--seed-base", "2147483647"], "seeds must end before"),
    ]:
        with pytest.raises(SystemExit) as stop:
            training.main(arguments)
        said = capsys.readouterr().err
        assert stop.value.code == 2 and reason in said and len(said.splitlines()) == 1
    assert training.main(["--show", str(there)]) == 1  # holds no runs yet


def test_one_measured_run_of_the_notebook_solves_cartpole():
    result = training.measure("ppo", "ours", 12345)
    assert result["solved"] and 47_500 < result["steps"] < result["cap"]
    assert 0 < result["cpu_s"] < result["process_cpu_s"]


def test_a_run_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(training.sys, "executable", "false")
    with pytest.raises(RuntimeError, match="PPO, CartPole-v1, this notebook, seed 1: no reason"):
        training.measure("ppo", "ours", 1)


@pytest.mark.parametrize("name", ["ppo", "ppo_lunar"])
def test_the_peer_ends_at_its_cap(name):
    method = training.METHODS[name]
    result, act = training.run_sb3(method, seed=3, cap=500)
    assert not result["solved"] and 500 <= result["steps"] < 500 + method.peer.n_envs
    assert act(np.zeros(4 if name == "ppo" else 8, dtype=np.float32)) in range(4)


@pytest.mark.parametrize("name", list(training.METHODS))
def test_ours_runs_with_the_notebooks_own_settings(name):
    method = training.METHODS[name]
    result, act = training.run_ours(method, seed=3, total_steps=4_500)
    assert not result["solved"] and 2_000 < result["steps"] < 10_000
    notebook = training.notebook_namespace(method.source)
    defaults = notebook[method.config]()
    assert defaults.goal >= method.goal and result["stop_goal"] == defaults.goal
    assert getattr(defaults, "env_id", method.env_id) == method.env_id
    assert type(act(np.zeros(4 if "Cart" in method.env_id else 8, dtype=np.float32))) is int


def test_a_notebook_that_goes_on_beyond_the_goal_is_timed_at_the_goal():
    easier = dataclasses.replace(PPO, goal=25.0)
    result, _ = training.run_ours(easier, seed=3, total_steps=24_576)
    assert result["solved"] and result["steps"] < 20_000
    assert 0 < result["cpu_s"] < 0.9 * result["stop_cpu_s"]
    text = said([{"method": "ppo", "who": "ours", "seed": 3, "process_cpu_s": 9, **result}])
    assert "1 of 1" in text and "trained on" not in text  # lab 5 ends at the goal
    lunar = {**run("ours", 1, 9.0, method="ppo_lunar"), "stop_cpu_s": 12.0}
    last = "until its agent has passed a trial of greedy episodes; median 12.00 CPU s"
    assert f"trained on {last}" in said([lunar])


def test_greedy_episodes_are_those_of_their_seeds():
    def lean(obs):
        return int(obs[2] > 0)

    seeds = range(50, 53)
    found = training.greedy_return(lean, "CartPole-v1", seeds)
    assert found == sum(training.greedy_return(lean, "CartPole-v1", [s]) for s in seeds) / 3
    assert 25 < found < 60  # pushing to where the pole leans: about 40 steps


# --- the profile --------------------------------------------------------------------------------


def test_a_ledger_books_each_moment_once():
    now = [0.0]

    def passing(seconds, function=lambda: None):
        def body():
            now[0] += seconds
            function()

        return body

    ledger = training_profile.Ledger(lambda: now[0], "rest")
    network = ledger.wrap(passing(1.0), "networks", ("collecting",))
    step = ledger.wrap(passing(4.0), "environment", ("collecting",))
    collect = ledger.wrap(passing(16.0, lambda: (network(), step())), "collecting", ("rest",))
    update = ledger.wrap(passing(64.0, network), "update", ("rest",))
    for function in (collect, update, passing(256.0)):
        function()
    ledger.switch("rest")
    assert ledger.booked == {
        "environment": 4, "networks": 1, "collecting": 16, "advantages": 0, "update": 65,
        "rest": 256,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["reinforce", "a2c", "ppo_lunar"])
def test_a_profile_accounts_for_the_whole_run(name, monkeypatch):
    monkeypatch.setattr(training_profile, "MATRIX", 64)
    found = training_profile.profile(name, seed=1, total_steps=4_500)
    parts, floors = found["cpu_s"], found["floor_s"]
    assert sum(parts.values()) == pytest.approx(found["plain_cpu_s"], rel=0.8)
    assert min(parts[part] for part in ("environment", "networks", "collecting", "update")) > 0
    assert set(floors) == {"environment", "networks", "update"}
    assert 0 < floors["environment"] < 2 * parts["environment"]
    text = training_profile.table(found)
    assert "the whole run" in text and "100%" in text
    assert "Environment only" in training_profile.remark(found)


def test_the_operations_are_those_of_the_formula():
    """PPO on CartPole: 2 networks of [4, h] and [h, 2] or [h, 1]; a backward pass costs twice."""
    found = training_profile.profile("ppo", seed=1, total_steps=4_500)
    notebook = training.notebook_namespace(PPO.source)
    config = notebook["TrainConfig"]()
    actor, critic = 2 * config.hidden * (4 + 2), 2 * config.hidden * (4 + 1)
    rollouts = 4_500 // (config.num_envs * config.n_steps)
    played = rollouts * config.n_steps * config.num_envs
    seen = played + rollouts * config.num_envs  # by the model: the last observations too
    assert found["vector_steps"] * found["num_envs"] == played
    assert found["operations"]["networks"] == played * actor + seen * (actor + critic)
    # The observations need no gradient, so the first layers have only half of a backward pass.
    once = 3 * (actor + critic) - 2 * 2 * config.hidden * 4
    most = played * config.epochs * once
    assert 0.95 * most < found["operations"]["update"] <= most  # resets are left out


def test_a_name_that_the_notebook_lost_is_an_error(monkeypatch):
    where = dataclasses.replace(training_profile.WHERE["ppo"], update="ppo_step")
    monkeypatch.setitem(training_profile.WHERE, "ppo", where)
    with pytest.raises(LookupError, match="the notebook has no ppo_step"):
        training_profile.profile("ppo", seed=1, total_steps=4_500)


# --- the training cells -------------------------------------------------------------------------

SMALL = """\
# %% [markdown]
# # A lab
# ## Part 1. Training

# %% tags=["skip-execution"]
import torch
weight = torch.zeros(1, requires_grad=True)
for _ in range(3):
    optimizer = torch.optim.SGD([weight])
    weight.sum().backward()
    optimizer.step()

# %% nbgrader={"grade": true, "grade_id": "test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
raise SystemError("cells that test are left out")

# %% [markdown]
# ### Nothing trained

# %%
torch.ones(3)
"""  # noqa: E501


def test_the_cells_of_a_lab_are_measured_in_a_kernel(tmp_path):
    source = tmp_path / "lab0_small.py"
    source.write_text(SMALL)
    cells = training_cells.measure(source)
    assert [(cell["cell"], cell["gradient_steps"]) for cell in cells] == [
        ("Part 1. Training", 3), ("Nothing trained", 0),
    ]  # fmt: skip
    assert 0 < cells[0]["cpu_s"] < 20
    assert training_cells.listed(cells) == cells[:1]


def test_a_cell_over_the_limit_fails_the_command(monkeypatch, capsys):
    cell = {"lab": "lab5_ppo", "cell": "Part 7", "gradient_steps": 9, "cpu_s": 6.0, "wall_s": 7.0}
    monkeypatch.setattr(training_cells, "measure", lambda source: [cell])
    assert training_cells.main(["lab5_ppo"]) == 0
    assert training_cells.main(["lab5_ppo", "--limit", "5"]) == 1
    assert "lab5_ppo, Part 7: 6.0 CPU s, more than 5" in capsys.readouterr().err


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
    assert list(shipped) == [
        method.lab
        for method in training.METHODS.values()
        if method.env_id == reference_curves.ENVIRONMENT
    ]
    for curve in shipped.values():
        assert curve.seeds >= 10 and curve.env_steps[-1] == reference_curves.STEPS
        assert (curve.low <= curve.iqm).all() and (curve.iqm <= curve.high).all()
    assert reference_curves.TARGET.stat().st_size < 300_000

"""Lab 6's notebook: its form, the worked code it brings along, and its training loop."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import pytest
import torch

from autograde.course import Course
from autograde.judge.reference import namespace

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course(ROOT)
LAB = "lab6_lunar_lander"
EXERCISES = {"orthogonal_linear": 3, "collect_rollout": 10, "evaluate": 6, "interquartile_mean": 2,
             "bootstrap_interval": 5}  # fmt: skip


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(ROOT / "solutions" / f"{LAB}.py").cells


@pytest.fixture(scope="module")
def lab() -> dict:
    torch.set_num_threads(1)
    return dict(namespace(LAB))


def test_exercises_are_those_of_the_contract_in_order(cells):
    graded = [c.metadata["nbgrader"] for c in cells if "nbgrader" in c.metadata]
    written = [m["grade_id"] for m in graded if m["solution"] and not m["grade"]]
    assert written == list(EXERCISES)
    points = {m["grade_id"]: m["points"] for m in graded if m["grade"]}
    assert points == {
        **{f"test_{name}": worth for name, worth in EXERCISES.items()},
        "test_lander_agent": 6,
        "honest_comparison": 4,
    }
    text = "\n".join(c.source for c in cells)
    for name, worth in EXERCISES.items():
        line = (
            rf"`{name}`\n#? ?\n#? ?\*Difficulty \d of 5, .* importance \d of 5\. {worth} points\.\*"
        )
        assert re.search(line, text), name


def test_the_worked_functions_are_lab_5s_own_solutions():
    """Lab 6 brings along what lab 5 asked for: the same statements, docstrings aside."""

    def functions(source: str) -> dict[str, str]:
        found = {}
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef):
                node.body = node.body[1:]
                node.returns = None
                for argument in node.args.args:
                    argument.annotation = None
                found[node.name] = ast.unparse(node)
        return found

    there = functions((ROOT / "solutions" / "lab5_ppo.py").read_text(encoding="utf-8"))
    here = functions((ROOT / "solutions" / f"{LAB}.py").read_text(encoding="utf-8"))
    for name in namespace(LAB)["WORKED"]:
        assert here[name] == there[name], name


def test_the_worked_cell_is_folded_and_the_students_are_not_looked_for_while_grading(cells, lab):
    (worked,) = [c for c in cells if c.source.startswith("# Worked versions from lab 5")]
    assert worked.metadata["jupyter"] == {"source_hidden": True}
    assert vars(lab["ppo"]) == lab["WORKED"]


def test_episodes_that_go_on_from_one_rollout_into_the_next_are_counted_once(lab):
    finished, scores = lab["finished_returns"], torch.zeros(2)
    rewards = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    off = torch.zeros(3, 2, dtype=torch.bool)
    first, second = off.clone(), off.clone()
    first[1, 0] = True  # terminated
    second[0, 1] = True  # truncated
    assert finished({"rewards": rewards, "terminated": first, "truncated": off}, scores) == [3.0]
    assert scores.tolist() == [4.0, 70.0]
    assert finished({"rewards": rewards, "terminated": off, "truncated": second}, scores) == [80.0]
    assert scores.tolist() == [11.0, 60.0]


@pytest.mark.parametrize("bootstrap", [True, False])
def test_a_time_limit_counts_as_the_config_says(lab, bootstrap):
    config = lab["TrainConfig"](bootstrap_time_limits=bootstrap, gamma=0.5, reward_scale=0.1)
    one = torch.ones(1, 1)
    no = torch.zeros(1, 1, dtype=torch.bool)
    rollout = {"obs": torch.zeros(1, 1, 8), "actions": one.long(), "log_probs": -one,
               "rewards": 10 * one, "values": 2 * one, "next_values": 8 * one,
               "terminated": no, "truncated": ~no}  # fmt: skip
    batch = lab["to_batch"](rollout, config)
    # delta = 0.1 * 10 + 0.5 * 8 - 2, or without the value of what was reached
    assert batch["advantages"].tolist() == [3.0 if bootstrap else -1.0]
    assert batch["returns"].tolist() == [5.0 if bootstrap else 1.0]
    assert batch["obs"].shape == (1, 8)


def test_a_short_training_run_trains_the_model_and_averages_the_agent(lab):
    config = lab["TrainConfig"](total_steps=512, num_envs=4, n_steps=64, minibatch_size=64)
    run = lab["new_run"](config, 3)
    start = [p.clone() for p in run.model.parameters()]
    history = lab["train"](run, config)
    assert run.env_steps == 512 and len(history["log_steps"]) == 2
    for before, model, agent in zip(start, run.model.parameters(), run.agent.parameters(),
                                    strict=True):  # fmt: skip
        assert not torch.equal(before, model) and not torch.equal(model, agent)
    again = lab["new_run"](config, 3)
    lab["train"](again, config)
    assert all(map(torch.equal, run.model.parameters(), again.model.parameters()))

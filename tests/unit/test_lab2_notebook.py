"""Lab 2's own code plays and counts right, and every cell of the notebook is what it says."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

from autograde import build
from autograde.course import Course
from autograde.judge.reference import namespace
from autograde.leaks import leaks
from course_utils.environments import make_envs

ROOT = Path(__file__).resolve().parents[2]
LAB = "lab2_reinforce"
SOURCE = ROOT / "solutions" / f"{LAB}.py"
EXERCISES = [
    "PolicyNetwork",
    "discounted_returns",
    "standardize",
    "reinforce_loss",
    "reinforce_step",
]
LATER = ("lab3_actor_critic", "lab4_gae", "lab5_ppo")


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(SOURCE).cells


@pytest.fixture(scope="module")
def lab() -> dict:
    torch.set_num_threads(1)
    return namespace(LAB)


def short_envs(num_envs: int, limit: int):
    envs = CartPoleVectorEnv(num_envs=num_envs, max_episode_steps=limit)
    envs.reset(seed=0)
    return envs


def always_right(obs):
    return torch.tensor([0.0, 100.0]).expand(len(obs), 2)


# --- the worked code -------------------------------------------------------------------------


def test_episodes_that_ran_out_of_time_are_complete_and_look_ahead(lab):
    envs = short_envs(3, limit=5)
    episodes = lab["play"](envs, always_right, torch.Generator().manual_seed(0))
    assert [len(e.rewards) for e in episodes] == [5, 5, 5]
    assert not any(e.terminated for e in episodes)
    obs, actions, returns = lab["as_batch"](episodes, 1.0, 10.0)
    assert obs.shape == (15, 4) and obs.dtype == torch.float32
    assert actions.shape == (15,) and actions.dtype == torch.int64
    np.testing.assert_allclose(returns.numpy(), [15.0, 14.0, 13.0, 12.0, 11.0] * 3)


def test_after_a_fall_nothing_is_worth_anything(lab):
    envs = make_envs("CartPole-v1", 4, seed=0)
    episodes = lab["play"](envs, always_right, torch.Generator().manual_seed(0))
    assert all(e.terminated and 5 < len(e.rewards) < 20 for e in episodes)
    _, actions, returns = lab["as_batch"](episodes, 1.0, 1000.0)
    assert (actions == 1).all()
    assert returns.tolist() == [float(n) for e in episodes for n in range(len(e.rewards), 0, -1)]


def test_an_episode_is_what_one_environment_played(lab):
    """Played again with the same actions, each environment shows the same observations."""
    envs = make_envs("CartPole-v1", 3, seed=4)
    episodes = lab["play"](envs, lambda obs: torch.zeros(len(obs), 2), torch.Generator())
    assert len({len(e.rewards) for e in episodes}) > 1  # so that some had to wait for others
    twin = make_envs("CartPole-v1", 3, seed=4)
    obs, _ = twin.reset()
    for t in range(max(len(e.rewards) for e in episodes)):
        actions = np.zeros(3, dtype=int)
        for n, episode in enumerate(episodes):
            if t < len(episode.rewards):
                np.testing.assert_array_equal(episode.obs[t].numpy(), obs[n])
                actions[n] = episode.actions[t]
        obs, _, terminated, _, _ = twin.step(actions)
        for n, episode in enumerate(episodes):
            if t < len(episode.rewards):
                assert terminated[n] == (t == len(episode.rewards) - 1)


def test_actions_come_from_the_policy(lab):
    logits = torch.tensor([[0.0, 1.0]]).expand(100_000, 2)
    actions = lab["draw_actions"](logits, torch.Generator().manual_seed(0))
    assert actions.dtype == torch.int64
    assert abs(actions.float().mean().item() - 0.7311) < 0.006  # about four standard errors


def test_a_seed_repeats_a_run(lab):
    def weights(seed: int) -> torch.Tensor:
        config = lab["TrainConfig"](total_steps=3000)
        run = lab["new_run"](config, seed)
        lab["train"](run, config)
        return torch.cat([p.detach().ravel() for p in run.policy.parameters()])

    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))


def test_training_solves_cartpole(lab):
    config = lab["TrainConfig"]()
    history = lab["train"](lab["new_run"](config, 4321), config)
    assert history["mean_return"][-1] >= 475
    assert 47_500 < history["env_steps"][-1] < config.total_steps
    # Environment steps are the steps that were learned from, one episode after the other.
    assert history["episode_returns"].sum() == history["env_steps"][-1]


def test_the_exhibit_has_no_gradient_and_the_loss_has_one(lab):
    returns, largest = lab["follow_the_gradient"](lab["exhibit_loss"], seed=9, rounds=6)
    assert max(largest) < 1e-6 and max(returns) < 40
    _, largest = lab["follow_the_gradient"](lab["reinforce_loss"], seed=9, rounds=6)
    assert min(largest) > 1e-3


def test_at_the_doors_it_matters_what_is_standardized(lab):
    over_the_batch = lab["learn_doors"](False, 0.99, seed=50)
    each_by_itself = lab["learn_doors"](True, 0.99, seed=50)
    assert np.mean(over_the_batch[-10:]) > 0.99
    assert np.mean(each_by_itself[-10:]) < 0.01
    # Without a discount nothing is left to learn from: the policy stays as it was, to rounding.
    assert 0.01 < np.mean(lab["learn_doors"](True, 1.0, seed=50)) < 0.15


def test_doors_end_at_the_first_wrong_handle(lab):
    handles = torch.tensor([0, 1, 1, 0])
    generator = torch.Generator().manual_seed(0)
    episodes = lab["play_doors"](lambda doors: torch.zeros(4, 2), handles, generator)
    assert len(episodes) == 32
    for e in episodes:
        right = e.actions == handles[: len(e.actions)]
        assert right[:-1].all()
        assert e.rewards.sum().item() == float(len(right) == 4 and right[-1])
        assert len(right) == 4 or not right[-1]
        assert torch.equal(e.obs, torch.eye(4)[: len(right)])


def test_the_estimates_of_part_7_agree_on_average(lab):
    """All three weightings have the same expectation; the later ones spread less."""
    torch.manual_seed(0)
    policy = lab["PolicyNetwork"](4, 2, 8)
    envs = make_envs("CartPole-v1", 600, seed=3)
    episodes = lab["play"](envs, policy, torch.Generator().manual_seed(3))
    to_go = [lab["discounted_returns"](e.rewards, 1.0) for e in episodes]
    baseline = torch.cat(to_go).mean()
    found = {
        "whole": [e.rewards.sum().expand(len(e.rewards)) for e in episodes],
        "to go": to_go,
        "baseline": [r - baseline for r in to_go],
    }
    mean, spread = {}, {}
    for name, weights in found.items():
        each = torch.stack(
            [lab["gradient_from"](policy, e, w) for e, w in zip(episodes, weights, strict=True)]
        )
        mean[name], spread[name] = each.mean(dim=0), each.var(dim=0).sum()
    assert spread["whole"] > 2 * spread["to go"] > 2 * spread["baseline"]
    error = (spread["whole"] / len(episodes)).sqrt()  # of the noisiest of the means
    for name in ("to go", "baseline"):
        assert (mean[name] - mean["whole"]).norm() < 3 * error


# --- form ------------------------------------------------------------------------------------


def test_exercises_are_those_of_the_contract_in_order_with_28_points(cells):
    graded = [c.metadata["nbgrader"] for c in cells if "nbgrader" in c.metadata]
    assert [m["grade_id"] for m in graded if m["solution"] and not m["grade"]] == EXERCISES
    tests = [m["grade_id"] for m in graded if m["grade"] and not m["solution"]]
    assert tests == [f"test_{name}" for name in EXERCISES]
    assert sum(m["points"] for m in graded if m["grade"] and not m["solution"]) == 24
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
    assert "<summary>Help, " in hints
    for region in cells[ids.index(name)].source.split("### BEGIN SOLUTION")[1:]:
        for line in region.split("### END SOLUTION")[0].splitlines():
            if len(line.strip()) > 16:
                assert line.strip() not in hints


def test_cells_that_show_something_are_skipped_when_grading(cells):
    shows = re.compile(r"^ *(figures\.show|replay\(|display\(|returns_explorer\(|history = )", re.M)
    skipped = 0
    for cell in cells:
        tagged = "skip-execution" in cell.metadata.get("tags", [])
        skipped += tagged
        if cell.cell_type == "code" and not re.match(r"(def|class|@dataclass)\b", cell.source):
            assert tagged or not shows.search(cell.source), cell.source[:60]
        if tagged:
            assert "nbgrader" not in cell.metadata
    assert skipped >= 12


def test_figures_have_alternative_texts_and_details_are_closed(cells):
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.source.count("figures.show(") == cell.source.count("alt=")
        else:
            assert cell.source.count("<details>") == cell.source.count("</details>")
            assert not re.search("[\U0001f300-\U0001faff\u2600-\u27bf]", cell.source)


def test_the_way_through_takes_the_time_that_is_announced(cells):
    """The minutes to each part only grow, and stay below the two and a half hours of the title."""
    text = "\n".join(c.source for c in cells)
    minutes = [int(m) for m in re.findall(r"\*About (\d+) minutes to here\.", text)]
    assert len(minutes) >= 8 and minutes == sorted(minutes) and minutes[-1] <= 150


# --- nothing is given away -------------------------------------------------------------------


@pytest.fixture(scope="module")
def release():
    return nbformat.read(Course(ROOT).release_path(LAB), as_version=4)


def test_the_release_gives_no_answer_of_this_lab_away(release):
    source = build.source_notebook(SOURCE)
    assert leaks(release, source) == []
    assert leaks(source, source)  # the finder would see them


@pytest.mark.parametrize("later", LATER)
def test_the_release_holds_no_answer_of_a_later_lab(release, later):
    path = Course(ROOT).solution_path(later)
    if not path.is_file():
        pytest.skip(f"{later} is not here yet")
    assert leaks(release, build.source_notebook(path)) == []


def test_course_utils_holds_no_answer_of_this_lab():
    source = build.source_notebook(SOURCE)
    for path in sorted((ROOT / "course_utils").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        cell = {"cell_type": "code", "source": text, "metadata": {}}
        assert leaks({"cells": [cell]}, source) == [], path.name

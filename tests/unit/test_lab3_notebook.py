"""Lab 3's own code plays and counts right, and every cell of the notebook is what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

from autograde import build
from autograde import judge as judging
from autograde.course import Course
from autograde.judge.reference import namespace
from autograde.leaks import leaks
from course_utils import entropy_explorer as explorer

ROOT = Path(__file__).resolve().parents[2]
LAB = "lab3_actor_critic"
EXERCISES = judging.exercises(LAB)


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(ROOT / "solutions" / f"{LAB}.py").cells


@pytest.fixture(scope="module")
def lab() -> dict:
    return namespace(LAB)


def column(*numbers, dtype=torch.float32) -> torch.Tensor:
    return torch.tensor(numbers, dtype=dtype).unsqueeze(-1)


# --- the worked code -------------------------------------------------------------------------


def test_n_step_returns_stop_at_ends_and_ask_the_critic_where_time_was_up(lab):
    returns = lab["n_step_returns"](
        column(1.0, 1.0, 1.0, 1.0, 1.0),
        column(10.0, 10.0, 10.0, 10.0, 10.0),
        column(False, True, False, False, False, dtype=torch.bool),
        column(False, False, False, True, False, dtype=torch.bool),
        0.5,
    )
    # 0 and 1: up to the termination; 2 and 3: up to the time limit, then the critic; 4: rollout.
    np.testing.assert_allclose(returns[:, 0].numpy(), [1.5, 1.0, 1 + 0.5 * 6.0, 6.0, 6.0])


def test_n_step_returns_of_one_step_are_the_target_of_the_td_error(lab):
    g = torch.Generator().manual_seed(0)
    rewards, values, after = torch.randn(3, 1, 6, generator=g)
    ended = torch.rand(1, 6, generator=g) < 0.4
    returns = lab["n_step_returns"](rewards, after, ended, torch.zeros_like(ended), 0.9)
    torch.testing.assert_close(
        returns - values, lab["td_error"](rewards, values, after, ended, 0.9)
    )


def constant_critic(lab: dict, value: float):
    torch.manual_seed(0)
    model = lab["ActorCritic"](4, 2)
    with torch.no_grad():
        model.critic[-1].weight.zero_()
        model.critic[-1].bias.fill_(value)
    return model


def test_the_rollout_marks_resets_and_looks_ahead_over_a_time_limit(lab):
    envs = CartPoleVectorEnv(num_envs=3, max_episode_steps=5)
    envs.reset(seed=0)
    collector = lab["Collector"](envs, torch.Generator().manual_seed(0))
    config = lab["A2CConfig"](gamma=1.0, reward_scale=1.0)
    rollout, finished = collector.collect(constant_critic(lab, 10.0), 12)
    assert finished == [5.0] * 6 and collector.env_steps == 30
    assert rollout["real"][:, 0].tolist() == ([True] * 5 + [False]) * 2
    batch = lab["batch_of"](rollout, config)
    expected = np.repeat([15.0, 14.0, 13.0, 12.0, 11.0] * 2, 3)
    np.testing.assert_allclose(batch["targets"].numpy(), expected)
    np.testing.assert_allclose(batch["advantages"].numpy(), expected - 10.0)
    one_step = lab["batch_of"](
        rollout, lab["A2CConfig"](gamma=1.0, reward_scale=1.0, one_step=True)
    )
    np.testing.assert_allclose(one_step["advantages"].numpy(), np.ones(30))
    np.testing.assert_allclose(one_step["targets"].numpy(), np.full(30, 11.0))


def test_actions_come_from_the_models_own_distribution(lab):
    from course_utils.environments import make_envs

    def model(obs):
        return torch.tensor([0.0, 1.0]).expand(len(obs), 2), obs[..., 0]

    collector = lab["Collector"](
        make_envs("CartPole-v1", 32, seed=0), torch.Generator().manual_seed(3)
    )
    rollout, _ = collector.collect(model, 64)
    share = rollout["actions"].float().mean().item()
    assert abs(share - 0.7311) < 0.04  # about four standard errors


def test_the_ring_is_exact(lab):
    ring = lab["play_the_ring"](steps=1500, envs=100, seed=3)
    for s in range(lab["RING"]):
        for a in (0, 1):
            here = (ring.states == s) & (ring.actions == a)
            mean, error = ring.returns[here].mean(), ring.returns[here].std() / here.sum() ** 0.5
            assert abs(mean - ring.q[s, a]) < 6 * error + 0.02
    np.testing.assert_allclose(ring.v, ring.q.mean(axis=1))


def test_a_seed_repeats_a_run(lab):
    def weights(seed: int) -> torch.Tensor:
        config = lab["A2CConfig"](total_steps=8000)
        run = lab["new_run"](config, seed)
        for _ in lab["a2c_updates"](run, config):
            pass
        return torch.cat([p.detach().ravel() for p in run.model.parameters()])

    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))


# --- the sweep and its slider ----------------------------------------------------------------


def test_the_slider_shows_the_stored_runs(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    runs = explorer.sweep()
    shape = runs["mean_return"].shape
    assert shape == runs["entropy"].shape and shape[0] == len(runs["coefficients"])
    assert shape[1] >= 5 and shape[2] == len(runs["env_steps"])
    assert np.nanmin(runs["entropy"]) >= 0 and np.nanmax(runs["entropy"]) <= np.log(2) + 1e-3
    figure = explorer.entropy_explorer()
    assert len(figure.spec["reading"]) == shape[0]
    assert "entropy coefficient 0:" in figure.spec["reading"][0]
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert explorer.entropy_explorer() is None


def test_the_sweep_is_of_this_notebooks_code(lab):
    """Its first numbers come out again: the shipped runs are those of the code students read."""
    import sys

    sys.path.insert(0, str(ROOT / "benchmarks"))
    import entropy_sweep

    entropy_sweep.STEPS = 10_000
    stored = json.loads(entropy_sweep.TARGET.read_text())
    returns, entropies = entropy_sweep.one_run(lab, 1.0, entropy_sweep.FIRST_SEED)
    row = stored["coefficients"].index(1.0)
    assert stored["mean_return"][row][0][:2] == pytest.approx(returns, rel=0.2)
    assert stored["entropy"][row][0][:2] == pytest.approx(entropies, abs=0.02)


# --- form ------------------------------------------------------------------------------------


def test_exercises_are_those_of_the_contract_in_order_with_30_points(cells):
    graded = [c.metadata["nbgrader"] for c in cells if "nbgrader" in c.metadata]
    assert [m["grade_id"] for m in graded if m["solution"] and not m["grade"]] == EXERCISES
    tests = [m["grade_id"] for m in graded if m["grade"] and not m["solution"]]
    assert tests == [f"test_{name}" for name in EXERCISES]
    assert sum(m["points"] for m in graded if m["grade"] and not m["solution"]) == 26
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
    for region in solution.split("### BEGIN SOLUTION")[1:]:
        for line in region.split("### END SOLUTION")[0].splitlines():
            assert len(line.strip()) <= 12 or line.strip() not in hints


def test_demonstrations_are_skipped_when_grading_and_figures_have_texts(cells):
    shows = re.compile(r"^ *(figures\.show|entropy_explorer\(|history = train\()", re.M)
    for cell in cells:
        if cell.cell_type == "code":
            if shows.search(cell.source):
                assert "skip-execution" in cell.metadata.get("tags", []), cell.source[:60]
            assert cell.source.count("figures.show(") == cell.source.count("alt=")
        else:
            assert cell.source.count("<details>") == cell.source.count("</details>")
            assert not re.search("[\U0001f300-\U0001faff\u2600-\u27bf]", cell.source)
        if "skip-execution" in cell.metadata.get("tags", []):
            assert "nbgrader" not in cell.metadata
    assert "MEASURED" not in "\n".join(c.source for c in cells)


def test_what_is_released_gives_no_answer_and_no_later_labs_exercise(cells):
    import nbformat

    course = Course(ROOT)
    source = build.source_notebook(course.solution_path(LAB))
    release = nbformat.read(course.release_path(LAB), as_version=4)
    assert leaks(release, source) == []
    code = "\n".join(c.source for c in cells if c.cell_type == "code")
    for later in ("def gae", "lam", "clip(", "clamp(", "explained_variance", "final_obs"):
        assert later not in code.replace("lambda", ""), later

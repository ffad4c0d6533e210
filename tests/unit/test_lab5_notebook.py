"""The lab's own code plays and counts right, and every cell of the notebook is what it says."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import training  # noqa: E402

SOURCE = training.METHODS["ppo"].source

EXERCISES = [
    "probability_ratio",
    "clipped_surrogate_loss",
    "has_gradient",
    "approx_kl",
    "clipped_value_loss",
    "minibatch_indices",
    "linear_schedule",
    "ppo_update",
]


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(SOURCE).cells


@pytest.fixture(scope="module")
def lab() -> dict:
    return training.notebook_namespace(SOURCE)


def constant_critic(lab: dict, value: float):
    """An agent whose critic says `value` everywhere."""
    torch.manual_seed(0)
    model = lab["ActorCritic"](4, 2)
    with torch.no_grad():
        model.critic[-1].weight.zero_()
        model.critic[-1].bias.fill_(value)
    return model


# --- the worked code -------------------------------------------------------------------------


def test_the_rollout_leaves_out_resets_and_looks_ahead_over_a_time_limit(lab):
    envs = CartPoleVectorEnv(num_envs=3, max_episode_steps=5)
    envs.reset(seed=0)
    collector = lab["Collector"](envs, torch.Generator().manual_seed(0))
    rollout, finished = collector.collect(constant_critic(lab, 10.0), 12, gamma=1.0, lam=1.0)
    # 5 steps, a reset, 5 steps, a reset: 10 transitions in each of 3 environments. After the time
    # limit the state reached is still worth 10: 5 + 10 at the episode's first step.
    assert finished == [5.0] * 6
    assert {len(tensor) for tensor in rollout.values()} == {30}
    assert collector.env_steps == 30
    expected = np.repeat([15.0, 14.0, 13.0, 12.0, 11.0] * 2, 3)
    np.testing.assert_allclose(rollout["returns"].numpy(), expected)
    np.testing.assert_allclose(rollout["advantages"].numpy(), expected - 10.0)


def test_after_a_fall_nothing_is_worth_anything(lab):
    from course_utils.environments import make_envs

    collector = lab["Collector"](
        make_envs("CartPole-v1", 4, seed=0), torch.Generator().manual_seed(0)
    )
    rollout, finished = collector.collect(constant_critic(lab, 10.0), 200, gamma=1.0, lam=1.0)
    assert len(finished) > 4  # an untrained agent falls within some 20 steps
    returns = rollout["returns"].numpy()
    # The last step of every fallen episode has return 1, and no reset (return 0 or 10) is left.
    assert (returns == 1.0).sum() == len(finished)
    assert returns.min() == 1.0


def test_rollouts_carry_on_where_the_last_one_stopped(lab):
    envs = CartPoleVectorEnv(num_envs=2, max_episode_steps=5)
    envs.reset(seed=0)
    collector = lab["Collector"](envs, torch.Generator().manual_seed(0))
    model = constant_critic(lab, 0.0)
    sizes = [len(collector.collect(model, 4, 1.0, 1.0)[0]["obs"]) for _ in range(3)]
    # Steps 0 to 11 with resets at 5 and 11: four real, three real, three real (times two).
    assert sizes == [8, 6, 6]


def test_actions_come_from_the_networks_own_distribution(lab):
    torch.manual_seed(1)
    model = lab["ActorCritic"](4, 2)
    obs = torch.randn(5, 4)
    logits = model(obs)[0].detach().numpy()
    np.testing.assert_allclose(lab["numpy_policy"](model)(obs.numpy()), logits, atol=1e-6)
    from course_utils.environments import make_envs

    with torch.no_grad():
        model.actor[-1].weight.zero_()
        model.actor[-1].bias.copy_(torch.tensor([0.0, 1.0]))  # P(1) = 0.731 everywhere
    collector = lab["Collector"](
        make_envs("CartPole-v1", 32, seed=0), torch.Generator().manual_seed(3)
    )
    rollout, _ = collector.collect(model, 128, 0.99, 0.95)
    share = rollout["actions"].float().mean().item()
    assert abs(share - 0.7311) < 0.03  # about four standard errors
    expected = torch.tensor([0.0, 1.0]).log_softmax(-1)[rollout["actions"]]
    torch.testing.assert_close(rollout["log_probs"], expected)


def test_a_seed_repeats_a_run(lab):
    def weights(seed: int) -> torch.Tensor:
        config = lab["TrainConfig"](total_steps=2 * 32 * 128)
        run = lab["new_run"](config, seed)
        lab["train"](run, config)
        return torch.cat([p.detach().ravel() for p in run.model.parameters()])

    torch.set_num_threads(1)
    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))


def test_the_code_that_is_given_stays_readable(cells):
    """Model, GAE, rollout and loop together: under 150 lines without docstrings and blanks."""
    lines = 0
    for cell in cells:
        if any(
            name in cell.source for name in ("class ActorCritic", "class Collector", "def train(")
        ):
            tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
            skip = (
                tokenize.COMMENT,
                tokenize.NL,
                tokenize.NEWLINE,
                tokenize.INDENT,
                tokenize.DEDENT,
            )
            lines += len(
                {
                    row
                    for t in tokens
                    if t.type not in skip and not t.string.startswith('"""') and t.string
                    for row in range(t.start[0], t.end[0] + 1)
                }
            )
    assert 60 < lines < 150


# --- form ------------------------------------------------------------------------------------


def test_exercises_are_those_of_the_contract_in_order_with_44_points(cells):
    graded = [c.metadata["nbgrader"] for c in cells if "nbgrader" in c.metadata]
    assert [m["grade_id"] for m in graded if m["solution"] and not m["grade"]] == EXERCISES
    tests = [m["grade_id"] for m in graded if m["grade"] and not m["solution"]]
    assert tests == [f"test_{name}" for name in EXERCISES]
    assert sum(m["points"] for m in graded if m["grade"] and not m["solution"]) == 40
    assert sum(m["points"] for m in graded if m["grade"] and m["solution"]) == 4
    # The text names the points; they must be those of the cells.
    text = "\n".join(c.source for c in cells)
    for name in EXERCISES:
        points = next(m["points"] for m in graded if m["grade_id"] == f"test_{name}")
        assert re.search(rf"`{name}`\n\n\*Difficulty \d of 5, .* {points} points\.\*", text), name


@pytest.mark.parametrize("name", EXERCISES)
def test_three_hints_follow_each_check_and_hold_no_solution_line(cells, name):
    ids = [c.metadata.get("nbgrader", {}).get("grade_id") for c in cells]
    hints = cells[ids.index(f"test_{name}") + 1].source
    steps = re.findall(r"<summary>Hint (\d)", hints)
    assert steps == ["1", "2", "3"]
    solution = cells[ids.index(name)].source
    region = solution.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
    for line in region.splitlines():
        if len(line.strip()) > 12:
            assert line.strip() not in hints


def test_cells_that_show_something_are_skipped_when_grading(cells):
    shows = re.compile(r"^ *(figures\.show|replay\(|clip_explorer\(|\w+ = train\(|train\()", re.M)
    for cell in cells:
        if cell.cell_type == "code" and shows.search(cell.source):
            assert "skip-execution" in cell.metadata.get("tags", []), cell.source[:60]
    for cell in cells:
        if "skip-execution" in cell.metadata.get("tags", []):
            assert "nbgrader" not in cell.metadata


def test_figures_have_alternative_texts_and_details_are_closed(cells):
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.source.count("figures.show(") == cell.source.count("alt=")
        else:
            assert cell.source.count("<details>") == cell.source.count("</details>")
            assert not re.search("[\U0001f300-\U0001faff\u2600-\u27bf]", cell.source)

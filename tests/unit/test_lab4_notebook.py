"""Lab 4's notebook: its form, its worked code, and what its experiments are said to show."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from test_no_answers import as_notebook, spelled, statements, strings

from autograde import build
from autograde.course import Course
from autograde.judge.lab4_gae import advantage_sums
from autograde.judge.reference import namespace
from autograde.leaks import leaks

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course(ROOT)
LAB = "lab4_gae"
EXERCISES = ["gae", "true_next_obs", "explained_variance"]
GIVEN = sorted((ROOT / "course_utils").rglob("*.py"))


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(ROOT / "solutions" / f"{LAB}.py").cells


@pytest.fixture(scope="module")
def lab() -> dict:
    torch.set_num_threads(1)
    return dict(namespace(LAB))


def run_cell(lab: dict, cells, start: str) -> None:
    """Execute the one code cell that begins so, among the lab's definitions."""
    (source,) = [c.source for c in cells if c.cell_type == "code" and c.source.startswith(start)]
    exec(compile(source, start, "exec"), lab)


# --- form ------------------------------------------------------------------------------------


def test_exercises_are_those_of_the_contract_in_order_with_24_points(cells):
    graded = [c.metadata["nbgrader"] for c in cells if "nbgrader" in c.metadata]
    assert [m["grade_id"] for m in graded if m["solution"] and not m["grade"]] == EXERCISES
    tests = [m for m in graded if m["grade"] and not m["solution"]]
    assert [m["grade_id"] for m in tests] == [f"test_{name}" for name in EXERCISES]
    assert sum(m["points"] for m in tests) == 20
    assert sum(m["points"] for m in graded if m["grade"] and m["solution"]) == 4
    text = "\n".join(c.source for c in cells)
    for name, meta in zip(EXERCISES, tests, strict=True):
        points = rf"importance \d of 5\. {meta['points']} points\."
        line = rf"`{name}`\n\n\*Difficulty \d of 5, .* {points}\*"
        assert re.search(line, text), name


@pytest.mark.parametrize("name", EXERCISES)
def test_three_hints_follow_each_check_and_hold_no_solution_line(cells, name):
    ids = [c.metadata.get("nbgrader", {}).get("grade_id") for c in cells]
    hints = cells[ids.index(f"test_{name}") + 1].source
    assert re.findall(r"<summary>Hint (\d)", hints) == ["1", "2", "3"]
    assert "<summary>Help, I get " in hints
    region = cells[ids.index(name)].source.split("### BEGIN SOLUTION")[1]
    for line in region.split("### END SOLUTION")[0].splitlines():
        assert len(line.strip()) <= 12 or line.strip() not in hints


def test_cells_that_show_something_are_skipped_when_grading(cells):
    shows = re.compile(
        r"^ *(figures\.show|replay\(|gae_explorer\(|slider_figure\(|display\(|\w+ = train\(|train\("
        r"|print\(.*\)$)", re.M,
    )  # fmt: skip
    for cell in cells:
        tagged = "skip-execution" in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and shows.search(cell.source):
            assert tagged or "def push_right" in cell.source, cell.source[:80]
        assert not (tagged and "nbgrader" in cell.metadata)


def test_figures_have_alternative_texts_and_details_are_closed(cells):
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.source.count("figures.show(") == cell.source.count("alt=")
        else:
            assert cell.source.count("<details>") == cell.source.count("</details>")
            assert not re.search("[\U0001f300-\U0001faff\u2600-\u27bf]", cell.source)


def test_nothing_of_the_labs_to_come(cells):
    text = "\n".join(c.source for c in cells)
    for later in ("probability_ratio", "clip_epsilon", ".clamp(", "collect_rollout", "orthogonal"):
        assert later not in text


# --- what students get -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def source():
    return build.source_notebook(COURSE.solution_path(LAB))


@pytest.fixture(scope="module")
def answers(source):
    regions = [
        "\n".join(region)
        for cell in source.cells
        if cell.cell_type == "code"
        for region in build.region_lines(cell.source, build.BEGIN_SOLUTION, build.END_SOLUTION)
    ]
    assert len(regions) == 3
    return regions


def test_the_release_gives_nothing_of_its_source_away(source):
    import nbformat

    release = nbformat.read(COURSE.release_path(LAB), as_version=4)
    assert leaks(release, source) == []
    assert leaks(source, source)  # the finder sees these answers where they are


@pytest.mark.parametrize("path", GIVEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_course_utils_holds_no_answer(path, source, answers):
    text = path.read_text(encoding="utf-8")
    assert leaks(as_notebook(text), source) == []
    code = spelled(text)
    for answer in answers:
        assert spelled(answer) not in code
        assert not [statement for statement in statements(answer) if statement in code]


def test_stored_data_hold_no_code_of_an_answer(answers):
    import json

    for path in sorted((ROOT / "course_utils" / "data").rglob("*.json")):
        text = "\n".join(strings(json.loads(path.read_text(encoding="utf-8"))))
        squeezed = re.sub(r"\s+", "", text)
        for line in "\n".join(answers).splitlines():
            line = re.sub(r"\s+", "", line)
            assert len(line) < 24 or line not in squeezed, path


# --- the corridor ----------------------------------------------------------------------------


def test_the_corridor_is_a_corridor(lab):
    P, values = lab["P"], lab["true_values"]
    np.testing.assert_allclose(P.sum(axis=2), 1.0)
    assert (P[3, lab["RIGHT"]] == [0, 0, 0.2, 0, 0.8, 0, 0]).all()
    # By symmetry; and V = R + gamma P V, by a long sum instead of a linear solve.
    np.testing.assert_allclose(values, -values[::-1], atol=1e-12)
    total, ahead = np.zeros(7), lab["R"].copy()
    for _ in range(2000):
        total, ahead = total + ahead, lab["GAMMA"] * lab["P_coin"] @ ahead
    np.testing.assert_allclose(values, total, atol=1e-9)


@pytest.mark.parametrize("lam", [0.0, 0.6, 0.95, 1.0])
def test_expected_advantages_are_the_weighted_sum_of_expected_td_errors(lab, lam):
    expected = lab["R"][:, None] + lab["GAMMA"] * lab["P"] @ lab["critic"] - lab["critic"][:, None]
    total, ahead = expected.copy(), expected.mean(axis=1)
    for l in range(1, 2000):  # noqa: E741
        total += (lab["GAMMA"] * lam) ** l * (lab["P"] @ ahead)
        ahead = lab["P_coin"] @ ahead
    np.testing.assert_allclose(lab["expected_advantages"](lam), total, atol=1e-9)


def test_the_text_about_bias_and_variance_is_true(lab, cells):
    run_cell(lab, cells, "walks =")
    run_cell(lab, cells, "k = 5\n")
    run_cell(lab, cells, "def gap_statistics")
    run_cell(lab, cells, "lambdas =")
    bias, error, variance = (lab[n] for n in ("exact_bias", "errors", "variance"))
    assert abs(lab["true_gap"] - 1.5) < 0.01
    assert bias[0] == pytest.approx(-lab["true_gap"] / 2)  # "off by half of the true gap"
    assert abs(bias[-1]) < 1e-9 and (np.diff(bias) > 0).all()
    assert (abs(lab["sampled_bias"] - bias) < 4 * error).all()
    assert 5**2 < variance[-1] < 6**2 and variance[0] < 0.6
    best = {n: lab["lambdas"][(bias**2 + variance / n).argmin()] for n in (1, 16, 1024)}
    assert best[1] < 0.1 and best[16] == pytest.approx(0.8) and best[1024] > 0.98
    # One advantage alone stays off by the critic's error, the same for both actions.
    off = lab["expected_advantages"](1.0)[4] - (lab["true_q"][4] - lab["true_values"][4])
    np.testing.assert_allclose(off, lab["true_values"][4] - lab["critic"][4])


def test_walks_start_where_and_how_they_should(lab):
    states = lab["walk"](lab["LEFT"], copies=4000, steps=2, seed=0)
    assert (states[0] == lab["START"]).all()
    assert np.mean(states[1] == 3) == pytest.approx(0.8, abs=0.03)
    assert np.mean(states[2] == 4) == pytest.approx(0.5, abs=0.03)
    assert (abs(np.diff(states, axis=0)) <= 1).all()


# --- time limits -----------------------------------------------------------------------------


def test_the_one_state_task_stops_after_20_steps_and_never_ends(lab):
    rewards, terminated, truncated = lab["one_state_rollout"](n_steps=60, n_envs=2)
    assert rewards.dtype == torch.float32 and (rewards == 1).all()
    assert not terminated.any() and truncated.dtype == torch.bool
    assert torch.where(truncated[:, 1])[0].tolist() == [19, 39, 59]


def fixed_point(lam: float, wrong: bool, gamma: float = 0.9, limit: int = 20) -> float:
    """The value at which the mean target is the value itself, by trying out."""
    value = 0.0
    ends = np.zeros((limit, 1), dtype=bool)
    ends[-1] = True
    never = np.zeros_like(ends)
    for _ in range(3000):
        values = np.full((limit, 1), value)
        flags = (ends, never) if wrong else (never, ends)
        returns = values + advantage_sums(np.ones((limit, 1)), values, values, *flags, gamma, lam)
        value = returns.mean()
    return value


def test_the_text_about_the_one_state_task_is_true():
    assert fixed_point(0.95, wrong=False) == pytest.approx(10.0, abs=1e-6)
    wrong = fixed_point(0.95, wrong=True)
    assert 6.0 < wrong < 6.5  # "stops at about 6", and below the value of 20 rewards
    assert abs((1 - 0.9**20) / (1 - 0.9) - 8.8) < 0.02


def test_play_records_the_true_next_observations(lab):
    data = lab["play"](n_steps=60, n_envs=4, max_episode_steps=12, seed=3)
    done = data["terminated"] | data["truncated"]
    assert data["truncated"].any() and done[:-1].any()
    # Inside an episode the next row goes on where this one stopped; at an end it does not.
    same = (data["next_obs"][:-1] == data["obs"][1:]).all(dim=-1)
    assert torch.equal(same, ~done[:-1])
    assert torch.equal(data["returned_obs"][:-1], data["obs"][1:])
    assert (data["returned_obs"][done].abs() <= 0.05).all()  # CartPole's fresh starts


# --- the agent -------------------------------------------------------------------------------


def test_fake_steps_are_marked_and_the_rest_is_a_rollout(lab):
    envs = CartPoleVectorEnv(num_envs=3, max_episode_steps=5)
    envs.reset(seed=0)
    collector = lab["Collector"](envs, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    rollout, finished = collector.collect(lab["ActorCritic"](4, 2), 12)
    assert finished == [5.0] * 6 and collector.env_steps == 30
    assert torch.where(~rollout["real"][:, 0])[0].tolist() == [5, 11]
    assert rollout["obs"].shape == (13, 3, 4)
    assert (rollout["rewards"][~rollout["real"]] == 0).all()


def test_a_fresh_seed_is_solved(lab):
    config = lab["TrainConfig"]()
    run = lab["new_run"](config, seed=4711)
    history = lab["train"](run, config)
    assert history["mean_return"].max() >= 475
    assert {"value_loss", "entropy", "explained_variance"} <= history.keys()

"""The sliders over epsilon and lambda show the stored sweep, and the student's own run in it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from course_utils import hyperparameter_explorer as module
from course_utils.hyperparameter_explorer import hyperparameter_explorer, sweep
from course_utils.runs import Run

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import lunar_lander  # noqa: E402
from lunar_lander import point  # noqa: E402

STEPS = np.repeat(np.arange(1, 41) * 5000, 10)
RETURNS = np.linspace(-200, 250, 400)


EPSILONS, LAMBDAS = (0.1, 0.2, lunar_lander.NO_CLIP), (0.5, 0.95)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sweep of 3 x 2 points with 4 runs each, written as the command writes it."""
    points = tuple(point(epsilon, lam) for epsilon in EPSILONS for lam in LAMBDAS)
    study = dataclasses.replace(lunar_lander.STUDIES["sweep"], variants=points)
    rng = np.random.default_rng(0)
    rows = []
    for place, variant in enumerate(points):
        for seed in range(4):
            returns = np.linspace(-300, 60 * place + rng.uniform(0, 20), len(study.grid))
            reached = np.flatnonzero(returns >= lunar_lander.GOAL)
            rows.append({
                "variant": variant.name, "seed": seed, "solved": bool(reached.size),
                "steps": int(study.grid[reached[0]]) if reached.size else study.budget,
                "returns": [None, *returns.round(1).tolist()[1:]],
            })  # fmt: skip
    content = lunar_lander.sweep_file(study, range(4), rows)
    content |= {"epsilons": EPSILONS, "lambdas": LAMBDAS}
    folder = tmp_path_factory.mktemp("course_utils")
    lunar_lander.write(folder / "data" / "sweeps" / "lab6_sweep.json", content)
    return folder


@pytest.fixture(autouse=True)
def in_place_of_the_stored_one(monkeypatch, folder):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(module.resources, "files", lambda name: folder)
    sweep.cache_clear()
    yield
    sweep.cache_clear()


def numbers(figure, place, frame):
    start, n, fixed = place
    start += 0 if fixed else frame * n
    return np.frombuffer(figure.numbers, "<f4")[start : start + n]


def series(figure, panel: int) -> dict[str, dict]:
    return {s["label"]: s for s in figure.spec["panels"][panel]["series"]}


def test_every_frame_shows_its_own_point():
    data, figure = sweep(), hyperparameter_explorer()
    n_lam = len(data["lambdas"])
    assert figure.at == [1, 1]  # epsilon 0.2, lambda 0.95
    assert [s["name"] for s in figure.spec["sliders"]] == ["epsilon", "lambda"]
    assert figure.spec["sliders"][0]["texts"][-1] == "none"
    left, right = series(figure, 0), series(figure, 1)
    runs = data["runs"].shape[2]
    for e, k in ((0, 0), (1, 1), (2, 0)):
        frame = e * n_lam + k
        line = left[f"interquartile mean of {runs} runs"]
        np.testing.assert_allclose(numbers(figure, line["y"], frame), data["iqm"][e, k])
        single = numbers(figure, left["single runs"]["y"], frame).reshape(runs, -1)
        np.testing.assert_allclose(single[:, :-1], data["runs"][e, k])
        assert np.isnan(single[:, -1]).all()
        np.testing.assert_allclose(
            numbers(figure, right["this lambda"]["y"], frame), data["iqm"][:, k, -1]
        )
        here = right["this epsilon and lambda"]
        assert numbers(figure, here["x"], frame) == [e]
        assert numbers(figure, here["y"], frame) == pytest.approx(data["iqm"][e, k, -1])
        said = figure.spec["reading"][frame]
        assert said.startswith(f"epsilon {figure.spec['sliders'][0]['texts'][e]}, lambda ")
        solved = np.isfinite(data["solved_at"][e, k]).sum()
        assert f"{solved} of {runs} runs" in said
    for panel in figure.spec["panels"]:
        low, high = panel["y_range"]
        assert low < np.nanmin(data["iqm"]) and np.nanmax(data["iqm"]) < high
    assert [text for _, text in figure.spec["panels"][1]["x_ticks"]][-1] == "none"


@pytest.mark.parametrize("kind", ["history", "run"])
def test_the_own_run_is_in_every_frame(kind):
    own = {"env_steps": STEPS, "episode_returns": RETURNS}
    if kind == "run":
        own = Run("lab6_lunar_lander", "PPO", STEPS, RETURNS)
    figure = hyperparameter_explorer(own)
    mine = series(figure, 0)["your run"]
    assert mine["x"][2] and mine["y"][2]  # fixed: the same in all frames
    np.testing.assert_allclose(numbers(figure, mine["x"], 3), np.arange(1, 41) * 5)
    assert numbers(figure, mine["y"], 3)[-1] == pytest.approx(RETURNS[-100:].mean())


@pytest.mark.parametrize("own", [None, {"env_steps": [], "episode_returns": []}])
def test_without_an_own_run_there_is_no_line(own):
    assert "your run" not in series(hyperparameter_explorer(own), 0)


def test_a_point_where_no_run_is_solved_and_one_where_all_are():
    data, reading = sweep(), hyperparameter_explorer().spec["reading"]
    none = next(text for text in reading if "0 of 4 runs have reached 200" in text)
    every = next(text for text in reading if "4 of 4 runs have reached 200" in text)
    assert "first" not in none
    first = np.nanmin(data["solved_at"].reshape(len(reading), -1)[reading.index(every)])
    assert f"the first after {first / 1000:.0f}k steps" in every


def test_nothing_is_drawn_while_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert hyperparameter_explorer() is None

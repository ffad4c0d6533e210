"""The sliders over epsilon and lambda show the stored sweep, and the student's own run in it."""

from __future__ import annotations

import json
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

STEPS = np.repeat(np.arange(1, 41) * 5000, 10)
RETURNS = np.linspace(-200, 250, 400)


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


def numbers(figure, place, frame):
    start, n, fixed = place
    start += 0 if fixed else frame * n
    return np.frombuffer(figure.numbers, "<f4")[start : start + n]


def series(figure, panel: int) -> dict[str, dict]:
    return {s["label"]: s for s in figure.spec["panels"][panel]["series"]}


def test_the_stored_sweep_is_that_of_the_command():
    data, study = sweep(), lunar_lander.STUDIES["sweep"]
    assert data["epsilons"].tolist() == list(lunar_lander.EPSILONS)
    assert data["lambdas"].tolist() == list(lunar_lander.LAMBDAS)
    assert data["env_steps"].tolist() == study.grid.tolist()
    shape = (len(data["epsilons"]), len(data["lambdas"]))
    assert data["runs"].shape[:2] == data["solved_at"].shape[:2] == shape
    assert data["runs"].shape[2] == data["solved_at"].shape[2] >= 10
    assert study.target.stat().st_size < 60_000
    there = np.isfinite(data["iqm"])
    assert there[..., 2:].all()
    assert (data["low"] <= data["iqm"])[there].all() and (data["iqm"] <= data["high"])[there].all()
    n = data["runs"].shape[2]
    middle = np.sort(data["runs"], axis=2)[:, :, n // 4 : n - n // 4].mean(axis=2)
    np.testing.assert_allclose(data["iqm"][there], middle[there], atol=1.1)
    # A run that is above the goal at the end was solved; one never near it was not.
    solved = np.isfinite(data["solved_at"])
    assert solved[data["runs"][..., -1] > data["goal"] + 1].all()
    assert (data["solved_at"][solved] <= data["budget"]).all()


def test_every_frame_shows_its_own_point():
    data, figure = sweep(), hyperparameter_explorer()
    n_lam = len(data["lambdas"])
    assert figure.at == [2, data["lambdas"].tolist().index(0.95)]
    assert [s["name"] for s in figure.spec["sliders"]] == ["epsilon", "lambda"]
    assert figure.spec["sliders"][0]["texts"][-1] == "none"
    left, right = series(figure, 0), series(figure, 1)
    runs = data["runs"].shape[2]
    for e, k in ((0, 0), (2, 1), (len(data["epsilons"]) - 1, n_lam - 1)):
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


def test_a_run_that_is_never_solved_and_an_early_gap(monkeypatch, tmp_path):
    stored = json.loads(lunar_lander.STUDIES["sweep"].target.read_text())
    for point in stored["points"]:
        point["solved_at"] = [None] * len(point["solved_at"])
        for name in ("iqm", "low", "high"):
            point[name][0] = None
    (tmp_path / "data" / "sweeps").mkdir(parents=True)
    (tmp_path / "data" / "sweeps" / "lab6_sweep.json").write_text(json.dumps(stored))
    monkeypatch.setattr(module.resources, "files", lambda name: tmp_path)
    sweep.cache_clear()
    try:
        figure = hyperparameter_explorer()
        assert "0 of 10 runs have reached 200 on the way" in figure.spec["reading"][0]
        assert "first" not in figure.spec["reading"][0]
        low, high = figure.spec["panels"][0]["y_range"]
        assert low < -50 and high > stored["goal"]
    finally:
        sweep.cache_clear()


def test_nothing_is_drawn_while_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert hyperparameter_explorer() is None

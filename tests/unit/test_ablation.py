"""One change of the ablation is run again in the notebook and drawn over the stored runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from course_utils import ablation as module
from course_utils import figures
from course_utils.ablation import Ablation, Result, run_again


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(module, "ablation", lambda: STUDY)


# --- one change, run again -------------------------------------------------------------------


@dataclasses.dataclass
class Config:
    total_steps: int = 100_000
    num_envs: int = 32
    n_steps: int = 128
    orthogonal: bool = True
    entropy_coef: float = 0.0
    trial_episodes: int = 20
    goal: float = 230.0  # the stored runs' goal of 200 counts


def history(ends: list[int], means: list[float]) -> dict[str, np.ndarray]:
    return {"env_steps": np.array(ends), "mean_return": np.array(means)}


def test_a_change_is_run_again_with_the_notebooks_own_functions(capsys):
    seen = []

    def train(run, config):
        # The study's start, whatever the notebook has now.
        assert config.entropy_coef == 0.005 and not config.trial_episodes
        seen.append((run, config.orthogonal, config.goal))
        steps = np.arange(1, 131) * 700
        return history(steps, np.where(steps >= 77_000, 201.0, 100.0) - (run == 4) * 50)

    ends = run_again("orthogonal", lambda config, seed: seed, train, Config(), seeds=(3, 4))
    assert ends == {"orthogonal": [77_000, None]}
    assert seen == [(3, False, 200.0), (4, False, 200.0)]
    out = capsys.readouterr().out
    assert "orthogonal, seed 3: solved after 77,000" in out and "seed 4: not solved" in out


def test_fewer_than_a_hundred_episodes_solve_nothing_and_a_stop_ends_all():
    calls = []

    def train(run, config):
        calls.append(run)
        return history([1000] * 99, [250.0] * 99)  # stopped by hand early

    assert run_again("default", lambda config, seed: seed, train, Config()) == {"default": []}
    assert calls == [0]
    with pytest.raises(ValueError, match="no change is called 'lr'"):
        run_again("lr", None, None, Config())


def test_nothing_is_trained_while_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert run_again("default", None, None, Config()) == {}


# --- the figure ------------------------------------------------------------------------------


def result(name: str, steps: list[int], budget: int = 1000) -> Result:
    steps = np.array(steps)
    sums = (float(np.mean(steps)), float(steps.min()), float(steps.max()))
    return Result(name, name.title(), steps, steps < budget, steps / 100, *sums, *sums)


STUDY = Ablation(
    1000, 200.0, (result("default", [200, 300, 400]), result("anneal", [700, 1000, 1000]))
)


def drawn(axes) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xdata() for line in axes.lines}


def test_the_figure_shows_every_run_and_what_was_not_solved():
    (axes,) = figures.ablation(STUDY, {"anneal": [650, None]}).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["Default", "Anneal"]
    lines = drawn(axes)
    assert list(lines["one run"]) == [200, 300, 400]
    assert list(lines["one run, not solved"]) == [1000, 1000]
    assert list(lines["yours"]) == [650] and list(lines["yours, not solved"]) == [1000]
    marks = {line.get_label(): line.get_marker() for line in axes.lines}
    assert len({marks[label] for label in ("one run", "one run, not solved", "yours")}) == 3
    # Two runs at the same place are two crosses.
    (crosses,) = (line for line in axes.lines if line.get_label() == "one run, not solved")
    assert len(set(crosses.get_ydata())) == 2
    assert {t.get_text() for t in axes.texts} == {"3 of 3", "1 of 3", "solved"}
    low, high = axes.get_xlim()
    assert low == 0 and high >= 1000


def test_the_figure_without_own_runs_and_with_a_name_that_is_none():
    (axes,) = figures.ablation(STUDY).axes
    assert "yours" not in drawn(axes)
    with pytest.raises(ValueError, match="no row is called 'lr'"):
        figures.ablation(STUDY, {"lr": [1]})
    assert "alt=" in figures.img_html(figures.ablation(STUDY), "the ablation")

"""Training runs are kept in the course's folder and come back, whatever else lies there."""

from __future__ import annotations

import numpy as np
import pytest

from course_utils import figures, runs


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    lab = tmp_path / "notebooks" / "lab2_reinforce"
    lab.mkdir(parents=True)
    monkeypatch.chdir(lab)
    return tmp_path


def history(n=5, last=100.0):
    return {"env_steps": np.arange(n) * 10, "episode_returns": np.linspace(1, last, n)}


def test_a_run_comes_back_in_another_lab(course, monkeypatch, capsys):
    runs.save_run("lab2_reinforce", "REINFORCE", history())
    assert "kept in results/lab2_reinforce" in capsys.readouterr().out
    assert len(list((course / "results" / "lab2_reinforce").glob("*.npz"))) == 1
    other = course / "notebooks" / "lab5_ppo"
    other.mkdir()
    monkeypatch.chdir(other)
    (run,) = runs.load_runs("lab2_reinforce")
    assert run.title == "REINFORCE" and run.env_steps.tolist() == [0, 10, 20, 30, 40]
    assert run.episode_returns[-1] == 100
    assert runs.load_runs("lab3_actor_critic") == []


def test_the_newest_come_first_and_the_oldest_give_way(course, monkeypatch):
    monkeypatch.setattr(runs, "KEPT", 3)
    for last in range(5):
        runs.save_run("lab2_reinforce", str(last), history(last=last))
    assert [run.title for run in runs.load_runs("lab2_reinforce")] == ["4", "3", "2"]


def test_other_files_and_broken_ones_are_passed_over(course):
    runs.save_run("lab2_reinforce", "good", history())
    folder = course / "results" / "lab2_reinforce"
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 not a zip")
    (folder / "empty.npz").write_bytes(b"")
    np.savez(folder / "other.npz", x=1)
    np.savez(folder / "pickle.npz", title="x", env_steps=np.array([{}], dtype=object))
    np.savez(folder / "shape.npz", title="x", env_steps=[1, 2], episode_returns=[1.0])
    assert [run.title for run in runs.load_runs("lab2_reinforce")] == ["good"]


def test_nothing_is_written_while_grading_or_without_an_episode(course, monkeypatch):
    runs.save_run("lab2_reinforce", "x", history(0))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    runs.save_run("lab2_reinforce", "x", history())
    assert not (course / "results").exists()


def test_a_folder_that_cannot_be_written_costs_a_line(course, capsys):
    (course / "results").write_text("in the way")
    runs.save_run("lab2_reinforce", "x", history())
    assert "could not be kept" in capsys.readouterr().out


def test_own_runs_are_drawn_over_the_references():
    grid = np.arange(0, 100, 10)
    reference = runs.Reference("lab2", "REINFORCE", 10, grid, grid * 2.0, grid * 1.5, grid * 3.0)
    other = runs.Reference("lab5", "PPO", 12, grid, grid * 4.0, grid * 3.5, grid * 5.0)
    own = {"lab2": [(grid, grid * 1.0), (grid, grid * 0.5)]}
    figure = figures.compare_methods([reference, other], own, goal=475)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["REINFORCE, 10 seeds", "REINFORCE, yours", "PPO, 12 seeds", "goal 475"]
    assert axes.lines[0].get_ydata().tolist() == (grid * 2.0).tolist()
    assert axes.lines[1].get_ydata().tolist() == figures.running_mean(grid, 100).tolist()
    together = {"lab2": [([10, 10, 20], [1.0, 3.0, 5.0])]}
    line = figures.compare_methods([reference], together).axes[0].lines[1]
    assert line.get_xydata().tolist() == [[10, 2], [20, 3]]
    alone = figures.compare_methods([reference])
    assert len(alone.axes[0].lines) == 1

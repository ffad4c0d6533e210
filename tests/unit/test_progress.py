"""The student's way through: what is written, what passes, what is next, without touching it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograde import build, demo
from autograde.course import Course
from course_utils import progress
from course_utils.progress import Exercise, LabProgress, NotebookProblem

ROOT = Path(__file__).resolve().parents[2]
LAB = demo.LAB


def lab_with(folder: Path, **sources: str) -> Path:
    """The released lab with these solution cells filled in, as a student's file."""
    lab = demo.load_lab(Course(ROOT), LAB)
    path = folder / "notebooks" / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(demo.filled(lab, sources)))
    return path


@pytest.fixture(scope="module")
def half_done(tmp_path_factory):
    """Two right, one wrong, one that raises, the rest unwritten; checked by the command."""
    reference = demo.reference_solutions(Course(ROOT), LAB)
    folder = tmp_path_factory.mktemp("student")
    path = lab_with(
        folder,
        probability_ratio=reference["probability_ratio"],
        linear_schedule=reference["linear_schedule"],
        approx_kl="def approx_kl(new_log_probs, old_log_probs):\n    return 0.0",
        has_gradient="def has_gradient(:\n    pass",
        why_not_more_epochs="Because.",
    )
    before = path.read_bytes()
    command = [sys.executable, "-m", "course_utils", "check", LAB]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, env=env)
    assert path.read_bytes() == before
    return path, done


def test_the_command_says_what_passes_and_what_is_next(half_done):
    _, done = half_done
    assert done.returncode == 1
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines()[:8])
    assert lines["probability_ratio"] == lines["linear_schedule"] == "passes"
    assert lines["approx_kl"] == lines["has_gradient"] == "not yet"
    assert lines["ppo_update"] == lines["minibatch_indices"] == "not written"
    assert "2 of 8 exercises pass" in done.stdout
    assert "Next: clipped_surrogate_loss" in done.stdout
    assert "approx_kl: not right yet" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_is_written_is_read_without_running_anything(half_done):
    state = progress.read(half_done[0])
    written = {e.name for e in state.exercises if e.written}
    assert written == {"probability_ratio", "linear_schedule", "approx_kl", "has_gradient"}
    assert all(e.passed is None for e in state.exercises)


def test_an_unchanged_notebook_is_not_run_again(half_done, monkeypatch, tmp_path):
    path = tmp_path / LAB / f"{LAB}.ipynb"
    path.parent.mkdir()
    path.write_bytes(half_done[0].read_bytes())
    runs = []

    def run(path):
        runs.append(path)
        return LabProgress(LAB, (Exercise("a", True, True, "fine"),), ("why",))

    monkeypatch.setattr(progress, "check", run)
    first, second = progress.check_once(path), progress.check_once(path)
    assert len(runs) == 1 and first == second and second.unanswered == ("why",)
    path.write_text(path.read_text() + "\n")
    progress.check_once(path)
    assert len(runs) == 2
    (path.parent / ".ipynb_checkpoints" / "progress.json").write_text('{"digest": 1}')
    progress.check_once(path)
    assert len(runs) == 3


def test_a_cell_that_never_ends_costs_only_its_own_check(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "CELL_SECONDS", 4)
    path = lab_with(tmp_path)
    notebook = json.loads(path.read_text())

    def shows(passed: bool, text: str) -> str:
        """What a check's cell shows, without the seconds that importing the checks takes."""
        report = {progress.CHECK_MIME: {"passed": passed}}
        return f"print({text!r})\ndisplay({report}, raw=True)"

    sources = {
        "approx_kl": "x = 1",
        "test_approx_kl": shows(True, "right"),
        "linear_schedule": "import time; time.sleep(600)",
        "test_linear_schedule": shows(False, "not right yet"),
    }
    cells = []
    for cell in notebook["cells"]:
        mark = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if mark in sources:
            cells.append({**cell, "source": sources[mark]})
    path.write_text(json.dumps({**notebook, "cells": cells}))
    steps = []
    state = progress.check(path, lambda done, total: steps.append((done, total)))
    found = {e.name: (e.passed, e.message) for e in state.exercises}
    assert found["linear_schedule"] == (False, "not right yet") and found["approx_kl"][0] is True
    assert len(found) == 2 and all(e.written for e in state.exercises)
    assert steps[0] == (0, 4) and steps[-1] == (4, 4)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', "\x00"])
def test_a_file_that_is_no_notebook_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "lab.ipynb"
    path.write_text(content)
    with pytest.raises(NotebookProblem, match=r"lab\.ipynb is no notebook"):
        progress.read(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "there is no lab 'nope'; labs: lab1_"),
        ([], "name a lab"),
        ([LAB], "go to the course's folder"),
        (["--notebook", "missing.ipynb"], "missing.ipynb"),
    ],
)
def test_bad_arguments_are_one_clear_line(tmp_path, arguments, said):
    command = [sys.executable, "-m", "course_utils", "check", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode == 2 and said in done.stderr
    assert "Traceback" not in done.stderr


def row(state, **changes):
    entry = {"lab": "lab1_x", "title": "A <b>", "minutes": 90, "after": "do it & more"}
    return {**entry, "path": Path("/x/lab1_x.ipynb"), "state": state, "problem": "", **changes}


def test_the_map_shows_where_one_stands():
    def page(*exercises, unanswered=(), **changes):
        return progress.course_html([row(LabProgress("lab1_x", exercises, unanswered), **changes)])

    unwritten, written = Exercise("a", False), Exercise("a", True)
    right, wrong = Exercise("a", True, True), Exercise("<c>", True, False)
    assert "not begun" in page(unwritten)
    assert "1 of 2 written" in page(written, unwritten)
    assert "1 of 2 pass" in page(right, wrong) and "next: <code>&lt;c&gt;" in page(right, wrong)
    assert "question in your own words" in page(right, unanswered=("why",))
    assert "hand it in" in page(right)
    assert "not here yet" in page(right, path=None)
    text = page(right)
    assert "A &lt;b&gt;" in text and "do it &amp; more" in text and "1&nbsp;h&nbsp;30" in text
    assert "is no notebook" in page(right, problem="x is no notebook")


def test_the_map_names_every_lab_there_is():
    names = [entry["lab"] for entry in progress.course_map()]
    assert names == sorted(names) and set(Course(ROOT).labs()) <= set(names)


def test_pages_are_in_step_with_their_source():
    course = Course(ROOT)
    assert course.pages() == ["index"]
    for page in course.pages():
        assert build.page_out_of_step(course, page) is None


def test_the_readme_lists_the_labs_of_the_map():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = text.split("## For students")[1].split("\n## ")[0]
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `lab")]
    listed = [(row[1].strip(" `"), float(row[2]), row[4].strip()) for row in rows]
    labs = [(e["lab"], e["minutes"] / 60, e["after"]) for e in progress.course_map()]
    assert listed == labs
    assert {entry["lab"] for entry in progress.course_map()} == set(Course(ROOT).labs())

"""Lab 5 as it is released: in step, runs top to bottom, and plain nbgrader gives our marks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.api import Gradebook

from autograde import build, demo, grade
from autograde.course import COURSE_ID, Course

ROOT = Path(__file__).resolve().parents[2]
LAB = demo.LAB


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """(course, material): a course of its own with the lab in it."""
    return demo.start_course(Course(ROOT), tmp_path_factory.mktemp("lab5"))


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(Course(ROOT), LAB) is None


def run_all(notebook: dict, monkeypatch, **options):
    """Run every cell, those that grading skips included, in a fresh kernel of nbclient's."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    node = nbformat.from_dict(notebook)
    with tempfile.TemporaryDirectory() as folder:  # training runs are kept where the kernel is
        options["resources"] = {"metadata": {"path": folder}}
        client = NotebookClient(node, timeout=300, skip_cells_with_tag="no such tag", **options)
        client.execute()
    return [(cell, output) for cell in node.cells for output in cell.get("outputs", [])]


@pytest.mark.slow
def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(started, monkeypatch):
    _, material = started
    outputs = run_all(demo.solved(material), monkeypatch)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    assert any("image/png" in str(o) for _, o in outputs)


@pytest.mark.slow
def test_an_untouched_notebook_fails_in_its_test_cells_only(started, monkeypatch):
    _, material = started
    outputs = run_all(material.lab.skeleton, monkeypatch, allow_errors=True)
    failed = {
        cell.metadata.get("nbgrader", {}).get("grade_id", cell.source)
        for cell, output in outputs
        if output.output_type == "error"
    }
    assert failed == {f"test_{name}" for name in material.names}


def marks(course):
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        return {
            s.student.id: {g.name: g.auto_score for n in s.notebooks for g in n.grades}
            for s in gradebook.find_assignment(LAB).submissions
        }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_plain_nbgrader_gives_the_marks_of_our_command(started):
    course, material = started
    handed_in = {
        "right": demo.solved(material),
        "untouched": material.lab.skeleton,
        "partly": demo.wrong(material, 1),
        "broken": b'{"cells": [',
    }
    for student, notebook in handed_in.items():
        path = course.submission_dir(student, LAB) / f"{LAB}.ipynb"
        path.parent.mkdir(parents=True)
        data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
        path.write_bytes(data)
    build.register(course, LAB)
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", LAB],
        cwd=course.root,
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(course.root / "jupyter")},
        check=True,
        capture_output=True,
        timeout=500,
    )
    stock = marks(course)
    tests = {f"test_{name}" for name in material.names}
    assert sum(stock["right"][t] for t in tests) == 40
    assert all(stock["untouched"][t] == 0 and stock["broken"][t] == 0 for t in tests)
    assert 0 < sum(stock["partly"][t] for t in tests) < 40
    grade.grade_class(course, LAB, jobs=2, force=True, feedback=False)
    assert marks(course) == stock

"""Lab 5 as it is released: in step, and plain nbgrader gives our marks.

That it runs from top to bottom, untouched and solved, is seen in a student's own environment
(test_released_bundle.py) and in JupyterLab (test_lab_in_browser.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
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


def marks(course):
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        return {
            s.student.id: {g.name: g.auto_score for n in s.notebooks for g in n.grades}
            for s in gradebook.find_assignment(LAB).submissions
        }


@pytest.mark.timeout(600)
def test_plain_nbgrader_gives_the_marks_of_our_command(started):
    course, material = started
    written, unwritten = material.names[:4], material.names[4:]
    handed_in = {
        "right": demo.solved(material),
        "partly": demo.filled(
            material.lab,
            {n: material.reference[n] for n in written} | {written[1]: material.bad[written[1]][0]},
        ),
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
    assert all(stock["broken"][t] == 0 for t in tests)
    assert all(stock["partly"][f"test_{name}"] == 0 for name in unwritten)
    right, partly = ([stock[s][f"test_{n}"] for n in written] for s in ("right", "partly"))
    assert [a == b for a, b in zip(right, partly, strict=True)] == [True, False, True, True]
    grade.grade_class(course, LAB, jobs=2, force=True, feedback=False)
    assert marks(course) == stock

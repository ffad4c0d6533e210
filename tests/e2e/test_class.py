"""A class with everything that goes wrong, graded by the real engine and the real judge."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mini
import pytest
from nbgrader.api import Gradebook

from autograde import demo, grade
from autograde.course import COURSE_ID, Course

ROOT = Path(__file__).resolve().parents[2]
LAB = demo.LAB


def no_kernel(material):
    notebook = demo.solved(material)
    notebook["metadata"] = {"kernelspec": {"name": "perl", "display_name": "Perl"}}
    return notebook


def duplicated_tests(material):
    notebook = demo.solved(material)
    notebook["cells"] += [
        {**copy.deepcopy(cell), "source": "10.0", "id": f"copy-{number}"}
        for number, cell in enumerate(notebook["cells"])
        if cell["metadata"].get("nbgrader", {}).get("grade")
    ]
    return notebook


# What student code may do is tried in test_hostile.py: here it is what is handed in.
CLASS = {
    "untouched": lambda m: m.lab.skeleton,
    "cut_off": lambda m: json.dumps(demo.solved(m)).encode()[:-5000],
    "renamed": demo.solved,
    "missing": lambda m: b"notes",
    "other_lab": demo.other_lab,
    "no_kernel": no_kernel,
    "no_tests": demo.rearranged,
    "more_tests": duplicated_tests,
}
NAMES = {"renamed": f"{LAB} copy.ipynb", "missing": "notes.txt"}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """(course, {student: row}, result) of the class above."""
    folder = tmp_path_factory.mktemp("class")
    course, material = demo.start_course(Course(ROOT), folder)
    for student, make in CLASS.items():
        handed_in = make(material)
        data = handed_in if isinstance(handed_in, bytes) else json.dumps(handed_in).encode()
        path = course.submission_dir(student, LAB) / NAMES.get(student, f"{LAB}.ipynb")
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    path = course.submission_dir("wrong_name", "lab5") / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(demo.solved(material)))
    result = grade.grade_class(course, LAB, jobs=2)
    return course, {row.student: row for row in result.rows}, result


def lost(row):
    return {name for name, r in row.exercises.items() if r["score"] < r["max"]}


@pytest.mark.timeout(600)
def test_everyone_has_a_mark_and_the_honest_ones_have_theirs(graded):
    course, rows, result = graded
    assert not result.failed
    assert set(rows) == {*CLASS, "wrong_name"}
    full = sum(result.exercises.values())
    for student in ("renamed", "no_kernel", "no_tests", "more_tests"):
        assert rows[student].status == "graded"
        assert lost(rows[student]) == set(), (student, rows[student].what_went_wrong)
        assert rows[student].score == full
    assert rows["untouched"].score == 0
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        for student, row in rows.items():
            stored = gradebook.find_submission_notebook(LAB, LAB, student)
            assert stored.score == sum(r["score"] for r in row.exercises.values())


@pytest.mark.parametrize("student", ["cut_off", "missing", "other_lab", "wrong_name"])
def test_what_cannot_be_read_is_0_with_one_line(graded, student):
    course, rows, _ = graded
    assert rows[student].status == "refused" and rows[student].score == 0
    assert rows[student].reason and "\n" not in rows[student].reason
    assert course.feedback_path(student, LAB).is_file()


def test_it_ran_behind_a_wall_and_says_so(graded):
    _, _, result = graded
    assert result.sandbox["works"] and "protects" in result.legend()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_after_kill_9_nothing_is_lost(tmp_path):
    folder = mini.make_course(tmp_path)
    everyone = [f"student{number}" for number in range(8)]
    for student in everyone:
        mini.hand_in(folder, student, mini.solved(folder))
    fixtures = str(Path(mini.__file__).parent)
    code = f"import sys; sys.path.insert(0, {fixtures!r}); import mini; mini.grade({str(folder)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    done = folder / "autograde" / "state" / mini.LAB / "graded"
    deadline = time.monotonic() + 120
    while len(list(done.glob("student*.json"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    result = mini.grade(folder, execute=mini.fake_execute)
    assert [row.student for row in result.rows] == everyone
    assert {row.score for row in result.rows} == {5.0}
    unchanged = sum(row.unchanged for row in result.rows)
    assert 2 <= unchanged < len(everyone)
    course = Course(folder)
    for student in everyone:
        json.loads(course.autograded_path(student, mini.LAB).read_text())
        assert "5 of 6 points" in course.feedback_path(student, mini.LAB).read_text()

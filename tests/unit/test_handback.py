"""Feedback finds its way back: names that an LMS knows, and what nbgrader's exchange asks for."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile

import mini
import pytest
import zips

from autograde import cli, collect, handback, lms, progress
from autograde.build import write_atomically
from autograde.course import Course

LAB = mini.LAB


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def course(base, tmp_path, monkeypatch):
    shutil.copytree(base, tmp_path / "c")
    monkeypatch.setattr("autograde.roster.enter_names", lambda course, people: 0)
    return Course(tmp_path / "c")


def page(course, *students):
    for student in students:
        path = course.feedback_path(student, LAB)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<p>{student}</p>")


def collected(course, tmp_path, name, files, roster):
    (course.root / "autograde").mkdir(exist_ok=True)
    (course.root / "autograde" / "roster.csv").write_text(roster)
    notebook = json.dumps(mini.solved(course.root)).encode()
    path = zips.write(tmp_path / name, {file: notebook for file in files})
    assert cli.main(["collect", LAB, str(path), "--course", str(course.root)]) == 0


def names(course):
    path = course.reports / LAB / "feedback.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_moodle_gets_folders_named_as_its_own(course, tmp_path, capsys):
    files = [f"{who}_assignsubmission_file/{LAB}.ipynb" for who in ("Ann Lee_12", "李 小龙_7")]
    roster = f"student,full_name,lms_id_{LAB}\nann,Ann Lee,12\nlee,李 小龙,7\n"
    collected(course, tmp_path, "moodle.zip", files, roster)
    page(course, "ann", "lee", "guest")
    assert cli.main(["feedback", LAB, "--course", str(course.root)]) == 0
    assert names(course) == {
        f"Ann Lee_12_assignsubmission_file/{LAB}.html": "<p>ann</p>",
        f"李 小龙_7_assignsubmission_file/{LAB}.html": "<p>lee</p>",
        f"guest/{LAB}.html": "<p>guest</p>",
    }
    # What Moodle itself reads out of such a path, and our own reading of its download.
    for name in names(course):
        info = name.split("/")[0].split("_", 4)
        named = lms.MoodleCollector().parse(name.split("/"))
        assert (named is None) == (len(info) < 4)
        if named:
            assert info[1].isdecimal() and info[2:4] == ["assignsubmission", "file"]
            assert named.who.id == info[1]
    shown = capsys.readouterr().out
    assert "3 pages" in shown and "2 named for Moodle" in shown and "1 by student id" in shown


def test_pages_without_a_mark_by_hand_are_counted(course, capsys, monkeypatch):
    page(course, "ann", "bob")
    assert cli.main(["feedback", LAB, "--course", str(course.root)]) == 0
    assert "graded yet" not in capsys.readouterr().out
    marks = {LAB: {"ann": progress.Marks(open=["why"]), "bob": progress.Marks(), "cy": None}}
    monkeypatch.setattr(progress, "read_gradebook", lambda course: marks)
    assert cli.main(["feedback", LAB, "--course", str(course.root)]) == 0
    assert "1 with an answer that nobody has graded yet" in capsys.readouterr().out


def test_canvas_gets_the_number_of_a_file_that_the_student_has_handed_in(course, tmp_path):
    files = [f"leeann_12_345_{LAB}.ipynb", f"doe_2_LATE_13_346_{LAB}-1.ipynb"]
    collected(course, tmp_path, "canvas.zip", files, "student,lms_id\nann,12\ndoe,13\n")
    page(course, "ann", "doe")
    cli.main(["feedback", LAB, "--course", str(course.root)])
    assert set(names(course)) == {f"leeann_12_345_{LAB}.html", f"doe 2_13_346_{LAB}.html"}
    # Canvas takes the first two parts that are numbers: the user and the file.
    for name, numbers in zip(sorted(names(course)), (["13", "346"], ["12", "345"]), strict=True):
        assert [part for part in name.split("_") if part.isdecimal()][:2] == numbers


def test_the_same_pages_give_the_same_bytes(course):
    page(course, "ann", "bob")
    found = handback.pages(course, LAB)
    assert [p.student for p in found] == ["ann", "bob"]
    assert handback.packed(found) == handback.packed(handback.pages(course, LAB))


def test_without_pages_it_says_what_to_do(course, capsys):
    assert cli.main(["feedback", LAB, "--course", str(course.root)]) == 1
    assert f"python -m autograde grade {LAB}" in capsys.readouterr().err
    assert cli.main(["feedback", "lab99", "--course", str(course.root)]) == 2
    page(course, "ann")
    blocked = ["feedback", LAB, "--course", str(course.root), "--output", str(course.root)]
    assert cli.main(blocked) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_the_exchange_finds_the_students_own_secret(course):
    folder = course.submission_dir("ann", LAB)
    folder.mkdir(parents=True)
    (folder / "submission_secret.txt").write_text("s3cret-" * 5)
    write_atomically(
        course.state / "received.csv",
        f"student,lab,received\nann,{LAB},2026-05-31T20:00:00\n".encode(),
    )
    page(course, "ann")
    handback.for_the_exchange(course, LAB, "ann")
    beside = course.feedback_path("ann", LAB).parent
    assert (beside / "submission_secret.txt").read_text() == "s3cret-" * 5
    assert (beside / "timestamp.txt").read_text() == "2026-05-31 20:00:00 UTC"


def test_the_secret_of_the_attempt_that_counts_is_taken(course, tmp_path):
    for number in (1, 2):
        folder = tmp_path / f"batch{number}" / "ann"
        folder.mkdir(parents=True)
        answer = f"answer {number}"
        notebook = mini.solved(course.root, why_positive=answer)
        (folder / f"{LAB}.ipynb").write_text(json.dumps(notebook))
        (folder / "submission_secret.txt").write_text(f"{number}" * 64)
        assert cli.main(["collect", LAB, str(folder.parent), "--course", str(course.root)]) == 0
        page(course, "ann")
        handback.for_the_exchange(course, LAB, "ann")
        beside = course.feedback_path("ann", LAB).parent / "submission_secret.txt"
        assert beside.read_text() == f"{number}" * 64


@pytest.mark.parametrize("kind", ["missing", "empty", "binary", "long", "link", "folder"])
def test_what_is_no_secret_is_replaced_by_one(course, tmp_path, kind):
    """nbgrader's release_feedback stops at a page without one, for the whole class."""
    path = course.submission_dir("eve", LAB) / "submission_secret.txt"
    path.parent.mkdir(parents=True)
    page(course, "eve")
    if kind == "link":
        (tmp_path / "elsewhere").write_text("somebody-elses-secret")
        os.symlink(tmp_path / "elsewhere", path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"empty": b"", "binary": b"\xff" * 40, "long": b"x" * 10_000}[kind])
    handback.for_the_exchange(course, LAB, "eve")
    beside = course.feedback_path("eve", LAB).parent
    secret = (beside / "submission_secret.txt").read_text()
    assert re.fullmatch(r"[0-9a-f]{64}", secret)
    assert (beside / "timestamp.txt").read_text() == ""
    page(course, "bob")
    handback.for_the_exchange(course, LAB, "eve")
    handback.for_the_exchange(course, LAB, "bob")
    assert (beside / "submission_secret.txt").read_text() == secret
    other = course.feedback_path("bob", LAB).parent / "submission_secret.txt"
    assert other.read_text() != secret


def test_collect_is_what_it_reads(course):
    """The zip's names come from collect's own record."""
    assert set(handback.WHERE) <= set(collect.CHOICES)

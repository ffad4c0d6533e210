"""What status says of a lab at each step of a semester; it is quick and leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import mini
import pytest

from autograde import build, bundle, cli, progress, status
from autograde.course import COURSE_ID, Course
from autograde.runstate import RunState

ROOT = Path(__file__).resolve().parents[2]
LAB = mini.LAB


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def folder(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path / "course"))


@pytest.fixture(scope="module")
def graded_class(built, tmp_path_factory):
    """Five students, graded once: (the course's folder, a copy of it to restore it from).

    Two right, one wrong, one who changed nothing, one file that is no notebook.
    """
    folder = Path(shutil.copytree(built, tmp_path_factory.mktemp("class") / "course"))
    mini.hand_in(folder, "ann", mini.solved(folder))
    mini.hand_in(folder, "bob", mini.solved(folder))
    mini.hand_in(folder, "cyd", mini.solved(folder, square="def square(x):\n    return 2 * x"))
    mini.hand_in(folder, "dan", mini.release(folder))
    mini.hand_in(folder, "eve", b"{")
    mini.grade(folder, execute=mini.fake_execute)
    return folder, Path(shutil.copytree(folder, folder.with_name("as_graded")))


@pytest.fixture
def graded(graded_class):
    """The graded class as it was, in the place it was graded in: that counts for what is new."""
    folder, copy = graded_class
    shutil.rmtree(folder)
    return Path(shutil.copytree(copy, folder))


def look(folder: Path, db: str | None = None) -> progress.Progress:
    (found,) = progress.survey(Course(folder, db), [LAB])
    return found


def said(folder: Path, capsys, *arguments: str) -> str:
    capsys.readouterr()
    assert cli.main(["status", "--course", str(folder), *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def next_command(folder: Path, capsys, *arguments: str) -> str:
    (line,) = [x for x in said(folder, capsys, *arguments).splitlines() if "next:" in x]
    return line.partition("next: ")[2].replace(f" --course {folder}", "")


def traces(folder: Path) -> dict:
    """Everything that writing could change below a folder."""
    return {
        str(path): (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_mode)
        for path in [folder, *folder.rglob("*")]
        for facts in [path.lstat()]
    }


# --- a semester ----------------------------------------------------------------------------------


def test_from_an_empty_course_to_the_last_mark(folder, capsys):
    course = Course(folder)
    shutil.rmtree(course.release)
    assert next_command(folder, capsys) == f"python -m autograde build {LAB}"
    build.build(course, LAB)
    assert next_command(folder, capsys) == f"python -m autograde release {LAB}"
    course.bundles.mkdir()
    (course.bundles / f"{LAB}.zip").write_bytes(bundle.make(course, LAB).archive)
    assert look(folder).bundle == "current"
    assert next_command(folder, capsys) == f"python -m autograde collect {LAB} PATH"

    mini.hand_in(folder, "ann", mini.solved(folder))
    mini.hand_in(folder, "eve", b"{")
    assert next_command(folder, capsys) == f"python -m autograde grade {LAB}"
    assert "2 not graded" in said(folder, capsys)
    mini.grade(folder, execute=mini.fake_execute)
    seen = look(folder)
    assert (seen.done, seen.count("refused"), seen.pages, seen.old_pages) == (2, 1, 2, 0)
    assert (seen.open_answers, seen.open_students) == (1, 1)
    assert next_command(folder, capsys).partition(" --allow")[0].endswith("jupyter lab")

    mark_by_hand(course, "ann", 1.0, "Well put.")
    seen = look(folder)
    assert (seen.open_answers, seen.pages, seen.old_pages) == (0, 2, 1)
    assert next_command(folder, capsys) == f"python -m autograde grade {LAB}"
    assert "1 older than the marks" in said(folder, capsys)
    mini.grade(folder, execute=mini.fake_execute)
    assert look(folder).old_pages == 0
    assert next_command(folder, capsys) == f"python -m autograde report {LAB}"

    report = course.reports / LAB / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("")
    assert look(folder).report == "current"
    assert "next:" not in said(folder, capsys)
    os.utime(report, (1, 1))
    assert look(folder).report == "old"
    assert next_command(folder, capsys) == f"python -m autograde report {LAB}"
    mini.hand_in(folder, "fay", mini.solved(folder))
    assert next_command(folder, capsys) == f"python -m autograde grade {LAB}"


def mark_by_hand(course: Course, student: str, score: float, comment: str = "") -> None:
    """What the formgrader does."""
    from nbgrader.api import Gradebook

    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        grade = gradebook.find_grade("why_positive", LAB, LAB, student)
        grade.manual_score, grade.needs_manual_grade = score, False
        gradebook.find_comment("why_positive", LAB, LAB, student).manual_comment = comment
        gradebook.db.commit()


def test_it_writes_nothing_ever(folder, graded, capsys):
    for place in (folder, graded):
        before = traces(place)
        said(place, capsys)
        said(place, capsys, "--json")
        assert traces(place) == before
    assert not (folder / "autograde" / "gradebook.db").exists()
    missing = folder / "other.db"
    said(folder, capsys, "--db", f"sqlite:///{missing}")
    assert not missing.exists()


def test_it_is_quick_and_needs_neither_torch_nor_nbgrader(graded):
    code = (
        "import resource, sys\n"
        "from autograde.cli import main\n"
        f"assert main(['status', '--course', {str(graded)!r}]) == 0\n"
        "heavy = {'torch', 'nbgrader', 'course_utils.checks', 'gymnasium'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "assert used.ru_utime + used.ru_stime < 2, used\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


# --- notebook and bundle -------------------------------------------------------------------------


def change_cell(folder: Path, change) -> None:
    path = Course(folder).release_path(LAB)
    notebook = json.loads(path.read_text())
    change(notebook["cells"])
    path.write_text(json.dumps(notebook))


STEPS = {
    "as built": lambda f: None,
    "a text": lambda f: change_cell(f, lambda cells: cells[0]["source"].append("more")),
    "a stub filled in": lambda f: change_cell(f, lambda cells: cells[3]["source"].append("#")),
    "points": lambda f: change_cell(
        f, lambda cells: cells[4]["metadata"]["nbgrader"].update(points=9)
    ),
    "tags": lambda f: change_cell(f, lambda cells: cells[2]["metadata"].update(tags=["x"])),
    "an id": lambda f: change_cell(f, lambda cells: cells[1].update(id="x")),
    "a cell less": lambda f: change_cell(f, lambda cells: cells.pop()),
    "order": lambda f: change_cell(f, lambda cells: cells.reverse()),
    "cut off": lambda f: os.truncate(Course(f).release_path(LAB), 100),
    "missing": lambda f: Course(f).release_path(LAB).unlink(),
    "a stray file": lambda f: (Course(f).release_path(LAB).parent / "answers.py").write_text(""),
    "source text": lambda f: edit_source(f, "The end.", "The End."),
    "source code": lambda f: edit_source(f, "x / 2", "x / 2.0"),
    "source solution": lambda f: edit_source(f, "x * x", "x ** 2"),
    "hidden test": lambda f: edit_source(f, "\nhidden_test(", "\n\nhidden_test("),
    "source points": lambda f: edit_source(f, '"points": 2', '"points": 3'),
}


def edit_source(folder: Path, old: str, new: str) -> None:
    path = Course(folder).solution_path(LAB)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("what", STEPS)
def test_the_quick_look_at_the_notebook_agrees_with_nbgraders_own_release(what, folder):
    STEPS[what](folder)
    course = Course(folder)
    quick, full = progress.out_of_step(course, LAB), build.out_of_step(course, LAB)
    assert (quick is None) == (full is None), (quick, full)
    # a solution and a hidden test may change without the students' notebook
    assert (quick is None) == (what in ("as built", "source solution", "hidden test"))


def test_the_courses_own_lab_is_in_step():
    assert progress.out_of_step(Course(ROOT), "lab5_ppo") is None


def test_a_broken_source_is_a_problem_and_not_the_end(folder, capsys):
    edit_source(folder, "    ### END SOLUTION\n", "")
    out = said(folder, capsys)
    assert "solution region" in out and "next: python -m autograde build" in out


def test_an_old_bundle_names_what_has_changed(folder, capsys):
    course = Course(folder)
    path = course.bundles / f"{LAB}.zip"
    path.parent.mkdir()
    path.write_bytes(bundle.make(course, LAB).archive)
    edit_source(folder, "The end.", "The End.")
    build.build(course, LAB)
    seen = look(folder)
    assert seen.bundle == "old"
    assert seen.bundle_changed == [f"notebooks/{LAB}/{LAB}.ipynb"]
    assert next_command(folder, capsys) == f"python -m autograde release {LAB}"
    path.write_bytes(b"PK")
    assert look(folder).bundle == "old"


# --- collected and graded ------------------------------------------------------------------------


def test_who_has_to_be_graded_again(graded):
    assert look(graded).by_state == {"graded": ["ann", "bob", "cyd", "dan"], "refused": ["eve"]}
    path = graded / "autograde" / "submitted" / "ann" / LAB / f"{LAB}.ipynb"
    os.utime(path)
    assert look(graded).count("changed") == 0
    mini.hand_in(graded, "ann", mini.solved(graded, square="def square(x):\n    return 3"))
    mini.hand_in(graded, "eve", b"<html>")
    mini.hand_in(graded, "fay", mini.solved(graded))
    mini.hand_in(graded, "a*", mini.solved(graded))
    (graded / "autograde" / "state" / LAB / "graded" / "bob.json").unlink()
    errors = graded / "autograde" / "state" / LAB / "errors"
    errors.mkdir()
    (errors / "gus.txt").write_text("Traceback")
    mini.hand_in(graded, "gus", mini.solved(graded))
    seen = look(graded)
    assert seen.by_state == {
        "changed": ["ann", "eve"],
        # bob: marked, but not by a run of ours that is on record, as by the formgrader's button
        "graded": ["bob", "cyd", "dan"],
        "new": ["fay"],
        "unusable": ["a*"],
        "error": ["gus"],
    }
    assert seen.collected == 8 and seen.done == 3


def test_another_time_or_other_tests_are_a_change_too(graded, monkeypatch):
    received = graded / "autograde" / "state" / "received.csv"
    received.write_text(f"student,lab,received\nann,{LAB},2026-05-01T10:00\n")
    assert look(graded).by_state["changed"] == ["ann"]
    received.unlink()
    from autograde import pipeline

    monkeypatch.setattr(pipeline, "tests_digest", lambda: "others")
    assert look(graded).count("changed") == 5


def test_a_lost_gradebook_means_grading_again(graded):
    (graded / "autograde" / "gradebook.db").unlink()
    seen = look(graded)
    assert seen.count("new") == 5 and seen.open_answers == 0


def test_roster_attempts_and_late_ones(graded, capsys):
    autograde = graded / "autograde"
    (autograde / "roster.csv").write_text(
        f"student,due_{LAB}\nAnn,\nbob,2026-05-20T00:00Z\ncyd,\nzoe,\n"
    )
    (autograde / "duedates.csv").write_text(f"lab,due\n{LAB},2026-05-10T00:00Z\n")
    rows = [f"{s},{LAB},2026-05-12T00:00" for s in ("ann", "bob", "fay")]
    (autograde / "state" / "received.csv").write_text("\n".join(["student,lab,received", *rows]))
    for name in ("ann/1-a", "ann/2-b", "bob/1-c", ".unmatched/canvas-x/1-d", ".undone/b/ann/1"):
        (autograde / "collected" / LAB / name).mkdir(parents=True)
    seen = look(graded)
    assert (seen.enrolled, seen.absent, seen.collected) == (4, 1, 5)
    assert (seen.attempts, seen.unmatched, seen.late) == (3, 1, 1)
    out = said(graded, capsys)
    assert "3 of 4 + 2" in out and "1 of the roster missing" in out
    assert f"collect {LAB} --remap" in out and "due 2026-05-10" in out


@pytest.mark.parametrize(
    "name, text",
    [("roster.csv", "name\nann\n"), ("duedates.csv", "lab,due\nmini_lab,soon\n"),
     ("state/received.csv", "a,b\n1,2\n")],
)  # fmt: skip
def test_a_table_with_a_mistake_is_told_and_the_rest_is_shown(name, text, graded, capsys):
    path = graded / "autograde" / name
    path.write_text(text)
    out = said(graded, capsys)
    assert Path(name).name in out
    assert "5 of 5" in out or name == "state/received.csv" or name == "duedates.csv"


def test_a_run_that_holds_the_lock_is_seen_and_not_waited_for(graded, capsys):
    started = time.monotonic()
    with RunState(Course(graded), LAB).locked():
        assert look(graded).running
        out = said(graded, capsys)
    assert time.monotonic() - started < 10
    assert "running" in out and "at this moment" in out
    assert not look(graded).running


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_a_look_at_the_lock_does_not_turn_a_starting_run_away(graded):
    import fcntl

    with (graded / "autograde" / "state" / LAB / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.03, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        with RunState(Course(graded), LAB).locked():
            pass


def test_a_page_that_is_missing_or_older_than_its_notebook(graded):
    course = Course(graded)
    course.feedback_path("ann", LAB).unlink()
    os.utime(course.feedback_path("bob", LAB), (1, 1))
    seen = look(graded)
    assert (seen.pages, seen.old_pages) == (4, 1)


# --- the gradebook -------------------------------------------------------------------------------


def test_marks_are_those_that_nbgrader_reads(graded):
    from nbgrader.api import Gradebook

    course = Course(graded)
    mark_by_hand(course, "bob", 0.5, "See page 3.")
    marks = progress.read_gradebook(course)[LAB]
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        grade = gradebook.find_grade("test_square", LAB, LAB, "cyd")
        grade.extra_credit = 0.25
        gradebook.db.commit()
        marks = progress.read_gradebook(course)[LAB]
        for student in ("ann", "bob", "cyd", "dan", "eve"):
            notebook = gradebook.find_submission_notebook(LAB, LAB, student)
            assert marks[student].scores == {g.name: g.score for g in notebook.grades}
            needs = sorted(g.name for g in notebook.grades if g.needs_manual_grade)
            assert sorted(marks[student].open) == needs
            comments = {c.name: c.comment for c in notebook.comments if c.comment}
            assert marks[student].comments == comments
    assert marks["bob"].comments["why_positive"] == "See page 3."


def test_another_gradebook_is_named_as_for_grading(graded, capsys):
    other = graded / "term.db"
    (graded / "autograde" / "gradebook.db").rename(other)
    assert "5 not graded" in said(graded, capsys)
    db = f"sqlite:///{other}"
    # graded into another file, as far as anyone can tell: all of it would be graded again
    seen = look(graded, db)
    assert seen.count("changed") == 5 and seen.open_answers == 3
    command = next_command(graded, capsys, "--db", db)
    assert command == f"python -m autograde grade {LAB} --db {db}"


def test_a_gradebook_that_the_environment_names_need_not_be_typed(graded, capsys, monkeypatch):
    monkeypatch.setenv("COURSE_DB", f"sqlite:///{graded / 'empty.db'}")
    assert next_command(graded, capsys) == f"python -m autograde grade {LAB}"


@pytest.mark.parametrize("what", ["no database", "other tables", "a folder"])
def test_a_gradebook_that_cannot_be_read_is_told(what, graded, capsys):
    path = graded / "autograde" / "gradebook.db"
    path.unlink()
    if what == "no database":
        path.write_bytes(b"this is no database" * 100)
    elif what == "a folder":
        path.mkdir()
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE grade (id TEXT)")
    out = said(graded, capsys)
    assert ("the gradebook cannot be read" in out) == (what != "a folder")
    assert "0 of 5" in out


def test_what_a_killed_run_left_beside_the_gradebook_is_left_there(graded, tmp_path):
    """A hot journal: SQLite has to roll back before anyone can read, and may not write here."""
    path = graded / "autograde" / "gradebook.db"
    before = look(graded)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("UPDATE grade SET auto_score = 99, needs_manual_grade = 0")
        connection.execute("UPDATE source_cell SET source = hex(randomblob(30000))")
        journal = path.with_name("gradebook.db-journal")
        assert journal.stat().st_size > 0
        for file in (path, journal):  # as kill -9 would leave them
            shutil.copyfile(file, tmp_path / file.name)
        connection.rollback()
    for file in (path, journal):
        shutil.copyfile(tmp_path / file.name, file)
    seen = look(graded)
    assert seen.problems == [] and seen.open_answers == before.open_answers == 3
    assert seen.by_state == before.by_state and seen.old_pages == 0
    for file in (path, journal):
        assert file.read_bytes() == (tmp_path / file.name).read_bytes()


# --- the command ---------------------------------------------------------------------------------


def test_json_has_every_number(graded, capsys):
    value = json.loads(said(graded, capsys, "--json", LAB))
    (lab,) = value["labs"]
    assert value["course"] == str(graded)
    assert lab["lab"] == LAB and lab["notebook"] == "in step" and lab["bundle"] == "none"
    assert lab["collected"] == 5 and lab["graded"] == 5 and lab["open_answers"] == 3
    assert lab["by_state"]["refused"] == ["eve"] and lab["by_state"]["new"] == []
    assert "jupyter lab" in lab["next"] and lab["why"] and lab["due"] is None


def test_a_password_is_not_shown(graded, capsys):
    db = "postgresql+psycopg://ann:secret@127.0.0.1:1/none"
    assert cli.main(["status", "--course", str(graded), "--db", db]) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and "secret" not in err
    command = status.Options(Course(graded), None, db).command("grade", LAB)
    expected = "--db postgresql+psycopg://ann@127.0.0.1:1/none"
    assert command == f"python -m autograde grade {LAB} {expected}"


def test_names_of_folders_do_nothing_to_a_terminal(graded, capsys):
    mini.hand_in(graded, "x\x1b[31m\x07", mini.solved(graded))
    out = said(graded, capsys)
    assert "\x1b" not in out and "\x07" not in out and "rename the folder of x?[31m?" in out


def test_several_labs_stand_in_the_order_of_the_course(folder, capsys):
    source = Course(folder).solution_path(LAB).read_text()
    for name in ("lab10_b", "lab2_a"):
        (folder / "solutions" / f"{name}.py").write_text(source.replace(LAB, name))
    out = said(folder, capsys)
    starts = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert starts == ["lab", "lab2_a", "lab10_b", LAB]
    assert out.count("next: ") == 3
    assert said(folder, capsys, "lab2_a").count("next: ") == 1


def test_a_lab_that_is_none_is_one_line(folder, capsys):
    assert cli.main(["status", "lab99", "--course", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1

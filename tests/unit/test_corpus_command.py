"""The corpus command: which files it takes, what it makes of those it cannot grade, its report."""

from __future__ import annotations

import json
from concurrent.futures import Executor, Future
from types import SimpleNamespace

import mini
import pytest

from autograde import cli, corpus, pipeline
from autograde.corpus import Item, Result
from autograde.course import Course
from autograde.errors import CourseError
from autograde.sandbox.launcher import SandboxError, SandboxUnavailable

KNOWN = {"lab_a": ["one", "two"], "lab_b": ["two", "three"]}


def fill(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    return folder


def found(folder, lab=None):
    items, stray = corpus.find_files(folder, lab, KNOWN)
    return sorted(f"{i.lab}/{i.exercise}/{i.path.name}" for i in items), [p.name for p in stray]


# --- which files ---------------------------------------------------------------------------------


def test_whole_corpus_one_lab_of_it_and_what_is_named_otherwise(tmp_path):
    fill(tmp_path, "lab_a/one/ok_1.py", "lab_a/one/okay.py", "lab_a/one/__init__.py")
    fill(tmp_path, "lab_b/two/bad_1.py", "lab_b/two/bad_1.txt", "README.py")
    assert found(tmp_path) == (["lab_a/one/ok_1.py", "lab_b/two/bad_1.py"], ["okay.py"])
    assert found(tmp_path, "lab_b") == (["lab_b/two/bad_1.py"], [])


@pytest.mark.parametrize("lab", [None, "lab_a"])
def test_a_labs_own_folder(tmp_path, lab, monkeypatch):
    fill(tmp_path, "lab_a/two/ok_1.py", "lab_a/one/bad_1.py")
    expected = ["lab_a/one/bad_1.py", "lab_a/two/ok_1.py"]
    assert found(tmp_path / "lab_a", lab)[0] == expected
    monkeypatch.chdir(tmp_path / "lab_a")
    assert found(corpus.Path("."), lab)[0] == expected


def test_folders_of_exercises_without_a_lab(tmp_path):
    fill(tmp_path / "clear", "one/ok_1.py", "two/ok_1.py")
    assert found(tmp_path / "clear")[0] == ["lab_a/one/ok_1.py", "lab_a/two/ok_1.py"]
    fill(tmp_path / "unclear", "two/ok_1.py")
    assert found(tmp_path / "unclear", "lab_b")[0] == ["lab_b/two/ok_1.py"]
    with pytest.raises(CourseError, match=r"more than one lab has the exercises two: .*--lab"):
        found(tmp_path / "unclear")
    assert found(tmp_path / "clear" / "one")[0] == ["lab_a/one/ok_1.py"]


def test_folders_of_no_lab(tmp_path):
    fill(tmp_path, "one/ok_1.py", "four/ok_1.py")
    with pytest.raises(CourseError, match="no lab has the exercises four, one: give the folder"):
        found(tmp_path)


MISTAKES = {
    "missing": ((), "missing", None, "does not exist; give the folder"),
    "a file": (("file.py",), "file.py", None, "is a file; give the folder"),
    "empty": ((), ".", None, "no corpus files in"),
    "too deep": (("a/lab_a/one/ok_1.py",), ".", None, "no corpus files in"),
    "no kind": (("lab_a/one/solution.py",), ".", None, "ok_*.py and bad_*.py"),
    "unknown lab": (("lab_c/one/ok_1.py",), ".", None, "files for lab_c; labs: lab_a, lab_b"),
    "unknown --lab": (("lab_a/one/ok_1.py",), ".", "lab_c", "unknown lab 'lab_c'; labs: lab_a"),
    "none of --lab": (("lab_a/one/ok_1.py",), ".", "lab_b", "holds no folder lab_b"),
    "unknown exercises": (
        ("lab_a/uno/ok_1.py", "lab_a/due/ok_1.py", "lab_a/one/ok_1.py"),
        ".",
        None,
        "lab_a has no exercise due, uno; it has: one, two",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_in_the_folder_is_one_line(name, tmp_path):
    files, folder, lab, expected = MISTAKES[name]
    fill(tmp_path, *files)
    with pytest.raises(CourseError) as caught:
        found(tmp_path / folder, lab)
    assert expected in str(caught.value) and caught.value.status == 2


UNREADABLE = {
    "latin": ("müde = 1\n".encode("latin-1"), "it is not UTF-8 text"),
    "zeros": (b"\xff\xfe\x00\x01", "it is not UTF-8 text"),
    "no such encoding": (b"# -*- coding: klingon -*-\n", "it is not UTF-8 text"),
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\t\n", "the file is empty"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_file(name, tmp_path):
    data, reason = UNREADABLE[name]
    path = tmp_path / "ok_1.py"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason):
        corpus.read_solution(path)


def test_file_is_decoded_as_python_does(tmp_path):
    path = tmp_path / "ok_1.py"
    path.write_bytes(b"\xef\xbb\xbfx = 1\r\ny = 2\r\n")
    assert corpus.read_solution(path) == "x = 1\ny = 2\n"
    path.write_bytes(b"# coding: latin-1\nname = '\xfc'\n")
    assert corpus.read_solution(path).endswith("'ü'\n")
    path.unlink()
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        corpus.read_solution(path)


# --- grading -------------------------------------------------------------------------------------


class Inline(Executor):
    """Runs at once, in this process."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Judge:
    """Gives points by what the fake engine handed it."""

    def has(self, exercise):
        return True

    def request(self, exercise, seed):
        return {"exercise": exercise, "cases": []}

    def judge(self, exercise, seed, observation, points, failure=None):
        score = points * observation["share"] if observation else 0.0
        return SimpleNamespace(score=score, message="seen", mistake=None, passed=True, aspects=[])


def execute(job):
    """As stage 3: what a solution gets stands in it, or what goes wrong."""
    job = json.loads(job)
    text = "\n".join(cell["source"] for cell in job["notebook"]["cells"])
    if "ENGINE FAILS" in text:
        raise SandboxError("the kernel server\nis gone")
    if "ANSWER IS NONSENSE" in text:
        return b"[]"
    if "NO SANDBOX" in text:
        raise SandboxUnavailable("course_utils cannot be imported inside the sandbox: it is gone")
    observation = {"observation": {"share": 0.0 if "WRONG" in text else 1.0}}
    return json.dumps(
        {"cells": {}, "observations": {name: observation for name in job["requests"]}}
    ).encode()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return Course(mini.make_course(tmp_path_factory.mktemp("course")))


@pytest.fixture
def exercise(course):
    return pipeline.load_lab(course, "mini_lab").tests[0]


def grade(course, exercise, folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.py").write_bytes(text.encode() if isinstance(text, str) else text)
    items = [Item(folder / f"{name}.py", "mini_lab", exercise.name) for name in texts]
    seen = []
    results = corpus.run(
        items,
        2,
        seen.append,
        course=course,
        make_executor=lambda jobs: Inline(),
        execute=execute,
        judge=Judge(),
    )
    assert len(seen) == len(items) and {r.name for r in seen} == {r.name for r in results}
    return {r.file: r for r in results}


def test_file_that_cannot_be_graded_stops_no_other(course, exercise, tmp_path):
    results = grade(
        course,
        exercise,
        tmp_path,
        ok_fine="x = 1",
        bad_wrong="# WRONG",
        bad_engine="# ENGINE FAILS",
        ok_nonsense="# ANSWER IS NONSENSE",
        ok_empty="",
        bad_bytes=b"\xff\xfe",
    )
    points = exercise.points
    assert [(r.score, r.max) for r in (results["ok_fine.py"], results["bad_wrong.py"])] == [
        (points, points),
        (0.0, points),
    ]
    reasons = {name: r.message for name, r in results.items() if r.score is None}
    assert reasons == {
        "bad_engine.py": "the kernel server is gone",
        "ok_nonsense.py": reasons["ok_nonsense.py"],
        "ok_empty.py": "the file is empty",
        "bad_bytes.py": "it is not UTF-8 text",
    }
    assert "engine" in reasons["ok_nonsense.py"]
    failed = results["bad_engine.py"]
    assert (failed.max, failed.visible_pass, failed.mistake) == (points, False, None)
    assert not failed.lost  # neither killed nor a survivor
    counts = corpus.summary(list(results.values()))["total"]
    assert (counts["correct"], counts["wrong"], counts["killed"]) == (1, 1, 1)
    assert counts["harmed"] == counts["survivors"] == [] and counts["caught"] == 1
    assert [name.rpartition("/")[2] for name in counts["errors"]] == sorted(reasons)
    written = json.loads(corpus.as_json(list(results.values())))["exercises"]
    assert written[f"mini_lab/{exercise.name}"]["ok_empty.py"] == {
        "score": None,
        "max": points,
        "visible_pass": False,
        "mistake": None,
        "message": "the file is empty",
    }


def test_what_concerns_every_file_ends_the_run_in_one_line(course, exercise, tmp_path):
    with pytest.raises(CourseError, match="course_utils cannot be imported") as caught:
        grade(course, exercise, tmp_path, ok_1="# NO SANDBOX", ok_2="x = 1")
    assert caught.value.status == 1


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, course, monkeypatch, capsys):
    """The command on two files with these results; (status, stdout, stderr)."""
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(corpus, "known_exercises", lambda course: {"mini_lab": ["one"]})
    folder = fill(tmp_path / "c", "mini_lab/one/ok_1.py", "mini_lab/one/bad_1.py")
    fill(folder, "mini_lab/one/notes.py")

    def run(*results, arguments=()):
        graded = []

        def fake(items, jobs, on_result, *rest, **options):
            graded.extend(items)
            return [Result("mini_lab/one", *result) for result in results]

        monkeypatch.setattr(corpus, "run", fake)
        status = cli.main(["corpus", str(folder), *arguments])
        return status, *capsys.readouterr(), graded

    return run


OK = ("ok_1.py", 2.0, 2.0, True, None, "")
HARMED = ("ok_1.py", 1.0, 2.0, True, None, "")
KILLED = ("bad_1.py", 0.0, 2.0, False, "x", "")
FAILED = ("bad_1.py", None, 2.0, False, None, "the [bold] engine failed")


def test_status_and_report(command):
    status, out, err, _ = command(OK, KILLED)
    assert status == 0 and "mutation score" in out and "not graded" not in out
    assert len(err.split("\n")) <= 3 and "notes.py (named neither ok_*.py nor bad_*.py)" in err
    assert command(HARMED, KILLED)[0] == 1
    status, out, _, _ = command(OK, FAILED)
    assert status == 1
    assert out.splitlines()[-1] == "mini_lab/one/bad_1.py: not graded: the [bold] engine failed"


def test_json_is_written_even_when_a_file_was_not_graded(command, tmp_path):
    file = tmp_path / "r.json"
    assert command(OK, FAILED, arguments=["--json", str(file)])[0] == 1
    assert json.loads(file.read_text())["exercises"]["mini_lab/one"]["bad_1.py"]["score"] is None
    status, out, err, _ = command(OK, FAILED, arguments=["--json", "-"])
    assert status == 1 and json.loads(out)["exercises"]
    assert "mini_lab/one/bad_1.py: not graded" in err


def test_unwritable_json_is_found_out_before_grading(command, tmp_path):
    for path in (tmp_path, tmp_path / "none" / "r.json"):
        status, out, err, graded = command(OK, arguments=["--json", str(path)])
        assert (status, out, graded) == (2, "", [])
        assert err.startswith(f"autograde: --json {path}: ") and err.count("\n") == 1
    old = tmp_path / "old.json"
    old.write_text("old")
    status, *_ = command(arguments=["--json", str(old), "--lab", "mini_lap"])
    assert status == 2 and old.read_text() == "old"  # looking leaves it as it was
    new = tmp_path / "new.json"
    command(arguments=["--json", str(new), "--lab", "mini_lap"])
    assert not new.exists()

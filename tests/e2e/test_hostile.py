"""A class of attackers and oddballs, graded by one run of the real command."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile import attacks
from nbgrader.api import Gradebook

from autograde import demo
from autograde.course import COURSE_ID, Course

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which("bwrap"), reason="needs the sandbox"
    ),
]
ROOT = Path(__file__).resolve().parents[2]
LAB = attacks.LAB
CANARY = "canary-5f1c2e"


@dataclass
class Graded:
    """The class after the run: its course, the JSON's rows by student, and what was printed."""

    course: Course
    rows: dict[str, dict]
    points: dict[str, float]
    status: int
    printed: str
    called: bool  # somebody connected to the grader's machine
    before: dict[str, bytes]

    def lost(self, student: str) -> set[str]:
        return {n for n, r in self.rows[student]["exercises"].items() if r["score"] < r["max"]}


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Graded:
    folder = tmp_path_factory.mktemp("hostile")
    course, material = demo.start_course(Course(ROOT), folder / "course of 2026")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    source = (ROOT / "autograde" / "judge" / "lab5_ppo.py").read_bytes()
    reference = source.partition(b"def ppo_gradients(")[2]
    outside = {
        "repository": ROOT,
        "course": course.root,
        "canary": CANARY,
        "port": listener.getsockname()[1],
        "digest": hashlib.sha256(reference[:16]).hexdigest(),
    }

    def hand_in(student: str, data: dict | bytes | None) -> None:
        path = course.submission_dir(student, LAB)
        path.mkdir(parents=True, exist_ok=True)
        if data is not None:
            text = data if isinstance(data, bytes) else json.dumps(data).encode()
            (path / f"{LAB}.ipynb").write_bytes(text)

    for student, make in attacks.ODDITIES.items():
        hand_in(student, make(material))
    for student, attack in attacks.ATTACKS.items():
        path = course.submission_dir(student, LAB)
        path.mkdir(parents=True)
        hand_in(student, attack.hand_in(material, path, outside))
    for student in attacks.NAMES:
        hand_in(student, material.lab.skeleton)

    before = _contents(course)
    output = folder / "result.json"
    command = [sys.executable, "-m", "autograde", "grade", LAB, "--course", str(course.root)]
    done = subprocess.run(
        [*command, "--json", str(output), "--cell-seconds", "3"],
        cwd=ROOT,
        env={**os.environ, "SECRET": CANARY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=800,
    )
    try:
        listener.accept()
        called = True
    except BlockingIOError:
        called = False
    listener.close()
    assert output.is_file(), done.stdout.decode(errors="replace")[-3000:]
    result = json.loads(output.read_text())
    return Graded(
        course,
        {row["student"]: row for row in result["submissions"]},
        result["exercises"],
        done.returncode,
        done.stdout.decode(errors="replace"),
        called,
        before,
    )


def _contents(course: Course) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in course.submitted.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 30
    }


@pytest.mark.parametrize("student", attacks.ODDITIES)
def test_an_oddity_costs_nothing(graded, student):
    row = graded.rows[student]
    assert row["status"] == "graded", row["reason"]
    messages = {name: row["exercises"][name]["message"] for name in graded.lost(student)}
    assert messages == {}
    assert row["score"] == sum(graded.points.values())


@pytest.mark.parametrize("student", attacks.ATTACKS)
def test_an_attack_has_what_its_author_has_solved_and_no_more(graded, student):
    attack, row = attacks.ATTACKS[student], graded.rows[student]
    if attack.refused:
        assert row["status"] == "refused" and row["score"] == 0, row
        assert row["reason"] and "\n" not in row["reason"]
        return
    assert row["status"] == "graded", row["reason"]
    expected = {name: graded.points[name] * attack.shares.get(name, 1.0) for name in graded.points}
    scores = {name: result["score"] for name, result in row["exercises"].items()}
    assert scores == pytest.approx(expected)
    if student in ("does_not_end", "ends_the_kernel"):
        assert all(result["message"] for result in row["exercises"].values())
    assert row["score"] == pytest.approx(sum(expected.values()))


def test_the_run_says_first_what_protects_it(graded):
    first = graded.printed.lstrip().splitlines()[0]
    assert first.startswith("Isolation: bwrap: protects network,") and "NOT" not in first


def test_every_class_of_attack_is_tried():
    named = [name for names in attacks.CLASSES.values() for name in names]
    assert sorted(named) == sorted(attacks.TECHNIQUES) and len(named) >= 60
    assert min(len(names) for names in attacks.CLASSES.values()) >= 3


@pytest.mark.parametrize("name", attacks.NAMES, ids=ascii)
def test_a_folder_that_is_no_students_has_no_mark_and_says_why(graded, name):
    row = graded.rows[name]
    assert row["status"] == "error" and row["score"] is None
    assert "rename it" in row["reason"]


def test_everyone_has_one_row_and_the_gradebook_says_the_same(graded):
    expected = {*attacks.ODDITIES, *attacks.ATTACKS, *attacks.NAMES}
    assert set(graded.rows) == expected
    assert graded.status == 1  # because of the folders' names
    with Gradebook(graded.course.db_url, COURSE_ID) as gradebook:
        students = {student.id for student in gradebook.students}
        assert students == expected - {*attacks.NAMES}
        for student in students:
            stored = gradebook.find_submission_notebook(LAB, LAB, student)
            assert stored.score == graded.rows[student]["score"]


def test_nothing_was_read_sent_or_left_behind(graded):
    assert not graded.called
    for folder in (graded.course.autograded, graded.course.feedback):
        for path in folder.rglob("*"):
            if path.is_file():
                assert path.suffix in (".ipynb", ".html", ".txt"), path
                outputs = path.read_text()
                if path.suffix == ".ipynb":
                    cells = json.loads(outputs)["cells"]
                    outputs = json.dumps([cell.get("outputs") for cell in cells])
                    assert "LEAK" not in outputs.replace("document.title='LEAK'", ""), path
    places = ("/", "/tmp", "/var/tmp", "/dev/shm", "/usr", "/run", ROOT, graded.course.root)
    places += (sys.prefix, Path.home(), ROOT / "course_utils")
    assert [place for place in places if (Path(place) / CANARY).exists()] == []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                assert CANARY not in (entry / "cmdline").read_text(errors="replace")
            except OSError:
                continue
    assert _contents(graded.course) == graded.before


def test_no_script_in_any_page_and_no_escape_code_in_the_terminal(graded):
    assert "\x1b" not in graded.printed and "\r" not in graded.printed
    pages = list(graded.course.feedback.rglob("*.html"))
    assert len(pages) == len(graded.rows) - len(attacks.NAMES)
    clean = graded.course.feedback_path("good", LAB).read_text()
    for page in pages:
        text = page.read_text()
        assert text.count("<script") == clean.count("<script"), page
        assert "\x1b" not in text, page
        for mark in ("<img src=x", "<svg onload", 'href="javascript:'):
            assert mark not in text, page
        assert len(text) < 20_000_000, page
    for path in graded.course.autograded.rglob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            for output in cell.get("outputs", []):
                kinds = set(output.get("data", {}))
                assert kinds <= {"text/plain", "image/png", "image/jpeg"}, (path, kinds)
                assert "\x1b" not in json.dumps(output, ensure_ascii=False)

"""A class that hands in through Moodle and through nbgrader's exchange, collected and graded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import mini
import pytest
import zips
from nbgrader.api import Gradebook

from autograde import build, cli, demo, grade
from autograde.course import COURSE_ID, Course

ROOT = Path(__file__).resolve().parents[2]
LAB = demo.LAB
NOTEBOOK = f"{LAB}.ipynb"


def command(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "autograde", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_moodles_zip_with_bad_members_from_download_to_marks(tmp_path):
    course, material = demo.start_course(Course(ROOT), tmp_path / "course")
    right, half = (
        json.dumps(n).encode() for n in (demo.solved(material), demo.unfinished(material, 2))
    )
    notes = f"Eve_105_assignsubmission_file/../../../../evil-{os.getpid()}.ipynb"
    files = {
        f"Ann Lee_101_assignsubmission_file/{NOTEBOOK}": right,
        "Ann Lee_101_assignsubmission_file/timestamp.txt": b"1999-01-01 00:00:00 UTC",
        "Bob O'Dow_102_assignsubmission_file/hand in.zip": zips.zipped({f"lab/{NOTEBOOK}": half}),
        "Cy_103_assignsubmission_file/mine.zip": zips.encrypted(NOTEBOOK, right),
        "Di_104_assignsubmission_file/link.zip": zips.symlink(NOTEBOOK, "/etc/passwd"),
        notes: right,
        f"Nobody Knows_109_assignsubmission_file/{NOTEBOOK}": right,
    }
    download = zips.write(tmp_path / "Course-Lab-42.zip", files)
    (tmp_path / "roster.csv").write_text(
        f"student;first_name;last_name;due_{LAB}\nann;Ann;Lee;\nbob;Bob;O'Dow;2026-06-07T23:59+02:00\n"
        "cy;Cy;;\ndi;Di;;\neve;Eve;;\n"
    )
    (tmp_path / "worksheet.csv").write_text(
        "Identifier,Full name,Last modified (submission)\n"
        'Participant 101,Ann Lee,"Monday, 1 June 2026, 1:30 AM"\n'
        'Participant 102,Bob,"Monday, 1 June 2026, 1:30 AM"\n'
    )
    (course.root / "autograde").mkdir(exist_ok=True)
    (course.root / "autograde" / "duedates.csv").write_text(
        f"lab,due\n{LAB},2026-05-31T23:59+02:00\n"
    )
    done = command(
        "collect", LAB, download, "--course", course.root, "--roster", tmp_path / "roster.csv",
        "--times", tmp_path / "worksheet.csv", "--timezone", "Europe/Berlin",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Nobody Knows (109)" in done.stdout and "1 h" in done.stdout
    assert not list(tmp_path.rglob("evil-*")) and not Path(f"/evil-{os.getpid()}.ipynb").exists()

    marks = tmp_path / "marks.json"
    done = command("grade", LAB, "--course", course.root, "--json", marks, "--cell-seconds", 10)
    assert done.returncode == 0, done.stderr
    rows = {row["student"]: row for row in json.loads(marks.read_text())["submissions"]}
    assert set(rows) == {"ann", "bob", "cy", "di", "eve"}
    assert rows["ann"]["score"] > rows["bob"]["score"] > 0
    assert {s: r["late_seconds"] for s, r in rows.items()} == {
        "ann": 5460, "bob": 0, "cy": 0, "di": 0, "eve": 0
    }  # fmt: skip
    for student, reason in (("cy", "encrypted"), ("di", "link"), ("eve", "out of its archive")):
        assert rows[student]["status"] == "refused" and rows[student]["score"] == 0
        assert reason in rows[student]["reason"]
        assert reason in course.feedback_path(student, LAB).read_text()
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        names = {s.id: (s.first_name, s.last_name) for s in gradebook.students}
        assert names["bob"] == ("Bob", "O'Dow")
        assert gradebook.find_submission(LAB, "ann").total_seconds_late == 5460
        assert gradebook.find_submission(LAB, "bob").total_seconds_late == 0


def nbgrader(app_class, *arguments) -> None:
    app_class.clear_instance()
    app = app_class.instance()
    app.log.setLevel(logging.CRITICAL)
    try:
        app.initialize(list(arguments))
        app.start()
    finally:
        app.deinit_logging()
        app_class.clear_instance()


@pytest.mark.skipif(os.name != "posix", reason="nbgrader's exchange")
def test_what_nbgrader_submit_hands_in_is_collected_with_its_time(tmp_path, monkeypatch):
    from nbgrader.apps import ReleaseAssignmentApp, SubmitApp

    course = Course(mini.make_course(tmp_path / "course"))
    build.register(course, mini.LAB)
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"c.Exchange.root = {str(exchange)!r}\n")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(course.root)
    nbgrader(ReleaseAssignmentApp, mini.LAB)
    home = tmp_path / "home"
    (home / mini.LAB).mkdir(parents=True)
    monkeypatch.chdir(home)
    for answer in ("first", "second"):
        path = home / mini.LAB / f"{mini.LAB}.ipynb"
        path.write_text(json.dumps(mini.solved(course.root, why_positive=answer)))
        (home / mini.LAB / "timestamp.txt").write_text("1999-01-01 00:00:00 UTC")
        arguments = ("--course=policy_gradients", f"--Exchange.root={exchange}")
        nbgrader(SubmitApp, mini.LAB, *arguments)
    assert cli.main(["collect", mini.LAB, "--course", str(course.root)]) == 0
    (student,) = [path.name for path in course.submitted.iterdir()]
    placed = course.submission_dir(student, mini.LAB)
    assert "second" in (placed / f"{mini.LAB}.ipynb").read_text()
    assert len(list((course.collected / mini.LAB / student).iterdir())) == 2
    received = course.received(mini.LAB)[student]
    (submitted,) = [p for p in (exchange / COURSE_ID / "inbound").iterdir()
                    if "second" in (p / f"{mini.LAB}.ipynb").read_text()]  # fmt: skip
    assert f"+{received:%Y-%m-%d %H:%M:%S.%f} UTC+" in submitted.name
    options = {
        "execute": mini.fake_execute,
        "judge": mini.FakeJudge(),
        "make_executor": mini.Serial,
    }
    (row,) = grade.grade_class(course, mini.LAB, feedback=False, **options).rows
    assert row.score == 5.0 and row.received == received.isoformat()

"""kill -9 at any moment, and the command again: nothing lost, nothing twice, the same marks."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import mini
import pytest
from nbgrader.api import Gradebook

from autograde import demo
from autograde.course import COURSE_ID, Course
from autograde.runstate import RunState

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kill -9"),
    pytest.mark.timeout(600),
]
ROOT = Path(__file__).resolve().parents[2]
FIXTURES = str(Path(mini.__file__).parent)
WRONG = "def square(x):\n    return abs(x) * 3.0"
# Stage 3 for trusted notebooks, which writes down whom it has run (by a mark in the notebook).
GRADE = f"""
import sys, time
sys.path.insert(0, {FIXTURES!r})
import mini
folder, log = sys.argv[1:]
def execute(job):
    text = job.decode()
    with open(log, "a") as file:
        file.write(text[text.index("WHO=") + 4:][:2] + "\\n")
    return mini.fake_execute(job)
mini.grade(folder, execute)
"""
STUDENTS = [f"s{number}" for number in range(8)]


def hand_in_class(folder: Path) -> None:
    for number, student in enumerate(STUDENTS):
        if number == 5:
            mini.hand_in(folder, student, b"PK")
        else:
            sources = {"square": WRONG} if number % 3 == 1 else {}
            notebook = mini.solved(folder, **sources)
            cell = {"cell_type": "code", "metadata": {}, "source": f"# WHO={student}"}
            notebook["cells"].append(cell)
            mini.hand_in(folder, student, notebook)


def start(folder: Path, log: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", GRADE, str(folder), str(log)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def marks(folder: Path) -> dict:
    """Everything in the gradebook that counts, and how many submissions each student has."""
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        submissions = gradebook.find_assignment(mini.LAB).submissions
        found = {
            s.student.id: {
                grade.name: (grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                for notebook in s.notebooks
                for grade in notebook.grades
            }
            for s in submissions
        }
        assert len(submissions) == len(found)
    return found


def test_killed_at_random_moments_it_ends_with_the_marks_of_an_undisturbed_run(tmp_path):
    calm = mini.make_course(tmp_path / "calm")
    hand_in_class(calm)
    began = time.monotonic()
    process = start(calm, tmp_path / "calm.log")
    assert process.wait(300) == 0, process.stderr.read().decode()
    needed = time.monotonic() - began
    expected = marks(calm)
    assert sorted((tmp_path / "calm.log").read_text().split()) == sorted(set(STUDENTS) - {"s5"})

    stormy = mini.make_course(tmp_path / "stormy")
    hand_in_class(stormy)
    state = RunState(Course(stormy), mini.LAB)
    log = tmp_path / "stormy.log"
    log.touch()
    seed = random.randrange(1 << 32)
    print(f"moments drawn from seed {seed}")
    draw = random.Random(seed)
    seeds, kills, ran_after_done = set(), 0, []
    for number in range(7):
        done = {path.stem for path in state.graded.glob("s*.json")}
        lines = len(log.read_text().split())
        process = start(stormy, log)
        try:
            if number == 0:  # by what it has done: it may be quicker than the undisturbed run was
                while process.poll() is None and not list(state.graded.glob("s*.json")):
                    time.sleep(0.005)
                process.wait(draw.uniform(0, 0.05))
            else:
                process.wait(draw.uniform(0.35, 0.9) * needed)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
            process.wait()
        else:
            assert process.returncode == 0, process.stderr.read().decode()
        ran_after_done += [who for who in log.read_text().split()[lines:] if who in done]
        run = state.folder / "run.json"
        if run.exists():
            seeds.add(json.loads(run.read_text())["seed"])
        for path in state.graded.glob("s*.json"):
            assert json.loads(path.read_text())["row"]["status"] in ("graded", "refused")
        if len(list(state.graded.glob("s*.json"))) == len(STUDENTS):
            break
    process = start(stormy, log)
    assert process.wait(300) == 0, process.stderr.read().decode()
    assert kills >= 1
    assert marks(stormy) == expected
    # Nobody who was done was run again, and all saw the same hidden inputs.
    assert not ran_after_done and len(seeds) <= 1
    assert set(log.read_text().split()) == set(STUDENTS) - {"s5"}
    course = Course(stormy)
    for student in STUDENTS:
        json.loads(course.autograded_path(student, mini.LAB).read_text())
        assert "</html>" in course.feedback_path(student, mini.LAB).read_text()
    left = [p for p in course.state.rglob("*") if p.name.startswith(".") and p.is_file()]
    assert not left
    with sqlite3.connect(course.root / "autograde" / "gradebook.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        assert database.execute("select count(*) from alembic_version").fetchone() == (1,)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_run_leaves_no_process_behind(tmp_path):
    course, material = demo.start_course(Course(ROOT), tmp_path / "c")
    for number in range(3):
        path = course.submission_dir(f"s{number}", demo.LAB)
        path.mkdir(parents=True)
        endless = demo.with_line(material, 0, "while True: pass")
        (path / f"{demo.LAB}.ipynb").write_text(json.dumps(endless))
    command = [sys.executable, "-m", "autograde", "grade", demo.LAB, "--course", str(course.root)]
    # Everything that it starts inherits this, but for what runs behind the wall.
    mark = f"killed-run-{os.getpid()}-{time.monotonic_ns()}"
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "MARK": mark}, stderr=subprocess.DEVNULL
    )

    def family() -> list[int]:
        """Its processes, those in the sandbox included: descendants of what bears the mark."""
        parents, marked = {}, set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text().rpartition(")")[2].split()
                    if mark.encode() in (entry / "environ").read_bytes():
                        marked.add(int(entry.name))
                except OSError:
                    continue
                if stat[0] != "Z":
                    parents[int(entry.name)] = int(stat[1])
        found = marked & set(parents)
        while more := {p for p, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)

    deadline = time.monotonic() + 120
    seen: set[int] = set()
    # Main process, resource tracker, two or more workers, a wall and a server each, kernels.
    while len(seen) < 8 and time.monotonic() < deadline:
        assert process.poll() is None
        seen = set(family())
        time.sleep(0.1)
    assert len(seen) >= 8
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30

    def alive() -> list[int]:
        found = []
        for pid in seen - {process.pid}:
            try:
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found.append(pid)
            except OSError:
                continue
        return found

    while alive() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not alive()

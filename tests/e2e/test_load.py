"""A machine with three busy processes a core changes no mark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograde import demo
from autograde.course import Course

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
LAB = demo.LAB
BUSY = "import os\nwhile os.getppid() == {parent}:\n    sum(range(10_000))"


def patient(material):
    """Right, but it waits and computes: cells and calls well inside their limits."""
    notebook = demo.with_line(material, 5, "__import__('time').sleep(0.3)")
    source = "import time\nend = time.process_time() + 4\nwhile time.process_time() < end: pass"
    notebook["cells"].insert(2, {"cell_type": "code", "metadata": {}, "source": source})
    return notebook


def mixed(material):
    """The first exercises written, one of them wrong."""
    names = material.names[:4]
    assert names[2] == "has_gradient"
    sources = {name: material.reference[name] for name in names}
    return demo.filled(material.lab, {**sources, names[2]: material.bad[names[2]][0]})


CLASS = {"mixed": mixed, "patient": patient}


def test_a_busy_machine_changes_no_mark(tmp_path):
    course, material = demo.start_course(Course(ROOT), tmp_path / "c")
    for student, make in CLASS.items():
        path = course.submission_dir(student, LAB)
        path.mkdir(parents=True)
        (path / f"{LAB}.ipynb").write_text(json.dumps(make(material)))
    busy = [
        subprocess.Popen([sys.executable, "-c", BUSY.format(parent=os.getpid())])
        for _ in range(3 * (os.cpu_count() or 1))
    ]
    marks = tmp_path / "marks.json"
    try:
        command = [sys.executable, "-m", "autograde", "grade", LAB, "--course", str(course.root)]
        done = subprocess.run(
            [*command, "--json", str(marks), "--no-feedback"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert all(process.poll() is None for process in busy)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert done.returncode == 0, done.stderr
    rows = {row["student"]: row for row in json.loads(marks.read_text())["submissions"]}
    lost = {
        student: [n for n, r in row["exercises"].items() if r["score"] < r["max"]]
        for student, row in rows.items()
    }
    assert lost == {"mixed": ["has_gradient", *material.names[4:]], "patient": []}
    assert all(row["timeouts"] == row["kernel_deaths"] == 0 for row in rows.values())

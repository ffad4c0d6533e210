"""Grading takes as much memory for a large class as for a small one.

Here with a fake engine, a few dozen submissions and one process; `benchmarks/grading.py --memory`
grades 40 and 400 with everything real.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import mini
import psutil

FEW, MANY = 8, 24
MEGABYTE = 1 << 20
# What stays of a submission is its row, some kilobytes; what passes through is over a megabyte.
ROOM = 8 * MEGABYTE


def execute(job: bytes) -> bytes:
    """The fake engine, with a megabyte of observations and a tenth of that in outputs."""
    result = json.loads(mini.fake_execute(job))
    result["observations"]["more"] = {"observation": {"text": "x" * MEGABYTE}}
    first = next(iter(result["cells"].values()))
    lines = "y" * 99 + "\n"
    first["outputs"].append({"output_type": "stream", "name": "stdout", "text": lines * 900})
    return json.dumps(result).encode()


def measure(folder: str) -> list[int]:
    """Bytes that a process has resident when FEW, and when MANY, have their marks."""
    from autograde.course import Course
    from autograde.grade import grade_class

    sizes, rows = [], []

    def on_row(row):
        rows.append(row.score)
        if len(rows) in (FEW, MANY):
            gc.collect()
            sizes.append(psutil.Process().memory_info().rss)

    grade_class(
        Course(Path(folder)), mini.LAB, execute=execute, judge=mini.FakeJudge(),
        make_executor=mini.Serial, jobs=1, on_row=on_row,
    )  # fmt: skip
    assert rows == [5.0] * MANY
    return sizes


def test_memory_does_not_grow_with_the_class(tmp_path):
    folder = mini.make_course(tmp_path)
    for number in range(MANY):
        mini.hand_in(folder, f"student{number:02d}", mini.solved(folder))
    here = [str(Path(__file__).parent), str(Path(mini.__file__).parent)]
    code = (
        f"import sys; sys.path[:0] = {here!r};"
        "import test_memory; print(test_memory.measure(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    few, many = json.loads(done.stdout.splitlines()[-1])
    assert many - few < ROOM, f"{few / MEGABYTE:.0f} MB at {FEW}, {many / MEGABYTE:.0f} at {MANY}"

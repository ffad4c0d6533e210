"""What a grading run must remember to go on after a crash: its seed, and who is done."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from autograde.build import write_atomically
from autograde.course import Course
from autograde.errors import CourseError


class RunState:
    """The state of grading one lab, under autograde/state/LAB/ (the instructor's machine only).

    run.json: the secret seed of the hidden tests' inputs. It stays the same, so that everyone is
    asked the same whenever they hand in, and grading again gives the same marks.
    graded/STUDENT.json: the key of what was graded (submission, release, course code) and its row.
    Each file is written whole or not at all, and a row only after the gradebook holds the marks;
    so after a kill, what has a row is done and the rest is graded.
    """

    def __init__(self, course: Course, lab: str):
        self.folder = course.state / lab
        self.graded = self.folder / "graded"

    def start(self, fresh: bool = False) -> int:
        """The lab's seed, drawn when it is first asked for. fresh: a new one, for everyone."""
        seed = _read(self.folder / "run.json").get("seed")
        if isinstance(seed, int) and not fresh:
            return seed
        # First the rows: a run that is killed in between grades everyone again, not nobody.
        shutil.rmtree(self.graded, ignore_errors=True)
        seed = secrets.randbits(63)
        self._write(self.folder / "run.json", {"seed": seed})
        return seed

    def row(self, student: str, key: str) -> dict | None:
        """The stored row of a student if it was made from `key`, else None."""
        stored = _read(self.graded / f"{student}.json")
        return stored.get("row") if stored.get("key") == key else None

    def store(self, student: str, key: str, row: dict) -> None:
        self._write(self.graded / f"{student}.json", {"key": key, "row": row})

    def forget(self, student: str) -> None:
        (self.graded / f"{student}.json").unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lab's lock: two runs must not write one gradebook. CourseError if taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        with (self.folder / "lock").open("w") as file:
            try:
                _lock(file)
            except OSError:
                raise CourseError(
                    f"{self.folder.name} is being graded or collected by another process; "
                    "wait for its end",
                    status=1,
                ) from None
            # What a killed run was about to write; nobody else writes here while this is held.
            for path in self.folder.rglob(".*"):
                if path.is_file():
                    path.unlink(missing_ok=True)
            yield

    def _write(self, path: Path, value: dict) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        write_atomically(path, json.dumps(value, indent=1).encode())
        os.chmod(path, 0o600)


def _lock(file: IO[str]) -> None:
    """Lock a file for this process alone. OSError if another one has it, for more than a look."""
    try:
        import fcntl
    except ImportError:  # Windows: no lock, one instructor
        return
    for last in (False, False, False, True):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if last:
                raise
            time.sleep(0.02)  # `status` has it for an instant, to see whether it is taken


def _read(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

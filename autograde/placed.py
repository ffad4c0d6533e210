"""What collect has put into submitted/, and what of it could not be taken: notes for intake.

One file per student, autograde/state/LAB/collected/STUDENT.json. It counts only as long as the
student's folder in submitted/ holds exactly what collect put there; whoever puts something else
there by hand has taken it in themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autograde.course import Course
from autograde.intake import Refused, read_regular_file

# Written by nbgrader's exchange, and by collect for the formgrader; no part of a submission.
TIMESTAMP = "timestamp.txt"
MAX_FILES = 1_000


@dataclass(frozen=True)
class Record:
    """files: SHA-256 by path below the submission's folder. refused: (name, reason) each.

    marked_late: the LMS says that it came late, and nobody knows by how much. notes: remarks for
    the student's page.
    """

    attempt: str
    files: dict[str, str] = field(default_factory=dict)
    refused: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    marked_late: bool = False

    @property
    def refusals(self) -> list[str]:
        """A line for each file that was not taken."""
        return [f"{name} {reason}" for name, reason in self.refused]

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()


def record_path(course: Course, lab: str, student: str) -> Path:
    return course.state / lab / "collected" / f"{student}.json"


def read_record(course: Course, lab: str, student: str) -> Record | None:
    """The record of a student's submission; None if there is none, or it is of something else."""
    try:
        values = json.loads(record_path(course, lab, student).read_text(encoding="utf-8"))
        record = Record(**values)
    except (OSError, ValueError, TypeError):
        return None
    folder = course.submission_dir(student, lab)
    return record if fingerprint(folder) == record.files else None


def fingerprint(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by path; what is no regular file is named as such.

    Without timestamp.txt. Empty for a folder that is not there.
    """
    found: dict[str, str] = {}
    if not folder.is_symlink():
        _add(folder, "", found)
    else:
        found["."] = "a link"
    found.pop(TIMESTAMP, None)
    return found


def _add(folder: Path, below: str, found: dict[str, str]) -> None:
    try:
        with os.scandir(folder) as entries:
            children = [(e.name, e.stat(follow_symlinks=False).st_mode) for e in entries]
    except OSError:
        return
    for name, mode in sorted(children):
        if len(found) >= MAX_FILES:
            return
        path = f"{below}{name}"
        if stat.S_ISDIR(mode):
            _add(folder / name, f"{path}/", found)
        elif stat.S_ISREG(mode):
            try:
                found[path] = hashlib.sha256(read_regular_file(folder / name)).hexdigest()
            except Refused as error:  # collect has not put such a file there
                found[path] = str(error)
        else:
            found[path] = "no regular file"

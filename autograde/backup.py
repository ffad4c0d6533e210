"""Copies of the gradebook from before each run, so that a run can be taken back."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

from autograde.course import Course

KEPT = 20


def folder(course: Course) -> Path:
    return course.state / "backups"


def sqlite_path(course: Course) -> Path | None:
    """The gradebook's file; None for a database on a server (which has its own backups)."""
    from sqlalchemy.engine import make_url

    url = make_url(course.db_url)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def lost_marks(course: Course) -> tuple[Path, int] | None:
    """The newest copy and how many marks by hand it holds, when the gradebook has lost everything.

    None while the gradebook holds any submission's marks, or the copy none that a person gave.
    """
    source = sqlite_path(course)
    copies = sorted(folder(course).glob("gradebook-*.db"))
    if source is None or not copies or (source.is_file() and _count(source, "")):
        return None
    given = _count(copies[-1], " where manual_score is not null")
    return (copies[-1], given) if given else None


def _count(path: Path, condition: str) -> int:
    """How many of a gradebook's marks meet a condition; 0 where there is no table of marks."""
    where = f"{path.resolve().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(where, uri=True)) as gradebook:
        if not gradebook.execute("select 1 from sqlite_master where name = 'grade'").fetchone():
            return 0
        return gradebook.execute(f"select count(*) from grade{condition}").fetchone()[0]


def keep(course: Course) -> Path | None:
    """Copy the gradebook as it is to autograde/state/backups/, keeping the newest KEPT copies.

    Made by SQLite itself (https://www.sqlite.org/backup.html), so it is whole even while somebody
    works in the formgrader. None when there is nothing to copy or nothing has changed since.
    """
    source = sqlite_path(course)
    if source is None or not source.is_file():
        return None
    where = folder(course)
    where.mkdir(parents=True, exist_ok=True)
    where.chmod(0o700)
    for left in where.glob(".*"):
        left.unlink(missing_ok=True)
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    scratch = where / f".{now}.db"
    # To be written to: what a killed run has left half done is rolled back when it is opened.
    address = f"{source.resolve().as_uri()}?mode=rw"
    with (
        contextlib.closing(sqlite3.connect(address, uri=True)) as old,
        contextlib.closing(sqlite3.connect(scratch)) as new,
    ):
        old.backup(new)
    scratch.chmod(0o600)
    copies = sorted(where.glob("gradebook-*.db"))
    if copies and copies[-1].read_bytes() == scratch.read_bytes():
        scratch.unlink()
        return None
    path = where / f"gradebook-{now}.db"
    os.replace(scratch, path)
    for old_copy in copies[: max(0, len(copies) + 1 - KEPT)]:
        old_copy.unlink()
    return path

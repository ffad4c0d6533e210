"""When work came in: the times that an LMS knows, from a CSV file, and how they are written.

A zip that Moodle or Canvas makes says nothing about it: its members carry the moment of the
download (Moodle hands streams without a time to ZipStream, Canvas makes each member with rubyzip;
see https://github.com/moodle/moodle/blob/main/public/files/classes/local/archive_writer/zip_writer.php
and https://github.com/instructure/canvas-lms/blob/master/lib/content_zipper.rb). Moodle's grading
worksheet does: its columns Identifier, Full name, Email address, ID number, Username and
`Last modified (submission)` (mod/assign/gradingtable.php), times to the minute, in the time zone
and the language of whoever downloads it. Any table with `received` and one of `lms_id`, `student`,
`login`, `email` and `full_name` is read as well.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone, tzinfo
from pathlib import Path

from autograde.errors import CourseError
from autograde.roster import Identity, key, letters
from autograde.tables import Line, read_table, report

# A table's column by what it is called in Moodle's worksheet, Canvas' exports or by hand.
TIME_COLUMNS = ("received", "submitted_at", "last_modified_(submission)")
WHO_COLUMNS = {
    "student": ("student",),
    "id": ("lms_id", "identifier", "user_id"),
    "login": ("login", "username", "sis_login_id"),
    "email": ("email", "email_address"),
    "number": ("id_number", "sis_user_id"),
    "name": ("full_name", "name", "student_name"),
}
MONTH = re.compile(
    r"(?=.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))(?=.*\b\d{4}\b).*\d:\d\d",
    flags=re.IGNORECASE,
)
ISO = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|UTC|[+-]\d\d:?\d\d))?")


@dataclass(frozen=True)
class Known:
    """A row: who it is about, as far as the table says, and when their work came in (UTC)."""

    who: Identity
    received: datetime | None


@dataclass(frozen=True)
class Times:
    """What a table says about a class."""

    name: str
    rows: tuple[Known, ...] = ()

    def find(self, who: Identity, student: str | None = None) -> Known | None:
        """The row about `who`; None if there is none or more than one.

        By the source's id if the table has it, else by whatever both know.
        """
        for column, value in (
            ("id", who.id),
            ("student", student or who.student),
            ("email", who.email),
            ("login", who.login or who.id),
            ("name", who.name),
        ):
            found = self._rows(column, value)
            if len(found) == 1:
                return found[0]
        return None

    def evidence(self, who: Identity) -> Identity:
        """`who` with the email, login and number that the table has for this very id."""
        found = self._rows("id", who.id)
        if len(found) != 1:
            return who
        known = found[0].who
        return replace(
            who,
            email=known.email or who.email,
            login=known.login or who.login,
            number=known.number or who.number,
        )

    def _rows(self, column: str, value: str) -> list[Known]:
        return self._index[column].get(_same(column)(value), []) if value else []

    @functools.cached_property
    def _index(self) -> dict[str, dict[str, list[Known]]]:
        index: dict[str, dict[str, list[Known]]] = {column: {} for column in WHO_COLUMNS}
        for row in self.rows:
            for column, found in index.items():
                value = getattr(row.who, column)
                if value:
                    found.setdefault(_same(column)(value), []).append(row)
        return index


def _same(column: str) -> Callable[[str], str]:
    """How values of a column are compared."""
    return letters if column == "name" else key


def load(path: Path, zone: tzinfo) -> Times:
    """The table at `path`; times without a zone are in `zone`. CourseError with the line if not."""
    name = str(path)
    table = read_table(path, name)
    when = next((column for column in TIME_COLUMNS if column in table.columns), None)
    columns = {
        field: next((c for c in names if c in table.columns), "")
        for field, names in WHO_COLUMNS.items()
    }
    if when is None or not any(columns.values()):
        raise CourseError(
            f"{name}: it must have a column received (or Moodle's Last modified (submission)) and "
            f"one that says whose it is (lms_id, Identifier, student, login, email); found "
            f"{', '.join(table.columns[:8])}. Moodle's worksheet has to be downloaded in English"
        )
    problems, rows = [], []
    for row in table.rows:
        try:
            received = read_time(row[when], zone)
        except ValueError as error:
            problems.append(f"line {row.number}: {error}")
            continue
        rows.append(Known(_who(row, columns), received))
    report(name, problems)
    return Times(name, tuple(rows))


def _who(row: Line, columns: dict[str, str]) -> Identity:
    values = {field: row[column] for field, column in columns.items()}
    participant = re.fullmatch(r"\D*(\d+)", values["id"])  # Moodle: "Participant 12345"
    if participant:
        values["id"] = participant[1]
    return Identity("table", **values)


def read_time(text: str, zone: tzinfo) -> datetime | None:
    """A time as naive UTC; None for an empty cell or Moodle's dash. ValueError if it is none.

    ISO 8601, or a date with an English month name. What can be read in two ways (05/06/2026) is
    not read in either.
    """
    from dateutil import parser

    text = " ".join(text.split())
    if text in ("", "-"):
        return None
    if ISO.fullmatch(text):
        try:
            joined = text.replace(" ", "T", 1).replace(" ", "").replace("UTC", "Z")
            when = parser.isoparse(joined)
        except ValueError:
            raise ValueError(f"{text!r} is no time") from None
    elif MONTH.search(text):
        try:
            when = parser.parse(text)
        except (ValueError, OverflowError):
            raise ValueError(_advice(text)) from None
    else:
        raise ValueError(_advice(text))
    return to_utc(when, zone)


def _advice(text: str) -> str:
    return (
        f"{text[:60]!r} is no time that can be read with certainty: write it like "
        "2026-05-31T23:59, or set Moodle's language to English before the download"
    )


def to_utc(when: datetime, zone: tzinfo) -> datetime:
    """A time as naive UTC; one without a zone is in `zone`, the earlier if there are two."""
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone, fold=0)
    try:
        return when.astimezone(timezone.utc).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(f"{when} is no time") from None


def read_zone(name: str | None) -> tzinfo:
    """A time zone by its name (Europe/Berlin), by default this machine's, or a CourseError."""
    from dateutil import tz

    if name is None:
        return tz.tzlocal()
    try:
        zone = tz.gettz(name) if name else None
    except (OSError, ValueError):
        zone = None
    if zone is None:
        raise CourseError(f"--timezone {name}: there is no such zone; name one like Europe/Berlin")
    return zone

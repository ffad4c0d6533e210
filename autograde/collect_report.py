"""What a collect did: a row for everyone concerned, the table for people, what is to be done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo

from autograde.course import DUE_DATES, ROSTER, Course
from autograde.intake import one_line, shown
from autograde.results import _duration

# What can happen to a student's work, as it stands in the table.
EVENTS = {
    "new": "new",
    "newer": "newer attempt",
    "older": "older attempt, kept",
    "again": "the same as an earlier attempt, which counts again",
    "time": "unchanged, its time is known now",
    "unchanged": "unchanged",
    "matched": "matched now",
    "undone": "the last collect was taken back",
    "gone": "the only attempt was taken back",
}
# The same where students are counted.
COUNTED = {
    **EVENTS,
    "newer": "with a newer attempt",
    "older": "with an older attempt, kept",
    "again": "with an earlier attempt again, which counts (an older download? --undo)",
    "time": "unchanged but for the time, which is known now",
    "undone": "taken back, an earlier attempt counts",
    "gone": "taken back, nothing is left",
}
# Of several things that happen to one student at once, the first that is here is told.
ORDER = ("new", "newer", "again", "time", "matched", "undone", "gone", "older", "unchanged")


@dataclass
class Outcome:
    """A row of the table: a student, or somebody who could not be matched."""

    label: str
    attempts: int
    received: datetime | None
    late: str
    event: str
    refused: str | None = None
    problem: str | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def what(self) -> str:
        """What happened, in words."""
        if self.problem is not None:
            return f"unmatched: {self.problem}"
        parts = [EVENTS[self.event]]
        if self.refused:
            parts.append(f"refused: {self.refused}")
        return "; ".join([*parts, *self.remarks])


@dataclass
class Report:
    """What a collect did, or with --dry-run would do.

    adopted: how many submissions were found in submitted/, put there by hand. by_number: students
    are Moodle's numbers. absent: those of the roster of whom there is nothing.
    """

    lab: str
    outcomes: list[Outcome]
    explanation: str
    adopted: int = 0
    by_number: bool = False
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def unmatched(self) -> list[Outcome]:
        return [row for row in self.outcomes if row.problem is not None]


def late_by(received: datetime | None, due: datetime | None, marked: bool) -> str:
    if received is None:
        return "late, says the LMS" if marked else "?"
    if due is None:
        return "-"
    late = received - due
    return _duration(int(late.total_seconds())) if late > timedelta(0) else "on time"


def table(report: Report, zone: tzinfo):
    """The report as a rich Table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    would = " (dry run: nothing was changed)" if report.dry_run else ""
    drawn = Table(box=box.SIMPLE, title=f"{report.lab}: {len(report.outcomes)} in all{would}")
    drawn.add_column("student", no_wrap=True)
    drawn.add_column("attempts", justify="right")
    drawn.add_column("received", no_wrap=True)
    drawn.add_column("late by", no_wrap=True)
    drawn.add_column("what happened", ratio=1)
    for row in report.outcomes:
        when = "unknown"
        if row.received is not None:
            local = row.received.replace(tzinfo=timezone.utc).astimezone(zone)
            when = f"{local:%Y-%m-%d %H:%M %Z}"
        cells = (shown(row.label), str(row.attempts), when, row.late, one_line(row.what))
        drawn.add_row(*map(Text, cells))  # text, not markup: a name in brackets is no style
    return drawn


def summary(report: Report, course: Course) -> list[str]:
    """The counts, and what is to be done, as lines."""
    rows = [row for row in report.outcomes if row.problem is None]
    count = Counter(row.event for row in rows)
    parts = [f"{count[event]} {COUNTED[event]}" for event in ORDER if count[event]]
    refused = sum(row.refused is not None for row in rows)
    late = sum(row.late not in ("", "?", "-", "on time") for row in rows)
    unknown = sum(row.late == "?" and row.event != "gone" for row in rows)
    brought = [row for row in rows if row.event in ("new", "newer")]
    if refused:
        parts.append(f"{refused} refused (0 points, with the reason)")
    parts.append(f"{late} late")
    lines = [", ".join(parts)]
    if len(brought) > 1 and all(row.refused for row in brought):
        undo = f"python -m autograde collect {report.lab} --undo takes it back"
        lines.append(f"nothing that came in can be graded: is it the right download? {undo}")
    if report.unmatched:
        lines.append(
            f"{len(report.unmatched)} unmatched, kept and not graded; when the roster knows them: "
            f"python -m autograde collect {report.lab} --remap"
        )
    if unknown:
        lines.append(
            f"when it came in is not known for {unknown}, so they are not late; Moodle's grading "
            "worksheet or another table says it: --times FILE"
        )
    if report.by_number:
        lines.append(
            "without a roster a student is the number Moodle gives the participant of this one "
            f"assignment; {ROSTER} (columns student, full_name) keeps a student the same in all"
        )
    if rows and course.due(report.lab) is None:
        lines.append(f"nobody is late without a due date for {report.lab} in {DUE_DATES}")
    if report.absent:
        names = ", ".join(shown(name) for name in report.absent[:5])
        more = ", ..." if len(report.absent) > 5 else ""
        lines.append(f"{len(report.absent)} of the roster have handed in nothing: {names}{more}")
    if report.adopted:
        lines.append(f"{report.adopted} put into submitted/ by hand: kept as attempts")
    return lines

"""What a graded class looks like: rows, the table for people, JSON for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from autograde.intake import one_line, shown


@dataclass
class Row:
    """One submission's outcome.

    status: "graded"; "refused" (intake could not read it: 0, `reason` says why); "error" (the
    grader failed: no mark was written, `reason` says why). exercises: {name: {score, max,
    message, mistake, passed, aspects, visible_pass, visible_mistake}}. recorded: every cell's
    score as the gradebook holds it, by grade_id. score, max: the gradebook's total. needs_manual:
    grade_ids of answers that a person has to grade. comments: on answers, by grade_id.
    received: when it came in (ISO 8601, UTC). seconds, cpu_seconds: of its kernel.
    kernel_deaths, timeouts: what its kernel met.
    """

    student: str
    status: str
    reason: str | None = None
    score: float | None = None
    max: float | None = None
    late_seconds: int = 0
    exercises: dict[str, dict[str, Any]] = field(default_factory=dict)
    recorded: dict[str, float] = field(default_factory=dict)
    needs_manual: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unchanged: bool = False
    received: str | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    kernel_deaths: int = 0
    timeouts: int = 0

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Row:
        names = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})

    @property
    def what_went_wrong(self) -> str:
        """In short: why it was refused, or the tests that lost points and the mistakes seen."""
        if self.status != "graded":
            return self.reason or self.status
        lost = [
            f"{name}: {_short(name, result)}"
            for name, result in self.exercises.items()
            if result["score"] < result["max"] - 1e-9
        ]
        more = f"; and {len(lost) - 2} more" if len(lost) > 2 else ""
        return "; ".join([*lost[:2], *self.notes[:1]]) + more


def _short(name: str, result: dict, width: int = 70) -> str:
    if result.get("mistake"):
        return str(result["mistake"]).replace("_", " ")
    lines = [line.strip() for line in str(result.get("message") or "").splitlines() if line.strip()]
    text = lines[0].removeprefix(f"{name}: ") if lines else "lost points"
    return text if len(text) <= width else text[: width - 3] + "..."


@dataclass
class ClassResult:
    """A graded class. exercises: points by exercise; manual: points of questions graded by hand."""

    lab: str
    exercises: dict[str, float]
    manual: dict[str, float]
    rows: list[Row]
    sandbox: dict = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def max(self) -> float:
        return sum(self.exercises.values()) + sum(self.manual.values())

    @property
    def failed(self) -> list[Row]:
        return [row for row in self.rows if row.status == "error"]

    def to_json(self) -> str:
        """The class as JSON.

        {"lab": str, "max": number, "exercises": {name: points}, "manual": {grade_id: points},
        "sandbox": {...as the engine reports it...}, "seconds": number, "submissions": [Row...]}
        with every Row's fields (see Row), ordered by student.
        """
        value = {
            "lab": self.lab,
            "max": self.max,
            "exercises": self.exercises,
            "manual": self.manual,
            "sandbox": self.sandbox,
            "seconds": round(self.seconds, 3),
            "submissions": [row.to_dict() for row in self.rows],
        }
        return json.dumps(value, indent=1) + "\n"

    def table(self):
        """The class as a rich Table: student, each exercise, by hand, total, what went wrong."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE, title=f"{self.lab}: {len(self.rows)} submissions")
        table.add_column("student", no_wrap=True)
        for number, points in enumerate(self.exercises.values(), start=1):
            table.add_column(f"{number}\n/{points:g}", justify="right", no_wrap=True)
        if self.manual:
            table.add_column(f"hand\n/{sum(self.manual.values()):g}", justify="right")
        table.add_column(f"total\n/{self.max:g}", justify="right", no_wrap=True)
        table.add_column("what went wrong", ratio=1)
        for row in self.rows:
            cells = [shown(row.student)]
            for name in self.exercises:
                score = row.exercises.get(name, {}).get("score")
                cells.append("" if score is None else f"{score:.3g}")
            if self.manual:
                by_hand = sum(row.recorded.get(name, 0.0) for name in self.manual)
                open_ = row.status != "error" and row.needs_manual
                cells.append("?" if open_ else "" if row.status == "error" else f"{by_hand:.3g}")
            cells.append("no mark" if row.score is None else f"{row.score:.4g}")
            late = f"late by {_duration(row.late_seconds)}; " if row.late_seconds else ""
            # Text, not markup: a file name in brackets is no style.
            table.add_row(*map(Text, [*cells, (late + one_line(row.what_went_wrong)).rstrip("; ")]))
        return table

    def legend(self) -> str:
        """The exercises' numbers in the table, and the counts, as lines of text."""
        names = ", ".join(f"{n} {name}" for n, name in enumerate(self.exercises, start=1))
        count = {status: 0 for status in ("graded", "refused", "error")}
        for row in self.rows:
            count[row.status] += 1
        unchanged = sum(row.unchanged for row in self.rows)
        late = sum(row.late_seconds > 0 for row in self.rows)
        by_hand = sum(len(row.needs_manual) for row in self.rows)
        parts = [f"{count['graded']} graded", f"{count['refused']} refused (0 points)"]
        if count["error"]:
            parts.append(f"{count['error']} WITHOUT A MARK")
        if unchanged:
            parts.append(f"{unchanged} of these unchanged since the last run")
        parts.append(f"{late} late")
        if by_hand:
            parts.append(f"{by_hand} answers to grade by hand (?)")
        lines = [f"Exercises: {names}", f"{', '.join(parts)}; {self.seconds:.0f} s"]
        if self.sandbox.get("text"):
            lines.append(f"Isolation: {self.sandbox['text']}")
        return "\n".join(lines)


def _duration(seconds: int) -> str:
    if seconds >= 48 * 3600:
        return f"{seconds // 86400} days"
    if seconds >= 3600:
        return f"{seconds // 3600} h"
    return f"{max(1, seconds // 60)} min"

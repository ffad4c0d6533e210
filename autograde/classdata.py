"""Everything that is known about one lab's class, read once, as plain data.

Scores come from nbgrader's gradebook (marks given by hand included), everything else from the
rows that grading left behind. Nothing is written, neither here nor in the gradebook.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from autograde import intake, roster
from autograde.course import Course
from autograde.errors import CourseError
from autograde.pipeline import Lab
from autograde.results import Row
from autograde.roster import Roster

# A row's message can be long, and there are exercises times students of them.
MAX_MESSAGE = 4_000
# Of a student's code: longer cells are taken for what they are, no answer to a short exercise.
MAX_CODE = 20_000
MAX_NOTEBOOK_BYTES = 20 * 1024 * 1024

GRADED, REFUSED, ERROR, UNGRADED, ABSENT = "graded", "refused", "error", "ungraded", "absent"


@dataclass(frozen=True)
class Result:
    """One exercise of one student.

    score: as the gradebook has it; None if it has none. auto: the judge's own, which a person may
    have overruled. passed, mistake, message, aspects, visible_pass: see autograde.results.Row;
    passed is None when no row says (work graded by nbgrader's own command).
    """

    score: float | None
    max: float
    auto: float | None = None
    passed: bool | None = None
    mistake: str | None = None
    message: str = ""
    aspects: tuple[dict, ...] = ()
    visible_pass: bool | None = None
    overruled: bool = False

    @property
    def wrong(self) -> bool:
        """Whether the judge took points away."""
        return self.auto is not None and self.auto < self.max - 1e-9


@dataclass(frozen=True)
class Student:
    """One student's lab.

    status: graded; refused (counts 0, `reason` says why); error (the grader failed); ungraded
    (handed in, no mark in the gradebook); absent (on the roster, nothing handed in). score: sum
    in the gradebook before `penalty`, the late penalty. open: grade_ids of answers that a person
    still has to grade. due: for this student. seconds: of the kernel, 0 when not known. who: names
    and addresses from roster and gradebook. enrolled: on the roster, if there is one.
    """

    id: str
    status: str
    reason: str = ""
    score: float | None = None
    penalty: float = 0.0
    open: tuple[str, ...] = ()
    late_seconds: int = 0
    received: datetime | None = None
    due: datetime | None = None
    seconds: float = 0.0
    timeouts: int = 0
    kernel_deaths: int = 0
    results: dict[str, Result] = field(default_factory=dict)
    by_hand: dict[str, float | None] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=dict)
    enrolled: bool = True

    @property
    def complete(self) -> bool:
        """Whether the score is the final one: nothing to grade by hand, no failed grading."""
        return self.status in (GRADED, REFUSED) and self.score is not None and not self.open

    @property
    def automatic(self) -> float:
        """Points of the exercises alone, as the gradebook has them."""
        return sum(result.score or 0.0 for result in self.results.values())


@dataclass(frozen=True)
class ClassData:
    """A lab's class.

    exercises, manual: points by name, in the lab's order. unreadable: records that are no rows.
    unmatched: collected attempts that belong to nobody whom the roster knows.
    """

    lab: str
    exercises: dict[str, float]
    manual: dict[str, float]
    students: tuple[Student, ...]
    due: datetime | None = None
    has_roster: bool = False
    unreadable: int = 0
    unmatched: int = 0

    @property
    def max(self) -> float:
        return sum(self.exercises.values()) + sum(self.manual.values())

    def with_status(self, *statuses: str) -> list[Student]:
        return [student for student in self.students if student.status in statuses]

    @property
    def graded(self) -> list[Student]:
        """Those whose work could be read and has marks: the ones that statistics are about."""
        return self.with_status(GRADED)


@dataclass(frozen=True)
class Marks:
    """What the gradebook holds of one student's lab. cells: (score, needs a person) by grade_id."""

    cells: dict[str, tuple[float, bool]]
    overruled: frozenset[str] = frozenset()
    penalty: float = 0.0
    timestamp: datetime | None = None
    who: dict[str, str] = field(default_factory=dict)


def load(course: Course, lab: Lab) -> ClassData:
    """The class of a lab. CourseError if nothing has been graded, or the gradebook is unreadable.

    Rows of an older version, without some of the fields, are read as far as they go; a record
    that is no row at all is counted and left out.
    """
    rows, unreadable = read_rows(course, lab.name)
    errors = read_errors(course, lab.name)
    marks = read_gradebook(course, lab.name)
    if not rows and not errors and not marks:
        raise CourseError(
            f"nothing of {lab.name} has been graded yet; run: python -m autograde grade {lab.name}"
        )
    if rows and not marks:
        raise CourseError(
            f"{shown_url(course)} has no marks of {lab.name}, but {len(rows)} submissions were "
            "graded: name the gradebook that was used, --db URL"
        )
    return assemble(course, lab, rows, errors, marks, unreadable)


def assemble(
    course: Course,
    lab: Lab,
    rows: dict[str, Row],
    errors: dict[str, str],
    marks: dict[str, Marks],
    unreadable: int = 0,
) -> ClassData:
    """Put rows, errors, marks, submissions and roster together; students sorted by id."""
    enrolled, cells_of = read_roster(course) or (None, {})
    received = course.received(lab.name)
    lab_due = course.due(lab.name)
    handed_in = set(intake.students(course, lab.name))
    exercises = {test.name: test.points for test in lab.tests}
    names = {*rows, *errors, *marks, *handed_in}
    # A folder that somebody made by hand may write the roster's id in another case.
    known = {roster.key(name) for name in names}
    names |= {name for name in cells_of if roster.key(name) not in known}
    students = []
    for name in sorted(names):
        row, mark = rows.get(name), marks.get(name)
        person = enrolled.get(name) if enrolled else None
        due = (person.due.get(lab.name) if person else None) or lab_due
        status, reason = _status(name, row, mark, errors.get(name), name in handed_in)
        cells = mark.cells if mark else {}
        counts = mark is not None and status in (GRADED, REFUSED)
        # A cell the gradebook knows nothing of has not been graded either.
        missing = [c for c in (*(f"test_{n}" for n in exercises), *lab.manual) if c not in cells]
        waiting = [cell for cell, (_, needs) in cells.items() if needs]
        students.append(
            Student(
                id=name,
                status=status,
                reason=reason,
                score=sum(score for score, _ in cells.values()) if counts else None,
                penalty=mark.penalty if mark else 0.0,
                open=tuple(sorted({*waiting, *missing})) if status == GRADED else (),
                late_seconds=_late(row, mark, due),
                received=_received(row, mark) or received.get(name),
                due=due,
                seconds=_number(row.seconds) if row else 0.0,
                timeouts=int(_number(row.timeouts)) if row else 0,
                kernel_deaths=int(_number(row.kernel_deaths)) if row else 0,
                results=_results(exercises, row, mark) if counts else {},
                by_hand={n: None if n in {*waiting, *missing} else cells[n][0] for n in lab.manual},
                who={
                    **(mark.who if mark else {}),
                    **(cells_of.get(person.student, {}) if person else {}),
                },
                enrolled=enrolled is None or person is not None,
            )
        )
    return ClassData(
        lab=lab.name,
        exercises=exercises,
        manual=lab.manual,
        students=tuple(students),
        due=lab_due,
        has_roster=enrolled is not None,
        unreadable=unreadable,
        # Where autograde.attempts keeps them.
        unmatched=sum(
            1 for _ in (course.collected / lab.name / ".unmatched").glob("**/attempt.json")
        ),
    )


def _status(
    name: str, row: Row | None, marks: Marks | None, error: str | None, handed_in: bool
) -> tuple[str, str]:
    if row is None and error is not None:
        return ERROR, error
    if marks is not None:
        refused = row is not None and row.status == REFUSED
        return (REFUSED, str(row.reason or "no reason recorded")) if refused else (GRADED, "")
    if row is not None:
        return UNGRADED, "the gradebook has no mark of it: grade it again"
    if handed_in:
        problem = intake.name_problem(name)
        return UNGRADED, f"the folder's name {problem}: rename it" if problem else "not graded yet"
    return ABSENT, ""


def _results(
    exercises: dict[str, float], row: Row | None, marks: Marks | None
) -> dict[str, Result]:
    found = {}
    for name, points in exercises.items():
        score, _ = (marks.cells if marks else {}).get(f"test_{name}", (None, False))
        values = (row.exercises if row else {}).get(name)
        values = values if isinstance(values, dict) else {}
        auto = values.get("score")
        aspects = values.get("aspects")
        found[name] = Result(
            score=score,
            max=points,
            auto=_number(auto) if auto is not None else None,
            passed=values["passed"] if isinstance(values.get("passed"), bool) else None,
            mistake=str(values["mistake"]) if values.get("mistake") else None,
            message=str(values.get("message") or "")[:MAX_MESSAGE],
            aspects=tuple(a for a in aspects or () if isinstance(a, dict) and a.get("name")),
            visible_pass=values.get("visible_pass"),
            overruled=f"test_{name}" in marks.overruled if marks else False,
        )
    return found


def _late(row: Row | None, marks: Marks | None, due: datetime | None) -> int:
    if row is not None:
        return max(int(_number(row.late_seconds)), 0)
    if marks is not None and marks.timestamp and due:
        return max(int((marks.timestamp - due).total_seconds()), 0)
    return 0


def _received(row: Row | None, marks: Marks | None) -> datetime | None:
    if row is not None and row.received:
        try:
            return datetime.fromisoformat(str(row.received)).replace(tzinfo=None)
        except ValueError:
            pass
    return marks.timestamp if marks else None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


# --- what grading left behind ------------------------------------------------------------------


def read_rows(course: Course, lab: str) -> tuple[dict[str, Row], int]:
    """The rows of a lab by student, and the number of records that could not be read."""
    found, unreadable = {}, 0
    for path in sorted((course.state / lab / "graded").glob("*.json")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))["row"]
            row = Row.from_dict({"student": path.stem, "status": GRADED, **values})
            row.exercises = dict(row.exercises or {})
        except (OSError, ValueError, KeyError, TypeError):
            unreadable += 1
            continue
        found[row.student] = row
    return found, unreadable


def read_errors(course: Course, lab: str) -> dict[str, str]:
    """Whom the grader failed on, with the last line of what it said and where the rest is."""
    found = {}
    for path in sorted((course.state / lab / "errors").glob("*.txt")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")[-4_000:]
        except OSError:
            continue
        lines = [line for line in text.splitlines() if line.strip() and line[:1].strip()]
        last = lines[-1][:300] if lines else "no text"
        found[path.stem] = f"{last} (see {path.relative_to(course.root)})"
    return found


def read_roster(course: Course) -> tuple[Roster, dict[str, dict[str, str]]] | None:
    """The roster, and its lines' filled cells by student; None without one.

    CourseError if it is wrong. The cells are there for the columns that autograde.roster leaves
    alone (section, id_number ...).
    """
    from autograde.course import ROSTER
    from autograde.tables import read_table

    found = roster.load(course)
    if found is None:
        return None
    lines = read_table(course.root / ROSTER, ROSTER).rows
    cells = {roster.key(line["student"]): line.cells for line in lines}
    return found, {
        person.student: {
            column: value
            for column, value in cells.get(roster.key(person.student), {}).items()
            if value and column != "student"
        }
        for person in found.people
    }


# --- the gradebook -----------------------------------------------------------------------------


def shown_url(course: Course) -> str:
    """The gradebook's address without its password."""
    from sqlalchemy.engine import make_url

    return make_url(course.db_url).render_as_string(hide_password=True)


def read_gradebook(course: Course, lab: str) -> dict[str, Marks]:
    """The marks of a lab by student; none if there is no gradebook yet. CourseError if unreadable.

    Not through nbgrader's Gradebook, which would make the tables of a gradebook that is not there.
    """
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.orm import Session

    try:
        url = make_url(course.db_url)
        on_disk = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        if on_disk and not Path(url.database).is_file():
            return {}
        engine = create_engine(url)
        try:
            if not inspect(engine).has_table("submitted_assignment"):
                return {}
            with Session(engine) as session:
                return read_marks(session, lab)
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CourseError(f"the gradebook cannot be read: {first[:300]}", status=1) from None


def read_marks(session, lab: str) -> dict[str, Marks]:
    """The marks of a lab by student, in three queries whatever the class's size.

    session: of SQLAlchemy, on an nbgrader gradebook (nbgrader.api.Gradebook.db is one).
    """
    from nbgrader.api import (
        Assignment,
        BaseCell,
        Grade,
        Student,
        SubmittedAssignment,
        SubmittedNotebook,
    )
    from sqlalchemy import select

    submissions = (
        select(
            SubmittedAssignment.student_id,
            SubmittedAssignment.timestamp,
            Student.first_name,
            Student.last_name,
            Student.email,
            Student.lms_user_id,
        )
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(Student, SubmittedAssignment.student_id == Student.id)
        .where(Assignment.name == lab)
    )
    notebooks = (
        select(SubmittedAssignment.student_id, SubmittedNotebook.late_submission_penalty)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .where(Assignment.name == lab)
    )
    grades = (
        select(
            SubmittedAssignment.student_id,
            BaseCell.name,
            Grade.score,
            Grade.needs_manual_grade,
            Grade.manual_score,
        )
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .where(Assignment.name == lab)
    )
    penalties: dict[str, float] = {}
    for student, penalty in session.execute(notebooks):
        penalties[student] = penalties.get(student, 0.0) + (penalty or 0.0)
    cells: dict[str, dict[str, tuple[float, bool]]] = {}
    overruled: dict[str, set[str]] = {}
    for student, name, score, needs, manual in session.execute(grades):
        cells.setdefault(student, {})[name] = (float(score or 0.0), bool(needs))
        if manual is not None:
            overruled.setdefault(student, set()).add(name)
    found = {}
    for student, timestamp, *who in session.execute(submissions):
        names = ("first_name", "last_name", "email", "lms_user_id")
        found[student] = Marks(
            cells=cells.get(student, {}),
            overruled=frozenset(overruled.get(student, ())),
            penalty=penalties.get(student, 0.0),
            timestamp=timestamp,
            who={name: value for name, value in zip(names, who, strict=True) if value},
        )
    return found


# --- students' code ----------------------------------------------------------------------------


def answers(
    course: Course, lab: str, wanted: Iterable[tuple[str, set[str]]]
) -> Iterator[tuple[str, str, str]]:
    """(student, exercise, code) for the exercises `wanted` of each student.

    From the executed notebooks, one at a time; of a cell longer than MAX_CODE nothing. A notebook
    that is missing or cannot be read is passed over.
    """
    for student, names in wanted:
        if not names:
            continue
        path = course.autograded_path(student, lab)
        try:
            if os.path.getsize(path) > MAX_NOTEBOOK_BYTES:
                continue
            cells = json.loads(path.read_bytes())["cells"]
            for name, source in solution_sources(cells):
                if name in names and len(source) <= MAX_CODE:
                    yield student, name, source
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def solution_sources(cells: Iterable[dict]) -> Iterator[tuple[str, str]]:
    """(grade_id, source) of the solution cells of a notebook on disk."""
    for cell in cells:
        meta = cell["metadata"].get("nbgrader") or {}
        if meta.get("solution") and cell["cell_type"] == "code":
            yield meta["grade_id"], "".join(cell["source"])

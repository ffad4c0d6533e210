"""Tables for other programs: a row per student and exercise, and grades that an LMS imports.

Where the columns come from:
- Moodle, "Grade import", https://docs.moodle.org/en/Grade_import: a row is mapped to a user by ID
  number, user name or email address, any other column to a grade item or to "ignore"; `-` is no
  grade. Headings are those of Moodle's own export. Its importer (grade/import/csv, load_data.php)
  gives a row whose identifying column is empty to the user of the row before, so a column that is
  not filled for everyone must not be the one to map by: `lms_problems` says so.
- Canvas, "How do I import grades in the Gradebook?", https://community.canvaslms.com, and its
  importer (lib/gradebook_importer.rb): Student, ID, SIS User ID, SIS Login ID, Section, then one
  column an assignment and nothing else; a row "Points Possible"; an empty cell is no grade. A
  student is found by ID, SIS User ID, SIS Login ID, name, in this order.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from nbgrader.plugins import ExportPlugin
from traitlets import Enum

from autograde import classdata
from autograde.build import write_atomically
from autograde.classdata import ABSENT, ERROR, REFUSED, UNGRADED, ClassData, Student
from autograde.course import Course
from autograde.errors import CourseError
from autograde.intake import one_line
from autograde.pipeline import load_lab

# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
NO_GRADE = "-"

EXERCISE_COLUMNS = ("student", "exercise", "score", "max", "passed", "mistake", "message")
# Heading in Moodle -> where the roster or the gradebook may have it, best first.
MOODLE_COLUMNS = {
    "First name": ("first_name", "firstname"),
    "Last name": ("last_name", "lastname"),
    "ID number": ("id_number", "idnumber"),
    "Username": ("login", "username"),
    "Email address": ("email",),
}
CANVAS_COLUMNS = {
    "ID": ("lms_id", "lms_user_id"),
    "SIS User ID": ("sis_user_id", "id_number", "idnumber"),
    "SIS Login ID": ("login", "username", "sis_login_id"),
    "Section": ("section", "group"),
}
FORMATS = ("moodle", "canvas")


@dataclass(frozen=True)
class Grade:
    """One student's lab for an LMS: points after the late penalty, or None and why."""

    points: float | None
    penalty: float
    status: str


def safe(value: object) -> str:
    """A cell's text on one line that no spreadsheet takes for a formula."""
    text = one_line(str(value))
    if text != NO_GRADE and (text.startswith(FORMULA) or text.lstrip().startswith(FORMULA)):
        return f"'{text}"
    return text


def number(value: float | None) -> str:
    """A number with at most four decimals, empty for None."""
    return "" if value is None else f"{round(value, 4):g}" if abs(value) < 1e5 else f"{value:.4f}"


def to_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows of finished cells as CSV in UTF-8."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode("utf-8")


# --- a row per student and exercise ------------------------------------------------------------


def exercise_rows(data: ClassData) -> Iterable[list[str]]:
    """The heading, then a row per student and exercise, questions graded by hand included."""
    yield list(EXERCISE_COLUMNS)
    for student in data.students:
        for name, points in data.exercises.items():
            yield [safe(student.id), safe(name), *_exercise_cells(student, name, points)]
        for name, points in data.manual.items():
            score = student.by_hand.get(name) if student.status != ERROR else None
            why = "" if score is not None else without_mark(student) or "not graded by hand yet"
            yield [safe(student.id), safe(name), number(score), number(points), "", "", safe(why)]


def _exercise_cells(student: Student, name: str, points: float) -> list[str]:
    result = student.results.get(name)
    if result is None:
        return ["", number(points), "", "", safe(without_mark(student))]
    lines = [line for line in result.message.splitlines() if line.strip()]
    message = lines[0] if lines else ""
    if result.overruled:
        message = f"changed by hand; {message}"
    full = result.score is not None and result.score >= points - 1e-9
    return [
        number(result.score),
        number(points),
        "" if result.score is None else "yes" if full else "no",
        safe(result.mistake or ""),
        safe(message[:300]),
    ]


def without_mark(student: Student) -> str:
    """Why there is no mark, in words; empty if there is one or a person has to give it."""
    return {
        ABSENT: "not handed in",
        UNGRADED: f"incomplete: {student.reason}",
        ERROR: f"incomplete: the grader failed: {student.reason}",
    }.get(student.status, "")


# --- an LMS ------------------------------------------------------------------------------------


def lms_grade(student: Student, maximum: float, now: datetime) -> Grade:
    """What an LMS is told: never a 0 for work that has not been graded to its end.

    As in nbgrader's own export, the late penalty is taken off and nothing handed in is 0; but
    that only once it is due. now: UTC without time zone.
    """
    if student.status == ABSENT:
        overdue = student.due is None or now > student.due
        return Grade(0.0 if overdue else None, 0.0, "not handed in")
    if student.status in (ERROR, UNGRADED) or student.score is None:
        return Grade(None, 0.0, without_mark(student) or "incomplete: no mark")
    if student.open:
        so_far = f"{number(student.score)} of {number(maximum)} so far"
        return Grade(
            None, student.penalty, f"incomplete: {so_far}; to grade: {', '.join(student.open)}"
        )
    points = max(0.0, student.score - student.penalty)
    status = f"refused: {student.reason}" if student.status == REFUSED else "complete"
    return Grade(points, student.penalty, status)


def lms_rows(
    classes: Sequence[ClassData], layout: str, now: datetime | None = None
) -> list[list[str]]:
    """Heading and a row per student, one column a lab, as Moodle or Canvas reads it."""
    now = now or datetime.now(timezone.utc).replace(tzinfo=None)
    who: dict[str, dict[str, str]] = {}
    for data in classes:
        for student in data.students:
            who.setdefault(student.id, {}).update(student.who)
    found = [{student.id: student for student in data.students} for data in classes]

    def grades(student: str) -> list[Grade]:
        return [
            lms_grade(by_id.get(student) or Student(student, ABSENT, due=data.due), data.max, now)
            for by_id, data in zip(found, classes, strict=True)
        ]

    make = _moodle if layout == "moodle" else _canvas
    return make(classes, {name: (who[name], grades(name)) for name in sorted(who)})


def _moodle(classes, students) -> list[list[str]]:
    filled = {
        title: keys
        for title, keys in MOODLE_COLUMNS.items()
        if title == "ID number" or any(_first(who, keys) for who, _ in students.values())
    }
    heading = list(filled)
    for data in classes:
        heading += [
            data.lab,
            f"{data.lab} maximum",
            f"{data.lab} late penalty",
            f"{data.lab} status",
        ]
    rows = [heading]
    for name, (who, grades) in students.items():
        row = [
            safe(_first(who, keys) or (name if title == "ID number" else ""))
            for title, keys in filled.items()
        ]
        for data, grade in zip(classes, grades, strict=True):
            points = NO_GRADE if grade.points is None else number(grade.points)
            row += [points, number(data.max), number(grade.penalty), safe(grade.status)]
        rows.append(row)
    return rows


def _canvas(classes, students) -> list[list[str]]:
    rows = [["Student", *CANVAS_COLUMNS, *(data.lab for data in classes)]]
    blank = [""] * len(CANVAS_COLUMNS)
    rows.append(["    Points Possible", *blank, *(number(data.max) for data in classes)])
    for name, (who, grades) in students.items():
        full = ", ".join(filter(None, (who.get("last_name"), who.get("first_name"))))
        full = full or who.get("full_name", "")
        ids = {title: _first(who, keys) for title, keys in CANVAS_COLUMNS.items()}
        if not any(ids[title] for title in ("ID", "SIS User ID", "SIS Login ID")):
            ids["SIS Login ID"] = name
        cells = [safe(full or name), *map(safe, ids.values())]
        rows.append([*cells, *(number(grade.points) for grade in grades)])
    return rows


def _first(who: dict[str, str], keys: Sequence[str]) -> str:
    return next((who[key] for key in keys if who.get(key)), "")


def lms_problems(rows: list[list[str]]) -> list[str]:
    """What an instructor has to know before importing Moodle's table; [] if nothing."""
    problems = []
    heading, students = rows[0], rows[1:]
    for title in ("Username", "Email address"):
        if title in heading:
            empty = sum(not row[heading.index(title)] for row in students)
            if empty:
                problems.append(f"{title} is empty for {empty} students: do not map by it")
    return problems


def not_enrolled(data: ClassData) -> list[str]:
    """Who has a row and is not on the roster: an LMS may refuse a table with strangers in it."""
    return [student.id for student in data.students if not student.enrolled]


class LMSExporter(ExportPlugin):
    """Grades for Moodle or Canvas: nbgrader export --exporter autograde.exports.LMSExporter

    Options as of nbgrader's own exporter (--to, --assignment, --student), and
    --LMSExporter.layout=canvas. Points are the gradebook's, after the late penalty; a student
    whose work is not graded to its end has no number but a status.
    """

    layout = Enum(FORMATS, "moodle", help="Whose columns: moodle or canvas.").tag(config=True)

    def export(self, gradebook) -> None:
        """Write the table to `to`. Ends nbgrader's command with one line for a CourseError."""
        try:
            self._export(gradebook)
        except CourseError as error:
            if not hasattr(self.parent, "fail"):
                raise
            self.parent.fail(str(error))

    def _export(self, gradebook) -> None:
        course = self._course(gradebook)
        labs = [str(name) for name in self.assignment]
        known = {assignment.name for assignment in gradebook.assignments}
        unknown = [lab for lab in labs if lab not in known]
        if unknown:
            raise CourseError(f"the gradebook has no assignment {unknown[0]!r}")
        labs = labs or sorted(known & set(course.labs()))
        classes = [self._class(course, lab, gradebook) for lab in labs]
        destination = Path(self.to or "grades.csv")
        self.log.info("Exporting grades to %s", destination)
        write_atomically(destination, to_csv(lms_rows(classes, self.layout)))

    def _course(self, gradebook) -> Course:
        coursedir = getattr(self.parent, "coursedir", None)
        url = str(gradebook.engine.url.render_as_string(hide_password=False))
        return Course.open(coursedir.root if coursedir is not None else None, url)

    def _class(self, course: Course, lab: str, gradebook) -> ClassData:
        rows, unreadable = classdata.read_rows(course, lab)
        marks = classdata.read_marks(gradebook.db, lab)
        errors = classdata.read_errors(course, lab)
        data = classdata.assemble(course, load_lab(course, lab), rows, errors, marks, unreadable)
        if not self.student:
            return data
        chosen = {str(name) for name in self.student}
        return replace(data, students=tuple(s for s in data.students if s.id in chosen))

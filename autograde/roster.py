"""Who is in the class: the roster, and whose work it is that an LMS knows by another name.

The roster is a CSV file, `autograde/roster.csv`, one line per student. Its columns, in any order:

- `student`: the id used everywhere in the course and the gradebook; the only one that must be there
- `lms_id`: the LMS's number of the person (Canvas: the user id in the file names)
- `lms_id_LAB`: the same for one lab; Moodle numbers the participants of each assignment anew
- `login`, `email`: their names elsewhere (the exchange, Moodle's grading worksheet)
- `first_name`, `last_name`, or `full_name`: matched against names, shown in the gradebook
- `due_LAB`: when LAB is due for this student alone, like 2026-06-07T23:59+02:00

Other columns are left alone. Commas, semicolons and tabs, and what Excel saves, are read.
"""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from autograde.course import ROSTER, Course, parse_due
from autograde.errors import CourseError
from autograde.tables import Line, Table, read_table, report

UNIQUE = ("student", "lms_id", "login", "email")
NAMES = ("first_name", "last_name", "full_name")
# A long number after Excel has rounded it.
ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+", flags=re.IGNORECASE)


@dataclass(frozen=True)
class Person:
    """A line of the roster. due, lab_ids: by lab."""

    student: str
    lms_id: str = ""
    login: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    full_name: str = ""
    due: Mapping[str, datetime] = field(default_factory=dict)
    lab_ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """The name as it is written, letters and digits only."""
        parts = [letters(self.first_name), letters(self.last_name)]
        return {letters(self.full_name), " ".join(filter(None, parts))} - {""}

    @property
    def spellings(self) -> set[str]:
        """The ways in which an LMS may write the name: last name first, or without blanks."""
        found = set()
        for name in self.names:
            words = name.split()
            turned = {" ".join(words[n:] + words[:n]) for n in range(len(words))}
            found |= turned | {name.replace(" ", "") for name in turned}
        return found


@dataclass(frozen=True)
class Identity:
    """Who handed something in, as its source says.

    lms: "moodle", "canvas", "folder", "exchange", or "hand" (an instructor put it there: `student`
    is certain). id: the source's own id; other_id: a second reading of it. email, login, number:
    what a Moodle worksheet adds. doubt: why the source itself is not to be believed.
    """

    lms: str
    id: str
    name: str = ""
    other_id: str = ""
    email: str = ""
    login: str = ""
    number: str = ""
    student: str = ""
    doubt: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The same for every attempt of one person in one source; `Ann` may not be `ann`."""
        return self.lms, unicodedata.normalize("NFC", self.id), self.student

    @property
    def label(self) -> str:
        """How the source calls this person, for a table."""
        return f"{self.name} ({self.id})" if self.name and self.name != self.id else self.id


@dataclass(frozen=True)
class Match:
    """Whose work it is. Without a `student`, `problem` says why and what to do about it.

    certain: known by an id or an address, not by a name.
    """

    student: str | None
    problem: str = ""
    certain: bool = True


@dataclass(frozen=True)
class Roster:
    """The class. `name` is that of the file, for messages."""

    people: tuple[Person, ...]
    name: str = ROSTER

    def get(self, student: str) -> Person | None:
        return self._index["student"].get(key(student))

    def due(self, student: str, lab: str) -> datetime | None:
        """The student's own due date, UTC; None if there is none."""
        person = self.get(student)
        return person.due.get(lab) if person else None

    def match(self, who: Identity, lab: str) -> Match:
        """The student of the roster that `who` is. Ids and addresses decide before names do."""
        if who.student:
            return Match(who.student)
        if who.doubt:
            return Match(None, who.doubt)
        found = self._by_id(who, lab)
        if len(found) == 1:
            return Match(found[0].student)
        if not found:
            found = self._by_name(who)
            if len(found) > 1 and who.id:
                # Moodle's number is not the person's, but it can tell namesakes apart.
                found = [p for p in found if key(p.lms_id) == key(who.id)] or found
            if len(found) == 1:
                return Match(found[0].student, certain=False)
        return Match(None, self._advice(who, lab, found))

    def _by_id(self, who: Identity, lab: str) -> list[Person]:
        own = [p for p in self.people if key(p.lab_ids.get(lab, "")) == key(who.id) != ""]
        if own:
            return own
        wanted: list[tuple[str, str]] = []
        if who.lms == "canvas":
            if who.other_id:
                return self._of_two_readings(who)
            wanted = [("lms_id", who.id)]
        elif who.lms in ("folder", "exchange"):
            wanted = [(column, who.id) for column in UNIQUE]
        wanted += [("email", who.email), ("login", who.login), ("student", who.login)]
        wanted += [("student", who.number), ("lms_id", who.number), ("login", who.number)]
        return _unique(self._index[c].get(key(value)) for c, value in wanted if value)

    def _of_two_readings(self, who: Identity) -> list[Person]:
        """For a Canvas name that can be read in two ways (see autograde.lms.CanvasCollector)."""
        found = _unique(self._index["lms_id"].get(key(i)) for i in (who.id, who.other_id))
        named = [p for p in found if letters(who.name).replace(" ", "") in p.spellings]
        return found if len(found) == 1 else named

    def _by_name(self, who: Identity) -> list[Person]:
        name = letters(who.name or (who.id if who.lms == "folder" else ""))
        return self._index["name"].get(name) or self._index["spelling"].get(name) or []

    def _advice(self, who: Identity, lab: str, found: Sequence[Person]) -> str:
        if len(found) > 1:
            names = " and ".join(person.student for person in found[:3])
            if who.lms == "moodle":
                return (
                    f"may be {names}: give Moodle's grading worksheet (--times FILE), or put "
                    f"{who.id} into the column lms_id_{lab} of {self.name}"
                )
            return f"may be {names}: put {who.id} into the column lms_id of {self.name}"
        if who.lms == "canvas":
            return f"not in {self.name}: add a line, or put {who.id} into the column lms_id of one"
        if who.lms == "moodle":
            known = who.email or who.login
            sheet = "" if known else "give Moodle's grading worksheet (--times FILE), or "
            return (
                f"not in {self.name}: {sheet}add a line, or put {who.id} into the column "
                f"lms_id_{lab} of the student's line, or the name into full_name"
            )
        return f"not in {self.name}: add a line for it, or put it into the column login of one"

    @functools.cached_property
    def _index(self) -> dict[str, dict]:
        index: dict[str, dict] = {
            column: {key(getattr(p, column)): p for p in self.people if getattr(p, column)}
            for column in UNIQUE
        }
        index["name"], index["spelling"] = {}, {}
        for person in self.people:
            for name in person.names:
                index["name"].setdefault(name, []).append(person)
            for spelling in person.spellings:
                index["spelling"].setdefault(spelling, []).append(person)
        return index


class NoRoster(Roster):
    """A class without a roster: the source's id is the student's id."""

    def __init__(self) -> None:
        super().__init__(())

    def match(self, who: Identity, lab: str) -> Match:
        if who.student:
            return Match(who.student)
        if who.doubt:
            return Match(None, who.doubt)
        if who.other_id:
            return Match(
                None,
                f"is {who.id} or {who.other_id}: write {ROSTER} with columns student and lms_id",
            )
        problem = id_problem(who.id)
        if problem:
            return Match(
                None, f"as an id it {problem}: write {ROSTER} with the columns student and login"
            )
        return Match(unicodedata.normalize("NFC", who.id))


def load(course: Course, path: Path | None = None) -> Roster | None:
    """The roster at `path`, by default the course's; None if the course has none.

    CourseError with the line for whatever is wrong with it. Read again only when it has changed.
    """
    name = ROSTER if path is None else str(path)
    path = path or course.root / ROSTER
    try:
        status = path.stat()
    except FileNotFoundError:
        if name == ROSTER:
            return None
        raise CourseError(f"--roster {name}: there is no such file") from None
    except OSError as error:
        raise CourseError(f"{name}: {error.strerror}") from None
    stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
    return _load(path, name, tuple(course.labs()), stamp)


@functools.lru_cache(maxsize=8)
def _load(path: Path, name: str, labs: tuple[str, ...], stamp: tuple) -> Roster:
    table = read_table(path, name)
    if "student" not in table.columns:
        raise CourseError(
            f"{name}: its first line must name the column student; found "
            f"{', '.join(table.columns[:6])}"
        )
    problems = _column_problems(table, labs)
    people = []
    for row in table.rows:
        problem, person = _person(row, table, labs)
        problems += [f"line {row.number}: {p}" for p in problem]
        people.append(person)
    problems += _duplicates(table, labs)
    report(name, problems)
    return Roster(tuple(people), name)


def _column_problems(table: Table, labs: Sequence[str]) -> list[str]:
    problems = []
    for column in table.columns:
        for prefix in ("due_", "lms_id_"):
            lab = column.removeprefix(prefix)
            if column.startswith(prefix) and lab not in map(str.casefold, labs):
                close = difflib.get_close_matches(lab, labs, n=1, cutoff=0.5)
                hint = f"did you mean {prefix}{close[0]}?" if close else f"labs: {', '.join(labs)}"
                problems.append(f"column {column}: there is no lab {lab}; {hint}")
    return problems


def _person(row: Line, table: Table, labs: Sequence[str]) -> tuple[list[str], Person]:
    problems, due = [], {}
    problem = id_problem(row["student"]) if row["student"] else "is missing"
    if problem:
        problems.append(f"student {row['student']!r} {problem}" if row["student"] else "no student")
    for column in ("student", "lms_id", *(f"lms_id_{lab}".casefold() for lab in labs)):
        if ROUNDED.fullmatch(row[column]):
            problems.append(
                f"{column} {row[column]} is a number that a spreadsheet has rounded: format the "
                "column as text and enter it again"
            )
    for lab in labs:
        text = row[f"due_{lab}".casefold()]
        if text:
            try:
                due[lab] = parse_due(text, f"due_{lab}")
            except CourseError as error:
                problems.append(str(error))
    lab_ids = {lab: row[f"lms_id_{lab}".casefold()] for lab in labs}
    values = {column: row[column] for column in (*UNIQUE, *NAMES)}
    return problems, Person(**values, due=due, lab_ids={k: v for k, v in lab_ids.items() if v})


def _duplicates(table: Table, labs: Sequence[str]) -> Iterable[str]:
    for column in (*UNIQUE, *(f"lms_id_{lab}".casefold() for lab in labs)):
        lines: dict[str, int] = {}
        for row in table.rows:
            if row[column]:
                first = lines.setdefault(key(row[column]), row.number)
                if first != row.number:
                    yield f"line {row.number}: {column} {row[column]!r} is that of line {first}"


def id_problem(student: str) -> str | None:
    """Why a text cannot be a student's id, which names a folder; None if it can."""
    from autograde.intake import name_problem

    if not student:
        return "is empty"
    if "/" in student or student.startswith((".", "__")):
        return "begins with a dot or __, or has a slash"
    return name_problem(student)


def key(text: str) -> str:
    """A text as it is compared: whatever case, Unicode form and blanks it is written in."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc"))
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def letters(name: str) -> str:
    """A name's words in letters and digits: an LMS leaves out apostrophes, commas and hyphens."""
    words = re.sub(r"[\s_,]+", " ", key(name)).split()
    kept = ("".join(c for c in w if unicodedata.category(c)[0] in "LMN") for w in words)
    return " ".join(filter(None, kept))


def _unique(people: Iterable[Person | None]) -> list[Person]:
    found: list[Person] = []
    for person in people:
        if person is not None and person not in found:
            found.append(person)
    return found


def enter_names(course: Course, roster: Roster) -> int:
    """Put the roster's students and their names into the gradebook; how many were not as such.

    Names and addresses that the roster does not have are left as they are, and nobody is removed.
    """
    from nbgrader.api import Gradebook, Student

    from autograde.build import make_gradebook
    from autograde.course import COURSE_ID

    make_gradebook(course)
    changed = 0
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        known = {student.id: student for student in gradebook.students}
        for person in roster.people:
            student = known.get(person.student)
            if student is None:
                student = Student(id=person.student)
                gradebook.db.add(student)
                changed += 1
            fields = {
                "first_name": person.first_name or ("" if person.last_name else person.full_name),
                "last_name": person.last_name,
                "email": person.email,
                "lms_user_id": person.lms_id,
            }
            for column, value in fields.items():
                if value and getattr(student, column) != value[:128]:
                    setattr(student, column, value[:128])
                    changed += person.student in known
        gradebook.db.commit()
    return changed


def with_evidence(who: Identity, other: Identity) -> Identity:
    """`who`, and what `other`, a later word of the same source, knows of this person."""
    changes = {
        column: getattr(other, column)
        for column in ("name", "other_id", "email", "login", "number")
        if getattr(other, column)
    }
    return replace(who, doubt=other.doubt, **changes)

"""How far a lab has come, read from what lies on disk and in the gradebook; nothing is written.

Quick enough to be asked at any moment, also while a class is being graded: no torch, no nbgrader,
and a gradebook in SQLite is opened for reading only.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from autograde import bundle, intake
from autograde.course import CODE_STUB, TEXT_STUB, Course
from autograde.errors import CourseError

T = TypeVar("T")
CHECKPOINTS = ".ipynb_checkpoints"
GRADED, REFUSED, CHANGED, NEW, ERROR, UNUSABLE = (
    "graded", "refused", "changed", "new", "error", "unusable",
)  # fmt: skip


@dataclass
class Progress:
    """One lab. Numbers are of students unless they say otherwise; None: not known.

    notebook: "in step", or what is wrong with notebooks/LAB. bundle: "none", "current", or "old"
    (what it holds has changed since, see bundle_changed); released: when it was made, UTC.
    enrolled: on the roster, None without one; absent: of these, without a submission. attempts,
    unmatched: of what was collected. by_state: those who handed in, by what grading has to do:
    graded, refused (0 points), changed (the work, the lab or its tests, since), new, error,
    unusable (a folder's name that is no id). running: being graded or collected now. open_answers
    of open_students wait for a person. pages: feedback pages of graded work; old_pages: of these,
    older than the marks or comments. report: "none", "current", "old". due: UTC.
    """

    lab: str
    notebook: str = ""
    bundle: str = "none"
    bundle_changed: list[str] = field(default_factory=list)
    released: datetime | None = None
    due: datetime | None = None
    enrolled: int | None = None
    absent: int | None = None
    attempts: int = 0
    unmatched: int = 0
    by_state: dict[str, list[str]] = field(default_factory=dict)
    running: bool = False
    late: int = 0
    open_answers: int = 0
    open_students: int = 0
    pages: int = 0
    old_pages: int = 0
    report: str = "none"
    problems: list[str] = field(default_factory=list)

    def count(self, *states: str) -> int:
        return sum(len(self.by_state.get(state, ())) for state in states)

    @property
    def collected(self) -> int:
        return sum(map(len, self.by_state.values()))

    @property
    def done(self) -> int:
        """How many have an up-to-date mark."""
        return self.count(GRADED, REFUSED)


@dataclass
class Marks:
    """What the gradebook holds of one student's lab: scores and comments by grade_id."""

    scores: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)


Gradebook = dict[str, dict[str, Marks]]


def survey(course: Course, labs: list[str]) -> list[Progress]:
    """How far each of these labs has come. A part that cannot be read is among its problems."""
    problems: list[str] = []
    marks = _attempt(problems, lambda: read_gradebook(course), {})
    found = [_lab(course, lab, marks) for lab in labs]
    for progress in found:
        progress.problems[:0] = problems
    return found


def _attempt(problems: list[str], read: Callable[[], T], otherwise: T) -> T:
    """What `read` gives; if that fails its reason is a problem, and not the end."""
    try:
        return read()
    except CourseError as error:
        if str(error) not in problems:
            problems.append(str(error))
    except (OSError, ValueError, KeyError, TypeError) as error:
        problems.append(f"{type(error).__name__}: {error}")
    return otherwise


def _lab(course: Course, lab: str, gradebook: Gradebook) -> Progress:
    from autograde import roster

    progress = Progress(lab)
    problems = progress.problems
    step = _attempt(problems, lambda: out_of_step(course, lab), None)
    progress.notebook = step or ("in step" if not problems else "not readable")
    _bundle(course, progress)
    people = _attempt(problems, lambda: roster.load(course), None)
    progress.due = _attempt(problems, lambda: course.due(lab), None)
    received = _attempt(problems, lambda: course.received(lab), {})
    handed_in = intake.students(course, lab)
    if people is not None:
        known = {roster.key(student) for student in handed_in}
        progress.enrolled = len(people.people)
        progress.absent = sum(roster.key(p.student) not in known for p in people.people)
    progress.attempts, progress.unmatched = _attempts(course, lab)
    progress.running = is_locked(course, lab)
    marks = gradebook.get(lab, {})
    rows = _rows(course, lab)
    state_of = _attempt(problems, lambda: _sorter(course, lab, rows, marks, received), None)
    for student in handed_in:
        state = _attempt(problems, lambda s=student: state_of(s) if state_of else NEW, NEW)
        progress.by_state.setdefault(state, []).append(student)
        row = rows.get(student, {}).get("row", {})
        progress.late += _attempt(
            problems, lambda s=student: _late(course, lab, s, received) > timedelta(0), False
        )
        mark = marks.get(student)
        if mark is None:
            continue
        progress.open_answers += len(mark.open)
        progress.open_students += bool(mark.open)
        if state in (GRADED, REFUSED):
            page = _page(course, lab, student, row, mark)
            progress.pages += page != "none"
            progress.old_pages += page == "old"
    _report(course, progress)
    return progress


# --- notebook and bundle -------------------------------------------------------------------------


def out_of_step(course: Course, lab: str) -> str | None:
    """Why notebooks/LAB is not what solutions/LAB.py generates, or None; without nbgrader.

    The same answer as autograde.build.out_of_step, for what a person could have changed: kind, id,
    text, nbgrader's metadata and the tags of each cell.
    """
    from autograde import build

    path = course.release_path(lab)
    with _quick_jsonschema():
        source = build.source_notebook(course.solution_path(lab))
    if not path.is_file():
        return "not built"
    try:
        cells = json.loads(path.read_bytes())["cells"]
        there = [_as_released(cell, "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return "no notebook"
    wanted = [_as_released(cell, _released_text(cell)) for cell in source.cells]
    strays = [p.name for p in path.parent.iterdir() if p.name not in (path.name, CHECKPOINTS)]
    return "out of step" if there != wanted else "strays beside it" if strays else None


@contextlib.contextmanager
def _quick_jsonschema() -> Iterator[None]:
    """Import jsonschema (for notebooks) without its checker of internationalized addresses.

    That one compiles a grammar, which takes longer than everything else that is done here.
    """
    name = "rfc3987_syntax"
    hide = name not in sys.modules
    if hide:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import jupytext  # noqa: F401

        yield
    finally:
        if hide:
            del sys.modules[name]


def _as_released(cell: Any, text: str) -> tuple:
    meta = dict(cell["metadata"].get("nbgrader", {}))
    for name in ("checksum", "cell_type"):  # nbgrader's own, in the release only
        meta.pop(name, None)
    return cell["cell_type"], cell.get("id"), text, meta, cell["metadata"].get("tags", [])


def _released_text(cell: Any) -> str:
    """What nbgrader leaves of a source cell: a stub for the solution, no hidden test."""
    from autograde.build import BEGIN_HIDDEN, BEGIN_SOLUTION, END_HIDDEN, stubbed

    text = cell.source
    if cell.metadata.get("nbgrader", {}).get("solution"):
        if BEGIN_SOLUTION not in text:
            return CODE_STUB if cell.cell_type == "code" else TEXT_STUB
        return stubbed(text)
    lines, inside = [], False
    for line in text.splitlines():
        inside = inside or BEGIN_HIDDEN in line
        if not inside:
            lines.append(line)
        inside = inside and END_HIDDEN not in line
    return "\n".join(lines) if BEGIN_HIDDEN in text else text


def _bundle(course: Course, progress: Progress) -> None:
    """Whether there is a bundle, and whether what was copied into it is still the same."""
    path = course.bundles / f"{progress.lab}.zip"
    try:
        made = path.stat().st_mtime
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except FileNotFoundError:
        return
    except (OSError, zipfile.BadZipFile) as error:
        progress.bundle, progress.bundle_changed = "old", [f"it cannot be read ({error})"]
        return
    progress.released = datetime.fromtimestamp(made, timezone.utc).replace(tzinfo=None)
    shared = bundle.shared_root(course)
    for info in infos:
        if info.filename in bundle.MADE:
            continue
        root = course.root if info.filename.startswith("notebooks/") else shared
        try:
            same = zlib.crc32((root / info.filename).read_bytes()) == info.CRC
        except OSError:
            same = False
        if not same:
            progress.bundle_changed.append(info.filename)
    progress.bundle = "old" if progress.bundle_changed else "current"


# --- collected and graded ------------------------------------------------------------------------


def _attempts(course: Course, lab: str) -> tuple[int, int]:
    """How many attempts were collected, and how many people's could not be matched."""
    home = course.collected / lab
    students = _folders(home)
    return sum(len(_folders(folder)) for folder in students), len(_folders(home / ".unmatched"))


def _folders(path: Path) -> list[Path]:
    """Folders in a folder; links and hidden ones are none."""
    try:
        with os.scandir(path) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
    except OSError:
        return []


def is_locked(course: Course, lab: str) -> bool:
    """Whether a run holds the lab's lock (see autograde.runstate) at this moment."""
    try:
        import fcntl

        with (course.state / lab / "lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
            fcntl.flock(file, fcntl.LOCK_UN)
    except (ImportError, OSError):
        pass
    return False


def _rows(course: Course, lab: str) -> dict[str, dict]:
    """What grading has left of each student: {"key": ..., "row": {...}}."""
    found = {}
    for path in (course.state / lab / "graded").glob("*.json"):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict) and isinstance(values.get("row"), dict):
            found[path.stem] = values
    return found


def _sorter(
    course: Course,
    lab_name: str,
    rows: dict[str, dict],
    marks: dict[str, Marks],
    received: dict[str, datetime],
) -> Callable[[str], str]:
    """A function that tells what grading has to do for a student who handed in."""
    from autograde import pipeline

    try:
        lab = pipeline.load_lab(course, lab_name)
    except (CourseError, ValueError, KeyError, TypeError):
        lab = None  # said by out_of_step
    tests = pipeline.tests_digest()
    failed = {path.stem for path in (course.state / lab_name / "errors").glob("*.txt")}

    def state(student: str) -> str:
        if intake.name_problem(student):
            return UNUSABLE
        stored = rows.get(student)
        if stored is None or student not in marks:
            if student in failed and stored is None:
                return ERROR
            # Without a row, but marked: by nbgrader's own command or the formgrader.
            return GRADED if stored is None and student in marks else NEW
        refused = stored["row"].get("status") == REFUSED
        digest = lab and _digest(course, lab, student, refused)
        late = _late(course, lab_name, student, received)
        key = lab and pipeline.submission_key(
            course, lab, tests, digest, received.get(student), late
        )
        if lab and key != stored.get("key"):
            return CHANGED
        return REFUSED if refused else GRADED

    return state


def _late(course: Course, lab: str, student: str, received: dict[str, datetime]) -> timedelta:
    return intake.lateness(course, student, lab, received.get(student))


def _digest(course: Course, lab: Any, student: str, refused: bool) -> str:
    """The digest that intake gives a submission; without parsing the usual notebook."""
    import hashlib

    path = course.submission_dir(student, lab.name) / f"{lab.name}.ipynb"
    if not refused and path.is_file() and not path.parent.is_symlink():
        with contextlib.suppress(intake.Refused):
            found = hashlib.sha256(intake.read_regular_file(path)).hexdigest()
            files = intake.take_in_files(course, student, lab.name, lab.skeleton)
            return intake.digest_of(found, files)
    return intake.take_in(course, student, lab.name, lab.skeleton).digest


def _page(course: Course, lab: str, student: str, row: dict, marks: Marks) -> str:
    """A student's feedback page: "none", "current", or "old" (grading would write it again)."""
    try:
        page = course.feedback_path(student, lab).stat().st_mtime
    except OSError:
        return "none"
    graded = course.autograded_path(student, lab)
    if graded.is_file() and page < graded.stat().st_mtime:
        return "old"
    shown = [row.get("recorded", {}), row.get("needs_manual", []), row.get("comments", {})]
    now = [marks.scores, sorted(marks.open), marks.comments]
    return "old" if row and shown != now else "current"


def _report(course: Course, progress: Progress) -> None:
    """Whether there is a report, and whether anything was graded or marked after it."""
    lab = progress.lab
    try:
        made = (course.reports / lab / "report.html").stat().st_mtime
    except OSError:
        return
    graded = (course.state / lab / "graded").glob("*.json")
    newest = max((path.stat().st_mtime for path in graded), default=0.0)
    progress.report = "old" if newest > made or progress.old_pages else "current"


# --- the gradebook -------------------------------------------------------------------------------

GRADES = """
SELECT assignment.name, submitted_assignment.student_id, base_cell.name,
       grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade
FROM grade
JOIN base_cell ON grade.cell_id = base_cell.id
JOIN submitted_notebook ON grade.notebook_id = submitted_notebook.id
JOIN submitted_assignment ON submitted_notebook.assignment_id = submitted_assignment.id
JOIN assignment ON submitted_assignment.assignment_id = assignment.id
"""
COMMENTS = """
SELECT assignment.name, submitted_assignment.student_id, base_cell.name,
       comment.auto_comment, comment.manual_comment
FROM comment
JOIN base_cell ON comment.cell_id = base_cell.id
JOIN submitted_notebook ON comment.notebook_id = submitted_notebook.id
JOIN submitted_assignment ON submitted_notebook.assignment_id = submitted_assignment.id
JOIN assignment ON submitted_assignment.assignment_id = assignment.id
"""


def read_gradebook(course: Course) -> Gradebook:
    """Marks by lab and student; {} if there is no gradebook yet. CourseError if unreadable.

    nbgrader's tables are asked directly: its own class would make them where there are none.
    """
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    found: Gradebook = {}
    try:
        url = make_url(course.db_url)
        with contextlib.ExitStack() as stack:
            if url.get_backend_name() == "sqlite":
                if not url.database or not Path(url.database).is_file():
                    return {}
                connect = stack.enter_context(_read_only(Path(url.database).resolve()))
                engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
            else:
                engine = create_engine(url, poolclass=NullPool)
            with engine.connect() as connection:
                if not inspect(connection).has_table("grade"):
                    return {}
                for lab, student, cell, auto, by_hand, extra, needs in connection.execute(
                    text(GRADES)
                ):
                    marks = found.setdefault(lab, {}).setdefault(student, Marks())
                    score = by_hand if by_hand is not None else auto
                    marks.scores[cell] = 0.0 if score is None else score + (extra or 0.0)
                    if needs:
                        marks.open.append(cell)
                for lab, student, cell, auto, by_hand in connection.execute(text(COMMENTS)):
                    comment = by_hand if by_hand is not None else auto
                    if comment:
                        marks = found.setdefault(lab, {}).setdefault(student, Marks())
                        marks.comments[cell] = comment
    except (SQLAlchemyError, ImportError, sqlite3.Error, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CourseError(f"the gradebook cannot be read: {first[:200]}", status=1) from None
    return found


@contextlib.contextmanager
def _read_only(path: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """A function that connects to an SQLite file for reading only.

    What a killed run has left half-written beside the file would have to be rolled back first:
    then a copy is read, in which that may be done.
    """
    with contextlib.ExitStack() as stack:
        target = [path, "ro"]
        try:
            with contextlib.closing(_connect(path, "ro")) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gradebook-")))
            for ending in ("", "-journal", "-wal"):
                beside = path.with_name(path.name + ending)
                if beside.is_file():
                    shutil.copyfile(beside, scratch / beside.name)
            target = [scratch / path.name, "rw"]
        yield lambda: _connect(*target)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=2)

"""From a lab's text source to the notebook students get: jupytext, then nbgrader's generator."""

from __future__ import annotations

import ast
import hashlib
import logging
import os
import re
import shutil
import tempfile
from pathlib import Path

from autograde.course import CODE_STUB, COURSE_ID, TEXT_STUB, Course
from autograde.errors import CourseError

BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"

NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# What jupytext notes about the text file's layout; it has no meaning in a notebook.
LAYOUT_METADATA = ("lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker")

ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
GRADE_KEYS = {"grade", "grade_id", "locked", "solution", "schema_version"}


# --- text -> source notebook -------------------------------------------------------------------


def source_notebook(path: Path):
    """The source notebook of a lab's .py file, with deterministic cell ids, validated.

    A cell's id is its grade_id where it has one, else a hash of its kind and text: editing one
    cell leaves the others' ids alone. Raises CourseError, one line, for whatever nbgrader or the
    judge could not work with.
    """
    import jupytext

    lab = path.stem
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CourseError(f"cannot read {path}: {error.strerror}") from None
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata = _node(NOTEBOOK_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        for key in LAYOUT_METADATA:
            cell.metadata.pop(key, None)
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.setdefault("task", False)
        cell.id = _cell_id(cell, seen)
    problem = first_problem(notebook, lab)
    if problem:
        raise CourseError(f"{path.name}: {problem}")
    return notebook


def _cell_id(cell, seen: dict[str, int]) -> str:
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    if isinstance(grade_id, str) and ID.fullmatch(grade_id):
        base = grade_id
    else:
        digest = hashlib.sha256(f"{cell.cell_type}\0{cell.source}".encode()).hexdigest()
        base = f"{cell.cell_type}-{digest[:12]}"
    seen[base] = seen.get(base, 0) + 1
    return base if seen[base] == 1 else f"{base[:56]}-{seen[base]}"


def first_problem(notebook, lab: str) -> str | None:
    """The first thing wrong with a source notebook, as one line, or None."""
    grade_ids: set[str] = set()
    solutions: dict[str, bool] = {}
    tests: list[str] = []
    for number, cell in enumerate(notebook.cells, start=1):
        meta = cell.metadata.get("nbgrader")
        where = f"cell {number}"
        if meta is not None:
            missing = sorted(GRADE_KEYS - set(meta))
            if missing:
                return f"{where}: its nbgrader metadata lacks {', '.join(missing)}"
            grade_id = meta["grade_id"]
            where = f"cell {grade_id!r}"
            if not isinstance(grade_id, str) or not ID.fullmatch(grade_id):
                return f"{where}: a grade_id is 1 to 64 letters, digits, _ or -"
            if grade_id in grade_ids:
                return f"{where}: two cells have this grade_id"
            grade_ids.add(grade_id)
            if meta["schema_version"] != 3:
                return f"{where}: schema_version must be 3"
        problem = _cell_problem(cell, meta or {}, lab)
        if problem:
            return f"{where}: {problem}"
        if meta and meta["solution"]:
            solutions[meta["grade_id"]] = bool(meta["grade"])
        elif meta and meta["grade"]:
            tests.append(meta["grade_id"])
    for grade_id in tests:
        name = grade_id.removeprefix("test_")
        if name not in solutions:
            return f"cell {grade_id!r}: there is no solution cell {name!r} that it tests"
    for name, graded in solutions.items():
        if not graded and f"test_{name}" not in tests:
            return f"cell {name!r}: there is no test cell 'test_{name}'"
    return None


def _cell_problem(cell, meta: dict, lab: str) -> str | None:
    solution, grade = bool(meta.get("solution")), bool(meta.get("grade"))
    is_test = grade and not solution
    regions = {}
    for label, begin, end in (
        ("solution", BEGIN_SOLUTION, END_SOLUTION),
        ("hidden test", BEGIN_HIDDEN, END_HIDDEN),
    ):
        try:
            regions[label] = region_lines(cell.source, begin, end)
        except ValueError as error:
            return f"{label} region: {error}"
    if grade:
        points = meta.get("points")
        if isinstance(points, bool) or not isinstance(points, int | float) or not points > 0:
            return f"points must be a number above 0, not {points!r}"
    if regions["solution"] and not solution:
        return "a solution region stands in a cell that is not a solution cell"
    if regions["hidden test"] and not is_test:
        return "a hidden test region stands in a cell that is not a test cell"
    if is_test:
        if cell.cell_type != "code":
            return "a test cell must be a code cell"
        if not meta["locked"]:
            return "a test cell must be locked"
        if not meta["grade_id"].startswith("test_"):
            return "a test cell's grade_id is test_ and the name of what it tests"
        if len(regions["hidden test"]) != 1:
            return "a test cell needs exactly one hidden test region"
        name = meta["grade_id"].removeprefix("test_")
        if f'hidden_test("{lab}/{name}"' not in "\n".join(regions["hidden test"][0]):
            return f'its hidden test must call hidden_test("{lab}/{name}", ...)'
    if solution and cell.cell_type == "code":
        if not regions["solution"]:
            return f"no {BEGIN_SOLUTION} in a code solution cell"
        problem = _syntax_problem(stubbed(cell.source))
        if problem:
            return f"what is left without the solution is no Python: {problem}"
    if solution and cell.cell_type == "markdown" and not grade:
        return "a markdown solution cell must be graded (by hand): grade true, points above 0"
    if cell.cell_type == "code":
        problem = _syntax_problem(cell.source)
        if problem:
            return f"no valid Python: {problem}"
    return None


def region_lines(source: str, begin: str, end: str) -> list[list[str]]:
    """The lines between each `begin` and `end` marker. ValueError if they do not pair up."""
    regions: list[list[str]] = []
    inside = False
    # nbgrader looks for the words without the hashes; so do we, and then want the hashes.
    begin_words, end_words = begin.lstrip("# "), end.lstrip("# ")
    for line in source.splitlines():
        if begin_words in line or end_words in line:
            expected = end if inside else begin
            if line.strip() != expected:
                raise ValueError(f"found {line.strip()!r} where {expected!r} was due")
            if not inside:
                regions.append([])
            inside = not inside
        elif inside:
            regions[-1].append(line)
    if inside:
        raise ValueError(f"{begin!r} without {end!r}")
    return regions


def stubbed(source: str) -> str:
    """The source with each solution region replaced by the stub, as nbgrader will do it."""
    lines, inside = [], False
    for line in source.splitlines():
        if BEGIN_SOLUTION in line:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + stub for stub in CODE_STUB.splitlines()]
        elif END_SOLUTION in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def _syntax_problem(source: str) -> str | None:
    if re.search(r"^\s*[%!?]|\?\s*$", source, flags=re.MULTILINE):
        return None  # IPython's own syntax: left to the kernel
    try:
        compile(source, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return f"{getattr(error, 'msg', error)}" + (f" (line {line} of it)" if line else "")
    return None


def _node(value):
    import nbformat

    return nbformat.from_dict(value)


# --- source notebook -> release ----------------------------------------------------------------


def generate(source, lab: str) -> bytes:
    """The released notebook's bytes, made from a source notebook by nbgrader, in a scratch folder.

    Nothing is written to any gradebook. The same source gives the same bytes.
    """
    with tempfile.TemporaryDirectory(prefix="build-") as scratch:
        course = Course(Path(scratch))
        _write_notebook(source, course.source_path(lab))
        _generate_assignment(course, lab, with_database=False)
        return course.release_path(lab).read_bytes()


def build(course: Course, lab: str) -> tuple[Path, bool]:
    """Write autograde/source/LAB/ and notebooks/LAB/LAB.ipynb; (path, did its bytes change?)."""
    source = source_notebook(course.solution_path(lab))
    release = generate(source, lab)
    folder = course.source_path(lab).parent
    if folder.is_dir():
        # nbgrader copies whatever lies beside a source notebook into the release.
        for stray in folder.iterdir():
            if stray.name != f"{lab}.ipynb":
                shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
    _write_notebook(source, course.source_path(lab))
    path = course.release_path(lab)
    changed = not path.is_file() or path.read_bytes() != release
    if changed:
        write_atomically(path, release)
    return path, changed


def build_page(course: Course, page: str) -> tuple[Path, bool]:
    """Write notebooks/PAGE.ipynb from solutions/pages/PAGE.py: a notebook without exercises."""
    path, data = course.page_path(page), _page(course, page)
    changed = not path.is_file() or path.read_bytes() != data
    if changed:
        write_atomically(path, data)
    return path, changed


def page_out_of_step(course: Course, page: str) -> str | None:
    """Why notebooks/PAGE.ipynb is not what its source generates, as one line, or None."""
    path = course.page_path(page)
    if path.is_file() and path.read_bytes() == _page(course, page):
        return None
    shown = path.relative_to(course.root)
    return f"{shown} is out of step with its source; run: python -m autograde build"


def _page(course: Course, page: str) -> bytes:
    import nbformat

    notebook = source_notebook(course.pages_source / f"{page}.py")
    return (nbformat.writes(notebook) + "\n").encode()


def out_of_step(course: Course, lab: str) -> str | None:
    """Why notebooks/LAB is not what solutions/LAB.py generates, as one line, or None."""
    path = course.release_path(lab)
    shown = path.relative_to(course.root)
    release = generate(source_notebook(course.solution_path(lab)), lab)
    if not path.is_file():
        return f"{shown} is missing; run: python -m autograde build {lab}"
    if path.read_bytes() != release:
        return f"{shown} is out of step with its source; run: python -m autograde build {lab}"
    strays = [
        child.name
        for child in sorted(path.parent.iterdir())
        if child.name not in (path.name, ".ipynb_checkpoints")
    ]
    if strays:
        return f"{shown.parent} holds more than the notebook: {', '.join(strays)}; remove it"
    return None


def register(course: Course, lab: str) -> None:
    """Make the gradebook know the lab's cells and points (nbgrader's generator writes them).

    CourseError if the gradebook holds submissions of this lab made with other cells.
    """
    from nbgrader.api import Gradebook

    make_gradebook(course)
    source = source_notebook(course.solution_path(lab))
    if not _is_registered(course, lab, source):
        _write_notebook(source, course.source_path(lab))
        with tempfile.TemporaryDirectory(prefix="register-") as scratch:
            _generate_assignment(course, lab, with_database=True, release=scratch)
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        due = course.due(lab)
        assignment = gradebook.find_assignment(lab)
        if due is not None and assignment.duedate != due:
            assignment.duedate = due
            gradebook.db.commit()


def make_gradebook(course: Course) -> None:
    """Make the course's SQLite gradebook if there is none, whole or not at all.

    nbgrader makes one when it first looks, in many steps; killed between two of them, it leaves a
    database that it cannot upgrade any more. Other databases are left to nbgrader.
    """
    from nbgrader.api import Gradebook

    from autograde.backup import sqlite_path

    path = sqlite_path(course)
    if path is None or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gradebook-", dir=path.parent) as scratch:
        new = Path(scratch) / path.name
        _make_tables(f"sqlite:///{new}")
        Gradebook(f"sqlite:///{new}", COURSE_ID).close()
        os.replace(new, path)


def _make_tables(url: str) -> None:
    """An empty database as nbgrader makes it, with the version that its migrations lead to.

    nbgrader asks the command `alembic` for that version, which takes three seconds and has to be
    on PATH; alembic itself tells it at once.
    """
    from alembic.script import ScriptDirectory
    from nbgrader.api import Base
    from nbgrader.dbutil import ALEMBIC_DIR
    from sqlalchemy import create_engine, text

    head = ScriptDirectory(ALEMBIC_DIR).get_current_head()
    engine = create_engine(url)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head})
    engine.dispose()


def _is_registered(course: Course, lab: str, source) -> bool:
    from nbgrader import utils
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        try:
            notebook = gradebook.find_notebook(lab, lab)
        except MissingEntry:
            return False
        stored = {cell.name: (cell.source, cell.cell_type) for cell in notebook.source_cells}
        points = {cell.name: cell.max_score for cell in notebook.grade_cells}
    wanted, wanted_points = {}, {}
    for cell in source.cells:
        if utils.is_grade(cell) or utils.is_solution(cell) or utils.is_locked(cell):
            text = cell.source
            if utils.is_solution(cell):
                text = stubbed(text) if BEGIN_SOLUTION in text else _text_stub(cell)
            wanted[cell.metadata.nbgrader.grade_id] = (text, cell.cell_type)
        if utils.is_grade(cell):
            wanted_points[cell.metadata.nbgrader.grade_id] = float(cell.metadata.nbgrader.points)
    return stored == wanted and points == wanted_points


def _text_stub(cell) -> str:
    return CODE_STUB if cell.cell_type == "code" else TEXT_STUB


def _generate_assignment(
    course: Course, lab: str, with_database: bool, release: str | None = None
) -> None:
    """Run nbgrader's GenerateAssignment in this process, quietly; CourseError with its reason."""
    from nbgrader.converters import GenerateAssignment, NbGraderException
    from nbgrader.coursedir import CourseDirectory

    config = course.nbgrader_config()
    config.CourseDirectory.assignment_id = lab
    if release is not None:
        config.CourseDirectory.release_directory = release
    if not with_database:
        config.SaveCells.enabled = False
        config.GenerateAssignment.no_database = True
    log, records = quiet_log()
    coursedir = CourseDirectory(config=config, log=log)
    converter = GenerateAssignment(coursedir=coursedir, config=config, log=log, force=True)
    try:
        converter.start()
    except NbGraderException:
        reason = next(
            (
                line
                for record in reversed(records)
                for line in reversed(record.getMessage().strip().splitlines())
                if "Error" in line and not line.startswith("Please see")
            ),
            records[-1].getMessage() if records else "no reason given",
        )
        raise CourseError(f"nbgrader could not generate {lab}: {reason}", status=1) from None


def quiet_log() -> tuple[logging.Logger, list[logging.LogRecord]]:
    """A logger for nbgrader's converters that prints nothing and keeps warnings and errors."""
    log = logging.Logger("autograde.nbgrader", level=logging.WARNING)
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    log.addHandler(Keep())
    log.propagate = False
    return log, records


def _write_notebook(notebook, path: Path) -> None:
    import nbformat

    write_atomically(path, (nbformat.writes(notebook) + "\n").encode())


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader or a crash sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise

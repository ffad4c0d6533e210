"""How far a student has come: which exercises are written, which pass their visible checks.

Whether an exercise passes is found out by running the notebook's own cells in a kernel of its
own, without the figures and the training, as grading does. The notebook itself is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path

from course_utils.checks.visible import CHECK_MIME

SKIP_TAG = "skip-execution"
STUB = "raise NotImplementedError()"
CELL_SECONDS = 120


class NotebookProblem(Exception):
    """The notebook cannot be looked at; the text says why and what to do."""


@dataclass(frozen=True)
class Exercise:
    """One exercise. ``passed`` is None while nobody has run its check."""

    name: str
    written: bool
    passed: bool | None = None
    message: str = ""


@dataclass(frozen=True)
class LabProgress:
    """The exercises of one notebook, in its order, and the answers in words that are empty."""

    lab: str
    exercises: tuple[Exercise, ...]
    unanswered: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> int:
        """How many exercises pass."""
        return sum(bool(exercise.passed) for exercise in self.exercises)

    @property
    def next(self) -> str | None:
        """The first exercise that does not pass; None when all do."""
        return next((e.name for e in self.exercises if not e.passed), None)


def course_map() -> list[dict]:
    """The course's labs in order: ``lab``, ``title``, ``minutes``, ``after`` (what one can do)."""
    file = resources.files("course_utils") / "data" / "course.json"
    return json.loads(file.read_text(encoding="utf-8"))


def find_notebook(lab: str, start: Path | str | None = None) -> Path | None:
    """The student's notebook of a lab: LAB/LAB.ipynb or notebooks/LAB/LAB.ipynb at or above."""
    here = Path(start or os.getcwd()).resolve()
    for folder in (here, *here.parents):
        for path in (folder / lab / f"{lab}.ipynb", folder / "notebooks" / lab / f"{lab}.ipynb"):
            if path.is_file():
                return path
    return None


def read(path: Path) -> LabProgress:
    """What is written in a notebook, without running it. NotebookProblem if it cannot be read."""
    cells = notebook_cells(path)
    solutions = {
        name: cell for cell in cells if (name := mark(cell, "solution")) and not by_hand(cell)
    }
    names = [name.removeprefix("test_") for cell in cells if (name := test_mark(cell))]
    files = handed_in_files(path, cells)

    def written(name: str) -> bool:
        if name in files:
            return files[name].is_file()
        return name in solutions and STUB not in source_of(solutions[name])

    exercises = tuple(Exercise(name, written(name)) for name in names)
    unanswered = tuple(
        mark(cell, "solution") or ""
        for cell in cells
        if by_hand(cell) and source_of(cell).strip() in ("", "YOUR ANSWER HERE")
    )
    return LabProgress(path.stem, exercises, unanswered)


def handed_in_files(notebook: Path, cells: list[dict]) -> dict[str, Path]:
    """By exercise, the files beside the notebook that a test asks for in the place of code."""
    return {
        name.removeprefix("test_"): notebook.parent / Path(str(cell["metadata"]["hands_in"])).name
        for cell in cells
        if (name := test_mark(cell)) and cell["metadata"].get("hands_in")
    }


def check(
    path: Path, on_cell: Callable[[int, int], None] = lambda done, total: None
) -> LabProgress:
    """Run the notebook's cells and its visible checks in a fresh kernel.

    on_cell(done, total) reports progress. An endless loop ends after CELL_SECONDS and costs its
    own cell only. Raises NotebookProblem when the notebook cannot be read or no kernel starts.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    state = read(path)
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:
        raise NotebookProblem(f"{path} is no notebook that Jupyter can read: {error}") from None
    notebook.cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and SKIP_TAG not in cell.metadata.get("tags", [])
    ]
    found: dict[str, tuple[bool, str]] = {}
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        interrupt_on_timeout=True,
        allow_errors=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only, not its advice
        resources={"metadata": {"path": str(path.parent)}},
    )
    # As grading does: then a check reports what it found instead of raising.
    environment = {**os.environ, "NBGRADER_EXECUTION": "autograde"}
    try:
        with client.setup_kernel(env=environment):
            for number, cell in enumerate(notebook.cells):
                on_cell(number, len(notebook.cells))
                with contextlib.suppress(CellTimeoutError, CellExecutionError):
                    client.execute_cell(cell, number)
                if name := test_mark(cell):
                    found[name.removeprefix("test_")] = _outcome(cell)
    except DeadKernelError:
        pass  # what ran after it did not pass
    except RuntimeError as error:
        raise NotebookProblem(f"no kernel could be started for {path}: {error}") from None
    on_cell(len(notebook.cells), len(notebook.cells))
    lost = (False, "The kernel ended before this check was run.")
    exercises = (Exercise(e.name, e.written, *found.get(e.name, lost)) for e in state.exercises)
    return LabProgress(state.lab, tuple(exercises), state.unanswered)


def check_once(path: Path, **options) -> LabProgress:
    """As ``check``, but what has not changed since it was last checked is not run again."""
    looked_at = [path, *handed_in_files(path, notebook_cells(path)).values()]
    found = [hashlib.sha256(p.read_bytes()).digest() if p.is_file() else b"" for p in looked_at]
    digest = hashlib.sha256(b"\0".join(found)).hexdigest()
    kept = path.parent / ".ipynb_checkpoints" / "progress.json"
    try:
        stored = json.loads(kept.read_text(encoding="utf-8"))
        if stored["digest"] == digest:
            exercises = tuple(Exercise(**exercise) for exercise in stored["exercises"])
            return LabProgress(path.stem, exercises, tuple(stored["unanswered"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    state = check(path, **options)
    try:
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps({"digest": digest, **asdict(state)}), encoding="utf-8")
    except OSError:
        pass  # a read-only folder: it is only quicker with it
    return state


# --- the notebook's cells ------------------------------------------------------------------------


def notebook_cells(path: Path) -> list[dict]:
    """The cells of a notebook's file as they are stored. NotebookProblem if there are none."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [cell for cell in cells if isinstance(cell.get("metadata"), dict)]
    except OSError as error:
        raise NotebookProblem(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotebookProblem(
            f"{path} is no notebook (any more): open it in JupyterLab, or take a new copy"
        ) from None


def source_of(cell: dict) -> str:
    """A cell's text; Jupyter stores it as a string or as a list of lines."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def mark(cell: dict, kind: str) -> str | None:
    """The cell's grade_id if nbgrader's metadata says that it is of this kind."""
    marks = cell["metadata"].get("nbgrader")
    name = marks.get("grade_id") if isinstance(marks, dict) and marks.get(kind) else None
    return name if isinstance(name, str) else None


def by_hand(cell: dict) -> bool:
    """True for a question in words, which a person grades."""
    return bool(mark(cell, "grade") and mark(cell, "solution"))


def test_mark(cell: dict) -> str | None:
    """The grade_id of a test cell, None for other cells."""
    return mark(cell, "grade") if not mark(cell, "solution") else None


def _outcome(cell) -> tuple[bool, str]:
    """(passed, message) of a check's cell that has run."""
    passed, text = None, ""
    for output in cell.get("outputs", []):
        report = output.get("data", {}).get(CHECK_MIME)
        if isinstance(report, dict):
            passed = report.get("passed") is True
        elif output.get("output_type") == "stream" and output.get("name") == "stdout":
            text += output["text"]
        elif output.get("output_type") == "error" and passed is None:
            text += f"{output['ename']}: {output['evalue']}"
    if passed is None and not text:
        text = f"Stopped: it did not come to an end in {CELL_SECONDS} seconds."
    return bool(passed), text.strip()


# --- what a student sees -------------------------------------------------------------------------


def show_course(run: bool = True) -> None:
    """Show the course map with the student's own progress, in a notebook.

    run: find out what passes by running the labs' cells (a few seconds each, and only for labs
    that have changed); otherwise only what is written is shown.
    """
    from IPython.display import HTML, display

    display(HTML(course_html([_row(entry, run) for entry in course_map()])))


def _row(entry: dict, run: bool) -> dict:
    path = find_notebook(entry["lab"])
    row = {**entry, "path": path, "state": None, "problem": ""}
    if path is None:
        return row
    try:
        state = read(path)
        started = any(exercise.written for exercise in state.exercises)
        row["state"] = check_once(path) if run and started else state
    except NotebookProblem as problem:
        row["problem"] = str(problem)
    return row


def course_html(rows: list[dict]) -> str:
    """The course map as HTML; ``rows`` are the map's entries with ``path`` and ``state``."""
    here = Path(os.getcwd()).resolve()
    body = [_cells_html("th", ("lab", "time", "afterwards you can", "you"))]
    for row in rows:
        title = html.escape(row["title"])
        if row["path"] is not None:
            link = html.escape(os.path.relpath(row["path"], here).replace(os.sep, "/"), quote=True)
            title = f'<a href="{link}">{title}</a>'
        name = f"{title}<br><small>{html.escape(row['lab'])}</small>"
        minutes = f"{row['minutes'] // 60}&nbsp;h&nbsp;{row['minutes'] % 60:02d}"
        body.append(_cells_html("td", (name, minutes, html.escape(row["after"]), _standing(row))))
    return (
        f'<table aria-label="Course map"><thead>{body[0]}</thead>'
        f"<tbody>{''.join(body[1:])}</tbody></table>"
    )


def _cells_html(kind: str, cells: tuple[str, ...]) -> str:
    """A row; to the left, because JupyterLab sets tables for numbers."""
    return (
        "<tr>" + "".join(f'<{kind} style="text-align:left">{c}</{kind}>' for c in cells) + "</tr>"
    )


def _standing(row: dict) -> str:
    if row["problem"]:
        return html.escape(row["problem"])
    if row["path"] is None:
        return "not here yet"
    state: LabProgress = row["state"]
    total = len(state.exercises)
    written = sum(exercise.written for exercise in state.exercises)
    if not written:
        return "not begun"
    if all(exercise.passed is None for exercise in state.exercises):
        return f"{written} of {total} written"
    text = (
        f'<progress max="{total}" value="{state.passed}"></progress> {state.passed} of {total} pass'
    )
    if state.next:
        return f"{text}<br>next: <code>{html.escape(state.next)}</code>"
    if state.unanswered:
        return f"{text}<br>next: the question in your own words"
    return f"{text}<br>done: save it and hand it in"

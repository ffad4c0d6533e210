"""Go on with what the student wrote in an earlier lab, as far as it passes its checks there.

The cells of the lab's own notebook are run in a module of their own: the given ones and the
exercises, in their order, as grading does. What is missing or does not pass is replaced by a
worked version that the caller brings along, before anything that calls it is tried.
"""

from __future__ import annotations

import contextlib
import functools
import html
import io
import linecache
import os
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils import progress
from course_utils.checks.limits import CallTimeout, time_limit
from course_utils.checks.visible import run_check, stored
from course_utils.execution import display_html, is_grading, kernel_shell
from course_utils.progress import NotebookProblem

CELL_SECONDS = 10.0  # of CPU time, for one cell
MAX_BYTES = 100 * 1024 * 1024
# The ids that cells without a grade_id have in a released notebook. Jupyter keeps a cell's id when
# its text is edited, and gives ids of another form to the cells that a student adds.
GIVEN_ID = re.compile(r"code-[0-9a-f]{12}(-\d+)?")


@dataclass(frozen=True)
class Verdict:
    """Whose version of a function is used: the student's ``own``, or else why it is not.

    ``reason`` is a few words, ``details`` what the check said.
    """

    name: str
    own: bool
    reason: str = ""
    details: str = ""


@dataclass(frozen=True)
class Taken:
    """The functions to use by name, a verdict on each, and where they come from.

    ``notebook`` is None when no notebook could be read; ``notes`` say why, or what is odd in it.
    """

    functions: dict[str, Any]
    verdicts: tuple[Verdict, ...]
    notebook: Path | None
    notes: tuple[str, ...] = ()


def own_functions(
    lab: str, worked: dict[str, Callable], notebook: Path | str | None = None
) -> types.SimpleNamespace:
    """The functions named in ``worked``: the student's own where they pass, else the worked ones.

    Shows which are which, in a notebook or on the terminal. While nbgrader runs the notebook no
    other notebook is there: then the worked versions come back, and nothing is shown.

    Args:
        lab: the earlier lab, for example "lab5_ppo".
        worked: a right version of each function by the name of its exercise.
        notebook: the lab's notebook; looked for beside this one and above when not given.

    Returns:
        A namespace with one function for each name. All of them call one another: a student's
        ``ppo_update`` calls the worked version of what did not pass, and the other way round.

    Raises:
        ValueError: ``worked`` names something that is no exercise of the lab.
    """
    exercises = stored(lab)["exercises"]
    if unknown := [name for name in worked if name not in exercises]:
        raise ValueError(
            f"{lab} has no exercise named {unknown[0]!r}; it has: {', '.join(exercises)}"
        )
    if is_grading():
        return types.SimpleNamespace(**worked)
    taken = take(lab, worked, notebook)
    if kernel_shell() is not None:
        display_html(_as_html(lab, taken), _as_text(taken))
    else:
        print(_as_text(taken))
    return types.SimpleNamespace(**taken.functions)


def take(lab: str, worked: dict[str, Callable], notebook: Path | str | None = None) -> Taken:
    """As ``own_functions``, but show nothing and say in the result what was found."""
    path = Path(notebook) if notebook is not None else progress.find_notebook(lab)
    try:
        if path is None:
            raise NotebookProblem(
                f"No {lab}.ipynb was found in {os.getcwd()} or beside or above it. "
                "If it lies elsewhere, say where: notebook=..."
            )
        cells = _known_cells(path, set(stored(lab)["exercises"]))
    except NotebookProblem as problem:
        verdicts = (Verdict(name, False, "no notebook") for name in worked)
        return Taken(dict(worked), tuple(verdicts), None, (str(problem),))
    with _quietly():
        trial = _Trial(lab, worked)
        verdicts = trial.run(cells)
        return Taken(trial.together(verdicts), verdicts, path, tuple(trial.notes))


# --- which cells ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cell:
    name: str  # of the exercise; empty for a given cell
    source: str


def _known_cells(path: Path, exercises: set[str]) -> list[_Cell]:
    """The given cells and the exercises of a notebook, in its order: no tests, demos, additions."""
    if not path.is_file():
        raise NotebookProblem(f"{path} is not there, or is no file")
    if path.stat().st_size > MAX_BYTES:
        size = f"{MAX_BYTES >> 20} MB"
        raise NotebookProblem(f"{path} is larger than {size}: clear its outputs, and save it")
    cells = []
    for cell in progress.notebook_cells(path):
        tags = cell["metadata"].get("tags")
        is_demo = isinstance(tags, list) and progress.SKIP_TAG in tags
        if cell.get("cell_type") != "code" or progress.test_mark(cell):
            continue
        cell_id = cell.get("id") if isinstance(cell.get("id"), str) else ""
        name = progress.mark(cell, "solution") or cell_id
        if name in exercises:
            cells.append(_Cell(name, progress.source_of(cell)))
        elif GIVEN_ID.fullmatch(cell_id) and not is_demo:
            cells.append(_Cell("", progress.source_of(cell)))
    # A cell that was copied carries its name twice: what is written counts, not what is left over.
    written = {cell.name for cell in cells if progress.STUB not in cell.source}
    return [
        c for c in cells if not c.name or c.name not in written or progress.STUB not in c.source
    ]


# --- running them --------------------------------------------------------------------------------


class _Trial:
    """Runs the cells in a module of its own and tries each function as soon as it is there."""

    def __init__(self, lab: str, worked: dict[str, Callable]):
        self.lab, self.worked = lab, worked
        module = types.ModuleType(f"own_{lab}", f"What the student wrote in {lab}.")
        sys.modules[module.__name__] = module  # dataclasses look their module up
        self.names = vars(module)
        # A worked version stands wherever the student's own one does not, from the start.
        self.names.update(worked, input=_no_input, get_ipython=_NoShell)
        self.settled = dict(worked)
        self.notes: list[str] = []

    def run(self, cells: list[_Cell]) -> tuple[Verdict, ...]:
        """Run the cells; afterwards ``settled`` holds the function to use for each name."""
        if all(cell.name for cell in cells):
            self.notes.append("The cells that the lab gives, with its imports, were not found.")
        missing = "its cell is not in the notebook"
        found = {name: Verdict(name, False, missing) for name in self.worked}
        for number, cell in enumerate(cells):
            stopped = self._execute(cell, f"<{self.lab}, cell {cell.name or number}>")
            own = self.names.get(cell.name)
            # A cell may define again what another one has settled: that stays as it was tried.
            self.names.update(self.settled)
            if cell.name in self.worked:
                if own is self.settled[cell.name] and found[cell.name].own:
                    continue  # the second half of a cell that was split
                found[cell.name] = self._verdict(cell, own, stopped)
                self.settled[cell.name] = own if found[cell.name].own else self.worked[cell.name]
                self.names.update(self.settled)
            elif stopped and not cell.name and not self.notes:  # one; others may follow from it
                first = cell.source.strip().partition("\n")[0][:60]
                self.notes.append(f"A given cell {stopped}: {first}")
        return tuple(found.values())

    def _verdict(self, cell: _Cell, own: Any, stopped: str) -> Verdict:
        """Try what a cell has defined, or say why there is nothing to try."""
        name = cell.name
        if own is self.settled[name]:
            written = progress.STUB not in cell.source
            reason = "its cell does not define it" if written else "not written yet"
            return Verdict(name, False, f"its cell {stopped}" if stopped else reason)
        self.names[name] = own
        passed, mistake, message = self._check(name, own)
        if passed:
            return Verdict(name, True)
        if mistake == "not_written":
            return Verdict(name, False, "not written yet")
        return Verdict(name, False, "does not pass its check", message)

    def _check(self, name: str, function: Any) -> tuple[bool, str | None, str]:
        try:
            outcome = run_check(self.lab, name, function)
        except Exception as error:  # what it returned cannot even be looked at
            return False, None, f"{type(error).__name__}: {error}"
        return outcome.passed, outcome.mistake, outcome.message

    def _execute(self, cell: _Cell, filename: str) -> str:
        """Run one cell; why it stopped, in a few words, or nothing."""
        try:
            source = _python(cell.source)
            lines = source.splitlines(keepends=True)
            # So that an error in it shows the student's line, now and later.
            linecache.cache[filename] = (len(source), None, lines, filename)
            with time_limit(CELL_SECONDS):
                exec(compile(source, filename, "exec", dont_inherit=True), self.names)
        except CallTimeout:
            return "does not come to an end"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() too
            text = f": {error}" if isinstance(error, NameError) else ""
            return f"stops with {type(error).__name__}{text}"
        return ""

    def together(self, verdicts: tuple[Verdict, ...]) -> dict[str, Any]:
        """The functions to use, the worked ones calling the student's own by their names.

        A worked version that fails its check with them stays as it came.
        """
        result = dict(self.settled)
        others = [verdict.name for verdict in verdicts if not verdict.own]
        if len(others) < len(result):
            copies = {
                name: _calling(result[name], result)
                for name in others
                if isinstance(result[name], types.FunctionType)
            }
            result.update((n, copy) for n, copy in copies.items() if self._check(n, copy)[0])
            for copy in copies.values():
                copy.__globals__.update(result)
        self.names.update(result)
        return result


def _calling(function: types.FunctionType, names: dict[str, Any]) -> types.FunctionType:
    """A copy of a function for which these global names mean something else."""
    copy = types.FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    functools.update_wrapper(copy, function)
    del copy.__wrapped__
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _python(source: str) -> str:
    """A cell's text as plain Python; IPython's own commands become calls of ``get_ipython``."""
    try:
        compile(source, "<cell>", "exec", dont_inherit=True)
        return source
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        # %%time and its like stand above code that counts.
        source = re.sub(r"\A\s*%%.*", "", source)
        return TransformerManager().transform_cell(source)


class _NoShell:
    """Stands in for IPython's shell in the cells: its commands do nothing a second time."""

    def __getattr__(self, name: str) -> Callable:
        return lambda *args, **kwargs: None


def _no_input(prompt: str = "") -> str:
    raise EOFError("nobody is asked anything here")


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What the cells print, show or warn about was seen in their own notebook."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(_Nowhere()))
        stack.enter_context(contextlib.redirect_stderr(_Nowhere()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if kernel_shell() is not None:
            from IPython.utils.capture import capture_output

            stack.enter_context(capture_output(stdout=False, stderr=False, display=True))
        yield


# --- what a student sees -------------------------------------------------------------------------


def _summary(taken: Taken) -> str:
    count, own = len(taken.verdicts), sum(verdict.own for verdict in taken.verdicts)
    if taken.notebook is None:
        return "The worked versions are used."
    whose = f"From {_shown(taken.notebook)}: "
    if own == count:
        return f"{whose}all {count} functions pass their checks, so your own are used."
    return f"{whose}{own} of {count} functions are your own; worked versions stand in for the rest."


def _shown(path: Path) -> str:
    try:
        return os.path.relpath(path).replace(os.sep, "/")
    except ValueError:  # another drive, on Windows
        return str(path)


def _use(verdict: Verdict) -> str:
    return "yours" if verdict.own else f"worked version: {verdict.reason}"


def _rows(taken: Taken) -> tuple[Verdict, ...]:
    """What the summary does not say yet."""
    mixed = taken.notebook is not None and not all(verdict.own for verdict in taken.verdicts)
    return taken.verdicts if mixed else ()


def _as_text(taken: Taken) -> str:
    width = max(map(len, taken.functions), default=0)
    rows = (f"  {verdict.name:<{width}}  {_use(verdict)}" for verdict in _rows(taken))
    return "\n".join([_summary(taken), *taken.notes, *rows])


def _as_html(lab: str, taken: Taken) -> str:
    text = "<br>".join(html.escape(line) for line in (_summary(taken), *taken.notes))
    body = ""
    for verdict in _rows(taken):
        use = html.escape(_use(verdict))
        if verdict.details:
            details = html.escape(verdict.details)
            use = f"<details><summary>{use}</summary><pre>{details}</pre></details>"
        left = 'style="text-align:left"'
        body += f"<tr><td {left}><code>{verdict.name}</code></td><td {left}>{use}</td></tr>"
    if not body:
        return f"<p>{text}</p>"
    label = f"Functions of {html.escape(lab)}"
    return f'<p>{text}</p><table aria-label="{label}"><tbody>{body}</tbody></table>'

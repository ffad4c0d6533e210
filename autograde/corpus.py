"""Measure the tests: put every correct and wrong solution of a corpus through real grading."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tokenize
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from autograde.errors import CourseError, check_writable

SEED = 0x5EED
KINDS = ("ok_", "bad_")


@dataclass(frozen=True)
class Item:
    """A corpus file and the exercise whose solution it is."""

    path: Path
    lab: str
    exercise: str


@dataclass(frozen=True)
class Result:
    """What grading made of one corpus file.

    `score` is None for a file that could not be graded: `message` is then the reason, and the file
    counts neither as correct nor as wrong.
    """

    exercise: str
    file: str
    score: float | None
    max: float
    visible_pass: bool
    mistake: str | None
    message: str

    @property
    def name(self) -> str:
        return f"{self.exercise}/{self.file}"

    @property
    def correct(self) -> bool:
        """Whether the file claims to be a correct solution."""
        return self.file.startswith("ok_")

    @property
    def lost(self) -> bool:
        """Whether it lost points in the hidden test."""
        return self.score is not None and self.score < self.max


def find_files(
    folder: Path, lab: str | None, exercises: dict[str, list[str]]
) -> tuple[list[Item], list[Path]]:
    """The corpus files below `folder`, and the Python files there that are named as none.

    Parameters
    ----------
    folder: the folder with ``<lab>/<exercise>/{ok,bad}_*.py``, or a lab's folder in it, or any
        folder with ``<exercise>/{ok,bad}_*.py`` whose exercises are those of one lab, or an
        exercise's folder
    lab: only this lab
    exercises: the names of each lab's exercises

    Raises
    ------
    CourseError when `folder` is none of these, or names a lab or an exercise that is not there
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise CourseError(f"{folder} {what}; give the folder that holds <lab>/<exercise>/*.py")
    if lab is not None and lab not in exercises:
        raise CourseError(f"unknown lab {lab!r}; labs: {', '.join(exercises)}")
    folder = Path(os.path.abspath(folder))  # "." has no name
    for depth in (2, 1, 0):
        found = [p for p in sorted(folder.glob("*/" * depth + "*.py")) if p.name[0] not in "._"]
        if any(path.name.startswith(KINDS) for path in found):
            break
    else:
        raise CourseError(
            f"no corpus files in {folder}: they are named {lab or '<lab>'}/<exercise>/ok_*.py "
            "and bad_*.py"
        )
    if depth == 2:
        found = [path for path in found if lab in (None, path.parents[1].name)]
        items = [Item(path, path.parents[1].name, path.parent.name) for path in found]
    else:
        above = folder if depth == 1 else folder.parent
        own = lab or _lab_of(above, {path.parent.name for path in found}, exercises)
        items = [Item(path, own, path.parent.name) for path in found]
    stray = [item.path for item in items if not item.path.name.startswith(KINDS)]
    items = [item for item in items if item.path.name.startswith(KINDS)]
    if not items:
        raise CourseError(f"{folder} holds no folder {lab} with files ok_*.py and bad_*.py")
    unknown = sorted({item.lab for item in items} - set(exercises))
    if unknown:
        raise CourseError(
            f"{folder} holds files for {', '.join(unknown)}; labs: {', '.join(exercises)} "
            "(--lab LAB takes one)"
        )
    for name in sorted({item.lab for item in items}):
        strange = {item.exercise for item in items if item.lab == name} - set(exercises[name])
        if strange:
            raise CourseError(
                f"{name} has no exercise {', '.join(sorted(strange))}; it has: "
                + (", ".join(exercises[name]) or "none with a hidden test")
            )
    return items, stray


def _lab_of(folder: Path, names: set[str], exercises: dict[str, list[str]]) -> str:
    """The lab whose exercises' folders `folder` holds, by its name or else by theirs."""
    if folder.name in exercises:
        return folder.name
    fitting = [lab for lab, own in exercises.items() if names <= set(own)]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(sorted(names))
    raise CourseError(
        f"{'more than one' if fitting else 'no'} lab has the exercises {listed}: give the folder "
        f"that holds <lab>/<exercise>/*.py, or --lab with one of {', '.join(exercises)}"
    )


def read_solution(path: Path) -> str:
    """A corpus file's text, decoded as Python would. ValueError says why it cannot be graded."""
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    except (SyntaxError, UnicodeDecodeError):
        raise ValueError("it is not UTF-8 text") from None
    if not text.strip():
        raise ValueError("the file is empty")
    return text


def run(
    items: list[Item],
    jobs: int,
    on_result: Callable[[Result], None] = lambda result: None,
    sandbox: str = "auto",
    *,
    course=None,
    make_executor: Callable[[int], Executor] | None = None,
    execute: Callable[[bytes], bytes] | None = None,
    judge=None,
) -> list[Result]:
    """Grade each file in place of its solution cell; return the results sorted by file.

    What keeps one file from being graded is that file's result and stops nothing else. Raises
    CourseError for what concerns all of them (no sandbox, a lab that is not built).
    `make_executor(jobs)`, `execute` and `judge` stand in for the real ones.
    """
    from autograde import pipeline
    from autograde.course import Course
    from autograde.intake import clean
    from autograde.sandbox.launcher import SandboxUnavailable
    from autograde.sandbox.probe import choose

    course = course or Course.open()
    results: list[Result] = []

    def add(item: Item, points: float, outcome) -> None:
        if isinstance(outcome, SandboxUnavailable):
            raise CourseError(str(outcome), status=1)
        exercise = f"{item.lab}/{item.exercise}"
        found = None if isinstance(outcome, Exception) else outcome.get(item.exercise)
        if found is None:
            reason = str(outcome) if isinstance(outcome, Exception) else "the lab does not test it"
            reason = clean(" ".join(reason.split())[:500] or type(outcome).__name__)
            result = Result(exercise, item.path.name, None, points, False, None, reason)
        else:
            result = Result(
                exercise, item.path.name, found.score, found.max, found.visible_pass is True,
                found.mistake or found.visible_mistake, clean(found.message),
            )  # fmt: skip
        results.append(result)
        on_result(result)

    if execute is None:
        try:
            sandbox = choose(sandbox)
        except SandboxUnavailable as error:
            raise CourseError(str(error), status=1) from None
    executor = (make_executor or _processes)(min(jobs, len(items)))
    try:
        for lab in dict.fromkeys(item.lab for item in items):
            points = {t.name: t.points for t in pipeline.load_lab(course, lab).tests}
            solved = solved_notebook(course, lab)
            work = []
            for item in (item for item in items if item.lab == lab):
                try:
                    notebook = with_solution(solved, item.exercise, read_solution(item.path))
                except ValueError as error:
                    add(item, points.get(item.exercise, 0.0), error)
                else:
                    work.append((item, notebook, [item.exercise]))
            for item, outcome in pipeline.grade_notebooks(
                work,
                lab,
                SEED,
                executor=executor,
                execute=execute,
                course=course,
                judge=judge,
                sandbox=sandbox,
            ):
                add(item, points.get(item.exercise, 0.0), outcome)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return sorted(results, key=lambda r: (r.exercise, r.file))


def _processes(jobs: int) -> Executor:
    from autograde.execution import end_with_parent

    # Spawned: a fork would inherit the judge's threads.
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=spawn, initializer=end_with_parent)


def solved_notebook(course, lab: str) -> dict:
    """Return the released notebook with the reference solution in every solution cell."""
    import nbformat

    from autograde import build

    source = build.source_notebook(course.solution_path(lab))
    notebook = json.loads(course.release_path(lab).read_text(encoding="utf-8"))
    solutions = {
        cell.metadata["nbgrader"]["grade_id"]: cell.source
        for cell in source.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    for cell in notebook["cells"]:
        meta = cell["metadata"].get("nbgrader", {})
        if meta.get("solution") and cell["cell_type"] == "code":
            if meta["grade_id"] not in solutions:
                raise CourseError(f"run: python -m autograde build {lab}", status=1)
            cell["source"] = solutions[meta["grade_id"]]
    nbformat.validate(notebook)
    return notebook


def with_solution(notebook: dict, exercise: str, text: str) -> dict:
    """Return a copy of ``notebook`` with ``text`` as one exercise's solution cell."""
    copy = {**notebook, "cells": [dict(cell) for cell in notebook["cells"]]}
    for cell in copy["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == exercise:
            cell["source"] = text
    return copy


def summary(results: list[Result]) -> dict:
    """Count per exercise and in total; ``harmed`` lists correct solutions that lost a point.

    Files that could not be graded stand in ``errors`` and in none of the counts.
    """

    def count(rows: list[Result]) -> dict:
        errors = [r.name for r in rows if r.score is None]
        rows = [r for r in rows if r.score is not None]
        wrong = [r for r in rows if not r.correct]
        killed = [r for r in wrong if r.lost]
        return {
            "correct": sum(r.correct for r in rows),
            "harmed": [r.name for r in rows if r.correct and r.lost],
            "misled": [r.name for r in rows if r.correct and not r.visible_pass],
            "wrong": len(wrong),
            "killed": len(killed),
            "caught": sum(not r.visible_pass for r in wrong),
            "named": sum(r.mistake is not None for r in killed),
            "survivors": [r.name for r in wrong if not r.lost],
            "errors": errors,
        }

    names = list(dict.fromkeys(r.exercise for r in results))
    return {
        "exercises": {name: count([r for r in results if r.exercise == name]) for name in names},
        "total": count(results),
    }


def as_json(results: list[Result]) -> str:
    """Return the results in the documented JSON form."""
    exercises: dict[str, dict] = {}
    for r in results:
        exercises.setdefault(r.exercise, {})[r.file] = {
            "score": r.score,
            "max": r.max,
            "visible_pass": r.visible_pass,
            "mistake": r.mistake,
            "message": r.message,
        }
    return json.dumps({"exercises": exercises}, indent=1) + "\n"


def table(counts: dict):
    """Return a rich table of the summary."""
    from rich.table import Table

    def share(part: int, whole: int) -> str:
        return f"{part}/{whole} ({part / whole:.0%})" if whole else "-"

    made = Table(title="mutation score")
    made.add_column("exercise")
    for heading in ("correct harmed", "wrong killed by hidden tests", "caught by visible check",
                    "named"):  # fmt: skip
        made.add_column(heading, justify="right")
    rows = [*counts["exercises"].items(), ("total", counts["total"])]
    for name, c in rows:
        made.add_row(
            name,
            f"{len(c['harmed'])}/{c['correct']}",
            share(c["killed"], c["wrong"]),
            share(c["caught"], c["wrong"]),
            share(c["named"], c["killed"]),
            end_section=name == rows[-2][0],
        )
    return made


@click.command("corpus")
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("--lab", metavar="LAB", help="Only this lab.")
@click.option("--json", "json_file", metavar="FILE", help="Write every result as JSON (-: stdout).")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Kernels at a time.")
@click.option("--unsandboxed", is_flag=True, help="Run the files with your own rights.")
def corpus_command(
    folder: str | None, lab: str | None, json_file: str | None, jobs: int | None, unsandboxed: bool
) -> int:
    """Put a corpus of correct and wrong solutions through grading and report what happened.

    DIR holds <lab>/<exercise>/ok_*.py and bad_*.py (default: the project's own corpus). Exit
    status 1 if a correct solution lost a point or a file could not be graded.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from autograde.course import Course
    from autograde.judge.mistakes import CORPUS

    if json_file and json_file != "-":
        check_writable(Path(json_file))
    course = Course.open()
    items, stray = find_files(Path(folder) if folder else CORPUS, lab, known_exercises(course))
    console = Console(stderr=True, highlight=False)
    for path in stray:
        click.echo(f"passed over: {path} (named neither ok_*.py nor bad_*.py)", err=True)
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("grading", total=len(items))
        results = run(
            items,
            jobs or os.cpu_count() or 1,
            lambda result: progress.advance(task),
            "none" if unsandboxed else "auto",
            course=course,
        )
    counts = summary(results)
    reasons = [f"{r.name}: not graded: {r.message}" for r in results if r.score is None]
    if json_file == "-":
        click.echo("\n".join(reasons), err=True, nl=bool(reasons))
        sys.stdout.write(as_json(results))
    else:
        if json_file:
            try:
                Path(json_file).write_text(as_json(results), encoding="utf-8")
            except OSError as error:
                raise CourseError(f"--json {json_file}: {error.strerror}") from None
        out = Console(highlight=False)
        out = out if out.is_terminal else Console(highlight=False, width=130)
        out.print(table(counts))
        for word, key in (
            ("correct, lost points", "harmed"),
            ("correct, failed by its visible check", "misled"),
            ("wrong, kept all points", "survivors"),
        ):
            for name in counts["total"][key]:
                out.print(f"{word}: {name}", soft_wrap=True)
        for line in reasons:
            out.print(line, soft_wrap=True, markup=False)
    return 1 if counts["total"]["harmed"] or counts["total"]["errors"] else 0


def known_exercises(course) -> dict[str, list[str]]:
    """The names of the exercises that have a hidden test, by lab; [] for a lab without any."""
    from autograde import judge

    known = {}
    for lab in course.labs():
        try:
            known[lab] = judge.exercises(lab)
        except ValueError:
            known[lab] = []
    return known

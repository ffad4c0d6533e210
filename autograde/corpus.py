"""Measure the tests: put every correct and wrong solution of a corpus through real grading."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from autograde.errors import CourseError

SEED = 0x5EED


@dataclass(frozen=True)
class Result:
    """What grading made of one corpus file."""

    exercise: str
    file: str
    score: float
    max: float
    visible_pass: bool
    mistake: str | None
    message: str

    @property
    def correct(self) -> bool:
        """Whether the file claims to be a correct solution."""
        return self.file.startswith("ok_")

    @property
    def lost(self) -> bool:
        """Whether it lost points in the hidden test."""
        return self.score < self.max


def find_files(folder: Path, lab: str | None) -> list[Path]:
    """Return the corpus files ``<lab>/<exercise>/{ok,bad}_*.py`` below ``folder``."""
    if not folder.is_dir():
        raise CourseError(f"no folder {folder}; give the folder that holds <lab>/<exercise>/*.py")
    pattern = f"{lab or '*'}/*/*.py"
    files = [p for p in sorted(folder.glob(pattern)) if p.name.startswith(("ok_", "bad_"))]
    if not files:
        raise CourseError(
            f"no corpus files in {folder}: they are named {lab or '<lab>'}/<exercise>/ok_*.py "
            "and bad_*.py"
        )
    return files


def run(files: list[Path], jobs: int, on_result=lambda result: None, sandbox: str = "auto"):
    """Grade each file in place of its solution cell; return the results sorted by file."""
    from autograde import judge, pipeline
    from autograde.course import Course
    from autograde.intake import clean

    course = Course.open()
    by_lab: dict[str, list[Path]] = {}
    for path in files:
        by_lab.setdefault(path.parents[1].name, []).append(path)
    results: list[Result] = []
    with ProcessPoolExecutor(jobs) as executor:
        for lab, paths in by_lab.items():
            course.check_lab(lab)
            solved = solved_notebook(course, lab)
            unknown = {p.parent.name for p in paths} - set(judge.exercises(lab))
            if unknown:
                raise CourseError(
                    f"{lab} has no exercise {', '.join(sorted(unknown))}; it has: "
                    + ", ".join(judge.exercises(lab))
                )
            work = (
                (path, with_solution(solved, path.parent.name, path), [path.parent.name])
                for path in paths
            )
            for path, outcome in pipeline.grade_notebooks(
                work, lab, SEED, executor=executor, sandbox=sandbox
            ):
                name = path.parent.name
                if isinstance(outcome, Exception):
                    raise CourseError(f"{path}: {outcome}", status=1)
                found = outcome[name]
                result = Result(
                    f"{lab}/{name}", path.name, found.score, found.max,
                    found.visible_pass is True, found.mistake or found.visible_mistake,
                    clean(found.message),
                )  # fmt: skip
                results.append(result)
                on_result(result)
    return sorted(results, key=lambda r: (r.exercise, r.file))


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
            cell["source"] = solutions[meta["grade_id"]]
    nbformat.validate(notebook)
    return notebook


def with_solution(notebook: dict, exercise: str, path: Path) -> dict:
    """Return a copy of ``notebook`` with the file's content as one exercise's solution cell."""
    copy = {**notebook, "cells": [dict(cell) for cell in notebook["cells"]]}
    for cell in copy["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == exercise:
            cell["source"] = path.read_text(encoding="utf-8")
    return copy


def summary(results: list[Result]) -> dict:
    """Count per exercise and in total; ``harmed`` lists correct solutions that lost a point."""

    def count(rows: list[Result]) -> dict:
        wrong = [r for r in rows if not r.correct]
        killed = [r for r in wrong if r.lost]
        return {
            "correct": sum(r.correct for r in rows),
            "harmed": [f"{r.exercise}/{r.file}" for r in rows if r.correct and r.lost],
            "misled": [f"{r.exercise}/{r.file}" for r in rows if r.correct and not r.visible_pass],
            "wrong": len(wrong),
            "killed": len(killed),
            "caught": sum(not r.visible_pass for r in wrong),
            "named": sum(r.mistake is not None for r in killed),
            "survivors": [f"{r.exercise}/{r.file}" for r in wrong if not r.lost],
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
    status 1 if a correct solution lost a point.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from autograde.judge.mistakes import CORPUS

    files = find_files(Path(folder) if folder else CORPUS, lab)
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("grading", total=len(files))
        results = run(
            files,
            jobs or os.cpu_count() or 1,
            lambda result: progress.advance(task),
            "none" if unsandboxed else "auto",
        )
    counts = summary(results)
    if json_file == "-":
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
    return 1 if counts["total"]["harmed"] else 0

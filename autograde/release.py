"""Make the zip that students get, and refuse to when anything in it gives an answer away."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from autograde.bundle import REPOSITORY, Bundle, in_order, labs_up_to, make
from autograde.cli import COURSE_OPTION
from autograde.course import Course
from autograde.errors import CourseError
from autograde.intake import one_line
from autograde.leaks import Answers

MAX_SHOWN = 40


class Refused(CourseError):
    """A lab that must not be given out as it is; `problems` says why, a line each."""

    def __init__(self, lab: str, problems: list[str]):
        first = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        super().__init__(f"{lab} cannot be released: {first}", status=1)
        self.problems = problems


def verified_bundle(course: Course, lab: str, known: dict[str, Answers] | None = None) -> Bundle:
    """The lab's bundle, all of it checked. Refused if it must not be given out.

    known: each lab's answers, filled here; for several bundles of one course they are read once.
    """
    bundle = make(course, lab)
    problems = list(bundle.problems)
    step = _out_of_step(course, lab)
    # A missing notebook is said once, with what to do about it.
    problems = [p for p in problems if not (step and p == f"{_notebook(lab)} is missing")]
    problems += [step] if step else []
    problems += given_away(course, bundle, {} if known is None else known)
    if problems:
        raise Refused(lab, problems)
    return bundle


def given_away(course: Course, bundle: Bundle, known: dict[str, Answers]) -> list[str]:
    """Every answer and hidden test of any lab that is in the bundle, as lines with its place.

    The notebook of a lab may show what an earlier lab asked for, as worked code; but no hidden
    test of it. Everything else must not hold what any lab asks for. An answer is a solution in
    solutions/, a correct one of tests/corpus/, and what the lab's judge computes with.
    """
    earlier = labs_up_to(course, bundle.lab)[:-1]
    found: list[str] = []
    for lab in in_order(course.labs()):
        try:
            answers = known[lab] if lab in known else known.setdefault(lab, answers_of(course, lab))
        except CourseError as error:
            found.append(f"cannot look for the answers of {lab}: {error}")
            continue
        for name, data in bundle.files.items():
            if name == _notebook(bundle.lab):
                lines = answers.in_file(name, data, tests_only=lab in earlier)
            else:
                lines = answers.in_file(name, data)
            found += [f"{name}: {line}" for line in lines]
    shared = Answers({"cells": []})
    for path in _judges():
        if path.stem not in course.labs():
            shared.add_functions(path.read_text(encoding="utf-8"), f"autograde/judge/{path.name}")
    for name, data in bundle.files.items():
        if name != _notebook(bundle.lab):
            found += [f"{name}: {line}" for line in shared.in_file(name, data)]
    return list(dict.fromkeys(found))


def answers_of(course: Course, lab: str) -> Answers:
    """What must not get out of a lab: its solutions and hidden tests, others' solutions, judges."""
    from autograde.build import source_notebook

    answers = Answers(source_notebook(course.solution_path(lab)), lab)
    for root in dict.fromkeys((course.root, REPOSITORY)):
        corpus = root / "tests" / "corpus" / lab
        if corpus.is_dir():
            for path in sorted(corpus.rglob("ok_*.py")):
                where = path.relative_to(root).as_posix()
                answers.add_functions(path.read_text(encoding="utf-8"), where)
            break
    for path in _judges():
        if path.stem == lab:
            answers.add_functions(path.read_text(encoding="utf-8"), f"autograde/judge/{path.name}")
    return answers


def _judges() -> list[Path]:
    return sorted((Path(__file__).resolve().parent / "judge").glob("*.py"))


def _notebook(lab: str) -> str:
    return f"notebooks/{lab}/{lab}.ipynb"


def _out_of_step(course: Course, lab: str) -> str | None:
    from autograde.build import out_of_step

    try:
        return out_of_step(course, lab)
    except CourseError as error:
        return str(error)


# --- the command ---------------------------------------------------------------------------------


@click.command("release")
@click.argument("labs", nargs=-1, metavar="LAB...")
@click.option("--all", "every", is_flag=True, help="Every lab of the course.")
@click.option("--output", metavar="FILE", help="Where to write it (default: autograde/bundles).")
@click.option("--check", is_flag=True, help="Write nothing; say whether it could be released.")
@COURSE_OPTION
def release_command(
    labs: tuple[str, ...], every: bool, output: str | None, check: bool, course_dir: str | None
) -> int:
    """Make autograde/bundles/LAB.zip, what a student gets: notebook, course_utils, README.

    All of it is searched for solutions and hidden tests first, of this lab and of the others; with
    one in it, nothing is written. The same repository gives the same bytes. Exit status: 1 when a
    lab was refused, 2 for wrong arguments.
    """
    course = Course.open(course_dir)
    if every and labs:
        raise CourseError("name labs or say --all, not both")
    if not (every or labs):
        raise CourseError(f"which lab? one or more of {', '.join(course.labs())}, or --all")
    names = course.labs() if every else [course.check_lab(lab) for lab in dict.fromkeys(labs)]
    if not names:
        raise CourseError(f"no labs: {course.solutions} is empty")
    names = in_order(names)
    target = Path(output).expanduser() if output else None
    if target and len(names) > 1 and not target.is_dir():
        raise CourseError(f"--output {output}: name a folder that exists, for {len(names)} labs")
    refused, known = 0, {}
    for lab in names:
        try:
            bundle = verified_bundle(course, lab, known)
        except Refused as refusal:
            refused += 1
            _echo_refusal(lab, refusal.problems)
            continue
        path = course.bundles / f"{lab}.zip"
        if target:
            path = target / f"{lab}.zip" if target.is_dir() else target
        _echo_bundle(course, bundle, path, None if check else _write(path, bundle.archive))
    return 1 if refused else 0


def _write(path: Path, data: bytes) -> bool:
    """Write the zip if it is not there already; did anything change? CourseError if it cannot."""
    from autograde.build import write_atomically

    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        write_atomically(path, data)
    except OSError as error:
        raise CourseError(f"{path} cannot be written: {error.strerror}", status=1) from None
    return True


def _echo_refusal(lab: str, problems: list[str]) -> None:
    click.echo(f"{lab} cannot be released:", err=True)
    for problem in problems[:MAX_SHOWN]:
        click.echo(f"  {one_line(problem)}", err=True)
    if len(problems) > MAX_SHOWN:
        click.echo(f"  and {len(problems) - MAX_SHOWN} more", err=True)


def _echo_bundle(course: Course, bundle: Bundle, path: Path, written: bool | None) -> None:
    lab, data = bundle.lab, bundle.archive
    shown = path.relative_to(course.root) if path.is_relative_to(course.root) else path
    state = {None: "could be released", True: "written", False: "unchanged"}[written]
    click.echo(f"{lab if written is None else shown} {state}: {len(bundle.files)} files, "
               f"{len(data):,} bytes")  # fmt: skip
    click.echo(f"sha256 {hashlib.sha256(data).hexdigest()}")
    for name, content in bundle.files.items():
        digest = hashlib.sha256(content).hexdigest()[:12]
        click.echo(f"  {len(content):>9,}  {digest}  {name}")
    for name in bundle.left_out:
        click.echo(f"  left out: {one_line(name)}", err=True)
    if written is not None:
        click.echo(
            f"Give students {path.name}. They unpack it into their folder of this course:\n"
            f"  python3 -m zipfile -e {path.name} labs\n"
            "and start in that folder, on Windows with py instead of python3:\n"
            "  python3 lab.py"
        )

"""`python -m autograde report LAB`: what a class got right and wrong, as a page and as tables."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import click

from autograde.cli import COURSE_OPTION, DB_OPTION


@click.command()
@click.argument("lab")
@click.option("--anonymous", is_flag=True, help="No student's id in the page; no CSV files.")
@COURSE_OPTION
@DB_OPTION
def report_command(lab: str, anonymous: bool, course_dir: str | None, db: str | None) -> None:
    """Report on LAB: a page for the instructor, and grades for an LMS.

    Writes to autograde/reports/LAB/: report.html, which needs no network; exercises.csv, a row
    per student and exercise; grades.csv with Moodle's columns and grades_canvas.csv with Canvas's.
    With --anonymous only the page, fit to be shown in class: no ids, code without comments.
    """
    from autograde.course import Course

    course = Course.open(course_dir, db)
    course.check_lab(lab)
    lines, paths = write_report(course, lab, anonymous=anonymous)
    for path in paths:
        click.echo(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else path)
    click.echo("\n".join(lines))


def write_report(
    course, lab_name: str, *, anonymous: bool = False, now: datetime | None = None
) -> tuple[list[str], list[Path]]:
    """Write a lab's report; the summary's lines and the files. CourseError before any grading."""
    from autograde import classdata, exports, reportpage
    from autograde.build import write_atomically
    from autograde.errors import CourseError
    from autograde.intake import shown
    from autograde.pipeline import load_lab

    lab = load_lab(course, lab_name)
    data = classdata.load(course, lab)
    codes = reportpage.read_codes(course, lab, data)
    page = reportpage.contents(data, codes, anonymous=anonymous, now=now)
    files = {"report.html": reportpage.render(page).encode("utf-8", "replace")}
    problems: list[str] = []
    if not anonymous:
        moodle = exports.lms_rows([data], "moodle")
        problems = exports.lms_problems(moodle)
        strangers = exports.not_enrolled(data)
        if strangers:
            problems.append(f"not on the roster: {', '.join(map(shown, strangers[:5]))}")
        files["exercises.csv"] = exports.to_csv(exports.exercise_rows(data))
        files["grades.csv"] = exports.to_csv(moodle)
        files["grades_canvas.csv"] = exports.to_csv(exports.lms_rows([data], "canvas"))
    folder = course.reports / lab_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # marks and names
        for name, content in files.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise CourseError(f"cannot write to {folder}: {error.strerror}", status=1) from None
    return summary(page, problems), [folder / name for name in files]


def summary(page: dict, problems: list[str]) -> list[str]:
    """The page in about ten lines of text; ids only in the problems."""
    from autograde.intake import one_line
    from autograde.reportpage import people, percent, points

    counts, totals = page["counts"], page["totals"]
    roster = f" ({counts['roster']} on the roster)" if counts["roster"] else ""
    lines = [
        f"{page['lab']}: {counts['handed_in']} handed in{roster}, {counts['graded']} graded, "
        f"{counts['refused']} refused, {counts['late']} late",
        f"needs you: {people(counts['open'], 'submission')} with answers to grade by hand, "
        f"{counts['errors']} failed in the grader, {counts['ungraded']} not graded yet, "
        f"{counts['unmatched']} collected from nobody on the roster",
    ]
    if totals["n"]:
        lines.append(
            f"points: median {points(totals['median'])} of {points(totals['of'])}, middle half "
            f"{points(totals['low'])} to {points(totals['high'])}, mean {points(totals['mean'])}"
            + (" (exercises only)" if totals["only_automatic"] else "")
        )
    lines += [f"{n}. {p['text']} [{p['detail']}]" for n, p in enumerate(page["lecture"], 1)]
    lines.append(
        f"near-identical wrong answers: {people(page['n_groups'], 'group')} of long ones, "
        f"{people(page['n_short_groups'], 'group')} of short ones"
    )
    weak = [e for e in page["exercises"] if e.discrimination is not None and e.discrimination < 0.2]
    if weak:
        names = ", ".join(f"{e.name} ({e.discrimination:.2f})" for e in weak[:3])
        lines.append(f"tells strong from weak students badly: {names}")
    elif page["exercises"] and page["exercises"][0].n:
        rates = ", ".join(f"{e.name} {percent(e.pass_rate)}" for e in page["exercises"])
        lines.append(f"all points: {rates}")
    lines += [f"grades.csv: {problem}" for problem in problems]
    return [one_line(line) for line in lines]

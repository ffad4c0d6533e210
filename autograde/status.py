"""`python -m autograde status`: how far each lab has come, and the command that comes next."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import click

from autograde.cli import COURSE_OPTION, DB_OPTION
from autograde.progress import CHANGED, ERROR, GRADED, NEW, REFUSED, UNUSABLE, Progress

COLUMNS = ("lab", "notebook", "released", "handed in", "graded", "by hand", "fed back", "late")
MAX_NAMES = 5
CHANGES = "graded, but the work, the lab or its tests have changed since"


@click.command("status")
@click.argument("lab", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, to stdout.")
@COURSE_OPTION
@DB_OPTION
def status_command(lab: str | None, as_json: bool, course_dir: str | None, db: str | None) -> int:
    """How far LAB (default: every lab) has come, and what to do next.

    Reads only, at any time, also while a class is being graded. In the table: is the notebook what
    its source generates; is there a bundle, of the notebook of today; how many handed in (of the
    roster), have a mark, wait for a person, have a page of feedback; how many were late.
    """
    from autograde import bundle, progress
    from autograde.course import Course
    from autograde.errors import CourseError

    course = Course.open(course_dir, db)
    labs = [course.check_lab(lab)] if lab else bundle.in_order(course.labs())
    if not labs:
        raise CourseError(f"no labs: {course.solutions} is empty")
    found = progress.survey(course, labs)
    source = click.get_current_context().get_parameter_source("db")
    typed = db if source == click.core.ParameterSource.COMMANDLINE else None
    advice = {p.lab: next_step(p, Options(course, course_dir, typed)) for p in found}
    if as_json:
        rows = [{**_plain(p), "why": advice[p.lab][0], "next": advice[p.lab][1]} for p in found]
        click.echo(json.dumps({"course": str(course.root), "labs": rows}, indent=1))
    else:
        click.echo("\n".join(lines(found, advice)))
    return 0


class Options:
    """How the commands that are shown have to name this course and gradebook."""

    def __init__(self, course, course_dir: str | None, db: str | None):
        self.course = course
        from autograde.database import without_password

        words = ["--course", course_dir] if course_dir is not None else []
        words += ["--db", without_password(db)] if db else []
        self.text = "".join(f" {shlex.quote(word)}" for word in words)

    def command(self, *words: str, db: bool = True) -> str:
        given = self.text if db else self.text.partition(" --db")[0]
        return f"python -m autograde {' '.join(words)}{given}"

    def jupyterlab(self) -> str:
        """Opens JupyterLab where it finds the course's nbgrader_config.py."""
        root = " --allow-root" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        inside = Path.cwd().resolve() == self.course.root
        return (
            "" if inside else f"cd {shlex.quote(str(self.course.root))} && "
        ) + f"jupyter lab{root}"


def next_step(p: Progress, options: Options) -> tuple[str, str]:
    """(why, command): what an instructor does next for a lab; no command if nothing is left."""
    lab = p.lab
    if p.notebook not in ("in step", "strays beside it", "not readable"):
        what = {"not built": "the notebook has not been built"}
        why = what.get(p.notebook, "notebooks/ is not what solutions/ generates")
        return why, options.command("build", lab, db=False)
    if p.notebook != "in step":
        return f"notebook: {p.notebook}", options.command("build", lab, "--check", db=False)
    if p.running:
        return "being graded or collected at this moment", options.command("status", lab)
    if not p.collected:
        if p.bundle == "none":
            return "not released", options.command("release", lab, db=False)
        if p.bundle == "old":
            changed = _listed(p.bundle_changed)
            return f"changed since the release: {changed}", options.command(
                "release", lab, db=False
            )
        where = "PATH: a folder or the LMS's zip; without it, nbgrader's exchange"
        return f"nobody has handed in ({where})", options.command("collect", lab, "PATH")
    waiting = [
        f"{p.count(state)} {words}"
        for state, words in ((NEW, "not graded"), (CHANGED, CHANGES), (ERROR, "failed"))
        if p.count(state)
    ]
    if waiting:
        return ", ".join(waiting), options.command("grade", lab)
    if p.open_answers:
        why = f"{_many(p.open_answers, 'answer')} of {_many(p.open_students, 'student')} to grade"
        return f"{why} by hand: Nbgrader > Formgrader > Manual Grading", options.jupyterlab()
    if p.old_pages or p.pages < p.done:
        missing = p.done - p.pages
        parts = [f"{p.old_pages} older than the marks"] if p.old_pages else []
        parts += [f"{missing} missing"] if missing else []
        return f"feedback pages: {', '.join(parts)}", options.command("grade", lab)
    if p.report != "current":
        why = "all graded" if p.report == "none" else "the report is older than the marks"
        return why, options.command("report", lab)
    return "all graded, reported and fed back", ""


def lines(found: list[Progress], advice: dict[str, tuple[str, str]]) -> list[str]:
    """The table, and below each lab's row what is worth a word and the next command."""
    from autograde.intake import one_line

    table = [COLUMNS, *(row(p) for p in found)]
    widths = [max(len(r[column]) for r in table) for column in range(len(COLUMNS))]
    spelled = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in table]
    out = [spelled[0].rstrip()]
    for p, text in zip(found, spelled[1:], strict=True):
        why, command = advice[p.lab]
        out.append(text.rstrip())
        out += [f"  {one_line(remark)}" for remark in remarks(p)]
        out.append(f"  {one_line(why)}")
        if command:
            out.append(f"  next: {one_line(command)}")
    return out


def row(p: Progress) -> tuple[str, ...]:
    """A lab's row of the table."""
    released = "-" if p.released is None else f"{_local(p.released):%Y-%m-%d}"
    if p.bundle == "old":
        released += ", outdated" if p.released else "broken"
    handed_in = str(p.collected)
    if p.enrolled is not None:
        handed_in = f"{p.enrolled - (p.absent or 0)} of {p.enrolled}"
        strangers = p.collected - (p.enrolled - (p.absent or 0))
        handed_in += f" + {strangers}" if strangers > 0 else ""
    none = not p.collected
    graded = f"{p.done} of {p.collected}" + (", running" if p.running else "")
    pages = str(p.pages - p.old_pages) + (f" + {p.old_pages} old" if p.old_pages else "")
    return (
        p.lab,
        p.notebook if len(p.notebook) < 20 else "broken",
        released,
        "-" if none and not p.enrolled else handed_in,
        ("running" if p.running else "-") if none else graded,
        "-" if none else str(p.open_answers),
        "-" if none else pages,
        "-" if none else str(p.late),
    )


def remarks(p: Progress) -> list[str]:
    """What the table has no room for."""
    found = list(p.problems)
    when = f"due {_local(p.due):%Y-%m-%d %H:%M %Z}" if p.due else "no due date (duedates.csv)"
    parts = [when]
    if p.attempts > p.collected:
        parts.append(f"{p.attempts} attempts")
    if p.absent:
        parts.append(f"{p.absent} of the roster missing")
    if p.count(REFUSED):
        parts.append(f"{p.count(REFUSED)} refused (0 points)")
    found.append("; ".join(parts))
    if p.unmatched:
        found.append(
            f"{_many(p.unmatched, 'submission')} of people the roster does not know: complete "
            f"roster.csv, then python -m autograde collect {p.lab} --remap"
        )
    if p.count(ERROR):
        names = _listed(p.by_state[ERROR])
        found.append(f"the grader failed on {names}: see autograde/state/{p.lab}/errors")
    if p.count(UNUSABLE):
        names = _listed(p.by_state[UNUSABLE])
        found.append(f"no student's id, so not graded: rename the folder of {names}")
    if p.collected and p.bundle == "old":
        found.append(f"changed since the release: {_listed(p.bundle_changed)}")
    return found


def _listed(names: list[str]) -> str:
    from autograde.intake import shown

    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(map(shown, names[:MAX_NAMES])) + more


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number != 1 else ''}"


def _local(when: datetime) -> datetime:
    return when.replace(tzinfo=timezone.utc).astimezone()


def _plain(p: Progress) -> dict:
    """A lab as JSON: every field of Progress, times in ISO 8601 (UTC), counts by state."""
    values = asdict(p)
    for name in ("released", "due"):
        values[name] = values[name].isoformat() + "Z" if values[name] else None
    states = (GRADED, REFUSED, CHANGED, NEW, ERROR, UNUSABLE)
    values["by_state"] = {state: p.by_state.get(state, []) for state in states}
    values["collected"], values["graded"] = p.collected, p.done
    return values

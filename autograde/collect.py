"""The command `collect`: take in what a class has handed in."""

from __future__ import annotations

from pathlib import Path

import click

from autograde.cli import COURSE_OPTION, DB_OPTION
from autograde.course import ROSTER, Course
from autograde.intake import one_line

CHOICES = ("moodle", "canvas", "folder")


@click.command("collect")
@click.argument("lab")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--exchange", is_flag=True, help="From nbgrader's exchange (default without PATH).")
@click.option(
    "--lms", type=click.Choice(CHOICES), help="How PATH is laid out (default: found out)."
)
@click.option(
    "--roster", "roster_file", type=click.Path(path_type=Path), metavar="FILE",
    help=f"A roster, which becomes the course's ({ROSTER}).",
)  # fmt: skip
@click.option(
    "--times", "times_file", type=click.Path(path_type=Path), metavar="FILE",
    help="When work came in: Moodle's grading worksheet, or a CSV with lms_id and received.",
)  # fmt: skip
@click.option(
    "--timezone", "zone_name", metavar="ZONE",
    help="Of times that name none, like Europe/Berlin (default: this machine's).",
)  # fmt: skip
@click.option("--remap", is_flag=True, help="Only match again what is collected, by the roster.")
@click.option("--undo", is_flag=True, help="Take back what the last collect has brought.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing.")
@COURSE_OPTION
@DB_OPTION
def collect_command(
    lab: str,
    path: Path | None,
    exchange: bool,
    lms: str | None,
    roster_file: Path | None,
    times_file: Path | None,
    zone_name: str | None,
    remap: bool,
    undo: bool,
    dry_run: bool,
    course_dir: str | None,
    db: str | None,
) -> int:
    """Take in what a class handed in for LAB, from PATH or nbgrader's exchange.

    PATH is a folder (STUDENT/LAB.ipynb or STUDENT/LAB/LAB.ipynb, or an unpacked download), or the
    zip that Moodle or Canvas makes of all submissions. Every attempt is kept in
    autograde/collected; the newest of each student goes to autograde/submitted, where grade finds
    it. A work's time is that of --times or of the exchange, never one from a student's file.
    Collecting the same again changes nothing.

    The roster is a CSV with the column student, and any of lms_id, lms_id_LAB (Moodle numbers the
    participants of each assignment anew), login, email, first_name, last_name, full_name, and
    due_LAB, a student's own due date. Whose work it is that nobody on it fits is listed, kept, and
    taken in by --remap as soon as it does.

    Exit status: 0; 1 when some work could not be
    matched to a student; 2 for wrong arguments.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from autograde import times
    from autograde.collect_report import summary, table
    from autograde.collecting import collect

    course = Course.open(course_dir, db)
    course.check_lab(lab)
    if sum((bool(path), exchange, remap, undo)) > 1:
        raise click.UsageError("Give only one of PATH, --exchange, --remap and --undo.")
    if (times_file or lms) and not path:
        raise click.UsageError("--times and --lms go with a PATH.")
    zone = times.read_zone(zone_name)
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("collecting"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("collecting", total=None)
        report = collect(
            course,
            lab,
            path,
            lms=lms,
            roster_file=roster_file,
            times_file=times_file,
            zone=zone,
            remap=remap,
            undo=undo,
            dry_run=dry_run,
            on_start=lambda total: progress.update(task, total=total),
            on_done=lambda: progress.advance(task),
        )
    for line in (report.explanation, *report.warnings):
        console.print(one_line(line), markup=False, soft_wrap=True)
    out = Console(highlight=False)
    out = out if out.is_terminal else Console(highlight=False, width=160)
    out.print(table(report, zone))
    for line in summary(report, course):
        out.print(line, markup=False, soft_wrap=True)
    return 1 if report.unmatched else 0

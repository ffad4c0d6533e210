"""Give the feedback pages back: as a zip that Moodle or Canvas takes, or by nbgrader's exchange.

How an LMS tells whose page it is:
- Moodle, "Upload multiple feedback files in a zip": by the folder's name, as in its download,
  `Full Name_12345_assignsubmission_file/` (mod/assign/feedback/file/importziplib.php).
- Canvas, "Upload submissions": by the file's name, `name_USER_FILE_...`, with the number of a file
  that the student has handed in (generate_comments_from_files in app/models/assignment.rb).
"""

from __future__ import annotations

import hmac
import io
import os
import re
import secrets
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click

from autograde.build import write_atomically
from autograde.cli import COURSE_OPTION, DB_OPTION
from autograde.course import Course
from autograde.errors import CourseError

SECRET, TIMESTAMP = "submission_secret.txt", "timestamp.txt"
# Where to upload it, by the source that the submissions came from.
WHERE = {
    "moodle": "in the assignment: Upload multiple feedback files in a zip",
    "canvas": "in the gradebook, at the assignment: Upload submissions",
}
# The zip's one time for everything in it: the same pages give the same bytes.
THEN = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Page:
    """A feedback page and its place in the zip. source: moodle, canvas, or "" (by student id)."""

    student: str
    path: Path
    name: str
    source: str


def pages(course: Course, lab: str) -> list[Page]:
    """Every student's page of `lab`, named as the LMS it was collected from wants it."""
    attempts = _newest_attempts(course, lab)
    found = []
    for folder in sorted(course.feedback.glob(f"*/{lab}")):
        student = folder.parent.name
        path = course.feedback_path(student, lab)
        if path.is_file():
            name, source = _place(attempts.get(student), student, lab)
            found.append(Page(student, path, name, source))
    return found


def _newest_attempts(course: Course, lab: str, student: str = "*") -> dict:
    """The attempt that counts of each student, or of one."""
    from autograde.attempts import RECORD, Attempt, Store, newest

    by_student: dict[str, list] = {}
    for record in Store(course, lab).root.glob(f"{student}/*/{RECORD}"):
        if not record.parent.parent.name.startswith("."):
            by_student.setdefault(record.parent.parent.name, []).append(Attempt.read(record.parent))
    return {student: newest(attempts) for student, attempts in by_student.items()}


def _place(attempt, student: str, lab: str) -> tuple[str, str]:
    if attempt is not None:
        number = attempt.who.id
        # Neither LMS has `_` in a name, and splits at it.
        name = re.sub(r"[^\w .'-]|_", " ", attempt.who.name).strip() or "Participant"
        if attempt.who.lms == "moodle" and number.isdecimal():
            return f"{name}_{number}_assignsubmission_file/{lab}.html", "moodle"
        if attempt.who.lms == "canvas" and attempt.last.order:
            return f"{name}_{number}_{attempt.last.order}_{lab}.html", "canvas"
    return f"{student}/{lab}.html", ""


def packed(found: list[Page]) -> bytes:
    """The pages as a zip."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for page in found:
            archive.writestr(zipfile.ZipInfo(page.name, THEN), page.path.read_bytes(), 8)
    return data.getvalue()


def for_the_exchange(course: Course, lab: str, student: str) -> None:
    """Put beside a feedback page what nbgrader's release_feedback looks for there.

    The student's own secret, by which only they find the page; nbgrader would take it along from
    the submission, of which our configuration lets nothing through but the notebook. Who has none
    (it came from an LMS) gets one, since nbgrader stops at the first that is missing.
    """
    received = course.received(lab).get(student)
    folder = course.feedback_path(student, lab).parent
    places = [course.submission_dir(student, lab) / SECRET]  # where nbgrader collect puts it
    attempt = _newest_attempts(course, lab, student).get(student)
    if attempt is not None:  # collect keeps it beside the files
        places = sorted((attempt.folder / "other").glob(f"*-{SECRET}"))
    found = [secret for path in places if (secret := _secret(path))]
    secret = found[0] if found else _drawn(course, lab, student)
    write_atomically(folder / SECRET, secret.encode())
    write_atomically(folder / TIMESTAMP, (f"{received} UTC" if received else "").encode())


def _drawn(course: Course, lab: str, student: str) -> str:
    """A secret of ours, the same each time: nbgrader keeps the page of every other one."""
    path = course.state / "feedback.key"
    if not path.is_file():
        write_atomically(path, secrets.token_bytes(32))
        path.chmod(0o600)
    return hmac.new(path.read_bytes(), f"{lab}/{student}".encode(), "sha256").hexdigest()


def _secret(path: Path) -> str | None:
    """What nbgrader submit has drawn for a submission; None if that is not what lies there."""
    from autograde.intake import Refused, read_regular_file

    if not os.path.lexists(path):
        return None
    try:
        text = read_regular_file(path)[:500].decode("ascii").strip()
    except (Refused, UnicodeDecodeError):
        return None
    return text if re.fullmatch(r"[\w-]{16,200}", text) else None


def _waiting(course: Course, lab: str, found: list[Page]) -> int:
    """How many of the pages' students have an answer that a person has not graded yet."""
    from autograde.progress import read_gradebook

    marks = read_gradebook(course).get(lab, {})
    return sum(page.student in marks and bool(marks[page.student].open) for page in found)


@click.command("feedback")
@click.argument("lab")
@click.option("--output", metavar="FILE", help="Where to (default: autograde/reports/LAB).")
@COURSE_OPTION
@DB_OPTION
def feedback_command(lab: str, output: str | None, course_dir: str | None, db: str | None) -> int:
    """Pack the feedback pages of LAB into a zip that Moodle or Canvas hands out.

    Pages of work collected from Moodle or Canvas get the names that it knows, everyone else's lie
    in folders named like the students. The pages are those that grade has written: run it first.
    """
    course = Course.open(course_dir, db)
    found = pages(course, course.check_lab(lab))
    if not found:
        raise CourseError(
            f"no feedback pages of {lab}: run: python -m autograde grade {lab}", status=1
        )
    target = Path(output).expanduser() if output else course.reports / lab / "feedback.zip"
    try:
        write_atomically(target, packed(found))
    except OSError as error:
        raise CourseError(f"{target} cannot be written: {error.strerror}", status=1) from None
    shown = target.relative_to(course.root) if target.is_relative_to(course.root) else target
    click.echo(f"{shown}: {len(found)} pages, {target.stat().st_size:,} bytes")
    waiting = _waiting(course, lab, found)
    if waiting:
        click.echo(
            f"  {waiting} with an answer that nobody has graded yet: after the formgrader run "
            f"python -m autograde grade {lab}, then this again"
        )
    for source, count in sorted(Counter(page.source for page in found).items(), reverse=True):
        if source:
            click.echo(f"  {count} named for {source.capitalize()}. Upload {WHERE[source]}")
        else:
            click.echo(f"  {count} by student id, not collected from an LMS")
    return 0

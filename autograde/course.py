"""Where everything of a course lies: one object that knows the root and derives every path."""

from __future__ import annotations

import csv
import difflib
import glob
import importlib.util
import os
import re
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from autograde.errors import CourseError

SOURCE = "autograde/source"
RELEASE = "notebooks"
SUBMITTED = "autograde/submitted"
AUTOGRADED = "autograde/autograded"
FEEDBACK = "autograde/feedback"
# Every attempt ever collected, by lab and student; submitted/ holds the one that counts.
COLLECTED = "autograde/collected"
REPORTS = "autograde/reports"
BUNDLES = "autograde/bundles"
STATE = "autograde/state"
GRADEBOOK = "autograde/gradebook.db"
# The instructor's own calendar: columns lab, due.
DUE_DATES = "autograde/duedates.csv"
# Who is in the class: column student, and what autograde.roster documents.
ROSTER = "autograde/roster.csv"
# When the instructor's side received what: columns student, lab, received.
RECEIVED = "autograde/state/received.csv"

COURSE_ID = "policy_gradients"

# Of the pages that an instructor and a student see.
TEMPLATES = Path(__file__).resolve().parent / "templates"

# What nbgrader leaves in the place of a solution.
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
TEXT_STUB = "YOUR ANSWER HERE"


def find_own_tools() -> None:
    """Put this environment's programs on the PATH, as activating it would.

    nbgrader makes a new gradebook with the program `alembic`, which it looks up by name; without
    this, `.venv/bin/python -m autograde` fails unless the environment was activated before.
    """
    folder = str(Path(sys.executable).parent)
    if folder not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PATH")]))


# At import, because plain nbgrader reaches this module only through its configuration.
find_own_tools()


def find_root(start: Path | str | None = None) -> Path:
    """The course root: the nearest folder at or above `start` that has `solutions/`.

    Without one, the repository that this package lies in. So commands work from any folder
    inside a course.
    """
    here = Path(start or os.getcwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "solutions").is_dir() and (folder / "nbgrader_config.py").is_file():
            return folder
    repository = Path(__file__).resolve().parents[1]
    return repository if (repository / "solutions").is_dir() else here


@dataclass(frozen=True)
class Course:
    """A course on disk: `solutions/` and `notebooks/` (labs), `autograde/` (the class's data).

    `db` is a SQLAlchemy URL; by default SQLite at `autograde/gradebook.db`.
    """

    root: Path
    db: str | None = field(default=None, repr=False)  # may hold a password

    @classmethod
    def open(cls, root: Path | str | None = None, db: str | None = None) -> Course:
        """The course at `root`, or the one around the working directory.

        CourseError if there is none, or if the gradebook `db` cannot be used.
        """
        path = Path(root).expanduser().resolve() if root is not None else find_root()
        if not (path / "solutions").is_dir():
            raise CourseError(
                f"{path} is not a course (it has no folder solutions/); "
                "start in the course's folder or name it: --course DIR"
            )
        if db:
            from autograde.database import check

            check(db)
        return cls(path, db)

    # --- folders -----------------------------------------------------------------------
    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def pages_source(self) -> Path:
        return self.solutions / "pages"

    @property
    def source(self) -> Path:
        return self.root / SOURCE

    @property
    def release(self) -> Path:
        return self.root / RELEASE

    @property
    def submitted(self) -> Path:
        return self.root / SUBMITTED

    @property
    def autograded(self) -> Path:
        return self.root / AUTOGRADED

    @property
    def feedback(self) -> Path:
        return self.root / FEEDBACK

    @property
    def collected(self) -> Path:
        return self.root / COLLECTED

    @property
    def reports(self) -> Path:
        return self.root / REPORTS

    @property
    def bundles(self) -> Path:
        return self.root / BUNDLES

    @property
    def state(self) -> Path:
        return self.root / STATE

    @property
    def db_url(self) -> str:
        return self.db or f"sqlite:///{self.root / GRADEBOOK}"

    # --- labs --------------------------------------------------------------------------
    def labs(self) -> list[str]:
        """Names of the labs that have a source, sorted."""
        return sorted(path.stem for path in self.solutions.glob("*.py"))

    def pages(self) -> list[str]:
        """Names of the notebooks without exercises (solutions/pages), sorted."""
        return sorted(path.stem for path in self.pages_source.glob("*.py"))

    def page_path(self, page: str) -> Path:
        return self.release / f"{page}.ipynb"

    def check_lab(self, lab: str) -> str:
        """`lab` if it is one of the labs, else a CourseError that lists them."""
        labs = self.labs()
        if lab in labs:
            return lab
        listed = ", ".join(labs) or "none yet: solutions/ is empty"
        close = difflib.get_close_matches(lab, labs, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise CourseError(f"unknown lab {lab!r}; {hint}labs: {listed}")

    def solution_path(self, lab: str) -> Path:
        return self.solutions / f"{lab}.py"

    def source_path(self, lab: str) -> Path:
        return self.source / lab / f"{lab}.ipynb"

    def release_path(self, lab: str) -> Path:
        return self.release / lab / f"{lab}.ipynb"

    def submission_dir(self, student: str, lab: str) -> Path:
        return self.submitted / student / lab

    def autograded_path(self, student: str, lab: str) -> Path:
        return self.autograded / student / lab / f"{lab}.ipynb"

    def feedback_path(self, student: str, lab: str) -> Path:
        return self.feedback / student / lab / f"{lab}.html"

    # --- dates, from the instructor's side only -----------------------------------------
    def due(self, lab: str, student: str | None = None) -> datetime | None:
        """When `lab` is due, in UTC without time zone, from autograde/duedates.csv.

        For a student with a date of their own in the roster (column due_LAB), that one.
        """
        if student is not None:
            from autograde.roster import load

            roster = load(self)
            own = roster.due(student, lab) if roster else None
            if own is not None:
                return own
        path = self.root / DUE_DATES
        if not path.is_file():
            return None
        from autograde.tables import read_table

        table = read_table(path, DUE_DATES)
        if not {"lab", "due"} <= set(table.columns):
            raise CourseError(f"{DUE_DATES}: its first line must name the columns lab, due")
        for row in table.rows:
            if row["lab"] == lab:
                return parse_due(row["due"], f"{DUE_DATES}: line {row.number}")
        return None

    def received(self, lab: str) -> dict[str, datetime]:
        """When each student's `lab` came in, UTC; students without a record are left out.

        Read from autograde/state/received.csv, which the instructor's collecting writes; never
        from the timestamp.txt in a submission, which its author can set.
        """
        return {
            row["student"]: parse_time(row["received"], RECEIVED)
            for row in _rows(self.root / RECEIVED, ("student", "lab", "received"))
            if row["lab"] == lab
        }

    # --- nbgrader ----------------------------------------------------------------------
    def nbgrader_config(self):
        """The traitlets Config with which every nbgrader app and converter sees this course."""
        from traitlets.config import Config

        c = Config()
        configure(c, self)
        return c


def configure(c, course: Course) -> None:
    """Write this course into a traitlets Config `c` (used by nbgrader_config.py too).

    Everything of ours comes in through nbgrader's extension points: exporter classes and
    preprocessor lists. They are named by strings, so that a server that only reads the
    configuration does not import them.
    """
    c.CourseDirectory.root = str(course.root)
    c.CourseDirectory.course_id = COURSE_ID
    c.CourseDirectory.source_directory = SOURCE
    c.CourseDirectory.release_directory = RELEASE
    c.CourseDirectory.submitted_directory = SUBMITTED
    c.CourseDirectory.autograded_directory = AUTOGRADED
    c.CourseDirectory.feedback_directory = FEEDBACK
    c.CourseDirectory.db_url = course.db_url
    c.CourseDirectory.ignore = [
        ".ipynb_checkpoints",
        "*.pyc",
        "__pycache__",
        "feedback",
        # Absolute globs: nbgrader's converters match them against full paths, its exchange only
        # against base names. So nothing beside the notebook is ever copied out of a submission
        # (symlinks would be followed), while collecting works as usual.
        os.path.join(glob.escape(str(course.submitted)), "*", "*"),
    ]
    c.ZipCollectApp.extractor_plugin = "autograde.lms.SafeExtractor"
    c.ClearSolutions.code_stub = {"python": CODE_STUB}
    c.ClearSolutions.text_stub = TEXT_STUB
    c.Autograde.exporter_class = "autograde.exporter.SubmissionExporter"
    c.Autograde.sanitize_preprocessors = [
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.OverwriteKernelspec",
        "nbgrader.preprocessors.OverwriteCells",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    c.Autograde.autograde_preprocessors = [
        "autograde.preprocessors.IsolatedExecute",
        "autograde.preprocessors.RecordReceived",
        "nbgrader.preprocessors.LimitOutput",
        "autograde.preprocessors.SaveGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    c.Autograde.pre_convert_hook = "autograde.exporter.name_the_notebook"
    c.GenerateFeedback.exporter_class = "autograde.exporter.FeedbackExporter"
    c.GenerateFeedback.preprocessors = [
        "autograde.preprocessors.StripHiddenTests",
        "autograde.preprocessors.Grades",
        "autograde.preprocessors.ForTheExchange",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    # For the feedback pages, and for the formgrader's view of what a student has written.
    c.HTMLExporter.preprocessors = ["autograde.preprocessors.SafeHTML"]
    c.HTMLExporter.sanitize_html = True
    # Templates that load nothing from other machines: the formgrader's page, then the feedback's.
    c.HTMLExporter.extra_template_basedirs = [str(TEMPLATES), str(nbgrader_templates())]
    c.HTMLExporter.template_name = "course_formgrade"
    c.FeedbackExporter.template_name = "course_feedback"


def nbgrader_templates() -> Path:
    """Where nbgrader's own page templates lie, found without importing nbgrader."""
    (package,) = importlib.util.find_spec("nbgrader").submodule_search_locations
    return Path(package) / "server_extensions" / "formgrader" / "templates"


def parse_time(text: str, where: str) -> datetime:
    """A time in ISO 8601 (with or without zone; without: UTC) as naive UTC. CourseError if not."""
    cleaned = re.sub(r"\s+UTC$|Z$", "+00:00", text.strip())
    try:
        when = datetime.fromisoformat(cleaned)
    except ValueError:
        raise CourseError(
            f"{where}: {text!r} is not a time; write it like 2026-05-31T23:59+02:00"
        ) from None
    if when.tzinfo is not None:
        when = when.astimezone(timezone.utc).replace(tzinfo=None)
    return when


def parse_due(text: str, where: str) -> datetime:
    """A due date as `parse_time` reads it; not a day alone, which would end as it begins."""
    when = parse_time(text, where)
    if not re.search(r"[T ]\d", text.strip()):
        raise CourseError(f"{where}: {text!r} has no time of day; write it like {text}T23:59+02:00")
    return when


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        missing = [name for name in columns if name not in (reader.fieldnames or [])]
        if missing:
            raise CourseError(f"{path}: its first line must name the columns {', '.join(columns)}")
        return [{name: (row[name] or "").strip() for name in columns} for row in reader]

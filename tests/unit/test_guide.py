"""The instructor's guide says what is so: its commands exist, its links lead somewhere, it runs."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import mini
import pytest
import zips

from autograde import aside, cli, course, executors, grade, pipeline
from autograde.course import Course

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "instructors.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.strip()
]
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
OURS = "python -m autograde "
# Programs of the system that the guide may use.
SYSTEM = ["sudo", "systemd-run", "cp", "export", "ls", "mkdir", "rm", "tar", ".", "jupyter"]
EDITOR = "$EDITOR"


def ours(line: str) -> tuple[click.Command, list[str]]:
    """The command of ours that a line calls, and its arguments."""
    name, *arguments = shlex.split(line.removeprefix(OURS))
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command is not None, line
    return command, arguments


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


# --- what it says exists -----------------------------------------------------------------------


@pytest.mark.parametrize("line", sorted({c for c in COMMANDS if c.startswith(OURS)}))
def test_every_command_of_ours_takes_the_arguments_that_it_is_given(line):
    command, arguments = ours(line)
    command.make_context(command.name, arguments)  # raises for an unknown or missing one


def test_every_other_command_exists():
    from nbgrader.apps.nbgraderapp import NbGraderApp

    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        if line.startswith(OURS):
            continue
        if program == "nbgrader":
            app, _ = NbGraderApp.subcommands[arguments[0]]
            known = {f"--{alias}" for alias in app.aliases if isinstance(alias, str)}
            for argument in arguments[1:]:
                assert not argument.startswith("--") or argument.split("=")[0] in known, line
        elif program == "make":
            assert set(arguments) <= set(targets), line
        elif Path(program).name.startswith("python"):
            assert arguments[:2] in (["-m", "zipfile"], ["-m", "pip"]), line
            for extra in re.findall(r"\.\[(\w+)\]", line):
                assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text(), re.M)
        elif program == "dask":
            from distributed.cli import dask_scheduler, dask_worker

            kinds = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
            kinds[arguments[0]].make_context(arguments[0], arguments[1:])
        else:
            assert program in [*SYSTEM, EDITOR], line


def test_options_named_in_the_text_exist_and_those_of_grade_are_all_named():
    known = set()
    for name in cli.cli.list_commands(click.Context(cli.cli)):
        command = cli.cli.get_command(click.Context(cli.cli), name)
        known |= {option for parameter in command.params for option in parameter.opts}
    named = set(re.findall(r"`(?:[^`\n]* )?(--[a-z-]+)", TEXT))
    assert named and named <= known, named - known
    everywhere = set(re.findall(r"--[a-z-]+", TEXT))
    missing = {o for p in ours(f"{OURS}grade lab5_ppo")[0].params for o in p.opts if o[0] == "-"}
    assert missing <= everywhere, missing - everywhere


def test_every_command_of_ours_is_in_the_guide():
    listed = cli.cli.list_commands(click.Context(cli.cli))
    assert [name for name in listed if f"{OURS}{name}" not in TEXT] == []


def test_links_and_anchors_lead_somewhere():
    anchors = {slug(heading) for heading in re.findall(r"^#+ (.+)$", PROSE, flags=re.MULTILINE)}
    links = re.findall(r"\]\(([^)\s]+)\)", PROSE)
    assert len(links) > 15
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = GUIDE.parent / path
            assert target.is_file(), link
            if anchor:
                headings = re.findall(r"^#+ (.+)$", target.read_text(), flags=re.MULTILINE)
                assert anchor in {slug(heading) for heading in headings}, link


def test_paths_are_those_of_the_course():
    here = Course(Path("/c"))
    known = {
        course.SUBMITTED, course.AUTOGRADED, course.FEEDBACK, course.COLLECTED, course.REPORTS,
        course.BUNDLES, course.STATE, course.GRADEBOOK, course.DUE_DATES, course.ROSTER,
        "autograde/judge", str(here.reports.relative_to("/c")),
    }  # fmt: skip
    for path in re.findall(r"\bautograde/[\w./-]+", TEXT):
        clean = path.rstrip("./")
        assert any(clean == p or clean.startswith(f"{p}/") for p in known), path
    # What is said to be kept out of git is.
    ignored = (ROOT / ".gitignore").read_text()
    for path in known - {"autograde/judge"}:
        assert path in ignored, path


def test_it_reads_like_the_rest():
    """Lines as wide as the repository's; nothing but the characters of plain text."""
    for number, line in enumerate(TEXT.splitlines(), start=1):
        long_ok = line.startswith(("|", "![", "python -m", "cp ", "rm "))
        assert len(line) <= 110 or long_ok or "http" in line, number
    assert re.findall(r"[^\x00-\x7f·]", TEXT) == []


# --- a semester --------------------------------------------------------------------------------


class InThisProcess(executors.Local):
    """Workers that are this process, and no sandbox."""

    def wall(self, sandbox):
        return sandbox

    def start(self, sandbox):
        pass

    def make(self, jobs):
        return mini.Serial()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with the miniature course, what an LMS gave, and fakes of engine and judge."""
    folder = mini.make_course(tmp_path / "course")
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write(f"c.Exchange.root = {str(exchange)!r}\n")
    downloads = tmp_path / "home" / "Downloads"
    downloads.mkdir(parents=True)
    half = "def square(x):\n    return abs(x) * 3.0"
    zips.write(
        downloads / "submissions.zip",
        {
            f"{who}_assignsubmission_file/{mini.LAB}.ipynb": json.dumps(notebook).encode()
            for who, notebook in {
                "Ann Lee_101": mini.solved(folder),
                "Bob Ng_102": mini.solved(folder, square=half),
            }.items()
        },
    )
    (downloads / "grades.csv").write_text(
        "Identifier,Full name,Email address,Last modified (submission)\n"
        'Participant 101,Ann Lee,ann@uni.example,"Sunday, 31 May 2026, 5:00 PM"\n'
        'Participant 102,Bob Ng,bob@uni.example,"Monday, 1 June 2026, 5:00 PM"\n'
    )
    (downloads / f"{mini.LAB}.ipynb").write_text(json.dumps(mini.solved(folder)))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "home" / ".jupyter"))
    monkeypatch.setattr(grade, "Aside", lambda processes: aside.Here(mini.FakeJudge()))
    monkeypatch.setattr(aside, "Aside", grade.Aside)
    monkeypatch.setattr(pipeline, "default_judge", mini.FakeJudge)
    monkeypatch.setattr(pipeline, "default_execute", lambda: mini.fake_execute)
    monkeypatch.setattr(executors, "Local", InThisProcess)
    monkeypatch.setattr(grade, "_wall", lambda sandbox: sandbox)
    return tmp_path / "home"


def nbgrader(arguments: list[str]) -> int:
    from nbgrader.apps.nbgraderapp import NbGraderApp

    app_class, _ = NbGraderApp.subcommands[arguments[0]]
    app_class.clear_instance()
    app = app_class.instance()
    try:
        app.initialize(arguments[1:])
        app.start()
    except SystemExit as error:
        return error.code or 0
    finally:
        app.deinit_logging()
        app_class.clear_instance()
    return 0


# Of the guide's lines, those that this test cannot do with a course of one small lab: they install,
# open a browser, need a hub, a cluster or a database server, or the lab's own judge and corpus.
ELSEWHERE = re.compile(
    r"python -m autograde (demo|checks|corpus|release|leaderboard)|sudo |systemd-run |make "
    r"|jupyter |\$EDITOR|\. |python3 |/opt/|python -m pip |dask |export |.*--executor|.*--exchange"
)


def do(line: str) -> int | None:
    """The exit status of a line of the guide; None for one that is not for here."""
    line = line.replace("lab5_ppo", mini.LAB)
    if ELSEWHERE.match(line):
        return None
    if line.startswith(OURS):
        words = [os.path.expanduser(w) for w in shlex.split(line.removeprefix(OURS))]
        return cli.main(words)
    if line.startswith("nbgrader "):
        return nbgrader(shlex.split(line)[1:])
    return subprocess.run(["/bin/sh", "-ec", line], check=False).returncode


@pytest.mark.skipif(os.name != "posix", reason="a shell")
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_a_semester_by_the_guide(home, capfd):
    """Every line in its order, with the roster and the dates of the guide."""
    here = Course(Path.cwd())
    (here.root / "autograde").mkdir(exist_ok=True)
    roster, dates = (block.replace("lab5_ppo", mini.LAB) for kind, block in BLOCKS if kind == "csv")
    (here.root / course.ROSTER).write_text(roster)
    (here.root / course.DUE_DATES).write_text(dates)
    done = 0
    for line in COMMANDS:
        if line.startswith("rm -r autograde/collected"):
            check_the_class(here, home)
        status = do(line)
        out, err = capfd.readouterr()
        assert status in (0, None), (line, out[-2000:], err[-2000:])
        done += status == 0
    assert done > 25
    # The last lines have deleted the class, and nothing else.
    left = sorted(path.name for path in (here.root / "autograde").iterdir())
    assert left == ["duedates.csv", "source"]
    assert (home / f"marks-{mini.LAB}.csv").is_file()
    assert list(home.glob("class-*.tar.gz"))


def check_the_class(here: Course, home: Path) -> None:
    """Before it is deleted: everyone has a mark, a page and a line in the LMS's table."""
    with (here.reports / mini.LAB / "grades.csv").open(newline="") as file:
        rows = {row["ID number"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"ann", "bob"}
    for student, points in (("ann", "5 of 6"), ("bob", "1 of 6")):
        assert points in rows[student][f"{mini.LAB} status"]
        assert "not graded yet" in here.feedback_path(student, mini.LAB).read_text()
    # bob's own due date is later than the day on which he handed in.
    assert here.due(mini.LAB, "bob") > here.due(mini.LAB)
    pages = list((Path(home).parent / "exchange" / course.COURSE_ID / "feedback").glob("*.html"))
    assert len(pages) == 2
    assert shutil.which("tar")

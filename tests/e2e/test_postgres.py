"""A gradebook in PostgreSQL: a real server, started for these tests, thrown away afterwards."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import mini
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory

from autograde import cli
from autograde.course import COURSE_ID, Course

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="PostgreSQL's own programs on POSIX"),
]
PASSWORD = "open sesame: 50%"
QUOTED = "open%20sesame%3A%2050%25"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them out of the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += map(Path, sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


class Server:
    """A PostgreSQL server with one user, `course`, who has to give a password."""

    def __init__(self, bin_: Path) -> None:
        self.bin = bin_
        # Not pytest's folder: the server refuses to be root, and another user has to get in.
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self.user = None
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in names else "nobody"
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = self.folder / "data"
        self.run("initdb", "-D", self.data, "-U", "course", "-A", "scram-sha-256", "-E", "UTF8",
                 "--pwfile", password, "--no-sync")  # fmt: skip
        password.unlink()
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-o", options, "-l", self.folder / "log", "-w", "start")

    def run(self, program: str, *arguments: str | Path) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [self.bin / program, *arguments],
            user=self.user,
            extra_groups=[] if self.user else None,
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if program == "initdb" else None,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout

    def url(self, password: str | None = QUOTED, port: int | None = None) -> str:
        user = "course" if password is None else f"course:{password}"
        return f"postgresql+psycopg://{user}@127.0.0.1:{port or self.port}/postgres"

    def stop(self) -> None:
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):
            self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server():
    folder = programs()
    if folder is None:
        if os.environ.get("REQUIRE_POSTGRES"):
            pytest.fail("REQUIRE_POSTGRES is set, and there is no PostgreSQL server")
        pytest.skip("there is no PostgreSQL server (Debian's package: postgresql)")
    server = Server(folder)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = mini.make_course(tmp_path_factory.mktemp("course"))
    mini.hand_in(folder, "ann", mini.solved(folder))
    half = "def square(x):\n    return abs(x) * 3.0"
    mini.hand_in(folder, "bob", mini.solved(folder, square=half))
    mini.hand_in(folder, "cat", mini.release(folder))
    mini.hand_in(folder, "zoë", b"PK\x03\x04")
    return folder


@pytest.fixture
def folder(base, tmp_path, monkeypatch):
    shutil.copytree(base, tmp_path / "c")
    mini.run_in_this_process(monkeypatch)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    return tmp_path / "c"


def marks(course: Course) -> dict:
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        return {
            s.student.id: {
                g.name: (g.auto_score, g.manual_score, g.needs_manual_grade)
                for n in s.notebooks
                for g in n.grades
            }
            for s in gradebook.find_assignment(mini.LAB).submissions
        }


def formgrader(course: Course) -> list[list[str]]:
    """What nbgrader's formgrader asks the gradebook for, but for the random ids of its rows."""
    api = NbGraderAPI(CourseDirectory(config=course.nbgrader_config()))
    found = [api.get_assignments(), api.get_students(), api.get_submissions(mini.LAB)]
    found.append(api.get_notebook_submissions(mini.LAB, mini.LAB))
    random = ("id", "index")
    return [
        sorted(repr([item for item in row.items() if item[0] not in random]) for row in rows)
        for rows in found
    ]


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_a_class_graded_twice_has_the_marks_that_sqlite_has(server, folder, capsys, monkeypatch):
    command = ["grade", mini.LAB, "--course", str(folder)]
    monkeypatch.setenv("COURSE_DB", server.url())
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    course = Course(folder, server.url())
    first = marks(course)
    assert first["ann"]["test_square"] == (2.0, None, False)
    assert first["bob"]["test_square"] == (1.0, None, False)
    assert set(first["zoë"].values()) == {(0.0, None, False)}

    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        mark = gradebook.find_grade("why_positive", mini.LAB, mini.LAB, "ann")
        mark.manual_score, mark.needs_manual_grade = 0.5, False
        gradebook.db.commit()
    assert cli.main(command) == 0
    assert "ann: 5.5/6 (unchanged)" in capsys.readouterr().err
    assert cli.main([*command, "--force"]) == 0
    assert "ann: 5.5/6" in capsys.readouterr().err
    assert not (folder / "autograde" / "gradebook.db").exists()
    for what in ("status", "report"):
        arguments = [what, *([mini.LAB] if what == "report" else []), "--course", str(folder)]
        assert cli.main(arguments) == 0
        more = capsys.readouterr()
        out, err = out + more.out, err + more.err

    monkeypatch.delenv("COURSE_DB")
    assert cli.main(command) == 0
    sqlite = Course(folder)
    assert marks(sqlite) == first
    with Gradebook(sqlite.db_url, COURSE_ID) as gradebook:
        mark = gradebook.find_grade("why_positive", mini.LAB, mini.LAB, "ann")
        mark.manual_score, mark.needs_manual_grade = 0.5, False
        gradebook.db.commit()
    assert marks(sqlite) == marks(course)
    assert formgrader(sqlite) == formgrader(course)
    # The password went nowhere.
    written = [p for p in (folder / "autograde").rglob("*") if p.is_file() and p.suffix != ".db"]
    texts = [out, err, *(p.read_bytes().decode("utf-8", "replace") for p in written)]
    assert len(written) > 10
    assert not any("sesame" in text for text in texts)


def test_another_password_grades_nothing_anew(server, folder, capsys):
    command = ["grade", mini.LAB, "--course", str(folder), "--student", "ann", "--db"]
    assert cli.main([*command, server.url()]) == 0
    capsys.readouterr()
    # libpq takes a password from PGPASSWORD or ~/.pgpass, so that no list of processes shows it.
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    code = (
        "import sys, mini, pytest; from autograde import cli;"
        "mini.run_in_this_process(pytest.MonkeyPatch()); sys.exit(cli.main(sys.argv[1:]))"
    )
    path = os.pathsep.join([str(Path(mini.__file__).parent), str(Path(cli.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", code, *command, server.url(None)],
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "(unchanged)" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda s: s.url("open%20barley"), "password authentication failed"),
        (lambda s: s.url(None), "no password supplied"),
        (lambda s: s.url(port=1), "does not answer"),
        (lambda s: s.url() + "x", 'database "postgresx" does not exist'),
        (lambda s: s.url().replace("psycopg:", "pg8001:"), "postgresql+psycopg"),
        (lambda s: s.url().replace("open%20", "open@"), "%40"),
        (lambda s: "open sesame", "not a SQLAlchemy URL"),
    ],
)
def test_what_is_wrong_is_one_line_without_the_password(server, folder, capsys, wrong, said):
    status = cli.main(["grade", mini.LAB, "--course", str(folder), "--db", wrong(server)])
    out, err = capsys.readouterr()
    assert status in (1, 2) and out == ""
    assert said in err and len(err.strip().splitlines()) == 1
    assert "sesame" not in err and "barley" not in err
    assert not list((folder / "autograde").glob("state/*"))


def test_a_driver_that_is_not_installed_is_named(server, folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert cli.main(["grade", mini.LAB, "--course", str(folder), "--db", server.url()]) == 2
    err = capsys.readouterr().err
    assert "pip install '.[postgres]'" in err and len(err.strip().splitlines()) == 1

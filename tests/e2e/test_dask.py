"""Grading on a real Dask cluster: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mini
import psutil
import pytest

from autograde import cli, demo, executors, grade
from autograde.course import Course
from autograde.errors import CourseError

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kills processes"),
]
ROOT = Path(__file__).resolve().parents[2]
SECRET = "the instructor's secret"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


class Cluster:
    """`dask scheduler` and `dask worker` as an instructor would start them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.processes: list[subprocess.Popen] = []
        self.scheduler = self.start("scheduler", "--port", str(self.port), "--no-dashboard")
        wait_until(lambda: reachable("127.0.0.1", self.port))

    def start(self, *arguments: str, path: Path = ROOT) -> subprocess.Popen:
        folders = [str(path), str(Path(mini.__file__).parent)]
        number = len(self.processes)
        with (self.folder / f"{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "COURSE_DB": SECRET},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def worker(self, port: int | None = None, path: Path = ROOT) -> subprocess.Popen:
        return self.start(
            "worker", f"tcp://127.0.0.1:{self.port}", "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--worker-port", str(port or free_port()),
            "--local-directory", str(self.folder), path=path,
        )  # fmt: skip

    def wait_for(self, workers: int) -> None:
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{self.port}", set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
            wait_until(lambda: len(client.nthreads()) == workers)

    @property
    def spec(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


def reachable(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "dask").mkdir()
    cluster = Cluster(tmp_path / "dask")
    yield cluster
    cluster.stop()


# --- the real engine on the cluster, while a worker dies ----------------------------------------

SPY = """
import glob as _glob, json as _json, os as _os, socket as _socket

def _look_around():
    found = {"reached": [], "files": [path for path in FILES if _os.path.exists(path)], "text": ""}
    for host, port in ADDRESSES:
        try:
            _socket.create_connection((host, port), timeout=2).close()
            found["reached"].append([host, port])
        except OSError:
            pass
    for path in _glob.glob("/proc/[0-9]*/environ") + _glob.glob("/proc/[0-9]*/cmdline"):
        try:
            found["text"] += open(path, errors="replace").read()
        except OSError:
            pass
    found["text"] += repr(dict(_os.environ))
    return found

print("SPY" + _json.dumps(_look_around()))
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class graded here and, with a worker killed in the middle, on a cluster.

    Gives the rows here, the rows there, what the spy saw, what there was to see, and the killed
    worker's processes with those of them that still live.
    """
    folder = tmp_path_factory.mktemp("class")
    here, material = demo.start_course(Course(ROOT), folder / "here")
    cluster = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        ports = [free_port(), free_port()]
        workers = [cluster.worker(port) for port in ports]
        addresses = [("127.0.0.1", port) for port in (cluster.port, *ports)]
        files = [str(cluster.folder), str(ROOT / "solutions"), f"/proc/{workers[0].pid}"]
        first = material.names[0]
        spy = SPY.replace("FILES", repr(files)).replace("ADDRESSES", repr(addresses))
        notebooks = {
            "exits": demo.with_line(material, 2, "__import__('os')._exit(0)"),
            "good": demo.good(material, 1),
            "spy": demo.solved(material, **{first: material.reference[first] + spy}),
            "unfinished": demo.unfinished(material, 3),
            "wrong": demo.wrong(material, 0),
        }
        for student, notebook in notebooks.items():
            path = here.submission_dir(student, demo.LAB) / f"{demo.LAB}.ipynb"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(notebook))
        there = Course(folder / "there")
        shutil.copytree(here.root, there.root)
        result = grade.grade_class(here, demo.LAB, jobs=2, feedback=False)
        cluster.wait_for(2)
        seen = {"reached": [list(a) for a in addresses if reachable(*a)], "files": files}
        with contextlib.closing(executors.connect(cluster.spec)) as dask:
            rows, gone = [], []

            def on_row(row):
                rows.append(row)
                if len(rows) == 1:
                    victim = psutil.Process(workers[0].pid)
                    gone.extend([victim, *victim.children(recursive=True)])
                    victim.kill()

            dask.start("auto")
            grade.grade_class(
                there, demo.LAB, jobs=dask.jobs, make_executor=dask.make, execute=dask.execute,
                sandbox=dask.wall("auto"), feedback=False, on_row=on_row,
            )  # fmt: skip
        text = there.autograded_path("spy", demo.LAB).read_text()
        outputs = [
            "".join(output.get("text", ""))
            for cell in json.loads(text)["cells"]
            for output in cell.get("outputs", [])
        ]
        (found,) = [text[3:] for text in outputs if text.startswith("SPY")]
        # They die at the low priority that they ran with: slowly, on a busy machine.
        _, alive = psutil.wait_procs(gone, timeout=60)
        yield result.rows, rows, json.loads(found), seen, (gone, alive)
    finally:
        cluster.stop()


@pytest.mark.timeout(300)
def test_marks_are_those_of_a_local_run_though_a_worker_dies(graded):
    here, there, *_ = graded
    assert sorted(row.student for row in there) == [row.student for row in here]
    expected = {row.student: (row.status, row.score, row.recorded) for row in here}
    assert {row.student: (row.status, row.score, row.recorded) for row in there} == expected
    assert {row.status for row in there} == {"graded"}
    assert expected["good"][1] > expected["wrong"][1] > expected["unfinished"][1] > 0


def test_a_worker_that_dies_takes_its_kernels_with_it(graded):
    *_, (gone, alive) = graded
    assert len(gone) > 1  # it had a kernel server
    assert not alive


def test_no_submission_reaches_the_cluster(graded):
    _, there, found, seen, _ = graded
    assert len(seen["reached"]) == 3 and all(os.path.exists(path) for path in seen["files"][:2])
    assert found["reached"] == [] and found["files"] == []
    assert "NBGRADER_EXECUTION" in found["text"]
    assert SECRET not in found["text"] and "dask" not in found["text"].lower()
    (spy,) = [row for row in there if row.student == "spy"]
    assert all(result["passed"] for result in spy.exercises.values())


# --- the cluster's own troubles, with the miniature course --------------------------------------


def test_a_cluster_that_cannot_be_used_is_one_line(cluster, tmp_path, capsys):
    folder = mini.make_course(tmp_path / "course")
    mini.hand_in(folder, "ann", mini.solved(folder))
    command = ["grade", mini.LAB, "--course", str(folder), "--executor", cluster.spec]
    assert cli.main(command) == 1
    err = capsys.readouterr().err
    assert "has no workers" in err and len(err.strip().splitlines()) == 1
    # A worker with another version of the course.
    other = tmp_path / "other"
    for pattern in ("autograde/*.py", "autograde/sandbox/*.py", "course_utils/**/*.*"):
        for path in ROOT.glob(pattern):
            copy = other / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    with (other / "course_utils" / "checks" / "observe.py").open("a") as file:
        file.write("# changed\n")
    cluster.worker()
    cluster.worker(path=other)
    cluster.wait_for(2)
    assert cli.main(command) == 1
    err = capsys.readouterr().err
    assert "has another version of the course" in err and len(err.strip().splitlines()) == 1
    assert not (folder / "autograde" / "state").exists()


def test_a_scheduler_that_dies_loses_nothing(cluster, tmp_path):
    folder = mini.make_course(tmp_path / "course")
    names = [f"student{number}" for number in range(6)]
    for name in names:
        mini.hand_in(folder, name, mini.solved(folder))
    cluster.worker()
    cluster.wait_for(1)
    rows = []

    def on_row(row):
        rows.append(row)
        if len(rows) == 2:
            cluster.scheduler.send_signal(signal.SIGKILL)
            cluster.scheduler.wait()

    options = {"judge": mini.FakeJudge(), "feedback": False, "on_row": on_row}
    with contextlib.closing(executors.connect(cluster.spec)) as dask:
        dask.execute = mini.slow_execute
        with pytest.MonkeyPatch.context() as patch, pytest.raises(CourseError, match="no Dask"):
            patch.setattr(executors, "CONNECT_S", 1)
            grade.grade_class(
                Course(folder), mini.LAB, jobs=1, make_executor=dask.make, execute=dask.execute,
                **options,
            )  # fmt: skip
    assert 2 <= len(rows) < len(names) and {row.score for row in rows} == {5.0}
    again = mini.grade(folder, execute=mini.fake_execute).rows
    assert [row.student for row in again] == names and {row.score for row in again} == {5.0}
    assert [row.unchanged for row in again].count(True) == len(rows)

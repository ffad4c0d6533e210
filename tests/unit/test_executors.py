"""Where stage 3 runs, and what goes on beside it: what breaks costs nobody a mark."""

from __future__ import annotations

import functools
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from pathlib import Path

import mini
import pytest

from autograde import aside, build, executors, grade, processes
from autograde.course import Course
from autograde.errors import CourseError

SANDBOX = Path(executors.__file__).parent / "sandbox"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = mini.make_course(tmp_path_factory.mktemp("course"))
    build.register(Course(folder), mini.LAB)
    return folder


@pytest.fixture
def folder(base, tmp_path):
    shutil.copytree(base, tmp_path / "c")
    return tmp_path / "c"


def a_class(folder, count):
    names = [f"student{number:02d}" for number in range(count)]
    for name in names:
        mini.hand_in(folder, name, mini.solved(folder, why_positive=f"So says {name}."))
    return names


def run(folder, **options):
    rows = []
    options = {
        "execute": mini.fake_execute,
        "judge": mini.FakeJudge(),
        "feedback": False,
        **options,
    }
    grade.grade_class(Course(folder), mini.LAB, on_row=rows.append, **options)
    return rows


# --- what --executor accepts -------------------------------------------------------------------


def test_local_workers_are_as_many_as_said_else_one_a_core():
    assert executors.connect("local").jobs == executors.cores() >= 1
    assert executors.connect("local://3").jobs == 3
    assert executors.connect("local://3", jobs=2).jobs == 2


@pytest.mark.parametrize(
    "spec",
    ["", "locally", "local://", "local://0", "local://x", "dask://", "dask://host", "slurm://a:1",
     "dask://host:port", "dask://user:password@host:1", "tcp://host:1"],
)  # fmt: skip
def test_another_executor_is_one_line_that_lists_them(spec):
    with pytest.raises(CourseError, match="is not one of: local, local://N, dask://HOST:PORT"):
        executors.connect(spec)


def test_dask_that_is_not_installed_is_one_line_that_says_how(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CourseError, match=r"pip install '\.\[dask\]'"):
        executors.connect("dask://localhost:1")


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "CONNECT_S", 0.3)
    with pytest.raises(CourseError, match="no Dask scheduler answers at tcp") as said:
        executors.connect("dask://127.0.0.1:1")
    assert said.value.status == 1 and "\n" not in str(said.value)


# --- processes that run several jobs at a time ---------------------------------------------------


def meet(folder, name, other):
    """Wait until `other` runs too; the process's id."""
    (folder / name).touch()
    end = time.monotonic() + 60
    while not (folder / other).exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    return os.getpid()


def complain():
    class Local(Exception):
        """Cannot be sent anywhere."""

    raise Local("in its own words")


def test_processes_run_jobs_side_by_side_and_pass_on_what_they_raise(tmp_path):
    pool = processes.Processes(2, functools.partial((tmp_path / "prepared").touch, exist_ok=False))
    try:
        one = pool.submit(meet, tmp_path, "a", "b")
        other = pool.submit(meet, tmp_path, "b", "a")
        assert one.result(60) == other.result(60) != os.getpid()  # both wait for each other
        assert (tmp_path / "prepared").exists()
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result(60)
        with pytest.raises(RuntimeError, match="in its own words"):
            pool.submit(complain).result(60)
        with pytest.raises(SystemExit):
            pool.submit(sys.exit, 3).result(60)
        assert pool.submit(bytes, 3).result(60) == bytes(3)
    finally:
        pool.shutdown(wait=True)
    assert [process.exitcode for process in pool._processes] == [0]


def test_a_process_that_dies_breaks_what_it_was_doing_and_nothing_hangs():
    pool = processes.Processes(2)
    try:
        sleeping = pool.submit(time.sleep, 60)
        with pytest.raises(BrokenExecutor):
            pool.submit(os._exit, 1).result(60)
        with pytest.raises(BrokenExecutor):
            sleeping.result(60)
        with pytest.raises(BrokenExecutor):
            pool.submit(os.getpid).result(60)
    finally:
        pool.shutdown(wait=True)
    assert len({process.pid for process in processes_for(9)._processes}) == 3


def processes_for(jobs):
    pool = processes.Processes(jobs)
    pool.shutdown(wait=True)
    return pool


# --- a Dask cluster's troubles in the standard library's words ----------------------------------


class Cluster:
    """A Dask client whose executor answers each job as it is told to."""

    status = "running"

    def __init__(self, answer):
        self.answer = answer

    def get_executor(self, pure):
        assert pure is False  # two equal jobs are two jobs
        return self

    def submit(self, function, *arguments):
        future = Future()
        if self.answer is CancelledError:
            future.cancel()
            future.set_running_or_notify_cancel()
        elif isinstance(self.answer, Exception):
            future.set_exception(self.answer)
        else:
            future.set_result(function(*arguments))
        return future


def test_a_job_that_the_cluster_lost_is_a_broken_executor():
    scheduler = pytest.importorskip("distributed.scheduler")
    killed = scheduler.KilledWorker("job", "worker", 3)
    for answer in (killed, CancelledError):
        future = executors._DaskExecutor(Cluster(answer)).submit(len, b"1")
        assert isinstance(future.exception(timeout=5), BrokenExecutor)
    future = executors._DaskExecutor(Cluster(ValueError("the engine's"))).submit(len, b"1")
    assert isinstance(future.exception(timeout=5), ValueError)
    assert executors._DaskExecutor(Cluster(None)).submit(len, b"123").result(timeout=5) == 3


def test_a_worker_with_other_code_runs_nothing(monkeypatch):
    from autograde import execution

    monkeypatch.setattr(execution, "execute", lambda job: job[::-1])
    ours = executors.fingerprint()["code"]
    assert executors.execute_same(ours, b"job") == b"boj"
    with pytest.raises(executors.WrongVersion):
        executors.execute_same("another", b"job")


# --- grading while things break ------------------------------------------------------------------


class Losing(Executor):
    """Loses every job that it gets for the first time."""

    seen: set[str]
    made = 0

    def __init__(self, jobs):
        type(self).made += 1

    def submit(self, function, job):
        future = Future()
        name = json.dumps(json.loads(job)["notebook"])
        if name in self.seen:
            future.set_result(function(job))
        else:
            self.seen.add(name)
            future.set_exception(BrokenExecutor("lost"))
        return future


def test_jobs_that_are_lost_are_run_again_and_recorded_once(folder):
    names = a_class(folder, 5)
    Losing.seen = set()
    rows = run(folder, make_executor=Losing, jobs=2)
    assert sorted(row.student for row in rows) == names
    assert {(row.status, row.score) for row in rows} == {("graded", 5.0)}
    assert Losing.made > 1


class Counting(Executor):
    """Answers from a thread, and notes how many jobs were out at a time."""

    out = most = 0
    lock = threading.Lock()

    def __init__(self, jobs):
        pass

    def submit(self, function, job):
        future = Future()
        with self.lock:
            Counting.out += 1
            Counting.most = max(Counting.most, Counting.out)

        def answer():
            time.sleep(0.1)
            with self.lock:  # the fake engine is for one thread
                Counting.out -= 1
                future.set_result(function(job))

        threading.Thread(target=answer).start()
        return future


def test_no_more_jobs_are_out_than_keep_the_workers_busy(folder):
    a_class(folder, 9)
    rows = run(folder, make_executor=Counting, jobs=2)
    assert len(rows) == 9 and 2 <= Counting.most <= 4


def judge_or_die(mark, lab, raw, seed):
    """As aside._judge; the first time, the process ends."""
    if not mark.exists():
        mark.touch()
        os._exit(1)
    return aside._judge(lab, raw, seed, mini.FakeJudge())


class DyingAside(aside.Aside):
    """Judges the miniature course in a process of its own, which dies once."""

    def __init__(self, mark):
        self.mark = mark
        super().__init__(1)

    def requests(self, lab, seed):
        return aside._requests(lab, seed, mini.FakeJudge())

    def judge(self, lab, raw, seed):
        return self._submit(judge_or_die, self.mark, lab, raw, seed)


def test_a_judging_process_that_dies_takes_no_mark_with_it(folder, tmp_path):
    names = a_class(folder, 4)
    beside = DyingAside(tmp_path / "died")
    try:
        rows = run(folder, judge=None, aside=beside, make_executor=mini.Serial, feedback=True)
    finally:
        beside.close()
    assert (tmp_path / "died").exists()
    assert sorted(row.student for row in rows) == names
    assert {(row.status, row.score) for row in rows} == {("graded", 5.0)}
    assert all(Course(folder).feedback_path(name, mini.LAB).is_file() for name in names)


def test_an_error_keeps_its_line_and_status_on_its_way_from_another_process():
    error = pickle.loads(pickle.dumps(CourseError("what is wrong", status=1)))
    assert str(error) == "what is wrong" and error.status == 1


def test_what_a_worker_runs_is_what_it_is_known_by():
    """Every module of the course that stage 3 imports is in the fingerprint."""
    code = "import sys, autograde.execution; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name for name in done.stdout.split() if name.startswith("autograde.")}
    assert imported <= {
        "autograde.execution",
        *(f"autograde.sandbox.{path.stem}" for path in SANDBOX.glob("*.py")),
        "autograde.sandbox",
    }

"""Where stage 3 runs: worker processes on this machine, or the workers of a Dask cluster.

Both are reached through `concurrent.futures.Executor` and take and give bytes, so that grading is
the same code either way. What `--executor` accepts:

    local                  one worker process for each core (the default)
    local://N              N worker processes
    dask://HOST:PORT       the workers of the Dask scheduler there
    dask+tls://HOST:PORT   the same over TLS, with the certificates that Dask's configuration names
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import re
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from pathlib import Path
from typing import Any, Protocol

from autograde.errors import CourseError

FORMS = "local, local://N, dask://HOST:PORT or dask+tls://HOST:PORT"
CONNECT_S = 15


class Workers(Protocol):
    """What the `grade` command needs of a place to run stage 3.

    jobs: kernels at a time. execute: stage 3 for one job, bytes to bytes, as it is to be submitted
    (None: autograde.execution.execute).
    """

    jobs: int
    execute: Callable[[bytes], bytes] | None

    def wall(self, sandbox: str) -> str:
        """What jobs ask for when the command asks for `sandbox`. CourseError if it cannot be."""

    def start(self, sandbox: str) -> None:
        """Get ready ahead of the first job, which will ask for `sandbox`."""

    def make(self, jobs: int) -> Executor:
        """An executor; called again when the one before broke."""

    def close(self) -> None:
        """Let go of what `start` made and nobody took."""


def connect(spec: str, jobs: int | None = None) -> Workers:
    """The workers that `spec` names. CourseError, one line, for what cannot be used.

    jobs: kernels at a time at most (default: what `spec` says, else all there is room for).
    """
    if spec == "local":
        return Local(jobs or cores())
    if found := re.fullmatch(r"local://([1-9]\d{0,3})", spec):
        return Local(jobs or int(found[1]))
    if found := re.fullmatch(r"dask(\+tls)?://([\w.\-\[\]:]+:\d{1,5})", spec):
        return Dask(f"{'tls' if found[1] else 'tcp'}://{found[2]}", jobs)
    raise CourseError(f"--executor {spec!r} is not one of: {FORMS}")


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def beside(jobs: int) -> int:
    """Processes that judge and write pages, for as many kernels at a time."""
    return max(1, jobs // 4)


# --- this machine ------------------------------------------------------------------------------


class Local:
    """Worker processes of this machine's."""

    execute = None

    def __init__(self, jobs: int):
        self.jobs = jobs
        self._ready: Executor | None = None
        self._wall = "auto"

    def wall(self, sandbox: str) -> str:
        from autograde.sandbox.launcher import SandboxUnavailable
        from autograde.sandbox.probe import choose

        try:
            self._wall = choose(sandbox)
        except SandboxUnavailable as error:
            raise CourseError(str(error), status=1) from None
        return self._wall

    def start(self, sandbox: str) -> None:
        self._ready = process_pool(self.jobs, sandbox)

    def make(self, jobs: int) -> Executor:
        ready, self._ready = self._ready, None
        return ready or process_pool(jobs, self._wall)

    def close(self) -> None:
        if self._ready is not None:
            self._ready.shutdown(wait=True, cancel_futures=True)


def process_pool(jobs: int, sandbox: str = "auto") -> Executor:
    """Processes for `jobs` jobs at a time, warming up at once for jobs that ask for `sandbox`."""
    from autograde.execution import warm_up
    from autograde.processes import Processes

    return Processes(jobs, functools.partial(warm_up, sandbox))


# --- a Dask cluster ----------------------------------------------------------------------------


class WorkersLost(BrokenExecutor):
    """The cluster lost a job: its workers died of it, or the scheduler went away."""


class WrongVersion(Exception):
    """A worker runs other code than this process."""


class Dask:
    """The workers of a Dask scheduler, each process of which keeps a kernel server."""

    def __init__(self, address: str, jobs: int | None = None):
        self.address = address
        self._client = self._connect()
        try:
            threads = self._check_workers()
        except BaseException:
            self.close()
            raise
        self.jobs = min(threads, jobs or threads)
        self.execute = functools.partial(execute_same, fingerprint()["code"])

    def wall(self, sandbox: str) -> str:
        return sandbox  # each worker finds out what works on its machine

    def start(self, sandbox: str) -> None:
        from distributed import fire_and_forget

        from autograde.execution import warm_up

        for worker in self._client.nthreads():
            task = self._client.submit(warm_up, sandbox, workers=[worker], pure=False)
            fire_and_forget(task)

    def make(self, jobs: int) -> Executor:
        if self._client.status != "running":
            self._client = self._connect()
        return _DaskExecutor(self._client)

    def close(self) -> None:
        self._client.close(timeout=5)

    def _connect(self):
        try:
            from distributed import Client
        except ImportError:
            raise CourseError(
                "--executor dask://... needs the package dask: pip install '.[dask]'"
            ) from None
        # It reports what we say ourselves, in one line: lost connections, cancelled futures.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            return Client(self.address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise CourseError(
                f"no Dask scheduler answers at {self.address} within {CONNECT_S} s ({said}); "
                f"start one there: dask scheduler",
                status=1,
            ) from None

    def _check_workers(self) -> int:
        """Threads of all workers. CourseError if there are none, or if their code is not ours."""
        threads = self._client.nthreads()
        if not threads:
            raise CourseError(
                f"the Dask scheduler at {self.address} has no workers; start some, in the course's "
                f"environment: dask worker {self.address} --nthreads 1",
                status=1,
            )
        ours = fingerprint()
        for worker, theirs in self._client.run(fingerprint, on_error="return").items():
            if not isinstance(theirs, dict):
                raise CourseError(
                    f"the Dask worker {worker} cannot import the course ({theirs}); install this "
                    "version of it there",
                    status=1,
                )
            for name, what in WHAT.items():
                if theirs[name] != ours[name]:
                    raise CourseError(
                        f"the Dask worker {worker} has another {what} ({theirs[name][:12]}) than "
                        f"this machine ({ours[name][:12]}): marks could differ; install the same",
                        status=1,
                    )
        return sum(threads.values())


WHAT = {
    "code": "version of the course",
    "python": "version of Python",
    "torch": "version of torch",
    "numpy": "version of numpy",
}


@functools.cache
def fingerprint() -> dict[str, str]:
    """What a worker's answers depend on; the names are those of WHAT."""
    from importlib.metadata import PackageNotFoundError, version

    import course_utils

    digest = hashlib.sha256()
    for folder, patterns in (
        (Path(course_utils.__file__).parent, ("**/*.py", "data/**/*.json")),
        (Path(__file__).parent, ("executors.py", "execution.py", "sandbox/*.py")),
    ):
        for pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                digest.update(name.encode() + b"\0" + path.read_bytes())
    found = {"code": digest.hexdigest(), "python": ".".join(platform.python_version_tuple()[:2])}
    for package in ("torch", "numpy"):
        try:
            found[package] = version(package).partition("+")[0]
        except PackageNotFoundError:
            found[package] = "none"
    return found


def execute_same(code: str, job: bytes) -> bytes:
    """On a worker: stage 3, unless this worker (which may have joined since) has other code."""
    from autograde.execution import execute

    if fingerprint()["code"] != code:
        raise WrongVersion("a Dask worker with another version of the course has joined")
    return execute(job)


class _DaskExecutor(Executor):
    """Dask's own executor, with the standard library's names for what goes wrong.

    A worker that dies gives its jobs back to the scheduler, which runs them on another one; a
    job is only lost when several workers died with it. However often it was run, its future
    gets one result.
    """

    def __init__(self, client: Any):
        self._client = client
        self._executor = client.get_executor(pure=False)

    def submit(self, function: Callable, /, *arguments: Any, **keywords: Any) -> Future:
        ours: Future = Future()
        try:
            theirs = self._executor.submit(function, *arguments, **keywords)
        except Exception as error:
            raise WorkersLost(f"the Dask cluster takes no jobs: {error}") from None
        theirs.add_done_callback(functools.partial(_pass_on, ours))
        return ours

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._client.status == "running":
            self._executor.shutdown(wait=wait and not cancel_futures)


def _pass_on(ours: Future, theirs: Future) -> None:
    from distributed.scheduler import KilledWorker

    try:
        ours.set_result(theirs.result())
    except KilledWorker:
        ours.set_exception(WorkersLost("several Dask workers died while they ran this job"))
    except CancelledError:
        ours.set_exception(WorkersLost("the Dask scheduler went away with this job"))
    except Exception as error:
        ours.set_exception(error)

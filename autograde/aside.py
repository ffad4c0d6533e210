"""Trusted work beside the grading: judging and the students' pages, in processes of their own.

The grading process takes in, grafts and writes to the gradebook, one submission at a time; what
needs no writer's place is done here meanwhile. `Aside` for the course's own judge, `Here` (at once,
in this process) for any other object with a judge's interface.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from autograde import pipeline
from autograde.course import Course
from autograde.pipeline import Lab, TestResult

# A page reads the gradebook, which may be being written to.
TRIES, PAUSE_S = 3, 1.0


class Here:
    """Does the work when it is asked for, in this process."""

    def __init__(self, judge: Any):
        self._judge = judge

    def requests(self, lab: Lab, seed: int) -> dict[str, str]:
        """What the kernel is asked per test cell. CourseError if a test has nobody to judge it."""
        return _requests(lab, seed, self._judge)

    def judge(self, lab: Lab, raw: bytes, seed: int) -> Future[dict[str, TestResult]]:
        """The verdicts on stage 3's answer, by exercise."""
        return _done(_judge, lab, raw, seed, self._judge)

    def page(self, course: Course, lab: str, student: str) -> Future[None]:
        """Write the feedback page of a student whose marks are in the gradebook."""
        return _done(_page, course, lab, student)

    def close(self) -> None:
        pass


class Aside:
    """Does the work in `processes` processes, which start at once; autograde.judge judges.

    As in any pool of the standard library, a process that dies breaks the pool: its futures raise
    BrokenExecutor, and so does what is asked next. After that a new pool is made.
    """

    def __init__(self, processes: int):
        self._processes = processes
        self._pool: Executor | None = None
        for _ in range(processes):
            self._submit(_ready)

    def requests(self, lab: Lab, seed: int) -> dict[str, str]:
        return self._submit(_requests, lab, seed).result()

    def judge(self, lab: Lab, raw: bytes, seed: int) -> Future[dict[str, TestResult]]:
        return self._submit(_judge, lab, raw, seed)

    def page(self, course: Course, lab: str, student: str) -> Future[None]:
        return self._submit(_page_kept_open, course, lab, student)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, task: Callable, *arguments: Any) -> Future:
        from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
        from multiprocessing import get_context

        for last in (False, True):
            if self._pool is None:
                context = get_context("spawn")
                self._pool = ProcessPoolExecutor(self._processes, context, _start)
            try:
                return self._pool.submit(task, *arguments)
            except BrokenExecutor:
                self._pool.shutdown(wait=False)
                self._pool = None
                if last:
                    raise
        raise AssertionError("unreachable")


# --- the tasks, in whichever process -----------------------------------------------------------


def _start() -> None:
    from autograde.execution import end_with_parent

    end_with_parent()
    # Ctrl-C is for the one who grades: what is begun here is finished or cancelled from there.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ready() -> None:
    pipeline.default_judge()


def _requests(lab: Lab, seed: int, judge: Any = None) -> dict[str, str]:
    judge = judge or pipeline.default_judge()
    pipeline.check_judge(lab, judge)
    return pipeline.make_requests(lab, seed, judge)


def _judge(lab: Lab, raw: bytes, seed: int, judge: Any = None) -> dict[str, TestResult]:
    result = pipeline.read_result(raw)
    return pipeline.judge_result(lab, result, seed, judge or pipeline.default_judge())


def _page(course: Course, lab: str, student: str) -> None:
    from autograde.grade import write_feedback

    for left in reversed(range(TRIES)):
        try:
            return write_feedback(course, lab, student)
        except pipeline.InternalError:
            if not left:
                raise
            time.sleep(PAUSE_S)


@functools.cache
def _keep_open() -> contextlib.ExitStack:
    """The gradebook kept open for as long as this process lives."""
    from autograde.kept_open import gradebook_kept_open

    stack = contextlib.ExitStack()
    stack.enter_context(gradebook_kept_open())
    return stack


def _page_kept_open(course: Course, lab: str, student: str) -> None:
    _keep_open()
    _page(course, lab, student)


def _done(task: Callable, *arguments: Any) -> Future:
    future: Future = Future()
    try:
        future.set_result(task(*arguments))
    except Exception as error:
        future.set_exception(error)
    return future

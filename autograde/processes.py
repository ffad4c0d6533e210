"""An executor of worker processes that each run a few jobs at a time, in threads.

For stage 3: a thread there mostly waits for its kernel, and one warm kernel server, which takes
seconds and hundreds of megabytes, serves the kernels of all threads of its process. The standard
library's pool runs one job a process, so each core would have a server of its own.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import queue
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

THREADS = 4


class Processes(Executor):
    """`jobs` jobs at a time in fresh processes (spawned: nothing of this process is inherited).

    prepare: a call without arguments that each process makes before its first job. When a process
    dies, its jobs and what is submitted later may raise BrokenExecutor; then make a new one.
    """

    def __init__(self, jobs: int, prepare: Callable[[], Any] | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._threads = ThreadPoolExecutor(jobs, "stage-3")
        self._lines: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._processes = []
        left = jobs
        while left:
            pairs = [context.Pipe() for _ in range(min(left, THREADS))]
            left -= len(pairs)
            theirs = [pair[1] for pair in pairs]
            process = context.Process(target=_work, args=(theirs, prepare))
            process.start()
            self._processes.append(process)
            for ours, other in pairs:
                other.close()
                self._lines.put(ours)

    def submit(self, function: Callable, /, *arguments: Any, **keywords: Any) -> Future:
        return self._threads.submit(self._run, function, arguments, keywords)

    def _run(self, *job: Any) -> Any:
        line = self._lines.get()
        try:
            line.send(job)
            failed, outcome = line.recv()
        except (EOFError, OSError):
            raise BrokenExecutor("a worker process has ended") from None
        finally:
            self._lines.put(line)
        if failed:
            raise outcome
        return outcome

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._lines.get_nowait().close()
            for process in self._processes:
                process.join()
        else:
            threading.Thread(target=self.shutdown, name="end-of-stage-3").start()


def _work(lines: list[Connection], prepare: Callable[[], Any] | None) -> None:
    """Be a worker process: a thread a line, until the other end closes it."""
    from autograde import execution

    execution.end_with_parent()
    with contextlib.suppress(KeyboardInterrupt):
        if prepare is not None:
            prepare()  # in the main thread: bubblewrap ends a server with the thread that began it
        threads = [threading.Thread(target=_answer, args=(line,), daemon=True) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    execution.close()


def _answer(line: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, arguments, keywords = line.recv()
            try:
                answer = (False, function(*arguments, **keywords))
            except BaseException as error:
                answer = (True, error)
            try:
                line.send(answer)
            except (pickle.PicklingError, TypeError, AttributeError):
                line.send((True, RuntimeError(repr(answer[1])[:1000])))

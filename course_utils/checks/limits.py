"""Stop a call that runs too long, so that an endless loop costs seconds and not the session."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CallTimeout(BaseException):
    """The call used up its time. A ``BaseException``, so that ``except Exception`` lets it pass."""


@contextmanager
def time_limit(cpu_seconds: float, wall_seconds: float = 60.0) -> Iterator[None]:
    """Raise ``CallTimeout`` in the block after ``cpu_seconds`` of work or ``wall_seconds`` of time.

    CPU time is what counts, so that a busy machine costs nobody a point; the wall clock only ends
    a call that sleeps. Platforms without interval timers (Windows), and threads other than the
    main one, where signals cannot be delivered, fall back to a wall-clock watchdog or no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not hasattr(signal, "setitimer"):
        with _watchdog(wall_seconds):
            yield
        return

    def expire(signum: int, frame: object) -> None:
        raise CallTimeout

    previous = {s: signal.signal(s, expire) for s in (signal.SIGPROF, signal.SIGALRM)}
    # The interval repeats the signal, so that code which swallows the first one meets a second.
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds, 0.5)
    signal.setitimer(signal.ITIMER_REAL, wall_seconds, 5.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for signum, handler in previous.items():
            signal.signal(signum, handler)


@contextmanager
def _watchdog(wall_seconds: float) -> Iterator[None]:
    timer = threading.Timer(wall_seconds, _thread.interrupt_main)
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        if timer.is_alive():
            raise
        raise CallTimeout from None
    finally:
        timer.cancel()

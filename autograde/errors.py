"""Errors that a command reports as one line instead of a traceback."""

from __future__ import annotations

from pathlib import Path


class CourseError(Exception):
    """Something a person can put right; the text says what was wrong and what to do.

    `autograde.cli` prints it as one line on stderr and ends with `status`.
    """

    def __init__(self, message: str, status: int = 2):
        super().__init__(" ".join(str(message).split()))
        self.status = status

    def __reduce__(self):
        return type(self), (str(self), self.status)  # from another process with its status


def check_writable(path: Path, option: str = "--json") -> None:
    """CourseError if a file cannot be written there: found out before the grading, not after."""
    existed = path.exists()
    if existed and not path.is_file() and not path.is_dir():
        return  # a device or a pipe, which an attempt would use up
    try:
        path.open("a").close()
        if not existed:
            path.unlink()
    except OSError as error:
        raise CourseError(f"{option} {path}: {error.strerror}") from None

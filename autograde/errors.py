"""Errors that a command reports as one line instead of a traceback."""


class CourseError(Exception):
    """Something a person can put right; the text says what was wrong and what to do.

    `autograde.cli` prints it as one line on stderr and ends with `status`.
    """

    def __init__(self, message: str, status: int = 2):
        super().__init__(" ".join(str(message).split()))
        self.status = status

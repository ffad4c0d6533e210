"""Checks that tell a student at once, and in plain words, whether a function is right."""

from course_utils.checks.visible import CheckFailed, Outcome, checker, run_check

__all__ = ["CheckFailed", "Outcome", "checker", "run_check"]

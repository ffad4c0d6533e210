"""Judge a function in the kernel that holds it, for plain nbgrader runs without our engine."""

from __future__ import annotations

import secrets
from typing import Any

import course_utils.checks.drivers  # noqa: F401  registers the special drivers
from autograde.judge import judge, reference, request
from course_utils.checks.observe import observe

_SEED = secrets.randbits(63)


def hidden_test(exercise_id: str, function: Any) -> float:
    """Observe and judge ``function`` on fresh inputs; print the message, return the score.

    As the last expression of a test cell the score, out of the cell's points in the lab's source,
    is nbgrader's partial credit.
    """
    points = reference.points(exercise_id)
    wanted = request(exercise_id, _SEED)
    verdict = judge(exercise_id, _SEED, observe(exercise_id, function, wanted["cases"]), points)
    print(verdict.message)
    return verdict.score

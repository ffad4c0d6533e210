"""Judge a function in the kernel that holds it, for plain nbgrader runs without our engine."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import course_utils.checks.drivers  # noqa: F401  registers the special drivers
from autograde.intake import MAX_HANDED_IN_BYTES, Refused, read_regular_file
from autograde.judge import judge, reference, request
from course_utils.checks.observe import observe

_SEED = secrets.randbits(63)


def hidden_test(exercise_id: str, function: Any) -> float:
    """Observe and judge ``function`` on fresh inputs; print the message, return the score.

    As the last expression of a test cell the score, out of the cell's points in the lab's source,
    is nbgrader's partial credit. ``function`` may be the name of a file that was handed in beside
    the notebook, as text: then its policy is played, here too without running anything in it.
    """
    points = reference.points(exercise_id)
    wanted = request(exercise_id, _SEED)
    failure, observation = None, None
    if "agent" in wanted:
        from autograde.sandbox.agent_player import play

        path = Path(function)
        try:
            data = read_regular_file(path, MAX_HANDED_IN_BYTES, "write it with save_policy")
            observation = play(data, wanted["agent"])
        except Refused as reason:
            failure = str(reason)
    else:
        observation = observe(exercise_id, function, wanted["cases"])
    verdict = judge(exercise_id, _SEED, observation, points, failure)
    print(verdict.message)
    return verdict.score

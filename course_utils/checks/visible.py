"""Check a student's function in the notebook against stored numbers, and name its mistake.

The numbers live in ``course_utils/data/visible/<lab>.json``: fixed inputs, what is right for
them, and what each known mistake gives, so that no reference code is needed here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import course_utils.checks.drivers  # noqa: F401  registers the special drivers
from course_utils.checks import messages
from course_utils.checks.compare import Difference, differences
from course_utils.checks.naming import general_mistake, recognize
from course_utils.checks.observe import observe

CHECK_MIME = "application/vnd.course-utils.check+json"


class CheckFailed(AssertionError):
    """A visible check did not pass. Shown without a traceback: the message is what helps."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


@dataclass(frozen=True)
class Outcome:
    """What a check found: whether it passed, the mistake's id if recognized, and the words."""

    passed: bool
    mistake: str | None
    message: str


def labs() -> list[str]:
    """Return the names of the labs that have stored numbers, sorted."""
    names = (path.name for path in (resources.files("course_utils") / "data" / "visible").iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


@lru_cache(maxsize=8)
def stored(lab: str) -> dict:
    """Load the stored numbers of a lab; raise ``ValueError`` naming the labs there are."""
    file = resources.files("course_utils") / "data" / "visible" / f"{lab}.json"
    if not file.is_file():
        raise ValueError(
            f"there are no checks for a lab named {lab!r}; there are: {', '.join(labs())}"
        )
    return json.loads(file.read_text(encoding="utf-8"))


def assess(
    name: str,
    observation: dict,
    cases: list[dict],
    known: Callable[[], tuple[dict[str, list[dict]], dict[str, str]]],
) -> tuple[list[Difference], str | None, str]:
    """Compare an observation with the cases' expectations; return differences, mistake, message.

    ``known()`` gives the observations and the titles of the known mistakes, by id; it is only
    asked when something is wrong. Used by the visible check with stored numbers and by the judge
    with fresh ones.
    """
    if not observation["callable"]:
        found = [_not_a_function(name, observation, cases)]
        return found, found[0].mistake, messages.failure(name, found, cases, None)
    entries = observation["cases"]
    found = [d for e, c in zip(entries, cases, strict=True) for d in differences(e, c)]
    if not found:
        return [], None, messages.success(name, len(cases))
    mistake, title = _name(found, entries, cases, known)
    return found, mistake, messages.failure(name, found, cases, title)


def _name(
    found: list[Difference],
    entries: list[dict],
    cases: list[dict],
    known: Callable[[], tuple[dict[str, list[dict]], dict[str, str]]],
) -> tuple[str | None, str | None]:
    """Find id and title of the mistake, the known ones before the general ones."""
    if all(d.mistake == "not_written" for d in found):
        return "not_written", None
    mistakes, titles = known()
    mistake = recognize(entries, cases, mistakes)
    if mistake is not None:
        return mistake, titles[mistake]
    return general_mistake(found, entries, cases)


def _not_a_function(name: str, observation: dict, cases: list[dict]) -> Difference:
    kind = observation.get("type", "undefined")
    got = "nothing of that name" if kind == "undefined" else f"something of type {kind}"
    wanted = f"a {'class' if name[:1].isupper() else 'function'} named {name}"
    return Difference(
        cases[0]["name"], "status", "raised", wanted, got, "value",
        "Run the cell that defines it (does it stop with an error?), and keep its name.",
        "not_defined",
    )  # fmt: skip


def run_check(lab: str, name: str, function: Any) -> Outcome:
    """Observe ``function`` on the stored inputs of exercise ``name`` and assess it."""
    exercises = stored(lab)["exercises"]
    if name not in exercises:
        raise ValueError(f"{lab} has no exercise named {name!r}; it has: {', '.join(exercises)}")
    record = exercises[name]
    observation = observe(f"{lab}/{name}", function, record["cases"])

    def known() -> tuple[dict[str, list[dict]], dict[str, str]]:
        mistakes = record["mistakes"].items()
        return {i: m["entries"] for i, m in mistakes}, {i: m["title"] for i, m in mistakes}

    found, mistake, message = assess(name, observation, record["cases"], known)
    return Outcome(not found, mistake, message)


def checker(lab: str) -> Callable[[str, Any], None]:
    """Return ``check(name, function)`` for the exercises of ``lab``.

    In a notebook the check prints one line when all is well and raises ``CheckFailed`` with a
    message otherwise, under nbgrader's Validate too. While nbgrader grades it only prints, so
    that the hidden test that follows in the same cell still runs.
    """
    stored(lab)

    def check(name: str, function: Any = None) -> None:
        """Check the function of exercise ``name`` and say in words what is not right yet."""
        # Not is_grading(): nbgrader's Validate button counts a cell that does not raise as passed.
        outcome = run_check(lab, name, function)
        if os.environ.get("NBGRADER_EXECUTION") == "autograde":
            print(outcome.message)
            _report(lab, name, outcome)
        elif outcome.passed:
            print(outcome.message)
        else:
            raise CheckFailed(outcome.message)

    return check


def _report(lab: str, name: str, outcome: Outcome) -> None:
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        bundle = {
            "exercise": f"{lab}/{name}",
            "passed": outcome.passed,
            "mistake": outcome.mistake,
        }
        display({CHECK_MIME: bundle}, raw=True)

"""Word the outcome of a check for a student: input, expected, got, and the mistake by its name."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from course_utils.checks.codec import array_from_plain, is_array
from course_utils.checks.compare import Difference

_SHOWN = 2


def success(name: str, cases: int) -> str:
    """Return the line for an exercise that passed."""
    return f"{name}: correct on all {cases} inputs tried."


def failure(
    name: str,
    found: list[Difference],
    cases: list[dict],
    title: str | None,
    errors_first: bool = True,
) -> str:
    """Return the message for an exercise that did not pass.

    ``title`` is the mistake in the student's words, when it was recognized.
    """
    if any(d.mistake == "not_written" for d in found):
        return (
            f"{name} is not written yet.\n"
            "Replace `raise NotImplementedError()` in its cell, run that cell, then this one."
        )
    lines = [f"{name}: not right yet.", ""]
    if title:
        lines += [*_wrapped("  What it looks like: ", title), ""]
    by_name = {case["name"]: case for case in cases}
    shown = None
    for difference in _choose(found):
        lines += [*_block(difference, by_name[difference.case], difference.case == shown), ""]
        shown = difference.case
    rest = len(found) - len(_choose(found))
    if rest > 0:
        lines.append(f"  ({rest} more difference{'s' if rest > 1 else ''} after the first.)")
    return "\n".join(lines).rstrip()


def _choose(found: list[Difference]) -> list[Difference]:
    """Take the first difference and the first of another kind: the rest mostly repeats them.

    After an answer that is none at all, nothing else is worth a look.
    """
    if not found:
        return []
    if found[0].kind in ("none", "raised", "timeout"):
        return found[:1]
    chosen = [found[0]]
    chosen += [d for d in found[1:] if d.kind not in (found[0].kind, "absent")][: _SHOWN - 1]
    return chosen


def _block(difference: Difference, case: dict, again: bool) -> list[str]:
    lines = ["  input     the same"]
    if not again:
        lines = [f"  input     {case.get('about', case['name'])}"]
        lines += [f"            {line}" for line in describe_arguments(case)]
    lines += [
        f"  looked at {_label(difference.fact)}",
        f"  expected  {difference.expected}",
        f"  got       {difference.got}",
    ]
    if difference.hint:
        lines += _wrapped("  hint      ", difference.hint)
    return lines


def _wrapped(start: str, text: str) -> list[str]:
    """Break a sentence into lines that a notebook shows whole, aligned behind ``start``."""
    return textwrap.wrap(start + text, width=88, subsequent_indent=" " * len(start))


def _label(fact: str) -> str:
    if fact == "status":
        return "whether it answers"
    if fact == "result":
        return "what it returns"
    if fact == "mutated":
        return "its inputs after the call"
    if fact.startswith("grad:"):
        return f"the gradient with respect to {fact.removeprefix('grad:')}"
    return fact.replace("_", " ").replace(":", " ")


def describe_arguments(case: dict) -> list[str]:
    """Return a line for each argument of a case, short enough to read."""
    if case.get("hide_arguments"):
        return []
    return [f"{name} = {_argument(value)}" for name, value in case["args"].items()]


def _argument(value: Any) -> str:
    for kind in ("tensor", "ndarray"):
        if isinstance(value, dict) and is_array(value.get(kind)):
            array = array_from_plain(value[kind])
            if array.size > 12:
                return f"{kind} of shape {list(array.shape)}"
            return np.array2string(
                array, precision=4, separator=", ", max_line_width=10_000
            ).replace("\n", "")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return "..."
    return str(value)

"""Judge what a student's function did: fresh inputs out, observation in, points and words back.

Everything here runs on the trusted side. ``request`` gives the inputs that may cross into the
sandbox; ``judge`` holds the observation that comes back against the independent references.

What an observation is worth: it is written by the driver in the student's own process, so a
submission that rewrites the driver can say what it likes. Each kind of fact stands on its own.

- Values, gradients, indices, the steps of an update are compared with what is right for inputs
  that were drawn for this run. Whoever forges them has to know them, and has solved the exercise.
- Cost is CPU time, which the engine also counts from outside, over the whole answer: the case
  about cost is charged with that.
- Inputs left alone, a gradient that is absent, the same outcome for the same seed, the step at
  which an update stopped, finite parameters: seen from inside only, so they can be claimed. That
  gains what a few honest lines around the function would gain as well (copy the arguments, detach
  one, guard a division): 5 to 30 % of an exercise, and nothing unless its values are right. A
  second process would not help: what calls the function in the first could do the same there.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from autograde.judge import agents
from autograde.judge.spec import Exercise, generator
from course_utils.checks import messages
from course_utils.checks.visible import assess

_LOG = logging.getLogger(__name__)
_SENT = ("name", "args", "wrt", "cpu_seconds")
_LABS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("lab*.py")))


@dataclass(frozen=True)
class Verdict:
    """Outcome of one hidden test.

    ``score`` lies in [0, ``max``]; ``message`` is plain text for the student; ``mistake`` is the
    id of the recognized mistake or None; ``aspects`` lists name, weight and whether it passed.
    ``details``: of an agent, what the leaderboard shows.
    """

    score: float
    max: float
    message: str
    mistake: str | None
    passed: bool
    aspects: list[dict] = field(default_factory=list)
    details: dict = field(default_factory=dict)

    def as_dict(self) -> dict:
        """Return the verdict as plain data."""
        return asdict(self)


def exercises(lab: str) -> list[str]:
    """Return the names of the exercises of ``lab`` that ask for code, in its notebook's order."""
    return list(_lab(lab))


def has(exercise_id: str) -> bool:
    """Tell whether there is a hidden test with the id ``<lab>/<exercise>``."""
    lab, _, name = exercise_id.partition("/")
    return exercise_id in agents.AGENTS or (lab in _LABS and name in _lab(lab))


def _lab(lab: str) -> dict[str, Exercise]:
    if lab not in _LABS:
        raise ValueError(f"no hidden tests for {lab!r}; there are some for: {', '.join(_LABS)}")
    return import_module(f"autograde.judge.{lab}").EXERCISES


def _exercise(exercise_id: str) -> Exercise:
    lab, _, name = exercise_id.partition("/")
    found = _lab(lab)
    if name not in found:
        raise ValueError(f"{lab} has no hidden test {name!r}; it has: {', '.join(found)}")
    return found[name]


@lru_cache(maxsize=64)
def _cases(exercise_id: str, seed: int) -> list[dict]:
    return _exercise(exercise_id).cases(generator(seed, exercise_id), False)


def request(exercise_id: str, seed: int) -> dict:
    """Return the inputs of a hidden test under a grading seed: plain data without any answer."""
    if exercise_id in agents.AGENTS:
        return agents.request(exercise_id, seed)
    cases = [{k: c[k] for k in _SENT if k in c} for c in _cases(exercise_id, seed)]
    return {
        "exercise": exercise_id,
        "function": exercise_id.partition("/")[2],
        "cases": copy.deepcopy(cases),
    }


_FAILURES = {
    "timeout": "It did not come to an end in the time allowed.",
    "kernel died": "The kernel stopped while the function ran (was it ended from inside, or did "
    "it use up its memory?).",
    "no answer": "No answer came back from the function.",
}


def judge(
    exercise_id: str,
    seed: int,
    observation: dict | None,
    points: float,
    failure: str | None = None,
) -> Verdict:
    """Judge an observation; ``failure`` says why there is none (``"timeout"``, ``"kernel died"``).

    The observation comes from an untrusted process: whatever its form, the outcome is a verdict
    with a score in [0, points].
    """
    name = exercise_id.partition("/")[2]
    if exercise_id in agents.AGENTS:
        return _judge_agent(exercise_id, seed, observation, points, failure)
    spec = _exercise(exercise_id)
    if failure is not None or not _well_formed(observation, _cases(exercise_id, seed)):
        reason = _FAILURES.get(failure or "no answer", failure or "")
        message = f"{name}: not right yet.\n\n  {reason or _FAILURES['no answer']}"
        mistake = "does_not_return" if failure == "timeout" else "no_answer"
        return Verdict(0.0, points, message, mistake, False, _aspects(spec, set(spec.weights)))
    from autograde.judge.mistakes import known_mistakes

    # What `complete` adds to them holds for this answer only; what they hold already is shared.
    answers = [dict(entry, facts=dict(entry["facts"])) for entry in observation["cases"]]
    observed = {**observation, "cases": answers}
    cases = [dict(case, expect=dict(case["expect"])) for case in _cases(exercise_id, seed)]
    try:
        _charge(cases, observed)
        for case, entry in zip(cases, observed["cases"], strict=bool(observed["callable"])):
            if spec.complete is not None:
                spec.complete(case, entry)
        found, mistake, message = assess(
            name, observed, cases, lambda: known_mistakes(exercise_id, seed)
        )
    except Exception as error:
        # Our driver writes no observation that ends here; one that was forged may have any form.
        # The log is for the case that the fault is ours after all.
        _LOG.warning("%s: the observation could not be judged", exercise_id, exc_info=True)
        message = f"{name}: not right yet.\n\n  The answer had an unexpected form ({error})."[:500]
        return Verdict(0.0, points, message, "no_answer", False, _aspects(spec, set(spec.weights)))
    failed = {d.aspect for d in found}
    if not observed["callable"] or "value" in failed:
        failed = set(spec.weights)
    aspects = _aspects(spec, failed)
    score = (
        round(points * sum(a["weight"] for a in aspects if a["passed"]), 2) if failed else points
    )
    if failed and score > 0:
        lost = ", ".join(a["name"] for a in aspects if not a["passed"])
        message += f"\n\n  Points for everything except: {lost}."
    return Verdict(min(max(score, 0.0), points), points, message, mistake, not found, aspects)


def _judge_agent(
    exercise_id: str, seed: int, observation: Any, points: float, failure: str | None
) -> Verdict:
    """The verdict on an agent that was handed in as a file; see ``agents``."""
    if failure is not None:
        observation = {"problem": _AGENT_FAILURES.get(failure, failure).rstrip(".")}
    share, message, mistake, details = agents.assess(exercise_id, seed, observation)
    score = round(points * share, 2)
    aspects = [{"name": "value", "weight": 1.0, "passed": share == 1.0}]
    return Verdict(score, points, message, mistake, share == 1.0, aspects, details)


_AGENT_FAILURES = {
    "timeout": "Its episodes did not come to an end in the time allowed: is the network too large?",
    "kernel died": "The process that played it ended (did it use up its memory?)",
}

MEASURED = "measured_cpu_s"
ROOM_S = 1.0
"""CPU seconds of an answer besides a case about cost: a first import; all else takes 0.1."""


def _charge(cases: list[dict], observed: dict) -> None:
    """Charge the cases about cost with the CPU time that the engine counted, less some room.

    Not with what the driver says of the other cases, which is as easily forged. An observation
    without a count comes from a function that was called in this process.
    """
    measured = observed.get(MEASURED)
    if not isinstance(measured, (int, float)):
        return
    for case, entry in zip(cases, observed["cases"], strict=False):
        told = entry["facts"].get("cpu_seconds")
        if "cpu_seconds" in case["expect"] and isinstance(told, (int, float)):
            entry["facts"]["cpu_seconds"] = max(told, round(measured - ROOM_S, 3))


def _aspects(spec: Exercise, failed: set[str]) -> list[dict]:
    total = sum(spec.weights.values())
    return [
        {"name": name, "weight": weight / total, "passed": name not in failed}
        for name, weight in spec.weights.items()
    ]


def _well_formed(observation: Any, cases: list[dict]) -> bool:
    if not isinstance(observation, dict) or not isinstance(observation.get("cases"), list):
        return False
    if observation.get("callable") is not True:
        return observation.get("callable") is False and observation["cases"] == []
    entries = observation["cases"]
    return len(entries) == len(cases) and all(
        isinstance(entry, dict)
        and entry.get("name") == case["name"]
        and entry.get("status") in ("ok", "raised", "timeout", "skipped")
        and isinstance(entry.get("facts"), dict)
        and (entry.get("error") is None or _plain_error(entry["error"]))
        for entry, case in zip(entries, cases, strict=True)
    )


def _plain_error(error: Any) -> bool:
    return isinstance(error, dict) and all(isinstance(v, str) for v in error.values())


__all__ = ["Verdict", "exercises", "has", "judge", "messages", "request"]

"""Call a student's function on given inputs and write down what happened, judging nothing.

This is the driver that the visible checks and the hidden tests share. It holds no answers: what
comes out is plain data, an *observation*, which somebody else compares with what was expected.

One observed case is::

    {"name": ..., "status": "ok" | "raised" | "timeout" | "skipped",
     "error": {"type", "message", "line", "in_student_code"} | None,
     "facts": {name of a fact: plain data}}

The facts of an ordinary call are ``result`` (what was returned), ``grad:<argument>`` (gradient of
a weighted sum of the result; None where none arrives), ``mutated`` (arguments whose content
changed), ``global_rng`` (global random streams that moved) and ``cpu_seconds``.
"""

from __future__ import annotations

import copy
import random
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from course_utils.checks.codec import array_to_plain, decode
from course_utils.checks.limits import CallTimeout, time_limit

CPU_SECONDS_PER_CALL = 5.0
MAX_TEXT = 300
MAX_ITEMS = 64

Driver = Callable[[Callable, dict], dict]
DRIVERS: dict[str, Driver] = {}
"""Drivers by exercise id ("lab5_ppo/ppo_update"); exercises that are not here get ``call``."""


def driver(*exercises: str) -> Callable[[Driver], Driver]:
    """Register a driver for exercises that one plain call does not cover."""

    def register(function: Driver) -> Driver:
        for exercise in exercises:
            DRIVERS[exercise] = function
        return function

    return register


def observe(exercise: str, function: Any, cases: list[dict]) -> dict:
    """Run every case of an exercise and return the observation as plain data.

    ``cases`` are dicts with ``name``, ``args`` (see ``codec.encode_arguments``) and, for plain
    calls, ``wrt``: the names of the arguments that require a gradient. After a call that timed
    out the remaining cases are skipped, so that an endless loop costs seconds only once.
    """
    if not callable(function):
        return {"callable": False, "type": type(function).__name__, "cases": []}
    return {"callable": True, "cases": list(observe_each(exercise, function, cases))}


def observe_each(exercise: str, function: Callable, cases: list[dict]) -> Iterator[dict]:
    """Run the cases in their order, each when it is asked for; yield what was observed of it."""
    run = DRIVERS.get(exercise, call)
    timed_out = False
    for case in cases:
        if timed_out:
            yield _entry(case, "skipped")
            continue
        entry = guarded(case, lambda case=case: run(function, case))
        timed_out = entry["status"] == "timeout"
        yield entry


def _entry(case: dict, status: str, facts: dict | None = None, error: dict | None = None) -> dict:
    return {"name": case["name"], "status": status, "error": error, "facts": facts or {}}


def guarded(case: dict, action: Callable[[], dict]) -> dict:
    """Run ``action`` with a time limit; whatever the student's code raises becomes data."""
    before = _random_states()
    start = time.process_time()
    status, error, facts = "ok", None, {}
    # Student warnings and prints are harmless and must not clutter a check's message.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with time_limit(case.get("cpu_seconds", CPU_SECONDS_PER_CALL)):
                facts = action()
        except CallTimeout:
            status = "timeout"
        except KeyboardInterrupt:
            raise
        except BaseException as exception:
            status, error = "raised", describe_error(exception)
    facts["cpu_seconds"] = round(time.process_time() - start, 3)
    after = _random_states()
    facts["global_rng"] = [name for name in before if before[name] != after[name]]
    return _entry(case, status, facts, error)


def _random_states() -> dict[str, Any]:
    _, keys, position, *_ = np.random.get_state()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (keys.tobytes(), position),
        "random": hash(random.getstate()),
    }


def describe_error(exception: BaseException) -> dict:
    """Name, message and the student's own line of an exception, as short text."""
    frames = traceback.extract_tb(exception.__traceback__)
    own = [f for f in frames if "course_utils" not in f.filename]
    student = [f for f in own if "ipykernel" in f.filename or f.filename.startswith("<")]
    at = (student or own or [None])[-1]
    try:
        message = str(exception)
    except BaseException:
        message = ""
    return {
        "type": type(exception).__name__[:60],
        "message": message[:MAX_TEXT],
        "line": (at.line or "")[:MAX_TEXT] if at is not None else "",
    }


def call(function: Callable, case: dict) -> dict:
    """Call ``function(*args)`` once; return the facts of an ordinary call."""
    wrt = case.get("wrt", [])
    arguments = {name: decode(value) for name, value in case["args"].items()}
    for name in wrt:
        arguments[name].requires_grad_(True)
    before = {name: snapshot(value) for name, value in arguments.items()}
    result = function(*arguments.values())
    # The gradient comes before the comparison: a lazily wrong function may do its damage there.
    gradients = input_gradients(result, {name: arguments[name] for name in wrt})
    return {
        "result": describe(result),
        **{f"grad:{name}": gradient for name, gradient in gradients.items()},
        "mutated": [
            *(n for n, value in arguments.items() if not unchanged(value, before[n])),
            *(f"{n}.grad" for n in wrt if arguments[n].grad is not None),
        ],
    }


def weights_like(size: int) -> torch.Tensor:
    """Return the fixed weights [size] of the sum whose gradient is taken (1 for one number).

    They differ from each other, so that entries of a gradient that were swapped show.
    """
    if size == 1:
        return torch.ones(1)
    return 1.0 + 0.5 * torch.sin(torch.arange(1, size + 1, dtype=torch.float32))


def input_gradients(result: Any, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Differentiate the weighted sum of all tensors in ``result``; None where nothing arrives."""
    outputs = [t for t in _tensors(result) if t.requires_grad and t.is_floating_point()]
    if not inputs or not outputs:
        return dict.fromkeys(inputs)
    total = sum((t.reshape(-1) * weights_like(t.numel()).to(t.dtype)).sum() for t in outputs)
    gradients = torch.autograd.grad(total, list(inputs.values()), allow_unused=True)
    return {
        name: None if g is None else array_to_plain(g)
        for name, g in zip(inputs, gradients, strict=True)
    }


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for item in value[:MAX_ITEMS] for t in _tensors(item)]
    if isinstance(value, dict):
        return [t for item in list(value.values())[:MAX_ITEMS] for t in _tensors(item)]
    return []


def describe(value: Any, depth: int = 0) -> Any:
    """Describe a returned value as plain data: its kind, and for arrays dtype, shape and content.

    Subclasses of Python's numbers count as the number they are.
    """
    if value is None:
        return {"kind": "None"}
    if isinstance(value, torch.Tensor):
        plain = array_to_plain(value)
        return {"kind": "tensor", "requires_grad": bool(value.requires_grad), **plain}
    if isinstance(value, np.ndarray):
        return {"kind": "ndarray", **array_to_plain(value)}
    if isinstance(value, (bool, np.bool_)):
        return {"kind": "bool", "value": bool(value)}
    if isinstance(value, (int, np.integer)):
        return {"kind": "int", "value": int(value)}
    if isinstance(value, (float, np.floating)):
        return {"kind": "float", "value": str(float(value))}
    if isinstance(value, str):
        return {"kind": "str", "value": value[:MAX_TEXT]}
    if depth < 3 and isinstance(value, (list, tuple)):
        items = [describe(item, depth + 1) for item in value[:MAX_ITEMS]]
        return {"kind": "sequence", "length": len(value), "items": items}
    if depth < 3 and isinstance(value, dict):
        items = {str(k)[:60]: describe(v, depth + 1) for k, v in list(value.items())[:MAX_ITEMS]}
        return {"kind": "dict", "items": items}
    return {"kind": "object", "type": type(value).__name__[:60]}


def snapshot(value: Any) -> Any:
    """Copy an argument so that it can be compared after the call."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, torch.Generator):
        return None
    return copy.deepcopy(value)


def unchanged(value: Any, before: Any) -> bool:
    """Tell whether an argument still holds what ``snapshot`` copied."""
    if isinstance(value, torch.Generator):
        return True
    if isinstance(value, torch.Tensor):
        now, lost = value.detach(), before.requires_grad and not value.requires_grad
        before = before.detach()
        # Cut off from its graph in place (detach_), it is of no use to the caller any more.
        if lost or now.shape != before.shape or now.dtype != before.dtype:
            return False
        return torch.equal(now, before) or bool(
            torch.all((now == before) | (torch.isnan(now.double()) & torch.isnan(before.double())))
        )
    if isinstance(value, np.ndarray):
        return value.shape == before.shape and np.array_equal(
            value, before, equal_nan=value.dtype.kind == "f"
        )
    if isinstance(value, dict):
        return value.keys() == before.keys() and all(unchanged(value[k], before[k]) for k in value)
    if isinstance(value, (list, tuple)):
        return len(value) == len(before) and all(map(unchanged, value, before))
    return value == before

"""Drivers of lab 4: a function that gives two tensors, and one that reads Gymnasium's infos.

Like ``observe.call`` they run the student's function and return facts; they know no answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils.checks.codec import decode
from course_utils.checks.observe import describe, driver, input_gradients, snapshot, unchanged


@driver("lab4_gae/gae")
def two_tensors(function: Callable, case: dict) -> dict:
    """Call the function once and describe both parts of what it returns.

    Case arguments: the function's own; those in ``wrt`` come with a graph.
    """
    wrt = case.get("wrt", [])
    arguments = {name: decode(value) for name, value in case["args"].items()}
    for name in wrt:
        # Values come out of a network: no leaf, and the graph behind them is not the function's.
        arguments[name].requires_grad_(True)
    before = {name: snapshot(value) for name, value in arguments.items()}
    passed = {n: v * 1.0 if n in wrt else v for n, v in arguments.items()}
    result = function(*passed.values())
    parts = _parts(result)
    gradients = input_gradients(list(parts.values()), {name: passed[name] for name in wrt})
    return {
        "what came back": _said(result, parts),
        **{name: describe(part) for name, part in parts.items()},
        **{f"grad:{name}": gradient for name, gradient in gradients.items()},
        "mutated": [n for n, value in passed.items() if not unchanged(value, before[n])],
    }


def _parts(result: Any) -> dict[str, Any]:
    """Name what came back: whatever ``advantages, returns = ...`` takes apart into two."""
    if result is None:
        return {"advantages": None, "returns": None}
    if isinstance(result, dict):
        return {}
    if isinstance(result, torch.Tensor) and result.shape[:1] != (2,):
        return {"advantages": result}  # taking a long one apart would take long
    try:
        advantages, returns = result
    except (TypeError, ValueError):
        return {"advantages": result}
    return {"advantages": advantages, "returns": returns}


def _said(result: Any, parts: dict[str, Any]) -> str:
    if len(parts) == 2:
        return "two things"
    if isinstance(result, torch.Tensor):
        return f"one tensor of shape {list(result.shape)}"
    try:
        return f"a {type(result).__name__} of {len(result)}"
    except TypeError:
        return f"one thing, of type {type(result).__name__}"


@driver("lab4_gae/true_next_obs")
def after_autoreset(function: Callable, case: dict) -> dict:
    """Call the function with ``infos`` as a SAME_STEP vector environment makes them.

    Case arguments: ``next_obs`` [N, O], ``final_obs`` (a list with None where nothing ended) and
    ``done`` [N]. Where nobody is done the infos hold none of the keys about ends.
    """
    arguments = {name: decode(value) for name, value in case["args"].items()}
    next_obs, done = arguments["next_obs"], arguments["done"]
    infos = same_step_infos(arguments["final_obs"], done)
    before = snapshot(next_obs), snapshot(done), _final_rows(infos), set(infos)
    result = function(next_obs, infos, done)
    mutated = [
        name
        for name, now, then in (("next_obs", next_obs, before[0]), ("done", done, before[1]))
        if not unchanged(now, then)
    ]
    if _final_rows(infos) != before[2] or set(infos) != before[3]:
        mutated.append("infos")
    return {"result": describe(result), "mutated": mutated}


def _final_rows(infos: dict) -> list:
    """Copy the final observations so that they can be compared, whatever has become of them."""
    rows = infos.get("final_obs", ())
    if not isinstance(rows, (np.ndarray, list, tuple)):
        return [repr(rows)]
    return [row.tolist() if isinstance(row, np.ndarray) else row for row in rows]


def same_step_infos(final_obs: list[np.ndarray | None], done: np.ndarray) -> dict[str, Any]:
    """Build infos with the keys, types and masks of Gymnasium 1.4's SyncVectorEnv."""
    if not done.any():
        return {}
    rows = np.full(len(done), fill_value=None, dtype=object)
    for number, row in enumerate(final_obs):
        if row is not None:
            rows[number] = row
    return {
        "final_obs": rows,
        "_final_obs": done.copy(),
        "final_info": {},
        "_final_info": done.copy(),
    }

"""Drivers of lab 1: count what a sampler draws, call a function again and again on one tensor.

Like all drivers they run the student's code and return facts; they know no answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_utils.checks.codec import decode
from course_utils.checks.observe import describe, driver, snapshot, unchanged


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- sample_actions ------------------------------------------------------------------------------


@driver("lab1_policy_gradients/sample_actions")
def sampler(function: Callable, case: dict) -> dict:
    """Draw actions for a batch in which every state comes many times; return counts.

    Case arguments: ``logits`` [R, A], one row a state; ``copies`` of each in the batch, next to
    each other; ``calls`` with one generator; ``seed``, ``other_seed``; with ``seeds`` the function
    draws three times more, to see what follows from a seed.
    """
    a = {name: decode(value) for name, value in case["args"].items()}
    states, (rows, count) = a["copies"], a["logits"].shape
    batch = a["logits"].repeat_interleave(states, dim=0)
    before = snapshot(batch)
    kept = torch.get_rng_state(), np.random.get_state(), random.getstate()
    moved: set[str] = set()

    def draw(generator: torch.Generator, global_seed: int, calls: int = 1) -> list:
        # Different global seeds, so that a function that draws from a global stream shows.
        # torch.manual_seed would also note a stack trace for every kind of device there might be.
        torch.default_generator.manual_seed(global_seed)
        np.random.seed(global_seed)
        random.seed(global_seed)
        streams = _streams()
        results = [function(batch, generator) for _ in range(calls)]
        moved.update(name for name, state in _streams().items() if state != streams[name])
        return results

    facts: dict[str, Any] = {}
    try:
        generator = _generator(a["seed"])
        drawn = draw(generator, 1, a["calls"])
        pairs = [_pair(result) for result in drawn]
        facts["what came back"] = "two things" if pairs[0] else _what(drawn[0])
        if pairs[0]:
            facts |= _forms(pairs[0])
        if all(_usable(pair, len(batch)) for pair in pairs):
            actions = torch.stack([pair[0] for pair in pairs]).reshape(-1, rows, states)
            log_probs = torch.stack([pair[1] for pair in pairs]).reshape(-1, rows, states)
            facts |= _summary(actions.detach(), log_probs.detach().double(), count)
        if a["seeds"] and pairs[0] and isinstance(pairs[0][0], torch.Tensor):
            facts |= _seed_facts(draw, generator, a, drawn[0])
    finally:
        torch.set_rng_state(kept[0])
        np.random.set_state(kept[1])
        random.setstate(kept[2])
    facts["global random streams moved"] = sorted(moved)
    facts["mutated"] = [] if unchanged(batch, before) else ["logits"]
    return facts


def _streams() -> dict[str, Any]:
    _, keys, position, *_ = np.random.get_state()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (keys.tobytes(), position),
        "random": random.getstate(),
    }


def _pair(result: Any) -> tuple[Any, Any] | None:
    if isinstance(result, (tuple, list)) and len(result) == 2:
        return result[0], result[1]
    return None


def _what(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"tensor of {kind}, shape {list(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}"
    return "None" if value is None else type(value).__name__


def _forms(pair: tuple[Any, Any]) -> dict:
    return {"actions": _what(pair[0]), "log_probs": _what(pair[1])}


def _usable(pair: tuple[Any, Any] | None, size: int) -> bool:
    """Whether actions and log-probabilities are tensors of one number a row."""
    return pair is not None and all(
        isinstance(part, torch.Tensor) and part.numel() == size and not part.is_complex()
        for part in pair
    )


def _summary(actions: torch.Tensor, log_probs: torch.Tensor, count: int) -> dict:
    """Counts and log-probabilities of calls [C, R, copies], by state and action."""
    calls, rows, copies = actions.shape
    whole = actions.round().to(torch.int64)
    facts: dict[str, Any] = {
        "actions out of range": int(((whole < 0) | (whole >= count)).sum()),
        "rows_alike": copies > 1 and bool((whole == whole[..., :1]).all()),
    }
    spread = 0.0
    for r in range(rows):
        mine, values = whole[:, r], log_probs[:, r]
        counts = [int((mine == action).sum()) for action in range(count)]
        apart = sum(abs(times / mine.numel() - 1 / count) for times in counts) / 2
        facts[f"distance from equal shares in state {r}"] = round(apart, 4)
        even = mine[:, : copies // 2 * 2].reshape(calls, -1, 2)
        facts[f"pairs of rows that agree in state {r}"] = int((even[..., 0] == even[..., 1]).sum())
        for action, times in enumerate(counts):
            facts[f"times that action {action} came in state {r}"] = times
            if times:
                found = values[mine == action]
                facts[f"log-probability of action {action} in state {r}"] = describe(
                    found.mean().item()
                )
                spread = max(spread, (found.max() - found.min()).nan_to_num(1e6).item())
    facts["spread of log-probabilities"] = round(min(spread, 1e6), 4)
    return facts


def _seed_facts(draw: Callable, generator: torch.Generator, a: dict, first: Any) -> dict:
    """Draw on with the same generator, anew with its seed, and with another seed."""
    (second,) = draw(generator, 2)
    (repeated,) = draw(_generator(a["seed"]), 3)
    (other,) = draw(_generator(a["other_seed"]), 4)
    same = {
        name: _same_actions(first, result)
        for name, result in (("next_call", second), ("same_seed", repeated), ("other_seed", other))
    }
    return {
        **{f"{name}_same_actions": value for name, value in same.items()},
        "never_differs": all(same.values()),
    }


def _same_actions(a: Any, b: Any) -> bool:
    one, two = (_pair(result) for result in (a, b))
    if one is None or two is None or not isinstance(one[0], torch.Tensor):
        return False
    return isinstance(two[0], torch.Tensor) and torch.equal(one[0], two[0])


# --- softmax_score -------------------------------------------------------------------------------


@driver("lab1_policy_gradients/softmax_score")
def repeated_calls(function: Callable, case: dict) -> dict:
    """Call the function for several (state, action) on one and the same theta [S, A].

    Each result is noted at once, and looked at again after the last call. Whether theta was set to
    require a gradient, and whether one was left in it, is the function's own affair.
    """
    theta = decode(case["args"]["theta"])
    before = snapshot(theta)
    calls = case["args"]["calls (state, action)"]
    facts: dict[str, Any] = {}
    results, noted = [], []
    for number, (state, action) in enumerate(calls, start=1):
        result = function(theta, state, action)
        results.append(result)
        noted.append(snapshot(result) if isinstance(result, torch.Tensor) else None)
        facts[f"call {number}: state {state}, action {action}"] = describe(result)
    facts["earlier results changed later"] = sum(
        copy is not None and not unchanged(result, copy)
        for result, copy in zip(results, noted, strict=True)
    )
    facts["mutated"] = [] if unchanged(theta, before) else ["theta"]
    return facts


# --- score_function_gradient ---------------------------------------------------------------------


@driver("lab1_policy_gradients/score_function_gradient")
def two_results(function: Callable, case: dict) -> dict:
    """Call the function once and describe the two things that it returns, one by one."""
    arguments = {name: decode(value) for name, value in case["args"].items()}
    before = {name: snapshot(value) for name, value in arguments.items()}
    result = function(*arguments.values())
    pair = _pair(result)
    facts: dict[str, Any] = {"what came back": "two things" if pair else _what(result)}
    if pair:
        facts |= {"mean": describe(pair[0]), "standard_error": describe(pair[1])}
    changed = [name for name, value in arguments.items() if not unchanged(value, before[name])]
    return {**facts, "mutated": changed}

"""What a hidden test is made of: fresh cases with their expectations, and weights by aspect."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from course_utils.checks.codec import array_to_plain, encode_arguments
from course_utils.checks.observe import weights_like

UNCHANGED = {
    "is": "equal",
    "value": [],
    "say": "all inputs as they were",
    "got": "changed: {}",
    "hint": "Work on a new tensor instead of changing an argument.",
    "mistake": "modifies_input",
}


USUAL = {"value": 0.5, "gradient": 0.25, "corners": 0.1, "purity": 0.1, "cost": 0.05}
"""The weights of a differentiable function without anything special."""


@dataclass(frozen=True)
class Exercise:
    """A hidden test.

    ``cases(rng, visible)`` draws the inputs and works out what is right for them, in float64 and
    by another route than the lab's solution. ``weights`` gives each aspect's share of the points;
    nothing counts unless the aspect ``value`` is right, so that a function that returns a constant
    earns nothing for leaving its inputs alone. ``complete(case, entry)`` may add expectations that
    depend on choices the student is free to make, such as the order of the minibatches.
    """

    cases: Callable[[np.random.Generator, bool], list[dict]]
    weights: dict[str, float]
    complete: Callable[[dict, dict], None] | None = None
    words: dict[str, str] = field(default_factory=dict)


def generator(seed: int, exercise: str) -> np.random.Generator:
    """Return the random stream of one exercise under one grading seed."""
    digest = hashlib.sha256(f"{seed}/{exercise}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def tensor(values: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Build an input tensor of the dtype the conventions ask for."""
    return torch.tensor(np.asarray(values), dtype=dtype)


def f32(x: Any) -> np.ndarray:
    """Round to the float32 that the student receives, then compute in float64."""
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities of each row of logits [..., A]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def equal(
    value: Any, say: str, hint: str = "", mistake: str | None = None, got: str = "{}"
) -> dict:
    """The expectation that a fact has exactly this value; ``say`` is how a message puts it."""
    return {"is": "equal", "value": value, "say": say, "hint": hint, "mistake": mistake, "got": got}


def call_case(
    name: str,
    args: dict[str, Any],
    result: Any,
    gradients: dict[str, Any] | None = None,
    *,
    aspect: str = "value",
    about: str = "",
    dtype: str = "float32",
    number: bool = False,
    tolerance: dict[str, float] | None = None,
    cpu_seconds: float | None = None,
) -> dict:
    """Describe one plain call and what is right for it.

    ``gradients`` maps argument names to the gradient of the sum of the result's entries, each
    times its weight in ``weights_like``; None says that the argument is a constant.
    """
    expect: dict[str, dict] = {}
    tolerance = tolerance or {}
    if number:
        expect["result"] = {"is": "number", "value": str(float(result)), **tolerance}
    else:
        plain = array_to_plain(np.asarray(result).astype(dtype))
        expect["result"] = {"is": "tensor", **plain, **tolerance}
    for argument, value in (gradients or {}).items():
        if value is None:
            expect[f"grad:{argument}"] = {"is": "constant"}
        else:
            plain = array_to_plain(np.asarray(value, dtype=np.float32))
            expect[f"grad:{argument}"] = {"is": "gradient", **plain}
    expect["mutated"] = UNCHANGED
    case = {
        "name": name,
        "about": about or name,
        "aspect": aspect,
        "args": encode_arguments(args),
        "wrt": list(gradients or {}),
        "expect": expect,
    }
    if cpu_seconds is not None:
        expect["cpu_seconds"] = {
            "is": "between", "low": 0, "high": cpu_seconds,
            "say": f"at most {cpu_seconds:g} seconds of work",
            "hint": "Is there a loop inside a loop over the samples?", "mistake": "too_slow",
        }  # fmt: skip
        case["aspects"] = {"cpu_seconds": "cost"}
    return case


def weights(size: int) -> np.ndarray:
    """Return the weights [size] under which the driver sums a result before differentiating."""
    return weights_like(size).numpy().astype(np.float64)

"""Hold an observation against what was expected, and find the words for each difference.

An expectation is plain data too, so that it can be stored in a file. Per fact it is one of::

    {"is": "tensor", "array": dtype, "shape": [...], "data": [...]}      values within tolerance
    {"is": "number", "value": x}                                        a Python number, no tensor
    {"is": "constant"}                                                  no gradient, or zeros
    {"is": "gradient", "array": ..., "shape": ..., "data": ...}         a gradient that must arrive
    {"is": "equal", "value": plain data, "say": text}                   exactly this
    {"is": "between", "low": a, "high": b, "say": text}                 a number in [a, b]
    {"is": "any", "of": [expectations]}                                 every choice passes

``rtol`` and ``atol`` may stand in an expectation; the defaults leave room for float32 rounding.
``"follows": true`` says that the fact can only be missing because of another one, which is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks.codec import array_from_plain, is_array

RTOL, ATOL = 2e-4, 2e-6
IGNORED_FACTS = {"cpu_seconds", "global_rng", "rows", "gradients", "final"}


@dataclass(frozen=True)
class Difference:
    """One fact that is not as expected.

    ``kind`` is a short word (``value``, ``shape``, ``gradient_missing`` ...), ``expected`` and
    ``got`` are lines for a person.
    """

    case: str
    fact: str
    kind: str
    expected: str
    got: str
    aspect: str
    hint: str = ""
    mistake: str | None = None
    """Id of a general mistake that this difference alone gives away."""


def differences(entry: dict, case: dict) -> list[Difference]:
    """List the facts of one observed case that differ from ``case["expect"]``."""
    aspect = case.get("aspect", "value")
    if entry["status"] != "ok":
        return [_not_ok(entry, case, aspect)]
    found = []
    for fact, expected in case["expect"].items():
        got = entry["facts"].get(fact)
        problem = _mismatch(got, expected)
        if problem and got is None and expected.get("follows"):
            problem = ("absent", problem[1], "nothing that could be looked at", "", None)
        if problem:
            kind, want, have, hint, mistake = problem
            found.append(
                Difference(case["name"], fact, kind, want, have, _aspect(fact, case), hint, mistake)
            )
    return found


def _aspect(fact: str, case: dict) -> str:
    if fact in case.get("aspects", {}):
        return case["aspects"][fact]
    if fact.startswith("grad:"):
        return "gradient"
    if fact == "mutated":
        return "purity"
    return case.get("aspect", "value")


def _not_ok(entry: dict, case: dict, aspect: str) -> Difference:
    name, status = case["name"], entry["status"]
    if status in ("timeout", "skipped"):
        return Difference(
            name, "status", "timeout", "an answer", "none in time", aspect,
            "Does a loop in it never end, or take one step per element of a large input?",
            "does_not_return",
        )  # fmt: skip
    error = entry.get("error") or {}
    kind, text = error.get("type", "Error"), error.get("message", "")
    line = error.get("line", "")
    got = f"{kind}: {text}" + (f"\n            in the line: {line}" if line else "")
    hint, mistake = explain_error(kind, text)
    return Difference(name, "status", "raised", "a result", got, aspect, hint, mistake)


def explain_error(kind: str, text: str) -> tuple[str, str]:
    """Return a sentence of help for an exception and the id of the mistake behind it."""
    low = text.lower()
    if kind == "NotImplementedError" and not text:
        return "It is not written yet.", "not_written"
    if kind in ("NameError", "UnboundLocalError"):
        return (
            "Is an import missing or a name misspelled? A function must work from its arguments "
            "alone.",
            "undefined_name",
        )
    if "not implemented for" in low:
        # PyTorch says so when & or | meet numbers, as in a > 0 & b < c.
        return (
            "PyTorch cannot do this with numbers of this type. If there is a & or | in that line, "
            "each comparison needs its own parentheses: (a > 0) & (b < c).",
            "operator_order",
        )
    if "boolean value of tensor" in low or "truth value of an array" in low:
        return (
            "`if`, `and`, `or`, `not` and Python's own min and max want one truth value; for "
            "tensors use &, |, ~ and PyTorch's functions.",
            "truth_of_a_tensor",
        )
    if "in-place" in low or "inplace" in low or "is a view" in low:
        return "It changes one of its inputs in place; work on a new tensor.", "modifies_input"
    if "requires grad" in low and "numpy" in low:
        return (
            "It leaves PyTorch in the middle of the computation (numpy); "
            "stay with tensors, so that gradients can flow.",
            "leaves_pytorch",
        )
    if kind == "TypeError" and ("positional argument" in low or "unexpected keyword" in low):
        return (
            "Its arguments are not those of the stub; keep the first line as it was.",
            "signature",
        )
    if "shape" in low or "size of tensor" in low or "dimension" in low or "broadcast" in low:
        return (
            "Two tensors in it do not fit together. Print the shape of each one; "
            "does it rely on one particular size?",
            "shapes_do_not_fit",
        )
    if "converted to scalar" in low or "item" in low:
        return "It treats a whole batch as one number.", "only_one_element"
    return "It stops with an error.", "raises_error"


def _mismatch(got: Any, expected: dict) -> tuple[str, str, str, str, str | None] | None:
    kind = expected["is"]
    if kind == "any":
        problems = [_mismatch(got, choice) for choice in expected["of"]]
        return None if None in problems else problems[0]
    if kind == "tensor":
        return _tensor_mismatch(got, expected)
    if kind == "number":
        return _number_mismatch(got, expected)
    if kind in ("constant", "gradient"):
        return _gradient_mismatch(got, expected)
    if kind == "between":
        if isinstance(got, (int, float)) and expected["low"] <= got <= expected["high"]:
            return None
        return "fact", expected["say"], f"{got}", expected.get("hint", ""), expected.get("mistake")
    if got == expected["value"]:
        return None
    got_text = expected.get("got", "{}").format(got)
    return "fact", expected["say"], got_text, expected.get("hint", ""), expected.get("mistake")


def _kind_problem(got: Any, wanted: str) -> tuple[str, str, str, str, str | None]:
    kind = got.get("kind") if isinstance(got, dict) else None
    if not isinstance(kind, str):
        return (
            "missing", wanted, "no entry of that name",
            "Compare the names of the entries with the docstring.", "missing_entry",
        )  # fmt: skip
    if kind == "None":
        return (
            "none", wanted, "None",
            "Is a `return` missing at the end?", "returns_nothing",
        )  # fmt: skip
    return "kind", wanted, _article(kind, got), "Compare with the docstring.", "wrong_kind"


def _article(kind: str, got: Any) -> str:
    if kind == "object":
        return f"an object of type {got.get('type')}"
    if kind == "sequence":
        return f"a list or tuple of {got.get('length')}"
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _tensor_mismatch(got: Any, expected: dict) -> tuple[str, str, str, str, str | None] | None:
    container = expected.get("container", "tensor")
    shape, dtype = list(expected["shape"]), expected["array"]
    described = f"a {container} of shape {shape} and dtype {dtype}"
    if not isinstance(got, dict) or got.get("kind") != container or not is_array(got):
        return _kind_problem(got, described)
    if list(got["shape"]) != shape:
        hint, mistake = _shape_hint(list(got["shape"]), shape)
        return "shape", f"shape {shape}", f"shape {list(got['shape'])}", hint, mistake
    if got["array"] != dtype:
        return "dtype", f"dtype {dtype}", f"dtype {got['array']}", "", "wrong_dtype"
    try:
        a, b = array_from_plain(got), array_from_plain(expected)
    except ValueError as error:
        return "value", described, str(error), "", None
    return _array_mismatch(a, b, expected, "value")


def _shape_hint(got: list[int], expected: list[int]) -> tuple[str, str]:
    if not expected and got and set(got) != {1}:
        return "One number is due for the whole batch: is a mean missing?", "no_reduction"
    if len(got) == 2 and len(expected) == 1 and got[0] == got[1] == expected[0] != 1:
        return (
            "A column [B, 1] met a row [B], and PyTorch spread both to [B, B].",
            "broadcast_to_square",
        )
    if got in ([*expected, 1], [1, *expected]):
        return "There is one dimension of size 1 too many.", "extra_dimension"
    if not got:
        return "One number per entry is due: is a mean, sum or squeeze too many?", "reduced_too_far"
    return "", "wrong_shape"


def _array_mismatch(
    a: np.ndarray, b: np.ndarray, expected: dict, what: str
) -> tuple[str, str, str, str, str | None] | None:
    if arrays_close(a, b, expected.get("rtol", RTOL), expected.get("atol", ATOL)):
        return None
    at = _worst(a, b)
    place = f" at index {list(at)}" if a.ndim else ""
    hint, mistake = _value_hint(a, b)
    return (
        what,
        f"{_text(b[at])}{place}" + _whole(b),
        f"{_text(a[at])}{place}" + _whole(a),
        hint,
        mistake,
    )


def _whole(x: np.ndarray) -> str:
    if x.ndim == 0 or x.size > 12:
        return ""
    return "   of " + np.array2string(
        x, precision=4, separator=", ", max_line_width=10_000
    ).replace("\n", "")


def _text(x: Any) -> str:
    return str(x) if isinstance(x, (bool, np.bool_)) else f"{float(x) + 0.0:.6g}"  # no -0


def _worst(a: np.ndarray, b: np.ndarray) -> tuple[int, ...]:
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    gap = np.where(np.isnan(gap), np.inf, gap)
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), a.shape))


def _value_hint(a: np.ndarray, b: np.ndarray) -> tuple[str, str | None]:
    """Recognize relations that give a mistake away whatever the exercise."""
    if a.dtype.kind != "f":
        opposite = a.size > 1 and np.array_equal(a, ~b)
        return ("It is the exact opposite.", "inverted") if opposite else ("", None)
    if np.isnan(a).any() and not np.isnan(b).any():
        return "A number became NaN (0/0, inf - inf or the logarithm of 0).", "not_a_number"
    if np.isinf(a).any() and not np.isinf(b).any():
        return "A number became infinite: did exp overflow, or log meet 0?", "infinite"
    scale = np.abs(b).max() if b.size else 0.0
    if scale == 0.0:
        return "", None
    if arrays_close(a, -b, RTOL, ATOL):
        return "The size is right and the sign is not.", "sign_flipped"
    return "", None


def _number_mismatch(got: Any, expected: dict) -> tuple[str, str, str, str, str | None] | None:
    kinds = ("float", "int") if expected.get("int_too", True) else ("float",)
    if not isinstance(got, dict) or got.get("kind") not in kinds:
        problem = _kind_problem(got, "a Python number")
        if isinstance(got, dict) and got.get("kind") == "tensor":
            graph = got.get("requires_grad")
            return (
                "kind", "a Python float",
                "a tensor" + (" that still holds its graph" if graph else ""),
                "Turn it into a plain number, so that no graph is kept alive by a log entry."
                if graph
                else "Turn it into a plain Python number.",
                "keeps_the_graph" if graph else "wrong_kind",
            )  # fmt: skip
        return problem
    a, b = np.float64(got["value"]), np.float64(expected["value"])
    return _array_mismatch(np.asarray(a), np.asarray(b), expected, "value")


def _gradient_mismatch(got: Any, expected: dict) -> tuple[str, str, str, str, str | None] | None:
    array = None
    if got is not None:
        try:
            array = array_from_plain(got)
        except ValueError as error:
            return "gradient", "a gradient", str(error), "", None
    zero = array is None or (
        not np.isnan(array).any() and not np.abs(array).max(initial=0.0) > 1e-7
    )
    if expected["is"] == "constant":
        if zero:
            return None
        return (
            "gradient_leak", "no gradient: this argument is a constant here",
            "a gradient" + _whole(array),
            "The gradient must not flow into this argument.", "gradient_leak",
        )  # fmt: skip
    target = array_from_plain(expected)
    if zero and np.abs(target).max(initial=0.0) > 1e-7:
        return (
            "gradient_missing", "a gradient" + _whole(target), "none",
            "Somewhere the graph is cut (detach, no_grad, item, numpy or a new tensor).",
            "gradient_cut",
        )  # fmt: skip
    if array is None:
        return None
    if array.shape != target.shape:
        return "gradient", f"shape {list(target.shape)}", f"shape {list(array.shape)}", "", None
    return _array_mismatch(array, target, expected, "gradient")


def arrays_close(a: np.ndarray, b: np.ndarray, rtol: float, atol: float) -> bool:
    """Compare arrays with a tolerance relative to the largest entry; NaN equals NaN.

    float32 rounds relative to the largest number in a sum, so small entries beside large ones
    may be off by more than their own last digits.
    """
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "b" or b.dtype.kind == "b":
        return bool(np.array_equal(a, b))
    a, b = a.astype(np.float64), b.astype(np.float64)
    finite = np.abs(b[np.isfinite(b)])
    room = atol + rtol * np.minimum(np.abs(b), 1e300) + 1e-6 * finite.max(initial=0.0)
    with np.errstate(invalid="ignore"):
        near = (np.abs(a - b) <= room) | (a == b) | (np.isnan(a) & np.isnan(b))
    return bool(near.all())


def same_facts(a: Any, b: Any) -> bool:
    """Compare two observed facts, floats and arrays within tolerance, all else exactly."""
    if is_array(a) and is_array(b):
        if a.get("array") != b.get("array") or list(a["shape"]) != list(b["shape"]):
            return False
        if "data" not in a or "data" not in b:
            return "data" not in a and "data" not in b
        try:
            return arrays_close(array_from_plain(a), array_from_plain(b), 5 * RTOL, 5 * ATOL)
        except ValueError:
            return False
    if (a is None or is_array(a)) and (b is None or is_array(b)):
        # One gradient is missing and the other may be all zeros, which is the same thing.
        given = a if b is None else b
        return given is None or not any(given.get("data", [1]))
    if isinstance(a, dict) and isinstance(b, dict):
        if a.get("kind") == b.get("kind") == "float":
            return arrays_close(
                np.asarray(float(a["value"])), np.asarray(float(b["value"])), 5 * RTOL, 5 * ATOL
            )
        return a.keys() == b.keys() and all(same_facts(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_facts, a, b))
    return bool(a == b)

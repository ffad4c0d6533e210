"""Turn tensors, arrays and containers into plain JSON data and back, without pickle.

Everything that crosses between a student's kernel and a grader, and everything stored for the
visible checks, has this form. An array is ``{"array": dtype, "shape": [...], "data": [...]}`` with
the data flat and in C order; ``nan``, ``inf`` and ``-inf`` are written as strings because JSON has
no word for them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

MAX_ELEMENTS = 200_000
"""Larger arrays are described by dtype and shape only, so that an answer stays small."""

MAX_DIMENSIONS = 32

_DTYPES = {
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool",
}  # fmt: skip


def _number(x: float | int | bool) -> float | int | bool | str:
    if isinstance(x, float) and not math.isfinite(x):
        return str(x)
    return x


def array_to_plain(x: np.ndarray | torch.Tensor, digits: int | None = None) -> dict[str, Any]:
    """Describe a tensor or array of any shape as plain data.

    ``digits`` rounds floats to that many significant digits (for files that people read).
    """
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        if x.dtype == torch.bfloat16:
            x = x.float()
        x = x.numpy()
    x = np.asarray(x)
    plain: dict[str, Any] = {"array": x.dtype.name, "shape": list(x.shape)}
    if x.dtype.name not in _DTYPES:
        return plain
    if x.size <= MAX_ELEMENTS:
        data = x.reshape(-1).tolist()
        if digits is not None and x.dtype.kind == "f":
            data = [float(f"{v:.{digits}g}") for v in data]
        plain["data"] = [_number(v) for v in data]
    return plain


def array_from_plain(plain: dict[str, Any]) -> np.ndarray:
    """Rebuild the array; raise ``ValueError`` for anything that is not a well-formed array.

    The input may come from an untrusted process: sizes and types are checked before use.
    """
    try:
        dtype, shape = plain["array"], [int(n) for n in plain["shape"]]
        data = plain.get("data")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"not an array: {error}") from None
    # A shape of ten thousand huge numbers would take minutes to multiply.
    if len(shape) > MAX_DIMENSIONS or any(not 0 <= n <= MAX_ELEMENTS for n in shape):
        raise ValueError("not the shape of an array")
    if not isinstance(dtype, str) or dtype not in _DTYPES or not isinstance(data, list):
        raise ValueError("not an array of numbers")
    if len(data) > MAX_ELEMENTS or math.prod(shape) != len(data):
        raise ValueError("array data does not fit its shape")
    try:
        values = np.array([float(v) for v in data], dtype=np.float64)
        if dtype.startswith("float"):
            with np.errstate(over="ignore"):
                return values.astype(dtype).reshape(shape)
        return values.astype(np.int64).astype(dtype).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"not an array of numbers: {error}") from None


def is_array(plain: Any) -> bool:
    """Tell whether ``plain`` is the description of an array."""
    return isinstance(plain, dict) and "array" in plain and "shape" in plain


def encode_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Encode the arguments of one call: tensors and arrays, numbers, strings, lists and dicts."""
    return {name: _encode(value) for name, value in arguments.items()}


def _encode(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return {"tensor": array_to_plain(value)}
    if isinstance(value, np.ndarray):
        return {"ndarray": array_to_plain(value)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {"dict": {key: _encode(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [_encode(item) for item in value]}
    return value


def decode(value: Any) -> Any:
    """Undo ``encode_arguments`` for one argument."""
    if isinstance(value, dict):
        if "tensor" in value:
            return torch.from_numpy(array_from_plain(value["tensor"]).copy())
        if "ndarray" in value:
            return array_from_plain(value["ndarray"])
        if "dict" in value:
            return {key: decode(item) for key, item in value["dict"].items()}
        if "list" in value:
            return [decode(item) for item in value["list"]]
    return value

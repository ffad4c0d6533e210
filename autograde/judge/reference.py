"""Give the lab's reference solutions as a namespace, for helpers that an exercise builds on."""

from __future__ import annotations

import contextlib
import io
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"


@lru_cache(maxsize=8)
def namespace(lab: str) -> dict[str, Any]:
    """Execute the defining cells of ``solutions/<lab>.py``; return the names they bind.

    Test cells and cells tagged ``skip-execution`` (figures, sliders, training) are left out, so
    this takes milliseconds once torch is imported.
    """
    module = ModuleType(f"reference_{lab}")
    # Dataclasses look their module up by name.
    sys.modules[module.__name__] = module
    module.__dict__["check"] = None
    for cell in _cells(lab):
        meta = cell.metadata
        skip = "skip-execution" in meta.get("tags", []) or meta.get("nbgrader", {}).get("grade")
        if cell.cell_type != "code" or skip:
            continue
        with contextlib.redirect_stdout(io.StringIO()):  # what a cell tells a student
            exec(compile(_without_checker(cell.source), f"<{lab}>", "exec"), module.__dict__)
    return module.__dict__


def _without_checker(source: str) -> str:
    """Drop the line that loads the stored checks: they may be about to be generated."""
    return "\n".join("" if "= checker(" in line else line for line in source.splitlines())


@lru_cache(maxsize=8)
def _cells(lab: str) -> list:
    import jupytext

    path = SOLUTIONS / f"{lab}.py"
    if not path.is_file():
        raise ValueError(f"there is no source {path}")
    return jupytext.read(path).cells


def points(exercise_id: str) -> float:
    """Return the points of an exercise's test cell in the lab's source."""
    lab, _, name = exercise_id.partition("/")
    for cell in _cells(lab):
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade_id") == f"test_{name}":
            return float(meta["points"])
    raise ValueError(f"solutions/{lab}.py has no test cell test_{name}")

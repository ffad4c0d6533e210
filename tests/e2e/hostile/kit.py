"""What hostile submissions are made of: a technique, an attack, a notebook to put them in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograde import demo
from autograde.demo import Material

LAB = demo.LAB
# Nothing else in the lab calls these, so an attack in the place of one touches no other.
SCHEDULE, GRADIENT, VALUE = "linear_schedule", "has_gradient", "clipped_value_loss"


@dataclass(frozen=True)
class Technique:
    """Hostile code in the place of a solution.

    share: of the exercise's points that it is to have, as much as what is right in it is worth.
    {name} in the source stands for something out of reach; see test_hostile.
    """

    target: str
    source: str
    share: float = 0.0


@dataclass(frozen=True)
class Attack:
    """A submission: techniques by name, or `make`, and what it costs its author besides.

    make(material, folder, outside): the notebook (dict or bytes), or None when it has put files
    into the submission's `folder` itself. targets: exercises that `make` leaves unwritten.
    collateral: what else it loses, as the share that is left of the exercise.
    """

    techniques: dict[str, Technique] = field(default_factory=dict)
    make: Callable[[Material, Path, dict], Any] | None = None
    targets: tuple[str, ...] = ()
    collateral: dict[str, float] = field(default_factory=dict)
    refused: bool = False

    @property
    def shares(self) -> dict[str, float]:
        """What it is to have of the exercises that are not worth full points."""
        shares = {t.target: t.share for t in self.techniques.values()}
        return {**dict.fromkeys(self.targets, 0.0), **self.collateral, **shares}

    def hand_in(self, m: Material, folder: Path, outside: dict) -> Any:
        if self.make is not None:
            return self.make(m, folder, outside)
        sources: dict[str, str] = {}
        for technique in self.techniques.values():
            text = technique.source
            for name, value in outside.items():
                text = text.replace("{" + name + "}", str(value))
            sources[technique.target] = text
        return demo.solved(m, **sources)


def code(collateral: dict[str, float] | None = None, /, **techniques: Technique) -> Attack:
    return Attack(techniques, collateral=collateral or {})


def notebook(change: Callable[[dict], None]) -> Attack:
    """A notebook with one unwritten exercise, changed in place."""

    def make(m: Material, folder: Path, outside: dict) -> dict:
        made = copy.deepcopy(demo.solved(m))
        cell_of(made, SCHEDULE)["source"] = cell_of(m.lab.skeleton, SCHEDULE)["source"]
        change(made)
        return made

    return Attack(make=make, targets=(SCHEDULE,))


def refused(make: Callable[[Material, Path, dict], bytes | None]) -> Attack:
    return Attack(make=make, refused=True)


def cell_of(notebook: dict, grade_id: str) -> dict:
    """The cell of that grade_id."""
    return next(
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    )


def new_cell(source: str, kind: str = "code", **more) -> dict:
    cell = {"cell_type": kind, "metadata": {}, "source": source, **more}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


STUBS = {
    name: f"\ndef {name}({arguments}):\n    raise NotImplementedError\n"
    for name, arguments in (
        (SCHEDULE, "update, n_updates, initial"),
        (GRADIENT, "ratio, advantages, clip_epsilon"),
        (VALUE, "values, old_values, returns, clip_epsilon"),
    )
}


def beside(target: str, source: str) -> Technique:
    """Code that runs beside an exercise that is not written."""
    return Technique(target, STUBS[target] + source)

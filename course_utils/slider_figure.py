"""A figure with one or two sliders whose every frame is computed beforehand.

Python computes all frames once and hands over the numbers; the browser draws the one that the
sliders point at. So a key press redraws at once, and the figure outlives the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import anywidget
import numpy as np
import traitlets
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import ArrayLike

from course_utils.execution import is_grading
from course_utils.widgets import STYLE, script

KINDS = ("line", "thin", "steps", "bars", "points", "band", "marks")
COLORS = 6  # as many as figures.CYCLE has


@dataclass(frozen=True)
class Slider:
    """One slider: its positions, where it starts, and what it is called.

    Attributes:
        name: shown before the value ("lambda").
        values: the positions, in order; they need not be evenly spaced.
        start: the value at first (the nearest one is taken).
        label: what it does, for screen readers; by default the name.
        texts: how each value is written; by default the shortest form of the numbers.
    """

    name: str
    values: Sequence[float]
    start: float
    label: str = ""
    texts: Sequence[str] | None = None


@dataclass(frozen=True)
class Series:
    """What is drawn in a panel. Arrays are [n], the same in all frames, or [K, n], by frame.

    Attributes:
        kind: "line", "thin" (a line that is one of many), "steps", "bars", "points", "band"
            (between ``y`` and ``high``) or "marks" (vertical lines at ``x``).
        label: its words in the key; without one it is not in the key.
        x, y, high: numbers; a NaN interrupts a line.
        color: its place in the palette, as in ``figures.CYCLE``.
    """

    kind: str
    label: str = ""
    x: ArrayLike = ()
    y: ArrayLike | None = None
    high: ArrayLike | None = None
    color: int = 0


@dataclass(frozen=True)
class Panel:
    """One pair of axes. Ranges are (low, high); by default they hold what all frames show.

    ``x_ticks`` are (value, text); by default round numbers.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series] = field(default_factory=tuple)
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    y_log: bool = False
    x_ticks: Sequence[tuple[float, str]] | None = None


class SliderFigure(anywidget.AnyWidget):
    """Frames and the sliders that choose one; ``at`` holds the sliders' positions."""

    _esm = script("slider_figure")
    _css = STYLE

    spec = traitlets.Dict().tag(sync=True)
    numbers = traitlets.Bytes().tag(sync=True)
    at = traitlets.List(traitlets.Int()).tag(sync=True)


def slider_figure(
    sliders: Sequence[Slider],
    panels: Sequence[Panel],
    reading: Sequence[str] = (),
    *,
    description: str,
    fact: str = "",
) -> SliderFigure | None:
    """Build the figure, as the last line of a cell. None while grading.

    Args:
        sliders: one or two. K is the number of frames, the product of their lengths; with two,
            the second one's position changes fastest.
        panels: side by side, two in a row.
        reading: ``[K]`` what the picture says in each frame, in words; shown below it.
        description: what the picture is, for a reader who cannot see it.
        fact: what is off in the picture, shown above it; empty if nothing is.

    Raises:
        ValueError: an array or ``reading`` does not fit the number of frames.
    """
    if is_grading():
        return None
    if not 1 <= len(sliders) <= 2:
        raise ValueError(f"one or two sliders, not {len(sliders)}")
    frames = math.prod(len(slider.values) for slider in sliders)
    if len(reading) not in (0, frames):
        raise ValueError(f"reading has {len(reading)} texts for {frames} frames")
    store = _Store(frames)
    spec = {
        "sliders": [
            {
                "name": slider.name,
                "label": slider.label or slider.name,
                "texts": list(slider.texts or [f"{value:g}" for value in slider.values]),
            }
            for slider in sliders
        ],
        "panels": [_panel(panel, store) for panel in panels],
        "reading": list(reading),
        "fact": fact,
        "description": description,
    }
    starts = [int(np.argmin(abs(np.asarray(s.values, dtype=float) - s.start))) for s in sliders]
    return SliderFigure(spec=spec, numbers=store.bytes(), at=starts)


class _Store:
    """All arrays of a figure in one row of float32 numbers; an array is [start, n, fixed]."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.parts: list[np.ndarray] = []
        self.size = 0

    def add(self, values: ArrayLike, what: str) -> list:
        array = np.asarray(values, dtype=float)
        fixed = array.ndim == 1
        if array.ndim not in (1, 2) or (not fixed and len(array) != self.frames):
            raise ValueError(
                f"{what} has shape {list(array.shape)}; it should be [n] or [{self.frames}, n]"
            )
        place = [self.size, int(array.shape[-1]), fixed]
        self.parts.append(array.reshape(-1).astype("<f4"))
        self.size += array.size
        return place

    def bytes(self) -> bytes:
        return b"".join(part.tobytes() for part in self.parts)


def _panel(panel: Panel, store: _Store) -> dict:
    drawn = []
    for series in panel.series:
        if series.kind not in KINDS:
            raise ValueError(f"kind {series.kind!r}; there are: {', '.join(KINDS)}")
        name = f"series {series.label or series.kind!r} in {panel.title!r}"
        entry = {
            "kind": series.kind,
            "label": series.label,
            "color": series.color % COLORS,
            "x": store.add(series.x, f"x of {name}"),
        }
        for axis in ("y", "high"):
            values = getattr(series, axis)
            if values is not None:
                entry[axis] = store.add(values, f"{axis} of {name}")
                if entry[axis][1] != entry["x"][1]:
                    raise ValueError(
                        f"{name}: x has {entry['x'][1]} entries, {axis} {entry[axis][1]}"
                    )
        drawn.append(entry)
    xs = [s.x for s in panel.series]
    for series in panel.series:
        if series.kind == "bars":  # half a bar more on both sides
            row = np.atleast_2d(np.asarray(series.x, dtype=float))[0]
            half = (row[1] - row[0]) / 2 if len(row) > 1 else 0.5
            xs.append([row.min() - half, row.max() + half])
    x_range = panel.x_range or _range(xs, margin=0.02)
    ys = [v for s in panel.series for v in (s.y, s.high) if v is not None]
    if any(s.kind == "bars" for s in panel.series) and not panel.y_log:
        ys.append([0.0])
    y_range = panel.y_range or _range(ys, margin=0.05, log=panel.y_log)
    return {
        "title": panel.title,
        "x_label": panel.x_label,
        "y_label": panel.y_label,
        "series": drawn,
        "x_range": list(x_range),
        "y_range": list(y_range),
        "y_log": panel.y_log,
        "x_ticks": _ticks(x_range) if panel.x_ticks is None else [list(t) for t in panel.x_ticks],
        "y_ticks": _ticks(y_range, log=panel.y_log),
    }


def _range(arrays: Sequence[ArrayLike], margin: float, log: bool = False) -> tuple[float, float]:
    """(low, high) that holds every finite number, with a margin; one for all frames."""
    values = np.concatenate([np.asarray(a, dtype=float).reshape(-1) for a in arrays] or [[]])
    values = values[np.isfinite(values) & ((values > 0) if log else True)]
    if not values.size:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if log:
        return low / 1.5, high * 1.5
    space = margin * (high - low) or 0.5
    return low - space, high + space


def _ticks(bounds: tuple[float, float], log: bool = False) -> list[list]:
    """[[value, text], ...] at round numbers inside the bounds."""
    locator = LogLocator(numticks=6) if log else MaxNLocator(5, steps=[1, 2, 5, 10])
    values = [v for v in locator.tick_values(*bounds) if bounds[0] <= v <= bounds[1]]
    return [[float(v), f"{v:.6g}".replace("-", "\u2212")] for v in values]

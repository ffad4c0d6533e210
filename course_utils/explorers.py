"""Sliders over the student's own function: evaluated once over a grid, drawn by the browser."""

from __future__ import annotations

import contextlib
import html
import io
import json
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import anywidget
import numpy as np
import torch
import traitlets

from course_utils.execution import is_grading, unwritten_function
from course_utils.widgets import STYLE, script

# Ratios and epsilons share one spacing, so that 1 - epsilon and 1 + epsilon are always nodes of
# the ratio grid and a corner of the curve is drawn as a corner.
SPACING = 0.025
RATIOS = np.round(np.arange(1, 81) * SPACING, 3)  # 0.025 ... 2
EPSILONS = np.round(np.arange(1, 21) * SPACING, 3)  # 0.025 ... 0.5
ADVANTAGES = (2.0, -2.0)  # the two panels; not 1, where A, A * A and 1 / A look alike
FIRST_EPSILON = 0.2
OLD_PROBABILITY = 0.25  # any value with ratio * OLD_PROBABILITY < 1 keeps log-probs below 0
TIME_BUDGET = 10.0  # seconds for the whole grid; a plain torch function needs well under 1


class PictureError(Exception):
    """The function gave nothing that can be drawn; the text says why, to the student."""


@dataclass(frozen=True)
class ClipPicture:
    """What a loss function shows on the grid.

    Attributes:
        objective: ``[E, 2, R]`` minus the loss of one sample, by epsilon, panel and ratio.
        slope: ``[E, 2, R - 1]`` slope of the objective over the ratio, as autograd reports it,
            in the middle between neighbouring ratios (so never on a corner).
    """

    objective: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True)
class Note:
    """A plain-words message in the place of a picture."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        style = "border-left:4px solid #c36200;padding:.4em .8em;margin:.4em 0"
        return f'<p role="note" style="{style}">{html.escape(self.text)}</p>'


class ClipExplorer(anywidget.AnyWidget):
    """Epsilon and ratio sliders over stored curves. All numbers are in the traits below.

    The arrays are float32 bytes in C order: ``objective`` [E, 2, R], ``slope`` [E, 2, R - 1].
    The browser draws and moves the sliders without asking the kernel, so the widget outlives it.
    """

    _esm = script("clip_explorer")
    _css = STYLE

    ratios = traitlets.List(traitlets.Float()).tag(sync=True)
    epsilons = traitlets.List(traitlets.Float()).tag(sync=True)
    advantages = traitlets.List(traitlets.Float()).tag(sync=True)
    objective = traitlets.Bytes().tag(sync=True)
    slope = traitlets.Bytes().tag(sync=True)
    y_range = traitlets.List(traitlets.Float()).tag(sync=True)
    epsilon = traitlets.Float(FIRST_EPSILON).tag(sync=True)
    ratio = traitlets.Float(1.3).tag(sync=True)
    fact = traitlets.Unicode().tag(sync=True)


def clip_explorer(
    clipped_surrogate_loss: Callable[..., torch.Tensor],
) -> ClipExplorer | Note | None:
    """Draw the student's clipped objective over the ratio, with a slider for epsilon.

    The function is evaluated one sample at a time, once over the whole grid of 20 epsilons, two
    advantages (one positive, one negative) and 80 ratios, and its gradient between the ratios.

    Args:
        clipped_surrogate_loss: called with ``(new_log_probs[1], old_log_probs[1],
            advantages[1], clip_epsilon)``; returns the mean loss as a 0-d tensor.

    Returns:
        The widget, as the last line of a cell. If the function is unwritten, raises, or returns
        something that cannot be drawn: a note that says so. None while grading.

    Source: Schulman et al. 2017, section 3 and figure 1, https://arxiv.org/abs/1707.06347
    """
    if is_grading():
        return None
    try:
        picture = evaluate(clipped_surrogate_loss)
    except Exception as error:
        return failure_note(clipped_surrogate_loss, error)
    fact, epsilon = first_fact_off(picture)
    return ClipExplorer(
        ratios=RATIOS.tolist(),
        epsilons=EPSILONS.tolist(),
        advantages=list(ADVANTAGES),
        objective=picture.objective.astype("<f4").tobytes(),
        slope=picture.slope.astype("<f4").tobytes(),
        y_range=y_range(picture.objective),
        epsilon=epsilon,
        fact=fact,
    )


def failure_note(function: object, error: Exception) -> Note:
    """Say why there is no picture: what ``function`` raised, or what it gave that is none."""
    if isinstance(error, PictureError):
        return Note(f"No picture yet: {error}")
    unwritten = unwritten_function(error)
    if unwritten is not None:
        return Note(
            f"No picture yet: {unwritten} is not written. "
            "Complete its cell above, then run this one again."
        )
    name = getattr(function, "__name__", "the function")
    return Note(f"No picture yet: {_raised(name, error)}")


def evaluate(loss_function: Callable[..., torch.Tensor]) -> ClipPicture:
    """Call the function on every point of the grid; see ``clip_explorer``.

    Raises:
        PictureError: it returned something else than a 0-d tensor, or takes too long.
        Exception: whatever the function raises.
    """
    middles = (RATIOS[:-1] + RATIOS[1:]) / 2
    objective = np.empty((len(EPSILONS), len(ADVANTAGES), len(RATIOS)))
    slope = np.empty((len(EPSILONS), len(ADVANTAGES), len(middles)))
    started = time.perf_counter()
    # The function may print or warn on each of its several thousand calls.
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        torch.enable_grad(),
    ):
        warnings.simplefilter("ignore")
        for e, epsilon in enumerate(EPSILONS.tolist()):
            for a, advantage in enumerate(ADVANTAGES):
                for r, ratio in enumerate(RATIOS.tolist()):
                    loss, _ = _call(loss_function, ratio, advantage, epsilon)
                    objective[e, a, r] = -loss.item()
                for r, ratio in enumerate(middles.tolist()):
                    loss, new = _call(loss_function, ratio, advantage, epsilon)
                    slope[e, a, r] = -_gradient(loss, new) / ratio
                if time.perf_counter() - started > TIME_BUDGET:
                    raise PictureError(
                        f"the picture needs {2 * objective.size} calls of your function, and "
                        f"after {TIME_BUDGET:.0f} seconds most are still to come. Look for a "
                        "loop over samples, or for something made anew at each call."
                    )
    return ClipPicture(objective, slope)


def _call(
    loss_function: Callable[..., torch.Tensor], ratio: float, advantage: float, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(loss, new_log_probs) of one sample. All tensors are new: the function may change them."""
    old = math.log(OLD_PROBABILITY)
    new_log_probs = torch.tensor([old + math.log(ratio)], requires_grad=True)
    loss = loss_function(new_log_probs, torch.tensor([old]), torch.tensor([advantage]), epsilon)
    if not isinstance(loss, torch.Tensor):
        raise PictureError(_wrong_type(loss))
    if loss.ndim != 0:
        raise PictureError(
            f"for a batch of one sample the function returned shape {list(loss.shape)}; a loss "
            "is one number for the whole batch, a tensor of shape [] (the mean over the batch)."
        )
    if loss.is_complex() or loss.dtype == torch.bool:
        raise PictureError(f"the function returned a tensor of {loss.dtype}, not a real number.")
    return loss, new_log_probs


def _gradient(loss: torch.Tensor, new_log_probs: torch.Tensor) -> float:
    if not loss.requires_grad:
        return 0.0
    (gradient,) = torch.autograd.grad(loss, new_log_probs, allow_unused=True)
    return 0.0 if gradient is None else gradient.item()


def _wrong_type(value: object) -> str:
    if value is None:
        return "the function returned None. Is the return line missing?"
    kind = type(value).__name__
    if isinstance(value, (float, int, np.number, np.ndarray)):
        return (
            f"the function returned a plain number or array ({kind}). Return the tensor itself: "
            "no gradient can flow through a number."
        )
    return f"the function returned a {kind}; it should return one tensor of shape []."


def _raised(name: str, error: BaseException) -> str:
    first_line = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{name} raised {type(error).__name__}{': ' + first_line if first_line else ''}"


def y_range(objective: np.ndarray) -> list[float]:
    """(low, high) of the drawing, one for all epsilons so that it does not jump."""
    largest = max(abs(advantage) for advantage in ADVANTAGES) * RATIOS[-1]
    finite = objective[np.isfinite(objective)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # A wrong curve may run off; beyond five times the usual height it is cut.
    low, high = max(min(low, -largest), -5 * largest), min(max(high, largest), 5 * largest)
    margin = 0.05 * (high - low)
    return [round(float(low - margin), 4), round(float(high + margin), 4)]


# ---------------------------------------------------------------------------------------------
# Facts of the picture, in the order in which they are looked at. Only the first that is off is
# shown. A region is (from, to), its ends in units of epsilon from ratio 1.

_PANELS = ("A > 0", "A < 0")
_REGIONS = {
    "inside the band": (-1.0, 1.0),
    "left of 1 - epsilon": (-math.inf, -1.0),
    "right of 1 + epsilon": (1.0, math.inf),
}
_LOOKED_AT = ("inside the band", "right of 1 + epsilon", "left of 1 - epsilon")
_TOLERANCE = 1e-3


def first_fact_off(picture: ClipPicture) -> tuple[str, float]:
    """(the first fact that is off, the epsilon at which to show it); ("", 0.2) if all hold."""
    start = int(np.argmin(abs(EPSILONS - FIRST_EPSILON)))
    for e in [start, *(i for i in range(len(EPSILONS)) if i != start)]:
        fact = _fact_off(picture.objective[e], picture.slope[e], float(EPSILONS[e]))
        if fact:
            return f"At epsilon = {EPSILONS[e]:.3f}: {fact}", float(EPSILONS[e])
    return "", FIRST_EPSILON


def _fact_off(objective: np.ndarray, slope: np.ndarray, epsilon: float) -> str:
    """The first fact that is off in the curves [2, R] and slopes [2, R - 1] of one epsilon."""
    for a, panel in enumerate(_PANELS):
        if not (np.isfinite(objective[a]).all() and np.isfinite(slope[a]).all()):
            return f"for {panel} some values or gradients are not finite (NaN or infinity)."
    at_one = int(np.argmin(abs(RATIOS - 1)))
    for a, advantage in enumerate(ADVANTAGES):
        value = objective[a, at_one]
        if abs(value - advantage) > _TOLERANCE:
            return (
                f"at ratio 1, where old and new policy agree, the objective (minus your loss) "
                f"is the advantage, {_signed(advantage)}; yours is {_signed(value)}."
            )
    rise = np.diff(objective) / np.diff(RATIOS)
    for a, panel in enumerate(_PANELS):
        # A corner inside a cell makes one cell disagree; a detached tensor makes many.
        off = np.flatnonzero(abs(rise[a] - slope[a]) > 0.05 * (1 + abs(slope[a])))
        if off.size > 4:
            r = off[off.size // 2]
            return (
                f"for {panel} the drawn curve and autograd's gradient disagree, for example "
                f"between ratio {RATIOS[r]:.3f} and {RATIOS[r + 1]:.3f}: the curve's slope is "
                f"{_signed(rise[a, r])}, the gradient says {_signed(slope[a, r])}."
            )
    middles = (RATIOS[:-1] + RATIOS[1:]) / 2
    drawn = right_slopes(epsilon)
    for region in _LOOKED_AT:
        low, high = (1 + bound * epsilon for bound in _REGIONS[region])
        here = (middles > low) & (middles < high)
        for a, panel in enumerate(_PANELS):
            off = here & (abs(slope[a] - drawn[a]) > _TOLERANCE)
            if off.any():
                r = int(np.argmax(off))
                line = "is flat" if drawn[a, r] == 0 else f"has slope A = {_signed(drawn[a, r])}"
                yours = _signed(slope[a, r])
                return f"for {panel} the curve {line} {region}; yours has slope {yours}."
    return ""


@lru_cache(maxsize=1)
def _stored_picture() -> dict:
    file = resources.files("course_utils") / "data" / "pictures" / "clip_explorer.json"
    return json.loads(file.read_text(encoding="utf-8"))


def right_slopes(epsilon: float) -> np.ndarray:
    """The slopes [2, R - 1] of the right picture at one epsilon, from stored numbers.

    ``autograde.stored_checks`` writes the file: no formula for them is needed here.
    """
    rows = _stored_picture()["slope_per_advantage"][f"{epsilon:.3f}"]
    return np.array([[a * int(c) for c in row] for a, row in zip(ADVANTAGES, rows, strict=True)])


def _signed(value: float) -> str:
    return f"{value:+.2f}" if abs(value) >= 0.005 else "0"

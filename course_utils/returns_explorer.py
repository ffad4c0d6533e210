"""A slider for the discount: what the student's own returns say about near and far rewards."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from course_utils.execution import is_grading
from course_utils.explorers import Note, PictureError, failure_note
from course_utils.slider_figure import Panel, Series, Slider, SliderFigure, slider_figure

GAMMAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 1.0)
FIRST_GAMMA = 0.99
REWARD_AT, STEPS_SEEN = 50, 61  # the left panel: one reward of 1, and what is looked at
EPISODE, LIMIT = 120, 500  # the right panel: so many steps of reward 1, cut off before the limit


@dataclass(frozen=True)
class ReturnsPicture:
    """What a returns function shows on the grid of discounts.

    Attributes:
        single: ``[K, 61]`` returns of an episode whose only reward, 1, comes at step 50.
        fell: ``[K, 120]`` returns of 120 steps with reward 1, after which the task ended.
        cut: ``[K, 120]`` the same steps, cut off by a time limit, with ``worth`` as last value.
        worth: ``[K]`` what another 380 rewards of 1 are worth, the first of them in full.
    """

    single: np.ndarray
    fell: np.ndarray
    cut: np.ndarray
    worth: np.ndarray


def returns_explorer(
    discounted_returns: Callable[..., torch.Tensor],
) -> SliderFigure | Note | None:
    """Draw the student's returns of two made-up episodes, with a slider for gamma.

    Args:
        discounted_returns: called with ``(rewards[T], gamma, last_value)``; returns ``[T]``.

    Returns:
        The figure, as the last line of a cell. If the function is unwritten, raises, or returns
        something that cannot be drawn: a note that says so. None while grading.
    """
    if is_grading():
        return None
    try:
        picture = evaluate(discounted_returns)
    except Exception as error:
        return failure_note(discounted_returns, error)
    fact, gamma = first_fact_off(picture)
    ahead = np.arange(STEPS_SEEN)
    steps = np.arange(EPISODE)
    return slider_figure(
        [
            Slider(
                "gamma",
                values=GAMMAS,
                start=gamma,
                label="gamma, the discount: how much a reward one step later counts",
            )
        ],
        [
            Panel(
                "one reward of 1, at step 50",
                "step t",
                "return from step t on",
                [
                    Series("line", "your returns", x=ahead, y=picture.single, color=0),
                    Series("marks", "the reward", x=[REWARD_AT], color=1),
                ],
                y_range=_held((0.0, 1.05), picture.single),
            ),
            Panel(
                "120 steps with a reward of 1 each",
                "step t",
                "return from step t on (log scale)",
                [
                    Series("line", "the pole fell", x=steps, y=_positive(picture.fell), color=2),
                    Series(
                        "line",
                        "time was up, 380 more to come",
                        x=steps,
                        y=_positive(picture.cut),
                        color=1,
                    ),
                ],
                y_range=(0.8, 700.0),
                y_log=True,
            ),
        ],
        reading=[_reading(picture, k) for k in range(len(GAMMAS))],
        fact=f"One thing is off in this picture. {fact}" if fact else "",
        description="Two panels over the steps of an episode. Left: the return at each step when "
        "the only reward, 1, comes at step 50. Right: the returns of 120 steps with a reward of 1 "
        "each, once when the pole fell after them, once when only the time was up.",
    )


def _held(usual: tuple[float, float], values: np.ndarray) -> tuple[float, float]:
    """The usual range, wider if a wrong function leaves it (but not without end)."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else usual
    return max(min(usual[0], 1.05 * float(low)), -60.0), min(
        max(usual[1], 1.05 * float(high)), 60.0
    )


def _positive(values: np.ndarray) -> np.ndarray:
    """A logarithmic axis has no place for the rest."""
    return np.where(values > 0, values, np.nan)


def _reading(picture: ReturnsPicture, k: int) -> str:
    gamma, far, near = GAMMAS[k], picture.single[k, 0], picture.single[k, REWARD_AT - 10]
    sight = "without end" if gamma == 1 else f"{1 / (1 - gamma):.0f}"
    return (
        f"gamma {gamma:g}: a reward 50 steps away is worth {far:.3g}, one 10 steps away {near:.3g}."
        f" A reward of 1 at every step, for ever: {sight}. First step on the right: "
        f"{picture.fell[k, 0]:.4g} if the pole fell, {picture.cut[k, 0]:.4g} if time was up."
    )


def evaluate(discounted_returns: Callable[..., torch.Tensor]) -> ReturnsPicture:
    """Call the function on both episodes at every discount of the grid.

    Raises:
        PictureError: it returned something else than T finite numbers.
        Exception: whatever the function raises.
    """
    single = np.empty((len(GAMMAS), STEPS_SEEN))
    fell, cut = np.empty((2, len(GAMMAS), EPISODE))
    # What a reward of 1 a step is worth for the rest of the time, counted step by step.
    worth = np.array([np.power(g, np.arange(LIMIT - EPISODE)).sum() for g in GAMMAS])
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for k, gamma in enumerate(GAMMAS):
            rewards = torch.zeros(STEPS_SEEN)
            rewards[REWARD_AT] = 1.0
            single[k] = _numbers(discounted_returns(rewards, gamma, 0.0), STEPS_SEEN)
            fell[k] = _numbers(discounted_returns(torch.ones(EPISODE), gamma, 0.0), EPISODE)
            cut[k] = _numbers(
                discounted_returns(torch.ones(EPISODE), gamma, float(worth[k])), EPISODE
            )
    return ReturnsPicture(single, fell, cut, worth)


def _numbers(found: object, size: int) -> np.ndarray:
    if found is None:
        raise PictureError("the function returned None. Is the return line missing?")
    if not isinstance(found, torch.Tensor):
        raise PictureError(
            f"the function returned a {type(found).__name__}; it should return a tensor."
        )
    if list(found.shape) != [size] or found.is_complex():
        raise PictureError(
            f"for {size} rewards the function returned shape {list(found.shape)}; there is one "
            f"return for each step, shape [{size}]."
        )
    return found.detach().double().numpy()


# ---------------------------------------------------------------------------------------------
# Facts of the picture, in the order in which they are looked at. Only the first that is off is
# shown. They say what a few numbers must be, and not how the others come about.


def first_fact_off(picture: ReturnsPicture) -> tuple[str, float]:
    """(the first fact that is off, the gamma at which to show it); ("", 0.99) if all hold."""
    for values in (picture.single, picture.fell, picture.cut):
        if not np.isfinite(values).all():
            k = int(np.argmin(np.isfinite(values).all(axis=1)))
            return _at(k, "some returns are not finite (NaN or infinity).")
    zero, one = GAMMAS.index(0.0), GAMMAS.index(1.0)
    order = [GAMMAS.index(FIRST_GAMMA), *range(len(GAMMAS))]
    for k in order:
        if off := _off(picture.single[k, REWARD_AT], 1.0):
            return _at(k, f"at step 50 itself the reward counts in full, 1; yours is {off}.")
        late = picture.single[k, REWARD_AT + 1 :]
        if off := _off(late[np.argmax(abs(late))], 0.0):
            return _at(k, f"after step 50 nothing more comes, so the returns are 0; one is {off}.")
    if off := _off(picture.single[one, 0], 1.0):
        return _at(one, f"a far reward counts as much as a near one, 1; yours is {off} at step 0.")
    if off := _off(picture.single[zero, 0], 0.0):
        return _at(zero, f"rewards to come count nothing, 0; yours is {off} at step 0.")
    for k in order:
        if off := _off(picture.single[k, REWARD_AT - 1], GAMMAS[k]):
            return _at(k, f"one step before the reward it is worth {GAMMAS[k]:g}; yours is {off}.")
    if off := _off(picture.fell[one, 0], float(EPISODE)):
        return _at(one, f"120 rewards of 1 make 120 at step 0; yours is {off}.")
    if off := _off(picture.cut[one, 0], float(LIMIT)):
        return _at(
            one, f"120 rewards of 1 and a last value of 380 make 500 at step 0; yours is {off}."
        )
    for k in order:
        expected = 1.0 + GAMMAS[k] * picture.worth[k]
        if off := _off(picture.cut[k, -1], expected):
            return _at(
                k,
                f"when the time is up, the return at the last step is {expected:.4g}; yours is "
                f"{off}. Look at what the last value counts there.",
            )
    for k in order:
        expected = float(np.power(GAMMAS[k], np.arange(LIMIT)).sum())
        if off := _off(picture.cut[k, 0], expected):
            return _at(
                k,
                "when the time is up, with the rest as last value, step 0 is worth as much as 500 "
                f"rewards in a row, {expected:.4g}; yours is {off}.",
            )
    return "", FIRST_GAMMA


def _off(value: float, expected: float) -> str:
    """The value in words if it is not as expected, else an empty text."""
    return "" if abs(value - expected) <= 2e-3 * max(1.0, abs(expected)) else f"{value:.4g}"


def _at(k: int, text: str) -> tuple[str, float]:
    return f"At gamma = {GAMMAS[k]:g}: {text}", GAMMAS[k]

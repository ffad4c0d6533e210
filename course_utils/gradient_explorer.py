"""Sliders of lab 1: a bandit while it learns, and how far estimates of one gradient spread.

Both draw what the student's own functions give, and know no formula for it.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch

from course_utils.execution import is_grading, unwritten_function
from course_utils.explorers import Note, PictureError
from course_utils.slider_figure import Panel, Series, Slider, SliderFigure, slider_figure

TIME_BUDGET = 10.0  # seconds; plain torch functions need well under two
SAMPLES = (16, 32, 64, 128, 256, 512, 1024)
REPEATS = 300  # estimates in each frame


def _failure(function: object, error: Exception) -> Note:
    """Say why there is no picture: unwritten, an error, or something that cannot be drawn."""
    if isinstance(error, PictureError):
        return Note(f"No picture yet: {error}")
    unwritten = unwritten_function(error)
    if unwritten is not None:
        return Note(
            f"No picture yet: {unwritten} is not written. "
            "Complete its cell above, then run this one again."
        )
    name = getattr(function, "__name__", "the function")
    first_line = (str(error).strip().splitlines() or [""])[0][:200]
    text = f"{name} raised {type(error).__name__}{': ' + first_line if first_line else ''}"
    return Note(f"No picture yet: {text}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The function may print or warn on each of its many calls."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


# --- the bandit ------------------------------------------------------------------------------


def bandit_explorer(
    learn: Callable[[], tuple], mean_rewards: torch.Tensor, stride: int = 4
) -> SliderFigure | Note | None:
    """Draw a bandit's probabilities with a slider over the training steps.

    Args:
        learn: called without arguments; returns the probabilities before each step and after the
            last one ``[K + 1, A]``, the actions ``[K]`` and the rewards ``[K]``.
        mean_rewards: ``[A]`` mean reward of each arm, for the second plot.
        stride: steps from one position of the slider to the next.

    Returns:
        The widget, as the last line of a cell; a note where there is nothing to draw; None while
        grading.
    """
    if is_grading():
        return None
    try:
        with _quiet():
            history = learn()
        probabilities, actions, rewards = _history(history, len(mean_rewards))
    except Exception as error:
        return _failure(learn, error)
    at = np.arange(0, len(probabilities), stride)
    arms = np.arange(len(mean_rewards))
    expected = probabilities @ mean_rewards.double().numpy()
    best = float(mean_rewards.max())
    shown = probabilities[at]
    reading = []
    for k, p in zip(at.tolist(), shown, strict=True):
        last = "" if k == 0 else f"arm {actions[k - 1]} came last, reward {rewards[k - 1]:+.2f}; "
        shares = ", ".join(f"{x:.2f}" for x in p)
        reading.append(
            f"step {k}: {last}probabilities {shares}; expected reward {expected[k]:.2f}."
        )
    steps = np.arange(len(probabilities))
    panels = [
        Panel(
            "your policy", "arm", "probability", y_range=(0.0, 1.0),
            series=[Series("bars", "probability of each arm", x=arms, y=shown)],
        ),
        Panel(
            "expected reward of your policy", "step", "expected reward",
            series=[
                Series("line", "expected reward", x=steps, y=expected),
                Series("line", "best arm", x=steps[[0, -1]], y=[best, best], color=1),
                Series("marks", "this step", x=at[:, None].astype(float), color=3),
            ],
        ),
    ]  # fmt: skip
    return slider_figure(
        sliders=[Slider("step", at.tolist(), start=0, label="training step of the bandit")],
        panels=panels,
        reading=reading,
        fact=bandit_fact(probabilities, expected),
        description="Two plots: the probabilities of the arms at one training step, and the "
        "expected reward over all steps.",
    )


def _history(history: object, arms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        parts = [torch.as_tensor(part).detach().double().numpy() for part in history]
        probabilities, actions, rewards = parts
        steps = len(actions)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PictureError(f"the run gave no numbers that can be drawn ({error}).") from None
    if probabilities.shape != (steps + 1, arms) or actions.shape != rewards.shape:
        raise PictureError(
            f"the run gave probabilities of shape {list(probabilities.shape)}; for {steps} steps "
            f"and {arms} arms they have shape {[steps + 1, arms]}."
        )
    if not np.isfinite(probabilities).all():
        raise PictureError("some probabilities became NaN or infinite on the way.")
    return probabilities, actions.astype(int), rewards


def bandit_fact(probabilities: np.ndarray, expected: np.ndarray) -> str:
    """Say what is off in the run: nothing moves, or it moves downhill. Empty if neither."""
    if np.abs(probabilities - probabilities[0]).max() < 1e-6:
        return (
            "One thing is off in this picture: no probability ever moves. Is the score zero, or "
            "the same for every action?"
        )
    tail = expected[-len(expected) // 5 :].mean()
    if tail < expected[0]:
        return (
            f"One thing is off in this picture: the expected reward falls from {expected[0]:.2f} "
            f"to {tail:.2f}. Steps along the gradient make it rise."
        )
    return ""


# --- the spread of an estimate -----------------------------------------------------------------


def spread_explorer(
    score_function_gradient: Callable[..., tuple[torch.Tensor, torch.Tensor]],
    scores: torch.Tensor,
    returns: torch.Tensor,
    exact: torch.Tensor,
    baselines: tuple[float, ...],
) -> SliderFigure | Note | None:
    """Draw how far 300 estimates of one gradient spread, by number of samples and by baseline.

    Args:
        score_function_gradient: called with ``(scores [M, D], returns [M], baseline)``; returns
            mean and standard error, both ``[D]``.
        scores, returns: a large pool of samples ``[N, D]`` and ``[N]``; each estimate draws M of
            them, with replacement.
        exact: ``[D]`` the gradient that is estimated.
        baselines: positions of the second slider.

    Returns:
        The widget, as the last line of a cell; a note where there is nothing to draw; None while
        grading.
    """
    if is_grading():
        return None
    try:
        with _quiet():
            means, errors = _estimates(score_function_gradient, scores, returns, baselines)
    except Exception as error:
        return _failure(score_function_gradient, error)
    target = float(exact.reshape(-1)[0])
    return _spread_figure(means, errors, target, baselines)


def _estimates(
    function: Callable, scores: torch.Tensor, returns: torch.Tensor, baselines: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """First entry of every estimate and of its standard error: two arrays [samples, b, 300]."""
    rng = np.random.default_rng(1)
    means, errors = np.empty((2, len(SAMPLES), len(baselines), REPEATS))
    started = time.perf_counter()
    for m, samples in enumerate(SAMPLES):
        for k in range(REPEATS):
            chosen = torch.from_numpy(rng.integers(len(returns), size=samples))
            for b, baseline in enumerate(baselines):
                pair = function(scores[chosen], returns[chosen], baseline)
                means[m, b, k], errors[m, b, k] = _two(pair, scores.shape[1])
            if not np.isfinite(means[m, :, k]).all():
                raise PictureError("some estimates are NaN or infinite.")
            if time.perf_counter() - started > TIME_BUDGET:
                calls = len(SAMPLES) * len(baselines) * REPEATS
                raise PictureError(
                    f"the picture needs {calls} calls of your function, and after "
                    f"{TIME_BUDGET:.0f} seconds many are still to come. A loop over the samples "
                    "can be right and is too slow for this; whole tensors at once are fast."
                )
    return means, errors


def _two(pair: object, size: int) -> tuple[float, float]:
    if pair is None:
        raise PictureError("the function returned None. Is the return line missing?")
    try:
        mean, error = pair
    except (TypeError, ValueError):
        raise PictureError(
            "the function should return two tensors, the mean and its standard error."
        ) from None
    for name, part in (("the mean", mean), ("the standard error", error)):
        if not isinstance(part, torch.Tensor) or list(part.shape) != [size]:
            shape = list(part.shape) if isinstance(part, torch.Tensor) else type(part).__name__
            raise PictureError(f"{name} should be a tensor of shape {[size]}; it came as {shape}.")
    return mean[0].item(), error[0].item()


def _spread_figure(
    means: np.ndarray, errors: np.ndarray, target: float, baselines: tuple[float, ...]
) -> SliderFigure | None:
    frames = [(m, b) for m in range(len(SAMPLES)) for b in range(len(baselines))]
    reach = 3.2 * means[0].std(axis=-1).max() or 1.0  # what is farther off is drawn at the edge
    low, high = target - reach, target + reach
    cloud = np.stack([np.clip(means[m, b], low, high) for m, b in frames])
    spread, told = means.std(axis=-1), errors.mean(axis=-1)
    powers = np.log2(SAMPLES)
    number = np.arange(1, REPEATS + 1)
    inside = np.stack([np.full(2, 2 * told[m, b]) for m, b in frames])
    by_frame = np.stack([spread[:, b] for _, b in frames])
    reading = [
        f"{SAMPLES[m]} samples, baseline {baselines[b]:g}: the {REPEATS} estimates have mean "
        f"{means[m, b].mean():+.3f} (exact {target:+.3f}) and standard deviation "
        f"{spread[m, b]:.3f}; your standard error says {told[m, b]:.3f}."
        for m, b in frames
    ]
    panels = [
        Panel(
            "your estimates", "number of the estimate", "first entry of the gradient",
            y_range=(low, high),
            series=[
                Series("band", "exact gradient, plus or minus 2 of your standard errors",
                       x=number[[0, -1]], y=target - inside, high=target + inside, color=5),
                Series("points", f"{REPEATS} estimates", x=number, y=cloud),
                Series("line", "exact gradient", x=number[[0, -1]], y=[target, target], color=1),
            ],
        ),
        Panel(
            "how far they spread", "number of samples, as a power of 2", "spread", y_log=True,
            series=[
                Series("points", "standard deviation of the estimates", x=powers, y=by_frame,
                       color=1),
                Series("line", "your standard error", x=powers,
                       y=np.stack([told[:, b] for _, b in frames])),
                Series("marks", "this number of samples",
                       x=np.array([[powers[m]] for m, _ in frames]), color=3),
            ],
        ),
    ]  # fmt: skip
    return slider_figure(
        sliders=[
            Slider("samples", list(SAMPLES), start=16, label="number of samples in one estimate"),
            Slider("baseline", list(baselines), start=0.0, label="baseline that is subtracted"),
        ],
        panels=panels,
        reading=reading,
        fact=spread_fact(means, errors, target, baselines),
        description="Two plots: estimates of one entry of a gradient, as dots around its "
        "exact value; and their spread against the number of samples.",
    )


def spread_fact(
    means: np.ndarray, errors: np.ndarray, target: float, baselines: tuple[float, ...]
) -> str:
    """Say what is off: the estimates miss the exact gradient, or spread by more than is said."""
    start = "One thing is off in this picture:"
    order = np.argsort(np.abs(baselines), kind="stable")
    for b in order:
        for m, samples in list(enumerate(SAMPLES))[::-1]:
            got, spread = means[m, b].mean(), means[m, b].std()
            at = f"with {samples} samples and baseline {baselines[b]:g}"
            if not abs(got - target) <= 5 * spread / REPEATS**0.5 + 0.02 * abs(target):
                return (
                    f"{start} {at} your estimates are {got:+.3f} on average, and the exact "
                    f"gradient is {target:+.3f}."
                )
            told = errors[m, b].mean()
            if samples >= 16 and not 0.7 * spread <= told <= 1.4 * spread:
                return (
                    f"{start} {at} your estimates have a standard deviation of {spread:.3f}, and "
                    f"your standard error says {told:.3f}."
                )
    return ""

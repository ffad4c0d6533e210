"""A lambda slider over a recorded rollout: the advantages that the student's function gives it."""

from __future__ import annotations

import contextlib
import io
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import torch

from course_utils.execution import is_grading, unwritten_function
from course_utils.explorers import Note, PictureError
from course_utils.slider_figure import Panel, Series, Slider, SliderFigure, slider_figure

FIRST_LAMBDA = 0.95
TIME_BUDGET = 20.0  # seconds for the whole grid; a loop over the steps needs well under 1
FLAGS = ("terminated", "truncated")
OUTSIDE = -1000.0  # left of every picture: a place for marks that a frame does not have


@dataclass(frozen=True)
class Recorded:
    """A rollout that was played once and stored, with what is right for it.

    Attributes:
        rewards, values, next_values, terminated, truncated: tensors ``[T, N]``.
        gamma: discount that the critic was trained for.
        lambdas: positions of the slider, ``[K]``.
        steps: the step of each environment whose weights are shown, ``[N]``.
        advantages, returns: what is right, ``[K, T, N]``, to a few digits.
    """

    rewards: torch.Tensor
    values: torch.Tensor
    next_values: torch.Tensor
    terminated: torch.Tensor
    truncated: torch.Tensor
    gamma: float
    lambdas: np.ndarray
    steps: list[int]
    advantages: np.ndarray
    returns: np.ndarray

    def inputs(self) -> list[torch.Tensor]:
        """Fresh copies: the function may change them."""
        names = ("rewards", "values", "next_values", *FLAGS)
        return [getattr(self, name).clone() for name in names]


@dataclass(frozen=True)
class GaePicture:
    """What a function gives for the recorded rollout.

    Attributes:
        advantages, returns: ``[K, T, N]``.
        weights: ``[K, T, N]``, how much a reward at each step adds to the advantage of the step
            that is looked at in its environment.
    """

    advantages: np.ndarray
    returns: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class TradeOff:
    """What lambda costs in a world where the truth is known; all ``[L]``.

    Attributes:
        lambdas: in ascending order.
        exact_bias: of the mean estimate, from a linear solve.
        sampled_bias, errors: the same from samples, and its standard error.
        variance: of a single estimate, from samples.
    """

    lambdas: np.ndarray
    exact_bias: np.ndarray
    sampled_bias: np.ndarray
    errors: np.ndarray
    variance: np.ndarray

    def at(self, lambdas: np.ndarray) -> tuple[np.ndarray, ...]:
        """Exact bias, sampled bias, its standard error and the variance at other lambdas."""
        curves = (self.exact_bias, self.sampled_bias, self.errors, self.variance)
        return tuple(np.interp(lambdas, self.lambdas, curve) for curve in curves)


@lru_cache(maxsize=1)
def recorded() -> Recorded:
    """Load the stored rollout, a half-trained critic's view of CartPole.

    ``python benchmarks/record_rollout.py`` made the file.
    """
    file = resources.files("course_utils") / "data" / "rollouts" / "cartpole.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    shape = tuple(stored["shape"])
    tensors = {
        name: torch.tensor(stored[name], dtype=torch.bool if name in FLAGS else torch.float32)
        for name in ("rewards", "values", "next_values", *FLAGS)
    }
    return Recorded(
        **{name: tensor.reshape(shape) for name, tensor in tensors.items()},
        gamma=stored["gamma"],
        lambdas=np.array(stored["lambdas"]),
        steps=stored["steps"],
        advantages=np.array(stored["advantages"]).reshape(-1, *shape),
        returns=np.array(stored["returns"]).reshape(-1, *shape),
    )


def gae_explorer(
    gae: Callable[..., tuple[torch.Tensor, torch.Tensor]], trade_off: TradeOff | None = None
) -> SliderFigure | Note:
    """Draw the student's advantages for a recorded rollout, with a slider for lambda.

    The second slider picks the environment. Everything drawn comes from ``gae`` itself: the
    advantages, the returns, and, by giving it a reward of 1 at one step and 0 elsewhere, the
    weight that each step has in one advantage.

    Args:
        gae: called with ``(rewards, values, next_values, terminated, truncated, gamma, lam)``,
            tensors ``[T, N]``; returns advantages and returns, both ``[T, N]``.
        trade_off: bias and variance that were found with ``gae`` in a small world. Drawn in place
            of the record and the returns, with a dot at the slider's lambda.

    Returns:
        The widget, as the last line of a cell. If the function is unwritten, raises, or returns
        something that cannot be drawn: a note that says so. None while grading.

    Source: Schulman et al. 2016, equation 16, https://arxiv.org/abs/1506.02438
    """
    if is_grading():
        return None
    name = getattr(gae, "__name__", "the function")
    try:
        picture = evaluate(gae)
    except PictureError as error:
        return Note(f"No picture yet: {error}")
    except Exception as error:
        unwritten = unwritten_function(error)
        if unwritten is not None:
            return Note(
                f"No picture yet: {unwritten} is not written. "
                "Complete its cell above, then run this one again."
            )
        first_line = (str(error).strip().splitlines() or [""])[0][:200]
        text = f"{name} raised {type(error).__name__}{': ' + first_line if first_line else ''}"
        return Note(f"No picture yet: {text}")
    return _figure(picture, recorded(), trade_off)


def evaluate(gae: Callable[..., tuple[torch.Tensor, torch.Tensor]]) -> GaePicture:
    """Call the function on the recorded rollout for every lambda, and on single rewards.

    Raises:
        PictureError: it returned something else than two tensors [T, N], or takes too long.
        Exception: whatever the function raises.
    """
    data = recorded()
    steps, envs = data.rewards.shape
    # A column for each step of each environment: its reward is 1, all else is 0. The function's
    # answer in the row that is looked at is the weight of that step.
    single = torch.eye(steps).repeat(1, envs)
    flags = [getattr(data, flag).repeat_interleave(steps, dim=1) for flag in FLAGS]
    rows = torch.tensor(data.steps).repeat_interleave(steps)
    advantages, returns, weights = np.empty((3, len(data.lambdas), steps, envs))
    started = time.perf_counter()
    # The function may print or warn on each of its calls.
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for k, lam in enumerate(data.lambdas.tolist()):
            pair = _two(gae(*data.inputs(), data.gamma, lam), (steps, envs))
            advantages[k], returns[k] = pair
            nothing = torch.zeros_like(single)
            arguments = (single.clone(), nothing, nothing.clone(), *(f.clone() for f in flags))
            answer, _ = _two(gae(*arguments, data.gamma, lam), tuple(single.shape))
            weights[k] = answer[rows, np.arange(len(rows))].reshape(envs, steps).T
            if time.perf_counter() - started > TIME_BUDGET:
                raise PictureError(
                    f"the picture needs {2 * len(data.lambdas)} calls of your function, and after "
                    f"{TIME_BUDGET:.0f} seconds most are still to come. Look for a loop inside "
                    "the loop over the steps."
                )
    return GaePicture(advantages, returns, weights)


def _two(result: object, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    if result is None:
        raise PictureError("the function returned None. Is the return line missing?")
    try:
        advantages, returns = result
    except (TypeError, ValueError):
        raise PictureError(
            "the function should return two tensors, advantages and returns; it returned "
            f"{_what(result)}."
        ) from None
    for name, part in (("advantages", advantages), ("returns", returns)):
        if not isinstance(part, torch.Tensor):
            raise PictureError(f"{name} should be a tensor, not {_what(part)}.")
        if tuple(part.shape) != shape or part.is_complex():
            raise PictureError(
                f"for rewards of shape {list(shape)} {name} came as {_what(part)}; they have one "
                "entry for each step of each environment."
            )
    return tuple(part.detach().double().numpy() for part in (advantages, returns))


def _what(value: object) -> str:
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"a tensor of {kind} of shape {list(value.shape)}"
    return f"a {type(value).__name__}"


# --- the picture -----------------------------------------------------------------------------


def _figure(picture: GaePicture, data: Recorded, trade_off: TradeOff | None) -> SliderFigure | None:
    steps, envs = data.rewards.shape
    time_axis = np.arange(steps)
    frames = [(k, n) for k in range(len(data.lambdas)) for n in range(envs)]

    def by_frame(values: np.ndarray) -> np.ndarray:
        """[K, T, N] or [T, N] as one row of T for each frame."""
        return np.stack([(values[k] if values.ndim == 3 else values)[:, n] for k, n in frames])

    ends = (data.terminated | data.truncated).numpy()
    kinds = {
        "terminated": data.terminated.numpy(),
        "time limit": (data.truncated & ~data.terminated).numpy(),
    }

    def marks(where: np.ndarray) -> np.ndarray:
        """[frames, M] a place behind every end; frames with fewer have some outside."""
        most = where.sum(axis=0).max()
        rows = [np.flatnonzero(where[:, n]) + 0.5 for _, n in frames]
        return np.stack([np.pad(r, (0, most - len(r)), constant_values=OUTSIDE) for r in rows])

    def dots(kind: str, height: np.ndarray) -> Series:
        """A dot at each end of that kind, in a color of its own."""
        shown = np.where(kinds[kind], height, np.nan)
        place = ("terminated", "time limit").index(kind) + 1
        return Series("points", DOTS[kind], x=time_axis, y=by_frame(shown), color=place)

    line = Series("marks", "an episode ends", x=marks(ends))
    values, beyond = data.values.numpy(), data.next_values.numpy()
    x_range = (-1.0, float(steps))
    bars = by_frame(picture.advantages)
    chosen = [data.steps[n] for _, n in frames]
    panels = [
        Panel(
            "what was recorded", "step t", "reward, value", x_range=x_range,
            series=[
                Series("line", "value V(s)", x=time_axis, y=by_frame(values)),
                Series("steps", "reward", x=time_axis, y=by_frame(data.rewards.numpy()), color=4),
                dots("terminated", np.zeros_like(values)), dots("time limit", beyond), line,
            ],
        ),
        Panel(
            "weights in one advantage", "step t", "weight", x_range=x_range,
            y_range=_within(picture.weights, 0.0, 1.0),
            series=[
                Series("bars", "yours", x=time_axis, y=by_frame(picture.weights)),
                Series("points", "the step looked at", x=np.array(chosen)[:, None],
                       y=np.zeros((len(frames), 1)), color=3), line,
            ],
        ),
        Panel(
            "advantages", "step t", "advantage", x_range=x_range,
            y_range=_within(picture.advantages, data.advantages.min(), data.advantages.max()),
            series=[
                Series("bars", "yours", x=time_axis, y=bars),
                Series("points", "the step looked at", x=np.array(chosen)[:, None],
                       y=bars[np.arange(len(frames)), chosen][:, None], color=3), line,
            ],
        ),
        Panel(
            "returns, the targets of the critic", "step t", "return, value", x_range=x_range,
            y_range=_within(picture.returns, 0.0, data.returns.max()),
            series=[
                Series("line", "value V(s)", x=time_axis, y=by_frame(values)),
                Series("line", "your return", x=time_axis, y=by_frame(picture.returns), color=2),
                line,
            ],
        ),
    ]  # fmt: skip
    seen = (
        "rewards and values; the weights of the steps in one advantage; your advantages; your "
        "returns"
    )
    if trade_off is not None:
        panels = [*panels[1:3], *_trade_off_panels(trade_off, data.lambdas[[k for k, _ in frames]])]
        seen = (
            "the weights of the steps in one advantage; your advantages; and over lambda the bias "
            "and the variance of estimates in the corridor"
        )
    fact, at = first_fact_off(picture, data)
    return slider_figure(
        sliders=[
            Slider(
                "lambda", data.lambdas.tolist(), start=data.lambdas[at[0]],
                label="lambda, how far an advantage looks ahead",
                texts=[f"{lam:.2f}" for lam in data.lambdas],
            ),
            Slider(
                "environment", list(range(envs)), start=at[1],
                label="environment, one of those played side by side",
            ),
        ],
        panels=panels,
        reading=[_reading(picture, data, trade_off, k, n) for k, n in frames],
        fact=fact and f"One thing is off in this picture. {fact}",
        description=f"Four plots, of {steps} recorded steps of CartPole: {seen}.",
    )  # fmt: skip


DOTS = {
    "terminated": "terminated: worth nothing",
    "time limit": "time limit: value of the state reached",
}


def _trade_off_panels(trade_off: TradeOff, lambdas: np.ndarray) -> list[Panel]:
    """Bias and variance over lambda, with a dot at each frame's lambda; lambdas [frames]."""
    x, room = trade_off.lambdas, 2 * trade_off.errors
    bias, _, _, variance = trade_off.at(lambdas)

    def here(y: np.ndarray) -> Series:
        return Series("points", "this lambda", x=lambdas[:, None], y=y[:, None], color=4)

    return [
        Panel(
            "bias, in the corridor", "lambda", "bias of the gap", x_range=(-0.02, 1.02),
            series=[
                Series("band", "yours, 2 standard errors", x=x, y=trade_off.sampled_bias - room,
                       high=trade_off.sampled_bias + room, color=1),
                Series("line", "exact bias", x=x, y=trade_off.exact_bias, color=2), here(bias),
            ],
        ),
        Panel(
            "variance, in the corridor", "lambda", "variance of one estimate",
            x_range=(-0.02, 1.02),
            series=[Series("line", "your variance", x=x, y=trade_off.variance, color=1),
                    here(variance)],
        ),
    ]  # fmt: skip


def _within(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """A range for what is right and for what is not, but no more than three times the former."""
    room = high - low
    finite = values[np.isfinite(values)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (low, high)
    low, high = max(min(low, lowest), low - room), min(max(high, highest), high + room)
    margin = 0.05 * (high - low)
    return float(low - margin), float(high + margin)


def _reading(
    picture: GaePicture, data: Recorded, trade_off: TradeOff | None, k: int, n: int
) -> str:
    t = data.steps[n]
    weights = picture.weights[k, :, n]
    far = int((abs(weights) > 0.01).sum())
    ends = (data.terminated | data.truncated)[:, n].numpy()
    last = t + int(np.argmax(ends[t:])) if ends[t:].any() else len(ends) - 1
    kind = "is terminated" if data.terminated[last, n] else "meets the time limit"
    end = f"its episode {kind} at step {last}" if ends[t:].any() else "its episode goes on"
    corridor = ""
    if trade_off is not None:
        bias, yours, error, variance = trade_off.at(data.lambdas[k])
        corridor = (
            f" In the corridor: bias {bias:+.2f}, from your samples {yours:+.2f} +- "
            f"{2 * error:.2f}; variance {variance:.2f}."
        )
    return (
        f"lambda {data.lambdas[k]:.2f}, environment {n}, step {t} ({end}): advantage "
        f"{picture.advantages[k, t, n]:+.2f}, return {picture.returns[k, t, n]:.2f}, from "
        f"{far} step{'s' * (far != 1)} with a weight above 1 %.{corridor}"
    )


# --- the fact that is off --------------------------------------------------------------------


def first_fact_off(picture: GaePicture, data: Recorded) -> tuple[str, tuple[int, int]]:
    """(the first fact that is off, (lambda, environment) at which to show it); "" if none is."""
    start = int(np.argmin(abs(data.lambdas - FIRST_LAMBDA)))
    order = [start, *(k for k in range(len(data.lambdas)) if k != start)]
    for k in order:
        for what, got, right in (
            ("advantage", picture.advantages[k], data.advantages[k]),
            ("return", picture.returns[k], data.returns[k]),
        ):
            gap = np.nan_to_num(abs(got - right), nan=np.inf)
            for words, where in _places(data).items():
                off = np.where(where & (gap > 0.01 + 2e-3 * abs(right)), gap, 0.0)
                if off.any():
                    t, n = (int(i) for i in np.unravel_index(off.argmax(), off.shape))
                    return (
                        f"At lambda = {data.lambdas[k]:.2f}, environment {n}, step {t} ({words}), "
                        f"the {what} is {right[t, n]:+.2f}; yours is {got[t, n]:+.2f}.",
                        (k, n),
                    )
    return "", (start, 0)


def _places(data: Recorded) -> dict[str, np.ndarray]:
    """Kinds of steps, in the order in which they tell most, and where they are: bool [T, N]."""
    terminated, truncated = data.terminated.numpy(), data.truncated.numpy()
    last = np.zeros_like(terminated)
    last[-1] = True
    return {
        "the last one before the time limit": truncated & ~terminated,
        "the one that ends the task": terminated,
        "the last one recorded": last,
        "in the middle of an episode": np.ones_like(last),
    }

"""Sliders over epsilon and lambda, on a sweep of real LunarLander runs that is shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

from course_utils.execution import is_grading
from course_utils.figures import running_mean
from course_utils.runs import Run
from course_utils.slider_figure import Panel, Series, Slider, SliderFigure, slider_figure

NO_CLIP = 1e3
"""An epsilon from here on is as good as none, and is called so."""
WINDOW = 100  # episodes that the mean return is taken over, as in Monitor
START = 0.2, 0.95  # epsilon and lambda at first


@lru_cache(maxsize=1)
def sweep() -> dict:
    """The stored sweep, as arrays.

    Returns:
        ``epsilons`` [E], ``lambdas`` [L], ``env_steps`` [G]; ``runs`` [E, L, R, G], the mean
        return of each run's last 100 episodes (NaN before its first episode is over); ``iqm``,
        ``low``, ``high`` [E, L, G], their interquartile mean over the runs and its 95 % bootstrap
        interval; ``solved_at`` [E, L, R], environment steps, NaN for a run that was not solved;
        ``goal`` and ``budget``.

    ``python benchmarks/lunar_lander.py sweep`` makes the file.
    """
    file = resources.files("course_utils") / "data" / "sweeps" / "lab6_sweep.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    axes = {name: np.array(stored[name]) for name in ("epsilons", "lambdas", "env_steps")}
    shape = len(axes["epsilons"]), len(axes["lambdas"])
    found = {"goal": stored["goal"], "budget": stored["budget"], **axes}
    for name in ("runs", "iqm", "low", "high", "solved_at"):
        values = np.array([point[name] for point in stored["points"]], dtype=float)
        found[name] = values.reshape(*shape, *values.shape[1:])
    return found


def hyperparameter_explorer(
    history: Mapping[str, ArrayLike] | Run | None = None,
) -> SliderFigure | None:
    """Learning curves of PPO on LunarLander, with sliders for epsilon and lambda.

    Left: the runs at the chosen point, their interquartile mean and its interval. Right: the
    interquartile mean at the end over epsilon, for the chosen lambda and the others.

    Args:
        history: the student's own run, drawn in every frame: ``Monitor.history``, or a run that
            ``load_runs`` gave. Without one, or if it has no episode, there is no such line.

    Returns:
        The figure, as the last line of a cell. None while grading.
    """
    if is_grading():
        return None
    data = sweep()
    thousands = data["env_steps"] / 1000
    n_eps, n_lam, n_runs, _ = data["runs"].shape
    frames = [(e, k) for e in range(n_eps) for k in range(n_lam)]

    def by_frame(values: np.ndarray) -> np.ndarray:
        """[E, L, ...] -> [frames, n]."""
        return values.reshape(len(frames), -1)

    # All runs in one line, with a gap after each.
    gap = np.full((n_eps, n_lam, n_runs, 1), np.nan)
    singles = by_frame(np.concatenate([data["runs"], gap], axis=3))
    iqm, low, high = (data[name] for name in ("iqm", "low", "high"))
    goal = data["goal"]
    left = [
        Series("band", "95 % interval", x=thousands, y=by_frame(low), high=by_frame(high)),
        Series("thin", "single runs", x=np.tile([*thousands, np.nan], n_runs), y=singles),
        Series("line", f"interquartile mean of {n_runs} runs", x=thousands, y=by_frame(iqm)),
        Series("line", "goal", x=[0, data["budget"] / 1000], y=[goal, goal], color=3),
    ]
    own = _curve(history)
    if own is not None:
        left.append(Series("line", "your run", x=own[0] / 1000, y=own[1], color=1))

    places = np.arange(n_eps, dtype=float)  # evenly spaced: the epsilons nearly double each time
    last, last_low, last_high = (values[:, :, -1] for values in (iqm, low, high))
    here = np.array([[places[e]] for e, _ in frames])
    right = [
        Series("band", "", x=places, y=[last_low[:, k] for _, k in frames],
               high=[last_high[:, k] for _, k in frames], color=2),
        *(Series("thin", "other lambdas", x=places, y=last[:, k], color=5) for k in range(n_lam)),
        Series("line", "this lambda", x=places, y=[last[:, k] for _, k in frames], color=2),
        Series("line", "", x=places[[0, -1]], y=[goal, goal], color=3),
        Series("points", "this epsilon and lambda", x=here, y=by_frame(last), color=4),
    ]  # fmt: skip
    texts = ["none" if e >= NO_CLIP else f"{e:g}" for e in data["epsilons"]]
    # All means are in the picture; single runs that fall far below them leave it.
    y_range = (1.1 * min(float(np.nanmin(iqm)), -200.0), 320.0)
    return slider_figure(
        sliders=[
            Slider(
                "epsilon", data["epsilons"].tolist(), start=START[0], texts=texts,
                label="epsilon, how far the ratio may go before its gradient is cut",
            ),
            Slider(
                "lambda", data["lambdas"].tolist(), start=START[1],
                label="lambda, how far an advantage looks ahead",
            ),
        ],
        panels=[
            Panel(
                f"mean return of the last {WINDOW} episodes", "thousand environment steps",
                "return", left, x_range=(0.0, data["budget"] / 1000), y_range=y_range,
            ),
            Panel(
                f"the same after {thousands[-1]:.0f}k steps", "epsilon", "return", right,
                x_range=(-0.3, n_eps - 0.7), y_range=y_range,
                x_ticks=list(zip(places.tolist(), texts, strict=True)),
            ),
        ],
        reading=[_reading(data, texts, e, k) for e, k in frames],
        description="Learning curves of PPO on LunarLander for the epsilon and lambda that the "
        "sliders choose, and the mean return at their end for every epsilon.",
    )  # fmt: skip


def _reading(data: dict, texts: list[str], e: int, k: int) -> str:
    iqm, low, high = (data[name][e, k, -1] for name in ("iqm", "low", "high"))
    solved = data["solved_at"][e, k]
    count = int(np.isfinite(solved).sum())
    first = f", the first after {np.nanmin(solved) / 1000:.0f}k steps" if count else ""
    return (
        f"epsilon {texts[e]}, lambda {data['lambdas'][k]:g}: after "
        f"{data['env_steps'][-1] / 1000:.0f}k steps the interquartile mean is {iqm:.0f} "
        f"(95 % interval {low:.0f} to {high:.0f}); {count} of {len(solved)} runs have reached "
        f"{data['goal']:g} on the way{first}"
    )


def _curve(history: Mapping[str, ArrayLike] | Run | None) -> tuple[np.ndarray, np.ndarray] | None:
    """(steps, mean return of the last 100 episodes) of the student's own run."""
    if history is None:
        return None
    fields = history if isinstance(history, Mapping) else vars(history)
    steps = np.asarray(fields["env_steps"], dtype=float)
    if not steps.size:
        return None
    means = running_mean(fields["episode_returns"], WINDOW)
    # Episodes that were counted together have one number of steps: the last one's mean.
    last = np.flatnonzero(np.diff(steps, append=np.inf))
    return steps[last], means[last]

"""A slider over the entropy coefficient, on a sweep of real training runs that is shipped."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

import numpy as np

from course_utils.slider_figure import Panel, Series, Slider, SliderFigure, slider_figure


@lru_cache(maxsize=1)
def sweep() -> dict:
    """The stored sweep, as arrays.

    Returns:
        ``coefficients`` [C], ``env_steps`` [G], ``mean_return`` and ``entropy`` [C, S, G] (NaN
        before a run's first episode is over), ``goal``.

    ``python benchmarks/entropy_sweep.py`` makes the file.
    """
    file = resources.files("course_utils") / "data" / "sweeps" / "lab3_entropy.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    arrays = ("coefficients", "env_steps", "mean_return", "entropy")
    return {**stored, **{name: np.array(stored[name], dtype=float) for name in arrays}}


def entropy_explorer() -> SliderFigure | None:
    """Learning curve and entropy of CartPole runs, with a slider for the entropy coefficient.

    Line: the median over the seeds; band: lowest to highest. None while grading.
    """
    runs = sweep()
    steps, coefficients = runs["env_steps"] / 1000, runs["coefficients"]
    curves = {}
    for name in ("mean_return", "entropy"):
        values = runs[name]
        curves[name] = values.min(axis=1), np.median(values, axis=1), values.max(axis=1)
    seeds = runs["mean_return"].shape[1]
    reading = []
    for c, coefficient in enumerate(coefficients):
        best = np.nanmax(runs["mean_return"][c], axis=1)
        reading.append(
            f"entropy coefficient {coefficient:g}: after {steps[-1]:.0f}k steps the median return "
            f"is {curves['mean_return'][1][c, -1]:.0f} and the median entropy "
            f"{curves['entropy'][1][c, -1]:.2f}; {int((best >= runs['goal']).sum())} of {seeds} "
            f"runs have reached {runs['goal']:g} on the way"
        )

    def series(name: str) -> list[Series]:
        low, middle, high = curves[name]
        return [
            Series("band", "lowest to highest", x=steps, y=low, high=high),
            Series("line", f"median of {seeds} runs", x=steps, y=middle),
        ]

    return slider_figure(
        sliders=[
            Slider(
                "entropy coefficient",
                values=coefficients.tolist(),
                start=0.0,
                label="entropy coefficient, how strongly the loss rewards an undecided policy",
            )
        ],
        panels=[
            Panel(
                "mean return of the last 100 episodes",
                "thousand environment steps",
                "return",
                [
                    *series("mean_return"),
                    Series("line", "goal", x=steps[[0, -1]], y=[runs["goal"]] * 2, color=3),
                ],
                y_range=(0.0, 510.0),
            ),
            Panel(
                "entropy of the policy",
                "thousand environment steps",
                "nats",
                [
                    *series("entropy"),
                    Series(
                        "line", "a coin toss, ln 2", x=steps[[0, -1]], y=[np.log(2)] * 2, color=3
                    ),
                ],
                y_range=(0.0, 0.75),
            ),
        ],
        reading=reading,
        description="Learning curves of A2C on CartPole and the entropy of its policy, for the "
        "entropy coefficient that the slider chooses.",
    )

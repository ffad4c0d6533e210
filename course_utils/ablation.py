"""What lab 6's agent loses when one of its settings is changed: the changes and the stored runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from course_utils.execution import is_grading

INTERVAL = ("iqm", "low", "high")
WINDOW = 100  # episodes that the mean return is taken over, as in Monitor


@dataclass(frozen=True)
class Change:
    """One change of a default setting.

    Attributes:
        name: of the setting that is changed, as in the notebook's TrainConfig.
        title: in a few words, for figures.
        settings: the fields of TrainConfig that differ.
    """

    name: str
    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def of(self, config: Any) -> Any:
        """A copy of the TrainConfig with this change.

        Another number of environments plays as many steps less or more each, so that a rollout
        stays as large as it was.
        """
        settings = dict(self.settings)
        if "num_envs" in settings:
            settings["n_steps"] = config.num_envs * config.n_steps // settings["num_envs"]
        return replace(config, **settings)


CHANGES = (
    Change("default", "as in the notebook"),
    Change("orthogonal", "PyTorch's default start", {"orthogonal": False}),
    Change("normalize_advantages", "advantages not normalized", {"normalize_advantages": False}),
    Change("reward_scale", "rewards not scaled", {"reward_scale": 1.0}),
    Change("anneal", "learning rate not annealed", {"anneal": False}),
    Change("entropy_coef", "no entropy bonus", {"entropy_coef": 0.0}),
    Change("max_grad_norm", "gradients not clipped", {"max_grad_norm": float("inf")}),
    Change("gamma", "discount 0.99", {"gamma": 0.99}),
    Change("bootstrap_time_limits", "time limits taken as ends", {"bootstrap_time_limits": False}),
    Change("num_envs_8", "8 environments", {"num_envs": 8}),
    Change("num_envs_128", "128 environments", {"num_envs": 128}),
)  # fmt: skip


def change(name: str) -> Change:
    """The change of that name; ValueError, with the names there are, if there is none."""
    for one in CHANGES:
        if one.name == name:
            return one
    raise ValueError(
        f"no change is called {name!r}; there are: {', '.join(c.name for c in CHANGES)}"
    )


@dataclass(frozen=True)
class Result:
    """The stored runs of one change.

    Attributes:
        name, title: of the change.
        steps: ``[R]`` environment steps until solved, of each run; the budget if it was not.
        solved: ``[R]`` bool.
        cpu_s: ``[R]`` CPU seconds until then, on the machine where they were measured.
        iqm, low, high: interquartile mean of ``steps`` and its 95 % bootstrap interval.
        cpu_iqm, cpu_low, cpu_high: the same of ``cpu_s``.
    """

    name: str
    title: str
    steps: np.ndarray
    solved: np.ndarray
    cpu_s: np.ndarray
    iqm: float
    low: float
    high: float
    cpu_iqm: float
    cpu_low: float
    cpu_high: float


@dataclass(frozen=True)
class Ablation:
    """The stored results: ``budget`` in environment steps, ``goal``, one ``Result`` a change."""

    budget: int
    goal: float
    results: tuple[Result, ...]


@lru_cache(maxsize=1)
def ablation() -> Ablation:
    """The results that come with the course.

    ``python benchmarks/lunar_lander.py ablation`` makes the file.
    """
    file = resources.files("course_utils") / "data" / "sweeps" / "lab6_ablation.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    results = []
    for entry in stored["changes"]:
        sums = [entry[key][name] for key in ("steps_iqm", "cpu_s_iqm") for name in INTERVAL]
        runs = (np.array(entry[key]) for key in ("steps", "solved", "cpu_s"))
        results.append(Result(entry["name"], entry["title"], *runs, *sums))
    return Ablation(stored["budget"], stored["goal"], tuple(results))


def run_again(
    name: str,
    new_run: Callable[[Any, int], Any],
    train: Callable[[Any, Any], Mapping[str, np.ndarray]],
    config: Any,
    seeds: Sequence[int] = (0, 1),
) -> dict[str, list[int | None]]:
    """Train the notebook's own agent with one change, once for each seed; say how each run ended.

    Args:
        name: of the change, see ``CHANGES``.
        new_run, train, config: the notebook's own; ``config`` without the change. Its goal gives
            way to that of the stored runs, so that both can be compared.
        seeds: one run each.

    Returns:
        ``{name: environment steps until solved, None for a run that was not}``, as
        ``figures.ablation`` takes it. A run that is stopped by hand does not count, and those
        after it are not begun. Empty while grading.
    """
    changed = change(name)
    if is_grading():
        return {}
    config = replace(changed.of(config), goal=ablation().goal)
    ends: list[int | None] = []
    for seed in seeds:
        history = train(new_run(config, seed), config)
        steps, means = history["env_steps"], history["mean_return"]
        reached = np.flatnonzero(means[WINDOW - 1 :] >= config.goal)
        if reached.size:
            ends.append(int(steps[WINDOW - 1 + reached[0]]))
            print(f"{name}, seed {seed}: solved after {ends[-1]:,} environment steps")
        elif not len(steps) or steps[-1] < 0.9 * config.total_steps:
            break  # stopped by hand, or something is not written yet: the monitor has said so
        else:
            ends.append(None)
            print(f"{name}, seed {seed}: not solved, mean return {means[-1]:.0f} at the end")
    return {name: ends}

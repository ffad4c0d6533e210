"""Make the reference curves that lab 5 draws: each method, many seeds, over environment steps.

    python benchmarks/reference_curves.py      writes course_utils/data/reference/CartPole-v1.json

The agents are the notebooks' own (solutions/, reference solutions included) with their default
settings, on CartPole-v1, without early stop and with a budget of 300,000 steps (that of lab 5,
whose learning rate falls to zero over it): 20 seeds of each method, some minutes of CPU time. At
each point of the x-axis a run counts with the mean return of its last 100 training episodes. The
line is the interquartile mean over the seeds, the band its 95 % percentile bootstrap interval, as
Agarwal et al. 2021 recommend (https://arxiv.org/abs/2108.13264, section 4).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from training import METHODS, Parser, at_least_one, notebook_namespace, seed_number, warm_up

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = "CartPole-v1"
TARGET = ROOT / "course_utils" / "data" / "reference" / f"{ENVIRONMENT}.json"
STEPS, EVERY, FIRST_SEED = 300_000, 5_000, 4_000
LEVEL, RESAMPLES = 0.95, 2_000


def one_run(method: str, seed: int, steps: int = STEPS) -> list[float]:
    """[G] mean return of the last 100 episodes at every EVERY environment steps."""
    warm_up()
    notebook = notebook_namespace(METHODS[method].source)
    config = notebook[METHODS[method].config](total_steps=steps, goal=None)
    history = notebook["train"](notebook["new_run"](config, seed), config)
    grid = np.arange(EVERY, steps + 1, EVERY)
    # The last episode that had ended by then; before the first one there is nothing to show.
    last = np.searchsorted(history["env_steps"], grid, side="right") - 1
    means = np.asarray(history["mean_return"], dtype=float)
    return np.where(last >= 0, means[last.clip(0)], np.nan).tolist()


def curve(runs: np.ndarray) -> dict[str, list[float]]:
    """From runs [R, G]: iqm, low and high, [G] each; points that not every run has are left out."""
    from scipy import stats

    def iqm(x: np.ndarray, axis: int = -1) -> np.ndarray:
        return stats.trim_mean(x, 0.25, axis=axis)

    interval = stats.bootstrap(
        (runs,), iqm, axis=0, confidence_level=LEVEL, n_resamples=RESAMPLES, method="percentile",
        vectorized=True, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    found = {"iqm": iqm(runs, 0), "low": interval.low, "high": interval.high}
    return {name: [round(float(y), 2) for y in values] for name, values in found.items()}


def make(seeds: int, first: int, report: Callable[[str], None]) -> dict:
    """All curves, as the file holds them."""
    grid = np.arange(EVERY, STEPS + 1, EVERY)
    curves = []
    with ProcessPoolExecutor() as pool:
        for name, method in METHODS.items():
            if method.env_id != ENVIRONMENT:
                continue
            numbers = range(first, first + seeds)
            runs = np.array(list(pool.map(one_run, [name] * seeds, numbers)))
            there = ~np.isnan(runs).any(axis=0)
            entry = {"lab": method.lab, "title": method.title, "seeds": seeds}
            entry["env_steps"] = grid[there].tolist()
            curves.append({**entry, **curve(runs[:, there])})
            report(f"{method.title}: {curves[-1]['iqm'][-1]:.0f} at {STEPS:,} steps")
    return {
        "made_by": "benchmarks/reference_curves.py",
        "environment": ENVIRONMENT,
        "first_seed": first,
        "curves": curves,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="reference_curves.py", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=at_least_one, default=20, metavar="N", help="of each (20)")
    parser.add_argument(
        "--seed-base", type=seed_number, default=FIRST_SEED, metavar="S", help="the first seed"
    )
    parser.add_argument("--output", type=Path, default=TARGET, metavar="FILE")
    options = parser.parse_args(arguments)
    text = json.dumps(make(options.seeds, options.seed_base, print)).replace('{"lab"', '\n{"lab"')
    options.output.parent.mkdir(parents=True, exist_ok=True)
    scratch = options.output.with_suffix(".part")
    scratch.write_text(text + "\n", encoding="utf-8")
    os.replace(scratch, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

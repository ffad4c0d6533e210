"""Train lab 3's A2C with eight entropy coefficients; write the sweep that its slider shows.

    python benchmarks/entropy_sweep.py            writes course_utils/data/sweeps/lab3_entropy.json

The code is the notebook's own (solutions/lab3_actor_critic.py, reference solutions included):
CartPole-v1, default settings but for the coefficient, 250,000 environment steps a run, no early
stop. About a minute of CPU time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from autograde.judge.reference import namespace  # noqa: E402

TARGET = ROOT / "course_utils" / "data" / "sweeps" / "lab3_entropy.json"
COEFFICIENTS = (0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SEEDS, STEPS, EVERY = 6, 250_000, 5_000
FIRST_SEED = 7000


def one_run(notebook: dict, coefficient: float, seed: int) -> tuple[list[float], list[float]]:
    """(mean return of the last 100 episodes, entropy) every EVERY steps."""
    config = notebook["A2CConfig"](entropy_coef=coefficient, total_steps=STEPS)
    run = notebook["new_run"](config, seed)
    steps, means, entropies, last = [], [], [], []
    for finished, parts in notebook["a2c_updates"](run, config):
        last = (last + finished)[-100:]
        steps.append(run.collector.env_steps)
        means.append(float(np.mean(last)) if last else float("nan"))
        entropies.append(parts["entropy"])
    grid = np.arange(EVERY, STEPS + 1, EVERY)
    at = np.minimum(np.searchsorted(steps, grid), len(steps) - 1)
    return [round(means[i], 1) for i in at], [round(entropies[i], 3) for i in at]


def sweep(seeds: int = SEEDS) -> dict:
    """Run everything; return the content of the file."""
    torch.set_num_threads(1)
    notebook = namespace("lab3_actor_critic")
    returns, entropies = [], []
    for coefficient in COEFFICIENTS:
        runs = [one_run(notebook, coefficient, FIRST_SEED + seed) for seed in range(seeds)]
        returns.append([run[0] for run in runs])
        entropies.append([run[1] for run in runs])
        print(f"{coefficient:g}: " + ", ".join(f"{run[0][-1]:.0f}" for run in runs), flush=True)
    return {
        "generated_by": "python benchmarks/entropy_sweep.py",
        "goal": 475.0,
        "coefficients": list(COEFFICIENTS),
        "env_steps": list(range(EVERY, STEPS + 1, EVERY)),
        "mean_return": returns,
        "entropy": entropies,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sweep().items()]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()

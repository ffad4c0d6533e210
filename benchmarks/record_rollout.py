"""Record the rollout behind lab 4's lambda slider: python benchmarks/record_rollout.py

The notebook's own code plays CartPole with its clumsy policy and trains a critic on that. Then 48
steps are played with a shorter time limit, and three of 64 environments are kept that show every
kind of end, together with what is right for them by the hidden tests' reference. Takes seconds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from autograde.judge.lab4_gae import advantage_sums  # noqa: E402
from autograde.judge.reference import namespace  # noqa: E402

FILE = ROOT / "course_utils" / "data" / "rollouts" / "cartpole.json"
STEPS, LIMIT, SEED = 48, 26, 0
KEPT = (23, 6, 0)  # a fall, then a time limit; a time limit, then a fall; a time limit only
GAMMA = 0.99
LAMBDAS = [round(0.05 * k, 2) for k in range(21)]
BEFORE = 9  # the weights are shown for the step that is so far before an environment's first end


def trained_critic(lab: dict) -> nn.Module:
    """A critic of the clumsy policy, trained as part 6 of the notebook does it."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1), nn.Flatten(-2))
    adam = torch.optim.Adam(critic.parameters(), lr=0.01)
    data = lab["play"](n_steps=2560)
    for start in [*range(0, len(data["obs"]), 64)] * 3:
        piece = {name: tensor[start : start + 64] for name, tensor in data.items()}
        with torch.no_grad():
            values, next_values = critic(piece["obs"]), critic(piece["next_obs"])
        flags = piece["terminated"], piece["truncated"]
        _, returns = lab["gae"](piece["rewards"], values, next_values, *flags, GAMMA, 0.95)
        for _ in range(4):
            adam.zero_grad()
            lab["value_loss"](critic(piece["obs"]), returns).backward()
            adam.step()
    return critic


def played(lab: dict) -> dict[str, torch.Tensor]:
    """The rollout with the environments that are kept, their ends looked at."""
    data = lab["play"](STEPS, n_envs=64, max_episode_steps=LIMIT, seed=SEED)
    data = {name: tensor[:, list(KEPT)] for name, tensor in data.items()}
    fell, stopped = data["terminated"], data["truncated"] & ~data["terminated"]
    kinds = [
        "".join("F" * fell[t, n] + "L" * stopped[t, n] for t in range(STEPS))
        for n in range(len(KEPT))
    ]
    if kinds != ["FL", "LF", "L"]:
        raise SystemExit(f"the environments that are kept end by {kinds}: pick others")
    return data


def record() -> dict:
    """The content of the file."""
    torch.set_num_threads(1)
    lab = namespace("lab4_gae")
    critic = trained_critic(lab)
    data = played(lab)
    with torch.no_grad():
        data["values"], data["next_values"] = critic(data["obs"]), critic(data["next_obs"])
    names = ("rewards", "values", "next_values", "terminated", "truncated")
    stored = {name: data[name].flatten().tolist() for name in names}
    # What is right is worked out for the rounded numbers that are stored.
    for name in ("rewards", "values", "next_values"):
        stored[name] = [round(x, 3) for x in stored[name]]
    arrays = [np.array(stored[name]).reshape(STEPS, len(KEPT)) for name in names]
    right = np.stack([advantage_sums(*arrays, GAMMA, lam) for lam in LAMBDAS])
    first_end = (arrays[3] | arrays[4]).argmax(axis=0)
    return {
        "generated_by": "python benchmarks/record_rollout.py",
        "shape": [STEPS, len(KEPT)],
        "gamma": GAMMA,
        "lambdas": LAMBDAS,
        "steps": (first_end - BEFORE).tolist(),
        **stored,
        "advantages": np.round(right, 3).flatten().tolist(),
        "returns": np.round(right + arrays[1], 3).flatten().tolist(),
    }


def main() -> None:
    """Write the file, one line for each entry."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in record().items()]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)}: {FILE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

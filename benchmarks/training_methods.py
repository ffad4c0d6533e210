"""What the training benchmarks compare: each lab's agent, and its peer with RL Zoo's settings.

The settings are those of RL Zoo (https://github.com/DLR-RM/rl-baselines3-zoo, hyperparams/ppo.yml
and a2c.yml, read at commit 22e3ff2); what they leave out is Stable-Baselines3's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WINDOW = 100
"""A run is solved when the mean of this many training episodes in a row reaches the goal."""
PEER_CAP = 1_000_000
"""Environment steps after which a run of the peer is given up, unless another cap is asked for."""
NAMES = {"ours": "this notebook", "sb3": "Stable-Baselines3"}


@dataclass(frozen=True)
class Peer:
    """Stable-Baselines3's agent. steps: of one call of `learn`, RL Zoo's n_timesteps."""

    algorithm: str
    n_envs: int
    steps: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A lab's agent, run with the settings of its notebook.

    goal: mean return to be reached. goes_on: until when the notebook trains beyond that, if so.
    """

    title: str
    lab: str
    config: str
    env_id: str
    goal: float
    peer: Peer | None = None
    goes_on: str = ""

    @property
    def source(self) -> Path:
        return ROOT / "solutions" / f"{self.lab}.py"

    @property
    def label(self) -> str:
        return f"{self.title}, {self.env_id}"

    @property
    def sides(self) -> list[str]:
        return ["ours", "sb3"] if self.peer else ["ours"]


METHODS = {
    # Stable-Baselines3 has no REINFORCE.
    "reinforce": Method("REINFORCE", "lab2_reinforce", "TrainConfig", "CartPole-v1", 475.0),
    "a2c": Method(
        "A2C",
        "lab3_actor_critic",
        "A2CConfig",
        "CartPole-v1",
        475.0,
        Peer("A2C", n_envs=8, steps=500_000, settings={"ent_coef": 0.0}),
    ),
    "ppo": Method(
        "PPO",
        "lab5_ppo",
        "TrainConfig",
        "CartPole-v1",
        475.0,
        Peer(
            "PPO",
            n_envs=8,
            steps=100_000,
            settings={  # "lin_x" there means falling linearly from x to 0
                "learning_rate": lambda remaining: 0.001 * remaining,
                "clip_range": lambda remaining: 0.2 * remaining,
                "n_steps": 32,
                "batch_size": 256,
                "gae_lambda": 0.8,
                "gamma": 0.98,
                "n_epochs": 20,
                "ent_coef": 0.0,
            },
        ),
    ),
    "ppo_lunar": Method(
        "PPO",
        "lab6_lunar_lander",
        "TrainConfig",
        "LunarLander-v3",
        200.0,
        Peer(
            "PPO",
            n_envs=16,
            steps=1_000_000,
            settings={
                "n_steps": 1024,
                "batch_size": 64,
                "gae_lambda": 0.98,
                "gamma": 0.999,
                "n_epochs": 4,
                "ent_coef": 0.01,
            },
        ),
        goes_on="its agent has passed a trial of greedy episodes",
    ),
}

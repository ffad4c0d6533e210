"""What a training step costs as it grows: measured times beside the arithmetic on paper."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Costs:
    """Times on one device, in microseconds.

    Attributes:
        name: of the device, in words.
        policy: ``[E]`` one forward pass and the drawing of actions, per environment step.
        update: minibatch size -> ``[W]`` one pass of the PPO update, per sample.
    """

    name: str
    policy: np.ndarray
    update: Mapping[int, np.ndarray]


@dataclass(frozen=True)
class Scaling:
    """Costs against the number of environments and the width of the networks.

    Attributes:
        environment: Gymnasium's name of it.
        hidden: width of the networks while the number of environments varies.
        gflops: 10^9 multiplications or additions a second in a product of two large float32
            matrices, on one CPU thread.
        num_envs: ``[E]``.
        environment_us: ``[E]`` microseconds of the environment itself, per environment step.
        widths: ``[W]`` units in each hidden layer.
        parameters: ``[W]`` numbers that actor and critic of that width have together.
        cpu: on one CPU thread.
        gpu: None if the machine that was measured has none.
    """

    environment: str
    hidden: int
    gflops: float
    num_envs: np.ndarray
    environment_us: np.ndarray
    widths: np.ndarray
    parameters: np.ndarray
    cpu: Costs
    gpu: Costs | None

    @property
    def policy_on_paper(self) -> float:
        """Microseconds of arithmetic for one forward pass, per environment step.

        Each parameter is used in one multiplication and one addition.
        """
        (at,) = np.flatnonzero(self.widths == self.hidden)
        return 2 * float(self.parameters[at]) / (1e3 * self.gflops)

    @property
    def update_on_paper(self) -> np.ndarray:
        """``[W]`` microseconds of arithmetic in one pass of an update, per sample.

        Forward as above. Backward twice that: one product for the gradient of the weights, one
        for the gradient of the layer's input.
        """
        return 6 * self.parameters / (1e3 * self.gflops)

    def calls_ms(self, minibatch: int) -> float:
        """Milliseconds of one gradient step that are not arithmetic, at the smallest width.

        Python, the calls into PyTorch, and what else costs the same for every width.
        """
        rest = self.cpu.update[minibatch][0] - self.update_on_paper[0]
        return float(rest) * minibatch / 1e3

    def playing_us(self, num_envs: int) -> float:
        """Microseconds of environment and policy, per environment step, on the CPU."""
        both = self.environment_us + self.cpu.policy
        return float(np.interp(np.log(num_envs), np.log(self.num_envs), both))

    def crossing(self, minibatch: int, beside: float = 0.0) -> float:
        """The width from which an update has more arithmetic than there are other costs.

        Below it even a processor that computed for nothing could not halve the time.

        Args:
            minibatch: a key of the update times.
            beside: microseconds per sample and epoch that are to count as well; with
                ``playing_us(N) / epochs`` it is the whole of training that is looked at.

        Returns:
            The width, between those that were measured; NaN if it lies outside of them.
        """
        other = 1e3 * self.calls_ms(minibatch) / minibatch + beside
        if not self.update_on_paper[0] <= other <= self.update_on_paper[-1]:
            return float("nan")
        log_width = np.interp(np.log(other), np.log(self.update_on_paper), np.log(self.widths))
        return float(np.exp(log_width))

    def arithmetic_share(self, num_envs: int, epochs: int, minibatch: int) -> float:
        """Share of arithmetic in the CPU time of training, at width ``hidden``."""
        (at,) = np.flatnonzero(self.widths == self.hidden)
        arithmetic = self.policy_on_paper + epochs * self.update_on_paper[at]
        update = epochs * self.cpu.update[minibatch][at]
        return float(arithmetic / (self.playing_us(num_envs) + update))


@lru_cache(maxsize=1)
def scaling(file: Path | None = None) -> Scaling:
    """The measurements that come with the course, or those in ``file``.

    ``python benchmarks/scaling.py`` makes the file.
    """
    source = file or resources.files("course_utils") / "data" / "sweeps" / "lab6_scaling.json"
    stored = json.loads(source.read_text(encoding="utf-8"))

    def costs(entry: dict) -> Costs:
        update = {int(size): np.array(us) for size, us in entry["update_us"].items()}
        return Costs(entry["name"], np.array(entry["policy_us"]), update)

    arrays = ("num_envs", "environment_us", "widths", "parameters")
    return Scaling(
        **{name: stored[name] for name in ("environment", "hidden", "gflops")},
        **{name: np.array(stored[name]) for name in arrays},
        cpu=costs(stored["cpu"]),
        gpu=costs(stored["gpu"]) if stored["gpu"] else None,
    )

"""Drivers of lab 5: iterators over a batch, and whole updates.

Like ``observe.call`` they run the student's function and return facts; they know no answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course_utils.checks.codec import array_to_plain, decode
from course_utils.checks.observe import describe, driver, snapshot, unchanged


def generator_from(seed: int) -> torch.Generator:
    """Return a CPU generator seeded with ``seed``."""
    return torch.Generator().manual_seed(seed)


MAX_GRADIENTS = 40
"""Steps of an update whose gradients are written down."""


@driver("lab5_ppo/minibatch_indices")
def minibatches(function: Callable, case: dict) -> dict:
    """Draw minibatches four times: with one generator twice, with its seed again, with another.

    Case arguments: ``batch_size``, ``minibatch_size``, ``seed``, ``other_seed``.
    """
    a = case["args"]
    size, limit = a["batch_size"], a["batch_size"] + 4
    state = torch.get_rng_state()

    def draw(generator: torch.Generator, global_seed: int) -> list:
        # Different global seeds, so that a function that draws from the global stream shows.
        # Not torch.manual_seed, which also notes the whole stack for the case that CUDA is used.
        torch.default_generator.manual_seed(global_seed)
        batches = function(size, a["minibatch_size"], generator)
        return list(itertools.islice(iter(batches), limit))

    try:
        generator = generator_from(a["seed"])
        first, second = draw(generator, 1), draw(generator, 2)
        repeated, other = (
            draw(generator_from(a["seed"]), 3),
            draw(generator_from(a["other_seed"]), 4),
        )
    finally:
        torch.set_rng_state(state)
    draws = [[_flat(batch) for batch in drawn] for drawn in (first, second, repeated, other)]
    # The indices themselves, for a judge who trusts no summary; none when there are far too many.
    few = all(sum(map(len, drawn)) <= size + limit for drawn in draws)
    return {
        "items": sorted({_kind(batch) for batch in first}),
        **minibatch_facts(size, *draws),
        "draws": draws if few else None,
    }


def minibatch_facts(
    size: int,
    first: list[list[int]],
    second: list[list[int]],
    repeated: list[list[int]],
    other: list[list[int]],
) -> dict[str, Any]:
    """Summarize four draws of minibatches (lists of indices) of a batch of ``size`` samples.

    ``second`` continues the generator of ``first``; ``repeated`` starts it anew; ``other`` has
    another seed.
    """
    order = list(itertools.chain.from_iterable(first))
    # How far the shuffle moves a sample, in batch sizes (1/3 on average for an honest one), and
    # how many neighbors in time stay neighbors.
    moved = sum(abs(index - place) for place, index in enumerate(order))
    kept = sum(abs(a - b) == 1 for a, b in itertools.pairwise(order))
    return {
        "sizes": [len(indices) for indices in first],
        "ended": len(first) < size + 4,
        "missing": len(set(range(size)) - set(order)),
        "repeated": len(order) - len(set(order)),
        "out_of_range": sum(not 0 <= index < size for index in order),
        "in_order": order == list(range(len(order))),
        "mean_move": round(moved / max(len(order), 1) / size, 3),
        "neighbors_kept": round(kept / max(len(order) - 1, 1), 3),
        "neighbors_stay_together": all(max(f) - min(f) == len(f) - 1 for f in first if f),
        "same_seed_same_batches": first == repeated,
        "next_call_same_batches": first == second,
        "other_seed_same_batches": first == other,
    }


def _flat(batch: Any) -> list[int]:
    return [int(index) for index in torch.as_tensor(batch).reshape(-1)[:100_000].tolist()]


def _kind(batch: Any) -> str:
    if isinstance(batch, torch.Tensor):
        return f"tensor of {str(batch.dtype).removeprefix('torch.')}, {batch.dim()}-d"
    return type(batch).__name__


class LinearProbe(nn.Module):
    """A two-headed linear model that notes which rows of a batch it is asked about.

    Column 0 of the observations [B, O] holds a different marker in every row, so that rows are
    recognized in whatever order they come.
    """

    def __init__(self, policy: torch.Tensor, value: torch.Tensor, markers: torch.Tensor) -> None:
        super().__init__()
        self.policy = nn.Parameter(policy.clone())  # [O, A]
        self.value = nn.Parameter(value.clone())  # [O]
        self._markers = markers
        self.rows: list[int] = []
        self.forwards = 0

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map observations [..., O] to logits [..., A] and values [...]."""
        if torch.is_grad_enabled():
            self.forwards += 1
            marks = obs.detach().reshape(-1, obs.shape[-1])[:, 0]
            distance = (marks[:, None] - self._markers[None, :]).abs()
            near, row = distance.min(dim=1)
            self.rows += torch.where(near < 1e-5, row, -1).tolist()
        return obs @ self.policy, obs @ self.value


@dataclass
class UpdateConfig:
    """The settings of one update, as ``ppo_update`` receives them."""

    epochs: int
    minibatch_size: int
    clip_epsilon: float
    value_coef: float
    entropy_coef: float
    max_grad_norm: float
    normalize_advantages: bool
    target_kl: float | None


@driver("lab5_ppo/ppo_update")
def update(function: Callable, case: dict) -> dict:
    """Run one whole update on a probe model and record each optimizer step.

    Case arguments: ``rollout`` (dict of flat tensors), ``policy`` [O, A] and ``value`` [O] (the
    model's weights), ``config``, ``learning_rate``, ``seed``; with ``repeat`` the update runs
    twice more, with the same seed and with another.
    """
    arguments = {name: decode(value) for name, value in case["args"].items()}
    facts, final = _one_update(function, arguments, arguments["seed"])
    if arguments.get("repeat"):
        again = _one_update(function, arguments, arguments["seed"])[1]
        other = _one_update(function, arguments, arguments["seed"] + 1)[1]
        facts["same_seed_same_result"] = torch.equal(final, again)
        facts["other_seed_same_result"] = torch.equal(final, other)
    return facts


def _one_update(function: Callable, a: dict, seed: int) -> tuple[dict, torch.Tensor]:
    rollout = {name: tensor.clone() for name, tensor in a["rollout"].items()}
    before = {name: snapshot(tensor) for name, tensor in rollout.items()}
    model = LinearProbe(a["policy"], a["value"], rollout["obs"][:, 0].clone())
    optimizer = torch.optim.SGD(model.parameters(), lr=a["learning_rate"])
    steps: list[dict] = []

    def note(*_: Any) -> None:
        steps.append(
            {
                "rows": model.rows[:1000],
                "policy": _gradient(model.policy),
                "value": _gradient(model.value),
                "policy_before": array_to_plain(model.policy),
                "value_before": array_to_plain(model.value),
            }
        )
        model.rows, model.forwards = [], 0

    optimizer.register_step_pre_hook(note)
    result = function(model, optimizer, rollout, UpdateConfig(**a["config"]), generator_from(seed))
    final = torch.cat([model.policy.detach().reshape(-1), model.value.detach()])
    rows = [list(dict.fromkeys(step["rows"])) for step in steps]
    facts: dict[str, Any] = {
        "steps": len(steps),
        "rows_per_step": [len(r) for r in rows],
        "passes": count_passes(rows, len(before["obs"])),
        "same_order_each_epoch": same_order(rows, len(before["obs"])),
        "finite": bool(torch.isfinite(final).all()),
        "forwards_after_last_step": model.forwards,
        "mutated": [
            f"rollout[{name!r}]"
            for name in before
            if name not in rollout or not unchanged(rollout[name], before[name])
        ],
        "statistics": "dict" if isinstance(result, dict) else type(result).__name__,
        "rows": rows[:200],
        "gradients": steps[:MAX_GRADIENTS],
    }
    for number, step in enumerate(steps[:4], start=1):
        facts[f"step {number}, policy gradient"] = step["policy"]
        facts[f"step {number}, value gradient"] = step["value"]
    if isinstance(result, dict):
        for name, value in list(result.items())[:20]:
            facts[f"statistic {str(name)[:40]}"] = _as_number(value)
    return facts, final


def count_passes(rows: list[list[int]], size: int) -> int:
    """Count how often the steps, in their order, went through all ``size`` rows exactly once."""
    seen: set[int] = set()
    passes = 0
    for step in rows:
        if seen & set(step) or -1 in step:
            return passes
        seen |= set(step)
        if len(seen) == size:
            passes, seen = passes + 1, set()
    return passes


def same_order(rows: list[list[int]], size: int) -> bool | None:
    """Tell whether the second pass repeats the minibatches of the first; None if it cannot be."""
    lengths = list(itertools.accumulate(len(step) for step in rows))
    if size not in lengths or len(rows[0]) == size:
        return None
    part = lengths.index(size) + 1
    return len(rows) >= 2 * part and rows[:part] == rows[part : 2 * part]


def _as_number(value: Any) -> Any:
    """Describe a statistic: a tensor or array of one element counts as the number it holds.

    A tensor that still holds its graph is described as what it is.
    """
    if isinstance(value, torch.Tensor) and value.requires_grad:
        return describe(value)
    try:
        return {"kind": "float", "value": str(float(value))}
    except (TypeError, ValueError, RuntimeError):
        return describe(value)


def _gradient(parameter: nn.Parameter) -> dict | None:
    return None if parameter.grad is None else array_to_plain(parameter.grad)

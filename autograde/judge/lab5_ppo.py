"""Hidden tests of lab 5 (PPO): fresh inputs, and what is right for them by an independent route.

References are NumPy in float64 with gradients worked out by hand, sample by sample from the
six-region table, not by autograd and not with the lab's own code. ``tests`` compares them with
Stable-Baselines3 as well. Equations: Schulman et al. (2017), https://arxiv.org/abs/1707.06347.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autograde.judge.spec import (
    UNCHANGED,
    USUAL,
    Exercise,
    call_case,
    equal,
    f32,
    log_softmax,
    tensor,
    weights,
)
from course_utils.checks.codec import array_from_plain, array_to_plain, encode_arguments
from course_utils.checks.drivers.lab5 import MAX_GRADIENTS, count_passes, minibatch_facts

Array = np.ndarray


def _log_probs(rng: np.random.Generator, size: int, spread: float = 0.35) -> tuple[Array, Array]:
    """Draw new and old log-probabilities [size] whose ratio lies on all sides of the band."""
    old = -rng.uniform(0.3, 2.5, size)
    return f32(old + rng.normal(0.0, spread, size)), f32(old)


def _away_from_bounds(
    rng: np.random.Generator, size: int, epsilon: float, spread: float = 0.35
) -> tuple[Array, Array]:
    """Draw log-probabilities whose ratio is not within rounding of 1 - epsilon or 1 + epsilon."""
    new, old = _log_probs(rng, size, spread)
    near = np.abs(np.abs(np.exp(new - old) - 1) - epsilon) < 1e-3
    return f32(np.where(near, old, new)), old


def _advantages(rng: np.random.Generator, size: int) -> Array:
    """Draw advantages [size] of both signs, none near zero, mean not zero."""
    sign = rng.choice([-1.0, 1.0], size)
    if size > 1:
        sign[:2] = [1.0, -1.0]
    return f32(sign * rng.uniform(0.4, 2.5, size) + 0.1)


def _epsilon(rng: np.random.Generator) -> float:
    return float(np.round(rng.uniform(0.08, 0.38), 3))


def _narrow_and_wide(rng: np.random.Generator) -> tuple[float, float]:
    """Draw an epsilon well below the usual 0.2 and one well above it: a fixed one shows."""
    return float(np.round(rng.uniform(0.05, 0.09), 3)), float(np.round(rng.uniform(0.3, 0.4), 3))


def _six_ratios(rng: np.random.Generator, epsilon: float) -> Array:
    """Draw a ratio [6] in each region: below, inside and above the band, for A > 0 and A < 0."""
    steps = np.array([-2.0, 0.8, 2.0, -2.0, -0.8, 2.0]) * rng.uniform(0.95, 1.05, 6)
    return f32(1 + steps * epsilon)


# --- probability_ratio ---------------------------------------------------------------------------


def _ratio_case(name: str, new: Array, old: Array, **kw: Any) -> dict:
    ratio = np.exp(new - old)
    args = {"new_log_probs": tensor(new), "old_log_probs": tensor(old)}
    gradients = {"new_log_probs": weights(len(new)) * ratio, "old_log_probs": None}
    return call_case(name, args, ratio, gradients, **kw)


def ratio_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for r = pi_new(a|s) / pi_old(a|s), equation 6 ff."""
    cases = [
        _ratio_case("a batch", *_log_probs(rng, 11)),
        _ratio_case("another batch of that size", *_log_probs(rng, 11)),
        _ratio_case("another size", *_log_probs(rng, 7, 0.8)),
        _ratio_case("a batch of one", *_log_probs(rng, 1), aspect="corners"),
    ]
    _, old = _log_probs(rng, 5)
    cases.append(_ratio_case("nothing changed yet", old, old, aspect="corners"))
    far = f32(old + np.array([-4.5, -3.0, 0.1, 2.5, 3.5]))
    cases.append(_ratio_case("ratios far from 1", far, old, aspect="corners"))
    old = f32(-rng.uniform(110.0, 150.0, 5))
    cases.append(
        _ratio_case(
            "very unlikely actions", f32(old + rng.normal(0, 0.5, 5)), old, aspect="corners",
            about="log-probabilities near -120, whose exp is 0 in float32",
        )
    )  # fmt: skip
    if not visible:
        new, old = _log_probs(rng, 5000)
        cases.append(_ratio_case("a large batch", new, old, aspect="cost", cpu_seconds=2.0))
    return cases


# --- clipped_surrogate_loss ----------------------------------------------------------------------


def surrogate(ratio: Array, advantages: Array, epsilon: float) -> tuple[Array, Array]:
    """Read objective [B] and its slope in the ratio [B] off the six-region table.

    A > 0 pays until the ratio is above 1 + epsilon, A < 0 until it is below 1 - epsilon; past
    that bound the objective is flat. In the other four regions it is the line r * A.
    """
    objective, slope = np.empty_like(ratio), np.empty_like(ratio)
    for i, (r, a) in enumerate(zip(ratio, advantages, strict=True)):
        if a > 0 and r > 1 + epsilon:
            objective[i], slope[i] = (1 + epsilon) * a, 0.0
        elif a < 0 and r < 1 - epsilon:
            objective[i], slope[i] = (1 - epsilon) * a, 0.0
        else:
            objective[i], slope[i] = r * a, a
    return objective, slope


def _surrogate_case(
    name: str, new: Array, old: Array, advantages: Array, epsilon: float, **kw: Any
) -> dict:
    ratio = np.exp(new - old)
    objective, slope = surrogate(ratio, advantages, epsilon)
    args = {
        "new_log_probs": tensor(new),
        "old_log_probs": tensor(old),
        "advantages": tensor(advantages),
        "clip_epsilon": epsilon,
    }
    gradients = {
        "new_log_probs": -slope * ratio / len(ratio),
        "old_log_probs": None,
        "advantages": None,
    }
    return call_case(name, args, -objective.mean(), gradients, **kw)


def surrogate_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for L^CLIP, equation 7; the first one is the six-region table."""
    cases = []
    narrow, wide = _narrow_and_wide(rng)
    for name, epsilon in (("the six regions", wide), ("another epsilon", narrow)):
        ratio = _six_ratios(rng, epsilon)
        old = f32(-rng.uniform(0.4, 2.0, 6))
        new = f32(old + np.log(ratio))
        advantages = f32(np.array([1, 1, 1, -1, -1, -1]) * rng.uniform(0.5, 2.0, 6))
        about = "advantages of both signs; ratios below, inside and above the band"
        cases.append(_surrogate_case(name, new, old, advantages, epsilon, about=about))
    epsilon = _epsilon(rng)
    new, old = _away_from_bounds(rng, 11, epsilon)
    cases.append(_surrogate_case("a batch", new, old, _advantages(rng, 11), epsilon))
    # One sample a case: a mean over a batch can hide a fault in one region behind the others.
    for name, factor, sign in (
        ("A > 0 and the ratio far above the band", 2.5, 1.0),
        ("A > 0 and the ratio far below the band", 0.4, 1.0),
        ("A < 0 and the ratio far above the band", 6.0, -1.0),
        ("A < 0 and the ratio far below the band", 0.4, -1.0),
    ):
        old = f32(-rng.uniform(0.9, 2.0, 1))
        new = f32(old + np.log(factor * (1 + rng.uniform(-0.1, 0.1))))
        a = f32(sign * rng.uniform(0.5, 2.0, 1))
        cases.append(_surrogate_case(name, new, old, a, _epsilon(rng)))
    old = f32(-rng.uniform(110.0, 150.0, 5))
    new = f32(old + rng.choice([-0.5, 0.03, 0.5], 5))
    cases.append(
        _surrogate_case(
            "very unlikely actions", new, old, _advantages(rng, 5), 0.2, aspect="corners",
            about="log-probabilities near -120, whose exp is 0 in float32",
        )
    )  # fmt: skip
    new, old = _log_probs(rng, 5)
    cases.append(
        _surrogate_case("nothing changed yet", old, old, _advantages(rng, 5), 0.2, aspect="corners")
    )
    cases.append(
        _surrogate_case(
            "an epsilon above 1", new, old, _advantages(rng, 5), 1e6, aspect="corners",
            about="clip_epsilon so large that nothing is ever clipped",
        )
    )  # fmt: skip
    new, old = _away_from_bounds(rng, 11, 0.15)
    cases.append(_surrogate_case("another batch", new, old, _advantages(rng, 11), 0.15))
    new, old = _away_from_bounds(rng, 5, 0.2)
    advantages = _advantages(rng, 5)
    advantages[2] = 0.0
    cases.append(
        _surrogate_case("an advantage of zero", new, old, advantages, 0.2, aspect="corners")
    )
    if not visible:
        new, old = _away_from_bounds(rng, 5000, 0.2)
        cases.append(
            _surrogate_case(
                "a large batch", new, old, _advantages(rng, 5000), 0.2,
                aspect="cost", cpu_seconds=2.0,
            )
        )  # fmt: skip
    return cases


# --- has_gradient --------------------------------------------------------------------------------


def _has_gradient_case(name: str, ratio: Array, advantages: Array, epsilon: float, **kw: Any):
    _, slope = surrogate(ratio, advantages, epsilon)
    args = {"ratio": tensor(ratio), "advantages": tensor(advantages), "clip_epsilon": epsilon}
    return call_case(name, args, slope != 0, dtype="bool", **kw)


def has_gradient_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the six-region table as yes and no."""
    cases = []
    narrow, wide = _narrow_and_wide(rng)
    for name, epsilon in (("the six regions", wide), ("another epsilon", narrow)):
        ratio = _six_ratios(rng, epsilon)
        advantages = f32(np.array([1, 1, 1, -1, -1, -1]) * rng.uniform(0.5, 2.0, 6))
        about = "advantages of both signs; ratios below, inside and above the band"
        cases.append(_has_gradient_case(name, ratio, advantages, epsilon, about=about))
    epsilon = _epsilon(rng)
    new, old = _away_from_bounds(rng, 11, epsilon)
    cases.append(
        _has_gradient_case("a batch", f32(np.exp(new - old)), _advantages(rng, 11), epsilon)
    )
    zeros = f32([0.0, 0.0, 0.0, 1.5e-3, -0.7e-3])
    ratio = f32([0.5, 1.01, 1.6, 0.6, 1.7])
    cases.append(
        _has_gradient_case("some advantages are zero", ratio, zeros, 0.25, aspect="corners")
    )
    for ratio_of_one, advantage in ((1.5, 1.0), (0.5, 1.0)):
        cases.append(
            _has_gradient_case(
                f"one sample, ratio {ratio_of_one}", f32([ratio_of_one]), f32([advantage]), 0.2,
                aspect="corners",
            )
        )  # fmt: skip
    if not visible:
        new, old = _away_from_bounds(rng, 5000, 0.2)
        cases.append(
            _has_gradient_case(
                "a large batch", f32(np.exp(new - old)), _advantages(rng, 5000), 0.2,
                aspect="cost", cpu_seconds=2.0,
            )
        )  # fmt: skip
    return cases


# --- approx_kl -----------------------------------------------------------------------------------


def _kl_case(name: str, new: Array, old: Array, **kw: Any) -> dict:
    log_ratio = new - old
    value = float(np.mean(np.expm1(log_ratio) - log_ratio))
    args = {"new_log_probs": tensor(new), "old_log_probs": tensor(old)}
    case = call_case(name, args, value, number=True, tolerance={"rtol": 3e-4, "atol": 2e-6}, **kw)
    # A caller has new log-probabilities with a graph; a float that comes back holds none.
    case["wrt"] = ["new_log_probs"]
    case["expect"]["grad:new_log_probs"] = {"is": "constant"}
    return case


def kl_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the k3 estimator, http://joschu.net/blog/kl-approx.html."""
    cases = [
        _kl_case("a batch", *_log_probs(rng, 11, 0.5)),
        _kl_case("another size", *_log_probs(rng, 7, 0.8)),
    ]
    new, old = _log_probs(rng, 11, 0.3)
    cases.append(_kl_case("mostly more likely now", np.maximum(new, old) + 0.25, old))
    cases.append(_kl_case("a batch of one", *_log_probs(rng, 1, 0.8), aspect="corners"))
    cases.append(_kl_case("nothing changed", old, old, aspect="corners"))
    old = f32(-rng.uniform(110.0, 150.0, 5))
    cases.append(
        _kl_case(
            "very unlikely actions", f32(old + rng.normal(0, 0.5, 5)), old, aspect="corners",
            about="log-probabilities near -120, whose exp is 0 in float32",
        )
    )  # fmt: skip
    if not visible:
        cases.append(
            _kl_case("a large batch", *_log_probs(rng, 5000), aspect="cost", cpu_seconds=2.0)
        )
    return cases


# --- clipped_value_loss --------------------------------------------------------------------------


def _value_case(
    name: str, values: Array, old: Array, returns: Array, epsilon: float, **kw: Any
) -> dict:
    size = len(values)
    loss, gradient = 0.0, np.zeros(size)
    for i in range(size):
        change = min(max(values[i] - old[i], -epsilon), epsilon)
        plain, clipped = (values[i] - returns[i]) ** 2, (old[i] + change - returns[i]) ** 2
        loss += max(plain, clipped) / size
        if abs(values[i] - old[i]) <= epsilon or plain >= clipped:
            gradient[i] = 2 * (values[i] - returns[i]) / size
    args = {
        "values": tensor(values),
        "old_values": tensor(old),
        "returns": tensor(returns),
        "clip_epsilon": epsilon,
    }
    return call_case(name, args, loss, {"values": gradient, "old_values": None}, **kw)


def _draw_values(rng: np.random.Generator, size: int, epsilon: float) -> tuple[Array, Array, Array]:
    """Draw values, old values and returns [size], on all sides of the clip and never on it."""
    while True:
        old, returns = rng.normal(0.5, 1.0, size), rng.normal(0.0, 1.5, size)
        values = old + rng.normal(0.0, 2.0 * epsilon, size)
        change = np.abs(values - old)
        clipped = old + np.clip(values - old, -epsilon, epsilon)
        tie = np.abs((values - returns) ** 2 - (clipped - returns) ** 2) < 1e-3
        if not (np.abs(change - epsilon) < 1e-3).any() and not (tie & (change > epsilon)).any():
            return f32(values), f32(old), f32(returns)


def value_loss_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the clipped value loss (implementation detail 9 of Huang et al., 2022)."""
    cases = []
    for (name, size), epsilon in zip(
        (("a batch", 11), ("another size", 7)), _narrow_and_wide(rng), strict=True
    ):
        cases.append(_value_case(name, *_draw_values(rng, size, epsilon), epsilon))
    cases.append(_value_case("another batch", *_draw_values(rng, 11, 0.15), 0.15))
    e = 0.25
    old = f32([1.0, 1.0, 1.0, 1.0, 1.0])
    values = f32([1.125, 2.0, 2.0, 0.0, 0.0])
    returns = f32([3.0, 3.0, -1.0, 3.0, -1.0])
    about = "the value moved a little; too far toward the return; too far away from it"
    cases.append(_value_case("every side of the clip", values, old, returns, e, about=about))
    cases.append(
        _value_case("a batch of one", f32([2.0]), f32([1.0]), f32([3.0]), e, aspect="corners")
    )
    if not visible:
        drawn = _draw_values(rng, 500, 0.2)
        big = [np.tile(x, 10) for x in drawn]
        cases.append(_value_case("a large batch", *big, 0.2, aspect="cost", cpu_seconds=2.0))
    return cases


# --- minibatch_indices ---------------------------------------------------------------------------


def _minibatch_case(name: str, rng: np.random.Generator, size: int, part: int, aspect: str) -> dict:
    seeds = rng.integers(1, 2**31, 2)
    full, rest = divmod(size, part)
    sizes = [part] * full + ([rest] if rest else [])
    expect = {
        "ended": equal(
            True, "a sequence that ends", "It must end when every index was used once.",
            "never_ends",
        ),
        "items": equal(
            ["tensor of int64, 1-d"], "tensors of int64, each of shape [M]",
            "Hand out one tensor of indices per minibatch. (A `return` inside a loop ends the "
            "function at once; `yield` does not.)", "wrong_items",
        ),
        "out_of_range": equal(0, f"indices from 0 to {size - 1}", "", "out_of_range"),
        "repeated": equal(
            0, "no index twice", "Each index belongs to exactly one minibatch.", "repeated_indices",
            "{} repeated",
        ),
        "missing": equal(
            0, "every index once", "The last, smaller minibatch counts too.", "missing_indices",
            "{} missing",
        ),
        "sizes": {
            "is": "equal", "value": sizes, "say": f"minibatches of sizes {sizes}",
            "got": "{}", "mistake": "wrong_sizes",
        },
    }  # fmt: skip
    aspects: dict[str, str] = {}
    if size > 10:  # an honest shuffle of 11 leaves the order as it was once in 40 million
        expect |= {
            "in_order": equal(
                False, "a shuffled order", "Neighbors in time are alike; mix them.", "not_shuffled",
                "the order 0, 1, 2, ...",
            ),
            "same_seed_same_batches": equal(
                True, "the same minibatches for the same seed",
                "Draw from the generator that is passed in, not from the global one.",
                "ignores_generator", "other minibatches",
            ),
            "next_call_same_batches": equal(
                False, "fresh minibatches at the next call",
                "Each epoch deserves a new order.", "same_order_every_call", "the same ones again",
            ),
            "other_seed_same_batches": equal(
                False, "other minibatches for another seed",
                "Draw from the generator that is passed in.", "ignores_seed", "the same ones",
            ),
        }  # fmt: skip
        if size > 1000:
            hint = "Every order must be equally likely; a rotation or a few swaps is no shuffle."
            expect["mean_move"] = {
                "is": "between", "low": 0.28, "high": 0.39, "hint": hint,
                "say": "samples that move a third of the batch on average",
                "mistake": "barely_shuffled",
            }  # fmt: skip
            expect["neighbors_kept"] = {
                "is": "between", "low": 0.0, "high": 0.02, "hint": hint,
                "say": "next to no neighbors in time that stay neighbors",
                "mistake": "barely_shuffled",
            }  # fmt: skip
        if 2 * part <= size:
            expect["neighbors_stay_together"] = equal(
                False, "samples from all over the batch in a minibatch",
                "Shuffle the samples across minibatches, not only within them.",
                "shuffled_in_blocks", "minibatches that are stretches of neighbors",
            )  # fmt: skip
        aspects = dict.fromkeys(
            ("same_seed_same_batches", "next_call_same_batches", "other_seed_same_batches"),
            "randomness",
        )
    return {
        "name": name,
        "about": f"batch_size = {size}, minibatch_size = {part}",
        "aspect": aspect,
        "aspects": aspects,
        "hide_arguments": True,
        "cpu_seconds": 2.0,
        "args": {
            "batch_size": size,
            "minibatch_size": part,
            "seed": int(seeds[0]),
            "other_seed": int(seeds[1]),
        },
        "expect": expect,
    }


def minibatch_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for a fresh shuffled partition of the batch (algorithm 1)."""
    size = 23 if visible else int(rng.integers(17, 40))
    part = 7 if visible else int(rng.choice([p for p in range(4, 9) if size % p]))
    cases = [
        _minibatch_case("the last one is smaller", rng, size, part, "value"),
        _minibatch_case("an even split", rng, 4 * part, part, "value"),
        _minibatch_case("minibatch larger than the batch", rng, 11, 64, "corners"),
        _minibatch_case("a minibatch as large as the batch", rng, 13, 13, "corners"),
        _minibatch_case("a batch of one", rng, 1, 4, "corners"),
        _minibatch_case("minibatches of one", rng, 6, 1, "corners"),
    ]
    if not visible:
        cases.append(_minibatch_case("a large batch", rng, 20_011, 256, "cost"))
    return cases


def complete_minibatches(case: dict, entry: dict) -> None:
    """Work out from the indices themselves what the driver said of them."""
    if entry["status"] != "ok":
        return
    draws, facts = entry["facts"].get("draws"), entry["facts"]
    if draws is None:  # the driver leaves them out where there are far too many
        case["expect"]["draws"] = equal(
            "the indices", "every index once", "Each index belongs to exactly one minibatch.",
            "repeated_indices", "far more indices",
        )  # fmt: skip
        return
    first, second, repeated, other = draws
    for indices in (*first, *second, *repeated, *other):
        if not isinstance(indices, list) or not all(isinstance(i, int) for i in indices):
            raise ValueError("minibatches that are no lists of indices")
    facts |= minibatch_facts(case["args"]["batch_size"], first, second, repeated, other)


# --- linear_schedule -----------------------------------------------------------------------------


def _schedule_case(update: int, n_updates: int, initial: float, aspect: str = "value") -> dict:
    # Written as what is left of the run, in whole updates, before the division.
    value = (n_updates - update) * initial / n_updates
    args = {"update": update, "n_updates": n_updates, "initial": initial}
    name = f"update {update} of {n_updates}, initial {initial:g}"
    room = {"rtol": 2e-5, "atol": 1e-6 * abs(initial)}  # float32 inside is good enough
    return call_case(name, args, value, number=True, tolerance=room, aspect=aspect)


def schedule_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for a learning rate that falls on a line to zero (Huang et al., 2022, detail 4)."""
    n = 40 if visible else int(rng.integers(30, 80))
    rate = 2.5e-4 if visible else float(f"{rng.uniform(1e-4, 1e-2):.3g}")
    middle = n // 3
    return [
        _schedule_case(0, n, rate),
        _schedule_case(middle, n, rate),
        _schedule_case(n - 1, n, rate),
        _schedule_case(n, n, rate),
        _schedule_case(5, 16, 0.5),
        _schedule_case(3, 7, 2),
        _schedule_case(0, 1, rate, "corners"),
        _schedule_case(1, 1, rate, "corners"),
    ]


# --- ppo_update ----------------------------------------------------------------------------------

OBS, ACTIONS = 6, 5


def ppo_gradients(
    policy: Array, value: Array, batch: dict[str, Array], config: dict, ddof: int = 1,
    advantages: Array | None = None, entropy_sign: float = 1.0,
) -> tuple[Array, Array, dict[str, float]]:  # fmt: skip
    """Gradients of the PPO loss for the linear probe model, by the chain rule on paper.

    ``policy`` [O, A] and ``value`` [O] are the weights; ``batch`` holds one minibatch in float64.
    Returns the gradients of both, clipped to ``max_grad_norm`` together, and the statistics.
    """
    obs, actions = batch["obs"], batch["actions"].astype(int)
    size = len(obs)
    log_p = log_softmax(obs @ policy)
    p = np.exp(log_p)
    new = log_p[np.arange(size), actions]
    log_ratio = new - batch["log_probs"]
    ratio = np.exp(log_ratio)
    if advantages is None:
        advantages = batch["advantages"]
        if config["normalize_advantages"] and size > 1:
            advantages = advantages - advantages.mean()
            advantages = advantages / (advantages.std(ddof=ddof) + 1e-8)
    objective, slope = surrogate(ratio, advantages, config["clip_epsilon"])
    entropy = -(p * log_p).sum(axis=1)
    values = obs @ value
    one_hot = np.eye(policy.shape[1])[actions]
    d_logits = -(slope * ratio)[:, None] * (one_hot - p) / size
    d_entropy = -p * (log_p + entropy[:, None]) / size
    d_logits -= entropy_sign * config["entropy_coef"] * d_entropy
    d_values = config["value_coef"] * 2.0 * (values - batch["returns"]) / size
    g_policy, g_value = obs.T @ d_logits, obs.T @ d_values
    norm = np.sqrt((g_policy**2).sum() + (g_value**2).sum())
    factor = min(1.0, config["max_grad_norm"] / (norm + 1e-6))
    statistics = {
        "policy_loss": -objective.mean(),
        "value_loss": ((values - batch["returns"]) ** 2).mean(),
        "entropy": entropy.mean(),
        "approx_kl": (np.expm1(log_ratio) - log_ratio).mean(),
        "clip_fraction": (np.abs(ratio - 1) > config["clip_epsilon"]).mean(),
    }
    return g_policy * factor, g_value * factor, statistics


def _rollout(rng: np.random.Generator, size: int) -> tuple[dict[str, Array], Array, Array]:
    """Draw a flat rollout and the weights of the probe model, some ratios outside the band."""
    obs = rng.normal(0.0, 1.0, (size, OBS))
    obs[:, 0] = rng.permutation(np.linspace(-1.0, 1.0, size))
    obs = f32(obs)
    policy, value = f32(rng.normal(0, 0.6, (OBS, ACTIONS))), f32(rng.normal(0, 0.6, OBS))
    actions = rng.integers(0, ACTIONS, size)
    log_p = log_softmax(obs @ policy)[np.arange(size), actions]
    rollout = {
        "obs": obs,
        "actions": actions,
        "log_probs": f32(log_p - rng.choice([-0.5, -0.25, -0.04, 0.03, 0.24, 0.45], size)),
        "advantages": _advantages(rng, size),
        "returns": f32(rng.normal(0.5, 1.5, size)),
        "values": f32(obs @ value + rng.normal(0, 0.2, size)),
    }
    return rollout, policy, value


def _update_case(
    name: str, rng: np.random.Generator, aspect: str, about: str, size: int = 11,
    learning_rate: float = 0.05, repeat: bool = False, **settings: Any,
) -> dict:  # fmt: skip
    config = {
        "epochs": 1,
        "minibatch_size": 64,
        "clip_epsilon": _epsilon(rng),
        "value_coef": float(np.round(rng.uniform(0.4, 0.9), 2)),
        "entropy_coef": float(np.round(rng.uniform(0.1, 0.3), 2)),
        "max_grad_norm": 1e3,
        "normalize_advantages": False,
        "target_kl": None,
    } | settings
    rollout, policy, value = _rollout(rng, size)
    tensors = {
        k: tensor(v, torch.int64 if k == "actions" else torch.float32) for k, v in rollout.items()
    }
    args = {
        "rollout": tensors,
        "policy": tensor(policy),
        "value": tensor(value),
        "config": config,
        "learning_rate": learning_rate,
        "seed": int(rng.integers(1, 2**31)),
        "repeat": repeat,
    }
    per_epoch = -(-size // config["minibatch_size"])
    steps = per_epoch * config["epochs"]
    expect = {
        "statistics": equal("dict", "a dict of statistics", "", "wrong_kind"),
        "steps": equal(
            steps, f"{steps} optimizer step{'s' * (steps > 1)}: {config['epochs']} epoch"
            f"{'s' * (config['epochs'] > 1)} of {per_epoch} minibatch{'es' * (per_epoch > 1)}",
            "Each minibatch of each epoch ends in one step of the optimizer.", "wrong_step_count",
        ),
        "mutated": UNCHANGED,
    }  # fmt: skip
    case = {
        "name": name,
        "about": about + f" (B = {size}; {_settings(config)})",
        "aspect": aspect,
        "aspects": {"mutated": "purity"},
        "hide_arguments": True,
        "args": encode_arguments(args),
        "expect": expect,
        "cpu_seconds": 8.0,
    }
    return case


def _settings(config: dict) -> str:
    shown = ("epochs", "minibatch_size", "clip_epsilon", "normalize_advantages", "target_kl")
    return ", ".join(f"{name} = {config[name]}" for name in shown)


def _decoded(case: dict) -> tuple[dict[str, Array], Array, Array, dict]:
    def array(plain: dict) -> Array:
        return array_from_plain(plain["tensor"]).astype(np.float64)

    args = case["args"]
    rollout = {k: array(v) for k, v in args["rollout"]["dict"].items()}
    return rollout, array(args["policy"]), array(args["value"]), args["config"]["dict"]


def _expect_whole_batch(case: dict) -> dict:
    """Add gradients and statistics of an update whose minibatch is the whole batch."""
    rollout, _, _, config = _decoded(case)
    rate = case["args"]["learning_rate"]
    expect = case["expect"]
    choices: dict[str, list[dict]] = {}
    # Standard deviation with N or N - 1: the contract leaves it open, so both pass.
    for ddof in (1, 0) if config["normalize_advantages"] else (1,):
        _, policy, value, _ = _decoded(case)
        totals: list[dict[str, float]] = []
        for number in range(1, config["epochs"] + 1):
            g_policy, g_value, statistics = ppo_gradients(policy, value, rollout, config, ddof)
            for head, g in (("policy", g_policy), ("value", g_value)):
                plain = array_to_plain(g.astype(np.float32))
                fact = f"step {number}, {head} gradient"
                room = {"rtol": 1e-3, "atol": 1e-5}
                choices.setdefault(fact, []).append({"is": "gradient", **plain, **room})
            policy, value = policy - rate * g_policy, value - rate * g_value
            totals.append(statistics)
        for name in totals[0]:
            mean = float(np.mean([s[name] for s in totals]))
            number = {"is": "number", "value": str(mean), "rtol": 2e-3, "atol": 1e-5}
            choices.setdefault(f"statistic {name}", []).append(number)
    for fact, options in choices.items():
        expect[fact] = options[0] if len(options) == 1 else {"is": "any", "of": options}
        if fact.startswith("statistic "):
            # Later statistics follow from earlier steps: a fault that has cost its points already
            # is not charged again.
            case["aspects"][fact] = "clipping" if case["aspect"] == "clipping" else "statistics"
    return case


def _expect_passes(case: dict, size: int) -> dict:
    config = case["args"]["config"]["dict"]
    part, epochs = config["minibatch_size"], config["epochs"]
    sizes = [min(part, size - start) for start in range(0, size, part)] * epochs
    whole = [size] * len(sizes)
    case["expect"] |= {
        # A forward pass over the whole batch before indexing is wasteful and right.
        "rows_per_step": {
            "is": "any",
            "of": [
                equal(sizes, f"minibatches of sizes {sizes}", "", "wrong_minibatches"),
                equal(whole, "the whole batch each time"),
            ],
        },
        "passes": {
            "is": "between", "low": epochs, "high": len(sizes),
            "say": f"{epochs} passes in which every sample is used once",
            "hint": "Each epoch goes through a fresh shuffled partition of the batch.",
            "mistake": "samples_left_out",
        },
    }  # fmt: skip
    if config["epochs"] > 1:
        case["expect"]["same_order_each_epoch"] = {
            "is": "any",
            "of": [
                equal(
                    False, "a fresh order in each epoch",
                    "Ask for new minibatches inside the loop over epochs.",
                    "same_order_each_epoch", "the same minibatches again",
                ),
                equal(None, "whole batches"),
            ],
        }  # fmt: skip
    # Not expected, because it depends on the order, but it tells two mistakes apart.
    case["compare"] = ["step 1, policy gradient"]
    if case["args"]["repeat"]:
        case["expect"] |= {
            "same_seed_same_result": equal(
                True, "the same result for the same seed",
                "Pass the generator on to everything that draws.", "ignores_generator",
                "another one",
            ),
            "other_seed_same_result": equal(
                False, "other minibatches for another seed", "", "ignores_seed", "the same result",
            ),
        }  # fmt: skip
        case["aspects"] |= {
            "same_seed_same_result": "randomness",
            "other_seed_same_result": "randomness",
        }
    return case


def update_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for one whole PPO update (algorithm 1), on a linear model with two heads."""
    narrow, wide = _narrow_and_wide(rng)
    cases = [
        _expect_whole_batch(
            _update_case(
                "one epoch, one minibatch", rng, "value", "one step on the whole batch",
                clip_epsilon=wide,
            )
        ),
        _expect_whole_batch(
            _update_case(
                "three epochs", rng, "value", "three steps, each on the whole batch",
                epochs=3, target_kl=1e3, clip_epsilon=narrow,
            )
        ),
        _expect_whole_batch(
            _update_case(
                "small max_grad_norm", rng, "clipping",
                "gradients longer than max_grad_norm = 0.25",
                epochs=2, max_grad_norm=0.25,
            )
        ),
        _expect_whole_batch(
            _update_case(
                "normalized advantages", rng, "normalization", "advantages normalized",
                normalize_advantages=True,
            )
        ),
        _expect_passes(
            _update_case(
                "minibatches", rng, "minibatches", "several minibatches an epoch",
                epochs=3, minibatch_size=4, repeat=True,
            ), 11,
        ),
    ]  # fmt: skip
    one = _update_case(
        "a minibatch of one", rng, "corners", "the last minibatch holds one sample", size=5,
        minibatch_size=2, normalize_advantages=True,
    )  # fmt: skip
    one["expect"]["finite"] = equal(
        True, "parameters that are numbers",
        "The standard deviation of one number is NaN; guard against it.", "nan_for_one", "NaN",
    )  # fmt: skip
    cases.append(one)
    stop = _update_case(
        "target_kl is passed", rng, "early_stop", "steps so large that the KL passes target_kl",
        epochs=12, minibatch_size=4, learning_rate=2.0, target_kl=0.01,
    )  # fmt: skip
    stop["expect"]["steps"] = {
        "is": "between", "low": 0, "high": 6,
        "say": "that the whole update stops within its first two epochs (6 steps at most)",
        "hint": "When the approximate KL passes target_kl, no further epoch may run.",
        "mistake": "no_early_stop",
    }  # fmt: skip
    stop["expect"]["forwards_after_last_step"] = {
        "is": "between", "low": 0, "high": 2,
        "say": "no further epoch after the stop",
        "hint": "Does the stop leave both loops?", "mistake": "stop_leaves_inner_loop_only",
    }  # fmt: skip
    cases += [stop, _early_stop_statistics(rng)]
    if not visible:
        replayed = _expect_passes(
            _update_case(
                "minibatches, normalized", rng, "normalization", "minibatches, each normalized",
                epochs=2, minibatch_size=4, normalize_advantages=True,
            ), 11,
        )  # fmt: skip
        even = _update_case(
            "minibatches of equal size", rng, "statistics", "minibatches of equal size", size=12,
            epochs=2, minibatch_size=4,
        )  # fmt: skip
        cases += [replayed, even]
    return cases


def _early_stop_statistics(rng: np.random.Generator) -> dict:
    """One case whose target_kl lies between the KL at the first and at the second minibatch.

    Both minibatches are the whole batch, so nothing depends on the order. A stop may come before
    or after the second step, and may count the second minibatch or not.
    """
    while True:
        case = _update_case(
            "statistics of a stopped update", rng, "statistics",
            "eight epochs on the whole batch; target_kl is passed in the second",
            epochs=8, learning_rate=1.0, target_kl=0.5,
        )  # fmt: skip
        rollout, policy, value, config = _decoded(case)
        g_policy, g_value, first = ppo_gradients(policy, value, rollout, config)
        moved = policy - 1.0 * g_policy, value - 1.0 * g_value
        _, _, second = ppo_gradients(*moved, rollout, config)
        if second["approx_kl"] > 1.5 * first["approx_kl"]:
            break
    # Halfway: the first minibatch is below it, the second above.
    target = 0.5 * (first["approx_kl"] + second["approx_kl"])
    case["args"]["config"]["dict"]["target_kl"] = float(target)
    case["about"] = case["about"].replace("target_kl = 0.5", f"target_kl = {target:.3g}")
    case["expect"]["steps"] = {
        "is": "between", "low": 1, "high": 2,
        "say": "a stop at the second step, before or after it",
        "hint": "Compare the approximate KL of the minibatch at hand with target_kl.",
        "mistake": "no_early_stop",
    }  # fmt: skip
    case["aspects"]["steps"] = "early_stop"
    for name in first:
        options = (first[name], 0.5 * (first[name] + second[name]))
        case["expect"][f"statistic {name}"] = {
            "is": "any",
            "of": [
                {"is": "number", "value": str(float(v)), "rtol": 2e-3, "atol": 1e-5}
                for v in options
            ],
        }
    return case


def complete_update(case: dict, entry: dict) -> None:
    """Replay the student's own minibatches and expect the gradient that each of them calls for.

    The order of the minibatches is the student's choice, so what is right for a step is worked
    out from the rows the model was asked about and from the parameters before that step.
    """
    if not case["name"].startswith("minibatches") or entry["status"] != "ok":
        return
    rollout, policy, value, config = _decoded(case)
    rows, steps = entry["facts"].get("rows"), entry["facts"].get("gradients")
    part, size = config["minibatch_size"], len(rollout["obs"])
    if not isinstance(rows, list) or not isinstance(steps, list):
        raise ValueError("an update without its steps")
    if len(steps) != min(len(rows), MAX_GRADIENTS):
        raise ValueError("an update that leaves out some of its gradients")
    # Our own count, not the driver's: it ran beside the student's code.
    entry["facts"] |= {
        "steps": len(rows),
        "rows_per_step": [len(r) for r in rows],
        "passes": count_passes(rows, size),
    }
    if not 0 < len(steps) == len(rows):
        return
    if all(len(r) == size > part for r in rows):
        _expect_no_whole_batches(case, entry)
        return
    got, wanted, whole, statistics = [], [[], []], [], []
    try:
        for indices, step in zip(rows, steps, strict=True):
            index = np.array([int(i) for i in indices], dtype=int)
            if len(index) > part or len(index) == 0 or index.min() < 0 or index.max() >= size:
                return
            policy = array_from_plain(step["policy_before"]).astype(np.float64)
            value = array_from_plain(step["value_before"]).astype(np.float64)
            if policy.shape != (OBS, ACTIONS) or value.shape != (OBS,):
                return
            batch = {name: column[index] for name, column in rollout.items()}
            got += [_flat_gradient(step["policy"], policy), _flat_gradient(step["value"], value)]
            for ddof in (1, 0):
                g = ppo_gradients(policy, value, batch, config, ddof)
                wanted[1 - ddof] += [g[0].reshape(-1), g[1]]
            statistics.append(g[2])
            a = rollout["advantages"]
            normalized = ((a - a.mean()) / (a.std(ddof=1) + 1e-8))[index]
            g = ppo_gradients(policy, value, batch, config, advantages=normalized)
            whole += [g[0].reshape(-1), g[1]]
    except (ValueError, KeyError, TypeError):
        return
    fact = "the gradients of all steps"
    entry["facts"][fact] = array_to_plain(np.concatenate(got).astype(np.float32))

    def gradient(parts: list[Array]) -> dict:
        plain = array_to_plain(np.concatenate(parts).astype(np.float32))
        return {"is": "gradient", **plain, "rtol": 2e-3, "atol": 2e-5}

    case["expect"][fact] = {"is": "any", "of": [gradient(wanted[0]), gradient(wanted[1])]}
    if case["name"] == "minibatches of equal size":
        # Only here: with unequal sizes a mean weighted by size is as good as a plain one.
        for name in statistics[0]:
            mean = float(np.mean([row[name] for row in statistics]))
            number = {"is": "number", "value": str(mean), "rtol": 2e-3, "atol": 1e-5}
            case["expect"][f"statistic {name}"] = number
    if config["normalize_advantages"]:
        close = np.allclose(np.concatenate(got), np.concatenate(whole), rtol=1e-2, atol=1e-4)
        entry["facts"]["normalized_over"] = "the whole batch" if close else "each minibatch"
        case["expect"]["normalized_over"] = equal(
            "each minibatch", "advantages normalized over each minibatch", "",
            "normalizes_whole_batch", "over {}",
        )  # fmt: skip


def _expect_no_whole_batches(case: dict, entry: dict) -> None:
    """Tell a loss over the whole batch from a forward pass over it with a minibatch picked out."""
    rollout, _, _, config = _decoded(case)
    whole = True
    for step in entry["facts"]["gradients"]:
        policy = array_from_plain(step["policy_before"]).astype(np.float64)
        value = array_from_plain(step["value_before"]).astype(np.float64)
        got = [_flat_gradient(step["policy"], policy), _flat_gradient(step["value"], value)]
        same = False
        for ddof in (1, 0):
            g = ppo_gradients(policy, value, rollout, config, ddof)
            wanted = (g[0].reshape(-1), g[1])
            same |= all(map(lambda a, b: np.allclose(a, b, rtol=1e-2, atol=1e-4), got, wanted))
        whole = whole and same
    entry["facts"]["loss_over"] = "the whole batch" if whole else "a minibatch"
    case["expect"]["loss_over"] = equal(
        "a minibatch", "a loss over one minibatch at each step",
        "Is every tensor of the batch indexed?", "wrong_minibatches", "over {}",
    )  # fmt: skip


def _flat_gradient(plain: dict | None, like: Array) -> Array:
    if plain is None:
        return np.zeros(like.size)
    gradient = array_from_plain(plain).astype(np.float64)
    if gradient.shape != like.shape:
        raise ValueError("a gradient of another shape than its parameter")
    return gradient.reshape(-1)


EXERCISES = {
    "probability_ratio": Exercise(ratio_cases, USUAL),
    "clipped_surrogate_loss": Exercise(surrogate_cases, USUAL),
    "has_gradient": Exercise(
        has_gradient_cases, {"value": 0.7, "corners": 0.15, "purity": 0.1, "cost": 0.05}
    ),
    "clipped_value_loss": Exercise(value_loss_cases, USUAL),
    "approx_kl": Exercise(
        kl_cases, {"value": 0.7, "corners": 0.1, "purity": 0.1, "gradient": 0.05, "cost": 0.05}
    ),
    "minibatch_indices": Exercise(
        minibatch_cases,
        {"value": 0.5, "randomness": 0.3, "corners": 0.15, "cost": 0.05},
        complete_minibatches,
    ),
    "linear_schedule": Exercise(schedule_cases, {"value": 0.85, "corners": 0.15}),
    "ppo_update": Exercise(
        update_cases,
        {
            "value": 0.35,
            "minibatches": 0.15,
            "statistics": 0.1,
            "normalization": 0.1,
            "clipping": 0.1,
            "early_stop": 0.05,
            "corners": 0.05,
            "purity": 0.05,
            "randomness": 0.05,
        },
        complete_update,
    ),
}
"""The exercises of lab 5 in the order of the notebook."""

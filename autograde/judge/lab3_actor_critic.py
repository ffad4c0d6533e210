"""Hidden tests of lab 3 (actor-critic): fresh inputs, and what is right for them by another route.

References are NumPy in float64, one sample at a time, with gradients worked out by hand. ``tests``
compares them with autograd, SciPy and Stable-Baselines3 as well. Equations: Sutton and Barto
(2018), sections 13.4 and 13.5, http://incompleteideas.net/book/the-book-2nd.html; Mnih et al.
(2016), https://arxiv.org/abs/1602.01783, section 4.
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
from course_utils.checks.codec import encode_arguments

Array = np.ndarray


def _both_signs(rng: np.random.Generator, size: int, low: float, high: float) -> Array:
    """Draw numbers [size] of both signs, none near zero, their mean not zero."""
    sign = rng.choice([-1.0, 1.0], size)
    if size > 1:
        sign[:2] = rng.permutation([1.0, -1.0])
    return f32(sign * rng.uniform(low, high, size) + 0.2)


# --- ActorCritic ---------------------------------------------------------------------------------


def _network_case(
    name: str, rng: np.random.Generator, aspect: str, leading: tuple[int, ...], about: str,
    obs_dim: int, n_actions: int, hidden: int | None, examine: bool = False,
) -> dict:  # fmt: skip
    shape = [*leading, obs_dim]
    made = f"ActorCritic({obs_dim}, {n_actions}{'' if hidden is None else f', {hidden}'})"
    args = {
        "obs_dim": obs_dim,
        "n_actions": n_actions,
        "hidden": hidden,
        "obs": tensor(rng.normal(0.0, 1.0, shape)),
        "seed": int(rng.integers(1, 2**31)),
        "examine": examine,
    }
    logits_shape, values_shape = [*leading, n_actions], list(leading)
    expect = {
        "made": equal(
            "module", "an nn.Module", "Write it as class ActorCritic(nn.Module).", "no_module",
            "an object of type {}",
        ),
        "forward_gives": equal(
            "logits and values, tensors of float32", "logits and values, two tensors of float32",
            "forward returns a pair: the logits first, then the values.", "no_pair",
        ),
        "shape_of_the_logits": equal(
            logits_shape, f"logits of shape {logits_shape} for observations of shape {shape}",
            "For the logits only the last dimension changes, from O to A.",
            "wrong_logits_shape", "shape {}",
        ),
        "shape_of_the_values": equal(
            values_shape, f"values of shape {values_shape} for observations of shape {shape}",
            "One number for each observation: the last dimension goes, all others stay.",
            "values_keep_a_dimension" if leading else "wrong_values_shape", "shape {}",
        ),
        "parameters": {
            "is": "between", "low": 1, "high": 10**6, "say": "parameters for an optimizer to train",
            "hint": "A layer counts only as an attribute of the module (self.layer = ..., an "
            "nn.Sequential or an nn.ModuleList), not in a plain list.",
            "mistake": "no_parameters",
        },
        "parameters_made_later": equal(
            0, "all parameters made in __init__",
            "A layer made in forward is a new one each time, or unknown to the optimizer.",
            "layers_in_forward", "{} more after the first forward",
        ),
        "repeats": equal(
            True, "the same answer for the same observations",
            "Is a layer made in forward, or is something random in it?",
            "another_answer_each_time", "another answer the second time",
        ),
        "each_by_itself": equal(
            [], "for each observation the answer it gets alone",
            "Nothing may mix the observations of a batch: look for dim=0, means over the batch, "
            "batch normalization.", "mixes_observations", "{} that depend on the others",
        ),
        "mutated": UNCHANGED,
    }  # fmt: skip
    aspects = {
        "mutated": "purity", "parameters": "parameters", "parameters_made_later": "parameters",
    }  # fmt: skip
    if examine:
        expect |= {
            "values_depend_on_the_observation": equal(
                True, "values that differ from observation to observation",
                "The critic has to look at the observation: is it fed with something else?",
                "values_are_constant", "the same value everywhere",
            ),
            "logits_depend_on_the_observation": equal(
                True, "logits that differ from observation to observation", "",
                "logits_are_constant", "the same logits everywhere",
            ),
            "values_follow_from_the_logits": equal(
                False, "a critic with weights of its own",
                "The value is an output of its own, not something computed from the logits.",
                "values_from_logits", "values that are computed from the logits",
            ),
            "numbers": equal(
                "logits", "logits, which may be any numbers",
                "Is there a softmax at the end? It belongs into the loss and the sampling.",
                "softmax_at_the_end", "{}: no row has a negative number, and each sums to 1",
            ),
            "values_of_both_signs": equal(
                True, "values that can be negative as well as positive",
                "No activation after the critic's last linear layer.",
                "activation_on_the_critic", "values of one sign only, whatever the weights",
            ),
            "growth_of_the_values": {
                "is": "between", "low": 3.0, "high": 1e30,
                "say": "values that can be as large as a return (all weights 10 times larger: "
                "values at least 3 times larger)",
                "hint": "Nothing may squash the value after the critic's last linear layer.",
                "mistake": "activation_on_the_critic",
            },
            "growth_of_the_logits": {
                "is": "between", "low": 3.0, "high": 1e30,
                "say": "logits that can be far apart (all weights 10 times larger: at least 3 "
                "times farther apart)",
                "hint": "Nothing may squash the logits after the last linear layer.",
                "mistake": "squashed_logits",
            },
            "exact_zeros": {
                "is": "between", "low": 0.0, "high": 0.1,
                "say": "hardly any logit or value of exactly 0",
                "hint": "No activation after a last linear layer.", "mistake": "activation_last",
            },
            "gradient_of_the_values": equal(
                True, "a gradient from the values to the critic's weights",
                "Is there a detach, a no_grad, or numpy on the way to the values?",
                "dead_critic", "none: the critic cannot learn",
            ),
            "gradient_of_the_logits": equal(
                True, "a gradient from the logits to the actor's weights",
                "Is there a detach, a no_grad, or numpy on the way to the logits?",
                "dead_actor", "none: the actor cannot learn",
            ),
            "without_gradient": equal(
                [], "a gradient for every parameter that the answer depends on",
                "Is there a detach, a no_grad, or numpy on the way?", "gradient_cut",
                "none for {}",
            ),
            "copy_of_its_parameters": equal(
                True, "the same answer after its parameters are copied to another network",
                "Some of what it computes with is not among its parameters, so no optimizer "
                "will train it.", "unregistered_layers", "another answer",
            ),
            "straight": equal(
                [], "logits and values that are no straight line in the observation",
                "Two linear layers in a row are one linear layer: put an activation between them.",
                "no_activation", "a linear function for {}",
            ),
        }  # fmt: skip
        if hidden is not None:
            expect["more_for_a_larger_hidden"] = equal(
                True, "more parameters when hidden is larger", "Is the width written into the "
                "code as a number?", "hidden_ignored", "as many",
            )  # fmt: skip
        aspects |= {
            "values_depend_on_the_observation": "critic",
            "values_follow_from_the_logits": "critic",
            "values_of_both_signs": "critic",
            "growth_of_the_values": "critic",
            "gradient_of_the_values": "gradient",
            "gradient_of_the_logits": "gradient",
            "without_gradient": "gradient",
            "copy_of_its_parameters": "parameters",
            "more_for_a_larger_hidden": "parameters",
            "straight": "non-linearity",
        }
    return {
        "name": name,
        "about": f"{made}, {about}",
        "aspect": aspect,
        "aspects": aspects,
        "hide_arguments": True,
        "args": encode_arguments(args),
        "expect": expect,
    }


def network_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for a network with two heads: any leading dimensions, trainable, nothing squashed."""
    hidden = 16 if visible else int(rng.integers(10, 24))
    batch = 11 if visible else int(rng.integers(7, 13))
    cases = [
        _network_case(
            "a batch", rng, "value", (batch,), f"a batch of {batch}", 6, 5, hidden, examine=True
        ),
        _network_case("one observation", rng, "shapes", (), "one observation [O]", 7, 3, 12),
        _network_case(
            "steps and environments", rng, "shapes", (7, 3), "observations [T, N, O]", 5, 4, 9
        ),
        _network_case("a batch of one", rng, "shapes", (1,), "a batch of one", 5, 4, 9),
        _network_case(
            "CartPole", rng, "value", (13,), "the default width", 4, 2, None, examine=True
        ),
    ]
    if not visible:
        cases.append(
            _network_case(
                "one step, one environment", rng, "shapes", (1, 1), "observations [1, 1, O]", 3, 9,
                8,
            )
        )  # fmt: skip
    return cases


# --- monte_carlo_advantages ----------------------------------------------------------------------


def _advantage_case(name: str, returns: Array, values: Array, **kw: Any) -> dict:
    returns, values = f32(returns), f32(values)
    result = np.array([g - v for g, v in zip(returns, values, strict=True)])
    args = {"returns": tensor(returns), "values": tensor(values)}
    return call_case(name, args, result, {"values": None}, **kw)


def advantage_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for G_t - V(s_t) (Sutton and Barto, section 13.4)."""
    cases = [
        _advantage_case("a batch", _both_signs(rng, 11, 0.4, 3.0), _both_signs(rng, 11, 0.3, 2.0)),
        _advantage_case(
            "returns of a long episode", rng.uniform(40, 90, 7), rng.uniform(20, 60, 7),
            about="returns and values as in CartPole, all positive",
        ),
        _advantage_case(
            "another batch of that size", _both_signs(rng, 11, 2.0, 9.0),
            _both_signs(rng, 11, 0.3, 2.0),
        ),
        _advantage_case(
            "a batch of one", _both_signs(rng, 1, 1.0, 3.0), _both_signs(rng, 1, 0.3, 0.9),
            aspect="corners",
        ),
        _advantage_case(
            "all the same", np.full(5, 4.0), np.full(5, 1.5), aspect="corners",
            about="five times the same return, and a critic that is off by 2.5 each time",
        ),
        _advantage_case(
            "a critic that is right", np.arange(4.0) - 1.5, np.arange(4.0) - 1.5, aspect="corners"
        ),
    ]  # fmt: skip
    if not visible:
        cases.append(
            _advantage_case(
                "a large batch", _both_signs(rng, 5000, 1.0, 50.0), rng.normal(0.0, 20.0, 5000),
                aspect="cost", cpu_seconds=2.0,
            )
        )  # fmt: skip
    return cases


# --- td_error ------------------------------------------------------------------------------------


def td_by_definition(
    rewards: Array, values: Array, next_values: Array, terminated: Array, gamma: float
) -> Array:
    """Entry by entry: what was got and what is still to come, minus what was expected."""
    result = np.empty_like(rewards)
    for t in range(rewards.shape[0]):
        for n in range(rewards.shape[1]):
            after = 0.0 if terminated[t, n] else gamma * next_values[t, n]
            result[t, n] = rewards[t, n] + after - values[t, n]
    return result


def _td_case(
    name: str, rng: np.random.Generator, shape: tuple[int, int], terminated: Array, gamma: float,
    **kw: Any,
) -> dict:  # fmt: skip
    steps, envs = shape
    # next_values[t] is values[t + 1] where the episode goes on: one walk through the values.
    walk = f32(rng.normal(1.5, 2.0, (steps + 1, envs)) + np.linspace(-2, 2, steps + 1)[:, None])
    values, next_values = walk[:-1], walk[1:].copy()
    # Where an episode ends the next observation is its last one, not the first of the next.
    # So it is at a time limit, which this function is not told of.
    limits = rng.random((steps, envs)) < 0.15
    limits[(steps - 1) // 2, -1] = True
    limits[-1] = False
    next_values[terminated] = f32(rng.uniform(2.5, 6.0, int(terminated.sum())))
    next_values[limits & ~terminated] += 4.0
    rewards = _both_signs(rng, steps * envs, 0.3, 2.0).reshape(shape)
    args = {
        "rewards": tensor(rewards),
        "values": tensor(values),
        "next_values": tensor(next_values),
        "terminated": tensor(terminated, torch.bool),
        "gamma": gamma,
    }
    result = td_by_definition(rewards, values, next_values, terminated, gamma)
    return call_case(name, args, result, **kw)


def _ends(rng: np.random.Generator, steps: int, envs: int) -> Array:
    """Draw where tasks end: at the first step, at the last, in the middle, and never."""
    ends = np.zeros((steps, envs), dtype=bool)
    ends[0, 0] = ends[-1, 0] = True
    ends[int(rng.integers(1, steps - 1)), min(1, envs - 1)] = True
    return ends


def td_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for delta_t = r_t + gamma V(s_{t+1}) - V(s_t) (Sutton and Barto, section 13.5)."""
    high, low = (0.9, 0.5) if visible else np.round(rng.uniform([0.85, 0.4], [0.97, 0.6]), 3)
    high, low = float(high), float(low)
    nothing = np.zeros((7, 3), dtype=bool)
    cases = [
        _td_case(
            "nothing ends", rng, (7, 3), nothing, high, about="no task ends in these steps"
        ),
        _td_case(
            "some tasks end", rng, (7, 3), _ends(rng, 7, 3), high,
            about="tasks end at the first step, in the middle and at the last step",
        ),
        _td_case(
            "another discount", rng, (5, 4), _ends(rng, 5, 4), low,
            about="another discount, 5 steps of 4 environments",
        ),
        _td_case("one environment", rng, (6, 1), _ends(rng, 6, 1), high, aspect="corners"),
        _td_case(
            "one step", rng, (1, 3), np.array([[True, False, False]]), high, aspect="corners"
        ),
        _td_case("gamma = 0", rng, (4, 2), _ends(rng, 4, 2), 0.0, aspect="corners"),
        _td_case("gamma = 1", rng, (4, 2), _ends(rng, 4, 2), 1.0, aspect="corners"),
        _td_case(
            "every step ends a task", rng, (3, 2), np.ones((3, 2), dtype=bool), high,
            aspect="corners",
        ),
    ]  # fmt: skip
    if not visible:
        cases.append(
            _td_case(
                "a long rollout", rng, (5000, 2), rng.random((5000, 2)) < 0.02, 0.99,
                aspect="cost", cpu_seconds=2.0,
            )
        )  # fmt: skip
    return cases


# --- value_loss ----------------------------------------------------------------------------------


def _value_case(name: str, values: Array, targets: Array, **kw: Any) -> dict:
    values, targets = f32(values), f32(targets)
    size, loss, slope = len(values), 0.0, np.zeros(len(values))
    for b in range(size):
        off = values[b] - targets[b]
        loss += off * off / size
        slope[b] = 2 * off / size
    args = {"values": tensor(values), "targets": tensor(targets)}
    return call_case(name, args, loss, {"values": slope, "targets": None}, **kw)


def value_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the mean squared error of the critic."""
    cases = [
        _value_case("a batch", _both_signs(rng, 11, 0.3, 2.0), _both_signs(rng, 11, 0.5, 3.0)),
        _value_case(
            "returns of a long episode", rng.uniform(5, 60, 7), rng.uniform(40, 90, 7),
            about="values and targets as in CartPole, all positive",
        ),
        _value_case("another size", _both_signs(rng, 5, 1.0, 4.0), _both_signs(rng, 5, 0.2, 1.0)),
        _value_case(
            "small errors", (x := _both_signs(rng, 6, 1.0, 3.0)),
            x + rng.uniform(0.05, 0.4, 6) * rng.choice([-1.0, 1.0], 6),
        ),
        _value_case(
            "a batch of one", _both_signs(rng, 1, 0.3, 1.0), _both_signs(rng, 1, 1.5, 3.0),
            aspect="corners",
        ),
        _value_case(
            "a critic that is right", np.arange(4.0) - 1.5, np.arange(4.0) - 1.5, aspect="corners"
        ),
    ]  # fmt: skip
    if not visible:
        cases.append(
            _value_case(
                "a large batch", rng.normal(1.0, 2.0, 5000), rng.normal(2.0, 3.0, 5000),
                aspect="cost", cpu_seconds=2.0,
            )
        )  # fmt: skip
    return cases


# --- categorical_entropy -------------------------------------------------------------------------


def entropy_and_slope(logits: Array) -> tuple[Array, Array]:
    """H = -sum p log p of each row [B], and its gradient -p (log p + H) in the logits [B, A]."""
    log_p = log_softmax(logits)
    p = np.exp(log_p)
    terms = np.where(p > 0, p * np.maximum(log_p, -1e6), 0.0)
    entropy = -terms.sum(axis=1)
    return entropy, -(terms + p * entropy[:, None])


def _entropy_case(name: str, logits: Array, room: dict | None = None, **kw: Any) -> dict:
    logits = f32(logits)
    entropy, slope = entropy_and_slope(logits)
    slope = weights(len(logits))[:, None] * slope
    case = call_case(
        name, {"logits": tensor(logits)}, entropy, {"logits": slope}, tolerance=room, **kw
    )
    case["expect"]["grad:logits"] |= room or {}
    return case


def entropy_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the entropy of a softmax policy in nats, with logits of every size."""
    extreme = rng.choice([-1e3, 0.0, 1e3], (6, 4))
    extreme[:, 0] = 1e3
    extreme[0] = [1e3, -1e3, -1e3, -1e3]
    extreme[1] = [1e3, 1e3, -1e3, -1e3]
    extreme[2] = -1e3
    extreme[3] = [0.0, 1e3, -1e3, 0.0]
    close = rng.choice([-1.0, 1.0], (5, 1)) * np.array([[1e3], [1e3], [1e3], [60.0], [60.0]])
    close = close + np.round(rng.uniform(-1.5, 1.5, (5, 4)), 1)
    # float32 knows numbers near 1000 to 6e-5, and whoever subtracts two of them keeps that.
    room = {"rtol": 1e-3, "atol": 5e-4}
    rare = np.log(np.array([[1.0, 1e-7, 1e-7], [1.0, 1e-7, 0.5], [1e-7, 1.0, 1e-7]]))
    cases = [
        _entropy_case("a batch", rng.normal(0.4, 1.5, (11, 5))),
        _entropy_case("another batch of that size", rng.normal(-2.0, 0.7, (11, 5))),
        _entropy_case("two actions", rng.normal(0.0, 1.5, (7, 2))),
        _entropy_case("as many rows as actions", rng.normal(1.0, 2.0, (4, 4))),
        _entropy_case(
            "logits shifted", rng.normal(8.0, 1.2, (6, 3)),
            about="logits around 8; adding the same number to a row changes nothing",
        ),
        _entropy_case(
            "a coin toss", np.full((3, 4), 2.0), aspect="corners",
            about="equal logits: every action has probability 1/4",
        ),
        _entropy_case("a batch of one", rng.normal(0.0, 1.0, (1, 5)), aspect="corners"),
        _entropy_case("one action", np.array([[3.0], [-2.0]]), aspect="corners"),
        _entropy_case(
            "rare actions", rare, {"atol": 2e-6, "rtol": 2e-3}, aspect="extreme",
            about="probabilities of 1e-7",
        ),
        _entropy_case(
            "logits of 1000 and -1000", extreme, room, aspect="extreme",
            about="logits of 1000 and -1000, where softmax gives exactly 0 and 1",
        ),
        _entropy_case(
            "large logits close together", close, room, aspect="extreme",
            about="logits near 1000 and near -1000 that differ by little: only differences count",
        ),
    ]  # fmt: skip
    for case in cases[-3:]:
        case["aspects"] = {"grad:logits": "extreme"}
    if not visible:
        cases.append(
            _entropy_case(
                "a large batch", rng.normal(0.0, 1.0, (5000, 3)), aspect="cost", cpu_seconds=2.0
            )
        )
    return cases


# --- a2c_loss ------------------------------------------------------------------------------------


def a2c_by_hand(
    logits: Array, actions: Array, values: Array, advantages: Array, returns: Array,
    value_coef: float, entropy_coef: float,
) -> tuple[float, dict[str, float], Array, Array]:  # fmt: skip
    """Loss, its parts, and its gradients in the logits [B, A] and the values [B]."""
    size = len(actions)
    log_p = log_softmax(logits)
    entropies, entropy_slope = entropy_and_slope(logits)
    policy_slope = np.exp(log_p)
    policy = value = 0.0
    for b in range(size):
        policy -= log_p[b, actions[b]] * advantages[b] / size
        value += (values[b] - returns[b]) ** 2 / size
        policy_slope[b, actions[b]] -= 1.0
        policy_slope[b] *= advantages[b]
    entropy = float(entropies.mean())
    loss = policy + value_coef * value - entropy_coef * entropy
    parts = {"policy_loss": policy, "value_loss": value, "entropy": entropy}
    g_logits = (policy_slope - entropy_coef * entropy_slope) / size
    return loss, parts, g_logits, value_coef * 2 * (values - returns) / size


def _a2c_case(
    name: str, logits: Array, actions: Array, values: Array, advantages: Array, returns: Array,
    value_coef: float, entropy_coef: float, *, aspect: str = "value", about: str = "",
    cpu_seconds: float | None = None, room: dict | None = None,
) -> dict:  # fmt: skip
    logits, values, advantages, returns = map(f32, (logits, values, advantages, returns))
    args = {
        "logits": tensor(logits),
        "actions": tensor(actions, torch.int64),
        "values": tensor(values),
        "advantages": tensor(advantages),
        "returns": tensor(returns),
        "value_coef": value_coef,
        "entropy_coef": entropy_coef,
    }
    loss, parts, g_logits, g_values = a2c_by_hand(
        logits, actions, values, advantages, returns, value_coef, entropy_coef
    )
    gradients = {"logits": g_logits, "values": g_values, "advantages": None, "returns": None}
    case = call_case(
        name, args, loss, gradients, aspect=aspect, about=about, cpu_seconds=cpu_seconds,
        tolerance=room,
    )  # fmt: skip
    expect = case["expect"]
    pair = equal(
        "a loss and a dict", "a pair: the loss and a dict of its parts",
        "End with `return loss, {...}`.", "no_pair",
    )  # fmt: skip
    for argument in ("logits", "values"):
        expect[f"grad:{argument}"] |= room or {}
    numbers = {
        part: {"is": "number", "value": str(float(number)), "rtol": 1e-3, "atol": 2e-5}
        for part, number in parts.items()
    }
    loss = expect.pop("result")
    case["expect"] = {"returned": pair, "loss": loss, **numbers, **expect}
    case["aspects"] = {**case.get("aspects", {}), **dict.fromkeys(parts, "parts")}
    return case


def a2c_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for policy loss + c_v value loss - c_e entropy (Mnih et al. 2016, section 4)."""
    few, many = (0.05, 0.7) if visible else np.round(rng.uniform([0.03, 0.6], [0.08, 0.9]), 3)
    few, many = float(few), float(many)

    def batch(size: int, n_actions: int) -> tuple[Array, ...]:
        returns = _both_signs(rng, size, 0.5, 4.0)
        values = f32(returns - rng.normal(0.5, 1.2, size))
        # Not returns - values: whoever works them out anew, or normalizes them, shows.
        advantages = f32(_both_signs(rng, size, 0.4, 2.5) + 0.3)
        return (
            rng.normal(0.3, 1.2, (size, n_actions)), rng.integers(0, n_actions, size),
            values, advantages, returns,
        )  # fmt: skip

    cases = [
        _a2c_case("a batch", *batch(11, 5), 0.5, few),
        _a2c_case("a strong bonus for entropy", *batch(11, 5), 0.25, many),
        _a2c_case("two actions", *batch(7, 2), many, few),
        _a2c_case("as many samples as actions", *batch(4, 4), 0.5, few),
        _a2c_case("a batch of one", *batch(1, 3), 0.5, few, aspect="corners"),
        _a2c_case(
            "both coefficients 0", *batch(5, 3), 0.0, 0.0, aspect="corners",
            about="both coefficients 0: the loss is the policy loss, its parts are still reported",
        ),
    ]  # fmt: skip
    size = 6
    logits = rng.choice([-1e3, 0.0, 1e3], (size, 4))
    logits[:, 0], logits[:, 1] = 1e3, -1e3
    _, _, values, advantages, returns = batch(size, 4)
    actions = np.array([0, 0, 1, 0, 2, 3])
    cases.append(
        _a2c_case(
            "logits of 1000 and -1000", logits, actions, values, advantages, returns, 0.5, few,
            aspect="corners", room={"rtol": 1e-3, "atol": 5e-4},
            about="logits of 1000 and -1000, where softmax gives exactly 0 and 1",
        )
    )  # fmt: skip
    cases[-1]["aspects"] |= {"grad:logits": "corners", "entropy": "corners"}
    if not visible:
        cases.append(
            _a2c_case(
                "a large batch", *batch(5000, 3), 0.5, few, aspect="cost", cpu_seconds=2.0
            )
        )  # fmt: skip
    return cases


# ------------------------------------------------------------------------------------------------

EXERCISES = {
    "ActorCritic": Exercise(
        network_cases,
        {
            "value": 0.3,
            "shapes": 0.2,
            "critic": 0.15,
            "gradient": 0.15,
            "parameters": 0.1,
            "non-linearity": 0.05,
            "purity": 0.05,
        },
    ),
    "monte_carlo_advantages": Exercise(advantage_cases, USUAL),
    "td_error": Exercise(td_cases, {"value": 0.65, "corners": 0.2, "purity": 0.1, "cost": 0.05}),
    "value_loss": Exercise(value_cases, USUAL),
    "categorical_entropy": Exercise(
        entropy_cases,
        {
            "value": 0.4,
            "gradient": 0.2,
            "extreme": 0.2,
            "corners": 0.1,
            "purity": 0.05,
            "cost": 0.05,
        },
    ),
    "a2c_loss": Exercise(
        a2c_cases,
        {
            "value": 0.4,
            "gradient": 0.25,
            "parts": 0.15,
            "corners": 0.1,
            "purity": 0.05,
            "cost": 0.05,
        },
    ),
}
"""The exercises of lab 3 in the order of the notebook."""

"""Hidden tests of lab 2 (REINFORCE): fresh inputs, and what is right for them by another route.

References are NumPy in float64: returns as the double sum of their definition, gradients worked
out by hand. ``tests`` compares them with autograd, SciPy and Stable-Baselines3 as well.
Equations: Williams (1992), https://doi.org/10.1007/BF00992696; Sutton and Barto (2018), sections
3.3 and 13.3, http://incompleteideas.net/book/the-book-2nd.html.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from autograde.judge.spec import UNCHANGED, Exercise, call_case, equal, f32, log_softmax, tensor
from course_utils.checks.codec import array_to_plain, encode_arguments

Array = np.ndarray


# --- PolicyNetwork -------------------------------------------------------------------------------


def largest_probability(n_actions: int, share: float) -> float:
    """Largest probability that any policy with ``share`` of the largest entropy can have.

    Such a policy has one action of probability p and spreads the rest evenly. The entropy is
    concave, so a mean over observations cannot get past it either: whoever has that entropy passes.
    """
    low, high = 1 / n_actions, 1.0
    for _ in range(60):
        p = (low + high) / 2
        rest = (1 - p) / (n_actions - 1)
        entropy = -p * math.log(p) - (1 - p) * math.log(rest)
        low, high = (p, high) if entropy > share * math.log(n_actions) else (low, p)
    return high


def _network_case(
    name: str, rng: np.random.Generator, aspect: str, leading: tuple[int, ...], about: str,
    obs_dim: int, n_actions: int, hidden: int | None, examine: bool = False,
) -> dict:  # fmt: skip
    shape = [*leading, obs_dim]
    wanted = [*leading, n_actions]
    made = f"PolicyNetwork({obs_dim}, {n_actions}{'' if hidden is None else f', {hidden}'})"
    args = {
        "obs_dim": obs_dim,
        "n_actions": n_actions,
        "hidden": hidden,
        "obs": tensor(rng.normal(0.0, 1.0, shape)),
        "seed": int(rng.integers(1, 2**31)),
        "examine": examine,
    }
    expect = {
        "what_is_built": equal(
            "module", "an nn.Module", "Write it as class PolicyNetwork(nn.Module).", "no_module",
            "an object of type {}",
        ),
        "what_forward_returns": equal(
            "tensor of float32", "logits, a tensor of float32",
            "forward returns the logits themselves: no action, no distribution, no pair.",
            "no_logits",
        ),
        "shape": equal(
            wanted, f"logits of shape {wanted} for observations of shape {shape}",
            "Only the last dimension changes, from O to A; all others pass through.",
            "wrong_shape", "shape {}",
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
        "the_second_answer": equal(
            True, "the same logits for the same observations", "Is a layer made in forward, or is "
            "something random in it?", "other_logits_each_time", "other logits the second time",
        ),
        "observations_one_by_one": equal(
            True, "for each observation the logits it gets alone",
            "Nothing may mix the observations of a batch: look for dim=0, means over the batch, "
            "batch normalization.", "mixes_observations", "logits that depend on the others",
        ),
        "mutated": UNCHANGED,
    }  # fmt: skip
    aspects = {
        "mutated": "purity", "parameters": "parameters", "parameters_made_later": "parameters",
    }  # fmt: skip
    if examine:
        # The text asks for 0.9 ln A. Networks of PyTorch's own layers lie above that, but for a
        # linear path beside the hidden layer, which is no mistake.
        limit = round(largest_probability(n_actions, share=0.8), 4)
        expect |= {
            "kind_of_numbers": equal(
                "logits", "logits, which may be any numbers",
                "Is there a softmax at the end? It belongs into the loss and the sampling.",
                "softmax_at_the_end", "{}: no row has a negative number, and each sums to 1",
            ),
            "a_copy_of_its_parameters": equal(
                True, "the same logits after its parameters are copied to another network",
                "Some of what it computes with is not among its parameters, so no optimizer "
                "will train it.", "unregistered_layers", "other logits",
            ),
            "parameters_without_gradient": equal(
                "", "a gradient for every parameter that the logits depend on",
                "Is there a detach, a no_grad, or numpy on the way?", "gradient_cut",
                "none for {}",
            ),
            "curvature": equal(
                True, "logits that are no straight line in the observation",
                "Two linear layers in a row are one linear layer: put an activation between them.",
                "no_activation", "a linear function",
            ),
            "distance_between_logits": equal(
                True, "logits that can be more than 4 apart (with all parameters ten times larger)",
                "Nothing may squash the logits after the last linear layer.", "squashed_logits",
                "logits that stay close together",
            ),
            "logits_of_exactly_0": equal(
                False, "hardly any logit of exactly 0",
                "No activation after the last linear layer.", "activation_last", "many of them",
            ),
            "the_first_gradient_steps": equal(
                True, "weights that gradient descent can move from where they start",
                "If all weights start at zero, the gradient of every weight matrix is zero too.",
                "starts_at_zero", "no weight matrix moves",
            ),
            "the_likeliest_action_at_the_start": {
                "is": "between", "low": 0.0, "high": limit,
                "say": f"a policy that tries everything at the start: the likeliest of "
                f"{n_actions} actions has probability {limit:.2f} at most, on average",
                "hint": "PyTorch's own initialization of nn.Linear is close to uniform.",
                "mistake": "peaked_start",
            },
        }  # fmt: skip
        if hidden is not None:
            expect["parameters_for_a_larger_hidden"] = equal(
                True, "more parameters when hidden is larger", "Is the width written into the "
                "code as a number?", "hidden_ignored", "as many",
            )  # fmt: skip
        aspects |= {
            "a_copy_of_its_parameters": "parameters",
            "parameters_for_a_larger_hidden": "parameters",
            "parameters_without_gradient": "gradient",
            "curvature": "non-linearity",
            "the_first_gradient_steps": "start",
            "the_likeliest_action_at_the_start": "start",
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
    """Cases for a policy network: logits for any leading dimensions, trainable, curved."""
    obs_dim, n_actions = 6, 5
    hidden = 16 if visible else int(rng.integers(10, 24))
    batch = 11 if visible else int(rng.integers(7, 13))
    cases = [
        _network_case(
            "a batch", rng, "value", (batch,), f"a batch of {batch}", obs_dim, n_actions, hidden,
            examine=True,
        ),
        _network_case("one observation", rng, "shapes", (), "one observation [O]", 7, 3, 12),
        _network_case(
            "steps and environments", rng, "shapes", (7, 3), "observations [T, N, O]", 5, 4, 9
        ),
        _network_case("a batch of one", rng, "shapes", (1,), "a batch of one", 5, 4, 9),
        _network_case(
            "CartPole", rng, "value", (13,), "the default width", 4, 2, None, examine=True
        ),
    ]  # fmt: skip
    if not visible:
        cases.append(
            _network_case(
                "more actions than hidden units", rng, "shapes", (3, 2), "observations [T, N, O]",
                3, 9, 8,
            )
        )  # fmt: skip
    return cases


# --- discounted_returns --------------------------------------------------------------------------


def returns_by_definition(rewards: Array, gamma: float, last_value: float = 0.0) -> Array:
    """Sum gamma^(k - t) r_k over all k >= t, and gamma^(T - t) last_value, for every t."""
    steps = len(rewards)
    powers = np.power(gamma, np.arange(steps + 1, dtype=np.float64))  # 0^0 is 1
    total = np.zeros(steps)
    for t in range(steps):
        left = steps - t
        total[t] = np.dot(powers[:left], rewards[t:]) + powers[left] * last_value
    return total


def _returns_case(
    name: str, rewards: Array, gamma: float, last_value: float | None = None, **kw: Any
) -> dict:
    args: dict[str, Any] = {"rewards": tensor(rewards), "gamma": gamma}
    if last_value is not None:
        args["last_value"] = last_value
    return call_case(name, args, returns_by_definition(rewards, gamma, last_value or 0.0), **kw)


def _rewards(rng: np.random.Generator, size: int) -> Array:
    """Draw rewards [size] of both signs, none near zero, no two the same."""
    sign = rng.choice([-1.0, 1.0], size)
    if size > 1:
        sign[:2] = rng.permutation([1.0, -1.0])
    return f32(sign * rng.uniform(0.3, 2.5, size) + 0.4)


def returns_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for G_t = r_t + gamma r_{t+1} + ... (Sutton and Barto, section 3.3)."""
    low, high = (0.5, 0.9) if visible else np.round(rng.uniform([0.4, 0.85], [0.6, 0.97]), 3)
    last = float(np.round(rng.uniform(2.0, 5.0), 2))
    sparse = np.zeros(9)
    sparse[5] = 1.0
    cases = [
        _returns_case("an episode that ended", _rewards(rng, 7), float(high)),
        _returns_case("another discount", _rewards(rng, 11), float(low)),
        _returns_case(
            "one reward, late", sparse, float(high), about="nothing but one reward at step 5"
        ),
        _returns_case(
            "the time was up", _rewards(rng, 7), float(high), last, aspect="last_value",
            about=f"not over yet: the state after the last reward is worth {last}",
        ),
        _returns_case("gamma = 0", _rewards(rng, 6), 0.0, aspect="corners"),
        _returns_case("gamma = 1", _rewards(rng, 6), 1.0, aspect="corners"),
        _returns_case("one step", _rewards(rng, 1), float(high), aspect="corners"),
        _returns_case(
            "one step, and the time was up", _rewards(rng, 1), float(low), -last, aspect="corners"
        ),
        _returns_case(
            "the time was up, gamma = 1", _rewards(rng, 5), 1.0, last, aspect="last_value"
        ),
    ]  # fmt: skip
    # Long enough that a loop over all later steps at each step does not get through. The students'
    # check looks at the time only: 5000 numbers for each known mistake would fill megabytes.
    long = _returns_case(
        "a long episode", np.ones(5000) if visible else _rewards(rng, 5000), 0.99,
        aspect="cost", cpu_seconds=2.0, about="5000 steps",
    )  # fmt: skip
    long["cpu_seconds"] = 2.2  # a little more than what is allowed: the rest would be lost time
    long["hide_arguments"] = True
    if visible:
        del long["expect"]["result"]
    return [*cases, long]


# --- standardize ---------------------------------------------------------------------------------


def _standard_case(name: str, x: Array, eps: float | None = None, **kw: Any) -> dict:
    """Both standard deviations, over N and over N - 1, are right, and so is any place of eps."""
    x = f32(x)
    args: dict[str, Any] = {"x": tensor(x)}
    if eps is not None:
        args["eps"] = eps
    centered = x - x.sum() / len(x)
    squares = float((centered**2).sum())
    if squares == 0.0:
        return call_case(name, args, np.zeros(len(x)), tolerance={"atol": 1e-6}, **kw)
    choices = []
    for degrees in (len(x), len(x) - 1):
        made = call_case(name, args, centered / math.sqrt(squares / degrees), **kw)
        choices.append(made["expect"]["result"])
    made["expect"]["result"] = {"is": "any", "of": choices}
    return made


def standard_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for mean 0 and standard deviation 1; a constant and a single entry give zeros."""
    constant = float(rng.choice([2.0, -3.0, 0.5, 8.0]))
    cases = [
        _standard_case("a batch", rng.normal(3.0, 2.5, 11)),
        _standard_case("another batch of that size", rng.normal(-6.0, 0.4, 11)),
        _standard_case("another size", rng.normal(0.5, 20.0, 7)),
        _standard_case("eps given", rng.normal(1.0, 2.0, 5), 1e-6, aspect="corners"),
        _standard_case(
            "all the same", np.full(6, constant), aspect="corners",
            about="a batch in which every entry is the same",
        ),
        _standard_case("one entry", [constant + 1], aspect="corners", about="a batch of one"),
        _standard_case("all zero", np.zeros(4), aspect="corners"),
        _standard_case("two entries", [1.0, 4.0], aspect="corners"),
    ]  # fmt: skip
    if not visible:
        cases.append(
            _standard_case(
                "a large batch", rng.normal(2.0, 3.0, 5000), aspect="cost", cpu_seconds=2.0
            )
        )
    return cases


# --- reinforce_loss ------------------------------------------------------------------------------


def loss_and_slope(logits: Array, actions: Array, returns: Array) -> tuple[float, Array]:
    """Minus the mean of log pi(a) G, and its gradient (pi - one-hot) G / B in the logits [B, A]."""
    size = len(logits)
    log_p = log_softmax(logits)
    loss, slope = 0.0, np.exp(log_p)
    for b in range(size):
        loss -= log_p[b, actions[b]] * returns[b] / size
        slope[b, actions[b]] -= 1.0
        slope[b] *= returns[b] / size
    return loss, slope


def _loss_case(name: str, logits: Array, actions: Array, returns: Array, **kw: Any) -> dict:
    logits, returns = f32(logits), f32(returns)
    loss, slope = loss_and_slope(logits, actions, returns)
    args = {
        "logits": tensor(logits),
        "actions": tensor(actions, torch.int64),
        "returns": tensor(returns),
    }
    return call_case(name, args, loss, {"logits": slope, "returns": None}, **kw)


def _batch(rng: np.random.Generator, size: int, n_actions: int = 5) -> tuple[Array, Array, Array]:
    """Draw logits [B, A], actions [B] and returns [B] of both signs, their mean not zero."""
    sign = rng.choice([-1.0, 1.0], size)
    if size > 1:
        sign[:2] = rng.permutation([1.0, -1.0])
    returns = sign * rng.uniform(0.4, 2.5, size) + 0.3
    return (
        rng.normal(0.4, 1.2, (size, n_actions)), rng.integers(0, n_actions, size), returns,
    )  # fmt: skip


def loss_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the REINFORCE loss (Sutton and Barto, section 13.3, with the sign turned)."""
    cases = [
        _loss_case("a batch", *_batch(rng, 11)),
        _loss_case("another batch of that size", *_batch(rng, 11)),
        _loss_case("two actions", *_batch(rng, 7, 2)),
        _loss_case("as many samples as actions", *_batch(rng, 4, 4)),
        _loss_case("a batch of one", *_batch(rng, 1, 3), aspect="corners"),
    ]
    logits, actions, returns = _batch(rng, 5, 3)
    cases.append(
        _loss_case(
            "large returns", logits, actions, np.abs(returns) * 40 + 20,
            about="returns as they come from a long episode, all positive",
        )
    )  # fmt: skip
    logits, actions, returns = _batch(rng, 6, 3)
    none_or_worse = np.where(np.arange(6) % 3 == 1, 0.0, -np.abs(returns))
    cases.append(
        _loss_case(
            "no reward or worse", logits, actions, none_or_worse,
            about="returns that are negative or zero",
        )
    )  # fmt: skip
    logits, actions, _ = _batch(rng, 5, 3)
    cases.append(_loss_case("returns of zero", logits, actions, np.zeros(5), aspect="corners"))
    extreme = rng.choice([-1e3, 0.0, 1e3], (6, 4))
    extreme[:, 0], extreme[:, 1] = 1e3, -1e3
    actions = np.array([0, 1, 1, 0, 2, 3])
    cases.append(
        _loss_case(
            "logits of 1000 and -1000", extreme, actions, _batch(rng, 6, 4)[2], aspect="corners",
            about="logits of 1000 and -1000, where softmax gives exactly 0 and 1",
        )
    )  # fmt: skip
    if not visible:
        cases.append(
            _loss_case("a large batch", *_batch(rng, 5000, 4), aspect="cost", cpu_seconds=2.0)
        )
    return cases


# --- reinforce_step ------------------------------------------------------------------------------

OBS, ACTIONS = 6, 4


def step_by_hand(
    weight: Array, bias: Array, obs: Array, actions: Array, returns: Array
) -> tuple[float, Array, Array]:
    """Loss of the linear probe policy and its gradients in weight [O, A] and bias [A]."""
    loss, slope = loss_and_slope(obs @ weight + bias, actions, returns)
    return loss, obs.T @ slope, slope.sum(axis=0)


def _step_case(
    name: str, rng: np.random.Generator, aspect: str, sizes: tuple[int, ...], rate: float,
    about: str, scale: float = 1.0,
) -> dict:  # fmt: skip
    weight, bias = f32(rng.normal(0, 0.6, (OBS, ACTIONS))), f32(rng.normal(0, 0.6, ACTIONS))
    args: dict[str, Any] = {
        "weight": tensor(weight), "bias": tensor(bias), "learning_rate": rate, "batches": [],
    }  # fmt: skip
    expect: dict[str, dict] = {}
    case_aspects = {"mutated": "purity"}
    for number, size in enumerate(sizes, start=1):
        obs = f32(rng.normal(0.0, 1.0, (size, OBS)))
        _, actions, returns = _batch(rng, size, ACTIONS)
        returns = f32(scale * returns)
        args["batches"].append(
            {
                "obs": tensor(obs),
                "actions": tensor(actions, torch.int64),
                "returns": tensor(returns),
            }
        )
        loss, g_weight, g_bias = step_by_hand(weight, bias, obs, actions, returns)
        weight, bias = weight - rate * g_weight, bias - rate * g_bias
        norm = math.sqrt((g_weight**2).sum() + (g_bias**2).sum())
        room = {"rtol": 2e-3, "atol": 2e-5}
        call = f"call {number}, "
        expect |= {
            call + "returned": equal(
                "dict", "a dict with the entries loss and grad_norm", "", "wrong_kind", "{}"
            ),
            call + "optimizer steps": equal(
                1, "one step of the optimizer", "Call optimizer.step() once.", "wrong_step_count"
            ),
            call + "the step moved the policy": equal(
                True, "a step that changes the policy's parameters",
                "Are the gradients there when the step is made, and are they this policy's?",
                "no_gradient_at_the_step", "parameters as they were",
            ),
            call + "weight moved": {
                "is": "gradient", **array_to_plain(g_weight.astype(np.float32)), **room,
            },
            call + "bias moved": {
                "is": "gradient", **array_to_plain(g_bias.astype(np.float32)), **room,
            },
            call + "loss": {"is": "number", "value": str(loss), "rtol": 1e-3, "atol": 2e-5},
            call + "grad_norm": {"is": "number", "value": str(norm), "rtol": 1e-3, "atol": 2e-5},
        }  # fmt: skip
        for entry in ("returned", "loss", "grad_norm"):
            case_aspects[call + entry] = "numbers"
    expect["mutated"] = UNCHANGED
    return {
        "name": name,
        "about": f"a linear policy and plain gradient descent (learning rate {rate:g}), {about}",
        "aspect": aspect,
        "aspects": case_aspects,
        "hide_arguments": True,
        "args": encode_arguments(args),
        "expect": expect,
    }


def step_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for one step of gradient descent on the REINFORCE loss, called once and repeatedly."""
    rate, other = np.round(rng.uniform([0.2, 0.6], [0.4, 0.9]), 2)
    return [
        _step_case("one step", rng, "value", (11,), float(rate), "one batch of 11"),
        _step_case(
            "three steps", rng, "repeated", (7, 11, 5), float(other),
            "three calls, each with another batch",
        ),
        _step_case(
            "a batch of one", rng, "corners", (1, 1), float(rate), "two calls with a batch of one"
        ),
        _step_case(
            "large returns", rng, "value", (9,), 0.25, "returns up to 100", scale=40.0
        ),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------

EXERCISES = {
    "PolicyNetwork": Exercise(
        network_cases,
        {
            "value": 0.35,
            "shapes": 0.2,
            "parameters": 0.15,
            "gradient": 0.1,
            "non-linearity": 0.1,
            "start": 0.05,
            "purity": 0.05,
        },
    ),
    "discounted_returns": Exercise(
        returns_cases,
        {"value": 0.5, "last_value": 0.2, "corners": 0.1, "purity": 0.1, "cost": 0.1},
    ),
    "standardize": Exercise(
        standard_cases, {"value": 0.5, "corners": 0.35, "purity": 0.1, "cost": 0.05}
    ),
    "reinforce_loss": Exercise(
        loss_cases, {"value": 0.5, "gradient": 0.25, "corners": 0.1, "purity": 0.1, "cost": 0.05}
    ),
    "reinforce_step": Exercise(
        step_cases,
        {"value": 0.4, "repeated": 0.25, "numbers": 0.2, "corners": 0.1, "purity": 0.05},
    ),
}
"""The exercises of lab 2 in the order of the notebook."""

"""Hidden tests of lab 6 (PPO in practice): fresh inputs, and what is right for them.

References by independent routes, in float64: angles and lengths for the orthogonal layer; the
record itself for a rollout in environments that play a record; walks through a table for the
returns of episodes; ``scipy.stats.trim_mean`` for the interquartile mean; and for the interval the
exact bootstrap distribution, of all multisets of the sample with their probabilities.
Sources: Huang et al. (2022), https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/;
Agarwal et al. (2021), https://arxiv.org/abs/2108.13264.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.stats import trim_mean

from autograde.judge.spec import UNCHANGED, Exercise, call_case, tensor
from course_utils.checks.codec import array_from_plain, array_to_plain, encode_arguments
from course_utils.checks.drivers.lab6 import (
    RIGHT_ACTIONS,
    RIGHT_LOG_PROBS,
    action_facts,
    weight_facts,
)

Array = np.ndarray

SIGMAS = 5.5
"""How far chance may carry a statistic of an honest solution: once in 26 million to one side."""


def _f32(x: Any) -> Array:
    """Round to the float32 that the student receives, then compute in float64."""
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def _equal(value: Any, say: str, hint: str = "", mistake: str | None = None, got: str = "{}"):
    return {"is": "equal", "value": value, "say": say, "hint": hint, "mistake": mistake, "got": got}


def _between(low: float, high: float, say: str, hint: str = "", mistake: str | None = None):
    return {"is": "between", "low": low, "high": high, "say": say, "hint": hint, "mistake": mistake}


# --- orthogonal_linear ---------------------------------------------------------------------------


def _layer_case(
    name: str, rng: np.random.Generator, n_in: int, n_out: int, gain: float, aspect: str = "value"
) -> dict:
    which = "rows" if n_out <= n_in else "columns"
    expect = {
        "what is built": _equal(
            "nn.Linear", "an nn.Linear", "Return the layer itself.", "wrong_kind"
        ),
        "form of weight": _equal(
            f"tensor of float32, shape [{n_out}, {n_in}]",
            f"a weight of float32 and shape [{n_out}, {n_in}]",
            "nn.Linear(n_in, n_out) keeps its weight as [n_out, n_in].", "weight_shape",
        ),
        "at_right_angles": _equal(
            True, f"{which} at right angles to each other",
            "Random numbers alone are not orthogonal; something has to make them so.",
            "not_orthogonal", f"{which} at other angles",
        ),
        "of_the_same_length": _equal(
            True, f"{which} of the same length", "", "not_orthogonal", "different lengths"
        ),
        "factor by which it stretches": {
            "is": "number", "value": str(float(gain)), "rtol": 1e-4, "atol": 1e-6,
        },
        "form of bias": _equal(
            f"tensor of float32, shape [{n_out}]", f"a bias of float32 and shape [{n_out}]",
            "The layer has a bias; it only starts at zero.", "bias_missing",
        ),
        "bias": _equal("zeros", "zeros", "", "bias_not_zero"),
        "trainable": _equal(
            ["bias", "weight"], "bias and weight as parameters that can be trained",
            "Initializing sets where training starts; the numbers stay free to move.",
            "not_trainable",
        ),
        "shape of its answer to 3 inputs": _equal(
            [3, n_out], f"outputs of shape [3, {n_out}] for 3 inputs", "", "wrong_shape"
        ),
    }  # fmt: skip
    aspects = {"form of bias": "bias", "bias": "bias", "trainable": "trainable"}
    if n_in * n_out > 4:
        expect["another_layer"] = _equal(
            True, "other weights in the next layer that is made",
            "Draw the weights at random; do not set a seed in here.", "always_the_same_layer",
            "the same weights again",
        )  # fmt: skip
        aspects["another_layer"] = "randomness"
    return {
        "name": name,
        "about": f"n_in = {n_in}, n_out = {n_out}, gain = {gain:g}",
        "aspect": aspect,
        "aspects": aspects,
        "hide_arguments": True,
        "args": {"n_in": n_in, "n_out": n_out, "gain": gain, "seed": int(rng.integers(1, 2**31))},
        "expect": expect,
        # Not expected, but it tells two mistakes apart.
        "compare": ["mostly_zeros"],
    }


def layer_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for orthogonal initialization (Huang et al. 2022, detail 2)."""
    wide, narrow = (8, 3) if visible else (int(n) for n in rng.permutation([5, 6, 7, 9])[:2])
    gain = 1.5 if visible else float(np.round(rng.uniform(1.2, 2.4), 3))
    return [
        _layer_case("more outputs than inputs", rng, narrow, 2 * wide, gain),
        _layer_case("more inputs than outputs", rng, 2 * wide, narrow, gain),
        _layer_case("as many outputs as inputs", rng, wide, wide, math.sqrt(2)),
        _layer_case("a small gain", rng, 16, 4, 0.01),
        _layer_case("gain 1", rng, 8, 16, 1.0, "corners"),
        _layer_case("one output", rng, 16, 1, gain, "corners"),
        _layer_case("one input", rng, 1, 5, gain, "corners"),
        _layer_case("one number", rng, 1, 1, gain, "corners"),
        _layer_case("a gain that is an int", rng, 6, 4, 3, "corners"),
    ]


def complete_layer(case: dict, entry: dict) -> None:
    """Work out from the weights themselves what the driver said of them."""
    facts = entry["facts"]
    if (
        entry["status"] != "ok"
        or facts.get("form of weight") != (case["expect"]["form of weight"]["value"])
    ):
        return
    weight = array_from_plain(facts["weight"]).astype(np.float64)
    if weight.shape != (case["args"]["n_out"], case["args"]["n_in"]):
        raise ValueError("a weight of another shape than it is said to have")
    facts |= weight_facts(weight)


# --- collect_rollout -----------------------------------------------------------------------------

OBS, ACTIONS = 3, 4


def log_softmax(logits: Array) -> Array:
    """Log-probabilities [..., A] of logits [..., A]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _record(
    rng: np.random.Generator, length: int, envs: int, ends: tuple[tuple[int, int, str], ...],
    digits: int,
) -> dict[str, Array]:  # fmt: skip
    """Draw what recorded environments show, see ``RecordedEnvs``, and a linear model for it."""

    def draw(*shape: int, center: float = 0.0) -> Array:
        return rng.normal(center, 1.0, shape).round(digits).astype(np.float32)

    observations = draw(length + 1, envs, OBS)
    terminated, truncated = np.zeros((2, length, envs), dtype=bool)
    for t, n, kind in ends:
        terminated[t, n] = kind in ("terminated", "both")
        truncated[t, n] = kind in ("truncated", "both")
    policy = draw(OBS, ACTIONS)
    logits = observations[:-1].astype(np.float64) @ policy.astype(np.float64)
    return {
        "observations": observations,
        # Far from the others, so that a value of the wrong observation shows.
        "final": draw(length, envs, OBS, center=4.0),
        "rewards": draw(length, envs, center=0.4),
        "terminated": terminated,
        "truncated": truncated,
        "reset": draw(envs, OBS, center=-3.0),
        "policy": torch.from_numpy(policy),
        "value": torch.from_numpy(draw(OBS, center=0.7)),
        "log_policy": log_softmax(logits).astype(np.float32),
    }


def _rollout_case(
    name: str, rng: np.random.Generator, visible: bool, aspect: str, about: str,
    ends: tuple[tuple[int, int, str], ...] = (), steps: int = 6, envs: int = 2, calls: int = 1,
    copy: bool = True, repeat: bool = False,
) -> dict:  # fmt: skip
    digits = 1 if visible else 3
    record = _record(rng, steps * calls + 1, envs, ends, digits)
    first = steps * (calls - 1)
    rows = slice(first, first + steps)
    obs = record["observations"].astype(np.float64)
    done = (record["terminated"] | record["truncated"])[..., None]
    really_next = np.where(done, record["final"].astype(np.float64), obs[1:])
    weights = record["value"].numpy().astype(np.float64)
    right = {
        "obs": obs[:-1][rows],
        "rewards": record["rewards"][rows],
        "terminated": record["terminated"][rows],
        "truncated": record["truncated"][rows],
        "values": (obs[:-1] @ weights)[rows],
        "next_values": (really_next @ weights)[rows],
    }
    shape = f"[{steps}, {envs}]"
    expect: dict[str, dict] = {
        "what came back": _equal(
            "a pair: rollout, obs", "a pair: rollout, obs", "Return both.", "not_a_pair"
        ),
        "the rollout": _equal("a dict", "a dict", "Compare with the docstring.", "wrong_kind"),
        "resets": _equal(
            0, "no reset: the episodes of the last rollout go on",
            "The observations to start from are passed in.", "resets_environments", "{}",
        ),
        "steps": _equal(
            steps, f"{steps} steps of the environments", "", "wrong_number_of_steps", "{}"
        ),
    }  # fmt: skip
    for entry in ("obs", "rewards", "terminated", "truncated"):
        expect[entry] = _entry_expected(right[entry])
    expect["form of actions"] = _equal(
        f"tensor of int64, shape {shape}", f"a tensor of int64 and shape {shape}",
        "Compare with the docstring.", "wrong_form_of_actions",
    )  # fmt: skip
    expect["actions"] = _equal(
        RIGHT_ACTIONS, RIGHT_ACTIONS, "Store the very actions that are sent.", "other_actions"
    )
    expect["form of log_probs"] = _equal(
        f"tensor of float32, shape {shape}", f"a tensor of float32 and shape {shape}",
        "Compare with the docstring.", "wrong_form_of_log_probs",
    )  # fmt: skip
    expect["log_probs"] = _equal(
        RIGHT_LOG_PROBS, RIGHT_LOG_PROBS,
        "Take them from the same logits as the actions, at the same step.", "other_log_probs",
    )  # fmt: skip
    for entry in ("values", "next_values"):
        expect[entry] = _entry_expected(right[entry])
    expect["the obs that came back"] = {
        **_entry_expected(obs[first + steps]), "container": "ndarray",
    }  # fmt: skip
    expect["with_a_graph"] = _equal(
        [], "no entry with a graph",
        "A rollout is data. While the model only plays, PyTorch need not note anything.",
        "keeps_the_graph", "a graph behind {}",
    )  # fmt: skip
    aspects = {
        "next_values": "next_values", "terminated": "flags", "truncated": "flags",
        "with_a_graph": "gradient",
    }  # fmt: skip
    if repeat:
        expect |= {
            "same_seed_same_actions": _equal(
                True, "the same actions for the same seed",
                "Draw from the generator that is passed in, not from the global one.",
                "ignores_generator", "other actions",
            ),
            "other_seed_same_actions": _equal(
                False, "other actions for another seed",
                "Actions are drawn with the probabilities that the logits stand for.",
                "ignores_seed", "the same actions",
            ),
        }  # fmt: skip
        aspects |= dict.fromkeys(
            ("same_seed_same_actions", "other_seed_same_actions"), "randomness"
        )
    if aspect not in ("value", "next_values"):
        aspects = {"with_a_graph": "gradient"}
    expect["mutated"] = UNCHANGED
    case = _finish_rollout_case(name, rng, record, steps, calls, copy, aspect, about)
    case["args"]["repeat"] = repeat
    return {**case, "aspects": aspects, "expect": expect}


def _entry_expected(array: Array) -> dict:
    kind = np.bool_ if array.dtype == np.bool_ else np.float32
    return {"is": "tensor", **array_to_plain(array.astype(kind))}


def _finish_rollout_case(
    name: str, rng: np.random.Generator, record: dict, steps: int, calls: int, copy: bool,
    aspect: str, about: str,
) -> dict:  # fmt: skip
    seeds = rng.integers(1, 2**31, 2)
    args = {
        **record, "n_steps": steps, "calls": calls, "copy": copy,
        "seed": int(seeds[0]), "other_seed": int(seeds[1]),
    }  # fmt: skip
    return {
        "name": name,
        "about": f"{about}; n_steps = {steps}, N = {record['reset'].shape[0]} environments",
        "aspect": aspect,
        "hide_arguments": True,
        "args": encode_arguments(args),
    }


def _shares_case(name: str, rng: np.random.Generator) -> dict:
    """One observation all the time, many steps: actions must come as often as the policy says."""
    steps, envs = 60, 10
    record = _record(rng, steps + 1, envs, (), 3)
    shares = rng.permutation([0.45, 0.3, 0.17, 0.08])
    still = np.array([1.0, 0.0, 0.0], dtype=np.float32)
    for name_of in ("observations", "final", "reset"):
        record[name_of][:] = still
    record["policy"][0] = torch.from_numpy(np.log(shares).astype(np.float32)) + 1.7
    record["log_policy"][:] = np.log(shares)
    case = _finish_rollout_case(
        name, rng, record, steps, 1, True, "sampling", "one and the same observation all the time"
    )
    expect = {
        "what came back": _equal(
            "a pair: rollout, obs", "a pair: rollout, obs", "Return both.", "not_a_pair"
        ),
        "steps in which all environments act alike": _between(
            0.0, 0.1, "next to no steps in which all environments act alike",
            "Each environment draws for itself.", "one_draw_for_all",
        ),
        "steps with the same actions as the step before": _between(
            0.0, 0.1, "next to no steps in which all act as in the step before",
            "Draw anew at each step.", "one_draw_for_all_steps",
        ),
    }  # fmt: skip
    count = steps * envs
    for action, share in enumerate(shares):
        room = SIGMAS * math.sqrt(share * (1 - share) / count)
        expect[f"share of action {action}"] = _between(
            round(share - room, 4), round(share + room, 4),
            f"about {share:.2f}, the probability that the policy gives it",
            "Draw from softmax(logits), anew at each step.", "wrong_shares",
        )  # fmt: skip
    return {**case, "expect": expect}


PATTERN = (
    (0, 0, "terminated"), (3, 0, "truncated"),
    (2, 1, "truncated"), (4, 1, "terminated"),
    (6, 2, "terminated"), (1, 2, "both"),
    (6, 3, "truncated"), (0, 3, "truncated"),
)  # fmt: skip
"""Ends (step, environment, kind) of a rollout of 7 steps in 5 environments; the last never ends."""


def rollout_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for a rollout in a SAME_STEP vector environment."""

    def case(name: str, aspect: str, about: str, *ends: tuple[int, int, str], **kw: Any) -> dict:
        return _rollout_case(name, rng, visible, aspect, about, ends, **kw)

    at = 2 if visible else int(rng.integers(1, 4))
    env = 1 if visible else int(rng.integers(0, 2))
    where = f"at t = {at} in environment {env}"
    cases = [
        case("no episode ends", "value", "no episode ends", repeat=True),
        case(
            "the next rollout", "value", "a second rollout, which goes on from the first one's obs",
            calls=2, steps=4, envs=3,
        ),
        case(
            "one array for all observations", "buffers",
            "the environments write all observations into one array (copy=False)",
            copy=False,
        ),
        case("terminated", "next_values", f"the task ends {where}", (at, env, "terminated")),
        case("truncated", "next_values", f"time is up {where}", (at, env, "truncated")),
        case(
            "both flags", "next_values",
            f"the task ends {where}, and time is up at the same step", (at, env, "both"),
        ),
        case(
            "ends of every kind", "next_values",
            "episodes end in all ways, at the first, a middle and the last step",
            *PATTERN, steps=7, envs=5,
        ),
        case(
            "ends, and one array for all observations", "buffers",
            "the environments write all observations into one array (copy=False), and some "
            "episodes end",
            (1, 0, "terminated"), (3, 2, "truncated"), copy=False, steps=5, envs=3,
        ),
        case("one step", "corners", "a single step", (0, 1, "truncated"), steps=1, envs=3),
        case("one environment", "corners", "one environment", (2, 0, "terminated"), envs=1),
        _shares_case("the same observation all the time", rng),
    ]  # fmt: skip
    if not visible:
        ends = tuple(
            (int(rng.integers(4, 8)), n, kind) for n, kind in enumerate(("truncated", "terminated"))
        )
        cases[-1:-1] = [
            case(
                "ends in the next rollout", "next_values",
                "a second rollout, in which episodes end", *ends, calls=2, steps=4,
            ),
            case(
                "an end at the last step", "next_values",
                f"time is up at the last step, in environment {env}", (5, env, "truncated"),
            ),
            case(
                "an end at the first step", "next_values",
                f"the task ends at the first step, in environment {env}", (0, env, "terminated"),
            ),
            case(
                "all end at once", "corners", "time is up in all environments at t = 1",
                *((1, n, "truncated") for n in range(3)), steps=3, envs=3,
            ),
        ]  # fmt: skip
    return cases


def complete_rollout(case: dict, entry: dict) -> None:
    """Work out from actions and log-probabilities themselves what the driver said of them."""
    facts = entry["facts"]
    if entry["status"] != "ok" or facts.get("the rollout") != "a dict":
        return
    args = case["args"]
    steps, first = args["n_steps"], args["n_steps"] * (args["calls"] - 1)
    observations = array_from_plain(args["observations"]["ndarray"])[first : first + steps]
    logits = observations.astype(np.float64) @ array_from_plain(args["policy"]["tensor"])
    sent = facts.get("raw sent")
    if not isinstance(sent, list) or len(sent) > 5000:
        raise ValueError("a rollout without the actions that were sent")
    taken = np.array(sent, dtype=np.int64)
    if taken.shape == logits.shape[:2] and not ((taken >= 0) & (taken < ACTIONS)).all():
        raise ValueError("actions out of range")
    told = []
    for name in ("actions", "log_probs"):
        facts.pop(name, None)
        raw = facts.get(f"raw {name}")
        told.append(None if raw is None or "data" not in raw else array_from_plain(raw))
    facts |= action_facts(*told, sent, log_softmax(logits), logits)


# --- evaluate ------------------------------------------------------------------------------------


def walk_return(a: dict, seed: int) -> float:
    """Return of the greedy policy in the carousel, step by step through a table."""
    favorite = (_f32(a["features"]) @ _f32(a["policy"])).argmax(axis=1)
    draws = np.random.default_rng(seed)
    place = int(draws.integers(len(favorite)))
    steps = min(int(draws.integers(*a["life"])), a["time_limit"])
    table = _f32(a["rewards"])
    total = 0.0
    for _ in range(steps):
        action = favorite[place]
        total += table[place, action]
        place = (place + a["moves"][action]) % len(favorite)
    return total


def _evaluate_case(
    name: str, rng: np.random.Generator, aspect: str, about: str, *, count: int, below: int,
    life: list[int], time_limit: int, pair: bool, deterministic: bool = True, places: int = 9,
) -> dict:  # fmt: skip
    while True:
        seeds = [int(seed) for seed in rng.choice(below, count, replace=False)]
        a = {
            "features": rng.normal(0.0, 1.0, (places, OBS)).round(3).astype(np.float32),
            "rewards": rng.normal(0.3, 1.0, (places, ACTIONS)).round(2).astype(np.float32),
            "moves": [1, 2, 5, 7],
            "life": life,
            "time_limit": time_limit,
            "policy": torch.from_numpy(rng.normal(0.0, 1.0, (OBS, ACTIONS)).astype(np.float32)),
            "value": torch.from_numpy(rng.normal(0.0, 1.0, OBS).astype(np.float32)),
            "pair": pair,
            "seeds": seeds,
            "deterministic": deterministic,
        }
        ranked = np.sort(_f32(a["features"]) @ _f32(a["policy"]), axis=1)
        right = [walk_return(a, seed) for seed in seeds]
        # No near ties, and no returns that are alike by chance.
        if (ranked[:, -1] - ranked[:, -2]).min() > 0.02 and (
            count == 1 or np.diff(np.sort(right)).min() > 0.02
        ):
            break
    case = _finish_evaluate_case(name, a, aspect, about)
    case["expect"] |= {
        "returns": {"is": "tensor", "container": "ndarray",
                    **array_to_plain(np.array(right, dtype=np.float32)), "rtol": 1e-3,
                    "atol": 1e-4},
        "mutated": UNCHANGED,
    }  # fmt: skip
    return case


def _finish_evaluate_case(name: str, a: dict, aspect: str, about: str) -> dict:
    how = "greedy" if a["deterministic"] else "actions drawn"
    gives = "(logits, values)" if a["pair"] else "logits"
    seeds = f"seeds {a['seeds']}" if len(a["seeds"]) < 8 else f"{len(a['seeds'])} seeds"
    hint = "Whatever is drawn, in the environment or from the policy, follows from the seed."
    return {
        "name": name,
        "about": f"{about}; {seeds}, {how}; the policy gives {gives}",
        "aspect": aspect,
        "aspects": {},
        "hide_arguments": True,
        "args": encode_arguments(a),
        "expect": {
            "what came back": _equal(
                "numbers", "one number per seed", "Compare with the docstring.", "wrong_kind"
            ),
            "shape of the returns": _equal(
                [len(a["seeds"])], f"one return for each seed, [{len(a['seeds'])}]",
                "One number for each seed: the sum of its episode's rewards.", "wrong_shape",
            ),
            "the evaluation, done again": _equal(
                True, "the same returns", hint, "does_not_repeat", "other returns"
            ),
            "the seeds in another order": _equal(
                True, "the same return for a seed, wherever it stands in the list",
                "Each episode has a seed of its own and depends on nothing else.",
                "depends_on_order", "another return",
            ),
        },
    }  # fmt: skip


def _drawn_case(name: str, rng: np.random.Generator, steps: int, count: int, pair: bool) -> dict:
    """Actions are drawn, and each pays what it pays anywhere: the mean return is known."""
    order = rng.permutation(3)
    shares = np.array([0.6, 0.25, 0.15])[order]
    pays = np.array([-1.0, 1.0, 2.0])[order] * round(rng.uniform(0.8, 1.2), 2)
    features = np.tile(np.array([1.0, 0.0], dtype=np.float32), (3, 1))
    policy = np.stack([np.log(shares) + 0.9, np.zeros(3)]).astype(np.float32)
    a = {
        "features": features,
        "rewards": np.tile(pays, (3, 1)).astype(np.float32),
        "moves": [0, 1, 2],
        "life": [steps, steps + 1],
        "time_limit": 10 * steps,
        "policy": torch.from_numpy(policy),
        "value": torch.tensor([0.3, -0.2]),
        "pair": pair,
        "seeds": [int(s) for s in rng.choice(10_000, count, replace=False)],
        "deterministic": False,
        "spread": True,
    }
    mean = steps * float(shares @ pays)
    spread = math.sqrt(steps * float(shares @ pays**2 - (shares @ pays) ** 2))
    room = SIGMAS * spread / math.sqrt(count)
    wide = SIGMAS / math.sqrt(2 * (count - 1))
    case = _finish_evaluate_case(name, a, "sampling", "deterministic is False")
    case["expect"] |= {
        "different returns": _between(
            4, count, "returns that differ from seed to seed",
            "Are the actions drawn, with other random numbers in each episode?",
            "same_luck_everywhere",
        ),
        "mean of the returns": _between(
            round(mean - room, 3), round(mean + room, 3),
            f"a mean of about {mean:.2f}, as the policy's probabilities have it",
            "Draw each action from softmax(logits).", "wrong_shares",
        ),
        "standard deviation of the returns": _between(
            round(spread * max(0.1, 1 - wide), 3), round(spread * (1 + wide), 3),
            f"a standard deviation of about {spread:.2f}",
            "Draw anew at each step, and in each episode.", "wrong_spread",
        ),
        "mutated": UNCHANGED,
    }  # fmt: skip
    case["aspects"] = dict.fromkeys(
        ("the evaluation, done again", "the seeds in another order"),
        "randomness",
    )
    return case


def evaluate_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for full episodes from seeds, greedy and drawn."""

    def case(name: str, aspect: str, about: str, count: int = 5, **kw: Any) -> dict:
        kw = {"life": [4, 12], "time_limit": 50, "pair": False} | kw
        below = 1000 if visible else 100_000
        return _evaluate_case(name, rng, aspect, about, count=count, below=below, **kw)

    return [
        case("greedy", "value", "episodes of 4 to 11 steps"),
        case("a pair", "value", "episodes of 4 to 11 steps", pair=True),
        case(
            "time limits", "time_limits", "a time limit of 6 steps ends every episode",
            life=[20, 30], time_limit=6, count=4,
        ),
        case(
            "ends of both kinds", "time_limits",
            "some episodes terminate, others reach the limit of 8 steps",
            life=[4, 14], time_limit=8, pair=True,
        ),
        case("more seeds", "value", "episodes of 4 to 11 steps", count=11, pair=True, places=31),
        case("one seed", "corners", "one episode", count=1, pair=True),
        case("one step", "corners", "episodes of one step", life=[1, 2], count=3),
        _drawn_case("drawn actions", rng, 14, 40, visible or bool(rng.integers(2))),
    ]  # fmt: skip


def complete_evaluate(case: dict, entry: dict) -> None:
    """Work out from the returns themselves what the driver said of them."""
    if entry["status"] != "ok" or "mean of the returns" not in case["expect"]:
        return
    facts = entry["facts"]
    if facts.get("what came back") != "numbers":
        return
    returns = array_from_plain(facts["returns"]).astype(np.float64)
    if returns.shape != (len(case["args"]["seeds"]["list"]),):
        return
    facts |= {
        "mean of the returns": round(float(returns.mean()), 4),
        "standard deviation of the returns": round(float(returns.std()), 4),
        "different returns": len(set(returns.round(4).tolist())),
    }


# --- interquartile_mean --------------------------------------------------------------------------


def _iqm_case(name: str, x: Array, **kw: Any) -> dict:
    x = _f32(x)
    value = float(trim_mean(x, 0.25))
    return call_case(name, {"x": tensor(x)}, value, number=True, **kw)


def iqm_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the mean of the middle half (Agarwal et al. 2021)."""

    def skewed(size: int) -> Array:
        digits = 1 if visible else 4
        return (40.0 * rng.lognormal(0.0, 1.0, size) - 60.0).round(digits)

    outlier = skewed(9)
    outlier[rng.integers(9)] = -5000.0
    cases = [
        _iqm_case("eight numbers", skewed(8)),
        _iqm_case("eleven numbers", skewed(11)),
        _iqm_case("an outlier", outlier, about="one number is far away from all others"),
        _iqm_case("in falling order", -np.sort(-skewed(12))),
        _iqm_case("ten numbers", skewed(10)),
        _iqm_case("seven numbers", skewed(7)),
        _iqm_case("one number", skewed(1), aspect="corners"),
        _iqm_case("two numbers", skewed(2), aspect="corners"),
        _iqm_case("three numbers", skewed(3), aspect="corners"),
        _iqm_case("four numbers", skewed(4), aspect="corners"),
        _iqm_case("five numbers", skewed(5), aspect="corners"),
        _iqm_case(
            "many alike", np.array([200.0, -100.0, 200, 200, -100, 200, 200, 200, 250, -100]),
            about="some numbers come several times", aspect="corners",
        ),
        _iqm_case("all alike", np.full(8, -7.5), aspect="corners"),
    ]  # fmt: skip
    if not visible:
        cases.append(_iqm_case("many numbers", skewed(501)))
    return cases


# --- bootstrap_interval --------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _multisets(size: int) -> tuple[Array, Array]:
    """All resamples of ``size`` numbers as sorted positions [M, size], and how likely each is."""
    rows = np.array(list(itertools.combinations_with_replacement(range(size), size)))
    counts = np.stack([(rows == n).sum(axis=1) for n in range(size)], axis=1)
    factorials = np.array([math.factorial(n) for n in range(size + 1)], dtype=np.float64)
    orders = factorials[size] / factorials[counts].prod(axis=1)
    return rows, orders / float(size) ** size


def bootstrap_distribution(x: Array) -> tuple[Array, Array]:
    """Return the interquartile means of all resamples of x [R], in order, and their probabilities.

    Positions in a sorted sample are sorted, so each row of the resample is in order already.
    """
    rows, likely = _multisets(len(x))
    cut = len(x) // 4
    means = np.sort(x)[rows][:, cut : len(x) - cut].mean(axis=1)
    order = np.argsort(means)
    return means[order], likely[order]


def _quantile(means: Array, likely: Array, share: float) -> float:
    """Smallest number that is not exceeded with probability ``share``."""
    at = int(np.searchsorted(likely.cumsum(), min(max(share, 0.0), 1.0) - 1e-12))
    return float(means[min(at, len(means) - 1)])


def _interval_case(
    name: str, rng: np.random.Generator, x: Array, level: float, n_boot: int, aspect: str,
    about: str = "", repeat: bool = False,
) -> dict:  # fmt: skip
    x = _f32(x)
    means, likely = bootstrap_distribution(x)
    scale = 1e-4 * float(np.abs(x).max()) + 1e-6
    tail = (1 - level) / 2
    room = SIGMAS * math.sqrt(tail * (1 - tail) / n_boot) + 2 / n_boot

    def bounds(share: float) -> tuple[float, float]:
        low, high = (_quantile(means, likely, share + r) for r in (-room, room))
        return low - scale, high + scale

    (low_from, low_to), (high_from, high_to) = bounds(tail), bounds(1 - tail)
    seeds = rng.integers(1, 2**31, 2)
    expect: dict[str, dict] = {
        "what came back": _equal(
            "two numbers", "a pair of numbers: low, high", "Compare with the docstring.",
            "not_a_pair",
        ),
        "low is above high": _equal(
            False, "the lower bound first", "Which quantile is the lower bound?", "bounds_swapped",
            "a lower bound above the upper one",
        ),
    }  # fmt: skip
    if n_boot == 1 or np.ptp(x) == 0:
        why = "one resample has one mean" if n_boot == 1 else "every resample is the same"
        expect["width"] = _between(
            -scale, scale, f"an interval of width 0: {why}",
            "Does it use x and n_boot as they are passed in?", "interval_width",
        )  # fmt: skip
        low, high = float(means.min() - scale), float(means.max() + scale)
        expect["low"] = _between(
            low, high, f"a mean of a resample, from {low:.4g} to {high:.4g}", "", "interval_place"
        )
    else:
        for name_of, (start, end), share in (
            ("low", (low_from, low_to), tail), ("high", (high_from, high_to), 1 - tail),
        ):  # fmt: skip
            expect[name_of] = _between(
                start, end,
                f"from {start:.5g} to {end:.5g}: {share:.3g} of the resamples have a smaller "
                "interquartile mean", "", "interval_place",
            )  # fmt: skip
    aspects = {}
    if repeat:
        expect |= {
            "same_seed_same_interval": _equal(
                True, "the same interval for the same seed",
                "Draw from the generator that is passed in, not from a global one.",
                "ignores_generator", "another interval",
            ),
            "other_seed_same_interval": _equal(
                False, "another interval for another seed",
                "Draw the resamples from the generator that is passed in.", "ignores_seed",
                "the same interval",
            ),
        }  # fmt: skip
        aspects = dict.fromkeys(
            ("same_seed_same_interval", "other_seed_same_interval"), "randomness"
        )
    expect["mutated"] = UNCHANGED
    args = {
        "x": tensor(x), "level": level, "n_boot": n_boot, "seed": int(seeds[0]),
        "other_seed": int(seeds[1]), "repeat": repeat,
    }  # fmt: skip
    shown = np.array2string(x, precision=4, separator=", ", max_line_width=10_000)
    return {
        "name": name,
        "about": f"{about or name}: x = {shown}, level = {level:g}, n_boot = {n_boot}",
        "aspect": aspect,
        "aspects": aspects,
        "hide_arguments": True,
        "args": encode_arguments(args),
        "expect": expect,
    }


def interval_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for a percentile interval of the interquartile mean, by resampling."""

    def skewed(size: int, sign: float = 1.0) -> Array:
        """Draw numbers with one long tail; in no order."""
        steps = np.exp(np.linspace(0.0, 3.0, size) + rng.normal(0.0, 0.1, size))
        return rng.permutation((sign * 10.0 * steps - 20.0).round(1))

    return [
        _interval_case("nine numbers", rng, skewed(9), 0.9, 4000, "value"),
        _interval_case("level 0.5", rng, skewed(8, -1.0), 0.5, 4000, "value", "another level"),
        _interval_case("seven numbers", rng, skewed(7), 0.8, 3000, "value"),
        _interval_case("level 0.95", rng, skewed(9, -1.0), 0.95, 4000, "value", "nine numbers"),
        _interval_case("from a seed", rng, skewed(9), 0.8, 300, "value", repeat=True),
        _interval_case("one resample", rng, skewed(8), 0.9, 1, "corners"),
        _interval_case("all alike", rng, np.full(8, 12.5), 0.9, 100, "corners"),
        _interval_case("one number", rng, np.array([-3.5]), 0.9, 50, "corners"),
        _interval_case("two numbers", rng, np.array([3.0, -1.0]), 0.6, 500, "corners"),
    ]


EXERCISES = {
    "orthogonal_linear": Exercise(
        layer_cases,
        {"value": 0.55, "bias": 0.2, "randomness": 0.1, "trainable": 0.05, "corners": 0.1},
        complete_layer,
    ),
    "collect_rollout": Exercise(
        rollout_cases,
        {
            "value": 0.3,
            "next_values": 0.2,
            "flags": 0.1,
            "buffers": 0.1,
            "sampling": 0.08,
            "randomness": 0.08,
            "gradient": 0.06,
            "corners": 0.05,
            "purity": 0.03,
        },
        complete_rollout,
    ),
    "evaluate": Exercise(
        evaluate_cases,
        {
            "value": 0.5,
            "time_limits": 0.2,
            "sampling": 0.1,
            "randomness": 0.1,
            "corners": 0.05,
            "purity": 0.05,
        },
        complete_evaluate,
    ),
    "interquartile_mean": Exercise(iqm_cases, {"value": 0.8, "corners": 0.15, "purity": 0.05}),
    "bootstrap_interval": Exercise(
        interval_cases,
        {"value": 0.65, "randomness": 0.2, "corners": 0.1, "purity": 0.05},
    ),
}
"""The exercises of lab 6 in the order of the notebook."""

"""Drivers of lab 6: a layer, rollouts and episodes in environments made for it, an interval.

Like all drivers they run the student's code and return facts; they know no answers. Gymnasium is
imported where it is used: the checks of the other labs do without.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from course_utils.checks.codec import array_to_plain, decode
from course_utils.checks.drivers.lab4 import same_step_infos
from course_utils.checks.observe import describe, driver, snapshot, unchanged

Array = np.ndarray


@contextmanager
def _global_streams(seed: int) -> Iterator[None]:
    """Set the global random streams of torch and NumPy inside the block; restore them after it."""
    kept = torch.get_rng_state(), np.random.get_state()
    # Not torch.manual_seed, which also notes the whole stack for the case that CUDA is used.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(kept[0])
        np.random.set_state(kept[1])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _what(value: Any) -> str:
    """Say in a few words what a value is."""
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"tensor of {kind}, shape {list(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"array of {value.dtype.name}, shape {list(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}"
    return "None" if value is None else type(value).__name__


def _pair(result: Any) -> tuple[Any, Any] | None:
    """Take apart whatever ``a, b = ...`` takes apart, dicts and strings excepted."""
    if isinstance(result, (dict, str)) or result is None:
        return None
    if isinstance(result, (torch.Tensor, np.ndarray)) and result.shape[:1] != (2,):
        return None
    try:
        first, second = result
    except (TypeError, ValueError):
        return None
    return first, second


# --- orthogonal_linear ---------------------------------------------------------------------------


@driver("lab6_lunar_lander/orthogonal_linear")
def layer(function: Callable, case: dict) -> dict:
    """Make two layers, one after the other; look at the first one's weight and bias.

    Case arguments: ``n_in``, ``n_out``, ``gain`` and ``seed`` of the global random streams.
    """
    a = case["args"]
    with _global_streams(a["seed"]):
        first, second = (function(a["n_in"], a["n_out"], a["gain"]) for _ in range(2))
    if not isinstance(first, nn.Linear):
        return {"what is built": _what(first)}
    weight, bias = first.weight, first.bias
    facts: dict[str, Any] = {
        "what is built": "nn.Linear",
        "form of weight": _what(weight),
        "form of bias": _what(bias),
    }
    if isinstance(bias, torch.Tensor):
        facts["bias"] = _bias_words(bias)
    if isinstance(weight, torch.Tensor) and weight.dim() == 2:
        facts |= weight_facts(weight.detach().double().numpy())
        facts["weight"] = array_to_plain(weight)
        facts["mostly_zeros"] = bool((weight == 0).double().mean() > 0.4)
        try:
            answer = first(torch.ones(3, a["n_in"], dtype=weight.dtype))
            facts["shape of its answer to 3 inputs"] = list(answer.shape)
        except (RuntimeError, TypeError):
            facts["shape of its answer to 3 inputs"] = "an error"
        facts["another_layer"] = isinstance(second, nn.Linear) and not torch.equal(
            second.weight, weight
        )
    parameters = dict(first.named_parameters())
    facts["trainable"] = sorted(
        name
        for name in ("weight", "bias")
        if name in parameters and parameters[name].requires_grad and parameters[name].is_leaf
    )
    return facts


def weight_facts(weight: Array) -> dict[str, Any]:
    """Look at angles and lengths of a weight's rows, or columns where there are fewer of these."""
    few = weight if weight.shape[0] <= weight.shape[1] else weight.T
    lengths = np.sqrt((few**2).sum(axis=1))
    with np.errstate(all="ignore"):
        cosines = few @ few.T / np.outer(lengths, lengths)
    cosines[np.diag_indices_from(cosines)] = 0.0
    return {
        "at_right_angles": bool((np.abs(cosines) < 1e-4).all()),
        "of_the_same_length": bool(np.ptp(lengths) <= 1e-4 * lengths.mean()),
        "factor by which it stretches": describe(float(np.sqrt(np.mean(lengths**2)))),
    }


def _bias_words(bias: torch.Tensor) -> str:
    values = set(bias.detach().reshape(-1)[:1000].tolist())
    if values == {0.0}:
        return "zeros"
    return f"all {values.pop():.4g}" if len(values) == 1 else "different numbers"


# --- collect_rollout -----------------------------------------------------------------------------


class TwoHeads(nn.Module):
    """A linear model with two heads: logits and a value for each observation."""

    def __init__(self, policy: torch.Tensor, value: torch.Tensor, pair: bool = True) -> None:
        super().__init__()
        self.policy = nn.Parameter(policy.clone())  # [O, A]
        self.value = nn.Parameter(value.clone())  # [O]
        self._pair = pair

    def forward(self, obs: torch.Tensor) -> Any:
        """Map observations [..., O] to logits [..., A] and, as a pair, values [...]."""
        logits = obs @ self.policy
        return (logits, obs @ self.value) if self._pair else logits


@lru_cache(maxsize=1)
def _recorded_class() -> type:
    """Return the class of the vector environment that plays a record (gymnasium on demand)."""
    from gymnasium import spaces
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space, iterate

    class RecordedEnvs(VectorEnv):
        """Shows a recorded stream whatever is done, the way SyncVectorEnv with SAME_STEP does.

        ``stream`` holds observations [K + 1, N, O], final [K, N, O] (used where an episode ends),
        rewards, terminated and truncated [K, N], and reset [N, O], which ``reset`` shows. Without
        ``copy`` all observations come in one and the same array, overwritten at each step.
        """

        metadata: ClassVar[dict] = {"autoreset_mode": AutoresetMode.SAME_STEP}

        def __init__(self, stream: dict[str, Array], n_actions: int, copy: bool) -> None:
            self.stream, self.copy = stream, copy
            self.num_envs, size = stream["reset"].shape
            self.single_observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
            self.single_action_space = spaces.Discrete(n_actions)
            self.observation_space = batch_space(self.single_observation_space, self.num_envs)
            self.action_space = batch_space(self.single_action_space, self.num_envs)
            self.buffer = stream["observations"][0].copy()
            self.k = 0
            self.resets = 0
            self.sent: list[list[int]] = []

        def _shown(self, obs: Array) -> Array:
            self.buffer[:] = obs
            return self.buffer.copy() if self.copy else self.buffer

        def reset(self, *, seed: Any = None, options: dict | None = None) -> tuple[Array, dict]:
            self.resets += 1
            self.k = 0
            return self._shown(self.stream["reset"]), {}

        def step(self, actions: Any) -> tuple[Array, Array, Array, Array, dict]:
            chosen = list(iterate(self.action_space, actions))
            if len(chosen) != self.num_envs:
                raise ValueError(
                    f"{self.num_envs} environments got {len(chosen)} actions: {actions!r}"
                )
            for action in chosen:
                if not self.single_action_space.contains(action):
                    raise AssertionError(
                        f"{action!r} is no action: a whole number from 0 to "
                        f"{self.single_action_space.n - 1} is due, as NumPy or Python has it"
                    )
            self.sent.append([int(action) for action in chosen])
            k = self.k % len(self.stream["rewards"])
            self.k += 1
            rewards, terminated, truncated = (
                self.stream[name][k].copy() for name in ("rewards", "terminated", "truncated")
            )
            done = terminated | truncated
            final = self.stream["final"][k].copy()
            rows: list[Any] = list(final)
            for n in np.flatnonzero(~done):
                rows[n] = None
            obs = self._shown(self.stream["observations"][k + 1])
            infos = same_step_infos(rows, done)
            return obs, rewards.astype(np.float64), terminated, truncated, infos

        def close_extras(self, **kwargs: Any) -> None:
            """Nothing to close."""

    return RecordedEnvs


ENTRIES = ("obs", "actions", "log_probs", "rewards", "terminated", "truncated", "values",
           "next_values")  # fmt: skip


@driver("lab6_lunar_lander/collect_rollout")
def rollout(function: Callable, case: dict) -> dict:
    """Collect rollouts in a recorded vector environment; describe the last one.

    Case arguments: the record (see ``RecordedEnvs``), ``policy`` [O, A] and ``value`` [O] (the
    model's weights), ``log_policy`` [K, N, A] (log-probabilities of all actions at the recorded
    observations), ``n_steps``, ``calls`` (each goes on where the one before stopped), ``copy``
    (whether the environments hand out copies), ``seed`` and ``other_seed``; with ``repeat`` all is
    done twice more, to see what follows from the seed; with ``shares`` only the actions count.
    """
    a = {name: decode(value) for name, value in case["args"].items()}
    facts, sent = _collect(function, a, a["seed"], 1)
    if a.get("repeat"):
        facts["same_seed_same_actions"] = _collect(function, a, a["seed"], 2)[1] == sent
        facts["other_seed_same_actions"] = _collect(function, a, a["other_seed"], 3)[1] == sent
    return facts


def _collect(function: Callable, a: dict, seed: int, stream: int) -> tuple[dict, list]:
    record = {
        name: a[name]
        for name in ("observations", "final", "rewards", "terminated", "truncated", "reset")
    }
    envs = _recorded_class()(record, a["policy"].shape[1], a["copy"])
    model = TwoHeads(a["policy"], a["value"])
    start = envs.buffer.copy() if a["copy"] else envs.buffer
    generator, obs = _generator(seed), start
    with _global_streams(stream):
        for _ in range(a["calls"]):
            envs.sent, first = [], envs.k
            result = function(envs, model, obs, a["n_steps"], generator)
            pair = _pair(result)
            obs = pair[1] if pair else None
            if not isinstance(obs, np.ndarray):
                break
    sent, resets = envs.sent[:5000], envs.resets
    facts: dict[str, Any] = {
        "what came back": "a pair: rollout, obs" if pair else _what(result),
        "resets": resets,
        "steps": len(envs.sent),
    }
    if pair is None:
        return facts, sent
    data, obs = pair
    # The observations that come back are for the next call, and may be the environments' own
    # array; the rollout has to outlast whatever the environments do next.
    returned = describe(obs)
    if not a["copy"]:
        envs.step([0] * envs.num_envs)
    facts["the rollout"] = "a dict" if isinstance(data, dict) else _what(data)
    if isinstance(data, dict):
        entries = {name: data[name] for name in ENTRIES if name in data}
        facts |= _entries(entries, sent, first, a)
    facts["the obs that came back"] = returned
    facts["mutated"] = [
        *(["obs"] if a["copy"] and not unchanged(start, a["observations"][0]) else []),
        *(["model"] if _moved(model, a) else []),
    ]
    return facts, sent


def _moved(model: TwoHeads, a: dict) -> bool:
    same = torch.equal(model.policy, a["policy"]) and torch.equal(model.value, a["value"])
    return not same or model.policy.grad is not None or model.value.grad is not None


def _entries(entries: dict[str, Any], sent: list, first: int, a: dict) -> dict:
    """Facts about the entries of a rollout that began at step ``first`` of the record."""
    facts: dict[str, Any] = {}
    for name in ENTRIES:
        if name in ("actions", "log_probs"):
            facts[f"form of {name}"] = _what(entries[name]) if name in entries else "no such entry"
        elif name in entries:
            facts[name] = describe(entries[name])
    facts["with_a_graph"] = [
        name for name, t in entries.items() if isinstance(t, torch.Tensor) and t.requires_grad
    ]
    told = []
    for name in ("actions", "log_probs"):
        told.append(_array(entries.get(name)))
        if told[-1] is not None:
            facts[f"raw {name}"] = array_to_plain(told[-1])
    facts["raw sent"] = sent
    log_policy = a["log_policy"][first : first + a["n_steps"]]
    logits = a["observations"][first : first + a["n_steps"]] @ a["policy"].numpy()
    return facts | action_facts(*told, sent, log_policy, logits)


def _array(entry: Any) -> Array | None:
    """Return a tensor's numbers; None for what has none that NumPy knows."""
    try:
        return entry.detach().numpy() if isinstance(entry, torch.Tensor) else None
    except (TypeError, RuntimeError):
        return None


RIGHT_ACTIONS = "the actions that the environments got"
RIGHT_LOG_PROBS = "log pi(a|s) of these actions"


def action_facts(
    actions: Array | None, log_probs: Array | None, sent: list, log_policy: Array, logits: Array
) -> dict[str, Any]:
    """Compare what a rollout says of its actions [T, N] with those that were ``sent``.

    ``log_policy`` and ``logits`` [T, N, A] are the model's, at the observations of these steps.
    """
    facts: dict[str, Any] = {}
    taken = np.array(sent, dtype=np.int64)
    if taken.shape != log_policy.shape[:2]:
        return facts
    index = taken[..., None]
    if actions is not None and actions.shape == taken.shape:
        facts["actions"] = RIGHT_ACTIONS if (actions == taken).all() else "other actions"
    if log_probs is not None and log_probs.shape == taken.shape:
        right = np.take_along_axis(log_policy, index, axis=-1)[..., 0].astype(np.float64)
        raw = np.take_along_axis(logits, index, axis=-1)[..., 0].astype(np.float64)
        named = {
            RIGHT_LOG_PROBS: right,
            "their probabilities, not log-probabilities": np.exp(right),
            "the logits of these actions, not normalized": raw,
            "log-probabilities with the wrong sign": -right,
            "the largest log-probability of each row": log_policy.max(axis=-1),
            "averages over the actions": log_policy.mean(axis=-1),
        }
        got = log_probs.astype(np.float64)
        close = (name for name, x in named.items() if np.allclose(got, x, rtol=1e-3, atol=1e-4))
        facts["log_probs"] = next(close, "numbers that do not belong to these actions")
    for action in range(log_policy.shape[-1]):
        facts[f"share of action {action}"] = round(float((taken == action).mean()), 4)
    alike = (taken == taken[:, :1]).all(axis=1).mean()
    facts["steps in which all environments act alike"] = round(float(alike), 4)
    if len(taken) > 1:
        again = (taken[1:] == taken[:-1]).all(axis=1).mean()
        facts["steps with the same actions as the step before"] = round(float(again), 4)
    return facts


# --- evaluate ------------------------------------------------------------------------------------

REPEATED = 6
"""Seeds with which an evaluation is repeated."""

ENV_ID = "lab6_checks/Carousel-v0"
TOO_LATE = 20
"""Steps after an episode's end that the carousel puts up with."""


@lru_cache(maxsize=1)
def _carousel_class() -> type:
    """Return the class of the environment that evaluations are played in (gymnasium on demand)."""
    import gymnasium as gym
    from gymnasium import spaces

    class Carousel(gym.Env):
        """K places in a ring. An action pays ``rewards`` [K, A] and moves on by ``moves`` [A].

        Where an episode starts, and after how many steps it terminates (``life``: at least, less
        than), is drawn at the reset, in this order. The observation is the place's row of
        ``features`` [K, O].
        """

        metadata: ClassVar[dict] = {"render_modes": []}

        def __init__(
            self, features: Array, rewards: Array, moves: list[int], life: list[int],
            render_mode: str | None = None,
        ) -> None:  # fmt: skip
            self.features, self.rewards, self.moves, self.life = features, rewards, moves, life
            size = features.shape[1]
            self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
            self.action_space = spaces.Discrete(len(moves))
            self.place = self.left = 0
            self.render_mode = render_mode

        def reset(self, *, seed: int | None = None, options: dict | None = None):
            if seed is None and self._np_random is None:
                # Gymnasium asks the system for a seed; this one differs from run to run as well,
                # and yet the stored numbers can be made again.
                seed = int(np.random.randint(2**31))
            super().reset(seed=seed)
            self.place = int(self.np_random.integers(len(self.features)))
            self.left = int(self.np_random.integers(*self.life))
            return self.features[self.place].copy(), {}

        def step(self, action: Any):
            if not self.action_space.contains(action):
                raise AssertionError(
                    f"{action!r} is no action: a whole number from 0 to "
                    f"{self.action_space.n - 1} is due, as NumPy or Python has it"
                )
            reward = float(self.rewards[self.place, int(action)])
            self.place = (self.place + self.moves[int(action)]) % len(self.features)
            self.left -= 1
            if self.left < -TOO_LATE:
                raise RuntimeError("step() was called long after the episode's end")
            return self.features[self.place].copy(), reward, self.left <= 0, False, {}

    return Carousel


@contextmanager
def _registered(a: dict) -> Iterator[None]:
    """Let Gymnasium know the carousel of a case by ``ENV_ID`` inside the block."""
    import gymnasium as gym

    gym.registry.pop(ENV_ID, None)
    gym.register(
        ENV_ID,
        entry_point=_carousel_class(),
        max_episode_steps=a["time_limit"],
        disable_env_checker=True,
        kwargs={name: a[name] for name in ("features", "rewards", "moves", "life")},
    )
    try:
        yield
    finally:
        gym.registry.pop(ENV_ID, None)


@driver("lab6_lunar_lander/evaluate")
def evaluation(function: Callable, case: dict) -> dict:
    """Evaluate a policy in the carousel, again, and with the seeds in another order.

    Case arguments: ``features``, ``rewards``, ``moves``, ``life`` (see ``Carousel``),
    ``time_limit``, ``policy`` [O, A] and ``value`` [O] (the weights of the policy), ``pair``
    (whether it also gives values), ``seeds`` and ``deterministic``; with ``spread`` the returns
    are summed up by mean and standard deviation.
    """
    a = {name: decode(value) for name, value in case["args"].items()}
    policy = TwoHeads(a["policy"], a["value"], a["pair"])
    seeds = list(a["seeds"])

    def run(seeds: list[int], stream: int) -> tuple[Any, Array | None]:
        with _global_streams(stream):
            result = function(policy, ENV_ID, seeds, a["deterministic"])
            return result, _numbers(result, len(seeds))

    with _registered(a):
        result, returns = run(seeds, 1)
        facts: dict[str, Any] = {
            "what came back": "numbers" if returns is not None else _what(result)
        }
        mutated = [
            *(["seeds"] if seeds != a["seeds"] else []),
            *(["policy"] if _moved(policy, a) else []),
        ]
        if returns is not None:
            some = a["seeds"][:REPEATED]
            first = returns[:REPEATED] if returns.ndim else returns
            again = run(list(some), 2)[1]
            back = run(some[::-1], 3)[1]
            if returns.shape == (len(a["seeds"]),):  # else there is nothing to compare
                facts["the evaluation, done again"] = _same(first, again)
                back = back[::-1] if back is not None and back.ndim else back
                facts["the seeds in another order"] = _same(first, back)
            facts["shape of the returns"] = list(returns.shape)
            facts["returns"] = {"kind": "ndarray", **array_to_plain(returns.astype(np.float32))}
            if a.get("spread") and returns.shape == (len(seeds),):
                facts["mean of the returns"] = round(float(returns.mean()), 4)
                facts["standard deviation of the returns"] = round(float(returns.std()), 4)
                facts["different returns"] = len(set(returns.round(4).tolist()))
    return {**facts, "mutated": mutated}


def _numbers(result: Any, expected: int) -> Array | None:
    """Read numbers out of an array, a tensor, a number, or any row of numbers; None if others."""
    if result is None or isinstance(result, (dict, str, bytes)):
        return None
    try:
        if isinstance(result, torch.Tensor):
            return result.detach().numpy().astype(np.float64)
        if not isinstance(result, (np.ndarray, np.generic, int, float)):
            result = [
                item.detach().numpy() if isinstance(item, torch.Tensor) else item
                for item in itertools.islice(iter(result), expected + 10)
            ]
        return np.asarray(result, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _same(a: Array | None, b: Array | None) -> bool:
    same_shape = a is not None and b is not None and a.shape == b.shape
    return bool(same_shape and np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True))


# --- bootstrap_interval --------------------------------------------------------------------------


@driver("lab6_lunar_lander/bootstrap_interval")
def interval(function: Callable, case: dict) -> dict:
    """Ask for an interval; with ``repeat`` twice more, with the same seed and with another.

    Case arguments: ``x`` [R], ``level``, ``n_boot``, ``seed``, ``other_seed``, ``repeat``.
    """
    a = {name: decode(value) for name, value in case["args"].items()}
    x, before = a["x"], snapshot(a["x"])

    def run(seed: int, stream: int) -> Any:
        with _global_streams(stream):
            return function(x, a["level"], a["n_boot"], _generator(seed))

    result = run(a["seed"], 1)
    bounds = _bounds(result)
    facts: dict[str, Any] = {"what came back": "two numbers" if bounds else _what(result)}
    if bounds:
        low, high = bounds
        facts |= {
            "low is above high": low > high,
            "width": _short(high - low),
            "low": _short(low),
            "high": _short(high),
        }
        if a.get("repeat"):
            again, other = _bounds(run(a["seed"], 2)), _bounds(run(a["other_seed"], 3))
            facts["same_seed_same_interval"] = again == bounds
            facts["other_seed_same_interval"] = other == bounds
    return {**facts, "mutated": [] if unchanged(x, before) else ["x"]}


def _bounds(result: Any) -> tuple[float, float] | None:
    pair = _pair(result)
    try:
        return None if pair is None else (float(pair[0]), float(pair[1]))
    except (TypeError, ValueError, RuntimeError):
        return None


def _short(value: float) -> float | str:
    return float(f"{value:.5g}") if np.isfinite(value) else str(value)

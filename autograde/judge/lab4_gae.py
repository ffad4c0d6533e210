"""Hidden tests of lab 4 (GAE and time limits): fresh inputs, and what is right for them.

The reference for the advantages is the definition itself, a sum of discounted TD errors up to the
end of the episode, written as a double sum in float64 and not as a recursion. ``tests`` compares
it with Stable-Baselines3's rollout buffer. Equation 16 of Schulman et al. (2016),
https://arxiv.org/abs/1506.02438; time limits as in Pardo et al. (2018),
https://arxiv.org/abs/1712.00378.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autograde.judge.spec import UNCHANGED, Exercise, call_case, f32, tensor
from course_utils.checks.codec import array_from_plain, array_to_plain, encode_arguments
from course_utils.checks.compare import ATOL, RTOL, arrays_close

Array = np.ndarray


# --- gae -----------------------------------------------------------------------------------------


def advantage_sums(
    rewards: Array, values: Array, next_values: Array, terminated: Array, truncated: Array,
    gamma: float, lam: float,
) -> Array:  # fmt: skip
    """Sum (gamma lam)^l delta_{t+l} over what is left of the episode, for every [T, N] entry."""
    steps, envs = rewards.shape
    worth_after = np.where(terminated, 0.0, next_values)
    delta = rewards + gamma * worth_after - values
    weights = (gamma * lam) ** np.arange(steps, dtype=np.float64)
    ends = terminated | truncated
    total = np.empty_like(delta)
    for n in range(envs):
        last = steps - 1
        for t in range(steps - 1, -1, -1):
            if ends[t, n]:
                last = t
            piece = delta[t : last + 1, n]
            total[t, n] = np.dot(weights[: len(piece)], piece)
    return total


def _episode_flags(steps: int, envs: int, *ends: tuple[int, int, str]) -> tuple[Array, Array]:
    """Flags [T, N] that are set at (step, environment, "terminated", "truncated" or "both")."""
    terminated, truncated = np.zeros((2, steps, envs), dtype=bool)
    for t, n, kind in ends:
        terminated[t, n] = kind in ("terminated", "both")
        truncated[t, n] = kind in ("truncated", "both")
    return terminated, truncated


def _rollout(
    rng: np.random.Generator, terminated: Array, truncated: Array, digits: int = 4
) -> dict[str, Array]:
    """Draw rewards and values for given flags; next_values as in life.

    They are the next row of values inside an episode, and another number where one ends: there
    the next row belongs to a new episode.
    """
    steps, envs = terminated.shape
    rewards = f32(rng.normal(0.4, 1.2, (steps, envs)).round(digits))
    values = f32(rng.normal(0.8, 2.0, (steps + 1, envs)).round(digits))
    final = rng.choice([-1.0, 1.0], (steps, envs)) * rng.uniform(1.0, 4.0, (steps, envs))
    final = f32(final.round(digits))
    next_values = np.where(terminated | truncated, final, values[1:])
    return {"rewards": rewards, "values": values[:-1], "next_values": next_values}


def _gae_case(
    name: str, rng: np.random.Generator, flags: tuple[Array, Array], gamma: float, lam: float,
    aspect: str, about: str, graph: bool = False, cpu_seconds: float | None = None,
    digits: int = 4,
) -> dict:  # fmt: skip
    terminated, truncated = flags
    drawn = _rollout(rng, terminated, truncated, digits)
    advantages = advantage_sums(
        *drawn.values(), terminated=terminated, truncated=truncated, gamma=gamma, lam=lam
    )
    returns = advantages + drawn["values"]
    args = {k: tensor(v) for k, v in drawn.items()}
    args |= {
        "terminated": tensor(terminated, torch.bool),
        "truncated": tensor(truncated, torch.bool),
        "gamma": gamma,
        "lam": lam,
    }
    expect: dict[str, dict] = {
        "what came back": {
            "is": "equal", "value": "two things", "say": "a pair: advantages, returns",
            "got": "{}", "mistake": "not_a_pair",
            "hint": "Return both, the advantages first.",
        },
    }  # fmt: skip
    for fact, value in (("advantages", advantages), ("returns", returns)):
        expect[fact] = {"is": "tensor", **array_to_plain(value.astype(np.float32))}
    if graph:
        expect |= {f"grad:{v}": {"is": "constant"} for v in ("values", "next_values")}
    expect["mutated"] = UNCHANGED
    case = {
        "name": name,
        "about": f"{about}; T = {terminated.shape[0]} steps, N = {terminated.shape[1]}",
        "aspect": aspect,
        "aspects": {"what came back": "value", "returns": "returns"},
        "args": encode_arguments(args),
        "wrt": ["values", "next_values"] if graph else [],
        "expect": expect,
    }
    if cpu_seconds is not None:
        expect["cpu_seconds"] = {
            "is": "between", "low": 0, "high": cpu_seconds,
            "say": f"at most {cpu_seconds:g} seconds of work",
            "hint": "Is there a loop inside the loop over the steps?", "mistake": "too_slow",
        }  # fmt: skip
        case["aspects"]["cpu_seconds"] = "cost"
        case["cpu_seconds"] = cpu_seconds + 0.5  # there is nothing to gain by waiting longer
    return case


def _gamma_lam(rng: np.random.Generator) -> tuple[float, float]:
    """Draw gamma and lambda well apart: swapped they show."""
    return float(np.round(rng.uniform(0.88, 0.97), 3)), float(np.round(rng.uniform(0.4, 0.75), 3))


PATTERN = (
    (0, 0, "terminated"), (4, 0, "truncated"),
    (3, 1, "truncated"), (4, 1, "terminated"),
    (6, 2, "terminated"), (2, 2, "both"),
    (6, 3, "truncated"), (0, 3, "truncated"),
    (5, 4, "both"), (1, 4, "terminated"), (3, 4, "truncated"),
)  # fmt: skip
"""Ends (step, environment, kind) of a rollout of 7 steps in 6 environments; the last never ends."""


def gae_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for equation 16, with all the ways in which an episode ends."""

    def case(name: str, shape: tuple[int, int], ends: tuple, aspect: str, about: str, **kw: Any):
        gamma, lam = kw.pop("factors", None) or _gamma_lam(rng)
        flags = _episode_flags(*shape, *ends)
        # A student reads the numbers of the visible cases: short ones.
        digits = 1 if visible else 4
        return _gae_case(name, rng, flags, gamma, lam, aspect, about, digits=digits, **kw)

    steps = 4 if visible else int(rng.integers(5, 9))
    at = 1 if visible else int(rng.integers(1, steps - 2))
    env = 1 if visible else int(rng.integers(0, 2))
    where = f"at t = {at} in environment {env}"
    plain = [
        case("no episode ends", (4, 2), (), "value", "no episode ends"),
        case("no episode ends, other sizes", (7, 3), (), "value", "no episode ends"),
        case(
            "terminated", (steps, 2), ((at, env, "terminated"),), "terminations",
            f"the task ends {where}",
        ),
        case(
            "truncated", (steps, 2), ((at, env, "truncated"),), "time_limits",
            f"time is up {where}",
        ),
        case(
            "both flags", (steps, 2), ((at, env, "both"),), "both_flags",
            f"the task ends {where}, and time is up at the same step",
        ),
        case(
            "terminated at the last step", (4, 2), ((3, env, "terminated"),), "terminations",
            f"the task ends at the last step of the rollout, in environment {env}",
        ),
        case(
            "truncated at the last step", (4, 2), ((3, env, "truncated"),), "time_limits",
            f"time is up at the last step of the rollout, in environment {env}",
        ),
        case(
            "ends of every kind", (7, 6), PATTERN, "time_limits",
            "episodes end in all ways: at the first, a middle and the last step; terminated, "
            "truncated, both",
        ),
        case(
            "a longer rollout", (30, 1), (), "value",
            "a longer rollout, no episode ends",
        ),
        case(
            "a graph behind the values", (5, 3), ((2, 1, "truncated"), (3, 0, "terminated")),
            "gradient", "values and next_values come with a graph", graph=True,
        ),
    ]  # fmt: skip
    ends = ((2, 1, "terminated"), (3, 2, "truncated"))
    corners = [
        case(f"gamma = {gamma:g}, lam = {lam:g}", (6, 3), ends, "corners",
             f"gamma = {gamma:g}, lam = {lam:g}; one episode terminated, one truncated",
             factors=(gamma, lam))
        for gamma, lam in ((0.9, 0.0), (0.9, 1.0), (1.0, 0.5), (1.0, 1.0), (0.0, 0.5))
    ]  # fmt: skip
    corners += [
        case("one step", (1, 3), ((0, 1, "terminated"), (0, 2, "truncated")), "corners",
             "a rollout of one step: going on, terminated, truncated"),
        case("one environment", (6, 1), ((3, 0, "truncated"),), "corners",
             "one environment, time is up at t = 3"),
        case("one step of one environment", (1, 1), (), "corners", "a single step"),
    ]  # fmt: skip
    if visible:
        return plain + corners
    long = case(
        "a long rollout", (LONG, 1),
        ((LONG // 3, 0, "truncated"), (3 * LONG // 4, 0, "terminated")), "cost",
        "two ends in a long rollout", factors=(0.98, 0.93), cpu_seconds=2.0,
    )  # fmt: skip
    other = tuple((int(rng.integers(0, 8)), n, kind) for n, kind in enumerate(KINDS))
    return [
        *plain, *corners,
        case("more ends", (8, 5), other, "time_limits", "one end of each kind at drawn steps"),
        long,
    ]  # fmt: skip


KINDS = ("terminated", "truncated", "both", "truncated")
LONG = 5000
"""Steps of the rollout whose cost is looked at."""


def complete_gae(case: dict, entry: dict) -> None:
    """Charge returns that follow from wrong advantages to the fault in the advantages."""
    if entry["status"] != "ok":
        return
    try:
        values = array_from_plain(case["args"]["values"]["tensor"]).astype(np.float64)
        got = array_from_plain(entry["facts"]["advantages"]).astype(np.float64)
        returns = array_from_plain(entry["facts"]["returns"]).astype(np.float64)
    except (ValueError, KeyError, TypeError):
        return
    if got.shape == values.shape and arrays_close(returns, got + values, 10 * RTOL, 10 * ATOL):
        case["aspects"] = {**case["aspects"], "returns": case["aspect"]}


# --- true_next_obs -------------------------------------------------------------------------------


def _next_obs_case(
    name: str, rng: np.random.Generator, size: int, dim: int, ended: tuple[int, ...], aspect: str,
    about: str = "",
) -> dict:  # fmt: skip
    next_obs = np.round(rng.normal(0.0, 0.3, (size, dim)), 3).astype(np.float32)
    final = np.round(rng.normal(0.0, 3.0, (size, dim)), 3).astype(np.float32)
    done = np.zeros(size, dtype=bool)
    done[list(ended)] = True
    right = np.array([f if d else n for f, n, d in zip(final, next_obs, done, strict=True)])
    args = {
        "next_obs": next_obs,
        "final_obs": [row if d else None for row, d in zip(final, done, strict=True)],
        "done": done,
    }
    ends = ", ".join(f"{n}" for n in ended)
    about = about or f"of {size} environments, number {ends} is done"
    if len(ended) == 1 and size * dim <= 12:
        row = ", ".join(f"{x:.3f}" for x in final[ended[0]])
        about += f"; its final observation is [{row}]"
    return {
        "name": name,
        "about": about,
        "aspect": aspect,
        "args": encode_arguments(args),
        "expect": {
            "result": {"is": "tensor", "container": "ndarray", **array_to_plain(right)},
            "mutated": UNCHANGED,
        },
    }


def next_obs_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for Gymnasium's SAME_STEP autoreset, infos as its vector environments give them."""
    one = 1 if visible else int(rng.integers(0, 3))
    two = (1, 4) if visible else tuple(sorted(rng.choice(5, 2, replace=False).tolist()))
    several = f"of 5 environments, numbers {two[0]} and {two[1]} are done"
    cases = [
        _next_obs_case("one is done", rng, 3, 2, (one,), "value"),
        _next_obs_case("two are done", rng, 5, 4, two, "value", several),
        _next_obs_case(
            "nobody is done", rng, 3, 2, (), "nobody",
            "no environment is done, and infos has no final_obs",
        ),
        _next_obs_case(
            "all are done", rng, 3, 2, (0, 1, 2), "corners", "all 3 environments are done"
        ),
        _next_obs_case(
            "the first is done", rng, 4, 3, (0,), "value", "of 4 environments, number 0 is done"
        ),
        _next_obs_case(
            "the last is done", rng, 4, 3, (3,), "value", "of 4 environments, number 3 is done"
        ),
        _next_obs_case("one environment, done", rng, 1, 3, (0,), "corners"),
        _next_obs_case(
            "one environment, going on", rng, 1, 3, (), "nobody",
            "one environment, which goes on; infos has no final_obs",
        ),
        _next_obs_case("as many numbers as environments", rng, 3, 3, (2,), "corners"),
    ]  # fmt: skip
    if not visible:
        ended = tuple(np.flatnonzero(rng.random(6) < 0.5).tolist()) or (2,)
        about = f"of 6 environments, done are {list(ended)}"
        cases.append(_next_obs_case("some are done", rng, 6, 8, ended, "value", about))
    return cases


# --- explained_variance --------------------------------------------------------------------------


def explained(predicted: Array, target: Array) -> float:
    """1 - Var(target - predicted) / Var(target) from sums over all pairs; NaN if constant.

    The mean squared difference of all pairs is twice the variance, so no mean is needed.
    """

    def spread(x: Array) -> float:
        return float(np.square(x[:, None] - x[None, :]).mean())

    if spread(target) == 0.0:
        return float("nan")
    return 1.0 - spread(target - predicted) / spread(target)


def _explained_case(name: str, predicted: Array, target: Array, **kw: Any) -> dict:
    predicted, target = f32(predicted), f32(target)
    args = {"predicted": tensor(predicted), "target": tensor(target)}
    room = {"rtol": 5e-4, "atol": 2e-5}  # float32 variances, and the difference from 1
    return call_case(name, args, explained(predicted, target), number=True, tolerance=room, **kw)


def explained_cases(rng: np.random.Generator, visible: bool) -> list[dict]:
    """Cases for the share of the targets' variance that the predictions explain."""
    target = rng.normal(1.0, 2.0, 11)
    other = rng.normal(-1.0, 1.5, 7)
    cases = [
        _explained_case("a fair critic", target + rng.normal(0.0, 1.0, 11), target),
        _explained_case(
            "a critic that is off by a constant", target + rng.normal(0.0, 0.5, 11) + 3.0, target,
            about="predictions that follow the targets, but are about 3 too high",
        ),
        _explained_case("another size", 0.5 * other + rng.normal(0.0, 0.3, 7), other),
        _explained_case(
            "worse than a constant", 2.0 - 1.5 * target, target,
            about="predictions that fall where the targets rise",
        ),
        _explained_case("perfect", target, target, aspect="corners", about="perfect predictions"),
        _explained_case(
            "constant predictions", np.full(7, 2.0), other, aspect="corners",
            about="predictions that are all 2",
        ),
        _explained_case(
            "constant target", rng.normal(0.0, 1.0, 5), np.full(5, 2.0), aspect="constant_target",
            about="targets that are all 2",
        ),
        _explained_case(
            "constant target, perfect", np.full(5, 2.0), np.full(5, 2.0),
            aspect="constant_target", about="predictions and targets that are all 2",
        ),
        _explained_case(
            "a batch of one", np.array([1.0]), np.array([2.0]), aspect="constant_target",
            about="a single prediction, 1, and a single target, 2",
        ),
    ]  # fmt: skip
    if not visible:
        big = rng.normal(0.5, 1.0, 2000)
        cases.append(
            _explained_case(
                "a large batch", big + rng.normal(0.0, 0.4, 2000), big,
                aspect="cost", cpu_seconds=2.0,
            )
        )  # fmt: skip
    return cases


EXERCISES = {
    "gae": Exercise(
        gae_cases,
        {
            "value": 0.3,
            "terminations": 0.15,
            "time_limits": 0.2,
            "both_flags": 0.05,
            "returns": 0.15,
            "corners": 0.05,
            "gradient": 0.05,
            "purity": 0.03,
            "cost": 0.02,
        },
        complete_gae,
    ),
    "true_next_obs": Exercise(
        next_obs_cases, {"value": 0.5, "nobody": 0.2, "purity": 0.2, "corners": 0.1}
    ),
    "explained_variance": Exercise(
        explained_cases,
        {"value": 0.65, "constant_target": 0.15, "corners": 0.1, "purity": 0.05, "cost": 0.05},
    ),
}
"""The exercises of lab 4 in the order of the notebook."""

"""Judge an agent that was handed in as a file: by the returns of the episodes that it has played.

The file never comes here. A process of its own in the sandbox plays it (sandbox.agent_player) on
seeds drawn from the grading seed, which no student knows; from there come numbers. Whether they are
enough is decided by course_utils.acceptance, once there, to know when to stop, and once here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograde.judge.spec import generator
from course_utils import acceptance

MAX_STEPS = 1000
NAME = re.compile(r"[a-z]{1,20}-[a-z]{1,20}-[0-9]{3}")
LOWEST = -1e6
REFUSED_SHARE = 0.8
"""Of the points, for an agent that is refused but comes close to the level; in proportion below."""
TITLES = {
    "no_policy": "No agent that can be played was handed in.",
    "below_the_level": "The agent's mean return is below the level.",
    "no_answer": "No answer came back that could be read.",
}
"""What the class report calls the mistakes of `assess`."""


@dataclass(frozen=True)
class Agent:
    """A test of a file: its name, the environment its policy has to play, and the mean return."""

    file: str
    env_id: str
    actions: int
    level: float = acceptance.LEVEL


AGENTS = {"lab6_lunar_lander/lander_agent": Agent("lander.safetensors", "LunarLander-v3", 4)}


def request(exercise_id: str, seed: int) -> dict:
    """What the process that plays is asked: the environment, the level, the episodes' seeds."""
    agent = AGENTS[exercise_id]
    rng = generator(seed, exercise_id)
    seeds = rng.choice(2**31, size=acceptance.LOOKS[-1], replace=False).tolist()
    wanted = {"file": agent.file, "env_id": agent.env_id, "level": agent.level, "seeds": seeds}
    return {"exercise": exercise_id, "agent": wanted}


def assess(exercise_id: str, seed: int, observation: Any) -> tuple[float, str, str | None, dict]:
    """(share of the points, message, mistake, details) for what came back; never raises.

    The share is 1 if and only if the agent is accepted. details: what the leaderboard shows, plain
    numbers; empty if nothing was played.
    """
    name = exercise_id.partition("/")[2]
    agent = AGENTS[exercise_id]
    wrong = observation.get("problem") if isinstance(observation, dict) else None
    if isinstance(wrong, str):
        said = "".join(c if c.isprintable() else "?" for c in wrong[:300])
        return 0.0, f"{name}: not accepted.\n\n  {said}.", "no_policy", {}
    details = _details(agent, observation)
    if details is None:
        text = f"{name}: not accepted.\n\n  No answer came back that could be read."
        return 0.0, text, "no_answer", {}
    details["seed"] = request(exercise_id, seed)["agent"]["seeds"][details.pop("episode")]
    mean, error, n = details["mean"], details["standard_error"], details["episodes"]
    played = (
        f"Mean return of {n} greedy episodes: {mean:.1f} (standard error {error:.1f}); "
        f"asked for: {agent.level:g}."
    )
    if details["accepted"]:
        return 1.0, f"{name}: accepted.\n\n  {played}", None, details
    share = REFUSED_SHARE * min(max(mean / agent.level, 0.0), 1.0)
    text = (
        f"{name}: not accepted yet.\n\n  {played} An agent that reaches it is refused at most once "
        "in 2000 times."
    )
    if share > 0:
        text += "\n  Some points for how far it has come."
    return share, text, "below_the_level", details


def _details(agent: Agent, observation: Any) -> dict | None:
    """The numbers of an observation, each checked; None if something in it cannot be."""
    try:
        returns, lengths = observation["returns"], observation["lengths"]
        policy, best = observation["policy"], observation["best"]
        name, parameters, steps = policy["name"], policy["parameters"], policy["env_steps"]
        episode, actions = best["episode"], best["actions"]
    except (KeyError, TypeError):
        return None
    n = len(returns) if isinstance(returns, list) else 0
    sound = (
        isinstance(lengths, list)
        and n == len(lengths)
        and all(_number(x) and LOWEST <= x <= acceptance.HIGHEST for x in returns)
        and all(_whole(x, 1, MAX_STEPS) for x in lengths)
        and isinstance(name, str)
        and NAME.fullmatch(name) is not None
        and _whole(parameters, 1, 10**9)
        and (steps is None or _whole(steps, 0, 10**12))
        and _whole(episode, 0, n - 1)
        and isinstance(actions, str)
        and len(actions) == lengths[episode]
        and set(actions) <= {str(a) for a in range(agent.actions)}
        and returns[episode] == max(returns)
    )
    decision = acceptance.decide(np.array(returns, float), agent.level) if sound else None
    if decision is None or decision[1] != n:
        return None
    values = np.array(returns, float)
    low, high = interval(values)
    return {
        "name": name,
        "accepted": decision[0],
        "episodes": n,
        "mean": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / math.sqrt(n)),
        "low": low,
        "high": high,
        "env_id": agent.env_id,
        "env_steps": steps,
        "parameters": parameters,
        "best": float(values[episode]),
        "episode": episode,
        "actions": actions,
    }


def interval(returns: np.ndarray, n_boot: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of returns [n]; the same for the same returns."""
    rows = np.random.default_rng(0).integers(len(returns), size=(n_boot, len(returns)))
    low, high = np.quantile(returns[rows].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

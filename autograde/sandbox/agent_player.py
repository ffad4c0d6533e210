"""Plays a submitted policy's episodes, in a process of its own that no student's code has seen.

The text of this file is sent into the sandbox, where there is no `autograde`: it imports nothing of
it. What comes back are numbers: returns and lengths of the episodes, and the actions of the best
one, so that it can be shown without ever opening the file on the other side.
"""

from __future__ import annotations

import base64
import json

import numpy as np
import torch

from course_utils import acceptance
from course_utils.environments import make_env
from course_utils.policy_files import PolicyFileError, SavedPolicy, problem, read_policy

OBSERVATION_MIME = "application/vnd.course-utils.observation+json"
SIDE_BY_SIDE = 50


def answer(request_path: str, file_path: str, nonce: str) -> None:
    """Answer the request in one file about the policy (in base64) in another; display it."""
    from IPython.display import display

    with open(request_path, encoding="utf-8") as file:
        wanted = json.load(file)["agent"]
    with open(file_path, encoding="ascii") as file:
        data = base64.b64decode(file.read())
    bundle = {"nonce": nonce, "observation": play(data, wanted)}
    display({OBSERVATION_MIME: bundle}, raw=True)


def play(data: bytes, wanted: dict) -> dict:
    """What a policy does under a request (see autograde.judge.agents): plain numbers.

    {"problem": text} if the file holds no policy that can play, else {"policy": {name, parameters,
    env_steps}, "returns": [float], "lengths": [int], "best": {"episode": index, "actions": one
    digit a step}}. The number of episodes follows from acceptance.look.
    """
    torch.set_num_threads(1)
    try:
        policy = read_policy(data, wanted["file"])
    except PolicyFileError as error:
        return {"problem": str(error)}
    wrong = problem(policy, wanted["env_id"])
    if wrong:
        return {"problem": f"{wanted['file']} {wrong}"}
    returns: list[float] = []
    lengths: list[int] = []
    best: dict = {}
    envs = [make_env(wanted["env_id"]) for _ in range(SIDE_BY_SIDE)]
    try:
        for until in acceptance.LOOKS:
            while len(returns) < until:
                seeds = wanted["seeds"][len(returns) : len(returns) + SIDE_BY_SIDE]
                played = _episodes(policy, envs, seeds)
                if played is None:
                    return {"problem": f"{wanted['file']} gives logits that are not finite"}
                for total, actions in played:
                    if not best or total > returns[best["episode"]]:
                        best = {"episode": len(returns), "actions": "".join(map(str, actions))}
                    returns.append(total)
                    lengths.append(len(actions))
            if acceptance.look(np.array(returns), wanted["level"]) != acceptance.GO_ON:
                break
    finally:
        for env in envs:
            env.close()
    return {
        "policy": {
            "name": policy.name,
            "parameters": policy.n_parameters,
            "env_steps": policy.env_steps,
        },
        "returns": returns,
        "lengths": lengths,
        "best": best,
    }


def _episodes(policy: SavedPolicy, envs, seeds) -> list[tuple[float, list[int]]] | None:
    """(return, actions) of a greedy episode for each seed; None if a logit is not finite."""
    obs = np.stack(
        [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=False)]
    ).astype(np.float32)
    totals, taken = [0.0] * len(seeds), [[] for _ in seeds]
    running = list(range(len(seeds)))
    while running:
        with torch.no_grad():
            logits = policy(torch.from_numpy(obs[running]))
        if not logits.isfinite().all():
            return None
        going = []
        for index, action in zip(running, logits.argmax(dim=-1).tolist(), strict=True):
            obs[index], reward, terminated, truncated, _ = envs[index].step(action)
            totals[index] += float(reward)
            taken[index].append(action)
            if not (terminated or truncated):
                going.append(index)
        running = going
    return list(zip(totals, taken, strict=True))

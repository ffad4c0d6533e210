"""Vectorised Gymnasium environments with seeds, time limits and autoreset set up once."""

from __future__ import annotations

import difflib
from numbers import Integral

import gymnasium as gym
from gymnasium.vector import AutoresetMode, VectorEnv


def make_envs(env_id: str = "CartPole-v1", num_envs: int = 32, seed: int | None = 0) -> VectorEnv:
    """Make ``num_envs`` copies of an environment that step together.

    CartPole is Gymnasium's own NumPy implementation: all copies in one array operation. Its
    autoreset mode is NEXT_STEP: the observation returned with ``terminated | truncated`` is the
    episode's final one; the *next* step ignores the action, gives reward 0 and returns the first
    observation of the new episode. That step is no transition and has to be left out of a loss.
    All other environments step one after the other in this process, in SAME_STEP mode: the
    observation returned at an episode's end already is the new episode's first one, and the
    final one is in ``infos["final_obs"]``. ``envs.metadata["autoreset_mode"]`` says which.

    ``truncated`` (the time limit) and ``terminated`` (the task ended) are kept apart in both.

    Args:
        env_id: Gymnasium's name, with version.
        num_envs: number of copies N; observations are ``[N, O]``.
        seed: seeds the environments and their action spaces, so that the first
            ``envs.reset()`` repeats from run to run. None: unseeded.

    Returns:
        A ``gymnasium.vector.VectorEnv``. Call ``envs.reset()`` before the first step and
        ``envs.close()`` at the end.

    Raises:
        ValueError: unknown or retired ``env_id``, or ``num_envs`` below 1.
        ImportError: the environment needs a package that is not installed.

    Source: https://gymnasium.farama.org/api/vector/
    """
    if isinstance(num_envs, bool) or not isinstance(num_envs, Integral) or num_envs < 1:
        raise ValueError(f"num_envs must be a whole number of at least 1; got {num_envs!r}")
    num_envs = int(num_envs)
    spec = _find_spec(env_id)
    try:
        if spec.vector_entry_point is not None and spec.id.startswith("CartPole"):
            envs = gym.make_vec(spec, num_envs, vectorization_mode="vector_entry_point")
        else:
            envs = gym.make_vec(
                spec,
                num_envs,
                vectorization_mode="sync",
                vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
            )
    except gym.error.DependencyNotInstalled as error:
        raise ImportError(_missing_package(env_id, error)) from None
    if seed is not None:
        # A later reset() without a seed goes on from here, so this fixes the first episode too.
        envs.reset(seed=seed)
        envs.action_space.seed(seed)
    return envs


def make_env(env_id: str, render_mode: str | None = None) -> gym.Env:
    """Make one environment (time limit included), with the same errors as ``make_envs``."""
    spec = _find_spec(env_id)
    try:
        return gym.make(spec, render_mode=render_mode, disable_env_checker=True)
    except gym.error.DependencyNotInstalled as error:
        raise ImportError(_missing_package(env_id, error)) from None


def _find_spec(env_id: str) -> gym.envs.registration.EnvSpec:
    if not isinstance(env_id, str):
        raise ValueError(f"env_id must be a name such as 'CartPole-v1'; got {env_id!r}")
    try:
        return gym.spec(env_id)  # looks the name up; the environment's module is not imported
    except (gym.error.Error, ImportError):
        raise ValueError(f"there is no environment {env_id!r}; {_suggestion(env_id)}") from None


def _suggestion(env_id: str) -> str:
    """The newest version of this name, else the most similar name."""
    name = env_id.rpartition("-v")[0] or env_id
    known = {key.rpartition("-v")[0].lower(): key for key in sorted(gym.registry, key=_version)}
    if name.lower() in known:
        return f"use {known[name.lower()]!r}"
    close = difflib.get_close_matches(name.lower(), list(known), n=1)
    return (
        f"did you mean {known[close[0]]!r}?" if close else "gymnasium.pprint_registry() lists all"
    )


def _version(env_id: str) -> int:
    digits = env_id.rpartition("-v")[2]
    return int(digits) if digits.isdigit() else -1


def _missing_package(env_id: str, error: Exception) -> str:
    if env_id.startswith(("LunarLander", "BipedalWalker", "CarRacing")):
        return f"{env_id} needs the physics engine Box2D: pip install 'gymnasium[box2d]'"
    return f"{env_id} needs a package that is not installed: {str(error).splitlines()[0]}"

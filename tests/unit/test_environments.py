"""Environments: fast CartPole, autoreset modes, seeds, time limits, errors in one line."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from course_utils.environments import make_env, make_envs


def rollout(envs, n_steps, seed=0):
    rng = np.random.default_rng(seed)
    rows = [envs.reset()[0]]
    for _ in range(n_steps):
        actions = rng.integers(0, envs.single_action_space.n, envs.num_envs)
        rows.append(envs.step(actions)[0])
    envs.close()
    return np.stack(rows)


def test_cartpole_is_the_array_implementation():
    envs = make_envs("CartPole-v1", num_envs=3)
    assert isinstance(envs.unwrapped, CartPoleVectorEnv)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert envs.reset()[0].shape == (3, 4)


def test_others_step_in_this_process_with_same_step_reset():
    envs = make_envs("LunarLander-v3", num_envs=2)
    assert isinstance(envs.unwrapped, SyncVectorEnv)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    envs.reset()
    done = np.zeros(2, bool)
    while not done.any():
        _, _, terminated, truncated, infos = envs.step(np.zeros(2, int))
        done = terminated | truncated
    assert infos["final_obs"][np.flatnonzero(done)[0]].shape == (8,)
    envs.close()


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1"])
def test_the_seed_fixes_the_first_reset_and_what_follows(env_id):
    first, again, other = (rollout(make_envs(env_id, 3, seed=s), 40) for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0, 0], first[0, 1])  # the copies differ from each other


def test_the_time_limit_truncates_and_does_not_terminate():
    envs = make_envs("CartPole-v1", num_envs=2, seed=1)
    obs, _ = envs.reset()
    for step in range(1, 501):
        force = obs[:, 2] + 0.3 * obs[:, 3] + 0.05 * obs[:, 0] + 0.1 * obs[:, 1]
        obs, _, terminated, truncated, _ = envs.step((force > 0).astype(int))
        assert not terminated.any()
        assert truncated.all() == (step == 500)


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("LunarLander-v2", "there is no environment 'LunarLander-v2'; use 'LunarLander-v3'"),
        ("cartpole-v1", "there is no environment 'cartpole-v1'; use 'CartPole-v1'"),
        ("CartPole", "there is no environment 'CartPole'; use 'CartPole-v1'"),
        ("CartPol-v1", "there is no environment 'CartPol-v1'; did you mean 'CartPole-v1'?"),
        ("zzz", "there is no environment 'zzz'; gymnasium.pprint_registry() lists all"),
        ("no_such_module:X-v0", "there is no environment 'no_such_module:X-v0'"),
        (5, "env_id must be a name such as 'CartPole-v1'; got 5"),
    ],
)
def test_a_wrong_name_gets_one_line(env_id, message):
    for make in (make_envs, make_env):
        with pytest.raises(ValueError) as caught:
            make(env_id)
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("num_envs", [0, -1, 2.0, "3", None, True])
def test_a_wrong_number_of_environments(num_envs):
    with pytest.raises(ValueError, match="num_envs must be a whole number of at least 1"):
        make_envs("CartPole-v1", num_envs)


def test_a_numpy_number_is_a_number():
    assert make_envs("CartPole-v1", np.int64(2)).num_envs == 2


@pytest.mark.parametrize("make", [make_envs, make_env])
def test_missing_box2d_says_what_to_install(monkeypatch, make):
    def missing(*_args, **_options):
        raise gym.error.DependencyNotInstalled("Box2D is not installed")

    monkeypatch.setattr(gym, "make", missing)
    monkeypatch.setattr(gym, "make_vec", missing)
    with pytest.raises(ImportError) as caught:
        make("LunarLander-v3")
    assert str(caught.value) == (
        "LunarLander-v3 needs the physics engine Box2D: pip install 'gymnasium[box2d]'"
    )

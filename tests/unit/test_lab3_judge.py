"""Lab 3's tests tell right from wrong: the corpus on fresh seeds, references against peers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.logger import Logger
from stored import assessed

import course_utils.checks.observe
from autograde import judge as judging
from autograde.judge import judge, lab3_actor_critic, request
from autograde.judge.mistakes import corpus_files, load
from autograde.stored_checks import generate, path_of
from course_utils.checks import run_check
from course_utils.checks.codec import array_from_plain
from course_utils.checks.observe import observe

LAB = "lab3_actor_critic"
EXERCISES = judging.exercises(LAB)


def grade(name: str, function, seed: int, points: float = 10.0):
    exercise = f"{LAB}/{name}"
    observed = observe(exercise, function, request(exercise, seed)["cases"])
    return judge(exercise, seed, observed, points)


def solutions(name: str, kind: str):
    for path in corpus_files(f"{LAB}/{name}", kind):
        torch.manual_seed(0)
        yield path.name, load(f"{LAB}/{name}", path.read_text(), str(path))


def fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


@pytest.fixture(scope="module")
def made() -> dict:
    """The stored numbers, made anew: every wrong solution has run on the visible inputs."""
    return json.loads(generate(LAB))


# --- the corpus ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXERCISES)
def test_correct_solutions_keep_every_point_and_pass_the_visible_check(name):
    assert len(corpus_files(f"{LAB}/{name}", "ok")) >= 5
    for seed in (fresh_seed(), fresh_seed()):
        for file, function in solutions(name, "ok"):
            verdict = grade(name, function, seed)
            assert verdict.score == 10.0, f"seed {seed}, {file}:\n{verdict.message}"
    for file, function in solutions(name, "ok"):
        outcome = run_check(LAB, name, function)
        assert outcome.passed, f"{file}:\n{outcome.message}"


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_solutions_lose_points_are_named_and_seen_by_the_visible_check(name, made):
    files = corpus_files(f"{LAB}/{name}", "bad")
    assert len(files) >= 12
    seed = fresh_seed()
    unnamed = []
    for file, function in solutions(name, "bad"):
        verdict = grade(name, function, seed)
        assert verdict.score < 10.0, f"seed {seed}: {file} kept all its points"
        assert not verdict.passed and "not right yet" in verdict.message
        if verdict.mistake is None:
            unnamed.append(file)
    outcomes = assessed(made, name)
    unseen = [mistake for mistake, (found, _) in outcomes.items() if not found]
    assert len(outcomes) == len(files)
    assert len(unnamed) <= 0.1 * len(files), f"seed {seed}: {unnamed}"
    assert len(unseen) <= 0.2 * len(files), unseen


def test_stored_numbers_hold_no_code_and_are_those_of_the_corpus(made):
    text = path_of(LAB).read_text()
    for fragment in ("torch.", "lambda ", "def ", "nn.Linear(", ".log_softmax(", "softmax("):
        assert fragment not in text, fragment

    # Numbers differ in the last digit from machine to machine; the titles do not.
    def titles(record: dict) -> dict:
        exercises = record["exercises"].items()
        return {n: {i: m["title"] for i, m in e["mistakes"].items()} for n, e in exercises}

    assert titles(made) == titles(json.loads(text))


@pytest.mark.parametrize("name", EXERCISES)
def test_an_unwritten_exercise_gets_nothing_and_is_told_so(name):
    class Unwritten(torch.nn.Module):
        def __init__(self, *args):
            super().__init__()
            raise NotImplementedError()

    def unwritten(*args):
        raise NotImplementedError()

    verdict = grade(name, Unwritten if name == "ActorCritic" else unwritten, 3)
    assert verdict.score == 0 and verdict.mistake == "not_written"
    assert f"{name} is not written yet" in verdict.message


def recurse():
    return recurse()


class NoNetwork(torch.nn.Module):
    def __init__(self, *args):
        super().__init__()

    def forward(self, obs):
        return {1: 2}, object()


ODD = {
    "None": None,
    "a number": 3,
    "a string": "values",
    "returns None": lambda *a: None,
    "returns a string": lambda *a: "0.5",
    "returns a list": lambda *a: [1, 2],
    "returns a pair of strings": lambda *a: ("loss", {"policy_loss": "x", 3: object()}),
    "returns a pair without tensor": lambda *a: (None, {"policy_loss": None}),
    "returns a huge array": lambda *a: torch.zeros(300_000),
    "returns complex": lambda *a: torch.zeros(11, dtype=torch.complex64),
    "returns sparse": lambda *a: torch.eye(3).to_sparse(),
    "raises": lambda *a: 1 / 0,
    "takes no argument": lambda: 1,
    "exits": lambda *a: exit(3),
    "recursion": lambda *a: recurse(),
    "a network of odd things": NoNetwork,
    "no class of ours": torch.nn.Linear,
    "returns a network": lambda *a: torch.nn.Linear(4, 2),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", EXERCISES)
def test_odd_inputs_get_one_readable_message(name, what):
    outcome = run_check(LAB, name, ODD[what])
    assert not outcome.passed
    assert outcome.message.startswith(name)
    assert "Traceback" not in outcome.message and "drivers" not in outcome.message
    assert len(outcome.message.splitlines()) < 40


@pytest.mark.parametrize("name", EXERCISES)
def test_an_endless_loop_ends(name, monkeypatch):
    monkeypatch.setattr(course_utils.checks.observe, "CPU_SECONDS_PER_CALL", 0.3)

    def endless(*args):
        while True:
            pass

    class Endless(torch.nn.Module):
        def __init__(self, *args):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        forward = endless

    outcome = run_check(LAB, name, Endless if name == "ActorCritic" else endless)
    assert not outcome.passed and outcome.mistake == "does_not_return"
    assert outcome.message.startswith(name) and "Traceback" not in outcome.message


def test_a_constant_earns_nothing():
    for name in EXERCISES[1:]:
        assert grade(name, lambda *a: torch.zeros(()), 2).score == 0


def test_an_entry_of_the_parts_cannot_pass_for_the_loss():
    def forged(logits, actions, values, advantages, returns, value_coef, entropy_coef):
        return None, {"loss": (values * 0).sum(), "returned": "a loss and a dict"}

    verdict = grade("a2c_loss", forged, 4)
    assert verdict.score == 0 and verdict.mistake is not None


# --- references against peers --------------------------------------------------------------------


def tensors(case: dict) -> dict:
    return {
        name: torch.from_numpy(array_from_plain(value["tensor"]).copy())
        if isinstance(value, dict)
        else value
        for name, value in case["args"].items()
    }


def test_entropies_against_scipy_and_gradients_against_autograd():
    for case in lab3_actor_critic.entropy_cases(np.random.default_rng(3), False):
        logits = tensors(case)["logits"].double().requires_grad_(True)
        expect = case["expect"]
        wanted = scipy.stats.entropy(scipy.special.softmax(logits.detach().numpy(), axis=1), axis=1)
        np.testing.assert_allclose(array_from_plain(expect["result"]), wanted, rtol=1e-5, atol=1e-7)
        entropy = torch.distributions.Categorical(logits=logits).entropy()
        w = torch.from_numpy(lab3_actor_critic.weights(len(logits)))
        (gradient,) = torch.autograd.grad((entropy * w).sum(), logits)
        np.testing.assert_allclose(
            array_from_plain(expect["grad:logits"]), gradient.numpy(), rtol=1e-4, atol=1e-6
        )


def test_value_loss_against_torch():
    for case in lab3_actor_critic.value_cases(np.random.default_rng(4), False):
        args = tensors(case)
        values = args["values"].requires_grad_(True)
        loss = torch.nn.functional.mse_loss(values, args["targets"])
        (gradient,) = torch.autograd.grad(loss, values)
        expect = case["expect"]
        assert loss.item() == pytest.approx(float(array_from_plain(expect["result"])), rel=1e-5)
        np.testing.assert_allclose(
            array_from_plain(expect["grad:values"]), gradient.numpy(), rtol=1e-4, atol=1e-7
        )


@pytest.mark.parametrize("seed", range(2))
def test_td_errors_against_stable_baselines3(seed):
    """Its buffer with lambda 0 gives one-step errors; `next values` are its own next row."""
    from gymnasium import spaces
    from stable_baselines3.common.buffers import RolloutBuffer

    rng = np.random.default_rng(seed)
    steps, envs, gamma = 7, 3, 0.9
    values = rng.normal(size=(steps + 1, envs)).astype(np.float32)
    rewards = rng.normal(size=(steps, envs)).astype(np.float32)
    ends = rng.random((steps, envs)) < 0.3
    buffer = RolloutBuffer(
        steps, spaces.Box(-1, 1, (2,)), spaces.Discrete(2), "cpu", 0.0, gamma, envs
    )
    starts = np.concatenate([np.zeros((1, envs)), ends[:-1]])
    for t in range(steps):
        buffer.add(
            np.zeros((envs, 2)), np.zeros((envs, 1)), rewards[t], starts[t],
            torch.from_numpy(values[t]), torch.zeros(envs),
        )  # fmt: skip
    buffer.compute_returns_and_advantage(torch.from_numpy(values[-1]), ends[-1])
    ours = lab3_actor_critic.td_by_definition(rewards, values[:-1], values[1:], ends, gamma)
    np.testing.assert_allclose(buffer.advantages, ours, rtol=1e-4, atol=1e-5)


def test_a2c_loss_against_stable_baselines3():
    """One A2C.train of a linear model by plain gradient descent moves it by our gradients."""
    import gymnasium as gym

    class Silent(gym.Env):
        observation_space = gym.spaces.Box(-10, 10, (6,), dtype=np.float32)
        action_space = gym.spaces.Discrete(4)

    rng = np.random.default_rng(0)
    size, rate, value_coef, entropy_coef = 11, 0.05, 0.4, 0.07
    obs = rng.normal(size=(size, 6)).astype(np.float32)
    policy, value = rng.normal(size=(6, 4)), rng.normal(size=6)
    advantages, returns = rng.normal(size=size), rng.normal(size=size) * 3
    actions = rng.integers(0, 4, size)
    peer = A2C(
        "MlpPolicy", Silent(), learning_rate=rate, n_steps=size, ent_coef=entropy_coef,
        vf_coef=value_coef, max_grad_norm=1e9, normalize_advantage=False, use_rms_prop=False,
        policy_kwargs={"net_arch": [], "optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}},
        device="cpu",
    )  # fmt: skip
    logged = Logger(folder=None, output_formats=[])
    peer.set_logger(logged)
    with torch.no_grad():
        peer.policy.action_net.weight.copy_(torch.tensor(policy.T))
        peer.policy.value_net.weight.copy_(torch.tensor(value[None]))
        peer.policy.action_net.bias.zero_()
        peer.policy.value_net.bias.zero_()
    buffer = peer.rollout_buffer
    buffer.observations[:, 0], buffer.actions[:, 0, 0] = obs, actions
    buffer.advantages[:, 0], buffer.returns[:, 0] = advantages, returns
    buffer.full = True
    peer.train()
    _, parts, g_logits, g_values = lab3_actor_critic.a2c_by_hand(
        obs @ policy, actions, obs @ value, advantages, returns, value_coef, entropy_coef
    )
    moved = policy - peer.policy.action_net.weight.detach().numpy().T
    np.testing.assert_allclose(moved / rate, obs.T @ g_logits, rtol=1e-3, atol=1e-4)
    moved = value - peer.policy.value_net.weight.detach().numpy()[0]
    np.testing.assert_allclose(moved / rate, obs.T @ g_values, rtol=1e-3, atol=1e-4)
    said = logged.name_to_value
    assert said["train/policy_loss"] == pytest.approx(parts["policy_loss"], rel=1e-4, abs=1e-6)
    assert said["train/value_loss"] == pytest.approx(parts["value_loss"], rel=1e-4)
    assert said["train/entropy_loss"] == pytest.approx(-parts["entropy"], rel=1e-4)


def test_identities_that_need_no_reference():
    rng = np.random.default_rng(1)
    entropy, slope = lab3_actor_critic.entropy_and_slope(rng.normal(size=(5, 4)))
    assert (entropy > 0).all() and (entropy < math.log(4)).all()
    np.testing.assert_allclose(slope.sum(axis=1), 0, atol=1e-12)  # a shift changes nothing
    for case in lab3_actor_critic.td_cases(rng, False):
        a = tensors(case)
        if a["gamma"] == 0.0:
            wanted = (a["rewards"] - a["values"]).numpy()
            np.testing.assert_allclose(
                array_from_plain(case["expect"]["result"]), wanted, rtol=1e-6, atol=1e-6
            )

"""Lab 1's hidden tests and visible checks tell right from wrong, and agree with their peers."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Categorical

from autograde import judge as judging
from autograde.judge import judge, lab1_policy_gradients, request
from autograde.judge.mistakes import corpus_files, load
from course_utils.checks import run_check
from course_utils.checks.codec import array_from_plain
from course_utils.checks.observe import observe

LAB = "lab1_policy_gradients"
EXERCISES = judging.exercises(LAB)


def grade(name: str, function, seed: int):
    exercise = f"{LAB}/{name}"
    with contextlib.redirect_stdout(io.StringIO()):
        observation = observe(exercise, function, request(exercise, seed)["cases"])
    return judge(exercise, seed, observation, 10.0)


def functions(name: str, kind: str):
    exercise = f"{LAB}/{name}"
    for path in corpus_files(exercise, kind):
        yield path.name, load(exercise, path.read_text(), str(path))


@pytest.mark.parametrize("name", EXERCISES)
def test_correct_solutions_keep_every_point_on_fresh_seeds(name):
    seeds = np.random.SeedSequence().generate_state(2)
    found = list(functions(name, "ok"))
    assert len(found) >= 5
    for file, function in found:
        for seed in seeds:
            verdict = grade(name, function, int(seed))
            assert verdict.score == 10.0, f"seed {seed}, {file}:\n{verdict.message}"
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = run_check(LAB, name, function)
        assert outcome.passed, f"{file}: {outcome.message}"


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_solutions_lose_points_and_are_named(name):
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    found = list(functions(name, "bad"))
    assert len(found) >= 20
    alive, unnamed, unseen = [], [], []
    for file, function in found:
        verdict = grade(name, function, seed)
        if verdict.score == 10.0:
            alive.append(file)
        elif verdict.mistake is None:
            unnamed.append(file)
        if run_check(LAB, name, function).passed:
            unseen.append(file)
    assert alive == [], f"seed {seed}"
    assert len(unnamed) <= 0.1 * len(found), f"seed {seed}: {unnamed}"
    assert len(unseen) <= 0.1 * len(found), unseen


def endless(*args):
    while True:
        pass


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def unprintable(*args):
    raise Unprintable


ODD = {
    "None": None,
    "a number": 3,
    "returns None": lambda *a: None,
    "returns a string": lambda *a: "0.5",
    "returns a list": lambda *a: [1, 2],
    "returns two strings": lambda *a: ("a", "b"),
    "returns three things": lambda *a: (1, 2, 3),
    "returns complex": lambda *a: torch.zeros(11, dtype=torch.complex64),
    "returns two complex": lambda *a: 2 * (torch.zeros(72, dtype=torch.complex64),),
    "returns sparse": lambda *a: (torch.eye(3).to_sparse(), torch.eye(3).to_sparse()),
    "returns nothing in a tensor": lambda *a: (torch.zeros(0), torch.zeros(0)),
    "returns NaN": lambda *a: (torch.full((72,), torch.nan), torch.full((72,), torch.nan)),
    "raises": lambda *a: 1 / 0,
    "raises at print": unprintable,
    "takes no argument": lambda: 1,
    "exits": lambda *a: exit(3),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", EXERCISES)
def test_odd_answers_get_one_readable_message(name, what):
    outcome = run_check(LAB, name, ODD[what])
    assert not outcome.passed
    assert outcome.message.startswith(name)
    assert "Traceback" not in outcome.message
    assert len(outcome.message.splitlines()) < 40


@pytest.mark.parametrize(
    ("name", "function", "title"),
    [
        ("sample_actions", lambda *a: [1, 2], "actions"),
        ("sample_actions", lambda *a: torch.zeros(3), "does not return two things"),
        ("score_function_gradient", lambda *a: torch.zeros(2, 7), "does not return two things"),
    ],
)
def test_what_is_no_pair_is_told_once(name, function, title):
    message = run_check(LAB, name, function).message
    assert title in message and "no entry" not in message
    assert message.count("looked at") == 1


@pytest.mark.parametrize("name", EXERCISES)
def test_an_endless_function_ends(name, monkeypatch):
    monkeypatch.setattr("course_utils.checks.observe.CPU_SECONDS_PER_CALL", 0.2)
    outcome = run_check(LAB, name, endless)
    assert outcome.mistake == "does_not_return"
    assert outcome.message.startswith(name) and "Traceback" not in outcome.message


def test_the_sampler_test_leaves_the_global_streams_alone():
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    for _, function in functions("sample_actions", "bad"):
        run_check(LAB, "sample_actions", function)
        break
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_a_gradient_that_theta_is_left_with_costs_nothing():
    """Only what the function returns counts, not how it came by it."""

    def by_backward(theta, state, action):
        theta.requires_grad_(True)
        theta.grad = None
        theta[state].log_softmax(-1)[action].backward()
        return theta.grad

    assert grade("softmax_score", by_backward, 4).passed


# --- peers -----------------------------------------------------------------------------------


def decoded(case: dict) -> list:
    return [
        torch.from_numpy(array_from_plain(value["tensor"])) if isinstance(value, dict) else value
        for value in case["args"].values()
    ]


def expected(case: dict, fact: str) -> np.ndarray:
    return array_from_plain(case["expect"][fact])


def test_log_probs_and_gradients_are_those_of_torch_categorical():
    for case in lab1_policy_gradients.select_cases(np.random.default_rng(1), False):
        logits, actions = decoded(case)
        logits = logits.double().requires_grad_()
        log_probs = Categorical(logits=logits).log_prob(actions)
        weights = torch.from_numpy(lab1_policy_gradients.weights(len(actions)))
        (gradient,) = torch.autograd.grad(log_probs @ weights, logits)
        np.testing.assert_allclose(
            expected(case, "result"), log_probs.detach(), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(expected(case, "grad:logits"), gradient, rtol=1e-5, atol=1e-6)


def test_scores_are_those_of_autograd():
    for case in lab1_policy_gradients.score_cases(np.random.default_rng(1), False):
        theta = decoded(case)[0].double().requires_grad_()
        for number, (s, a) in enumerate(case["args"]["calls (state, action)"], start=1):
            (gradient,) = torch.autograd.grad(theta[s].log_softmax(-1)[a], theta)
            fact = f"call {number}: state {s}, action {a}"
            np.testing.assert_allclose(expected(case, fact), gradient, rtol=1e-5, atol=1e-6)


def test_standard_errors_are_those_of_scipy():
    for case in lab1_policy_gradients.gradient_cases(np.random.default_rng(1), False):
        scores, returns, *rest = decoded(case)
        terms = scores.double().numpy() * (returns.double().numpy() - (rest or [0.0])[0])[:, None]
        np.testing.assert_allclose(expected(case, "mean"), terms.mean(0), rtol=1e-4, atol=1e-5)
        for choice, ddof in zip(case["expect"]["standard_error"]["of"], (1, 0), strict=True):
            if len(terms) > 1:
                error = stats.sem(terms, axis=0, ddof=ddof)
                np.testing.assert_allclose(array_from_plain(choice), error, rtol=1e-4, atol=1e-5)


def test_losses_and_gradients_are_those_of_autograd():
    for case in lab1_policy_gradients.loss_cases(np.random.default_rng(1), False):
        log_probs, weights = (tensor.double() for tensor in decoded(case))
        log_probs.requires_grad_()
        loss = -(log_probs * weights).mean()
        (gradient,) = torch.autograd.grad(loss, log_probs)
        np.testing.assert_allclose(expected(case, "result"), loss.item(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(expected(case, "grad:log_probs"), gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n", [24, 400, 4000])
@pytest.mark.parametrize("p", [0.03, 0.25, 0.5, 0.75])
def test_binomial_bounds_are_those_of_scipy(n, p):
    """Each side is left with at most half the chance of a false alarm, and hardly more is safe."""
    chance = lab1_policy_gradients.FALSE_ALARM
    low, high = lab1_policy_gradients.binomial_bounds(n, p)
    law = stats.binom(n, p)
    assert law.cdf(low - 1) + law.sf(high) <= 1.01 * chance
    assert law.cdf(low + 2) > chance / 2 or low + 2 < 0
    assert law.sf(high - 3) > chance / 2 or high == n


def test_all_bounds_of_a_run_together_are_safe():
    """Fewer than 1e-9 false alarms per honest sampler, by the sum of all chances."""
    cases = lab1_policy_gradients.sample_cases(np.random.default_rng(2), False)
    bounds = sum(
        fact.startswith(("times that", "pairs of")) for case in cases for fact in case["expect"]
    )
    assert bounds > 40 and bounds * lab1_policy_gradients.FALSE_ALARM < 1e-10

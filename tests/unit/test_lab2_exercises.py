"""Lab 2's checks and hidden tests on its corpus, on odd answers, and against their peers."""

import json
import time

import numpy as np
import pytest
import torch
from scipy import stats
from stable_baselines3.common.buffers import RolloutBuffer
from stored import assessed
from torch import nn

from autograde import judge as judging
from autograde.judge import judge, lab2_reinforce, request
from autograde.judge.mistakes import corpus_files, load
from autograde.stored_checks import generate, path_of
from course_utils.checks import run_check
from course_utils.checks.codec import array_from_plain
from course_utils.checks.observe import observe

LAB = "lab2_reinforce"
EXERCISES = judging.exercises(LAB)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def grade(name, function, seed, points=10.0):
    exercise = f"{LAB}/{name}"
    cases = request(exercise, seed)["cases"]
    return judge(exercise, seed, observe(exercise, function, cases), points)


def corpus(name, kind):
    exercise = f"{LAB}/{name}"
    for path in corpus_files(exercise, kind):
        yield path.name, load(exercise, path.read_text(encoding="utf-8"), str(path))


@pytest.fixture(scope="module")
def made() -> dict:
    """The stored numbers, made anew: every wrong solution has run on the visible inputs."""
    return json.loads(generate(LAB))


# --- right and wrong -------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXERCISES)
def test_correct_solutions_keep_every_point_and_pass_the_check(name):
    seeds = [int(s) for s in np.random.SeedSequence().generate_state(2)]
    files = 0
    for file, function in corpus(name, "ok"):
        files += 1
        assert run_check(LAB, name, function).passed, file
        for seed in seeds:
            verdict = grade(name, function, seed)
            assert verdict.score == 10.0, f"seed {seed}, {file}:\n{verdict.message}"
            assert verdict.passed and verdict.mistake is None
    assert files >= 5


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_solutions_lose_points_fail_the_check_and_are_named(name, made):
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    total, unnamed = 0, []
    for file, function in corpus(name, "bad"):
        total += 1
        verdict = grade(name, function, seed)
        assert verdict.score < 10.0, f"seed {seed}: {file} kept all its points"
        assert not verdict.passed and "not right yet" in verdict.message
        unnamed += [file] * (verdict.mistake is None)
    seen = [found for found, _ in assessed(made, name).values()]
    assert len(seen) == total >= 12
    assert sum(seen) >= 0.9 * total
    assert len(unnamed) <= 0.1 * total, f"seed {seed}: {unnamed}"


def test_the_mistakes_of_the_contract_are_in_the_corpus():
    wanted = {
        "PolicyNetwork": "softmax_at_the_end no_activation layers_in_forward flattens_time "
        "peaked_start",
        "discounted_returns": "forward_order total_everywhere discounts_the_present "
        "without_own_reward quadratic standardizes",
        "standardize": "no_eps nan_for_one mean_not_removed divides_by_variance",
        "reinforce_loss": "sign returns_attached every_pair mean_over_actions product_of_means",
        "reinforce_step": "no_zero_grad no_step returns_loss_tensor returns_detached_tensors",
    }
    for name, mistakes in wanted.items():
        files = {p.stem.removeprefix("bad_") for p in corpus_files(f"{LAB}/{name}", "bad")}
        assert set(mistakes.split()) <= files, name


def test_stored_numbers_are_in_step_with_the_corpus(made):
    """Equal up to rounding: another processor may round the last digit of a float32 otherwise."""

    def close(a, b, path=""):
        assert type(a) is type(b), path
        if isinstance(a, dict):
            assert a.keys() == b.keys(), path
            for key in a:
                close(a[key], b[key], f"{path}/{key}")
        elif isinstance(a, list):
            assert len(a) == len(b), path
            for index, pair in enumerate(zip(a, b, strict=True)):
                close(*pair, f"{path}/{index}")
        elif isinstance(a, float):
            assert a == pytest.approx(b, rel=1e-3, abs=1e-4), path
        elif isinstance(a, str) and path.endswith("/value") and a != b:
            assert float(a) == pytest.approx(float(b), rel=1e-3, abs=1e-4, nan_ok=True), path
        else:
            assert a == b, path

    close(json.loads(path_of(LAB).read_text(encoding="utf-8")), made)


# --- odd answers -----------------------------------------------------------------------------


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def recurse():
    return recurse()


ODD = {
    "None": None,
    "a number": 3,
    "a string": "policy",
    "an object": nn.Linear(4, 2),
    "returns None": lambda *a: None,
    "returns a string": lambda *a: "0.5",
    "returns a list": lambda *a: [1, 2],
    "returns a set": lambda *a: {1},
    "returns a huge array": lambda *a: torch.zeros(300_000),
    "returns complex": lambda *a: torch.zeros(11, dtype=torch.complex64),
    "returns sparse": lambda *a: torch.eye(3).to_sparse(),
    "returns NaN": lambda *a: torch.tensor(float("nan")),
    "returns a dict of nothing": lambda *a: {"loss": None, "grad_norm": "x", 3: [4]},
    "raises": lambda *a: 1 / 0,
    "raises at print": lambda *a: (_ for _ in ()).throw(Unprintable()),
    "takes no argument": lambda: 1,
    "exits": lambda *a: exit(3),
    "recursion": lambda *a: recurse(),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", EXERCISES)
def test_odd_answers_get_one_readable_message_and_nothing(name, what):
    outcome = run_check(LAB, name, ODD[what])
    assert not outcome.passed
    assert outcome.message.startswith(name)
    assert "Traceback" not in outcome.message
    assert len(outcome.message.splitlines()) < 40
    assert grade(name, ODD[what], 3).score == 0


def network_whose(forward, init=lambda self, *sizes: None):
    class Odd(nn.Module):
        def __init__(self, obs_dim, n_actions, hidden=64):
            super().__init__()
            self.net = nn.Linear(obs_dim, n_actions)
            init(self, obs_dim, n_actions, hidden)

    Odd.forward = forward
    return Odd


def forever(*args):
    while True:
        pass


ODD_NETWORKS = {
    "forward returns None": network_whose(lambda self, obs: None),
    "forward returns itself": network_whose(lambda self, obs: self),
    "forward returns a list": network_whose(lambda self, obs: self.net(obs).tolist()),
    "forward returns NaN": network_whose(lambda self, obs: self.net(obs) * float("nan")),
    "forward returns a huge tensor": network_whose(lambda self, obs: torch.zeros(300_000)),
    "forward returns integers": network_whose(lambda self, obs: self.net(obs).long()),
    "forward raises": network_whose(lambda self, obs: 1 / 0),
    "forward exits": network_whose(lambda self, obs: exit(3)),
    "forward raises the second time": network_whose(
        lambda self, obs: self.__dict__.pop("once") and self.net(obs),
        lambda self, *sizes: self.__dict__.update(once=True),
    ),
    "forward takes nothing": network_whose(lambda self: 1),
    "init raises": network_whose(lambda self, obs: obs, lambda self, *sizes: 1 / 0),
    "the module class itself": nn.Module,
    "a bare Linear": nn.Linear,
}


@pytest.mark.parametrize("what", ODD_NETWORKS)
def test_odd_networks_get_one_readable_message(what):
    outcome = run_check(LAB, "PolicyNetwork", ODD_NETWORKS[what])
    assert not outcome.passed
    assert outcome.message.startswith("PolicyNetwork")
    assert "Traceback" not in outcome.message and len(outcome.message.splitlines()) < 40


def test_an_endless_loop_ends():
    start = time.process_time()
    outcome = run_check(LAB, "PolicyNetwork", network_whose(forever))
    assert not outcome.passed and outcome.mistake == "does_not_return"
    assert time.process_time() - start < 15


@pytest.mark.parametrize("name", EXERCISES)
def test_what_is_unwritten_gets_nothing_and_is_told_so(name):
    def unwritten(*args):
        raise NotImplementedError

    verdict = grade(name, unwritten, 3)
    assert verdict.score == 0 and verdict.mistake == "not_written"
    assert f"{name} is not written yet" in verdict.message


def test_a_network_without_forward_is_unwritten_too():
    def stub(self, obs):
        raise NotImplementedError()

    assert run_check(LAB, "PolicyNetwork", network_whose(stub)).mistake == "not_written"


def test_a_class_is_called_a_class():
    assert "a class named PolicyNetwork" in run_check(LAB, "PolicyNetwork", None).message
    assert "a function named standardize" in run_check(LAB, "standardize", None).message


def test_the_check_leaves_the_students_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    _, network = next(corpus("PolicyNetwork", "ok"))
    run_check(LAB, "PolicyNetwork", network)
    assert torch.equal(torch.rand(3), expected)


def test_other_names_inside_the_network_do_not_hide_the_mistake():
    class PolicyNetwork(nn.Module):
        def __init__(self, obs_dim, n_actions, hidden=64):
            super().__init__()
            sizes = [obs_dim, hidden, hidden, hidden, n_actions]
            self.stack = nn.ModuleList(map(nn.Linear, sizes, sizes[1:]))

        def forward(self, obs):
            for layer in self.stack[:-1]:
                obs = nn.functional.silu(layer(obs))
            return self.stack[-1](obs).softmax(-1)

    outcome = run_check(LAB, "PolicyNetwork", PolicyNetwork)
    assert outcome.mistake == "softmax_at_the_end"


def test_partial_credit_by_aspect():
    def leaking(logits, actions, returns):
        log_p = logits.log_softmax(-1)[torch.arange(len(actions)), actions]
        return -(log_p * returns).mean()  # right value, gradient into the returns

    verdict = grade("reinforce_loss", leaking, 2)
    assert [a["name"] for a in verdict.aspects if not a["passed"]] == ["gradient"]
    assert 0 < verdict.score < 10


@pytest.mark.parametrize("name", ["PolicyNetwork", "reinforce_step"])
def test_no_forged_observation_breaks_the_judge(name):
    exercise = f"{LAB}/{name}"
    _, function = next(corpus(name, "ok"))
    observed = observe(exercise, function, request(exercise, 5)["cases"])
    odd = [None, [], {}, "x", -1, 1e400, {"array": "float32", "shape": [10**9], "data": []}]
    for entry in observed["cases"]:
        for fact, true in entry["facts"].items():
            for value in odd:
                entry["facts"][fact] = value
                verdict = judge(exercise, 5, observed, 4.0)
                assert 0.0 <= verdict.score <= 4.0
            entry["facts"][fact] = true
    assert judge(exercise, 5, observed, 4.0).score == 4.0


@pytest.mark.parametrize("name", EXERCISES)
def test_a_request_holds_no_answer(name):
    wanted = request(f"{LAB}/{name}", 7)
    assert "expect" not in json.dumps(wanted)
    for case in wanted["cases"]:
        assert set(case) <= {"name", "args", "wrt", "cpu_seconds"}
    assert wanted != request(f"{LAB}/{name}", 8)


# --- references against their peers ----------------------------------------------------------


def arguments(case):
    """The decoded arguments of a case, tensors in float64."""
    found = []
    for value in case["args"].values():
        if isinstance(value, dict):
            tensor = torch.from_numpy(array_from_plain(value["tensor"]))
            value = tensor.double() if tensor.is_floating_point() else tensor
        found.append(value)
    return found


def test_returns_against_stable_baselines3():
    """Its buffer with lambda = 1 and a critic that says 0 everywhere computes plain returns."""
    import gymnasium as gym

    for case in lab2_reinforce.returns_cases(np.random.default_rng(3), False):
        rewards, gamma, *last = arguments(case)
        buffer = RolloutBuffer(
            len(rewards), gym.spaces.Box(-1, 1, (1,)), gym.spaces.Discrete(2),
            gae_lambda=1.0, gamma=gamma, device="cpu",
        )  # fmt: skip
        buffer.rewards[:, 0] = rewards
        buffer.episode_starts[:] = 0
        buffer.compute_returns_and_advantage(torch.tensor(last or [0.0]), np.zeros(1))
        expected = array_from_plain(case["expect"]["result"])
        np.testing.assert_allclose(expected, buffer.returns[:, 0], rtol=1e-4, atol=1e-4)


def test_standardized_batches_against_scipy():
    rng = np.random.default_rng(4)
    for case in lab2_reinforce.standard_cases(rng, False):
        x = arguments(case)[0].numpy()
        expect = case["expect"]["result"]
        if expect["is"] == "tensor":  # a constant
            assert not array_from_plain(expect).any()
            continue
        for choice, ddof in zip(expect["of"], (0, 1), strict=True):
            np.testing.assert_allclose(
                array_from_plain(choice), stats.zscore(x, ddof=ddof), rtol=1e-5, atol=1e-6
            )


def test_the_loss_and_its_gradient_against_autograd():
    for case in lab2_reinforce.loss_cases(np.random.default_rng(5), False):
        logits, actions, returns = arguments(case)
        logits.requires_grad_(True)
        log_p = torch.distributions.Categorical(logits=logits).log_prob(actions)
        loss = -(log_p * returns).mean()
        (gradient,) = torch.autograd.grad(loss, logits)
        expect = case["expect"]
        assert loss.item() == pytest.approx(
            float(array_from_plain(expect["result"])), rel=1e-5, abs=1e-5
        )
        np.testing.assert_allclose(
            gradient.numpy(), array_from_plain(expect["grad:logits"]), rtol=1e-4, atol=1e-6
        )


def test_a_step_against_autograd_and_the_optimizer():
    rng = np.random.default_rng(6)
    weight, bias = rng.normal(size=(6, 4)), rng.normal(size=4)
    obs, actions = rng.normal(size=(11, 6)), rng.integers(0, 4, 11)
    returns = rng.normal(1.0, 2.0, 11)
    loss, g_weight, g_bias = lab2_reinforce.step_by_hand(weight, bias, obs, actions, returns)
    layer = nn.Linear(6, 4, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight.T))
        layer.bias.copy_(torch.tensor(bias))
    losses = nn.functional.cross_entropy(
        layer(torch.tensor(obs)), torch.tensor(actions), reduction="none"
    )
    peer = (losses * torch.tensor(returns)).mean()
    peer.backward()
    assert loss == pytest.approx(peer.item())
    np.testing.assert_allclose(g_weight, layer.weight.grad.numpy().T, atol=1e-12)
    np.testing.assert_allclose(g_bias, layer.bias.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("n_actions", [2, 3, 9])
def test_no_policy_with_enough_entropy_is_called_peaked(n_actions):
    rng = np.random.default_rng(n_actions)
    limit = lab2_reinforce.largest_probability(n_actions, share=0.8)
    p = rng.dirichlet(np.full(n_actions, 2.0), size=20_000)
    entropy = -(p * np.log(p)).sum(axis=1)
    enough = entropy >= 0.8 * np.log(n_actions)
    assert enough.any() and (p[enough].max(axis=1) <= limit + 1e-9).all()
    # And the bound is attained, by one action of that probability and equal others.
    rest = (1 - limit) / (n_actions - 1)
    least = -limit * np.log(limit) - (1 - limit) * np.log(rest)
    assert least == pytest.approx(0.8 * np.log(n_actions), rel=1e-6)

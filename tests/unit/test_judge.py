"""The judge tells right from wrong: on the corpus, on fresh seeds, and on hostile observations."""

import copy
import json

import numpy as np
import pytest

from autograde import judge as judging
from autograde.judge import _cases, judge, request
from autograde.judge.mistakes import corpus_files, load
from course_utils.checks.observe import observe

LAB = "lab5_ppo"
EXERCISES = judging.exercises(LAB)


def grade(exercise: str, function, seed: int, points: float = 10.0):
    return judge(
        exercise, seed, observe(exercise, function, request(exercise, seed)["cases"]), points
    )


@pytest.mark.parametrize("name", EXERCISES)
def test_correct_solutions_keep_every_point_on_fresh_seeds(name):
    exercise = f"{LAB}/{name}"
    files = corpus_files(exercise, "ok")
    assert len(files) >= 3
    for seed in np.random.SeedSequence().generate_state(2):
        for path in files:
            function = load(exercise, path.read_text(), str(path))
            verdict = grade(exercise, function, int(seed))
            assert verdict.score == 10.0, f"seed {seed}, {path.name}:\n{verdict.message}"
            assert verdict.passed and verdict.mistake is None


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_solutions_lose_points_and_most_are_named(name):
    exercise = f"{LAB}/{name}"
    files = corpus_files(exercise, "bad")
    assert len(files) >= 8
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    unnamed = []
    for path in files:
        function = load(exercise, path.read_text(), str(path))
        verdict = grade(exercise, function, seed)
        assert verdict.score < 10.0, f"seed {seed}: {path.name} kept all its points"
        assert not verdict.passed
        assert "not right yet" in verdict.message
        if verdict.mistake is None:
            unnamed.append(path.name)
    assert len(unnamed) <= 0.1 * len(files), f"seed {seed}: {unnamed}"


@pytest.mark.parametrize("name", EXERCISES)
def test_an_unwritten_function_gets_nothing_and_is_told_so(name):
    def unwritten(*args):
        raise NotImplementedError

    verdict = grade(f"{LAB}/{name}", unwritten, 3)
    assert verdict.score == 0
    assert verdict.mistake == "not_written"
    assert f"{name} is not written yet" in verdict.message


def test_fresh_seeds_give_fresh_inputs_and_one_seed_the_same():
    first, again, other = (request(f"{LAB}/approx_kl", s) for s in (1, 1, 2))
    assert first == again
    assert first["cases"][0]["args"] != other["cases"][0]["args"]


@pytest.mark.parametrize("name", EXERCISES)
def test_a_request_holds_no_answer(name):
    exercise = f"{LAB}/{name}"
    wanted = request(exercise, 7)
    assert "expect" not in json.dumps(wanted)
    assert set(wanted) == {"exercise", "function", "cases"}
    for case in wanted["cases"]:
        assert set(case) <= {"name", "args", "wrt", "cpu_seconds"}


@pytest.mark.parametrize(
    "observation",
    [
        None,
        [],
        "100",
        {},
        {"callable": True},
        {"callable": True, "cases": []},
        {"callable": True, "cases": [1, 2, 3]},
        {"callable": False, "cases": [{"name": "x"}]},
        {"callable": "yes", "cases": []},
    ],
)
def test_a_malformed_observation_is_worth_nothing(observation):
    verdict = judge(f"{LAB}/probability_ratio", 1, observation, 4.0)
    assert verdict.score == 0 and not verdict.passed


def corrupted(observed: dict):
    """Yield copies of an observation, each with one value replaced by something odd."""
    odd = [None, [], {}, "x", -1, 1e400, {"array": "float32", "shape": [10**9], "data": []}]

    def walk(value, path=()):
        if isinstance(value, dict):
            for key in value:
                yield from walk(value[key], (*path, key))
        elif isinstance(value, list):
            for index in range(min(len(value), 2)):
                yield from walk(value[index], (*path, index))
        if path:
            yield path

    for path in list(walk(observed)):
        for replacement in odd:
            broken = copy.deepcopy(observed)
            target = broken
            for key in path[:-1]:
                target = target[key]
            target[path[-1]] = replacement
            yield broken


@pytest.mark.parametrize("name", ["probability_ratio", "minibatch_indices", "ppo_update"])
def test_no_forged_observation_breaks_the_judge(name):
    exercise = f"{LAB}/{name}"
    path = corpus_files(exercise, "ok")[0]
    observed = observe(
        exercise, load(exercise, path.read_text(), str(path)), request(exercise, 5)["cases"]
    )
    rng = np.random.default_rng(0)
    tries = list(corrupted(observed))
    for index in rng.choice(len(tries), size=min(len(tries), 60), replace=False):
        verdict = judge(exercise, 5, tries[index], 4.0)
        assert 0.0 <= verdict.score <= 4.0


def test_a_failure_is_worth_nothing_and_says_why():
    verdict = judge(f"{LAB}/approx_kl", 1, None, 4.0, failure="timeout")
    assert verdict.score == 0 and "time allowed" in verdict.message
    verdict = judge(f"{LAB}/approx_kl", 1, None, 4.0, failure="kernel died")
    assert verdict.score == 0 and "kernel" in verdict.message


def test_partial_credit_by_aspect():
    import torch

    def leaking(new_log_probs, old_log_probs):
        return torch.exp(new_log_probs - old_log_probs)  # right value, gradient into the old ones

    verdict = grade(f"{LAB}/probability_ratio", leaking, 2)
    assert 0 < verdict.score < 10
    assert [a["name"] for a in verdict.aspects if not a["passed"]] == ["gradient"]
    assert "Points for everything except: gradient" in verdict.message


def test_a_constant_earns_nothing():
    import torch

    for name in ("probability_ratio", "clipped_surrogate_loss", "approx_kl", "linear_schedule"):
        verdict = grade(f"{LAB}/{name}", lambda *a: torch.zeros(()), 2)
        assert verdict.score == 0


def test_unknown_exercises_are_named():
    with pytest.raises(ValueError, match="it has: probability_ratio"):
        request(f"{LAB}/nonsense", 1)
    with pytest.raises(ValueError, match="lab5_ppo"):
        judging.exercises("lab99")
    assert not judging.has("lab99/x") and judging.has(f"{LAB}/ppo_update")


def test_cases_follow_the_rules_of_size_and_sign():
    """R1 to R5 where they apply: different sizes, both signs, B = 1."""
    for name in ("probability_ratio", "clipped_surrogate_loss", "clipped_value_loss"):
        sizes = set()
        for case in _cases(f"{LAB}/{name}", 3):
            first = next(iter(case["args"].values()))["tensor"]
            sizes.add(first["shape"][0])
        assert 1 in sizes and len(sizes) >= 3
    for case in _cases(f"{LAB}/clipped_surrogate_loss", 3):
        data = case["args"]["advantages"]["tensor"]["data"]
        assert len(data) == 1 or (min(data) < 0 < max(data))


def test_hidden_test_in_one_process_gives_the_same_marks(capsys):
    import torch

    from autograde.hidden import hidden_test
    from autograde.judge import reference

    points = reference.points(f"{LAB}/probability_ratio")

    def right(new_log_probs, old_log_probs):
        return torch.exp(new_log_probs - old_log_probs.detach())

    assert hidden_test(f"{LAB}/probability_ratio", right) == points
    assert "correct" in capsys.readouterr().out
    assert hidden_test(f"{LAB}/probability_ratio", lambda new, old: new - old) == 0
    assert "not right yet" in capsys.readouterr().out


def test_a_second_small_mistake_does_not_hide_the_name_of_the_first():
    """The nearest known mistake gives the name: here the sign, with a wrong corner on top."""
    import torch

    def two_mistakes(new, old, advantages, epsilon):
        ratio = torch.exp(new - old.detach())
        a = advantages.detach()
        bounded = torch.minimum(ratio * a, ratio.clamp(1 - epsilon, 1 + epsilon) * a)
        return bounded.mean() * (0.9 if len(a) == 5 else 1.0)

    assert grade(f"{LAB}/clipped_surrogate_loss", two_mistakes, 8).mistake == "sign_flipped"


def test_a_constant_factor_is_named_as_such():
    import torch

    verdict = grade(
        f"{LAB}/approx_kl", lambda n, o: 3 * (torch.expm1(n - o) - (n - o)).mean().item(), 8
    )
    assert verdict.mistake == "constant_factor" and "3 times" in verdict.message


def test_float32_inside_a_schedule_costs_nothing():
    f = np.float32
    for seed in range(25):
        verdict = grade(
            f"{LAB}/linear_schedule",
            lambda update, n, initial: float(f(initial) - f(initial) * f(update) / f(n)),
            seed,
        )
        assert verdict.passed, verdict.message

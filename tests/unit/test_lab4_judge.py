"""Lab 4's tests tell right from wrong: corpus, fresh seeds, peers, odd and hostile answers."""

from __future__ import annotations

import json
import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.buffers import RolloutBuffer
from stored import assessed
from test_checks import ODD
from test_judge import corrupted

from autograde import judge as judging
from autograde.judge import judge, lab4_gae, request
from autograde.judge.mistakes import corpus_files, load
from autograde.stored_checks import generate, path_of
from course_utils.checks import run_check
from course_utils.checks.codec import array_from_plain
from course_utils.checks.drivers.lab4 import same_step_infos
from course_utils.checks.observe import observe

LAB = "lab4_gae"
EXERCISES = judging.exercises(LAB)
SLOW = "bad_double_loop"  # right, but its work grows with the square of the steps


@pytest.fixture
def shorter(monkeypatch):
    """A long rollout of 600 steps in place of 5000: for everything but what it costs."""
    monkeypatch.setattr(lab4_gae, "LONG", 600)
    yield
    judging._cases.cache_clear()


def fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


def solution(exercise: str, name: str):
    """The function of a file of the corpus."""
    (path,) = [p for kind in ("ok", "bad") for p in corpus_files(exercise, kind) if p.stem == name]
    return load(exercise, path.read_text(), str(path))


def grade(exercise: str, function, seed: int, points: float = 10.0):
    observed = observe(exercise, function, request(exercise, seed)["cases"])
    return judge(exercise, seed, observed, points)


@pytest.fixture(scope="module")
def made() -> dict:
    """The stored numbers, made anew: every wrong solution has run on the visible inputs."""
    return json.loads(generate(LAB))


# --- the corpus ------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [5000, 600])
@pytest.mark.parametrize("name", EXERCISES)
def test_correct_solutions_keep_every_point_and_pass_the_check(name, steps, monkeypatch):
    monkeypatch.setattr(lab4_gae, "LONG", steps)  # the usual cost once, then a cheaper seed
    judging._cases.cache_clear()
    exercise, seed = f"{LAB}/{name}", fresh_seed()
    files = corpus_files(exercise, "ok")
    assert len(files) >= 5
    for path in files:
        function = load(exercise, path.read_text(), str(path))
        outcome = run_check(LAB, name, function)
        assert outcome.passed, f"{path.name}: {outcome.message}"
        verdict = grade(exercise, function, seed)
        assert verdict.score == 10.0, f"seed {seed}, {path.name}:\n{verdict.message}"
        assert verdict.passed and verdict.mistake is None
    judging._cases.cache_clear()


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_solutions_lose_points_are_caught_and_named(name, shorter, made):
    exercise = f"{LAB}/{name}"
    files = [p for p in corpus_files(exercise, "bad") if p.stem != SLOW]
    assert len(files) >= 12
    seed = fresh_seed()
    unnamed = []
    for path in files:
        function = load(exercise, path.read_text(), str(path))
        verdict = grade(exercise, function, seed)
        assert verdict.score < 10.0, f"seed {seed}: {path.name} kept all its points"
        assert not verdict.passed and "not right yet" in verdict.message
        unnamed += [path.name] * (verdict.mistake is None)
    assert unnamed == [], seed
    seen = assessed(made, name)
    assert {f"bad_{mistake}" for mistake in seen} - {SLOW} == {path.stem for path in files}
    assert [m for m, o in seen.items() if f"bad_{m}" != SLOW and not (o[0] and o[1])] == []


def test_work_that_grows_with_the_square_of_the_steps_costs_a_little():
    function = solution(f"{LAB}/gae", SLOW)
    observed = observe(f"{LAB}/gae", function, request(f"{LAB}/gae", 1)["cases"])
    slow = [e["name"] for e in observed["cases"] if e["status"] == "timeout"]
    slow += [e["name"] for e in observed["cases"] if e["facts"].get("cpu_seconds", 0) > 2]
    assert set(slow) == {"a long rollout"}


def test_stored_numbers_are_in_step_with_the_corpus(made):
    """Equal up to rounding: another processor may round the last digit of a float32 otherwise."""

    def flat(value, path=""):
        if isinstance(value, dict):
            for key in value:
                yield from flat(value[key], f"{path}/{key}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from flat(item, f"{path}/{index}")
        else:
            yield path, value

    stored = dict(flat(json.loads(path_of(LAB).read_text())))
    fresh = dict(flat(made))
    assert stored.keys() == fresh.keys()
    for path, value in fresh.items():
        if stored[path] != value:
            near = pytest.approx(float(value), rel=1e-3, abs=1e-4, nan_ok=True)
            assert float(stored[path]) == near, path


def test_stored_numbers_hold_no_code():
    text = path_of(LAB).read_text()
    assert not re.search(r"\bdef |reversed\(|~\(terminated|gamma \* lam", text)


# --- peers -----------------------------------------------------------------------------------


def decoded(case: dict) -> dict:
    return {
        name: array_from_plain(value["tensor"]) if isinstance(value, dict) else value
        for name, value in case["args"].items()
    }


def peer_advantages(a: dict) -> tuple[np.ndarray, np.ndarray]:
    """Stable-Baselines3's rollout buffer, told of time limits the way its algorithms tell it.

    It knows only dones: `collect_rollouts` adds gamma V(final) to the reward where an episode was
    truncated and not terminated.
    """
    steps, envs = a["rewards"].shape
    space = gym.spaces.Box(-1, 1, (1,))
    buffer = RolloutBuffer(
        steps, space, gym.spaces.Discrete(2), gae_lambda=a["lam"], gamma=a["gamma"], n_envs=envs
    )
    done = a["terminated"] | a["truncated"]
    only_time = a["truncated"] & ~a["terminated"]
    buffer.rewards[:] = a["rewards"] + a["gamma"] * a["next_values"] * only_time
    buffer.values[:] = a["values"]
    buffer.episode_starts[1:] = done[:-1]
    buffer.compute_returns_and_advantage(torch.from_numpy(a["next_values"][-1]), done[-1])
    return buffer.advantages, buffer.returns


@pytest.mark.parametrize("seed", range(3))
def test_expected_advantages_against_stable_baselines3(seed):
    for case in lab4_gae.gae_cases(np.random.default_rng(seed), False):
        advantages, returns = peer_advantages(decoded(case))
        for ours, theirs in (("advantages", advantages), ("returns", returns)):
            wanted = array_from_plain(case["expect"][ours])
            np.testing.assert_allclose(wanted, theirs, rtol=2e-4, atol=2e-5, err_msg=case["name"])


def drawn(steps: int, envs: int, seed: int) -> tuple[dict, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    terminated, truncated = rng.random((2, steps, envs)) < 0.15
    return lab4_gae._rollout(rng, terminated, truncated), terminated, truncated


def test_lambda_0_is_the_td_error_and_lambda_1_the_return_minus_the_value():
    data, terminated, truncated = drawn(12, 4, 0)
    r, v, nv = data.values()
    zero = lab4_gae.advantage_sums(r, v, nv, terminated, truncated, 0.9, 0.0)
    np.testing.assert_allclose(zero, r + 0.9 * np.where(terminated, 0, nv) - v, atol=1e-12)
    one = lab4_gae.advantage_sums(r, v, nv, terminated, truncated, 0.9, 1.0)
    for n in range(4):
        for t in range(12):
            total, weight = 0.0, 1.0
            for k in range(t, 12):
                total, weight = total + weight * r[k, n], 0.9 * weight
                if terminated[k, n]:
                    break
                if truncated[k, n] or k == 11:
                    total += weight * nv[k, n]
                    break
            assert one[t, n] == pytest.approx(total - v[t, n], abs=1e-9)


def test_a_rollout_split_at_an_end_is_two_rollouts():
    data, terminated, truncated = drawn(10, 3, 1)
    truncated[5], terminated[5] = True, False
    whole = lab4_gae.advantage_sums(*data.values(), terminated, truncated, 0.9, 0.7)
    for part in (slice(0, 6), slice(6, 10)):
        pieces = [x[part] for x in (*data.values(), terminated, truncated)]
        np.testing.assert_allclose(lab4_gae.advantage_sums(*pieces, 0.9, 0.7), whole[part])


def test_no_row_depends_on_what_comes_after_its_episode():
    """The judge's inputs show a leak: the next episode differs, the advantages may not."""
    data, terminated, truncated = drawn(8, 2, 2)
    terminated[:], truncated[:] = False, False
    truncated[3] = True
    first = lab4_gae.advantage_sums(*data.values(), terminated, truncated, 0.9, 0.7)
    data["rewards"][4:] += 5.0
    second = lab4_gae.advantage_sums(*data.values(), terminated, truncated, 0.9, 0.7)
    np.testing.assert_array_equal(first[:4], second[:4])
    assert (first[4:] != second[4:]).all()


def test_expected_explained_variance_against_stable_baselines3():
    from stable_baselines3.common.utils import explained_variance

    for case in lab4_gae.explained_cases(np.random.default_rng(0), False):
        a = decoded(case)
        with np.errstate(all="ignore"):
            theirs = explained_variance(a["predicted"], a["target"])
        ours = float(case["expect"]["result"]["value"])
        assert ours == pytest.approx(float(theirs), rel=1e-4, abs=1e-5, nan_ok=True), case["name"]


# --- inputs ----------------------------------------------------------------------------------


def test_every_kind_of_end_at_every_kind_of_place():
    """R4: terminated, truncated, both; at the first, a middle and the last step; one never ends."""
    (case,) = [
        c for c in lab4_gae.gae_cases(np.random.default_rng(0), False)
        if c["name"] == "ends of every kind"
    ]  # fmt: skip
    a = decoded(case)
    terminated, truncated = a["terminated"], a["truncated"]
    last = len(terminated) - 1
    for alone, other in ((terminated, truncated), (truncated, terminated)):
        steps = set(np.flatnonzero((alone & ~other).any(axis=1)))
        assert {0, last} <= steps and steps - {0, last}
    assert (terminated & truncated).any()
    assert not (terminated | truncated).any(axis=0).all()
    goes_on = ~(terminated | truncated)[:-1]
    np.testing.assert_array_equal(a["next_values"][:-1][goes_on], a["values"][1:][goes_on])
    assert (a["next_values"][:-1] != a["values"][1:])[~goes_on].all()
    assert a["gamma"] - a["lam"] > 0.1


def test_infos_are_those_of_gymnasiums_vector_environment():
    envs = gym.make_vec(
        "CartPole-v1", 3, vectorization_mode="sync", max_episode_steps=15,
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )  # fmt: skip
    envs.reset(seed=0)
    seen = set()
    for step in range(40):
        _, _, terminated, truncated, real = envs.step(np.array([1, 1, step % 2]))
        done = terminated | truncated
        seen.add(int(done.sum()))
        rows = [real["final_obs"][i] if d else None for i, d in enumerate(done)]
        ours = same_step_infos(rows, done)
        assert ours.keys() == real.keys()
        for key in real:
            assert type(ours[key]) is type(real[key]), key
            if isinstance(real[key], np.ndarray):
                assert ours[key].dtype == real[key].dtype and ours[key].shape == real[key].shape
    envs.close()
    assert {0, 1} <= seen


@pytest.mark.parametrize("name", EXERCISES)
def test_a_request_holds_no_answer(name):
    wanted = request(f"{LAB}/{name}", 7)
    assert set(wanted) == {"exercise", "function", "cases"}
    for case in wanted["cases"]:
        assert set(case) <= {"name", "args", "wrt", "cpu_seconds"}


# --- messages and points ---------------------------------------------------------------------


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", EXERCISES)
def test_odd_inputs_get_one_readable_message(name, what):
    outcome = run_check(LAB, name, ODD[what])
    assert not outcome.passed
    assert outcome.message.startswith(name)
    assert "Traceback" not in outcome.message
    assert len(outcome.message.splitlines()) < 40


PAIRS = {
    "one tensor": lambda r, *a: r,
    "three things": lambda r, *a: (r, r, r),
    "a dict": lambda r, *a: {"advantages": r, "returns": r},
    "numbers": lambda *a: (1.0, 2.0),
    "a string": lambda *a: "ab",
    "arrays": lambda r, *a: (r.numpy(), r.numpy()),
    "Nones": lambda *a: (None, None),
    "an endless generator": lambda *a: (x for x in iter(int, 1)),
    "ragged lists": lambda *a: ([[1], [2, 3]], []),
}


@pytest.mark.parametrize("what", PAIRS)
def test_what_is_no_pair_of_tensors_is_said_in_words(what):
    outcome = run_check(LAB, "gae", PAIRS[what])
    assert not outcome.passed and "Traceback" not in outcome.message
    assert "expected" in outcome.message and "got" in outcome.message
    if what in ("one tensor", "three things", "a dict"):
        assert "a pair: advantages, returns" in outcome.message


@pytest.mark.parametrize(
    "spoil",
    [
        lambda obs, infos, done: infos.clear() or obs.copy(),
        lambda obs, infos, done: infos.update(final_obs=3) or obs.copy(),
        lambda obs, infos, done: done.fill(False) or obs.copy(),
        lambda obs, infos, done: infos.__setitem__("final_obs", None) or obs.copy(),
    ],
)
def test_whatever_is_done_to_the_infos_is_seen(spoil):
    outcome = run_check(LAB, "true_next_obs", spoil)
    assert not outcome.passed and "Traceback" not in outcome.message


@pytest.mark.parametrize("name", EXERCISES)
def test_an_unwritten_function_gets_nothing_and_is_told_so(name):
    def unwritten(*args):
        raise NotImplementedError

    verdict = grade(f"{LAB}/{name}", unwritten, 3)
    assert verdict.score == 0 and verdict.mistake == "not_written"
    assert f"{name} is not written yet" in verdict.message


def test_an_endless_loop_ends(monkeypatch):
    monkeypatch.setattr("course_utils.checks.observe.CPU_SECONDS_PER_CALL", 0.3)

    def endless(*args):
        while True:
            pass

    for name in EXERCISES:
        outcome = run_check(LAB, name, endless)
        assert not outcome.passed and outcome.mistake == "does_not_return"


def test_the_mistakes_of_the_contract_are_named_in_words():
    told = {
        ("gae", "bad_time_limit_is_death"): "a time limit is treated as the end of the task",
        ("gae", "bad_truncation_not_cut"): "At a time limit the next row belongs to another",
        ("gae", "bad_gamma_lambda_swapped"): "Gamma and lambda have changed places",
        ("true_next_obs", "bad_key_missing"): "When nobody is done there is no such key",
        ("explained_variance", "bad_mean_squared_residual"): "off by a constant is punished",
    }
    for (name, file), words in told.items():
        outcome = run_check(LAB, name, solution(f"{LAB}/{name}", file))
        assert words in " ".join(outcome.message.split())
        assert outcome.mistake == file.removeprefix("bad_")


def lost(name: str, file: str) -> dict[str, float]:
    """The aspects that a wrong solution loses, with their weights."""
    verdict = grade(f"{LAB}/{name}", solution(f"{LAB}/{name}", file), 4)
    return {a["name"]: a["weight"] for a in verdict.aspects if not a["passed"]}


@pytest.mark.parametrize(
    ("name", "file", "aspects"),
    [
        ("gae", "bad_time_limit_wins", {"both_flags"}),
        ("gae", "bad_gradient_leaks", {"gradient"}),
        ("gae", "bad_modifies_rewards", {"purity"}),
        ("gae", "bad_returns_are_advantages", {"returns"}),
        ("true_next_obs", "bad_key_missing", {"nobody"}),
        ("true_next_obs", "bad_modifies_next_obs", {"purity"}),
        ("explained_variance", "bad_infinite_for_constant", {"constant_target"}),
    ],
)
def test_one_fault_costs_its_own_points_only(name, file, aspects, shorter):
    assert set(lost(name, file)) - {"time_limits", "corners"} == aspects
    assert sum(lost(name, file).values()) <= 0.35


def test_returns_that_follow_from_wrong_advantages_are_not_charged_again(shorter):
    assert "returns" not in lost("gae", "bad_time_limit_is_death")


def test_a_constant_earns_nothing(shorter):
    assert grade(f"{LAB}/gae", lambda r, *a: (0 * r, 0 * r), 2).score == 0
    assert grade(f"{LAB}/explained_variance", lambda p, t: 0.5, 2).score == 0
    assert grade(f"{LAB}/true_next_obs", lambda o, i, d: 0 * o, 2).score == 0


@pytest.mark.parametrize("name", EXERCISES)
def test_no_forged_observation_breaks_the_judge(name, shorter):
    exercise = f"{LAB}/{name}"
    path = corpus_files(exercise, "ok")[0]
    function = load(exercise, path.read_text(), str(path))
    observed = observe(exercise, function, request(exercise, 5)["cases"][:-1])
    observed["cases"].append(observed["cases"][-1])  # the long one is too long to copy so often
    tries = list(corrupted(observed))
    for index in np.random.default_rng(0).choice(len(tries), size=40, replace=False):
        verdict = judge(exercise, 5, tries[index], 4.0)
        assert 0.0 <= verdict.score <= 4.0


def test_a_warning_and_a_stacked_tensor_cost_nothing(shorter):
    import warnings

    right = solution(f"{LAB}/gae", "ok_loop_buffer")

    def noisy(*args):
        warnings.warn("careful", stacklevel=1)
        print("working")
        return torch.stack(right(*args))

    assert run_check(LAB, "gae", noisy).passed
    assert grade(f"{LAB}/gae", noisy, 6).passed

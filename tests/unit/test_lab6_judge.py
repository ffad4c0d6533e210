"""Lab 6's tests tell right from wrong: corpus, fresh seeds, peers, odd and hostile answers."""

from __future__ import annotations

import copy
import json
import math
import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scipy.stats import bootstrap, trim_mean
from stored import assessed
from test_checks import ODD
from torch import nn

from autograde import judge as judging
from autograde.judge import judge, lab6_lunar_lander, request
from autograde.judge.mistakes import corpus_files, load
from autograde.stored_checks import generate, path_of
from course_utils.checks import run_check
from course_utils.checks.codec import array_from_plain, decode
from course_utils.checks.drivers import lab6 as drivers_lab6
from course_utils.checks.observe import observe

LAB = "lab6_lunar_lander"
EXERCISES = judging.exercises(LAB)
SEED = 4
"""One for all tests that any seed would do for: the known mistakes run once."""


def fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0])


def solution(name: str, file: str):
    """The function of a file of the corpus."""
    exercise = f"{LAB}/{name}"
    (path,) = [p for kind in ("ok", "bad") for p in corpus_files(exercise, kind) if p.stem == file]
    return load(exercise, path.read_text(), str(path))


def grade(name: str, function, seed: int, points: float = 10.0):
    exercise = f"{LAB}/{name}"
    observed = observe(exercise, function, request(exercise, seed)["cases"])
    return judge(exercise, seed, observed, points)


def decoded(case: dict) -> dict:
    return {name: decode(value) for name, value in case["args"].items()}


# --- the corpus ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXERCISES)
def test_correct_solutions_keep_every_point_and_pass_the_check(name):
    exercise = f"{LAB}/{name}"
    files = corpus_files(exercise, "ok")
    assert len(files) >= 5
    seed = fresh_seed()
    for path in files:
        function = load(exercise, path.read_text(), str(path))
        outcome = run_check(LAB, name, function)
        assert outcome.passed, f"{path.name}: {outcome.message}"
        verdict = grade(name, function, seed)
        assert verdict.score == 10.0, f"seed {seed}, {path.name}:\n{verdict.message}"
        assert verdict.passed and verdict.mistake is None


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_solutions_lose_points_are_caught_and_named(name):
    exercise, seed = f"{LAB}/{name}", fresh_seed()
    files = corpus_files(exercise, "bad")
    assert len(files) >= 12
    unnamed = []
    for path in files:
        function = load(exercise, path.read_text(), str(path))
        verdict = grade(name, function, seed)
        assert verdict.score < 10.0, f"seed {seed}: {path.name} kept all its points"
        assert not verdict.passed and "not right yet" in verdict.message
        unnamed += [path.name] * (verdict.mistake is None)
    assert unnamed == [], seed


@pytest.fixture(scope="module")
def made() -> dict:
    """The stored numbers, made anew: every wrong solution has run on the visible inputs."""
    return json.loads(generate(LAB))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_visible_check_catches_and_names_wrong_solutions(name, made):
    for mistake, (found, named) in assessed(made, name).items():
        assert found and named is not None, mistake


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
    assert not re.search(r"\bdef |torch\.|import |envs\.step\(|randint\(", text)


def test_mistakes_are_named_by_a_sentence():
    for name in EXERCISES:
        for path in corpus_files(f"{LAB}/{name}", "bad"):
            title = judging.mistakes.title(path.read_text())
            assert title.endswith(".") and 20 <= len(title) < 130, path.name


# --- orthogonal_linear: what is looked at ----------------------------------------------------


@pytest.mark.parametrize(("n_out", "n_in"), [(3, 8), (8, 3), (5, 5), (1, 4), (4, 1)])
def test_an_orthogonal_weight_stretches_all_directions_alike(n_out, n_in):
    weight = nn.init.orthogonal_(torch.empty(n_out, n_in, dtype=torch.float64), 1.7).numpy()
    facts = drivers_lab6.weight_facts(weight)
    assert facts["at_right_angles"] and facts["of_the_same_length"]
    assert float(facts["factor by which it stretches"]["value"]) == pytest.approx(1.7)
    few = min(n_out, n_in)
    gram = weight @ weight.T if n_out <= n_in else weight.T @ weight
    np.testing.assert_allclose(gram, 1.7**2 * np.eye(few), atol=1e-9)
    stretches = np.linalg.svd(weight, compute_uv=False)
    np.testing.assert_allclose(stretches, 1.7)
    if few > 1:
        one = weight if n_out <= n_in else weight.T  # a view: one of its rows gets longer
        one[0] *= 1.001
        assert not drivers_lab6.weight_facts(weight)["of_the_same_length"]
        one[0] = one[1]
        assert not drivers_lab6.weight_facts(weight)["at_right_angles"]


def test_a_weight_of_nan_is_no_orthogonal_weight():
    assert not drivers_lab6.weight_facts(np.full((2, 3), np.nan))["of_the_same_length"]
    assert not drivers_lab6.weight_facts(np.zeros((2, 3)))["at_right_angles"]

    def spoiled(n_in, n_out, gain):
        layer = nn.Linear(n_in, n_out)
        with torch.no_grad():
            layer.weight.fill_(float("nan"))
            layer.bias.zero_()
        return layer

    outcome = run_check(LAB, "orthogonal_linear", spoiled)
    assert not outcome.passed and "Traceback" not in outcome.message


# --- collect_rollout: the recorded environments are like Gymnasium's ---------------------------


class Player(gym.Env):
    """Plays one column of a record, episode after episode: for Gymnasium's own SyncVectorEnv."""

    def __init__(self, record: dict, column: int) -> None:
        size = record["reset"].shape[1]
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gym.spaces.Discrete(lab6_lunar_lander.ACTIONS)
        self.record, self.column, self.k = record, column, 0

    def reset(self, *, seed=None, options=None):
        return self.record["observations"][self.k, self.column], {}

    def step(self, action):
        assert self.action_space.contains(action)
        flags = [bool(self.record[f][self.k, self.column]) for f in ("terminated", "truncated")]
        rows = self.record["final"] if any(flags) else self.record["observations"][1:]
        obs, reward = rows[self.k, self.column], float(self.record["rewards"][self.k, self.column])
        self.k += 1
        return obs, reward, *flags, {}


def case_named(name: str, seed: int = 0) -> dict:
    cases = lab6_lunar_lander.rollout_cases(np.random.default_rng(seed), False)
    (case,) = [c for c in cases if c["name"] == name]
    return case


@pytest.mark.parametrize("copies", [True, False])
def test_recorded_environments_do_what_sync_vector_environments_do(copies):
    a = decoded(case_named("ends of every kind"))
    count = a["reset"].shape[0]
    real = SyncVectorEnv(
        [lambda n=n: Player(a, n) for n in range(count)], copy=copies,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )  # fmt: skip
    ours = drivers_lab6._recorded_class()(a, lab6_lunar_lander.ACTIONS, copies)
    assert ours.metadata["autoreset_mode"] == real.metadata["autoreset_mode"]
    assert ours.single_action_space == real.single_action_space
    assert ours.observation_space == real.observation_space
    real.reset()
    earlier = None
    for _ in range(7):
        actions = np.zeros(count, dtype=np.int64)
        theirs, mine = real.step(actions), ours.step(actions)
        for x, y in zip(theirs[:4], mine[:4], strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)
        assert theirs[4].keys() == mine[4].keys()
        for row, other in zip(theirs[4]["final_obs"], mine[4]["final_obs"], strict=True) if (
            "final_obs" in mine[4]
        ) else ():  # fmt: skip
            assert (row is None) == (other is None)
            np.testing.assert_array_equal(row, other)
        if earlier is not None:
            assert (mine[0] is earlier[1]) == (theirs[0] is earlier[0]) == (not copies)
        earlier = theirs[0], mine[0]


@pytest.mark.parametrize("actions", [torch.tensor([0, 1]), np.array([0.0, 1.0]), [0, 9], [0]])
def test_recorded_environments_refuse_what_is_no_action(actions):
    a = decoded(case_named("no episode ends"))
    envs = drivers_lab6._recorded_class()(a, lab6_lunar_lander.ACTIONS, True)
    with pytest.raises((AssertionError, ValueError), match="action"):
        envs.step(actions)


def test_every_kind_of_end_at_every_kind_of_place():
    """R4: terminated, truncated, both; at the first, a middle and the last step; one never ends."""
    a = decoded(case_named("ends of every kind"))
    steps = a["n_steps"]
    terminated, truncated = a["terminated"][:steps], a["truncated"][:steps]
    for alone, other in ((terminated, truncated), (truncated, terminated)):
        found = set(np.flatnonzero((alone & ~other).any(axis=1)))
        assert {0, steps - 1} <= found and found - {0, steps - 1}
    assert (terminated & truncated).any()
    assert not (terminated | truncated).any(axis=0).all()


def test_expected_entries_are_those_of_the_record():
    case = case_named("ends in the next rollout")
    a = decoded(case)
    rows = slice(4, 8)
    model = drivers_lab6.TwoHeads(a["policy"], a["value"])
    with torch.no_grad():
        logits, values = model(torch.from_numpy(a["observations"][rows]))
    wanted = array_from_plain(case["expect"]["values"])
    np.testing.assert_allclose(wanted, values.numpy(), rtol=1e-5, atol=1e-5)
    log_policy = torch.distributions.Categorical(logits=logits).logits
    np.testing.assert_allclose(a["log_policy"][rows], log_policy.numpy(), rtol=1e-4, atol=1e-5)
    done = a["terminated"] | a["truncated"]
    assert done[rows].any() and not done[:4].any()
    after = array_from_plain(case["expect"]["next_values"])
    goes_on = ~done[rows][:-1]
    np.testing.assert_allclose(after[:-1][goes_on], wanted[1:][goes_on], rtol=1e-5, atol=1e-5)
    assert (np.abs(after[:-1] - wanted[1:])[~goes_on] > 0.01).all()


@pytest.mark.parametrize("file", [p.stem for p in corpus_files(f"{LAB}/collect_rollout", "ok")])
def test_correct_solutions_agree_on_real_environments_with_and_without_copies(file):
    """CartPole with a short time limit: the flags and values of two runs are the same."""
    collect = solution("collect_rollout", file)
    model = drivers_lab6.TwoHeads(
        torch.tensor([[0.1, -0.2], [0.3, 0.0], [0.0, 1.0], [-0.5, 0.5]]), torch.ones(4)
    )
    rollouts = []
    for copies in (True, False):
        envs = SyncVectorEnv(
            [lambda: gym.make("CartPole-v1", max_episode_steps=12)] * 3, copy=copies,
            autoreset_mode=AutoresetMode.SAME_STEP,
        )  # fmt: skip
        obs, _ = envs.reset(seed=3)
        generator = torch.Generator().manual_seed(1)
        first, obs = collect(envs, model, obs, 20, generator)
        second, _ = collect(envs, model, obs, 20, generator)
        rollouts.append({k: torch.cat([first[k], second[k]]) for k in drivers_lab6.ENTRIES})
    for name, entry in rollouts[0].items():
        torch.testing.assert_close(entry, rollouts[1][name])
    done = rollouts[0]["terminated"] | rollouts[0]["truncated"]
    assert rollouts[0]["truncated"].any()
    after, values = rollouts[0]["next_values"][:-1], rollouts[0]["values"][1:]
    torch.testing.assert_close(after[~done[:-1]], values[~done[:-1]])


# --- evaluate: peers ---------------------------------------------------------------------------


def test_expected_returns_are_those_of_the_carousel():
    for case in lab6_lunar_lander.evaluate_cases(np.random.default_rng(0), False):
        if "returns" not in case["expect"]:
            continue
        a = decoded(case)
        policy = drivers_lab6.TwoHeads(a["policy"], a["value"], False)
        played = []
        with drivers_lab6._registered(a):
            env = gym.make(drivers_lab6.ENV_ID)
            for seed in a["seeds"]:
                obs, _ = env.reset(seed=seed)
                total, over = 0.0, False
                while not over:
                    action = int(policy(torch.from_numpy(obs)).argmax())
                    obs, reward, terminated, truncated, _ = env.step(action)
                    total, over = total + reward, terminated or truncated
                played.append(total)
        wanted = array_from_plain(case["expect"]["returns"])
        np.testing.assert_allclose(wanted, played, atol=1e-4, err_msg=case["name"])
    assert drivers_lab6.ENV_ID not in gym.registry


def test_time_limits_and_terminations_come_up():
    cases = {
        c["name"]: decoded(c)
        for c in lab6_lunar_lander.evaluate_cases(np.random.default_rng(1), False)
    }
    limited = cases["time limits"]
    assert limited["time_limit"] < limited["life"][0]
    both = cases["ends of both kinds"]
    assert both["life"][0] < both["time_limit"] < both["life"][1] - 1


def test_drawn_returns_of_an_honest_policy_lie_well_inside_the_bounds():
    """The bounds are wide for chance: what is expected lies in their middle."""
    function = solution("evaluate", "ok_numpy")
    (case,) = [
        c for c in lab6_lunar_lander.evaluate_cases(np.random.default_rng(2), False)
        if c["name"] == "drawn actions"
    ]  # fmt: skip
    (entry,) = observe(f"{LAB}/evaluate", function, [case])["cases"]
    for fact in ("mean of the returns", "standard deviation of the returns"):
        bounds = case["expect"][fact]
        middle, half = (bounds["high"] + bounds["low"]) / 2, (bounds["high"] - bounds["low"]) / 2
        assert abs(entry["facts"][fact] - middle) < 0.8 * half


# --- the statistics: peers ---------------------------------------------------------------------


def test_expected_interquartile_means_by_their_definition():
    for case in lab6_lunar_lander.iqm_cases(np.random.default_rng(0), False):
        x = sorted(decoded(case)["x"].double().tolist())
        k = len(x) // 4
        wanted = math.fsum(x[k : len(x) - k]) / (len(x) - 2 * k)
        assert float(case["expect"]["result"]["value"]) == pytest.approx(wanted), case["name"]


@pytest.mark.parametrize("size", [2, 7, 9])
def test_the_bootstrap_distribution_is_that_of_scipys_bootstrap(size):
    x = np.random.default_rng(size).lognormal(0.0, 1.0, size)
    means, likely = lab6_lunar_lander.bootstrap_distribution(x)
    assert len(means) == math.comb(2 * size - 1, size)
    assert likely.sum() == pytest.approx(1.0)
    drawn = bootstrap(
        (x,), lambda a, axis: trim_mean(a, 0.25, axis=axis), n_resamples=20_000, axis=-1,
        method="percentile", vectorized=True, random_state=np.random.default_rng(0),
    ).bootstrap_distribution  # fmt: skip
    for share in (0.05, 0.25, 0.5, 0.9):
        low, high = (lab6_lunar_lander._quantile(means, likely, share + r) for r in (-0.015, 0.015))
        assert low - 1e-9 <= np.quantile(drawn, share) <= high + 1e-9


def test_wrong_intervals_miss_by_more_than_the_room_for_chance():
    """Half or twice what the level leaves out is outside the bounds in some case of any seed."""
    for seed in range(5):
        cases = lab6_lunar_lander.interval_cases(np.random.default_rng(seed), False)
        missed = {0.5: 0, 2.0: 0}
        for case in cases:
            a = decoded(case)
            if "high" not in case["expect"] or a["level"] < 0.6:
                continue
            means, likely = lab6_lunar_lander.bootstrap_distribution(a["x"].double().numpy())
            for factor in missed:
                share = factor * (1 - a["level"]) / 2
                bounds = case["expect"]["low"]
                value = lab6_lunar_lander._quantile(means, likely, share)
                missed[factor] += not bounds["low"] <= value <= bounds["high"]
        assert min(missed.values()) >= 2, (seed, missed)


# --- requests, messages and points -------------------------------------------------------------


@pytest.mark.parametrize("name", EXERCISES)
def test_a_request_holds_no_answer(name):
    wanted = request(f"{LAB}/{name}", 7)
    assert set(wanted) == {"exercise", "function", "cases"}
    for case in wanted["cases"]:
        assert set(case) <= {"name", "args", "wrt", "cpu_seconds"}


@pytest.mark.parametrize("name", EXERCISES)
def test_the_same_seed_gives_the_same_cases(name):
    first = request(f"{LAB}/{name}", 11)
    judging._cases.cache_clear()
    assert request(f"{LAB}/{name}", 11) == first != request(f"{LAB}/{name}", 12)


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", EXERCISES)
def test_odd_inputs_get_one_readable_message(name, what):
    outcome = run_check(LAB, name, ODD[what])
    assert not outcome.passed
    assert outcome.message.startswith(name)
    assert "Traceback" not in outcome.message
    assert len(outcome.message.splitlines()) < 40


def spoiled_rollout(change):
    """The right rollout after ``change(rollout)``."""
    right = solution("collect_rollout", "ok_lists")

    def collect(envs, model, obs, n_steps, generator):
        rollout, obs = right(envs, model, obs, n_steps, generator)
        changed = change(rollout)
        return (rollout if changed is None else changed), obs

    return collect


ROLLOUTS = {
    "None inside": lambda r: {**r, "values": None},
    "a string inside": lambda r: {**r, "log_probs": "many"},
    "nothing inside": lambda r: {},
    "a list of dicts": lambda r: [r],
    "sparse": lambda r: {**r, "actions": r["actions"].to_sparse()},
    "complex": lambda r: {**r, "log_probs": r["log_probs"] * 1j},
    "bfloat16": lambda r: {**r, "log_probs": r["log_probs"].bfloat16()},
    "NaN": lambda r: {**r, "log_probs": r["log_probs"] * float("nan")},
    "huge": lambda r: {**r, "log_probs": torch.zeros(300_000)},
    "numbers as keys": lambda r: dict(enumerate(r.values())),
    "actions out of range": lambda r: {**r, "actions": r["actions"] + 2**40},
    "ragged": lambda r: {**r, "rewards": [[1.0], [2.0, 3.0]]},
}


@pytest.mark.parametrize("what", ROLLOUTS)
def test_odd_rollouts_are_met_in_words_and_judged(what):
    function = spoiled_rollout(ROLLOUTS[what])
    outcome = run_check(LAB, "collect_rollout", function)
    assert not outcome.passed and "Traceback" not in outcome.message
    assert "expected" in outcome.message and "got" in outcome.message
    verdict = grade("collect_rollout", function, SEED)
    assert 0 <= verdict.score < 10 and "unexpected form" not in verdict.message


def test_an_environment_that_was_closed_or_changed_is_no_crash():
    def closes(envs, model, obs, n_steps, generator):
        result = solution("collect_rollout", "ok_lists")(envs, model, obs, n_steps, generator)
        envs.close()
        envs.stream = None
        return result

    outcome = run_check(LAB, "collect_rollout", closes)
    assert "Traceback" not in outcome.message


RETURNS = {
    "a dict": lambda p, e, seeds, d: dict.fromkeys(seeds, 1.0),
    "words": lambda p, e, seeds, d: ["one"] * len(seeds),
    "ragged": lambda p, e, seeds, d: [[1.0], [2.0, 3.0]],
    "Nones": lambda p, e, seeds, d: [None] * len(seeds),
    "an endless generator": lambda p, e, seeds, d: iter(int, 1),
    "NaN": lambda p, e, seeds, d: [float("nan")] * len(seeds),
    "a scalar": lambda p, e, seeds, d: torch.tensor(3.0),
    "a matrix": lambda p, e, seeds, d: np.zeros((len(seeds), 2)),
    "with a graph": lambda p, e, seeds, d: p.value.sum().expand(len(seeds)),
}


@pytest.mark.parametrize("what", RETURNS)
def test_odd_returns_are_met_in_words(what):
    outcome = run_check(LAB, "evaluate", RETURNS[what])
    assert not outcome.passed and "Traceback" not in outcome.message
    assert "expected" in outcome.message and "got" in outcome.message
    assert grade("evaluate", RETURNS[what], SEED).score == 0


@pytest.mark.parametrize(
    "form",
    [
        lambda r: r.tolist(),
        lambda r: r.numpy(),
        lambda r: tuple(r),
        lambda r: r.double(),
        lambda r: (x for x in r.tolist()),
        lambda r: [np.float32(x) for x in r.tolist()],
    ],
)
def test_any_row_of_numbers_will_do(form):
    right = solution("evaluate", "ok_one_environment")
    assert run_check(LAB, "evaluate", lambda *a: form(right(*a))).passed


INTERVALS = {
    "one number": lambda x, *a: 1.0,
    "three numbers": lambda x, *a: (1.0, 2.0, 3.0),
    "a dict": lambda x, *a: {"low": 1.0, "high": 2.0},
    "words": lambda x, *a: ("low", "high"),
    "NaN": lambda x, *a: (float("nan"), float("nan")),
    "infinite": lambda x, *a: (-math.inf, math.inf),
    "tensors": lambda x, *a: (x, x),
    "Nones": lambda x, *a: (None, None),
}


@pytest.mark.parametrize("what", INTERVALS)
def test_odd_intervals_are_met_in_words(what):
    outcome = run_check(LAB, "bootstrap_interval", INTERVALS[what])
    assert not outcome.passed and "Traceback" not in outcome.message
    assert "expected" in outcome.message and "got" in outcome.message
    assert grade("bootstrap_interval", INTERVALS[what], SEED).score == 0


@pytest.mark.parametrize("name", EXERCISES)
def test_an_unwritten_function_gets_nothing_and_is_told_so(name):
    def unwritten(*args):
        raise NotImplementedError

    verdict = grade(name, unwritten, SEED)
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
        ("orthogonal_linear", "bad_gain_ignored"): "The gain does not reach the weight",
        ("orthogonal_linear", "bad_transposed_weight"): "transposed",
        ("orthogonal_linear", "bad_bias_missing"): "without a bias",
        ("collect_rollout", "bad_resets_each_call"): "reset at each call",
        ("collect_rollout", "bad_obs_aliased"): "share memory with the environments' array",
        ("collect_rollout", "bad_graph_kept"): "with its graph",
        ("collect_rollout", "bad_done_as_terminated"): "a time limit looks like the end",
        (
            "collect_rollout",
            "bad_next_values_of_the_reset",
        ): "first observation of the next",
        ("collect_rollout", "bad_values_of_next_obs"): "the observation after the step",
        ("collect_rollout", "bad_global_generator"): "from the global generator",
        ("evaluate", "bad_samples_when_greedy"): "although the likeliest ones are asked for",
        ("evaluate", "bad_same_seed_for_all"): "All episodes have the first seed",
        ("evaluate", "bad_average_over_steps"): "The mean reward of a step",
        ("evaluate", "bad_stops_at_first_end"): "stopped when the first one ends",
        ("interquartile_mean", "bad_median"): "It is the median",
        ("interquartile_mean", "bad_quarter_in_all"): "A quarter is left out in all",
        ("bootstrap_interval", "bad_without_replacement"): "drawn without replacement",
        ("bootstrap_interval", "bad_standard_error"): "multiples of the standard error",
    }
    for (name, file), words in told.items():
        outcome = run_check(LAB, name, solution(name, file))
        assert words in " ".join(outcome.message.split()), (file, outcome.message)
        assert outcome.mistake == file.removeprefix("bad_")


def lost(name: str, file: str) -> dict[str, float]:
    """The aspects that a wrong solution loses, with their weights."""
    verdict = grade(name, solution(name, file), SEED)
    return {a["name"]: a["weight"] for a in verdict.aspects if not a["passed"]}


@pytest.mark.parametrize(
    ("name", "file", "aspects"),
    [
        ("orthogonal_linear", "bad_bias_default", {"bias"}),
        ("orthogonal_linear", "bad_seeded_inside", {"randomness"}),
        ("orthogonal_linear", "bad_frozen", {"trainable"}),
        ("collect_rollout", "bad_next_values_only_terminated", {"next_values"}),
        ("collect_rollout", "bad_obs_aliased", {"buffers"}),
        ("collect_rollout", "bad_graph_kept", {"gradient"}),
        ("collect_rollout", "bad_global_generator", {"randomness"}),
        ("collect_rollout", "bad_modifies_the_given_obs", {"purity"}),
        ("evaluate", "bad_only_terminated_ends", {"time_limits"}),
        ("evaluate", "bad_always_greedy", {"sampling"}),
        ("evaluate", "bad_global_generator", {"randomness"}),
        ("evaluate", "bad_seeds_used_up", {"purity"}),
        ("interquartile_mean", "bad_negative_slice", {"corners"}),
        ("interquartile_mean", "bad_sorts_in_place", {"purity"}),
        ("bootstrap_interval", "bad_n_boot_ignored", {"corners"}),
        ("bootstrap_interval", "bad_global_generator", {"randomness"}),
    ],
)
def test_one_fault_costs_its_own_points_only(name, file, aspects):
    assert set(lost(name, file)) - {"corners", "buffers"} == aspects - {"corners", "buffers"}
    assert aspects <= set(lost(name, file))
    assert sum(lost(name, file).values()) <= 0.4


def test_a_constant_earns_nothing():
    assert grade("orthogonal_linear", lambda i, o, gain: nn.Linear(i, o), SEED).score == 0
    assert grade("evaluate", lambda p, e, seeds, d: [0.0] * len(seeds), SEED).score == 0
    assert grade("interquartile_mean", lambda x: 0.5, SEED).score == 0
    assert grade("bootstrap_interval", lambda x, *a: (x.min(), x.max()), SEED).score == 0


@pytest.mark.parametrize("name", EXERCISES)
def test_no_forged_observation_breaks_the_judge(name):
    exercise = f"{LAB}/{name}"
    path = corpus_files(exercise, "ok")[0]
    function = load(exercise, path.read_text(), str(path))
    observed = observe(exercise, function, request(exercise, SEED)["cases"])
    odd = [None, [], {}, "x", -1, 1e400, {"array": "float32", "shape": [10**9], "data": []}]

    def paths(value, path=()):
        if isinstance(value, (dict, list)):
            keys = value if isinstance(value, dict) else range(min(len(value), 2))
            for key in keys:
                yield from paths(value[key], (*path, key))
        if path:
            yield path

    every = list(paths(observed["cases"]))
    rng = np.random.default_rng(0)
    for index in rng.choice(len(every), size=20):
        broken = copy.deepcopy(observed)
        target = broken["cases"]
        for key in every[index][:-1]:
            target = target[key]
        target[every[index][-1]] = odd[rng.integers(len(odd))]
        verdict = judge(exercise, SEED, broken, 4.0)
        assert 0.0 <= verdict.score <= 4.0


def test_what_the_driver_says_of_actions_is_worked_out_again():
    """Log-probabilities of other actions, and a driver that calls them right."""
    name = f"{LAB}/collect_rollout"
    function = solution("collect_rollout", "bad_log_probs_of_another_draw")
    observed = observe(name, function, request(name, SEED)["cases"])
    for entry in observed["cases"]:
        if "log_probs" in entry["facts"]:
            entry["facts"]["log_probs"] = drivers_lab6.RIGHT_LOG_PROBS
    assert judge(name, SEED, observed, 10.0).score == 0


def test_warnings_and_prints_cost_nothing():
    import warnings

    def noisy(function):
        def call(*args):
            warnings.warn("careful", stacklevel=1)
            print("working")
            return function(*args)

        return call

    for name in EXERCISES:
        path = corpus_files(f"{LAB}/{name}", "ok")[0]
        function = noisy(load(f"{LAB}/{name}", path.read_text(), str(path)))
        assert run_check(LAB, name, function).passed
        assert grade(name, function, SEED).passed


def test_the_global_random_streams_are_left_as_they_were():
    torch.manual_seed(5)
    np.random.seed(5)
    for name in EXERCISES:
        path = corpus_files(f"{LAB}/{name}", "ok")[0]
        run_check(LAB, name, load(f"{LAB}/{name}", path.read_text(), str(path)))
    drawn = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    assert torch.equal(drawn[0], torch.rand(3)) and np.array_equal(drawn[1], np.random.rand(3))

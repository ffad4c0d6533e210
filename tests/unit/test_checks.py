"""The visible checks: stored numbers in step, mistakes named, odd inputs met with one message."""

import json
import time

import numpy as np
import pytest
import torch
from stored import assessed

from autograde import judge as judging
from autograde.judge.mistakes import corpus_files, load
from autograde.stored_checks import PICTURE, clip_picture, generate, path_of
from course_utils.checks import CheckFailed, checker, run_check
from course_utils.checks.codec import (
    array_from_plain,
    array_to_plain,
    decode,
    encode_arguments,
)
from course_utils.checks.limits import CallTimeout, time_limit

LAB = "lab5_ppo"
EXERCISES = judging.exercises(LAB)


@pytest.fixture(scope="module")
def made() -> dict:
    """The stored numbers, made anew: every wrong solution has run on the visible inputs."""
    return json.loads(generate(LAB))


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

    close(json.loads(path_of(LAB).read_text()), made)


def test_the_stored_picture_is_in_step():
    assert PICTURE.read_text() == clip_picture()


def test_stored_numbers_hold_no_code():
    text = path_of(LAB).read_text()
    for fragment in ("torch.", "return torch", "lambda ", "def ", ".exp(", "clamp("):
        assert fragment not in text, fragment


@pytest.mark.parametrize("name", EXERCISES)
def test_correct_solutions_pass(name):
    for path in corpus_files(f"{LAB}/{name}", "ok"):
        outcome = run_check(LAB, name, load(f"{LAB}/{name}", path.read_text(), str(path)))
        assert outcome.passed, f"{path.name}: {outcome.message}"


def test_most_wrong_solutions_fail_and_are_named(made):
    outcomes = [o for name in EXERCISES for o in assessed(made, name).values()]
    total = sum(len(corpus_files(f"{LAB}/{name}", "bad")) for name in EXERCISES)
    caught = [named for found, named in outcomes if found]
    assert len(outcomes) == total and len(caught) >= 0.9 * total
    assert sum(named is not None for named in caught) >= 0.9 * len(caught)


ODD = {
    "None": None,
    "a number": 3,
    "a string": "ratio",
    "returns None": lambda *a: None,
    "returns a string": lambda *a: "0.5",
    "returns a list": lambda *a: [1, 2],
    "returns a set": lambda *a: {1},
    "returns a huge array": lambda *a: torch.zeros(300_000),
    "returns complex": lambda *a: torch.zeros(11, dtype=torch.complex64),
    "returns sparse": lambda *a: torch.eye(3).to_sparse(),
    "raises": lambda *a: 1 / 0,
    "raises at print": lambda *a: (_ for _ in ()).throw(Unprintable()),
    "takes no argument": lambda: 1,
    "exits": lambda *a: exit(3),
    "recursion": lambda *a: recurse(),
}


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def recurse():
    return recurse()


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", EXERCISES)
def test_odd_inputs_get_one_readable_message(name, what):
    outcome = run_check(LAB, name, ODD[what])
    assert not outcome.passed
    assert outcome.message.startswith(name)
    assert "Traceback" not in outcome.message
    assert len(outcome.message.splitlines()) < 40


def test_an_endless_loop_ends():
    def endless(*args):
        while True:
            pass

    start = time.process_time()
    outcome = run_check(LAB, "probability_ratio", endless)
    assert not outcome.passed and outcome.mistake == "does_not_return"
    assert time.process_time() - start < 15


def test_a_loop_that_swallows_exceptions_ends_too():
    with pytest.raises(CallTimeout), time_limit(0.3):
        while True:
            try:
                while True:
                    pass
            except Exception:
                pass


def test_check_raises_a_message_without_traceback(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check = checker(LAB)
    with pytest.raises(CheckFailed) as failed:
        check("probability_ratio", lambda new, old: new - old.detach())
    text = "\n".join(failed.value._render_traceback_())
    assert "expected" in text and "got" in text and "input" in text
    check("probability_ratio", lambda new, old: torch.exp(new - old.detach()))
    assert "correct" in capsys.readouterr().out


def test_check_only_prints_while_grading(capsys, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    checker(LAB)("probability_ratio", lambda new, old: new - old)
    assert "not right yet" in capsys.readouterr().out


def test_nbgraders_validate_button_sees_a_failed_check(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(CheckFailed, match="not right yet"):
        checker(LAB)("probability_ratio", lambda new, old: new - old)


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match="lab5_ppo"):
        checker("lab99")
    with pytest.raises(ValueError, match="it has: probability_ratio"):
        run_check(LAB, "ratio", None)


def test_the_mistake_is_named_in_words():
    outcome = run_check(LAB, "probability_ratio", lambda new, old: torch.exp(old.detach() - new))
    assert outcome.mistake == "inverted"
    assert "What it looks like:" in outcome.message


def test_a_warning_and_a_print_cost_nothing():
    import warnings

    def noisy(new, old):
        warnings.warn("careful", stacklevel=1)
        print("working")
        return torch.exp(new - old.detach())

    assert run_check(LAB, "probability_ratio", noisy).passed


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, np.nan], [np.inf, -np.inf]], dtype=np.float32),
        np.array(3, dtype=np.int64),
        np.zeros((0, 3), dtype=bool),
        np.array([True, False]),
    ],
)
def test_codec_round_trip(array):
    plain = json.loads(json.dumps(array_to_plain(array), allow_nan=False))
    back = array_from_plain(plain)
    assert back.dtype == array.dtype and back.shape == array.shape
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"array": "object", "shape": [1], "data": [1]},
        {"array": "float32", "shape": [2], "data": [1]},
        {"array": "float32", "shape": [-1], "data": []},
        {"array": "float32", "shape": [10**10], "data": []},
        {"array": "int64", "shape": [1], "data": ["x"]},
        {"array": "float32", "shape": "2", "data": None},
    ],
)
def test_codec_refuses_what_is_no_array(plain):
    with pytest.raises(ValueError):
        array_from_plain(plain)


def test_arguments_survive_the_wire():
    args = {"x": torch.tensor([1.0, 2.0]), "e": 0.2, "d": {"a": torch.tensor([3])}, "n": None}
    back = {k: decode(v) for k, v in json.loads(json.dumps(encode_arguments(args))).items()}
    assert torch.equal(back["x"], args["x"]) and back["x"].dtype == torch.float32
    assert back["e"] == 0.2 and back["n"] is None
    assert torch.equal(back["d"]["a"], args["d"]["a"])


def test_messages_help_with_what_python_says_badly():
    def message(name, function):
        return run_check(LAB, name, function).message

    # The missing parentheses are the point.
    text = message("has_gradient", lambda r, a, e: a > 0 & r)
    assert "parentheses" in text and "not written" not in text
    assert "truth value" in message("has_gradient", lambda r, a, e: a > 0 and r < 1)
    assert "import missing" in message("approx_kl", lambda n, o: math_is_missing.exp(1))  # noqa: F821
    assert "plain Python number" in message("linear_schedule", lambda u, n, i: torch.tensor(i))
    assert "no entry of that name" in message("ppo_update", lambda *a: {}) or "entry" in message(
        "ppo_update", lambda *a: {}
    )

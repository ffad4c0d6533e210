"""The lambda slider shows the function it was given, right or wrong, and says what is off."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from autograde.judge.lab4_gae import advantage_sums
from autograde.judge.mistakes import corpus_files, load
from course_utils import gae_explorer as module
from course_utils.explorers import Note
from course_utils.gae_explorer import TradeOff, evaluate, first_fact_off, gae_explorer, recorded
from course_utils.slider_figure import SliderFigure

EXERCISE = "lab4_gae/gae"
SLOW = ("ok_python_floats", "ok_episodes_by_filter", "bad_double_loop")


@pytest.fixture(autouse=True)
def not_grading(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


def solution(name: str):
    (path,) = [p for kind in ("ok", "bad") for p in corpus_files(EXERCISE, kind) if p.stem == name]
    return load(EXERCISE, path.read_text(), str(path))


right = solution("ok_loop_buffer")


def fact(widget: SliderFigure) -> str:
    return widget.spec["fact"]


# --- the stored rollout ----------------------------------------------------------------------


def test_the_rollout_holds_every_kind_of_end():
    data = recorded()
    both = data.terminated & data.truncated
    only_time = data.truncated & ~data.terminated
    assert data.terminated.any() and only_time.any() and not both.any()
    ends = (data.terminated | data.truncated)[:-1]
    inside = (data.values[1:] - data.next_values[:-1]).abs()
    assert inside[~ends].max() < 1e-6 and inside[ends].min() > 0.01
    # What happened is what the slider is about: a fall, and a time limit in a healthy state.
    assert data.next_values[only_time].min() > 60
    assert data.advantages[19][data.terminated.numpy()].max() < -15


def test_what_is_stored_as_right_is_right():
    data = recorded()
    arrays = [x.double().numpy() for x in (data.rewards, data.values, data.next_values)]
    flags = data.terminated.numpy(), data.truncated.numpy()
    for k, lam in enumerate(data.lambdas):
        wanted = advantage_sums(*arrays, *flags, data.gamma, lam)
        np.testing.assert_allclose(data.advantages[k], wanted, atol=2e-3)
        np.testing.assert_allclose(data.returns[k], wanted + arrays[1], atol=2e-3)


# --- right functions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [p.stem for p in corpus_files(EXERCISE, "ok") if p.stem not in SLOW]
)
def test_a_right_function_has_no_fact_off(name):
    widget = gae_explorer(solution(name))
    assert isinstance(widget, SliderFigure)
    assert fact(widget) == ""
    assert widget.at == [19, 0]  # lambda 0.95


def test_the_picture_is_the_functions_own():
    data, picture = recorded(), evaluate(right)
    np.testing.assert_allclose(picture.advantages, data.advantages, atol=5e-3)
    np.testing.assert_allclose(picture.returns, data.returns, atol=5e-3)
    ends = (data.terminated | data.truncated).numpy()
    for k, lam in enumerate(data.lambdas):
        for n, at in enumerate(data.steps):
            last = at + int(np.argmax(ends[at:, n]))
            ahead = np.arange(last - at + 1)
            weights = picture.weights[k, :, n]
            np.testing.assert_allclose(weights[at : last + 1], (data.gamma * lam) ** ahead, 1e-5)
            assert not weights[:at].any() and not weights[last + 1 :].any()


def test_every_frame_says_where_it_is():
    widget = gae_explorer(right)
    reading = widget.spec["reading"]
    assert len(reading) == 21 * 3 and len(set(reading)) == 63
    first = reading[0]
    assert first.startswith("lambda 0.00, environment 0, step 7 (its episode is terminated at")
    assert "from 1 step with a weight above 1 %" in first
    plain = {k: v for k, v in widget.get_state().items() if not isinstance(v, bytes | memoryview)}
    assert len(widget.numbers) + len(json.dumps(plain)) < 200_000


LAMBDAS = np.array([0.0, 0.5, 0.92, 1.0])
CURVES = TradeOff(
    LAMBDAS, LAMBDAS - 1, LAMBDAS - 1.1, np.full(4, 0.1), np.array([1.0, 2.0, 5.0, 25.0])
)


def test_a_trade_off_takes_two_places_and_has_a_dot_at_the_sliders_lambda():
    widget = gae_explorer(right, CURVES)
    plain = gae_explorer(right).spec
    titles = [panel["title"] for panel in widget.spec["panels"]]
    kept = [panel["title"] for panel in plain["panels"]][1:3]
    assert titles == [*kept, "bias, in the corridor", "variance, in the corridor"]
    assert fact(widget) == "" and widget.at == [19, 0]
    middle, last = widget.spec["reading"][10 * 3], widget.spec["reading"][-1]
    assert middle.startswith(plain["reading"][10 * 3])
    assert middle.endswith("bias -0.50, from your samples -0.60 +- 0.20; variance 2.00.")
    assert last.endswith("bias +0.00, from your samples -0.10 +- 0.20; variance 25.00.")
    assert "variance of estimates in the corridor" in widget.spec["description"]
    assert "In the corridor" not in "".join(plain["reading"])


def test_a_trade_off_does_not_hide_what_is_off():
    assert "before the time limit" in fact(gae_explorer(solution("bad_truncation_not_cut"), CURVES))
    assert isinstance(gae_explorer(stub, CURVES), Note)


# --- wrong functions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bad_time_limit_is_death", r"the last one before the time limit.*yours is -69.80"),
        ("bad_termination_bootstrapped", "the one that ends the task"),
        ("bad_last_step_dropped", r"the last one recorded.*yours is \+?-?0.00"),
        ("bad_td_error_only", "in the middle of an episode"),
        ("bad_returns_are_advantages", "the return is"),
        ("bad_truncation_not_cut", "the last one before the time limit"),
        ("bad_hard_coded_gamma", "At lambda = 0.00"),
    ],
)
def test_a_wrong_function_shows_its_own_picture_and_one_fact(name, expected):
    widget = gae_explorer(solution(name))
    assert isinstance(widget, SliderFigure)
    assert fact(widget).startswith("One thing is off in this picture. At lambda = ")
    assert re.search(expected, fact(widget)), fact(widget)
    numbers = re.search(r"is ([-+.\d]+); yours is ([-+.\d]+)\.", fact(widget)).groups()
    assert numbers[0] != numbers[1]


def test_numbers_that_are_none_are_a_fact_too():
    widget = gae_explorer(lambda r, *a: (r * float("nan"), r * float("inf")))
    assert "yours is +nan" in fact(widget)
    low, high = widget.spec["panels"][2]["y_range"]
    assert np.isfinite([low, high]).all()
    wild = gae_explorer(lambda r, *a: (r * 1e30, r))
    assert wild.spec["panels"][2]["y_range"][1] < 500


def stub(*_):
    raise NotImplementedError()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (stub, "stub is not written. Complete its cell above"),
        (lambda *a: None, "returned None. Is the return line missing?"),
        (lambda r, *a: r, "should return two tensors, advantages and returns; it returned"),
        (lambda r, *a: (r, r.numpy()), "returns should be a tensor, not a ndarray"),
        (lambda r, *a: (r[:, 0], r), r"for rewards of shape \[48, 3\] advantages came as"),
        (lambda r, *a: (1 / 0, r), "raised ZeroDivisionError: division by zero"),
        (lambda r, *a: (r.to(torch.complex64), r), "complex64"),
        (3, "TypeError"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_words(function, message):
    note = gae_explorer(function)
    assert isinstance(note, Note)
    assert re.search(message, note.text), note.text
    assert "Traceback" not in note.text


def test_a_function_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "TIME_BUDGET", 0.0)
    note = gae_explorer(right)
    assert isinstance(note, Note) and "most are still to come" in note.text


def test_the_recording_outlives_a_function_that_changes_it():
    assert evaluate(solution("bad_modifies_rewards")) is not None
    assert first_fact_off(evaluate(right), recorded())[0] == ""


def test_prints_and_warnings_stay_out_of_the_notebook(capsys):
    def noisy(*args):
        print("working")
        return right(*args)

    assert fact(gae_explorer(noisy)) == ""
    assert capsys.readouterr().out == ""


def test_nothing_while_grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert gae_explorer(stub) is None

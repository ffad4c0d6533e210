"""The monitor: what it records, when it draws, what it leaves behind, how it ends."""

import html
import math
import re
import sys
import time
import types

import numpy as np
import pytest

from course_utils import training
from course_utils.training import MAX_POINTS, Monitor, Throttle, curve_bytes


class FakeHandle:
    def __init__(self):
        self.shown = []

    def update(self, data, raw):
        self.shown.append(data["text/html"])


@pytest.fixture
def page(monkeypatch):
    """A notebook page without a browser: real widgets, recorded display."""
    handle = FakeHandle()
    static = []
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(training, "has_frontend", lambda: True)
    monkeypatch.setattr(training, "kernel_shell", lambda: types.SimpleNamespace(kernel=1))
    monkeypatch.setattr(training, "display_html", lambda page, text: static.append(page))
    monkeypatch.setattr("IPython.display.display", lambda box, display_id: handle)
    from tqdm.notebook import tqdm

    monkeypatch.setattr("tqdm.auto.tqdm", tqdm)
    handle.static = static
    return handle


def test_throttle_keeps_its_rate():
    now = [10.0]
    throttle = Throttle(5, clock=lambda: now[0])
    ready = []
    for tick in range(1, 1001):  # one second in steps of a millisecond
        now[0] = 10.0 + tick / 1000
        if throttle.ready():
            ready.append(tick)
    assert ready == [200, 400, 600, 800, 1000]
    with pytest.raises(ValueError, match="hz must be positive"):
        Throttle(0)


def test_throttle_does_not_catch_up_after_a_pause():
    now = [0.0]
    throttle = Throttle(1, clock=lambda: now[0])
    now[0] = 10.0
    assert [throttle.ready() for _ in range(3)] == [True, False, False]


def test_history():
    with Monitor(1000, window=3) as monitor:
        monitor.episodes([], 5)
        assert math.isnan(monitor.mean_return)
        monitor.episodes([1.0, 2.0], 10)
        monitor.log(entropy=0.5)
        monitor.episodes(np.array([3.0, 4.0]), 20)
        monitor.log(approx_kl=0.01, entropy=0.4)
        monitor.log(approx_kl=0.02)
    history = monitor.history
    np.testing.assert_array_equal(history["env_steps"], [10, 10, 20, 20])
    np.testing.assert_array_equal(history["episode_returns"], [1, 2, 3, 4])
    np.testing.assert_allclose(history["mean_return"], [1, 1.5, 2, 3])
    np.testing.assert_array_equal(history["log_steps"], [10, 20, 20])
    np.testing.assert_array_equal(history["entropy"], [0.5, 0.4, math.nan])
    np.testing.assert_array_equal(history["approx_kl"], [math.nan, 0.01, 0.02])
    assert monitor.env_steps == 20
    assert monitor.mean_return == 3.0


def test_the_mean_recovers_from_a_nan():
    with Monitor(10, window=2) as monitor:
        monitor.episodes([math.nan, 1.0, 3.0], 1)
    assert monitor.mean_return == 2.0


def test_solved_needs_a_full_window_and_stays():
    with Monitor(1000, goal=475, window=3) as monitor:
        monitor.episodes([500.0, 500.0], 10)
        assert not monitor.solved
        monitor.episodes([425.0], 20)
        assert monitor.solved
        monitor.episodes([0.0, 0.0], 30)
    assert monitor.solved
    assert monitor.solved_at == 20
    summary = monitor.summary()
    assert summary.startswith("Solved (goal 475) after 20 environment steps. 30 environment steps")


def test_no_goal_is_never_solved():
    with Monitor(10, window=1) as monitor:
        monitor.episodes([1e9], 1)
    assert not monitor.solved
    assert "goal" not in monitor.summary()


@pytest.mark.parametrize(("total", "window"), [(0, 100), (10, 0)])
def test_wrong_arguments(total, window):
    with pytest.raises(ValueError, match="must be at least 1"):
        Monitor(total, window=window)


def test_plain_python_is_silent(capfd):
    with Monitor(10, goal=5, window=1) as monitor:
        monitor.episodes([6.0], 10)
    assert capfd.readouterr() == ("", "")
    assert monitor.seconds < 1


def test_an_interrupt_keeps_what_was_learned(capsys):
    learned = []
    with Monitor(1000) as monitor:
        monitor.episodes([7.0], 100)
        learned.append(1)
        raise KeyboardInterrupt
    assert monitor.interrupted
    assert learned == [1]
    assert list(monitor.history["episode_returns"]) == [7.0]
    assert capsys.readouterr().out == (
        "Stopped by hand at step 100 of 1,000. What was learned so far is kept.\n"
    )


def test_an_unwritten_function_is_one_line(capsys):
    def ppo_update():
        raise NotImplementedError()

    with Monitor(1000) as monitor:
        ppo_update()
    assert not monitor.interrupted
    assert capsys.readouterr().out.startswith("ppo_update is not written yet")


@pytest.mark.parametrize("error", [ValueError("mine"), NotImplementedError("aten::x"), SystemExit])
def test_every_other_error_is_raised(page, error):
    with pytest.raises(BaseException) as caught, Monitor(1000, hz=1e9) as monitor:
        monitor.episodes([1.0], 10)
        bar = monitor._display._bar
        raise error
    assert caught.value is error or caught.type is error
    assert bar.disable or bar.n == 10
    assert monitor._display is None
    assert page.shown[-1].count("<img") == 1  # what had been recorded is not lost


def test_the_live_display_gives_way_to_one_figure(page):
    with Monitor(1000, goal=50, title="a & b", hz=1e9) as monitor:
        for step in range(100, 1100, 100):
            monitor.episodes([float(step)], step)
        display = monitor._display
        assert display._bar.n == 1000
        assert display._curve.goal == 50
        points = np.frombuffer(display._curve.points, "<f4").reshape(-1, 2)
        np.testing.assert_allclose(points[-1], [1000, 550])
    assert len(page.shown) == 1
    assert page.static == []
    alt = html.unescape(re.search(r'<img alt="([^"]*)"', page.shown[0]).group(1))
    assert alt.startswith("Learning curve of a & b. 1,000 environment steps")
    assert "Not solved yet" in alt  # ten episodes are no full window of 100


def test_a_run_that_ends_at_once_shows_nothing(page):
    with Monitor(1000) as monitor:
        monitor.episodes([1.0], 10)
        assert monitor._display is None
    assert page.shown == []
    assert len(page.static) == 1
    page.static.clear()
    with Monitor(1000):
        pass
    assert page.static == []


def test_without_a_figure_the_display_gives_way_to_a_line(page):
    with Monitor(1000, figure=False, hz=1e9) as monitor:
        monitor.episodes([1.0], 10)
    assert page.static == []
    (left,) = page.shown
    assert left.startswith("<p>10 environment steps, ")


def test_no_figure_while_grading_or_on_request(page, monkeypatch):
    with Monitor(1000, figure=False) as monitor:
        monitor.episodes([1.0], 10)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setattr(training, "has_frontend", lambda: False)
    with Monitor(1000) as monitor:
        monitor.episodes([1.0], 10)
    assert page.static == []


@pytest.mark.parametrize("n", [0, 1, MAX_POINTS, MAX_POINTS + 1, 5000])
def test_curve_bytes_are_few_and_end_with_the_latest(n):
    steps, means = list(range(n)), [float(2 * i) for i in range(n)]
    points = np.frombuffer(curve_bytes(steps, means), "<f4").reshape(-1, 2)
    assert len(points) <= MAX_POINTS + 1
    if n:
        np.testing.assert_array_equal(points[0], [0, 0])
        np.testing.assert_array_equal(points[-1], [n - 1, 2 * n - 2])


def test_the_live_display_costs_little(page):
    """Five updates a second, as the throttle allows, in CPU time of this process."""
    with Monitor(10**6, goal=475) as monitor:
        monitor._throttle = types.SimpleNamespace(ready=lambda: True)
        monitor.episodes([1.0] * 2000, 1)  # makes the widgets
        start = time.process_time()
        for step in range(20):
            monitor.episodes([1.0] * 10, step)
        per_update = (time.process_time() - start) / 20
    assert per_update * 5 < 0.05, f"{per_update * 1e3:.1f} ms an update"


def test_recording_costs_little():
    """A loop that reports every step of 32 environments, 4096 environment steps an update."""
    with Monitor(10**6, goal=475) as monitor:
        start = time.process_time()
        for step in range(5000):
            monitor.episodes([], step)
        assert (time.process_time() - start) / 5000 < 20e-6
        start = time.process_time()
        monitor.episodes([1.0] * 5000, 5000)
        assert (time.process_time() - start) / 5000 < 20e-6


def test_importing_training_does_not_import_the_widgets():
    import subprocess

    code = "import sys, course_utils.training; print('anywidget' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

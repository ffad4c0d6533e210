"""Lab 4 as it is released: in step with its source, and it runs from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from whole_lab import lab_notebook, run_all

from autograde import build, judge
from autograde.course import Course

COURSE = Course(Path(__file__).resolve().parents[2])
LAB = "lab4_gae"


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(COURSE, LAB) is None


@pytest.mark.slow
def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(monkeypatch):
    outputs = run_all(lab_notebook(COURSE, LAB, solved=True), monkeypatch)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    said = "".join(o.text for _, o in outputs if o.get("name") == "stdout")
    for name in judge.exercises(LAB):
        assert f"{name}: correct on all" in said
    assert sum("image/png" in str(o) for _, o in outputs) == 3
    widgets = [o for _, o in outputs if "SliderFigure" in str(o.get("data", ""))]
    assert len(widgets) == 3
    a_wrong_time_limit_is_far_off_and_its_loss_does_not_tell(said)


def a_wrong_time_limit_is_far_off_and_its_loss_does_not_tell(said: str) -> None:
    """What the text says about the three critics of part 6 is what their cell has printed."""
    truth, error = map(float, re.search(r"start is worth ([\d.]+) \+- ([\d.]+)", said).groups())
    rows = {}
    for kind in ("as it should be", "time limit as the end", "next_obs as returned"):
        # of a start, loss, explained variance
        rows[kind] = [float(x) for x in re.search(rf"{kind} (.*)", said)[1].split()]
    right, wrong, returned = rows.values()
    assert 1 < error < 4
    assert abs(right[0] - truth) < 3 * error
    assert truth - wrong[0] > 15
    assert 1 < returned[0] - right[0] < 6
    assert 1.0 < wrong[1] / right[1] < 1.4  # "a little worse"
    assert 0.02 < right[2] - wrong[2] < 0.2 and 0.3 < right[2] < 0.5

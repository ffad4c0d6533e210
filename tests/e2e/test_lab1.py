"""Lab 1 as it is released: in step with its source, and it runs top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

from whole_lab import lab_notebook, run_all

from autograde import build
from autograde.course import Course
from autograde.judge import exercises

COURSE = Course(Path(__file__).resolve().parents[2])
LAB = "lab1_policy_gradients"


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(COURSE, LAB) is None


def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(monkeypatch):
    outputs = run_all(lab_notebook(COURSE, LAB, solved=True), monkeypatch)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    said = "".join(o.text for _, o in outputs if o.get("name") == "stdout")
    for name in exercises(LAB):
        assert f"{name}: correct on all" in said
    assert sum("image/png" in str(o) for _, o in outputs) == 4
    widgets = [o for _, o in outputs if "SliderFigure" in str(o.get("data", ""))]
    assert len(widgets) == 2
    # Each step of the theorem, checked to the digits that are shown.
    for off in re.findall(r"(?:largest .*|mean score): +([\d.e+-]+)$", said, re.M):
        assert float(off) < 1e-9
    for left, right in (
        ("sum over a of ", "mean under pi"),
        ("slopes of the expected return: ", "mean of score times return (A)"),
        ("slopes of the expected return:   ", "mean of rewards and scores (B)"),
        ("minus the gradient of your loss", "your score-function estimate"),
    ):
        one, two = (
            next(line for line in said.splitlines() if line.startswith(start))
            for start in (left, right)
        )
        assert re.findall(r"-?\d\.\d+", one) == re.findall(r"-?\d\.\d+", two) != []

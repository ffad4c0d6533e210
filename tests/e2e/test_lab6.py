"""Lab 6 as it is released: in step with its source, and it runs from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from whole_lab import lab_notebook, run_all

from autograde import build
from autograde.course import Course

COURSE = Course(Path(__file__).resolve().parents[2])
LAB = "lab6_lunar_lander"
WRITTEN = ("orthogonal_linear", "collect_rollout", "evaluate", "interquartile_mean",
           "bootstrap_interval")  # fmt: skip


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(COURSE, LAB) is None


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_solution_runs_top_to_bottom_and_lands(monkeypatch):
    outputs = run_all(lab_notebook(COURSE, LAB, solved=True), monkeypatch)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    said = "".join(o.text for _, o in outputs if o.get("name") == "stdout")
    for name in WRITTEN:
        assert f"{name}: correct on all" in said
    assert "worked version" in str(outputs)  # no lab 5 notebook lies there
    trained = "".join(str(o) for c, o in outputs if "history = train(run" in c.source)
    assert "Solved (goal 200)" in trained
    videos = [o for _, o in outputs if "<video" in str(o)]
    assert len(videos) == 2
    before, after = (float(re.search(r"return (-?[\d.]+) in", str(v))[1]) for v in videos)
    assert before < 0 < 150 < after
    assert len([o for _, o in outputs if "SliderFigure" in str(o.get("data", ""))]) == 1
    assert all("alt=" in str(o) for _, o in outputs if "<img" in str(o))

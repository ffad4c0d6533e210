"""Lab 3 as it is released: in step with its source, and it runs from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest
from whole_lab import lab_notebook, run_all

from autograde import build
from autograde.course import Course

COURSE = Course(Path(__file__).resolve().parents[2])
LAB = "lab3_actor_critic"


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(COURSE, LAB) is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(monkeypatch, tmp_path):
    outputs = run_all(lab_notebook(COURSE, LAB, solved=True), monkeypatch, tmp_path)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    assert "Solved (goal 475) after" in str(outputs)
    pictures = [c for c, o in outputs if "image/png" in str(o)]
    assert len(pictures) >= 5  # ring, two training runs, trunk, comparison
    said = "".join(o.text for _, o in outputs if o.get("name") == "stdout")
    assert said.count("correct on all") == 6
    assert len(list((tmp_path / "results" / LAB).glob("*.npz"))) == 1  # kept for lab 5

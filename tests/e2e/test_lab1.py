"""Lab 1 as it is released: in step, and it runs top to bottom, solved and untouched."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograde import build
from autograde.corpus import solved_notebook
from autograde.course import Course
from autograde.judge import exercises

ROOT = Path(__file__).resolve().parents[2]
LAB = "lab1_policy_gradients"


def run_all(notebook, monkeypatch, **options):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    node = nbformat.from_dict(notebook)
    for cell in node.cells:
        cell.source = "".join(cell.source)
    NotebookClient(node, timeout=300, skip_cells_with_tag="no such tag", **options).execute()
    return [(cell, output) for cell in node.cells for output in cell.get("outputs", [])]


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(Course(ROOT), LAB) is None


@pytest.mark.slow
def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(monkeypatch):
    outputs = run_all(solved_notebook(Course.open(ROOT), LAB), monkeypatch)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    assert sum("image/png" in str(o) for _, o in outputs) >= 3


@pytest.mark.slow
def test_an_untouched_notebook_fails_in_its_test_cells_only(monkeypatch):
    release = nbformat.read(Course.open(ROOT).release_path(LAB), as_version=4)
    outputs = run_all(release, monkeypatch, allow_errors=True)
    failed = {
        cell.metadata.get("nbgrader", {}).get("grade_id", cell.source)
        for cell, output in outputs
        if output.output_type == "error"
    }
    assert failed == {f"test_{name}" for name in exercises(LAB)}
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []

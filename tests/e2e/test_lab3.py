"""Lab 3 as it is released: in step with its source, and it runs from top to bottom."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograde import build
from autograde.corpus import solved_notebook
from autograde.course import Course

ROOT = Path(__file__).resolve().parents[2]
LAB = "lab3_actor_critic"


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(Course(ROOT), LAB) is None


def run_all(notebook: dict, monkeypatch, folder: Path, **options):
    """Run every cell, those that grading skips included, in a fresh kernel started in folder."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    node = nbformat.from_dict(notebook)
    options |= {"skip_cells_with_tag": "no such tag", "resources": {"metadata": {"path": folder}}}
    client = NotebookClient(node, timeout=300, **options)
    client.execute()
    return [(cell, output) for cell in node.cells for output in cell.get("outputs", [])]


@pytest.fixture(scope="module")
def solved():
    """The released lab with the reference solution pasted in."""
    notebook = solved_notebook(Course.open(ROOT), LAB)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(solved, monkeypatch, tmp_path):
    outputs = run_all(solved, monkeypatch, tmp_path)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    assert "Solved (goal 475) after" in str(outputs)
    pictures = [c for c, o in outputs if "image/png" in str(o)]
    assert len(pictures) >= 5  # ring, two training runs, trunk, comparison
    said = "".join(o.text for _, o in outputs if o.get("name") == "stdout")
    assert said.count("correct on all") == 6
    assert len(list((tmp_path / "results" / LAB).glob("*.npz"))) == 1  # kept for lab 5

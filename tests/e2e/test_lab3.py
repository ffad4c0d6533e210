"""Lab 3 as it is released: in step, runs top to bottom, and lives in JupyterLab in Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from lab_browser import LabPage
from nbclient import NotebookClient

from autograde import build
from autograde.corpus import solved_notebook
from autograde.course import Course

ROOT = Path(__file__).resolve().parents[2]
LAB = "lab3_actor_critic"
SWEEP = "entropy_explorer()"


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(Course(ROOT), LAB) is None


def run_all(notebook: dict, monkeypatch, **options):
    """Run every cell, those that grading skips included, in a fresh kernel of nbclient's."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    node = nbformat.from_dict(notebook)
    client = NotebookClient(node, timeout=300, skip_cells_with_tag="no such tag", **options)
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
def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(solved, monkeypatch):
    outputs = run_all(solved, monkeypatch)
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []
    pictures = [c for c, o in outputs if "image/png" in str(o)]
    assert len(pictures) >= 5  # ring, two training runs, trunk, comparison
    said = "".join(o.text for _, o in outputs if o.get("name") == "stdout")
    assert said.count("correct on all") == 6


@pytest.mark.slow
def test_an_untouched_notebook_fails_in_its_test_cells_only(monkeypatch):
    release = nbformat.read(Course.open(ROOT).release_path(LAB), as_version=4)
    outputs = run_all(release, monkeypatch, allow_errors=True)
    failed = {
        cell.metadata.get("nbgrader", {}).get("grade_id", cell.source)
        for cell, output in outputs
        if output.output_type == "error"
    }
    names = json.loads((ROOT / "course_utils/data/visible" / f"{LAB}.json").read_text())
    assert failed == {f"test_{name}" for name in names["exercises"]}
    assert [o.text for _, o in outputs if o.get("name") == "stderr"] == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_sweep_moves_by_keyboard_in_light_and_dark(chromium, server, solved):
    path = server.workspace / f"{LAB}.ipynb"
    path.write_text(json.dumps(solved), encoding="utf-8")
    lab = LabPage(chromium, server, path.name, viewport=(1280, 900))
    try:
        lab.run_cell(lab.find(line="from course_utils.entropy_explorer import"))
        cell = lab.find(line=SWEEP)
        lab.run_cell(cell)
        figure = lab.cell(cell).locator(".slider-figure")
        figure.locator("svg[role=img]").wait_for()
        paths = "(node) => [...node.querySelectorAll('path')].map((p) => p.getAttribute('d'))"
        before = figure.evaluate(paths)
        assert all(before) and not any("NaN" in d for d in before)
        slider = figure.get_by_role("slider", name=re.compile("^entropy coefficient"))
        assert slider.get_attribute("aria-valuetext") == "0"
        slider.focus()
        for _ in range(6):
            lab.page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "1"
        assert figure.locator("output").inner_text().startswith("entropy coefficient 1:")
        assert figure.evaluate(paths) != before
        for theme in ("Light", "Dark"):
            lab.theme(f"JupyterLab {theme}")
            lab.show(cell)
            lab.screenshot(f"{LAB}_sweep_{theme.lower()}")
        assert lab.trouble == []
    finally:
        lab.close()

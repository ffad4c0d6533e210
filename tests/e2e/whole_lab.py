"""A lab run from top to bottom in a fresh kernel, without a browser."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from autograde.corpus import solved_notebook
from autograde.course import Course


def lab_notebook(course: Course, lab: str, solved: bool) -> dict:
    """The released notebook, with the solution pasted in or as it is."""
    released = json.loads(course.release_path(lab).read_bytes())
    content = solved_notebook(course, lab) if solved else released
    for cell in content["cells"]:
        cell["source"] = "".join(cell["source"])
    return content


def run_all(notebook: dict, monkeypatch, folder: Path | None = None, **options):
    """Run every cell, those that grading skips included, in a fresh kernel of nbclient's.

    folder: where the kernel is, and keeps the training runs; by default one that goes again.
    """
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    node = nbformat.from_dict(notebook)
    with tempfile.TemporaryDirectory() as scratch:
        options["resources"] = {"metadata": {"path": str(folder or scratch)}}
        client = NotebookClient(node, timeout=300, skip_cells_with_tag="no such tag", **options)
        client.execute()
    return [(cell, output) for cell in node.cells for output in cell.get("outputs", [])]

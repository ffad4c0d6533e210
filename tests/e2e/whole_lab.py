"""A lab run from top to bottom in a fresh kernel, without a browser."""

from __future__ import annotations

import tempfile

import nbformat
from nbclient import NotebookClient


def run_all(notebook: dict, monkeypatch, **options):
    """Run every cell, those that grading skips included, in a fresh kernel of nbclient's."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    node = nbformat.from_dict(notebook)
    with tempfile.TemporaryDirectory() as folder:  # training runs are kept where the kernel is
        options["resources"] = {"metadata": {"path": folder}}
        client = NotebookClient(node, timeout=300, skip_cells_with_tag="no such tag", **options)
        client.execute()
    return [(cell, output) for cell in node.cells for output in cell.get("outputs", [])]

"""The slider figure in JupyterLab: keys move it, without the kernel, in light and dark."""

from __future__ import annotations

import re

import pytest
from lab_browser import opened

pytestmark = [pytest.mark.browser]
CODE = """
import numpy as np
from course_utils.slider_figure import Panel, Series, Slider, slider_figure
x = np.linspace(0, 10, 40)
values = np.linspace(0, 1, 11)
rows = np.array([np.sin(x) * v for v in values])
slider_figure(
    [Slider("lambda", values, start=0.5, label="lambda, the height")],
    [
        Panel("Lines", "step t", "A hat", [
            Series("band", "interval", x=x, y=rows - 0.2, high=rows + 0.2, color=2),
            Series("line", "yours", x=x, y=rows),
            Series("thin", "single runs", x=x, y=rows + 0.1),
            Series("steps", "returns", x=x, y=rows.round(1), color=1),
            Series("marks", "terminated", x=[4, 7]),
        ]),
        Panel("Bars and points", "k", "weight", [
            Series("bars", "weights", x=np.arange(8), y=values[:, None] ** np.arange(8), color=3),
            Series("points", "samples", x=np.arange(8), y=np.full(8, 0.5), color=4),
        ]),
        Panel("Logarithmic", "samples", "error", [
            Series("line", "error", x=x + 1, y=values[:, None] / (x + 1) ** 2 + 1e-3, color=5),
        ], y_log=True, x_ticks=[(1, "one"), (10, "ten")]),
    ],
    [f"The height is {v:.1f}." for v in values],
    description="Three panels.",
)
""".strip()


def test_keys_move_it_without_the_kernel(chromium, server):
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": CODE, "outputs": []}
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": spec, "cells": [cell]}
    cell["execution_count"] = None
    with opened(chromium, server, notebook, "try", "slider_figure", height=1100) as lab:
        lab.run_cell(0)
        figure = lab.cell(0).locator(".slider-figure")
        figure.locator("svg[role=img]").wait_for()
        paths = "(node) => [...node.querySelectorAll('path')].map((p) => p.getAttribute('d'))"
        before = figure.evaluate(paths)
        assert all(before) and not any("NaN" in d for d in before)
        assert figure.locator(".key li").count() == 8
        slider = figure.get_by_role("slider", name=re.compile("^lambda"))
        assert slider.get_attribute("aria-valuetext") == "0.5"
        slider.focus()
        lab.page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "0.6"
        assert figure.locator("output").inner_text() == "The height is 0.6."
        assert figure.evaluate(paths) != before
        assert lab.cells()[0]["count"] == 1
        lab.page.keyboard.press("ArrowLeft")
        assert figure.evaluate(paths) == before
        for theme in ("Light", "Dark"):
            lab.theme(f"JupyterLab {theme}")
            lab.screenshot(f"slider_figure_{theme.lower()}")

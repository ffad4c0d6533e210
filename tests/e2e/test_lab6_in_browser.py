"""Lab 6 in JupyterLab in Chromium: nothing written, then an agent that lands, and its sliders."""

from __future__ import annotations

import pytest
from lab_browser import drawing, opened, outputs, press, printed, run_between, run_untouched
from test_lab6 import COURSE, LAB, WRITTEN
from test_lab_in_browser import check_prose, message
from whole_lab import lab_notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def test_an_untouched_lab_says_what_is_missing(chromium, server):
    with opened(
        chromium, server, lab_notebook(COURSE, LAB, solved=False), LAB, "lab6_untouched"
    ) as lab:
        check_prose(lab)
        run_untouched(lab, [*WRITTEN, "lander_agent"])
        for name in WRITTEN:
            check = lab.find(grade_id=f"test_{name}")
            lab.show(check)
            assert f"{name} is not written yet" in message(lab, check)
        worked = lab.find(line="# Worked versions from lab 5")
        assert lab.page.evaluate(
            "(index) => window.course.notebook().widgets[index].inputHidden", worked
        )
        train = lab.find(line="history = train(run, config)")
        assert "is not written yet" in printed(lab.cells()[train])


def test_the_solved_lab_lands_and_its_sliders_move(chromium, server):
    solved = lab_notebook(COURSE, LAB, solved=True)
    for cell in solved["cells"]:  # the histogram of few episodes; test_lab6 plays them all
        cell["source"] = cell["source"].replace("range(1_000_000, 1_000_100)", "range(20)")
    with opened(chromium, server, solved, LAB, "lab6") as lab:
        explorer = lab.find(line="hyperparameter_explorer(")
        train = lab.find(line="history = train(run, config)")
        run_between(lab, 0, train)
        figure = lab.cell(train).locator("figcaption").inner_text()
        assert figure.startswith("Solved (goal 200)"), figure
        landing, histogram = train + 2, lab.find(line="unseen = range(20)")
        for cell in (landing, histogram, lab.find(line="figures.ablation(ablation())"), explorer):
            done = lab.run_cell(cell)
            assert outputs(done, "error") == [] and printed(done, "stderr") == ""
        assert lab.cell(landing).locator("video").count() == 1

        before = drawing(lab, explorer)
        assert before["texts"] == ["0.2", "0.95"]
        after = press(lab, explorer, "lambda", "ArrowRight", "epsilon 0.2, lambda 1")
        assert after["lines"][0] != before["lines"][0]
        press(lab, explorer, "epsilon", "ArrowLeft", "epsilon 0.05, lambda 1")
        for theme in ("Light", "Dark"):
            lab.theme(f"JupyterLab {theme}")
            for name, cell in (("curve", train), ("landing", landing), ("histogram", histogram),
                               ("explorer", explorer)):  # fmt: skip
                lab.show(cell, ".jp-Cell-outputWrapper")
                lab.screenshot(f"lab6_{theme.lower()}_{name}")

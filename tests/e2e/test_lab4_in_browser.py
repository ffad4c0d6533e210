"""Lab 4 in JupyterLab in Chromium: its text, its sliders by keyboard, a mistake and its picture."""

from __future__ import annotations

import pytest
from lab_browser import ROOT, drawing, opened, outputs, press, printed, run_untouched
from test_lab4 import COURSE, LAB
from test_lab_in_browser import check_prose, message
from whole_lab import lab_notebook

from autograde import judge

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

EXPLORER = "gae_explorer("
AVERAGES = "counts = 2 **"


def rewrite(lab, cell: int, source: str) -> None:
    """Replace what stands in a code cell, and run it."""
    lab.page.evaluate(
        """([index, source]) =>
          window.course.notebook().widgets[index].model.sharedModel.setSource(source)""",
        [cell, source],
    )
    assert outputs(lab.run_cell(cell), "error") == []


def test_untouched_then_wrong_then_right(chromium, server):
    """One student's way: nothing written, a time limit taken for the end, and the solution."""
    with opened(chromium, server, lab_notebook(COURSE, LAB, solved=False), LAB, "lab4") as lab:
        check_prose(lab)
        explorer, check = lab.find(line=EXPLORER), lab.find(grade_id="test_gae")
        written, averages = lab.find(grade_id="gae"), lab.find(line=AVERAGES)

        run_untouched(lab, judge.exercises(LAB))
        lab.show(check)
        assert "gae is not written yet" in message(lab, check)
        lab.show(explorer)
        assert "gae is not written" in lab.cell(explorer).locator(".jp-OutputArea").inner_text()

        wrong = ROOT / "tests" / "corpus" / LAB / "gae" / "bad_time_limit_is_death.py"
        rewrite(lab, written, wrong.read_text(encoding="utf-8"))
        assert len(outputs(lab.run_cell(check), "error")) == 1
        shown = " ".join(message(lab, check).split())
        assert "a time limit is treated as the end of the task" in shown
        lab.run_cell(explorer)
        lab.show(explorer - 1)
        fact = drawing(lab, explorer)["fact"]
        assert fact.startswith("One thing is off in this picture. At lambda = 0.95")
        assert "the last one before the time limit" in fact
        lab.screenshot("lab4_wrong_explorer")

        right = {c["metadata"].get("nbgrader", {}).get("grade_id"): c["source"]
                 for c in lab_notebook(COURSE, LAB, solved=True)["cells"]}  # fmt: skip
        rewrite(lab, written, right["gae"])
        bias = lab.find(line="display(gae_explorer(")
        for cell in (check, explorer, bias, averages):
            done = lab.run_cell(cell)
            assert outputs(done, "error") == [] and printed(done, "stderr") == ""
        look(lab, explorer, bias, averages)


def look(lab, explorer: int, bias: int, averages: int) -> None:
    """Both themes for the eye; every slider by keyboard."""
    for theme in ("Light", "Dark"):
        lab.theme(f"JupyterLab {theme}")
        for name, cell in (("averages", averages), ("bias", bias), ("explorer", explorer)):
            lab.show(cell, ".jp-Cell-outputWrapper")
            lab.screenshot(f"lab4_{theme.lower()}_{name}")

    before = drawing(lab, explorer)
    assert before["fact"] == "" and before["texts"] == ["0.95", "0"]
    assert before["label"].endswith(before["reading"])
    after = press(lab, explorer, "lambda", "ArrowRight", "lambda 1.00, environment 0")
    # Another lambda: other weights and advantages; what was recorded stays.
    assert all(a != b for a, b in zip(after["bars"], before["bars"], strict=True))
    assert after["lines"][0] == before["lines"][0] and after["marks"] == before["marks"]
    other = press(lab, explorer, "environment", "ArrowRight", "lambda 1.00, environment 1")
    assert other["marks"] != after["marks"] and other["lines"][0] != after["lines"][0]
    for part in ("bars", "lines", "points", "marks"):
        assert not any("NaN" in d or "Infinity" in d for d in other[part])

    lab.show(bias, ".jp-Cell-outputWrapper")
    before = drawing(lab, bias)
    after = press(lab, bias, "lambda", "ArrowRight", "lambda 1.00, environment 0")
    assert "In the corridor: bias -0.00" in after["reading"].replace("+0.00", "-0.00")
    # The curves stay, the dots move along them, and the weights above change.
    assert after["lines"] == before["lines"] and after["bars"] != before["bars"]
    assert sum(a != b for a, b in zip(after["points"], before["points"], strict=True)) >= 2

    lab.show(averages, ".jp-Cell-outputWrapper")
    before = drawing(lab, averages)
    after = press(lab, averages, "n, estimates", "ArrowRight", "average of 2 estimates")
    assert after["lines"][0] == before["lines"][0]  # the bias does not depend on n
    assert after["lines"][1] != before["lines"][1]

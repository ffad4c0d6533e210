"""Lab 1 in JupyterLab in Chromium: untouched, with a mistake, solved; its sliders by keyboard."""

from __future__ import annotations

import pytest
from lab_browser import ROOT, drawing, opened, outputs, press, run_between, run_untouched
from test_lab1 import COURSE, LAB
from test_lab_in_browser import check_images, check_prose, message
from whole_lab import lab_notebook

from autograde.judge import exercises

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

BANDIT = "bandit_explorer(learn_bandit"
SPREAD = "spread_explorer("
WRONG = ROOT / "tests" / "corpus" / LAB / "softmax_score" / "bad_sign_flipped.py"


def write(lab, sources: dict[str, str]) -> None:
    """Write into the solution cells, as a student would."""
    lab.page.evaluate(
        """(sources) => {
          for (const cell of window.course.notebook().widgets) {
            const id = cell.model.getMetadata('nbgrader')?.grade_id;
            if (id in sources) cell.model.sharedModel.setSource(sources[id]);
          }
        }""",
        sources,
    )


def untouched(lab, bandit: int) -> None:
    """The text reads well; a picture without a function is a note, and only the checks fail."""
    check_prose(lab)
    run_untouched(lab, exercises(LAB))
    cell = lab.find(grade_id="test_select_log_probs")
    lab.show(cell)
    assert message(lab, cell).startswith("select_log_probs is not written yet.")
    lab.show(bandit)
    assert lab.cell(bandit).get_by_role("note").inner_text() == (
        "No picture yet: sample_actions is not written. "
        "Complete its cell above, then run this one again."
    )


def one_sign_wrong(lab, solution: dict[str, str], bandit: int) -> None:
    """The check names the mistake, and in the picture the expected reward falls."""
    write(lab, solution | {"softmax_score": WRONG.read_text(encoding="utf-8")})
    for name in ("select_log_probs", "sample_actions", "softmax_score"):
        lab.run_cell(lab.find(grade_id=name))
    check = lab.find(grade_id="test_softmax_score")
    assert len(outputs(lab.run_cell(check), "error")) == 1
    lab.show(check)
    shown = message(lab, check)
    assert shown.startswith("softmax_score: ") and "sign" in shown
    lab.screenshot("lab1_wrong_check")
    lab.run_cell(bandit)
    lab.show(bandit)
    fact = drawing(lab, bandit)["fact"]
    assert fact.startswith("One thing is off in this picture: the expected reward falls from 0.88")
    lab.screenshot("lab1_wrong_bandit")


def sliders(lab, bandit: int, spread: int) -> None:
    """Both pictures follow the arrow keys, and change only in what they should."""
    lab.show(bandit)
    before = drawing(lab, bandit)
    assert before["fact"] == "" and before["reading"].startswith("step 0: probabilities 0.25, 0.25")
    after = press(lab, bandit, "training step", "End", "step 400: ")
    assert float(after["reading"].split("expected reward ")[1].strip(".")) > 1.8
    assert after["bars"] != before["bars"] and after["marks"] != before["marks"]
    assert after["lines"] == before["lines"]

    lab.show(spread)
    before = drawing(lab, spread)
    assert before["fact"] == "" and before["texts"] == ["16", "0"]
    assert before["label"].endswith(before["reading"])
    more = press(lab, spread, "number of samples", "ArrowRight", "32 samples, baseline 0:")
    assert more["points"][0] != before["points"][0] and more["lines"] == before["lines"]
    better = press(lab, spread, "baseline", "ArrowRight", "32 samples, baseline 1:")
    assert better["points"] != more["points"] and better["lines"] != more["lines"]

    def stated(picture):
        return float(picture["reading"].split("your standard error says ")[1].strip("."))

    assert stated(better) < stated(more) < stated(before)
    for part in ("bars", "lines", "points", "marks"):
        assert not any("NaN" in d or "Infinity" in d for d in better[part])


def test_the_lab_as_a_student_meets_it(chromium, server):
    solution = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell["source"]
        for cell in lab_notebook(COURSE, LAB, solved=True)["cells"]
        if cell["metadata"].get("nbgrader", {}).get("solution") and cell["cell_type"] == "code"
    }
    with opened(chromium, server, lab_notebook(COURSE, LAB, solved=False), LAB, "lab1") as lab:
        bandit, spread = lab.find(line=BANDIT), lab.find(line=SPREAD)
        untouched(lab, bandit)
        one_sign_wrong(lab, solution, bandit)
        write(lab, solution)
        run_between(lab, lab.find(grade_id="softmax_score"), spread)
        for theme in ("Light", "Dark"):
            lab.theme(f"JupyterLab {theme}")
            for name, cell in (("bandit", bandit), ("spread", spread)):
                lab.show(cell, ".jp-Cell-outputWrapper")
                lab.screenshot(f"lab1_{theme.lower()}_{name}")
        sliders(lab, bandit, spread)
        check_images(lab)

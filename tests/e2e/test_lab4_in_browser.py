"""Lab 4 in JupyterLab in Chromium: its text, its sliders by keyboard, a mistake and its picture."""

from __future__ import annotations

import contextlib
import copy
import json
import re

import pytest
from lab_browser import ROOT, SECOND, LabPage
from test_lab4 import LAB, notebook
from test_lab_in_browser import check_prose, message, outputs, position, printed

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

EXPLORER = "gae_explorer("
AVERAGES = "counts = 2 **"


@contextlib.contextmanager
def opened(chromium, server, content, name):
    """The notebook open in JupyterLab; on the way out, that the browser had nothing to complain."""
    path = server.workspace / name / f"{LAB}.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(content), encoding="utf-8")
    lab = LabPage(chromium, server, f"{name}/{LAB}.ipynb", viewport=(1280, 1000))
    try:
        yield lab
        assert lab.trouble == []
    except BaseException:
        with contextlib.suppress(Exception):
            lab.screenshot(f"failed_lab4_{name}")
        raise
    finally:
        lab.close()


def run_up_to(lab, last: int) -> None:
    """Run the code cells one after the other; what comes after the last one takes its time."""
    for cell in lab.cells():
        if cell["type"] == "code" and cell["index"] <= last:
            done = lab.run_cell(cell["index"])
            if not done["grade_id"].startswith("test_"):
                assert outputs(done, "error") == [], done["source"]
                assert printed(done, "stderr") == "", done["source"]


def drawing(lab, cell):
    """What a slider figure shows: the paths of its series, its words, its sliders' positions."""
    lab.cell(cell).locator(".slider-figure svg").first.wait_for()
    return lab.page.evaluate(
        """(index) => {
          const root = window.course.notebook().widgets[index].node.querySelector('.slider-figure');
          const paths = (kind) => [...root.querySelectorAll(`g .${kind}`)]
            .map((node) => node.getAttribute('d'));
          return {
            bars: paths('bars'), lines: paths('line'), points: paths('points'),
            marks: paths('marks'),
            label: root.querySelector('svg').getAttribute('aria-label'),
            reading: root.querySelector('output').textContent,
            fact: root.querySelector('.fact')?.textContent ?? '',
            texts: [...root.querySelectorAll('input')].map((i) => i.getAttribute('aria-valuetext')),
          };
        }""",
        cell,
    )


def press(lab, cell, slider: str, key: str, until: str) -> dict:
    """Reach the slider by Tab, press a key; the drawing once its reading holds the text."""
    handle = lab.cell(cell).get_by_role("slider", name=re.compile(f"^{slider}"))
    lab.cell(cell).locator(".slider-figure svg").first.click()
    for _ in range(10):
        lab.page.keyboard.press("Tab")
        if handle.evaluate("(node) => node === document.activeElement"):
            break
    else:
        raise AssertionError(f"ten times Tab does not reach the slider {slider}")
    place = position(lab)
    lab.page.keyboard.press(key)
    lab.wait(
        """([index, text]) => window.course.notebook().widgets[index].node
          .querySelector('.slider-figure output').textContent.includes(text)""",
        [cell, until],
        timeout=20 * SECOND,
    )
    assert position(lab) == place
    return drawing(lab, cell)


@pytest.mark.slow
def test_sliders_move_by_keyboard(chromium, server):
    with opened(chromium, server, notebook(solved=True), "lab4_solved") as lab:
        check_prose(lab)
        averages = lab.find(line=AVERAGES)
        run_up_to(lab, averages)
        explorer = lab.find(line=EXPLORER)
        for theme in ("Light", "Dark"):
            lab.theme(f"JupyterLab {theme}")
            lab.show(averages, ".jp-Cell-outputWrapper")
            lab.screenshot(f"lab4_{theme.lower()}_averages")
            lab.show(explorer, ".jp-Cell-outputWrapper")
            lab.screenshot(f"lab4_{theme.lower()}_explorer")

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

        lab.show(averages, ".jp-Cell-outputWrapper")
        before = drawing(lab, averages)
        after = press(lab, averages, "n, estimates", "ArrowRight", "average of 2 estimates")
        assert after["lines"][0] == before["lines"][0]  # the bias does not depend on n
        assert after["lines"][1] != before["lines"][1]


def test_a_time_limit_treated_as_the_end(chromium, server):
    """The check names the mistake, the explorer draws it and says what is off."""
    wrong = ROOT / "tests" / "corpus" / LAB / "gae" / "bad_time_limit_is_death.py"
    content = copy.deepcopy(notebook(solved=True))
    for cell in content["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "gae":
            cell["source"] = wrong.read_text(encoding="utf-8")
    with opened(chromium, server, content, "lab4_wrong") as lab:
        explorer = lab.find(line=EXPLORER)
        run_up_to(lab, explorer)
        check = lab.cells()[lab.find(grade_id="test_gae")]
        assert len(outputs(check, "error")) == 1
        lab.show(check["index"])
        lab.screenshot("lab4_wrong_check")
        shown = message(lab, check["index"])
        assert "a time limit is treated as the end of the task" in " ".join(shown.split())
        lab.show(explorer - 1)
        picture = drawing(lab, explorer)
        assert picture["fact"].startswith("One thing is off in this picture. At lambda = 0.95")
        assert "the last one before the time limit" in picture["fact"]
        lab.screenshot("lab4_wrong_explorer")

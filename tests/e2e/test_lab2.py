"""Lab 2 as it is released: in step, runs top to bottom, and lives in JupyterLab in Chromium."""

from __future__ import annotations

import re
import resource
import uuid

import pytest
from lab_browser import ROOT, SECOND, drawing, opened, outputs, printed, run_between
from test_lab_in_browser import check_images, check_prose, check_replay, message
from whole_lab import lab_notebook, run_all

from autograde import build, judge
from autograde.course import Course

COURSE = Course(ROOT)
LAB = "lab2_reinforce"
EXPLORER = "returns_explorer("
TRAINING = "history = train(run, config)"


def test_the_release_is_what_the_source_generates():
    assert build.out_of_step(COURSE, LAB) is None


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_solution_runs_top_to_bottom_without_a_word_on_stderr(monkeypatch):
    before = cpu_of_children()
    found = run_all(lab_notebook(COURSE, LAB, solved=True), monkeypatch)
    assert cpu_of_children() - before < 60
    assert [o.text for _, o in found if o.get("name") == "stderr"] == []
    said = "".join(o.text for _, o in found if o.get("name") == "stdout")
    for name in judge.exercises(LAB):
        assert f"{name}: correct on all" in said
    assert sum("image/png" in str(o) for _, o in found) == 6
    assert sum("SliderFigure" in str(o.get("data", "")) for _, o in found) == 1
    assert sum("<video" in str(o.get("data", "")) for _, o in found) == 3
    # What the text says about the figures.
    assert "gamma 0.99: over the batch, last 10 rounds: 1.00" in said
    assert "gamma 0.99: each episode by itself, last 10 rounds: 0.00" in said
    shares = re.search(r"reward-to-go (\d+)%, minus a baseline (\d+)%", str(found))
    assert 15 < int(shares[1]) < 35 and 5 < int(shares[2]) < 20
    assert "Solved (goal 475) after" in str(found)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_demonstration_never_fails_for_what_comes_later(monkeypatch):
    """Whoever writes the functions one after the other meets every demonstration half-way."""
    released, right = (
        lab_notebook(COURSE, LAB, solved=False),
        lab_notebook(COURSE, LAB, solved=True),
    )
    names = judge.exercises(LAB)
    content = {**released, "cells": []}  # all beginnings one after the other, in one kernel
    for written in range(1, len(names)):
        content["cells"].append(code_cell(f"%reset -f\nprint('beginning {written}')"))
        for cell, solution in zip(released["cells"], right["cells"], strict=True):
            meta = cell["metadata"].get("nbgrader", {})
            if cell["cell_type"] != "code" or (meta.get("grade") and not meta.get("solution")):
                continue  # the checks are met elsewhere
            source = (solution if meta.get("grade_id") in names[:written] else cell)["source"]
            source = source.replace("num_envs=1000", "num_envs=8")
            content["cells"].append(
                code_cell(source.replace("rounds: int = 30", "rounds: int = 2"))
            )
    found = run_all(content, monkeypatch, allow_errors=True)
    assert [(c.source, o) for c, o in found if o.output_type == "error"] == []
    said = "".join(o.text for _, o in found if o.get("name") == "stdout")
    for name, part in zip(names[1:], said.split("beginning ")[1:], strict=True):
        assert f"{name} is not written yet" in part


def code_cell(source: str) -> dict:
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "id": uuid.uuid4().hex[:8],
    }


# --- in the browser --------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_solved_in_the_browser(chromium, server):
    """Text, pictures and videos are there; the discount slider moves by keyboard."""
    content = lab_notebook(COURSE, LAB, solved=True)
    for cell in content["cells"]:  # enough to see; the whole is run in a kernel above
        cell["source"] = cell["source"].replace("rounds: int = 30", "rounds: int = 8")
    with opened(chromium, server, content, LAB, "lab2_solved") as lab:
        check_prose(lab)
        training = lab.find(line=TRAINING)
        exhibit = lab.find(line='losses = {"your loss"')
        run_between(lab, 0, training + 2)  # with the trained agent's video
        explorer = lab.find(line=EXPLORER)
        lab.show(explorer - 1)
        before = drawing(lab, explorer)
        assert before["fact"] == "" and "50 steps away is worth 0.605" in before["reading"]
        slider = lab.cell(explorer).get_by_role("slider", name=re.compile("^gamma"))
        assert slider.get_attribute("aria-valuetext") == "0.99"
        lab.cell(explorer).locator(".slider-figure svg").first.click()
        for _ in range(10):
            lab.page.keyboard.press("Tab")
            if slider.evaluate("(node) => node === document.activeElement"):
                break
        else:
            raise AssertionError("ten times Tab from the drawing does not reach the slider")
        for value in ("0.98", "0.97", "0.95", "0.9"):
            lab.page.keyboard.press("ArrowLeft")
            lab.wait(
                """([index, text]) => window.course.notebook().widgets[index].node
                  .querySelector('.slider-figure output').textContent.startsWith(text)""",
                [explorer, f"gamma {value}:"],
                timeout=20 * SECOND,
            )
        after = drawing(lab, explorer)
        assert "50 steps away is worth 0.00515" in after["reading"]
        assert all(a != b for a, b in zip(after["lines"], before["lines"], strict=True))
        assert not any("NaN" in d for d in after["lines"])

        assert len(check_images(lab)) >= 3
        played = check_replay(lab, training + 2)
        assert played > 2 * check_replay(lab, training - 2)  # it holds the pole for longer
        for theme in ("Light", "Dark"):
            lab.theme(f"JupyterLab {theme}")
            for name, cell in (("explorer", explorer), ("exhibit", exhibit), ("train", training)):
                lab.show(cell, ".jp-Cell-outputWrapper")
                lab.screenshot(f"lab2_{theme.lower()}_{name}")
        lab.theme("JupyterLab Light")


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_a_beginning_in_the_browser(chromium, server):
    """One function written, and wrong: its check and its slider say so, the rest waits quietly."""
    wrong = ROOT / "tests" / "corpus" / LAB / "discounted_returns" / "bad_forward_order.py"
    content = lab_notebook(COURSE, LAB, solved=False)
    for cell in content["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "discounted_returns":
            cell["source"] = wrong.read_text(encoding="utf-8")
    with opened(chromium, server, content, LAB, "lab2_beginning") as lab:
        run_between(lab, 0, len(content["cells"]))  # nothing fails but the checks
        cells = lab.cells()
        for name in judge.exercises(LAB):
            check = cells[lab.find(grade_id=f"test_{name}")]
            assert len(outputs(check, "error")) == 1
            lab.show(check["index"])
            said = message(lab, check["index"])
            if name == "discounted_returns":
                assert "The sum runs forwards" in said
                lab.screenshot("lab2_wrong_check")
            else:
                assert f"{name} is not written yet" in said
        for line in (TRAINING, 'losses = {"your loss"', "many = make_envs(", "def watch("):
            cell = cells[lab.find(line=line)]
            assert outputs(cell, "display_data") == []
            assert ("is not written yet" in printed(cell)) == (line != "def watch(")
        explorer = lab.find(line=EXPLORER)
        lab.show(explorer - 1)
        picture = drawing(lab, explorer)
        assert picture["fact"].startswith("One thing is off in this picture. At gamma = 0.99: ")
        assert "after step 50 nothing more comes" in picture["fact"]
        lab.screenshot("lab2_wrong_explorer")

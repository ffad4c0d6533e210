"""Lab 3 in JupyterLab in Chromium: one page, first untouched, then filled in; its slider."""

from __future__ import annotations

import re

import pytest
from lab_browser import ROOT, LabPage, outputs, printed
from test_lab_in_browser import check_images, check_prose, message

from autograde import judge
from autograde.corpus import solved_notebook
from autograde.course import Course

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LAB = "lab3_actor_critic"
SWEEP = "entropy_explorer()"
# The whole of it runs in test_lab3.py; what is to be seen here shows with fewer steps as well.
SHORTER = (
    ("total_steps: int = 1_000_000", "total_steps: int = 24_000"),
    ("total_steps=150_000", "total_steps=12_000"),
    ("200_0", "24_0"),
    ("grid = np.arange(0, 24_001, 4000)", "grid = np.arange(0, 24_001, 2000)"),
    ("n_updates=60", "n_updates=10"),
)
PLACES = {  # of the solved lab, for the screenshots
    "ring": "def off_and_spread",
    "training": "history = train(run, config)",
    "trunk": "norms = norms_in_the_trunk",
    "comparison": "curves = {",
}


def sources(notebook: dict) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def untouched(lab) -> None:
    """Before anything is written: prose in order, no error but in the test cells, plain words."""
    lab.screenshot(f"{LAB}_untouched_top")
    check_prose(lab)
    waiting = 0
    for cell in [cell for cell in lab.cells() if cell["type"] == "code"]:
        grade_id = cell["grade_id"]
        done = lab.run_cell(cell["index"])
        if grade_id.startswith("test_"):
            assert len(outputs(done, "error")) == 1
        if grade_id == "test_ActorCritic":
            shown = message(lab, cell["index"])
            assert shown.startswith("ActorCritic is not written yet.")
            lab.show(cell["index"] - 1)
            lab.screenshot(f"{LAB}_untouched_check")
        if grade_id.startswith("test_"):
            continue
        assert outputs(done, "error") == [], cell["source"]
        assert printed(done, "stderr") == "", cell["source"]
        waiting += "is not written yet: complete its cell above" in printed(done)
    assert waiting == 6  # the ring, two runs, the trunk twice, the comparison
    check_images(lab)


def fill_in(lab, wanted: list[str]) -> None:
    """Type the solution into the exercises' cells, and make the runs shorter."""
    lab.page.evaluate(
        """(wanted) => window.course.notebook().widgets.forEach((cell, index) => {
          const model = cell.model.sharedModel;
          if (cell.model.type === 'code' && model.source !== wanted[index])
            model.setSource(wanted[index]);
        })""",
        wanted,
    )
    lab.run_all()
    for cell in lab.cells():
        assert outputs(cell, "error") == [], cell["source"]
        assert printed(cell, "stderr") == "", cell["source"]
        if cell["type"] == "code":
            assert cell["count"] is not None, cell["source"]
    checks = [lab.find(grade_id=f"test_{name}") for name in judge.exercises(LAB)]
    assert all("correct on all" in printed(lab.cells()[index]) for index in checks)
    assert lab.page.locator(".jp-OutputArea-output:has-text('Error displaying')").count() == 0
    assert len(check_images(lab)) == 5
    training = lab.cell(lab.find(line=PLACES["training"]))
    assert training.locator(".live-curve").count() == 0  # one figure is left of it
    assert training.locator("img").count() == 1


def check_slider(lab) -> None:
    """The sweep follows the arrow keys, without the kernel."""
    cell = lab.find(line=SWEEP)
    figure = lab.cell(cell).locator(".slider-figure")
    figure.locator("svg[role=img]").wait_for()
    paths = "(node) => [...node.querySelectorAll('path')].map((p) => p.getAttribute('d'))"
    before, counts = figure.evaluate(paths), [c["count"] for c in lab.cells()]
    assert all(before) and not any("NaN" in d for d in before)
    slider = figure.get_by_role("slider", name=re.compile("^entropy coefficient"))
    assert slider.get_attribute("aria-valuetext") == "0"
    slider.focus()
    for _ in range(6):
        lab.page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "1"
    assert figure.locator("output").inner_text().startswith("entropy coefficient 1:")
    assert figure.evaluate(paths) != before
    assert [c["count"] for c in lab.cells()] == counts


def test_untouched_then_filled_in(chromium, server):
    course = Course.open(ROOT)
    wanted = sources(solved_notebook(course, LAB))
    for old, new in SHORTER:
        assert any(old in source for source in wanted), old
        wanted = [source.replace(old, new) for source in wanted]
    folder = server.workspace / "lab3"
    path = folder / "notebooks" / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(course.release_path(LAB).read_bytes())
    lab = LabPage(chromium, server, str(path.relative_to(server.workspace)), viewport=(1280, 900))
    try:
        untouched(lab)
        results = folder / "results" / LAB
        assert not results.exists()  # nothing was trained, so nothing is kept
        fill_in(lab, wanted)
        assert len(list(results.glob("*.npz"))) == 1
        check_slider(lab)
        for theme in ("Light", "Dark"):
            lab.theme(f"JupyterLab {theme}")
            lab.show(lab.find(line=SWEEP))
            lab.screenshot(f"{LAB}_sweep_{theme.lower()}")
            for name, line in PLACES.items():
                lab.show(lab.find(line=line), ".jp-Cell-outputWrapper")
                lab.screenshot(f"{LAB}_{name}_{theme.lower()}")
        assert lab.trouble == []
    except BaseException:
        lab.screenshot(f"{LAB}_failed")
        raise
    finally:
        lab.close()

"""The course map in JupyterLab in Chromium: it shows what the student's own notebooks hold."""

import json
import shutil

import pytest
from lab_browser import ROOT, LabPage

from autograde import demo
from autograde.course import Course
from course_utils import progress

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LAB = demo.LAB
CALL = "show_course()"


def test_the_map_shows_what_passes_and_leads_on(chromium, server):
    repository = Course(ROOT)
    reference = demo.reference_solutions(repository, LAB)
    written = {
        "probability_ratio": reference["probability_ratio"],
        "clipped_surrogate_loss": "def clipped_surrogate_loss(*arguments):\n    return 0.0",
    }
    folder = server.workspace / "index" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copy(repository.page_path("index"), folder)
    (folder / LAB).mkdir()
    own = folder / LAB / f"{LAB}.ipynb"
    own.write_text(json.dumps(demo.filled(demo.load_lab(repository, LAB), written)))
    before = own.read_bytes()
    lab = LabPage(chromium, server, "index/notebooks/index.ipynb", viewport=(1280, 900))
    try:
        cell = lab.find(line=CALL)
        lab.run_cell(cell)
        table = lab.cell(cell).locator("table")
        rows = table.locator("tbody tr").all_inner_texts()
        titles = [entry["title"] for entry in progress.course_map()]
        assert [row.split("\n")[0] for row in rows] == titles
        (mine,) = [row for row in rows if LAB in row]
        assert "1 of 8 pass" in mine and "next: clipped_surrogate_loss" in mine
        assert sum("not here yet" in row for row in rows) == len(rows) - 1
        for theme in ("JupyterLab Light", "JupyterLab Dark"):
            lab.theme(theme)
            lab.screenshot(f"index_{theme.split()[1].lower()}")
        # The link opens the lab in JupyterLab, in a tab of its own.
        table.get_by_role("link").click()
        lab.wait("(name) => window.course.panel()?.title?.label === name", own.name)
        assert own.read_bytes() == before
        assert lab.trouble == []
    finally:
        lab.close()

"""Takes the README's picture of lab 5 in JupyterLab: python tests/e2e/lab_picture.py [FILE]"""

import json
import sys
import tempfile
from pathlib import Path

from lab_browser import ROOT, LabPage, Server, chromium

from autograde.corpus import solved_notebook
from autograde.course import Course

LAB = "lab5_ppo"
SIZE = (1280, 940)


def main(target: Path) -> None:
    """Run the lab up to the clip explorer with the solution, and photograph that place."""
    notebook = solved_notebook(Course.open(ROOT), LAB)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        path = server.workspace / LAB / f"{LAB}.ipynb"
        path.parent.mkdir()
        path.write_text(json.dumps(notebook), encoding="utf-8")
        try:
            with chromium() as browser:
                lab = LabPage(browser, server, f"{LAB}/{LAB}.ipynb", SIZE)
                png = photograph(lab)
                lab.close()
        finally:
            server.stop()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(png)
    print(f"{target}: {SIZE[0]} x {SIZE[1]}, {len(png) / 1000:.0f} kB")


def photograph(lab: LabPage) -> bytes:
    """The explorer with its prose above and code below, as PNG; nothing beside the notebook."""
    explorer = lab.find(line="clip_explorer(")
    for cell in lab.cells()[:explorer]:
        if cell["type"] == "code" and not cell["source"].startswith("def plain_policy_gradient"):
            lab.run_cell(cell["index"])
    # The side bars show nothing of the course.
    lab.page.evaluate(
        """() => {
          const commands = window.jupyterapp.commands;
          commands.execute('application:toggle-left-area');
          for (const side of ['left', 'right'])
            commands.execute('application:toggle-side-tabbar', {side});
        }"""
    )
    lab.run_cell(explorer)
    lab.show(explorer - 1)
    lab.cell(explorer).locator(".clip-explorer svg").wait_for()
    lab.cell(explorer).get_by_role("slider").first.focus()
    return lab.page.screenshot()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "lab5.png")

"""Takes the guide's picture of the formgrader: python tests/e2e/formgrader_picture.py [FILE]"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from lab_browser import ROOT, Server, chromium

from autograde import demo
from autograde.course import Course

QUESTION = "why_reuse"
COMMENT = "Right, and well said. Which number tells you that it is time to stop?"
SIZE = (1180, 420)


def main(target: Path) -> None:
    """Grade one submission, then grade its answer by hand as far as the comment, photograph it."""
    with tempfile.TemporaryDirectory() as folder:
        course, material = demo.start_course(Course(ROOT), Path(folder) / "course")
        path = course.submission_dir("ann", demo.LAB) / f"{demo.LAB}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(demo.filled(material.lab, {QUESTION: demo.ANSWER})))
        command = [sys.executable, "-m", "autograde", "grade", demo.LAB]
        subprocess.run(command, cwd=course.root, check=True, stdout=subprocess.DEVNULL)
        (Path(folder) / "server").mkdir()
        server = Server(Path(folder) / "server", serve=course.root)
        try:
            with chromium() as browser:
                page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
                page.goto(f"{server.url}formgrader?token={server.token}")
                png = photograph(page, f"{server.url}formgrader/gradebook/{demo.LAB}/{demo.LAB}")
        finally:
            server.stop()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(png)
    print(f"{target}: {SIZE[0]} x {SIZE[1]}, {len(png) / 1000:.0f} kB")


def photograph(page, submissions: str) -> bytes:
    """The question, the student's answer, points and a comment, as PNG."""
    page.goto(submissions)
    page.locator("td.name a.name-hidden").first.click()
    page.wait_for_function("() => window.formgrader?.loaded && formgrader.comments.loaded")
    comment = page.locator(f"#{QUESTION}-comment")
    comment.fill(COMMENT)
    points = page.locator(f"#{QUESTION}")
    points.fill("3.5")
    page.keyboard.press("Tab")
    page.wait_for_timeout(200)  # until the check mark that it is saved shows
    return page.screenshot()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "formgrader.png")

"""Agents handed in beside the notebook: collected, played in the sandbox, judged, ranked."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest
import torch
from nbgrader.api import Gradebook
from nbgrader.apps import AutogradeApp
from safetensors.torch import save
from torch import nn

from autograde import demo
from autograde.build import build
from autograde.course import COURSE_ID, Course
from autograde.pipeline import load_lab
from course_utils import policies, policy_files

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
LAB, FILE, CELL = "lab6_lunar_lander", "lander.safetensors", "test_lander_agent"

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
    pytest.mark.timeout(600),
]

# What is in a solution cell of one who would rather not train: none of it is where the file plays.
CHEATS = """
import course_utils.policy_files, course_utils.acceptance
course_utils.policy_files.read_policy = lambda *a, **k: (lambda obs: None)
course_utils.acceptance.look = lambda *a, **k: 1
open("lander.safetensors", "wb").write(b"mine")
def evaluate(*arguments):
    raise NotImplementedError()
"""


def trained(name):
    return (FIXTURES / f"lander_{name}.safetensors").read_bytes()


def linear(value):
    about = {
        "kind": policy_files.KIND, "version": "1", "env_id": "LunarLander-v3", "env_steps": "null",
        "layers": '[{"kind": "Linear", "bias": false}]',
    }  # fmt: skip
    return save({"0.weight": torch.full((4, 8), value)}, about)


def pickled():
    import io

    data = io.BytesIO()
    torch.save(nn.Linear(8, 4), data)
    return data.getvalue()


def untrained():
    torch.manual_seed(1)
    return policies.to_bytes(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)), ENV, 0)


ENV = "LunarLander-v3"
# student -> (the file, points of 6 at least, at most, words of the message)
CLASS = {
    "solved": (lambda: trained("solved"), 6, 6, "accepted"),
    "best": (lambda: trained("best"), 6, 6, "accepted"),
    "middling": (lambda: trained("middling"), 2, 4.5, "not accepted yet"),
    "untrained": (untrained, 0, 0, "not accepted yet"),
    "cheats": (lambda: trained("beginner"), 0, 0, "not accepted yet"),
    "missing": (None, 0, 0, "was not handed in: write it with save_policy"),
    "pickle": (pickled, 0, 0, "is a pickle"),
    "header": (lambda: struct.pack("<Q", 100 << 20) + b"{" * 4_000_000, 0, 0, "not in the safe"),
    "infinite": (lambda: linear(3e38), 0, 0, "not finite"),
    "link": ("/etc/passwd", 0, 0, "is a link"),
    "pipe": ("pipe", 0, 0, "is a named pipe"),
}


def command(course, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment["JUPYTER_CONFIG_DIR"] = str(course / "jupyter")
    return subprocess.run(
        [sys.executable, "-m", "autograde", *arguments, "--course", str(course)],
        capture_output=True,
        text=True,
        cwd=course,
        env=environment,
    )


def shortened():
    """Lab 6 with nothing in it but its set-up, one exercise, and the agent."""
    notebook = jupytext.read(ROOT / "solutions" / f"{LAB}.py")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    wanted = ("evaluate", "test_evaluate", CELL)
    notebook.cells = [
        cell
        for number, cell in enumerate(cells)
        if number == 0
        or "def sample_actions" in cell.source
        or "import check_policy" in cell.source
        or cell.metadata.get("nbgrader", {}).get("grade_id") in wanted
    ]
    return jupytext.writes(notebook, fmt="py:percent")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with lab 6 in which this class has handed in, collected from a folder."""
    folder = tmp_path_factory.mktemp("course")
    course = Course(folder)
    course.solutions.mkdir()
    (course.solutions / f"{LAB}.py").write_text(shortened())
    (folder / "nbgrader_config.py").write_text(demo.CONFIG)
    build(course, LAB)
    lab = load_lab(course, LAB)
    solved = demo.filled(lab, demo.reference_solutions(course, LAB))
    came = tmp_path_factory.mktemp("came")
    for student, (file, *_) in CLASS.items():
        notebook = solved if student == "solved" else lab.skeleton
        if student == "cheats":
            notebook = demo.filled(lab, {"evaluate": CHEATS})
        (came / student).mkdir()
        (came / student / f"{LAB}.ipynb").write_text(json.dumps(notebook))
        path = came / student / ("lander (1).safetensors" if student == "best" else FILE)
        if file == "pipe":
            os.mkfifo(path)
        elif isinstance(file, str):
            path.symlink_to(file)
        elif file is not None:
            path.write_bytes(file())
    done = command(folder, "collect", LAB, str(came))
    assert done.returncode == 0, done.stderr
    return course


@pytest.fixture(scope="module")
def rows(course):
    done = command(course.root, "grade", LAB, "--no-feedback", "--json", str(course.root / "r"))
    assert done.returncode == 0, done.stderr
    found = json.loads((course.root / "r").read_text())["submissions"]
    return {row["student"]: row for row in found}


def test_every_file_gets_the_mark_and_the_reason_it_deserves(rows):
    assert set(rows) == set(CLASS)
    for student, (_, least, most, words) in CLASS.items():
        row = rows[student]
        result = row["exercises"]["lander_agent"]
        assert row["status"] == "graded", row["reason"]
        assert least <= result["score"] <= most, (student, result["message"])
        assert words in result["message"], (student, result["message"])
        assert result["passed"] == (least == 6)
        assert row["recorded"][CELL] == result["score"]
        # "Is it right?" was never asked of the notebook's own kernel.
        assert row["timeouts"] == 0 and row["kernel_deaths"] == 0
    assert rows["solved"]["score"] == rows["solved"]["max"] == 12
    assert any("was taken in its place" in note for note in rows["best"]["notes"])
    for student in set(CLASS) - {"solved"}:
        others = {n: r["score"] for n, r in rows[student]["exercises"].items()}
        others.pop("lander_agent")
        assert not any(others.values()), (student, others)


def test_no_seed_of_the_grader_is_told_to_a_student(course, rows):
    seed = rows["solved"]["exercises"]["lander_agent"]["details"]["seed"]
    page = course.autograded_path("solved", LAB).read_text()
    assert "accepted" in page and str(seed) not in page


def test_plain_nbgrader_autograde_gives_the_same_mark(course, rows, monkeypatch):
    monkeypatch.chdir(course.root)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(course.root / "jupyter"))
    AutogradeApp.clear_instance()
    app = AutogradeApp.instance()
    try:
        app.initialize([LAB, "--student", "middling", "--force"])
        app.start()
    finally:
        app.deinit_logging()
        AutogradeApp.clear_instance()
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        grade = gradebook.find_grade(CELL, LAB, LAB, "middling")
        assert grade.auto_score == rows["middling"]["exercises"]["lander_agent"]["score"]


@pytest.fixture(scope="module")
def page(course, rows):
    done = command(course.root, "leaderboard", LAB, "--videos", "2")
    assert done.returncode == 0, done.stderr
    assert "5 agents, 2 accepted" in done.stdout
    return course.reports / LAB / "leaderboard.html"


def test_the_leaderboard_ranks_agents_and_names_nobody(page, rows):
    html = page.read_text()
    ranked = re.findall(r'<td>(?:<a href="#film-\d+">)?([a-z]+-[a-z]+-\d{3})', html)
    details = [r["exercises"]["lander_agent"]["details"] for r in rows.values()]
    played = sorted((d for d in details if d), key=lambda d: -d["mean"])
    assert ranked == [d["name"] for d in played] and len(ranked) == 5
    assert "<script" not in html and html.count("data:video/mp4") == 2
    assert "6 submissions came without an agent" in html
    for student in ("untrained", "middling", "cheats", "pickle"):
        assert f"<bdi>{student}" not in html
    assert "299,008" in html  # steps of the best one's training


def test_with_names_it_is_for_the_instructor(course, rows):
    out = course.root / "with_names.html"
    done = command(
        course.root, "leaderboard", LAB, "--names", "--videos", "0", "--output", str(out)
    )
    assert done.returncode == 0, done.stderr
    html = out.read_text()
    assert "<bdi>middling</bdi>" in html and "<bdi>link</bdi>" in html and "<video" not in html


def listen(tab):
    """What the page asks for, and what it complains about, as it happens."""
    asked, problems = [], []
    tab.on("request", lambda request: asked.append(request.url[:60]))
    tab.on("console", lambda message: problems.append(message.text))
    return asked, problems


@pytest.mark.browser
def test_the_leaderboard_in_a_browser(page, chromium, tmp_path):
    """The page as it is shown, light and dark, with videos that play, and nothing fetched."""
    shots = Path(os.environ.get("ARTIFACTS", tmp_path))
    for scheme in ("light", "dark"):
        context = chromium.new_context(
            color_scheme=scheme, viewport={"width": 1200, "height": 1000}
        )
        tab = context.new_page()
        asked, problems = listen(tab)
        tab.goto(page.as_uri())
        tab.screenshot(path=shots / f"leaderboard_{scheme}.png", full_page=True)
        video = tab.locator("video").first
        assert video.get_attribute("aria-label").startswith("Rank 1, ")
        # The page's own policy forbids what playwright's wait_for_function does.
        video.evaluate(
            "async v => { await v.play();"
            " while (v.currentTime < 0.2) await new Promise(go => setTimeout(go, 50)); }"
        )
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert problems == []
        context.close()


def test_what_cannot_be_ranked_is_said_in_one_line(course, tmp_path):
    done = command(ROOT, "leaderboard", "lab5_ppo")
    assert done.returncode == 2 and done.stderr == (
        f"autograde: lab5_ppo does not ask for an agent; {LAB} does\n"
    )
    empty = tmp_path / "c"
    shutil.copytree(course.root / "solutions", empty / "solutions")
    shutil.copytree(course.root / "notebooks", empty / "notebooks")
    done = command(empty, "leaderboard", LAB)
    assert done.returncode == 2 and "nothing of lab6_lunar_lander has been graded" in done.stderr
    done = command(course.root, "leaderboard", LAB, "--output", str(tmp_path / "no" / "x.html"))
    assert done.returncode == 2 and done.stderr.startswith("autograde: --output ")


def test_an_unchanged_file_is_not_played_again_and_a_new_one_is(course, rows):
    path = course.submission_dir("missing", LAB) / FILE
    path.write_bytes(trained("best"))
    done = command(
        course.root, "grade", LAB, "--no-feedback", "--student", "missing", "--student", "pickle",
        "--json", "-",
    )  # fmt: skip
    again = {row["student"]: row for row in json.loads(done.stdout)["submissions"]}
    assert again["pickle"]["unchanged"] and not again["missing"]["unchanged"]
    assert again["missing"]["exercises"]["lander_agent"]["score"] == 6

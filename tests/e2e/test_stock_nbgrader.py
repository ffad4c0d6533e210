"""Plain nbgrader (its own apps, with our configuration) reaches the same marks by the same path."""

from __future__ import annotations

import json
import os
import re
import shutil

import mini
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import (
    AutogradeApp,
    GenerateAssignmentApp,
    GenerateFeedbackApp,
    NbGraderAPI,
)
from nbgrader.coursedir import CourseDirectory

from autograde import build, grade, pipeline
from autograde.course import COURSE_ID, Course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    course = mini.make_course(tmp_path_factory.mktemp("course"))
    build.register(Course(course), mini.LAB)
    return course


@pytest.fixture
def folder(base, tmp_path, monkeypatch):
    """A course, working directory, with fakes where autograde.execution and .judge would be."""
    course = tmp_path / "c"
    shutil.copytree(base, course)
    monkeypatch.chdir(course)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setattr(pipeline, "default_judge", mini.FakeJudge)
    monkeypatch.setattr(pipeline, "default_execute", lambda: mini.fake_execute)
    return course


def nbgrader(app_class, *arguments):
    """Run one of nbgrader's commands in this process; its exit status."""
    app_class.clear_instance()
    app = app_class.instance()
    try:
        app.initialize(list(arguments))
        app.start()
    except SystemExit as error:
        return error.code or 0
    finally:
        app.deinit_logging()
        app_class.clear_instance()
    return 0


def marks(folder):
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        return {
            s.student.id: {g.name: g.auto_score for g in n.grades}
            for s in gradebook.find_assignment(mini.LAB).submissions
            for n in s.notebooks
        }


def hand_in_a_class(folder):
    half = "def square(x):\n    return abs(x) * 3.0"
    mini.hand_in(folder, "ann", mini.solved(folder))
    mini.hand_in(folder, "bob", mini.solved(folder, square=half))
    mini.hand_in(folder, "cat", mini.release(folder))
    mini.hand_in(folder, "dan", b'{"cells": [')
    mini.hand_in(folder, "eve", mini.solved(folder), name="final.ipynb")
    tagged = mini.solved(folder, square="raise SystemError")
    for cell in tagged["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
        cell["metadata"].get("nbgrader", {}).update(schema_version=99, grade_id="square")
        if cell["cell_type"] == "code":
            cell["outputs"] = [
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": "3.0"},
                    "metadata": {},
                    "execution_count": 1,
                }
            ]
    mini.hand_in(folder, "fay", tagged)
    mini.hand_in(
        folder, "gil", mini.solved(folder, square="import sys\nsys.stderr.write('w')\n" + half)
    )


def test_stock_autograde_gives_the_marks_of_our_command(folder):
    hand_in_a_class(folder)
    assert nbgrader(AutogradeApp, mini.LAB) == 0
    stock = marks(folder)
    assert stock["ann"] == {"test_square": 2, "test_hypotenuse": 3, "why_positive": None}
    assert stock["dan"] == {"test_square": 0, "test_hypotenuse": 0, "why_positive": 0}
    grade.grade_class(
        Course(folder),
        mini.LAB,
        force=True,
        feedback=False,
        execute=mini.fake_execute,
        judge=mini.FakeJudge(),
        make_executor=mini.Serial,
    )
    assert marks(folder) == stock
    kept = json.loads(Course(folder).autograded_path("eve", mini.LAB).read_text())
    assert "final.ipynb" in "".join(kept["cells"][0]["source"]).replace("\\", "")


def test_the_formgraders_button_gives_the_same_marks(folder):
    hand_in_a_class(folder)
    config = Course(folder).nbgrader_config()
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    for student in ("bob", "dan"):
        answer = api.autograde(mini.LAB, student)
        assert answer["success"], answer.get("error")
    assert marks(folder)["bob"]["test_square"] == 1.0
    assert set(marks(folder)["dan"].values()) == {0.0}


def test_no_execute_is_no_way_to_full_marks(folder):
    mini.hand_in(folder, "cat", mini.release(folder))
    nbgrader(AutogradeApp, mini.LAB, "--no-execute")
    assert marks(folder)["cat"]["test_square"] == 0


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_and_times_in_a_submission_are_not_followed(folder):
    path = mini.hand_in(folder, "ann", mini.solved(folder))
    (path.parent / "passwords").symlink_to("/etc/passwd")
    (path.parent / "deep").mkdir()
    (path.parent / "deep" / "x.txt").write_text("1")
    (path.parent / "timestamp.txt").write_text("1999-01-01 00:00:00 UTC")
    assert nbgrader(AutogradeApp, mini.LAB) == 0
    kept = Course(folder).autograded_path("ann", mini.LAB).parent
    assert [p.name for p in kept.iterdir()] == ["mini_lab.ipynb"]
    with Gradebook(Course(folder).db_url, COURSE_ID) as gradebook:
        assert gradebook.find_submission(mini.LAB, "ann").timestamp is None


def test_stock_feedback_has_no_hidden_test_and_no_script(folder):
    evil = "<script>alert('evil')</script>"
    mini.hand_in(folder, "ann", mini.solved(folder, why_positive=f"Because {evil}"))
    nbgrader(AutogradeApp, mini.LAB)
    assert "hidden_test" in Course(folder).autograded_path("ann", mini.LAB).read_text()
    assert nbgrader(GenerateFeedbackApp, mini.LAB) == 0
    page = Course(folder).feedback_path("ann", mini.LAB).read_text()
    assert "square: correct" in page and "Because" in page
    assert "hidden_test" not in page
    assert not any("evil" in script for script in re.findall(r"<script[^>]*>[^<]*", page))


def test_the_formgraders_page_of_a_submission_has_no_script_of_the_student(folder):
    """The formgrader renders with HTMLExporter(config=...) and the course's configuration."""
    import nbformat
    from nbconvert.exporters import HTMLExporter

    notebook = mini.solved(folder)
    for kind in ("markdown", "code"):
        cell = {"cell_type": kind, "metadata": {}, "source": "<script>evil()</script>", "id": kind}
        if kind == "code":
            data = {"text/html": "<script>evil()</script>", "text/plain": "x"}
            output = {"output_type": "display_data", "metadata": {}, "data": data}
            cell.update(outputs=[output], execution_count=1)
        notebook["cells"].append(cell)
    exporter = HTMLExporter(config=Course(folder).nbgrader_config())
    # What the formgrader's handler gives along (names come from lists that others have made).
    resources = {
        "index": 0,
        "total": 1,
        "base_url": "",
        "submission_id": "0",
        "assignment_id": mini.LAB,
        "notebook_id": mini.LAB,
        "student": "</a><script>evil()</script>",
        "last_name": "<script>evil()</script>",
        "first_name": "<img src=x onerror=evil()>",
        "notebook_path": '"><script>evil()</script>',
    }
    page, _ = exporter.from_notebook_node(nbformat.from_dict(notebook), resources=resources)
    assert "Submission 1 / 1" in page
    assert not any("evil" in script for script in re.findall(r"<script[^>]*>[^<]*", page))
    assert "<img src=x" not in page
    assert "cdnjs" not in page and "https://" not in page


@pytest.mark.parametrize("started", ["in the course", "above it"])
def test_the_formgrader_has_the_courses_templates_wherever_it_is_started(
    folder, monkeypatch, started
):
    """As on a JupyterHub: its own nbgrader_config.py says no more than where the course is."""
    from nbconvert.exporters import HTMLExporter
    from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension

    if started == "above it":
        place = f"c = get_config()\nc.CourseDirectory.root = {str(folder)!r}\n"
        (folder.parent / "nbgrader_config.py").write_text(place)
        monkeypatch.chdir(folder.parent)
    FormgradeExtension.clear_instance()
    extension = FormgradeExtension()
    extension.initialize([])
    exporter = HTMLExporter(config=extension.config)
    assert extension.coursedir.root == str(folder)
    assert exporter.template_name == "course_formgrade" and exporter.sanitize_html
    assert any("SafeHTML" in str(preprocessor) for preprocessor in exporter.preprocessors)


def test_stock_generate_assignment_writes_the_bytes_of_our_build(folder):
    path = Course(folder).release_path(mini.LAB)
    ours = path.read_bytes()
    assert nbgrader(GenerateAssignmentApp, mini.LAB, "--force") == 0
    assert path.read_bytes() == ours

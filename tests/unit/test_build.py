"""Building a lab: determinism, what lands in the release, and one line for each fault."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3

import mini
import nbformat
import pytest
from nbgrader.api import Gradebook

from autograde import build
from autograde.course import COURSE_ID, Course
from autograde.errors import CourseError
from autograde.leaks import leaks

SOURCE = (mini.HERE / "course" / "solutions" / "mini_lab.py").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


def source_of(tmp_path, text: str):
    path = tmp_path / "mini_lab.py"
    path.write_text(text)
    return build.source_notebook(path)


def test_two_builds_are_byte_for_byte_the_same(folder, tmp_path):
    mini.make_course(tmp_path)
    ours, theirs = Course(folder), Course(tmp_path)
    first = ours.release_path(mini.LAB).read_bytes()
    assert first == theirs.release_path(mini.LAB).read_bytes()
    _, changed = build.build(ours, mini.LAB)
    assert not changed


def test_the_release_is_a_valid_notebook_for_students(folder):
    notebook = nbformat.read(Course(folder).release_path(mini.LAB), as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert "square" in ids and "test_square" in ids
    assert notebook.metadata.kernelspec == {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "# YOUR CODE HERE\n    raise NotImplementedError()" in text
    assert "YOUR ANSWER HERE" in text
    assert "HIDDEN" not in text and "SOLUTION" not in text and "autograde" not in text
    demo = next(cell for cell in notebook.cells if cell.source.startswith("for x"))
    assert demo.metadata.tags == ["skip-execution"]
    source = build.source_notebook(Course(folder).solution_path(mini.LAB))
    assert leaks(notebook, source) == []


def test_editing_one_cell_leaves_the_ids_of_the_others_alone(tmp_path):
    before = [cell.id for cell in source_of(tmp_path, SOURCE).cells]
    after = [cell.id for cell in source_of(tmp_path, SOURCE.replace("The end.", "Done.")).cells]
    assert before[:-1] == after[:-1] and before[-1] != after[-1]


def test_two_equal_cells_get_two_ids(tmp_path):
    twice = SOURCE + "\n# %% [markdown]\n# The end.\n"
    ids = [cell.id for cell in source_of(tmp_path, twice).cells]
    assert len(set(ids)) == len(ids)


def test_nothing_but_the_notebook_lands_in_the_release(tmp_path):
    course = Course(mini.make_course(tmp_path))
    (course.source / mini.LAB / "answers.py").write_text("square = lambda x: x * x")
    course.release_path(mini.LAB).unlink()
    build.build(course, mini.LAB)
    assert [p.name for p in course.release_path(mini.LAB).parent.iterdir()] == ["mini_lab.ipynb"]
    assert [p.name for p in (course.source / mini.LAB).iterdir()] == ["mini_lab.ipynb"]


def test_out_of_step_is_noticed(tmp_path):
    course = Course(mini.make_course(tmp_path))
    assert build.out_of_step(course, mini.LAB) is None
    stray = course.release / mini.LAB / "mini_lab.py"
    stray.write_text("")
    assert "mini_lab.py" in build.out_of_step(course, mini.LAB)
    stray.unlink()
    path = course.release_path(mini.LAB)
    path.write_bytes(path.read_bytes().replace(b"The end.", b"The End."))
    assert "out of step" in build.out_of_step(course, mini.LAB)
    path.unlink()
    assert "missing" in build.out_of_step(course, mini.LAB)


HIDDEN = re.search(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS\n", SOURCE, re.S)[0]
FAULTS = {
    "duplicate": (SOURCE.replace('"hypotenuse", "locked"', '"square", "locked"'), "two cells"),
    "no hidden test": (SOURCE.replace(HIDDEN, "", 1), "exactly one hidden test region"),
    "no points": (SOURCE.replace('"points": 2', '"points": 0'), "points must be"),
    "points are text": (SOURCE.replace('"points": 2', '"points": "2"'), "points must be"),
    "unlocked test": (
        SOURCE.replace('"test_square", "locked": true', '"test_square", "locked": false'),
        "must be locked",
    ),
    "open solution": (SOURCE.replace("    ### END SOLUTION\n", "", 1), "solution region"),
    "nested solution": (
        SOURCE.replace("    result = x", "    ### BEGIN SOLUTION\n    result = x"),
        "solution region",
    ),
    "open hidden test": (SOURCE.replace("### END HIDDEN TESTS\n", "", 1), "hidden test region"),
    "misspelt marker": (
        SOURCE.replace("### BEGIN HIDDEN TESTS", "# BEGIN HIDDEN TESTS", 1),
        "hidden test region",
    ),
    "wrong test": (SOURCE.replace("mini_lab/square", "mini_lab/cube"), "must call hidden_test"),
    "nothing to test": (SOURCE.replace('"test_square"', '"test_cube"'), "must call hidden_test"),
    "solution region elsewhere": (
        SOURCE.replace("    return x / 2", "    ### BEGIN SOLUTION\n    ### END SOLUTION"),
        "not a solution cell",
    ),
    "no region": (
        SOURCE.replace("    ### BEGIN SOLUTION\n", "", 1).replace("    ### END SOLUTION\n", "", 1),
        "no ### BEGIN SOLUTION",
    ),
    "syntax": (SOURCE.replace("return x / 2", "return x /"), "no valid Python"),
    "metadata": (SOURCE.replace('"locked": false, ', "", 1), "lacks locked"),
    "schema": (SOURCE.replace('"schema_version": 3', '"schema_version": 4', 1), "schema_version"),
    "odd id": (SOURCE.replace('"grade_id": "square"', '"grade_id": "a b"'), "letters, digits"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_source_is_refused_in_one_line(fault, tmp_path):
    text, expected = FAULTS[fault]
    assert text != SOURCE
    with pytest.raises(CourseError) as caught:
        source_of(tmp_path, text)
    message = str(caught.value)
    assert expected in message
    assert message.startswith("mini_lab.py: cell ") and "\n" not in message


def test_register_writes_points_and_due_date_and_is_idempotent(tmp_path):
    from nbgrader.api import Gradebook

    from autograde.course import COURSE_ID

    course = Course(mini.make_course(tmp_path))
    (tmp_path / "autograde" / "duedates.csv").write_text("lab,due\nmini_lab,2026-05-31T23:59Z\n")
    for _ in range(2):
        build.register(course, mini.LAB)
    with Gradebook(course.db_url, COURSE_ID) as gradebook:
        assignment = gradebook.find_assignment(mini.LAB)
        assert str(assignment.duedate) == "2026-05-31 23:59:00"
        assert assignment.max_score == 6
        stored = gradebook.find_source_cell("test_square", mini.LAB, mini.LAB).source
    assert "hidden_test(" in stored
    # The hidden tests are the gradebook's; the release on disk is untouched.
    assert "hidden_test(" not in json.dumps(mini.release(tmp_path))


def test_a_new_gradebook_is_the_one_that_nbgrader_would_make(tmp_path):
    def inside(path):
        with contextlib.closing(sqlite3.connect(path)) as database:
            schema = database.execute("select name, sql from sqlite_master order by name")
            tables = [(name, " ".join((sql or "").split())) for name, sql in schema]
            version = database.execute("select * from alembic_version").fetchall()
            return tables, version, database.execute("select id from course").fetchall()

    course = Course(tmp_path)
    build.make_gradebook(course)
    Gradebook(f"sqlite:///{tmp_path}/stock.db", COURSE_ID).close()
    assert inside(tmp_path / "autograde" / "gradebook.db") == inside(tmp_path / "stock.db")

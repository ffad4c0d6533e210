"""Grafting: the student's work is taken, nothing else that a notebook can carry."""

from __future__ import annotations

import copy
import json

import mini
import nbformat
import pytest

from autograde import graft as grafting
from autograde import pipeline
from autograde.course import Course
from autograde.graft import added_statements, graft
from autograde.intake import parse


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = mini.make_course(tmp_path_factory.mktemp("course"))
    return pipeline.load_lab(Course(folder), mini.LAB)


def solved(lab, **sources):
    notebook = copy.deepcopy(lab.skeleton)
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in {**mini.GOOD, **sources}:
            cell["source"] = {**mini.GOOD, **sources}[name]
    return notebook


def at(notebook, grade_id):
    for index, cell in enumerate(notebook["cells"]):
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id:
            return index
    raise KeyError(grade_id)


def code(source, **metadata):
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": []}


def run(lab, notebook):
    before = copy.deepcopy(lab.skeleton)
    result, notes = graft(lab.skeleton, parse(json.dumps(notebook).encode(), "nb"))
    assert lab.skeleton == before, "the skeleton was changed"
    nbformat.validate(nbformat.from_dict(result))
    ids = [cell["id"] for cell in result["cells"]]
    assert len(set(ids)) == len(ids)
    kept = [cell for cell in result["cells"] if not cell["id"].startswith("added-")]
    assert [c["id"] for c in kept] == [c["id"] for c in before["cells"]]
    assert [c["metadata"] for c in kept] == [c["metadata"] for c in before["cells"]]
    return result, notes


def source(notebook, grade_id):
    return notebook["cells"][at(notebook, grade_id)]["source"]


def added(notebook):
    return [cell for cell in notebook["cells"] if cell["id"].startswith("added-")]


def test_solutions_are_taken_and_nothing_else(lab):
    notebook = solved(lab)
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
        cell["metadata"].get("nbgrader", {})["points"] = 100
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "2.0"}]
            cell["execution_count"] = 7
    notebook["metadata"]["kernelspec"] = {"name": "bash", "display_name": "x"}
    notebook["cells"][at(notebook, "test_square")]["source"] = "2.0"
    result, notes = run(lab, notebook)
    for name, text in mini.GOOD.items():
        assert source(result, name) == text
    assert source(result, "test_square") == 'check("square", square)'
    assert all(not cell.get("outputs") for cell in result["cells"])
    assert result["metadata"] == lab.skeleton["metadata"]
    assert notes == [] and added(result) == []


def test_a_refused_submission_gives_the_bare_release(lab):
    result, notes = graft(lab.skeleton, None)
    assert [c["source"] for c in result["cells"]] == [c["source"] for c in lab.skeleton["cells"]]
    assert notes == []


def test_deleted_and_reordered_cells_do_not_matter(lab):
    notebook = solved(lab)
    del notebook["cells"][at(notebook, "test_square")]
    notebook["cells"].reverse()
    result, _ = run(lab, notebook)
    assert source(result, "square") == mini.GOOD["square"]


def test_a_deleted_solution_is_noted_and_stays_a_stub(lab):
    notebook = solved(lab)
    del notebook["cells"][at(notebook, "square")]
    result, notes = run(lab, notebook)
    assert "NotImplementedError" in source(result, "square")
    assert notes == ["cell square is missing"]


def test_a_new_cell_in_the_place_of_a_deleted_one_counts(lab):
    notebook = solved(lab)
    index = at(notebook, "square")
    notebook["cells"][index] = code("def square(x):\n    return x ** 2.0")
    result, notes = run(lab, notebook)
    assert source(result, "square") == "def square(x):\n    return x ** 2.0"
    assert added(result) == [] and "was taken" in notes[0]


@pytest.mark.parametrize("order", ["work first", "stub first"])
def test_of_a_duplicated_cell_the_one_with_work_counts(lab, order):
    notebook = solved(lab)
    index = at(notebook, "square")
    stub = copy.deepcopy(lab.skeleton["cells"][at(lab.skeleton, "square")])
    stub["source"] += "   # nothing yet\n"
    notebook["cells"].insert(index + (order == "work first"), stub)
    result, notes = run(lab, notebook)
    assert source(result, "square") == mini.GOOD["square"]
    assert added(result) == [] and "2 times" in notes[0]


def test_a_split_cell_runs_in_its_two_parts(lab):
    notebook = solved(lab, square="def square(x):\n    return twice(x) * x / 2")
    first = copy.deepcopy(notebook["cells"][at(notebook, "square")])
    first["source"] = "def twice(x):\n    return x + x"
    notebook["cells"].insert(at(notebook, "square"), first)
    result, _ = run(lab, notebook)
    index = at(result, "square")
    assert result["cells"][index - 1]["source"] == first["source"]
    assert "nbgrader" not in result["cells"][index - 1]["metadata"]
    assert "twice(x)" in source(result, "square")


def test_the_copies_of_an_answer_are_kept_for_the_reader(lab):
    notebook = solved(lab)
    index = at(notebook, "why_positive")
    second = {**copy.deepcopy(notebook["cells"][index]), "source": "And more."}
    notebook["cells"].insert(index + 1, second)
    result, _ = run(lab, notebook)
    assert source(result, "why_positive") == mini.GOOD["why_positive"] + "\n\nAnd more."


def test_added_cells_keep_their_place_and_lose_their_metadata(lab):
    notebook = solved(lab)
    index = at(notebook, "square")
    notebook["cells"].insert(0, code("first = 1"))
    notebook["cells"].insert(index + 1, code("helper = 2", nbgrader={"grade": True, "x": 1}))
    notebook["cells"].insert(index + 2, code("third = 3", tags=["skip-execution"]))
    result, _ = run(lab, notebook)
    texts = [cell["source"] for cell in result["cells"]]
    assert texts[0] == "first = 1"
    assert texts.index("helper = 2") == texts.index("third = 3") - 1
    assert texts.index("third = 3") == at(result, "square") - 1
    assert all(cell["metadata"] == {} for cell in added(result))


def test_cells_after_the_last_test_are_not_run(lab):
    notebook = solved(lab)
    notebook["cells"].append(code("train_for_an_hour()"))
    result, _ = run(lab, notebook)
    assert added(result)[0]["metadata"] == {"tags": ["skip-execution"]}


def test_a_copied_test_cell_is_not_added(lab):
    notebook = solved(lab)
    test = copy.deepcopy(notebook["cells"][at(notebook, "test_square")])
    notebook["cells"].append({**test, "metadata": {}, "id": "other"})
    notebook["cells"].append(test)
    result, _ = run(lab, notebook)
    assert added(result) == []


def test_imports_added_to_the_setup_cell_count_and_given_names_stay(lab):
    notebook = solved(lab)
    setup = notebook["cells"][1]
    setup["source"] = (
        "import math as m\nimport os\nfrom course_utils.checks import checker\n"
        "%matplotlib inline\ndef helper():\n    return 1\n"
        "check = print\nLIMIT = 3\nfor i in range(10**9): pass\n"
    )
    worked = notebook["cells"][2]
    assert worked["source"].startswith("# Worked code")
    worked["source"] = "def halve(x):\n    return x / 3"
    result, _ = run(lab, notebook)
    extra = [cell["source"] for cell in added(result)]
    assert len(extra) == 1
    assert "import os" in extra[0] and "def helper" in extra[0] and "LIMIT = 3" in extra[0]
    assert "import math as m" in extra[0]
    assert "check =" not in extra[0] and "for " not in extra[0]
    assert lab.skeleton["cells"][2]["source"] in [cell["source"] for cell in result["cells"]]


def test_assignments_in_demo_cells_are_not_run():
    given, theirs = "run(f)", "import os\nagent = train(10**9)\ndef g(): pass"
    kept = added_statements(given, theirs, assignments=False)
    assert "import os" in kept and "def g" in kept and "train" not in kept


def test_lost_metadata_is_made_up_for_by_ids(lab):
    notebook = solved(lab)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    result, notes = run(lab, notebook)
    assert source(result, "hypotenuse") == mini.GOOD["hypotenuse"]
    assert source(result, "why_positive") == mini.GOOD["why_positive"]
    assert notes == [] and added(result) == []


def test_lost_metadata_and_ids_are_made_up_for_by_names(lab):
    notebook = solved(lab)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        del cell["id"]
    result, _ = run(lab, notebook)
    assert source(result, "square") == mini.GOOD["square"]
    assert source(result, "hypotenuse") == mini.GOOD["hypotenuse"]


def test_a_solution_cell_turned_into_markdown_is_still_code(lab):
    notebook = solved(lab)
    notebook["cells"][at(notebook, "square")]["cell_type"] = "markdown"
    result, _ = run(lab, notebook)
    assert result["cells"][at(result, "square")]["cell_type"] == "code"
    assert source(result, "square") == mini.GOOD["square"]


def test_pictures_in_an_answer_are_not_taken_but_noted(lab):
    notebook = solved(lab)
    answer = notebook["cells"][at(notebook, "why_positive")]
    answer["attachments"] = {"a.png": {"image/png": "AAAA"}}
    result, notes = run(lab, notebook)
    assert "attachments" not in result["cells"][at(result, "why_positive")]
    assert "pictures" in notes[0]


def test_floods_of_cells_and_text_are_bounded(lab):
    notebook = solved(lab)
    notebook["cells"][:0] = [code(f"x{i} = 1") for i in range(grafting.MAX_ADDED_CELLS + 50)]
    notebook["cells"].append(code("y" * (grafting.MAX_CELL_CHARACTERS + 1)))
    result, notes = run(lab, notebook)
    assert len(added(result)) == grafting.MAX_ADDED_CELLS
    assert len(notes) == 2


HOSTILE = [
    "(" * 50_000,
    "x = " + "-" * 50_000 + "1",
    "x" + ".a" * 50_000,
    "x = " + "9" * 20_000,
    "\x00",
    "if True:\n" * 200,
    "'\\d' \\\n",
    "def f(:",
    "\t\tindented",
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_in_any_cell_does_not_break_the_graft(lab, number, recwarn):
    notebook = solved(lab, square=HOSTILE[number])
    notebook["cells"][1]["source"] = HOSTILE[number]
    notebook["cells"].insert(3, code(HOSTILE[number]))
    del notebook["cells"][at(notebook, "hypotenuse")]
    result, _ = run(lab, notebook)
    assert source(result, "square") == HOSTILE[number]
    assert len(recwarn) == 0

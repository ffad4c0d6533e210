"""Between the engine and nbgrader: whatever comes out of a kernel, the score is the judge's."""

from __future__ import annotations

import json
import math

import mini
import nbformat
import pytest
from nbgrader.utils import determine_grade

from autograde import pipeline
from autograde.course import Course
from autograde.errors import CourseError
from autograde.intake import Refused
from autograde.pipeline import InternalError, TestResult


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return mini.make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def lab(folder):
    return pipeline.load_lab(Course(folder), mini.LAB)


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def result(text):
    return {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {"text/plain": text},
    }


ERROR = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]}
OUTPUTS = {
    "nothing": [],
    "warning": [stream("UserWarning", "stderr")],
    "error": [ERROR],
    "a forged score": [result("2.0")],
    "a forged score too high": [result("1e9")],
    "a forged score below": [result("-1")],
    "not a number": [result("nan")],
    "a flood": [stream("x\n" * 5000)],
    "no list": "2.0",
    "rubbish": [1, None, {"output_type": "stream"}, {"output_type": "error"}, {"a": "b"}],
    "wrong types": [
        {"output_type": "stream", "name": 3, "text": 4},
        {"output_type": "error", "ename": [], "evalue": {}, "traceback": "t"},
        {"output_type": "display_data", "data": 3},
        {"output_type": "execute_result", "data": {"text/plain": ["1", 2]}},
        {"output_type": "update_display_data", "data": {"text/plain": "1"}},
    ],
    "surrogates": [stream("\ud800"), {**ERROR, "evalue": "\udfff"}],
}


@pytest.mark.parametrize("score", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("name", OUTPUTS)
def test_nbgrader_reads_the_judges_score_whatever_the_student_put_out(lab, name, score):
    notebook = json.loads(json.dumps(lab.skeleton))
    ids = {"test_square": None}
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") in ids:
            ids[cell["metadata"]["nbgrader"]["grade_id"]] = cell["id"]
    verdicts = {
        "square": TestResult(score, 2.0, "said the judge", None, False),
        "hypotenuse": TestResult(1.5, 3.0, "m", None, False),
    }
    ran = {"test_square": {"outputs": OUTPUTS[name], "execution_count": "x"}}
    pipeline.place_outputs(notebook, ran, verdicts, ["a [note](x) <b>"])
    node = nbformat.from_dict(notebook)
    nbformat.validate(node)
    nbformat.writes(node).encode()
    cell = next(c for c in node.cells if c.id == "test_square")
    assert determine_grade(cell) == (score, 2.0)
    assert any("said the judge" in o.get("text", "") for o in cell.outputs)
    assert node.cells[0].source.endswith(r"- a \[note\](x) \<b\>")


def test_only_text_and_real_bitmaps_are_kept():
    outputs = pipeline.safe_outputs(
        [
            {
                "output_type": "display_data",
                "metadata": {"x": 1},
                "data": {
                    "text/html": "<script>1</script>",
                    "application/javascript": "1",
                    "image/svg+xml": "<svg onload=x>",
                    "image/png": 'AAAA" onerror="x',
                    "image/jpeg": ["AA", "AA=\n"],
                    "text/plain": "<Figure>",
                },
            },
            {"output_type": "display_data", "data": {"text/html": "<b>"}},
        ]
    )
    assert outputs == [
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/plain": "<Figure>", "image/jpeg": "AAAA=\n"},
        }
    ]


@pytest.mark.parametrize("score", [None, "2", True, math.nan, math.inf, -0.1, 2.1, [1]])
def test_a_judge_that_gives_no_number_in_range_is_an_internal_error(score):
    with pytest.raises(InternalError):
        pipeline.checked_score(score, 2.0, "x")


def test_rounding_at_the_ends_is_forgiven():
    assert pipeline.checked_score(2.0 + 1e-12, 2.0, "x") == 2.0
    assert pipeline.checked_score(-1e-12, 2.0, "x") == 0.0
    assert pipeline.checked_score(1, 2.0, "x") == 1.0


def test_no_hidden_test_text_crosses_the_wall(lab):
    notebook = json.loads(json.dumps(lab.skeleton))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "test_square":
            cell["source"] += "\n### BEGIN HIDDEN TESTS\nhidden_test(1)\n### END HIDDEN TESTS"
    job = pipeline.make_job(lab, notebook, {"test_square": {}})
    assert b"hidden_test" not in job and b"BEGIN HIDDEN" not in job
    assert json.loads(job)["limits"]["cell_cpu_s"] == 60


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"cells": [], "observations": {}}', b"\xff"])
def test_an_engine_that_answers_nonsense_is_an_internal_error(raw):
    with pytest.raises(InternalError):
        pipeline.read_result(raw)


def test_the_visible_check_reports_itself():
    def report(value):
        return {"output_type": "display_data", "data": {pipeline.CHECK_MIME: value}}

    assert pipeline.reported_check([report({"passed": True, "mistake": None})]) == (True, None)
    assert pipeline.reported_check([report('{"passed": false, "mistake": "sum"}')]) == (
        False,
        "sum",
    )
    for junk in ([], [3], [report("x")], [report({"passed": "yes"})], [report([])]):
        assert pipeline.reported_check(junk) == (None, None)


def grade(folder, notebook, **options):
    return pipeline.grade_notebook(
        notebook,
        mini.LAB,
        seed=1,
        execute=mini.fake_execute,
        judge=mini.FakeJudge(),
        course=Course(folder),
        **options,
    )


def test_one_notebook_is_graded_without_a_gradebook(folder):
    results = grade(folder, mini.solved(folder, square="def square(x):\n    return abs(x) * 3"))
    assert list(results) == ["square", "hypotenuse"]
    assert results["square"].score == 1.0 and results["square"].max == 2.0
    assert not (folder / "autograde" / "gradebook.db").exists()


def test_only_some_tests_can_be_asked_for(folder):
    assert list(grade(folder, mini.solved(folder), only=["hypotenuse"])) == ["hypotenuse"]


def test_what_intake_refuses_is_refused_here_too(folder):
    with pytest.raises(Refused):
        grade(folder, b"rubbish")


def test_many_notebooks_through_an_executor(folder):
    many = [("a", mini.solved(folder), None), ("b", b"rubbish", None)]
    outcomes = dict(
        pipeline.grade_notebooks(
            many,
            mini.LAB,
            1,
            execute=mini.fake_execute,
            executor=mini.Serial(),
            judge=mini.FakeJudge(),
            course=Course(folder),
        )
    )
    assert outcomes["a"]["square"].score == 2.0
    assert isinstance(outcomes["b"], Refused)


def test_a_lab_without_a_judge_is_said_in_one_line(folder):
    class Nobody(mini.FakeJudge):
        def has(self, exercise_id):
            return False

    with pytest.raises(CourseError, match="no hidden test for mini_lab/square"):
        pipeline.grade_notebook(
            mini.solved(folder),
            mini.LAB,
            1,
            execute=mini.fake_execute,
            judge=Nobody(),
            course=Course(folder),
        )

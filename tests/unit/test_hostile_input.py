"""Text, names and numbers that are made to mislead or to take for ever."""

import copy
import json
import time
from types import SimpleNamespace

import nbformat
import pytest

from autograde import judge as judging
from autograde.exporter import MAX_COLORED, bounded_highlighter
from autograde.intake import (
    MAX_CELL_CHARACTERS,
    Refused,
    name_problem,
    one_line,
    parse,
    plain_text,
)
from autograde.judge.mistakes import corpus_files, load
from autograde.pipeline import MAX_MESSAGE, reported_check, safe_outputs
from autograde.preprocessors import MAX_MARKDOWN, SafeHTML
from course_utils.checks.codec import array_from_plain
from course_utils.checks.observe import observe


def seconds(action) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started


@pytest.mark.parametrize("name", ["ann", "a.b+c@d.org", "Jané 李", "o'brien", "a&b", "-rf", "%s"])
def test_unusual_ids_are_ids(name):
    assert name_problem(name) is None


@pytest.mark.parametrize("name", ["ann ", "\tann", "*", "a?n", "[a]nn", "a\nb", "\x1b[2J", "\udcff",
                                  "\u202egnp", "x" * 129, "{student_id}", "<b>", 'a"b'])  # fmt: skip
def test_names_that_nbgrader_would_take_for_others_are_no_ids(name):
    assert name_problem(name)


def test_text_reads_as_a_terminal_would_show_it():
    assert plain_text("\x1b[31mred\x1b[0m\n10%\r100%\nnext\r\n\ttab\x00\x07\x9b") == (
        "red\n100%\nnext\n\ttab"
    )
    assert one_line("a\x1b[2J\nb") == "a?[2J?b"


@pytest.mark.parametrize("text", ["\x1b[31ma\x1b[0m" * 100_000, "\x1b" * 10**6, "\r" * 10**6,
                                  "\x1b[" + "0;" * 500_000, "a\r" * 500_000,
                                  "\x1b[0" * 300_000])  # fmt: skip
def test_a_megabyte_of_escape_codes_takes_no_time(text):
    output = {"output_type": "stream", "name": "stdout", "text": text}
    assert seconds(lambda: safe_outputs([output])) < 3


def test_code_of_asterisks_takes_no_time():
    highlight = bounded_highlighter(None)
    assert seconds(lambda: highlight("*" * MAX_COLORED)) < 5
    assert "&lt;script" in highlight("<script>" * MAX_COLORED)


def test_slow_markdown_is_shown_as_it_is():
    slow = "<b><p>" * (MAX_MARKDOWN // 6)
    cells = [nbformat.v4.new_markdown_cell(slow + str(number)) for number in range(20)]
    cells.append(nbformat.v4.new_markdown_cell("<script>\n\n" * MAX_MARKDOWN))
    notebook = nbformat.v4.new_notebook(cells=cells)
    preprocessor = SafeHTML(parent=None)
    assert seconds(lambda: preprocessor.preprocess(notebook, {})) < 15
    assert cells[-1].source.startswith("<pre>") and "<script" not in cells[-1].source
    assert "\n" not in cells[-1].source


def test_a_megabyte_of_code_is_refused_but_not_one_long_cell():
    cell = {"cell_type": "code", "source": "x" * MAX_CELL_CHARACTERS}
    document = {"cells": [cell] * 6}
    with pytest.raises(Refused, match="characters"):
        parse(json.dumps(document).encode(), "lab.ipynb")
    pasted = {"cells": [{"cell_type": "markdown", "source": "x" * 5_000_000}, cell]}
    assert len(parse(json.dumps(pasted).encode(), "lab.ipynb")) == 2


def test_a_shape_is_not_multiplied_before_it_is_looked_at():
    plain = {"array": "float32", "shape": [10**18] * 200_000, "data": []}

    def read():
        with pytest.raises(ValueError, match="shape"):
            array_from_plain(plain)

    assert seconds(read) < 2


def test_what_a_kernel_calls_a_mistake_is_an_id_or_nothing():
    def report(mistake):
        data = {"application/vnd.course-utils.check+json": {"passed": False, "mistake": mistake}}
        return reported_check([{"output_type": "display_data", "data": data}])[1]

    assert report("no_shuffle") == "no_shuffle"
    assert report("<script>") is None and report("x" * 1000) is None


def test_a_message_is_cut(monkeypatch):
    from autograde.pipeline import judge_result

    cell = {"id": "t", "cell_type": "code", "metadata": {"nbgrader": {
        "grade": True, "solution": False, "grade_id": "test_x", "points": 1}}}  # fmt: skip
    test = SimpleNamespace(grade_id="test_x", name="x", points=1.0)
    lab = SimpleNamespace(name="lab", skeleton={"cells": [cell]}, tests=[test])
    verdict = judging.Verdict(0.0, 1.0, "\x1b[2J" + "y" * 10**6, None, False)
    judge = SimpleNamespace(judge=lambda *a: verdict)
    message = judge_result(lab, {"observations": {}, "cells": {}}, 1, judge)["x"].message
    assert len(message) < MAX_MESSAGE + 100 and message.startswith("yyy")


# --- a judge who counts for itself --------------------------------------------------------------


def observed(name: str) -> tuple[str, dict]:
    exercise = f"lab5_ppo/{name}"
    path = corpus_files(exercise, "ok")[0]
    function = load(exercise, path.read_text(), str(path))
    return exercise, observe(exercise, function, judging.request(exercise, 5)["cases"])


def test_a_summary_of_minibatches_is_worth_nothing_without_the_indices():
    exercise, honest = observed("minibatch_indices")
    assert judging.judge(exercise, 5, honest, 10.0).score == 10.0
    for draws in (None, [[], [], [], []], [[[0, 0]]] * 4, "x", 7, [[["a"]]] * 4):
        forged = copy.deepcopy(honest)
        for entry in forged["cases"]:
            entry["facts"]["draws"] = draws
        assert judging.judge(exercise, 5, forged, 10.0).score == 0, draws


def test_an_update_is_worth_nothing_without_its_gradients():
    exercise, honest = observed("ppo_update")
    assert judging.judge(exercise, 5, honest, 10.0).score == 10.0
    for name, value in (("rows", None), ("gradients", None), ("gradients", []), ("rows", [])):
        forged = copy.deepcopy(honest)
        for entry in forged["cases"]:
            if entry["name"].startswith("minibatches"):
                entry["facts"][name] = value
        assert judging.judge(exercise, 5, forged, 10.0).score == 0, name


def test_a_loss_over_the_whole_batch_is_no_minibatch():
    exercise = "lab5_ppo/ppo_update"
    path = next(p for p in corpus_files(exercise, "ok") if p.stem == "ok_inline_gather")
    source = path.read_text()
    honest = load(exercise, source, str(path))

    def whole(model, optimizer, rollout, config, generator):
        """Each step's loss is over the whole batch: what a forgotten index comes to."""
        size = len(rollout["obs"])
        times = -(-size // config.minibatch_size)
        changes = {"epochs": config.epochs * times, "minibatch_size": size}
        return honest(model, optimizer, rollout, type(config)(**{**vars(config), **changes}),
                      generator)  # fmt: skip

    seen = observe(exercise, whole, judging.request(exercise, 5)["cases"])
    verdict = judging.judge(exercise, 5, seen, 10.0)
    lost = {aspect["name"] for aspect in verdict.aspects if not aspect["passed"]}
    assert {"minibatches", "normalization"} <= lost

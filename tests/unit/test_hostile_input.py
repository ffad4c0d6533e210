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


@pytest.mark.parametrize(
    "name",
    ["ann ", "\tann", "*", "a?n", "[a]nn", "a\nb", "\x1b[2J", "\udcff", "\u202egnp", "x" * 129,
     "{student_id}", "<b>", 'a"b'],
)  # fmt: skip
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


# --- what is seen from inside only ---------------------------------------------------------------
# Each claim is one that a driver which was rewritten can make. See autograde.judge.


def judged_with(name: str, change) -> dict[str, bool]:
    """Aspects of the verdict on an honest observation after `change(facts)` of every case."""
    exercise, honest = observed(name)
    for entry in honest["cases"]:
        change(entry["facts"])
    return {a["name"]: a["passed"] for a in judging.judge(exercise, 5, honest, 10.0).aspects}


def test_cost_is_what_was_counted_from_outside():
    exercise, honest = observed("has_gradient")
    for measured, score in ((0.1, 10.0), (2.9, 10.0), (3.2, 9.5), (60.0, 9.5), ("0", 10.0)):
        told = copy.deepcopy(honest)
        for entry in told["cases"]:
            entry["facts"]["cpu_seconds"] = 0.0
        verdict = judging.judge(exercise, 5, {**told, "measured_cpu_s": measured}, 10.0)
        assert verdict.score == pytest.approx(score), measured


def test_forged_cost_is_charged_all_the_same():
    from autograde import execution
    from autograde.sandbox.launcher import SandboxUnavailable

    try:
        engine = execution.Engine()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    exercise = "lab5_ppo/has_gradient"
    source = corpus_files(exercise, "ok")[0].read_text()
    name = "has_gradient"
    slow = f"""
import time
import torch
import course_utils.checks.observe as o
{source}
honest, clock = {name}, time.process_time
def {name}(ratio, advantages, clip_epsilon):
    end = clock() + 3.5 * (len(ratio) > 1000)
    while clock() < end: pass
    return honest(ratio, advantages, clip_epsilon)
o.time.process_time = time.process_time = lambda: 0.0
"""
    test = {"nbgrader": {"grade": True, "grade_id": "test", "points": 10}}
    cells = [{"cell_type": "code", "id": name, "metadata": meta, "source": text}
             for name, meta, text in (("a", {}, slow), ("b", test, ""))]  # fmt: skip
    job = {"notebook": {"cells": cells}, "requests": {"test": judging.request(exercise, 5)}}
    try:
        seen = engine.run(job)["observations"]["test"]["observation"]
    finally:
        engine.close()
    assert all(entry["facts"]["cpu_seconds"] == 0.0 for entry in seen["cases"])
    verdict = judging.judge(exercise, 5, seen, 10.0)
    assert verdict.score == pytest.approx(9.5), verdict.message


def test_what_a_claim_about_the_inside_is_worth():
    """Bounds of what is left to trust: no claim is worth more than its aspect, and none of them
    anything where the values are wrong."""
    claims = {
        "mutated": [],
        "cpu_seconds": 0.0,
        "grad:old_log_probs": None,
        "grad:advantages": None,
    }
    exercise = "lab5_ppo/clipped_surrogate_loss"
    path = corpus_files(exercise, "bad")[0]
    wrong = observe(
        exercise,
        load(exercise, path.read_text(), str(path)),
        judging.request(exercise, 5)["cases"],
    )
    for entry in wrong["cases"]:
        entry["facts"].update(claims)
    verdict = judging.judge(exercise, 5, wrong, 10.0)
    assert not verdict.passed and verdict.score <= 5.0
    for name in ("clipped_surrogate_loss", "ppo_update", "minibatch_indices"):
        assert all(judged_with(name, lambda facts: facts.update(mutated=[])).values())
    # And what is denied costs its aspect alone.
    lost = judged_with("clipped_surrogate_loss", lambda facts: facts.update(mutated=["x"]))
    assert [name for name, passed in lost.items() if not passed] == ["purity"]

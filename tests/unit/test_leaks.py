"""The leak finder: answers are found however they are dressed, worked code is not an answer."""

from __future__ import annotations

import copy
import json

import pytest

from autograde.leaks import Answers, leaks

ANSWER = """ratio = torch.exp(new_log_probs - old_log_probs)
    clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)
    return -torch.min(ratio * advantages, clipped * advantages).mean()"""

SOLUTION = f'''def loss(new_log_probs, old_log_probs, advantages, clip_epsilon):
    """The loss."""
    ### BEGIN SOLUTION
    {ANSWER}
    ### END SOLUTION'''

TEST = """check("loss", loss)
### BEGIN HIDDEN TESTS
from autograde.hidden import hidden_test

hidden_test("lab/loss", loss)
### END HIDDEN TESTS"""

WORKED = "def normalize(x):\n    return (x - x.mean()) / (x.std() + 1e-8)"
STUB = SOLUTION.split("    ### BEGIN")[0] + "    # YOUR CODE HERE\n    raise NotImplementedError()"


def cell(source, kind="code", **rest):
    return {"cell_type": kind, "source": source, "metadata": {}, **rest}


SOURCE = {
    "cells": [
        cell(WORKED),
        cell(SOLUTION),
        cell(TEST),
        cell(
            "### BEGIN SOLUTION\nOnly while the policy stays near the one that made it.\n"
            "### END SOLUTION",
            "markdown",
        ),
    ]
}
SOURCE["cells"][3]["metadata"] = {"nbgrader": {"solution": True, "grade_id": "why"}}
RELEASE = {
    "cells": [
        cell(WORKED),
        cell(STUB),
        cell('check("loss", loss)'),
        cell("YOUR ANSWER HERE", "markdown"),
    ]
}


def with_cell(*cells):
    release = copy.deepcopy(RELEASE)
    release["cells"] += cells
    return release


def test_a_clean_release_leaks_nothing():
    assert leaks(RELEASE, SOURCE) == []


def test_a_line_that_is_also_worked_code_is_no_leak():
    source = copy.deepcopy(SOURCE)
    source["cells"][1]["source"] = source["cells"][1]["source"].replace(
        "    ratio =", "    x = (x - x.mean()) / (x.std() + 1)\n    ratio ="
    )
    source["cells"][0]["source"] += "\n\n\nx = (x - x.mean()) / (x.std() + 1)"
    release = copy.deepcopy(RELEASE)
    release["cells"][0]["source"] = source["cells"][0]["source"]
    found = leaks(release, source)
    assert not any("text" in line for line in found)


RENAMED = """def objective(a, b, c, d):
    e = torch.exp(a - b)
    f = torch.clamp(e, 1 - d, 1 + d)
    return -torch.min(e * c, f * c).mean()"""
LAID_OUT = """clipped = torch.clamp(
    ratio,  # the ratio
    1-clip_epsilon,
    1+clip_epsilon,
)"""
LEAKS = {
    "the source itself": cell(SOLUTION),
    "one line laid out anew": cell(LAID_OUT),
    "in a comment": cell("# clipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)\nx=1"),
    "names changed": cell(RENAMED),
    "inline in a loop, names changed": cell(
        "for k in range(3):\n    l = -torch.min(r * A, q * A).mean()\n    l.backward()"
    ),
    "in a hint": cell(
        "Try\n```python\nclipped = torch.clamp(ratio, 1 - clip_epsilon, 1 + clip_epsilon)\n```",
        "markdown",
    ),
    "renamed in a hint": cell(f"Almost code:\n\n```python\n{RENAMED}\n```\n", "markdown"),
    "hidden test": cell("hidden_test('lab/loss', loss)"),
    "hidden import": cell("from autograde.hidden   import hidden_test"),
    "marker": cell("### BEGIN HIDDEN TESTS"),
    "in an output": cell("1", outputs=[{"output_type": "stream", "text": ANSWER}]),
    "in metadata": {**cell("1"), "metadata": {"old": ANSWER}},
    "model answer": cell("Hm: only while the policy stays near the one that made it.", "markdown"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_each_kind_of_leak_is_found(name):
    if name == "model answer":
        source = copy.deepcopy(SOURCE)
        source["cells"][3]["source"] = "only while the policy stays near the one that made it."
    else:
        source = SOURCE
    assert leaks(with_cell(LEAKS[name]), source)


LINES = ["    u = torch.clamp(t, 1 - k, 1 + k)\n", "    return -torch.min(t * A, u * A).mean()\n"]
SENTENCE = "Only while the policy stays near the one that made it."
BESIDE = {
    "renamed, in a docstring": ("a.py", f'def f():\n    """Such as:\n\n{"".join(LINES)}    """\n'),
    "renamed, in a comment": ("a.py", "x = 1\n# so:\n# " + "# ".join(LINES)),
    "renamed, in a string": ("a.py", f"HINT = {LINES[1].strip()!r}\n"),
    "in a file that is no Python": ("a.py", "def f(:\n" + "".join(LINES)),
    "renamed, in JSON": ("a.json", json.dumps({"a": [1, {"b": "".join(LINES)}]})),
    "renamed, in lines of JSON": ("a.json", json.dumps({"source": [x.rstrip() for x in LINES]})),
    "as a name in JSON": ("a.json", json.dumps({LAID_OUT: 1})),
    "in cut JSON": ("a.json", json.dumps({"b": LAID_OUT})[:-1]),
    "in a notebook's output": (
        "a.ipynb",
        json.dumps({"cells": [cell("1", outputs=[{"text": ["so\n", *LINES]}])]}),
    ),
    "in a notebook's metadata": ("a.ipynb", json.dumps({"cells": [], "metadata": {"a": RENAMED}})),
    "renamed, in Markdown": ("a.md", f"# How\n\nIt is\n\n```python\n{RENAMED}\n```\n"),
    "renamed, in Markdown, not fenced": ("a.md", f"How it goes:\n{RENAMED}\nThat is all.\n"),
    "renamed, in a line of Markdown": ("a.md", f"It ends with\n{LINES[1]}\n"),
    "renamed, in HTML": ("a.md", "<pre><b>return</b> -torch.min(t * A,\nu * A).mean()</pre>"),
    "in HTML": ("a.md", "<pre>hidden_test(&quot;lab/loss&quot;, loss)</pre>"),
    "quoted": ("a.md", "> " + LAID_OUT.replace("\n", "\n> ")),
    "in a script": ("a.js", "// " + LAID_OUT.replace("\n", "\n// ").replace("  # the ratio", "")),
    "a model answer": ("a.md", f"It is right {SENTENCE.lower()}"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_answers_in_other_files_are_found(name):
    source = copy.deepcopy(SOURCE)
    source["cells"][3]["source"] = SENTENCE.lower()
    file, text = BESIDE[name]
    assert Answers(source).in_file(file, text.encode())


def test_what_has_nothing_to_do_with_it_is_left_alone():
    answers = Answers(SOURCE)
    assert not answers.in_file("a.py", WORKED.encode())
    assert not answers.in_file("a.json", json.dumps({"generated_by": "x", "a": [1.5, 2]}).encode())
    assert not answers.in_file("a.md", b"Use `torch.clamp(x, 0, 1)` and think.\n\n    make lab\n")
    assert not answers.in_file("a.png", bytes(range(256)) * 4)


def test_a_leak_says_whose_answer_it_is_and_where():
    source = copy.deepcopy(SOURCE)
    source["cells"][1]["metadata"] = {"nbgrader": {"solution": True, "grade_id": "loss"}}
    text = "import torch\n\n\ndef f(ratio, clip_epsilon):\n    " + ANSWER.splitlines()[1].strip()
    (line,) = Answers(source, "lab9").in_file("a.py", text.encode())
    assert line.startswith("line 5: ") and "lab9/loss" in line


def test_an_earlier_labs_answer_may_be_given_but_not_its_tests():
    answers = Answers(SOURCE)
    assert answers.in_notebook(with_cell(cell(RENAMED)))
    assert not answers.in_notebook(with_cell(cell(RENAMED)), tests_only=True)
    assert answers.in_notebook(with_cell(cell("hidden_test('lab/loss', loss)")), tests_only=True)


def test_another_solution_is_an_answer_too_but_not_what_the_notebook_gives():
    other = """
def loss(new, old, adv, eps):
    r = (new - old).exp()
    return torch.maximum(-adv * r, -adv * r.clamp(1 - eps, 1 + eps)).mean()


def normalize(values):
    return (values - values.mean()) / (values.std() + 1e-8)
"""
    answers = Answers(SOURCE)
    stolen = b"q = torch.maximum(-A * w, -A * w.clamp(1 - e, 1 + e)).mean()"
    assert not answers.in_file("a.py", stolen)
    answers.add_functions(other, "the corpus")
    assert "the corpus, loss" in answers.in_file("a.py", stolen)[0]
    assert not answers.in_file("a.py", b"u = (v - v.mean()) / (v.std() + 1e-8)")

"""The leak finder: answers are found however they are dressed, worked code is not an answer."""

from __future__ import annotations

import copy

import pytest

from autograde.leaks import leaks

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

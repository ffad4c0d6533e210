"""What students get holds no answer: the released notebook of lab 5, and every file beside it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

from autograde import build
from autograde.course import Course
from autograde.graft import code_tokens
from autograde.leaks import leaks

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course(ROOT)
LAB = "lab5_ppo"
GIVEN = sorted((ROOT / "course_utils").rglob("*.py"))
# Runs cells of the student's own notebook: code that no file of the course holds.
RUNS_THE_STUDENTS_CODE = ROOT / "course_utils" / "earlier.py"
# Shorter answers ("return x.exp()") are found in code that has nothing to do with them.
MIN_TOKENS = 14


def name(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def source():
    return build.source_notebook(COURSE.solution_path(LAB))


@pytest.fixture(scope="module")
def answers(source):
    """The content of every solution region, as lines of tokens: no comments, no layout."""
    regions = [
        "\n".join(region)
        for cell in source.cells
        if cell.cell_type == "code"
        for region in build.region_lines(cell.source, build.BEGIN_SOLUTION, build.END_SOLUTION)
    ]
    assert len(regions) == 8
    return regions


def as_notebook(text, kind="code"):
    return {"cells": [{"cell_type": kind, "source": text, "metadata": {}}]}


def spelled(code):
    """Code as one string of tokens, so that neither layout nor comments hide or make a match."""
    code = re.sub(r"^\s*\n", "", code)
    indent = len(code) - len(code.lstrip(" "))
    lines = [line[indent:] for line in code.splitlines()]
    return " ".join(token for token in code_tokens("\n".join(lines)) if token.strip())


def indented(code, after=""):
    return "\n".join("  " + line + after * bool(line.strip()) for line in code.splitlines())


def statements(code):
    """Each statement of an answer that says enough to be one, spelled."""
    tree = ast.parse("def _():\n" + indented(code))
    return {
        text
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
        for text in [spelled(ast.unparse(node))]
        if text.count(" ") >= MIN_TOKENS - 1
    }


def test_release_gives_nothing_of_its_source_away(source):
    release = nbformat.read(COURSE.release_path(LAB), as_version=4)
    assert leaks(release, source) == []


def test_the_finder_sees_this_labs_answers(source, answers):
    """The two tests around this one could pass because nothing is ever found."""
    assert leaks(source, source)
    found = [bool(leaks(as_notebook(answer), source)) for answer in answers]
    assert all(found)
    renamed = re.sub(r"\bratio\b", "quotient", "\n".join(answers))
    assert leaks(as_notebook(renamed), source)
    for answer in answers:
        laid_out = ast.unparse(ast.parse("def f():\n" + indented(answer, "    # a comment")))
        assert all(text in spelled(laid_out) for text in statements(answer))
    assert sum(bool(statements(answer)) for answer in answers) >= 5


@pytest.mark.parametrize("path", GIVEN, ids=name)
def test_course_utils_holds_no_answer(path, source, answers):
    text = path.read_text(encoding="utf-8")
    # a file is no notebook: the worked code of the lab may be there, an answer may not
    assert leaks(as_notebook(text), source) == []
    code = spelled(text)
    for answer in answers:
        whole = spelled(answer)
        assert whole.count(" ") < MIN_TOKENS - 1 or whole not in code
        assert not [statement for statement in statements(answer) if statement in code]


def test_stored_data_hold_no_code_of_an_answer(answers):
    for path in sorted((ROOT / "course_utils").rglob("*")):
        if path.suffix not in (".json", ".js", ".css", ".svg", ".html"):
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            text = "\n".join(strings(json.loads(text)))
        squeezed = re.sub(r"\s+", "", text)
        for answer in answers:
            for line in answer.splitlines():
                line = re.sub(r"\s+", "", line.partition("#")[0])
                assert len(line) < 24 or line not in squeezed, f"{name(path)}: {line}"


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def imported(text):
    """Every module that a file imports, whatever the way: statements and calls by name."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            first = node.args[0]
            if called in ("import_module", "__import__", "find_spec", "run_module", "exec"):
                yield first.value if isinstance(first, ast.Constant) else f"?{ast.unparse(first)}"


@pytest.mark.parametrize("path", GIVEN, ids=name)
def test_course_utils_does_not_import_the_instructors_half(path):
    for module in imported(path.read_text(encoding="utf-8")):
        top = str(module).partition(".")[0]
        assert top not in ("autograde", "solutions", "tests", "benchmarks", "nbgrader"), module
        if path == RUNS_THE_STUDENTS_CODE and str(module).startswith("?compile(source,"):
            continue
        assert not top.startswith("?"), f"a module that only running it would tell: {module}"


def test_an_import_is_seen_however_it_is_written():
    ways = (
        "import autograde.judge as j",
        "def f():\n    from autograde import judge",
        "importlib.import_module('autograde.judge')",
        "__import__('autograde')",
    )
    for way in ways:
        assert any(module.partition(".")[0] == "autograde" for module in imported(way)), way

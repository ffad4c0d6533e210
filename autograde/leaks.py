"""Find solution or hidden-test text in a released notebook, however it is laid out or renamed."""

from __future__ import annotations

import ast
import copy
import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator

from autograde.build import (
    BEGIN_HIDDEN,
    BEGIN_SOLUTION,
    END_HIDDEN,
    END_SOLUTION,
    region_lines,
)

# A statement or expression smaller than this many syntax nodes says too little to be an answer
# ("return loss", "x = x.mean()"); whole answers are looked for whatever their size.
MIN_NODES = 13
MIN_TEXT = 24
MIN_WORDS = 6
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


def leaks(release_nb, source_nb) -> list[str]:
    """What a released notebook gives away of its source's answers: one line each, [] if nothing.

    Both are notebooks (nbformat 4, dict or NotebookNode); `release_nb` may also be any text that
    students get beside it, as `{"cells": [{"cell_type": "code", "source": text}]}`. Compared are

    - markers and hidden-test statements, anywhere, outputs and metadata included;
    - the text of every solution statement, without layout, comments and docstrings, unless the
      same statement stands in the source outside solutions (worked code that is meant to be seen);
    - the shape of every whole answer and every large expression in it, with variable names
      replaced: here worked code is no excuse, as an answer under other names is still one.
    """
    source_cells = list(_cells(source_nb))
    answers = list(_answers(source_cells))
    given = [
        code
        for kind, text in source_cells
        if kind == "code"
        for code in [_without_regions(text)]
        if code.strip()
    ]
    legitimate = {text for code in given for text in _statement_texts(code)}
    released = list(_cells(release_nb))
    found: list[str] = []

    for number, (kind, text) in enumerate(released, start=1):
        for marker in MARKERS:
            if marker in text:
                found.append(f"cell {number}: the marker {marker!r}")
        found += _text_leaks(number, kind, text, answers, legitimate)
        for code in [text] if kind == "code" else _fenced(text):
            found += _shape_leaks(number, code, answers)
        found += _prose_leaks(number, text, source_cells)
    found += _elsewhere(release_nb, answers, legitimate)
    return list(dict.fromkeys(found))


class _Answer:
    """One solution or hidden-test region."""

    def __init__(self, kind: str, where: str, code: str):
        self.kind, self.where = kind, where
        tree = _parse(code)
        body = _without_docstrings(tree.body) if tree else []
        self.texts = {
            text
            for statement in body
            for text in _texts(statement)
            if len(_squeeze(text)) >= MIN_TEXT or kind == "hidden test"
        }
        self.statements = len(body)
        self.whole = _shape(body) if kind == "solution" and _size(body) >= 8 else ""
        self.parts = {
            _shape([node])
            for statement in body
            for node in ast.walk(statement)
            if isinstance(node, ast.expr) and kind == "solution" and _size([node]) >= MIN_NODES
        }


def _answers(cells: list[tuple[str, str]]) -> Iterator[_Answer]:
    for number, (kind, text) in enumerate(cells, start=1):
        if kind != "code":
            continue
        for label, begin, end in (
            ("solution", BEGIN_SOLUTION, END_SOLUTION),
            ("hidden test", BEGIN_HIDDEN, END_HIDDEN),
        ):
            for region in region_lines(text, begin, end):
                yield _Answer(label, f"cell {number} of the source", "\n".join(region))


def _text_leaks(
    number: int, kind: str, text: str, answers: Iterable[_Answer], legitimate: set[str]
) -> list[str]:
    """Answer statements that stand in a cell's text, comments and Markdown included."""
    haystacks = {_squeeze(text)}
    if kind == "code":
        haystacks.add(_squeeze("\n".join(_statement_texts(text))))
        haystacks.add(_squeeze(re.sub(r"^\s*#+", "", text, flags=re.MULTILINE)))
    return [
        f"cell {number}: {answer.kind} text from {answer.where}: {needle.splitlines()[0][:80]}"
        for answer in answers
        for needle in sorted(answer.texts - legitimate)
        if any(_squeeze(needle) in haystack for haystack in haystacks)
    ]


def _shape_leaks(number: int, code: str, answers: Iterable[_Answer]) -> list[str]:
    tree = _parse(code)
    if tree is None:
        return []
    expressions = {
        _shape([node])
        for node in ast.walk(tree)
        if isinstance(node, ast.expr) and _size([node]) >= MIN_NODES
    }
    found = []
    for answer in answers:
        if answer.whole and _contains_run(tree, answer.whole, answer.statements):
            found.append(f"cell {number}: the whole answer of {answer.where}, names aside")
        elif answer.parts & expressions:
            found.append(f"cell {number}: an expression of the answer of {answer.where}")
    return found


def _contains_run(tree: ast.Module, shape: str, length: int) -> bool:
    """Whether some run of `length` statements in some block has this shape."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if not isinstance(block, list):
                continue
            block = _without_docstrings(block)
            for start in range(len(block) - length + 1):
                if _shape(block[start : start + length]) == shape:
                    return True
    return False


def _prose_leaks(number: int, text: str, source_cells: list[tuple[str, str]]) -> list[str]:
    """Lines of written model answers (Markdown solution cells) in a released cell."""
    found = []
    for kind, source in source_cells:
        if kind != "model answer":
            continue
        for line in source.splitlines():
            if len(line.split()) >= MIN_WORDS and _squeeze(line) in _squeeze(text):
                found.append(f"cell {number}: a line of a model answer: {line.strip()[:60]}")
    return found


def _elsewhere(notebook, answers: Iterable[_Answer], legitimate: set[str]) -> list[str]:
    """Markers and answer text in outputs, attachments and metadata."""
    found = []
    for number, cell in enumerate(notebook["cells"], start=1):
        rest = {key: value for key, value in cell.items() if key not in ("source", "cell_type")}
        text = "\n".join(_strings(rest))
        for marker in MARKERS:
            if marker in text:
                found.append(f"cell {number}: the marker {marker!r} outside its source")
        squeezed = _squeeze(text)
        for answer in answers:
            for needle in sorted(answer.texts - legitimate):
                if _squeeze(needle) in squeezed:
                    found.append(f"cell {number}: {answer.kind} text outside its source")
    return found


# --- reading notebooks -------------------------------------------------------------------------


def _cells(notebook) -> Iterator[tuple[str, str]]:
    """(kind, text) of each cell; "model answer" for a written solution in a source notebook."""
    for cell in notebook["cells"]:
        source = cell["source"]
        text = source if isinstance(source, str) else "".join(source)
        meta = cell.get("metadata", {}).get("nbgrader", {})
        kind = cell["cell_type"]
        if kind == "markdown" and meta.get("solution"):
            kind = "model answer"
        yield kind, text


def _without_regions(text: str) -> str:
    lines, inside = [], False
    for line in text.splitlines():
        if BEGIN_SOLUTION in line or BEGIN_HIDDEN in line:
            inside = True
            if BEGIN_SOLUTION in line:
                lines.append(line[: len(line) - len(line.lstrip())] + "pass")
        elif END_SOLUTION in line or END_HIDDEN in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def _fenced(markdown: str) -> list[str]:
    """The code blocks of a Markdown text, and its inline code."""
    blocks = re.findall(r"^[ \t>]*(```|~~~)[^\n]*\n(.*?)^[ \t>]*\1", markdown, re.M | re.S)
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", markdown)
    return [textwrap.dedent(code) for _, code in blocks] + inline


def _strings(value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


# --- reading code ------------------------------------------------------------------------------


def _parse(code: str) -> ast.Module | None:
    """A piece of code as a syntax tree; a region from inside a function counts too."""
    code = textwrap.dedent(code)
    plain = "\n".join(line for line in code.splitlines() if not re.match(r"\s*[%!?]", line))
    for text in (plain, "def _():\n" + textwrap.indent(plain, "    ")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except UNREADABLE:
            continue
        if text is not plain and isinstance(tree.body[0], ast.FunctionDef):
            tree = ast.Module(body=tree.body[0].body, type_ignores=[])
        return tree
    return None


def _without_docstrings(body: list[ast.stmt]) -> list[ast.stmt]:
    return [
        statement
        for statement in body
        if not (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
        )
    ]


def _texts(statement: ast.stmt) -> Iterator[str]:
    """The normalized text of a statement's every simple statement and compound head."""
    for node in ast.walk(statement):
        if not isinstance(node, ast.stmt):
            continue
        if hasattr(node, "body"):
            head = copy.copy(node)
            for name in ("body", "orelse", "finalbody", "handlers"):
                if hasattr(head, name):
                    setattr(head, name, [])
            head.body = [ast.Pass()]
            try:
                yield ast.unparse(ast.fix_missing_locations(head)).removesuffix("pass").strip()
            except (*UNREADABLE, AttributeError):
                continue
        else:
            yield ast.unparse(node)


def _statement_texts(code: str) -> list[str]:
    tree = _parse(code)
    return [] if tree is None else [text for s in tree.body for text in _texts(s)]


def _squeeze(text: str) -> str:
    """Text without white space, and with one kind of quotes."""
    return re.sub(r"\s+", "", text).replace('"', "'")


def _size(nodes: Iterable[ast.AST]) -> int:
    """How much code that is: syntax nodes that say something."""
    return sum(
        not isinstance(child, ast.expr_context | ast.operator | ast.cmpop | ast.Load)
        for node in nodes
        for child in ast.walk(node)
    )


def _shape(nodes: Iterable[ast.AST]) -> str:
    """The syntax of statements or an expression with variables numbered as they first appear.

    Attribute names, keywords and constants stay: `a.mean()` and `b.mean()` are the same, `a.sum()`
    is not.
    """
    names: dict[str, int] = {}
    parts = []
    for node in nodes:
        tree = copy.deepcopy(node)
        for child in ast.walk(tree):
            for attribute in ("id", "arg", "name"):
                value = getattr(child, attribute, None)
                if isinstance(value, str) and not isinstance(child, ast.keyword | ast.alias):
                    setattr(child, attribute, f"v{names.setdefault(value, len(names))}")
        parts.append(ast.dump(tree))
    return "\n".join(parts)

"""Find solution or hidden-test text in what students get, however it is laid out or renamed."""

from __future__ import annotations

import ast
import copy
import html
import io
import json
import re
import textwrap
import tokenize
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache

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
MIN_WHOLE = 8
MIN_TEXT = 24
MIN_WORDS = 6
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
SAYS_NOTHING = (ast.expr_context, ast.operator, ast.cmpop)
KEEPS_ITS_NAME = (ast.keyword, ast.alias)
INLINE = "a|b|code|em|font|i|kbd|mark|s|span|strong|tt|u|var"
# More than the strings of a bundle, so that they are read once for the answers of all labs.
CACHED = 32_768
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

    Code is looked for in code cells, their comments and strings, and in all prose: fenced,
    indented, in HTML, or plainly as a paragraph or a line. Not found is what was encoded or
    reworded; an answer of fewer than MIN_WHOLE syntax nodes says too little to be told apart.
    """
    return Answers(source_nb).in_notebook(release_nb)


class Answers:
    """What a lab asks for, from its source notebook; looks for it in notebooks and other files."""

    def __init__(self, source_nb, lab: str = ""):
        cells = list(_cells(source_nb))
        self._regions = list(_answers(source_nb, lab))
        self._given = [_without_regions(text) for kind, text in cells if kind == "code"]
        self._legitimate = {text for code in self._given for text in _statement_texts(code)}
        self._prose = [
            line.strip()
            for kind, text in cells
            if kind == "model answer"
            for line in text.splitlines()
            if len(line.split()) >= MIN_WORDS
        ]

    def add_functions(self, code: str, where: str) -> None:
        """Take every function of a Python text for an answer too: another solution, or a judge.

        Only large statements count, and worked code of the lab's source is no leak here: such a
        text also holds what the notebook gives.
        """
        tree = _parse(code)
        excused = {
            shape for text in self._given for found in _code_in("code", text)
            for shape in found.expressions
        }  # fmt: skip
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.FunctionDef) and (body := _without_docstrings(node.body)):
                text = "\n".join(map(ast.unparse, body))
                self._regions.append(_Answer("other", f"{where}, {node.name}", text, excused))

    def in_notebook(self, notebook, *, tests_only: bool = False) -> list[str]:
        """One line for each leak in a notebook, [] if there is none.

        tests_only: look for hidden tests and markers only, for the answers of an earlier lab,
        which a later lab may give as worked code.
        """
        return self._in(_notebook_pieces(notebook), tests_only)

    def in_file(self, name: str, data: bytes, *, tests_only: bool = False) -> list[str]:
        """One line for each leak in any file, by the ending of its name: .ipynb, .py, .json, text.

        A file that is not what its name says is searched as text. tests_only: see in_notebook.
        """
        return self._in(_file_pieces(name, data.decode("utf-8", "replace")), tests_only)

    def _in(self, pieces: Iterable[_Piece], tests_only: bool) -> list[str]:
        regions = [a for a in self._regions if not tests_only or a.kind == "hidden test"]
        found: list[str] = []
        for piece in pieces:
            if len(piece.text) < MIN_TEXT // 2:
                continue
            found += [f"{piece.at()}the marker {m!r}" for m in MARKERS if m in piece.text]
            found += self._text_leaks(piece, regions)
            for code in piece.code:
                found += _shape_leaks(piece, code, regions)
            if not tests_only:
                squeezed = _squeeze(piece.text)
                found += [
                    f"{piece.at(line)}a line of a model answer: {line[:60]}"
                    for line in self._prose
                    if _squeeze(line) in squeezed
                ]
        return list(dict.fromkeys(found))

    def _text_leaks(self, piece: _Piece, regions: list[_Answer]) -> list[str]:
        """Answer statements that stand in a piece's text, comments and prose included."""
        found, haystacks = [], piece.haystacks
        for answer in regions:
            for needle, squeezed in answer.texts.items():
                if needle in self._legitimate or not any(squeezed in h for h in haystacks):
                    continue
                first = needle.splitlines()[0]
                kind = "" if answer.kind == "other" else f"{answer.kind} "
                found.append(f"{piece.at(first)}{kind}text of {answer.where}: {first[:80]}")
        return found


class _Answer:
    """One solution or hidden-test region, or ("other") a function that must not get out either."""

    def __init__(self, kind: str, where: str, code: str, excused: Collection[str] = ()):
        self.kind, self.where = kind, where
        tree = _parse(code)
        body = _without_docstrings(tree.body) if tree else []
        by_shape = kind != "hidden test"
        # text as it is shown -> as it is looked for
        self.texts = {
            text: squeezed
            for statement in body
            for text in sorted(_texts(statement))
            for squeezed in [_squeeze(text)]
            if _counts(kind, text, squeezed)
        }
        least = MIN_WHOLE if kind == "solution" else 2 * MIN_NODES
        self.whole = tuple(body) if by_shape and _size(body) >= least else ()
        self.outlines, self.shape = tuple(map(_outline, self.whole)), _shape(self.whole)
        self.parts = {
            _shape([node])
            for statement in body
            for node in ast.walk(statement)
            if isinstance(node, ast.expr) and by_shape and _size([node]) >= MIN_NODES
        }.difference(excused)


def _counts(kind: str, text: str, squeezed: str) -> bool:
    """Whether a statement says enough to be looked for."""
    if kind == "hidden test":
        return True
    if len(squeezed) < MIN_TEXT:
        return False
    return kind == "solution" or ((tree := _parse(text)) is not None and _size([tree]) > MIN_NODES)


def _answers(source_nb, lab: str) -> Iterator[_Answer]:
    for number, ((kind, text), cell) in enumerate(
        zip(_cells(source_nb), source_nb["cells"], strict=True), start=1
    ):
        if kind != "code":
            continue
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")
        where = f"{lab}/{name}" if lab and name else f"cell {number} of the source"
        for label, begin, end in (
            ("solution", BEGIN_SOLUTION, END_SOLUTION),
            ("hidden test", BEGIN_HIDDEN, END_HIDDEN),
        ):
            for region in region_lines(text, begin, end):
                yield _Answer(label, where, "\n".join(region))


def _shape_leaks(piece: _Piece, code: _Code, answers: Iterable[_Answer]) -> list[str]:
    found = []
    for answer in answers:
        if answer.whole and code.holds(answer):
            found.append(f"{piece.at()}the whole answer of {answer.where}, names aside")
        elif shared := answer.parts & code.expressions.keys():
            first = min((ast.unparse(code.expressions[shape]) for shape in shared), key=len)
            found.append(
                f"{piece.at(first)}an expression of the answer of {answer.where}: {first[:80]}"
            )
    return found


# --- what is searched --------------------------------------------------------------------------


class _Code:
    """A piece of Python: its large expressions by shape, and the shapes of its statements."""

    def __init__(self, tree: ast.Module):
        self.tree = tree
        self.expressions = {
            _shape([node]): node
            for node in ast.walk(tree)
            if isinstance(node, ast.expr) and _size([node]) >= MIN_NODES
        }
        blocks = (
            getattr(node, name, None)
            for node in ast.walk(tree)
            for name in ("body", "orelse", "finalbody")
        )
        self._blocks = [_without_docstrings(block) for block in blocks if isinstance(block, list)]
        # The outline of a statement -> where it stands, by block and place in it.
        self._places: dict[str, list[tuple[int, int]]] = {}
        made: dict[ast.AST, str] = {}
        self._outlines = [[_outline(node, made) for node in block] for block in self._blocks]
        for number, outlines in enumerate(self._outlines):
            for place, outline in enumerate(outlines):
                self._places.setdefault(outline, []).append((number, place))

    def holds(self, answer: _Answer) -> bool:
        """Whether the statements of an answer stand here one after the other, names aside."""
        length = len(answer.whole)
        return any(
            tuple(self._outlines[number][place : place + length]) == answer.outlines
            and _shape(self._blocks[number][place : place + length]) == answer.shape
            for number, place in self._places.get(answer.outlines[0], ())
        )


class _Piece:
    """A stretch of text that is searched: a cell's source, a file, a string in one."""

    def __init__(self, where: str, kind: str, text: str):
        self.where, self.kind, self.text = where, kind, text

    def at(self, needle: str = "") -> str:
        """Where in words, with the line that the needle stands on if it can be told."""
        parts = [self.where] if self.where else []
        squeezed = _squeeze(needle)
        for number, line in enumerate(self.text.splitlines() if squeezed else (), start=1):
            if squeezed in _squeeze(line):
                parts.append(f"line {number}")
                break
        return f"{', '.join(parts)}: " if parts else ""

    @property
    def haystacks(self) -> frozenset[str]:
        """The text without layout, in every way of reading it."""
        return _haystacks(self.kind, self.text)

    @property
    def code(self) -> tuple[_Code, ...]:
        """All Python that can be read in it."""
        return _code_in(self.kind, self.text)


@lru_cache(maxsize=CACHED)
def _haystacks(kind: str, text: str) -> frozenset[str]:
    made = set(_readings(text))
    if kind == "code":
        made.add(re.sub(r"^\s*#+", "", text, flags=re.MULTILINE))
    # As Python prints it: without comments, one way of writing brackets and commas.
    made |= {
        "\n".join(t for s in code.tree.body for t in _texts(s)) for code in _code_in(kind, text)
    }
    return frozenset(map(_squeeze, made))


@lru_cache(maxsize=CACHED)
def _code_in(kind: str, text: str) -> tuple[_Code, ...]:
    tree = _parse(text) if kind == "code" else None
    if tree is not None:
        texts = [text]
        for prose in (*_string_constants(tree), *_comments(text)):
            texts += [textwrap.dedent(prose), *_fenced(prose), *_loose(prose)]
    else:
        texts = [code for reading in _readings(text) for code in _fenced(reading) + _loose(reading)]
        texts += _quoted(text)
    trees = [tree for code in dict.fromkeys(texts) if (tree := _parse(code)) is not None]
    return tuple(_Code(tree) for tree in trees if _size([tree]) >= MIN_WHOLE)


def _readings(text: str) -> list[str]:
    """A text as it stands, and as what it might have been made from."""
    readings = (
        text,
        # a quotation, a list, a comment of JavaScript, YAML or TeX
        re.sub(r"^\s*([>#%*+-]|//)+", "", text, flags=re.MULTILINE),
        # HTML as a browser shows it
        html.unescape(
            re.sub(r"</?[a-zA-Z][^<>]*>", "\n", re.sub(rf"</?({INLINE})\b[^<>]*>", "", text))
        ),
    )
    return list(dict.fromkeys(readings))


def _fenced(markdown: str) -> list[str]:
    """The code blocks of a Markdown text, and its inline code."""
    blocks = re.findall(r"^[ \t>]*(```|~~~)[^\n]*\n(.*?)^[ \t>]*\1", markdown, re.M | re.S)
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", markdown)
    return [textwrap.dedent(code) for _, code in blocks] + inline


def _loose(text: str) -> list[str]:
    """What may be code without being marked as such: the whole, paragraphs, runs of lines, lines.

    A run is what stands more deeply indented than the line before it.
    """
    lines = text.splitlines()
    runs, run = [], []
    for line in lines:
        if run and line.strip() and _indent(line) < _indent(run[0]):
            runs.append("\n".join(run))
            run = []
        if run or (line.strip() and _indent(line)):
            run.append(line)
    runs.append("\n".join(run))
    chunks = [text, *re.split(r"\n\s*\n", text), *runs, *lines]
    return [textwrap.dedent(chunk) for chunk in chunks if len(chunk.strip()) >= MIN_TEXT // 2]


def _quoted(text: str) -> list[str]:
    """What stands in double quotes, as in JavaScript, TOML or JSON that cannot be read."""
    strings = re.findall(r'"((?:[^"\\\n]|\\.)+)"', text)
    plain = (found.replace("\\n", "\n").replace('\\"', '"') for found in strings)
    return [textwrap.dedent(found) for found in plain if len(found) >= MIN_TEXT // 2]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _string_constants(tree: ast.Module) -> list[str]:
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and len(node.value) >= MIN_TEXT // 2
    ]


def _comments(code: str) -> list[str]:
    """The comments of a piece of Python; those on lines that follow each other are one text."""
    found: list[str] = []
    last = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(code + "\n").readline):
            if token.type == tokenize.COMMENT:
                text = re.sub(r"^#+ ?", "", token.string)
                if last == token.start[0] - 1:
                    found[-1] += "\n" + text
                else:
                    found.append(text)
                last = token.start[0]
    except (tokenize.TokenError, *UNREADABLE):
        pass
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


def _notebook_pieces(notebook) -> Iterator[_Piece]:
    """Every cell's source, and every string beside it: outputs, attachments, metadata."""
    for number, cell in enumerate(notebook["cells"], start=1):
        source = cell["source"]
        text = source if isinstance(source, str) else "".join(source)
        yield _Piece(f"cell {number}", "code" if cell["cell_type"] == "code" else "text", text)
        for key in cell:
            if key not in ("source", "cell_type"):
                for part in _strings(cell[key]):
                    yield _Piece(f"cell {number}, {key}", "text", part)
    for key in notebook:
        if key != "cells":
            for part in _strings(notebook[key]):
                yield _Piece(f"the notebook's {key}", "text", part)


def _file_pieces(name: str, text: str) -> list[_Piece]:
    if name.endswith((".ipynb", ".json")):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return [_Piece("", "text", text)]
        if isinstance(value, dict) and isinstance(value.get("cells"), list):
            try:
                return list(_notebook_pieces(value))
            except (KeyError, TypeError, AttributeError):
                pass  # no notebook after all: its strings are searched
        # Stored numbers say the same few words again and again.
        return [_Piece("", "text", part) for part in dict.fromkeys(_strings(value))]
    return [_Piece("", "code" if name.endswith(".py") else "text", text)]


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


def _strings(value) -> Iterator[str]:
    """Every string in a JSON value, names included; a list of lines also as the text it makes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        lines = [item for item in value if isinstance(item, str)]
        if len(lines) > 1:
            yield "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
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
    return sum(not isinstance(child, SAYS_NOTHING) for node in nodes for child in ast.walk(node))


def _shape(nodes: Iterable[ast.AST]) -> str:
    """The syntax of statements or an expression with variables numbered as they first appear.

    Attribute names, keywords and constants stay: `a.mean()` and `b.mean()` are the same, `a.sum()`
    is not.
    """
    names: dict[str, int] = {}
    return "\n".join(
        _spell(node, lambda name: names.setdefault(name, len(names))) for node in nodes
    )


def _outline(node: ast.AST, made: dict[ast.AST, str] | None = None) -> str:
    """As ``_shape``, for one statement, but with all variables alike.

    made: the outlines of the statements in it, kept from call to call.
    """
    return _spell(node, lambda name: 0, {} if made is None else made)


def _spell(
    node: ast.AST, number: Callable[[str], int], made: dict[ast.AST, str] | None = None
) -> str:
    def spell(value: object) -> str:
        if isinstance(value, list):
            return f"[{','.join(map(spell, value))}]"
        if not isinstance(value, ast.AST):
            return repr(value)
        if made is not None and value in made:
            return made[value]
        renamed = not isinstance(value, KEEPS_ITS_NAME)
        parts = []
        for name in value._fields:
            item = getattr(value, name, None)
            if renamed and name in ("id", "arg", "name") and isinstance(item, str):
                item = number(item)
            if not isinstance(item, ast.expr_context):
                parts.append(spell(item))
        text = f"{type(value).__name__}({','.join(parts)})"
        if made is not None and isinstance(value, ast.stmt):
            made[value] = text
        return text

    return spell(node)

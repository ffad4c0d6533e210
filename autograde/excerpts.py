"""Students' text as it may stand in a report: short, without names, nothing invisible in it."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
import unicodedata
import warnings
from collections.abc import Iterable

from autograde.similar import UNREADABLE

MAX_LINES, MAX_CHARACTERS = 50, 3_000
NAME = "[name]"
# Shorter ones are words or letters of somebody's code more often than a person.
MIN_NAME = 3
STUB_COMMENT = "# YOUR CODE HERE"


def visible(text: str) -> str:
    """Text without characters that cannot be seen or that turn others around: `<U+202E>` instead.

    Otherwise code could look like other code than it is (bidirectional controls, zero-width
    letters), and a name like another name.
    """
    return "".join(
        c if c in "\n\t" or unicodedata.category(c)[0] != "C" else f"<U+{ord(c):04X}>" for c in text
    )


def bounded(text: str, lines: int = MAX_LINES, characters: int = MAX_CHARACTERS) -> str:
    """The beginning of a text, with a line that says so when it was cut."""
    kept = text[:characters].splitlines()[:lines]
    if len(text) > characters or len(text.splitlines()) > lines:
        kept.append(f"[... {len(text.splitlines())} lines, {len(text):,} characters in all]")
    return "\n".join(kept)


def code_excerpt(source: str, names: re.Pattern | None = None, comments: bool = True) -> str:
    """An answer's code to be shown: without docstrings, names of people, and if asked, comments.

    names: from `people`. Code that Python cannot read loses what follows a `#`.
    """
    text = _without_docstrings(textwrap.dedent(source.expandtabs(4)))
    text = _without_people(text, names, comments)
    lines = [line.rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip() != STUB_COMMENT]
    squeezed = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return visible(bounded(squeezed))


def people(students: Iterable) -> re.Pattern | None:
    """Matches ids, names and addresses of these students (autograde.classdata.Student)."""
    words: set[str] = set()
    for student in students:
        words |= {student.id, *(str(value) for value in student.who.values())}
    words |= {word.partition("@")[0] for word in words}
    kept = sorted((w for w in words if len(w.strip()) >= MIN_NAME), key=len, reverse=True)
    if not kept:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, kept))})(?!\w)", re.IGNORECASE)


def without_people(text: str, names: re.Pattern | None) -> str:
    """A text with each name of a person replaced."""
    return names.sub(NAME, text) if names else text


def _without_docstrings(source: str) -> str:
    """Python code without docstrings: they are the stub's, and long."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except UNREADABLE:
        return source
    lines = source.splitlines()
    gone: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            text = ast.get_docstring(node, clean=False)
            # A body that is nothing else stays, and so does one on the line of its `def`.
            if text is not None and len(node.body) > 1 and first.lineno > node.lineno:
                gone |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in gone)


def _without_people(source: str, names: re.Pattern | None, comments: bool) -> str:
    """Code with names replaced in comments and strings only: `x.max` is nobody called Max."""
    rows: list[str] = source.splitlines()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source + "\n").readline))
    except (tokenize.TokenError, *UNREADABLE):
        text = source if comments else re.sub(r"#.*", "", source)
        return without_people(text, names)
    strings = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    # From the end to the start, so that earlier positions stay right.
    for token in reversed(tokens):
        (row, start), (last, end) = token.start, token.end
        if token.type == tokenize.COMMENT and not comments:
            text = ""
        elif token.type == tokenize.COMMENT or token.type in strings:
            text = without_people(token.string, names)
        else:
            continue
        if text != token.string and last <= len(rows):
            changed = (rows[row - 1][:start] + text + rows[last - 1][end:]).split("\n")
            # A line that held nothing but a comment goes with it.
            rows[row - 1 : last] = changed if text or changed[0].strip() else []
    return "\n".join(rows)

"""Find answers that are the same program but for names, comments and layout, or nearly so."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

# What Python's parser and printer raise on hostile text (deep nesting, huge numbers, NUL).
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
TOKEN = re.compile(r"\w+|[^\w\s]")
# Two answers are nearly the same from this share of common tokens on (Indel similarity: twice the
# length of the longest common subsequence over the sum of the lengths) ...
NEAR = 0.9
# ... if they have this many: 10 % of a shorter one is a name or an operator, its very point.
LONG = 40
# Longer ones are only compared for being the same: the time for one pair grows with the square.
MAX_TOKENS = 2_000


@dataclass(frozen=True)
class Form:
    """What an answer says when names, comments, docstrings, layout and the stub are left out."""

    lines: tuple[str, ...]

    @property
    def tokens(self) -> list[str]:
        return TOKEN.findall("\n".join(self.lines))


@dataclass(frozen=True)
class Group:
    """Keys of answers that belong together, sorted.

    forms: how many different ones there are (1: all the same); tokens: length of the longest.
    """

    members: tuple
    forms: int
    tokens: int

    @property
    def short(self) -> bool:
        return self.tokens < LONG


def normal_form(source: str, stub: str = "") -> Form:
    """The normal form of an answer; without lines when nothing was added to the stub.

    Variables, parameters, own helpers and own attributes are numbered as they first appear;
    names from elsewhere (torch, len), attributes, keywords and constants stay. Code that is no
    Python is compared as it stands, comments aside.
    """
    given = Counter(_stub_lines(stub))
    own = []
    for line in _lines(source):
        if given[line] > 0:
            given[line] -= 1
        else:
            own.append(line)
    return Form(tuple(own))


def groups(forms: Mapping[object, Form], near: float = NEAR) -> list[Group]:
    """Groups of at least two answers, each the same as one of them or nearly so.

    forms: by any sortable key; empty forms belong to no group, any other to at most one. The
    largest group comes first.
    """
    by_form: dict[Form, list] = {}
    for key, form in forms.items():
        if form.lines:
            by_form.setdefault(form, []).append(key)
    distinct = list(by_form)
    texts = _as_text([form.tokens for form in distinct])
    near_to: dict[int, set[int]] = {}
    for i, j in _pairs(texts, near):
        near_to.setdefault(i, set()).add(j)
        near_to.setdefault(j, set()).add(i)
    # Around the most frequent forms, not in chains: in a chain the ends have little in common.
    free = set(range(len(distinct)))
    found = []
    for i in sorted(free, key=lambda i: (-len(by_form[distinct[i]]), i)):
        if i not in free:
            continue
        together = sorted({i, *near_to.get(i, ())} & free)
        free -= set(together)
        members = sorted(key for j in together for key in by_form[distinct[j]])
        if len(members) > 1:
            length = max(len(texts[j]) for j in together)
            found.append(Group(tuple(members), len(together), length))
    return sorted(found, key=lambda group: (-len(group.members), -group.tokens, group.members))


def _pairs(texts: list[str], near: float) -> Iterable[tuple[int, int]]:
    """Indices of the texts that are at least `near` similar, each pair once."""
    import numpy as np
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    compared = [i for i, text in enumerate(texts) if LONG <= len(text) <= MAX_TOKENS]
    chosen = [texts[i] for i in compared]
    if len(chosen) < 2:
        return
    similar = cdist(
        chosen, chosen, scorer=Indel.normalized_similarity, score_cutoff=near, dtype=np.float32
    )
    for a, b in zip(*np.nonzero(np.triu(similar, k=1)), strict=True):
        yield compared[a], compared[b]


def _as_text(token_lists: list[list[str]]) -> list[str]:
    """Each token as one character, which is what the comparison is fastest on."""
    codes: dict[str, str] = {}
    return [
        "".join(codes.setdefault(token, chr(0x10000 + len(codes) % 0x100000)) for token in tokens)
        for tokens in token_lists
    ]


@lru_cache(maxsize=128)
def _stub_lines(stub: str) -> tuple[str, ...]:
    return tuple(_lines(stub))


# --- one answer --------------------------------------------------------------------------------


def _lines(source: str) -> list[str]:
    plain = "\n".join(line for line in source.splitlines() if not re.match(r"\s*[%!?]", line))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a student's "\\d" is not ours
            tree = ast.parse(textwrap.dedent(plain))
        tree = _Plain().visit(tree)
        tree = _Rename(_own_names(tree)).visit(tree)
        text = ast.unparse(ast.fix_missing_locations(tree))
    except UNREADABLE:
        text = "\n".join(re.sub(r"#.*", "", line) for line in plain.splitlines())
    return [line.strip() for line in text.splitlines() if line.strip()]


class _Plain(ast.NodeTransformer):
    """Takes out docstrings, annotations and `pass`."""

    def visit_Expr(self, node: ast.Expr):
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass):
        return None

    def visit_arg(self, node: ast.arg):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign):
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)

    def visit_FunctionDef(self, node):
        node.returns = None
        return self._filled(self.generic_visit(node))

    visit_AsyncFunctionDef = visit_FunctionDef

    def generic_visit(self, node: ast.AST):
        return self._filled(super().generic_visit(node))

    @staticmethod
    def _filled(node: ast.AST):
        # A block from which everything was taken needs something to be printed.
        empty = isinstance(getattr(node, "body", None), list) and not node.body
        if empty and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]
        return node


def _own_names(tree: ast.Module) -> set[str]:
    """Names that the cell binds, but for imports and what it defines at its top, as it is asked."""
    top = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            # self.net is the student's own name; x.grad is not.
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                names.add(node.attr)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ExceptHandler):
            names.add(node.name or "")
    return {name for name in names - top if not (name.startswith("__") and name.endswith("__"))}


class _Rename(ast.NodeTransformer):
    """Numbers the names in `own` in the order in which they are met."""

    def __init__(self, own: set[str]):
        self.own = own
        self.numbers: dict[str, str] = {}

    def name(self, old: str) -> str:
        if old not in self.own:
            return old
        return self.numbers.setdefault(old, f"v{len(self.numbers)}")

    def visit_Name(self, node: ast.Name):
        node.id = self.name(node.id)
        return node

    def visit_arg(self, node: ast.arg):
        node.arg = self.name(node.arg)
        return node

    def visit_Attribute(self, node: ast.Attribute):
        self.generic_visit(node)
        node.attr = self.name(node.attr)
        return node

    def visit_FunctionDef(self, node):
        node.name = self.name(node.name)
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ExceptHandler(self, node: ast.ExceptHandler):
        node.name = self.name(node.name) if node.name else None
        return self.generic_visit(node)

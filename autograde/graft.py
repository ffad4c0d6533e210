"""Put a student's work into the released notebook: their solutions and additions, nothing else.

What is taken
- A solution cell's text, found by grade_id, else by cell id, else (if the student deleted the
  cell and wrote a new one) the last added cell that defines the function of that name.
- A grade_id that occurs more than once (a copied or split cell): the last copy that is not the
  untouched stub fills the cell, the others that are not stubs run before it, as they would have
  done in the student's notebook.
- Cells the student added, after the same neighbor, in their order. Those after the last test can
  no longer matter and are not run.
- From given code cells that the student changed (the set-up cell, worked code): only what was
  *added*: imports, functions, classes, and plain assignments to names that the given cell does
  not use for itself. So an import added at the top counts, and worked code broken by accident
  does no harm. This is no wider a door than a solution cell, which may run anything.
What is not taken: metadata, tags, attachments, outputs, and any text of tests and demo cells.
"""

from __future__ import annotations

import ast
import copy
import functools
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Sequence

from autograde.intake import MAX_CELL_CHARACTERS, MAX_CELLS, Cell

# What Python's parser and printer raise on hostile text (deep nesting, huge numbers, NUL).
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
SKIP_TAG = "skip-execution"
MAX_ADDED_CELLS = 300


def graft(skeleton: dict, cells: Sequence[Cell] | None) -> tuple[dict, list[str]]:
    """(notebook, notes): a copy of the released notebook that holds the student's work.

    `skeleton` is the released notebook as autograde.pipeline.load_lab reads it, `cells` what
    intake read, or None for a refused submission (the bare skeleton comes back). The result is
    deterministic, and valid whatever the submission contains.
    """
    notebook = copy.deepcopy(skeleton)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    if cells is None:
        return notebook, []
    return _Graft(notebook, cells).result()


class _Graft:
    def __init__(self, notebook: dict, cells: Sequence[Cell]):
        self.notebook = notebook
        self.given: list[dict] = notebook["cells"]
        self.notes: list[str] = []
        self.by_grade_id = {_grade_id(c): i for i, c in enumerate(self.given) if _grade_id(c)}
        self.by_id = {c["id"]: i for i, c in enumerate(self.given)}
        self.by_text: dict[tuple[str, str], int] = {}
        for i, c in enumerate(self.given):
            self.by_text.setdefault((c["cell_type"], _plain(c["source"])), i)
        # given index -> its versions in the submission, in order
        self.versions: dict[int, list[Cell]] = {}
        # given index after which it stands (-1: at the top) -> added cells
        self.added: dict[int, list[Cell]] = {}
        self._sort(cells)

    def _sort(self, cells: Sequence[Cell]) -> None:
        """Tell each submitted cell's counterpart in the skeleton, or where it was added."""
        named = {self.by_grade_id[c.grade_id] for c in cells if c.grade_id in self.by_grade_id}
        anchor = -1
        too_long = 0
        for cell in cells:
            if len(cell.source) > MAX_CELL_CHARACTERS:
                too_long += 1
                continue
            index = self._counterpart(cell, named)
            if index is None:
                self.added.setdefault(anchor, []).append(cell)
            else:
                self.versions.setdefault(index, []).append(cell)
                anchor = index
        if too_long:
            self.notes.append(
                f"{too_long} cell(s) of more than {MAX_CELL_CHARACTERS:,} characters left out"
            )

    def _counterpart(self, cell: Cell, named: set[int]) -> int | None:
        if cell.grade_id in self.by_grade_id:
            return self.by_grade_id[cell.grade_id]
        index = self.by_id.get(cell.id)
        # A cell that is there by its grade_id is not looked for by its id: the other is a copy.
        if index is not None and index not in named and index not in self.versions:
            return index
        index = self.by_text.get((cell.kind, _plain(cell.source)))
        if index is not None and not _is_solution(self.given[index]):
            return index
        return None

    def result(self) -> tuple[dict, list[str]]:
        before: dict[int, list[Cell]] = {}
        extra: dict[int, list[str]] = {}
        for index, cell in enumerate(self.given):
            if _is_solution(cell):
                before[index] = self._fill(index, cell)
            elif cell["cell_type"] == "code" and not _is_locked(cell):
                extra[index] = self._additions(index, cell)
        return self._assemble(before, extra), self.notes

    def _fill(self, index: int, cell: dict) -> list[Cell]:
        """Fill a solution cell; returns the copies that run before it."""
        name, stub = _grade_id(cell), cell["source"]
        versions = self.versions.get(index)
        if versions is None:
            adopted = self._adopt(name) if cell["cell_type"] == "code" else None
            if adopted is None:
                self.notes.append(f"cell {name} is missing")
                return []
            self.notes.append(f"cell {name} was missing; a new cell that defines it was taken")
            versions = [adopted]
        if any(version.attachments for version in versions):
            self.notes.append(f"pictures pasted into cell {name} are not taken over")
        worked = [v for v in versions if not same_code(v.source, stub, cell["cell_type"])]
        if not worked:
            return []
        if len(versions) > 1:
            self.notes.append(
                f"cell {name} is there {len(versions)} times; the last one with work counts"
            )
        cell["source"] = worked[-1].source
        if cell["cell_type"] != "code":
            # A question: nothing runs, so every copy's text is kept for the person who reads it.
            cell["source"] = "\n\n".join(dict.fromkeys(v.source for v in worked))
            return []
        return worked[:-1]

    def _adopt(self, name: str) -> Cell | None:
        for anchor in sorted(self.added, reverse=True):
            group = self.added[anchor]
            for position in range(len(group) - 1, -1, -1):
                cell = group[position]
                if cell.kind == "code" and name in defined_names(cell.source):
                    return group.pop(position)
        return None

    def _additions(self, index: int, cell: dict) -> list[str]:
        given = cell["source"]
        demo = SKIP_TAG in cell["metadata"].get("tags", [])
        texts = []
        for version in self.versions.get(index, []):
            if version.kind == "code" and _plain(version.source) != _plain(given):
                text = added_statements(given, version.source, assignments=not demo)
                if text:
                    texts.append(text)
        return texts

    def _assemble(self, before: dict[int, list[Cell]], extra: dict[int, list[str]]) -> dict:
        tests = [i for i, c in enumerate(self.given) if _is_test(c)]
        last_test = max(tests, default=len(self.given))
        cells: list[dict] = []
        count = 0

        def add(kind: str, source: str, run: bool) -> None:
            nonlocal count
            if not source.strip() or kind not in ("code", "markdown"):
                return
            count += 1
            if count > MAX_ADDED_CELLS:
                return
            new = {"cell_type": kind, "id": f"added-{count}", "metadata": {}, "source": source}
            if kind == "code":
                new.update(outputs=[], execution_count=None)
                if not run:
                    new["metadata"]["tags"] = [SKIP_TAG]
            cells.append(new)

        for index in range(-1, len(self.given)):
            run = index < last_test
            if index >= 0:
                for copied in before.get(index, []):
                    add(copied.kind, copied.source, run)
                cells.append(self.given[index])
                for source in extra.get(index, []):
                    add("code", source, run)
            for cell in self.added.get(index, []):
                add(cell.kind, cell.source, run)
        if count > MAX_ADDED_CELLS:
            self.notes.append(f"{count} added cells, only the first {MAX_ADDED_CELLS} are taken")
        self.notebook["cells"] = cells
        return self.notebook


# --- reading code ------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2 * MAX_CELLS)
def defined_names(source: str) -> frozenset[str]:
    """Names bound by the top-level statements of a code cell; empty if it does not parse."""
    tree = _parse(source)
    try:
        return frozenset(() if tree is None else (n for s in tree.body for n in _bound(s)))
    except UNREADABLE:
        return frozenset()


def added_statements(given: str, theirs: str, assignments: bool = True) -> str:
    """What `theirs` adds to `given`: its new imports, definitions and plain assignments, as code.

    A statement that binds a name which `given` binds is left out, so that what was given stays as
    given. Empty if either does not parse.
    """
    try:
        return _added_statements(given, theirs, assignments)
    except UNREADABLE:
        return ""


def _added_statements(given: str, theirs: str, assignments: bool) -> str:
    old, new = _parse(given), _parse(theirs)
    if old is None or new is None:
        return ""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    if assignments:
        kinds += (ast.Assign, ast.AnnAssign)
    known = {ast.dump(statement) for statement in old.body}
    taken = {name for statement in old.body for name in _bound(statement)}
    kept = [
        statement
        for statement in new.body
        if isinstance(statement, kinds)
        and ast.dump(statement) not in known
        and not _bound(statement) & taken
    ]
    return "\n".join(ast.unparse(statement) for statement in kept)


def same_code(left: str, right: str, kind: str = "code") -> bool:
    """Whether two cells say the same; for code: comments, blank lines and layout aside."""
    if kind != "code":
        return _plain(left) == _plain(right)
    return code_tokens(left) == code_tokens(right)


def code_tokens(source: str) -> list[str]:
    """The tokens of a piece of code without comments and layout; the plain text if it has none."""
    try:
        return [
            token.string
            for token in tokenize.generate_tokens(io.StringIO(source + "\n").readline)
            if token.string.strip() and token.type != tokenize.COMMENT
        ]
    except (tokenize.TokenError, *UNREADABLE):
        return [_plain(source)]


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _parse(source: str) -> ast.Module | None:
    # IPython's magics and shell lines are left out in a second try; what remains may be Python.
    plain = "\n".join(line for line in source.splitlines() if not re.match(r"\s*[%!?]", line))
    for text in (source, plain):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a student's "\\d" is not the grader's warning
                return ast.parse(text)
        except UNREADABLE:
            continue
    return None


# --- reading the skeleton ----------------------------------------------------------------------


def _grade_id(cell: dict) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def _is_solution(cell: dict) -> bool:
    return bool(cell["metadata"].get("nbgrader", {}).get("solution"))


def _is_test(cell: dict) -> bool:
    meta = cell["metadata"].get("nbgrader", {})
    return bool(meta.get("grade")) and not meta.get("solution") and cell["cell_type"] == "code"


def _is_locked(cell: dict) -> bool:
    meta = cell["metadata"].get("nbgrader", {})
    return bool(meta.get("locked") or meta.get("grade"))


def _plain(text: str) -> str:
    """Text without trailing blanks and outer blank lines."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def test_cells(notebook: dict) -> Iterable[dict]:
    """The automatically graded cells of a notebook, in order."""
    return [cell for cell in notebook["cells"] if _is_test(cell)]

"""Attacks by what is handed in: the notebook's metadata, text and form, the file itself."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

from hostile.kit import LAB, SCHEDULE, Attack, cell_of, new_cell, notebook, refused

from autograde import demo
from autograde.demo import Material

SCRIPT = "<script>document.title='LEAK'</script><img src=x onerror=\"document.title='LEAK'\">"


def _markup(nb: dict) -> None:
    nb["cells"].insert(
        1,
        new_cell(
            "from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display\n"
            f"text = {SCRIPT!r}\n"
            "display(HTML(text), Javascript('alert(1)'), Latex(text), Markdown(text))\n"
            "display({'image/svg+xml': '<svg onload=alert(1)>', 'text/html': text,\n"
            "         'image/png': '\"><script>alert(1)</script>'}, raw=True)\n"
            "print(text)"
        ),
    )
    nb["cells"].insert(2, new_cell(SCRIPT + "\n\n$$" + SCRIPT + "$$\n\n[x](javascript:alert(1))",
                                   "markdown"))  # fmt: skip
    nb["cells"].insert(3, new_cell(SCRIPT, "raw"))
    nb["metadata"]["title"] = SCRIPT
    nb["metadata"]["kernelspec"] = {"name": SCRIPT, "display_name": SCRIPT}


def _metadata(nb: dict) -> None:
    for cell in nb["cells"]:
        meta = cell["metadata"].get("nbgrader")
        cell["metadata"]["tags"] = ["skip-execution", "remove_cell"]
        cell["id"] = "same"
        if meta and meta.get("grade"):
            meta.update(points=-1000, grade=False, solution=True, locked=False)
            cell["source"] = "10.0"


def _moved_marks(nb: dict) -> None:
    """The test's metadata on a cell of the student's own; the tests deleted."""
    test = cell_of(nb, f"test_{SCHEDULE}")
    nb["cells"].remove(test)
    for points in (10, 1e400, "10", None):
        mark = copy.deepcopy(test["metadata"])
        mark["nbgrader"]["points"] = points
        nb["cells"].insert(0, {**new_cell("print(10.0)\n10.0"), "metadata": mark})


def _slow_text(nb: dict) -> None:
    nb["cells"].insert(1, new_cell("*" * 150_000))
    nb["cells"].insert(1, new_cell("a." * 70_000))
    for text in ("<" * 9_000, "<div>" * 1_900, "&" * 9_000, "|a" * 4_000 + "\n" + "|-" * 900) * 8:
        nb["cells"].insert(1, new_cell(text, "markdown"))
    nb["cells"].insert(1, new_cell("<b><p>" * 30_000, "markdown"))


def _strange_text(nb: dict) -> None:
    cell_of(nb, SCHEDULE)["source"] = "x = '\ud800'\0\n### BEGIN HIDDEN TESTS\n### END SOLUTION"
    nb["cells"].insert(1, new_cell("\ud800 \0 \x1b[2J ### BEGIN HIDDEN TESTS", "markdown"))
    nb["cells"].append(new_cell("x" * 5_000_000))
    nb["cells"] += [None, 7, {}, {"cell_type": "code"}, {"cell_type": ["code"], "source": {}}]


def _linked(m: Material, folder: Path, outside: dict) -> None:
    (folder / f"{LAB}.ipynb").symlink_to(f"../../good/{LAB}/{LAB}.ipynb")


def _pipe(m: Material, folder: Path, outside: dict) -> None:
    os.mkfifo(folder / f"{LAB}.ipynb")


def _large(m: Material, folder: Path, outside: dict) -> None:
    (folder / f"{LAB}.ipynb").touch()
    os.truncate(folder / f"{LAB}.ipynb", 100 << 20)


def _odd_file(m: Material, folder: Path, outside: dict) -> None:
    """An odd name, and a key that is there twice: the last one counts, as everywhere."""
    path = folder / "\x1b[2J<script>alert(1)<script>[red].ipynb"
    text = json.dumps(demo.solved(m))
    path.write_text('{"cells": [{"cell_type": "code", "source": "10.0"}], ' + text[1:])


def _many_cells(m: Material, folder: Path, outside: dict) -> bytes:
    cell = '{"cell_type": "raw", "source": ""}'
    return ('{"cells": [' + ",".join([cell] * 100_000) + "]}").encode()


def _much_text(m: Material, folder: Path, outside: dict) -> bytes:
    nb = demo.solved(m)
    nb["cells"] = [c for c in nb["cells"] if not c["metadata"].get("nbgrader", {}).get("solution")]
    nb["cells"] += [new_cell(f"x{i} = " + "[" * 50 + "]" * 50 + "\n" * 2000) for i in range(4_000)]
    return json.dumps(nb).encode()


FILES = {
    "markup": notebook(_markup),
    "metadata": notebook(_metadata),
    "moved_marks": notebook(_moved_marks),
    "slow_text": notebook(_slow_text),
    "strange_text": notebook(_strange_text),
    "odd_file": Attack(make=_odd_file),
    "link": refused(_linked),
    "pipe": refused(_pipe),
    "large": refused(_large),
    "many_cells": refused(_many_cells),
    "much_text": refused(_much_text),
    "nested": refused(lambda m, folder, outside: b'{"cells":' + b"[" * 200_000),
    "huge_number": refused(lambda m, folder, outside: b'{"cells": ' + b"9" * 1_000_000 + b"}"),
}

# Names of folders that are no student's; each holds an untouched notebook. "good" is a student.
NAMES = ("good ", " good", "*", "goo?", "[g]ood", "{student_id}", "a\nb", "\x1b[2Jx", "x" * 250,
         "\udcff\udcfe", "good\\..")  # fmt: skip

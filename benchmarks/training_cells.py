"""Measure every training cell of the course as a student meets it: in a notebook, on one thread.

    python benchmarks/training_cells.py             all labs
    python benchmarks/training_cells.py lab5_ppo    one of them

Each lab's source in solutions/ is run as a notebook from top to bottom in a Jupyter kernel of its
own, the reference solutions in the exercise cells; only the cells that test are left out. Listed
are the cells in which an optimizer steps, and all others that take a second or more. A cell's time
includes its figures and videos; nobody watches, so the live curve is not drawn (0 % of the time in
a browser). The command fails if a cell takes longer than --limit seconds (30).
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import training
from training_methods import ROOT

WORTH_A_LINE = 1.0
"""CPU seconds from which on a cell is listed although it trains nothing."""

# Put before the lab's own cells: the kernel notes what each of them costs.
CLOCKS = """
import time as _time
from torch.optim.optimizer import register_optimizer_step_post_hook as _at_every_step

_noted, _now = [], {}


def _begin(info):
    _now.update(wall=_time.perf_counter(), cpu=_time.process_time(), steps=0)


def _end(result):
    if not _now:
        return  # the end of this cell itself
    _noted.append((_time.process_time() - _now["cpu"], _time.perf_counter() - _now["wall"],
                   _now["steps"]))


def _step(optimizer, args, kwargs):
    _now["steps"] += 1


_at_every_step(_step)
get_ipython().events.register("pre_run_cell", _begin)
get_ipython().events.register("post_run_cell", _end)
"""
REPORT = "import json as _json; print(_json.dumps(_noted))"


def code_cells(notebook: Any) -> list[tuple[str, Any]]:
    """(heading it stands under, cell) of the code cells that do not test."""
    found, heading = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            titles = re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)
            heading = titles[-1] if titles else heading
        elif cell.source.strip() and not cell.metadata.get("nbgrader", {}).get("grade", False):
            found.append((heading, cell))
    return found


def measure(source: Path) -> list[dict]:
    """Run a lab; what each of its code cells cost. RuntimeError if a cell fails."""
    import jupytext
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = jupytext.read(source)
    cells = code_cells(notebook)
    extra = [nbformat.v4.new_code_cell(text) for text in (CLOCKS, REPORT)]
    notebook.cells = [extra[0], *(cell for _, cell in cells), extra[1]]
    environment = {**os.environ, **training.ONE_THREAD, "PYTHONPATH": str(ROOT)}
    environment.pop("NBGRADER_EXECUTION", None)  # training cells would cut themselves short
    # A folder of its own: no runs or functions of somebody's notebooks are found there.
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=None, kernel_name="python3", skip_cells_with_tag="",
            resources={"metadata": {"path": folder}},
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )  # fmt: skip
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            raise RuntimeError(f"{source.stem}: {error.ename}: {error.evalue}") from None
    text = "".join(out.get("text", "") for out in notebook.cells[-1].outputs)
    noted = json.loads(text.strip().splitlines()[-1])
    return [
        {"lab": source.stem, "cell": heading, "gradient_steps": steps,
         "cpu_s": cpu, "wall_s": wall}
        for (heading, _), (cpu, wall, steps) in zip(cells, noted, strict=True)
    ]  # fmt: skip


def listed(cells: list[dict]) -> list[dict]:
    return [cell for cell in cells if cell["gradient_steps"] or cell["cpu_s"] >= WORTH_A_LINE]


def row(cell: dict, markdown: bool) -> str:
    steps = f"{cell['gradient_steps']:,}" if cell["gradient_steps"] else ""
    cost = (steps, f"{cell['cpu_s']:.2f}", f"{cell['wall_s']:.2f}")
    return line((cell["lab"], cell["cell"], *cost), markdown)


def line(texts: tuple[str, ...], markdown: bool) -> str:
    if markdown:
        return f"| {' | '.join(texts)} |"
    lab, cell, *rest = texts
    short = cell if len(cell) <= 48 else cell[:45] + "..."
    return f"{lab:18}  {short:48}  {rest[0]:>14}  {rest[1]:>7}  {rest[2]:>7}"


def main(arguments: list[str] | None = None) -> int:
    labs = [path.stem for path in sorted((ROOT / "solutions").glob("lab*.py"))]
    parser = training.Parser(
        prog="training_cells.py", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("lab", nargs="?", choices=labs, help="by default all of them")
    parser.add_argument(
        "--limit", type=training.at_least_one, default=30, metavar="SECONDS",
        help="fail if a cell takes longer than this (30)",
    )  # fmt: skip
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_args(arguments)
    found: list[dict] = []
    if not options.json:
        print(line(("lab", "cell under", "gradient steps", "CPU s", "wall s"), options.markdown))
        if options.markdown:
            print("| --- | --- | ---: | ---: | ---: |")
    for lab in [options.lab] if options.lab else labs:
        try:
            cells = listed(measure(ROOT / "solutions" / f"{lab}.py"))
        except RuntimeError as error:
            print(f"training_cells.py: {error}", file=sys.stderr)
            return 1
        found += cells
        if not options.json:
            for cell in cells:
                print(row(cell, options.markdown), flush=True)
    slow = [cell for cell in found if cell["cpu_s"] > options.limit]
    if options.json:
        print(json.dumps(found, indent=2))
    elif found:
        longest = max(found, key=lambda cell: cell["cpu_s"])
        print(f"\nThe longest takes {longest['cpu_s']:.1f} CPU s ({longest['lab']}).")
    for cell in slow:
        print(
            f"training_cells.py: {cell['lab']}, {cell['cell']}: {cell['cpu_s']:.1f} CPU s, "
            f"more than {options.limit}",
            file=sys.stderr,
        )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())

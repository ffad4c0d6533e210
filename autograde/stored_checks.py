"""Generate the numbers that the visible checks compare with, from the judge and the corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from autograde.errors import CourseError

FOLDER = Path(__file__).resolve().parents[1] / "course_utils" / "data" / "visible"
SEED = 20170707
"""Any fixed number: the inputs that every student sees are drawn from it."""

_KEPT = ("name", "about", "aspect", "aspects", "hide_arguments", "args", "wrt", "expect",
         "cpu_seconds", "compare")  # fmt: skip


def generate(lab: str) -> str:
    """Return the content of ``course_utils/data/visible/<lab>.json``.

    Per exercise: the cases with what is right, and for each wrong solution of the corpus its
    title and what it gives on the same inputs.
    """
    from autograde import judge
    from autograde.judge.mistakes import observe_mistakes
    from autograde.judge.spec import generator

    content: dict[str, Any] = {}
    for name in judge.exercises(lab):
        exercise = f"{lab}/{name}"
        cases = judge._exercise(exercise).cases(generator(SEED, exercise), True)
        entries, titles = observe_mistakes(exercise, cases)
        content[name] = {
            "cases": [_shortened({k: c[k] for k in _KEPT if k in c}) for c in cases],
            "mistakes": {
                i: {"title": titles[i], "entries": list(map(_kept, found, cases))}
                for i, found in entries.items()
            },
        }
    record = {
        "generated_by": "python -m autograde checks",
        "exercises": content,
    }
    return _dump(record)


def _kept(entry: dict, case: dict) -> dict:
    """Keep of an observation what a comparison looks at."""
    facts = (*case["expect"], *case.get("compare", []))
    error = entry["error"] and {"type": entry["error"]["type"]}
    kept = {f: _shortened(entry["facts"][f]) for f in facts if f in entry["facts"]}
    kept.pop("cpu_seconds", None)
    return {"name": entry["name"], "status": entry["status"], "error": error, "facts": kept}


def _shortened(plain: Any) -> Any:
    """Round float data: inputs keep what float32 holds, everything is compared with tolerance."""
    if isinstance(plain, dict):
        if plain.get("array", "").startswith("float") and "data" in plain:
            data = [float(f"{v:.9g}") if isinstance(v, float) else v for v in plain["data"]]
            if plain["array"] == "float32":
                data = [_short_float32(v) if isinstance(v, float) else v for v in data]
            return {**plain, "data": data}
        return {k: _shortened(v) for k, v in plain.items()}
    if isinstance(plain, list):
        return [_shortened(v) for v in plain]
    return plain


def _short_float32(value: float) -> float:
    import numpy as np

    return float(str(np.float32(value)))


def _dump(record: dict) -> str:
    """Write JSON with one line per case and per mistake, so that a diff can be read."""
    lines = ["{", f'"generated_by": {json.dumps(record["generated_by"])},', '"exercises": {']
    for number, (name, exercise) in enumerate(record["exercises"].items()):
        lines.append(f'{"," * (number > 0)}"{name}": {{"cases": [')
        lines.append(",\n".join(json.dumps(case) for case in exercise["cases"]))
        lines.append('], "mistakes": {')
        mistakes = exercise["mistakes"].items()
        lines.append(",\n".join(f'"{i}": {json.dumps(mistake)}' for i, mistake in mistakes))
        lines.append("}}")
    lines.append("}}")
    return "\n".join(lines) + "\n"


def path_of(lab: str) -> Path:
    """Return where the stored numbers of a lab live."""
    return FOLDER / f"{lab}.json"


PICTURE = FOLDER.parent / "pictures" / "clip_explorer.json"


def clip_picture() -> str:
    """Return the content of ``course_utils/data/pictures/clip_explorer.json``.

    Per epsilon of the explorer's grid, for A > 0 and A < 0: the objective's slope between
    neighboring ratios in units of A, one digit each.
    """
    import numpy as np

    from autograde.judge.lab5_ppo import surrogate
    from course_utils.explorers import ADVANTAGES, EPSILONS, RATIOS

    middles = (RATIOS[:-1] + RATIOS[1:]) / 2
    rows = {}
    for epsilon in EPSILONS.tolist():
        slopes = [surrogate(middles, np.full_like(middles, a), epsilon)[1] / a for a in ADVANTAGES]
        rows[f"{epsilon:.3f}"] = ["".join(str(int(s)) for s in row) for row in slopes]
    record = {"generated_by": "python -m autograde checks", "slope_per_advantage": rows}
    return json.dumps(record, indent=1) + "\n"


def files(lab: str) -> dict[Path, str]:
    """Return what is generated for a lab: content by path."""
    made = {path_of(lab): generate(lab)}
    if lab == "lab5_ppo":
        made[PICTURE] = clip_picture()
    return made


@click.command("checks")
@click.argument("lab", required=False)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if a file is out of step.")
def checks_command(lab: str | None, check: bool) -> int:
    """Generate the stored numbers of the visible checks (default: of every lab)."""
    from autograde import judge

    labs = [lab] if lab else list(judge._LABS)
    if lab and lab not in judge._LABS:
        raise CourseError(f"there is no lab {lab!r}; there are: {', '.join(judge._LABS)}")
    stale = 0
    made = {path: text for name in labs for path, text in files(name).items()}
    for path, content in made.items():
        same = path.is_file() and path.read_text(encoding="utf-8") == content
        shown = path.relative_to(FOLDER.parents[2])
        if check:
            stale += not same
            state = "in step" if same else "out of step: python -m autograde checks"
            click.echo(f"{shown} is {state}")
        elif same:
            click.echo(f"{shown} unchanged")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            click.echo(f"{shown} written")
    return 1 if stale else 0

"""A made-up class of 24 in a course of its own, so that grading can be watched from end to end."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from autograde import build
from autograde.course import DUE_DATES, RECEIVED, Course
from autograde.errors import CourseError
from autograde.graft import test_cells
from autograde.intake import solution_ids
from autograde.pipeline import Lab, load_lab

LAB = "lab5_ppo"
DUE = datetime(2026, 5, 31, 22, 0)
CELL_SECONDS = 10
ANSWER = (
    "The ratio says how much more often the new policy takes the old action, so the batch can be "
    "reused while the ratio stays near one. After too many steps it no longer does."
)
CONFIG = '''"""nbgrader's configuration of a demonstration course."""

from pathlib import Path

from autograde.course import Course, configure

c = get_config()
configure(c, Course(Path(__file__).resolve().parent))
'''


@dataclass(frozen=True)
class Material:
    """What submissions are made of: the lab, its reference solutions, the corpus files."""

    lab: Lab
    reference: dict[str, str]  # grade_id -> the content of that solution cell
    ok: dict[str, list[str]]
    bad: dict[str, list[str]]

    @property
    def names(self) -> list[str]:
        """The exercises with a hidden test, in the lab's order."""
        return [test.name for test in self.lab.tests]


def start_course(repository: Course, folder: Path) -> tuple[Course, Material]:
    """A new course in `folder` with the demo's lab, built, and what to make submissions of.

    Reference solutions come from solutions/, others from tests/corpus/. CourseError without them.
    """
    corpus = repository.root / "tests" / "corpus" / LAB
    if not corpus.is_dir():
        raise CourseError(f"the demo needs {corpus}: run it in the course's repository", status=1)
    course = Course(folder)
    course.solutions.mkdir(parents=True)
    shutil.copyfile(repository.solution_path(LAB), course.solution_path(LAB))
    (folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    build.build(course, LAB)
    lab = load_lab(course, LAB)
    return course, Material(
        lab,
        reference_solutions(course, LAB),
        {test.name: _texts(corpus / test.name, "ok_*.py") for test in lab.tests},
        {test.name: _texts(corpus / test.name, "bad_*.py") for test in lab.tests},
    )


def reference_solutions(course: Course, lab: str) -> dict[str, str]:
    """grade_id -> reference content of every solution cell (the markers taken out)."""
    notebook = build.source_notebook(course.solution_path(lab))
    markers = (build.BEGIN_SOLUTION, build.END_SOLUTION)
    found = {}
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("solution"):
            lines = [line for line in cell.source.splitlines() if line.strip() not in markers]
            found[meta["grade_id"]] = "\n".join(lines)
    return found


def _texts(folder: Path, pattern: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob(pattern))]


# --- notebooks ---------------------------------------------------------------------------------


def filled(lab: Lab, sources: dict[str, str]) -> dict:
    """The released notebook with these solution cells filled in, the others left as stubs."""
    notebook = copy.deepcopy(lab.skeleton)
    for cell in notebook["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if cell["metadata"].get("nbgrader", {}).get("solution") and grade_id in sources:
            cell["source"] = sources[grade_id]
    return notebook


def solved(m: Material, **changes: str) -> dict:
    answers = {name: ANSWER for name in m.lab.manual}
    return filled(m.lab, {**m.reference, **answers, **changes})


def good(m: Material, number: int) -> dict:
    """A right solution, written another way in each exercise."""
    others = {name: files[number % len(files)] for name, files in m.ok.items() if files}
    return solved(m, **others)


def wrong(m: Material, number: int) -> dict:
    """Right but for two exercises, which change from student to student."""
    names = [name for name in m.names if m.bad[name]]
    chosen = {names[number % len(names)], names[(3 * number + 1) % len(names)]}
    return solved(m, **{n: m.bad[n][(2 * number) % len(m.bad[n])] for n in chosen})


def unfinished(m: Material, done: int) -> dict:
    """Only the first few exercises are written."""
    return filled(m.lab, {name: m.reference[name] for name in m.names[:done]})


def with_line(m: Material, number: int, line: str) -> dict:
    """A right solution whose exercise `number` runs `line` before anything else."""
    name = m.names[number]
    head, _, body = m.reference[name].partition('"""')
    if not body:
        return solved(m, **{name: f"{line}\n{m.reference[name]}"})
    docstring, _, rest = body.partition('"""')
    return solved(m, **{name: f'{head}"""{docstring}"""\n    {line}{rest}'})


def other_lab(m: Material) -> dict:
    notebook = solved(m)
    for cell in notebook["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["grade_id"] += "_of_another_lab"
        cell["id"] = f"x-{cell['id']}"[:64]
    return notebook


def rearranged(m: Material) -> dict:
    """A right solution without its test cells, one solution cell twice, tags of the student's."""
    notebook = solved(m)
    tests = [cell["id"] for cell in test_cells(notebook)]
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in tests]
    first = next(
        i
        for i, cell in enumerate(notebook["cells"])
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == solution_ids(m.lab.skeleton)[0]
    )
    notebook["cells"].insert(first, {**notebook["cells"][first], "id": "a-copy"})
    for cell in notebook["cells"]:
        cell["metadata"].setdefault("tags", []).append("skip-execution")
    return notebook


Maker = Callable[[Material], "dict | bytes | None"]

# Student -> what they hand in.
ROSTER: dict[str, Maker] = {
    "adams": lambda m: good(m, 0),
    "baker": lambda m: wrong(m, 0),
    "chen": lambda m: good(m, 1),
    "diaz": lambda m: unfinished(m, 3),
    "evans": lambda m: wrong(m, 1),
    "fischer": lambda m: with_line(m, 2, "__import__('os')._exit(0)"),
    "garcia": lambda m: good(m, 2),
    "haddad": lambda m: json.dumps(solved(m)).encode()[:-4000],
    "ito": lambda m: wrong(m, 2),
    "jones": lambda m: good(m, 3),
    "kim": lambda m: None,
    "larsen": lambda m: wrong(m, 3),
    "moreau": lambda m: solved(m),
    "novak": lambda m: unfinished(m, 5),
    "okafor": lambda m: wrong(m, 4),
    "patel": lambda m: with_line(m, 0, "while True: pass"),
    "quinn": lambda m: other_lab(m),
    "rossi": lambda m: wrong(m, 5),
    "silva": lambda m: solved(m),
    "tanaka": lambda m: wrong(m, 6),
    "usman": lambda m: m.lab.skeleton,
    "vogel": lambda m: wrong(m, 7),
    "weber": lambda m: with_line(m, 3, "print('x' * 100_000_000)"),
    "yilmaz": lambda m: rearranged(m),
}
LATE = {"moreau": timedelta(hours=30)}
RENAMED = {"silva": f"{LAB} (1).ipynb"}


def make_class(repository: Course, folder: Path) -> Course:
    """A course in `folder` (empty or new) with the class's submissions. CourseError if not empty.

    Deterministic: the same repository gives the same files.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} is not empty: name a new folder for the demo")
    course, material = start_course(repository, folder)
    received = ["student,lab,received"]
    for number, (student, make) in enumerate(ROSTER.items()):
        path = course.submission_dir(student, LAB)
        path.mkdir(parents=True)
        handed_in = make(material)
        if handed_in is None:
            (path / "my_answers.txt").write_text("I could not upload the notebook.\n")
        else:
            data = handed_in if isinstance(handed_in, bytes) else json.dumps(handed_in).encode()
            (path / RENAMED.get(student, f"{LAB}.ipynb")).write_bytes(data)
        when = DUE + LATE.get(student, timedelta(hours=-1 - number))
        received.append(f"{student},{LAB},{when.isoformat()}")
        # As collect writes it; without it the formgrader asks for everyone to be graded again.
        (path / "timestamp.txt").write_text(f"{when} UTC")
    build.write_atomically(course.root / RECEIVED, ("\n".join(received) + "\n").encode())
    build.write_atomically(course.root / DUE_DATES, f"lab,due\n{LAB},{DUE.isoformat()}\n".encode())
    return course

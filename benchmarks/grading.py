"""Measure what it costs to grade a class: stock `nbgrader autograde` against this course's command.

    python benchmarks/grading.py                 40 submissions, both in turn, one round
    python benchmarks/grading.py --rounds 3      the ratio with its spread
    python benchmarks/grading.py --memory        memory of our side at 40 and at 400 submissions

Both sides grade the same class of honest people: half of them right, each in a style of their own,
half wrong, unfinished, or with an exception. Each run has a fresh copy of the class and nothing
graded in it, and the marks of the two sides have to be equal, test by test, or there is no result.

Stock is nbgrader as it comes: its own preprocessors, a plain ipykernel for each submission, one
after the other, on a course of its own that knows nothing of this course's configuration. Its
assignment holds the lab's hidden tests, which then judge inside the kernel. They leave out what
nbgrader has no counterpart for, the naming of mistakes, which would cost stock many seconds for
each wrong answer (--stock-names-mistakes leaves it in). Both sides draw the tests' inputs from one
seed. Ours is `python -m autograde grade`,
mistakes named, students' code in the sandbox; without the feedback pages, which `nbgrader
autograde` does not write either, and once with them. Both gradebooks know the assignment
beforehand.

CPU seconds are those of the command and of all processes below it, counted by a control group where
one can be made (as root). Elsewhere they are those of the processes that have been waited for, and
for our kernels, whose time Linux gives to nobody, what our command counts, which is a little less.
Memory is what Linux calls resident (a page that processes share counts in each of them), read five
times a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from training import Parser, at_least_one, seed_number

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

NAMES = {
    "stock": "stock nbgrader autograde",
    "ours": "this course's grade, no feedback",
    "pages": "this course's grade, with feedback",
}
STOCK_CONFIG = """c = get_config()
c.CourseDirectory.course_id = "benchmark"
# The default of 30 seconds a cell is too short for a busy machine.
c.Execute.timeout = 600
"""
NBGRADER = [sys.executable, "-m", "nbgrader"]
IMPORT = "from autograde.hidden import hidden_test\n"
SEED = """import autograde.hidden
autograde.hidden._SEED = {seed}
"""
NO_NAMES = """import autograde.judge.mistakes
autograde.judge.mistakes.known_mistakes = lambda *_: ({}, {})
"""
LAB, GRADEBOOK = "lab5_ppo", "autograde/gradebook.db"
MARKS = """
select submitted_assignment.student_id, base_cell.name, grade.auto_score
from grade
join base_cell on base_cell.id = grade.cell_id
join submitted_notebook on submitted_notebook.id = grade.notebook_id
join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
"""
RAISES = (
    "raise ValueError('I do not know')",
    "return undefined_name",
    "return [][1]",
    "import a_module_that_is_not_there",
)


class Failed(Exception):
    """The measurement is not worth anything; the text says why."""


# --- the class -----------------------------------------------------------------------------------


def make_course(folder: Path, count: int, seed: int, different: int | None = None):
    """A course in `folder` with a class that has handed in; deterministic in `seed`.

    different: how many different submissions there are; by default all of them.
    """
    from autograde import build, demo
    from autograde.course import Course

    course, material = demo.start_course(Course(ROOT), folder)
    build.register(course, demo.LAB)
    run_state = course.state / demo.LAB / "run.json"
    run_state.parent.mkdir(parents=True, exist_ok=True)
    run_state.write_text(json.dumps({"seed": seed}), encoding="utf-8")
    for number in range(count):
        kind = number % (different or count)
        notebook = json.dumps(submission(material, kind, random.Random(seed + kind)))
        path = course.submission_dir(f"student{number:03d}", demo.LAB) / f"{demo.LAB}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(notebook, encoding="utf-8")
    return course


def submission(material, number: int, rng: random.Random) -> dict:
    """What student `number` hands in: right for even numbers, else one of three kinds of faulty."""
    from autograde import demo

    if number % 2 == 0:
        return demo.good(material, rng.randrange(1000))
    kind = number // 2 % 3
    if kind == 0:
        return demo.wrong(material, rng.randrange(1000))
    if kind == 1:
        return demo.unfinished(material, rng.randrange(1, len(material.names)))
    return demo.with_line(material, rng.randrange(len(material.names)), rng.choice(RAISES))


def make_stock(course, folder: Path, names_mistakes: bool, seed: int) -> Path:
    """The course as a plain nbgrader one: source, release, gradebook, submissions."""
    from autograde import demo

    source = folder / "source" / demo.LAB / f"{demo.LAB}.ipynb"
    source.parent.mkdir(parents=True)
    notebook = json.loads(course.source_path(demo.LAB).read_text(encoding="utf-8"))
    extra = SEED.format(seed=seed) + ("" if names_mistakes else NO_NAMES)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace(IMPORT, IMPORT + extra)
    source.write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(STOCK_CONFIG, encoding="utf-8")
    done = subprocess.run(
        [*NBGRADER, "generate_assignment", demo.LAB],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(f"nbgrader generate_assignment: {last_line(done.stderr)}")
    shutil.copytree(course.submitted, folder / "submitted")
    return folder


# --- one run -------------------------------------------------------------------------------------


@dataclass
class Cost:
    """What one run took: seconds on the clock, CPU seconds of all its processes."""

    who: str
    wall_s: float
    cpu_s: float


def environment(folder: Path) -> dict[str, str]:
    """Of both sides: no Jupyter configuration of this machine's, `autograde` importable."""
    return {**os.environ, "JUPYTER_CONFIG_DIR": str(folder / "jupyter"), "PYTHONPATH": str(ROOT)}


def command(who: str, folder: Path) -> list[str]:
    if who == "stock":
        return [*NBGRADER, "autograde", LAB]
    ours = [sys.executable, "-m", "autograde", "grade", LAB, "--course", str(folder)]
    ours += ["--json", str(folder / "results.json")]
    return ours if who == "pages" else [*ours, "--no-feedback"]


def run(who: str, template: Path, folder: Path) -> tuple[Cost, dict]:
    """Grade a fresh copy of a class in `folder`: what it took, and the marks. May raise Failed."""
    shutil.copytree(template, folder)
    log = folder / "log.txt"
    with log.open("wb") as file, control_group() as group:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*group.start, *command(who, folder)],
            cwd=folder,
            env=environment(folder),
            stdout=file,
            stderr=file,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        cpu = group.seconds()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{NAMES[who]}: {last_line(log.read_text(errors='replace'))}")
    marks = read_marks(folder / (GRADEBOOK if who != "stock" else "gradebook.db"))
    if cpu is None:
        cpu = usage.ru_utime + usage.ru_stime
        if who != "stock":
            rows = json.loads((folder / "results.json").read_text())["submissions"]
            cpu += sum(row["cpu_seconds"] for row in rows)
    return Cost(who, wall, cpu), marks


@dataclass
class Group:
    """A control group that counts CPU time, or none. start: what a command line begins with."""

    folder: Path | None
    start: list[str]

    def seconds(self) -> float | None:
        if self.folder is None:
            return None
        if (self.folder / "cpuacct.usage").exists():  # version 1: nanoseconds
            return int((self.folder / "cpuacct.usage").read_text()) / 1e9
        text = (self.folder / "cpu.stat").read_text()
        return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6


@contextlib.contextmanager
def control_group() -> Iterator[Group]:
    folder = make_group()
    if folder is None:
        yield Group(None, [])
        return
    enter = f'echo $$ > {folder}/cgroup.procs && exec "$@"'
    yield Group(folder, ["sh", "-c", enter, "sh"])
    for _ in range(50):  # the last processes may be on their way out
        with contextlib.suppress(OSError):
            folder.rmdir()
            break
        time.sleep(0.1)


def make_group() -> Path | None:
    name = f"grading-{os.getpid()}-{time.monotonic_ns()}"
    for root, counter in (("cpuacct", "cpuacct.usage"), ("unified", "cpu.stat"), ("", "cpu.stat")):
        folder = Path("/sys/fs/cgroup") / root / name
        with contextlib.suppress(OSError):
            folder.mkdir()
            if (folder / counter).exists():
                return folder
            folder.rmdir()
    return None


def read_marks(database: Path) -> dict[str, dict[str, float | None]]:
    """{student: {test cell: score}} as the gradebook holds it; None where a person has to grade."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute(MARKS).fetchall()
    marks: dict[str, dict[str, float | None]] = {}
    for student, cell, score in rows:
        marks.setdefault(student, {})[cell] = score
    return marks


def differences(one: dict, other: dict) -> list[str]:
    """Where two gradebooks differ, a line each."""
    found = []
    for student in sorted({*one, *other}):
        mine, theirs = one.get(student, {}), other.get(student, {})
        for cell in sorted({*mine, *theirs}):
            a, b = mine.get(cell, "absent"), theirs.get(cell, "absent")
            same = a == b or (isinstance(a, float) and isinstance(b, float) and abs(a - b) < 1e-6)
            if not same:
                found.append(f"{student}, {cell}: {a} and {b}")
    return found


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


# --- memory --------------------------------------------------------------------------------------

ROLES = {
    "main": "the grading process",
    "pool": "the largest of its worker processes",
    "kernel": "the largest kernel, or server of kernels",
}
SMALL, LARGE = 40, 400
GROWTH, ROOM_MB = 0.10, 30.0
"""What may come on top from the smaller class to the larger: a share, and megabytes."""


def memory(count: int, scratch: Path, seed: int) -> dict[str, float]:
    """Peak resident memory in MB of each kind of process while a class of `count` is graded."""
    import psutil

    # The larger class is the smaller one again and again: one wrong answer may make a matrix of a
    # hundred megabytes, and with other answers the peaks would say which, not how many, there are.
    folder = make_course(scratch / str(count), count, seed, SMALL).root
    peaks = dict.fromkeys(ROLES, 0.0)
    log = scratch / f"{count}.txt"
    with log.open("wb") as file:
        process = psutil.Popen(
            command("pages", folder), cwd=folder, env=environment(folder), stdout=file, stderr=file
        )
        while process.poll() is None:
            for role, size in sizes(process):
                peaks[role] = max(peaks[role], size)
            time.sleep(0.2)
    if process.returncode:
        raise Failed(f"a class of {count}: {last_line(log.read_text(errors='replace'))}")
    return peaks


def sizes(process) -> Iterator[tuple[str, float]]:
    """(role, resident MB) of the command and of every process below it."""
    import psutil

    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            line = " ".join(one.cmdline())
            role = "kernel" if "kernel_server" in line else "pool" if "spawn_main" in line else None
            role = "main" if one.pid == process.pid else role
            if role:
                yield role, one.memory_info().rss / 2**20


def measure_memory(options: argparse.Namespace, scratch: Path) -> list[str]:
    """One line a role. Failed when memory grows with the class."""
    small, large = (memory(count, scratch, options.seed) for count in (SMALL, LARGE))
    lines, grown = [], []
    for role, name in ROLES.items():
        lines.append(f"{name}: {small[role]:.0f} MB at {SMALL}, {large[role]:.0f} MB at {LARGE}")
        if large[role] > small[role] * (1 + GROWTH) + ROOM_MB:
            grown.append(lines[-1])
    if grown:
        raise Failed("memory grows with the class: " + "; ".join(grown))
    return lines


# --- all runs ------------------------------------------------------------------------------------


def measure(options: argparse.Namespace, scratch: Path, report) -> list[list[Cost]]:
    """One list of costs a round. Failed when a run fails, or when marks differ."""
    course = make_course(scratch / "ours", options.submissions, options.seed)
    stock = make_stock(course, scratch / "stock", options.stock_names, options.seed)
    ours = course.root
    templates = {"stock": stock, "ours": ours, "pages": ours}
    rounds = []
    for number in range(options.rounds):
        order = ["stock", "ours", "pages"] if number % 2 == 0 else ["ours", "pages", "stock"]
        costs, marks = [], {}
        for who in order:
            folder = scratch / f"run-{number}-{who}"
            cost, marks[who] = run(who, templates[who], folder)
            shutil.rmtree(folder)
            costs.append(cost)
            report(cost)
        for who in ("ours", "pages"):
            wrong = differences(marks["stock"], marks[who])
            if wrong:
                listed = "; ".join(wrong[:5])
                raise Failed(f"marks differ in {len(wrong)} places (stock and ours): {listed}")
            if len(marks[who]) != options.submissions:
                raise Failed(f"{len(marks[who])} of {options.submissions} have marks")
        rounds.append(costs)
    return rounds


def summarize(rounds: list[list[Cost]]) -> dict:
    """Medians a side, and how many times less ours takes (median and range over the rounds)."""
    summary: dict = {"runs": {}, "ratios": {}}
    for who in NAMES:
        mine = [cost for costs in rounds for cost in costs if cost.who == who]
        summary["runs"][who] = {
            "wall_s": statistics.median(cost.wall_s for cost in mine),
            "cpu_s": statistics.median(cost.cpu_s for cost in mine),
        }
    for who in ("ours", "pages"):
        for what in ("wall_s", "cpu_s"):
            ratios = []
            for costs in rounds:
                by = {cost.who: getattr(cost, what) for cost in costs}
                ratios.append(by["stock"] / by[who])
            summary["ratios"][f"{who}_{what}"] = {
                "median": statistics.median(ratios),
                "lowest": min(ratios),
                "highest": max(ratios),
            }
    return summary


def conclusions(summary: dict, submissions: int) -> list[str]:
    said = []
    for who, name in NAMES.items():
        run = summary["runs"][who]
        said.append(
            f"{name}: medians {run['wall_s']:.1f} wall s, {run['cpu_s']:.1f} CPU s; "
            f"{run['cpu_s'] / submissions:.2f} CPU s a submission"
        )
    for who, name in (("ours", "without"), ("pages", "with")):
        for what, word in (("wall_s", "wall"), ("cpu_s", "CPU")):
            ratio = summary["ratios"][f"{who}_{what}"]
            said.append(
                f"{word} time, stock to ours {name} feedback pages: {ratio['median']:.1f} times "
                f"({ratio['lowest']:.1f} to {ratio['highest']:.1f} over the rounds)"
            )
    return said


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(prog="grading.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--submissions", type=at_least_one, default=40, metavar="N", help="size of the class (40)"
    )
    parser.add_argument(
        "--rounds", type=at_least_one, default=1, metavar="N", help="runs of each side (1)"
    )
    parser.add_argument(
        "--seed", type=seed_number, metavar="S", help="of the class; by default from the clock"
    )
    parser.add_argument(
        "--stock-names-mistakes",
        dest="stock_names",
        action="store_true",
        help="let stock name each mistake too",
    )
    parser.add_argument("--memory", action="store_true", help="memory at 40 and at 400 instead")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    options.seed = int(time.time()) % 2**30 if options.seed is None else options.seed

    def report(cost: Cost) -> None:
        if not options.json:
            print(f"{NAMES[cost.who]:36}  {cost.wall_s:7.1f}  {cost.cpu_s:7.1f}", flush=True)

    if options.memory:
        return finish(lambda scratch: print("\n".join(measure_memory(options, scratch))))
    if not options.json:
        cores = len(os.sched_getaffinity(0))
        print(f"{options.submissions} submissions, seed {options.seed}, {cores} cores")
        print(f"{'who':36}  {'wall s':>7}  {'CPU s':>7}")

    def compare(scratch: Path) -> None:
        rounds = measure(options, scratch, report)
        summary = summarize(rounds)
        if options.json:
            runs = [[asdict(cost) for cost in costs] for costs in rounds]
            print(json.dumps({"seed": options.seed, "rounds": runs, "summary": summary}, indent=2))
        else:
            print("\nmarks equal in every test of every submission")
            print("\n".join(conclusions(summary, options.submissions)))

    return finish(compare)


def finish(work: Callable[[Path], None]) -> int:
    """Do the work in a scratch folder; the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
            work(Path(scratch))
    except Failed as error:
        print(f"grading.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("grading.py: stopped by hand", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

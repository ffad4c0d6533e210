"""Train lab 6's agent on LunarLander-v3 many times: with one setting changed, or over a grid.

    python benchmarks/lunar_lander.py ablation
    python benchmarks/lunar_lander.py sweep
    python benchmarks/lunar_lander.py ablation --only default orthogonal --seeds 3

The first two write lab6_ablation.json and lab6_sweep.json in course_utils/data/sweeps/; with
--only a part is run and printed.

The agent is the notebook's own (solutions/lab6_lunar_lander.py, reference solutions included) with
its default settings, but for those named and for those that the study began with and that the
notebook has changed since, because of what it found (course_utils.ablation.BASE). A run of the
ablation ends when it is solved (the mean of its last 100 training episodes is at least 200), at
the latest after the notebook's own budget of 200,000 environment steps; one that is not solved by
then counts with 200,000 steps, and with the CPU seconds it took until there. A run of the sweep,
over the clip range epsilon and lambda of GAE, goes on to 120,000 steps, solved or not; its learning
rate falls as in the notebook, to zero at 200,000.

Each run has one thread. It is added to a file (results/lunar_lander/) as soon as it is over, and
not done again by a later command with the same settings, so that a stopped command goes on where
it was; `--again` starts from nothing. After a change of the notebook's code use `--again`.

Sums over the seeds are interquartile means with 95 % percentile bootstrap intervals, as
Agarwal et al. 2021 recommend (https://arxiv.org/abs/2108.13264, section 4).
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import gc
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from reference_curves import curve
from training import Parser, at_least_one, notebook_namespace, seed_number, warm_up

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from course_utils.ablation import CHANGES, Change  # noqa: E402

SOURCE = ROOT / "solutions" / "lab6_lunar_lander.py"
SWEEPS = ROOT / "course_utils" / "data" / "sweeps"
RUNS = ROOT / "results" / "lunar_lander"
GOAL, WINDOW = 200.0, 100
NO_CLIP = 1e6
"""An epsilon that no ratio reaches: no clipping."""
EPSILONS = (0.05, 0.2, 0.4, NO_CLIP)
LAMBDAS = (0.0, 0.95, 1.0)


@dataclasses.dataclass(frozen=True)
class Study:
    """A set of runs. budget: environment steps of a run; every: distance of the curve's points."""

    name: str
    budget: int
    every: int
    seeds: int
    first_seed: int
    stop_when_solved: bool
    variants: tuple[Change, ...]
    source: Path = SOURCE

    @property
    def target(self) -> Path:
        return SWEEPS / f"lab6_{self.name}.json"

    @property
    def grid(self) -> np.ndarray:
        return np.arange(self.every, self.budget + 1, self.every)


def point(epsilon: float, lam: float) -> Change:
    """A point of the sweep."""
    text = "none" if epsilon == NO_CLIP else f"{epsilon:g}"
    settings = {"clip_epsilon": epsilon, "gae_lambda": lam}
    return Change(f"epsilon={text},lambda={lam:g}", f"epsilon {text}, lambda {lam:g}", settings)


GRID = tuple(point(epsilon, lam) for epsilon in EPSILONS for lam in LAMBDAS)
STUDIES = {
    "ablation": Study("ablation", 200_000, 5_000, 10, 60_000, True, CHANGES),
    "sweep": Study("sweep", 120_000, 5_000, 10, 70_000, False, GRID),
}


# --- one run -------------------------------------------------------------------------------------


@functools.cache
def notebook(source: Path) -> dict:
    """The notebook's definitions, with the worked PPO functions: no other notebook is looked for.

    That is how the notebook behaves when it is graded.
    """
    with mock.patch.dict(os.environ, NBGRADER_EXECUTION="autograde"):
        return notebook_namespace(source)


def config_of(study: Study, variant: Change):
    """The TrainConfig of a run."""
    goal = GOAL if study.stop_when_solved else None
    return dataclasses.replace(variant.of(notebook(study.source)["TrainConfig"]()), goal=goal)


def identity(study: Study, variant: Change, seed: int) -> str:
    """All that a run's numbers depend on but the code, as text."""
    known = {
        "notebook": os.path.relpath(study.source, ROOT),
        "settings": dataclasses.asdict(config_of(study, variant)),
        "seed": seed,
        "budget": study.budget,
        "every": study.every,
    }
    return json.dumps(known, sort_keys=True)


def one_run(study: Study, variant: Change, seed: int) -> dict:
    """Train once. steps, cpu_s: until solved or the budget; returns: [G], see `means_at`."""
    from course_utils.training import Monitor

    class UntilBudget(Monitor):
        """Ends the notebook's training loop when the study's budget is spent."""

        def episodes(self, returns, env_steps) -> None:
            super().episodes(returns, env_steps)
            self.solved = self.solved or env_steps >= study.budget

    warm_up()
    namespace, config = notebook(study.source), config_of(study, variant)
    namespace["Monitor"] = UntilBudget
    cpu = time.process_time()
    history = namespace["train"](namespace["new_run"](config, seed), config)
    cpu = time.process_time() - cpu
    gc.collect()  # networks and environments hold one another, 20 MB a run
    steps, means = history["env_steps"], history["mean_return"]
    reached = np.flatnonzero(means[WINDOW - 1 :] >= GOAL)
    solved = bool(reached.size) and int(steps[WINDOW - 1 + reached[0]]) <= study.budget
    return {
        "variant": variant.name,
        "seed": seed,
        "solved": solved,
        "steps": int(steps[WINDOW - 1 + reached[0]]) if solved else study.budget,
        "cpu_s": round(cpu, 3),
        "returns": means_at(steps, means, study.grid),
        "identity": identity(study, variant, seed),
    }


def means_at(steps: np.ndarray, means: np.ndarray, grid: np.ndarray) -> list[float | None]:
    """[G] mean return of the last 100 episodes at each of the grid's steps.

    None before the first episode is over; a run that has stopped keeps its last value.
    """
    last = np.searchsorted(steps, grid, side="right") - 1
    return [round(float(means[i]), 1) if i >= 0 else None for i in last]


# --- all runs ------------------------------------------------------------------------------------


def stored(file: Path) -> dict[str, dict]:
    """The runs of a file, by identity; a line that was cut off is passed over."""
    rows = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["identity"]] = row
    return rows


def collect(study: Study, seeds: range, jobs: int, file: Path) -> Iterator[dict]:
    """Every run of the study, those of the file first; new ones are added to it."""
    known = stored(file)
    # Seed by seed: what is there after a stop, and a slow hour, is spread over all variants.
    tasks = [(study, variant, seed) for seed in seeds for variant in study.variants]
    names = [identity(*task) for task in tasks]
    yield from (known[name] for name in names if name in known)
    waiting = [task for task, name in zip(tasks, names, strict=True) if name not in known]
    if not waiting:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out, _workers(jobs) as pool:
        if out.tell() and not file.read_text(encoding="utf-8").endswith("\n"):
            out.write("\n")
        for future in as_completed([pool.submit(one_run, *task) for task in waiting]):
            row = future.result()
            out.write(json.dumps(row) + "\n")
            out.flush()
            yield row


class _workers(ProcessPoolExecutor):
    """Processes that leave Ctrl-C to this one, and are ended with it."""

    def __init__(self, jobs: int) -> None:
        ignore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
        # Fresh processes: forking one in which PyTorch has computed may hang.
        super().__init__(jobs, multiprocessing.get_context("spawn"), initializer=ignore)

    def __exit__(self, kind, error, trace) -> bool | None:
        if kind is not None:
            for process in multiprocessing.active_children():
                process.terminate()
            self.shutdown(wait=False, cancel_futures=True)
        return super().__exit__(kind, error, trace)


# --- what they show ------------------------------------------------------------------------------


def sums(runs: np.ndarray) -> dict[str, list[float]]:
    """`curve` of runs [R, G]; of a single run there is no interval but itself."""
    if len(runs) == 1:
        return {name: runs[0].tolist() for name in ("iqm", "low", "high")}
    return curve(runs)


def summed(values: list[float], digits: int) -> dict[str, float]:
    """Interquartile mean and interval of one number a run."""
    found = sums(np.array(values, dtype=float)[:, None])
    return {name: round(y, digits) if digits else round(y) for name, (y,) in found.items()}


def curves(rows: list[dict]) -> dict[str, list[float | None]]:
    """iqm, low, high, [G] each; None where a run has no episode yet."""
    runs = np.array([row["returns"] for row in rows], dtype=float)
    there = ~np.isnan(runs).any(axis=0)
    result = {}
    for name, values in sums(runs[:, there]).items():
        texts = iter(values)
        result[name] = [round(next(texts)) if ok else None for ok in there]
    return result


def heading(study: Study, seeds: range) -> dict:
    """What both files begin with."""
    return {
        "made_by": f"python benchmarks/lunar_lander.py {study.name}",
        "environment": "LunarLander-v3",
        "goal": GOAL,
        "budget": study.budget,
        "seeds": len(seeds),
        "first_seed": seeds[0],
        "env_steps": study.grid.tolist(),
    }


def ablation_file(study: Study, seeds: range, rows: list[dict]) -> dict:
    """The content of lab6_ablation.json: one entry a change."""
    entries = []
    for variant in study.variants:
        runs = in_order(rows, variant)
        entries.append(
            {
                "name": variant.name,
                "title": variant.title,
                "solved": [row["solved"] for row in runs],
                "steps": [row["steps"] for row in runs],
                "cpu_s": [round(row["cpu_s"], 1) for row in runs],
                "steps_iqm": summed([row["steps"] for row in runs], 0),
                "cpu_s_iqm": summed([row["cpu_s"] for row in runs], 1),
                "curve": curves(runs),
            }
        )
    return {**heading(study, seeds), "changes": entries}


def sweep_file(study: Study, seeds: range, rows: list[dict]) -> dict:
    """The content of lab6_sweep.json: `points`, lambda changing fastest."""
    points = []
    for variant in study.variants:
        runs = in_order(rows, variant)
        returns = [[None if y is None else round(y) for y in row["returns"]] for row in runs]
        solved = [row["steps"] if row["solved"] else None for row in runs]
        points.append({"solved_at": solved, **curves(runs), "runs": returns})
    grid = {"epsilons": list(EPSILONS), "lambdas": list(LAMBDAS)}
    return {**heading(study, seeds), **grid, "points": points}


def in_order(rows: list[dict], variant: Change) -> list[dict]:
    return sorted((r for r in rows if r["variant"] == variant.name), key=lambda r: r["seed"])


def table(study: Study, rows: list[dict]) -> str:
    """A line a variant: solved, steps, CPU seconds, mean return at the end."""
    lines = [f"{'':32} solved  {'steps':>27}  {'CPU s':>20}  {'return at the end':>20}"]
    for variant in study.variants:
        runs = in_order(rows, variant)
        if not runs:
            continue
        columns = [
            span(summed([row["steps"] for row in runs], 0), ",.0f"),
            span(summed([row["cpu_s"] for row in runs], 1), ".1f"),
            span(summed([row["returns"][-1] for row in runs], 0), ".0f"),
        ]
        solved = f"{sum(row['solved'] for row in runs)}/{len(runs)}"
        steps, cpu, last = columns
        lines.append(f"{variant.title:32} {solved:>6}  {steps:>27}  {cpu:>20}  {last:>20}")
    return "\n".join(lines)


def span(of: dict[str, float], form: str) -> str:
    return f"{of['iqm']:{form}} ({of['low']:{form}} to {of['high']:{form}})"


FILES = {"ablation": ablation_file, "sweep": sweep_file}


def write(path: Path, content: dict) -> None:
    """JSON with one line for each entry of the long lists."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            entries = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in value)
            lines.append(f"{json.dumps(key)}: [\n{entries}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    os.replace(scratch, path)


# --- the command ---------------------------------------------------------------------------------


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(prog="lunar_lander.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    commands = parser.add_subparsers(dest="study", required=True, metavar="ablation|sweep")
    for name, study in STUDIES.items():
        command = commands.add_parser(name, allow_abbrev=False)
        command.add_argument(
            "--seeds", type=at_least_one, default=study.seeds, metavar="N",
            help=f"of each variant ({study.seeds})",
        )  # fmt: skip
        command.add_argument(
            "--seed-base", type=seed_number, default=study.first_seed, metavar="S",
            help="the first seed",
        )  # fmt: skip
        command.add_argument(
            "--only", nargs="+", metavar="VARIANT", choices=[v.name for v in study.variants],
            help="these only, and write no file unless --output says so: "
            + " ".join(v.name for v in study.variants),
        )  # fmt: skip
        command.add_argument(
            "--jobs", type=at_least_one, default=os.cpu_count(), metavar="N",
            help="runs at a time (as many as there are cores)",
        )  # fmt: skip
        command.add_argument(
            "--runs", type=Path, default=RUNS / f"{name}.jsonl", metavar="FILE",
            help="where runs are kept",
        )  # fmt: skip
        command.add_argument(
            "--notebook", type=Path, default=SOURCE, metavar="FILE",
            help="whose agent is trained; by default that of solutions/",
        )  # fmt: skip
        command.add_argument("--again", action="store_true", help="forget the runs kept there")
        command.add_argument("--output", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    study = dataclasses.replace(STUDIES[options.study], source=options.notebook.resolve())
    if not study.source.is_file():
        print(f"lunar_lander.py: there is no file {options.notebook}", file=sys.stderr)
        return 2
    target = options.output
    if options.only:
        chosen = tuple(v for v in study.variants if v.name in options.only)
        study = dataclasses.replace(study, variants=chosen)
    else:
        target = target or study.target
    if options.again:
        options.runs.unlink(missing_ok=True)
    seeds = range(options.seed_base, options.seed_base + options.seeds)
    rows: list[dict] = []
    total = len(seeds) * len(study.variants)
    try:
        for row in collect(study, seeds, options.jobs, options.runs):
            rows.append(row)
            end = f"solved at {row['steps']:,}" if row["solved"] else "not solved"
            print(
                f"{len(rows):3} of {total}  {row['variant']}, seed {row['seed']}: {end}, "
                f"{row['cpu_s']:.1f} CPU s, mean return {row['returns'][-1]:.0f}",
                flush=True,
            )
    except KeyboardInterrupt:
        print(
            f"lunar_lander.py: stopped by hand; {options.runs} has {len(rows)} runs",
            file=sys.stderr,
        )
        return 130
    print(table(study, rows))
    if target:
        write(target, FILES[options.study](study, seeds, rows))
        print(f"{target} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())

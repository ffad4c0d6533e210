"""Measure what it costs to solve CartPole: the notebooks' own agents against Stable-Baselines3's.

    python benchmarks/training.py                              each method, 3 fresh seeds, in turn
    python benchmarks/training.py ppo                          one method: reinforce, a2c or ppo
    python benchmarks/training.py a2c --only ours --seeds 10   is it solved on every seed?

"Ours" is not a copy: the code cells of a lab's source in solutions/ are executed up to the training
function, so that what is measured is what students read. Stable-Baselines3 runs with RL Zoo's
settings for CartPole-v1 (https://github.com/DLR-RM/rl-baselines3-zoo, hyperparams/ppo.yml and
a2c.yml); it has no REINFORCE, so there is nothing to compare lab 2 with.

A run is solved when the mean of its last 100 training episodes reaches 475. Each run has a process
of its own with one thread; its CPU seconds are those of training (making the environments and the
model included, imports not; the column "process" has everything). Both sides stop at the same
number of environment steps at the latest (REINFORCE 600,000, A2C 500,000, PPO 300,000); a run that
ends there is reported as not solved. RL Zoo's schedules for PPO fall to zero over 100,000 steps; a
run not solved by then is continued with `learn` in legs of 100,000 steps, as Stable-Baselines3
provides for it (its schedules pick up at the share of steps that are still to come), and the row
says in how many legs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
GOAL, WINDOW = 475.0, 100
NAMES = {"ours": "this notebook", "sb3": "Stable-Baselines3"}


@dataclass(frozen=True)
class Method:
    """A lab's agent. cap: environment steps of a run, at most; leg: of one `learn` of the peer."""

    title: str
    lab: str
    config: str
    cap: int
    leg: int | None = None

    @property
    def source(self) -> Path:
        return ROOT / "solutions" / f"{self.lab}.py"

    @property
    def sides(self) -> list[str]:
        return ["ours", "sb3"] if self.leg else ["ours"]


METHODS = {
    "reinforce": Method("REINFORCE", "lab2_reinforce", "TrainConfig", 600_000),
    "a2c": Method("A2C", "lab3_actor_critic", "A2CConfig", 500_000, 500_000),
    "ppo": Method("PPO", "lab5_ppo", "TrainConfig", 300_000, 100_000),
}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

ZOO_ENVS = 8
ZOO_PPO = {  # ppo.yml, CartPole-v1; "lin_x" there means falling linearly from x to 0
    "learning_rate": lambda remaining: 0.001 * remaining,
    "clip_range": lambda remaining: 0.2 * remaining,
    "n_steps": 32,
    "batch_size": 256,
    "gae_lambda": 0.8,
    "gamma": 0.98,
    "n_epochs": 20,
    "ent_coef": 0.0,
}
ZOO_A2C = {"ent_coef": 0.0}  # a2c.yml, CartPole-v1; 500,000 steps


# --- one run, in a process of its own ------------------------------------------------------------


def notebook_namespace(source: Path, edits: tuple[tuple[str, str], ...] = ()) -> dict:
    """Execute the notebook's definitions, up to its function `train`; return the namespace.

    Cells that only demonstrate or test are left out. `edits` are (old, new) replacements in the
    cells' text; ValueError if one does not apply.
    """
    import jupytext

    sys.path.insert(0, str(ROOT))
    module = types.ModuleType(source.stem)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    namespace = module.__dict__
    applied = set()
    for cell in jupytext.read(source).cells:
        is_demo = "skip-execution" in cell.metadata.get("tags", [])
        is_graded = cell.metadata.get("nbgrader", {}).get("grade", False)
        if cell.cell_type != "code" or is_demo or is_graded:
            continue
        text = cell.source
        for old, new in edits:
            if old in text:
                text = text.replace(old, new)
                applied.add(old)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, str(source), "exec"), namespace)
        if "train" in namespace:
            break
    missing = [old for old, _ in edits if old not in applied]
    if missing:
        raise ValueError(f"{source.name} does not contain {missing[0]!r}")
    return namespace


def warm_up() -> None:
    """One throw-away optimizer step: PyTorch imports a second's worth of modules at the first."""
    import torch

    torch.set_num_threads(1)
    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 1)).sum().backward()
    optimizer.step()


def run_ours(method: Method, seed: int) -> dict:
    notebook = notebook_namespace(method.source)
    warm_up()
    wall, cpu = time.perf_counter(), time.process_time()
    config = notebook[method.config](goal=GOAL, total_steps=method.cap)
    history = notebook["train"](notebook["new_run"](config, seed), config)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    means = history["mean_return"]
    solved = len(means) >= WINDOW and bool(means[-1] >= GOAL)
    # Where the last finished episode ended: the run's end, to within one update.
    steps = int(history["env_steps"][-1])
    return {"solved": solved, "cpu_s": cpu, "wall_s": wall, "steps": steps, "legs": 1}


def run_sb3(method: Method, seed: int) -> dict:
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    class StopWhenSolved(BaseCallback):
        """Stops as soon as the last 100 episodes (of the environments' own Monitor) reach 475."""

        def __init__(self) -> None:
            super().__init__()
            self.returns: list[float] = []
            self.solved = False

        def _on_step(self) -> bool:
            finished = [info["episode"]["r"] for info in self.locals["infos"] if "episode" in info]
            if finished:
                self.returns = (self.returns + finished)[-WINDOW:]
                mean = sum(self.returns) / WINDOW
                self.solved = len(self.returns) == WINDOW and mean >= GOAL
            return not self.solved

    warm_up()
    wall, cpu = time.perf_counter(), time.process_time()
    envs = make_vec_env("CartPole-v1", n_envs=ZOO_ENVS, seed=seed)
    agent, settings = (PPO, ZOO_PPO) if method.title == "PPO" else (A2C, ZOO_A2C)
    model = agent("MlpPolicy", envs, seed=seed, device="cpu", **settings)
    callback = StopWhenSolved()
    legs = 0
    while not callback.solved and model.num_timesteps < method.cap:
        model.learn(method.leg, callback=callback, reset_num_timesteps=legs == 0)
        legs += 1
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    steps = model.num_timesteps
    return {"solved": callback.solved, "cpu_s": cpu, "wall_s": wall, "steps": steps, "legs": legs}


def worker(method: str, who: str, seed: int) -> None:
    """Run once and print the result as the last line, JSON."""
    result = {"ours": run_ours, "sb3": run_sb3}[who](METHODS[method], seed)
    row = {"method": method, "who": who, "seed": seed, **result}
    print(json.dumps({**row, "process_cpu_s": time.process_time()}))


# --- all runs ------------------------------------------------------------------------------------


def measure(method: str, who: str, seed: int) -> dict:
    """One run in a fresh process. RuntimeError with the last line of its error output."""
    done = subprocess.run(
        [sys.executable, __file__, "--worker", method, who, str(seed)],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeError(f"{METHODS[method].title}, {NAMES[who]}, seed {seed}: {reason}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def summarize(rows: list[dict]) -> dict:
    """Of one method: medians per side, and how many times less CPU ours takes (medians; range)."""
    summary: dict = {}
    for who in NAMES:
        mine = [row for row in rows if row["who"] == who]
        if mine:
            summary[who] = {
                "runs": len(mine),
                "solved": sum(row["solved"] for row in mine),
                **{
                    f"median_{key}": statistics.median(row[key] for row in mine)
                    for key in ("cpu_s", "wall_s", "steps", "process_cpu_s")
                },
            }
    if len(summary) == len(NAMES):
        cpu = {(row["who"], row["seed"]): row["cpu_s"] for row in rows}
        seeds = sorted({row["seed"] for row in rows})
        ratios = [cpu["sb3", seed] / cpu["ours", seed] for seed in seeds]
        median = summary["sb3"]["median_cpu_s"] / summary["ours"]["median_cpu_s"]
        summary["cpu_ratio"] = {"median": median, "lowest": min(ratios), "highest": max(ratios)}
    return summary


COLUMNS = ("method", "who", "seed", "solved", "CPU s", "wall s", "env steps", "process CPU s")
WIDTHS = (9, 17, 10, 12, 7, 7, 9, 13)


def cells(row: dict) -> tuple[str, ...]:
    solved = "yes" if row["solved"] else "no"
    legs = f" ({row['legs']} legs)" if row["legs"] > 1 else ""
    times = (f"{row[key]:.2f}" for key in ("cpu_s", "wall_s"))
    steps, process = f"{row['steps']:,}", f"{row['process_cpu_s']:.1f}"
    who = (METHODS[row["method"]].title, NAMES[row["who"]])
    return (*who, str(row["seed"]), solved + legs, *times, steps, process)


def line(texts: tuple[str, ...], markdown: bool) -> str:
    """One line of the table; the widths are fixed, so that each can be printed when it is known."""
    if markdown:
        return "| " + " | ".join(texts) + " |"
    return "  ".join(
        text.ljust(w) if i < 2 else text.rjust(w)
        for i, (text, w) in enumerate(zip(texts, WIDTHS, strict=True))
    )


def conclusions(method: Method, summary: dict) -> list[str]:
    """What the runs of one method show, one sentence each."""
    said = []
    for who, name in NAMES.items():
        if who in summary:
            s = summary[who]
            said.append(
                f"{method.title}, {name}: solved {s['solved']} of {s['runs']}; "
                f"medians {s['median_cpu_s']:.2f} CPU s, "
                f"{s['median_wall_s']:.2f} wall s, {s['median_steps']:,.0f} environment steps"
            )
    if "cpu_ratio" in summary:
        ratio = summary["cpu_ratio"]
        said.append(
            f"{method.title}, CPU, Stable-Baselines3 to this notebook: {ratio['median']:.1f} times "
            f"(medians); {ratio['lowest']:.1f} to {ratio['highest']:.1f} over the seeds"
        )
    if any(s["solved"] < s["runs"] for who, s in summary.items() if who in NAMES):
        said.append(
            f"{method.title}: not solved within {method.cap:,} steps: the time counted is the time "
            "until then"
        )
    return said


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (try: {self.prog} --help)\n")


def at_least_one(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return value


def seed_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 to 2147483647, not {text!r}"
        )
    return int(text)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="training.py",
        description=__doc__.splitlines()[0],
        epilog="Solved: the mean of the last 100 training episodes is at least 475.",
        allow_abbrev=False,
    )
    parser.add_argument("method", nargs="?", choices=tuple(METHODS), help="by default all of them")
    parser.add_argument(
        "--seeds", type=at_least_one, default=3, metavar="N", help="seeds for each (3)"
    )
    parser.add_argument(
        "--seed-base", type=seed_number, metavar="S", help="first seed; by default from the clock"
    )
    parser.add_argument("--only", choices=tuple(NAMES), help="one of the two sides only")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if options.worker:
        method, who, seed = options.worker
        worker(method, who, int(seed))
        return 0
    methods = [options.method] if options.method else list(METHODS)
    base = options.seed_base if options.seed_base is not None else int(time.time()) % 2**30
    if not options.json:
        print(line(COLUMNS, options.markdown))
        if options.markdown:
            print(line(("---",) * len(COLUMNS), True))
    rows: list[dict] = []
    try:
        for method in methods:
            for seed in range(base, base + options.seeds):
                for who in METHODS[method].sides:  # in turn: a slow moment hits both
                    if options.only in (None, who):
                        rows.append(measure(method, who, seed))
                        if not options.json:
                            print(line(cells(rows[-1]), options.markdown), flush=True)
    except RuntimeError as error:
        print(f"training.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("training.py: stopped by hand", file=sys.stderr)
        return 130
    summaries = {m: summarize([row for row in rows if row["method"] == m]) for m in methods}
    if options.json:
        print(json.dumps({"seed_base": base, "runs": rows, "summary": summaries}, indent=2))
    else:
        bullet = "- " if options.markdown else ""
        print()
        for method, summary in summaries.items():
            print("\n".join(bullet + said for said in conclusions(METHODS[method], summary)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

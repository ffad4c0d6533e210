"""Measure what it costs to train: the notebooks' own agents against Stable-Baselines3's.

    python benchmarks/training.py                              each method, 5 fresh seeds, in turn
    python benchmarks/training.py ppo                          one method of them
    python benchmarks/training.py a2c --only ours --seeds 10   is it solved on every seed?
    python benchmarks/training.py --output runs.json           keep each run as it is measured
    python benchmarks/training.py --resume runs.json           go on where that was stopped
    python benchmarks/training.py --show runs.json --figure runs.png

"Ours" is not a copy: the code cells of a lab's source in solutions/ are executed up to the training
function, and run with the notebook's own settings, so that what is measured is what students read.
Stable-Baselines3 runs with RL Zoo's settings (training_methods.py); it has no REINFORCE, so there
is nothing to compare lab 2 with.

A run is solved when the mean of its last 100 training episodes reaches the goal: 475 on CartPole,
200 on LunarLander (where lab 6 goes on until its agent has passed a trial; that time is told, not
compared). Each run has a process of its own with one thread; its CPU seconds are those of training
(making the environments and the model included, imports not; process_cpu_s in the results has
everything). Within a seed the sides take turns, and the next seed begins with the other one. Seeds
are 1000 apart, because a run seeds its environments with the numbers that follow its own.

Ours has the notebook's own budget of environment steps, the peer up to a cap (--cap, 1,000,000). A
run that ends there counts as not solved, and stands in the table with the time until then. In the
ratio such a run of the peer has this time, so that the ratio is a lower bound and says so; such a
run of ours counts as one that never ends. RL Zoo's schedules for CartPole fall to zero over 100,000
steps; a run not solved by then is continued with `learn` in legs of as many steps, as
Stable-Baselines3 provides for it (its schedules pick up at the share of steps still to come).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import datetime
import functools
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import time
import types
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NoReturn

import training_report as report
from training_methods import METHODS, NAMES, PEER_CAP, ROOT, WINDOW, Method

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
SEED_STEP = 1000
GREEDY_SEEDS = range(2_000_000_000, 2_000_000_000 + WINDOW)
"""Of the episodes that --evaluate plays; no training run comes near these numbers."""


# --- one run, in a process of its own ------------------------------------------------------------


@functools.cache  # reading takes longer than running, and a process may run a notebook many times
def definitions(source: Path) -> tuple[str, ...]:
    """The notebook's code cells, up to the one that defines `train`; demos and tests left out.

    ValueError if there is no `train`.
    """
    import jupytext

    cells = []
    for cell in jupytext.read(source).cells:
        is_demo = "skip-execution" in cell.metadata.get("tags", [])
        is_graded = cell.metadata.get("nbgrader", {}).get("grade", False)
        if cell.cell_type != "code" or is_demo or is_graded:
            continue
        cells.append(cell.source)
        if re.search(r"^def train\(", cell.source, re.MULTILINE):
            return tuple(cells)
    raise ValueError(f"{source.name} does not define a function `train`")


def notebook_namespace(source: Path, edits: tuple[tuple[str, str], ...] = ()) -> dict:
    """Execute the notebook's definitions, up to its function `train`; return the namespace.

    `edits` are (old, new) replacements in the cells' text; ValueError if one does not apply.
    """
    sys.path.insert(0, str(ROOT))
    module = types.ModuleType(source.stem)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    applied = set()
    for text in definitions(source):
        for old, new in edits:
            if old in text:
                text = text.replace(old, new)
                applied.add(old)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, str(source), "exec"), module.__dict__)
    missing = [old for old, _ in edits if old not in applied]
    if missing:
        raise ValueError(f"{source.name} does not contain {missing[0]!r}")
    return module.__dict__


def warm_up() -> None:
    """One throw-away optimizer step: PyTorch imports a second's worth of modules at the first."""
    import torch

    torch.set_num_threads(1)
    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 1)).sum().backward()
    optimizer.step()


Act = Callable[..., int]  # observation [O] -> the agent's likeliest action


def run_ours(method: Method, seed: int, total_steps: int | None = None) -> tuple[dict, Act]:
    """Train the notebook's agent; total_steps: another budget than the notebook's (for tests).

    A notebook may go on beyond the goal. Then what counts is the time at the goal;
    stop_cpu_s has the whole, and the agent returned is that of the end.
    """
    import torch

    notebook = notebook_namespace(method.source)
    budget = {} if total_steps is None else {"total_steps": total_steps}
    warm_up()

    class Watched(notebook["Monitor"]):
        """Notes when the mean return of the last episodes reaches the goal."""

        finished = 0
        reached: tuple[float, float, int] | None = None

        def episodes(self, returns, env_steps: int) -> None:
            returns = list(returns)
            super().episodes(returns, env_steps)
            Watched.finished += len(returns)
            enough = Watched.finished >= WINDOW and self.mean_return >= method.goal
            if enough and Watched.reached is None:
                Watched.reached = (time.process_time(), time.perf_counter(), env_steps)

    notebook["Monitor"] = Watched
    cpu, wall = time.process_time(), time.perf_counter()
    config = notebook[method.config](**budget)
    run = notebook["new_run"](config, seed)
    history = notebook["train"](run, config)
    stop = (time.process_time(), time.perf_counter(), int(history["env_steps"][-1]))
    # Where the last finished episode ended: the run's end, to within one update.
    at = Watched.reached or stop
    # What the lab hands in: an average of its model's weights where it keeps one.
    network = next(vars(run)[name] for name in ("agent", "model", "policy") if hasattr(run, name))

    def act(obs) -> int:
        with torch.no_grad():
            output = network(torch.as_tensor(obs, dtype=torch.float32).unsqueeze(0))
        return int((output[0] if isinstance(output, tuple) else output).argmax())

    return {
        "solved": Watched.reached is not None,
        "cpu_s": at[0] - cpu, "wall_s": at[1] - wall, "steps": int(at[2]),
        "stop_cpu_s": stop[0] - cpu, "stop_goal": config.goal,
        "legs": 1, "cap": config.total_steps,
    }, act  # fmt: skip


def run_sb3(method: Method, seed: int, cap: int = PEER_CAP) -> tuple[dict, Act]:
    """Train the peer until it is solved, or for `cap` environment steps."""
    import stable_baselines3
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    peer = method.peer

    class StopWhenSolved(BaseCallback):
        """Stops when the last 100 episodes (of the environments' own Monitor) reach the goal."""

        def __init__(self) -> None:
            super().__init__()
            self.returns: list[float] = []
            self.solved = False

        def _on_step(self) -> bool:
            finished = [info["episode"]["r"] for info in self.locals["infos"] if "episode" in info]
            if finished:
                self.returns = (self.returns + finished)[-WINDOW:]
                mean = sum(self.returns) / WINDOW
                self.solved = len(self.returns) == WINDOW and mean >= method.goal
            return not self.solved and self.num_timesteps < cap

    warm_up()
    wall, cpu = time.perf_counter(), time.process_time()
    envs = make_vec_env(method.env_id, n_envs=peer.n_envs, seed=seed)
    agent = getattr(stable_baselines3, peer.algorithm)
    model = agent("MlpPolicy", envs, seed=seed, device="cpu", **peer.settings)
    callback = StopWhenSolved()
    legs = 0
    while not callback.solved and model.num_timesteps < cap:
        model.learn(peer.steps, callback=callback, reset_num_timesteps=legs == 0)
        legs += 1
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    steps = model.num_timesteps
    result = {"solved": callback.solved, "cpu_s": cpu, "wall_s": wall, "steps": steps, "legs": legs}
    return {**result, "cap": cap}, lambda obs: int(model.predict(obs, deterministic=True)[0])


def greedy_return(act: Act, env_id: str, seeds: range = GREEDY_SEEDS) -> float:
    """Mean return of one episode a seed, in plain Gymnasium, always with the likeliest action."""
    import gymnasium

    env = gymnasium.make(env_id)
    total = 0.0
    for seed in seeds:
        obs, _ = env.reset(seed=seed)
        over = False
        while not over:
            obs, reward, terminated, truncated, _ = env.step(act(obs))
            total += float(reward)
            over = terminated or truncated
    env.close()
    return total / len(seeds)


def worker(task: dict) -> None:
    """Run once and print the result as the last line, JSON."""
    method, who, seed = METHODS[task["method"]], task["who"], task["seed"]
    result, act = run_ours(method, seed) if who == "ours" else run_sb3(method, seed, task["cap"])
    run = {"method": task["method"], "who": who, "seed": seed, **result}
    run["process_cpu_s"] = time.process_time()
    if task["evaluate"]:
        run["greedy_return"] = greedy_return(act, method.env_id)
    print(json.dumps(run))


# --- all runs ------------------------------------------------------------------------------------


def measure(method: str, who: str, seed: int, cap: int = PEER_CAP, evaluate: bool = False) -> dict:
    """One run in a fresh process. RuntimeError with the last line of its error output."""
    task = {"method": method, "who": who, "seed": seed, "cap": cap, "evaluate": evaluate}
    done = subprocess.run(
        [sys.executable, __file__, "--worker", json.dumps(task)],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeError(f"{METHODS[method].label}, {NAMES[who]}, seed {seed}: {reason}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def to_measure(plan: dict) -> list[tuple[str, str, int]]:
    """(method, side, seed) of every run of a plan, in the order of measuring.

    Seed by seed through all methods, so that a slow hour hits all alike.
    """
    tasks = []
    for i in range(max(plan["seeds"], plan["peer_seeds"])):
        for method in plan["methods"]:
            sides = METHODS[method].sides
            for who in sides if i % 2 == 0 else sides[::-1]:
                wanted = plan["seeds"] if who == "ours" else plan["peer_seeds"]
                if i < wanted and plan["only"] in (None, who):
                    tasks.append((method, who, plan["seed_base"] + SEED_STEP * i))
    return tasks


def fingerprint(method: Method) -> str:
    """Changes when the code that is measured does; not with what is only there to be read."""
    tree = ast.parse("\n".join(definitions(method.source)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def machine() -> dict[str, str]:
    """What the seconds depend on."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        name = found[1] if found else name
    packages = ("torch", "gymnasium", "numpy", "stable-baselines3")
    return {
        "processor": f"{name}, {os.cpu_count()} cores",
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }


def new_results(plan: dict) -> dict:
    return {
        "made_by": "benchmarks/training.py",
        "began": datetime.date.today().isoformat(),
        "machine": machine(),
        "plan": plan,
        "sources": {name: fingerprint(METHODS[name]) for name in plan["methods"]},
        "runs": [],
    }


def save(results: dict, path: Path) -> None:
    """Write the results, one run a line; the file is whole at any moment."""
    head = json.dumps({**results, "runs": []}, indent=2).removesuffix("[]\n}")
    lines = ",\n".join(f"    {json.dumps(run)}" for run in results["runs"])
    scratch = path.with_suffix(".part")
    scratch.write_text(f"{head}[\n{lines}\n  ]\n}}\n", encoding="utf-8")
    os.replace(scratch, path)


def load(path: Path) -> dict:
    """Results as `save` wrote them. ValueError that says what is wrong with the file."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        results = None
    if not isinstance(results, dict) or results.get("made_by") != "benchmarks/training.py":
        raise ValueError(f"{path} holds no results of this program")
    return results


def outdated(results: dict) -> list[str]:
    """Labels of the methods whose code in the labs is another now than when it was measured."""
    return [
        METHODS[name].label
        for name, then in results["sources"].items()
        if fingerprint(METHODS[name]) != then
    ]


# --- the command ---------------------------------------------------------------------------------


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


def picture(text: str) -> Path:
    path = Path(text)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"must end in .png, .svg or .pdf, not {text!r}")
    return path


def parse(arguments: list[str]) -> tuple[argparse.Namespace, dict]:
    """The options, and the results to begin with: none yet, or those of the file asked for."""
    parser = Parser(
        prog="training.py",
        description=__doc__.splitlines()[0],
        epilog="Solved: the mean of the last 100 training episodes is at least 475 on CartPole, "
        "200 on LunarLander.",
        allow_abbrev=False,
    )
    parser.add_argument("method", nargs="?", choices=tuple(METHODS), help="by default all of them")
    parser.add_argument("--seeds", type=at_least_one, metavar="N", help="seeds for each (5)")
    parser.add_argument(
        "--peer-seeds", type=at_least_one, metavar="N", help="other number for the peer's runs"
    )
    parser.add_argument(
        "--seed-base", type=seed_number, metavar="S", help="first seed; by default from the clock"
    )
    parser.add_argument("--only", choices=tuple(NAMES), help="one of the two sides only")
    parser.add_argument(
        "--cap", type=at_least_one, metavar="STEPS",
        help=f"environment steps after which the peer is given up ({PEER_CAP:,})",
    )  # fmt: skip
    parser.add_argument(
        "--evaluate", action="store_true", default=None,
        help=f"after each run, not timed: mean return of {WINDOW} greedy episodes on unseen seeds",
    )  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", type=Path, metavar="FILE", help="keep each run in a new FILE")
    where.add_argument("--resume", type=Path, metavar="FILE", help="go on with the runs of FILE")
    where.add_argument("--show", type=Path, metavar="FILE", help="show FILE, measure nothing")
    parser.add_argument("--figure", type=picture, metavar="FILE", help="draw all runs into FILE")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return options, {}

    fixed = ("method", "seed_base", "only", "cap", "evaluate")
    more = ("seeds", "peer_seeds")
    given = [name for name in (*fixed, *more) if getattr(options, name) is not None]
    stored = options.resume or options.show
    try:
        if stored:
            refused = [name for name in given if options.show or name in fixed]
            if refused:
                name = "method" if refused[0] == "method" else "--" + refused[0].replace("_", "-")
                use = "--show measures nothing" if options.show else f"{stored} has settled that"
                parser.error(f"{name} cannot be given: {use}")
            results = load(stored)
            results["plan"].update({name: getattr(options, name) for name in given})
            changed = outdated(results) if options.resume else []
            if changed:
                parser.error(f"the code of {changed[0]} has changed since {stored} was begun")
        else:
            seeds = options.seeds or 5
            base = options.seed_base
            results = new_results({
                "methods": [options.method] if options.method else list(METHODS),
                "only": options.only,
                "seed_base": int(time.time()) % 2**30 if base is None else base,
                "seeds": seeds,
                "peer_seeds": options.peer_seeds or seeds,
                "cap": options.cap or PEER_CAP,
                "evaluate": bool(options.evaluate),
            })  # fmt: skip
    except ValueError as error:
        parser.error(str(error))
    plan = results["plan"]
    if plan["only"] == "sb3" and not any(METHODS[name].peer for name in plan["methods"]):
        parser.error(f"{NAMES['sb3']} has no {METHODS[plan['methods'][0]].title}")
    if max((seed for _, _, seed in to_measure(plan)), default=0) + SEED_STEP > GREEDY_SEEDS[0]:
        parser.error(f"seeds must end before {GREEDY_SEEDS[0] - SEED_STEP:,}")
    if options.output and options.output.exists():
        parser.error(f"{options.output} is there already: --resume goes on with it")
    for path in (options.output, options.figure):
        if path and not path.parent.is_dir():
            parser.error(f"there is no folder {path.parent}")
    return options, results


def measure_all(results: dict, path: Path | None) -> None:
    """Do what is still to do of the plan; `results` grows, and the file with it."""
    plan, runs = results["plan"], results["runs"]
    done = {(run["method"], run["who"], run["seed"]) for run in runs}
    tasks = to_measure(plan)
    for number, task in enumerate(tasks, start=1):
        if task in done:
            continue
        runs.append(measure(*task, cap=plan["cap"], evaluate=plan["evaluate"]))
        if path:
            save(results, path)
        print(f"{number} of {len(tasks)}: {report.progress(runs[-1])}", file=sys.stderr, flush=True)


def show(results: dict, options: argparse.Namespace) -> None:
    """Print the table, or what else was asked for, and draw the figure."""
    summaries = report.by_method(results["runs"])
    if options.json:
        print(json.dumps({**results, "summary": summaries}, indent=2))
    else:
        bullet = "- " if options.markdown else ""
        notes = report.remarks(summaries) + [
            f"{label}: the lab's code has changed since this was measured"
            for label in outdated(results)
        ]
        print(report.table(summaries, options.markdown))
        if notes:
            print("\n" + "\n".join(bullet + note for note in notes))
    if options.figure:
        report.draw(results["runs"]).savefig(options.figure, dpi=144, facecolor="white")


def main(arguments: list[str] | None = None) -> int:
    options, results = parse(sys.argv[1:] if arguments is None else arguments)
    if options.worker:
        worker(options.worker)
        return 0
    path = options.output or options.resume
    try:
        if not options.show:
            measure_all(results, path)
    except RuntimeError as error:
        print(f"training.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        hint = f"; --resume {path} goes on" if path and results["runs"] else ""
        print(f"training.py: stopped by hand{hint}", file=sys.stderr)
        return 130
    if not results["runs"]:
        print(f"training.py: there are no runs in {options.show}", file=sys.stderr)
        return 1
    show(results, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())

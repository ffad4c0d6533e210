"""Where the training time of the notebooks' agents goes, and the floor it is measured against.

    python benchmarks/training_profile.py                  one run of each method
    python benchmarks/training_profile.py ppo_lunar        of one method

The notebook's code runs as it is; clocks are put around its environments and functions from
outside (WHERE says around which). The run is then done twice more with the same seed, once
without clocks and once counting operations, and its floor is measured in two parts:

- environment only: the run's own actions once more, in the same environments from the same seed,
  and nothing else. Nobody who plays these steps in these environments is faster.
- arithmetic only: the operations of its matrix products (PyTorch's FlopCounterMode; by formula
  where the notebook plays in NumPy), at the rate at which this machine multiplies two large
  matrices, measured in the same minute. Everything that is no matrix product counts as free.

All seconds are CPU seconds of one thread.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import training  # before torch: it knows the variables that keep torch to one thread
from training_methods import METHODS, Method

os.environ.update(training.ONE_THREAD)
import numpy as np

MATRIX = 1024
"""Rows of the matrices that the machine's rate is measured with."""

TITLES = {
    "environment": "environment steps",
    "networks": "networks while collecting",
    "collecting": "other collecting",
    "advantages": "advantages, returns",
    "update": "update",
    "rest": "rest",
}
"""The parts of a run, in the order of the table."""


@dataclass(frozen=True)
class Where:
    """Names of a notebook's functions (of `run`'s where they begin so), by part.

    inner: what counts within collecting only, because updates call it too. A name that ends in
    () makes the function that is meant. remainder: the part of what has no name of its own.
    """

    collecting: str
    inner: tuple[str, ...]
    advantages: tuple[str, ...]
    update: str | None = None
    remainder: str = "rest"


WHERE = {
    "reinforce": Where(
        "play", ("run.policy.forward", "draw_actions"), ("as_batch", "standardize"),
        "reinforce_step",
    ),
    # A2C's update stands in its training loop.
    "a2c": Where(
        "run.collector.collect", ("run.model.forward",), ("batch_of", "standardize"),
        remainder="update",
    ),
    "ppo": Where(
        "run.collector.collect", ("run.model.forward", "numpy_policy()"), ("gae",), "ppo_update",
    ),
    "ppo_lunar": Where(
        "collect_rollout", ("run.model.forward", "sample_actions"), ("to_batch",),
        "ppo.ppo_update",
    ),
}  # fmt: skip


class Ledger:
    """Books what a clock shows to parts of a run, each moment to one part only.

    clock: any count that grows, here CPU seconds or operations. remainder: the part of all that
    no wrapped function does. A wrapped function books to its part where it is called from one of
    the parts in `within`; elsewhere its time stays with its caller.
    """

    def __init__(self, clock: Callable[[], float], remainder: str) -> None:
        self.clock, self.part, self.remainder = clock, remainder, remainder
        self.booked = dict.fromkeys(TITLES, 0.0)
        self.since = clock()

    def switch(self, part: str) -> None:
        """Book what has passed to the present part, and go on with another one."""
        now = self.clock()
        self.booked[self.part] += now - self.since
        self.part, self.since = part, now

    def wrap(self, function: Callable, part: str, within: tuple[str, ...]) -> Callable:
        def timed(*args: Any, **kwargs: Any) -> Any:
            caller = self.part
            if caller not in within:
                return function(*args, **kwargs)
            self.switch(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch(caller)

        return timed


@dataclass
class Played:
    """What the environments were asked to do: ("reset", kwargs) or ("step", actions [N])."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    rewards: float = 0.0

    def record(self, envs: Any) -> None:
        """Note every call from now on."""
        step, reset = envs.step, envs.reset

        def noted_step(actions: np.ndarray) -> tuple:
            self.calls.append(("step", np.array(actions)))
            answer = step(actions)
            self.rewards += float(answer[1].sum())
            return answer

        def noted_reset(**kwargs: Any) -> tuple:
            self.calls.append(("reset", kwargs))
            return reset(**kwargs)

        envs.step, envs.reset = noted_step, noted_reset

    def replay(self, envs: Any) -> float:
        """CPU seconds of the same calls. RuntimeError if the environments answer otherwise."""
        rewards, begin = [], time.process_time()
        for kind, what in self.calls:
            if kind == "step":
                rewards.append(envs.step(what)[1])
            else:
                envs.reset(**what)
        seconds = time.process_time() - begin
        if float(sum(r.sum() for r in rewards)) != self.rewards:
            raise RuntimeError("the environments do not repeat: their floor cannot be measured")
        return seconds


def environments(run: Any) -> Any:
    return run.envs if hasattr(run, "envs") else run.collector.envs


def replace(path: str, notebook: dict, run: Any, change: Callable[[Any], Any]) -> None:
    """Put change(what stands at a path of WHERE) in its place. LookupError if nothing does."""
    *outer, name = path.split(".")
    holder: Any = notebook
    try:
        for step in outer:
            at_top = holder is notebook
            holder = run if at_top and step == "run" else (
                notebook[step] if at_top else getattr(holder, step)
            )  # fmt: skip
        if isinstance(holder, dict):
            holder[name] = change(holder[name])
        else:
            setattr(holder, name, change(getattr(holder, name)))
    except (KeyError, AttributeError):
        raise LookupError(f"the notebook has no {path}: change WHERE in {__file__}") from None


def put_clocks(ledger: Ledger, where: Where, notebook: dict, run: Any, counter: list) -> None:
    """Wrap the run's environments and the notebook's functions; counter: see numpy_policy."""
    base = (ledger.remainder,)

    def maker(make: Callable) -> Callable:
        """Of a NumPy policy: obs [N, O] -> logits. FlopCounterMode does not see its products."""

        def made(model: Any) -> Callable:
            policy = make(model)
            weights = sum(p.numel() for p in model.actor.parameters() if p.dim() == 2)

            def counted(obs: np.ndarray) -> np.ndarray:
                counter[0] += 2 * weights * len(obs)
                return policy(obs)

            return ledger.wrap(counted, "networks", ("collecting",))

        return made

    for path in where.inner:
        if path.endswith("()"):
            replace(path[:-2], notebook, run, maker)
        else:
            replace(path, notebook, run, lambda f: ledger.wrap(f, "networks", ("collecting",)))
    for path in where.advantages:
        change = lambda f: ledger.wrap(f, "advantages", (*base, "collecting"))  # noqa: E731
        replace(path, notebook, run, change)
    for part, path in (("collecting", where.collecting), ("update", where.update)):
        if path:
            replace(path, notebook, run, lambda f, part=part: ledger.wrap(f, part, base))
    envs = environments(run)
    envs.step = ledger.wrap(envs.step, "environment", ("collecting",))
    envs.reset = ledger.wrap(envs.reset, "environment", ("collecting",))
    monitor = notebook["Monitor"]
    notebook["Monitor"] = type(
        "Monitor",
        (monitor,),
        {n: ledger.wrap(getattr(monitor, n), "rest", base) for n in ("episodes", "log")},
    )


def multiply_rate(n: int = MATRIX, seconds: float = 0.5) -> float:
    """Operations a second of one thread in a product of two [n, n] matrices; the best of many."""
    import torch

    a, b, times = torch.randn(n, n), torch.randn(n, n), []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.process_time()
        a @ b
        times.append(time.process_time() - begin)
    return 2 * n**3 / min(times[1:] or times)


def profile(name: str, seed: int, total_steps: int | None = None) -> dict:
    """Run a method three times with one seed; its parts' seconds, operations and floors.

    total_steps: another budget than the notebook's (for tests).
    """
    from torch.utils.flop_counter import FlopCounterMode

    method: Method = METHODS[name]
    where = WHERE[name]
    training.warm_up()

    def prepare() -> tuple[dict, Any, Any]:
        notebook = training.notebook_namespace(method.source)
        budget = {} if total_steps is None else {"total_steps": total_steps}
        config = notebook[method.config](**budget)
        return notebook, config, notebook["new_run"](config, seed)

    def finish(notebook: dict, run: Any, config: Any) -> list[float]:
        return notebook["train"](run, config)["episode_returns"].tolist()

    notebook, config, run = prepare()
    begin = time.process_time()
    returns = finish(notebook, run, config)
    plain = time.process_time() - begin

    notebook, config, run = prepare()
    ledger = Ledger(time.process_time, where.remainder)
    put_clocks(ledger, where, notebook, run, [0])
    same = finish(notebook, run, config) == returns
    ledger.switch(where.remainder)

    notebook, config, run = prepare()
    played, in_numpy = Played(), [0]
    played.record(environments(run))
    with FlopCounterMode(display=False) as flops:
        counts = Ledger(lambda: flops.get_total_flops() + in_numpy[0], where.remainder)
        put_clocks(counts, where, notebook, run, in_numpy)
        same = finish(notebook, run, config) == returns and same
        counts.switch(where.remainder)
    if not same:
        raise RuntimeError(f"{method.label}: runs with one seed differ; nothing can be compared")

    floors = {"environment": played.replay(environments(prepare()[2]))}
    rate = multiply_rate()
    floors.update({part: n / rate for part, n in counts.booked.items() if n})
    return {
        "method": name,
        "seed": seed,
        "vector_steps": sum(kind == "step" for kind, _ in played.calls),
        "num_envs": environments(run).num_envs,
        "plain_cpu_s": plain,
        "cpu_s": ledger.booked,
        "operations": counts.booked,
        "operations_per_s": rate,
        "floor_s": floors,
    }


# --- the command ---------------------------------------------------------------------------------


def table(found: dict, markdown: bool = False) -> str:
    """The parts of one run: seconds, share, floor, factor above the floor."""
    parts, floors = found["cpu_s"], found["floor_s"]
    whole = sum(parts.values())
    rows = [(METHODS[found["method"]].label, "CPU s", "share", "floor s", "times the floor")]
    shown = [(TITLES[part], seconds, floors.get(part)) for part, seconds in parts.items()]
    for title, seconds, floor in [*shown, ("the whole run", whole, sum(floors.values()))]:
        rows.append((
            title, f"{seconds:.3f}", f"{seconds / whole:.0%}",
            "" if floor is None else f"{floor:.3f}",
            "" if floor is None else f"{seconds / floor:.1f}",
        ))  # fmt: skip
    if markdown:
        rows.insert(1, ("---", "---:", "---:", "---:", "---:"))
        return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        [first.ljust(widths[0]), *(text.rjust(w) for text, w in zip(rest, widths[1:], strict=True))]
        for first, *rest in rows
    )
    return "\n".join("  ".join(cells).rstrip() for cells in lines)


def remark(found: dict) -> str:
    """How the floors were found, in numbers."""
    floors, whole = found["floor_s"], sum(found["cpu_s"].values())
    arithmetic = sum(seconds for part, seconds in floors.items() if part != "environment")
    return (
        f"Environment only: {found['vector_steps']:,} steps of {found['num_envs']} environments, "
        f"{floors['environment']:.3f} s; the run takes {whole / floors['environment']:.1f} times "
        f"that. Arithmetic only: {sum(found['operations'].values()) / 1e9:.1f} billion operations "
        f"at {found['operations_per_s'] / 1e9:.0f} billion a second, {arithmetic:.3f} s; the run "
        f"takes {whole / arithmetic:.1f} times that. Without clocks: {found['plain_cpu_s']:.3f} s."
    )


def main(arguments: list[str] | None = None) -> int:
    parser = training.Parser(
        prog="training_profile.py", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("method", nargs="?", choices=tuple(METHODS), help="by default all of them")
    parser.add_argument("--seed", type=training.seed_number, default=0, metavar="S")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--markdown", action="store_true", help="print Markdown tables")
    options = parser.parse_args(arguments)
    results = []
    for name in [options.method] if options.method else METHODS:
        try:
            results.append(profile(name, options.seed))
        except (LookupError, RuntimeError, ValueError) as error:
            print(f"training_profile.py: {error}", file=sys.stderr)
            return 1
        if not options.json:
            found = results[-1]
            print(f"{table(found, options.markdown)}\n\n{remark(found)}\n", flush=True)
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

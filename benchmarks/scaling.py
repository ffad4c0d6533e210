"""Measure what a step of lab 6's training costs, against environments, width and minibatch.

    python benchmarks/scaling.py                  writes course_utils/data/sweeps/lab6_scaling.json
    python benchmarks/scaling.py --output FILE    writes another file

The code is the notebook's own (solutions/lab6_lunar_lander.py, worked PPO functions):
- the environment: `make_envs`' LunarLander-v3, N at a time, random actions, at least 200 steps of
  each (episodes end and begin in that time);
- the policy: what the notebook's rollout does for one step of N environments, a forward pass of
  actor and critic and the drawing of actions;
- the update: `ppo_update`, one pass over 2,048 made-up samples.
One CPU thread; CPU seconds, so that other programs count little. The rate of a product of two
large matrices is measured in the same run: the arithmetic on paper is divided by it
(course_utils/scaling.py).

Where PyTorch finds a CUDA device, policy and update are measured there too, in wall seconds, since
the CPU waits: with the observations sent there and the actions fetched at each step, and the
samples sent there before each update. Without one the file says "gpu": null. About a minute.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np
import torch
from lunar_lander import SOURCE, SWEEPS, notebook, write
from training import Parser, warm_up

ENVIRONMENT, OBS_DIM, ACTIONS = "LunarLander-v3", 8, 4
NUM_ENVS = tuple(2**k for k in range(11))
WIDTHS = (32, 64, 128, 256, 512, 1024)
MINIBATCHES = (64, 1024)
SAMPLES = 2048
CPU = torch.device("cpu")


def environment_us(num_envs: int, seconds: float = 1.0, least: int = 200) -> float:
    """Microseconds of one environment's step, of `num_envs` that step together."""
    from course_utils.environments import make_envs

    envs = make_envs(ENVIRONMENT, num_envs, seed=0)
    envs.reset()
    actions = np.random.default_rng(0).integers(ACTIONS, size=(64, num_envs))
    steps, spent = 0, 0.0
    while steps < least or spent < seconds:
        start = time.process_time()
        for action in actions[: min(64, least)]:
            envs.step(action)
        spent += time.process_time() - start
        steps += min(64, least)
    envs.close()
    return 1e6 * spent / (steps * num_envs)


def call_us(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Microseconds of one call: CPU time, or until the device has finished.

    The first decile of many calls, since other programs can only add to the time.
    """
    on_cpu = device.type == "cpu"
    now = time.process_time if on_cpu else time.perf_counter
    times: list[float] = []
    work()
    while len(times) < 10 or sum(times) < seconds:
        start = now()
        work()
        if not on_cpu:
            torch.cuda.synchronize(device)
        times.append(now() - start)
    return 1e6 * statistics.quantiles(times, n=10)[0]


def policy_us(lab: dict, hidden: int, num_envs: int, device: torch.device, seconds: float) -> float:
    """Microseconds per environment step of choosing the actions of `num_envs`."""
    model = lab["ActorCritic"](OBS_DIM, ACTIONS, hidden).to(device)
    generator = torch.Generator(device).manual_seed(0)
    obs = np.random.default_rng(0).normal(size=(num_envs, OBS_DIM)).astype(np.float32)

    def step() -> np.ndarray:
        with torch.no_grad():
            logits, _ = model(torch.tensor(obs).to(device))
            actions, _ = lab["sample_actions"](logits, generator)
            return actions.cpu().numpy()

    return call_us(step, device, seconds) / num_envs


def update_us(
    lab: dict, hidden: int, minibatch: int, device: torch.device, seconds: float, samples: int
) -> float:
    """Microseconds per sample of one pass of the notebook's update."""
    torch.manual_seed(0)
    model = lab["ActorCritic"](OBS_DIM, ACTIONS, hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, eps=1e-5, fused=True)
    config = lab["TrainConfig"](epochs=1, minibatch_size=minibatch, hidden=hidden)
    generator = torch.Generator().manual_seed(0)
    batch = {name: torch.randn(samples) for name in ("log_probs", "values", "advantages")}
    batch |= {"obs": torch.randn(samples, OBS_DIM), "returns": torch.randn(samples)}
    batch["log_probs"] = 0.1 * batch["log_probs"] - float(np.log(ACTIONS))
    batch["actions"] = torch.randint(ACTIONS, (samples,))

    def update() -> None:
        there = {name: tensor.to(device) for name, tensor in batch.items()}
        lab["ppo"].ppo_update(model, optimizer, there, config, generator)

    return call_us(update, device, seconds) / samples


def gflops(seconds: float = 0.5, size: int = 1024) -> float:
    """10^9 multiplications or additions a second in a product of two square matrices."""
    a, b = torch.randn(2, size, size)
    return 2 * size**3 / (1e3 * call_us(lambda: a @ b, CPU, seconds))


def costs(
    lab: dict, name: str, device: torch.device, seconds: float, num_envs, widths, minibatches,
    samples: int,
) -> dict:  # fmt: skip
    """Policy and update on one device, as the file holds them."""
    hidden = lab["TrainConfig"]().hidden
    return {
        "name": name,
        "policy_us": [digits(policy_us(lab, hidden, n, device, seconds)) for n in num_envs],
        "update_us": {
            str(size): [digits(update_us(lab, w, size, device, seconds, samples)) for w in widths]
            for size in minibatches
        },
    }


def measure(
    seconds: float = 0.3, num_envs=NUM_ENVS, widths=WIDTHS, minibatches=MINIBATCHES,
    samples: int = SAMPLES, least_steps: int = 200,
) -> dict:  # fmt: skip
    """Everything; the content of the file. seconds: for each point, at least."""
    warm_up()
    lab = notebook(SOURCE)
    models = [lab["ActorCritic"](OBS_DIM, ACTIONS, width) for width in widths]
    scope = (seconds, num_envs, widths, minibatches, samples)
    rate = gflops(seconds)
    gpu = None
    if torch.cuda.is_available():
        gpu = costs(lab, torch.cuda.get_device_name(0), torch.device("cuda"), *scope)
    return {
        "made_by": "python benchmarks/scaling.py",
        "environment": ENVIRONMENT,
        "torch": torch.__version__,
        "hidden": lab["TrainConfig"]().hidden,
        "gflops": digits(rate),
        "num_envs": list(num_envs),
        "environment_us": [digits(environment_us(n, 3 * seconds, least_steps)) for n in num_envs],
        "widths": list(widths),
        "parameters": [sum(p.numel() for p in model.parameters()) for model in models],
        "cpu": costs(lab, "one CPU thread", CPU, *scope),
        "gpu": gpu,
    }


def digits(value: float) -> float:
    """Three significant digits; more would be noise."""
    return float(f"{value:.3g}")


def table(content: dict) -> str:
    """What was measured, in lines."""
    devices = [content[name] for name in ("cpu", "gpu") if content[name]]
    rows: list[tuple[str, list]] = [
        ("us per environment step", []),
        ("number of environments", content["num_envs"]),
        (content["environment"], content["environment_us"]),
        *((f"policy, {device['name']}", device["policy_us"]) for device in devices),
        ("", []),
        ("us per sample of one pass of an update", []),
        ("width", content["widths"]),
        ("parameters", content["parameters"]),
    ]
    for device in devices:
        for size, microseconds in device["update_us"].items():
            rows.append((f"minibatch {size}, {device['name']}", microseconds))
    lines = [f"{name:42}" + "".join(f"{value:>10,}" for value in row) for name, row in rows]
    lines += ["", f"{content['gflops']:g} GFLOP/s in a large product of matrices, one CPU thread"]
    return "\n".join(lines if content["gpu"] else [*lines, "no GPU that PyTorch can use"])


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="scaling.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--output", type=Path, default=SWEEPS / "lab6_scaling.json", metavar="FILE")
    options = parser.parse_args(arguments)
    if not options.output.parent.is_dir():
        parser.error(f"there is no folder {options.output.parent}")
    content = measure()
    write(options.output, content)
    print(table(content))
    return 0


if __name__ == "__main__":
    sys.exit(main())

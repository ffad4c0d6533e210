"""Plant one fault at a time in the notebook's PPO, train, and see what it looks like.

    python benchmarks/planted_faults.py --seeds 3

The tables "How to read the diagnostics" and "Common mistakes" of lab 5 state what this prints.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from training import METHODS, Parser, at_least_one, notebook_namespace, seed_number, warm_up

# name -> (text in the notebook, text in its place) ...
FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "none": (),
    "policy loss with the wrong sign": (("return -torch.minimum", "return torch.minimum"),),
    "maximum for minimum": (("-torch.minimum", "-torch.maximum"),),
    "[B, 1] against [B]": (
        (
            "    unclipped = ratio * advantages",
            "    ratio = ratio[:, None]\n    unclipped = ratio * advantages",
        ),
    ),
    "old log-probs from the current model": (
        (
            'new_log_probs, batch["log_probs"], advantages, config',
            "new_log_probs, new_log_probs, advantages, config",
        ),
    ),
    "advantages not shuffled along": (
        ('advantages = batch["advantages"]', 'advantages = rollout["advantages"][: len(index)]'),
    ),
    "one minibatch per epoch": (
        (
            'in minibatch_indices(len(rollout["obs"]), config.minibatch_size, generator)',
            'in [next(minibatch_indices(len(rollout["obs"]), config.minibatch_size, generator))]',
        ),
    ),
    "no zero_grad": (("        optimizer.zero_grad()\n", ""),),
    "critic detached": (("value_loss(values,", "value_loss(values.detach() + 0 * values.sum(),"),),
    "time limit treated as death": (
        ("next_values * (~terminated)", "next_values * (~(terminated | truncated))"),
    ),
    "entropy with the wrong sign, coefficient 0.1": (
        ("- config.entropy_coef * entropy", "+ 0.1 * entropy"),
    ),
    "no clipping (epsilon 1e6)": (("clip_epsilon: float = 0.2", "clip_epsilon: float = 1e6"),),
    "20 epochs": (("epochs: int = 4", "epochs: int = 20"),),
    "20 epochs, target_kl 0.01": (
        ("epochs: int = 4", "epochs: int = 20"),
        ("target_kl: float | None = None", "target_kl: float | None = 0.01"),
    ),
}


def run(edits: tuple[tuple[str, str], ...], seed: int) -> dict:
    """Train once with the edits in place; what the student's figure would show, in numbers."""
    notebook = notebook_namespace(METHODS["ppo"].source, edits)
    config = notebook["TrainConfig"]()
    agent = notebook["new_run"](config, seed)
    history = notebook["train"](agent, config)
    means = history["mean_return"]
    return {
        "solved": bool(means[-1] >= config.goal),
        "steps": agent.collector.env_steps,
        "last": means[-1],
        "best": means.max(),
        **{
            f"{name} {what}": float(value)
            for name in ("approx_kl", "clip_fraction", "entropy", "value_loss")
            for what, value in (
                ("median", statistics.median(history[name])),
                ("max", history[name].max()),
                ("end", history[name][-1]),
            )
        },
    }


def main() -> int:
    parser = Parser(prog="planted_faults.py", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=at_least_one, default=3, metavar="N")
    parser.add_argument("--seed-base", type=seed_number, default=100, metavar="S")
    parser.add_argument("--fault", choices=tuple(FAULTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    warm_up()
    for fault in [options.fault] if options.fault else FAULTS:
        print(fault)
        for seed in range(options.seed_base, options.seed_base + options.seeds):
            r = run(FAULTS[fault], seed)
            print(
                f"  {'solved' if r['solved'] else 'not solved'} at {r['steps']:,} steps, "
                f"mean return {r['last']:.0f} (best {r['best']:.0f}); "
                f"KL median {r['approx_kl median']:.4f} max {r['approx_kl max']:.4f}; "
                f"clip fraction median {r['clip_fraction median']:.2f} "
                f"max {r['clip_fraction max']:.2f}; entropy at end {r['entropy end']:.2f}; "
                f"value loss max {r['value_loss max']:.0f} end {r['value_loss end']:.2f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

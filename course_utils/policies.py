"""Hand in an agent: its policy as a file of numbers, which whoever grades it can read safely."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from course_utils import policy_files
from course_utils.execution import is_grading, todo_message, unwritten_function
from course_utils.policy_files import (
    MAX_ENV_STEPS,
    MAX_FILE_BYTES,
    PolicyFileError,
    SavedPolicy,
    problem,
    read_policy,
    sizes,
)
from course_utils.policy_layers import chain

OWN_SEEDS = tuple(range(10_000, 10_010))


def save_policy(
    policy: nn.Module,
    path: str | os.PathLike = "lander.safetensors",
    *,
    env_id: str = "LunarLander-v3",
    env_steps: int | None = None,
) -> None:
    """Write a policy to a file that can be handed in, and print one line about it.

    What is written is what the model does, not how its code looks: it is called once, the steps
    from the observations to the logits are recorded, rebuilt from the layers that the file can
    hold, and compared with the model on random observations. Only then is the file written (whole
    or not at all). While nbgrader runs the notebook nothing happens.

    Args:
        policy: obs [B, O] -> logits [B, A], alone or first in a tuple such as (logits, values).
        path: where to write; a file of that name is replaced.
        env_id: the environment it plays.
        env_steps: environment steps that its training took, for the leaderboard.

    Raises:
        TypeError: ``policy`` is no ``nn.Module``, or ``env_steps`` no whole number.
        ValueError: the logits come about in a way that the file cannot hold, the sizes are not
            the environment's, or a weight is not finite.
        OSError: the file cannot be written.
    """
    if is_grading():
        return
    if not isinstance(policy, nn.Module):
        raise TypeError(f"save_policy needs the model, an nn.Module; got {type(policy).__name__}")
    if env_steps is not None:
        if isinstance(env_steps, bool) or not isinstance(env_steps, Integral):
            raise TypeError(f"env_steps is a whole number or None; got {env_steps!r}")
        if not 0 <= env_steps <= MAX_ENV_STEPS:
            raise ValueError(f"env_steps must lie between 0 and {MAX_ENV_STEPS:.0e}; {env_steps!r}")
        env_steps = int(env_steps)
    data = to_bytes(policy, env_id, env_steps)
    target = Path(path)
    _write(target, data)
    saved = read_policy(data)
    print(
        f"Written to {target}: {saved.n_parameters:,} parameters, {len(data) / 1000:.0f} kB. "
        f"On the leaderboard this agent is called {saved.name}."
    )


def to_bytes(policy: nn.Module, env_id: str, env_steps: int | None = None) -> bytes:
    """The file's content for a policy, checked against the policy (see `save_policy`)."""
    return policy_files.to_bytes(chain(policy, *sizes(env_id), env_id), env_id, env_steps)


def _write(target: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".policy-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def load_policy(path: str | os.PathLike = "lander.safetensors") -> SavedPolicy:
    """The policy in a file of `save_policy`: observations [B, O] to logits [B, A].

    Nothing in the file is run. PolicyFileError, one line, if it is no such file; OSError if it
    cannot be read.
    """
    target = Path(path)
    with target.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    return read_policy(data, target.name)


def check_policy(
    path: str | os.PathLike = "lander.safetensors",
    evaluate: Callable[..., Any] | None = None,
    *,
    env_id: str = "LunarLander-v3",
    seeds: Sequence[int] = OWN_SEEDS,
) -> None:
    """Say whether a file can be handed in, and how its policy does on a few seeds.

    Args:
        path: a file that ``save_policy`` has written.
        evaluate: the lab's ``evaluate(policy, env_id, seeds, deterministic) -> returns``; without
            it only the file is looked at.
        env_id: the environment that the lab asks for.
        seeds: of the episodes played here. The grader plays others.

    Raises:
        CheckFailed: the file is missing, or is none that the grader takes; the text says why. While
            nbgrader grades the text is printed instead.
    """
    from course_utils.checks.visible import CheckFailed

    grading = os.environ.get("NBGRADER_EXECUTION") == "autograde"
    target = Path(path)
    try:
        policy = load_policy(target)
        wrong = problem(policy, env_id)
        if wrong:
            raise PolicyFileError(f"{target.name} {wrong}")
    except FileNotFoundError:
        text = f"{target} is not here yet: train an agent and call save_policy(model)."
        if not grading:
            raise CheckFailed(text) from None
        print(f"{text} (Whoever grades takes it from what you hand in beside the notebook.)")
        return
    except (OSError, PolicyFileError) as error:
        if not grading:
            raise CheckFailed(f"{error}.") from None
        print(f"{error}.")
        _report(target, False)
        return
    print(
        f"{target.name} will be accepted for evaluation: {policy.name}, "
        f"{policy.n_parameters:,} parameters. Hand it in beside the notebook."
    )
    if grading:
        _report(target, True)
        return
    if evaluate is None:
        return
    try:
        returns = np.asarray(evaluate(policy, env_id, list(seeds), True), dtype=float)
    except NotImplementedError as error:
        name = unwritten_function(error)
        if name is None:
            raise
        print(todo_message(name))
        return
    print(
        f"Mean return of {len(returns)} episodes here: {returns.mean():.0f} "
        f"(from {returns.min():.0f} to {returns.max():.0f}). The grader plays others, and more."
    )


def _report(target: Path, passed: bool) -> None:
    """What the check found, for whoever reads the graded notebook (see checks.visible)."""
    from IPython import get_ipython
    from IPython.display import display

    from course_utils.checks.visible import CHECK_MIME

    if get_ipython() is not None:
        display(
            {CHECK_MIME: {"exercise": target.name, "passed": passed, "mistake": None}}, raw=True
        )

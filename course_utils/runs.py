"""Keeps the student's own training runs, so that a later lab can draw them side by side.

A run is one small file in ``results/LAB/`` in the course's folder. The reference curves, many
seeds of the course's own solutions, come with the course (``data/reference/``); they are made by
``benchmarks/reference_curves.py``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike

from course_utils.execution import is_grading

KEPT = 20
"""Runs that are kept of each lab; the oldest give way."""


@dataclass(frozen=True)
class Run:
    """One training run: ``env_steps`` [E], ``episode_returns`` [E], and what it was."""

    lab: str
    title: str
    env_steps: np.ndarray
    episode_returns: np.ndarray


@dataclass(frozen=True)
class Reference:
    """Many seeds of one method: at ``env_steps`` [G] the interquartile mean of their mean returns
    and its bootstrap interval (Agarwal et al. 2021, https://arxiv.org/abs/2108.13264).
    """

    lab: str
    title: str
    seeds: int
    env_steps: np.ndarray
    iqm: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def band(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(steps, low, high), as ``Monitor`` and ``figures.learning_curve`` take it."""
        return self.env_steps, self.low, self.high


def results_folder(start: Path | str | None = None) -> Path:
    """``results/`` beside the nearest folder ``notebooks`` at or above ``start``, else in it."""
    here = Path(start or os.getcwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir():
            return folder / "results"
    return here / "results"


def save_run(
    lab: str,
    title: str,
    history: Mapping[str, ArrayLike],
    use: str = "the comparison in lab 5",
) -> None:
    """Keep a run for a later use, and say so in a line.

    Nothing is kept while grading, or when no episode has finished. A folder that cannot be written
    costs the file, not the run; the line says that.

    history: ``Monitor.history``. use: what the run is kept for, in the student's words.
    """
    returns = np.asarray(history["episode_returns"], dtype=np.float32)
    if is_grading() or not returns.size:
        return
    folder = results_folder() / lab
    path = folder / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{time.time_ns() % 10**9:09d}.npz"
    scratch = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.savez_compressed(
                file,
                title=np.array(title),
                env_steps=np.asarray(history["env_steps"], dtype=np.int64),
                episode_returns=returns,
            )
        os.replace(scratch, path)
        for old in sorted(folder.glob("*.npz"))[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        print(f"This run could not be kept in {folder} ({error.strerror}).")
    else:
        print(f"This run is kept in results/{lab}, for {use}.")


def load_runs(lab: str) -> list[Run]:
    """The kept runs of a lab, the newest first; files that cannot be read are passed over."""
    found = []
    for path in sorted((results_folder() / lab).glob("*.npz"), reverse=True):
        try:
            with np.load(path, allow_pickle=False) as stored:
                run = Run(lab, str(stored["title"]), stored["env_steps"], stored["episode_returns"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            continue
        if run.env_steps.shape == run.episode_returns.shape and run.env_steps.ndim == 1:
            found.append(run)
    return found


def references(environment: str = "CartPole-v1") -> dict[str, Reference]:
    """The reference curves of an environment, by lab, in the course's order; {} if none came."""
    file = resources.files("course_utils") / "data" / "reference" / f"{environment}.json"
    if not file.is_file():
        return {}
    stored = json.loads(file.read_text(encoding="utf-8"))
    arrays = ("env_steps", "iqm", "low", "high")
    return {
        entry["lab"]: Reference(
            entry["lab"], entry["title"], entry["seeds"], *(np.array(entry[a]) for a in arrays)
        )
        for entry in stored["curves"]
    }

"""Know the wrong solutions of the corpus by what they do, so that a mistake gets its name.

The corpus is ours and trusted. Each ``bad_*.py`` is run at most once per exercise and grading
seed, in this process, with the same driver and the same inputs as the students' functions.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import torch

from autograde.judge.reference import namespace
from course_utils.checks.observe import observe_each

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "corpus"


def title(source: str) -> str:
    """Return the misconception in a corpus file's leading comment lines, in plain words."""
    words = []
    for line in source.splitlines():
        if not line.startswith("#"):
            break
        words.append(line.lstrip("# ").rstrip())
    return " ".join(words)


def corpus_files(exercise_id: str, kind: str, corpus: Path = CORPUS) -> list[Path]:
    """Return the files ``ok_*.py`` or ``bad_*.py`` of an exercise, sorted by name."""
    return sorted((corpus / exercise_id).glob(f"{kind}_*.py"))


def load(exercise_id: str, source: str, filename: str) -> object:
    """Execute a corpus file beside the lab's reference solutions; return its function."""
    lab, _, name = exercise_id.partition("/")
    scope = dict(namespace(lab))  # keeps __name__, which dataclasses in a cell look up
    exec(compile(source, filename, "exec"), scope)  # our own file
    return scope[name]


@lru_cache(maxsize=64)
def known_mistakes(exercise_id: str, seed: int) -> tuple[dict[str, Behavior], dict[str, str]]:
    """Return the observations and titles of all known mistakes under a grading seed, by id.

    A mistake is run on a case when somebody looks at what it does there: most differ from a
    student's in the first case already, and a lab has hundreds of them.
    """
    from autograde.judge import _cases

    cases = _cases(exercise_id, seed)
    known = {_id(path): Behavior(exercise_id, path, cases) for path in _files(exercise_id)}
    return known, {mistake: behavior.title for mistake, behavior in known.items()}


def observe_mistakes(
    exercise_id: str, cases: list[dict]
) -> tuple[dict[str, list[dict]], dict[str, str]]:
    """Run every wrong solution of the corpus on ``cases``; return observations and titles by id."""
    known = {_id(path): Behavior(exercise_id, path, cases) for path in _files(exercise_id)}
    entries = {mistake: list(behavior) for mistake, behavior in known.items()}
    return entries, {mistake: behavior.title for mistake, behavior in known.items()}


def _files(exercise_id: str) -> list[Path]:
    return corpus_files(exercise_id, "bad")


def _id(path: Path) -> str:
    return path.stem.removeprefix("bad_")


class Behavior(Sequence):
    """What one known mistake does in each case of an exercise: its observation, run on demand.

    The cases run in their order, up to the one that is asked for, as they do for a student. For
    the main thread only, whose calls can be stopped when they do not end.
    """

    def __init__(self, exercise_id: str, path: Path, cases: list[dict]) -> None:
        self.source = path.read_text(encoding="utf-8")
        self.title = title(self.source)
        self._exercise_id, self._path, self._cases = exercise_id, path, cases
        self._entries: list[dict] = []
        self._run: Iterator[dict] | None = None
        # Some draw from the global stream: that is their mistake, and it must repeat.
        self._stream: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self._cases):
            raise IndexError(index)
        while len(self._entries) <= index:
            self._entries.append(self._next())
        return self._entries[index]

    def _next(self) -> dict:
        from autograde.judge import _exercise

        with torch.random.fork_rng(devices=[]), _quiet():
            if self._run is None:
                import course_utils.checks.drivers  # noqa: F401  registers the special drivers

                torch.default_generator.manual_seed(0)
                function = load(self._exercise_id, self.source, str(self._path))
                self._run = observe_each(self._exercise_id, function, self._cases)
            else:
                torch.set_rng_state(self._stream)
            entry = next(self._run)
            self._stream = torch.get_rng_state()
        case = self._cases[len(self._entries)]
        complete = _exercise(self._exercise_id).complete
        if complete is not None:
            complete(dict(case, expect=dict(case["expect"])), entry)
        return entry


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield

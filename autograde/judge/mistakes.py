"""Know the wrong solutions of the corpus by what they do, so that a mistake gets its name.

The corpus is ours and trusted. Each ``bad_*.py`` is run once per exercise and grading seed, in
this process, with the same driver and the same inputs as the students' functions.
"""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from pathlib import Path

import torch

from autograde.judge.reference import namespace
from course_utils.checks.observe import observe

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
def known_mistakes(exercise_id: str, seed: int) -> tuple[dict[str, list[dict]], dict[str, str]]:
    """Return the observations and titles of all known mistakes under a grading seed, by id."""
    from autograde.judge import _cases

    return observe_mistakes(exercise_id, _cases(exercise_id, seed))


def observe_mistakes(
    exercise_id: str, cases: list[dict]
) -> tuple[dict[str, list[dict]], dict[str, str]]:
    """Run every wrong solution of the corpus on ``cases``; return observations and titles by id."""
    import course_utils.checks.drivers  # noqa: F401  registers the special drivers
    from autograde.judge import _exercise

    complete = _exercise(exercise_id).complete
    entries: dict[str, list[dict]] = {}
    titles: dict[str, str] = {}
    for path in corpus_files(exercise_id, "bad"):
        source = path.read_text(encoding="utf-8")
        # Some of them draw from the global stream: that is their mistake, and it must repeat.
        torch.manual_seed(0)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            observed = observe(exercise_id, load(exercise_id, source, str(path)), cases)
        if complete is not None:
            for case, entry in zip(cases, observed["cases"], strict=True):
                complete(dict(case, expect=dict(case["expect"])), entry)
        mistake = path.stem.removeprefix("bad_")
        entries[mistake], titles[mistake] = observed["cases"], title(source)
    return entries, titles

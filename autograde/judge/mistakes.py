"""Know the wrong solutions of the corpus by what they do, so that a mistake gets its name.

The corpus is ours and trusted. Each ``bad_*.py`` is run once per exercise and grading seed, in
this process, with the same driver and the same inputs as the students' functions.
"""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from pathlib import Path

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
    scope = dict(namespace(lab))
    exec(compile(source, filename, "exec"), scope)  # our own file
    return scope[name]


@lru_cache(maxsize=64)
def known_mistakes(exercise_id: str, seed: int) -> tuple[dict[str, list[dict]], dict[str, str]]:
    """Return the observations and titles of all known mistakes of an exercise, by id."""
    import course_utils.checks.drivers  # noqa: F401  registers the special drivers
    from autograde.judge import _cases, _exercise

    spec = _exercise(exercise_id)
    cases = _cases(exercise_id, seed)
    entries: dict[str, list[dict]] = {}
    titles: dict[str, str] = {}
    for path in corpus_files(exercise_id, "bad"):
        source = path.read_text(encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            function = load(exercise_id, source, str(path))
            observed = observe(exercise_id, function, cases)
        mistake = path.stem.removeprefix("bad_")
        if spec.complete is not None:
            for case, entry in zip(cases, observed["cases"], strict=False):
                spec.complete(dict(case, expect=dict(case["expect"])), entry)
        entries[mistake], titles[mistake] = observed["cases"], title(source)
    return entries, titles

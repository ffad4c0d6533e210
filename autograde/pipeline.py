"""From a submission to its verdicts: graft, execute behind the wall, judge on this side of it.

The one path that everything takes: `grade` (a class), nbgrader's own `autograde` and formgrader
(through autograde.preprocessors), and `corpus` (`grade_notebook` below).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from autograde.build import BEGIN_HIDDEN
from autograde.course import Course
from autograde.database import without_password
from autograde.errors import CourseError
from autograde.graft import SKIP_TAG, graft, test_cells
from autograde.intake import HandedIn, Submission, declared_files, given, parse, plain_text

# Limits of stage 3; see autograde.execution.
LIMITS = {
    "cell_cpu_s": 60,
    "cell_wall_s": 240,
    "total_wall_s": 900,
    "memory_bytes": 4 << 30,
    "output_bytes": 1_000_000,
    "processes": 256,
    "file_bytes": 100 << 20,
}
JUDGE = Path(__file__).parent / "judge"
PLAYER = Path(__file__).parent / "sandbox" / "agent_player.py"
CHECK_MIME = "application/vnd.course-utils.check+json"
KEPT_IMAGES = ("image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
MISTAKE_ID = re.compile(r"[a-z0-9_]{1,60}")
MAX_MESSAGE = 20_000
MAX_VISIBLE_LINES = 200
MAX_OUTPUTS = 200


class InternalError(Exception):
    """The grader itself failed on a submission: no mark is written, the submission is listed."""


@dataclass(frozen=True)
class Test:
    """A test cell: its grade_id, the exercise it tests, its points.

    file: what it tests is no function but a file of this name, handed in beside the notebook.
    """

    grade_id: str
    name: str
    points: float
    file: str | None = None

    __test__ = False  # not for pytest


@dataclass(frozen=True)
class Lab:
    """A released lab: its notebook as a dict, and a digest of the notebook's bytes."""

    name: str
    skeleton: dict
    digest: str

    @property
    def tests(self) -> list[Test]:
        files = declared_files(self.skeleton)
        return [
            Test(
                meta["grade_id"],
                meta["grade_id"].removeprefix("test_"),
                float(meta["points"]),
                files.get(meta["grade_id"]),
            )
            for meta in (cell["metadata"]["nbgrader"] for cell in test_cells(self.skeleton))
        ]

    @property
    def manual(self) -> dict[str, float]:
        """Points of the cells that a person grades, by grade_id."""
        metas = (cell["metadata"].get("nbgrader", {}) for cell in self.skeleton["cells"])
        return {
            meta["grade_id"]: float(meta["points"])
            for meta in metas
            if meta.get("grade") and (meta.get("solution") or meta.get("task"))
        }

    @property
    def max_score(self) -> float:
        return sum(test.points for test in self.tests) + sum(self.manual.values())


def load_lab(course: Course, name: str) -> Lab:
    """The released notebook of a lab. CourseError if it has not been built."""
    path = course.release_path(course.check_lab(name))
    try:
        data = path.read_bytes()
    except OSError:
        raise CourseError(
            f"{path.relative_to(course.root)} is missing; run: python -m autograde build {name}"
        ) from None
    skeleton = json.loads(data)
    for cell in skeleton["cells"]:
        cell["source"] = "".join(cell["source"])  # on disk a list of lines
    return Lab(name, skeleton, hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class TestResult:
    """What one test found. The first six fields and `details` are the judge's verdict.

    `details`: of an agent that was handed in, what the leaderboard shows (autograde.judge.agents).
    `visible_pass` and `visible_mistake` are what the visible check reported from inside the
    student's kernel: not to be trusted, for reports only; None if it reported nothing.
    """

    score: float
    max: float
    message: str
    mistake: str | None
    passed: bool
    aspects: list = field(default_factory=list)
    visible_pass: bool | None = None
    visible_mistake: str | None = None
    details: dict = field(default_factory=dict)

    __test__ = False  # not for pytest


@dataclass(frozen=True)
class Graded:
    """A submission, its grafted notebook, its verdicts by exercise, and what each cell put out.

    `run` is what the engine says of the whole run: seconds, cpu_seconds, kernel_deaths, timeouts.
    `settled`: {grade_id: automatic score} of what nobody had to look at when this grading began.
    """

    submission: Submission
    notebook: dict
    results: dict[str, TestResult]
    cells: dict[str, dict]
    run: dict[str, Any] = field(default_factory=dict)
    settled: dict[str, float | None] = field(default_factory=dict)


def grade_notebook(
    notebook: dict | bytes,
    lab: str,
    seed: int,
    *,
    execute: Callable[[bytes], bytes] | None = None,
    course: Course | None = None,
    judge: Any = None,
    only: Collection[str] | None = None,
    files: dict[str, bytes] | None = None,
    limits: dict | None = None,
    sandbox: str = "auto",
) -> dict[str, TestResult]:
    """Grade one notebook as a submission of `lab` would be, without a gradebook.

    notebook: a submitted notebook, nbformat dict or the file's bytes. seed: of the hidden tests'
    inputs. only: names of the exercises whose tests are to run (default: all; the others' test
    cells are then left out, every other cell still runs). files: what is handed in beside it, by
    name. Returns {exercise name: TestResult}, in lab order. Raises autograde.intake.Refused for
    what intake refuses, InternalError if the engine or the judge fails.
    """
    results = grade_notebooks(
        [("", notebook, only)],
        lab,
        seed,
        execute=execute,
        course=course,
        judge=judge,
        files=files,
        limits=limits,
        sandbox=sandbox,
    )
    (_, outcome) = next(iter(results))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def grade_notebooks(
    notebooks: Iterable[tuple[Any, dict | bytes, Collection[str] | None]],
    lab: str,
    seed: int,
    *,
    execute: Callable[[bytes], bytes] | None = None,
    executor: Executor | None = None,
    course: Course | None = None,
    judge: Any = None,
    files: dict[str, bytes] | None = None,
    limits: dict | None = None,
    sandbox: str = "auto",
) -> Iterator[tuple[Any, dict[str, TestResult] | Exception]]:
    """As grade_notebook, for many: (key, notebook, only) in, (key, results or exception) out.

    With an `executor` (concurrent.futures.Executor) stage 3 runs there and results come in the
    order in which they are done; a failure is handed out as the exception, never raised.
    """
    from concurrent.futures import as_completed

    course = course or Course.open()
    judge = judge or default_judge()
    execute = execute or default_execute()
    loaded = load_lab(course, lab)
    check_judge(loaded, judge)
    requests = make_requests(loaded, seed, judge)

    def prepare(notebook, only):
        data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
        grafted, _ = graft(loaded.skeleton, parse(data, f"{lab}.ipynb"))
        return make_job(
            loaded,
            grafted,
            requests,
            files=given(loaded.skeleton, files or {}),
            limits=limits,
            sandbox=sandbox,
            only=only,
        )

    def finish(raw: bytes, only):
        result = read_result(raw)
        return {
            name: found
            for name, found in judge_result(loaded, result, seed, judge).items()
            if only is None or name in only
        }

    pending = {}
    for key, notebook, only in notebooks:
        try:
            job = prepare(notebook, only)
            if executor is None:
                yield key, finish(execute(job), only)
            else:
                pending[executor.submit(execute, job)] = (key, only)
        except Exception as error:
            yield key, error
    for future in as_completed(pending):
        key, only = pending[future]
        try:
            yield key, finish(future.result(), only)
        except Exception as error:
            yield key, error


# --- the wall: jobs in, results out ------------------------------------------------------------


def default_judge():
    """autograde.judge, imported when first needed (it imports torch)."""
    import torch

    import autograde.judge

    # Tensors of a few numbers, beside kernels that keep every core busy: a second thread makes
    # this many times slower.
    torch.set_num_threads(1)
    return autograde.judge


def default_execute() -> Callable[[bytes], bytes]:
    """autograde.execution.execute, imported when first needed."""
    from autograde.execution import execute

    return execute


@functools.cache
def tests_digest() -> str:
    """Changes when the code of the hidden tests changes: then every submission is graded anew."""
    import course_utils  # not its checks, which import torch: status asks too

    checks = Path(course_utils.__file__).parent / "checks"
    digest = hashlib.sha256()
    paths = [
        *(path for folder in (JUDGE, checks) for path in sorted(folder.glob("*.py"))),
        PLAYER,
        *(checks.parent / name for name in ("acceptance.py", "policy_files.py")),
    ]
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def submission_key(
    course: Course,
    lab: Lab,
    tests: str,
    digest: str,
    received: datetime | None,
    late: timedelta = timedelta(0),
) -> str:
    """Changes when anything changes that the marks of a submission depend on.

    tests: tests_digest(); digest, received, late: the submission's (autograde.intake.Submission).
    """
    gradebook = without_password(course.db_url)
    parts = (digest, lab.digest, tests, gradebook, str(received), late.total_seconds())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def check_judge(lab: Lab, judge) -> None:
    """CourseError if a test of the lab has nobody to judge it."""
    for test in lab.tests:
        if not judge.has(f"{lab.name}/{test.name}"):
            raise CourseError(
                f"no hidden test for {lab.name}/{test.name}: write it in autograde/judge", status=1
            )


def make_requests(lab: Lab, seed: int, judge) -> dict[str, str]:
    """What the kernel is asked per test cell, as JSON: inputs drawn from `seed`, no answers."""
    return {
        test.grade_id: json.dumps(judge.request(f"{lab.name}/{test.name}", seed))
        for test in lab.tests
    }


def make_job(
    lab: Lab,
    notebook: dict,
    requests: dict[str, str],
    *,
    files: Iterable[HandedIn] = (),
    limits: dict | None = None,
    sandbox: str = "auto",
    only: Collection[str] | None = None,
    stop_at_timeout: bool = False,
) -> bytes:
    """The bytes handed to stage 3 for a grafted notebook. No test text, answer or mark is in it.

    files: what the lab's tests of files have to look at, as far as it was handed in.
    stop_at_timeout: for a first try, which a timeout makes worthless (see `alone_limits`).
    """
    cells = []
    wanted = dict(requests)
    for cell in notebook["cells"]:
        meta = cell["metadata"].get("nbgrader", {})
        if meta.get("grade") and not meta.get("solution") and cell["cell_type"] == "code":
            cell = {**cell, "source": visible_part(cell["source"])}
            if only is not None and meta["grade_id"].removeprefix("test_") not in only:
                wanted.pop(meta["grade_id"], None)
                cell = {**cell, "metadata": {**cell["metadata"], "tags": [SKIP_TAG]}}
        cells.append(cell)
    job = {
        "notebook": {**notebook, "cells": cells},
        "requests": wanted,
        "limits": {**LIMITS, **(limits or {})},
        "sandbox": sandbox,
        "stop_at_timeout": stop_at_timeout,
    }
    played = {file.grade_id: file for file in files if file.grade_id in wanted}
    if played:
        job["player"] = PLAYER.read_text(encoding="utf-8")
        job["files"] = {
            grade_id: {"problem": file.problem}
            if file.data is None
            else {"data": base64.b64encode(file.data).decode("ascii")}
            for grade_id, file in played.items()
        }
    return json.dumps(job).encode()


def alone_limits(limits: dict | None) -> dict:
    """Limits for a run beside which nothing else runs: the clock needs no allowance for others.

    So that submissions that sleep, which the clock has to end, do not hold up a class for long.
    """
    merged = {**LIMITS, **(limits or {})}
    cpu = merged["cell_cpu_s"]
    return {
        **merged,
        "cell_wall_s": min(merged["cell_wall_s"], 1.5 * cpu + 10),
        "total_wall_s": min(merged["total_wall_s"], max(300, 5 * cpu)),
    }


def visible_part(source: str) -> str:
    """A test cell's source up to its hidden test region."""
    lines = source.splitlines()
    for number, line in enumerate(lines):
        if line.strip() == BEGIN_HIDDEN:
            return "\n".join(lines[:number]).rstrip()
    return source


def read_result(raw: bytes) -> dict:
    """Stage 3's answer as a dict of the agreed shape. InternalError if it is not."""
    try:
        result = json.loads(raw)
        cells, observations = result["cells"], result["observations"]
    except (ValueError, KeyError, TypeError) as error:
        raise InternalError(f"the engine's answer cannot be read: {error!r}") from None
    if not isinstance(cells, dict) or not isinstance(observations, dict):
        raise InternalError("the engine's answer has the wrong shape")
    return result


def timed_out(result: dict) -> bool:
    """Whether something in stage 3's answer took too long, or a kernel was killed from outside.

    The latter is what a machine does that runs out of memory, and a neighbor may have used it up.
    """
    return bool(result.get("timeouts") or result.get("kernels_killed"))


def run_job(execute: Callable[[bytes], bytes], job: bytes) -> dict:
    """Run a job where nothing else runs; a timeout is tried once more before it counts."""
    result = read_result(execute(job))
    if timed_out(result):
        result = read_result(execute(job))
    return result


def judge_result(lab: Lab, result: dict, seed: int, judge) -> dict[str, TestResult]:
    """The verdict for every test of the lab, by exercise name, from stage 3's answer."""
    results: dict[str, TestResult] = {}
    cell_ids = {c["metadata"]["nbgrader"]["grade_id"]: c["id"] for c in test_cells(lab.skeleton)}
    for test in lab.tests:
        answer = result["observations"].get(test.grade_id) or {}
        observation = answer.get("observation")
        failure = None
        if observation is None:
            failure = str(answer.get("failure") or "no observation")
        exercise = f"{lab.name}/{test.name}"
        try:
            verdict = judge.judge(exercise, seed, observation, test.points, failure)
        except Exception as error:
            raise InternalError(f"the judge of {exercise} failed: {error!r}") from error
        score = checked_score(verdict.score, test.points, exercise)
        outputs = (result["cells"].get(cell_ids[test.grade_id]) or {}).get("outputs") or []
        visible_pass, visible_mistake = reported_check(outputs)
        results[test.name] = TestResult(
            score=score,
            max=test.points,
            message=_bounded(plain_text(str(verdict.message))),
            mistake=verdict.mistake,
            passed=bool(verdict.passed),
            aspects=list(verdict.aspects),
            visible_pass=visible_pass,
            visible_mistake=visible_mistake,
            details=dict(getattr(verdict, "details", {})),
        )
    return results


def _bounded(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "\n[...]"


def checked_score(score: object, points: float, exercise: str) -> float:
    """`score` as a float in [0, points]; InternalError for anything else the judge may give."""
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise InternalError(f"the judge of {exercise} gave {score!r} for a score")
    if not -1e-9 <= score <= points + 1e-9:
        raise InternalError(f"the judge of {exercise} gave {score!r} of {points:g} points")
    return min(max(float(score), 0.0), points)


def reported_check(outputs: list) -> tuple[bool | None, str | None]:
    """(passed, mistake) as the visible check in a test cell reported them; untrusted."""
    for output in reversed(outputs):
        data = output.get("data") if isinstance(output, dict) else None
        report = data.get(CHECK_MIME) if isinstance(data, dict) else None
        if isinstance(report, str):
            try:
                report = json.loads(report)
            except ValueError:
                report = None
        if isinstance(report, dict) and isinstance(report.get("passed"), bool):
            mistake = report.get("mistake")
            known = isinstance(mistake, str) and MISTAKE_ID.fullmatch(mistake)
            return report["passed"], mistake if known else None
    return None, None


# --- putting outputs into the notebook ---------------------------------------------------------


def refused_results(lab: Lab, reason: str) -> dict[str, TestResult]:
    """0 for every test of a submission that intake refused, with the reason."""
    message = f"Not graded: {reason}."
    return {test.name: TestResult(0.0, test.points, message, None, False) for test in lab.tests}


def place_outputs(
    notebook: dict, cells: dict[str, dict], results: dict[str, TestResult], notes: Iterable[str]
) -> None:
    """Write outputs and verdicts into a notebook (in place) so that nbgrader scores them right.

    nbgrader reads a test cell's outputs: an error or anything on stderr is 0, the first result
    that is a number is the score, no number is full marks. So of a student's outputs in a test
    cell only plain ones stay, on stdout, and the verdict's number is the one result.
    """
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        ran = cells.get(cell["id"]) or {}
        outputs = safe_outputs(ran.get("outputs"))
        count = ran.get("execution_count")
        cell["execution_count"] = count if type(count) is int else None
        meta = cell["metadata"].get("nbgrader", {})
        if meta.get("grade") and not meta.get("solution"):
            verdict = results[meta["grade_id"].removeprefix("test_")]
            cell["outputs"] = [*_harmless(outputs), *verdict_outputs(verdict)]
        else:
            cell["outputs"] = outputs
    # The lexer of IPython's magics takes minutes for a cell of asterisks.
    notebook["metadata"]["language_info"] = {"name": "python", "pygments_lexer": "python3"}
    remarks = [f"- {note}" for note in notes]
    if remarks:
        text = "**About this submission**\n\n" + "\n".join(map(_as_markdown, remarks))
        notebook["cells"].insert(
            0, {"cell_type": "markdown", "id": "autograde-notes", "metadata": {}, "source": text}
        )


def _as_markdown(line: str) -> str:
    """A remark may quote a file name: nothing in it is to be read as markup."""
    return line[:2] + re.sub(r"([\\`*_{}\[\]<>#|!~$&])", r"\\\1", line[2:])


def verdict_outputs(verdict: TestResult) -> list[dict]:
    """The judge's message and score as a test cell's outputs."""
    heading = f"Hidden test: {verdict.score:g} of {verdict.max:g} points."
    message = f"{heading}\n{verdict.message}".rstrip("\n") + "\n"
    if message.count("\n") > MAX_VISIBLE_LINES:
        message = "\n".join(message.splitlines()[:MAX_VISIBLE_LINES]) + "\n"
    return [
        {"output_type": "stream", "name": "stdout", "text": message},
        {
            "output_type": "execute_result",
            "execution_count": None,
            "metadata": {},
            "data": {"text/plain": repr(float(verdict.score))},
        },
    ]


def _harmless(outputs: list[dict]) -> list[dict]:
    """A test cell's outputs such that none of them can count as a failure or as a score."""
    kept = []
    for output in outputs:
        if output["output_type"] == "stream":
            if output["name"] != "stderr":
                lines = output["text"].splitlines(keepends=True)
                text = "".join(lines[:MAX_VISIBLE_LINES])
                if len(lines) > MAX_VISIBLE_LINES:
                    text += f"... {len(lines) - MAX_VISIBLE_LINES} more lines\n"
                kept.append({**output, "text": text})
        elif output["output_type"] == "error":
            text = f"{output['ename']}: {output['evalue']}"
            kept.append({"output_type": "stream", "name": "stdout", "text": text.strip() + "\n"})
        else:
            data = output["data"]
            kept.append({"output_type": "display_data", "metadata": {}, "data": data})
    return kept


def safe_outputs(outputs: object) -> list[dict]:
    """nbformat outputs built anew from untrusted ones: text and bitmaps, no HTML, no script."""
    kept: list[dict] = []
    for output in (outputs if isinstance(outputs, list) else [])[:MAX_OUTPUTS]:
        if not isinstance(output, dict):
            continue
        kind = output.get("output_type")
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            kept.append({"output_type": "stream", "name": name, "text": _joined(output, "text")})
        elif kind == "error":
            lines = output.get("traceback")
            lines = [x for x in lines if isinstance(x, str)] if isinstance(lines, list) else []
            kept.append(
                {
                    "output_type": "error",
                    "ename": _joined(output, "ename")[:200],
                    "evalue": _joined(output, "evalue")[:5_000],
                    "traceback": [plain_text(line) for line in lines[:500]],
                }
            )
        elif kind in ("display_data", "execute_result"):
            data = output.get("data")
            data = _safe_data(data) if isinstance(data, dict) else {}
            if data:
                new = {"output_type": kind, "metadata": {}, "data": data}
                if kind == "execute_result":
                    new["execution_count"] = None
                kept.append(new)
    return kept


def _safe_data(data: dict) -> dict[str, str]:
    safe = {}
    if "text/plain" in data:
        safe["text/plain"] = _joined(data, "text/plain")
    for mime in KEPT_IMAGES:
        # The template writes this into an attribute: it has to be base64 and nothing else.
        image = _joined(data, mime)
        if image and BASE64.fullmatch(image):
            safe[mime] = image
    return {} if list(data) == [CHECK_MIME] else safe


def _joined(mapping: dict, key: str) -> str:
    value = mapping.get(key, "")
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return plain_text(value) if isinstance(value, str) else ""

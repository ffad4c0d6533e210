"""Grade a class: take in, execute in parallel, judge, and let nbgrader record it, one by one.

Three things go on at a time: students' code runs through a `concurrent.futures.Executor` (stage 3),
trusted processes judge and write pages (autograde.aside), and this process, the only one that
writes to the gradebook, records one submission after the other. Nothing that one submission does
keeps another from its mark: what fails is caught, listed, and everyone else goes on.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import sqlite3
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import asdict, replace
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateFeedback, NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning

from autograde import backup, build, pipeline, roster
from autograde.aside import Aside, Here
from autograde.course import COURSE_ID, Course
from autograde.errors import CourseError
from autograde.executors import beside, cores, process_pool
from autograde.exporter import REMARKS, SubmissionExporter, grafted_notebook
from autograde.intake import Submission, name_problem, students, take_in
from autograde.kept_open import gradebook_kept_open
from autograde.pipeline import Graded, InternalError, Lab
from autograde.results import ClassResult, Row
from autograde.runstate import RunState

CHECK_METADATA = "nbgrader.preprocessors.CheckCellMetadata"
# What a row says of its kernel's run.
RUN_FACTS = ("seconds", "cpu_seconds", "kernel_deaths", "timeouts")


def grade_class(
    course: Course,
    lab_name: str,
    *,
    only: Sequence[str] | None = None,
    jobs: int | None = None,
    force: bool = False,
    fresh_inputs: bool = False,
    sandbox: str = "auto",
    limits: dict | None = None,
    feedback: bool = True,
    execute: Callable[[bytes], bytes] | None = None,
    judge: Any = None,
    make_executor: Callable[[int], Executor] | None = None,
    aside: Aside | Here | None = None,
    on_start: Callable[[int], None] = lambda total: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> ClassResult:
    """Grade every submission of a lab (or those of the students in `only`).

    jobs: kernels at a time (default: all cores). force: grade again what has not changed.
    fresh_inputs: draw the hidden tests' inputs anew, and grade everyone again with them. sandbox,
    limits: for stage 3. feedback: write the students' HTML pages too. execute, judge,
    make_executor(jobs): what runs stage 3 and who judges; the defaults are autograde.execution,
    autograde.judge and a process pool. aside: what judges and writes pages; by default made for
    this run, in processes of its own unless a judge is given. on_start(number of submissions) and
    on_row(row) report progress. Raises CourseError when nothing can be graded (unknown lab,
    notebooks/ out of step, nobody handed in); a failure of one submission is a row with status
    "error".
    """
    started = time.monotonic()
    lab = pipeline.load_lab(course, lab_name)
    problem = build.out_of_step(course, lab_name)
    if problem:
        raise CourseError(problem, status=1)
    _course_config(course)  # a mistake in nbgrader_config.py is found before the first mark
    roster.load(course)  # and so is one in the roster
    chosen = _chosen(course, lab_name, only)
    unusable = {name: problem for name in chosen if (problem := name_problem(name))}
    names = [name for name in chosen if name not in unusable]
    if execute is None:
        execute, sandbox = pipeline.default_execute(), _wall(sandbox)
    jobs = jobs or cores()
    state = RunState(course, lab_name)
    with contextlib.ExitStack() as stack:
        stack.enter_context(state.locked())
        stack.enter_context(gradebook_kept_open())
        if aside is None:
            aside = Here(judge) if judge is not None else Aside(beside(jobs))
            stack.callback(aside.close)
        keep_gradebook(course)
        build.register(course, lab_name)
        state.start(fresh=fresh_inputs)
        run = _Run(course, lab, state, aside, sandbox, limits, feedback, force)
        run.execute = execute
        run.on_row = on_row
        on_start(len(chosen))
        rows = run.grade(names, jobs, make_executor or process_pool)
        for name, problem in unusable.items():
            run._add(Row(name, "error", reason=f"the folder's name {problem}: rename it"))
    return ClassResult(
        lab=lab_name,
        exercises={test.name: test.points for test in lab.tests},
        manual=lab.manual,
        rows=sorted(rows, key=lambda row: row.student),
        sandbox=run.protections,
        seconds=time.monotonic() - started,
    )


def keep_gradebook(course: Course) -> None:
    """A copy of the gradebook before anything is written.

    CourseError if it cannot be read, or is gone and with it marks that a person has given.
    """
    try:
        lost = backup.lost_marks(course)
        if lost is not None:
            copy, given = lost
            raise CourseError(
                f"{backup.sqlite_path(course)} is gone or empty, and with it what a person has "
                f"graded by hand ({given} marks); put the last copy in its place, {copy} (or, to "
                f"begin anew, take the copies out of {copy.parent})",
                status=1,
            )
        backup.keep(course)
    except sqlite3.DatabaseError as error:
        raise CourseError(
            f"the gradebook {backup.sqlite_path(course)} cannot be read ({error}); "
            f"put a copy from {backup.folder(course)} in its place",
            status=1,
        ) from None
    except OSError as error:
        raise CourseError(
            f"no copy of the gradebook can be made in {backup.folder(course)} ({error.strerror})",
            status=1,
        ) from None


def _wall(sandbox: str) -> str:
    """The isolation that works here. CourseError if none does and "none" was not asked for."""
    from autograde.sandbox.launcher import SandboxUnavailable
    from autograde.sandbox.probe import choose

    try:
        return choose(sandbox)
    except SandboxUnavailable as error:
        raise CourseError(str(error), status=1) from None


def _chosen(course: Course, lab: str, only: Sequence[str] | None) -> list[str]:
    present = students(course, lab)
    if not only:
        if not present:
            raise CourseError(
                f"nobody has handed in {lab}: there is no "
                f"{course.submitted.relative_to(course.root)}/<student>/{lab}/{lab}.ipynb"
            )
        return present
    for name in only:
        if name not in present:
            raise CourseError(f"student {name!r} has handed in nothing for {lab}")
    return sorted(set(only))


# A submission, its grafted notebook, its job.
Prepared = tuple[Submission, dict, bytes]


class _Run:
    """One run over a class. Stage 3 answers come in any order; marks are written one at a time.

    A submission goes from `running` (stage 3) to `judging`, is recorded, and goes on to `pages`;
    `alone` holds those that are to be tried again when nothing else runs.
    """

    execute: Callable[[bytes], bytes]
    on_row: Callable[[Row], None]

    def __init__(
        self,
        course: Course,
        lab: Lab,
        state: RunState,
        aside: Aside | Here,
        sandbox: str,
        limits: dict | None,
        feedback: bool,
        force: bool,
    ):
        self.course, self.lab, self.state, self.aside = course, lab, state, aside
        self.sandbox, self.limits, self.feedback, self.force = sandbox, limits, feedback, force
        self.seed = state.start()
        self.requests = aside.requests(lab, self.seed)
        self.running: dict[Future, Prepared] = {}
        self.judging: dict[Future, tuple[Prepared, dict, bool]] = {}
        self.pages: dict[Future, tuple[str, Callable[[], None], bool]] = {}
        # A timeout may be the machine's fault and a broken pool a neighbor's.
        self.alone: list[Prepared] = []
        self.rows: list[Row] = []
        self.protections: dict = {}
        self.tests_digest = pipeline.tests_digest()
        with Gradebook(course.db_url, COURSE_ID) as gradebook:
            assignment = gradebook.find_assignment(lab.name)
            self.recorded = {submission.student.id for submission in assignment.submissions}

    def grade(
        self, names: Sequence[str], jobs: int, make_executor: Callable[[int], Executor]
    ) -> list[Row]:
        waiting = deque(names)
        executor: Executor | None = None
        try:
            while waiting or self.running or self.judging or self.pages:
                # Enough that no worker waits, not more than fits into memory.
                while waiting and len(self.running) < 2 * jobs and len(self.judging) < 4 * jobs:
                    student = waiting.popleft()
                    prepared = self._guard(student, self._prepare, student)
                    if prepared is None:
                        continue
                    executor = executor or make_executor(jobs)
                    try:
                        self.running[executor.submit(self.execute, prepared[2])] = prepared
                    except BrokenExecutor:
                        self.alone.append(prepared)
                        executor = _discard(executor)
                if self._go_on():
                    executor = _discard(executor)
            for prepared in self.alone:
                executor = executor or make_executor(jobs)
                try:
                    future = executor.submit(self.execute, self._job(*prepared[:2], alone=True))
                    wait([future])
                    if isinstance(future.exception(), BrokenExecutor):
                        executor = _discard(executor)
                except BrokenExecutor:
                    executor = _discard(executor)
                    future = Future()
                    future.set_exception(InternalError("the pool of processes broke"))
                self._guard(prepared[0].student, self._executed, prepared, future, True)
                while self.judging or self.pages:
                    self._go_on()
        finally:
            if executor is not None:
                executor.shutdown(wait=True, cancel_futures=True)
        return self.rows

    def _go_on(self) -> bool:
        """Wait until something is done, and take it a step further. True if the executor broke."""
        everything = [*self.running, *self.judging, *self.pages]
        done, _ = wait(everything, return_when=FIRST_COMPLETED) if everything else ((), ())
        broken = False
        for future in [future for future in self.running if future in done]:
            prepared = self.running.pop(future)
            if isinstance(future.exception(), BrokenExecutor):
                self.alone.append(prepared)
                broken = True
                continue
            self._guard(prepared[0].student, self._executed, prepared, future, False)
        for future in [future for future in self.pages if future in done]:
            student, finish, again = self.pages.pop(future)
            if isinstance(future.exception(), BrokenExecutor) and not again:
                self._write_page(student, finish, again=True)
            else:
                self._guard(student, lambda f=future, then=finish: (f.result(), then()))
        # One at a time: while marks are being written no worker is to run out of jobs.
        for future in [future for future in self.judging if future in done][:1]:
            prepared, result, again = self.judging.pop(future)
            if isinstance(future.exception(), BrokenExecutor) and not again:
                self.alone.append(prepared)
            else:
                self._guard(prepared[0].student, self._judged, prepared, result, future)
        return broken

    def _guard(self, student: str, step: Callable, *arguments):
        """Do a step for one student; whatever it raises is that student's row and nobody else's.

        Only a sandbox that does not work here is everybody's matter: it ends the run.
        """
        from autograde.sandbox.launcher import SandboxUnavailable

        try:
            return step(*arguments)
        except SandboxUnavailable as error:
            raise CourseError(str(error), status=1) from None
        except Exception as error:
            self._failed(student, error)
            return None

    def _failed(self, student: str, error: Exception) -> None:
        self.state.forget(student)
        path = self.state.folder / "errors" / f"{student}.txt"
        text = "".join(traceback.format_exception(error))
        build.write_atomically(path, text.encode("utf-8", "replace"))
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        where = path.relative_to(self.course.root)
        self._add(Row(student, "error", reason=f"internal error: {first[:200]} (see {where})"))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self.on_row(row)

    def _prepare(self, student: str) -> Prepared | None:
        """Intake and graft. None if there is nothing to execute: unchanged, or refused."""
        submission = take_in(self.course, student, self.lab.name, self.lab.skeleton)
        if not self.force and student in self.recorded:
            stored = self.state.row(student, self._key(submission))
            if stored is not None and self.course.autograded_path(student, self.lab.name).is_file():
                row = Row.from_dict({**stored, "unchanged": True})
                # Not so when somebody has put an older gradebook back.
                with contextlib.suppress(InternalError, MissingEntry):
                    row = self._scores(row)
                    self._renew_feedback(submission, stored, row)
                    return None
        notebook = grafted_notebook(self.lab, submission)
        if submission.refusal is not None:
            results = pipeline.refused_results(self.lab, submission.refusal)
            self._record(Graded(submission, notebook, results, {}))
            return None
        return submission, notebook, self._job(submission, notebook)

    def _renew_feedback(self, submission: Submission, stored: dict, row: Row) -> None:
        """Write the page again if it is missing, or if a person has graded or commented since."""
        student = submission.student
        before = Row.from_dict(stored)
        shown = [(r.recorded, r.needs_manual, r.comments) for r in (before, row)]
        there = self.course.feedback_path(student, self.lab.name).is_file()
        if not self.feedback or (there and shown[0] == shown[1]):
            self._add(row)
            return
        kept = {**row.to_dict(), "unchanged": False}

        def finish() -> None:
            self.state.store(student, self._key(submission), kept)
            self._add(row)

        self._write_page(student, finish)

    def _write_page(self, student: str, finish: Callable[[], None], again: bool = False) -> None:
        future = self.aside.page(self.course, self.lab.name, student)
        self.pages[future] = (student, finish, again)

    def _job(self, submission: Submission, notebook: dict, alone: bool = False) -> bytes:
        return pipeline.make_job(
            self.lab,
            notebook,
            self.requests,
            files=submission.files,
            limits=pipeline.alone_limits(self.limits) if alone else self.limits,
            sandbox=self.sandbox,
            stop_at_timeout=not alone,
        )

    def _executed(self, prepared: Prepared, future: Future, again: bool) -> None:
        raw = future.result()
        result = pipeline.read_result(raw)
        # The engine stops a cell, the driver in the kernel a call: both go by CPU time, but end
        # what waits by the clock, and the clock also runs while others use the machine.
        if not again and pipeline.timed_out(result):
            self.alone.append(prepared)
            return
        del result["observations"]  # large, and only the judge looks at them
        self.judging[self.aside.judge(self.lab, raw, self.seed)] = (prepared, result, again)

    def _judged(self, prepared: Prepared, result: dict, future: Future) -> None:
        submission, notebook, _ = prepared
        self.protections = self.protections or result.get("sandbox") or {}
        run = {name: result.get(name) or 0 for name in RUN_FACTS}
        self._record(Graded(submission, notebook, future.result(), result["cells"], run))

    def _record(self, graded: Graded) -> None:
        submission = graded.submission
        student = submission.student
        self.state.forget(student)
        # Asked before nbgrader begins: it zeroes everything of a notebook with another name.
        graded = replace(graded, settled=self._settled(student))
        write_autograded(self.course, self.lab, graded)
        row = Row(
            student=student,
            status="refused" if submission.refusal else "graded",
            reason=submission.refusal,
            notes=graded.notebook["metadata"][REMARKS]["notes"],
            received=submission.received.isoformat() if submission.received else None,
            late_seconds=int(submission.late.total_seconds()),
            exercises={name: asdict(result) for name, result in graded.results.items()},
            **graded.run,
        )
        row = self._scores(row)

        def finish() -> None:
            self.state.store(student, self._key(submission), row.to_dict())
            (self.state.folder / "errors" / f"{student}.txt").unlink(missing_ok=True)
            self._add(row)

        if self.feedback:
            self._write_page(student, finish)
        else:
            finish()

    def _settled(self, student: str) -> dict[str, float | None]:
        lab = self.lab.name
        with Gradebook(self.course.db_url, COURSE_ID) as gradebook:
            try:
                notebook = gradebook.find_submission_notebook(lab, lab, student)
            except MissingEntry:  # never graded, or a run was killed right at its start
                return {}
            return {g.name: g.auto_score for g in notebook.grades if not g.needs_manual_grade}

    def _scores(self, row: Row) -> Row:
        """The row with what the gradebook holds (a person may have graded by hand since).

        InternalError if the tests' automatic scores there are not those of the row.
        """
        with Gradebook(self.course.db_url, COURSE_ID) as gradebook:
            notebook = gradebook.find_submission_notebook(self.lab.name, self.lab.name, row.student)
            grades = list(notebook.grades)
            row.recorded = {grade.name: grade.score for grade in grades}
            row.needs_manual = sorted(g.name for g in grades if g.needs_manual_grade)
            row.comments = {c.name: c.comment for c in notebook.comments if c.comment}
            row.score, row.max = notebook.score, notebook.max_score
            automatic = {grade.name: grade.auto_score for grade in grades}
        for name, result in row.exercises.items():
            stored, given = automatic.get(f"test_{name}"), result["score"]
            if stored is None or abs(stored - given) > 1e-9:
                raise InternalError(
                    f"the gradebook holds {stored} for {name}, the judge gave {given}"
                )
        return row

    def _key(self, submission: Submission) -> str:
        """Changes when anything changes that the recorded marks depend on."""
        return pipeline.submission_key(
            self.course,
            self.lab,
            self.tests_digest,
            submission.digest,
            submission.received,
            submission.late,
        )


def _discard(executor: Executor | None) -> None:
    """Let go of a broken pool; a new one is made when next needed."""
    if executor is not None:
        executor.shutdown(wait=False)


# --- writing through nbgrader ------------------------------------------------------------------


class _TrustedFolder(CourseDirectory):
    """nbgrader's course folder that never reads a time from a submission's own timestamp.txt."""

    def get_existing_timestamp(self, dest_path):
        return None


class _Recorder(Autograde):
    """nbgrader's Autograde for one submission whose verdicts are known.

    Differs from it in one thing: a submission need not have a readable notebook to be recorded.
    """

    graded: Graded

    def init_notebooks(self) -> None:
        folder = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        self.assignments = {folder: [os.path.join(folder, f"{self.coursedir.assignment_id}.ipynb")]}
        self.notebooks = []


class _GraftedExporter(SubmissionExporter):
    """The submission exporter when intake and graft have been done."""

    def grafted(self, course: Course, lab: Lab, student: str) -> dict:
        return self.parent.graded.notebook


def write_autograded(course: Course, lab: Lab, graded: Graded) -> None:
    """Record verdicts in the gradebook and the notebook in autograded/, by nbgrader's Autograde."""
    config = _config(course, lab.name, graded.submission.student)
    config.Autograde.exporter_class = _GraftedExporter
    for step in ("sanitize_preprocessors", "autograde_preprocessors"):
        # It is for metadata of a student's making; here they are the release's.
        config.Autograde[step] = [p for p in config.Autograde[step] if p != CHECK_METADATA]
    _convert(_Recorder, _TrustedFolder, config, graded)


def write_feedback(course: Course, lab: str, student: str) -> None:
    """Write a student's feedback page from the autograded notebook, by nbgrader."""
    _convert(GenerateFeedback, _TrustedFolder, _config(course, lab, student), None)


@functools.lru_cache(maxsize=1)
def _course_config(course: Course):
    """What nbgrader's own commands would see here: a late penalty, say, is set in its own way."""
    from autograde.exchange import read_config

    return read_config(course)


def _config(course: Course, lab: str, student: str):
    config = copy.deepcopy(_course_config(course))
    config.CourseDirectory.assignment_id = lab
    config.CourseDirectory.student_id = student
    return config


def _convert(converter_class, folder_class, config, graded: Graded | None) -> None:
    log, records = build.quiet_log()
    converter = converter_class(
        coursedir=folder_class(config=config, log=log), config=config, log=log, force=True
    )
    if graded is not None:
        converter.graded = graded
    try:
        with warnings.catch_warnings():
            # nbgrader's own way with SQLAlchemy's sessions; nothing an instructor can act on.
            warnings.simplefilter("ignore", SAWarning)
            converter.start()
    except NbGraderException:
        text = "\n".join(record.getMessage() for record in records)
        lines = [line for line in text.splitlines() if "Error" in line or "Exception" in line]
        reason = lines[0] if lines else "no reason given"
        raise InternalError(f"nbgrader could not record it: {reason}\n{text}") from None

"""Take in what a class has handed in: from a folder, an LMS's zip or nbgrader's exchange.

Everything that arrives is kept as an attempt (autograde.attempts), the newest of each student goes
into submitted/, and what could not be taken, matched or dated is said and stays on record.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograde.cli import COURSE_OPTION, DB_OPTION
from autograde.course import DUE_DATES, ROSTER, Course
from autograde.errors import CourseError
from autograde.intake import Refused, one_line, shown

if TYPE_CHECKING:
    from autograde.archives import Entry
    from autograde.attempts import Attempt
    from autograde.lms import Named
    from autograde.roster import Identity, Match, Roster
    from autograde.times import Times

FOLDER = "folder"
CHOICES = ("moodle", "canvas", FOLDER)

# What can happen to a student's work, as it stands in the table.
EVENTS = {
    "new": "new",
    "newer": "newer attempt",
    "older": "older attempt, kept",
    "again": "the same as an earlier attempt, which counts again",
    "time": "unchanged, its time is known now",
    "unchanged": "unchanged",
    "matched": "matched now",
    "undone": "the last collect was taken back",
    "gone": "the only attempt was taken back",
}
# Of several things that happen to one student at once, the first that is here is told.
ORDER = ("new", "newer", "again", "time", "matched", "undone", "gone", "older", "unchanged")


@dataclass(frozen=True)
class Group:
    """What one person has handed in at once. latest: no later attempt is in the same source."""

    who: Identity
    files: list[tuple[Entry, tuple[str, ...]]]
    received: datetime | None = None
    how: str = ""
    late: bool = False
    order: int = 0
    note: str = ""
    latest: bool = True


@dataclass(frozen=True)
class Source:
    """Everything a source holds, and one line on how it was read."""

    groups: list[Group]
    explanation: str


@dataclass
class Outcome:
    """A row of the table: a student, or somebody who could not be matched."""

    label: str
    attempts: int
    received: datetime | None
    late: str
    event: str
    refused: str | None = None
    problem: str | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def what(self) -> str:
        """What happened, in words."""
        if self.problem is not None:
            return f"unmatched: {self.problem}"
        parts = [EVENTS[self.event]]
        if self.refused:
            parts.append(f"refused: {self.refused}")
        return "; ".join([*parts, *self.remarks])


@dataclass
class Report:
    """What a collect did, or with --dry-run would do."""

    lab: str
    outcomes: list[Outcome]
    explanation: str
    adopted: int = 0
    by_number: bool = False
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def unmatched(self) -> list[Outcome]:
        return [row for row in self.outcomes if row.problem is not None]


# --- reading a source --------------------------------------------------------------------------


@contextlib.contextmanager
def open_source(course: Course, lab: str, path: Path, lms: str | None) -> Iterator[Source]:
    """What lies at `path`, a folder or a zip. CourseError if nothing can be read there."""
    from autograde import archives
    from autograde.lms import SafeExtractor

    limits = SafeExtractor().limits
    wanted = f"{lab}.ipynb"
    with contextlib.ExitStack() as stack:
        try:
            if path.is_dir():
                _refuse_own_folders(course, path)
                entries = archives.folder_entries(path, limits, wanted)
            elif path.is_file():
                entries = stack.enter_context(archives.open_zip(path, limits, wanted))
            else:
                raise CourseError(f"{path}: there is no such file or folder")
        except Refused as reason:
            raise CourseError(
                f"{path} {reason}: name a folder, or the zip as the LMS gave it (if it is that "
                "one, download it again)"
            ) from None
        except OSError as error:
            raise CourseError(f"{path}: {error.strerror}") from None
        total, free = archives.total_size(entries), shutil.disk_usage(course.root).free
        if total > min(limits.total_bytes, free):
            raise CourseError(
                f"{path} unpacks to {total / 2**30:.1f} GB, more than is allowed "
                f"({limits.total_bytes / 2**30:.0f} GB) or free ({free / 2**30:.1f} GB)"
            )
        if not entries:
            raise CourseError(f"{path} holds no files")
        yield _sorted_out(course, lab, entries, lms)


def _refuse_own_folders(course: Course, path: Path) -> None:
    for folder in (course.submitted, course.collected, course.state, course.autograded):
        if path.resolve().is_relative_to(folder.resolve()):
            raise CourseError(
                f"{path} is the course's own folder; what lies there is collected already"
            )


def _sorted_out(course: Course, lab: str, entries: list[Entry], lms: str | None) -> Source:
    """The entries by person."""
    from autograde.lms import COLLECTORS, detect

    paths = [entry.parts for entry in entries]
    kind, explanation = (lms, f"read as {lms}, as told") if lms else detect(paths)
    if kind == FOLDER:
        named = _in_folders(paths, lab, course.labs())
    else:
        collector = COLLECTORS[kind]()
        named = [collector.parse(path) for path in paths]
    people: dict[tuple, list[tuple[Entry, Named]]] = {}
    for entry, found in zip(entries, named, strict=True):
        one = found or _nobodys(entry.parts, kind)
        if one.file:
            people.setdefault(one.who.key, []).append((entry, one))
    groups = [group for files in people.values() for group in _attempts_of(files, lab)]
    return Source(groups, explanation)


def _nobodys(path: tuple[str, ...], kind: str) -> Named:
    """A file that says nothing about whose it is: kept like others that cannot be matched."""
    from autograde.lms import Named
    from autograde.roster import Identity

    how = "in no student's folder" if kind == FOLDER else f"not named as {kind.capitalize()} does"
    advice = "put it into a folder named like the student, and collect the folder around that"
    return Named(Identity(kind, path[0], doubt=f"{how}: {advice}"), path[1:] or path)


def _in_folders(
    paths: Sequence[tuple[str, ...]], lab: str, labs: Sequence[str]
) -> list[Named | None]:
    """Whose each file is, in a folder for each student: STUDENT/LAB.ipynb or STUDENT/LAB/...

    A folder around all of them is stepped over. In a student's folder that has one for the lab,
    other files do not count, nor do other labs' folders anywhere (a Named without a file).
    """
    from autograde.lms import Named
    from autograde.roster import Identity

    tops = {path[0] for path in paths}
    inner = {path[1] for path in paths if len(path) > 2}
    if len(tops) == 1 and inner and all(len(path) > 2 for path in paths) and lab not in inner:
        paths = [path[1:] for path in paths]
    sorted_by_lab = {path[0] for path in paths if len(path) > 2 and path[1] == lab}
    named: list[Named | None] = []
    for path in paths:
        if len(path) < 2:
            named.append(None)
            continue
        file = path[1:]
        if path[0] in sorted_by_lab:
            file = file[1:] if file[0] == lab else ()
        elif len(file) > 1 and file[0] in labs:
            file = ()
        named.append(Named(Identity(FOLDER, path[0]), file))
    return named


def _attempts_of(files: list[tuple[Entry, Named]], lab: str) -> list[Group]:
    """One person's files as attempts: the lab's notebook in several versions is as many.

    Only Canvas numbers uploads, so only there is it known which came last; other files belong to
    that one.
    """
    from autograde.lms import canonical

    def is_lab(named: Named) -> bool:
        return named.order > 0 and canonical(named.file[-1], lab) == f"{lab}.ipynb"

    versions = sorted((f for f in files if is_lab(f[1])), key=lambda f: f[1].order)
    who = files[0][1].who
    late = any(named.late for _, named in files)
    groups = [
        Group(who, [(entry, named.file)], late=late, order=named.order, latest=False)
        for entry, named in versions[:-1]
    ]
    older = {id(entry) for entry, _ in versions[:-1]}
    rest = [(entry, named.file) for entry, named in files if id(entry) not in older]
    order = max((named.order for _, named in files), default=0)
    return [*groups, Group(who, rest, late=late, order=order)]


@contextlib.contextmanager
def open_exchange(course: Course, lab: str) -> Iterator[Source]:
    """What lies in nbgrader's exchange. CourseError if there is none."""
    from autograde import exchange

    folder, found, unknown = exchange.read(course, lab)
    groups = [
        Group(
            one.who,
            [(entry, entry.parts) for entry in one.entries],
            one.received,
            "the exchange",
            note=one.note,
        )
        for one in found
    ]
    odd = ", ".join(shown(name) for name in unknown[:3])
    odd = f"; {len(unknown)} names that say nothing were passed over: {odd}" if unknown else ""
    yield Source(groups, f"read the exchange {folder}: {len(groups)} submissions{odd}")


# --- collecting --------------------------------------------------------------------------------


class Collect:
    """One collect of one lab: reads the store, adds to it, and puts in place what follows."""

    def __init__(self, course: Course, lab: str, roster: Roster | None, scratch: Path):
        from autograde.attempts import Store
        from autograde.roster import NoRoster

        self.course, self.lab, self.scratch = course, lab, scratch
        self.roster = roster or NoRoster()
        self.store = Store(course, lab)
        self.attempts: list[Attempt] = self.store.read()
        self.now = datetime.now(timezone.utc).replace(tzinfo=None)
        self.batch = f"{self.now:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(2)}"
        self.homes = {id(a): self._home(a) for a in self.attempts}
        self.events: dict[tuple, list[str]] = {}
        self.adopted: list[Attempt] = []
        self.undone: list[tuple[Attempt, str]] = []
        self.concerned: set[str] = set()

    def _home(self, attempt: Attempt) -> str | None:
        """The student whose the attempt was when it was last written."""
        parent = attempt.folder.parent
        return None if parent.parent.name.startswith(".") else parent.name

    def add(self, group: Group, times: Times | None) -> None:
        """Take in what one person has handed in."""
        from autograde.attempts import Sighting, take

        who, received, how = group.who, group.received, group.how
        if times is not None:
            who = times.evidence(who)
            known = times.find(who, self.roster.match(who, self.lab).student)
            if known and known.received and group.latest:
                received, how = known.received, times.name
        sighting = Sighting(
            self.batch, self.now, received, how, group.late, group.order, group.note
        )
        attempt = take(self.scratch, who, self.lab, group.files, sighting)
        event = self._merge(attempt, group.latest)
        self.events.setdefault(who.key, []).append(event)

    def _merge(self, new: Attempt, latest: bool) -> str:
        """Add an attempt to those there are, if it is none of them; what happened.

        An LMS gives what counts at the moment of the download, so the same files as an earlier
        attempt's, after another one, mean that it was handed in again. The exchange gives every
        attempt with its time.
        """
        from autograde.attempts import newest
        from autograde.roster import with_evidence

        same = [a for a in self.attempts if a.who.key == new.who.key]
        twins = [a for a in same if a.digest == new.digest]
        if new.who.lms == "exchange":
            twins = [a for a in twins if new.last.received in {s.received for s in a.sightings}]
            latest = False
        if not twins:
            self.attempts.append(new)
            if not same:
                return "new"
            return "newer" if newest([*same, new]) is new else "older"
        twin, top = newest(twins), newest(same)
        who = with_evidence(twin.who, new.who)
        if who != twin.who:
            twin.who, twin.changed = who, True
        if not latest or (twin is top and twin.last.says_the_same(new.last)):
            return "unchanged"
        if twin is not top and new.last.when <= top.last.when:
            return "older"
        twin.sightings.append(new.last)
        twin.changed = True
        return "time" if twin is top else "again"

    def undo(self) -> str | None:
        """Take back what the last collect brought; when that was, None if there is nothing."""
        batches = {s.batch for a in self.attempts if not a.by_hand for s in a.sightings}
        if not batches:
            return None
        last = max(batches)
        for attempt in [a for a in self.attempts if not a.by_hand]:
            left = [s for s in attempt.sightings if s.batch != last]
            if len(left) == len(attempt.sightings):
                continue
            self.events.setdefault(attempt.who.key, []).append("undone")
            home = self.homes[id(attempt)]
            self.concerned |= {home} - {None}
            if left:
                attempt.sightings, attempt.changed = left, True
            else:
                self.attempts.remove(attempt)
                self.undone.append((attempt, home or "unmatched"))
        return last

    def _student(self, attempt: Attempt, matches: dict[tuple, Match]) -> str | None:
        return attempt.who.student or matches[attempt.who.key].student

    # --- whose is it ---------------------------------------------------------------------------

    def match(self) -> dict[tuple, Match]:
        """Whose the work of each source's person is, by Identity.key."""
        from autograde.roster import Match, with_evidence

        people: dict[tuple, Identity] = {}
        for attempt in sorted(self.attempts, key=lambda a: a.last.batch):
            known = people.get(attempt.who.key)
            people[attempt.who.key] = with_evidence(known, attempt.who) if known else attempt.who
        matches = {key: self.roster.match(who, self.lab) for key, who in people.items()}
        claims: dict[tuple[str, str], list[tuple]] = {}
        for key, found in matches.items():
            if found.student is not None:
                claims.setdefault((people[key].lms, found.student), []).append(key)
        for (lms, student), keys in claims.items():
            doubtful = [key for key in keys if not matches[key].certain]
            if lms == FOLDER and len(keys) > 1 and self._together(keys):
                doubtful = keys
            if len(keys) > 1:
                labels = " and ".join(shown(people[key].label) for key in keys[:3])
                for key in doubtful:
                    matches[key] = Match(
                        None, f"{labels} could all be {student}: {_telling_apart(lms, self.lab)}"
                    )
        return matches

    def _together(self, keys: Sequence[tuple]) -> bool:
        """Whether several people of one source came in one collect."""
        batches: Counter = Counter()
        for key in keys:
            seen = {s.batch for a in self.attempts if a.who.key == key for s in a.sightings}
            batches.update(seen)
        return any(count > 1 for count in batches.values())

    def finish(self, dry_run: bool, problem_of: Callable) -> list[Outcome]:
        """Match, adopt, choose, and (unless dry_run) write; a row for everyone concerned."""
        from autograde import attempts as store

        matches = self.match()
        self._adopt(matches)
        by_student: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            student = self._student(attempt, matches)
            if student is not None:
                by_student.setdefault(student, []).append(attempt)
        counting = {s: store.newest(found) for s, found in by_student.items()}
        received = self._received(counting)
        leaving = store.collected_students(self.course, self.lab) - set(by_student)
        outcomes = self._outcomes(matches, by_student, counting, received, problem_of)
        if not dry_run:
            self._write(matches, counting, received, leaving)
        return outcomes

    def _adopt(self, matches: dict[tuple, Match]) -> None:
        """Keep what lies in submitted/ and is no attempt yet, wherever collect has a say."""
        from autograde import attempts as store
        from autograde import placed

        known: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            student = self._student(attempt, matches)
            if student is not None:
                known.setdefault(student, []).append(attempt)
        for attempt, home in self.undone:
            known.setdefault(home, []).append(attempt)
        for attempt in self.attempts:  # moved to another student, whose folder is put right below
            home = self.homes.get(id(attempt))
            if home is not None and attempt not in known.get(home, []):
                known.setdefault(home, []).append(attempt)
        leaving = store.collected_students(self.course, self.lab)
        for student in sorted({*known, *leaving} - {"unmatched"}):
            if placed.read_record(self.course, self.lab, student) is not None:
                continue
            found = store.adopt(
                self.course,
                self.lab,
                student,
                known.get(student, ()),
                self.scratch,
                self.batch,
            )
            if found is not None:
                self.attempts.append(found)
                self.adopted.append(found)

    def _received(self, counting: dict[str, Attempt]) -> dict[str, datetime | None]:
        """When each submission that counts came in; of one put there by hand, as was recorded."""
        recorded = self.course.received(self.lab)
        return {
            student: recorded.get(student) if attempt.by_hand else attempt.last.received
            for student, attempt in counting.items()
        }

    def _write(
        self,
        matches: dict[tuple, Match],
        counting: dict[str, Attempt],
        received: dict[str, datetime | None],
        leaving: Iterable[str],
    ) -> None:
        from autograde import attempts as store

        for attempt, home in self.undone:
            batch = max(s.batch for s in attempt.sightings)
            self.store.undo(attempt, batch, home)
        self.store.write((a, self._student(a, matches)) for a in self.attempts)
        for student, attempt in counting.items():
            store.place(self.course, self.lab, student, attempt, received[student])
        for student in leaving:
            store.withdraw(self.course, self.lab, student)
        by_hand = {student for student, attempt in counting.items() if attempt.by_hand}
        times = {s: when for s, when in received.items() if s not in by_hand}
        store.write_received(self.course, self.lab, {**times, **dict.fromkeys(leaving)})

    # --- telling -------------------------------------------------------------------------------

    def _outcomes(
        self,
        matches: dict[tuple, Match],
        by_student: dict[str, list[Attempt]],
        counting: dict[str, Attempt],
        received: dict[str, datetime | None],
        problem_of: Callable[[Attempt], str | None],
    ) -> list[Outcome]:
        from autograde.attempts import newest

        events: dict[str, list[str]] = {student: ["undone"] for student in self.concerned}
        for key, happened in self.events.items():
            student = matches[key].student if key in matches else None
            if student is not None:
                events.setdefault(student, []).extend(happened)
        came_from: dict[str, set[str]] = {}
        for attempt in self.attempts:
            student, home = self._student(attempt, matches), self.homes.get(id(attempt), "")
            if student is not None and home not in ("", student):
                events.setdefault(student, []).append("matched")
                came_from.setdefault(student, set()).update({home} - {None})
        outcomes = []
        for student, happened in events.items():
            if student not in counting:
                continue
            attempt = counting[student]
            due = self.roster.due(student, self.lab) or self.course.due(self.lab)
            outcomes.append(
                Outcome(
                    student,
                    len(by_student[student]),
                    received[student],
                    _late(received[student], due, attempt.last.late),
                    min(happened, key=ORDER.index),
                    problem_of(attempt),
                    remarks=self._remarks(attempt, came_from.get(student, ())),
                )
            )
        gone = {home for _, home in self.undone} - {"unmatched"} - set(counting)
        outcomes += [Outcome(student, 0, None, "", "gone") for student in gone]
        for key, found in matches.items():
            if found.student is None:
                theirs = [a for a in self.attempts if a.who.key == key]
                last = newest(theirs)
                outcomes.append(
                    Outcome(
                        last.who.label,
                        len(theirs),
                        last.last.received,
                        "",
                        "new",
                        problem=found.problem,
                    )
                )
        return sorted(outcomes, key=lambda row: (row.problem is not None, row.label))

    def _remarks(self, attempt: Attempt, came_from: Iterable[str]) -> list[str]:
        remarks = [f"was {', '.join(map(shown, sorted(came_from)))}"] if came_from else []
        remarks += [attempt.last.note] if attempt.last.note else []
        if attempt.by_hand:
            remarks.append("what was put into submitted/ by hand is newer and counts")
        if attempt.files:
            remarks += [f"not taken: {' '.join(line)}" for line in attempt.refused[:2]]
        if len(attempt.refused) > 2:
            remarks.append(f"and {len(attempt.refused) - 2} files more")
        return remarks


def _telling_apart(lms: str, lab: str) -> str:
    if lms == "moodle":
        return (
            "give Moodle's grading worksheet (--times FILE), or put the numbers into the column "
            f"lms_id_{lab} of {ROSTER}"
        )
    if lms == "canvas":
        return f"put the numbers into the column lms_id of {ROSTER}"
    return "leave one of them, or rename it"


def _late(received: datetime | None, due: datetime | None, marked: bool) -> str:
    from autograde.results import _duration

    if received is None:
        return "late, says the LMS" if marked else "?"
    if due is None:
        return "-"
    late = received - due
    return _duration(int(late.total_seconds())) if late > timedelta(0) else "on time"


def collect(
    course: Course,
    lab: str,
    path: Path | None = None,
    *,
    lms: str | None = None,
    roster_file: Path | None = None,
    times_file: Path | None = None,
    zone: tzinfo | None = None,
    remap: bool = False,
    undo: bool = False,
    dry_run: bool = False,
    on_start: Callable[[int], None] = lambda total: None,
    on_done: Callable[[], None] = lambda: None,
) -> Report:
    """Collect `lab` from `path`, a folder or a zip; without one from nbgrader's exchange.

    lms: "moodle", "canvas" or "folder", if it is not to be found out. roster_file becomes the
    course's roster. times_file: when work came in, in `zone` where it says none (default: this
    machine's). remap: only match again what is there; undo: take the last collect back. dry_run:
    change nothing. on_start(number of submissions), on_done() report progress. CourseError if the
    source, the roster or the times cannot be read; nothing has been changed then.
    """
    from autograde import roster, times
    from autograde.runstate import RunState

    course.check_lab(lab)
    zone = zone or times.read_zone(None)
    people = roster.load(course, roster_file)
    known = times.load(times_file, zone) if times_file else None
    if dry_run:
        lock: contextlib.AbstractContextManager = contextlib.nullcontext()
    else:
        lock = RunState(course, lab).locked()
    with lock, _scratch(course, lab, dry_run) as scratch:
        job = Collect(course, lab, people, scratch)
        if undo:
            last = job.undo()
            if last is None:
                raise CourseError(f"nothing of {lab} has been collected")
            explanation = f"took back the collect of {last.partition('.')[0]} UTC"
        elif remap:
            if not job.attempts:
                raise CourseError(f"nothing of {lab} has been collected")
            explanation = "matched again what was collected"
        else:
            opened = open_source(course, lab, path, lms) if path else open_exchange(course, lab)
            with opened as source:
                on_start(len(source.groups))
                for group in source.groups:
                    job.add(group, known)
                    on_done()
            explanation = source.explanation
        if roster_file is not None and not dry_run:
            _keep_roster(course, roster_file)
        outcomes = job.finish(dry_run, _problems(course, lab))
        warnings = _enter_names(course, people) if people is not None and not dry_run else []
    by_number = people is None and any(attempt.who.lms == "moodle" for attempt in job.attempts)
    return Report(lab, outcomes, explanation, len(job.adopted), by_number, dry_run, warnings)


@contextlib.contextmanager
def _scratch(course: Course, lab: str, dry_run: bool) -> Iterator[Path]:
    """A folder for what is taken in, beside the store; with dry_run outside the course."""
    from autograde.attempts import INCOMING

    parent = None
    if not dry_run:
        parent = course.collected / lab
        parent.mkdir(parents=True, exist_ok=True)
        parent.chmod(0o700)
        for left in parent.glob(f"{INCOMING}*"):  # by one that was killed
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=INCOMING, dir=parent) as folder:
        yield Path(folder)


def _enter_names(course: Course, people: Roster) -> list[str]:
    """Put the roster's names into the gradebook; what kept it from that, which stops nothing."""
    from autograde import roster

    try:
        roster.enter_names(course, people)
    except Exception as error:  # of any database there is
        return [f"the roster's names did not get into the gradebook: {one_line(str(error))[:200]}"]
    return []


def _keep_roster(course: Course, file: Path) -> None:
    """Make a file the course's roster; the one before is kept beside it."""
    from autograde.build import write_atomically

    path, data = course.root / ROSTER, file.read_bytes()
    if path.is_file() and path.read_bytes() == data:
        return
    if path.is_file():
        write_atomically(path.with_suffix(".csv.before"), path.read_bytes())
    write_atomically(path, data)


def _problems(course: Course, lab: str) -> Callable[[Attempt], str | None]:
    """A function that says why an attempt will be refused by grading, None if it will not be."""
    import json

    from autograde import intake

    try:
        skeleton = json.loads(course.release_path(lab).read_bytes())
    except (OSError, ValueError):  # not built yet: grading will say so
        return lambda attempt: None

    def problem_of(attempt: Attempt) -> str | None:
        folder = attempt.folder / "files"
        found = intake.problem(course, folder, lab, skeleton)
        untaken = [" ".join(line) for line in attempt.refused]
        return intake.with_untaken(found, untaken, folder) if found else None

    return problem_of


# --- the command -------------------------------------------------------------------------------


def table(report: Report, zone: tzinfo):
    """The report as a rich Table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    would = " (dry run: nothing was changed)" if report.dry_run else ""
    drawn = Table(box=box.SIMPLE, title=f"{report.lab}: {len(report.outcomes)} in all{would}")
    drawn.add_column("student", no_wrap=True)
    drawn.add_column("attempts", justify="right")
    drawn.add_column("received", no_wrap=True)
    drawn.add_column("late by", no_wrap=True)
    drawn.add_column("what happened", ratio=1)
    for row in report.outcomes:
        when = "unknown"
        if row.received is not None:
            local = row.received.replace(tzinfo=timezone.utc).astimezone(zone)
            when = f"{local:%Y-%m-%d %H:%M %Z}"
        cells = (shown(row.label), str(row.attempts), when, row.late, one_line(row.what))
        drawn.add_row(*map(Text, cells))  # text, not markup: a name in brackets is no style
    return drawn


def summary(report: Report, course: Course) -> list[str]:
    """The counts, and what is to be done, as lines."""
    rows = [row for row in report.outcomes if row.problem is None]
    count = Counter(row.event for row in rows)
    parts = [f"{count[event]} {EVENTS[event].split(',')[0]}" for event in ORDER if count[event]]
    refused = sum(row.refused is not None for row in rows)
    late = sum(row.late not in ("", "?", "-", "on time") for row in rows)
    unknown = sum(row.received is None and row.event != "gone" for row in rows)
    if refused:
        parts.append(f"{refused} refused (0 points, with the reason)")
    parts.append(f"{late} late")
    lines = [", ".join(parts)]
    if report.unmatched:
        lines.append(
            f"{len(report.unmatched)} unmatched, kept and not graded; when the roster knows them: "
            f"python -m autograde collect {report.lab} --remap"
        )
    if unknown:
        lines.append(
            f"when it came in is not known for {unknown}, so they are not late; Moodle's grading "
            "worksheet or another table says it: --times FILE"
        )
    if report.by_number:
        lines.append(
            "without a roster a student is the number Moodle gives the participant of this one "
            f"assignment; {ROSTER} (columns student, full_name) keeps a student the same in all"
        )
    if rows and course.due(report.lab) is None:
        lines.append(f"nobody is late without a due date for {report.lab} in {DUE_DATES}")
    if report.adopted:
        lines.append(f"{report.adopted} put into submitted/ by hand: kept as attempts")
    return lines


@click.command("collect")
@click.argument("lab")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--exchange", is_flag=True, help="From nbgrader's exchange (default without PATH).")
@click.option(
    "--lms", type=click.Choice(CHOICES), help="How PATH is laid out (default: found out)."
)
@click.option(
    "--roster", "roster_file", type=click.Path(path_type=Path), metavar="FILE",
    help=f"A roster, which becomes the course's ({ROSTER}).",
)  # fmt: skip
@click.option(
    "--times", "times_file", type=click.Path(path_type=Path), metavar="FILE",
    help="When work came in: Moodle's grading worksheet, or a CSV with lms_id and received.",
)  # fmt: skip
@click.option(
    "--timezone", "zone_name", metavar="ZONE",
    help="Of times that name none, like Europe/Berlin (default: this machine's).",
)  # fmt: skip
@click.option("--remap", is_flag=True, help="Only match again what is collected, by the roster.")
@click.option("--undo", is_flag=True, help="Take back what the last collect has brought.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing.")
@COURSE_OPTION
@DB_OPTION
def collect_command(
    lab: str,
    path: Path | None,
    exchange: bool,
    lms: str | None,
    roster_file: Path | None,
    times_file: Path | None,
    zone_name: str | None,
    remap: bool,
    undo: bool,
    dry_run: bool,
    course_dir: str | None,
    db: str | None,
) -> int:
    """Take in what a class handed in for LAB, from PATH or nbgrader's exchange.

    PATH is a folder (STUDENT/LAB.ipynb or STUDENT/LAB/LAB.ipynb, or an unpacked download), or the
    zip that Moodle or Canvas makes of all submissions. Every attempt is kept in
    autograde/collected; the newest of each student goes to autograde/submitted, where grade finds
    it. A work's time is that of --times or of the exchange, never one from a student's file.
    Collecting the same again changes nothing. Exit status: 0; 1 when some work could not be
    matched to a student; 2 for wrong arguments.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from autograde import times

    course = Course.open(course_dir, db)
    course.check_lab(lab)
    if sum((bool(path), exchange, remap, undo)) > 1:
        raise click.UsageError("Give only one of PATH, --exchange, --remap and --undo.")
    if (remap or undo) and (times_file or lms):
        raise click.UsageError("--times and --lms go with a PATH or the exchange.")
    if lms and not path:
        raise click.UsageError("--lms goes with a PATH.")
    zone = times.read_zone(zone_name)
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("collecting"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("collecting", total=None)
        report = collect(
            course,
            lab,
            path,
            lms=lms,
            roster_file=roster_file,
            times_file=times_file,
            zone=zone,
            remap=remap,
            undo=undo,
            dry_run=dry_run,
            on_start=lambda total: progress.update(task, total=total),
            on_done=lambda: progress.advance(task),
        )
    for line in (report.explanation, *report.warnings):
        console.print(one_line(line), markup=False, soft_wrap=True)
    out = Console(highlight=False)
    out = out if out.is_terminal else Console(highlight=False, width=160)
    out.print(table(report, zone))
    for line in summary(report, course):
        out.print(line, markup=False, soft_wrap=True)
    return 1 if report.unmatched else 0

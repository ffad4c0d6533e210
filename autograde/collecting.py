"""Keep, match and put in place what a class has handed in: the work behind `collect`."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone, tzinfo
from pathlib import Path

from autograde import attempts as store
from autograde import intake, placed, roster, times
from autograde.attempts import INCOMING, UNMATCHED, Attempt, Sighting, Store, newest, take
from autograde.build import write_atomically
from autograde.collect_report import ORDER, Outcome, Report, late_by
from autograde.course import ROSTER, Course
from autograde.errors import CourseError
from autograde.intake import one_line, shown
from autograde.roster import Identity, Match, NoRoster, Roster, with_evidence
from autograde.runstate import RunState
from autograde.sources import FOLDER, Group, open_exchange, open_source
from autograde.times import Times


class Collect:
    """One collect of one lab: reads the store, adds to it, and puts in place what follows."""

    def __init__(self, course: Course, lab: str, roster: Roster | None, scratch: Path):
        self.course, self.lab, self.scratch = course, lab, scratch
        self.roster = roster or NoRoster()
        self.store = Store(course, lab)
        self.attempts: list[Attempt] = self.store.read()
        self.now = datetime.now(timezone.utc).replace(tzinfo=None)
        self.batch = f"{self.now:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(2)}"
        self._of: dict[tuple, list[Attempt]] = {}
        for attempt in self.attempts:
            self._of.setdefault(attempt.who.key, []).append(attempt)
        self.homes = {id(a): self._home(a) for a in self.attempts}
        self.events: dict[tuple, list[str]] = {}
        self.adopted: list[Attempt] = []
        self.undone: list[tuple[Attempt, str]] = []
        self.concerned: set[str] = set()
        self.students: set[str] = set()

    def _home(self, attempt: Attempt) -> str | None:
        """The student whose the attempt was when it was last written."""
        parent = attempt.folder.parent
        return None if parent.parent.name.startswith(".") else parent.name

    def add(self, group: Group, times: Times | None) -> None:
        """Take in what one person has handed in."""
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
        same = self._of.setdefault(new.who.key, [])
        twins = [a for a in same if a.digest == new.digest]
        if new.who.lms == "exchange":
            twins = [a for a in twins if new.last.received in {s.received for s in a.sightings}]
            latest = False
        if not twins:
            self.attempts.append(new)
            same.append(new)
            if len(same) == 1:
                return "new"
            return "newer" if newest(same) is new else "older"
        twin, top = newest(twins), newest(same)
        who = with_evidence(twin.who, new.who)
        if who != twin.who:
            twin.who, twin.changed = who, True
        if not latest or (twin is top and twin.last.says_the_same(new.last)):
            return "unchanged"
        twin.sightings.append(new.last)
        if newest(same) is not twin:
            twin.sightings.pop()
            return "older"
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
                self.undone.append((attempt, home or UNMATCHED))
        return last

    def _student(self, attempt: Attempt, matches: dict[tuple, Match]) -> str | None:
        return attempt.who.student or matches[attempt.who.key].student

    # --- whose is it ---------------------------------------------------------------------------

    def match(self) -> dict[tuple, Match]:
        """Whose the work of each source's person is, by Identity.key."""
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
        matches = self.match()
        self._adopt(matches)
        by_student: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            student = self._student(attempt, matches)
            if student is not None:
                by_student.setdefault(student, []).append(attempt)
        self.students = set(by_student)
        counting = {s: store.newest(found) for s, found in by_student.items()}
        received = self._received(counting)
        leaving = store.collected_students(self.course, self.lab) - set(by_student)
        outcomes = self._outcomes(matches, by_student, counting, received, problem_of)
        if not dry_run:
            self._write(matches, counting, received, leaving)
        return outcomes

    def _adopt(self, matches: dict[tuple, Match]) -> None:
        """Keep what lies in submitted/ and is no attempt yet, wherever collect has a say."""
        known: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            student = self._student(attempt, matches)
            if student is not None:
                known.setdefault(student, []).append(attempt)
        for attempt, home in self.undone:
            known.setdefault(home, []).append(attempt)
        for attempt in self.attempts:  # moved to another student, whose folder is put right below
            home = self.homes.get(id(attempt))
            if home is not None:
                known.setdefault(home, []).append(attempt)
        leaving = store.collected_students(self.course, self.lab)
        for student in sorted({*known, *leaving} - {UNMATCHED}):
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
        for attempt, home in self.undone:
            batch = max(s.batch for s in attempt.sightings)
            self.store.undo(attempt, batch, home)
        self.store.write((a, self._student(a, matches)) for a in self.attempts)
        # What could not be copied of a folder found in submitted/ is kept as it was.
        found = {a.who.student: a.folder / "other" / "found" for a in self.adopted if a.refused}
        for student, attempt in counting.items():
            kept = found.get(student)
            store.place(self.course, self.lab, student, attempt, received[student], kept)
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
            refused = problem_of(attempt)
            due = self.roster.due(student, self.lab) or self.course.due(self.lab)
            outcomes.append(
                Outcome(
                    student,
                    len(by_student[student]),
                    received[student],
                    late_by(received[student], due, attempt.last.late),
                    min(happened, key=ORDER.index),
                    refused,
                    remarks=self._remarks(attempt, came_from.get(student, ()), refused),
                )
            )
        gone = {home for _, home in self.undone} - {UNMATCHED} - set(counting)
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

    def _remarks(
        self, attempt: Attempt, came_from: Iterable[str], refused: str | None
    ) -> list[str]:
        remarks = [f"was {', '.join(map(shown, sorted(came_from)))}"] if came_from else []
        remarks += [attempt.last.note] if attempt.last.note else []
        if attempt.by_hand:
            remarks.append("what was put into submitted/ by hand is newer and counts")
        if not refused:
            remarks += [f"not taken: {' '.join(line)}" for line in attempt.refused[:2]]
        if len(attempt.refused) > 2:
            remarks.append(f"{len(attempt.refused)} files were not taken")
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
            when = datetime.strptime(last.partition(".")[0], "%Y%m%dT%H%M%S")
            explanation = f"took back the collect of {when:%Y-%m-%d %H:%M} UTC"
        elif remap:
            if not job.attempts:
                raise CourseError(f"nothing of {lab} has been collected")
            explanation = "matched again what was collected"
        else:
            opened = open_source(course, lab, path, lms) if path else open_exchange(course, lab)
            with opened as source:
                on_start(len(source.groups))
                for group in source.groups:
                    try:
                        job.add(group, known)
                    except OSError as error:
                        raise _unwritable(error) from None
                    on_done()
            explanation = source.explanation
        if roster_file is not None and not dry_run:
            _keep_roster(course, roster_file)
        try:
            outcomes = job.finish(dry_run, _problems(course, lab))
        except OSError as error:
            raise _unwritable(error) from None
        warnings = _enter_names(course, people) if people is not None and not dry_run else []
    by_number = people is None and any(attempt.who.lms == "moodle" for attempt in job.attempts)
    return Report(
        lab,
        outcomes,
        explanation,
        len(job.adopted),
        by_number,
        dry_run,
        warnings,
        sorted({person.student for person in people.people} - job.students) if people else [],
    )


def _unwritable(error: OSError) -> CourseError:
    where = f"{error.filename}: " if error.filename else ""
    return CourseError(
        f"{where}{error.strerror}; when that is put right, the same command goes on", status=1
    )


@contextlib.contextmanager
def _scratch(course: Course, lab: str, dry_run: bool) -> Iterator[Path]:
    """A folder for what is taken in, beside the store; with dry_run outside the course."""
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
    try:
        roster.enter_names(course, people)
    except Exception as error:  # of any database there is
        return [f"the roster's names did not get into the gradebook: {one_line(str(error))[:200]}"]
    return []


def _keep_roster(course: Course, file: Path) -> None:
    """Make a file the course's roster; the one before is kept beside it."""
    path, data = course.root / ROSTER, file.read_bytes()
    if path.is_file() and path.read_bytes() == data:
        return
    if path.is_file():
        write_atomically(path.with_suffix(".csv.before"), path.read_bytes())
    write_atomically(path, data)


def _problems(course: Course, lab: str) -> Callable[[Attempt], str | None]:
    """A function that says why an attempt will be refused by grading, None if it will not be."""
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

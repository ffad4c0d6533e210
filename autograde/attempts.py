"""Keep every attempt that was ever collected, and put the one that counts where grading looks.

An attempt is a folder of its own, never changed but for the record in it:

    autograde/collected/LAB/STUDENT/<time>-<digest>/attempt.json
                                                    files/   what grading gets to see
                                                    other/   what came with it: zips, timestamp.txt

Attempts that cannot be matched lie under LAB/.unmatched/, those that were taken back under
LAB/.undone/. What is in submitted/ and in autograde/state follows from this store and is made from
it anew by every collect; so a collect that was killed is finished by the next one.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from autograde import archives, placed
from autograde.archives import STUDENT_ZIP, Entry, Limits
from autograde.build import write_atomically
from autograde.course import RECEIVED, Course
from autograde.errors import CourseError
from autograde.intake import Refused, shown
from autograde.lms import canonical
from autograde.placed import Record
from autograde.roster import Identity

UNMATCHED, UNDONE, INCOMING = ".unmatched", ".undone", ".incoming-"
RECORD = "attempt.json"
# Of one attempt. More is refused by name; notebooks come first.
MAX_FILES, MAX_BYTES = 100, 100 * archives.MB
# Of what is read for it, damaged files included.
MAX_READ = 3 * MAX_BYTES
TOO_MUCH = "is too much together with the other files: hand in the notebook only"
# What nbgrader submit adds to a submission: nobody's work, and no time to go by.
BESIDE = ((placed.TIMESTAMP,), ("submission_secret.txt",))
ISO = "%Y-%m-%dT%H:%M:%S.%f"
# As nbgrader's exchange writes it (nbgrader.exchange.abc.Exchange.timestamp_format).
TIMESTAMP_FORMAT = "%Y-%m-%d %H:%M:%S.%f UTC"


@dataclass(frozen=True)
class Sighting:
    """That an attempt was there when something was collected.

    batch: which collect it was; they sort by time. received: when it came in (UTC) as far as a
    source that can be trusted says, and `how` it is known. late: the LMS says that it was late.
    order: of files that came in one after the other within one download. note: for the instructor.
    """

    batch: str
    collected: datetime
    received: datetime | None = None
    how: str = ""
    late: bool = False
    order: int = 0
    note: str = ""

    @property
    def when(self) -> tuple[datetime, int]:
        """When it came in: when it was received, at the latest when it was collected."""
        return self.received or self.collected, self.order

    def says_the_same(self, other: Sighting) -> bool:
        """Whether `other` adds nothing about the time to what this one says."""
        if other.received is None and self.received is not None:
            return True
        return (self.received, self.late) == (other.received, other.late)


@dataclass(frozen=True)
class File:
    """path: below files/. name: as it was handed in."""

    path: str
    name: str
    sha256: str
    bytes: int


@dataclass
class Attempt:
    """What somebody handed in once. `folder` is where it lies: in the store, or just taken in."""

    who: Identity
    lab: str
    files: list[File]
    refused: list[list[str]]
    notes: list[str]
    sightings: list[Sighting]
    folder: Path
    stored: bool = False
    changed: bool = False

    @property
    def digest(self) -> str:
        """Of what was handed in: the files, and what of it was refused."""
        content = [sorted((file.path, file.sha256) for file in self.files), sorted(self.refused)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def last(self) -> Sighting:
        return self.sightings[-1]

    @property
    def by_hand(self) -> bool:
        return self.who.lms == "hand"

    @property
    def name(self) -> str:
        first = self.sightings[0]
        return f"{first.received or first.collected:%Y%m%dT%H%M%SZ}-{self.digest[:12]}"

    @property
    def fingerprint(self) -> dict[str, str]:
        """As autograde.placed.fingerprint of the folder that grading gets."""
        return {file.path: file.sha256 for file in self.files}

    def record(self) -> Record:
        """What intake has to know about it."""
        return Record(
            self.name, self.fingerprint, list(self.refused), list(self.notes), self.last.late
        )

    def to_json(self) -> bytes:
        value = {
            "lab": self.lab,
            "who": asdict(self.who),
            "files": [asdict(file) for file in self.files],
            "refused": self.refused,
            "notes": self.notes,
            "sightings": [
                {**asdict(s), "collected": _text(s.collected), "received": _text(s.received)}
                for s in self.sightings
            ],
        }
        return (json.dumps(value, indent=1) + "\n").encode("utf-8", "replace")

    @classmethod
    def read(cls, folder: Path) -> Attempt:
        """The attempt in a folder of the store. CourseError if its record cannot be read."""
        try:
            value = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            sightings = [
                Sighting(
                    **{
                        **sighting,
                        "collected": datetime.strptime(sighting["collected"], ISO),
                        "received": _time(sighting["received"]),
                    }
                )
                for sighting in value["sightings"]
            ]
            return cls(
                Identity(**value["who"]),
                value["lab"],
                [File(**file) for file in value["files"]],
                value["refused"],
                value["notes"],
                sightings,
                folder,
                stored=True,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CourseError(
                f"{folder / RECORD} cannot be read ({error}): move its folder away, collect again"
            ) from None


def _text(when: datetime | None) -> str | None:
    return when.strftime(ISO) if when else None


def _time(text: str | None) -> datetime | None:
    return datetime.strptime(text, ISO) if text else None


# --- taking in ---------------------------------------------------------------------------------


def take(
    scratch: Path,
    who: Identity,
    lab: str,
    files: Sequence[tuple[Entry, tuple[str, ...]]],
    sighting: Sighting,
) -> Attempt:
    """Copy what one person handed in to a new folder below `scratch`, unpacking one level of zips.

    files: each with the path it has within the submission. What cannot be taken is in `refused`.
    """
    folder = Path(tempfile.mkdtemp(dir=scratch))
    taker = _Taker(folder, lab)
    for entry, path in sorted(files, key=lambda item: taker.rank(item[1])):
        taker.take(entry, path)
    taker.name_the_notebook()
    taken = sorted(taker.files, key=lambda file: file.path)
    return Attempt(who, lab, taken, taker.refused, taker.notes, [sighting], folder)


class _Taker:
    """Takes the files of one attempt, as long as there is room."""

    def __init__(self, folder: Path, lab: str):
        self.folder, self.lab, self.wanted = folder, lab, f"{lab}.ipynb"
        self.files: list[File] = []
        self.refused: list[list[str]] = []
        self.notes: list[str] = []
        self.room = MAX_BYTES
        self.patience = MAX_READ
        self._places: set[str] = set()
        self._others = 0
        (folder / "files").mkdir()

    def rank(self, path: tuple[str, ...]) -> tuple:
        """The notebook first, so that no number of other files keeps it out."""
        name = path[-1].casefold()
        wanted = canonical(path[-1], self.lab) == self.wanted
        return not wanted, not name.endswith(".ipynb"), not name.endswith(".zip"), path

    def take(self, entry: Entry, path: tuple[str, ...]) -> None:
        name = "/".join(path)
        try:
            if path[-1].casefold().endswith(".zip") and entry.refused is None:
                self._unpack(entry, path)
            elif path in BESIDE:
                self._keep(entry, path[-1])
            else:
                self._save(entry, path, name)
        except Refused as reason:
            self._refuse(name, str(reason))

    def _refuse(self, name: str, reason: str) -> None:
        if len(self.refused) < MAX_FILES:
            self.refused.append([shown(name), reason])

    def _save(self, entry: Entry, path: tuple[str, ...], name: str) -> None:
        if len(self.files) >= MAX_FILES:
            raise Refused(f"is one of more than {MAX_FILES} files: hand in the notebook only")
        self._allow(entry)
        path = self._free(path)
        target = self.folder.joinpath("files", *path)
        size, digest = archives.save(entry, target, STUDENT_ZIP, self.room)
        self.room -= size
        self.files.append(File("/".join(path), name, digest, size))

    def _allow(self, entry: Entry) -> None:
        """Refused if there is no room for a file, or too much has been read for this attempt."""
        if entry.refused is None:
            self.patience -= entry.size
            if entry.size > self.room or self.patience < 0:
                raise Refused(TOO_MUCH)

    def _keep(self, entry: Entry, name: str) -> Path:
        """Put a file beside those that grading gets to see."""
        self._allow(entry)
        self._others += 1
        target = self.folder / "other" / f"{self._others}-{name}"
        size, _ = archives.save(entry, target, STUDENT_ZIP, self.room)
        self.room -= size
        return target

    def _unpack(self, entry: Entry, path: tuple[str, ...]) -> None:
        """Take the files of a student's own zip, in a folder named like it."""
        packed = self._keep(entry, path[-1])
        folder = self._free((*path[:-1], path[-1][:-4] or "zip"))
        with contextlib.ExitStack() as stack:
            try:
                opened = archives.open_zip(packed, STUDENT_ZIP, self.wanted)
                entries = stack.enter_context(opened)
            except Refused as reason:
                raise Refused(f"{reason}: hand in the notebook itself") from None
            top = _common_folder([inner.parts for inner in entries])
            if not entries:
                raise Refused("is an empty zip: hand in the notebook itself")
            for inner in sorted(entries, key=lambda inner: self.rank(inner.parts)):
                name = f"{inner.name} in {path[-1]}"
                try:
                    if inner.parts[-1].casefold().endswith(".zip"):
                        raise Refused("is a zip in a zip: hand in the notebook itself")
                    self._save(inner, (*folder, *inner.parts[len(top) :]), name)
                except Refused as reason:
                    self._refuse(name, str(reason))

    def _free(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """`path`, or one like it that no other file has, on any file system."""
        stem, dot, ending = path[-1].rpartition(".")
        stem, ending = (stem, dot + ending) if stem else (path[-1], "")
        tried, number = path, 1
        while archives.same_place(tried) in self._places:
            number += 1
            tried = (*path[:-1], f"{stem} ({number}){ending}")
        self._places.add(archives.same_place(tried))
        return tried

    def name_the_notebook(self) -> None:
        """Give the lab's notebook its name, when only a browser or an LMS has taken it away."""
        notebooks = [f for f in self.files if f.path.casefold().endswith(".ipynb")]
        names = {file: file.path.rsplit("/", 1)[-1] for file in notebooks}
        chosen = [f for f in notebooks if f.path == self.wanted]
        chosen = chosen or _only([f for f in notebooks if names[f] == self.wanted])
        chosen = chosen or _only(
            [f for f in notebooks if canonical(names[f], self.lab) == self.wanted]
        )
        if not chosen:
            return
        file = chosen[0]
        if file.path != self.wanted:
            files = self.folder / "files"
            if archives.same_place((self.wanted,)) in self._places - {
                archives.same_place(tuple(file.path.split("/")))
            }:
                return  # a folder of that name, say
            os.replace(files / file.path, files / self.wanted)
            self.files.remove(file)
            self.files.append(File(self.wanted, file.name, file.sha256, file.bytes))
        others = [shown(f.name) for f in notebooks if f is not file]
        if others:
            listed = ", ".join(others[:3])
            self.notes.append(f"{shown(file.name)} counts; not looked at: {listed}")


def _only(files: list[File]) -> list[File]:
    return files if len(files) == 1 else []


def _common_folder(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders that all paths lie in."""
    common = paths[0][:-1] if paths else ()
    for path in paths:
        while path[: len(common)] != common or len(path) <= len(common):
            common = common[:-1]
    return common


# --- the store ---------------------------------------------------------------------------------


class Store:
    """All attempts of one lab."""

    def __init__(self, course: Course, lab: str):
        self.course, self.lab = course, lab
        self.root = course.collected / lab

    def read(self) -> list[Attempt]:
        """Every attempt that counts, matched or not, in no order."""
        homes = [*_folders(self.root), *_folders(self.root / UNMATCHED)]
        return [
            Attempt.read(folder)
            for home in homes
            for folder in _folders(home)
            if (folder / RECORD).is_file()
        ]

    def home(self, attempt: Attempt, student: str | None) -> Path:
        if student is not None:
            return self.root / student
        who = attempt.who
        short = hashlib.sha256(json.dumps(who.key).encode()).hexdigest()[:8]
        return self.root / UNMATCHED / f"{who.lms}-{archives.safe_name(who.id)[:40]}-{short}"

    def write(self, attempts: Iterable[tuple[Attempt, str | None]]) -> None:
        """Put attempts, or what has changed of them, where they belong: all or nothing of each."""
        attempts = list(attempts)
        new = [attempt for attempt, _ in attempts if not attempt.stored]
        for attempt in new:
            (attempt.folder / RECORD).write_bytes(attempt.to_json())
        with ThreadPoolExecutor(8) as pool:  # the disk does many at a time as quickly as one
            list(pool.map(_sync, (a.folder for a in new)))
        for attempt, student in attempts:
            if attempt.stored and attempt.changed:
                write_atomically(attempt.folder / RECORD, attempt.to_json())
            home = self.home(attempt, student)
            if attempt.folder.parent != home:
                self._move(attempt, home)
            attempt.stored, attempt.changed = True, False

    def undo(self, attempt: Attempt, batch: str, student: str) -> None:
        """Take an attempt out of the store; it stays under .undone/ until somebody removes it."""
        self._move(attempt, self.root / UNDONE / archives.safe_name(batch) / student)

    def _move(self, attempt: Attempt, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        target, number = home / attempt.name, 1
        while target.exists():
            number += 1
            target = home / f"{attempt.name}-{number}"
        former = attempt.folder.parent
        os.rename(attempt.folder, target)
        attempt.folder = target
        if attempt.stored:
            with contextlib.suppress(OSError):  # not empty yet
                former.rmdir()


def _folders(path: Path) -> list[Path]:
    """The folders in a folder; links and names that begin with a dot are none."""
    try:
        with os.scandir(path) as entries:
            return [
                path / entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
    except OSError:
        return []


def newest(attempts: Iterable[Attempt]) -> Attempt | None:
    """The attempt that counts.

    Of two whose times are known the later one; else the one that was there at the later collect,
    because an LMS gives out what counts at that moment. What was put there by hand goes by the
    clock of this machine.
    """
    ordered = sorted(attempts, key=lambda a: (a.last.batch, a.last.order, a.name))
    top = None
    for attempt in ordered:
        if top is None or _supersedes(attempt, top):
            top = attempt
    return top


def _supersedes(later: Attempt, earlier: Attempt) -> bool:
    known = later.last.received and earlier.last.received
    if known or later.by_hand or earlier.by_hand:
        return later.last.when >= earlier.last.when
    return True


# --- submitted/ --------------------------------------------------------------------------------


def adopt(
    course: Course, lab: str, student: str, known: Iterable[Attempt], scratch: Path, batch: str
) -> Attempt | None:
    """What an instructor has put into submitted/ for a student, as an attempt of its own.

    None if there is nothing, or only what is the same as a `known` attempt. It sorts by when it was
    put there, whenever the work came in.
    """
    folder = course.submission_dir(student, lab)
    there = placed.fingerprint(folder)
    if not there or any(attempt.fingerprint == there for attempt in known):
        return None
    if folder.is_symlink():
        entries = [Entry(lab, (lab,), 0, "is a link, not a folder: hand in the file itself")]
    else:
        entries = archives.folder_entries(folder, Limits(members=placed.MAX_FILES))
    changed = [folder.lstat().st_ctime]
    for entry in entries:
        with contextlib.suppress(OSError):
            changed.append(folder.joinpath(*entry.parts).lstat().st_ctime)
    put_there = datetime.fromtimestamp(max(changed), timezone.utc).replace(tzinfo=None)
    sighting = Sighting(batch, put_there, how="put there by hand")
    who = Identity("hand", student, student=student)
    return take(scratch, who, lab, [(entry, entry.parts) for entry in entries], sighting)


def place(
    course: Course,
    lab: str,
    student: str,
    attempt: Attempt,
    received: datetime | None,
    kept: Path | None = None,
) -> bool:
    """Make submitted/STUDENT/LAB what the attempt holds; whether anything had to change.

    The folder is exchanged as a whole. `received` goes into timestamp.txt, so that the formgrader
    finds it equal to the time in the gradebook and asks for no second grading. What was there
    before goes, or is moved to `kept`.
    """
    target = course.submission_dir(student, lab)
    _check_no_link(course, target.parent)
    stamp = received.strftime(TIMESTAMP_FORMAT) if received else None
    changed = False
    _sweep(target)
    same = placed.fingerprint(target) == attempt.fingerprint
    if not same or not target.is_dir() or _read(target / placed.TIMESTAMP) != stamp:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{lab}."))
        shutil.copytree(attempt.folder / "files", new, dirs_exist_ok=True)
        if stamp is not None:
            (new / placed.TIMESTAMP).write_text(stamp, encoding="utf-8")
        new.chmod(0o755)
        _sync(new)
        _exchange(new, target, kept)
        changed = True
    path = placed.record_path(course, lab, student)
    record = attempt.record().to_json()
    if _read_bytes(path) != record:
        write_atomically(path, record)
        changed = True
    return changed


def _sync(folder: Path) -> None:
    """Have a new folder's files on the disk before it gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def withdraw(course: Course, lab: str, student: str) -> None:
    """Take away a submission that has no attempt any more (it must have been adopted before)."""
    target = course.submission_dir(student, lab)
    _check_no_link(course, target.parent)
    if os.path.lexists(target):
        _exchange(None, target)
    placed.record_path(course, lab, student).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        target.parent.rmdir()


def collected_students(course: Course, lab: str) -> set[str]:
    """Those whose submission collect has put there."""
    folder = placed.record_path(course, lab, "x").parent
    return {path.stem for path in folder.glob("*.json")} if folder.is_dir() else set()


def _exchange(new: Path | None, target: Path, kept: Path | None = None) -> None:
    """Put `new` in the place of `target`, which goes, or to `kept`; a kill leaves both aside."""
    old = None
    if os.path.lexists(target):
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(target, kept)
        else:
            old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
            os.rename(target, old / target.name)
    if new is not None:
        os.rename(new, target)
    if old is not None:
        shutil.rmtree(old)


def _sweep(target: Path) -> None:
    """Remove what a killed exchange has left beside a submission."""
    for path in target.parent.glob(f".{target.name}.*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


def _check_no_link(course: Course, folder: Path) -> None:
    """CourseError if a student's folder is a link: what is written there would land elsewhere."""
    if folder.is_symlink():
        raise CourseError(
            f"{folder.relative_to(course.root)} is a link: put the folder itself there", status=1
        )


def write_received(course: Course, lab: str, times: dict[str, datetime | None]) -> None:
    """Record when the submissions of `lab` came in; students not in `times` keep what they have.

    None takes a record away: the time is not known.
    """
    path = course.root / RECEIVED
    rows = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                student, of = (row.get("student") or "").strip(), (row.get("lab") or "").strip()
                if student and (of != lab or student not in times):
                    rows.append((student, of, (row.get("received") or "").strip()))
    rows += [(s, lab, when.isoformat()) for s, when in times.items() if when is not None]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("student", "lab", "received"))
    writer.writerows(sorted(rows, key=lambda row: (row[1], row[0])))
    data = text.getvalue().encode()
    if _read_bytes(path) != data and (rows or path.is_file()):
        write_atomically(path, data)


def _read(path: Path) -> str | None:
    data = _read_bytes(path)
    return None if data is None else data.decode("utf-8", "replace")


def _read_bytes(path: Path) -> bytes | None:
    """A regular file's bytes, of at most a megabyte; None if there is none."""
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(archives.MB)
    except OSError:
        return None

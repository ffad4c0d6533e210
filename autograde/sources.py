"""Read what a class has handed in, person by person, from a folder, a zip or the exchange."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autograde import archives, exchange
from autograde.archives import Entry
from autograde.course import Course
from autograde.errors import CourseError
from autograde.intake import Refused, shown
from autograde.lms import COLLECTORS, Named, SafeExtractor, canonical, detect
from autograde.roster import Identity

FOLDER = "folder"


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


@contextlib.contextmanager
def open_source(course: Course, lab: str, path: Path, lms: str | None) -> Iterator[Source]:
    """What lies at `path`, a folder or a zip. CourseError if nothing can be read there."""
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

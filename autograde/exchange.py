"""Read what students have submitted to nbgrader's exchange, and when, without believing them.

`nbgrader submit` copies a folder to ROOT/COURSE/inbound/STUDENT+LAB+TIME+RANDOM
(nbgrader/exchange/default/submit.py). Whoever may write there can choose that name and what
lies below it, so an id is compared with the folder's owner and a time with the file system's.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from autograde import archives
from autograde.archives import Entry, Limits
from autograde.course import COURSE_ID, Course, configure
from autograde.errors import CourseError
from autograde.roster import Identity

# How far a folder's own time may be from the file system's before the latter counts.
TOLERANCE = timedelta(minutes=10)
# A submission's folder holds one person's files.
LIMITS = Limits(members=1_000)


@dataclass(frozen=True)
class Submitted:
    """A submission in the exchange. note: what is odd about its time, or ""."""

    who: Identity
    received: datetime
    note: str
    entries: list[Entry]


def read_config(course: Course):
    """nbgrader's configuration as its own commands see it, with this course's on top."""
    from jupyter_core.paths import jupyter_config_path
    from traitlets.config import Config
    from traitlets.config.loader import (
        ConfigFileNotFound,
        JSONFileConfigLoader,
        PyFileConfigLoader,
    )

    config = Config()
    for folder in [*reversed(jupyter_config_path()), str(course.root)]:
        for loader, ending in ((JSONFileConfigLoader, "json"), (PyFileConfigLoader, "py")):
            try:
                config.merge(loader(f"nbgrader_config.{ending}", path=folder).load_config())
            except ConfigFileNotFound:
                continue
            except Exception as error:
                raise CourseError(f"{folder}/nbgrader_config.{ending}: {error!r}") from None
    configure(config, course)
    return config


def inbound(course: Course):
    """nbgrader's collector for this course, and its folder of submissions. CourseError if none."""
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeFactory
    from nbgrader.exchange.default import ExchangeCollect

    from autograde.build import quiet_log

    config, (log, _) = read_config(course), quiet_log()
    coursedir = CourseDirectory(config=config, log=log)
    collector = ExchangeFactory(config=config).Collect(coursedir=coursedir, config=config, log=log)
    if not isinstance(collector, ExchangeCollect):
        raise CourseError(
            f"the exchange is {type(collector).__name__}, not nbgrader's folder: collect with "
            "nbgrader collect into a folder, then name that folder"
        )
    folder = Path(collector.root) / COURSE_ID / "inbound"
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise CourseError(
            f"the exchange {folder}: {error.strerror}; set c.Exchange.root in nbgrader_config.py, "
            "or name a folder or a zip to collect"
        ) from None
    return collector, folder


def read(course: Course, lab: str) -> tuple[Path, list[Submitted], list[str]]:
    """The exchange's inbound folder, every submission of `lab`, and names that say nothing.

    A student may have submitted several times; all of them are there, oldest first.
    """
    collector, folder = inbound(course)
    found, unknown = [], []
    for name in sorted(os.listdir(folder)):
        if f"+{lab}+" not in name:
            continue
        try:
            record = collector._path_to_record(str(folder / name))
            user, named = record["username"], record["timestamp"]
        except Exception:  # whatever a made-up name can bring a date parser to
            unknown.append(name)
            continue
        if not name.startswith(f"{user}+{lab}+"):
            unknown.append(name)
            continue
        try:
            found.append(_submitted(folder, name, user, named, collector.check_owner))
        except OSError:  # taken away meanwhile
            unknown.append(name)
    return folder, sorted(found, key=lambda one: one.received), unknown


def _submitted(folder: Path, name: str, user: str, named: datetime, check_owner: bool) -> Submitted:
    path = folder / name
    try:
        if path.is_symlink():
            raise OSError(0, "is a link, not a folder")
        entries = archives.folder_entries(path, LIMITS, hard_links=False)
    except OSError as error:
        entries = [Entry(name, (archives.safe_name(name),), 0, error.strerror)]
    changed = _last_change(path)
    note = ""
    received = named
    if abs(changed - named) > TOLERANCE:
        received = changed
        note = f"time from the file system; the folder is named {named:%Y-%m-%d %H:%M} UTC"
    doubt = _doubt(path, user) if check_owner else ""
    return Submitted(Identity("exchange", user, doubt=doubt), received, note, entries)


def _last_change(path: Path) -> datetime:
    """When anything in a submission was last changed, UTC: ctime, which its owner cannot set.

    Of the folder and everything below it, because a file can be written anew without a trace in its
    folder. Links are not followed.
    """
    latest = path.lstat().st_ctime
    below = os.walk(path) if not path.is_symlink() else ()
    names = ((top, name) for top, folders, files in below for name in (*folders, *files))
    for top, name in itertools.islice(names, LIMITS.members):
        with contextlib.suppress(OSError):
            latest = max(latest, os.lstat(os.path.join(top, name)).st_ctime)
    return datetime.fromtimestamp(latest, timezone.utc).replace(tzinfo=None)


def _doubt(path: Path, user: str) -> str:
    """Why the folder is not believed to be the user's; nbgrader's own check, which only warns."""
    from nbgrader.utils import pwd

    if pwd is None:
        return ""
    try:
        owner = pwd.getpwuid(path.lstat().st_uid).pw_name
    except KeyError:
        owner = "an unknown account"
    if owner == user:
        return ""
    return (
        f"says it is by {user}, but belongs to {owner}: if accounts are shared here, set "
        "c.ExchangeCollect.check_owner = False and collect again"
    )

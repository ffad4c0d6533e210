"""Take files out of hostile zips and folders: regular ones, of bounded size, by clean names.

What cannot be taken is refused by name with a reason, and everything beside it goes on. Nothing
that an archive says about itself is believed: what is read is bounded while it is read, and where
it is written is decided by whoever calls `save`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from autograde.intake import MAX_FILE_BYTES, Refused, clean, shown

MB = 1024 * 1024
CHUNK = 256 * 1024


@dataclass(frozen=True)
class Limits:
    """What is taken at most. Sizes are in bytes, of what comes out, not of what is in the zip.

    members, directory_bytes: of a zip's table of contents. ratio: of size to compressed size, for
    members of more than a megabyte (deflate reaches 1030; a notebook of one repeated line 300).
    """

    members: int = 50_000
    directory_bytes: int = 16 * MB
    total_bytes: int = 40_000 * MB
    file_bytes: int = MAX_FILE_BYTES
    zip_bytes: int = 60 * MB
    ratio: int = 400
    depth: int = 12


# For a zip that a student has made.
STUDENT_ZIP = Limits(members=2_000, directory_bytes=MB // 2, total_bytes=200 * MB)

# What programs leave in archives and folders without anybody's doing.
JUNK_FOLDERS = {"__macosx", ".ipynb_checkpoints", "__pycache__", ".git"}
JUNK_FILES = {".ds_store", "thumbs.db", "desktop.ini"}

KINDS = {
    stat.S_IFLNK: "is a link, not a file: hand in the file itself",
    stat.S_IFCHR: "is a device, not a file: hand in the file itself",
    stat.S_IFBLK: "is a device, not a file: hand in the file itself",
    stat.S_IFIFO: "is a named pipe, not a file: hand in the file itself",
    stat.S_IFSOCK: "is a socket, not a file: hand in the file itself",
}
OVERLAPS = "shares its bytes with another member (a zip bomb): hand in the file itself"
TOO_DEEP = "lies too deep in folders: hand in the file itself"


@dataclass(frozen=True)
class Entry:
    """A file in an archive or a folder.

    name: as it is called there, for messages. parts: its path, cleaned. refused: why it is not
    taken, without its name; then `open` is not to be called. size: as declared; exact: a file of
    another size is damaged.
    """

    name: str
    parts: tuple[str, ...]
    size: int = 0
    refused: str | None = None
    open: Callable[[], BinaryIO] = field(default=open, repr=False, compare=False)
    exact: bool = False


# --- names -------------------------------------------------------------------------------------


def path_problem(name: str) -> str | None:
    """Why a member's name is no path below the place it is unpacked to; None if it is one."""
    if "\0" in name:
        return "has a NUL in its name: name it otherwise"
    if name.startswith(("/", "\\")):
        return "has an absolute path: hand in the file itself"
    if re.match(r"[A-Za-z]:", name):
        return "has a path with a drive letter: hand in the file itself"
    parts = set(re.split(r"[/\\]", name))
    if ".." in parts:
        return "has a path that leads out of its archive (..): hand in the file itself"
    return None if parts - {"", "."} else "has no name: name it"


def clean_parts(name: str) -> tuple[str, ...]:
    """A member's path as names that are safe to write anywhere; empty if there are none left."""
    parts = (part for part in re.split(r"[/\\]", name) if part not in ("", ".", ".."))
    return tuple(safe_name(part) for part in parts)


def safe_name(part: str) -> str:
    """A file name without what a file system or a terminal takes for more than a letter."""
    text = unicodedata.normalize("NFC", clean(part))
    text = "".join(c if c.isprintable() and c not in '<>:"|?*/\\' else "_" for c in text)
    text = text.strip().rstrip(".") or "_"
    if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", text, flags=re.IGNORECASE):
        text = f"_{text}"
    stem, dot, ending = text.rpartition(".")
    if len(text.encode()) > 150:
        ending = f".{ending}" if dot and len(ending.encode()) <= 10 else ""
        stem = (stem if ending else text).encode()[: 140 - len(ending.encode())]
        text = stem.decode("utf-8", "ignore").rstrip() + "~" + ending
    return text


def same_place(parts: tuple[str, ...]) -> str:
    """Equal for paths that are one file on some file system (macOS, Windows)."""
    return unicodedata.normalize("NFKC", "/".join(parts)).casefold()


def is_junk(parts: tuple[str, ...]) -> bool:
    """Whether a path is a program's leftover that nobody has handed in."""
    folded = [part.casefold() for part in parts]
    return (
        not JUNK_FOLDERS.isdisjoint(folded[:-1])
        or folded[-1] in JUNK_FILES
        or folded[-1].startswith("._")
    )


# --- zips --------------------------------------------------------------------------------------


class _Bounded:
    """A file in which no single read is larger than a limit: a table of contents is one read."""

    def __init__(self, file: BinaryIO, limit: int):
        self._file, self._limit = file, limit

    def read(self, size: int = -1) -> bytes:
        limit = MB if size < 0 else self._limit  # without a size: the end of the file, 64 KB
        data = self._file.read(limit + 1 if size < 0 else min(size, limit + 1))
        if len(data) > limit:
            raise zipfile.BadZipFile("its table of contents is too large")
        return data

    def __getattr__(self, name: str):
        return getattr(self._file, name)


@contextlib.contextmanager
def open_zip(path: Path, limits: Limits, prefer: str = "") -> Iterator[list[Entry]]:
    """The members of a zip, without folders and junk. Refused if it cannot be read at all.

    Of two members that would be one file, the one called `prefer` is taken, else the first.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            bounded = _Bounded(file, max(limits.directory_bytes, MB))
            archive = stack.enter_context(zipfile.ZipFile(bounded))  # type: ignore[arg-type]
            entries = _entries(archive, limits)
        except Refused:
            raise
        except Exception as error:  # whatever a made-up zip can bring the library to
            raise Refused(f"cannot be read as a zip ({_short(error)})") from None
        yield without_doubles(entries, prefer)


def _entries(archive: zipfile.ZipFile, limits: Limits) -> list[Entry]:
    infos = archive.infolist()
    if len(infos) > limits.members:
        raise Refused(f"has {len(infos)} members, more than {limits.members}")
    overlapping = _overlapping(archive, infos)
    entries = []
    for number, info in enumerate(infos):
        name = _member_name(info)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind in (0, stat.S_IFDIR) and name.endswith(("/", "\\")):
            continue
        parts = clean_parts(name) or ("_",)
        if is_junk(parts):
            continue
        refused = _member_problem(info, name, kind, limits)
        if refused is None and len(parts) > limits.depth:
            refused = TOO_DEEP
        if refused is None and number in overlapping:
            refused = OVERLAPS
        entries.append(
            Entry(
                name,
                parts,
                info.file_size,
                refused,
                lambda info=info: archive.open(info),  # type: ignore[misc]
                exact=True,
            )
        )
    return entries


def _member_name(info: zipfile.ZipInfo) -> str:
    """A member's name. Canvas writes UTF-8 without saying so, which zipfile reads as cp437."""
    name = info.orig_filename
    if not info.flag_bits & 0x800 and not name.isascii():
        with contextlib.suppress(UnicodeError):
            return name.encode("cp437").decode("utf-8")
    return name


def _member_problem(info: zipfile.ZipInfo, name: str, kind: int, limits: Limits) -> str | None:
    problem = path_problem(name)
    if problem:
        return problem
    if kind not in (0, stat.S_IFREG):
        return KINDS.get(kind, "is not a regular file: hand in the file itself")
    if info.flag_bits & (0x1 | 0x40 | 0x2000):
        return "is encrypted: hand it in without a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return (
            f"is compressed by a method that is not read here ({info.compress_type}): "
            "hand in the file itself"
        )
    return size_problem(name, info.file_size, limits) or _ratio_problem(info, limits)


def size_problem(name: str, size: int, limits: Limits) -> str | None:
    """Why a file of this size is not taken, or None."""
    limit = limits.zip_bytes if name.casefold().endswith(".zip") else limits.file_bytes
    if size > limit:
        smaller = "hand in what the lab asks for"
        if name.casefold().endswith((".ipynb", ".zip")):
            smaller = "clear the notebook's outputs and hand it in again"
        return f"has {size / MB:.0f} MB, more than {limit // MB} MB: {smaller}"
    return None


def _ratio_problem(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    if info.file_size > MB and info.file_size > limits.ratio * max(info.compress_size, 1):
        times = info.file_size // max(info.compress_size, 1)
        return f"unpacks to {times} times its size (a zip bomb): hand in the file itself"
    return None


def _overlapping(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> set[int]:
    """Numbers of the members whose bytes another member, or the table of contents, claims too.

    See https://www.bamsoftware.com/hacks/zipbomb/. A member is taken to be as short as it can be,
    which an honest one never is.
    """
    order = sorted(range(len(infos)), key=lambda n: infos[n].header_offset)
    found: set[int] = set()
    reach, owner = -1, -1
    for number in order:
        info = infos[number]
        if info.header_offset < reach:
            found |= {number, owner}
        end = info.header_offset + 30 + len(info.orig_filename) + info.compress_size
        if end > archive.start_dir:
            found.add(number)
        if end > reach:
            reach, owner = end, number
    return found


def without_doubles(entries: list[Entry], prefer: str = "") -> list[Entry]:
    """The entries; those that would be the file of another one are refused, all but one."""
    first: dict[str, Entry] = {}
    ordered = sorted(
        (entry for entry in entries if entry.refused is None),
        key=lambda entry: entry.parts[-1] != prefer,
    )
    for entry in ordered:
        first.setdefault(same_place(entry.parts), entry)
    kept = []
    for entry in entries:
        other = first.get(same_place(entry.parts), entry)
        if entry.refused is None and other is not entry:
            if other.name == entry.name:
                reason = "is in the archive twice: the first was taken"
            else:
                reason = (
                    f"differs from {shown(other.name)} only in case, Unicode form or characters "
                    "that cannot stand in a file name: name it otherwise"
                )
            entry = Entry(entry.name, entry.parts, entry.size, reason)
        kept.append(entry)
    return kept


def total_size(entries: list[Entry]) -> int:
    """Bytes that come out of entries at most: no member can give more than it declares."""
    return sum(entry.size for entry in entries if entry.refused is None)


# --- folders -----------------------------------------------------------------------------------


def folder_entries(
    root: Path, limits: Limits, prefer: str = "", hard_links: bool = True
) -> list[Entry]:
    """The files below a folder, without junk; links are refused, never followed.

    hard_links: False where others may write, and could link a file that they may not read.
    OSError if the folder itself cannot be read; one below it is refused.
    """
    entries: list[Entry] = []
    _walk(root, (), limits, hard_links, entries)
    return without_doubles(entries, prefer)


def _walk(
    root: Path, below: tuple[str, ...], limits: Limits, hard_links: bool, found: list[Entry]
) -> None:
    with contextlib.ExitStack() as stack:
        try:
            handle = _open_below(root, below, folder=True, trusted=hard_links)
            if isinstance(handle, int):
                stack.callback(os.close, handle)
            with os.scandir(handle) as scanned:
                few = itertools.islice(scanned, limits.members + 1)
                children = sorted(few, key=lambda child: child.name)
        except OSError as error:
            if not below:
                raise
            found.append(_refused_path(below, f"cannot be read ({error.strerror})"))
            return
        kinds = []
        for child in children:
            with contextlib.suppress(OSError):  # gone meanwhile
                kinds.append((child.name, child.stat(follow_symlinks=False)))
    for name, status in kinds:
        path = (*below, name)
        parts = tuple(safe_name(part) for part in path)
        if len(found) >= limits.members:
            found.append(_refused_path(path, f"is one of more than {limits.members} files"))
            return
        if stat.S_ISDIR(status.st_mode):
            if name.casefold() in JUNK_FOLDERS:
                continue
            if len(path) > limits.depth:
                found.append(_refused_path(path, TOO_DEEP))
                continue
            _walk(root, path, limits, hard_links, found)
        elif not is_junk(parts):
            shown_name = "/".join(map(clean, path))
            refused = KINDS.get(stat.S_IFMT(status.st_mode)) or size_problem(
                shown_name, status.st_size, limits
            )
            if refused is None and not hard_links and status.st_nlink > 1:
                refused = "is a hard link to a file elsewhere: hand in a file of its own"
            found.append(
                Entry(
                    shown_name,
                    parts,
                    status.st_size,
                    refused,
                    lambda path=path: _open_file(root, path, hard_links),  # type: ignore[misc]
                )
            )


def _refused_path(path: tuple[str, ...], reason: str) -> Entry:
    return Entry("/".join(map(clean, path)), tuple(map(safe_name, path)), 0, reason)


def _open_file(root: Path, path: tuple[str, ...], hard_links: bool) -> BinaryIO:
    handle = _open_below(root, path, folder=False, trusted=hard_links)
    file = os.fdopen(handle, "rb") if isinstance(handle, int) else handle.open("rb")
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or (status.st_nlink > 1 and not hard_links):
        file.close()
        raise Refused("is not a regular file: hand in the file itself")
    return file


def _open_below(
    root: Path, path: tuple[str, ...], folder: bool, trusted: bool = True
) -> int | Path:
    """A descriptor of what lies below a folder, opened name by name and never through a link.

    With `trusted`, the folder itself may be one. So nobody who may write there can put a link into
    the way between looking and reading. Where the system has no such calls (Windows) it is a path.
    """
    if os.open not in os.supports_dir_fd:
        target = root.joinpath(*path)
        if any((root.joinpath(*path[:n])).is_symlink() for n in range(1, len(path) + 1)):
            raise OSError(0, "a link is in its path")
        return target
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | (0 if trusted else os.O_NOFOLLOW))
    for number, name in enumerate(path, start=1):
        inner = folder or number < len(path)
        flags = os.O_RDONLY | os.O_NOFOLLOW | (os.O_DIRECTORY if inner else os.O_NONBLOCK)
        try:
            following = os.open(name, flags, dir_fd=handle)
        finally:
            os.close(handle)
        handle = following
    return handle


# --- writing -----------------------------------------------------------------------------------


def save(entry: Entry, target: Path, limits: Limits, room: int | None = None) -> tuple[int, str]:
    """Write an entry's bytes to a new file; how many they are, and their SHA-256.

    Refused (nothing is left at `target`) if they cannot be read, or are more than the limits or
    `room`, the bytes that this student has left, allow. OSError if they cannot be written.
    """
    if entry.refused is not None:
        raise Refused(entry.refused)
    limit = limits.zip_bytes if entry.parts[-1].casefold().endswith(".zip") else limits.file_bytes
    digest, size = hashlib.sha256(), 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        output = target.open("xb")
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise Refused("is in the place of another file or folder: name it otherwise") from None
    try:
        with output:
            for chunk in _chunks(entry):
                size += len(chunk)
                if size > limit:
                    raise Refused(size_problem(entry.name, size, limits) or "is too large")
                if room is not None and size > room:
                    raise Refused("is too much together with the other files: hand in fewer")
                digest.update(chunk)
                output.write(chunk)
            if entry.exact and size != entry.size:
                raise Refused(f"is damaged ({size} bytes, not {entry.size}): hand it in again")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return size, digest.hexdigest()


def _chunks(entry: Entry) -> Iterator[bytes]:
    """What an entry holds, in pieces. Refused at the first that cannot be read."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(contextlib.closing(_tried(entry.open)))
        while chunk := _tried(lambda: source.read(CHUNK)):
            yield chunk


def _tried(read: Callable):
    """What `read` gives. Refused for whatever a made-up file can bring the library to."""
    try:
        return read()
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"is damaged ({_short(error)}): hand it in again") from None


def _short(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return shown(text)

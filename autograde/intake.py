"""Take in one submission without trusting it: what can be read is read, the rest gets a reason."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from autograde.course import Course

MAX_FILE_BYTES = 20 * 1024 * 1024
# Of a file that a test looks at: as course_utils.policy_files has it.
MAX_HANDED_IN_BYTES = 5_000_000
MAX_CELLS = 5_000
MAX_CELL_CHARACTERS = 200_000
MAX_CHARACTERS = 1_000_000
MAX_FOLDER_ENTRIES = 1_000
MAX_NAME_SHOWN = 60
MAX_NAME_BYTES = 128  # of a student's id: the gradebook's column
# Late by at least this much, when an LMS says that it is late and no more.
MARKED_LATE = timedelta(seconds=1)


@dataclass(frozen=True)
class Cell:
    """What is taken from one submitted cell: its kind, text, ids. Nothing else crosses intake."""

    kind: str  # "code", "markdown" or "raw"
    source: str
    id: str = ""
    grade_id: str = ""
    attachments: bool = False


@dataclass(frozen=True)
class HandedIn:
    """A file that one of the lab's tests looks at: its bytes, or the `problem` with it.

    `name` is what the lab asks for; a `note` says that another file was taken for it.
    """

    grade_id: str
    name: str
    data: bytes | None = field(default=None, repr=False)
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Submission:
    """One submission after intake: `cells`, or a `refusal` that its author can act on.

    `files`: what was handed in beside the notebook, of what the lab asks for; nothing else of it is
    looked at. `notes` are things accepted with a remark. `digest` identifies what was handed in
    (the bytes, or the kind of refusal), so that an unchanged submission need not be graded again.
    """

    student: str
    lab: str
    cells: tuple[Cell, ...] | None = None
    refusal: str | None = None
    notes: tuple[str, ...] = ()
    digest: str = ""
    received: datetime | None = None
    late: timedelta = field(default=timedelta(0))
    files: tuple[HandedIn, ...] = ()


class Refused(Exception):
    """A submission that cannot be graded; the text is the reason, one line."""


def students(course: Course, lab: str) -> list[str]:
    """Who handed something in for `lab`, sorted by id.

    That is every folder in submitted/ that holds a folder named like the lab, or only folders
    that are named like no lab at all (someone meant something: it is refused with a reason, not
    passed over).
    """
    known = set(course.labs())
    found = []
    for entry in _entries(course.submitted, limit=None):
        if entry.name.startswith(".") or not _is_folder(course.submitted / entry.name):
            continue
        inside = {
            child.name
            for child in _entries(course.submitted / entry.name)
            if not child.name.startswith(".") and not child.name.startswith("__")
        }
        if lab in inside or (inside and not inside & known):
            found.append(entry.name)
    return sorted(found)


def take_in(course: Course, student: str, lab: str, skeleton: dict) -> Submission:
    """Read the submission of `student` for `lab`. Never raises for anything that lies there.

    `skeleton` is the released notebook (a dict), against which the cells' ids are compared to
    tell this lab's notebook from another's.
    """
    from autograde.placed import read_record

    record = read_record(course, lab, student)
    received = course.received(lab).get(student)
    late = lateness(course, student, lab, received)
    remarks = list(record.notes) if record else []
    if record and record.marked_late and received is None:
        remarks.insert(0, "marked as late where it was handed in; by how much is not known")
    untaken = record.refusals if record else []
    try:
        cells, notes, digest = _read_submission(course, student, lab, skeleton)
    except Refused as refusal:
        reason = with_untaken(str(refusal), untaken, course.submission_dir(student, lab))
        return Submission(
            student,
            lab,
            refusal=reason,
            digest=hashlib.sha256(f"refused\0{reason}".encode()).hexdigest(),
            received=received,
            late=late,
        )
    files = take_in_files(course, student, lab, skeleton)
    remarks += [f"not taken: {line}" for line in untaken[:3]]
    remarks += [file.note for file in files if file.note]
    digest = digest_of(digest, files)
    return Submission(student, lab, cells, None, (*remarks, *notes), digest, received, late, files)


# --- files beside the notebook -------------------------------------------------------------------


def declared_files(skeleton: dict) -> dict[str, str]:
    """The files that a released notebook's tests look at: {grade_id of the test cell: name}.

    A test cell names its file as `hands_in` in its metadata.
    """
    found = {}
    for cell in skeleton["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id and cell["metadata"].get("hands_in"):
            found[grade_id] = str(cell["metadata"]["hands_in"])
    return found


def take_in_files(course: Course, student: str, lab: str, skeleton: dict) -> tuple[HandedIn, ...]:
    """Read the declared files from a submission's folder. Never raises for what lies there."""
    from autograde.placed import read_record

    wanted = declared_files(skeleton)
    if not wanted:
        return ()
    folder = course.submission_dir(student, lab)
    record = read_record(course, lab, student)
    untaken = record.refusals if record else []
    if folder.parent.is_symlink() or not _is_folder(folder):
        return given(skeleton, {})
    return tuple(_handed_in(folder, grade_id, name, untaken) for grade_id, name in wanted.items())


def given(skeleton: dict, files: dict[str, bytes]) -> tuple[HandedIn, ...]:
    """The declared files as handed in by hand: bytes by name; others were not handed in."""
    return tuple(
        HandedIn(grade_id, name, files[name])
        if name in files
        else HandedIn(grade_id, name, problem=_not_handed_in(name))
        for grade_id, name in declared_files(skeleton).items()
    )


def digest_of(notebook: str, files: Iterable[HandedIn]) -> str:
    """A submission's digest, from that of its notebook and its files."""
    parts = [(f.name, f.problem, hashlib.sha256(f.data or b"").hexdigest()) for f in files]
    if not parts:
        return notebook
    return hashlib.sha256(json.dumps([notebook, parts]).encode()).hexdigest()


def _handed_in(folder: Path, grade_id: str, name: str, untaken: list[str]) -> HandedIn:
    path, note = folder / name, ""
    if not os.path.lexists(path):
        ending = path.suffix
        alike = [found for found in _files_below(folder) if found.suffix.lower() == ending]
        if len(alike) != 1:
            problem = _not_handed_in(name)
            refused = [line for line in untaken if ending in line.lower()]
            if alike:
                listed = ", ".join(shown(found.relative_to(folder)) for found in alike[:3])
                problem = f"{name} is missing; found {listed}: hand in one, named {name}"
            elif refused:
                problem = one_line(refused[0])
            return HandedIn(grade_id, name, problem=problem)
        path = alike[0]
        note = f"{name} was missing; {shown(path.relative_to(folder))} was taken in its place"
    try:
        data = read_regular_file(path, MAX_HANDED_IN_BYTES, "write it with save_policy")
    except Refused as reason:
        return HandedIn(grade_id, name, problem=str(reason))
    return HandedIn(grade_id, name, data, note=note)


def _not_handed_in(name: str) -> str:
    return f"{name} was not handed in: write it with save_policy, hand it in beside the notebook"


# --- when it came --------------------------------------------------------------------------------


def lateness(course: Course, student: str, lab: str, received: datetime | None) -> timedelta:
    """By how much a submission came after the student's due date; zero if that is not known."""
    from autograde.placed import read_record

    if received is None:
        record = read_record(course, lab, student)
        return MARKED_LATE if record and record.marked_late else timedelta(0)
    due = course.due(lab, student)
    return max(received - due, timedelta(0)) if due else timedelta(0)


def with_untaken(reason: str, untaken: list[str], folder: Path) -> str:
    """Why a submission is refused, when some of its files (a line each) never got into its folder.

    Where no notebook did, and one may be among those files, that is the reason; else both are.
    """
    if not untaken:
        return reason
    likely = [line for line in untaken if re.search(r"\.(ipynb|zip)\b", line, re.IGNORECASE)]
    listed = "; ".join(one_line(line) for line in (likely or untaken)[:3])
    arrived = any(path.suffix.lower() == ".ipynb" for path in _files_below(folder))
    return listed if likely and not arrived else f"{reason}; {listed}"


def problem(course: Course, folder: Path, lab: str, skeleton: dict) -> str | None:
    """Why what lies in `folder` would be refused as a submission of `lab`; None if it would not."""
    try:
        _read_folder(folder, course, lab, skeleton)
    except Refused as reason:
        return str(reason)
    return None


# --- the folder --------------------------------------------------------------------------------


def _read_submission(course: Course, student: str, lab: str, skeleton: dict):
    folder = course.submission_dir(student, lab)
    wanted = f"{lab}.ipynb"
    if (course.submitted / student).is_symlink() or folder.is_symlink():
        raise Refused(f"{lab} is a link, not a folder: hand in the file itself")
    if not _is_folder(folder):
        others = [e.name for e in _entries(course.submitted / student) if e.name[:1] not in "._"]
        listed = " and ".join(shown(name) for name in others[:3])
        raise Refused(f"there is no folder {lab}; found {listed}: hand in {wanted} as {lab}")
    return _read_folder(folder, course, lab, skeleton)


def _read_folder(folder: Path, course: Course, lab: str, skeleton: dict):
    wanted = f"{lab}.ipynb"
    path = folder / wanted
    notes: list[str] = []
    if not os.path.lexists(path):
        path = _renamed(folder, lab, wanted, skeleton)
        notes.append(
            f"{wanted} was missing; {shown(path.relative_to(folder))} was taken in its place: "
            "hand it in under its own name"
        )
    data = read_regular_file(path)
    cells = parse(data, shown(path.name))
    refuse_foreign(cells, lab, skeleton, course, shown(path.name))
    return tuple(cells), tuple(notes), hashlib.sha256(data).hexdigest()


def _renamed(folder: Path, lab: str, wanted: str, skeleton: dict) -> Path:
    """The only notebook in the folder, when it is this lab's under another name."""
    files = _files_below(folder)
    notebooks = [path for path in files if path.suffix.lower() == ".ipynb"]
    if not notebooks:
        others = [shown(path.relative_to(folder)) for path in files][:3]
        found = f"; found {', '.join(others)}" if others else "; the folder is empty"
        raise Refused(f"{wanted} is missing{found}: hand in the notebook {wanted}")
    listed = ", ".join(shown(path.relative_to(folder)) for path in notebooks[:4])
    if len(notebooks) > 1:
        raise Refused(f"{wanted} is missing; found {listed}: hand in one, named {wanted}")
    try:
        cells = parse(read_regular_file(notebooks[0]), listed)
    except Refused as reason:
        raise Refused(f"{wanted} is missing, and {reason}") from None
    if not matches(cells, skeleton):
        raise Refused(
            f"{wanted} is missing; found {listed}, which is not the notebook of {lab}: "
            f"hand in {wanted}"
        )
    return notebooks[0]


def _files_below(folder: Path, depth: int = 2) -> list[Path]:
    """Regular files in `folder` and one level of folders in it; never through a link."""
    found: list[Path] = []
    for entry in _entries(folder):
        if entry.name.startswith((".", "__MACOSX")):
            continue
        path = folder / entry.name
        if entry.is_file(follow_symlinks=False):
            if entry.name != "timestamp.txt":
                found.append(path)
        elif entry.is_dir(follow_symlinks=False) and depth > 1:
            found += _files_below(path, depth - 1)
    return found


def _entries(folder: Path, limit: int | None = MAX_FOLDER_ENTRIES) -> list[os.DirEntry]:
    """At most `limit` entries of a folder, by name; none if it cannot be read."""
    found: list[os.DirEntry] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found.append(entry)
                if len(found) == limit:
                    break
    except OSError:
        return []
    return sorted(found, key=lambda entry: entry.name)


def _is_folder(path: Path) -> bool:
    return not path.is_symlink() and path.is_dir()


def read_regular_file(
    path: Path,
    limit: int | None = None,
    smaller: str = "clear its outputs and hand it in again",
) -> bytes:
    """The bytes of a regular file of at most `limit` (MAX_FILE_BYTES). Refused for anything else.

    smaller: what its author can do about one that is too large.
    Opened without following a link and without waiting (a named pipe would block for ever); kind
    and size are asked of the open file, so that nothing can be exchanged in between.
    """
    name, limit = shown(path.name), limit or MAX_FILE_BYTES
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    if path.is_symlink():
        raise Refused(f"{name} is a link, not a file: hand in the file itself")
    try:
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise Refused(f"{name} cannot be opened ({error.strerror}): hand it in again") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise Refused(f"{name} is {kind}: hand in the file itself")
        data = b""
        if status.st_size <= limit:
            with os.fdopen(handle, "rb", closefd=False) as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise Refused(f"{name} cannot be read ({error.strerror}): hand it in again") from None
    finally:
        os.close(handle)
    if status.st_size > limit or len(data) > limit:
        raise Refused(
            f"{name} has {status.st_size / 2**20:.0f} MB, more than {limit / 2**20:.0f} MB: "
            f"{smaller}"
        )
    return data


# --- the file ----------------------------------------------------------------------------------


def parse(data: bytes, name: str) -> list[Cell]:
    """The cells of a notebook file of any minor version. Refused with what is wrong with it.

    Only what can be used is looked at: no schema is enforced, so a notebook saved by an older or
    newer program counts as long as its cells can be read.
    """
    try:
        document = json.loads(_decode(data, name))
    except json.JSONDecodeError as error:
        raise Refused(_why_no_json(data, name, error)) from None
    except RecursionError:
        raise Refused(f"{name} is no notebook: it is nested too deeply") from None
    except ValueError as error:
        raise Refused(f"{name} is no notebook: {error}") from None
    if not isinstance(document, dict):
        raise Refused(f"{name} is JSON, but no notebook: save it in JupyterLab and hand that in")
    raw_cells = document.get("cells")
    if raw_cells is None and isinstance(document.get("worksheets"), list):
        raise Refused(
            f"{name} is in the notebook format of 2014 (version 3): open it in JupyterLab, save, "
            "hand it in again"
        )
    if not isinstance(raw_cells, list) or not raw_cells:
        raise Refused(f"{name} has no cells: save the notebook in JupyterLab and hand that in")
    if len(raw_cells) > MAX_CELLS:
        raise Refused(f"{name} has {len(raw_cells)} cells, more than {MAX_CELLS}: remove some")
    cells = [cell for cell in map(_cell, raw_cells) if cell is not None]
    if not cells:
        raise Refused(f"{name} has no readable cells: save it in JupyterLab and hand it in again")
    size = sum(len(cell.source) for cell in cells if len(cell.source) <= MAX_CELL_CHARACTERS)
    if size > MAX_CHARACTERS:
        raise Refused(
            f"{name} has {size:,} characters in its cells, more than {MAX_CHARACTERS:,}: "
            "remove what does not belong to the lab"
        )
    return cells


def _decode(data: bytes, name: str) -> str:
    if not data.strip():
        raise Refused(f"{name} is empty (0 bytes of notebook): save it and hand it in again")
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    raise Refused(_why_no_json(data, name, None))


def _why_no_json(data: bytes, name: str, error: json.JSONDecodeError | None) -> str:
    head = data.lstrip()[:200]
    if head.startswith(b"PK\x03\x04"):
        return f"{name} is a zip archive, not a notebook: unpack it and hand in the notebook"
    if head[:2] == b"\x1f\x8b":
        return f"{name} is compressed: unpack it and hand in the notebook"
    if head.startswith(b"%PDF"):
        return f"{name} is a PDF, not a notebook: hand in the .ipynb file"
    if head[:1] == b"<" and not head.startswith(b"<<<<"):
        return f"{name} is a web page, not a notebook: hand in the .ipynb file itself"
    if re.search(rb"^(<{7} |={7}$|>{7} )", data, flags=re.MULTILINE):
        return f"{name} holds unresolved merge conflicts: resolve them, then hand it in again"
    if error is None:
        return f"{name} is not a text file: hand in the notebook as JupyterLab saves it"
    cut_off = error.msg.startswith("Unterminated string")
    if cut_off or error.pos >= len(error.doc.rstrip()) - 1:
        return f"{name} breaks off at line {error.lineno}: save it again and hand in the whole file"
    return (
        f"{name} is not valid JSON ({error.msg} at line {error.lineno}): "
        "open it in JupyterLab, save, hand it in again"
    )


def _cell(raw: object) -> Cell | None:
    """A Cell from whatever stands in the list, or None when there is nothing to take."""
    if not isinstance(raw, dict) or raw.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = raw.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    metadata = raw.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return Cell(
        kind=raw["cell_type"],
        source=clean(source),
        id=_identifier(raw.get("id")),
        grade_id=_identifier(grade_id),
        attachments=bool(raw.get("attachments")),
    )


def _identifier(value: object) -> str:
    return clean(value)[:200] if isinstance(value, str) else ""


def clean(text: str) -> str:
    """Text that can be written as UTF-8: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")


TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)], None)


def plain_text(text: str) -> str:
    """What a program printed, as it reads in the end: no escape sequence or control character.

    A carriage return goes back to the start of the line, as progress bars want it. Linear in the
    text's length (nbconvert's own reading of colors is not: a megabyte of them takes 20 seconds).
    """
    text = TERMINAL.sub("", clean(text)) if "\x1b" in text else clean(text)
    if "\r" in text:
        lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
        text = "\n".join(lines)
    return text.translate(CONTROL)


# --- whose notebook is it ----------------------------------------------------------------------


def graded_ids(skeleton: dict) -> set[str]:
    """The grade_ids of a released notebook."""
    metas = (cell["metadata"].get("nbgrader", {}) for cell in skeleton["cells"])
    return {meta["grade_id"] for meta in metas if meta.get("grade_id")}


def matches(cells: Iterable[Cell], skeleton: dict) -> bool:
    """Whether these cells are the skeleton's lab, by grade_ids, cell ids or function names.

    Grade_ids decide where there are any. A notebook that has lost its metadata on the way (some
    programs drop it) is known by its cell ids or by the functions it defines.
    """
    from autograde.graft import defined_names

    cells = list(cells)
    own = graded_ids(skeleton)
    found = {cell.grade_id for cell in cells if cell.grade_id}
    if found:
        return 2 * len(found & own) >= len(found)
    ids = {cell["id"] for cell in skeleton["cells"]}
    if sum(cell.id in ids for cell in cells) >= max(2, len(ids) // 4):
        return True
    names = {name for cell in cells if cell.kind == "code" for name in defined_names(cell.source)}
    return len(names & own) >= max(1, len(solution_ids(skeleton)) // 2)


def solution_ids(skeleton: dict) -> list[str]:
    """The grade_ids of the solution cells, in order."""
    metas = [cell["metadata"].get("nbgrader", {}) for cell in skeleton["cells"]]
    return [meta["grade_id"] for meta in metas if meta.get("solution")]


def refuse_foreign(cells: list[Cell], lab: str, skeleton: dict, course: Course, name: str) -> None:
    """Raise Refused when the cells are not those of `lab`, saying whose they are if known."""
    if matches(cells, skeleton):
        return
    found = {cell.grade_id for cell in cells if cell.grade_id}
    for other in course.labs():
        path = course.release_path(other)
        if other != lab and path.is_file():
            try:
                theirs = graded_ids(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError):
                continue
            if found and 2 * len(found & theirs) >= len(found):
                raise Refused(f"{name} is the notebook of {other}: hand in the one of {lab}")
    raise Refused(f"{name} is not the notebook of {lab} (none of its cells): hand in that one")


def one_line(text: str) -> str:
    """Text that does nothing to a terminal: every control character becomes a question mark."""
    return "".join(c if c.isprintable() else "?" for c in clean(text))


def name_problem(student: str) -> str | None:
    """Why a folder's name in submitted/ cannot be a student's id, or None.

    nbgrader strips blanks from an id and reads it as a pattern of file names: `ann ` would be
    graded as `ann`, and `*` as everyone. Its formgrader writes an id into pages as it is.
    """
    if not student.isprintable():
        return "has characters that cannot be printed"
    if student != student.strip():
        return "begins or ends with a blank"
    if any(c in student for c in '*?[]{}\\<>"'):
        return 'has one of the characters * ? [ ] { } \\ < > "'
    if len(student.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    return None


def shown(name: object) -> str:
    """A file name as it may stand in a message: one line, no control characters, not too long."""
    text = one_line(os.fspath(name))
    return text if len(text) <= MAX_NAME_SHOWN else text[: MAX_NAME_SHOWN - 3] + "..."

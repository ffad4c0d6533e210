"""nbgrader plugins that read what Moodle and Canvas call submissions, and unpack zips safely.

Both `python -m autograde collect` and nbgrader's own `zip_collect` use them:

    nbgrader zip_collect LAB --collector=autograde.lms.MoodleCollector \\
        --extractor=autograde.lms.SafeExtractor
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nbgrader.plugins.zipcollect import ExtractorPlugin, FileNameCollectorPlugin
from traitlets import Integer, Unicode, default

from autograde import archives, roster
from autograde.archives import Entry, Limits
from autograde.course import Course
from autograde.intake import Refused, shown
from autograde.roster import Identity


@dataclass(frozen=True)
class Named:
    """What a path in an LMS's export says.

    file: the path as the student named it. late: the LMS says it came late. order: grows with the
    time of the upload; 0 if the name does not tell. text: typed into the LMS, not a file.
    """

    who: Identity
    file: tuple[str, ...]
    late: bool = False
    order: int = 0
    text: bool = False


class LMSCollector(FileNameCollectorPlugin):
    """Reads whose a file is from its path; the base of one class per LMS."""

    lms = ""
    described = ""

    @default("valid_ext")
    def _notebooks_and_agents(self):
        return [".ipynb", ".safetensors"]

    roster = Unicode(
        "", help="The roster that maps the LMS's ids to students (default: autograde/roster.csv)."
    ).tag(config=True)

    def parse(self, parts: Sequence[str]) -> Named | None:
        """Whose file the path `parts` is; None if it is not named in this LMS's way.

        The outermost name decides: what lies further in has been named by a student.
        """
        raise NotImplementedError

    def collect(self, submitted_file: str) -> dict | None:
        """nbgrader's question about a file that has been extracted: whose is it, what is it called?

        None, with a warning, for a file that is nobody's; the roster decides who is who.
        """
        if os.path.splitext(submitted_file)[1] not in self.valid_ext:
            return None
        named = self.parse(self._below_extracted(submitted_file))
        if named is None:
            self.log.warning("Not named as %s does it: %s", self.lms, submitted_file)
            return None
        course, lab = self._place()
        people = None
        if course is not None:
            people = roster.load(course, Path(self.roster) if self.roster else None)
        match = (people or roster.NoRoster()).match(named.who, lab)
        if match.student is None:
            self.log.warning("%s: %s", shown(named.who.label), match.problem)
            return None
        return {
            "student_id": match.student,
            "file_id": canonical(named.file[-1], lab),
            "full_name": named.who.name,
            "lms_id": named.who.id,
        }

    def _place(self) -> tuple[Course | None, str]:
        coursedir = getattr(self.parent, "coursedir", None)
        if coursedir is None:
            return None, ""
        return Course(Path(coursedir.root)), coursedir.assignment_id

    def _below_extracted(self, path: str) -> tuple[str, ...]:
        """The path below nbgrader's folder of extracted files."""
        parent = self.parent
        if hasattr(parent, "_format_collect_path"):
            root = parent._format_collect_path(parent.extracted_directory)
            return Path(os.path.relpath(path, root)).parts
        return Path(path).parts[-3:]


class MoodleCollector(LMSCollector):
    """Moodle's "Download all submissions".

    With "Download submissions in folders" (the default)
    `Ann Lee_12345_assignsubmission_file/lab.ipynb` (in older versions with a `_` more before the
    slash), else `Ann Lee_12345_assignsubmission_file_lab.ipynb`. The full name has no `_` (Moodle
    makes it a blank) and is "Participant" while marking is blind. The number is that of the
    participant in this one assignment, not of the user. All files are of the last attempt.
    https://github.com/moodle/moodle/blob/main/public/mod/assign/classes/downloader.php
    https://docs.moodle.org/en/Assignment_FAQ
    """

    lms = "moodle"
    described = "Full Name_12345_assignsubmission_file"

    named_regexp = Unicode(
        r"(?P<full_name>[^_]*)_(?P<student_id>[0-9]+)_assignsubmission_(?P<plugin>[a-z]+)"
        r"(?:_(?P<file_id>.*))?$",
        help="A folder's or a file's name as Moodle makes it.",
    ).tag(config=True)

    def parse(self, parts: Sequence[str]) -> Named | None:
        for number, part in enumerate(parts):
            match = re.match(self.named_regexp, part, flags=re.DOTALL)
            if match is None:
                continue
            inside = tuple(parts[number + 1 :])
            file = (match["file_id"], *inside) if match["file_id"] else inside
            if not file:
                continue
            who = Identity("moodle", match["student_id"], " ".join(match["full_name"].split()))
            return Named(who, file, text=match["plugin"] != "file")
        return None


class CanvasCollector(LMSCollector):
    """Canvas's "Download submissions".

    `leeann_12345_678901_lab.ipynb`, `leeann_LATE_12345_678901_lab.ipynb`: the sortable name in
    small letters without blanks and signs, LATE if Canvas counts it so, the user's id, the file's
    id (it grows with every upload), the file's name. `anon_a1B2c_678901_lab.ipynb` while marking is
    anonymous (LATE stands before anon); `leeann_12345_text.html` for text typed in. A file handed
    in again under one name comes as `lab-1.ipynb`, `lab-2.ipynb`.
    https://github.com/instructure/canvas-lms/blob/master/lib/content_zipper.rb (add_submission)
    https://github.com/instructure/canvas-lms/blob/master/app/models/attachment.rb
    (make_unique_filename)
    """

    lms = "canvas"
    described = "lastfirst_12345_678901_"

    named_regexp = Unicode(
        r"(?:(?P<full_name>\w*?)_)??(?P<late>LATE_)?(?P<student_id>[0-9]+|anon_[A-Za-z0-9]{5})_"
        r"(?:(?P<attachment>[0-9]+)_(?P<file_id>.+)|(?P<text>(?:text|link)\.html))$",
        help="A file's name as Canvas makes it.",
    ).tag(config=True)

    def parse(self, parts: Sequence[str]) -> Named | None:
        for number, part in enumerate(parts):
            # A folder can only be a zip of the student's that has been unpacked.
            if number < len(parts) - 1 and not part.endswith(".zip"):
                continue
            match = re.match(self.named_regexp, part, flags=re.DOTALL)
            if match is not None:
                file = match["file_id"] or match["text"]
                return Named(
                    self._who(match),
                    (file, *parts[number + 1 :]),
                    late=bool(match["late"]),
                    order=int((match["attachment"] or "0")[:18]),
                    text=match["file_id"] is None,
                )
        return None

    def _who(self, match: re.Match) -> Identity:
        """Who it is. `a_1_2_3_x` may be file 3_x of user 1 or file x of user 2, named a_1.

        Canvas takes a number between two `_` out of a name, but not one at its end; and who may
        edit names may so choose whose work it seems to be. The roster tells, or a person.
        """
        other = ""
        if not match["late"] and match["file_id"] and re.match(r"[0-9]+_", match["file_id"]):
            other = match["attachment"]
        return Identity("canvas", match["student_id"], match["full_name"] or "", other_id=other)


COLLECTORS: dict[str, type[LMSCollector]] = {"moodle": MoodleCollector, "canvas": CanvasCollector}


def canonical(file: str, lab: str) -> str:
    """A file's name without the count that a browser, Moodle or Canvas has added to the lab's.

    `lab (1).ipynb` and `lab-2.ipynb` are `lab.ipynb`; a name that is not the lab's stays.
    """
    pattern = re.escape(lab) + r"([ _]?\(\d{1,3}\)|-\d{1,2})*\.ipynb"
    return f"{lab}.ipynb" if lab and re.fullmatch(pattern, file, flags=re.IGNORECASE) else file


def detect(paths: Iterable[Sequence[str]]) -> tuple[str, str]:
    """Which LMS these paths come from ("folder" for none), and one line that says why."""
    paths = list(paths)
    count = {}
    for name, kind in COLLECTORS.items():
        collector = kind()
        named = [path for path in paths if collector.parse(path) is not None]
        # Canvas' files lie in one folder; in a folder for each student such a name is by chance.
        scattered = name == "canvas" and len({tuple(path[:-1]) for path in named}) > 1
        count[name] = 0 if scattered else len(named)
    best = max(count, key=lambda name: count[name])
    if count[best] * 2 >= max(len(paths), 1):
        how = f"{count[best]} of {len(paths)} files are named {COLLECTORS[best].described}..."
        return best, f"read as {best.capitalize()}'s download: {how}"
    likely = sum(count.values())
    hint = f" ({likely} of {len(paths)} names are an LMS's: force it with --lms)" if likely else ""
    return "folder", f"read as one folder for each student{hint}"


class SafeExtractor(ExtractorPlugin):
    """Unpacks zips for nbgrader's zip_collect, and takes nothing out of them that could do harm.

    Regular files within the limits only (see autograde.archives), one zip inside another and no
    further; what is refused is logged by name, and everything else is unpacked. A zip's files come
    into a folder named like it, a student's own zip keeps its ending (`x.zip/lab.ipynb`).
    """

    max_members = Integer(Limits.members, help="Members of an archive at most.").tag(config=True)
    max_file_bytes = Integer(Limits.file_bytes, help="Bytes of a file at most.").tag(config=True)
    max_zip_bytes = Integer(Limits.zip_bytes, help="Bytes of a zip in a zip.").tag(config=True)
    max_total_bytes = Integer(Limits.total_bytes, help="Bytes in all at most.").tag(config=True)

    @property
    def limits(self) -> Limits:
        """The limits for an LMS's download."""
        return Limits(
            members=self.max_members,
            file_bytes=self.max_file_bytes,
            zip_bytes=self.max_zip_bytes,
            total_bytes=self.max_total_bytes,
        )

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """nbgrader's question: unpack and copy what lies in archive_path to extracted_path."""
        target = Path(extracted_path)
        try:
            entries = archives.folder_entries(Path(archive_path), _outermost(self.limits))
        except OSError as error:
            self.log.error("%s: %s", archive_path, error.strerror)
            return
        if not entries:
            self.log.warning("No files found in directory: %s", archive_path)
        for entry in entries:
            self._take(entry, target, Path(entry.parts[-1]).stem, self.limits, inner=True)

    def _take(self, entry: Entry, target: Path, folder: str, limits: Limits, inner: bool) -> None:
        """Copy an entry, or unpack it if it is a zip in ZIP_EXT; refusals are logged."""
        path = target.joinpath(*entry.parts)
        is_zip = path.suffix.casefold() == ".zip" and ".zip" in self.zip_ext
        try:
            if not is_zip:
                archives.save(entry, path, _outermost(limits))
                return
            with tempfile.TemporaryDirectory(dir=target) as scratch:
                packed = Path(scratch) / "packed.zip"
                archives.save(entry, packed, _outermost(limits) if inner else limits)
                self._unpack(packed, path.with_name(folder), limits, inner)
        except Refused as reason:
            self.log.warning("%s %s", shown(entry.name), reason)

    def _unpack(self, packed: Path, target: Path, limits: Limits, inner: bool) -> None:
        with archives.open_zip(packed, limits) as entries:
            if archives.total_size(entries) > limits.total_bytes:
                raise Refused(f"unpacks to more than {limits.total_bytes // archives.MB} MB")
            target.mkdir(parents=True, exist_ok=True)
            for entry in entries:
                if inner or not entry.parts[-1].casefold().endswith(".zip"):
                    self._take(entry, target, entry.parts[-1], archives.STUDENT_ZIP, inner=False)
                else:
                    self.log.warning("%s is a zip in a zip in a zip", shown(entry.name))


def _outermost(limits: Limits) -> Limits:
    """Limits for what the instructor has put there: an LMS's zip may be large."""
    return replace(limits, zip_bytes=limits.total_bytes)

"""Read a table that a person saved as CSV, whichever program wrote it, with line numbers."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograde.errors import CourseError

MAX_BYTES = 20 * 1024 * 1024
DELIMITERS = (",", ";", "\t")
# Of the problems of a file, how many one message names.
MAX_PROBLEMS = 5


@dataclass(frozen=True)
class Line:
    """A row: its line in the file, counted from 1, and its cells by column, without blanks."""

    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(frozen=True)
class Table:
    """A CSV file: `name` as it is called in messages, its columns (see `column_name`), its rows."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Line, ...]


def read_table(path: Path, name: str) -> Table:
    """The CSV file at `path`, called `name` in messages. CourseError with the line if it is none.

    Commas, semicolons (Excel in half of Europe) or tabs; UTF-8 with or without a mark, UTF-16, else
    Windows' Western European code page, which Excel's plain "CSV" is in. Empty rows are left out.
    """
    text = _decode(_read(path, name), name)
    first = text.split("\n", 1)[0].rstrip("\r")
    skipped = 0
    told = re.fullmatch(r"sep=(.)", first.strip(), flags=re.IGNORECASE)
    if told:  # Excel's own way of saying which it is
        text, skipped = text.partition("\n")[2], 1
        first = text.split("\n", 1)[0].rstrip("\r")
    delimiter = told[1] if told else max(DELIMITERS, key=lambda d: len(next(_rows([first], d), [])))
    reader = _rows(io.StringIO(text, newline=""), delimiter)
    try:
        header = next(reader, [])
        columns = tuple(column_name(cell) for cell in header)
        _check_header(columns, name)
        rows, end = [], reader.line_num
        for row in reader:
            number, end = end + 1 + skipped, reader.line_num
            if any(cell.strip() for cell in row[len(columns) :]):
                raise CourseError(
                    f"{name}: line {number} has {len(row)} cells, the first line {len(columns)}: "
                    "put text that holds the separator into double quotes"
                )
            cells = {c: v.strip() for c, v in zip(columns, row, strict=False) if c}
            if any(cells.values()):
                rows.append(Line(number, cells))
    except csv.Error as error:
        raise CourseError(f"{name}: line {reader.line_num + skipped}: {error}") from None
    return Table(name, tuple(filter(None, columns)), tuple(rows))


def column_name(text: str) -> str:
    """A column's name as it is looked up: `E-Mail ` is e_mail, `First name` is first_name."""
    return re.sub(r"[\s\-]+", "_", unicodedata.normalize("NFKC", text).strip().casefold())


def report(name: str, problems: Iterable[str]) -> None:
    """CourseError that names the problems of a file, the first few of them; none: nothing."""
    problems = list(problems)
    if problems:
        more = len(problems) - MAX_PROBLEMS
        rest = f"; and {more} more" if more > 0 else ""
        raise CourseError(f"{name}: {'; '.join(problems[:MAX_PROBLEMS])}{rest}")


def _rows(lines, delimiter: str):
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CourseError(f"{name}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise CourseError(f"{name} has more than {MAX_BYTES // 2**20} MB: it is no such table")
    if data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise CourseError(f"{name} is a workbook, not a CSV file: save it as CSV UTF-8")
    return data


def _decode(data: bytes, name: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise CourseError(f"{name} is not a text file: save it as CSV UTF-8")


def _check_header(columns: tuple[str, ...], name: str) -> None:
    if not any(columns):
        raise CourseError(f"{name} is empty: its first line has to name the columns")
    named = [column for column in columns if column]
    twice = sorted({column for column in named if named.count(column) > 1})
    if twice:
        raise CourseError(f"{name}: line 1 names the column {twice[0]} twice")

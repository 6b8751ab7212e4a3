"""Sheets, row by row, whatever they are: text with any separator and encoding, or a workbook. Memory does not grow with the rows."""

from __future__ import annotations

import codecs
import csv
import os
import re
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.read_only import EmptyCell

from app.cli.failures import Failure
from schemas.mappings.htcds.cells import NOT_CALCULATED, Cell, unwritten, written
from schemas.mappings.htcds.headers import DEPTH, DuplicatedColumns, Layout, recognise

_CELL_MAX: Final = 1_000_000
"""Longer than any cell; a quotation mark that is never closed would otherwise swallow the file."""

WORKBOOK_CELL_MAX: Final = 32_767
"""What a cell of a workbook holds."""

_COLUMNS_MAX: Final = 16_384
"""What a sheet of a workbook holds side by side."""

_LINE_MAX: Final = 8_000_000
"""Characters of a line; a file without ends of lines would have to be kept whole."""

_UNPACKED_MAX: Final = 1 << 28
_PACKED_TO: Final = 100
"""A part of a workbook larger than this is refused if it is kept in memory, or was packed tighter than sheets are."""

_SEPARATORS: Final = (",", ";", "\t", "|")
_ZIP: Final = b"PK\x03\x04"
_OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

Rows = Iterator[Sequence[Cell]]


@dataclass
class Sheet:
    """A sheet that is open, its head understood."""

    layout: Layout
    rows: Rows
    """Those after the head, the first of them `layout.first_row + 1` of the sheet."""
    about: str
    """How it is written."""
    done: Any
    """Call it for how much of `size` has been read."""
    size: int | None


@contextmanager
def open_sheet(path: Path) -> Iterator[Sheet]:
    """Open a sheet of HTCDS and understand its head."""
    with _explained(path):
        start = _beginning(path)
        if start.startswith(_ZIP):
            opened = _workbook(path)
        elif start.startswith(_OLE):
            raise _old_or_locked(path)
        else:
            opened = _text(path, start)
        with opened as sheet:
            yield sheet


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except DuplicatedColumns as error:
        raise Failure(
            f"{path} has several columns for the same field: {', '.join(error.columns)}",
            "Keep one of each, or rename those that mean something else.",
        ) from None
    except csv.Error as error:
        raise Failure(
            f"{path} is no table that can be read: {error}", "Is a quotation mark open? Save it as CSV UTF-8 again."
        ) from None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror or error}") from None


def _beginning(path: Path) -> bytes:
    if path.is_dir():
        raise Failure(f"{path} is a directory", "Give a file: CSV, or a workbook (.xlsx, .xlsm).")
    with path.open("rb") as file:
        start = file.read(65_536)
    if not start.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise Failure(f"{path} is empty")
    if start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff")):
        raise Failure(f"{path} is a picture or a PDF, no sheet", "Give a file: CSV, or a workbook (.xlsx, .xlsm).")
    return start


def _old_or_locked(path: Path) -> Failure:
    with path.open("rb") as file:
        locked = any("EncryptedPackage".encode("utf-16-le") in block for block in iter(lambda: file.read(1 << 20), b""))
    if locked:
        return Failure(f"{path} is locked with a password", "Open it, save it without one, and keep the copy safe.")
    return Failure(f"{path} is a workbook of the old kind (.xls)", "Open it and save it as .xlsx.")


def _no_column(path: Path) -> Failure:
    return Failure(
        f"{path} has no column of HTCDS",
        "Its first rows should hold the standard's names (prs_FirstName) or labels (First Name): see docs/schema/htcds-files.md.",
    )


# Text.


@contextmanager
def _text(path: Path, start: bytes) -> Iterator[Sheet]:
    encoding = _encoding(path, start)
    separator, about = _separator(path, encoding), {"cp1252": "Windows-1252"}.get(encoding, encoding.upper())
    before = csv.field_size_limit(_CELL_MAX)
    try:
        with (
            path.open("rb") as raw,
            TextIOWrapper(
                raw, encoding=encoding, errors="replace" if encoding == "cp1252" else "strict", newline=""
            ) as text,
        ):
            table = csv.reader(_lines(path, text), delimiter=separator)
            rows: Rows = ([unwritten(cell) for cell in _of_a_width(path, row)] for row in table)
            head = list(islice(rows, DEPTH))
            if head and len(head[0]) == 1 and str(head[0][0]).lower().startswith("sep="):
                head[0] = []
            layout = recognise(head)
            if layout is None:
                raise _no_column(path)
            rest = chain(head[layout.first_row :], rows)
            yield Sheet(layout, rest, f"{about}, separated by {separator!r}", raw.tell, path.stat().st_size)
    finally:
        csv.field_size_limit(before)


def _lines(path: Path, text: IO[str]) -> Iterator[str]:
    while line := text.readline(_LINE_MAX + 1):
        if len(line) > _LINE_MAX:
            raise Failure(f"{path} has a line longer than any sheet's", "Save it as CSV UTF-8 again.")
        yield line


def _of_a_width(path: Path, row: list[str]) -> list[str]:
    if len(row) > _COLUMNS_MAX:
        raise Failure(f"{path} has a row of more columns than any sheet's", "Save it as CSV UTF-8 again.")
    return row


def _encoding(path: Path, start: bytes) -> str:
    """The encoding: by its mark, else UTF-8 if all of it is, else Windows-1252, as Excel saves."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    for name, nul in (("utf-16-le", slice(1, 400, 2)), ("utf-16-be", slice(0, 400, 2))):
        if start[nul].count(0) * 2 > len(start[nul]):
            return name
    if b"\x00" in start:
        raise Failure(f"{path} is no text and no workbook", "Give a file: CSV, or a workbook (.xlsx, .xlsm).")
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            for block in iter(lambda: file.read(1 << 20), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _separator(path: Path, encoding: str) -> str:
    """The separator under which the first rows hold the most columns of HTCDS."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        lines = [line for line in islice(_lines(path, file), DEPTH) if line.strip()]

    def columns(separator: str) -> int:
        try:
            found = recognise([row[:_COLUMNS_MAX] for row in csv.reader(lines, delimiter=separator)])
        except DuplicatedColumns as error:
            return len(error.columns)
        except csv.Error:
            return 0
        return len(found.slots) if found is not None else 0

    return max(_SEPARATORS, key=columns)


# Workbooks.


@contextmanager
def _workbook(path: Path) -> Iterator[Sheet]:
    # The library does not close what it cannot read: the files are ours.
    with warnings.catch_warnings(), path.open("rb") as file, path.open("rb") as again:
        # Of validations and the like, which nothing here needs.
        warnings.simplefilter("ignore")
        try:
            _refuse_bombs(path)
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            formulas = load_workbook(again, read_only=True, keep_links=False) if _calculates(path) else None
        except _DAMAGED:
            raise _damaged(path) from None
        try:
            yield _best_sheet(path, book, formulas)
        finally:
            book.close()
            if formulas is not None:
                formulas.close()


_DAMAGED: Final = (
    KeyError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    SyntaxError,
    EOFError,
    TypeError,
    AttributeError,
)
"""What comes of a file that is no workbook, or half of one; an XML parser's error is a `SyntaxError`."""


def _damaged(path: Path) -> Failure:
    return Failure(f"{path} is no workbook that can be read", "Open it and save it as .xlsx, or as CSV UTF-8.")


def _refuse_bombs(path: Path) -> None:
    """Refuse a workbook that is small and unpacks without end: its strings are kept in memory, its sheets are not."""
    with zipfile.ZipFile(path) as parts:
        for part in parts.infolist():
            streamed = part.filename.startswith("xl/worksheets/")
            tight = part.file_size > _PACKED_TO * max(part.compress_size, 1)
            if part.file_size > _UNPACKED_MAX and (tight or not streamed):
                raise Failure(f"{path} unpacks to more than a sheet holds", "Save what you need of it as CSV UTF-8.")


def _calculates(path: Path) -> bool:
    """Whether a sheet has formulas."""
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            if not name.startswith("xl/worksheets/"):
                continue
            with parts.open(name) as part:
                end = b""
                for block in iter(lambda: part.read(1 << 20), b""):
                    if re.search(rb"<(?:\w+:)?f[ />]", end + block):
                        return True
                    end = block[-16:]
    return False


def _calculated(values: Sequence[Any], formulas: Sequence[Any]) -> list[Cell]:
    """A row, with an error where there is a formula and no result: an empty cell would be a fact lost without a word."""
    return [
        NOT_CALCULATED if value is None and not isinstance(cell, EmptyCell) and cell.data_type == "f" else value
        for value, cell in zip(values, formulas, strict=False)
    ]


def _best_sheet(path: Path, book: Any, formulas: Any) -> Sheet:
    """The visible sheet with the most columns of HTCDS: the toolkit's workbooks have one for their lists too."""
    best: tuple[int, Any, Layout | None] = (0, None, None)
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible" or not hasattr(sheet, "reset_dimensions"):
            continue
        # What a workbook says of its own size is often wrong.
        sheet.reset_dimensions()
        layout = recognise(list(islice(_unbroken(path, sheet.iter_rows(values_only=True)), DEPTH)))
        if layout is not None and len(layout.slots) > best[0]:
            best = (len(layout.slots), sheet, layout)
    _, sheet, layout = best
    if layout is None:
        raise _no_column(path)
    read = 0

    def rows() -> Rows:
        nonlocal read
        for row in _unbroken(path, _values(sheet, formulas, layout.first_row + 1)):
            read += 1
            yield row

    return Sheet(layout, rows(), "a workbook", lambda: read, None)


def _values(sheet: Any, formulas: Any, first: int) -> Rows:
    rows = sheet.iter_rows(values_only=True, min_row=first)
    if formulas is None:
        return rows  # type: ignore[no-any-return]
    beside = formulas[sheet.title]
    beside.reset_dimensions()
    return (_calculated(*pair) for pair in zip(rows, beside.iter_rows(min_row=first), strict=True))


def _unbroken(path: Path, rows: Rows) -> Rows:
    try:
        yield from rows
    except _DAMAGED:
        raise _damaged(path) from None


# Writing.


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to; only what is complete gets the real one. Readable to its owner alone: it is about people."""
    if path.is_dir():
        raise Failure(f"{path} is a directory", "Give a file to write.")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class TextTable:
    """A table as CSV that a spreadsheet opens rightly: UTF-8 with its mark, and nothing it would take for a formula."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)

    def add(self, row: Sequence[str], *, hidden: bool = False) -> None:
        """Write a row."""
        self._writer.writerow([written(cell) for cell in row])

    def finish(self) -> None:
        """Finish the file."""
        self._file.close()

    discard = finish
    """Give the file up; whoever named it removes it."""


class WorkbookTable:
    """A table as a workbook of one sheet; every cell is a text."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._book = Workbook(write_only=True)
        self._sheet: Any = self._book.create_sheet("HTCDS")
        self._rows = 0

    def add(self, row: Sequence[str], *, hidden: bool = False) -> None:
        """Write a row."""
        self._rows += 1
        if hidden:
            self._sheet.row_dimensions[self._rows].hidden = True
        self._sheet.append([self._cell(value) if value else None for value in row])

    def _cell(self, value: str) -> Any:
        if not value.startswith("="):
            return value
        cell = WriteOnlyCell(self._sheet, value)
        cell.data_type = "s"
        return cell

    def finish(self) -> None:
        """Finish the file."""
        self._book.save(self._path)

    def discard(self) -> None:
        """Give the file up. The library keeps the rows in a file of its own, which it removes once it has saved them."""
        self._book.save(os.devnull)


@contextmanager
def table_at(path: Path, kind: type[TextTable | WorkbookTable]) -> Iterator[TextTable | WorkbookTable]:
    """A table that becomes the file of that name once it is complete."""
    with whole_file(path) as part:
        table = kind(part)
        try:
            yield table
        except BaseException:
            table.discard()
            raise
        table.finish()

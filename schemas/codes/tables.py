"""Code lists as tables: what a spreadsheet or a database loads.

A table is CSV by RFC 4180: UTF-8 without a byte order mark, commas, CRLF. A mark would become part of the first
column's name in most programs, and semicolons, which an Indonesian Excel expects, would break the rest; for people
with a spreadsheet there is the workbook that `rujukan schema code-lists --format xlsx` makes.
"""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Final

from schemas.codes.labels import COLUMNS, EXTRA_COLUMNS, CodeEntry, CodeMapping, code_list

_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def columns_of(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a table of these lists; of several, each row says its list."""
    extra = dict.fromkeys(column for name in names for column in EXTRA_COLUMNS.get(name, ()))
    return (*(() if len(names) == 1 else ("list",)), *COLUMNS, *extra, "mappings")


def rows_of(names: Sequence[str]) -> list[dict[str, str]]:
    """A row a code, in the order of the lists and of their codes."""
    columns = columns_of(names)
    return [_row(name, entry, columns) for name in names for entry in code_list(name).codes]


def _row(name: str, entry: CodeEntry, columns: Iterable[str]) -> dict[str, str]:
    cells = {"list": name, "mappings": "; ".join(_mapping(each) for each in entry.mappings)}
    return {
        column: harmless_cell(cells[column] if column in cells else _text(getattr(entry, column))) for column in columns
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _mapping(mapping: CodeMapping) -> str:
    return f"{mapping.standard} {mapping.list}={mapping.code or ''} ({mapping.relation}, {mapping.way})"


def harmless_cell(text: str) -> str:
    """Keep a spreadsheet from taking text for a formula: what would start one comes after an apostrophe (OWASP)."""
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def csv_of(names: Sequence[str]) -> str:
    """One table of these lists."""
    written = StringIO(newline="")
    writer = csv.DictWriter(written, columns_of(names))
    writer.writeheader()
    writer.writerows(rows_of(names))
    return written.getvalue()

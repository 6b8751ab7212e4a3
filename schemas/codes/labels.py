"""The published code lists: what each code is called and means, in Indonesian and English, and what it is elsewhere.

A list is a file that a translator or a protection officer reads in a spreadsheet: `lists/<name>.csv`. What there is to
say of a list as a whole stands in `lists.json`, what codes are in other standards in `crosswalks/<standard>.csv`. A
file is read when it is first asked for.
"""

import csv
import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Any, Final, Literal

from schemas.base import Wire
from schemas.text import Line, Name

Lang = Literal["id", "en"]
"""A language the labels exist in."""

CodeStatus = Literal["active", "deprecated", "retired"]
"""Whether a code is to be used, is still taken although another is better, or is only read where it was used before."""

Relation = Literal["exact", "close", "broader", "narrower", "none"]
"""How the code of another standard stands to ours, in the terms of SKOS; `broader`: theirs is the broader one."""

Way = Literal["both", "out", "in"]
"""In which direction a mapping is used: `out` from ours to theirs, `in` from theirs to ours."""

COLUMNS: Final = ("code", "id", "en", "definition_id", "definition_en", "status", "since", "replaced_by", "note")
"""What every list says of a code."""

EXTRA_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "isic_section": ("isic",),
    "legal_article": ("law", "article", "grounds"),
    "legal_basis": ("valid_from", "valid_to"),
    "urgency": ("respond_within",),
}
"""What one list says besides."""

_NOT_ITS_OWN: Final = {column: None for columns in EXTRA_COLUMNS.values() for column in columns}

CROSSWALK_COLUMNS: Final = ("list", "code", "their_list", "their_code", "relation", "way", "note")

_HERE: Final = files("schemas.codes")


class CodeMapping(Wire):
    """What a code, or a list as a whole, is in another standard."""

    standard: Line
    """Which one, as its file in `crosswalks/` is named."""
    list: Line
    """Their list or field."""
    code: Line | None
    """Their code; null where they have none, and where the mapping is of a list as a whole."""
    relation: Relation
    way: Way
    note: Line | None


class CodeEntry(Wire):
    """One code: its labels, what it means, whether to use it."""

    code: Line
    """As it stands in a request or an answer."""
    id: Name
    """Its label in Indonesian."""
    en: Name
    """Its label in English."""
    definition_id: Line
    """What it means, in Indonesian: what tells it from its neighbours."""
    definition_en: Line
    """What it means, in English."""
    status: CodeStatus
    since: Line
    """The version of the schema it came with."""
    replaced_by: Line | None
    """The code of the same list to use instead."""
    note: Line | None
    """A caution for those who use the code."""
    respond_within: Line | None
    """Of an urgency: the time to answer, as an ISO 8601 duration."""
    valid_from: date | None
    """Of a law: the day it came into force."""
    valid_to: date | None
    """Of a law: its last day."""
    law: Line | None
    """Of an article: the law it stands in, a code of `legal_basis`."""
    article: Line | None
    """Of an article: its number."""
    grounds: Line | None
    """Of an article: the codes of `disclosure_basis` it may ground, separated by spaces; null: none."""
    isic: Line | None
    """Of a section of economic activity: its letter in ISIC Rev. 4."""
    mappings: tuple[CodeMapping, ...]
    """What it is in other standards."""


class CodeList(Wire):
    """A code list with its source."""

    name: Name
    title_id: Name
    """What it is a list of, in Indonesian."""
    title_en: Name
    """What it is a list of, in English."""
    source: Line
    """Where the list comes from."""
    note: Line | None
    mappings: tuple[CodeMapping, ...]
    """What the list as a whole is in other standards."""
    codes: tuple[CodeEntry, ...]
    """In the order they are best shown."""


def read_rows(text: str, columns: tuple[str, ...], where: str) -> Iterator[dict[str, str | None]]:
    """The rows of a file, an empty cell absent; `ValueError` where a spreadsheet changed the columns."""
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    if tuple(reader.fieldnames or ()) != columns:
        raise ValueError(f"{where}: the columns are not {','.join(columns)}")
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"{where}, line {reader.line_num}: not as many cells as columns")
        yield {column: cell.strip() or None for column, cell in row.items()}


def _read(folder: str, name: str, columns: tuple[str, ...]) -> Iterator[dict[str, str | None]]:
    return read_rows(_HERE.joinpath(folder, name).read_text(encoding="utf-8"), columns, f"{folder}/{name}")


@cache
def _about() -> dict[str, Any]:
    return dict(json.loads(_HERE.joinpath("lists.json").read_text(encoding="utf-8")))


def attribution() -> str:
    """Whose work the lists are, and on what terms they may be used."""
    return str(_about()["about"])


@cache
def _mappings() -> dict[tuple[str, str | None], list[CodeMapping]]:
    """What each code is elsewhere, by list and code; None for a list as a whole."""
    found: dict[tuple[str, str | None], list[CodeMapping]] = {}
    for table in sorted(each.name for each in _HERE.joinpath("crosswalks").iterdir() if each.name.endswith(".csv")):
        for row in _read("crosswalks", table, CROSSWALK_COLUMNS):
            theirs = {"list": row["their_list"], "code": row["their_code"]}
            said = {name: row[name] for name in ("relation", "way", "note")}
            mapping = CodeMapping.model_validate({"standard": table.removesuffix(".csv"), **theirs, **said})
            found.setdefault((row["list"] or "", row["code"]), []).append(mapping)
    return found


def mapped() -> tuple[tuple[str, str | None], ...]:
    """Every list and code that a crosswalk speaks of."""
    return tuple(_mappings())


def list_names() -> tuple[str, ...]:
    """The names of all lists, sorted."""
    return tuple(sorted(_about()["lists"]))


@cache
def _missing() -> dict[str, dict[str, str | None]]:
    """What the three answers that are none mean, written once for every list."""
    rows = _read("lists", "missing.csv", COLUMNS)
    return {row["code"] or "": {name: row[name] for name in ("definition_id", "definition_en")} for row in rows}


def _entry(name: str, row: dict[str, str | None]) -> dict[str, Any]:
    shared = _missing().get(row["code"] or "", {}) if row["definition_id"] is None else {}
    return {**_NOT_ITS_OWN, **row, **shared, "mappings": _mappings().get((name, row["code"]), ())}


@cache
def code_list(name: str) -> CodeList:
    """The list of that name; `KeyError` where there is none."""
    about = _about()["lists"][name]
    rows = _read("lists", f"{name}.csv", COLUMNS + EXTRA_COLUMNS.get(name, ()))
    codes = [_entry(name, row) for row in rows]
    mappings = _mappings().get((name, None), ())
    return CodeList.model_validate({"note": None, **about, "name": name, "mappings": mappings, "codes": codes})


@cache
def _entries(name: str) -> dict[str, CodeEntry]:
    return {entry.code: entry for entry in code_list(name).codes}


def entry_of(list_name: str, code: str) -> CodeEntry | None:
    """What a list says of a code; nothing where it does not know it, since answers are open."""
    return _entries(list_name).get(code)


def label(list_name: str, code: str, lang: Lang = "id") -> str:
    """What to show for a code; the code itself where the list does not know it."""
    entry = entry_of(list_name, code)
    return code if entry is None else entry.id if lang == "id" else entry.en

"""The published code lists: what each code is called and means, in Indonesian and English, and what it is elsewhere.

A list is a file that a translator or a protection officer reads in a spreadsheet: `lists/<name>.csv`; what there is to
say of a list as a whole stands in `lists.json`, what its codes are in other standards in `crosswalks/<standard>.csv`.
Each file is read when it is first asked for.
"""

import csv
import json
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal

from schemas.base import Wire
from schemas.text import Line, Name

Lang = Literal["id", "en"]
"""A language the labels exist in."""

Status = Literal["active", "deprecated", "retired"]
"""Whether a code is to be used, is still taken, or is only read in what was sent before."""

Relation = Literal["exact", "close", "broader", "narrower", "none"]
"""How a code of another standard stands to ours, as SKOS has it; `broader`: theirs is the broader one."""

Way = Literal["both", "out", "in"]
"""In which direction a mapping is used: `out` from ours to theirs, `in` from theirs to ours."""

_HERE: Final = files("schemas.codes")


class Mapping(Wire):
    """What a code is in another standard."""

    standard: Name
    """Which one, as its file is named."""
    list: Line
    """Their list."""
    code: Line | None
    """Their code; null where `relation` is `none`."""
    relation: Relation
    way: Way
    note: Line | None


class CodeEntry(Wire):
    """One code, its labels and what it means."""

    code: Line
    """As it stands in a request or an answer."""
    id: Name
    """Its label in Indonesian."""
    en: Name
    """Its label in English."""
    definition_id: Line | None
    """What it means, in Indonesian."""
    definition_en: Line | None
    """What it means, in English."""
    status: Status
    since: Line
    """The version of the schema it came with."""
    replaced_by: Line | None
    """The code of the same list to use instead."""
    note: Line | None
    """A caution for those who use the code."""
    respond_within: Line | None = None
    """Of an urgency: the time to answer, as an ISO 8601 duration."""
    valid_from: date | None = None
    """Of a law: the day it came into force."""
    valid_to: date | None = None
    """Of a law: its last day."""
    isic: Line | None = None
    """Of a section of economic activity: its letter in ISIC Rev. 4."""
    mappings: tuple[Mapping, ...]
    """What it is in other standards."""


class CodeList(Wire):
    """A code list with its source."""

    name: Name
    title_id: Name
    """What the list is of, in Indonesian."""
    title_en: Name
    """What the list is of, in English."""
    source: Line
    """Where the list comes from."""
    note: Line | None
    codes: tuple[CodeEntry, ...]
    """In the order they are best shown."""


def _rows(*path: str) -> Iterator[dict[str, str | None]]:
    """The rows of a file; an empty cell is absent."""
    text = _HERE.joinpath(*path).read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines(), strict=True):
        yield {column: cell or None for column, cell in row.items()}


@lru_cache(maxsize=1)
def _about() -> dict[str, dict[str, Any]]:
    data: dict[str, Any] = json.loads(_HERE.joinpath("lists.json").read_text(encoding="utf-8"))
    return dict(data["lists"])


@lru_cache(maxsize=1)
def _mappings() -> dict[tuple[str, str], list[Mapping]]:
    """What each code is elsewhere, by list and code."""
    found: dict[tuple[str, str], list[Mapping]] = {}
    tables = (each.name for each in _HERE.joinpath("crosswalks").iterdir() if each.name.endswith(".csv"))
    for table in sorted(tables):
        for row in _rows("crosswalks", table):
            mapping = Mapping.model_validate(
                {
                    "standard": table.removesuffix(".csv"),
                    "list": row["their_list"],
                    "code": row["their_code"],
                    "relation": row["relation"],
                    "way": row["way"],
                    "note": row["note"],
                }
            )
            found.setdefault((row["list"] or "", row["code"] or ""), []).append(mapping)
    return found


def list_names() -> tuple[str, ...]:
    """The names of all lists, sorted."""
    return tuple(sorted(_about()))


@lru_cache(maxsize=None)
def code_list(name: str) -> CodeList:
    """The list of that name; `KeyError` where there is none."""
    about = _about()[name]
    codes = [
        {**row, "mappings": _mappings().get((name, row["code"] or ""), ())} for row in _rows("lists", f"{name}.csv")
    ]
    return CodeList.model_validate({"note": None, **about, "name": name, "codes": codes})


@lru_cache(maxsize=None)
def _entries(name: str) -> dict[str, CodeEntry]:
    return {entry.code: entry for entry in code_list(name).codes}


def label(list_name: str, code: str, lang: Lang = "id") -> str:
    """What to show for a code; the code itself where the list does not know it, since answers are open."""
    entry = _entries(list_name).get(code)
    if entry is None:
        return code
    return entry.id if lang == "id" else entry.en

"""The code tables: which code of HTCDS stands beside which of ours, read from the crosswalk and from the standard's own lists."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal

from schemas.codes import ENUMS, code_list

Relation = Literal["exact", "close", "broader", "narrower", "none"]
Way = Literal["both", "in", "out"]

SAME: Final = frozenset({"exact", "close"})
"""The relations under which nothing is lost."""


@dataclass(frozen=True)
class Pair:
    """A row of the crosswalk. `broader`: theirs is broader than ours."""

    list: str
    code: str
    their_list: str
    their_code: str
    relation: Relation
    way: Way
    note: str


@dataclass(frozen=True)
class Field:
    """A row of `fields.csv`: a field of the standard, or an example question."""

    kind: str
    section: str
    column: str
    label: str
    status: str
    type: str
    select: str
    code_list: str
    definition: str
    core: bool
    xlsform_name: str
    excel_name: str


@dataclass(frozen=True)
class TheirCode:
    """A row of `codes.csv`. Where the standard gives only a label, that is the code."""

    list: str
    code: str
    label: str
    status: str


def _rows(package: str, *path: str) -> Iterator[dict[str, str]]:
    text = files(package).joinpath(*path).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@lru_cache(maxsize=1)
def pairs() -> tuple[Pair, ...]:
    """All rows of the crosswalk, and of the values of ours that are no published list."""
    published = _rows("schemas.codes", "crosswalks", "htcds.csv")
    others = _rows("schemas.mappings.htcds", "data", "not_published.csv")
    return tuple(Pair(**row) for row in (*published, *others))  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def fields() -> tuple[Field, ...]:
    """All rows of `fields.csv`, in the standard's order."""
    return tuple(
        Field(
            kind=row["kind"],
            section=row["section"],
            column=row["column_name"],
            label=row["field_label"],
            status=row["status"],
            type=row["type_norm"],
            select=row["select"],
            code_list=row["code_list"],
            definition=row["definition"],
            core=row["core"] == "yes",
            xlsform_name=row["xlsform_name"],
            excel_name=row["excel_name"] if row["excel_name"] != "(empty name)" else "",
        )
        for row in _rows("schemas.mappings.htcds", "data", "fields.csv")
    )


@lru_cache(maxsize=1)
def their_codes() -> tuple[TheirCode, ...]:
    """All rows of `codes.csv`."""
    return tuple(
        TheirCode(row["list"], row["code"] or row["label"], row["label"], row["status"])
        for row in _rows("schemas.mappings.htcds", "data", "codes.csv")
    )


@lru_cache(maxsize=1)
def not_carried() -> dict[tuple[str, str], str]:
    """Their codes that have no code of ours, and why."""
    found = _rows("schemas.mappings.htcds", "data", "not_carried.csv")
    return {(row["list"], row["code"]): row["reason"] for row in found}


@lru_cache(maxsize=1)
def _outward() -> dict[tuple[str, str, str], Pair]:
    return {(pair.list, pair.code, pair.their_list): pair for pair in pairs() if pair.way != "in"}


@lru_cache(maxsize=1)
def _inward() -> dict[tuple[str, str], tuple[Pair, ...]]:
    found: dict[tuple[str, str], tuple[Pair, ...]] = {}
    for pair in pairs():
        if pair.way != "out" and pair.their_code:
            key = (pair.their_list, pair.their_code)
            found[key] = (*found.get(key, ()), pair)
    return found


def outward(list_name: str, code: str, their_list: str) -> Pair | None:
    """What a code of ours is written as; a pair without their code, or None, where it is not."""
    return _outward().get((list_name, code, their_list))


def inward(their_list: str, their_code: str) -> tuple[Pair, ...]:
    """What a code of theirs is read as: usually one pair."""
    return _inward().get((their_list, their_code), ())


_NOT_SAID: Final = re.compile(r"[\W_]+")


def key(text: str) -> str:
    """A code or label without what people type differently: case, spaces, strokes, accents."""
    if text.isascii():
        return _NOT_SAID.sub("", text).casefold()
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    return _NOT_SAID.sub("", bare).casefold()


READ_AS_WELL: Final[dict[str, tuple[str, ...]]] = {
    "methods_of_control": ("methods_of_control_md",),
    "labour_industry": ("labour_industry_tier2", "labour_industry_tier3"),
}
"""Lists whose values are met in a column of another: names of the field definitions, industries of the lower tiers."""

OURS: Final[dict[str, str]] = {
    "organisation_type": "organisation_kind",
    "decision_making_org": "organisation_kind",
    "gender": "gender",
    "marital_status": "marital_status",
    "education_level": "education",
    "trafficking_status": "identification_status",
    "relationship_to_trafficker": "relationship",
    "websites_and_apps": "online_platform",
    "method_of_recruitment": "recruitment_method",
    "methods_of_control": "exploitation_means",
    "type_of_exploitation": "exploitation_purpose",
    "labour_industry": "isic_section",
    "type_of_sex_exploitation": "sexual_form",
    "vulnerabilities": "risk_factor",
    "role_in_process": "concern_role",
    "event_type": "exploitation_act",
    "support_plan_type": "need",
}
"""The list of ours that each of theirs is read into."""


@dataclass(frozen=True)
class Read:
    """What a word in a cell means: codes of ours by list, and whether they say more than the word did."""

    codes: tuple[tuple[str, str], ...]
    narrowed: bool
    theirs: str = ""


@lru_cache(maxsize=64)
def words(their_list: str) -> dict[str, Read]:
    """Every word that is understood in a column of that list, by its `key`: codes and labels of theirs, then of ours."""
    found: dict[str, Read] = {}
    for name in (their_list, *READ_AS_WELL.get(their_list, ())):
        for their in their_codes():
            if their.list != name:
                continue
            said = inward(name, their.code)
            read = Read(
                tuple((pair.list, pair.code) for pair in said),
                any(pair.relation == "broader" for pair in said),
                their.code,
            )
            for word in (their.code, their.label, their.code.removeprefix("MethodsOfControl")):
                found.setdefault(key(word), read)
    ours = OURS.get(their_list)
    if ours is not None:
        for entry in code_list(ours).codes:
            for word in (entry.code, entry.id, entry.en):
                found.setdefault(key(word), Read(((ours, entry.code),), False))
    return found


def our_lists() -> dict[str, frozenset[str]]:
    """Each list of ours that the crosswalk speaks of, with its codes; two of them are no published lists."""
    return {
        name: frozenset(ENUMS[name]) if name in ENUMS else frozenset(pair.code for pair in pairs() if pair.list == name)
        for name in dict.fromkeys(pair.list for pair in pairs())
    }

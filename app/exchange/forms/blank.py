"""Blank forms: one page of questions for a call at night, and every section of the record as its models have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from typing import Any, Final, get_args

from pydantic import BaseModel, RootModel

from app.exchange.forms.facts import Shape, shapes
from app.exchange.forms.values import LISTS
from schemas.codes.base import CodeEnum
from schemas.codes.labels import CodeEntry, Lang, code_list
from schemas.labels import field_label
from schemas.record.common import Money, Position
from schemas.record.record import SECTION_MODELS
from schemas.text import Narrative, PartialDate, Text

EMERGENCY: Final[Mapping[str, Any]] = json.loads(files(__package__).joinpath("emergency.json").read_text("utf-8"))
"""The questions, in the order in which they are asked on the telephone."""

_FEW: Final = 14
"""Up to so many codes stand beside their question; more are listed once, at the end."""
_ENTRIES: Final = 2
"""How many of a kind there is room for."""


def options(list_name: str, lang: Lang, only: list[str] | None = None) -> list[tuple[str, str]]:
    """Return codes with their labels, to be ticked. `KeyError` where a form asks for a code there is not."""
    entries = {entry.code: entry for entry in code_list(list_name).codes}
    return [(code, _label(entries[code], lang)) for code in only or entries]


def _label(entry: CodeEntry, lang: Lang) -> str:
    return entry.id if lang == "id" else entry.en


@dataclass(frozen=True, slots=True)
class Blank:
    """A field to fill in: a line, lines, choices, or fields of its own."""

    label: str
    name: str
    kind: str
    choices: tuple[tuple[str, str], ...] = ()
    """Codes to tick."""
    see: str = ""
    """The list at the end that has the codes."""
    fields: tuple[Blank, ...] = ()
    times: int = 1


@dataclass(frozen=True, slots=True)
class BlankSection:
    """A section to fill in."""

    name: str
    title: str
    fields: tuple[Blank, ...]


@dataclass(frozen=True, slots=True)
class BlankRecord:
    """The whole record to fill in, and the code lists that are too long to stand beside a question."""

    sections: tuple[BlankSection, ...]
    lists: tuple[tuple[str, list[tuple[str, str]]], ...]


def record_to_fill(lang: Lang) -> BlankRecord:
    """Return every field of every section; what agencies add for themselves has no form."""
    seen: dict[str, None] = {}
    sections = tuple(
        BlankSection(name, dict(options("section", lang))[name], tuple(_fields(model, name, lang, seen)))
        for name, model in SECTION_MODELS.items()
        if not issubclass(model, RootModel)
    )
    return BlankRecord(sections, tuple((name, options(name, lang)) for name in sorted(seen)))


def _fields(model: type[BaseModel], path: str, lang: Lang, seen: dict[str, None]) -> list[Blank]:
    return [_field(shape, f"{path}.{name}", name, lang, seen) for name, shape in shapes(model).items()]


def _field(shape: Shape, path: str, name: str, lang: Lang, seen: dict[str, None]) -> Blank:
    label, hint = field_label(path, lang), shape.hint
    if shape.model in (Money, Position):
        return Blank(label, name, "line")
    if shape.model is not None:
        inner = tuple(_fields(shape.model, path, lang, seen))
        return Blank(label, name, "group", fields=inner, times=_ENTRIES if shape.many else 1)
    if isinstance(hint, type) and issubclass(hint, CodeEnum):
        codes = options(LISTS[hint], lang)
        if len(codes) <= _FEW:
            return Blank(label, name, "codes", choices=tuple(codes))
        seen[LISTS[hint]] = None
        return Blank(label, name, "line", see=LISTS[hint])
    if hint == Text or hint == Narrative:
        return Blank(label, name, "lines")
    return Blank(label, name, "date" if hint == PartialDate or _is_time(hint) else "line")


def _is_time(hint: Any) -> bool:
    return any(each in (date, datetime) or _is_time(each) for each in get_args(hint)) or hint in (date, datetime)

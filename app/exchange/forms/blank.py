"""Blank forms: one page of questions for a call at night, and every section of the record as its models have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal

from pydantic import BaseModel, RootModel

from schemas.base import Day, Moment
from schemas.codes import LIST_OF
from schemas.codes.base import CodeEnum
from schemas.codes.labels import CodeEntry, Lang, code_list
from schemas.labels import field_label
from schemas.record.common import Money, Position
from schemas.record.record import SECTION_MODELS
from schemas.shapes import Shape, shapes
from schemas.text import Narrative, PartialDate, Text

EMERGENCY: Final[Mapping[str, Any]] = json.loads(files(__package__).joinpath("emergency.json").read_text("utf-8"))
"""The questions, in the order in which they are asked on the telephone."""

_FEW: Final = 12
"""Up to so many codes stand beside their question; more are listed once, at the end."""


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
    kind: Literal["line", "lines", "date", "codes", "group", "again"]
    """`again`: fields that were laid out before, to be written on lines."""
    choices: tuple[tuple[str, str], ...] = ()
    """Codes to tick."""
    see: str = ""
    """The list at the end that has the codes."""
    fields: tuple[Blank, ...] = ()
    several: bool = False
    """Whether there may be more of them than there is room for."""


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
    layout = _Layout(lang)
    titles = dict(options("section", lang))
    sections = tuple(
        BlankSection(name, titles[name], layout.fields(model, name))
        for name, model in SECTION_MODELS.items()
        if not issubclass(model, RootModel)
    )
    return BlankRecord(sections, tuple((name, options(name, lang)) for name in sorted(layout.lists)))


class _Layout:
    """Lays out fields, each model in full where it comes first, and remembers which lists belong at the end."""

    def __init__(self, lang: Lang) -> None:
        self.lists: set[str] = set()
        self._lang = lang
        self._laid_out: set[type[BaseModel]] = set()

    def fields(self, model: type[BaseModel], path: str) -> tuple[Blank, ...]:
        return tuple(self._field(shape, f"{path}.{name}", name) for name, shape in shapes(model).items())

    def _field(self, shape: Shape, path: str, name: str) -> Blank:
        label, hint = field_label(path, self._lang), shape.hint
        if shape.model in (Money, Position):
            return Blank(label, name, "line", fields=self.fields(shape.model, path))
        if shape.model is not None:
            again = shape.model in self._laid_out
            self._laid_out.add(shape.model)
            fields = self.fields(shape.model, path)
            return Blank(label, name, "again" if again else "group", fields=fields, several=shape.many)
        if isinstance(hint, type) and issubclass(hint, CodeEnum):
            codes = options(LIST_OF[hint], self._lang)
            if len(codes) <= _FEW:
                return Blank(label, name, "codes", choices=tuple(codes))
            self.lists.add(LIST_OF[hint])
            return Blank(label, name, "line", see=LIST_OF[hint], several=shape.many)
        if hint in (Text, Narrative):
            return Blank(label, name, "lines")
        return Blank(label, name, "date" if hint in (PartialDate, Day, Moment) else "line")

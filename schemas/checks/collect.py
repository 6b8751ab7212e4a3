"""One walk through a record that gathers, with their pointers, the kinds of values the checks look at."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel

from schemas.base import Day
from schemas.record.record import SECTIONS, Record
from schemas.shapes import Shape, shapes
from schemas.text import CountryCode, LanguageTag, Line, Name, Narrative, Number, PartialDate, Text, earliest, latest

_Model = TypeVar("_Model", bound=BaseModel)


class _Kind(Enum):
    MODEL = auto()
    PARTIAL = auto()
    DAY = auto()
    COUNTRY = auto()
    LANGUAGE = auto()
    NAME = auto()
    TEXT = auto()
    MISSING = auto()


_KINDS: Final[tuple[tuple[Any, _Kind], ...]] = (
    (PartialDate, _Kind.PARTIAL),
    (Day, _Kind.DAY),
    (CountryCode, _Kind.COUNTRY),
    (LanguageTag, _Kind.LANGUAGE),
    (Name, _Kind.NAME),
    *((kind, _Kind.TEXT) for kind in (Line, Text, Narrative, Number)),
)


class Dated(NamedTuple):
    """A date of the record, as the span of days it can mean."""

    pointer: str
    model: type[BaseModel]
    name: str
    first: date
    last: date


@dataclass(slots=True)
class Parts:
    """What was gathered, each in the order of the record."""

    models: dict[type[BaseModel], list[tuple[str, BaseModel]]] = field(default_factory=dict)
    dates: list[Dated] = field(default_factory=list)
    countries: list[tuple[str, str]] = field(default_factory=list)
    languages: list[tuple[str, str]] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    """What people wrote, names too, as far as it has other characters than ASCII's, or `#`."""
    missing: list[tuple[str, BaseModel, str]] = field(default_factory=list)
    """Reasons given for a missing fact: pointer of the model, model, the reason's name."""

    def of(self, kind: type[_Model]) -> Iterator[tuple[str, _Model]]:
        """Every model of exactly this kind, with its pointer."""
        yield from self.models.get(kind, ())  # type: ignore[misc]


def collect(record: Record) -> Parts:
    """Gather the parts of a record. Extensions are their agency's own and are left alone."""
    parts = Parts()
    sections = record.__dict__
    for name in SECTIONS:
        if name != "extensions" and (section := sections[name]) is not None:
            _walk(section, f"/{name}", parts)
    return parts


def _walk(model: BaseModel, at: str, parts: Parts) -> None:
    kind_of_model = type(model)
    parts.models.setdefault(kind_of_model, []).append((at, model))
    values = model.__dict__
    for name, kind in _plan(kind_of_model):
        value = values[name]
        if not value:
            continue
        if kind is _Kind.MISSING:
            parts.missing.append((at, model, name))
        elif isinstance(value, tuple):
            for place, one in enumerate(value):
                _take(one, kind, f"{at}/{name}/{place}", kind_of_model, name, parts)
        elif kind is not _Kind.TEXT or _is_odd(value):
            _take(value, kind, f"{at}/{name}", kind_of_model, name, parts)


def _take(value: Any, kind: _Kind, pointer: str, model: type[BaseModel], name: str, parts: Parts) -> None:
    if kind is _Kind.MODEL:
        _walk(value, pointer, parts)
    elif kind is _Kind.TEXT or kind is _Kind.NAME:
        if _is_odd(value):
            parts.texts.append((pointer, value))
            if kind is _Kind.NAME:
                parts.names.append((pointer, value))
    elif kind is _Kind.PARTIAL:
        parts.dates.append(Dated(pointer, model, name, earliest(value), latest(value)))
    elif kind is _Kind.DAY:
        parts.dates.append(Dated(pointer, model, name, value, value))
    elif kind is _Kind.COUNTRY:
        parts.countries.append((pointer, value))
    else:
        parts.languages.append((pointer, value))


def _is_odd(text: str) -> bool:
    """Whether a text can hold what is looked for in texts: nearly none can, and the walk is most of the work."""
    return "#" in text or not text.isascii()


@cache
def _plan(model: type[BaseModel]) -> tuple[tuple[str, _Kind], ...]:
    """The fields of a model that are looked at, in order."""
    found = ((name, _Kind.MISSING if _says_why(name) else _kind_of(shape)) for name, shape in shapes(model).items())
    return tuple((name, kind) for name, kind in found if kind is not None)


def _says_why(name: str) -> bool:
    return name == "missing" or name.endswith("_missing")


def _kind_of(shape: Shape) -> _Kind | None:
    if shape.model is not None:
        return _Kind.MODEL
    return next((kind for known, kind in _KINDS if shape.hint == known), None)

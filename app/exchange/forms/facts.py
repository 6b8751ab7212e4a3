"""A section as facts to print: walked by its model, labelled by the table of fields, the order the model's."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Union

from pydantic import BaseModel

from app.exchange.forms.discretion import Discretion
from app.exchange.forms.values import Reading, Value
from schemas.labels import field_label
from schemas.record.common import Money, Place, Position
from schemas.record.contact import Channel, DoNotContact
from schemas.record.identity import Birth
from schemas.record.narrative import NarrativeEntry

Document = Mapping[str, Any]
_EMPTY: Final = (None, "", [], {}, ())


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what stands beside it: one value, or several of a kind."""

    label: str
    values: tuple[Value, ...]

    @property
    def long(self) -> bool:
        """Whether it gets the width of the page."""
        return any(value.long for value in self.values) or len(self.values) > 6


@dataclass(frozen=True, slots=True)
class Group:
    """Facts that belong together, under a label."""

    label: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """Several of a kind, numbered, under a label."""

    label: str
    entries: tuple[tuple[Node, ...], ...]


Node = Fact | Group | Entries


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field holds: of which type, and whether several."""

    hint: Any
    many: bool

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of what it holds, if it has one."""
        return self.hint if isinstance(self.hint, type) and issubclass(self.hint, BaseModel) else None


def shape_of(hint: Any) -> Shape:
    """Return what a type hint means, whatever it is wrapped in."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return shape_of(next(each for each in inner if each is not type(None)))
    if origin is tuple:
        return Shape(shape_of(inner[0]).hint, many=True)
    if origin is Annotated and typing.get_origin(inner[0]) in (tuple, Union, types.UnionType):
        return shape_of(inner[0])
    return Shape(hint, many=False)


@lru_cache(maxsize=None)
def shapes(model: type[BaseModel]) -> Mapping[str, Shape]:
    """Return the shape of each of a model's fields, in order; a type alias is told apart from the type it narrows."""
    hints = typing.get_type_hints(model, include_extras=True)
    return {name: shape_of(hints[name]) for name in model.model_fields}


class Facts:
    """Makes facts of one document."""

    def __init__(self, reading: Reading, discretion: Discretion) -> None:
        self._reading = reading
        self._discretion = discretion
        self._special: dict[type[BaseModel], Callable[[Document, str], list[Node]]] = {
            Birth: self._birth,
            Place: self._place,
        }

    def of(self, model: type[BaseModel] | None, value: Document, path: str) -> list[Node]:
        """Return every fact of a value, as its model orders them; what the model does not know (answers are open) comes last."""
        special = self._special.get(model) if model is not None else None
        return special(value, path) if special is not None else self._by_model(model, value, path)

    def _by_model(self, model: type[BaseModel] | None, value: Document, path: str) -> list[Node]:
        fields = shapes(model) if model is not None else {}
        names = [*(name for name in fields if name in value), *(name for name in value if name not in fields)]
        found: list[Node] = []
        for name in names:
            if value[name] not in _EMPTY:
                found += self._field(model, fields.get(name), value, name, f"{path}.{name}")
        return found

    def _field(
        self, model: type[BaseModel] | None, shape: Shape | None, holder: Document, name: str, path: str
    ) -> list[Node]:
        given, label = holder[name], self._label(path, name)
        inner = shape.model if shape is not None else None
        if model is DoNotContact and name == "value":
            return [Fact(label, (Value(self._discretion.not_to_be_used(given), "warning"),))]
        if inner is Money:
            return [Fact(label, (Value(self._reading.sum_of_money(given)),))]
        if inner is Position:
            return [Fact(label, (Value(f"{given['latitude']}, {given['longitude']}"),))]
        if inner is Place and (why := self._discretion.place(path, holder)) is not None:
            return [Fact(label, (Value(why, "withheld"),))]
        if inner is Channel:
            return [Entries(label, tuple(tuple(self._channel(each, holder, path)) for each in given))]
        if isinstance(given, Mapping):
            return [Group(label, tuple(self.of(inner, given, path)))]
        if isinstance(given, list) and any(isinstance(each, Mapping) for each in given):
            return [Entries(label, tuple(tuple(self._entry(inner, each, label, path)) for each in given))]
        hint = shape.hint if shape is not None else None
        lang = holder.get("language") if model is NarrativeEntry and name == "text" else None
        several = given if isinstance(given, list) else [given]
        return [Fact(label, tuple(self._value(hint, each, lang) for each in several))]

    def _entry(self, model: type[BaseModel] | None, value: Any, label: str, path: str) -> list[Node]:
        if isinstance(value, Mapping):
            return self.of(model, value, path)
        return [Fact(label, (self._value(None, value),))]

    def _value(self, hint: Any, given: Any, lang: str | None = None) -> Value:
        if isinstance(given, list | Mapping):  # lists in lists: of an extension
            return Value(self._discretion.text(str(given)))
        read = self._reading.value(hint, given)
        return Value(self._discretion.text(read.text), read.tone, lang)

    def _label(self, path: str, name: str) -> str:
        if path.startswith("extensions."):
            return name
        if path.startswith("preview."):
            return self._reading.words(path)
        return field_label(path, self._reading.lang)

    def _channel(self, channel: Document, holder: Document, path: str) -> list[Node]:
        why = self._discretion.channel(channel, holder)
        way = Value(self._discretion.text(channel["value"])) if why is None else Value(why, "warning")
        kind, *rest = self._by_model(Channel, {name: channel[name] for name in channel if name != "value"}, path)
        return [kind, Fact(self._label(f"{path}.value", "value"), (way,)), *rest]

    def _birth(self, value: Document, path: str) -> list[Node]:
        """An estimate and its day are one fact: an age without a day says nothing."""
        rest = {name: part for name, part in value.items() if name not in ("estimated_age", "as_of")}
        found = self._by_model(Birth, rest, path)
        if value.get("estimated_age") is None:
            return found + self._by_model(Birth, {k: v for k, v in value.items() if k == "as_of"}, path)
        said = self._reading.words(
            "age.estimated",
            age=value["estimated_age"],
            date=self._reading.day(value["as_of"]) if value.get("as_of") else "?",
        )
        place = 1 if value.get("date") is not None else 0
        return [*found[:place], Fact(self._reading.words("age.label"), (Value(said),)), *found[place:]]

    def _place(self, value: Document, path: str) -> list[Node]:
        """Print an address as it is written on a letter; its codes and the way there apart."""
        written = ", ".join(self._address_lines(value))
        rest = {name: part for name, part in value.items() if name not in _ADDRESS}
        kind = self._by_model(Place, {name: rest.pop(name) for name in ("kind",) if name in rest}, path)
        said: list[Node] = (
            [Fact(self._reading.words("place.address"), (Value(self._discretion.text(written)),))] if written else []
        )
        return [*kind, *said, *self._by_model(Place, rest, path)]

    def _address_lines(self, value: Document) -> Iterator[str]:
        for name in _ADDRESS:
            part = value.get(name)
            if part in _EMPTY:
                continue
            if name in ("rt", "rw"):
                yield f"{name.upper()} {part}"
            else:
                yield self._reading.country(part) if name == "country" else str(part)


_ADDRESS: Final = ("name", "street", "rt", "rw", "village", "district", "regency", "province", "postcode", "country")

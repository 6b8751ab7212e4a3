"""A section as facts to print: walked by its model, labelled by the table of fields, the order the model's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from app.exchange.forms.discretion import Discretion
from app.exchange.forms.values import Reading, Value
from schemas.documents.preview_labels import preview_labels
from schemas.labels import field_label
from schemas.record.common import Money, Place, Position, SectionBase
from schemas.record.contact import Channel, DoNotContact
from schemas.record.identity import Birth
from schemas.record.narrative import NarrativeEntry
from schemas.record.record import SECTION_MODELS
from schemas.shapes import Shape, shapes

Document = Mapping[str, Any]
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {}, ())
_WHO_TOLD: Final = frozenset(SectionBase.model_fields)
_WORD: Final = 24
"""Longer words would have to be broken in a column."""
_COLUMNS: Final = 5
"""Up to so many labels entries are a table."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what stands beside it: one value, or several of a kind."""

    label: str
    values: tuple[Value, ...]
    apart: bool = False
    """Whether each of several has a line of its own, being sentences and not codes."""

    @property
    def longest_word(self) -> int:
        """The length of what cannot be broken."""
        return max((len(word) for value in self.values for word in value.text.split()), default=0)

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

    @property
    def columns(self) -> list[str] | None:
        """The labels, where every entry is a few short facts, so that they stand in a table; None where they do not."""
        facts = [node for entry in self.entries for node in entry]
        if any(not isinstance(node, Fact) or node.long or node.longest_word > _WORD for node in facts):
            return None
        labels: list[str] = []
        for entry in self.entries:  # what one entry lacks stands where another has it
            place = 0
            for node in entry:
                if node.label not in labels:
                    labels.insert(place, node.label)
                place = labels.index(node.label) + 1
        return labels if len(labels) <= _COLUMNS else None

    @property
    def rows(self) -> list[dict[str, Node]]:
        """The entries' facts by their labels."""
        return [{node.label: node for node in entry} for entry in self.entries]


Node = Fact | Group | Entries


class Facts:
    """Makes facts of one document."""

    def __init__(self, reading: Reading, discretion: Discretion) -> None:
        self._reading = reading
        self._discretion = discretion

    def of(self, model: type[BaseModel] | None, value: Document, path: str) -> list[Node]:
        """Return every fact of a value, as its model orders them; what the model does not know (answers are open) comes last."""
        return self._birth(value, path) if model is Birth else self._by_model(model, value, path)

    def section(self, name: str, value: Document) -> list[Node]:
        """Return a section's facts; whose words they are comes last."""
        model = SECTION_MODELS[name]
        told = {part: value[part] for part in value if part in _WHO_TOLD}
        rest = {part: value[part] for part in value if part not in _WHO_TOLD}
        return [*self.of(model, rest, name), *self.of(model, told, name)]

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
        if inner is Place:
            return self._place(label, given, path)
        if inner is Birth:
            return self._birth(given, path)
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
            return Value(self._discretion.text("; ".join(self._leaves(given))))
        read = self._reading.value(hint, given)
        return Value(self._discretion.text(read.text), read.tone, lang)

    def _leaves(self, given: Any) -> Iterator[str]:
        """What is nested deeper than a form can lay out, each with its name."""
        if isinstance(given, Mapping):
            for name, inner in given.items():
                yield f"{name}: {', '.join(self._leaves(inner))}"
        elif isinstance(given, list):
            for inner in given:
                yield from self._leaves(inner)
        elif given is not None:
            yield self._reading.value(None, given).text

    def _label(self, path: str, name: str) -> str:
        if path.startswith("extensions."):
            return name
        if path.startswith("preview."):
            return preview_labels()[path][self._reading.lang]
        return field_label(path, self._reading.lang)

    def _channel(self, channel: Document, holder: Document, path: str) -> list[Node]:
        why = self._discretion.channel(channel, holder)
        way = Value(self._discretion.text(channel["value"])) if why is None else Value(why, "warning")
        left_out = {"value"} if why is None else {"value", "typed"}
        kind, *rest = self._by_model(Channel, {name: channel[name] for name in channel if name not in left_out}, path)
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

    def _place(self, label: str, value: Document, path: str) -> list[Node]:
        """Print an address as it is written on a letter; its kind, its code and the way there apart."""
        written = ", ".join(self._address_parts(value))
        rest = {name: part for name, part in value.items() if name not in _ADDRESS}
        address = [Fact(label, (Value(self._discretion.text(written)),))] if written else []
        return [*address, *self._by_model(Place, rest, path)]

    def _address_parts(self, value: Document) -> Iterator[str]:
        for name in (name for name in _ADDRESS if value.get(name) not in _EMPTY):
            part = str(value[name])
            if name in ("rt", "rw"):
                yield f"{name.upper()} {part}"
            else:
                yield self._reading.country(part) if name == "country" else part


_ADDRESS: Final = ("name", "street", "rt", "rw", "village", "district", "regency", "province", "postcode", "country")

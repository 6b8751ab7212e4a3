"""A document in the terminal: headings, facts, and whatever a model of `schemas` describes, one fact a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import AwareDatetime, BaseModel
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from app.cli.common import harmless
from app.cli.officer.words import Language, coded, labelled, shown_moment
from schemas.codes import LIST_OF
from schemas.codes.base import CodeEnum
from schemas.shapes import is_model, parts_of

WIDTH: Final = 100
"""What is read most easily; a narrower terminal is respected."""
Fact = tuple[int, str]


class Sheet:
    """Prints as it is written."""

    def __init__(self, lang: Language) -> None:
        self.lang = lang
        console = Console(highlight=False)
        self._console = Console(highlight=False, width=min(console.width, WIDTH) if console.is_terminal else WIDTH)

    def heading(self, text: str, note: str = "") -> None:
        """Begin a part."""
        self._console.print()
        self._console.print(Text.assemble((harmless(text), "bold"), harmless(f"  {note}" if note else "")))

    def line(self, text: str, *, depth: int = 0, style: str = "") -> None:
        """Write a line, or a paragraph."""
        self._console.print(Padding(Text(harmless(text), style), (0, 0, 0, 2 * depth), expand=False))

    def fact(self, name: str, value: Any) -> None:
        """Write a named fact, unless there is none."""
        if value not in (None, ""):
            self._console.print(Padding(Text(f"{name:<13} {harmless(str(value))}"), (0, 0, 0, 2), expand=False))

    def document(self, model: type[BaseModel], value: Mapping[str, Any], *, depth: int = 1) -> None:
        """Write every fact of a document, as its model orders and labels them."""
        for deeper, text in facts(model, value, self.lang):
            self.line(text, depth=depth + deeper)


def facts(model: type[BaseModel] | None, value: Mapping[str, Any], lang: Language) -> Iterator[Fact]:
    """Yield every fact with its depth; what the model does not know (answers are open) comes last, as it is."""
    fields = model.model_fields if model is not None else {}
    for name in [*(name for name in fields if name in value), *(name for name in value if name not in fields)]:
        if value[name] in (None, [], {}, ""):
            continue
        annotation = fields[name].annotation if name in fields else None
        yield from _fact(title_of(name), name, tuple(_types_in(annotation)), value[name], lang)


def title_of(name: str) -> str:
    """Return a field's name as a title."""
    return name.replace("_", " ").capitalize()


def _fact(title: str, name: str, types: tuple[type, ...], value: Any, lang: Language) -> Iterator[Fact]:
    if isinstance(value, Mapping):
        yield 0, f"{title}:"
        yield from ((depth + 1, text) for depth, text in facts(_model_for(types, value), value, lang))
    elif _is_list(value) and any(isinstance(each, Mapping) for each in value):
        yield 0, f"{title}:"
        for each in value:
            yield from _item(types, each, lang)
    elif _is_list(value):
        yield 0, f"{title}: {', '.join(_scalar(name, types, each, lang) for each in value)}"
    else:
        text = _scalar(name, types, value, lang)
        if "\n" in text:
            yield 0, f"{title}:"
            yield 1, text
        else:
            yield 0, f"{title}: {text}"


def _item(types: tuple[type, ...], value: Any, lang: Language) -> Iterator[Fact]:
    """Yield one of several: its first fact after a dash, the others below it."""
    inner = facts(_model_for(types, value), value, lang) if isinstance(value, Mapping) else iter([(0, str(value))])
    for place, (depth, text) in enumerate(inner):
        yield 1 + depth, f"{'  ' if place else '- '}{text}"


def _scalar(name: str, types: tuple[type, ...], value: Any, lang: Language) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "legal_basis":
        return coded("legal_basis", str(value), lang)
    for each in types:
        if issubclass(each, CodeEnum):
            return labelled(LIST_OF[each], str(value), lang)
        if each is AwareDatetime:
            return shown_moment(value)
    return str(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _model_for(types: tuple[type, ...], value: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the model among `types` that has most of the value's members."""
    models = list(filter(is_model, types))
    return max(models, key=lambda model: len(model.model_fields.keys() & value.keys()), default=None)


def _types_in(annotation: Any) -> Iterator[type]:
    """Yield every class an annotation is made of."""
    return (part for part in parts_of(annotation) if isinstance(part, type) and not get_args(part))

"""Where each code list is used, read off the models: no list of places can go stale."""

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, get_args

from pydantic import BaseModel

import schemas.exchange
from schemas.codes import LIST_OF
from schemas.record import Record
from schemas.shapes import is_model, models_in, parts_of
from schemas.text import LegalBasisCode

_LAW = get_args(LegalBasisCode)[1]


def lists_in(annotation: Any, metadata: Any = ()) -> Iterator[str]:
    """The lists whose codes a field of this type may hold."""
    if annotation in LIST_OF:
        yield LIST_OF[annotation]
    for part in (*metadata, *get_args(annotation)):
        if part is _LAW:
            yield "legal_basis"
        else:
            yield from lists_in(part)


def _in_record(model: type[BaseModel], pointer: str = "") -> Iterator[tuple[str, str]]:
    """Each list with where it stands in the record: a JSON Pointer in which `*` is any item or key."""
    for name, field in model.model_fields.items():
        repeated = any(
            getattr(part, "__origin__", part) in (tuple, list, dict, frozenset) for part in parts_of(field.annotation)
        )
        place = f"{pointer}/{field.alias or name}{'/*' if repeated else ''}"
        yield from ((found, place) for found in lists_in(field.annotation, field.metadata))
        for below in models_in(field.annotation):
            yield from _in_record(below, place)


def _in_exchange() -> Iterator[tuple[str, str]]:
    """Each list with the members of requests and answers that use it: `<schema>.<member>`."""
    places = [each.name for each in pkgutil.iter_modules(schemas.exchange.__path__, "schemas.exchange.")]
    for module in map(import_module, [*places, "schemas.checks.warning"]):
        for model in vars(module).values():
            if is_model(model) and model.__module__ == module.__name__:
                for name, field in model.model_fields.items():
                    if not model.__name__.startswith("_"):
                        yield from (
                            (used, f"{model.__name__}.{name}") for used in lists_in(field.annotation, field.metadata)
                        )


@cache
def _places() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, place in (*_in_record(Record), *_in_exchange()):
        found.setdefault(name, []).append(place)
    return {name: tuple(dict.fromkeys(places)) for name, places in found.items()}


def used_in(name: str) -> tuple[str, ...]:
    """The places in the record (pointers) and in the exchange (`Schema.member`) that use the list."""
    return _places().get(name, ())

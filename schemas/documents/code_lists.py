"""A code list as the exchange serves it and the command line exports it: the same bytes."""

from collections.abc import Sequence
from functools import cache
from json import dumps

from schemas.codes.labels import attribution, code_list
from schemas.codes.tables import csv_of
from schemas.documents.used import used_in
from schemas.exchange.code_lists import PublishedCodeList
from schemas.record import SCHEMA_VERSION


@cache
def published(name: str) -> PublishedCodeList:
    """The list with what belongs to its publication; `KeyError` where there is none."""
    return PublishedCodeList(
        **dict(code_list(name)), schema_version=SCHEMA_VERSION, attribution=attribution(), used_in=used_in(name)
    )


@cache
def as_json(name: str) -> bytes:
    """The list as JSON; the same bytes as long as it is the same list."""
    return _text(published(name).model_dump(mode="json"))


@cache
def as_csv(name: str) -> bytes:
    """The list's codes as CSV."""
    return csv_of([name]).encode()


def all_as_json(names: Sequence[str]) -> bytes:
    """Several lists as one document."""
    lists = [published(name).model_dump(mode="json", exclude={"schema_version", "attribution"}) for name in names]
    return _text({"schema_version": SCHEMA_VERSION, "attribution": attribution(), "lists": lists})


def _text(document: object) -> bytes:
    return dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"

"""The published code lists: what each code is called in Indonesian and English, and what belongs to it."""

import json
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

from schemas.base import Wire
from schemas.text import Line, Name

Lang = Literal["id", "en"]
"""A language the labels exist in."""


class CodeEntry(Wire):
    """One code and its labels."""

    code: Line
    """As it stands in a request or an answer."""
    id: Name
    """In Indonesian."""
    en: Name
    """In English."""
    note: Line | None = None
    """A caution for those who use the code."""
    respond_within: Line | None = None
    """Of an urgency: the time to answer, as an ISO 8601 duration."""
    valid_from: date | None = None
    """Of a law: the day it came into force."""
    valid_to: date | None = None
    """Of a law: its last day."""
    replaced_by: Line | None = None
    """Of a law: the code of what took its place."""


class CodeList(Wire):
    """A code list with its source."""

    name: Name
    source: Line
    """Where the list comes from."""
    note: Line | None = None
    codes: tuple[CodeEntry, ...]
    """In the order they are best shown."""


@lru_cache(maxsize=1)
def _published() -> dict[str, CodeList]:
    data: dict[str, Any] = json.loads(files("schemas.codes").joinpath("codes.json").read_text(encoding="utf-8"))
    return {name: CodeList.model_validate({"name": name, **body}) for name, body in data["lists"].items()}


@lru_cache(maxsize=1)
def _labels() -> dict[tuple[str, str], CodeEntry]:
    return {(name, entry.code): entry for name, codes in _published().items() for entry in codes.codes}


def list_names() -> tuple[str, ...]:
    """The names of all lists, sorted."""
    return tuple(sorted(_published()))


def code_list(name: str) -> CodeList:
    """The list of that name; `KeyError` where there is none."""
    return _published()[name]


def label(list_name: str, code: str, lang: Lang = "id") -> str:
    """What to show for a code; the code itself where the list does not know it, since answers are open."""
    entry = _labels().get((list_name, code))
    if entry is None:
        code_list(list_name)
        return code
    return entry.id if lang == "id" else entry.en

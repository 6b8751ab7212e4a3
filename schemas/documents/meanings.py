"""What each member of the record means, in English and Indonesian."""

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from inspect import cleandoc
from typing import Final

from pydantic import BaseModel

_HTCDS: Final = re.compile(r"\s*(?:Of a [\w ]+, )?HTCDS (?:`[^`]+`(?:, )?)+(?: and so on)?\.")


@dataclass(frozen=True, slots=True)
class Meaning:
    """A sentence in each language."""

    en: str
    id: str


def meaning_of(model: type[BaseModel], field: str = "") -> Meaning:
    """What a member means, or the model itself. English stands beside the code, or in the table where it does not.

    Raises `KeyError` where the table has no row.
    """
    owner = next(each.__name__ for each in model.__mro__ if not field or field in each.__annotations__)
    english, indonesian = _table()[owner, field]
    if not english:
        said = (model.model_fields[field].description if field else model.__doc__) or ""
        english = without_htcds(cleandoc(said)).split("\n\n")[0].replace("\n", " ")
    return Meaning(en=english, id=indonesian)


def without_htcds(said: str) -> str:
    """The same without the names in HTCDS, which have a table of their own."""
    return _HTCDS.sub("", said).strip()


def in_indonesian(name: str) -> str:
    """What a named type means; in English the source says it."""
    return _table()[name, ""][1]


def rows() -> frozenset[tuple[str, str]]:
    """Model and member of every row of the table."""
    return frozenset(_table())


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, str], tuple[str, str]]:
    lines = files("schemas").joinpath("labels", "meanings.csv").read_text(encoding="utf-8").splitlines()
    return {(row["model"], row["field"]): (row["en"], row["id"]) for row in csv.DictReader(lines)}

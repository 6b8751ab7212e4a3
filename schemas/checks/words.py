"""What a warning says to people."""

import csv
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from schemas.codes.labels import Lang


class Words(NamedTuple):
    """A warning in words."""

    label: str
    what_to_do: str


@lru_cache(maxsize=1)
def _rows() -> dict[str, dict[str, str]]:
    text = files("schemas.codes").joinpath("lists/warning.csv").read_text(encoding="utf-8")
    return {row["code"]: row for row in csv.DictReader(text.splitlines())}


def words_of(code: str, lang: Lang = "id") -> Words:
    """What to show for a warning; the code itself where it is of a later version, since answers are open."""
    row = _rows().get(code)
    return Words(row[lang], row[f"definition_{lang}"]) if row else Words(code, "")

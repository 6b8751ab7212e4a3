"""The forms' own words, in both languages; labels of codes and fields come from `schemas`."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from schemas.codes.labels import Lang


@lru_cache(maxsize=1)
def all_words() -> dict[str, dict[Lang, str]]:
    """Every phrase by its name, in both languages."""
    found: dict[str, dict[Lang, str]] = json.loads(files(__package__).joinpath("words.json").read_text("utf-8"))
    return found


class Words:
    """The phrases in one language."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang

    def __call__(self, name: str, **parts: Any) -> str:
        """Return a phrase, its gaps filled. `KeyError` where there is none: a form with a hole is no form."""
        said = all_words()[name][self.lang]
        return said.format(**parts) if parts else said

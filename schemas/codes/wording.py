"""Words we do not use of people: in labels, definitions, forms and pages of ours. What agencies write is never altered."""

import re
from functools import cache
from importlib.resources import files

from schemas.codes.labels import Lang, read_rows

_COLUMNS = ("word", "language", "instead", "why")


@cache
def _pattern(lang: Lang) -> re.Pattern[str]:
    text = files("schemas.codes").joinpath("avoided_words.csv").read_text(encoding="utf-8")
    rows = read_rows(text, _COLUMNS, "avoided_words.csv")
    words = sorted((row["word"] or "" for row in rows if row["language"] == lang), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})(?:nya)?\b", re.IGNORECASE)


def avoided_words(text: str, lang: Lang) -> list[str]:
    """The words of a text of ours that `avoided_words.csv` says to replace."""
    return [found[0] for found in _pattern(lang).finditer(text)]

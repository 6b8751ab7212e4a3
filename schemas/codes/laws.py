"""The laws that may ground a disclosure, and their articles: read from the lists `legal_basis` and `legal_article`."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from typing import Final

from schemas.codes.labels import CodeEntry, code_list, entry_of

_NAMED: Final = re.compile(r"(?:pasal|psl\.?|articles?|arts?\.?)\s*", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"\s*(?:[,;&]|\bdan\b|\band\b|\bjo\.?(?=\s))\s*", re.IGNORECASE)
_ONE: Final = re.compile(
    r"(?P<first>[1-9][0-9]{0,2})[a-z]{0,2}(?:\s*[-–]\s*(?P<last>[1-9][0-9]{0,2})[a-z]{0,2})?"
    r"(?:\s*(?:ayat|paragraph|para\.?)?\s*\([0-9]{1,2}[a-z]?\))?"
    r"(?:\s*(?:huruf|letter|point)\s*[a-z])?",
    re.IGNORECASE,
)


def law_of(code: str) -> CodeEntry | None:
    """What the list says of a law, or nothing."""
    return entry_of("legal_basis", code)


def in_force(law: CodeEntry, on: date) -> bool:
    """Whether a law is in force on a day: not before its first, not after its last, and not replaced by a day that is unknown."""
    if law.valid_from is not None and on < law.valid_from:
        return False
    if law.valid_to is not None:
        return on <= law.valid_to
    return law.status != "retired"


def articles_in(text: str) -> tuple[int, ...] | None:
    """The numbers of the articles that are named: `Pasal 20 ayat (2) huruf d`, `art. 51`, `Pasal 6, 11–17`. None: it names none."""
    found: list[int] = []
    for part in _BETWEEN.split(_NAMED.sub("", text.strip())):
        match = _ONE.fullmatch(part)
        if match is None:
            return None
        first, last = int(match["first"]), int(match["last"] or match["first"])
        if not first <= last <= first + 100:
            return None
        found.extend(range(first, last + 1))
    return tuple(found)


@cache
def _grounds() -> dict[tuple[str, int], frozenset[str]]:
    return {
        (entry.law or "", int(entry.article or 0)): frozenset((entry.grounds or "").split())
        for entry in code_list("legal_article").codes
    }


def grounds_of(law: str, article: int) -> frozenset[str] | None:
    """The codes of `disclosure_basis` that an article may ground; None: the list does not have it."""
    return _grounds().get((law, article))


def known_articles(law: str, text: str) -> bool:
    """Whether all articles that a reference names are in the list."""
    articles = articles_in(text)
    return articles is not None and all((law, each) in _grounds() for each in articles)

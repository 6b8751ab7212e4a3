"""Values as people read them: dates in words, codes by their labels, places by name, and three kinds of no answer."""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Any, Final, Literal

import pycountry

from app.exchange.forms.words import Words
from schemas.base import Day, Moment
from schemas.codes import ENUMS
from schemas.codes.answers import Missing
from schemas.codes.base import CodeEnum
from schemas.codes.labels import Lang, label
from schemas.record.preview import PrimaryLanguage
from schemas.text import AgencyCode, CountryCode, LanguageTag, PartialDate, ScriptCode

LISTS: Final = {enum: name for name, enum in ENUMS.items()}
"""The name of each enumeration's list of labels."""
_UNANSWERED: Final = frozenset(Missing)
LONG: Final = 90
"""From so many characters on, a text gets the width of the page."""

Tone = Literal["plain", "missing", "withheld", "warning"]


@dataclass(frozen=True, slots=True)
class Value:
    """What stands beside a label."""

    text: str
    tone: Tone = "plain"
    """`missing`: a question without an answer; `withheld`: there is one, and it is not printed."""
    lang: str | None = None
    """The language of a text, where it is known to be another than the form's."""

    @property
    def long(self) -> bool:
        """Whether it needs lines of its own."""
        return len(self.text) > LONG or "\n" in self.text


class Reading:
    """Turns values into words of one language, by the clocks of one place. `agencies`: names by code."""

    def __init__(self, words: Words, zone: tzinfo, agencies: Mapping[str, str]) -> None:
        self.words = words
        self.lang: Lang = words.lang
        self.zone = zone
        self._agencies = agencies
        self._known: tuple[tuple[Any, Callable[[Any], str]], ...] = (
            (PartialDate, self.partial_date),
            (Day, self.day),
            (Moment, self.moment),
            (CountryCode, self.country),
            (LanguageTag, self.language),
            (PrimaryLanguage, self.language),
            (ScriptCode, self.script),
            (AgencyCode, self.agency),
        )

    def value(self, hint: Any, given: Any) -> Value:
        """Return a single value by the type its model gives it."""
        if isinstance(hint, type) and issubclass(hint, CodeEnum):
            return Value(self.code(LISTS[hint], str(given)), "missing" if given in _UNANSWERED else "plain")
        if isinstance(given, bool):
            return Value(self.words("answer.true" if given else "answer.false"))
        for known, read in self._known:
            if hint == known:
                return Value(read(given))
        return Value(self.number(given) if isinstance(given, int | float) else str(given))

    def code(self, list_name: str, code: str) -> str:
        """Return a code's label."""
        return label(list_name, code, self.lang)

    def number(self, given: float) -> str:
        """Return a number with its thousands parted, as the language parts them."""
        text = f"{given:,}"
        return text.translate(str.maketrans(",.", ".,")) if self.lang == "id" else text

    def sum_of_money(self, given: Mapping[str, Any]) -> str:
        """Return a sum with its currency."""
        return f"{given['currency']} {self.number(given['amount'])}"

    def agency(self, code: str) -> str:
        """Return an agency's name; its code where the directory does not have it."""
        return self._agencies.get(code, code)

    def country(self, code: str) -> str:
        """Return a country's name."""
        found = pycountry.countries.get(alpha_2=code)
        if found is None:
            return code
        return _translated("iso3166-1", getattr(found, "common_name", found.name), self.lang)

    def language(self, tag: str) -> str:
        """Return a language's name with its tag, which is what is typed."""
        first = tag.split("-", 1)[0].lower()
        found = pycountry.languages.get(**{"alpha_2" if len(first) == 2 else "alpha_3": first})
        return tag if found is None else f"{_translated('iso639-3', found.name, self.lang)} ({tag})"

    def script(self, code: str) -> str:
        """Return a script's name."""
        found = pycountry.scripts.get(alpha_4=code)
        return code if found is None else _translated("iso15924", found.name, self.lang)

    def day(self, given: date | str) -> str:
        """Return a calendar date as DD-MM-YYYY."""
        return (date.fromisoformat(given) if isinstance(given, str) else given).strftime("%d-%m-%Y")

    def moment(self, given: datetime | str, zone: tzinfo | None = None) -> str:
        """Return a time by the clocks of the reader, or of `zone`, with the zone's name."""
        found = datetime.fromisoformat(given) if isinstance(given, str) else given
        here = found.astimezone(zone or self.zone)
        separator = "." if self.lang == "id" else ":"
        return self.words(
            "moment", date=self.day(here.date()), time=here.strftime(f"%H{separator}%M"), zone=here.tzname()
        )

    def partial_date(self, given: str) -> str:
        """Return a date that is known to the day, the month, the year or the decade; `~`, `?` and `/` as EDTF has them."""
        if "/" in given:
            first, last = (self.partial_date(part) if part.strip(".") else "" for part in given.split("/", 1))
            name = "between" if first and last else "since" if first else "until"
            return self.words(f"date.{name}", first=first, last=last)
        match = re.fullmatch(r"([0-9]{3}[0-9X])(?:-([0-9]{2}))?(?:-([0-9]{2}))?([~?%]?)", given)
        if match is None:
            return given
        year, month, day, doubt = match.groups()
        qualifier = {"~": "about", "?": "doubtful", "%": "about_doubtful"}.get(doubt)
        if day:
            said = f"{day}-{month}-{year}"
        elif month:
            said = f"{self.words('date.months').split()[int(month) - 1]} {year}"
        elif year.endswith("X"):
            said = self.words("date.decade", date=f"{year[:3]}0")
        else:
            said = year if qualifier else self.words("date.year", date=year)
        return self.words(f"date.{qualifier}", date=said) if qualifier else said


@lru_cache(maxsize=4)
def _translations(domain: str, lang: Lang) -> gettext.NullTranslations:
    return gettext.translation(domain, pycountry.LOCALES_DIR, languages=[lang], fallback=True)


def _translated(domain: str, name: str, lang: Lang) -> str:
    return name if lang == "en" else _translations(domain, lang).gettext(name)

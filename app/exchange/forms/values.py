"""Values as people read them: dates in words, codes by their labels, places by name, and three kinds of no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, Final, Literal

from app.exchange.forms.words import Words
from schemas import regions
from schemas.base import Day, Moment
from schemas.codes import LIST_OF
from schemas.codes.answers import Missing
from schemas.codes.base import CodeEnum
from schemas.codes.labels import Lang, label
from schemas.dates import date_in_words, day_in_digits
from schemas.names import country_name, language_name, script_name
from schemas.record.sealed import PrimaryLanguage
from schemas.text import AgencyCode, CountryCode, LanguageTag, PartialDate, RegionCode, ScriptCode

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
            (RegionCode, self.region),
            (LanguageTag, self.language),
            (PrimaryLanguage, self.language),
            (ScriptCode, self.script),
            (AgencyCode, self.agency),
        )

    def value(self, hint: Any, given: Any) -> Value:
        """Return a single value by the type its model gives it."""
        if isinstance(hint, type) and issubclass(hint, CodeEnum):
            return Value(self.code(LIST_OF[hint], str(given)), "missing" if given in _UNANSWERED else "plain")
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
        """Return a number with its thousands parted, as the language parts them; a whole one without a fraction."""
        text = f"{int(given) if float(given).is_integer() else given:,}"
        return text.translate(str.maketrans(",.", ".,")) if self.lang == "id" else text

    def sum_of_money(self, given: Mapping[str, Any]) -> str:
        """Return a sum with its currency."""
        return f"{given['currency']} {self.number(given['amount'])}"

    def agency(self, code: str) -> str:
        """Return an agency's name; its code where the directory does not have it."""
        return self._agencies.get(code, code)

    def country(self, code: str) -> str:
        """Return a country's name."""
        return country_name(code, self.lang)

    def language(self, tag: str) -> str:
        """Return a language's name with its tag, which is what is typed."""
        name = language_name(tag, self.lang)
        return name if name == tag else f"{name} ({tag})"

    def script(self, code: str) -> str:
        """Return a script's name."""
        return script_name(code, self.lang)

    def region(self, code: str) -> str:
        """Return a region's name, and those of all it is part of, with its code; a village is its code alone, beside its district."""
        names = regions.path_of(code)
        return f"{', '.join(names)} ({code})" if names else code

    def day(self, given: date | str) -> str:
        """Return a calendar date as DD-MM-YYYY."""
        return day_in_digits(str(given))

    def moment(self, given: datetime | str, zone: tzinfo | None = None) -> str:
        """Return a time by the clocks of the reader, or of `zone`, with the zone's name."""
        found = datetime.fromisoformat(given) if isinstance(given, str) else given
        here = found.astimezone(zone or self.zone)
        separator = "." if self.lang == "id" else ":"
        return self.words(
            "moment", date=self.day(here.date()), time=here.strftime(f"%H{separator}%M"), zone=here.tzname()
        )

    def partial_date(self, given: str) -> str:
        """Return a date as exact as it is known, in words."""
        return date_in_words(given, self.lang)

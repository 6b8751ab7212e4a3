"""Between which days somebody was born, by what is known of it."""

from datetime import date
from typing import Final, NamedTuple

from schemas.record.identity import Birth
from schemas.text import earliest, is_qualified, latest

SLACK_YEARS: Final = 5
"""How far an estimate of an age, or a date marked as uncertain, may be out without being contradicted."""


class Span(NamedTuple):
    """The first and the last day somebody can have been born on."""

    first: date
    last: date


def born(birth: Birth | None) -> Span | None:
    """The days a birth date or an estimate allows; nothing where neither is given."""
    if birth is None:
        return None
    if birth.date is not None:
        span = Span(earliest(birth.date), latest(birth.date))
        return _wider(span) if is_qualified(birth.date) else span
    if birth.estimated_age is not None and birth.as_of is not None:
        return _wider(estimated(birth.estimated_age, birth.as_of))
    return None


def estimated(age: int, as_of: date) -> Span:
    """The days of birth of whoever is exactly that old."""
    return Span(years_before(as_of, age + 1), years_before(as_of, age))


def years_before(day: date, years: int) -> date:
    """The same day of an earlier year, or of a later one; 29 February becomes the 28th."""
    year = min(max(day.year - years, date.min.year), date.max.year)
    return date(year, day.month, 28 if (day.month, day.day) == (2, 29) else day.day)


def _wider(span: Span) -> Span:
    return Span(years_before(span.first, SLACK_YEARS), years_before(span.last, -SLACK_YEARS))

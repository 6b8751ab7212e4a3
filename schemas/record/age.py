"""Ages from what is known of a birth: the youngest reading counts, since a child is owed more."""

from datetime import date

from schemas.codes.answers import Answer
from schemas.codes.person import AgeBand
from schemas.record.identity import Birth
from schemas.text import latest

_BANDS = (
    (6, AgeBand.AGE_0_5),
    (12, AgeBand.AGE_6_11),
    (18, AgeBand.AGE_12_17),
    (25, AgeBand.AGE_18_24),
    (40, AgeBand.AGE_25_39),
    (60, AgeBand.AGE_40_59),
)
_CHILDREN = frozenset({AgeBand.AGE_0_5, AgeBand.AGE_6_11, AgeBand.AGE_12_17, AgeBand.CHILD})
_NOT_KNOWN = frozenset({AgeBand.UNKNOWN, AgeBand.NOT_ASKED, AgeBand.DECLINED})


def years_between(earlier: date, later: date) -> int:
    """Completed years, never below nought."""
    return max(0, later.year - earlier.year - ((later.month, later.day) < (earlier.month, earlier.day)))


def youngest_age(birth: Birth, *, on: date) -> int | None:
    """The lowest age in years the person can have on that day; nothing where no number is known."""
    if birth.date is not None:
        return years_between(latest(birth.date), on)
    if birth.estimated_age is not None and birth.as_of is not None:
        return birth.estimated_age + years_between(birth.as_of, on)
    return None


def age_band(birth: Birth | None, *, on: date) -> AgeBand:
    """The band of the youngest age; else the band that was given; else why there is none."""
    if birth is None:
        return AgeBand.UNKNOWN
    age = youngest_age(birth, on=on)
    if age is not None:
        return next((band for limit, band in _BANDS if age < limit), AgeBand.AGE_60_OVER)
    if birth.age_band is not None:
        return birth.age_band
    return AgeBand(birth.missing.value) if birth.missing is not None else AgeBand.UNKNOWN


def is_adult(band: AgeBand) -> bool:
    """Whether a band is known and of adults."""
    return band not in _NOT_KNOWN and band not in _CHILDREN


def is_child(birth: Birth | None, *, on: date) -> Answer:
    """Whether the person is to be treated as a child: also while their age is in doubt."""
    if birth is not None and birth.disputed is Answer.YES:
        return Answer.YES
    band = age_band(birth, on=on)
    if band in _NOT_KNOWN:
        return Answer(band.value)
    return Answer.YES if band in _CHILDREN else Answer.NO

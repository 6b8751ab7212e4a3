"""Dates as exact as they are known, and whole days and moments: the same ones in the model and in its JSON Schema."""

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.base import Day, Moment
from schemas.calendar import PARTIAL_DATE_PATTERN
from schemas.text import PartialDate, earliest, is_day, is_qualified, latest
from tests.schemas.record_strategies import partial_dates

PARTIAL = TypeAdapter(PartialDate)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("1994", "1994-01-01", "1994-12-31"),
        ("1994-12", "1994-12-01", "1994-12-31"),
        ("2000-02", "2000-02-01", "2000-02-29"),
        ("2100-02", "2100-02-01", "2100-02-28"),
        ("1994-02-03", "1994-02-03", "1994-02-03"),
        ("199X", "1990-01-01", "1999-12-31"),
        ("19XX", "1900-01-01", "1999-12-31"),
        ("20XX", "2000-01-01", "2099-12-31"),
        ("18XX", "1800-01-01", "1899-12-31"),
        ("210X", "2100-01-01", "2109-12-31"),
        ("1998-XX", "1998-01-01", "1998-12-31"),
        ("1998-XX-XX", "1998-01-01", "1998-12-31"),
        ("1998-02-XX", "1998-02-01", "1998-02-28"),
        ("1998?", "1998-01-01", "1998-12-31"),
        ("1998-04~", "1998-04-01", "1998-04-30"),
        ("1998-04-12%", "1998-04-12", "1998-04-12"),
        ("199X~", "1990-01-01", "1999-12-31"),
    ],
)
def test_what_a_date_can_mean(written, first, last):
    assert PARTIAL.validate_python(written) == written
    assert (earliest(written).isoformat(), latest(written).isoformat()) == (first, last)


@pytest.mark.parametrize(
    "bad",
    [
        "", " ", "1799", "2200", "94", "1994-2", "1994-13", "1994-00", "1994-02-30", "2001-02-29", "1900-02-29",
        "28-02-1994", "12/03/1994", "1994-02-28T00:00", "19940228", "33298", "33298.0", "#N/A", "١٩٩٤", "1994 ", " 1994",
        "1994\n", "XXXX", "1XXX", "19X4", "179X", "220X", "199X-04", "1998-XX-12", "199x", "1998??", "1998?~", "?1998", "1998-04?-12",
        "/1998", "1998/1999", "Y1998", "-1998", "1998-21", "1994-02-28?!",
    ],
)  # fmt: skip
def test_no_date(bad):
    with pytest.raises(ValidationError) as caught:
        PARTIAL.validate_python(bad)
    assert [fault["type"] for fault in caught.value.errors()] == ["partial_date_form"]


@given(partial_dates)
def test_every_date_has_a_first_and_a_last_day(written):
    assert earliest(PARTIAL.validate_python(written)) <= latest(written)
    if is_day(written):
        assert earliest(written) == latest(written)


def test_a_qualifier_is_seen_and_moves_nothing():
    assert [is_qualified(each) for each in ("1998", "1998?", "1998~", "1998%")] == [False, True, True, True]
    assert latest("1998~") == latest("1998")


@pytest.mark.parametrize(
    "year", [1799, 1800, 1804, 1899, 1900, 1996, 1999, 2000, 2026, 2099, 2100, 2101, 2104, 2199, 2200]
)
def test_the_calendar_is_in_the_patterns(year):
    day_pattern = TypeAdapter(Day).json_schema()["pattern"]
    for month in range(14):
        for day in range(33):
            written = f"{year}-{month:02}-{day:02}"
            try:
                date(year, month, day)
            except ValueError:
                exists = False
            else:
                exists = True
            for pattern in (day_pattern, PARTIAL_DATE_PATTERN):
                assert bool(re.match(pattern, written)) == (exists and 1800 <= year <= 2199), written


@pytest.mark.parametrize("kind", [PartialDate, Day, Moment])
def test_the_schema_says_what_the_model_takes(kind):
    adapter = TypeAdapter(kind)
    pattern = adapter.json_schema()["pattern"]

    @settings(max_examples=40)
    @given(st.from_regex(pattern.replace("$", r"\Z"), alphabet=st.characters(codec="ascii")))
    def everything_of_the_pattern_is_taken(written):
        assert adapter.validate_python(written) is not None

    everything_of_the_pattern_is_taken()


@pytest.mark.parametrize(
    "bad", ["2026-11-25T24:00:00Z", "2026-11-25T23:59:60Z", "2026-11-25T09:00:00+24:00", "2026-02-29T09:00:00Z"]
)
def test_no_moment(bad):
    assert not re.match(TypeAdapter(Moment).json_schema()["pattern"], bad)
    with pytest.raises(ValidationError):
        TypeAdapter(Moment).validate_python(bad)

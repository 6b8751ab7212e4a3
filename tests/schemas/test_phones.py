"""Phone numbers as people type them, in E.164, and those no country has."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from schemas.phone import is_e164, looks_typed, phone_number
from schemas.text import Phone

MOBILE = "+6281100000012"


@pytest.mark.parametrize(
    "typed",
    [
        MOBILE,
        "0811 0000 0012",
        "0811-0000-0012",
        "0811.0000.0012",
        "(0811) 0000-0012",
        "0811/0000/0012",
        "6281100000012",
        "62 811 0000 0012",
        "+62 (811) 0000.0012",
        "+62 0811 0000 0012",
        "+62 (0)811-0000-0012",
        "+62\u00a0811\u20110000\u20130012",
        "\uff0b\uff16\uff12\uff18\uff11\uff11\uff10\uff10\uff10\uff10\uff10\uff10\uff11\uff12",
        "٠٨١١٠٠٠٠٠٠١٢",
        "၀၈၁၁၀၀၀၀၀၀၁၂",
        "  0811 0000 0012  ",
    ],
)
def test_an_indonesian_mobile_in_every_way_of_typing(typed):
    assert TypeAdapter(Phone).validate_python(typed) == MOBILE


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("+62 21 1234567", "+62211234567"),
        ("+95 9 000 000 00", "+95900000000"),
        ("+60 3-1234 5678", "+60312345678"),
        ("+870 773 123 456", "+870773123456"),
        ("+8816 1234 5678", "+881612345678"),
        ("+62 804 1 123 123", "+628041123123"),
        ("+39 06 0000 0000", "+390600000000"),
    ],
)
def test_numbers_of_elsewhere_at_sea_and_of_services(typed, kept):
    assert phone_number(typed) == kept


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "phone_form"),
        ("110", "phone_form"),
        ("hush", "phone_form"),
        ("#N/A", "phone_form"),
        ("6.28110000001E+12", "phone_form"),
        ("0811-0000-OO12", "phone_form"),
        ("+62811x000000", "phone_form"),
        ("0811 0000 0012 / 0812 0000 0013", "phone_form"),
        ("++6281100000012", "phone_form"),
        ("8123456789.0", "phone_from_spreadsheet"),
        ("6281100000012.0", "phone_from_spreadsheet"),
        ("021 1234567", "phone_country_code"),
        ("03-1234 5678", "phone_country_code"),
        ("8123456789", "phone_country_code"),
        ("0062811000000", "phone_country_code"),
        ("+0811000000", "phone_impossible"),
        ("+999123456789", "phone_impossible"),
        ("+62 0 0811 0000", "phone_impossible"),
        ("08110000000123456", "phone_impossible"),
        ("+" + "1" * 16, "phone_impossible"),
    ],
)
def test_what_could_not_be_called_is_refused_by_reason(typed, why):
    with pytest.raises(PydanticCustomError) as caught:
        phone_number(typed)
    assert caught.value.type == why
    assert not typed or typed not in str(caught.value)


def test_a_landline_says_how_to_write_it():
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Phone).validate_python("021 1234567")
    assert "country code" in caught.value.errors()[0]["msg"]


@given(st.from_regex(r"\A(\+|08|628)[0-9 .()-]{4,18}\Z"))
def test_what_is_kept_once_is_kept_again(typed):
    try:
        once = phone_number(typed)
    except PydanticCustomError:
        return
    assert is_e164(once)
    assert looks_typed(once)
    assert phone_number(once) == once
    assert phonenumbers.is_possible_number(phonenumbers.parse(once))


@given(st.from_regex(r"\A\+628[1-9][0-9]{7,10}\Z"))
def test_the_numbers_that_are_not_looked_up_are_possible(number):
    assert phonenumbers.is_possible_number(phonenumbers.parse(number))
    assert phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.E164) == number


@given(st.text(max_size=50))
def test_nothing_breaks_it(typed):
    try:
        phone_number(typed)
    except PydanticCustomError:
        return
    assert looks_typed(typed)

"""The form of an Indonesian identity number (NIK): 16 digits, PPKKCC DDMMYY SSSS.

There is no check digit. A number is refused only where no reading is possible. That it may not match a birth date,
sex or home is lawful (the number stays for life, with its errors), and a matter for a warning elsewhere.
"""

import re
from datetime import date

from pydantic_core import PydanticCustomError

_TYPED = re.compile(r"[ .]")
_DIGITS = re.compile(r"[0-9]{16}")
_WOMAN = 40
"""Added to the day of birth of a woman."""


def nik_number(typed: str) -> str:
    """The 16 digits, without the spaces and dots people type."""
    number = _TYPED.sub("", typed)
    if not _DIGITS.fullmatch(number):
        raise PydanticCustomError("nik_form", "A NIK has 16 digits")
    if number.endswith("0000"):
        raise PydanticCustomError("nik_serial", "The last four digits of a NIK are never 0000")
    day, month, year = int(number[6:8]), int(number[8:10]), int(number[10:12])
    if day > _WOMAN:
        day -= _WOMAN
    if not any(_is_day(century + year, month, day) for century in (1900, 2000)):
        raise PydanticCustomError(
            "nik_date", "Digits 7 to 12 of a NIK are a date (day, month, year; 40 more for women)"
        )
    return number


def family_card_number(typed: str) -> str:
    """The 16 digits of a family card (KK), without the spaces and dots people type."""
    number = _TYPED.sub("", typed)
    if not _DIGITS.fullmatch(number):
        raise PydanticCustomError("family_card_form", "A family card number has 16 digits")
    return number


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True

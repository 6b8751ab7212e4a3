"""The form of an Indonesian identity number (NIK): 16 digits, PPKKCC DDMMYY SSSS.

There is no check digit. A number is refused only where no reading is possible. That it may not match a birth date,
sex or home is lawful (the number stays for life, with its errors), and a matter for a warning elsewhere.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from pydantic_core import PydanticCustomError

from schemas.codes.person import Sex
from schemas.spaces import OUTER_SPACE

_TYPED = re.compile(r"[ .-]")
_DIGITS = re.compile(r"[0-9]{16}")
_WOMAN = 40
"""Added to the day of birth of a woman."""


def _typed(*digits: str) -> str:
    """These digits with what people type between them."""
    return "".join(rf"{digit}[ .\-]*" for digit in digits)


def _one_of(*ways: str) -> str:
    return f"(?:{'|'.join(ways)})"


_ANY: Final = "[0-9]"
_MONTHS: Final = _one_of(_typed("0", "[1-9]"), _typed("1", "[0-2]"))
_LONG: Final = _one_of(_typed("0", "[13578]"), _typed("1", "[02]"))
_NOT_FEBRUARY: Final = _one_of(_typed("0", "[13-9]"), _typed("1", "[0-2]"))
_BIRTHS: Final = _one_of(
    _one_of(_typed("[04]", "[1-9]"), _typed("[15]", _ANY), _typed("[26]", "[0-8]")) + _MONTHS + _typed(_ANY, _ANY),
    _one_of(_typed("[26]", "9"), _typed("[37]", "0")) + _NOT_FEBRUARY + _typed(_ANY, _ANY),
    _typed("[37]", "1") + _LONG + _typed(_ANY, _ANY),
    _typed("[26]", "9", "0", "2") + _one_of(_typed("[02468]", "[048]"), _typed("[13579]", "[26]")),
)
_SERIAL: Final = _one_of(
    _typed("[1-9]", _ANY, _ANY, _ANY),
    _typed("0", "[1-9]", _ANY, _ANY),
    _typed("0", "0", "[1-9]", _ANY),
    _typed("0", "0", "0", "[1-9]"),
)
_BEFORE: Final = rf"^[{OUTER_SPACE}]*[ .\-]*"
_AFTER: Final = rf"[{OUTER_SPACE}]*$"

NIK_PATTERN: Final = _BEFORE + _typed(*[_ANY] * 6) + _BIRTHS + _SERIAL + _AFTER
"""Of JSON Schema: exactly what `nik_number` takes."""

FAMILY_CARD_PATTERN: Final = _BEFORE + _typed(*[_ANY] * 16) + _AFTER
"""Of JSON Schema: exactly what `family_card_number` takes."""


def nik_number(typed: str) -> str:
    """The 16 digits, without the spaces, dots and strokes people type."""
    number = _TYPED.sub("", typed)
    if not _DIGITS.fullmatch(number):
        raise PydanticCustomError("nik_form", "A NIK has 16 digits")
    if number.endswith("0000"):
        raise PydanticCustomError(
            "nik_serial",
            "The last four digits of a NIK are never 0000; a spreadsheet writes that, since it keeps 15 digits",
        )
    if not _dates(number, women=True):
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


@dataclass(frozen=True)
class NikParts:
    """What a NIK says: where it was first registered, of whom."""

    district: str
    """As a Kemendagri code, PP.KK.CC."""
    births: tuple[date, ...]
    """The dates of birth it can mean: the year has two digits."""
    sex: Sex


def nik_parts(number: str) -> NikParts:
    """Read a NIK of 16 digits, as it is kept."""
    return NikParts(
        district=_region(number),
        births=_dates(number, women=True),
        sex=Sex.FEMALE if int(number[6:8]) > _WOMAN else Sex.MALE,
    )


@dataclass(frozen=True)
class FamilyCardParts:
    """What a family card's number says: where and when the card was registered first."""

    district: str
    registered: tuple[date, ...]
    """Empty where it says no date; there are such cards."""


def family_card_parts(number: str) -> FamilyCardParts:
    """Read a family card's number of 16 digits, as it is kept."""
    return FamilyCardParts(district=_region(number), registered=_dates(number, women=False))


def _region(number: str) -> str:
    return f"{number[:2]}.{number[2:4]}.{number[4:6]}"


def _dates(number: str, *, women: bool) -> tuple[date, ...]:
    day, month, year = int(number[6:8]), int(number[8:10]), int(number[10:12])
    if women and day > _WOMAN:
        day -= _WOMAN
    found = []
    for century in (1900, 2000):
        try:
            found.append(date(century + year, month, day))
        except ValueError:
            continue
    return tuple(found)

"""Phone numbers: what people type, as E.164, by the tables of `phonenumbers`."""

import re
from typing import Final

from phonenumbers import NumberParseException, is_possible_number_with_reason, parse
from phonenumbers.phonenumberutil import ValidationResult
from pydantic_core import PydanticCustomError

from schemas.spaces import OUTER_SPACE

# The noughts of the scripts that are typed on phones here: ASCII, Arabic (both), Devanagari, Bengali, Thai, Lao, Myanmar,
# Khmer, full width. The other nine digits follow each.
_NOUGHTS: Final = (0x30, 0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xED0, 0x1040, 0x17E0, 0xFF10)
_DIGITS: Final = "".join(rf"\u{nought:04x}-\u{nought + 9:04x}" for nought in _NOUGHTS)
_FILLERS = rf"{OUTER_SPACE}()./\uff08\uff09\u2010-\u2015\u2212\uff0d\-"
PHONE_PATTERN: Final = (
    rf"^[{_FILLERS}]*(?:[+\uff0b][{_FILLERS}]*)?[{_DIGITS}](?:[{_FILLERS}]*[{_DIGITS}]){{6,19}}[{_FILLERS}]*$"
)
"""The characters of a number as it is typed. No two repetitions of the same characters meet, so a long text takes no longer than it is."""


def _typed(digits: str) -> str:
    """These digits in any script, with what people type before each."""
    each = ("".join(rf"\u{nought + int(digit):04x}" for nought in _NOUGHTS) for digit in digits)
    return "".join(f"[{_FILLERS}]*[{one}]" for one in each)


PHONE_SCHEMA_PATTERN: Final = (
    rf"^(?!.*[0-9]\.0[{OUTER_SPACE}]*$)(?:[{_FILLERS}]*[+\uff0b]|(?={_typed('08')}|{_typed('628')}))"
    rf"(?:[{_FILLERS}]*[{_DIGITS}]){{7,20}}[{_FILLERS}]*$"
)
"""Of JSON Schema: what `phone_number` takes, as far as a pattern can say. That a country has such numbers it cannot."""

_TYPED = re.compile(PHONE_PATTERN)
_FILLER = re.compile(f"[{_FILLERS}]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_INDONESIAN_MOBILE = re.compile(r"\+628[1-9][0-9]{7,10}")
"""Always possible by `phonenumbers` (a test says so), and nearly every number we get: not worth its 60 microseconds."""
_FLOAT = re.compile(r"[0-9]\.0\s*$")


def anyhow_typed(number: str) -> str:
    """The pattern of a number in E.164 in whatever way somebody typed it; of an Indonesian one also with 0 before it."""
    international = _typed(number[1:]).removeprefix(f"[{_FILLERS}]*")
    national = "|" + _typed(f"0{number[3:]}").removeprefix(f"[{_FILLERS}]*") if number.startswith("+62") else ""
    return rf"(?<!\d)[(\uff08]?(?:[+\uff0b]?{international}{national})(?!\d)"


def looks_typed(value: str) -> bool:
    """Whether it consists of what phone numbers are typed with."""
    return _TYPED.match(value) is not None


def is_e164(value: str) -> bool:
    """Whether it is in the form that is kept, so that nothing would be rewritten."""
    return _E164.fullmatch(value) is not None


def phone_number(typed: str) -> str:
    """The number in E.164; a national number is understood only in the form of an Indonesian mobile (08…, 628…)."""
    if not _TYPED.match(typed):
        raise PydanticCustomError(
            "phone_form", "A phone number is written +, country code, number: 7 to 15 digits in all"
        )
    if _FLOAT.search(typed):
        raise PydanticCustomError(
            "phone_from_spreadsheet", "This number ends in .0: a spreadsheet has changed it; write it as text"
        )
    digits = "".join(char if char in "+0123456789" else _plain(char) for char in _FILLER.sub("", typed))
    if digits.startswith("08"):
        digits = f"+62{digits[1:]}"
    elif digits.startswith("628"):
        digits = f"+{digits}"
    elif not digits.startswith("+"):
        # Any other leading zero stays refused: 03… is a landline in Surabaya and in Selangor, and the wrong one answers.
        raise PydanticCustomError(
            "phone_country_code", "Write + and the country code (Jakarta +62 21 …); only mobiles may begin with 08"
        )
    if _INDONESIAN_MOBILE.fullmatch(digits):
        return digits
    try:
        number = parse(digits)
    except NumberParseException:
        raise _impossible() from None
    # The national prefix is taken out (+62 0811 …): what follows the country code never begins with it.
    national = "0" * (number.number_of_leading_zeros or 1) if number.italian_leading_zero else ""
    kept = f"+{number.country_code}{national}{number.national_number}"
    possible = is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    if not possible or kept.startswith("+620") or not is_e164(kept):
        raise _impossible()
    return kept


def _plain(char: str) -> str:
    return "+" if char == "\uff0b" else str(int(char))


def _impossible() -> PydanticCustomError:
    return PydanticCustomError("phone_impossible", "No country has a phone number of this form or length")

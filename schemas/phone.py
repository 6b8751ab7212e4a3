"""Phone numbers: what people type, as E.164, by the tables of `phonenumbers`."""

import re
from typing import Final

from phonenumbers import NumberParseException, is_possible_number_with_reason, parse
from phonenumbers.phonenumberutil import ValidationResult
from pydantic_core import PydanticCustomError

from schemas.spaces import OUTER_SPACE

# Decimal digits of the scripts that are typed on phones here: ASCII, Arabic (both), Devanagari, Bengali, Thai, Lao,
# Myanmar, Khmer, full width.
_DIGITS = (
    r"0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0e50-\u0e59\u0ed0-\u0ed9\u1040-\u1049\u17e0-\u17e9"
    r"\uff10-\uff19"
)
_FILLERS = rf"{OUTER_SPACE}()./\uff08\uff09\u2010-\u2015\u2212\uff0d\-"
PHONE_PATTERN: Final = rf"^[{_FILLERS}]*[+\uff0b]?(?:[{_FILLERS}]*[{_DIGITS}]){{7,20}}[{_FILLERS}]*$"
"""The characters of a number as it is typed. Whether such a number can exist is arithmetic."""

_TYPED = re.compile(PHONE_PATTERN)
_FILLER = re.compile(f"[{_FILLERS}]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_INDONESIAN_MOBILE = re.compile(r"\+628[1-9][0-9]{7,10}")
"""Always possible by `phonenumbers` (a test says so), and nearly every number we get: not worth its 60 microseconds."""
_FLOAT = re.compile(r"[0-9]\.0\s*$")


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

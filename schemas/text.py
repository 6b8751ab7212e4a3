"""Strings as they may cross the wire: any script, nothing invisible that could mislead, bounded.

The bounds and patterns run inside pydantic-core; Python is called only to bring what is not ASCII to NFC, and where
a form needs arithmetic (a calendar date) or a canonical spelling (a phone number). No message repeats the value.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Final
from unicodedata import normalize

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

# C0 and C1 controls; overrides and isolates that make text read otherwise than it is stored (U+202A-202E, U+2066-2069).
_NEVER = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_LINES = rf"^[^{_NEVER}]*$"
# A single line has no tab and no separator of lines or paragraphs either.
_LINE = rf"^[^{_NEVER}\t\n\r\u2028\u2029]*$"


def _composed(most: int) -> Callable[[str], str]:
    """NFC for what is not ASCII, measured again because a few characters grow."""

    def to_nfc(value: str) -> str:
        if not value.isascii():
            value = normalize("NFC", value)
            if len(value) > most:
                raise PydanticCustomError(
                    "string_too_long", "String should have at most {most} characters", {"most": most}
                )
        return value

    return to_nfc


def _paragraphs(most: int) -> Callable[[str], str]:
    """As `_composed`, with every kind of line end written as a newline."""
    composed = _composed(most)

    def to_newlines(value: str) -> str:
        if "\r" in value:
            value = value.replace("\r\n", "\n").replace("\r", "\n")
        return composed(value)

    return to_newlines


NAME_MAX: Final = 200
LINE_MAX: Final = 500
TEXT_MAX: Final = 10_000
NARRATIVE_MAX: Final = 50_000

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MAX, pattern=_LINE),
    AfterValidator(_composed(NAME_MAX)),
]
"""A name of a person, place or thing, in any script."""

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LINE_MAX, pattern=_LINE),
    AfterValidator(_composed(LINE_MAX)),
]
"""A single line of text."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_MAX, pattern=_LINES),
    AfterValidator(_paragraphs(TEXT_MAX)),
]
"""A few paragraphs."""

Narrative = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=NARRATIVE_MAX, pattern=_LINES),
    AfterValidator(_paragraphs(NARRATIVE_MAX)),
]
"""An account as long as it needs to be."""

Number = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=_LINE),
    AfterValidator(_composed(64)),
]
"""The number on a paper or in another system, as written there: letters, strokes and dots belong to it."""

Code = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$")
]
"""A code of one of the lists, where the list is named elsewhere."""

LegalBasisCode = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=2, max_length=64, pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")
]
"""A law or regulation, by the code of the list `legal_basis`. Laws change, so this is no closed enumeration."""

AgencyCode = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$"),
]
"""An agency, by its code in the directory."""

RegionCode = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=13, pattern=r"^[1-9][0-9](?:\.[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{4})?)?)?$"
    ),
]
"""An Indonesian region by Kemendagri code: province, regency or city, district, village (PP.KK.CC.DDDD)."""

CountryCode = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2, pattern=r"^[A-Z]{2}$")]
"""A country by ISO 3166-1 alpha-2."""

CurrencyCode = Annotated[str, StringConstraints(strip_whitespace=True, max_length=3, pattern=r"^[A-Z]{3}$")]
"""A currency by ISO 4217."""

ScriptCode = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4, pattern=r"^[A-Z][a-z]{3}$")]
"""A script by ISO 15924."""

Sha256 = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=64, pattern=r"^[0-9a-fA-F]{64}$")
]
"""A SHA-256 digest in hexadecimal."""


def _canonical_tag(value: str) -> str:
    """The casing RFC 5646 §2.1.1 recommends, so that equal tags are equal strings."""
    parts = value.lower().split("-")
    for i, part in enumerate(parts[1:], start=1):
        if len(parts[i - 1]) == 1:
            break
        if len(part) == 2:
            parts[i] = part.upper()
        elif len(part) == 4 and part.isalpha():
            parts[i] = part.title()
    return "-".join(parts)


LanguageTag = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=35,
        pattern=(
            r"^[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
            r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?$"
        ),
    ),
    AfterValidator(_canonical_tag),
]
"""A language, spoken or signed, by BCP 47 tag."""

_FILLERS = re.compile(r"[ ().\-\u2010-\u2015]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def phone_number(value: str) -> str:
    """The number in E.164; a national number is understood only in the form of an Indonesian mobile (08…, 628…)."""
    digits = _FILLERS.sub("", value)
    if digits.startswith("08"):
        digits = f"+62{digits[1:]}"
    elif digits.startswith("628"):
        digits = f"+{digits}"
    # Any other leading zero stays refused: 03… is a landline in Surabaya and in Selangor, and the wrong one answers.
    if not _E164.fullmatch(digits):
        raise PydanticCustomError(
            "phone_form", "A phone number is written +, country code, number; or 08… in Indonesia"
        )
    return digits


Phone = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=7, max_length=40, pattern=_LINE),
    AfterValidator(phone_number),
]
"""A phone number, kept in E.164."""

EMAIL_PATTERN: Final = rf'^[^\s@<>"{_NEVER}]{{1,64}}@[^\s@.<>"{_NEVER}]+(?:\.[^\s@.<>"{_NEVER}]+)+$'

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=EMAIL_PATTERN),
    AfterValidator(_composed(254)),
]
"""An e-mail address, by its outer form only."""


def _on_the_calendar(value: str) -> str:
    if len(value) == 10:
        try:
            date.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("partial_date", "There is no such day in that month") from None
    return value


PartialDate = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=10,
        pattern=r"^(?:19[0-9]{2}|20[0-9]{2}|2100)(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?$",
    ),
    AfterValidator(_on_the_calendar),
]
"""A date known to the day, the month or the year (EDTF level 0), of the years 1900 to 2100."""


def earliest(value: str) -> date:
    """The first day a partial date can mean."""
    parts = [int(part) for part in value.split("-")]
    return date(parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)


def latest(value: str) -> date:
    """The last day a partial date can mean."""
    parts = [int(part) for part in value.split("-")]
    if len(parts) == 3:
        return date(*parts)
    if len(parts) == 1 or parts[1] == 12:
        return date(parts[0], 12, 31)
    return date.fromordinal(date(parts[0], parts[1] + 1, 1).toordinal() - 1)

"""Strings as they may cross the wire: any script, nothing invisible that could mislead, bounded.

The bounds and patterns run inside pydantic-core and stand in the JSON Schema, so both take the same documents. Python is
called only to take the space around what people write, bring it to NFC, and where a form has a canonical spelling (a
phone number, a language tag). Codes, dates and digests are taken as they are or not at all. No message repeats the value.
"""

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final
from unicodedata import normalize

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas import iso
from schemas.calendar import PARTIAL_DATE_PATTERN
from schemas.phone import PHONE_PATTERN, phone_number
from schemas.spaces import ALL_SPACE


@dataclass(frozen=True)
class Refused:
    """What is said of whatever the type it stands on refuses, in place of "does not match the pattern"."""

    code: str
    message: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Wrap the type; the JSON Schema stays that of the type."""
        return core_schema.custom_error_schema(
            handler(source), custom_error_type=self.code, custom_error_message=self.message
        )


# C0 and C1 controls; overrides and isolates that make text read otherwise than it is stored (U+202A-202E, U+2066-2069).
_NEVER = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
# A single line has no tab and no separator of lines or paragraphs either.
_NO_LINES = r"\t\n\r\u2028\u2029"
_LINES = rf"^[^{_NEVER}]*[^{_NEVER}{ALL_SPACE}][^{_NEVER}]*$"
_LINE = rf"^[^{_NEVER}{_NO_LINES}]*[^{_NEVER}{ALL_SPACE}][^{_NEVER}{_NO_LINES}]*$"


def _composed(most: int) -> Callable[[str], str]:
    """Without the space around it; NFC for what is not ASCII, measured again because a few characters grow."""

    def to_nfc(value: str) -> str:
        value = value.strip()
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
    StringConstraints(min_length=1, max_length=NAME_MAX, pattern=_LINE),
    AfterValidator(_composed(NAME_MAX)),
]
"""A name of a person, place or thing, in any script."""

NameAsTyped = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_MAX, pattern=_LINE),
    Field(json_schema_extra={"$comment": "Not brought to NFC."}),
]
"""A name in the very characters that were typed, before NFC."""

Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LINE_MAX, pattern=_LINE),
    AfterValidator(_composed(LINE_MAX)),
]
"""A single line of text."""

Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TEXT_MAX, pattern=_LINES),
    AfterValidator(_paragraphs(TEXT_MAX)),
]
"""A few paragraphs."""

Narrative = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NARRATIVE_MAX, pattern=_LINES),
    AfterValidator(_paragraphs(NARRATIVE_MAX)),
]
"""An account as long as it needs to be."""

Number = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=_LINE),
    AfterValidator(_composed(64)),
]
"""The number on a paper or in another system, as written there: letters, strokes and dots belong to it."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$")]
"""A code of one of the lists, where the list is named elsewhere."""

LegalBasisCode = Annotated[str, StringConstraints(min_length=2, max_length=64, pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]
"""A law or regulation, by the code of the list `legal_basis`. Laws change, so this is no closed enumeration."""

AgencyCode = Annotated[
    str,
    StringConstraints(min_length=3, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$"),
]
"""An agency, by its code in the directory."""

RegionCode = Annotated[
    str,
    StringConstraints(max_length=13, pattern=r"^[1-9][0-9](?:\.[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{4})?)?)?$"),
]
"""An Indonesian region by Kemendagri code: province, regency or city, district, village (PP.KK.CC.DDDD)."""

CountryCode = Annotated[
    str,
    StringConstraints(max_length=2, pattern=iso.one_of(iso.COUNTRIES | {iso.KOSOVO} | iso.FORMER_COUNTRIES)),
    Refused("country_unknown", "There is no country with this ISO 3166-1 alpha-2 code (two capital letters)"),
]
"""A country by ISO 3166-1 alpha-2, XK, or one that no longer exists (ISO 3166-3), since old papers name it."""

CurrencyCode = Annotated[
    str,
    StringConstraints(max_length=3, pattern=iso.one_of(iso.CURRENCIES)),
    Refused("currency_unknown", "There is no currency with this ISO 4217 code (three capital letters)"),
]
"""A currency by ISO 4217."""

ScriptCode = Annotated[
    str,
    StringConstraints(max_length=4, pattern=iso.one_of(iso.SCRIPTS)),
    Refused("script_unknown", "There is no script with this ISO 15924 code (as Latn)"),
]
"""A script by ISO 15924."""

Sha256 = Annotated[str, StringConstraints(to_lower=True, max_length=64, pattern=r"^[0-9a-fA-F]{64}$")]
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
        max_length=35,
        pattern=(
            r"^[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
            r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?$"
        ),
    ),
    AfterValidator(_canonical_tag),
]
"""A language, spoken or signed, by BCP 47 tag."""

Phone = Annotated[str, StringConstraints(max_length=64, pattern=PHONE_PATTERN), AfterValidator(phone_number)]
"""A phone number, kept in E.164."""

_IN_EMAIL = rf'{ALL_SPACE}@<>"{_NEVER}'
EMAIL: Final = rf"[^{_IN_EMAIL}]{{1,64}}@[^.{_IN_EMAIL}]+(?:\.[^.{_IN_EMAIL}]+)+"

Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=f"^{EMAIL}$"),
    AfterValidator(_composed(254)),
]
"""An e-mail address, by its outer form only."""


PartialDate = Annotated[
    str,
    StringConstraints(max_length=11, pattern=PARTIAL_DATE_PATTERN),
    Refused(
        "partial_date_form",
        "A date is written YYYY-MM-DD, YYYY-MM or YYYY and stands on the calendar; X for digits not known, "
        "? uncertain, ~ approximate, % both at the end",
    ),
]
"""A date as exact as it is known, of the years 1800 to 2199: EDTF level 0, and of level 1 what casework needs.

`1998`, `1998-04`, `1998-04-12`; `199X`, `19XX`, `1998-XX`, `1998-04-XX` for digits not known; at the end `?` uncertain,
`~` approximate, `%` both.
"""

_QUALIFIERS: Final = "?~%"
_OPEN: Final = f"X{_QUALIFIERS}"


def is_qualified(value: str) -> bool:
    """Whether a partial date is marked as uncertain or approximate. Its bounds stay; nobody says by how much."""
    return value[-1] in _QUALIFIERS


def is_day(value: str) -> bool:
    """Whether a partial date is one whole day."""
    return len(value) >= 10 and "X" not in value


def earliest(value: str) -> date:
    """The first day a partial date can mean."""
    if len(value) == 10 and value[9] not in _OPEN:
        return date.fromisoformat(value)
    year, month, day = _parts(value)
    return date(int(year.replace("X", "0")), int(month or 1), int(day or 1))


def latest(value: str) -> date:
    """The last day a partial date can mean."""
    if len(value) == 10 and value[9] not in _OPEN:
        return date.fromisoformat(value)
    year, month, day = _parts(value)
    years, months = int(year.replace("X", "9")), int(month or 12)
    return date(years, months, int(day or monthrange(years, months)[1]))


def _parts(value: str) -> tuple[str, str, str]:
    """Year, month and day, empty where they are not known."""
    value = value.rstrip(_QUALIFIERS)
    month, day = value[5:7], value[8:10]
    return value[:4], "" if month == "XX" else month, "" if day == "XX" else day

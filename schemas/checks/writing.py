"""What was written: scripts, damage on the way, countries and languages."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final
from unicodedata import name as name_of_character

from schemas import iso
from schemas.checks.collect import Parts
from schemas.checks.warning import RecordWarning
from schemas.codes.warnings import WarningCode
from schemas.record.record import Record

_ALIKE: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE"})
"""Scripts with letters that look the same. Others are mixed on purpose (Han and kana), and seen to be."""

# An error of a spreadsheet's cell; a byte that could not be read; UTF-8 that was read as Windows-1252.
_DAMAGE: Final = re.compile(
    r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)|\ufffd|[\u00c2\u00c3][\u00a0-\u00bf]|\u00e2\u20ac"
)

# What nobody sees, and no search gets past. Scripts without spaces have U+200B between words (Unicode 15.0, §23.2).
_UNSPACED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1b00-\u1b7f\ua980-\ua9df"
_INVISIBLE: Final = re.compile(rf"[\u00ad\u2060\ufeff]|(?<![{_UNSPACED}])\u200b")


def writing(record: Record, parts: Parts, on: date) -> Iterator[RecordWarning]:
    """Check names, texts, countries and languages for what nobody means to write."""
    for pointer, value in parts.names:
        if any(_is_mixed(word) for word in value.split()):
            yield RecordWarning(code=WarningCode.MIXED_SCRIPTS, pointer=pointer, related=())
        if _INVISIBLE.search(value) and not _DAMAGE.search(value):
            yield RecordWarning(code=WarningCode.TEXT_DAMAGED, pointer=pointer, related=())
    for pointer, value in parts.texts:
        if _DAMAGE.search(value):
            yield RecordWarning(code=WarningCode.TEXT_DAMAGED, pointer=pointer, related=())
    for pointer, value in parts.countries:
        if value in iso.FORMER_COUNTRIES:
            yield RecordWarning(code=WarningCode.COUNTRY_FORMER, pointer=pointer, related=())
    for pointer, value in parts.languages:
        if value.partition("-")[0] not in iso.languages():
            yield RecordWarning(code=WarningCode.LANGUAGE_UNKNOWN, pointer=pointer, related=())


def _is_mixed(word: str) -> bool:
    scripts = {name_of_character(char, "").partition(" ")[0] for char in word if char.isalpha()}
    return len(scripts & _ALIKE) > 1

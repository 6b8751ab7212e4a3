"""Dates in words, as exact as they are known, in Indonesian and English."""

import re
from typing import Final

from schemas.codes.labels import Lang

_WRITTEN: Final = re.compile(r"([0-9X]{4})(?:-([0-9X]{2}))?(?:-([0-9X]{2}))?([~?%]?)")
_MONTHS: Final[dict[Lang, list[str]]] = {
    "id": [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}
_SAID: Final[dict[str, dict[Lang, str]]] = {
    "year": {"id": "tahun {}", "en": "{}, day and month not known"},
    "decade": {"id": "tahun {}0-an", "en": "{}0s"},
    "century": {"id": "antara tahun {0}00 dan {0}99", "en": "between {0}00 and {0}99"},
    "~": {"id": "sekitar {}", "en": "about {}"},
    "?": {"id": "{} (belum pasti)", "en": "{} (uncertain)"},
    "%": {"id": "sekitar {} (belum pasti)", "en": "about {} (uncertain)"},
}


def day_in_digits(written: str) -> str:
    """A calendar date as people here write it: DD-MM-YYYY."""
    return "-".join(reversed(written.split("-")))


def date_in_words(written: str, lang: Lang) -> str:
    """A partial date (EDTF) in words; as it stands where it is none, since answers are open."""
    match = _WRITTEN.fullmatch(written)
    if match is None:
        return written
    year, month, day, doubt = match.groups()
    known = "-".join(part for part in (year, month, day) if part and part != "XX")
    if len(known) == 10:
        said = day_in_digits(known)
    elif len(known) == 7:
        said = f"{_MONTHS[lang][int(known[5:]) - 1]} {year}"
    elif year.endswith("XX"):
        said = _SAID["century"][lang].format(year[:2])
    elif year.endswith("X"):
        said = _SAID["decade"][lang].format(year[:3])
    else:
        said = year if doubt else _SAID["year"][lang].format(year)
    return _SAID[doubt][lang].format(said) if doubt else said

"""What countries, languages and scripts are called in Indonesian and English, and what else people call countries.

The names are pycountry's (ISO 3166, 639, 15924), but for those nobody here would use: its Indonesian is older than
Tiongkok's own wish for its name (Keppres 12/2014), and its Burma is today's Myanmar.
"""

import gettext
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, Literal

import pycountry

from schemas.codes.labels import Lang
from schemas.iso import KOSOVO

_Domain = Literal["iso3166-1", "iso3166-3", "iso639-3", "iso15924"]

_COUNTRIES: Final[dict[str, tuple[str, str]]] = {
    "BN": ("Brunei Darussalam", "Brunei Darussalam"),
    "CD": ("Republik Demokratik Kongo", "Democratic Republic of the Congo"),
    "CG": ("Republik Kongo", "Republic of the Congo"),
    "CN": ("Tiongkok", "China"),
    "CX": ("Pulau Christmas", "Christmas Island"),
    "CZ": ("Ceko", "Czechia"),
    "FM": ("Mikronesia", "Micronesia"),
    "FR": ("Prancis", "France"),
    "GB": ("Inggris Raya", "United Kingdom"),
    "GF": ("Guyana Prancis", "French Guiana"),
    "MO": ("Makau", "Macao"),
    "PF": ("Polinesia Prancis", "French Polynesia"),
    "PS": ("Palestina", "Palestine"),
    "RU": ("Rusia", "Russia"),
    "TF": ("Wilayah Selatan Prancis", "French Southern Territories"),
    "TL": ("Timor-Leste", "Timor-Leste"),
    "VA": ("Vatikan", "Vatican City"),
    "VG": ("Kepulauan Virgin Britania", "British Virgin Islands"),
    "VI": ("Kepulauan Virgin Amerika Serikat", "U.S. Virgin Islands"),
    KOSOVO: ("Kosovo", "Kosovo"),
    "BU": ("Burma (kini Myanmar)", "Burma (now Myanmar)"),
    "CS": ("Serbia dan Montenegro", "Serbia and Montenegro"),
    "DD": ("Jerman Timur", "East Germany"),
    "SU": ("Uni Soviet", "Soviet Union"),
    "TP": ("Timor Timur", "East Timor"),
    "YD": ("Yaman Selatan", "South Yemen"),
    "YU": ("Yugoslavia", "Yugoslavia"),
    "ZR": ("Zaire", "Zaire"),
}
"""Everyday names where the catalogue's are odd or out of date, Indonesian first; also of countries that are no more."""

_LANGUAGES: Final[dict[str, tuple[str, str]]] = {
    "bn": ("Bengali", "Bengali"),
    "cmn": ("Mandarin", "Mandarin"),
    "el": ("Yunani", "Greek"),
    "fil": ("Filipino", "Filipino"),
    "hak": ("Hakka", "Hakka"),
    "id": ("Indonesia", "Indonesian"),
    "ms": ("Melayu", "Malay"),
    "my": ("Myanmar", "Burmese"),
    "nan": ("Hokkien", "Hokkien"),
    "ne": ("Nepali", "Nepali"),
    "sw": ("Swahili", "Swahili"),
    "yue": ("Kanton", "Cantonese"),
    "zh": ("Tionghoa", "Chinese"),
}

_SCRIPTS: Final[dict[str, tuple[str, str]]] = {
    "Cyrl": ("Kiril", "Cyrillic"),
    "Hans": ("Han sederhana", "Simplified Han"),
    "Hant": ("Han tradisional", "Traditional Han"),
    "Jpan": ("Jepang", "Japanese"),
    "Kore": ("Korea", "Korean"),
    "Mymr": ("Myanmar", "Myanmar"),
}

_ALSO_CALLED: Final[dict[str, str]] = {
    "AE": "uae",
    "BN": "brunei",
    "CD": "kongo-kinshasa, dr congo",
    "CG": "kongo, kongo-brazzaville",
    "CI": "ivory coast, pantai gading",
    "CN": "cina, rrt, rrc",
    "CV": "cape verde, tanjung verde",
    "CZ": "czech republic, republik ceko",
    "GB": "uk, inggris, england, great britain",
    "HK": "hongkong",
    "ID": "ri, wni",
    "IR": "iran",
    "KP": "north korea, korea utara",
    "KR": "south korea, korea, korea selatan",
    "LA": "laos",
    "MK": "macedonia, makedonia",
    "MM": "burma, birma",
    "NL": "belanda, holland",
    "PS": "palestine",
    "RU": "russia",
    "SY": "syria, suriah",
    "SZ": "swaziland",
    "TL": "timor leste, east timor, timor timur",
    "TR": "turkey, turki",
    "TW": "taiwan",
    "US": "usa",
    "VN": "vietnam",
    KOSOVO: "xk, xkx",
}
"""What people write besides, here and in the region. WNI is a citizen of Indonesia."""


def country_name(code: str, lang: Lang) -> str:
    """What a country is called, also one that is no more; the code itself where there is none."""
    if code in _COUNTRIES:
        return _in(_COUNTRIES[code], lang)
    if (found := pycountry.countries.get(alpha_2=code)) is not None:
        return _translated("iso3166-1", getattr(found, "common_name", found.name), lang)
    former = pycountry.historic_countries.get(alpha_2=code)
    return code if former is None else _translated("iso3166-3", former.name, lang)


def language_name(tag: str, lang: Lang) -> str:
    """What the language of a BCP 47 tag is called; the tag itself where its first part is none."""
    first = tag.split("-", 1)[0].lower()
    if first in _LANGUAGES:
        return _in(_LANGUAGES[first], lang)
    found = pycountry.languages.get(**{"alpha_2" if len(first) == 2 else "alpha_3": first})
    return tag if found is None else _translated("iso639-3", found.name, lang)


def script_name(code: str, lang: Lang) -> str:
    """What a script is called; the code itself where there is none."""
    if code in _SCRIPTS:
        return _in(_SCRIPTS[code], lang)
    found = pycountry.scripts.get(alpha_4=code)
    return code if found is None else _translated("iso15924", found.name, lang)


def words_for_countries() -> Iterator[tuple[str, str]]:
    """Codes and names that people write for a country, each with its alpha-2; where two write the same, the likelier first."""
    for country in pycountry.countries:
        yield from ((word, country.alpha_2) for word in (country.alpha_2, country.alpha_3))
    for country in pycountry.countries:
        names = [getattr(country, name, "") for name in ("name", "common_name", "official_name")]
        for name in filter(None, names):
            yield from ((word, country.alpha_2) for word in (name, _translated("iso3166-1", name, "id")))
    for code, called in _COUNTRIES.items():
        if code == KOSOVO or pycountry.countries.get(alpha_2=code) is not None:
            yield from ((word, code) for word in called)
    for code, words in _ALSO_CALLED.items():
        yield from ((word, code) for word in words.split(", "))
    for former in pycountry.historic_countries:
        # By code only: whoever writes a name may mean the country that followed.
        if code := getattr(former, "alpha_2", ""):
            yield code, code


def words_for_languages() -> Iterator[tuple[str, str]]:
    """Names that people write for a language, in English and Indonesian, each with its shortest code; some share a name."""
    for each in pycountry.languages:
        code = shortest(each)
        english = {each.name, getattr(each, "common_name", each.name)}
        for word in {*english, *(_translated("iso639-3", name, "id") for name in english), *_LANGUAGES.get(code, ())}:
            yield word, code


def shortest(language: Any) -> str:
    """The code that BCP 47 has for a language of pycountry's: of two letters, if it has one."""
    return str(getattr(language, "alpha_2", language.alpha_3))


def _in(called: tuple[str, str], lang: Lang) -> str:
    return called[0] if lang == "id" else called[1]


def _translated(domain: _Domain, name: str, lang: Lang) -> str:
    return name if lang == "en" else _indonesian(domain).gettext(name)


@lru_cache
def _indonesian(domain: _Domain) -> gettext.NullTranslations:
    return gettext.translation(domain, pycountry.LOCALES_DIR, languages=["id"])

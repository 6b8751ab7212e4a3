"""Countries and languages as sheets name them: codes of any length, English or Indonesian names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import pycountry

from schemas.mappings.htcds.crosswalk import key, their_codes
from schemas.names import shortest, words_for_countries, words_for_languages

STATELESS: Final = frozenset(
    key(word) for word in ("stateless", "XXA", "tanpa kewarganegaraan", "tidak berkewarganegaraan")
)


def _listed(codes: str) -> list[str]:
    return codes.split()


_MACRO: Final[dict[str, str]] = {
    **dict.fromkeys(
        _listed(
            "bjn bve bvu coa dup hji jak jax kvb kvr kxd lce lcf liw max meo mfa mfb mqg msi mui orn ors pel pse tmw urk vkk vkt "
            "xmm zlm zmi zsm"
        ),
        "msa",
    ),
    **dict.fromkeys(_listed("cdo cjy cmn cpx czh czo gan hak hsn lzh mnp nan wuu yue"), "zho"),
    **dict.fromkeys(_listed("acm acq afb ajp apc arb arq ars ary arz ayl ayn"), "ara"),
}
"""Languages of ISO 639-3 that 639-2 knows only by the macrolanguage they belong to, for those met here."""


_ISO_639_2: Final = frozenset(
    _listed(
        "ace ach ada ady afh ain akk ale alt ang anp arc arn arp arw ast awa bal ban bas bej bem bho bik bin bla bra "
        "bua bug byn cad car ceb chb chg chk chm chn cho chp chr chy cnr cop crh csb dak dar del den dgr din doi dsb "
        "dua dum dyu efi egy eka elx enm ewo fan fat fil fon frm fro frr frs fur gaa gay gba gez gil gmh goh gon gor "
        "got grb grc gsw gwi hai haw hil hit hmn hsb hup iba ilo inh jbo jpr jrb kaa kab kac kam kaw kbd kha kho kmb "
        "kok kos kpe krc krl kru kum kut lad lah lam lez lol loz lua lui lun luo lus mad mag mai mak man mas mdf mdr "
        "men mga mic min mnc mni moh mos mus mwl mwr myv nap nds new nia niu nog non nqo nso nwc nym nyn nyo nzi osa "
        "ota pag pal pam pap pau peo phn pon pro raj rap rar rom rup sad sah sam sas sat scn sco sel sga shn sid sma "
        "smj smn sms snk sog srn srr suk sus sux syc syr tem ter tet tig tiv tkl tlh tli tmh tog tpi tsi tum tvl tyv "
        "udm uga umb vai vot wal war was xal yao yap zap zbl zen zgh zun zza "
    )
)
"""The single languages of ISO 639-2 without a two-letter code; those with one are all in it."""


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    found: dict[str, str] = {}
    for word, code in (*words_for_countries(), *_their_countries()):
        found.setdefault(key(word), code)
    return found


def _their_countries() -> Iterator[tuple[str, str]]:
    return ((their.label, their.code) for their in their_codes() if their.list == "country")


def country(word: str) -> str | None:
    """The alpha-2 code of a country by code or name."""
    return _countries().get(key(word))


@lru_cache(maxsize=1)
def _languages() -> dict[str, str]:
    found: dict[str, str] = {}
    for each in pycountry.languages:
        if each.scope == "S":
            continue
        for word in (getattr(each, "alpha_2", ""), each.alpha_3, getattr(each, "bibliographic", "")):
            if word:
                found.setdefault(word, shortest(each))
    # Codes come first: `bali` is a language, and the name of another.
    by_name: dict[str, set[str]] = {}
    for word, code in words_for_languages():
        by_name.setdefault(key(word), set()).add(code)
        by_name.setdefault(key(word.split(" (")[0]), set()).add(code)
    for word, codes in by_name.items():
        # A name that several languages share is read where one of them is a language of 639-1 or 639-2.
        if len(codes) == 1:
            found.setdefault(word, next(iter(codes)))
        elif len(known := {code for code in codes if len(code) == 2}) == 1:
            found.setdefault(word, next(iter(known)))
    return found


def language(word: str) -> str | None:
    """The BCP 47 tag of a language by code of ISO 639-1, -2 or -3, or by name, with or without "Bahasa"."""
    bare = key(word)
    table = _languages()
    return (
        table.get(bare)
        or table.get(f"bahasa{bare}")
        or table.get(bare.removeprefix("bahasa"))
        or table.get(bare.removesuffix("language"))
    )


def iso_639_2(tag: str) -> tuple[str | None, bool]:
    """The three-letter code a language is written as, and whether reading it gives the tag again."""
    primary = tag.partition("-")[0]
    found = pycountry.languages.get(alpha_2=primary) if len(primary) == 2 else pycountry.languages.get(alpha_3=primary)
    if found is None:
        return None, False
    if found.alpha_3 in _MACRO:
        return _MACRO[found.alpha_3], False
    if hasattr(found, "alpha_2") or found.alpha_3 in _ISO_639_2:
        return found.alpha_3, language(found.alpha_3) == tag
    return None, False

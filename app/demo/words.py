"""Codes in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.codes.labels import label

_LAWS: Final = {
    "uu": "UU",
    "pp": "PP",
    "perpres": "Perpres",
    "permensos": "Permensos",
    "permen": "Permen",
    "perma": "Perma",
}

_SHORT: Final = (
    ("Kementerian Pelindungan Pekerja Migran Indonesia (KP2MI)", "KP2MI"),
    ("Lembaga Perlindungan Saksi dan Korban", "LPSK"),
    ("Kementerian Sosial", "Kemensos"),
    ("Kedutaan Besar Myanmar di Jakarta", "Myanmar's embassy"),
    ("Kemlu, Direktorat Pelindungan WNI", "Kemlu (PWNI)"),
    ("Polres Kepulauan Aru, UPPA", "Polres Kepulauan Aru"),
    ("Direktorat PPA-PPO Bareskrim Polri", "Bareskrim (PPA-PPO)"),
    ("Dinas Sosial Kabupaten", "Dinsos"),
    ("Dinas Sosial Kota", "Dinsos"),
    ("Dinas Sosial Provinsi", "Dinsos Prov."),
    ("UPTD PPA Provinsi", "UPTD PPA"),
    ("Sentra Terpadu", "Sentra"),
)


def short(name: str) -> str:
    """Return an agency's name as people who work with it say it."""
    for whole, said in _SHORT:
        if name.startswith(whole):
            return said + name.removeprefix(whole)
    return name


def codes(list_name: str, wanted: Iterable[str]) -> str:
    """Return the codes as a reader of English expects them in a sentence."""
    return ", ".join(_small(label(list_name, code, "en")) for code in wanted)


def named(sections: Iterable[str]) -> str:
    """Return sections by the names they have on the wire."""
    return ", ".join(sections)


def law(code: str, article: str | None) -> str:
    """Return a legal basis as it is cited, such as `UU 21/2007 Pasal 51`."""
    kind, *rest = code.split("-")
    *number, year = rest
    cited = " ".join([_LAWS.get(kind, kind.upper()), *(each.upper() for each in number[:-1]), f"{number[-1]}/{year}"])
    return f"{cited} {article}" if article else cited


def basis_in_words(act: Mapping[str, Any]) -> str:
    """Return what the act's disclosure rests on."""
    said = []
    for basis in act["bases"]:
        kind = _small(label("disclosure_basis", basis["kind"], "en"))
        cited = basis.get("legal_basis")
        said.append(f"{kind} ({law(cited['code'], cited['article'])})" if cited else kind)
    return " and ".join(said)


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]

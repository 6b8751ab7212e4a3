"""Indonesian regions by Kemendagri code: what they are called, what they are part of, their time zone.

The table is read when it is first asked for. Codes are reissued by decree, so one that is not here may well have been
right when it was written; and a village is known as far as its district is.
"""

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Final

EDITION: Final = "Kepmendagri 300.2.2-2138/2025"
"""The decree the table is from."""


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {row[0]: row[1] for row in _rows("regions.csv")}


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    return {code: zone for code, _, zone in _rows("provinces.csv")}


def _rows(name: str) -> Iterator[list[str]]:
    rows = csv.reader(files("schemas.regions").joinpath(name).read_text(encoding="utf-8").splitlines())
    next(rows)  # the names of the columns
    yield from rows


def is_known(code: str) -> bool:
    """Whether there is such a region; of a village, whether there is its district."""
    return code[:8] in _names()


def name_of(code: str) -> str | None:
    """What a province, regency, city or district is called; nothing for a village or an unknown code."""
    return _names().get(code)


def parent_of(code: str) -> str | None:
    """The code of what the region is part of; nothing for a province."""
    return code.rpartition(".")[0] or None


def path_of(code: str) -> tuple[str, ...]:
    """The names of a region and of all it is part of, the smallest first, as far as they are known."""
    known = (name_of(code[:end]) for end in (8, 5, 2) if len(code) >= end)
    return tuple(name for name in known if name)


def time_zone_of(code: str) -> str | None:
    """The time zone (IANA) that clocks in the region show."""
    return _zones().get(code[:2])


_KINDS = re.compile(
    r"^(?:provinsi|prov|daerah khusus ibukota|dki|d k i|d i|daerah khusus|daerah istimewa|diy?|kabupaten|kab|kota|kotamadya"
    r"|kota administrasi|kota adm|kabupaten administrasi|kab adm|administrasi|adm|kecamatan|kec|distrik|kapanewon"
    r"|kemantren|province|regency|city|district)\b"
)
_ISLANDS = re.compile(r"\bkep\b")
_SIGNS = re.compile(r"[\W_]+")


def is_called(code: str, told: str) -> bool:
    """Whether a name somebody told is that of the region, whatever kind they call it and however they space it.

    True where we cannot say: of a code that is not in the table.
    """
    name = name_of(code)
    return name is None or name == told or _bare(name) == _bare(told)


def _bare(name: str) -> str:
    """Without what kind of region it is, signs and spaces: `Kab. Bau-Bau` is `baubau`."""
    rest = _SIGNS.sub(" ", name.casefold()).strip()
    while (shorter := _KINDS.sub("", rest).strip()) != rest and shorter:
        rest = shorter
    return _ISLANDS.sub("kepulauan", rest).replace(" ", "")

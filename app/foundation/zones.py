"""The three time zones of Indonesia, and those of the missions abroad. Fixed: none of them has summer time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta, timezone, tzinfo
from typing import Any, Final

WIB: Final = timezone(timedelta(hours=7), "WIB")
WITA: Final = timezone(timedelta(hours=8), "WITA")
WIT: Final = timezone(timedelta(hours=9), "WIT")
_CENTRAL: Final = frozenset(["51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"])
_EASTERN: Final = frozenset(["81", "82", "91", "92", "93", "94", "95", "96", "97"])
_ABROAD: Final = {
    "KH": timezone(timedelta(hours=7), "ICT"),
    "TH": timezone(timedelta(hours=7), "ICT"),
    "MM": timezone(timedelta(hours=6, minutes=30), "MMT"),
}


def zone_of(agency: Mapping[str, Any]) -> tzinfo:
    """Return the zone an agency's clocks show, by its province or country; the capital's where it has neither."""
    if agency["country"] != "ID":
        return _ABROAD.get(agency["country"], WIB)
    province = (agency["region"] or "31")[:2]
    if province in _CENTRAL:
        return WITA
    return WIT if province in _EASTERN else WIB

"""The three time zones of Indonesia, and those of the missions abroad. Fixed: none of them has summer time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta, timezone, tzinfo
from typing import Any, Final

from schemas.regions import time_zone_of

WIB: Final = timezone(timedelta(hours=7), "WIB")
WITA: Final = timezone(timedelta(hours=8), "WITA")
WIT: Final = timezone(timedelta(hours=9), "WIT")
_HERE: Final = {"Asia/Jakarta": WIB, "Asia/Makassar": WITA, "Asia/Jayapura": WIT}
_ABROAD: Final = {
    "KH": timezone(timedelta(hours=7), "ICT"),
    "TH": timezone(timedelta(hours=7), "ICT"),
    "MM": timezone(timedelta(hours=6, minutes=30), "MMT"),
}


def zone_of(agency: Mapping[str, Any]) -> tzinfo:
    """Return the zone an agency's clocks show, by its province or country; the capital's where it has neither."""
    if agency["country"] != "ID":
        return _ABROAD.get(agency["country"], WIB)
    return _HERE.get(time_zone_of(agency["region"] or "") or "", WIB)

"""Indonesian regions beside the names people told."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from schemas import regions
from schemas.checks.collect import Parts
from schemas.checks.warning import RecordWarning
from schemas.codes.warnings import WarningCode
from schemas.record.common import Place
from schemas.record.record import Record

_LEVELS: Final = (("province", 2), ("regency", 5), ("district", 8))
"""The fields with a name, and how long the code of each is."""


def places(record: Record, parts: Parts, on: date) -> Iterator[RecordWarning]:
    """Check codes of regions against the table, and names against codes."""
    for at, place in parts.of(Place):
        code = place.region
        if code is None:
            continue
        if place.country not in (None, "ID"):
            yield RecordWarning(code=WarningCode.REGION_ABROAD, pointer=f"{at}/region", related=(f"{at}/country",))
        elif not regions.is_known(code):
            yield RecordWarning(code=WarningCode.REGION_UNKNOWN, pointer=f"{at}/region", related=())
        else:
            for name, length in _LEVELS:
                told = getattr(place, name)
                if told is not None and len(code) >= length and not regions.is_called(code[:length], told):
                    yield RecordWarning(
                        code=WarningCode.REGION_NAME_DIFFERS, pointer=f"{at}/{name}", related=(f"{at}/region",)
                    )

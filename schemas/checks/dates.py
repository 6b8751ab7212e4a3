"""The order of what happened."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from pydantic import BaseModel

from schemas.checks.births import born
from schemas.checks.collect import Dated, Parts
from schemas.checks.warning import RecordWarning
from schemas.codes.warnings import WarningCode
from schemas.record.exploitation import CrewService, Episode, RouteStop
from schemas.record.identity import Birth, Document
from schemas.record.location import Address
from schemas.record.migration import MigrationSection
from schemas.record.needs import NeedsSection
from schemas.record.record import Record

_ORDER: Final[dict[type[BaseModel], tuple[str, str]]] = {
    Address: ("since", "until"),
    CrewService: ("embarked_on", "left_on"),
    Document: ("issued_on", "expires_on"),
    Episode: ("started", "ended"),
    MigrationSection: ("left_on", "entered_on"),
    RouteStop: ("started", "ended"),
}
_MAY_BE_AHEAD: Final = frozenset(
    {"until", "expires_on", "supply_until", "not_before", "planned_on", "follow_up_until", "permit_until"}
)
_A_DAY: Final = timedelta(days=1)
"""It is tomorrow already in the east of Indonesia while it is today in UTC."""


def dates(record: Record, parts: Parts, on: date) -> Iterator[RecordWarning]:
    """Check that beginnings come before ends, births before all else, and that what happened is not still to come."""
    span = born(record.identity.birth) if record.identity else None
    for dated in parts.dates:
        if dated.first > on + _A_DAY and dated.name not in _MAY_BE_AHEAD:
            yield RecordWarning(code=WarningCode.DATE_IN_FUTURE, pointer=dated.pointer, related=())
        if span is not None and dated.model is not Birth and dated.last < span.first:
            yield RecordWarning(code=WarningCode.BEFORE_BIRTH, pointer=dated.pointer, related=("/identity/birth",))
    yield from _reversed(parts.dates)
    for at, needs in parts.of(NeedsSection):
        until = needs.arrives_until or needs.arrives_from
        if until is not None and until.date() < on - _A_DAY:
            name = "arrives_until" if needs.arrives_until else "arrives_from"
            yield RecordWarning(code=WarningCode.ARRIVAL_PAST, pointer=f"{at}/{name}", related=())


def _reversed(all_dates: list[Dated]) -> Iterator[RecordWarning]:
    by_pointer = {dated.pointer: dated for dated in all_dates if dated.model in _ORDER}
    for dated in by_pointer.values():
        begins, ends = _ORDER[dated.model]
        if dated.name != ends:
            continue
        beginning = by_pointer.get(dated.pointer.removesuffix(ends) + begins)
        if beginning is not None and dated.last < beginning.first:
            yield RecordWarning(code=WarningCode.DATES_REVERSED, pointer=dated.pointer, related=(beginning.pointer,))

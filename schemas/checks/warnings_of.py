"""All warnings of a record. `docs/schema/checks.md` is the table of them."""

from collections.abc import Iterator
from datetime import date
from itertools import chain, islice

from schemas.checks.codes import codes
from schemas.checks.collect import collect
from schemas.checks.contacts import contacts
from schemas.checks.dates import dates
from schemas.checks.papers import papers
from schemas.checks.person import person
from schemas.checks.places import places
from schemas.checks.warning import MAX_WARNINGS, RecordWarning
from schemas.checks.writing import writing
from schemas.codes.warnings import WarningCode
from schemas.record.record import Record, sealed_in

_CHECKS = (person, papers, dates, contacts, places, writing, codes)


def _sealed(record: Record) -> Iterator[RecordWarning]:
    """Say of each sealed section that nothing of it was checked."""
    for name in sealed_in(record):
        yield RecordWarning(code=WarningCode.SEALED_UNCHECKED, pointer=f"/sealed/{name}", related=())


def warnings_of(record: Record, *, on: date) -> tuple[RecordWarning, ...]:
    """What somebody should look at again, as things stand on that day; the same record gives the same list."""
    parts = collect(record)
    found = chain(_sealed(record), chain.from_iterable(check(record, parts, on) for check in _CHECKS))
    return tuple(islice(found, MAX_WARNINGS))

"""All warnings of a record. `docs/schema/checks.md` is the table of them."""

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
from schemas.record.record import Record

_CHECKS = (person, papers, dates, contacts, places, writing, codes)


def warnings_of(record: Record, *, on: date) -> tuple[RecordWarning, ...]:
    """What somebody should look at again, as things stand on that day; the same record gives the same list."""
    parts = collect(record)
    found = chain.from_iterable(check(record, parts, on) for check in _CHECKS)
    return tuple(islice(found, MAX_WARNINGS))

"""What of a case is erased when, and what is kept by whom."""

from typing import Literal
from uuid import UUID

from schemas.base import Day, Moment, Wire
from schemas.codes.disclosure import Section


class KeptItem(Wire):
    """One kind of what is stored of the case."""

    kind: str
    """A row of the retention table: `record_specific`, `record_general`, `access`, `words`, `proof`."""
    sections: list[Section]
    """Of a record: the sections that are still there."""
    erased_on: Day | None
    """When it becomes due; None while the case is not closed."""
    held_by: list[UUID]
    """Active legal holds that stop it."""
    held_sections: list[Section]


class Erased(Wire):
    """An erasure that has been done, with its entry in the log."""

    id: UUID
    kind: str
    record_version: UUID | None
    sections: list[Section]
    cause: Literal["retention", "subject_request", "retraction"]
    at: Moment


class Retention(Wire):
    """The preview of a case's erasure."""

    case_id: UUID
    state: str
    closed_at: Moment | None
    items: list[KeptItem]
    erased: list[Erased]

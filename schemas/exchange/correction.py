"""Corrections: what was wrong in a record, put right for every holder; and a wrong record taken back."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Moment, Wire
from schemas.codes.disclosure import Section
from schemas.exchange.common import AgencyRef, MoveRequest
from schemas.exchange.record_file import RecordFile
from schemas.record.record import SECTIONS, Record, included
from schemas.text import Text

Pointer = Annotated[
    str, StringConstraints(max_length=300, pattern=r"^/(" + "|".join(SECTIONS) + r")(/([ -.0-}]|~[01])*)*$")
]
"""A JSON Pointer (RFC 6901) into the record, in ASCII; its first part is a section."""


class CorrectRecord(MoveRequest):
    """The corrected sections, each whole. Who holds any of them open gets it; `needs` is not required."""

    record: Record
    reason: Text
    proposal: UUID | None = None
    """The request that proposed it; answered with this."""

    @model_validator(mode="after")
    def _corrects_something(self) -> Self:
        if not included(self.record):
            raise PydanticCustomError("nothing_corrected", "A correction has at least one section")
        return self


class ProposeCorrection(MoveRequest):
    """What is wrong, as a party knows it. The lead answers."""

    pointers: Annotated[tuple[Pointer, ...], Field(min_length=1, max_length=30)]
    text: Text


class RetractVersion(MoveRequest):
    """This record is another person's."""

    reason: Text


class CorrectionEnvelope(Wire):
    """A correction without what it says."""

    id: UUID
    sections: list[Section]
    """Those the reader may read."""
    recorded_at: Moment


class CorrectionEntry(CorrectionEnvelope):
    """A correction as the case lists it."""

    record_version: UUID
    by: AgencyRef
    proposal: UUID | None


class Correction(CorrectionEntry):
    """A correction as the caller may read it."""

    case_id: UUID
    record: Record | None
    """The corrected sections that are open to the reader; None while there are none."""
    files: list[RecordFile]
    """The files of the correction that are open to the reader."""
    withheld: list[Section]
    """Corrected sections that were disclosed to the reader and are not open now."""
    reason: str | None
    """For the author and the lead."""


class CorrectionPage(Wire):
    """The corrections of one case, oldest first."""

    items: list[CorrectionEntry]

"""References to papers that go with the record, by number and digest."""

from typing import Annotated

from pydantic import Field

from schemas.base import Wire
from schemas.codes.referral import PaperKind
from schemas.record.common import SectionBase
from schemas.text import AgencyCode, Line, Number, PartialDate, Sha256


class Paper(Wire):
    """A paper that exists somewhere and can be asked for."""

    kind: PaperKind
    number: Number | None = None
    date: PartialDate | None = None
    issuer: Line | None = None
    held_by: AgencyCode | None = None
    """The agency that keeps it."""
    digest: Sha256 | None = None
    """SHA-256 of its file, so that a copy can be recognised."""
    note: Line | None = None


class AttachmentsSection(SectionBase):
    """Papers."""

    papers: Annotated[tuple[Paper, ...], Field(min_length=1, max_length=50)]

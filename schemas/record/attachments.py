"""Papers that go with the record: by number and digest, and by the file if it was uploaded."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

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
    file: UUID | None = None
    """Its file: the id of what was uploaded (`POST /v1/attachments`). It is read by whoever may read both this section and the file's own."""
    note: Line | None = None


class AttachmentsSection(SectionBase):
    """Papers."""

    papers: Annotated[tuple[Paper, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _each_file_once(self) -> Self:
        files = [paper.file for paper in self.papers if paper.file is not None]
        if len(set(files)) != len(files):
            raise PydanticCustomError("file_twice", "A file is named by one paper")
        return self

"""Incidents with personal data: what happened, what was done, who was told (UU 27/2022 art 46)."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import WHOLE, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import DataClass
from schemas.codes.protection import IncidentKind, NoNoticeReason
from schemas.exchange.common import AgencyRef
from schemas.text import Line, Text

Persons = Annotated[int, Field(strict=True, ge=0, le=100_000_000), WHOLE]
DataClasses = Annotated[tuple[DataClass, ...], Field(min_length=1, max_length=8)]


class NewIncident(RequestBody):
    """Something went wrong. Say what is known now; the rest is added as it becomes known. No names: say how many, and of which cases."""

    kind: IncidentKind
    noticed_at: Moment
    """When it was noticed: the three days to the notice are counted from then."""
    happened_at: Moment | None = None
    data_classes: DataClasses
    persons: Persons | None = None
    """How many persons it concerns, as far as is known."""
    cases: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()
    """Cases it concerns, of which your agency is a party. Their leads are told."""
    how: Text
    """How it happened."""
    action: Text | None = None
    """What has been done about it."""


class AddToIncident(RequestBody):
    """What became known, or was done. It stays as it was written."""

    text: Text


class CloseIncident(RequestBody):
    """The notice that was given, or why there was none."""

    subject_told_at: Moment | None = None
    authority_told_at: Moment | None = None
    authority_paper: Line | None = None
    """Number of the letter or form by which the authority was told."""
    no_notice_reason: NoNoticeReason | None = None
    """Why nobody was told; with `text`."""
    happened_at: Moment | None = None
    data_classes: DataClasses | None = None
    persons: Persons | None = None
    """As they are known by now, where they were not when it was written down."""
    action: Text
    """What was done, and what was recovered."""
    text: Text | None = None

    @model_validator(mode="after")
    def _notice_or_reason(self) -> Self:
        if self.no_notice_reason is not None:
            if self.subject_told_at or self.authority_told_at or self.authority_paper:
                raise PydanticCustomError("notice_and_none", "Either there was a notice or there was none")
            if self.text is None:
                raise PydanticCustomError("text_required", "Without a notice, say why")
        elif self.subject_told_at is None or self.authority_told_at is None or self.authority_paper is None:
            raise PydanticCustomError(
                "notice_incomplete",
                "A notice goes to the person and to the authority, with a paper; or say why there was none",
            )
        return self


class IncidentRecorded(Wire):
    """The answer to every POST about incidents."""

    id: UUID
    reference: str
    state: str
    recorded_at: Moment
    log_entry: UUID


class IncidentEnvelope(Wire):
    """An incident without what is said of it."""

    id: UUID
    reference: str
    kind: IncidentKind
    reported_by: AgencyRef
    responsible: AgencyRef
    """Whose the clock is. Of a record that was another person's: the agency that wrote it."""
    subject: str | None
    subject_id: UUID | None
    """What of the exchange it is about: a `record_version` that was retracted."""
    cases: list[UUID]
    """To a lead, its own; to the others all."""
    happened_at: Moment | None
    noticed_at: Moment
    recorded_at: Moment
    data_classes: list[DataClass]
    persons: int | None
    due_at: Moment
    clock: Literal["ok", "due", "overdue"]
    state: Literal["open", "closed"]
    subject_told_at: Moment | None
    authority_told_at: Moment | None
    no_notice_reason: NoNoticeReason | None
    closed_at: Moment | None


class IncidentProgress(Wire):
    """Something added later."""

    id: UUID
    by: AgencyRef
    recorded_at: Moment
    text: str


class Incident(IncidentEnvelope):
    """An incident as those concerned read it."""

    how: str
    action: str | None
    entries: list[IncidentProgress]
    authority_paper: str | None
    closing_action: str | None
    closing_text: str | None


class IncidentPage(Wire):
    """A page of incidents."""

    items: list[IncidentEnvelope]
    next: str | None

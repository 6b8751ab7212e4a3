"""Reassignments: a new lead for a case whose lead is gone."""

from uuid import UUID

from pydantic import ConfigDict, Field

from schemas.base import Day, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.exchange.common import AgencyRef
from schemas.text import AgencyCode, Number, Text


class ReassignmentPaper(Wire):
    """The ministry's paper that orders it."""

    number: Number
    date: Day


class NewReassignment(RequestBody):
    """A proposal of the ministry's desk."""

    case: Number
    """The case's reference: small letters, spaces and O for 0 are understood."""
    to: AgencyCode
    """Who shall lead it."""
    reason: Text
    """Why its lead cannot: dissolved, unreachable since when, tried how."""
    paper: ReassignmentPaper


class ApproveReassignment(RequestBody):
    """The second person agrees."""


class AgreeToReassignment(RequestBody):
    """We lead the case from now on."""


class DeclineReassignment(RequestBody):
    """We cannot lead it."""

    reason: Text


class WithdrawReassignment(RequestBody):
    """It is not needed any more, or was wrong."""

    reason: Text


class Reassignment(Wire):
    """A reassignment, as the desk, the lead of the case and, once it is approved, the new lead may know it."""

    model_config = ConfigDict(populate_by_name=True)

    id: UUID
    case_id: UUID
    case_reference: str
    from_: AgencyRef = Field(alias="from")
    """Who led the case when it was proposed."""
    to: AgencyRef
    state: str
    version: int
    reason: str | None
    """None once it was erased; so is `paper`."""
    paper: ReassignmentPaper | None
    end_reason: str | None
    """Why it was declined or withdrawn."""
    proposed_at: Moment
    approved_at: Moment | None
    updated_at: Moment
    transfer_id: UUID | None
    """Once agreed: the transfer by which the record came to the new lead, if there was a record."""
    moves: list[str]


class ReassignmentPage(Wire):
    """A page of reassignments."""

    items: list[Reassignment]
    next: str | None
    """The next page's address, or None at the end."""

"""Legal holds: what an authority orders to be kept of a case."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Day, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.disclosure import Section
from schemas.codes.protection import HoldAuthority
from schemas.exchange.common import AgencyRef
from schemas.text import Line, Text


class NewHold(RequestBody):
    """An order to keep sections of a case. It stops their erasure and opens nothing."""

    case_reference: Line
    """The case's reference (K-…), as it stands on the order or was read out."""
    authority: HoldAuthority
    authority_name: Line
    number: Line
    """The order's number."""
    dated_on: Day
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=15)]
    until: Day | None = None
    """The last day; unset: until it is lifted."""
    review_on: Day
    """When it is looked at again; within a year."""
    text: Text | None = None


class ReviewHold(RequestBody):
    """It stays: say why, and when it is looked at again."""

    review_on: Day
    text: Text


class LiftHold(RequestBody):
    """It ends now."""

    reason: Text


class HoldReview(Wire):
    """A review after which the hold stayed."""

    recorded_at: Moment
    review_on: Day
    text: str | None


class HoldEnvelope(Wire):
    """A hold as the case's lead knows it: that it is there, and for what."""

    id: UUID
    case_id: UUID
    placed_by: AgencyRef
    authority: HoldAuthority
    dated_on: Day
    sections: list[Section]
    until: Day | None
    review_on: Day
    clock: Literal["ok", "overdue"]
    state: Literal["active", "lifted", "ended"]
    placed_at: Moment
    ended_at: Moment | None


class Hold(HoldEnvelope):
    """A hold; the order itself and what was said are for protection officers, None to the lead."""

    authority_name: str | None
    number: str | None
    text: str | None
    reason: str | None
    reviews: list[HoldReview]


class HoldPage(Wire):
    """A page of holds."""

    items: list[HoldEnvelope]
    next: str | None

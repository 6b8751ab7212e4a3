"""Permits, papers to travel on, and what the person wants about going home."""

from typing import Annotated

from pydantic import Field

from schemas.base import Day, Wire
from schemas.codes.answers import Answer, Missing
from schemas.codes.law import DepartureWay, MigrationReason, MigrationStatus, ReturnWish
from schemas.codes.services import Escort
from schemas.record.common import Place, SectionBase
from schemas.record.identity import Document
from schemas.text import AgencyCode, CountryCode, Line, PartialDate, Text


class Return(Wire):
    """What the person wants, and what has been prepared."""

    wish: ReturnWish
    destination: Place | None = None
    not_before: Day | None = None
    planned_on: PartialDate | None = None
    escort: Escort | None = None
    family_traced: Answer | None = None
    family_willing: Answer | None = None
    risk_assessed: Answer | None = None
    """Whether the risk at the place of return has been assessed."""
    needs_travel_document: Answer | None = None
    mission_may_be_told: Answer | None = None
    """Whether the person agrees that their own country's mission learns of them."""
    mission_safe: Answer | None = None
    """Whether it was found safe that it does."""
    note: Text | None = None


class Reintegration(Wire):
    """What is prepared for the time after the return."""

    place: Place | None = None
    with_whom: Line | None = None
    """With whom the person is going to live."""
    family_prepared: Answer | None = None
    community_prepared: Answer | None = None
    livelihood: Text | None = None
    plan: Text | None = None
    follow_up_by: AgencyCode | None = None
    follow_up_until: PartialDate | None = None


class MigrationSection(SectionBase):
    """Status, papers, way and return."""

    status: MigrationStatus | None = None
    reasons: Annotated[tuple[MigrationReason, ...], Field(max_length=len(MigrationReason))] = ()
    departure: DepartureWay | None = None
    left_on: PartialDate | None = None
    entered_on: PartialDate | None = None
    """When the person came to the country they are in."""
    entered_from: CountryCode | None = None
    entry_point: Line | None = None
    permit_until: PartialDate | None = None
    detention_ruled_out: Answer | None = None
    """Whether immigration has agreed not to detain the person."""
    documents: Annotated[tuple[Document, ...], Field(max_length=20)] = ()
    """Visas, permits and travel papers."""
    documents_missing: Missing | None = None
    """Why no paper is named."""
    return_home: Return | None = None
    reintegration: Reintegration | None = None
    note: Text | None = None

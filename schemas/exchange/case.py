"""Cases."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Day, Flag, Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.referral import CaseClosureReason
from schemas.codes.services import EntryChannel
from schemas.codes.trafficking import IdentificationStatus
from schemas.exchange.basis import Basis
from schemas.exchange.common import AgencyRef, MoveRecord, MoveRequest
from schemas.exchange.link import Link
from schemas.text import Text


class NewCase(Wire):
    """A case opened together with its first referral or transfer."""

    entry_channel: EntryChannel
    """How the person came to the agency."""


class OpenCase(NewCase, MoveRequest):
    """A case opened on its own. The caller becomes its lead."""


class FollowUp(MoveRequest):
    """The help is given; the person is followed for a time, as reintegration needs."""

    plan: Text
    """What is looked at, how often, by whom (by role)."""
    until: Day
    """The planned end."""


class Close(MoveRequest):
    """The work is done. Refused while a transfer or an immediate referral of the case is open."""

    reason: CaseClosureReason
    text: Text | None = None


class Reopen(MoveRequest):
    """The work goes on. Whatever is sent afterwards brings bases of its own, as always."""

    reason: Text
    bases: Annotated[tuple[Basis, ...], Field(min_length=1, max_length=15)]
    """On what the case is worked on again: a legal basis, or a consent of the case that is not withdrawn."""

    @model_validator(mode="after")
    def _consent_is_named(self) -> Self:
        if any(basis.kind == "consent" and basis.consent_id is None for basis in self.bases):
            raise PydanticCustomError("consent_missing", "A basis of kind consent needs consent_id")
        return self


class CorrectDeath(MoveRequest):
    """The person lives: the death was recorded by mistake."""

    reason: Text


class NewVictimStatus(RequestBody):
    """A decision about the person's status as a victim. No service ends by it."""

    status: IdentificationStatus
    ground: Text
    """On what it rests: who decided, by which indicators or which ruling."""
    own_statement: Text | None = None
    """What the person says about it."""
    decided_on: Day


class MarkGuardian(MoveRequest):
    """Whether the guardian is suspect. A barred guardian neither gives nor withdraws consent, and is told nothing."""

    suspect: Flag
    reason: Text


class Leadership(Wire):
    """A time during which one agency was responsible for the case."""

    agency: AgencyRef
    since: Moment
    until: Moment | None
    transfer_id: UUID | None
    """The transfer by which it took over; None for who opened the case."""


class CaseEnvelope(Wire):
    """A case without what it is about."""

    id: UUID
    reference: str
    state: str
    version: int
    lead: AgencyRef
    opened_at: Moment
    updated_at: Moment


class Plan(Wire):
    """What the follow-up is to be."""

    plan: str
    until: Day


class Closure(Wire):
    """Why the case was closed."""

    reason: CaseClosureReason
    text: str | None


class VictimStatus(Wire):
    """One decision about the person's status as a victim."""

    id: UUID
    status: IdentificationStatus
    ground: str
    own_statement: str | None
    decided_on: Day
    by: AgencyRef
    recorded_at: Moment


class Case(CaseEnvelope):
    """A case as the caller may know it. What is empty or None may also be not for the caller: most of it is for the lead alone."""

    leads: list[Leadership]
    """All of them for the lead; for an earlier lead its own time; nothing for others."""
    history: list[MoveRecord]
    """What happened to the case itself; for the lead."""
    plan: Plan | None
    """The latest follow-up plan; for the lead."""
    closure: Closure | None
    """Why it is closed, while it is; for the lead."""
    victim_status: list[VictimStatus]
    """Every decision, the newest last; for the lead."""
    guardian_barred: bool | None
    """Whether the guardian is barred; for the lead."""
    links: list[Link]
    """For the lead."""
    moves: list[str]


class CasePage(Wire):
    """A page of cases."""

    items: list[CaseEnvelope]
    next: str | None
    """The next page's address, or None at the end."""

"""Escalations: a deadline has passed, and somebody must see to it."""

from typing import Literal
from uuid import UUID

from schemas.base import Moment, Wire
from schemas.codes.base import RequestBody
from schemas.codes.referral import Purpose, Urgency
from schemas.exchange.common import AgencyRef
from schemas.exchange.directory import DutyContact
from schemas.record.preview import Preview
from schemas.text import AgencyCode, Text

Rung = Literal["receiver", "sender", "lead", "desk"]


class EscalationEnvelope(Wire):
    """What lists return: what is late since when, and whether somebody sees to it."""

    id: UUID
    case_id: UUID
    subject: Literal["referral", "transfer"]
    subject_id: UUID
    reference: str
    """Of the referral or transfer, to be read out on the telephone."""
    reason: str
    """The state it was in when its deadline passed."""
    urgency: Urgency
    deadline: Moment
    """The deadline that passed."""
    state: Literal["open", "taken", "closed"]
    opened_at: Moment
    asked_as: Rung
    """As what the caller's agency was asked."""
    asked_at: Moment
    taken_at: Moment | None
    closed_at: Moment | None
    close_reason: Literal["answered", "rerouted", "replaced", "ended"] | None


class EscalationPage(Wire):
    """A page of escalations."""

    items: list[EscalationEnvelope]
    next: str | None
    """The next page's address, or None at the end."""


class Asked(Wire):
    """An agency that was asked to see to it."""

    agency: AgencyRef
    role: Rung
    asked_at: Moment


class EscalatedSubject(Wire):
    """The referral or transfer as it stands now, without the person."""

    state: str
    urgency: Urgency
    purpose: Purpose
    respond_by: Moment
    deadline: Moment | None
    """When its present state ends; None once it has ended."""
    sender: AgencyRef
    receiver: AgencyRef
    sent_at: Moment
    accepted_at: Moment | None
    ended_at: Moment | None


class Escalation(EscalationEnvelope):
    """An escalation as an agency that was asked may read it."""

    now: EscalatedSubject
    asked: list[Asked]
    taken_by: AgencyRef | None
    contacts: list[DutyContact]
    """Whom to call at the receiver."""
    preview: Preview | None
    """For the desk, while it may act and nobody has accepted: enough to find another receiver."""
    moves: list[str]
    """What the caller may do now: `take`, `reroute`."""


class Take(RequestBody):
    """We see to it."""


class Reroute(RequestBody):
    """Another agency is asked for what nobody answered."""

    receiver: AgencyCode
    reason: Text
    """Why it cannot wait, for the reviewers of the vital interest."""
    urgency: Urgency | None = None
    """Left out: as before. Never longer than before."""

"""The work list: what waits for an agency."""

from enum import StrEnum
from uuid import UUID

from schemas.base import Moment, Wire
from schemas.codes.referral import Urgency
from schemas.exchange.common import AgencyRef


class Waiting(StrEnum):
    """What an agency is waited for to do."""

    ANSWER = "answer"
    """Accept or decline what came."""
    GIVE_INFORMATION = "give_information"
    """Answer the receiver's question."""
    START = "start"
    """Receive the person, or give the first service."""
    CONTINUE = "continue"
    """Nothing was recorded for long, or a hold is to be reviewed."""
    ANSWER_CANCELLATION = "answer_cancellation"
    """Confirm or refuse that it ends, as the sender asked."""
    CONFIRM_HANDOVER = "confirm_handover"
    """Confirm that the person or the file has arrived."""
    SUPPLY_PAPER = "supply_paper"
    """Supply the handover paper."""
    ESCALATION = "escalation"
    """Take what nobody has answered."""
    REQUEST = "request"
    """Answer a request about data: erase, correct, explain."""
    ANSWER_SUBJECT_REQUEST = "answer_subject_request"
    """Answer what a person asks about their data, as the case's lead."""
    SEE_TO_INCIDENT = "see_to_incident"
    """Give the notice of an incident, or say why none is due, and close it."""
    CONFIRM_LINK = "confirm_link"
    """Say whether two cases belong together."""
    AGREE_REASSIGNMENT = "agree_reassignment"
    """Say whether the agency takes over a case whose lead is gone."""
    READ_NOTES = "read_notes"
    """Read what the other side has written, and say so."""


class InboxItem(Wire):
    """One thing that waits."""

    kind: Waiting
    subject: str
    """What it is: `referral`, `transfer`, `escalation`, `request`, `subject_request`, `incident`, `case_link`, `reassignment`."""
    id: UUID
    case_id: UUID | None
    """None: an incident, which can be about several."""
    reference: str | None
    state: str
    version: int | None
    """For `If-Match`, where the move needs it."""
    urgency: Urgency | None
    since: Moment
    deadline: Moment | None
    """When it should be done; None: there is no deadline, and it is listed by when it came."""
    clock: str
    other: AgencyRef | None
    """The other party."""
    moves: list[str]


class InboxPage(Wire):
    """What waits, soonest deadline first."""

    items: list[InboxItem]
    next: str | None


class Count(Wire):
    """How many wait. A thousand means a thousand or more."""

    waiting: int
    overdue: int


class InboxCounts(Wire):
    """How many of each kind wait."""

    counts: dict[Waiting, Count]


class Named(Wire):
    """What a reference names."""

    subject: str
    """`case`, `referral` or `transfer`."""
    id: UUID
    case_id: UUID

"""Events: thin news. They say what changed; the receiver fetches it with its own token."""

from typing import Final
from uuid import UUID

from schemas.base import Moment, Wire

EVENT_TYPES: Final[dict[str, str]] = {
    "referral.sent": "A referral has come for your agency. Read it and answer.",
    "referral.received": "The receiver has acknowledged your referral.",
    "referral.accepted": "Your referral was accepted. Read where to and when.",
    "referral.declined": "Your referral was declined. Read why, and whom the receiver suggests; refer elsewhere.",
    "referral.recalled": "The sender took the referral back. What you saw of it is closed.",
    "referral.in_progress": "The person has arrived, or a first service was given.",
    "referral.record_service": "A service was recorded.",
    "referral.completed": "The services are given. Read the outcomes.",
    "referral.not_completed": "The services could not be given or were ended. Read why.",
    "referral.amend": "The record has a new version. Read it again.",
    "referral.absorbed": "The receiver has become the case's lead; the referral is part of its own work now.",
    "referral.expired": "Nobody answered in time. Refer elsewhere.",
    "referral.reminder": "A deadline is coming closer.",
    "referral.overdue": "A deadline has passed.",
    "transfer.offered": "A case is offered to your agency. Read it, and accept with the manifest's digest, or decline.",
    "transfer.received": "The receiver has acknowledged your offer.",
    "transfer.accepted": "Your offer was accepted. You lead the case until the handover is confirmed.",
    "transfer.declined": "Your offer was declined. You remain the lead.",
    "transfer.recalled": "The offer was taken back.",
    "transfer.amend": "The record has a new version. Read it again.",
    "transfer.aborted": "The handover was called off after its acceptance. The lead did not move by it.",
    "transfer.completed": "The handover is confirmed. The other agency now leads the case.",
    "transfer.expired": "Nobody answered in time. You remain the lead.",
    "transfer.reminder": "A deadline is coming closer.",
    "transfer.overdue": "A deadline has passed.",
    "case.lead_changing": "Another agency has agreed to lead this case; the handover is not confirmed yet.",
    "case.lead_changed": "Another agency leads this case now. Your referral stands; its sender is the new lead.",
    "case.closed": "The lead has closed the case. A referral of yours that is open goes on.",
    "case.reopened": "The case is open again.",
    "case.deceased": "The person has died. No deadline of the case runs any more; close what is open.",
    "case.reassignment_proposed": "The ministry's desk takes you to be gone and proposes another lead. Tell it if you are not.",
    "case.reassignment_approved": "The ministry's desk asks your agency to lead a case whose lead is gone. Read it; agree or decline.",
    "case.reassignment_agreed": "The new lead has agreed and leads the case now.",
    "case.reassignment_declined": "The agency that was asked to lead the case has declined.",
    "case.reassignment_withdrawn": "The reassignment is withdrawn; the lead stays.",
    "case.link_proposed": "Another agency says that a case of its own belongs together with yours. Read the link; confirm or refuse it.",
    "case.link_confirmed": "The link you proposed is confirmed. Read who leads the other case.",
    "case.link_refused": "The link you proposed is refused.",
    "case.link_ended": "A link of your case has ended.",
}
"""Every type of event, and what the receiver should do. Clients must expect new ones."""


class Event(Wire):
    """One entry of an agency's feed."""

    id: UUID
    position: int
    """Dense: the next event of this agency is one higher."""
    type: str
    subject: str
    """`referral`, `transfer`, `case`, `link` or `reassignment`: what `subject_id` is the id of."""
    subject_id: UUID
    case_id: UUID
    state: str
    """The subject's state after the event."""
    time: Moment


class EventPage(Wire):
    """Events in order."""

    items: list[Event]
    next: str
    """The address to ask for what comes after; it can be kept for ever."""

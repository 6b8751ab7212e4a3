"""Events: thin news. They say what changed; the receiver fetches it with its own token."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, Strict

from schemas.base import WHOLE, Flag, Moment, Wire
from schemas.codes.base import RequestBody

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
    "referral.cancelled": "The referral is cancelled: its receiver agreed, or never started and let the time to answer pass.",
    "referral.rerouted": "The ministry's desk has asked another agency for what nobody answered. Who was responsible for it remains so.",
    "referral.expired": "Nobody answered in time. Refer elsewhere.",
    "referral.info_requested": "The receiver asks before it answers. Read the question and provide the information.",
    "referral.info_provided": "Your question was answered. Read it again, and accept or decline.",
    "referral.on_hold": "The services pause. Read why, and until when.",
    "referral.resumed": "The services go on.",
    "referral.cancel_requested": "The sender asks to end it. Confirm, refuse, or complete it.",
    "referral.cancel_refused": "The receiver goes on with it. Read why.",
    "referral.entered_in_error": "It was sent in error. What you had of it is locked.",
    "referral.error_reported": "The sender says that it was sent in error. Confirm it, or write why not.",
    "referral.note": "There is a note. Read it.",
    "referral.disputed": "A move is disputed: by the party for which another recorded it, or since a system was stolen. Read the history, and call.",
    "referral.confirmed": "The party has confirmed that a disputed move was its own. Read the history.",
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
    "transfer.info_requested": "The receiver asks before it answers. Read the question and provide the information.",
    "transfer.info_provided": "Your question was answered. Read it again, and accept or decline.",
    "transfer.handover_paper": "The handover paper has been supplied.",
    "transfer.entered_in_error": "It was offered in error. What you had of it is locked.",
    "transfer.error_reported": "The sender says that it was offered in error. Confirm it, or write why not.",
    "transfer.note": "There is a note. Read it.",
    "transfer.disputed": "A move is disputed: by the party for which another recorded it, or since a system was stolen. Read the history, and call.",
    "transfer.confirmed": "The party has confirmed that a disputed move was its own. Read the history.",
    "transfer.reminder": "A deadline is coming closer.",
    "transfer.overdue": "A deadline has passed.",
    "escalation.opened": "A deadline has passed and your agency is asked to see to it. Read it, call the receiver, take it.",
    "escalation.reminder": "Everybody was asked and nobody has taken it yet.",
    "escalation.taken": "Another agency sees to it. It waits for yours no more.",
    "escalation.closed": "What was late has moved on.",
    "case.unattended": "The last open immediate referral of the case ended unaccepted: nobody is asked for this person now. Refer again at once.",
    "case.lead_changing": "Another agency has agreed to lead this case; the handover is not confirmed yet.",
    "case.lead_unchanged": "The handover you were told of will not take place. The lead stays.",
    "case.lead_changed": "Another agency leads this case now. Your referral stands; its sender is the new lead.",
    "case.corrected": "Something you hold was wrong. Read the correction.",
    "case.guardian_barred": "Somebody came with the word of the barred guardian; it was refused.",
    "consent.given": "A consent was recorded in a case you lead. Read it.",
    "consent.widened": "A person agreed to more. Read the new consent; nothing opened by itself.",
    "consent.narrowed": "A consent covers less than before. What is no longer covered is locked; read which sections, and why.",
    "consent.doubted": "The system that recorded a consent was found compromised. What rests on it is locked until the person has been asked again.",
    "consent.reconfirmed": "The person was asked again and still agrees. What was locked by the doubt is open again.",
    "consent.withdrawn": "A consent was withdrawn. What rested on it is locked; the person stays where they are.",
    "record.retracted": "A record was another person's. It is locked; use nothing of what you read in it.",
    "request.opened": "Your agency is asked about data: to erase, to restrict, to correct. Read it and answer in time.",
    "request.reminder": "An answer about data is due soon.",
    "request.overdue": "An answer about data is overdue.",
    "request.answered": "A request about data was answered.",
    "referral.rebased": "What was sent to you rests on another basis now. Read it again; the state is as it was.",
    "transfer.rebased": "What was sent to you rests on another basis now. Read it again; the state is as it was.",
    "review.opened": "Something was disclosed without consent. Read why, and find it justified or not, in time.",
    "review.due": "A review is due soon. Judge it; if it is a vital interest you disclosed on, put the sections on another basis before it ends.",
    "review.overdue": "The time of a review is over. Sections that rested on a vital interest are locked; the person stays where they are.",
    "review.decided": "A disclosure without consent was judged, or rests on another basis now. What was not justified is locked.",
    "emergency_access.opened": "Somebody reads sections of the case in an emergency. Read why; end it if there is none, and help if there is.",
    "emergency_access.ended": "The emergency access has ended.",
    "subject_request.opened": "A person asks about their data, and your agency leads the case. Read it and answer within three days.",
    "subject_request.reminder": "An answer to a person about their data is due soon.",
    "subject_request.overdue": "An answer to a person about their data is overdue.",
    "subject_request.answered": "The lead has answered what a person asked through your agency. Read it and tell them.",
    "subject_request.lifted": "The lead has lifted a restriction that was asked for through your agency. Read why and tell the person.",
    "referral.restriction_lifted": "A restriction is lifted: sections that the person had restricted are open again. The state is as it was.",
    "transfer.restriction_lifted": "A restriction is lifted: sections that the person had restricted are open again. The state is as it was.",
    "incident.opened": "An incident with personal data concerns your agency or a case it leads. Read it; see to the notice in time.",
    "incident.updated": "Something was added to an incident. Read it.",
    "incident.reminder": "The notice of an incident is due soon.",
    "incident.overdue": "The notice of an incident is overdue.",
    "incident.closed": "An incident is closed.",
    "hold.placed": "An authority orders that sections of a case you lead be kept. Nothing of them is erased; nothing is opened by it.",
    "hold.review_due": "A legal hold is to be looked at again. Review it or lift it.",
    "hold.lifted": "A legal hold on a case you lead is lifted.",
    "hold.ended": "The time of a legal hold is over.",
    "attachment.ready": "The malware scan found nothing in a file you uploaded. It can go with a record.",
    "attachment.rejected": "The malware scan found something in a file you uploaded. Its content is destroyed. Get a clean one.",
    "case.closed": "The lead has closed the case. A referral of yours that is open goes on.",
    "case.idle": "Nothing has happened for long in a case you lead. Close it if it is over: how long it is kept counts from there.",
    "case.reopened": "The case is open again.",
    "case.death_corrected": "The person lives; the death was recorded by mistake. Go on, and look at your deadlines.",
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
    "client.key_added": "A key was added to a system of your agency. If that was not you, have it ended and call the operators at once.",
    "client.key_ending": "A key of a system of your agency ends soon. Add another before it does.",
    "client.key_ended": "A key of a system of your agency has been ended.",
    "webhook.paused": "A webhook of your agency is paused: for days it has only failed. Mend its receiver, then enable it; what waits is sent.",
    "webhook.gone": "A webhook's address answered 410, so nothing is sent there any more. If that was a mistake, enable it again.",
    "agency.encryption_key_added": "A key to seal sections to was added for your agency. If that was not you, end it and call the operators at once.",
    "agency.encryption_key_ended": "A key that sections could be sealed to has ended. Ask for what was sealed to it alone to be sealed again.",
    "import.finished": "An import of your agency has ended: all its lines are handled, or it was stopped. Read its results.",
    "client.approved": "A system of your agency is approved. It works once the operators have activated it.",
    "client.activated": "A system of your agency works now.",
    "client.suspended": "A system of your agency is shut out. Call the operators; what it was waited for is listed with them.",
    "client.resumed": "A system of your agency is let in again.",
    "client.retired": "A system of your agency is retired for good.",
    "webhook.added": "A system of your agency has its events sent to an address. If that was not you, call the operators at once.",
    "webhook.changed": "A webhook of your agency leads to another address, or wants other events. If that was not you, call the operators at once.",
    "webhook.key_added": "A webhook of your agency has a new key. Give its public half to whoever verifies its messages before the earlier one ends.",
    "webhook.enabled": "A webhook of your agency is in service again. What it missed follows.",
    "webhook.disabled": "A webhook of your agency was taken out of service, by its system or by an administrator. Nothing is lost meanwhile.",
    "webhook.removed": "A webhook of your agency was removed, with what waited for it. Everything stays in the feed.",
    "client.refused_often": "A system of your agency was refused many times within an hour. Is its key right, or is somebody trying?",
}
"""Every type of event, and what the receiver should do. Clients must expect new ones."""
EVENT_FAMILIES: Final = frozenset(f"{name.partition('.')[0]}.*" for name in EVENT_TYPES)
"""Every family of them, as it is asked for at the feed or by a webhook: all that there is of it, also what is added later."""


class Event(Wire):
    """One entry of an agency's feed."""

    id: UUID
    position: int
    """Dense: the next event of this agency is one higher."""
    type: str
    subject: str
    """What changed: `referral`, `transfer`, `case`, `consent`, `escalation`, `request`, `review`, `emergency_access`, `subject_request`, `incident`,
    `hold`, `attachment`, `client`, `client_key`, `encryption_key`, `webhook`, …"""
    subject_id: UUID
    case_id: UUID | None
    """None where it is about no case."""
    state: str
    """The subject's state after the event."""
    time: Moment


class EventPage(Wire):
    """Events in order."""

    items: list[Event]
    next: str
    """The address to ask for what comes after, with the same `types`. It can be kept, as long as events are."""
    position: int
    """How far you are with this page: `after` of the next one. It also passes events of types that were not asked for."""
    last: int
    """Position of the feed's newest event. While it is more than `position`, ask again at once: there is more."""


class Acknowledgement(RequestBody):
    """How far a system has handled a feed."""

    position: Annotated[int, Strict(), Field(ge=0, le=9_223_372_036_854_775_806), WHOLE]
    """Position of the last event that is handled, with all before it; 0: none is."""
    rewind: Flag = False
    """Whether it may go back."""


class FeedPosition(Wire):
    """Where a client stands in an agency's feed."""

    position: int | None
    """The last position it has acknowledged; null: none yet."""
    acknowledged_at: Moment | None
    last: int
    """Position of the feed's newest event; 0: there has been none."""
    waiting: int
    """How many events come after what was acknowledged and are still kept."""
    oldest: int
    """Position of the oldest event that is kept, or of the next one where none is."""

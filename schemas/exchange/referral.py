"""Referrals and transfers: what is sent, what answers it, what is read."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Day, Moment, Wire
from schemas.codes.disclosure import Section
from schemas.codes.referral import (
    DeclineReason,
    HandoverPaper,
    LeftBehindReason,
    NeedOutcome,
    NotCompletedReason,
    Purpose,
    Urgency,
)
from schemas.codes.services import Need, Service, ServiceEventStatus
from schemas.exchange.basis import Basis, Disclosure
from schemas.exchange.case import NewCase
from schemas.exchange.common import AgencyRef, MoveRecord, MoveRequest
from schemas.exchange.consent import NewConsent
from schemas.exchange.correction import CorrectionEnvelope
from schemas.exchange.note import NoteKind
from schemas.exchange.record_file import RecordFile
from schemas.record.preview import Preview
from schemas.record.record import Record, check_sealed_preview, included
from schemas.text import AgencyCode, Line, Number, Text


class PriorAgreement(Wire):
    """An agreement made before sending."""

    agreed_at: Moment
    with_role: Line
    """Whom it was made with, by role and never by name."""


class _Sent(MoveRequest):
    case_id: UUID | None = None
    """An open case; or `case`, to open one in the same request."""
    case: NewCase | None = None
    consent: NewConsent | None = None
    """A consent recorded in the same request; bases of kind `consent` without an id rest on it."""
    receiver: AgencyCode
    purpose: Purpose
    urgency: Urgency
    respond_by: Moment | None = None
    """Earlier than the urgency's own deadline, if the sender needs to know sooner."""
    record: Record | None = None
    """The record to send; `needs` is required."""
    record_version: UUID | None = None
    """Or a version the exchange has already, so that nothing is typed twice."""
    replaces: UUID | None = None
    """The ended referral or transfer of the same case that this one follows."""
    bases: Annotated[tuple[Basis, ...], Field(min_length=1, max_length=15)]
    prior_agreement: PriorAgreement | None = None
    """What was agreed before, say on the telephone. The receiver still has to accept."""

    @model_validator(mode="after")
    def _one_case_one_record(self) -> Self:
        if (self.case_id is None) == (self.case is None):
            raise PydanticCustomError("case_once", "Give case_id or case, one of them")
        if (self.record is None) == (self.record_version is None):
            raise PydanticCustomError("record_once", "Give record or record_version, one of them")
        if self.record is not None and self.record.needs is None:
            raise PydanticCustomError("needs_required", "The record must have the section needs")
        if self.record is not None:
            check_sealed_preview(self.record)
        if self.case is not None and (self.record_version is not None or self.replaces is not None):
            raise PydanticCustomError("new_case_has_no_past", "A new case has no earlier record or referral")
        if self.consent is None and any(basis.kind == "consent" and basis.consent_id is None for basis in self.bases):
            raise PydanticCustomError(
                "consent_missing", "A basis of kind consent needs consent_id, or consent in the request"
            )
        return self


class NewReferral(_Sent):
    """A request that another agency give services; responsibility for the case stays where it is."""

    offer_group: UUID | None = None
    """Several receivers asked at once: the same UUID, of the sender's choice, in each of at most five requests.

    The first acceptance recalls the others."""


class LeftBehind(Wire):
    """A sealed section that does not come with the case."""

    section: Section
    reason: LeftBehindReason
    text: Line
    """Why, for the new lead; read from acceptance on."""


class NewTransfer(_Sent):
    """An offer to hand over responsibility for the case."""

    tasks: Annotated[tuple[Line, ...], Field(max_length=30)] = ()
    """What is still to be done. The receiver reads it from acceptance on; the manifest holds a salted digest."""
    protective_measures: Annotated[tuple[Line, ...], Field(max_length=30)] = ()
    """What protects the person now and must not lapse."""
    left_behind: Annotated[tuple[LeftBehind, ...], Field(max_length=13)] = ()
    """The sealed sections of the case that are not in the record, each with its reason: what is sealed is either sealed again for the new lead,
    opened to it, or left behind."""

    @model_validator(mode="after")
    def _left_behind_once(self) -> Self:
        names = [str(each.section) for each in self.left_behind]
        brought = included(self.record) if self.record is not None else ()
        if len(set(names)) != len(names) or set(names) & set(brought):
            raise PydanticCustomError(
                "left_behind_once", "A section is left behind once, and then it is not in the record"
            )
        return self


class Acknowledge(MoveRequest):
    """We have it and are looking at it."""


class Accept(MoveRequest):
    """We take the person. The whole record opens with this."""

    ready_to_receive_from: Moment
    service_point: UUID | None = None
    """Which of the receiver's service points, if it matters."""
    meeting_point: Line | None = None
    """Where to meet; needed when the service point is confidential."""
    contact: Line | None = None
    """Whom to ask for, by role."""


class AcceptTransfer(Accept):
    """We will take over the case. The lead moves later, when the handover is confirmed."""

    manifest_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The digest of the manifest as the offer shows it: what comes with the case."""


class Decline(MoveRequest):
    """We cannot."""

    reason: DeclineReason
    text: Line | None = None
    """Required with `other`. Before acceptance it may hold no more than the preview does."""
    suggested_receivers: Annotated[tuple[AgencyCode, ...], Field(max_length=5)] = ()

    @model_validator(mode="after")
    def _other_is_said(self) -> Self:
        if self.reason == DeclineReason.OTHER and self.text is None:
            raise PydanticCustomError("text_required", "other needs a text")
        return self


class Recall(MoveRequest):
    """We take it back before it was accepted."""

    reason: Line


class Start(MoveRequest):
    """The person has arrived, or the first service was given."""

    by: Literal["arrival", "first_service"] = "arrival"


class RecordService(MoveRequest):
    """A service that was planned, given or missed. HTCDS `spl_Type`, `spl_Status`."""

    service: Service
    need: Need | None = None
    """The need it answers."""
    on: Day
    status: ServiceEventStatus
    next_appointment: Moment | None = None


class OutcomeOfNeed(Wire):
    """What became of one need."""

    need: Need
    outcome: NeedOutcome


class Complete(MoveRequest):
    """The services are given."""

    outcomes: Annotated[tuple[OutcomeOfNeed, ...], Field(min_length=1, max_length=30)]
    """One for each need of the record."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({each.need for each in self.outcomes}) != len(self.outcomes):
            raise PydanticCustomError("need_twice", "A need has one outcome")
        return self


class Fail(MoveRequest):
    """The services could not be given, or were ended."""

    reason: NotCompletedReason
    text: Line | None = None

    @model_validator(mode="after")
    def _other_is_said(self) -> Self:
        if self.reason == NotCompletedReason.OTHER and self.text is None:
            raise PydanticCustomError("text_required", "other needs a text")
        return self


class Amend(MoveRequest):
    """A new version of the record, with its bases; the earlier one closes."""

    record: Record
    bases: Annotated[tuple[Basis, ...], Field(min_length=1, max_length=15)]

    @model_validator(mode="after")
    def _needs_stay(self) -> Self:
        if self.record.needs is None:
            raise PydanticCustomError("needs_required", "The record must have the section needs")
        check_sealed_preview(self.record)
        if any(basis.kind == "consent" and basis.consent_id is None for basis in self.bases):
            raise PydanticCustomError("consent_missing", "A basis of kind consent needs consent_id")
        return self


class ConfirmHandover(MoveRequest):
    """The person or the file has arrived: the receiver is now the lead."""

    paper: HandoverPaper
    """Where the handover paper (BAST) stands."""
    number: Number | None = None
    date: Day | None = None
    """Both required when it is issued."""
    due: Moment | None = None
    """When a pending paper is expected; seven days if left out."""

    @model_validator(mode="after")
    def _issued_has_a_number(self) -> Self:
        if self.paper == HandoverPaper.ISSUED and (self.number is None or self.date is None):
            raise PydanticCustomError("paper_number", "An issued paper has a number and a date")
        if self.paper != HandoverPaper.PENDING and self.due is not None:
            raise PydanticCustomError("paper_due", "Only a pending paper has a due date")
        return self


class RequestInfo(MoveRequest):
    """We have to know more before we can answer. Pauses the deadline, up to 24 hours in all; never that of an immediate referral."""

    question: Text


class _Words(MoveRequest):
    section: Section | None = None
    """The section the text belongs to. The sender always names one: what it writes about the person is a disclosure of it. A note of the receiver
    that names none is of the section of the question that it answers, else of `needs`: name the section as soon as it tells of anything else."""
    basis: Basis | None = None
    """What the text rests on. Left out, it rests on what the section itself was sent on; before acceptance the sender must give one."""

    @model_validator(mode="after")
    def _basis_is_for_the_section(self) -> Self:
        if self.basis is None:
            return self
        if self.section is None or tuple(self.basis.sections) != (self.section,):
            raise PydanticCustomError("basis_for_section", "The basis names the text's section, and no other")
        if self.basis.kind == "consent" and self.basis.consent_id is None:
            raise PydanticCustomError("consent_missing", "A basis of kind consent needs consent_id")
        return self


class ProvideInfo(_Words):
    """The answer: a text that rests on a basis of its own, or a new version of the record."""

    text: Text | None = None
    record: Record | None = None
    bases: Annotated[tuple[Basis, ...], Field(max_length=15)] = ()

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.text is None) == (self.record is None):
            raise PydanticCustomError("answer_once", "Give text or record, one of them")
        if self.text is not None and (self.section is None or self.basis is None or self.bases):
            raise PydanticCustomError("text_rests_on_basis", "A text needs section and basis, and no bases")
        if self.record is not None and (not self.bases or self.section is not None or self.basis is not None):
            raise PydanticCustomError("record_rests_on_bases", "A record needs bases, and no section or basis")
        return self

    @model_validator(mode="after")
    def _as_an_amendment(self) -> Self:
        if self.record is not None:
            Amend(record=self.record, bases=self.bases)
        return self


class Note(_Words):
    """A question, an answer or a piece of information for the other party."""

    text: Text
    kind: NoteKind = "information"
    in_reply_to: UUID | None = None
    """Of an answer: the question of the other party that it answers, a note of the same referral or transfer."""

    @model_validator(mode="after")
    def _only_an_answer_replies(self) -> Self:
        if self.in_reply_to is not None and self.kind != "answer":
            raise PydanticCustomError("reply_is_answer", "Only a note of kind answer is in reply to a question")
        return self


class RequestReseal(MoveRequest):
    """We cannot open these sections. The sender is asked to seal them again, to a key that counts."""

    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=13)]
    cause: Literal["key_lost", "key_ended", "cannot_open"]


class Hold(MoveRequest):
    """The services pause."""

    reason: Line
    review_at: Moment
    """When it is looked at again; at most 30 days ahead."""


class Resume(MoveRequest):
    """The services go on."""


class RequestCancel(MoveRequest):
    """We ask to end it; the receiver decides, since it has the person."""

    reason: Line


class ConfirmCancel(MoveRequest):
    """We end it, as asked."""


class RefuseCancel(MoveRequest):
    """We go on."""

    reason: Line


class EnterInError(MoveRequest):
    """It should never have been sent: another person, another agency. Locked at once."""

    reason: Line


class ReportError(EnterInError):
    """It should never have been sent; it was accepted meanwhile, so the receiver has to confirm that."""


class ConfirmError(MoveRequest):
    """Yes, it was sent in error."""


class Abort(MoveRequest):
    """The handover will not take place. The receiver answers for erasing what it read."""

    reason: Line


class SupplyPaper(MoveRequest):
    """The handover paper (BAST) that was pending."""

    number: Number
    date: Day


class Dispute(MoveRequest):
    """We did not do what another agency recorded for us."""

    reason: Line


class Confirmation(MoveRequest):
    """A move of ours that is disputed because of a breach was our own."""


class Envelope(Wire):
    """What lists return: everything about a referral or transfer but the person."""

    id: UUID
    case_id: UUID
    reference: str
    sender: AgencyRef
    receiver: AgencyRef
    state: str
    version: int
    purpose: Purpose
    urgency: Urgency
    respond_by: Moment
    deadline: Moment | None
    """When the present state should have ended; None while nobody is waited for."""
    clock: Literal["ok", "due", "overdue", "escalated"]
    sent_at: Moment
    updated_at: Moment
    acknowledged_at: Moment | None
    accepted_at: Moment | None
    ended_at: Moment | None
    error_reported_at: Moment | None
    """When the sender reported that it was sent in error; the receiver has to confirm."""
    replaces: UUID | None
    moves: list[str]
    """What the caller may do now."""


class ReferralEnvelope(Envelope):
    """A referral without the person."""

    started_at: Moment | None
    review_at: Moment | None
    """When a hold is looked at again."""
    offer_group: UUID | None
    """Several receivers were asked at once; only the sender is told so."""


class TransferEnvelope(Envelope):
    """A transfer without the person."""

    paper: HandoverPaper | None


class Acceptance(Wire):
    """Where to and when."""

    ready_to_receive_from: Moment
    service_point: str | None
    """Its name; never that of a confidential one."""
    meeting_point: str | None
    contact: str | None


class Ending(Wire):
    """Why and how it ended, as far as the reader may know."""

    reason: str | None
    text: str | None
    suggested_receivers: list[str]
    outcomes: list[OutcomeOfNeed]


class ServiceRecorded(Wire):
    """A service as it was recorded."""

    service: Service
    need: Need | None
    on: Day
    status: ServiceEventStatus
    next_appointment: Moment | None
    recorded_at: Moment


class _Contents(Wire):
    record_version: UUID
    first_read_at: Moment | None
    notes_unread: int
    """How many notes of the other side the caller's agency has not said that it has read: `GET …/notes`."""
    preview: Preview | None
    """What the receiver sees before acceptance."""
    record: Record | None
    """The sections open to the reader; None while there are none."""
    files: list[RecordFile]
    """The files of the record that are open to the reader: those whose section and whose papers both are. Each is downloaded by its id."""
    sealed: list[Section]
    """Sections that were sealed by their sender: from acceptance on they stand in `record.sealed`, and only the receiver can read them."""
    disclosures: list[Disclosure]
    withheld: list[Section]
    """Sections that were sent and are not open to the reader now. For a day after a withdrawal `safety` and the medicines of `health` are still in
    the record of whoever has the person with them, although their sections stand here."""
    corrections: list[CorrectionEnvelope]
    """What was corrected since this version, as far as it concerns what is open to the reader: `GET /v1/corrections/{id}`."""
    acceptance: Acceptance | None
    ending: Ending | None
    prior_agreement: PriorAgreement | None
    history: list[MoveRecord]


class Referral(ReferralEnvelope, _Contents):
    """A referral as the caller may read it."""

    services: list[ServiceRecorded]


class SealedAnswer(Wire):
    """What becomes of a sealed section when the case is handed over."""

    answer: str
    """`resealed`: sealed to the new lead; `opened`: no longer sealed; `left_behind`; `unchanged`: the earlier lead is gone, ask its author."""
    reason: LeftBehindReason | None
    section: Section


class Manifest(Wire):
    """What comes with the case. Its digest is the SHA-256 of its canonical form (RFC 8785), in hexadecimal."""

    consents: list[UUID]
    open_referrals: list[UUID]
    protective_measures: int
    """How many."""
    record_version: UUID
    salt: str
    sealed: list[SealedAnswer]
    """What becomes of each sealed section of the case."""
    sections: list[Section]
    tasks: int
    """How many."""
    words: str | None
    """SHA-256 of the canonical form of `handover`, so that its words cannot be changed afterwards."""


class LeftBehindText(Wire):
    """Why a sealed section does not come."""

    section: Section
    text: Line


class Handover(Wire):
    """What the sender says comes with the case besides the record; read from acceptance on."""

    left_behind: list[LeftBehindText]
    protective_measures: list[Line]
    salt: str
    tasks: list[Line]


class Transfer(TransferEnvelope, _Contents):
    """A transfer as the caller may read it."""

    manifest: Manifest
    manifest_digest: str
    handover: Handover | None
    paper_due_at: Moment | None
    paper_number: Number | None
    paper_date: Day | None


class ReferralPage(Wire):
    """A page of referrals."""

    items: list[ReferralEnvelope]
    next: str | None


class TransferPage(Wire):
    """A page of transfers."""

    items: list[TransferEnvelope]
    next: str | None


RecordDocument = dict[str, Any]
"""A record as stored: section name → its JSON."""

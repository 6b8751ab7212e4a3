"""Codes of referrals, transfers and their papers."""

from schemas.codes.base import CodeEnum


class Purpose(CodeEnum):
    """Why data may be disclosed: the key of the policy table. HTCDS `cas_ReasonForOutgoingReferral` is coarser."""

    EMERGENCY_PROTECTION = "emergency_protection"
    IDENTIFICATION = "identification"
    SHELTER = "shelter"
    MEDICAL_CARE = "medical_care"
    PSYCHOSOCIAL_CARE = "psychosocial_care"
    SOCIAL_REHABILITATION = "social_rehabilitation"
    LEGAL_ASSISTANCE = "legal_assistance"
    INVESTIGATION = "investigation"
    WITNESS_PROTECTION = "witness_protection"
    DOCUMENTS = "documents"
    FAMILY_TRACING = "family_tracing"
    RETURN = "return"
    REINTEGRATION = "reintegration"
    LIVELIHOOD = "livelihood"
    CASE_RESPONSIBILITY = "case_responsibility"


class Urgency(CodeEnum):
    """How soon an answer is needed."""

    IMMEDIATE = "immediate"
    URGENT = "urgent"
    STANDARD = "standard"


class DeclineReason(CodeEnum):
    """Why a receiver says no."""

    NO_PLACE = "no_place"
    NO_PLACE_FOR_MEN = "no_place_for_men"
    NO_PLACE_FOR_WOMEN = "no_place_for_women"
    NO_PLACE_FOR_CHILDREN = "no_place_for_children"
    NO_PLACE_FOR_FAMILIES = "no_place_for_families"
    SERVICE_NOT_GIVEN = "service_not_given"
    NOT_ELIGIBLE = "not_eligible"
    OUTSIDE_AREA = "outside_area"
    NOT_ACCESSIBLE = "not_accessible"
    NO_INTERPRETER = "no_interpreter"
    SAFETY_CONFLICT = "safety_conflict"
    PERSON_REFUSED = "person_refused"
    DUPLICATE = "duplicate"
    OTHER = "other"


class LeftBehindReason(CodeEnum):
    """Why a sealed section does not come with a case that is handed over."""

    NOT_NEEDED = "not_needed"
    PERSON_DECLINED = "person_declined"
    NO_BASIS = "no_basis"
    CANNOT_OPEN = "cannot_open"
    OTHER = "other"


class NeedOutcome(CodeEnum):
    """What became of a need."""

    MET = "met"
    PARTLY_MET = "partly_met"
    NOT_MET = "not_met"
    NO_LONGER_NEEDED = "no_longer_needed"
    REFERRED_ON = "referred_on"


class NotCompletedReason(CodeEnum):
    """Why services ended before they were complete."""

    NOT_REACHED = "not_reached"
    DID_NOT_ARRIVE = "did_not_arrive"
    LEFT = "left"
    UNSAFE = "unsafe"
    SERVICE_ENDED = "service_ended"
    PERSON_WITHDREW = "person_withdrew"
    DECEASED = "deceased"
    OTHER = "other"


class CaseClosureReason(CodeEnum):
    """Why a case was closed. HTCDS `cas_ReasonForCaseClosure`."""

    REINTEGRATED = "reintegrated"
    RETURNED = "returned"
    PERSON_DECLINED = "person_declined"
    NOT_IDENTIFIED_AS_VICTIM = "not_identified_as_victim"
    DECEASED = "deceased"
    LOST_CONTACT = "lost_contact"
    MERGED = "merged"


class MoveChannel(CodeEnum):
    """By what way an answer or a move was made."""

    SYSTEM = "system"
    PHONE = "phone"
    PAPER = "paper"
    IN_PERSON = "in_person"


class CaseLink(CodeEnum):
    """How two cases belong together."""

    SAME_PERSON = "same_person"
    FAMILY = "family"
    GROUP = "group"
    EARLIER_CASE = "earlier_case"
    SUSPECTED_HARM = "suspected_harm"


class HandoverPaper(CodeEnum):
    """Where the handover paper (BAST) stands."""

    ISSUED = "issued"
    PENDING = "pending"
    NOT_USED = "not_used"


class PaperKind(CodeEnum):
    """What a paper is."""

    BAST = "bast"
    CONSENT = "consent"
    REFUSAL = "refusal"
    REFERRAL_LETTER = "referral_letter"
    POLICE_REPORT = "police_report"
    POLICE_REPORT_RECEIPT = "police_report_receipt"
    VISUM = "visum"
    EVIDENCE_HANDOVER = "evidence_handover"
    MEDICAL_LETTER = "medical_letter"
    ASSESSMENT_REPORT = "assessment_report"
    COURT_ORDER = "court_order"
    IDENTITY_DOCUMENT = "identity_document"
    TRAVEL_DOCUMENT = "travel_document"
    EMPLOYMENT_CONTRACT = "employment_contract"
    OTHER = "other"


class ReferralState(CodeEnum):
    """Where a referral stands."""

    SENT = "sent"
    RECEIVED = "received"
    INFO_REQUESTED = "info_requested"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    CANCEL_REQUESTED = "cancel_requested"
    COMPLETED = "completed"
    NOT_COMPLETED = "not_completed"
    DECLINED = "declined"
    RECALLED = "recalled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    ABSORBED = "absorbed"
    ENTERED_IN_ERROR = "entered_in_error"


class TransferState(CodeEnum):
    """Where a transfer stands."""

    OFFERED = "offered"
    RECEIVED = "received"
    INFO_REQUESTED = "info_requested"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    DECLINED = "declined"
    RECALLED = "recalled"
    ABORTED = "aborted"
    EXPIRED = "expired"
    ENTERED_IN_ERROR = "entered_in_error"


class CaseState(CodeEnum):
    """Where a case stands. HTCDS `cas_Status`."""

    OPEN = "open"
    FOLLOW_UP = "follow_up"
    CLOSED = "closed"

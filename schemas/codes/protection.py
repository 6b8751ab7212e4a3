"""Codes about what persons ask of their data, incidents, legal holds."""

from schemas.codes.base import CodeEnum


class SubjectRequestKind(CodeEnum):
    """What a person may ask about their own data (UU 27/2022 art 5 to 13)."""

    ACCESS = "access"
    CORRECT = "correct"
    RESTRICT = "restrict"
    ERASE = "erase"
    COPY = "copy"


class SubjectRequester(CodeEnum):
    """Who asks for the person."""

    PERSON = "person"
    PARENT = "parent"
    GUARDIAN = "guardian"
    COURT_GUARDIAN = "court_guardian"
    REPRESENTATIVE = "representative"
    COURT = "court"


class IdentityCheck(CodeEnum):
    """How it was made sure that the requester is who they say."""

    KNOWN_TO_STAFF = "known_to_staff"
    DOCUMENT_SEEN = "document_seen"
    POWER_OF_ATTORNEY = "power_of_attorney"
    COURT_PAPER = "court_paper"
    VIDEO_CALL = "video_call"
    ANSWERED_QUESTIONS = "answered_questions"


class IdentityCheckedBy(CodeEnum):
    """Who made sure of it."""

    RECORDING_AGENCY = "recording_agency"
    ANOTHER_AGENCY = "another_agency"
    COURT = "court"
    NOTARY = "notary"
    MISSION = "mission"


class RefusalGround(CodeEnum):
    """On what ground a request about data is refused (UU 27/2022 art 15, 33, 44)."""

    ENDANGERS_SAFETY_OR_HEALTH = "endangers_safety_or_health"
    REVEALS_OTHERS = "reveals_others"
    NATIONAL_DEFENCE = "national_defence"
    LAW_ENFORCEMENT = "law_enforcement"
    PUBLIC_INTEREST = "public_interest"
    LEGAL_CASE = "legal_case"
    IDENTITY_NOT_PROVEN = "identity_not_proven"
    NOT_HELD = "not_held"


class RestrictionEnd(CodeEnum):
    """Why the restriction of data is lifted."""

    PERSON_ASKED = "person_asked"
    REASON_ENDED = "reason_ended"
    COURT_ORDER = "court_order"


class CopyDelivery(CodeEnum):
    """How what was granted reached the person."""

    PRINTED_IN_PERSON = "printed_in_person"
    FILE_IN_PERSON = "file_in_person"
    SHOWN = "shown"
    READ_OUT = "read_out"
    THROUGH_REPRESENTATIVE = "through_representative"


class IncidentKind(CodeEnum):
    """What went wrong with personal data."""

    WRONG_PERSON = "wrong_person"
    WRONG_RECEIVER = "wrong_receiver"
    UNAUTHORISED_ACCESS = "unauthorised_access"
    LOSS = "loss"
    THEFT = "theft"
    DISCLOSURE_OUTSIDE = "disclosure_outside"
    STOLEN_CREDENTIALS = "stolen_credentials"
    ALTERATION = "alteration"
    UNAVAILABLE = "unavailable"
    OTHER = "other"


class NoNoticeReason(CodeEnum):
    """Why nobody was notified of an incident."""

    NO_PERSONAL_DATA = "no_personal_data"
    NOT_OPENED = "not_opened"
    RECEIVER_BOUND = "receiver_bound"
    NOT_AN_INCIDENT = "not_an_incident"
    TOLD_IN_ANOTHER = "told_in_another"


class HoldAuthority(CodeEnum):
    """Who orders that data be kept."""

    COURT = "court"
    PROSECUTOR = "prosecutor"
    POLICE = "police"
    WITNESS_PROTECTION = "witness_protection"
    DATA_AUTHORITY = "data_authority"
    AUDIT = "audit"
    OTHER = "other"

"""Codes about what may be disclosed, and on what basis."""

from schemas.codes.base import CodeEnum


class DisclosureBasis(CodeEnum):
    """What allows a disclosure. HTCDS `con_Consent` knows consent only."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"
    BEST_INTERESTS_OF_CHILD = "best_interests_of_child"
    COURT_ORDER = "court_order"


class DataClass(CodeEnum):
    """A class of personal data under UU 27/2022 art 4."""

    SPECIFIC_HEALTH = "specific_health"
    SPECIFIC_BIOMETRIC = "specific_biometric"
    SPECIFIC_GENETIC = "specific_genetic"
    SPECIFIC_CRIMINAL_RECORD = "specific_criminal_record"
    SPECIFIC_CHILD = "specific_child"
    SPECIFIC_FINANCIAL = "specific_financial"
    SPECIFIC_OTHER_LAW = "specific_other_law"
    GENERAL = "general"


class Section(CodeEnum):
    """A part of the record with one sensitivity."""

    IDENTITY = "identity"
    CONTACT = "contact"
    LOCATION = "location"
    FAMILY = "family"
    IDENTIFICATION = "identification"
    EXPLOITATION = "exploitation"
    SAFETY = "safety"
    HEALTH = "health"
    PSYCHOSOCIAL = "psychosocial"
    LEGAL = "legal"
    MIGRATION = "migration"
    NEEDS = "needs"
    NARRATIVE = "narrative"
    ATTACHMENTS = "attachments"
    EXTENSIONS = "extensions"


class ConsentGiver(CodeEnum):
    """Who gives consent, and in what capacity."""

    PERSON = "person"
    PERSON_WITH_SUPPORT = "person_with_support"
    PARENT = "parent"
    GUARDIAN = "guardian"
    COURT_GUARDIAN = "court_guardian"
    REPRESENTATIVE = "representative"
    STATE_AUTHORITY = "state_authority"


class ConsentMethod(CodeEnum):
    """How consent was expressed and can be proved. What was only spoken proves nothing (UU 27/2022 art 22)."""

    WRITTEN = "written"
    THUMBPRINT = "thumbprint"
    AUDIO_RECORDING = "audio_recording"
    VIDEO_RECORDING = "video_recording"
    SIGN_LANGUAGE_RECORDING = "sign_language_recording"
    ELECTRONIC = "electronic"
    SPOKEN = "spoken"


class InterpreterRole(CodeEnum):
    """Who interpreted, by role and never by name."""

    NONE = "none"
    SWORN = "sworn"
    PROFESSIONAL = "professional"
    SIGN_LANGUAGE = "sign_language"
    REMOTE = "remote"
    STAFF = "staff"
    COMMUNITY = "community"
    FAMILY = "family"


class NoticeItem(CodeEnum):
    """What a person is told before consenting. UU 27/2022 art 21(1) demands the first seven; without one of them the consent is void (art 24)."""

    LEGALITY = "legality"
    PURPOSE = "purpose"
    KINDS_OF_DATA = "kinds_of_data"
    RETENTION = "retention"
    DETAILS = "details"
    PERIOD = "period"
    RIGHTS = "rights"
    RECIPIENTS = "recipients"
    WITHDRAWAL = "withdrawal"
    NO_LOSS_OF_HELP = "no_loss_of_help"


class ChildAssent(CodeEnum):
    """What a child says to what others decide for it (UU 23/2002 art 10, Convention on the Rights of the Child art 12)."""

    GIVEN = "given"
    REFUSED = "refused"
    NOT_ABLE = "not_able"


class LockReason(CodeEnum):
    """Why what was disclosed is closed to its receiver."""

    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_NARROWED = "consent_narrowed"
    CONSENT_DOUBTED = "consent_doubted"
    CONSENT_ENDED = "consent_ended"
    BASIS_ENDED = "basis_ended"
    RETRACTED = "retracted"
    ENTERED_IN_ERROR = "entered_in_error"
    TRANSFER_ABORTED = "transfer_aborted"
    NOT_JUSTIFIED = "not_justified"
    REVIEW_LAPSED = "review_lapsed"
    RESTRICTED = "restricted"
    ERASURE_ASKED = "erasure_asked"


class WithdrawalAnswer(CodeEnum):
    """What a holder did when a consent was withdrawn."""

    ERASED = "erased"
    RESTRICTED = "restricted"
    KEPT = "kept"
    RE_BASED = "re_based"


class EmergencyReason(CodeEnum):
    """Why sections are read in an emergency, without having been sent."""

    DANGER_TO_LIFE = "danger_to_life"
    MEDICAL_EMERGENCY = "medical_emergency"
    SUICIDE_RISK = "suicide_risk"
    MISSING_OR_TAKEN = "missing_or_taken"
    FOUND_UNABLE_TO_SPEAK = "found_unable_to_speak"

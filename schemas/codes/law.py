"""Codes about proceedings, restitution and migration."""

from schemas.codes.base import CodeEnum


class LegalRole(CodeEnum):
    """The person's part in proceedings."""

    REPORTER = "reporter"
    VICTIM = "victim"
    WITNESS = "witness"
    QUESTIONED = "questioned"
    SUSPECT = "suspect"
    ACCUSED = "accused"
    CONVICTED = "convicted"
    NONE = "none"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ProceedingsStage(CodeEnum):
    """How far proceedings have come."""

    NONE = "none"
    REPORTED = "reported"
    INQUIRY = "inquiry"
    INVESTIGATION = "investigation"
    PROSECUTION = "prosecution"
    TRIAL = "trial"
    JUDGMENT = "judgment"
    APPEAL = "appeal"
    ENDED = "ended"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Custody(CodeEnum):
    """Whether and by whom the person is held."""

    FREE = "free"
    POLICE = "police"
    PROSECUTION = "prosecution"
    PRISON = "prison"
    IMMIGRATION = "immigration"
    ABROAD = "abroad"
    PROTECTIVE = "protective"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ProtectionStatus(CodeEnum):
    """Where protection of a witness or victim stands."""

    NOT_REQUESTED = "not_requested"
    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    ENDED = "ended"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class RestitutionStatus(CodeEnum):
    """Where restitution stands."""

    NOT_REQUESTED = "not_requested"
    BEING_PREPARED = "being_prepared"
    FILED = "filed"
    DEMANDED = "demanded"
    AWARDED = "awarded"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    REFUSED = "refused"
    WAIVED = "waived"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class LossKind(CodeEnum):
    """What was lost, for restitution."""

    WAGES = "wages"
    PROPERTY = "property"
    RECRUITMENT_COSTS = "recruitment_costs"
    MEDICAL_COSTS = "medical_costs"
    LEGAL_COSTS = "legal_costs"
    SUFFERING = "suffering"
    OTHER = "other"


class MigrationStatus(CodeEnum):
    """The person's status where they are, or were before return."""

    OWN_COUNTRY = "own_country"
    REGULAR = "regular"
    OVERSTAYED = "overstayed"
    NONPROCEDURAL = "nonprocedural"
    ASYLUM_SEEKER = "asylum_seeker"
    REFUGEE = "refugee"
    COMPLEMENTARY_PROTECTION = "complementary_protection"
    STATELESS_PROTECTED = "stateless_protected"
    STRANDED = "stranded"
    DEPORTED = "deported"
    RETURNED = "returned"
    DISPLACED = "displaced"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class MigrationReason(CodeEnum):
    """Why the person went, or goes, elsewhere."""

    WORK = "work"
    FAMILY = "family"
    STUDY = "study"
    VISIT = "visit"
    DISASTER_OR_CLIMATE = "disaster_or_climate"
    CONFLICT_OR_PERSECUTION = "conflict_or_persecution"
    MADE_TO_GO = "made_to_go"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class DepartureWay(CodeEnum):
    """How the person left for work."""

    PLACED = "placed"
    INDEPENDENT = "independent"
    NONPROCEDURAL = "nonprocedural"
    VISITOR = "visitor"
    DID_NOT_LEAVE = "did_not_leave"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ReturnWish(CodeEnum):
    """What the person wants for themselves about going home."""

    RETURN_HOME = "return_home"
    RETURN_ELSEWHERE = "return_elsewhere"
    STAY = "stay"
    THIRD_COUNTRY = "third_country"
    UNDECIDED = "undecided"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"

"""Codes about threats and what protects against them."""

from schemas.codes.base import CodeEnum


class ConcernRole(CodeEnum):
    """What part somebody had. HTCDS `per_RoleInProcess`."""

    RECRUITER = "recruiter"
    AGENT = "agent"
    TRANSPORTER = "transporter"
    TRAVEL_COMPANION = "travel_companion"
    TRANSFERRER = "transferrer"
    SELLER = "seller"
    BUYER = "buyer"
    RECEIVER = "receiver"
    HARBOURER = "harbourer"
    CONTROLLER = "controller"
    ABDUCTOR = "abductor"
    EMPLOYER = "employer"
    CAPTAIN = "captain"
    GUARD = "guard"
    EXPLOITER = "exploiter"
    ABUSER = "abuser"
    DEBT_COLLECTOR = "debt_collector"
    SMUGGLER = "smuggler"
    FAMILY_MEMBER = "family_member"
    OFFICIAL = "official"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ThreatKind(CodeEnum):
    """What somebody threatens to do."""

    VIOLENCE = "violence"
    DEATH = "death"
    ABDUCTION = "abduction"
    HARM_TO_FAMILY = "harm_to_family"
    DEBT_COLLECTION = "debt_collection"
    REPORTING = "reporting"
    EXPOSURE = "exposure"
    LAWSUIT = "lawsuit"
    ONLINE = "online"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class RiskLevel(CodeEnum):
    """How great a risk is, in the judgement of whoever assessed it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class SafetyFlag(CodeEnum):
    """What everyone who deals with the person has to know."""

    MUST_NOT_TELL_FAMILY = "must_not_tell_family"
    MUST_NOT_TELL_EMPLOYER = "must_not_tell_employer"
    MUST_NOT_TELL_MISSION = "must_not_tell_mission"
    RISK_OF_BEING_FOLLOWED = "risk_of_being_followed"
    DEVICE_TRACKED = "device_tracked"
    CONFIDENTIAL_PLACE = "confidential_place"
    NO_PICTURES = "no_pictures"
    NO_VISITORS = "no_visitors"
    KEEP_APART_FROM_GROUP = "keep_apart_from_group"
    KEEP_APART_FROM_COMMUNITY = "keep_apart_from_community"
    GUARDIAN_SUSPECTED = "guardian_suspected"
    RECRUITER_IN_CONTACT = "recruiter_in_contact"
    OFFICIAL_SUSPECTED = "official_suspected"
    DEBT_COLLECTORS = "debt_collectors"
    WITNESS_AT_RISK = "witness_at_risk"


class RiskFactorLevel(CodeEnum):
    """Where a risk factor lies: the three levels of HTCDS's assessment sections."""

    INDIVIDUAL = "individual"
    HOUSEHOLD = "household"
    COMMUNITY = "community"


class RiskFactor(CodeEnum):
    """What makes the person easier to exploit, now or again. HTCDS `vic_Vulnerabilities`, deprecated there."""

    ORIGIN = "origin"
    SEXUAL_ORIENTATION = "sexual_orientation"
    AGE = "age"
    POVERTY = "poverty"
    DEBT = "debt"
    INCOME = "income"
    HOMELESSNESS = "homelessness"
    ADDICTION = "addiction"
    DISABILITY_OR_ILLNESS = "disability_or_illness"
    MENTAL_HEALTH = "mental_health"
    LITTLE_SCHOOLING = "little_schooling"
    MIGRATION = "migration"
    WORK_ENVIRONMENT = "work_environment"
    HOUSEHOLD_VIOLENCE = "household_violence"
    PHYSICAL_ABUSE = "physical_abuse"
    ONLINE_ABUSE = "online_abuse"
    UNEQUAL_TREATMENT = "unequal_treatment"
    DISCRIMINATION = "discrimination"
    SOCIAL_GROUP = "social_group"
    LAW_ENFORCEMENT_ACCESS = "law_enforcement_access"
    LOCAL_GOVERNANCE = "local_governance"
    EDUCATION_ACCESS = "education_access"
    OTHER = "other"

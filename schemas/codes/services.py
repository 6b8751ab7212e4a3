"""Codes about services, needs and how they should be given."""

from schemas.codes.base import CodeEnum


class EntryChannel(CodeEnum):
    """How the person came to an agency's notice."""

    REFERRAL_AGENCY = "referral_agency"
    PUBLIC_REPORT = "public_report"
    OUTREACH = "outreach"
    POLICE_REPORT = "police_report"
    MISSION_ABROAD = "mission_abroad"
    SELF = "self"
    FAMILY = "family"


class ServiceStage(CodeEnum):
    """A stage of social rehabilitation, as the ministry names it."""

    ACCESS = "access"
    FIRST_APPROACH = "first_approach"
    ASSESSMENT = "assessment"
    PLANNING = "planning"
    IMPLEMENTATION = "implementation"
    MONITORING = "monitoring"
    AFTERCARE_CLOSURE = "aftercare_closure"


class Service(CodeEnum):
    """What an agency gives, in the terms of the laws; the person lacks a `Need`. HTCDS `spl_Type`."""

    IDENTIFICATION = "identification"
    HEALTH_REHABILITATION = "health_rehabilitation"
    SOCIAL_REHABILITATION = "social_rehabilitation"
    RETURN = "return"
    SOCIAL_REINTEGRATION = "social_reintegration"
    LEGAL_AID = "legal_aid"
    LAW_ENFORCEMENT = "law_enforcement"
    RESTITUTION = "restitution"
    PROTECTION = "protection"
    SHELTER = "shelter"
    CHILDCARE = "childcare"
    EDUCATION = "education"
    DOCUMENTS = "documents"
    SOCIAL_ASSISTANCE = "social_assistance"
    ECONOMIC_EMPOWERMENT = "economic_empowerment"
    INTERPRETATION = "interpretation"


class AtensiComponent(CodeEnum):
    """A component of the ministry's rehabilitation assistance (ATENSI)."""

    BASIC_NEEDS = "basic_needs"
    CARE = "care"
    FAMILY_SUPPORT = "family_support"
    PHYSICAL_THERAPY = "physical_therapy"
    PSYCHOSOCIAL_THERAPY = "psychosocial_therapy"
    MENTAL_SPIRITUAL = "mental_spiritual"
    VOCATIONAL_TRAINING = "vocational_training"
    ENTREPRENEURSHIP = "entrepreneurship"
    SOCIAL_ASSISTANCE = "social_assistance"
    ACCESSIBILITY = "accessibility"


class AssessmentDomain(CodeEnum):
    """A domain of the comprehensive assessment."""

    MEDICAL = "medical"
    LEGAL = "legal"
    PHYSICAL = "physical"
    PSYCHOSOCIAL = "psychosocial"
    MENTAL = "mental"
    SPIRITUAL = "spiritual"
    INTERESTS_TALENTS = "interests_talents"
    FAMILY_TRACING = "family_tracing"
    OTHER = "other"


class DeliveryMode(CodeEnum):
    """Where social rehabilitation takes place."""

    FAMILY = "family"
    COMMUNITY = "community"
    RESIDENTIAL = "residential"


class Need(CodeEnum):
    """What the person lacks and an agency is asked for; it gives a `Service`. `relations` says which answers which."""

    SHELTER = "shelter"
    SHELTER_MEN = "shelter_men"
    SHELTER_WOMEN = "shelter_women"
    SHELTER_FAMILY = "shelter_family"
    SHELTER_CHILD = "shelter_child"
    HOUSING = "housing"
    FOOD = "food"
    BASIC_NEEDS = "basic_needs"
    MEDICAL = "medical"
    PSYCHIATRIC = "psychiatric"
    PSYCHOSOCIAL = "psychosocial"
    SPIRITUAL = "spiritual"
    IDENTIFICATION = "identification"
    LEGAL_AID = "legal_aid"
    RESTITUTION = "restitution"
    POLICE_PROTECTION = "police_protection"
    RIGHTS_TRAINING = "rights_training"
    INTERPRETATION = "interpretation"
    DOCUMENTS = "documents"
    REPATRIATION = "repatriation"
    RETURN_ESCORT = "return_escort"
    FAMILY_TRACING = "family_tracing"
    FAMILY_MEDIATION = "family_mediation"
    SUBSTITUTE_FAMILY = "substitute_family"
    CHILDCARE = "childcare"
    SCHOOLING = "schooling"
    SOCIAL_REHABILITATION = "social_rehabilitation"
    SOCIAL_WELFARE = "social_welfare"
    VOCATIONAL_TRAINING = "vocational_training"
    ENTREPRENEURSHIP = "entrepreneurship"
    JOB_PLACEMENT = "job_placement"
    LIVELIHOOD = "livelihood"
    FINANCIAL_HELP = "financial_help"
    DEBT_ADVICE = "debt_advice"
    HEALTH_INSURANCE = "health_insurance"
    ACCESSIBILITY = "accessibility"
    OTHER = "other"


class RehabilitationFocus(CodeEnum):
    """What rehabilitation works on. HTCDS `spl_Type` parts it so."""

    LABOUR_EXPLOITATION = "labour_exploitation"
    SEXUAL_EXPLOITATION = "sexual_exploitation"
    BOTH = "both"
    OTHER = "other"


class ServiceEventStatus(CodeEnum):
    """Whether a service is planned, was given, or was missed."""

    PLANNED = "planned"
    GIVEN = "given"
    MISSED = "missed"


class NeedPriority(CodeEnum):
    """When a need has to be met."""

    NOW = "now"
    SOON = "soon"
    LATER = "later"


class StaffRole(CodeEnum):
    """The role in which somebody wrote or assessed; never a name."""

    SOCIAL_WORKER = "social_worker"
    CASE_MANAGER = "case_manager"
    SHELTER_STAFF = "shelter_staff"
    PSYCHOLOGIST = "psychologist"
    PSYCHIATRIST = "psychiatrist"
    DOCTOR = "doctor"
    NURSE = "nurse"
    MIDWIFE = "midwife"
    POLICE_OFFICER = "police_officer"
    PROSECUTOR = "prosecutor"
    LAWYER = "lawyer"
    PARALEGAL = "paralegal"
    IMMIGRATION_OFFICER = "immigration_officer"
    CONSULAR_OFFICER = "consular_officer"
    MIGRANT_WORKER_OFFICER = "migrant_worker_officer"
    LABOUR_INSPECTOR = "labour_inspector"
    INTERPRETER = "interpreter"
    TEACHER = "teacher"
    VILLAGE_OFFICIAL = "village_official"
    COMMUNITY_WORKER = "community_worker"
    OTHER = "other"


class StaffGender(CodeEnum):
    """Whom the person wants to deal with."""

    WOMEN = "women"
    MEN = "men"
    NO_PREFERENCE = "no_preference"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class RoomPreference(CodeEnum):
    """How the person wants to be accommodated."""

    SINGLE = "single"
    SHARED_SAME_SEX = "shared_same_sex"
    WITH_COMPANIONS = "with_companions"
    FAMILY = "family"
    NO_PREFERENCE = "no_preference"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class AccessibilityNeed(CodeEnum):
    """What has to be accessible, or given, for the person to use a service."""

    WHEELCHAIR = "wheelchair"
    STEP_FREE = "step_free"
    SIGN_LANGUAGE = "sign_language"
    HEARING_SUPPORT = "hearing_support"
    LARGE_PRINT = "large_print"
    SCREEN_READER = "screen_reader"
    PLAIN_LANGUAGE = "plain_language"
    PERSONAL_ASSISTANCE = "personal_assistance"
    QUIET_SPACE = "quiet_space"
    LOWER_BED = "lower_bed"
    OTHER = "other"


class Diet(CodeEnum):
    """What the person eats or must not eat."""

    HALAL = "halal"
    VEGETARIAN = "vegetarian"
    NO_BEEF = "no_beef"
    DIABETIC = "diabetic"
    LOW_SALT = "low_salt"
    SOFT_FOOD = "soft_food"
    INFANT_FOOD = "infant_food"
    ALLERGY = "allergy"
    OTHER = "other"


class Escort(CodeEnum):
    """Who has to come along on the way."""

    NOT_NEEDED = "not_needed"
    SOCIAL_WORKER = "social_worker"
    MEDICAL = "medical"
    POLICE = "police"
    GUARDIAN = "guardian"
    OTHER_STAFF = "other_staff"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"

"""Codes about health and how the person is doing."""

from schemas.codes.base import CodeEnum


class UrgentCare(CodeEnum):
    """A sign that needs care tonight."""

    BLEEDING = "bleeding"
    BREATHING = "breathing"
    UNCONSCIOUS = "unconscious"
    FEVER = "fever"
    INJURY = "injury"
    BURNS = "burns"
    SEVERE_PAIN = "severe_pain"
    DEHYDRATION = "dehydration"
    MALNUTRITION = "malnutrition"
    AFTER_SEXUAL_VIOLENCE = "after_sexual_violence"
    PREGNANCY_SIGN = "pregnancy_sign"
    WITHDRAWAL = "withdrawal"
    MENTAL_CRISIS = "mental_crisis"
    OTHER = "other"


class InfectionPrecaution(CodeEnum):
    """What precaution an infection asks of those around."""

    NONE = "none"
    CONTACT = "contact"
    DROPLET = "droplet"
    AIRBORNE = "airborne"
    BEING_TESTED = "being_tested"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Functioning(CodeEnum):
    """An answer of the Washington Group short set."""

    NO_DIFFICULTY = "no_difficulty"
    SOME_DIFFICULTY = "some_difficulty"
    A_LOT_OF_DIFFICULTY = "a_lot_of_difficulty"
    CANNOT_DO = "cannot_do"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class FitToTravel(CodeEnum):
    """Whether the person can travel."""

    FIT = "fit"
    FIT_WITH_ESCORT = "fit_with_escort"
    FIT_BY_LAND_OR_SEA = "fit_by_land_or_sea"
    NOT_FIT = "not_fit"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ScreeningTool(CodeEnum):
    """A screening questionnaire, by name only."""

    SRQ_20 = "srq_20"
    SRQ_29 = "srq_29"
    PHQ_9 = "phq_9"
    GAD_7 = "gad_7"
    PCL_5 = "pcl_5"
    PC_PTSD_5 = "pc_ptsd_5"
    HTQ = "htq"
    ITQ = "itq"
    HSCL_25 = "hscl_25"
    K_10 = "k_10"
    DASS_21 = "dass_21"
    WHO_5 = "who_5"
    CRIES_8 = "cries_8"
    SDQ = "sdq"
    AUDIT = "audit"
    C_SSRS = "c_ssrs"
    OTHER = "other"


class ScreeningOutcome(CodeEnum):
    """How a score stands to the tool's cut-off; a reason to look closer, and nothing more."""

    BELOW_CUT_OFF = "below_cut_off"
    AT_OR_ABOVE_CUT_OFF = "at_or_above_cut_off"
    NOT_SCORED = "not_scored"
    STOPPED = "stopped"


class DistressSign(CodeEnum):
    """What others see or the person says of distress."""

    SLEEPLESSNESS = "sleeplessness"
    NIGHTMARES = "nightmares"
    FLASHBACKS = "flashbacks"
    STARTLES = "startles"
    WITHDRAWN = "withdrawn"
    LOW_MOOD = "low_mood"
    SHAME = "shame"
    WORRY_ABOUT_DEBT = "worry_about_debt"
    WORRY_ABOUT_FAMILY = "worry_about_family"
    ANGER = "anger"
    CONFUSION = "confusion"
    BODILY_COMPLAINTS = "bodily_complaints"
    OTHER = "other"


class SelfHarmWatch(CodeEnum):
    """How closely the person has to be watched over."""

    NONE = "none"
    OBSERVE = "observe"
    CONSTANT = "constant"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"

"""Codes about the person, their family and their papers."""

from schemas.codes.base import CodeEnum


class Sex(CodeEnum):
    """The person's sex, as registered or told."""

    MALE = "male"
    FEMALE = "female"
    INTERSEX = "intersex"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Gender(CodeEnum):
    """How the person describes themselves. HTCDS `prs_Gender`."""

    MAN = "man"
    WOMAN = "woman"
    TRANS_MAN = "trans_man"
    TRANS_WOMAN = "trans_woman"
    NON_CONFORMING = "non_conforming"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class AgeBand(CodeEnum):
    """An age, as coarse as an answer to a referral needs it."""

    AGE_0_5 = "age_0_5"
    AGE_6_11 = "age_6_11"
    AGE_12_17 = "age_12_17"
    AGE_18_24 = "age_18_24"
    AGE_25_39 = "age_25_39"
    AGE_40_59 = "age_40_59"
    AGE_60_OVER = "age_60_over"
    CHILD = "child"
    ADULT = "adult"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class MaritalStatus(CodeEnum):
    """HTCDS `prs_MaritalStatus`, and marriages that no register knows."""

    SINGLE = "single"
    MARRIED = "married"
    MARRIED_UNREGISTERED = "married_unregistered"
    PARTNERSHIP = "partnership"
    SEPARATED = "separated"
    DIVORCED = "divorced"
    WIDOWED = "widowed"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Education(CodeEnum):
    """Highest level of education by ISCED 2011. HTCDS `prs_HighestLevelOfEducation`."""

    NONE = "none"
    EARLY_CHILDHOOD = "early_childhood"
    PRIMARY = "primary"
    LOWER_SECONDARY = "lower_secondary"
    UPPER_SECONDARY = "upper_secondary"
    POST_SECONDARY = "post_secondary"
    SHORT_TERTIARY = "short_tertiary"
    BACHELOR = "bachelor"
    MASTER = "master"
    DOCTOR = "doctor"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Literacy(CodeEnum):
    """Whether the person can read what is given to them."""

    READS = "reads"
    READS_A_LITTLE = "reads_a_little"
    DOES_NOT_READ = "does_not_read"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class NameKind(CodeEnum):
    """What sort of name it is."""

    REGISTERED = "registered"
    ON_DOCUMENT = "on_document"
    EVERYDAY = "everyday"
    EARLIER = "earlier"
    OTHER_SPELLING = "other_spelling"
    GIVEN_BY_OTHERS = "given_by_others"
    OTHER = "other"


class Statelessness(CodeEnum):
    """Whether any state takes the person for its own."""

    NOT_STATELESS = "not_stateless"
    AT_RISK = "at_risk"
    STATELESS = "stateless"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class DocumentKind(CodeEnum):
    """What a personal document is."""

    NIK = "nik"
    FAMILY_CARD = "family_card"
    BIRTH_CERTIFICATE = "birth_certificate"
    MARRIAGE_CERTIFICATE = "marriage_certificate"
    PASSPORT = "passport"
    SERVICE_PASSPORT = "service_passport"
    DIPLOMATIC_PASSPORT = "diplomatic_passport"
    TRAVEL_LETTER = "travel_letter"
    BORDER_PERMIT = "border_permit"
    SEAMANS_BOOK = "seamans_book"
    VISA = "visa"
    STAY_PERMIT = "stay_permit"
    WORK_PERMIT = "work_permit"
    REFUGEE_CARD = "refugee_card"
    FOREIGN_IDENTITY_CARD = "foreign_identity_card"
    HEALTH_INSURANCE_CARD = "health_insurance_card"
    SCHOOL_CERTIFICATE = "school_certificate"
    OTHER = "other"


class HeldBy(CodeEnum):
    """Who has a document now."""

    PERSON = "person"
    FAMILY = "family"
    EXPLOITER = "exploiter"
    EMPLOYER = "employer"
    AGENT = "agent"
    CAPTAIN = "captain"
    POLICE = "police"
    IMMIGRATION = "immigration"
    MISSION = "mission"
    ASSISTING_AGENCY = "assisting_agency"
    LOST = "lost"
    DESTROYED = "destroyed"
    NEVER_ISSUED = "never_issued"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Relationship(CodeEnum):
    """What somebody is to the person. HTCDS `vic_RelationshipToTrafficker` is coarser."""

    SPOUSE = "spouse"
    PARTNER = "partner"
    PARENT = "parent"
    STEP_PARENT = "step_parent"
    CHILD = "child"
    SIBLING = "sibling"
    GRANDPARENT = "grandparent"
    GRANDCHILD = "grandchild"
    UNCLE_AUNT = "uncle_aunt"
    COUSIN = "cousin"
    IN_LAW = "in_law"
    OTHER_RELATIVE = "other_relative"
    RELATIVE = "relative"
    LEGAL_GUARDIAN = "legal_guardian"
    FRIEND = "friend"
    NEIGHBOUR = "neighbour"
    CO_WORKER = "co_worker"
    EMPLOYER = "employer"
    ACQUAINTANCE = "acquaintance"
    OFFICIAL = "official"
    NO_RELATION = "no_relation"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class GuardianStanding(CodeEnum):
    """On what ground somebody is a child's guardian."""

    PARENT = "parent"
    BY_CUSTOM = "by_custom"
    BY_COURT = "by_court"
    BY_AUTHORITY = "by_authority"
    NONE_FOUND = "none_found"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ChildSituation(CodeEnum):
    """Who is with a child."""

    WITH_PARENTS = "with_parents"
    WITH_RELATIVES = "with_relatives"
    SEPARATED = "separated"
    UNACCOMPANIED = "unaccompanied"
    NOT_A_CHILD = "not_a_child"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"

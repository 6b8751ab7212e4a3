"""Codes about identification and what was done to the person."""

from schemas.codes.base import CodeEnum


class ExploitationForm(CodeEnum):
    """A form of exploitation by the ministry's list; three of them are circumstances."""

    PROSTITUTION = "prostitution"
    FORCED_LABOUR = "forced_labour"
    SLAVERY_LIKE = "slavery_like"
    OPPRESSION = "oppression"
    EXTORTION = "extortion"
    RADICALISM_EXPOSED = "radicalism_exposed"
    PHYSICAL_SEXUAL_ORGAN_USE = "physical_sexual_organ_use"
    ORGAN_TRANSPLANT = "organ_transplant"
    LABOUR_OR_ABILITY_USED = "labour_or_ability_used"
    NEGLECT = "neglect"
    DEPORTATION = "deportation"
    MALADJUSTMENT = "maladjustment"
    TRAFFICKED = "trafficked"


class Sector(CodeEnum):
    """The kind of work the person was exploited in. HTCDS `vic_ForcedLabourIndustry`."""

    FISHING = "fishing"
    PLANTATION = "plantation"
    MINING = "mining"
    DOMESTIC_WORK = "domestic_work"
    ONLINE_SCAM = "online_scam"
    CONSTRUCTION = "construction"
    FACTORY = "factory"
    HOSPITALITY_ENTERTAINMENT = "hospitality_entertainment"
    SEXUAL = "sexual"
    BEGGING = "begging"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class IsicSection(CodeEnum):
    """A section of ISIC Rev. 4 (United Nations), whose letters KBLI 2020 shares. HTCDS `vic_ForcedLabourIndustry`."""

    AGRICULTURE_FORESTRY_FISHING = "agriculture_forestry_fishing"
    MINING_QUARRYING = "mining_quarrying"
    MANUFACTURING = "manufacturing"
    ELECTRICITY_GAS = "electricity_gas"
    WATER_WASTE = "water_waste"
    CONSTRUCTION = "construction"
    TRADE_REPAIR = "trade_repair"
    TRANSPORT_STORAGE = "transport_storage"
    ACCOMMODATION_FOOD = "accommodation_food"
    INFORMATION_COMMUNICATION = "information_communication"
    FINANCE_INSURANCE = "finance_insurance"
    REAL_ESTATE = "real_estate"
    PROFESSIONAL_SCIENTIFIC = "professional_scientific"
    ADMINISTRATIVE_SUPPORT = "administrative_support"
    PUBLIC_ADMINISTRATION = "public_administration"
    EDUCATION = "education"
    HEALTH_SOCIAL_WORK = "health_social_work"
    ARTS_RECREATION = "arts_recreation"
    OTHER_SERVICES = "other_services"
    HOUSEHOLDS = "households"
    EXTRATERRITORIAL = "extraterritorial"


class ScreeningPoint(CodeEnum):
    """A point asked about in screening; no score and no instrument."""

    DECEIVED_JOB = "deceived_job"
    DOCUMENTS_HELD = "documents_held"
    DEBT_BONDAGE = "debt_bondage"
    WAGES_WITHHELD = "wages_withheld"
    CONFINED = "confined"
    THREATENED = "threatened"
    VIOLENCE = "violence"
    SEXUAL_VIOLENCE = "sexual_violence"
    EXCESSIVE_HOURS = "excessive_hours"
    DEPRIVED_FOOD_SLEEP = "deprived_food_sleep"
    DENIED_CARE = "denied_care"
    TRANSFERRED_SOLD = "transferred_sold"
    FORCED_CRIME = "forced_crime"
    DETAINED_DEPORTED = "detained_deported"
    WITNESSED_DEATH = "witnessed_death"


class IdentificationStatus(CodeEnum):
    """Where identification stands. HTCDS `vic_TraffickingStatus`."""

    BEING_ASSESSED = "being_assessed"
    INDICATED = "indicated"
    PRESUMED = "presumed"
    IDENTIFIED = "identified"
    NOT_IDENTIFIED = "not_identified"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ExploitationAct(CodeEnum):
    """What was done to the person: the act of trafficking. HTCDS `hte_Type`."""

    RECRUITMENT = "recruitment"
    TRANSPORT = "transport"
    HARBOURING = "harbouring"
    SENDING = "sending"
    TRANSFER = "transfer"
    RECEIPT = "receipt"
    EXPLOITATION = "exploitation"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ExploitationMeans(CodeEnum):
    """How the person was brought into it or held in it. HTCDS `vic_MethodsOfControl`."""

    THREAT_OF_VIOLENCE = "threat_of_violence"
    VIOLENCE = "violence"
    SEXUAL_VIOLENCE = "sexual_violence"
    PSYCHOLOGICAL_ABUSE = "psychological_abuse"
    ABDUCTION = "abduction"
    CONFINEMENT = "confinement"
    FORGERY = "forgery"
    DECEPTION = "deception"
    ABUSE_OF_POWER = "abuse_of_power"
    ABUSE_OF_VULNERABILITY = "abuse_of_vulnerability"
    DEBT_BONDAGE = "debt_bondage"
    PAYMENT_TO_CONTROLLER = "payment_to_controller"
    THREAT_OF_AUTHORITIES = "threat_of_authorities"
    THREAT_TO_FAMILY = "threat_to_family"
    WAGES_TAKEN = "wages_taken"
    MONEY_ACCESS_RESTRICTED = "money_access_restricted"
    DOCUMENTS_WITHHELD = "documents_withheld"
    MEDICAL_CARE_DENIED = "medical_care_denied"
    NECESSITIES_WITHHELD = "necessities_withheld"
    EXCESSIVE_HOURS = "excessive_hours"
    DRUGS = "drugs"
    ISOLATION = "isolation"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class ExploitationPurpose(CodeEnum):
    """What the person was exploited for. HTCDS `vic_TypeOfExploitation`."""

    FORCED_LABOUR = "forced_labour"
    CHILD_LABOUR = "child_labour"
    SLAVERY_LIKE = "slavery_like"
    SERVITUDE = "servitude"
    SEXUAL_EXPLOITATION = "sexual_exploitation"
    FORCED_CRIMINALITY = "forced_criminality"
    FORCED_BEGGING = "forced_begging"
    FORCED_MARRIAGE = "forced_marriage"
    ILLEGAL_ADOPTION = "illegal_adoption"
    SURROGACY = "surrogacy"
    ORGAN_REMOVAL = "organ_removal"
    FORCED_FIGHTING = "forced_fighting"
    EXTORTION = "extortion"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class SexualForm(CodeEnum):
    """A form of sexual exploitation. HTCDS `vic_TypeOfSexExploitation`."""

    PROSTITUTION = "prostitution"
    PORNOGRAPHY = "pornography"
    REMOTE_INTERACTIVE = "remote_interactive"
    PRIVATE_SERVICES = "private_services"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class RecruitmentMethod(CodeEnum):
    """How the person was recruited. HTCDS `vic_MethodOfRecruitment`."""

    AGENCY_OR_BROKER = "agency_or_broker"
    VILLAGE_INTERMEDIARY = "village_intermediary"
    RETURNED_WORKER = "returned_worker"
    FAMILY = "family"
    FRIEND = "friend"
    WORKPLACE = "workplace"
    PLACE_OF_BUSINESS = "place_of_business"
    SCHOOL = "school"
    SOCIAL_NETWORK = "social_network"
    ONLINE_ADVERTISEMENT = "online_advertisement"
    BROADCAST = "broadcast"
    NEWSPAPER = "newspaper"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class OnlinePlatform(CodeEnum):
    """HTCDS `vic_RecruitmentWebsitesAndApps`, `vic_ExploitationWebsitesAndApps`."""

    FACEBOOK = "facebook"
    MESSENGER = "messenger"
    INSTAGRAM = "instagram"
    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    TIKTOK = "tiktok"
    TWITTER = "twitter"
    LINE = "line"
    WECHAT = "wechat"
    VIBER = "viber"
    SNAPCHAT = "snapchat"
    QQ = "qq"
    QZONE = "qzone"
    FOR_SALE = "for_sale"
    JOB_PORTAL = "job_portal"
    DATING_APP = "dating_app"
    OTHER = "other"


class ForcedAct(CodeEnum):
    """What the person was made to do to others or against the law."""

    ONLINE_FRAUD = "online_fraud"
    RECRUITING_OTHERS = "recruiting_others"
    GUARDING_OTHERS = "guarding_others"
    DRUG_OFFENCE = "drug_offence"
    THEFT = "theft"
    DOCUMENT_FRAUD = "document_fraud"
    BORDER_CROSSING = "border_crossing"
    UNLAWFUL_FISHING = "unlawful_fishing"
    UNLAWFUL_MINING = "unlawful_mining"
    VIOLENCE = "violence"
    OTHER = "other"

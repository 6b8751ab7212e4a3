"""Codes about agencies."""

from schemas.codes.base import CodeEnum


class AgencyKind(CodeEnum):
    """What sort of institution an agency is. HTCDS `org_Type`."""

    MINISTRY_SOCIAL = "ministry_social"
    TRAUMA_CENTRE = "trauma_centre"
    SENTRA = "sentra"
    SENTRA_TERPADU = "sentra_terpadu"
    SOCIAL_OFFICE_PROVINCE = "social_office_province"
    SOCIAL_OFFICE_REGENCY = "social_office_regency"
    MINISTRY_WOMEN_CHILDREN = "ministry_women_children"
    UPTD_PPA = "uptd_ppa"
    INTEGRATED_SERVICE_CENTRE = "integrated_service_centre"
    POLICE = "police"
    POLICE_DIRECTORATE = "police_directorate"
    POLICE_REGIONAL = "police_regional"
    POLICE_RESORT = "police_resort"
    PROSECUTOR = "prosecutor"
    COURT = "court"
    WITNESS_VICTIM_PROTECTION = "witness_victim_protection"
    MINISTRY_MIGRANT_WORKERS = "ministry_migrant_workers"
    MIGRANT_WORKER_OFFICE = "migrant_worker_office"
    MIGRANT_WORKER_POST = "migrant_worker_post"
    MINISTRY_FOREIGN_AFFAIRS = "ministry_foreign_affairs"
    MISSION_ABROAD = "mission_abroad"
    FOREIGN_MISSION = "foreign_mission"
    IMMIGRATION_OFFICE = "immigration_office"
    FISHERIES_AUTHORITY = "fisheries_authority"
    LABOUR_INSPECTOR = "labour_inspector"
    HEALTH_FACILITY = "health_facility"
    LEGAL_AID = "legal_aid"
    INTERNATIONAL_ORGANISATION = "international_organisation"
    CIVIL_SOCIETY = "civil_society"
    VILLAGE_GOVERNMENT = "village_government"


class OrganisationKind(CodeEnum):
    """What sort of body an organisation outside the directory is, no finer than a form of another standard asks.

    HTCDS `org_Type`, `vic_TraffickingStatusDecisionMakingOrg`.
    """

    CIVIL_SOCIETY = "civil_society"
    LAW_ENFORCEMENT = "law_enforcement"
    POLICE = "police"
    COURT_OR_PROSECUTION = "court_or_prosecution"
    GOVERNMENT = "government"
    CENTRAL_GOVERNMENT = "central_government"
    LOCAL_GOVERNMENT = "local_government"
    IMMIGRATION_SERVICE = "immigration_service"
    HEALTH_SERVICE = "health_service"
    LEGAL_SERVICE = "legal_service"
    SHELTER = "shelter"
    INTERNATIONAL_ORGANISATION = "international_organisation"
    BUSINESS = "business"
    SCHOOL = "school"
    OTHER = "other"
    UNKNOWN = "unknown"
    NOT_ASKED = "not_asked"
    DECLINED = "declined"


class Accepts(CodeEnum):
    """Whether an agency takes a group of people."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class AgencyGroup(CodeEnum):
    """A group of people an agency may take."""

    MEN = "men"
    WOMEN = "women"
    BOYS = "boys"
    GIRLS = "girls"
    FAMILIES = "families"
    FOREIGN_NATIONALS = "foreign_nationals"

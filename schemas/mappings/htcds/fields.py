"""Where each of HTCDS's 84 fields, and each of its nine example questions, has its home, or why it has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Home:
    """The home of a field: JSON Pointers into our documents, `*` for any place in a list."""

    places: tuple[str, ...] = ()
    """In the record."""
    exchange: tuple[str, ...] = ()
    """In what the exchange itself knows, as `document#pointer`: a case, a referral, the directory."""
    staged: str = ""
    """In `exchange` of an imported document."""
    relation: str = "="
    """= the same both ways; > ours says more, so writing it loses something; < read, never written; x not carried."""
    note: str = ""
    """How it is read and written, or why it is not carried."""


_POSTAL: Final = (
    "Written from the address of kind postal, else home; never one where the person is, was found or wants to go, "
    "and none at all under the flag confidential_place."
)
_NAME: Final = "Written only if the parts make up the whole name; a name of one piece is the first name alone. Aliases are not written."
_CHANNEL: Final = (
    "Read as a channel whose safety was not asked. Written only if it is marked safe, and the person's own."
)
_POSITION: Final = "Positions of persons are not carried."
_OFFICE: Final = "The public address of an office; a confidential place has none."
_EVENT: Final = "Of the first station of the way."
_PLAN: Final = "Of one service: the first that HTCDS has a code for."
_REASON: Final = "Derived: a referral asks for additional services, a transfer moves the case."
_EXAMPLE: Final = (
    "An example question without name, type or code; where it was answered, the factor and its level say so."
)
_FACTORS: Final = ("/safety/risk_factors/*/kind", "/safety/risk_factors/*/level")

FIELDS: Final[dict[str, Home]] = {
    "org_Name": Home((), ("agency#/name",), "/organisation/name"),
    "org_ShippingCity": Home((), ("point#/address",), "/organisation/address/regency", ">", _OFFICE),
    "org_ShippingCountry": Home((), ("agency#/country",), "/organisation/address/country", ">", _OFFICE),
    "org_ShippingState": Home((), ("point#/region",), "/organisation/address/province", ">", _OFFICE),
    "org_ShippingStreet": Home((), ("point#/address",), "/organisation/address/street", ">", _OFFICE),
    "org_ShippingPostalCode": Home((), ("point#/address",), "/organisation/address/postcode", ">", _OFFICE),
    "org_ShippingLongitude": Home(relation="x", note="Positions of organisations are not carried: some are shelters."),
    "org_ShippingLatitude": Home(relation="x", note="Positions of organisations are not carried: some are shelters."),
    "org_Phone": Home((), ("contact#/phone",), "/organisation/phone"),
    "org_Type": Home(
        (), ("agency#/kind",), "/organisation/kind", ">", "Of an agency of the directory its kind, which is finer."
    ),
    "prs_Salutation": Home(("/identity/names/*/prefix",)),
    "prs_FirstName": Home(("/identity/names/*/given", "/identity/names/*/full"), relation=">", note=_NAME),
    "prs_MiddleName": Home(("/identity/names/*/middle",), relation=">", note=_NAME),
    "prs_SecondName": Home(("/identity/names/*/family",), relation=">", note=_NAME),
    "prs_Birthdate": Home(
        ("/identity/birth/date",), relation=">", note="Only a full, known date is written; no day or month is invented."
    ),
    "prs_Gender": Home(
        ("/identity/gender",), relation=">", note="Unknown, not asked and declined are all written NonSpecifiedUnknown."
    ),
    "prs_Deceased": Home(("/identity/deceased",), relation=">", note="Yes and no; an unknown writes nothing."),
    "prs_MaritalStatus": Home(("/family/marital_status",), relation=">"),
    "prs_NumberOfChildren": Home(("/family/number_of_children",)),
    "prs_PrimaryLanguage": Home(
        ("/identity/languages/0",), relation=">", note="Written as ISO 639-2; what only 639-3 has, as its macrolanguage or not at all."
    ),
    "prs_SecondaryLanguage": Home(("/identity/languages/1",), relation=">", note="As the primary; further languages are not written."),
    "prs_HighestLevelOfEducation": Home(("/identity/education",), relation=">"),
    "prs_Citizenship": Home(
        ("/identity/nationalities/*", "/identity/statelessness"),
        relation=">",
        note="Alpha-2, alpha-3 and names are read, alpha-2 is written. Stateless has no value in HTCDS.",
    ),
    "prs_IdentityNumber": Home(
        ("/identity/documents/*/number",), relation=">", note="Only a NIK is written: a passport number is no national number."
    ),
    "prs_Title": Home((), ("referral#/acceptance/contact",), "/staff_title", "=", "A position of staff, never of the person."),
    "prs_Email": Home(("/contact/channels/*/value",), relation=">", note=_CHANNEL),
    "prs_HomePhone": Home(("/contact/channels/*/value",), relation=">", note=_CHANNEL),
    "prs_MobilePhone": Home(("/contact/channels/*/value",), relation=">", note=_CHANNEL),
    "prs_MailingCity": Home(("/location/addresses/*/place/regency",), relation=">", note=_POSTAL),
    "prs_MailingCountry": Home(("/location/addresses/*/place/country",), relation=">", note=_POSTAL),
    "prs_MailingState": Home(("/location/addresses/*/place/province",), relation=">", note=_POSTAL),
    "prs_MailingStreet": Home(("/location/addresses/*/place/street",), relation=">", note=_POSTAL),
    "prs_MailingPostalCode": Home(("/location/addresses/*/place/postcode",), relation=">", note=_POSTAL),
    "prs_MailingLongitude": Home(relation="x", note=_POSITION),
    "prs_MailingLatitude": Home(relation="x", note=_POSITION),
    "vic_AgreementToManagePersonalData": Home(
        (), (), "/consent/agreement", "<", "Deprecated in HTCDS. Read as an unproven claim, never as a basis; not written."
    ),
    "vic_TraffickingStatus": Home(
        ("/identification/status",), relation=">", note="Ours adds when, by whom and on what grounds."
    ),
    "vic_TraffickingStatusDecisionMakingOrg": Home(
        ("/identification/decided_by_organisation", "/identification/decided_by_kind"),
        relation=">",
        note="A kind of body; the agency itself (decided_by) has no field.",
    ),
    "vic_RelationshipToTrafficker": Home(("/exploitation/recruitment/recruiter/relationship",), relation=">"),
    "vic_AgeWhenTrafficked": Home(("/exploitation/age_at_entry",)),
    "vic_RecruitmentWebsitesAndApps": Home(("/exploitation/recruitment/platforms/*",), relation=">"),
    "vic_MethodOfRecruitment": Home(("/exploitation/recruitment/methods/*",), relation=">"),
    "vic_LocationOfRecruitment": Home(
        ("/exploitation/recruitment/place/name",), relation=">", note="An organisation in HTCDS, a text in its survey, a place here."
    ),
    "vic_MethodsOfControl": Home(
        ("/exploitation/episodes/*/means/*", "/identification/screening/*/point"),
        relation=">",
        note="The union of all episodes, and of what was answered with yes in screening. Confinement is written Other.",
    ),
    "vic_TypeOfExploitation": Home(
        ("/exploitation/episodes/*/purposes/*", "/exploitation/forms/*"),
        relation=">",
        note="The union of all episodes, and of the ministry's forms. Forced criminality is written Other.",
    ),
    "vic_ForcedLabourIndustry": Home(
        ("/exploitation/episodes/*/isic", "/exploitation/episodes/*/sector", "/exploitation/episodes/*/isic_class"),
        relation=">",
        note="The union of all episodes. Several industries are read as an episode each; a label of a lower tier as its ISIC class.",
    ),
    "vic_TypeOfSexExploitation": Home(("/exploitation/episodes/*/sexual_forms/*",), relation=">", note="The union of all episodes."),
    "vic_LocationOfExploitation": Home(
        ("/exploitation/episodes/*/place/name",), relation=">", note="Of the first episode; a vessel writes its name only if the place has one."
    ),
    "vic_ExploitationWebsitesAndApps": Home(("/exploitation/episodes/*/platforms/*",), relation=">", note="The union of all episodes."),
    "vic_Vulnerabilities": Home(("/safety/risk_factors/*/kind",), relation="<", note="Deprecated in HTCDS: read, never written."),
    "vic_DetailsOfVulnerabilities": Home(
        ("/safety/risk_factors/*/note",), relation="<", note="Deprecated in HTCDS: read, never written."
    ),
    "per_RoleInProcess": Home(("/safety/persons_of_concern/*/roles/*",), relation=">", note="Of the first person of concern."),
    "per_RoleDetails": Home(("/safety/persons_of_concern/*/note",), relation=">", note="Of the first person of concern."),
    "per_Organisation": Home(("/safety/persons_of_concern/*/organisation",), relation=">", note="Of the first person of concern."),
    "cas_Status": Home(
        (), ("case#/state",), "/case/state", ">", "Derived from the case; for an earlier lead it is ClosedReferred."
    ),
    "cas_ReasonForCaseClosure": Home((), ("case#/closure/text", "case#/closure/reason"), "/case/closure", ">"),
    "cas_CaseOwner": Home((), ("case#/lead/name",), "/case/owner", ">", "A person in HTCDS, an agency here."),
    "cas_ReferringOrganisation": Home((), ("referral#/sender/name",), "/incoming/organisation"),
    "cas_IncomingReferralDate": Home(
        (), ("referral#/accepted_at",), "/incoming/on", ">", "The day it was accepted, in Jakarta; not the day it arrived."
    ),
    "cas_ReferringPrimaryCaseWorker": Home((), (), "/incoming/worker", "=", "A referral names roles, no staff; only a sheet has a name."),
    "cas_ReasonForIncomingReferral": Home((), ("referral#/purpose",), "/incoming/reason", ">", _REASON),
    "cas_IncomingReferralDetails": Home(
        (), ("referral#/record/needs/travel", "referral#/acceptance/meeting_point"), "/incoming/details", ">"
    ),
    "cas_ReferredOrganisation": Home((), ("referral#/receiver/name",), "/outgoing/organisation"),
    "cas_ReferredPrimaryCaseWorker": Home((), ("referral#/acceptance/contact",), "/outgoing/worker", ">", "By role, once accepted."),
    "cas_ReasonForOutgoingReferral": Home((), ("referral#/purpose",), "/outgoing/reason", ">", _REASON),
    "cas_OutgoingReferralDate": Home((), ("referral#/sent_at",), "/outgoing/on", ">", "The day it was sent, in Jakarta."),
    "cas_OutgoingReferralDetails": Home(
        (), ("referral#/record/needs/travel", "referral#/acceptance/meeting_point"), "/outgoing/details", ">"
    ),
    "cco_CaseComment": Home(("/narrative/entries/*/text",), relation=">", note="The first account; ours have a language, a role and a day."),
    "hte_Longitude": Home(("/exploitation/route/*/position/longitude",), relation=">", note=_EVENT),
    "hte_Latitude": Home(("/exploitation/route/*/position/latitude",), relation=">", note=_EVENT),
    "hte_City": Home(("/exploitation/route/*/place/regency",), relation=">", note=_EVENT),
    "hte_Country": Home(("/exploitation/route/*/place/country",), relation=">", note=_EVENT),
    "hte_State": Home(("/exploitation/route/*/place/province",), relation=">", note=_EVENT),
    "hte_Street": Home(("/exploitation/route/*/place/street",), relation=">", note=_EVENT),
    "hte_PostalCode": Home(("/exploitation/route/*/place/postcode",), relation=">", note=_EVENT),
    "hte_Date": Home(("/exploitation/route/*/started",), relation=">", note=f"{_EVENT} Only a full date is written."),
    "hte_Type": Home(("/exploitation/route/*/act",), relation=">", note=f"{_EVENT} Five of our acts are written Transit."),
    "hte_Description": Home(("/exploitation/route/*/note",), relation=">", note=_EVENT),
    "spl_Objectives": Home(("/needs/services/*/aim",), relation=">", note=_PLAN),
    "spl_ActionPlan": Home(("/needs/services/*/plan",), relation=">", note=_PLAN),
    "spl_PlannedEndDate": Home(("/needs/services/*/until",), relation=">", note=f"{_PLAN} Only a full date is written."),
    "spl_ActualEndDate": Home(("/needs/services/*/ended",), relation=">", note=f"{_PLAN} Only a full date is written."),
    "spl_Type": Home(("/needs/services/*/need", "/needs/services/*/focus"), relation=">", note=_PLAN),
    "con_Consent": Home(
        (), ("disclosure#/basis",), "/consent/claimed", ">",
        "Read as an unproven claim, never as a basis. Written TRUE only if a valid consent covers this very disclosure.",
    ),
}  # fmt: skip
"""By the column's name in the standard."""


def _question(factor: str, level: str) -> Home:
    return Home(_FACTORS, relation=">", note=f"{_EXAMPLE} Kind {factor}, level {level}.")


QUESTIONS: Final[dict[str, Home]] = {
    "Is the Individual’s nationality, race or ethnicity a risk factor in this context?": _question(
        "origin", "individual"
    ),
    "Is the Individual’s sexual orientation a risk factor in this context?": _question(
        "sexual_orientation", "individual"
    ),
    "Is the Individual’s age a risk factor in this context?": _question("age", "individual"),
    "Is the household source of income a risk factor in this context?": _question("income", "household"),
    "Is violence or abuse in the household a risk factor in this context?": _question(
        "household_violence", "household"
    ),
    "Is preferential treatment or discrimination in the household a risk factor in this context?": _question(
        "unequal_treatment", "household"
    ),
    "Is the community's access to appropriate law enforcement a risk factor in this context?": _question(
        "law_enforcement_access", "community"
    ),
    "Is the community's ability to implement local governance or collective action a risk factor in this context?": _question(
        "local_governance", "community"
    ),
    "Is the community's access to education services a risk factor in this context?": _question(
        "education_access", "community"
    ),
}
"""By the words of the example question."""

CARRIED: Final = tuple(column for column, home in FIELDS.items() if home.relation != "x")
"""The columns that are read."""

WRITTEN: Final = tuple(column for column, home in FIELDS.items() if home.relation not in ("x", "<"))
"""The columns that are written."""

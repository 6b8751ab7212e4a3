"""Where codes and numbers come from: FHIR's own systems, those of SATUSEHAT, and ours; and a table for each list of ours that has a counterpart.

A code of ours goes out in our own system always; the code of FHIR stands beside it only where it means the same, or where FHIR
requires one of its own. Systems and codes are those of R4 (4.0.1).
"""

from typing import Final

HL7: Final = "http://terminology.hl7.org/CodeSystem"
EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition"
DATA_ABSENT: Final = f"{EXTENSION}/data-absent-reason"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"
LANGUAGES: Final = "urn:ietf:bcp:47"
COUNTRIES: Final = "urn:iso:std:iso:3166"
URI: Final = "urn:ietf:rfc:3986"
"""The system of an identifier whose value is a URI."""

SATUSEHAT_NIK: Final = "https://fhir.kemkes.go.id/id/nik"
SATUSEHAT_KK: Final = "https://fhir.kemkes.go.id/id/kk"
SATUSEHAT_PASSPORT: Final = "https://fhir.kemkes.go.id/id/paspor"
SATUSEHAT_PROFILES: Final = "https://fhir.kemkes.go.id/r4/StructureDefinition"
"""The ministry's extensions: `administrativeCode`, `citizenshipStatus`."""

MISSING: Final = {"unknown": "unknown", "not_asked": "not-asked", "declined": "asked-declined"}
"""`missing` → data-absent-reason."""

PRIORITY: Final = {"immediate": "stat", "urgent": "urgent", "standard": "routine"}
"""`urgency` → request-priority: an hour, a day, a week."""
NEED_PRIORITY: Final = {"now": "stat", "soon": "urgent", "later": "routine"}
"""`need_priority` → request-priority."""

REQUEST_STATUS: Final = {
    "sent": "active",
    "received": "active",
    "info_requested": "active",
    "accepted": "active",
    "in_progress": "active",
    "on_hold": "on-hold",
    "cancel_requested": "active",
    "completed": "completed",
    "not_completed": "revoked",
    "declined": "revoked",
    "recalled": "revoked",
    "cancelled": "revoked",
    "expired": "revoked",
    "absorbed": "revoked",
    "entered_in_error": "entered-in-error",
}
"""A referral's state → request-status. A state of ours that is not here is `unknown` there."""

TASK_STATUS: Final = {
    "sent": "requested",
    "received": "received",
    "info_requested": "received",
    "accepted": "accepted",
    "in_progress": "in-progress",
    "on_hold": "on-hold",
    "completed": "completed",
    "not_completed": "failed",
    "declined": "rejected",
    "recalled": "cancelled",
    "cancelled": "cancelled",
    "expired": "cancelled",
    "absorbed": "cancelled",
    "entered_in_error": "entered-in-error",
}
"""A referral's state → task-status. `cancel_requested` is what it was before: accepted, or in progress once it has started."""

GENDER: Final = {"male": "male", "female": "female", "intersex": "other", "unknown": "unknown"}
"""`sex` → administrative-gender, which FHIR describes as the gender for administration and records."""

GENDER_IDENTITY: Final = {
    "man": "male",
    "woman": "female",
    "trans_man": "transgender-male",
    "trans_woman": "transgender-female",
}
"""`gender` → gender-identity; not conforming is not the same as its `non-binary`."""

MARITAL_STATUS: Final = {"married": "M", "partnership": "T", "divorced": "D", "widowed": "W"}
"""`marital_status` → v3-MaritalStatus. Its S is never married, its L separated by law, and a marriage no register knows is neither."""

NAME_USE: Final = {"registered": "official", "everyday": "usual", "earlier": "old"}
"""`name_kind` → name-use."""

RELATIONSHIP: Final = {
    "spouse": "SPS",
    "parent": "PRN",
    "step_parent": "STPPRN",
    "child": "CHILD",
    "sibling": "SIB",
    "grandparent": "GRPRN",
    "grandchild": "GRNDCHILD",
    "cousin": "COUSN",
    "in_law": "INLAW",
    "friend": "FRND",
    "neighbour": "NBOR",
}
"""`relationship` → v3-RoleCode."""

PREGNANCY: Final = {"yes": "LA15173-0", "no": "LA26683-5"}
"""`answer` → LOINC's answers to 82810-3, Pregnancy status."""

SCREENING_SCORE: Final = {"phq_9": "44261-6", "gad_7": "70274-6"}
"""`screening_tool` → LOINC, total score."""

IDENTIFIER_SYSTEM: Final = {
    "nik": SATUSEHAT_NIK,
    "family_card": SATUSEHAT_KK,
    "passport": SATUSEHAT_PASSPORT,
    "service_passport": SATUSEHAT_PASSPORT,
    "diplomatic_passport": SATUSEHAT_PASSPORT,
}
"""`document_kind` → the system SATUSEHAT looks people up by."""
IDENTIFIER_TYPE: Final = {"nik": "NI", "passport": "PPN", "service_passport": "PPN", "diplomatic_passport": "PPN"}
"""`document_kind` → v2-0203."""

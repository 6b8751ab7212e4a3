"""What may be disclosed to whom, for what. Written to be read by a protection officer.

A section may go to an agency if the *purpose* needs it (first table) and the *kind of agency* may hold it (second table); in addition a
basis must cover it. The third table says what flows back to the sender of a referral. Nothing is ever trimmed: a request that
includes more is refused, with the sections named.
"""

from __future__ import annotations

from typing import Final

from schemas.codes.agencies import AgencyKind as Kind
from schemas.codes.disclosure import DisclosureBasis
from schemas.codes.referral import Purpose

EVERY: Final = frozenset(
    [
        "identity",
        "contact",
        "location",
        "family",
        "identification",
        "exploitation",
        "safety",
        "health",
        "psychosocial",
        "legal",
        "migration",
        "needs",
        "narrative",
        "attachments",
        "extensions",
    ]
)
ALWAYS: Final = frozenset({"needs", "safety", "identity"})
"""What any receiver of a person must know: who it is, what is needed, what keeps everyone safe."""


def _sections(names: str) -> frozenset[str]:
    chosen = frozenset(names.split())
    if not chosen <= EVERY:
        raise ValueError("an unknown section in the policy table")
    return ALWAYS | chosen


PURPOSES: Final[dict[Purpose, frozenset[str]]] = {
    #                               besides who, needs and safety:
    Purpose.EMERGENCY_PROTECTION:   _sections("contact location family identification health migration"),
    Purpose.IDENTIFICATION:         _sections("contact location family identification exploitation health psychosocial legal migration narrative attachments"),
    Purpose.SHELTER:                _sections("contact location family identification health psychosocial migration"),
    Purpose.MEDICAL_CARE:           _sections("contact location family exploitation health psychosocial attachments"),
    Purpose.PSYCHOSOCIAL_CARE:      _sections("contact location family identification exploitation health psychosocial narrative"),
    Purpose.SOCIAL_REHABILITATION:  _sections("contact location family identification exploitation health psychosocial legal migration narrative attachments extensions"),
    Purpose.LEGAL_ASSISTANCE:       _sections("contact location family identification exploitation health legal migration narrative attachments"),
    Purpose.INVESTIGATION:          _sections("contact location identification exploitation legal migration narrative attachments"),
    Purpose.WITNESS_PROTECTION:     _sections("contact location family identification exploitation health psychosocial legal migration narrative attachments"),
    Purpose.DOCUMENTS:              _sections("contact location family migration attachments"),
    Purpose.FAMILY_TRACING:         _sections("contact location family"),
    Purpose.RETURN:                 _sections("contact location family health psychosocial migration attachments"),
    Purpose.REINTEGRATION:          _sections("contact location family health psychosocial legal migration attachments"),
    Purpose.LIVELIHOOD:             _sections("contact location family"),
    Purpose.CASE_RESPONSIBILITY:    EVERY,
}  # fmt: skip

_HELPERS = frozenset({
    Kind.MINISTRY_SOCIAL, Kind.TRAUMA_CENTRE, Kind.SENTRA, Kind.SENTRA_TERPADU, Kind.SOCIAL_OFFICE_PROVINCE, Kind.SOCIAL_OFFICE_REGENCY,
    Kind.MINISTRY_WOMEN_CHILDREN, Kind.UPTD_PPA, Kind.INTEGRATED_SERVICE_CENTRE, Kind.INTERNATIONAL_ORGANISATION, Kind.CIVIL_SOCIETY,
})  # fmt: skip
_INVESTIGATORS = frozenset({
    Kind.POLICE, Kind.POLICE_DIRECTORATE, Kind.POLICE_REGIONAL, Kind.POLICE_RESORT, Kind.PROSECUTOR, Kind.COURT,
})  # fmt: skip
_AUTHORITIES = frozenset({Kind.IMMIGRATION_OFFICE, Kind.FISHERIES_AUTHORITY, Kind.LABOUR_INSPECTOR})
_MIGRATION = frozenset({
    Kind.MINISTRY_MIGRANT_WORKERS, Kind.MIGRANT_WORKER_OFFICE, Kind.MIGRANT_WORKER_POST, Kind.MINISTRY_FOREIGN_AFFAIRS, Kind.MISSION_ABROAD,
})  # fmt: skip

KINDS: Final[dict[Kind, frozenset[str]]] = {
    **dict.fromkeys(_HELPERS, EVERY),
    # what was said to a counsellor or a doctor stays out of the file of whoever may prosecute
    **dict.fromkeys(_INVESTIGATORS, EVERY - {"health", "psychosocial", "extensions"}),
    **dict.fromkeys(_AUTHORITIES, _sections("contact location identification exploitation migration attachments")),
    **dict.fromkeys(_MIGRATION, EVERY - {"narrative", "extensions"}),
    Kind.WITNESS_VICTIM_PROTECTION: EVERY - {"extensions"},
    Kind.LEGAL_AID: EVERY - {"psychosocial", "extensions"},
    Kind.HEALTH_FACILITY: _sections("contact location family exploitation health psychosocial attachments"),
    # a person may have fled from that state: papers and a name, on the person's own consent
    Kind.FOREIGN_MISSION: frozenset({"identity", "contact", "migration", "needs"}),
    Kind.VILLAGE_GOVERNMENT: _sections("contact location family"),
}

BACK_STATE_ONLY: Final = _INVESTIGATORS | _AUTHORITIES | {Kind.FOREIGN_MISSION}
"""These learn, of what they referred, the state, the arrival and the end: no services, no outcomes, no free text. Of a refusal before
acceptance they learn the code and who else might help, so that the person is referred on."""

CONSENT_ONLY: Final = frozenset({Kind.FOREIGN_MISSION})
"""These receive on the person's own consent and on nothing else."""

BASES: Final[dict[DisclosureBasis, frozenset[str]]] = {
    DisclosureBasis.CONSENT: EVERY,
    DisclosureBasis.LEGAL_OBLIGATION: EVERY,
    DisclosureBasis.PUBLIC_TASK: EVERY,
    DisclosureBasis.BEST_INTERESTS_OF_CHILD: EVERY,
    DisclosureBasis.COURT_ORDER: EVERY,
    DisclosureBasis.VITAL_INTEREST: frozenset({"identity", "location", "safety", "health", "needs"}),
}
"""What each basis can open at all. Contract and legitimate interest are not offered."""

EMERGENCY: Final = BASES[DisclosureBasis.VITAL_INTEREST]
"""What emergency access can open: what a vital interest can, and of it what the kind of agency may hold."""

MAY_KNOCK: Final = _HELPERS | {
    Kind.HEALTH_FACILITY,
    Kind.WITNESS_VICTIM_PROTECTION,
    Kind.MIGRANT_WORKER_OFFICE,
    Kind.MIGRANT_WORKER_POST,
}
"""Who may ask for emergency access to a case in which it takes no part, by its reference: whoever a person in danger is brought to. Not who
investigates: for that there are bases that do not wait for an emergency."""

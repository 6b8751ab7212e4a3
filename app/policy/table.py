"""What may be disclosed to whom, for what. Written to be read by a protection officer.

Forward, to the receiver: a section may go to an agency if the *purpose* needs it (`PURPOSES`) and the *kind of agency* may hold it
(`KINDS`); in addition a basis that can open it must cover it (`BASES`). Nothing is ever trimmed: a request that includes more is refused,
with the sections named. Back, to the sender: what its kind learns of what the receiver did and said (`BACK`, `BACK_MOVES`).

`rujukan policy table` prints it all, `docs/policy.md` is made from it.
"""

from __future__ import annotations

from enum import StrEnum
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

CONSENT_ONLY: Final = frozenset({Kind.FOREIGN_MISSION})
"""These receive on the person's own consent and on nothing else: not a guardian's, unless it is a child's whose guardian a court or an authority has set,
and who assents; nor through an interpreter who is not independent (`app/policy/consents.py`)."""

BASES: Final[dict[DisclosureBasis, frozenset[str]]] = {
    DisclosureBasis.CONSENT: EVERY,
    DisclosureBasis.LEGAL_OBLIGATION: EVERY,
    DisclosureBasis.PUBLIC_TASK: EVERY,
    DisclosureBasis.BEST_INTERESTS_OF_CHILD: EVERY,
    DisclosureBasis.COURT_ORDER: EVERY,
    DisclosureBasis.VITAL_INTEREST: frozenset({"identity", "location", "safety", "health", "needs"}),
}
"""What each basis can open at all. Contract and legitimate interest are not offered."""

DESPITE_RESTRICTION: Final = frozenset(
    {DisclosureBasis.VITAL_INTEREST, DisclosureBasis.LEGAL_OBLIGATION, DisclosureBasis.COURT_ORDER}
)
"""On these a section goes although the person had it restricted (UU 27/2022 art 11, 41): somebody's life, a duty by law, an order. On a public task or the
best interests of a child it does not; on consent only if that was given since. Sending it so is said in the answer, the log and the review."""


class Back(StrEnum):
    """What of the receiver's doing and saying can flow back to the sender."""

    STATE = "state"
    """State, arrival and end, each with when and by whom."""
    ACCEPTANCE = "acceptance"
    """Where to bring the person, when, and whom to ask for."""
    REFUSAL = "refusal"
    """Of a refusal before acceptance, the coded reason and who else might help: so that the person is referred on."""
    QUESTION = "question"
    """What the receiver asks before it answers: somebody has to answer it."""
    SERVICES = "services"
    """Which services were planned, given or missed, and when; also when the last one was."""
    OUTCOMES = "outcomes"
    """What became of each need; the coded reason why services ended."""
    NOTES = "notes"
    """Notes, and every other free text: reasons of a hold, of an abort, in words of a refusal."""


BACK_STATE: Final = frozenset({Back.STATE, Back.ACCEPTANCE, Back.REFUSAL, Back.QUESTION})
"""State, arrival and end, and what is needed to bring the person or to refer on: no services, no outcomes, no free text."""

BACK: Final[dict[Kind, frozenset[Back]]] = {
    **dict.fromkeys(Kind, frozenset(Back)),
    # who may prosecute, inspect or deport, and the state a person may have fled from: what was said in a shelter is not for them
    **dict.fromkeys(_INVESTIGATORS | _AUTHORITIES | {Kind.FOREIGN_MISSION}, BACK_STATE),
}
"""By the sender's kind. A basis of its own, for a section by name, lets a note go beyond it."""

BACK_WITHOUT_AGREEMENT: Final = BACK_STATE
"""Across the border, of what the receiver recorded on a day when no agreement let it send back `needs`: at most this, whatever the kind."""

BACK_MOVES: Final[dict[str, dict[str, Back]]] = {
    "accept":             {"ready_to_receive_from": Back.ACCEPTANCE, "service_point": Back.ACCEPTANCE,
                           "meeting_point": Back.ACCEPTANCE, "contact": Back.ACCEPTANCE},
    "request_info":       {"text": Back.QUESTION},
    "decline":            {"reason": Back.REFUSAL, "suggested_receivers": Back.REFUSAL, "text": Back.NOTES},
    "decline_accepted":   {"reason": Back.OUTCOMES, "suggested_receivers": Back.OUTCOMES, "text": Back.NOTES},
    "start":              {},
    "record_service":     {"service": Back.SERVICES, "need": Back.SERVICES, "on": Back.SERVICES, "status": Back.SERVICES,
                           "next_appointment": Back.SERVICES},
    "hold":               {"text": Back.NOTES},
    "refuse_cancel":      {"text": Back.NOTES},
    "complete":           {"outcomes": Back.OUTCOMES},
    "fail":               {"reason": Back.OUTCOMES, "text": Back.NOTES},
    "abort":              {"text": Back.NOTES},
    "confirm_handover":   {"paper": Back.STATE, "number": Back.STATE, "date": Back.STATE},
    "handover_paper":     {"number": Back.STATE, "date": Back.STATE},
    "note":               {"text": Back.NOTES},
    "dispute":            {"text": Back.NOTES},
}  # fmt: skip
"""By the receiver's move, each field and what it belongs to; `decline_accepted`: a refusal after acceptance. That a move was made, when and by
whom is state, except of what is `UNSAID`. A move or a field that is missing here does not flow back."""

UNSAID: Final[dict[str, Back]] = {"record_service": Back.SERVICES}
"""Moves of which a sender learns nothing at all, not even when they were made, unless this flows back to its kind."""
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

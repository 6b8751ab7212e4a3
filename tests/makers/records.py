"""Makes records of invented people, whole requests, and their bases."""

from __future__ import annotations

from typing import Any

NAME = "Surya Wijaksana Ampel"
"""An invented name, looked for where it must not be."""
SECRET_PLACE = "Jalan Cempaka Rahasia 17"


def record(*, needs: tuple[str, ...] = ("shelter_men",), **sections: Any) -> dict[str, Any]:
    """A small record: identity, needs and safety, and whatever sections are given."""
    return {
        "schema_version": "1.0",
        "identity": {"names": [{"full": NAME}], "sex": "male", "birth": {"date": "1994-03"}, "nationalities": ["ID"]},
        "safety": {"must_know": "He was followed from the harbour."},
        "needs": {"services": [{"need": need} for need in needs]},
        **sections,
    }


def legal_basis(*sections: str, **more: Any) -> dict[str, Any]:
    """A legal obligation for the given sections."""
    return {
        "kind": "legal_obligation",
        "sections": list(sections) or ["identity", "safety", "needs"],
        "legal_basis": "uu-21-2007",
        "article": "art. 51",
        "reason": "Found on a fishing vessel; help within seven days.",
        **more,
    }


def consent(at: Any, *, sections: tuple[str, ...] = ("identity", "safety", "needs"), **more: Any) -> dict[str, Any]:
    """A written consent of the person, given just now."""
    return {
        "giver": "person",
        "method": "written",
        "language": "id",
        "given_at": at.isoformat(),
        "sections": list(sections),
        "agency_kinds": ["trauma_centre", "sentra", "international_organisation", "witness_victim_protection"],
        "purposes": ["shelter", "social_rehabilitation", "legal_assistance", "identification"],
        **more,
    }


def referral(receiver: str = "iom", **more: Any) -> dict[str, Any]:
    """A complete `POST /v1/referrals` that opens its case."""
    body = {
        "case": {"entry_channel": "police_report"},
        "receiver": receiver,
        "purpose": "shelter",
        "urgency": "standard",
        "record": record(),
        "bases": [legal_basis()],
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


def transfer(receiver: str = "ministry", **more: Any) -> dict[str, Any]:
    """A complete `POST /v1/transfers` that opens its case."""
    return referral(receiver, **{"purpose": "case_responsibility", **more})

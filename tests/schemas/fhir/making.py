"""Makes referrals as their reader gets them, and a record in which everything is said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from schemas.exchange.referral import Referral
from schemas.mappings.fhir import bundle
from schemas.shapes import Shape, shapes

NOW = "2026-11-02T10:00:00Z"
AT = datetime(2026, 11, 2, 10, tzinfo=UTC)
URL = "https://rujukan.example"

Json = dict[str, Any]


def referral(**more: Any) -> Referral:
    """A referral as its receiver reads it."""
    return Referral.model_validate(
        {
            "id": UUID(int=1),
            "case_id": UUID(int=2),
            "reference": "R-7K2M-9",
            "sender": {"code": "polda-maluku", "name": "Polda Maluku", "kind": "police_regional"},
            "receiver": {"code": "sentra-ambon", "name": "Sentra Ambon", "kind": "sentra"},
            "state": "accepted",
            "version": 3,
            "purpose": "shelter",
            "urgency": "immediate",
            "respond_by": NOW,
            "deadline": None,
            "clock": "ok",
            "sent_at": NOW,
            "updated_at": NOW,
            "acknowledged_at": NOW,
            "accepted_at": NOW,
            "ended_at": None,
            "error_reported_at": None,
            "replaces": None,
            "moves": [],
            "started_at": None,
            "review_at": None,
            "offer_group": None,
            "record_version": UUID(int=3),
            "first_read_at": NOW,
            "preview": None,
            "record": None,
            "disclosures": [],
            "withheld": [],
            "sealed": [],
            "corrections": [],
            "files": [],
            "notes_unread": 0,
            "acceptance": None,
            "ending": None,
            "prior_agreement": None,
            "history": [],
            "services": [],
            **more,
        }
    )


def consent(**more: Any) -> Json:
    """A basis: the person's consent."""
    return {
        "basis": "consent",
        "consent_id": UUID(int=4),
        "legal_basis": None,
        "article": None,
        "sections": ["identity", "needs"],
        "until": None,
        "onward": False,
        "access": "full",
        "locked_because": None,
        "review": None,
        **more,
    }


def law(**more: Any) -> Json:
    """A basis: a duty by law."""
    found = {"basis": "legal_obligation", "consent_id": None, "legal_basis": "uu-21-2007", "article": "Pasal 51"}
    return consent(**found, sections=["health"], **more)


def rendered(**more: Any) -> Json:
    """The Bundle of a referral, as JSON has it."""
    found: Json = bundle(referral(**more), url=URL, at=AT).model_dump(mode="json")
    return found


def resources(found: Json, kind: str) -> list[Json]:
    """The resources of one kind."""
    return [each["resource"] for each in found["entry"] if each["resource"]["resourceType"] == kind]


def only(found: Json, kind: str) -> Json:
    """The one resource of a kind."""
    (one,) = resources(found, kind)
    return one


def observed(found: Json, field: str) -> list[Json]:
    """The observations of a field of the record."""
    return [each for each in resources(found, "Observation") if each["code"]["coding"][-1]["code"] == field]


def paths(kind: type[BaseModel], above: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Every field of a model that holds no model itself, by its dotted path."""
    found = {}
    for name, shape in shapes(kind).items():
        here = (*above, name)
        inner = inside(shape)
        if inner is not None and above.count(name) == 0:
            found |= paths(inner, here)
        else:
            found[".".join(here)] = here
    return found


def inside(shape: Shape) -> type[BaseModel] | None:
    """The model a field holds; none where it is JSON and nothing more."""
    return None if shape.model is None or "root" in shape.model.model_fields else shape.model

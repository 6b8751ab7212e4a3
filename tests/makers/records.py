"""Makes records of invented people, whole requests, and their bases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

NAME = "Surya Wijaksana Ampel"
"""An invented name, looked for where it must not be."""
SECRET_PLACE = "Jalan Cempaka Rahasia 17"
SECRET_STORY = "They took his passport in Tegal and locked the door."


def record(*, needs: tuple[str, ...] = ("shelter_men",), **sections: Any) -> dict[str, Any]:
    """A small record: identity, needs and safety, and whatever sections are given."""
    return {
        "schema_version": "1.0",
        "identity": {"names": [{"full": NAME}], "sex": "male", "birth": {"date": "1994-03"}, "nationalities": ["ID"]},
        "safety": {"must_know": "He was followed from the harbour."},
        "needs": {"services": [{"need": need} for need in needs]},
        **sections,
    }


def full_record(**sections: Any) -> dict[str, Any]:
    """A record with many sections, each with words that must be found nowhere but in it."""
    return record(
        location={
            "addresses": [{"kind": "current", "place": {"street": SECRET_PLACE, "region": "81.71", "country": "ID"}}]
        },
        contact={"channels": [{"kind": "mobile_phone", "value": "+6281234567890", "safe": "no"}]},
        health={"infectious": "contact", "medicines": [{"name": "Rifampicin 450"}]},
        psychosocial={"wishes": "To see his daughter Melati."},
        narrative={"entries": [{"text": SECRET_STORY, "language": "en", "author_role": "social_worker"}]},
        **sections,
    )


FULL_SECTIONS = ("identity", "contact", "location", "safety", "health", "psychosocial", "needs", "narrative")
"""The sections of `full_record`."""


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


NOTICE = {
    "version": "text 2026-1",
    "items": ["legality", "purpose", "kinds_of_data", "retention", "details", "period", "rights"],
}
"""What the law demands to be told before a consent."""
DECISION = {"authority": "Pengadilan Negeri Ambon", "number": "17/Pdt.P/2026/PN Amb", "date": "2026-01-05"}


def consent_act(at: Any, *, giver: str = "person", **more: Any) -> dict[str, Any]:
    """A written consent, given just now; whoever decides for a child brings what the child says."""
    body = {"giver": giver, "method": "written", "language": "id", "given_at": at.isoformat(), "notice": NOTICE}
    if giver in ("parent", "guardian", "state_authority"):
        body["child"] = {"assent": "given"}
    if giver in ("court_guardian", "state_authority"):
        body["decision"] = DECISION
    return {name: value for name, value in {**body, **more}.items() if value is not None}


def consent(at: Any, *, sections: tuple[str, ...] = ("identity", "safety", "needs"), **more: Any) -> dict[str, Any]:
    """A written consent of the person, given just now."""
    return {
        "sections": list(sections),
        "agency_kinds": ["trauma_centre", "sentra", "international_organisation", "witness_victim_protection"],
        "purposes": ["shelter", "social_rehabilitation", "legal_assistance", "identification"],
        **consent_act(at, **more),
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


def path_of(event: str) -> str:
    """The last part of a move's address."""
    return {"record_service": "services", "note": "notes", "link": "links"}.get(event, event.replace("_", "-"))


def move(event: str, at: Any, **more: Any) -> dict[str, Any]:
    """The body of a move that its table allows."""
    bodies: dict[str, dict[str, Any]] = {
        "acknowledge": {},
        "accept": {"ready_to_receive_from": at.isoformat()},
        "decline": {"reason": "no_place"},
        "recall": {"reason": "No longer needed."},
        "start": {},
        "record_service": {"service": "shelter", "on": at.date().isoformat(), "status": "given"},
        "complete": {"outcomes": [{"need": "shelter_men", "outcome": "met"}]},
        "fail": {"reason": "left"},
        "amend": {"record": record(), "bases": [legal_basis()]},
        "confirm_handover": {"paper": "not_used"},
        "request_info": {"question": "Does he need an interpreter?"},
        "provide_info": {"record": record(), "bases": [legal_basis()]},
        "hold": {"reason": "In hospital.", "review_at": (at + timedelta(days=7)).isoformat()},
        "resume": {},
        "request_cancel": {"reason": "His brother has come for him."},
        "confirm_cancel": {},
        "refuse_cancel": {"reason": "He wishes to stay."},
        "enter_in_error": {"reason": "Another person's record."},
        "report_error": {"reason": "Another person's record."},
        "confirm_error": {},
        "abort": {"reason": "The ship was late."},
        "handover_paper": {"number": "BAST-17/2026", "date": at.date().isoformat()},
        "note": {
            "text": "Please call before you come.",
            "section": "needs",
            "basis": legal_basis("needs"),
        },
    }
    return {**bodies[event], **more}


def hold(now: datetime, case_reference: str, *sections: str, **more: Any) -> dict[str, Any]:
    """A court's order to keep sections of a case."""
    return {
        "case_reference": case_reference,
        "authority": "court",
        "authority_name": "Pengadilan Negeri Batam",
        "number": "17/Pid.Sus/2026/PN Btm",
        "dated_on": now.date().isoformat(),
        "sections": list(sections) or ["health"],
        "review_on": (now + timedelta(days=90)).date().isoformat(),
        **more,
    }

"""The requests an act becomes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from app.demo.samples import Document
from schemas.codes.disclosure import NoticeItem

_CALLED_BEFORE: Final = timedelta(minutes=15)
"""How long before sending it was agreed by phone."""


def opening(record: Document) -> Document:
    """Return how the person came to the agency, for a new case."""
    return {"entry_channel": record["identification"]["entry_channel"]}


_DECISION: Final = {"authority": "Pengadilan Agama", "number": "CONTOH/1/2026", "date": "2026-01-05"}
_DECIDED: Final = ("court_guardian", "state_authority")
_FOR_A_CHILD: Final = ("parent", "guardian", *_DECIDED)


def consent(act: Mapping[str, Any], now: datetime) -> Document:
    """Return the consent the person has just given: told all that the law demands, in the words of the act."""
    body = {name: act[name] for name in ("giver", "method", "language", "sections", "agencies", "purposes")}
    body |= {
        "given_at": now.isoformat(),
        "until": (now + timedelta(days=act["until_days"])).isoformat(),
        "notice": {"version": act["told"], "items": [item.value for item in NoticeItem]},
    }
    if act["interpreter"] != "none":
        body["interpreter"] = {"role": act["interpreter"], "independent": True}
    if act["giver"] in _FOR_A_CHILD:
        body["child"] = {"assent": "given", **({"own_view": act["own_view"]} if "own_view" in act else {})}
    return body | ({"decision": _DECISION} if act["giver"] in _DECIDED else {})


def bases(act: Mapping[str, Any], consents: Mapping[str, str]) -> list[Document]:
    """Return the act's bases; one of consent names it by its id, or not at all if it comes in the same request."""
    return [basis(each, consents) for each in act["bases"]]


def basis(given: Mapping[str, Any], consents: Mapping[str, str]) -> Document:
    """Return one basis."""
    body: Document = {name: given[name] for name in ("kind", "sections", "onward") if name in given}
    if given["kind"] == "consent":
        consent_id = consents.get(given["consent"])
        return body | ({"consent_id": consent_id} if consent_id else {})
    body["reason"] = given["reason"]
    if "legal_basis" in given:
        body |= {"legal_basis": given["legal_basis"]["code"], "article": given["legal_basis"]["article"]}
    return body


def sending(act: Mapping[str, Any], consents: Mapping[str, str], now: datetime) -> Document:
    """Return a referral or transfer, still without case and record."""
    body = {
        "receiver": act["to"],
        "purpose": act["purpose"],
        "urgency": act["urgency"],
        "bases": bases(act, consents),
    }
    if "agreed_with" in act:
        body["prior_agreement"] = {"agreed_at": (now - _CALLED_BEFORE).isoformat(), "with_role": act["agreed_with"]}
    return body


def acceptance(now: datetime, point: Mapping[str, Any] | None) -> Document:
    """Return where to and when; for a house that must not be found, a place to meet instead of its address."""
    body: Document = {"ready_to_receive_from": (now + timedelta(hours=2)).isoformat(), "contact": "petugas piket"}
    if point is not None:
        body["service_point"] = point["id"]
        if point["confidential"]:
            body["meeting_point"] = "Pos pelayanan, pintu kedatangan"
    return body


def outcomes(act: Mapping[str, Any], instead: Mapping[str, str]) -> Document:
    """Return an outcome for each need, as the person has them."""
    return {"outcomes": [told | {"need": instead.get(told["need"], told["need"])} for told in act["outcomes"]]}


def handover(act: Mapping[str, Any], today: date, place: int) -> Document:
    """Return what stands about the handover's paper; `place` numbers those of one group."""
    paper: Document = {"paper": act["handover"]["paper"]}
    if paper["paper"] == "issued":
        paper |= {"number": act["handover"]["number"].format(place), "date": today.isoformat()}
    return paper


def duty_contacts(number: int) -> Document:
    """Return whom to call at the agency of this number."""
    return {"items": [{"role": "petugas piket", "phone": f"+62 811 0000 0{number:03}", "hours": "24 jam"}]}

"""Whether something could be sent, asked before it is: the same questions by the same functions as sending asks, and nothing is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.dependencies import Acting
from app.exchange.passing import problems, queries
from app.exchange.passing import service as passing
from app.exchange.passing.reading import agency_ref
from app.exchange.records.sealing import in_order
from app.foundation import json
from app.foundation.problems import NotFound, Problem
from app.policy import table
from app.policy.agreements import crosses_border
from app.policy.decide import BasisLike, flows_back
from auth.directory import AgencyEntry
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import DisclosureBasis
from schemas.exchange.basis import ConsentBasis
from schemas.exchange.disclosure import PreviewBasis, PreviewDisclosure
from schemas.record.record import SECTIONS

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Thought:
    """A basis that nobody has given a reason for yet."""

    kind: str
    sections: Sequence[str]
    until: datetime | None


async def preview(db: Acting, body: PreviewDisclosure) -> Document:
    """Return what sending these sections would be answered with, as far as the disclosure decides. Raises `Problem`."""
    receiver = _receiver(db, body)
    sections = in_order(body.sections, SECTIONS)
    bases = [_thought(each) for each in body.bases]
    await _log_asked(db, body, receiver, sections)
    decision = passing.by_policy(db, receiver, body.purpose, sections, bases)
    if decision.allowed and body.case_id is not None and body.consent is not None:
        async with db.transaction() as tx:
            if await queries.is_barred(tx, body.case_id, body.consent.giver):
                raise problems.GuardianBarred(case_id=body.case_id)
    decision = await passing.with_consents(
        db, decision, receiver, body.purpose, bases, case_id=body.case_id, consent=body.consent
    )
    ends = await _consents_end(db, body, bases)
    refusal = (
        passing.refusal(
            decision.refused, decision.sendable, sender=db.agency, receiver=receiver, purpose=body.purpose
        ).type
        if not decision.allowed
        else None
    )
    home = db.settings.emergency_country
    in_force = db.directory.sharing(db.agency_id, receiver.id, db.at)
    return {
        "receiver": agency_ref(db, receiver.id) if body.receiver else None,
        "receiver_kind": receiver.kind,
        "purpose": body.purpose,
        "allowed": decision.allowed,
        "refusal": refusal,
        "sections": [
            _verdict(db, receiver, body, section, bases, ends, decision.refused.get(section)) for section in sections
        ],
        "refused": [{"section": section, "reason": reason} for section, reason in decision.refused.items()],
        "sendable_sections": list(decision.sendable),
        "crosses_border": crosses_border(db.agency, receiver, home=home),
        "agreements": [
            {
                "sections": in_order(each.sections, SECTIONS),
                "purposes": sorted(each.purposes),
                "since": each.from_at,
                "until": each.until_at,
            }
            for each in in_force
        ],
        "back": sorted(flows_back(AgencyKind(db.agency.kind), agreed=_agreed_back(db, receiver, body)), key=_ORDER),
    }


_ORDER = list(table.Back).index


def _receiver(db: Acting, body: PreviewDisclosure) -> AgencyEntry:
    if body.receiver is not None:
        receiver = passing.receiver_of(db, body.receiver)
        if isinstance(receiver, Problem):
            raise receiver
        return receiver
    assert body.receiver_kind is not None, "one of the two was given"
    # an agency that is nobody: no consent names it, no agreement binds it
    return dataclasses.replace(
        db.agency, id=UUID(int=0), code="", kind=body.receiver_kind, country=db.settings.emergency_country
    )


def _thought(basis: PreviewBasis) -> BasisLike:
    if basis.kind == "consent":
        return ConsentBasis(
            kind="consent", sections=basis.sections, until=basis.until, consent_id=basis.consent_id, onward=False
        )
    return _Thought(basis.kind, basis.sections, basis.until)


async def _log_asked(db: Acting, body: PreviewDisclosure, receiver: AgencyEntry, sections: Sequence[str]) -> None:
    """Log that it was asked, of a case the caller may know of; of any other there is nothing to ask. Raises `NotFound`."""
    async with db.transaction() as tx:
        if body.case_id is not None and not await queries.knows_case(tx, body.case_id):
            raise NotFound
        detail = {
            "sections": list(sections),
            "purpose": body.purpose,
            "receiver": receiver.code or None,
            "receiver_kind": receiver.kind,
        }
        await tx.fetchval(
            "SELECT log_by($1, 'disclosure:preview', 'done', 'case', $2, $2, $3)",
            db.parameter(),
            body.case_id,
            json.text(detail),
        )


def _agreed_back(db: Acting, receiver: AgencyEntry, body: PreviewDisclosure) -> bool:
    back = passing.agreed_between(db, receiver, db.agency, body.purpose)
    return back is None or not back.crosses_border or "needs" in back.sections


async def _consents_end(
    db: Acting, body: PreviewDisclosure, bases: Sequence[BasisLike]
) -> dict[UUID | None, datetime | None]:
    """Return when the consents end that bases name, as far as the caller sees them; under None the one in the request."""
    ends: dict[UUID | None, datetime | None] = {None: body.consent.until} if body.consent else {}
    named = [basis.consent_id for basis in bases if isinstance(basis, ConsentBasis) and basis.consent_id is not None]
    if body.case_id is not None and named:
        async with db.transaction() as tx:
            found = await queries.consents_named(tx, body.case_id, named)
        ends.update({id: row["until_at"] for id, row in found.items()})
    return ends


def _verdict(
    db: Acting,
    receiver: AgencyEntry,
    body: PreviewDisclosure,
    section: str,
    bases: Sequence[BasisLike],
    consents_end: Mapping[UUID | None, datetime | None],
    reason: str | None,
) -> Document:
    resting = [basis for basis in bases if section in basis.sections]
    basis = resting[0] if len(resting) == 1 else None
    of_consent = consents_end.get(basis.consent_id) if isinstance(basis, ConsentBasis) else None
    ends = [each for each in (basis.until if basis else None, of_consent) if each]
    bounds = passing.agreed_with(db, receiver, body.purpose)
    vital = basis is not None and basis.kind == DisclosureBasis.VITAL_INTEREST
    return {
        "section": section,
        "sendable": reason is None,
        "reason": reason,
        "purpose_allows": section in table.PURPOSES[body.purpose],
        "kind_allows": section in table.KINDS[AgencyKind(receiver.kind)],
        "agreement_allows": bounds.lets(section, vital=vital) if bounds else None,
        "basis": basis.kind if basis else None,
        "consent_id": basis.consent_id if isinstance(basis, ConsentBasis) else None,
        "until": min(ends) if ends else None,
    }

"""Sending and moving: what referrals and transfers do alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key, occurred
from app.exchange.lifecycle import Deadline, Lifecycle, Party, Tell, first_reminder
from app.exchange.passing import problems, queries, refusals
from app.exchange.records.sealing import SealedRecord, in_order, seal
from app.foundation import json
from app.foundation.ids import new_reference, uuid7
from app.foundation.problems import InvalidRequest, Problem
from app.foundation.settings import Settings
from app.policy.decide import covers, decide
from app.policy.table import BACK_STATE_ONLY
from auth.directory import AgencyEntry
from schemas.codes.agencies import AgencyKind
from schemas.codes.referral import Purpose, Urgency
from schemas.exchange.basis import Basis, ConsentBasis, CourtOrderBasis, LegalBasis
from schemas.exchange.case import NewConsent
from schemas.exchange.common import Moved, MoveRequest
from schemas.exchange.referral import Amend, Decline, NewReferral, NewTransfer
from schemas.record.record import SECTIONS, included

REFERENCE_PREFIX = {"case": "K", "referral": "R", "transfer": "T"}


def within(
    settings: Settings, deadline: Deadline, urgency: str, own: Mapping[str, timedelta] | None = None
) -> timedelta:
    """Return how long a state may last; `own`: the receiver's times by agreement, by setting."""
    name = deadline.setting + (urgency if deadline.by_urgency else "")
    return (own or {}).get(name) or cast(timedelta, getattr(settings, name))


def moved(row: queries.MovedRow, moves: list[str]) -> Moved:
    """Return the answer to a POST."""
    return Moved(
        id=row.id,
        case_id=row.case_id,
        reference=row.reference,
        state=row.state,
        version=row.version,
        recorded_at=row.recorded_at,
        log_entry=row.log_id,
        moves=moves,
    )


async def send(db: Acting, lifecycle: Lifecycle, body: NewReferral | NewTransfer, key: Key) -> Moved:
    """Send a referral or offer a transfer: check what the table of the policy says, seal the record, write everything at once."""
    receiver = receiver_of(db, body.receiver)
    refused: Problem | None = None
    if isinstance(receiver, Problem):
        refused, receiver = receiver, db.agency
    sections = included(body.record) if body.record else in_order({s for b in body.bases for s in b.sections}, SECTIONS)
    refused = refused or await undisclosable(
        db, receiver, body.purpose, sections, body.bases, case_id=body.case_id, consent=body.consent
    )
    deadline = lifecycle.deadline(lifecycle.initial)
    assert deadline is not None
    own = db.directory.times(db.at).get(receiver.id)
    respond_by = db.at + within(db.settings, deadline, body.urgency, own)
    if body.respond_by is not None:
        if not db.at < body.respond_by <= respond_by:
            refused = refused or InvalidRequest([{"pointer": "/respond_by", "code": "outside_the_urgency"}])
        respond_by = body.respond_by
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        refused = refused or happened
    if refused is not None:
        return await unless_repeated(db, lifecycle, key, refused, by=Party.SENDER)

    subject_id, case_id = uuid7(db.at), body.case_id or uuid7(db.at)
    sealed = seal(db.keyring, body.record, version_id=uuid7(db.at), case_id=case_id, at=db.at) if body.record else None
    consent_id = uuid7(db.at) if body.consent else None
    bases, reasons = bases_for_storage(db, body.bases, consent_id)
    envelope: dict[str, Any] = {
        "subject": lifecycle.name,
        "id": subject_id,
        "reference": new_reference(REFERENCE_PREFIX[lifecycle.name]),
        "case_id": case_id,
        "new_case": {"reference": new_reference("K"), "entry_channel": body.case.entry_channel} if body.case else None,
        "consent": consent_for_storage(body.consent, consent_id) if body.consent and consent_id else None,
        "receiver_id": receiver.id,
        "receiver_code": receiver.code,
        "receiver_kind": receiver.kind,
        "recorded_by_id": db.recorder_id,
        "purpose": body.purpose,
        "urgency": body.urgency,
        "respond_by": respond_by,
        "due_at": db.at + first_reminder(respond_by - db.at),
        "sections": list(sections),
        "version_id": sealed.version_id if sealed else body.record_version,
        "schema_version": sealed.schema_version if sealed else None,
        "record_sections": list(sealed.sections) if sealed else None,
        "reuse": sealed is None,
        "replaces_id": body.replaces,
        "bases": bases,
        "occurred_at": happened,
        "channel": body.channel,
    }
    try:
        row = await queries.send(
            db,
            key,
            envelope,
            sealed=sealed,
            reasons=reasons,
            consent_detail=consent_detail(db, body.consent, consent_id) if body.consent and consent_id else None,
            detail=None,
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle, sections=tuple(sections)) or error) from error
    return moved(row, lifecycle.moves_open(row.state, [Party.SENDER]))


async def move(
    db: Acting,
    lifecycle: Lifecycle,
    event: str,
    *,
    subject_id: UUID,
    seen: int | None,
    key: Key,
    body: MoveRequest,
    detail: dict[str, Any] | None = None,
    **facts: Any,
) -> Moved:
    """Make the move the table's row describes. `detail` is what the parties say about it, encrypted; `facts` go to columns."""
    return await _apply(
        db, lifecycle, event, subject_id=subject_id, seen=seen, key=key, body=body, detail=detail, facts=facts
    )


async def amend(
    db: Acting,
    lifecycle: Lifecycle,
    *,
    subject_id: UUID,
    case_id: UUID,
    receiver_id: UUID,
    purpose: str,
    seen: int,
    key: Key,
    body: Amend,
) -> Moved:
    """Replace the record by a new version with its own bases."""
    receiver = db.directory.agencies[receiver_id]
    sections = included(body.record)
    if refused := await undisclosable(db, receiver, Purpose(purpose), sections, body.bases, case_id=case_id):
        return await unless_repeated(db, lifecycle, key, refused, by=Party.SENDER)
    sealed = seal(db.keyring, body.record, version_id=uuid7(db.at), case_id=case_id, at=db.at)
    bases, reasons = bases_for_storage(db, body.bases, None)
    facts = {
        "case_id": case_id,
        "version_id": sealed.version_id,
        "schema_version": sealed.schema_version,
        "record_sections": list(sections),
        "sections": list(sections),
        "bases": bases,
        "receiver_code": receiver.code,
        "receiver_kind": receiver.kind,
        "log": {"sections": list(sections)},
    }
    return await _apply(
        db,
        lifecycle,
        "amend",
        subject_id=subject_id,
        seen=seen,
        key=key,
        body=body,
        detail=None,
        facts=facts,
        sealed=sealed,
        reasons=reasons,
    )


async def _apply(
    db: Acting,
    lifecycle: Lifecycle,
    event: str,
    *,
    subject_id: UUID,
    seen: int | None,
    key: Key,
    body: MoveRequest,
    detail: dict[str, Any] | None,
    facts: dict[str, Any],
    sealed: SealedRecord | None = None,
    reasons: Sequence[bytes | None] = (),
) -> Moved:
    row = lifecycle[event]
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, lifecycle, key, happened, by=row.by)
    move_id = uuid7(db.at)
    parameters: dict[str, Any] = {
        "subject": lifecycle.name,
        "id": subject_id,
        "event": event,
        "from_states": row.from_states,
        "to_state": row.to,
        "party": row.by,
        "seen": seen if row.versioned else None,
        "counts": row.versioned,
        "tells": _told(row.tells),
        "not_kinds": sorted(BACK_STATE_ONLY) if event == "record_service" else None,
        "partners": ("after" if row.to == "completed" else "before") if Tell.PARTNERS in row.tells else None,
        "access": row.access,
        "final": row.to in lifecycle.final_states,
        "due": _due(db, lifecycle, row.to, by=row.by),
        "move_id": move_id,
        "occurred_at": happened,
        "channel": body.channel,
        "recorded_by_id": db.recorder_id,
        **facts,
    }
    try:
        answer = await queries.apply_move(
            db,
            key,
            parameters,
            detail=db.keyring.seal_one(move_id, json.dumps(detail)) if detail else None,
            sealed=sealed,
            reasons=reasons,
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle, sections=sealed.sections if sealed else ()) or error) from error
    return moved(answer, lifecycle.moves_open(answer.state, [row.by]))


def _told(tells: Sequence[Tell]) -> list[str]:
    named = {
        Tell.SENDER: ("sender",),
        Tell.EARLIER_LEAD: ("sender",),
        Tell.RECEIVER: ("receiver",),
        Tell.LEAD: ("lead",),
        Tell.OTHER: ("sender", "receiver"),
    }
    return sorted({party for tell in tells for party in named.get(tell, ())})


def _due(db: Acting, lifecycle: Lifecycle, to: str | None, *, by: Party) -> dict[str, dict[str, datetime]] | None:
    """Return when the new state ends and when the clock first looks at it, by urgency; None where the deadline to answer runs on."""
    deadline = lifecycle.deadline(to) if to else None
    if deadline is None or deadline.at_deadline == "answer":
        return None
    own = db.directory.times(db.at).get(db.agency_id) if by is Party.RECEIVER else None
    spans = {urgency.value: within(db.settings, deadline, urgency, own) for urgency in Urgency}
    return {
        urgency: {"deadline": db.at + span, "look": db.at + first_reminder(span)} for urgency, span in spans.items()
    }


def declined(db: Acting, body: Decline) -> dict[str, Any] | Problem:
    """Return what a refusal says; a problem for a suggestion that is no agency."""
    for place, code in enumerate(body.suggested_receivers):
        if code not in db.directory.by_code:
            return problems.UnknownReceiver(f"/suggested_receivers/{place}")
    return {"reason": body.reason, "text": body.text, "suggested_receivers": list(body.suggested_receivers)}


def receiver_of(db: Acting, code: str) -> AgencyEntry | Problem:
    """Return the receiving agency, or why there is none."""
    receiver = db.directory.by_code.get(code)
    if receiver is None:
        return problems.UnknownReceiver()
    if not receiver.active or receiver.id == db.agency_id:
        return problems.ReceiverUnavailable()
    return receiver


async def undisclosable(
    db: Acting,
    receiver: AgencyEntry,
    purpose: Purpose,
    sections: Sequence[str],
    bases: Sequence[Basis],
    *,
    case_id: UUID | None,
    consent: NewConsent | None = None,
) -> Problem | None:
    """Return the refusal the policy demands, or None; then the consents are left to the statement that sends.

    A refusal names all that is refused, by the consents too, so that one retry is enough.
    """
    kind = AgencyKind(receiver.kind)
    decision = decide(
        kind=kind,
        abroad=receiver.country != db.settings.emergency_country,
        purpose=purpose,
        included=sections,
        bases=bases,
        at=db.at,
    )
    if decision.allowed:
        return None
    resting = {
        str(section): basis.consent_id
        for basis in bases
        if isinstance(basis, ConsentBasis)
        for section in basis.sections
    }
    named = [consent_id for consent_id in resting.values() if consent_id is not None]
    known: dict[Any, Any] = {None: consent_for_storage(consent, uuid7(db.at))} if consent else {}
    if case_id is not None and named:
        async with db.transaction() as tx:
            known = {**known, **await queries.consents_named(tx, case_id, named)}
    refused = dict(decision.refused)
    for section in decision.sendable:
        if section in resting:
            found = known.get(resting[section])
            if not (found and covers(found, section, receiver=receiver.code, kind=kind, purpose=purpose, at=db.at)):
                refused[section] = "consent"
    return problems.DisclosureRefused(
        refused=refused, sendable=[section for section in decision.sendable if section not in refused]
    )


async def unless_repeated(db: Acting, lifecycle: Lifecycle, key: Key, refused: Problem, *, by: Party) -> Moved:
    """Raise the refusal, unless this very request succeeded before: then it gets the original answer."""
    try:
        earlier = await queries.earlier_answer(db, key)
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    if earlier is None:
        raise refused
    return moved(earlier, lifecycle.moves_open(earlier.state, [by]))


def bases_for_storage(
    db: Acting, bases: Sequence[Basis], consent_id: UUID | None
) -> tuple[list[dict[str, Any]], list[bytes | None]]:
    """Return the bases as rows, and their written reasons encrypted, in the same order."""
    rows: list[dict[str, Any]] = []
    reasons: list[bytes | None] = []
    for place, basis in enumerate(bases, start=1):
        basis_id = uuid7(db.at)
        rows.append(
            {
                "place": place,
                "id": basis_id,
                "basis": basis.kind,
                "consent_id": (basis.consent_id or consent_id) if isinstance(basis, ConsentBasis) else None,
                "legal_basis": basis.legal_basis if isinstance(basis, LegalBasis) else None,
                "article": basis.article if isinstance(basis, LegalBasis) else None,
                "sections": list(basis.sections),
                "until_at": basis.until,
                "onward": basis.onward,
            }
        )
        if isinstance(basis, ConsentBasis):
            reasons.append(None)
            continue
        said: dict[str, Any] = {"reason": basis.reason}
        if isinstance(basis, CourtOrderBasis):
            said |= {"authority": basis.authority, "number": basis.number, "date": basis.date}
        reasons.append(db.keyring.seal_one(basis_id, json.dumps(said)))
    return rows, reasons


def consent_for_storage(consent: NewConsent, consent_id: UUID) -> dict[str, Any]:
    """Return the coded part of a consent."""
    return {
        "id": consent_id,
        "giver": consent.giver,
        "method": consent.method,
        "language": consent.language,
        "given_at": consent.given_at,
        "until_at": consent.until,
        "sections": list(consent.sections),
        "agencies": list(consent.agencies),
        "agency_kinds": list(consent.agency_kinds),
        "purposes": list(consent.purposes),
    }


def consent_detail(db: Acting, consent: NewConsent, consent_id: UUID) -> bytes | None:
    """Return the rest of a consent, encrypted."""
    rest = consent.model_dump(
        mode="json", include={"interpreter", "notice", "witness", "evidence", "own_view"}, exclude_none=True
    )
    return db.keyring.seal_one(consent_id, json.dumps(rest)) if rest else None

"""Escalations: what happens, and what is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key
from app.exchange.agencies.queries import duty_contacts
from app.exchange.escalations import queries
from app.exchange.escalations.problems import EscalationNotOpen, NotReroutable
from app.exchange.lifecycle import first_reminder
from app.exchange.passing import problems, refusals
from app.exchange.passing import queries as passing_queries
from app.exchange.passing import service as passing
from app.exchange.passing.problems import DeskOnly
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.storing import review_by
from app.exchange.records.sealing import PREVIEWED, in_order, open_preview
from app.exchange.referrals.lifecycle import REFERRAL
from app.foundation import json
from app.foundation.ids import new_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from app.policy import table
from app.policy.decide import decide
from auth.directory import AgencyEntry
from schemas.codes.agencies import AgencyKind
from schemas.codes.disclosure import DisclosureBasis, Section
from schemas.codes.referral import Purpose, Urgency
from schemas.exchange import escalation as wire
from schemas.exchange.basis import VitalInterestBasis
from schemas.exchange.common import Moved
from schemas.record.record import SECTIONS

_HASTE = tuple(Urgency)
"""The urgencies, most urgent first."""


def _envelope(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "case_id": row["case_id"],
        "subject": row["subject"],
        "subject_id": row["subject_id"],
        "reference": row["reference"],
        "reason": row["reason"],
        "urgency": row["urgency"],
        "deadline": row["deadline_at"],
        "state": row["state"],
        "opened_at": row["opened_at"],
        "asked_as": row["asked_as"],
        "asked_at": row["asked_at"],
        "taken_at": row["taken_at"],
        "closed_at": row["closed_at"],
        "close_reason": row["close_reason"],
    }


async def list_escalations(db: Acting, *, state: str | None, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of what the caller's agency was asked to see to."""
    filters = {"state": state, "limit": str(limit)}
    scope = f"/v1/escalations {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.escalations(tx, db.agency_id, state, before, limit + 1)
    more = encode_cursor(db.keyring, scope, [str(rows[limit - 1]["id"])]) if len(rows) > limit else None
    return {"items": [_envelope(row) for row in rows[:limit]], "next": next_link("/v1/escalations", filters, more)}


async def read_escalation(db: Acting, escalation_id: UUID) -> dict[str, Any]:
    """Return an escalation with whom to call; to the desk, while it may act, with the preview. The reading is logged."""
    async with db.transaction() as tx:
        row = await queries.escalation(tx, db.agency_id, escalation_id)
        if row is None:
            raise NotFound
        now = await queries.subject(tx, escalation_id)
        asked = await queries.asked(tx, row["case_id"], escalation_id)
        contacts = await duty_contacts(tx, now["receiver_id"])
        record = await queries.record(tx, escalation_id, db.at)
        previewed = _previewed(db.agency, now["purpose"], record["covered"]) if record else frozenset()
        preview = open_preview(db.keyring, record, previewed) if record else None
        await tx.fetchval(
            "SELECT log_by($1, 'escalation:read', 'done', 'escalation', $2, $3, $4)",
            db.parameter(),
            escalation_id,
            row["case_id"],
            json.text(
                {"preview": preview is not None, "subject": row["subject"], "subject_id": row["subject_id"]}
                | (
                    {"previewed": in_order(previewed & PREVIEWED, SECTIONS), "purpose": now["purpose"]}
                    if preview
                    else {}
                )
            ),
        )
    reroutable = record is not None and row["subject"] == "referral"
    return _envelope(row) | {
        "now": {
            "state": now["state"],
            "urgency": now["urgency"],
            "purpose": now["purpose"],
            "respond_by": now["respond_by"],
            "deadline": now["deadline_at"],
            "sender": agency_ref(db, now["sender_id"]),
            "receiver": agency_ref(db, now["receiver_id"]),
            "sent_at": now["sent_at"],
            "accepted_at": now["accepted_at"],
            "ended_at": now["ended_at"],
        },
        "asked": [
            {"agency": agency_ref(db, each["agency_id"]), "role": each["role"], "asked_at": each["asked_at"]}
            for each in asked
        ],
        "taken_by": agency_ref(db, row["taken_by_id"]) if row["taken_by_id"] else None,
        "contacts": contacts,
        "preview": preview,
        "moves": ["take"] * (row["state"] == "open") + ["reroute"] * reroutable,
    }


def _previewed(reader: AgencyEntry, purpose: str, covered: list[str]) -> frozenset[str]:
    return frozenset(covered) & table.KINDS[AgencyKind(reader.kind)] & table.PURPOSES[Purpose(purpose)]


async def take_escalation(db: Acting, escalation_id: UUID, key: Key) -> Moved:
    """Take it: nobody else is asked then."""
    try:
        row = await queries.take(db, key, escalation_id)
    except asyncpg.PostgresError as error:
        raise (_problem_of(error) or error) from error
    return passing.moved(row, [])


async def reroute(db: Acting, escalation_id: UUID, body: wire.Reroute, key: Key) -> Moved:
    """Ask another agency for what nobody answered, on a vital interest; its sender stays responsible."""
    try:
        earlier = await passing_queries.earlier_answer(db, key)
        if earlier is not None:
            return passing.moved(earlier, [])
        async with db.transaction() as tx:
            row = await queries.escalation(tx, db.agency_id, escalation_id)
            if row is None:
                raise NotFound
            if not db.agency.desk:
                raise DeskOnly
            now = await queries.subject(tx, escalation_id)
            record = await queries.record(tx, escalation_id, db.at)
        if record is None:
            taken_by = row["taken_by_id"] or db.agency_id
            raise (
                EscalationNotOpen(state=row["state"]) if row["closed_at"] or taken_by != db.agency_id else NotReroutable
            )
        if row["subject"] != "referral":
            raise NotReroutable
        rerouted = _rerouted(db, escalation_id, body, now, record)
        made = await queries.reroute(db, key, **rerouted)
    except asyncpg.PostgresError as error:
        raise (_problem_of(error) or error) from error
    basis = _vital(rerouted["envelope"]["sections"], body.reason)
    return passing.moved(made, [], besides=await passing.restriction_warnings(db, made, [basis], under=None))


def _vital(sections: Sequence[str], reason: str) -> VitalInterestBasis:
    return VitalInterestBasis(kind="vital_interest", sections=tuple(map(Section, sections)), reason=reason)


def _rerouted(
    db: Acting, escalation_id: UUID, body: wire.Reroute, now: asyncpg.Record, record: asyncpg.Record
) -> dict[str, Any]:
    receiver = passing.receiver_of(db, body.receiver)
    if isinstance(receiver, Problem):
        raise receiver
    if receiver.id == now["sender_id"]:
        raise problems.ReceiverUnavailable
    urgency = body.urgency or Urgency(now["urgency"])
    if _HASTE.index(urgency) > _HASTE.index(Urgency(now["urgency"])):
        raise InvalidRequest([{"pointer": "/urgency", "code": "longer_than_before"}])
    sections = _opened(db, receiver, Purpose(now["purpose"]), record["sections"], body.reason)
    deadline = REFERRAL.deadline(REFERRAL.initial)
    assert deadline is not None
    own = db.directory.times(db.at).get(receiver.id)
    respond_by = db.at + passing.within(db.settings, deadline, urgency, own)
    basis_id = uuid7(db.at)
    return {
        "envelope": {
            "id": uuid7(db.at),
            "reference": new_reference(passing.REFERENCE_PREFIX["referral"]),
            "escalation_id": escalation_id,
            "receiver_id": receiver.id,
            "urgency": urgency,
            "respond_by": respond_by,
            "due_at": db.at + first_reminder(respond_by - db.at),
            "version_id": record["id"],
            "sections": sections,
            "basis_id": basis_id,
            "offer_group": uuid7(db.at),
            "review_by": review_by(db, DisclosureBasis.VITAL_INTEREST),
        },
        "reason": db.keyring.seal_one(
            Place("disclosure.reason", basis_id, record["case_id"]), json.dumps({"reason": body.reason})
        ),
        "log": {
            "receiver": receiver.code,
            "purpose": now["purpose"],
            "bases": [{"basis": DisclosureBasis.VITAL_INTEREST, "sections": sections}],
            "escalation": escalation_id,
        },
    }


def _opened(db: Acting, receiver: AgencyEntry, purpose: Purpose, has: list[str], reason: str) -> list[str]:
    """Return the sections of a version that a vital interest and the policy open to the receiver. Raises unless `needs` is among them."""
    included = in_order(table.BASES[DisclosureBasis.VITAL_INTEREST] & set(has), SECTIONS)
    basis = _vital(included, reason)
    decision = decide(
        kind=AgencyKind(receiver.kind),
        abroad=receiver.country != db.settings.emergency_country,
        purpose=purpose,
        included=included,
        bases=[basis],
        at=db.at,
        agreed=passing.agreed_with(db, receiver, purpose),
    )
    if "needs" not in decision.sendable:
        raise problems.DisclosureRefused(refused=decision.refused, sendable=decision.sendable)
    return list(decision.sendable)


def _problem_of(error: asyncpg.PostgresError) -> Problem | None:
    if error.sqlstate == "RJ050":
        return EscalationNotOpen(**orjson.loads(error.detail or "{}"))
    if error.sqlstate == "RJ051":
        return NotReroutable()
    if error.sqlstate == "RJ032":
        return problems.ReceiverUnavailable()
    return refusals.problem_of(error)

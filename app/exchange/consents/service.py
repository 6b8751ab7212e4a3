"""Consents: recorded by a party of the case, read by their author and the lead, taken back by whoever hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key, occurred
from app.exchange.attachments.binding import evidence_of
from app.exchange.cases.queries import case_by_id
from app.exchange.consents import queries
from app.exchange.passing import refusals
from app.exchange.passing.reading import agency_ref, log_file
from app.exchange.passing.service import moved
from app.exchange.passing.storing import consent_detail, consent_for_storage, unfit
from app.exchange.records.sealing import in_order
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.keyring import Place, SealedColumn
from app.foundation.problems import InvalidRequest, NotFound, Problem
from app.policy.consents import columns_of
from schemas.exchange import consent as wire
from schemas.exchange.common import Moved
from schemas.record.record import SECTIONS

Document = dict[str, Any]


async def give_consent(
    db: Acting, case_id: UUID, body: wire.NewConsent, key: Key, *, widens: UUID | None = None
) -> Moved:
    """Record a consent of the case. `widens`: the earlier one that it widens; nothing opens by that."""
    _fit(db, body)
    consent_id = uuid7(db.at)
    stored = consent_for_storage(body, consent_id) | {"widens_id": widens, "file": evidence_of(body)}
    try:
        row = await queries.give_consent(
            db, key, case_id, stored, consent_detail(db, body, consent_id, case_id=case_id)
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return moved(row, [])


def _fit(db: Acting, act: wire.ConsentAct) -> None:
    """Raise why an act of consent cannot be recorded, if it cannot."""
    if act.given_at > db.at:
        raise InvalidRequest([{"pointer": "/given_at", "code": "in_the_future"}])
    if refused := unfit(db, act):
        raise refused


async def withdraw_consent(db: Acting, case_id: UUID, consent_id: UUID, body: wire.WithdrawConsent, key: Key) -> Moved:
    """Record that a consent is taken back: what rests on it locks, and whoever had it open is asked to erase."""
    taken = {"event": "withdrawn", "sections": list(body.sections) if body.sections else None}
    return await _take_back(db, case_id, consent_id, body, taken, key)


async def narrow_consent(db: Acting, case_id: UUID, consent_id: UUID, body: wire.NarrowConsent, key: Key) -> Moved:
    """Record that a consent covers less: what is lost locks, and whoever had it open is asked to erase."""
    if body.until is not None and body.until <= db.at:
        raise InvalidRequest([{"pointer": "/until", "code": "in_the_past"}])
    agencies = []
    for place, code in enumerate(body.agencies):
        agency = db.directory.known_to(db.agency, code)
        if agency is None:
            raise InvalidRequest([{"pointer": f"/agencies/{place}", "code": "unknown_agency"}])
        agencies.append({"code": agency.code, "kind": agency.kind})
    taken = {
        "event": "narrowed",
        "sections": list(body.sections),
        "agencies": agencies,
        "agency_kinds": list(body.agency_kinds),
        "purposes": list(body.purposes),
        "until_at": body.until,
    }
    return await _take_back(db, case_id, consent_id, body, taken, key)


async def _take_back(
    db: Acting,
    case_id: UUID,
    consent_id: UUID,
    body: wire.WithdrawConsent | wire.NarrowConsent,
    taken: Document,
    key: Key,
) -> Moved:
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        raise happened
    if body.requested_at > db.at:
        raise InvalidRequest([{"pointer": "/requested_at", "code": "in_the_future"}])
    withdrawal_id = uuid7(db.at)
    withdrawal = {
        **taken,
        "id": withdrawal_id,
        "requested_by": body.requested_by,
        "requested_at": body.requested_at,
        "channel": body.channel,
        "occurred_at": happened,
        "recorded_by_id": db.recorder_id,
    }
    detail = (
        db.keyring.seal_one(
            Place("consent_withdrawal.detail", withdrawal_id, case_id), json.dumps({"reason": body.reason})
        )
        if body.reason
        else None
    )
    try:
        row = await queries.withdraw_consent(db, key, case_id, consent_id, withdrawal, detail)
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return moved(row, [])


async def reconfirm_consent(
    db: Acting, case_id: UUID, consent_id: UUID, body: wire.ReconfirmConsent, key: Key
) -> Moved:
    """Record that the person was asked again and still agrees: the consent counts again, and what was locked opens."""
    _fit(db, body)
    own_id = uuid7(db.at)
    act = {"id": own_id, **columns_of(body), "recorded_by_id": db.recorder_id, "file": evidence_of(body)}
    try:
        row = await queries.reconfirm_consent(
            db,
            key,
            case_id,
            consent_id,
            act,
            consent_detail(db, body, own_id, column="consent_reconfirmation.detail", case_id=case_id),
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return moved(row, [])


async def list_consents(db: Acting, case_id: UUID) -> Document:
    """Return the consents the caller may see: its own, and as lead all of them."""
    async with db.transaction() as tx:
        if await case_by_id(tx, case_id) is None:
            raise NotFound
        found = await queries.consents_of(tx, case_id)
        await tx.fetchval("SELECT log_by($1, 'consent:list', 'done', 'case', $2, $2, '{}')", db.parameter(), case_id)
    return {"items": [_consent(db, row, found) for row in found.consents]}


async def read_consent(db: Acting, case_id: UUID, consent_id: UUID, *, within: Connection | None = None) -> Document:
    """Return one consent, for its author and the lead."""
    async with db.transaction(within) as tx:
        found = await queries.consents_of(tx, case_id)
        row = next((row for row in found.consents if row["id"] == consent_id), None)
        if row is None:
            raise NotFound
        await tx.fetchval(
            "SELECT log_by($1, 'consent:read', 'done', 'consent', $2, $3, '{}')", db.parameter(), consent_id, case_id
        )
    return _consent(db, row, found)


def _consent(db: Acting, row: asyncpg.Record, found: queries.Consents) -> Document:
    again = [each for each in found.reconfirmations if each["consent_id"] == row["id"]]
    column: SealedColumn = "consent_reconfirmation.detail" if again else "consent.detail"
    said = _said(db, column, again[-1] if again else row)
    return {
        "id": row["id"],
        **_how(said, row),
        **{name: said.get(name) for name in ("witness", "evidence", "decision", "child", "communication")},
        "until": row["until_at"],
        "withdrawn_at": row["withdrawn_at"],
        "doubted_at": row["doubted_at"],
        "provable": row["provable"],
        "own": row["own"],
        "sections": in_order(row["sections"], SECTIONS),
        "agencies": row["agencies"],
        "agency_kinds": row["agency_kinds"],
        "except_agencies": row["except_agencies"],
        "purposes": row["purposes"],
        "recorded_by": agency_ref(db, row["author_id"]),
        "recorded_at": row["recorded_at"],
        "widens": row["widens_id"],
        "widened_by": [each["id"] for each in found.consents if each["widens_id"] == row["id"]],
        "withdrawals": [_withdrawal(db, each) for each in found.withdrawals if each["consent_id"] == row["id"]],
        "reconfirmations": [_reconfirmation(db, each) for each in again],
    }


def _said(db: Acting, column: SealedColumn, row: asyncpg.Record) -> Document:
    """Return what was said besides the codes; nothing once it was erased."""
    if row["detail"] is None:
        return {}
    said: Document = orjson.loads(db.keyring.open_one(Place(column, row["id"], row["case_id"]), row["detail"]))
    return said


def _how(said: Document, row: Mapping[str, Any] = MappingProxyType({})) -> Document:
    """Return how somebody agreed; of an erased consent, what stands in its columns."""
    kept = {name: said.get(name, row.get(name)) for name in ("giver", "method", "language", "given_at")}
    return kept | {name: said.get(name) for name in ("interpreter", "notice")}


def _withdrawal(db: Acting, row: asyncpg.Record) -> Document:
    said = _said(db, "consent_withdrawal.detail", row)
    return {
        "id": row["id"],
        "event": row["event"],
        "sections": in_order(row["sections"], SECTIONS),
        "agencies": row["agencies"],
        "agency_kinds": row["agency_kinds"],
        "purposes": row["purposes"],
        "until": row["until_at"],
        "requested_by": row["requested_by"],
        "requested_at": row["requested_at"],
        "recorded_at": row["recorded_at"],
        "recorded_by": agency_ref(db, row["agency_id"]),
        "channel": row["channel"],
        "reason": said.get("reason"),
    }


def _reconfirmation(db: Acting, row: asyncpg.Record) -> Document:
    said = _said(db, "consent_reconfirmation.detail", row)
    return {
        "id": row["id"],
        **_how(said),
        "recorded_at": row["recorded_at"],
        "recorded_by": agency_ref(db, row["agency_id"]),
    }


async def read_evidence(
    db: Acting, case_id: UUID, consent_id: UUID, attachment_id: UUID, *, content: bool
) -> asyncpg.Record:
    """Return the file that proves a consent, as stored, to who may read the consent: its author and the lead. Raises `NotFound`."""
    async with db.transaction() as tx:
        file = await queries.evidence_of(tx, case_id, consent_id, attachment_id)
        if file is None:
            raise NotFound
        if content:
            await log_file(tx, db, "consent", consent_id, file, case_id=case_id, of_record=False)
    return file

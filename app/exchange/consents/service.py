"""Consents: recorded by a party of the case, read by their author and the lead, withdrawn by whoever hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key, occurred
from app.exchange.cases.queries import case_by_id
from app.exchange.consents import queries
from app.exchange.passing import refusals
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import moved
from app.exchange.passing.storing import consent_detail, consent_for_storage
from app.exchange.records.sealing import in_order
from app.foundation import json
from app.foundation.ids import uuid7
from app.foundation.keyring import Place
from app.foundation.problems import InvalidRequest, NotFound, Problem
from schemas.exchange.case import NewConsent, WithdrawConsent
from schemas.exchange.common import Moved
from schemas.record.record import SECTIONS


async def give_consent(db: Acting, case_id: UUID, body: NewConsent, key: Key) -> Moved:
    """Record a consent of the case."""
    if body.given_at > db.at:
        raise InvalidRequest([{"pointer": "/given_at", "code": "in_the_future"}])
    consent_id = uuid7(db.at)
    try:
        row = await queries.give_consent(
            db,
            key,
            case_id,
            consent_for_storage(body, consent_id),
            consent_detail(db, body, consent_id, case_id=case_id),
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return moved(row, [])


async def withdraw_consent(db: Acting, case_id: UUID, consent_id: UUID, body: WithdrawConsent, key: Key) -> Moved:
    """Record that a consent is taken back: what rests on it locks, and whoever had it open is asked to erase."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        raise happened
    if body.requested_at > db.at:
        raise InvalidRequest([{"pointer": "/requested_at", "code": "in_the_future"}])
    withdrawal_id = uuid7(db.at)
    withdrawal = {
        "id": withdrawal_id,
        "sections": list(body.sections) if body.sections else None,
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


async def list_consents(db: Acting, case_id: UUID) -> dict[str, Any]:
    """Return the consents the caller may see: its own, and as lead all of them."""
    async with db.transaction() as tx:
        if await case_by_id(tx, case_id) is None:
            raise NotFound
        rows = await queries.consents_of(tx, case_id)
        withdrawals = await queries.withdrawals_of(tx, case_id)
        await tx.fetchval("SELECT log_by($1, 'consent:list', 'done', 'case', $2, $2, '{}')", db.parameter(), case_id)
    return {"items": [_consent(db, row, withdrawals) for row in rows]}


async def read_consent(db: Acting, case_id: UUID, consent_id: UUID) -> dict[str, Any]:
    """Return one consent, for its author and the lead."""
    async with db.transaction() as tx:
        row = next((row for row in await queries.consents_of(tx, case_id) if row["id"] == consent_id), None)
        if row is None:
            raise NotFound
        withdrawals = await queries.withdrawals_of(tx, case_id)
        await tx.fetchval(
            "SELECT log_by($1, 'consent:read', 'done', 'consent', $2, $3, '{}')", db.parameter(), consent_id, case_id
        )
    return _consent(db, row, withdrawals)


def _consent(db: Acting, row: asyncpg.Record, withdrawals: Sequence[asyncpg.Record]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "giver": row["giver"],
        "method": row["method"],
        "language": row["language"],
        "given_at": row["given_at"],
        "until": row["until_at"],
        "withdrawn_at": row["withdrawn_at"],
        "sections": in_order(row["sections"], SECTIONS),
        "agencies": row["agencies"],
        "agency_kinds": row["agency_kinds"],
        "purposes": row["purposes"],
        "recorded_by": agency_ref(db, row["author_id"]),
        "withdrawals": [_withdrawal(db, each) for each in withdrawals if each["consent_id"] == row["id"]],
    }


def _withdrawal(db: Acting, row: asyncpg.Record) -> dict[str, Any]:
    said = (
        orjson.loads(db.keyring.open_one(Place("consent_withdrawal.detail", row["id"], row["case_id"]), row["detail"]))
        if row["detail"]
        else {}
    )
    return {
        "id": row["id"],
        "sections": in_order(row["sections"], SECTIONS),
        "requested_by": row["requested_by"],
        "requested_at": row["requested_at"],
        "recorded_at": row["recorded_at"],
        "recorded_by": agency_ref(db, row["agency_id"]),
        "channel": row["channel"],
        "reason": said.get("reason"),
    }

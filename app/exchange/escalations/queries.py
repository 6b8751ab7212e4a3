"""The SQL of escalations."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.settings import Settings

_COLUMNS = """SELECT e.*, escalation_state(e) AS state, k.role AS asked_as, k.asked_at
              FROM escalation_asked k JOIN escalation e ON e.case_id = k.case_id AND e.id = k.escalation_id"""
_IN_STATE = {
    None: "true",
    "open": "k.closed_at IS NULL AND e.closed_at IS NULL AND e.taken_at IS NULL",
    "taken": "e.closed_at IS NULL AND e.taken_at IS NOT NULL",
    "closed": "e.closed_at IS NOT NULL",
}
"""As `escalation_state` says it, but so that the indexes of what is not closed serve."""


async def climb(conn: Connection, settings: Settings, now: datetime, *, limit: int = 200) -> int:
    """Ask the next contact of each escalation whose time has come, in one transaction; safe beside other workers. Return how many."""
    count: int = await conn.fetchval(
        "SELECT climb_escalations($1, $2, $3, $4, $5)",
        now,
        settings.next_contact_after_immediate,
        settings.next_contact_after_urgent,
        settings.next_contact_after_standard,
        limit,
    )
    return count


async def escalations(
    tx: Connection, agency_id: UUID, state: str | None, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return the escalations the agency was asked about, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        f"""{_COLUMNS} WHERE k.agency_id = $1 AND {_IN_STATE[state]}
              AND k.escalation_id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
            ORDER BY k.escalation_id DESC LIMIT $3""",
        agency_id,
        before,
        limit,
    )
    return rows


async def escalation(tx: Connection, agency_id: UUID, escalation_id: UUID) -> asyncpg.Record | None:
    """Return an escalation the agency was asked about."""
    return await tx.fetchrow(f"{_COLUMNS} WHERE e.id = $2 AND k.agency_id = $1", agency_id, escalation_id)


async def asked(tx: Connection, case_id: UUID, escalation_id: UUID) -> list[asyncpg.Record]:
    """Return who was asked, in order."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT agency_id, role, asked_at FROM escalation_asked WHERE case_id = $1 AND escalation_id = $2 ORDER BY asked_at",
        case_id,
        escalation_id,
    )
    return rows


async def subject(tx: Connection, escalation_id: UUID) -> asyncpg.Record:
    """Return what is escalated, as it stands now."""
    row = await tx.fetchrow("SELECT * FROM escalation_subject($1)", escalation_id)
    assert row is not None, "whoever sees an escalation may see what it is about"
    return row


async def record(tx: Connection, escalation_id: UUID, at: datetime) -> asyncpg.Record | None:
    """Return version and sealed preview of what is escalated, for the desk while it may act; None for anybody else."""
    return await tx.fetchrow("SELECT * FROM escalated_record($1, $2)", escalation_id, at)


async def take(db: Acting, key: Key, escalation_id: UUID) -> MovedRow:
    """Take it, in one statement."""
    row = await db.one(
        "SELECT * FROM take_escalation($1, $2, $3, $4, $5)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        escalation_id,
    )
    return MovedRow(*row)


async def reroute(db: Acting, key: Key, envelope: dict[str, Any], *, reason: bytes, log: dict[str, Any]) -> MovedRow:
    """Send what nobody answered to another agency, in one statement."""
    row = await db.one(
        "SELECT * FROM reroute_referral($1, $2, $3, $4, $5, $6, $7)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(envelope),
        reason,
        json.text(log),
    )
    return MovedRow(*row)

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
from app.outbox.jobs.claims import one_by_one

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
    """Ask the next contact of each escalation whose time has come, one by one; safe beside other workers. Return how many."""
    await free_of_closed_agencies(conn, now, limit=limit)

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            """SELECT e.id, e.case_id FROM escalation e
                WHERE e.next_at <= $1
                 AND e.id <> ALL ($2) AND NOT is_parked('climb_escalations', e.id, $1)
                ORDER BY e.next_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
            now,
            passed_over,
        )

    async def work(row: asyncpg.Record) -> None:
        await conn.execute(
            "SELECT climb_escalation($1, $2, $3, $4, $5, $6)",
            row["case_id"],
            row["id"],
            now,
            settings.next_contact_after_immediate,
            settings.next_contact_after_urgent,
            settings.next_contact_after_standard,
        )

    return await one_by_one(conn, "climb_escalations", "escalation", claim, work, now, limit=limit)


async def free_of_closed_agencies(conn: Connection, now: datetime, *, limit: int) -> int:
    """Let what an agency had taken that takes part no more wait for the next one again, one by one. Return how many."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            """SELECT e.id, e.case_id FROM agency g JOIN escalation e ON e.taken_by_id = g.id
                WHERE g.status <> 'active' AND e.closed_at IS NULL
                 AND e.id <> ALL ($2) AND NOT is_parked('free_escalations', e.id, $1)
                LIMIT 1 FOR UPDATE OF e SKIP LOCKED""",
            now,
            passed_over,
        )

    async def work(row: asyncpg.Record) -> None:
        await conn.execute(
            "UPDATE escalation SET taken_by_id = NULL, taken_at = NULL, next_at = $3 WHERE case_id = $1 AND id = $2",
            row["case_id"],
            row["id"],
            now,
        )
        await conn.execute(
            "UPDATE escalation_asked SET closed_at = NULL WHERE case_id = $1 AND escalation_id = $2",
            row["case_id"],
            row["id"],
        )

    return await one_by_one(conn, "free_escalations", "escalation", claim, work, now, limit=limit)


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

"""The SQL of cases."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def open_case(db: Acting, key: Key, case: dict[str, Any]) -> MovedRow:
    """Open a case, in one statement."""
    row = await db.one(
        "SELECT * FROM open_case($1, $2, $3, $4, $5, NULL)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(case),
    )
    return MovedRow(*row)


async def apply_case_move(db: Acting, key: Key, move: dict[str, Any], detail: bytes) -> MovedRow:
    """Make a move of a case, in one statement."""
    row = await db.one(
        "SELECT * FROM apply_case_move($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(move),
        detail,
    )
    return MovedRow(*row)


async def record_victim_status(db: Acting, key: Key, case_id: UUID, status_id: UUID, detail: bytes) -> MovedRow:
    """Append a decision about victim status, in one statement."""
    row = await db.one(
        "SELECT * FROM record_victim_status($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        case_id,
        status_id,
        db.recorder_id,
        detail,
    )
    return MovedRow(*row)


async def mark_guardian(db: Acting, key: Key, mark: dict[str, Any], detail: bytes) -> MovedRow:
    """Bar the guardian or lift it, in one statement."""
    row = await db.one(
        "SELECT * FROM mark_guardian($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(mark),
        detail,
    )
    return MovedRow(*row)


async def victim_status_of(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return the decisions about victim status, oldest first; for its lead, nothing for others."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM victim_status WHERE case_id = $1 ORDER BY recorded_at, id", case_id
    )
    return rows


async def case_by_id(tx: Connection, case_id: UUID) -> asyncpg.Record | None:
    """Return a case the agency is party to."""
    return await tx.fetchrow("SELECT * FROM case_file WHERE id = $1", case_id)


async def leads_of(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return who led the case and when: all for its lead, an earlier lead's own time, nothing for others."""
    rows: list[asyncpg.Record] = await tx.fetch("SELECT * FROM case_lead WHERE case_id = $1 ORDER BY from_at", case_id)
    return rows


async def cases_led(
    tx: Connection, agency_id: UUID, state: str | None, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return the cases the agency leads now, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT * FROM case_file
           WHERE lead_id = $1 AND ($2::text IS NULL OR state = $2) AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
           ORDER BY id DESC LIMIT $4""",
        agency_id,
        state,
        before,
        limit,
    )
    return rows


async def cases_led_before(
    tx: Connection, agency_id: UUID, state: str | None, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return the cases the agency led once and leads no longer, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT * FROM case_file
           WHERE id IN (SELECT case_id FROM case_lead WHERE agency_id = $1 AND until_at IS NOT NULL) AND lead_id <> $1
             AND ($2::text IS NULL OR state = $2) AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
           ORDER BY id DESC LIMIT $4""",
        agency_id,
        state,
        before,
        limit,
    )
    return rows

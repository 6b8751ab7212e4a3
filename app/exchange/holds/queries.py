"""The SQL of legal holds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def place_hold(db: Acting, key: Key, hold: dict[str, Any], detail: bytes) -> MovedRow:
    """Place a hold, in one statement."""
    row = await db.one(
        "SELECT * FROM place_hold($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(hold),
        detail,
    )
    return MovedRow(*row)


async def change_hold(db: Acting, key: Key, hold_id: UUID, change: dict[str, Any], detail: bytes) -> MovedRow:
    """Review a hold or lift it, in one statement."""
    row = await db.one(
        "SELECT * FROM change_hold($1, $2, $3, $4, $5, $6, $7)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        hold_id,
        json.text(change),
        detail,
    )
    return MovedRow(*row)


async def holds(
    tx: Connection,
    *,
    officer: bool,
    hold_id: UUID | None = None,
    case_id: UUID | None = None,
    state: str | None = None,
    before: UUID | None = None,
    limit: int = 1,
) -> list[asyncpg.Record]:
    """Return holds, newest first: those of cases the agency leads, as an officer all."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT *, is_lead(case_id) AS leads FROM legal_hold
           WHERE ($1::boolean OR is_lead(case_id)) AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR case_id = $3)
             AND ($4::text IS NULL OR state = $4) AND id < coalesce($5, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
           ORDER BY id DESC LIMIT $6""",
        officer,
        hold_id,
        case_id,
        state,
        before,
        limit,
    )
    return rows


async def reviews_of(tx: Connection, hold_id: UUID) -> list[asyncpg.Record]:
    """Return the reviews of a hold, oldest first; none to a lead."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM legal_hold_review WHERE hold_id = $1 ORDER BY recorded_at, id", hold_id
    )
    return rows

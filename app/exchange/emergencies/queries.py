"""The SQL of emergency access."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def knock(db: Acting, since: datetime) -> int:
    """Count that the agency asks by a reference, in a transaction of its own; return how often it has since."""
    row = await db.one("SELECT knock($1, $2)", since)
    count: int = row[0]
    return count


async def open_emergency(db: Acting, key: Key, wanted: dict[str, Any], *, detail: bytes) -> MovedRow:
    """Open emergency access, in one statement: with its review, its log entry and its events."""
    row = await db.one(
        "SELECT * FROM open_emergency($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(wanted),
        detail,
    )
    return MovedRow(*row)


async def end_emergency(db: Acting, key: Key, emergency_id: UUID) -> MovedRow:
    """End emergency access at once, in one statement."""
    row = await db.one(
        "SELECT * FROM end_emergency($1, $2, $3, $4, $5)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        emergency_id,
    )
    return MovedRow(*row)


async def page(tx: Connection, *, case_id: UUID | None, before: UUID | None, limit: int) -> list[asyncpg.Record]:
    """Return the emergency accesses the agency may know of, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT * FROM emergency_access WHERE ($1::uuid IS NULL OR case_id = $1)
           AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) ORDER BY id DESC LIMIT $3""",
        case_id,
        before,
        limit,
    )
    return rows


async def emergency_by_id(tx: Connection, emergency_id: UUID) -> asyncpg.Record | None:
    """Return an emergency access the agency has, reviews, or leads the case of."""
    return await tx.fetchrow("SELECT * FROM emergency_access WHERE id = $1", emergency_id)


async def content(tx: Connection, emergency_id: UUID, at: datetime) -> list[asyncpg.Record]:
    """Return the sealed sections, each with its version and key; none once it has ended, and to nobody but who has it."""
    rows: list[asyncpg.Record] = await tx.fetch("SELECT * FROM emergency_content($1, $2)", emergency_id, at)
    return rows

"""The SQL of reassignments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def propose_reassignment(db: Acting, key: Key, reassignment: dict[str, Any], detail: bytes) -> MovedRow:
    """Propose a new lead, in one statement."""
    row = await db.one(
        "SELECT * FROM propose_reassignment($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(reassignment),
        detail,
    )
    return MovedRow(*row)


async def apply_reassignment_move(db: Acting, key: Key, move: dict[str, Any], detail: bytes | None) -> MovedRow:
    """Make a move of a reassignment, in one statement; an agreement with all that it brings."""
    row = await db.one(
        "SELECT * FROM apply_reassignment_move($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(move),
        detail,
    )
    return MovedRow(*row)


async def reassignment_by_id(tx: Connection, reassignment_id: UUID) -> asyncpg.Record | None:
    """Return a reassignment the agency may see."""
    return await tx.fetchrow("SELECT * FROM reassignment WHERE id = $1", reassignment_id)


async def reassignments(
    tx: Connection, states: Sequence[str] | None, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return the reassignments the agency may see, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT * FROM reassignment
           WHERE ($1::text[] IS NULL OR state = ANY ($1)) AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3""",
        states,
        before,
        limit,
    )
    return rows

"""The SQL of links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def propose_link(db: Acting, key: Key, link: dict[str, Any], detail: bytes | None) -> MovedRow:
    """Propose a link, in one statement."""
    row = await db.one(
        "SELECT * FROM propose_link($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(link),
        detail,
    )
    return MovedRow(*row)


async def apply_link_move(db: Acting, key: Key, move: dict[str, Any], detail: bytes | None) -> MovedRow:
    """Answer or end a link, in one statement."""
    row = await db.one(
        "SELECT * FROM apply_link_move($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(move),
        detail,
    )
    return MovedRow(*row)


async def own_links(
    tx: Connection,
    *,
    link_id: UUID | None = None,
    case_id: UUID | None = None,
    states: Sequence[str] | None = None,
    before: UUID | None = None,
    limit: int | None = None,
) -> list[asyncpg.Record]:
    """Return links of the cases the agency leads now, newest first, each as its own side may know it."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM own_links($1, $2, $3, $4, $5)", link_id, case_id, states, before, limit
    )
    return rows

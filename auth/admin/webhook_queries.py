"""The SQL of webhooks as administrators see them, as the role `rujukan_admin`: whose, to which host, how they fare. Never what was sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def webhooks(
    conn: Connection,
    *,
    id: UUID | None = None,
    client_id: str | None = None,
    agency: str | None = None,
    state: str | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return webhooks by id, from behind `after`."""
    return list(
        await conn.fetch(
            "SELECT * FROM administered_webhooks($1, $2, $3, $4, $5, $6)", id, client_id, agency, state, after, limit
        )
    )


async def disable(conn: Connection, id: UUID, at: datetime) -> bool:
    """Take one out of service, and tell its agency; whether it is there."""
    found: bool = await conn.fetchval("SELECT disable_webhook($1, $2)", id, at)
    return found


async def stop_changed_since(conn: Connection, client_id: str, since: datetime, at: datetime) -> int:
    """Take out of service what a client made, led elsewhere or put into service since then; returns how many were in service."""
    count: int = await conn.fetchval("SELECT stop_webhooks($1, $2, $3)", client_id, since, at)
    return count


async def acts(conn: Connection, client_id: str, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """Return what a client did with webhooks in a time, one row each, also of those it removed."""
    return list(await conn.fetch("SELECT * FROM breach_webhooks($1, $2, $3)", client_id, since, until))

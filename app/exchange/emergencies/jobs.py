"""Emergency access ends by itself."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.outbox.jobs.claims import one_by_one

BATCH = 50


async def end_emergencies(conn: Connection, now: datetime) -> int:
    """Mark what is over as ended and tell of it, one by one. Return how many there were."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow("SELECT * FROM due_emergency($1, $2)", now, passed_over)

    async def work(row: asyncpg.Record) -> bool:
        ended: bool = await conn.fetchval("SELECT end_emergency_over($1, $2)", row["id"], now)
        return ended

    return await one_by_one(conn, "end_emergencies", "emergency_access", claim, work, now, limit=BATCH)

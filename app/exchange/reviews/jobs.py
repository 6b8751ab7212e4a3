"""The clock of reviews: a reminder at half-time; at the deadline a vital interest is over; what nobody judged stays overdue."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.foundation.settings import Settings
from app.outbox.jobs.claims import one_by_one

BATCH = 50


async def watch_reviews(conn: Connection, settings: Settings, now: datetime) -> int:
    """Look at the reviews whose time has come, one by one; safe beside other workers. Return how many there were."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow("SELECT * FROM due_review($1, $2)", now, passed_over)

    async def work(row: asyncpg.Record) -> bool:
        looked: bool = await conn.fetchval(
            "SELECT watch_review($1, $2, $3, $4, $5)",
            row["id"],
            row["case_id"],
            now,
            settings.review_within,
            settings.answer_request_within,
        )
        return looked

    return await one_by_one(conn, "watch_reviews", "review", claim, work, now, limit=BATCH)

"""The clock of requests: a reminder at half-time; then overdue, told to both sides and the ministry's desk, again and again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.foundation.settings import Settings
from app.outbox.jobs.claims import one_by_one

BATCH = 200
_REMINDED, _OVERDUE = 1, 2


async def watch_requests(conn: Connection, settings: Settings, now: datetime) -> int:
    """Look at the requests whose time has come, one by one; safe beside other workers. Return how many there were."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            """SELECT id, case_id, from_id, to_id, due_at FROM request
               WHERE look_at <= $1 AND state = 'open'
                 AND id <> ALL ($2) AND NOT is_parked('watch_requests', id, $1)
               ORDER BY look_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
            now,
            passed_over,
        )

    async def work(row: asyncpg.Record) -> None:
        overdue = row["due_at"] <= now
        desk = await conn.fetchval("SELECT id FROM agency WHERE desk") if overdue else None
        await conn.execute(
            "UPDATE request SET look_at = $2, clock = $3, clock_step = $4 WHERE id = $1",
            row["id"],
            now + settings.answer_request_within if overdue else row["due_at"],
            "overdue" if overdue else "due",
            _OVERDUE if overdue else _REMINDED,
        )
        told = {row["to_id"], row["from_id"], desk} - {None} if overdue else {row["to_id"]}
        await conn.executemany(
            """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
               VALUES ($1, $2, 'request', $3, $4, 'open', $5)""",
            [
                (agency, "request.overdue" if overdue else "request.reminder", row["id"], row["case_id"], now)
                for agency in sorted(told)
            ],
        )

    return await one_by_one(conn, "watch_requests", "request", claim, work, now, limit=BATCH)

"""The clock of requests: a reminder at half-time; then overdue, told to both sides and the ministry's desk, again and again."""

from __future__ import annotations

from datetime import datetime

from app.foundation.database import Connection
from app.foundation.settings import Settings

BATCH = 200
_REMINDED, _OVERDUE = 1, 2


async def watch_requests(conn: Connection, settings: Settings, now: datetime) -> int:
    """Look at the requests whose time has come, in one transaction; safe beside other workers. Return how many there were."""
    async with conn.transaction():
        rows = await conn.fetch(
            """SELECT id, case_id, from_id, to_id, due_at FROM request
               WHERE look_at <= $1 AND state = 'open' ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED""",
            now,
            BATCH,
        )
        desk = await conn.fetchval("SELECT id FROM agency WHERE desk") if rows else None
        for row in rows:
            overdue = row["due_at"] <= now
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
    return len(rows)

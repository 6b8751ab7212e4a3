"""The clock of incidents: a reminder at half-time; then everybody concerned and the protection officers are told, again and again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.foundation.settings import Settings
from app.outbox.jobs.claims import one_by_one

BATCH = 200
_REMINDED, _OVERDUE = 1, 2


async def watch_incidents(conn: Connection, settings: Settings, now: datetime) -> int:
    """Look at the incidents whose time has come, one by one; safe beside other workers. Return how many there were."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            """SELECT i.id, i.author_id, i.responsible_id, i.due_at, reviewer_of(i.author_id) AS reviewer_id,
                      ARRAY(SELECT c.lead_id FROM incident_case k JOIN case_file c ON c.id = k.case_id WHERE k.incident_id = i.id) AS leads
               FROM incident i WHERE i.look_at <= $1 AND i.state = 'open'
                 AND i.id <> ALL ($2) AND NOT is_parked('watch_incidents', i.id, $1)
                ORDER BY i.look_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
            now,
            passed_over,
        )

    async def work(row: asyncpg.Record) -> None:
        overdue = row["due_at"] <= now
        await conn.execute(
            "UPDATE incident SET look_at = $2, clock = $3, clock_step = $4 WHERE id = $1",
            row["id"],
            now + settings.answer_request_within if overdue else row["due_at"],
            "overdue" if overdue else "due",
            _OVERDUE if overdue else _REMINDED,
        )
        told = {row["responsible_id"]}
        if overdue:
            told = {row["responsible_id"], row["author_id"], row["reviewer_id"], *row["leads"]} - {None}
        await conn.executemany(
            """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
               VALUES ($1, $2, 'incident', $3, NULL, 'open', $4)""",
            [
                (agency, "incident.overdue" if overdue else "incident.reminder", row["id"], now)
                for agency in sorted(told)
            ],
        )

    return await one_by_one(conn, "watch_incidents", "incident", claim, work, now, limit=BATCH)

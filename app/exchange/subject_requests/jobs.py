"""The clock of subject requests: the lead is reminded at half-time; then the protection officers and both sides are told, again and again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.foundation.settings import Settings
from app.outbox.jobs.claims import one_by_one

BATCH = 200
_REMINDED, _OVERDUE = 1, 2


async def watch_subject_requests(conn: Connection, settings: Settings, now: datetime) -> int:
    """Look at the subject requests whose time has come, one by one; safe beside other workers. Return how many there were."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            """SELECT s.id, s.case_id, s.author_id, s.due_at, reviewer_of(s.author_id) AS reviewer_id,
                      (SELECT c.lead_id FROM case_file c WHERE c.id = s.case_id) AS lead_id
               FROM subject_request s WHERE s.look_at <= $1 AND s.state = 'open'
                 AND s.id <> ALL ($2) AND NOT is_parked('watch_subject_requests', s.id, $1)
                ORDER BY s.look_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
            now,
            passed_over,
        )

    async def work(row: asyncpg.Record) -> None:
        overdue = row["due_at"] <= now
        await conn.execute(
            "UPDATE subject_request SET look_at = $3, clock = $4, clock_step = $5 WHERE id = $1 AND case_id = $2",
            row["id"],
            row["case_id"],
            now + settings.answer_request_within if overdue else row["due_at"],
            "overdue" if overdue else "due",
            _OVERDUE if overdue else _REMINDED,
        )
        told = {row["lead_id"], row["author_id"], row["reviewer_id"]} - {None} if overdue else {row["lead_id"]}
        await conn.executemany(
            """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
               VALUES ($1, $2, 'subject_request', $3, $4, 'open', $5)""",
            [
                (
                    agency,
                    "subject_request.overdue" if overdue else "subject_request.reminder",
                    row["id"],
                    row["case_id"],
                    now,
                )
                for agency in sorted(told)
            ],
        )

    return await one_by_one(conn, "watch_subject_requests", "subject_request", claim, work, now, limit=BATCH)

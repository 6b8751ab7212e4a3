"""The clock of legal holds: their time ends by itself; their review is asked for, every week until it is done."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.outbox.jobs.claims import one_by_one

BATCH = 200
AGAIN = timedelta(days=7)


async def watch_holds(conn: Connection, now: datetime) -> int:
    """Look at the holds whose time has come, one by one; safe beside other workers. Return how many there were."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            """SELECT h.id, h.case_id, h.placed_by_id, h.until_on, h.review_at, reviewer_of(h.placed_by_id) AS reviewer_id,
                      (SELECT c.lead_id FROM case_file c WHERE c.id = h.case_id) AS lead_id
               FROM legal_hold h WHERE h.look_at <= $1 AND h.state = 'active'
                 AND h.id <> ALL ($2) AND NOT is_parked('watch_holds', h.id, $1)
                ORDER BY h.look_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
            now,
            passed_over,
        )

    async def work(row: asyncpg.Record) -> None:
        over = row["until_on"] is not None and row["until_on"] < now.date()
        if over:
            await conn.execute(
                "UPDATE legal_hold SET state = 'ended', ended_at = $3, look_at = NULL, clock = 'ok' WHERE id = $1 AND case_id = $2",
                row["id"],
                row["case_id"],
                now,
            )
        else:
            await conn.execute(
                """UPDATE legal_hold SET clock = 'overdue', look_at = least($3, (until_on + 1)::timestamp AT TIME ZONE 'UTC')
                   WHERE id = $1 AND case_id = $2""",
                row["id"],
                row["case_id"],
                now + AGAIN,
            )
        reviewer = row["reviewer_id"] or row["placed_by_id"]
        told = {reviewer, row["lead_id"]} if over else {reviewer}
        await conn.executemany(
            """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
               VALUES ($1, $2, 'hold', $3, $4, $5, $6)""",
            [
                (
                    agency,
                    "hold.ended" if over else "hold.review_due",
                    row["id"],
                    row["case_id"],
                    "ended" if over else "active",
                    now,
                )
                for agency in sorted(told)
            ],
        )

    return await one_by_one(conn, "watch_holds", "hold", claim, work, now, limit=BATCH)

"""The clock of legal holds: their time ends by itself; their review is asked for, every week until it is done."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.foundation.database import Connection

BATCH = 200
AGAIN = timedelta(days=7)


async def watch_holds(conn: Connection, now: datetime) -> int:
    """Look at the holds whose time has come, in one transaction; safe beside other workers. Return how many there were."""
    async with conn.transaction():
        rows = await conn.fetch(
            """SELECT h.id, h.case_id, h.placed_by_id, h.until_on, h.review_at, reviewer_of(h.placed_by_id) AS reviewer_id,
                      (SELECT c.lead_id FROM case_file c WHERE c.id = h.case_id) AS lead_id
               FROM legal_hold h WHERE h.look_at <= $1 AND h.state = 'active' ORDER BY h.look_at LIMIT $2 FOR UPDATE SKIP LOCKED""",
            now,
            BATCH,
        )
        for row in rows:
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
    return len(rows)

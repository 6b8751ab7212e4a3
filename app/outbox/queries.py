"""The SQL of the feed and of the sequencer."""

from __future__ import annotations

import asyncpg

from app.dependencies import Acting
from app.foundation.database import Connection

CHANNEL = "rujukan_feed"
_LOCK = 7_201_001
"""Advisory lock of the sequencer: one at a time, whichever process runs it."""

_SEQUENCE = """
WITH taken AS (
    DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT $1) RETURNING *
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY agency_id ORDER BY seq) AS place, count(*) OVER (PARTITION BY agency_id) AS of
    FROM taken
), ends AS (
    INSERT INTO feed_end AS f (agency_id, position) SELECT agency_id, count(*) FROM taken GROUP BY agency_id
    ON CONFLICT (agency_id) DO UPDATE SET position = f.position + excluded.position
    RETURNING agency_id, position
), placed AS (
    INSERT INTO event (agency_id, position, event_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT n.agency_id, e.position - n.of + n.place, n.event_id, n.type, n.subject, n.subject_id, n.case_id, n.state, n.recorded_at
    FROM numbered n JOIN ends e USING (agency_id)
)
SELECT agency_id, (SELECT count(*) FROM taken) AS taken FROM ends
"""


async def events_after(db: Acting, after: int, limit: int) -> list[asyncpg.Record]:
    """Return the agency's events that come after a position, in order."""
    return await db.all("SELECT * FROM events_after($1, $2, $3)", after, limit)


async def sequence(conn: Connection, limit: int) -> int:
    """Give committed events their positions and wake the feeds once; return how many there were, or 0 if another process does it."""
    if not await conn.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
        return 0  # the common case, thirty times a second
    async with conn.transaction():
        if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
            return 0
        rows = await conn.fetch(_SEQUENCE, limit)
        if not rows:
            return 0
        agencies = [row["agency_id"].hex for row in rows]
        for start in range(0, len(agencies), 200):
            await conn.execute("SELECT pg_notify($1, $2)", CHANNEL, ",".join(agencies[start : start + 200]))
        return int(rows[0]["taken"])

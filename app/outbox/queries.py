"""The SQL of the feed and of the sequencer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

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


async def events_after(
    db: Acting, after: int | None, types: Sequence[str] | None, limit: int, look: int
) -> list[asyncpg.Record]:
    """Return the agency's events that come after a position (None: after what the client has acknowledged), in order, of some types or all.

    The last row is none: it says where the look began (`after`), how far it went (`position`; with `types` no further than `look` positions), the
    feed's end (`last`), and what is not kept any more (`dropped`).
    """
    return await db.all(
        "SELECT * FROM events_after($1, $2, $3, $4, $5)", after, None if types is None else list(types), limit, look
    )


async def acknowledge(db: Acting, position: int | None, *, rewind: bool = False) -> asyncpg.Record:
    """Keep how far the client has handled the feed, or with None only tell; `done` says whether it was kept."""
    return await db.one("SELECT * FROM acknowledge_events($1, $2, $3)", position, rewind)


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


async def drop_events(conn: Connection, before: datetime) -> int:
    """Drop the events of whole months that ended before a time; return how many months there were."""
    dropped: int = await conn.fetchval("SELECT drop_events_before($1)", before)
    return dropped

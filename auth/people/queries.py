"""The SQL of the people who administer, as the role `rujukan_admin`."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from app.foundation.database import Connection


async def session_of(
    conn: Connection, token_hash: bytes, *, now: datetime, seen_since: datetime
) -> asyncpg.Record | None:
    """Return the session of a token with its person, and note that it was seen; None if it has ended, or was idle for too long."""
    return await conn.fetchrow(
        "UPDATE admin_session s SET seen_at = greatest(s.seen_at, $2) FROM administrator p"
        " WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3 AND p.id = s.admin_id AND p.status = 'active'"
        " RETURNING s.id, s.admin_id, s.confirmed_at, p.reference, p.roles",
        token_hash,
        now,
        seen_since,
    )

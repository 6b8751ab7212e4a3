"""Emergency access ends by itself."""

from __future__ import annotations

from datetime import datetime

from app.foundation.database import Connection

BATCH = 50


async def end_emergencies(conn: Connection, now: datetime) -> int:
    """Mark what is over as ended and tell of it. Return how many there were."""
    ended: int = await conn.fetchval("SELECT end_emergencies($1, $2)", now, BATCH)
    return ended

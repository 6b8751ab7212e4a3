"""The clock of reviews: a reminder at half-time; at the deadline a vital interest is over; what nobody judged stays overdue."""

from __future__ import annotations

from datetime import datetime

from app.foundation.database import Connection
from app.foundation.settings import Settings

BATCH = 50


async def watch_reviews(conn: Connection, settings: Settings, now: datetime) -> int:
    """Look at the reviews whose time has come, in one transaction; safe beside other workers. Return how many there were."""
    found: int = await conn.fetchval(
        "SELECT watch_reviews($1, $2, $3, $4)", now, settings.review_within, settings.answer_request_within, BATCH
    )
    return found

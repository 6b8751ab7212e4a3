"""What the worker does for webhooks beside sending: deliveries out of the feed, and removing old ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from app.delivery import claims
from app.delivery.sending import Sender
from app.foundation.database import Connection
from app.foundation.settings import Settings

BATCH: Final = claims.REMOVED
MONTH: Final = timedelta(days=31)
"""How much longer than its days the feed may keep an event: it drops whole months."""


async def make_deliveries(conn: Connection, sender: Sender, now: datetime) -> int:
    """Make deliveries of what the feeds have got, and have them sent. Return 1 if there is more of it than one round makes."""
    made, more = await claims.fan_out(conn, now)
    if made:
        sender.wake.set()
    return int(more)


async def remove_old_deliveries(conn: Connection, settings: Settings, now: datetime) -> int:
    """Remove what ended long ago, and drop what a webhook that is out of service has not asked for as long as the feed has it. Return how much.

    What is due further ahead than anything can be, since a clock had gone wrong, is made due.
    """
    before = now - timedelta(days=settings.delivery_days)
    in_no_feed = min(before, now - timedelta(days=settings.event_days) - MONTH)
    await claims.put_right(conn, now)
    dropped = await claims.drop_waiting(conn, in_no_feed, now)
    return max(dropped, await claims.remove_old(conn, before, in_no_feed))

"""What the worker does for webhooks beside sending: deliveries out of the feed, and removing old ones."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from app.delivery import claims
from app.delivery.sending import Sender
from app.foundation.database import UNREACHABLE, Connection
from app.foundation.settings import Settings
from app.outbox.jobs import queries as parked
from app.outbox.jobs.claims import named, one_by_one

log = logging.getLogger("rujukan.delivery")
MAKING: Final = "make_deliveries"
"""What making deliveries is called where what it could not do is noted."""
BATCH: Final = claims.REMOVED
MONTH: Final = timedelta(days=31)
"""How much longer than its days the feed may keep an event: it drops whole months."""


async def make_deliveries(conn: Connection, sender: Sender, now: datetime) -> int:
    """Make deliveries of what the feeds have got, and have them sent. Return 1 if there may be more of it than one round makes.

    All webhooks at once; if that fails, and from then on for those with which it has, one by one: so a webhook that cannot be dealt with is found
    and parked, and the others have theirs.
    """
    failing = await parked.failing(conn, MAKING)
    alone, more = bool(failing), False
    try:
        made, more = await claims.fan_out(conn, now, passed_over=failing)
    except UNREACHABLE:
        raise
    except Exception as error:
        log.warning("deliveries are made for one webhook at a time: %s", named(error))
        made, alone = 0, True
    if alone:

        async def make(webhook: asyncpg.Record) -> None:
            nonlocal made
            made += (await claims.fan_out_to(conn, [webhook], now))[0]

        had_turns = await one_by_one(
            conn,
            MAKING,
            "webhook",
            lambda passed_over: claims.one_behind(conn, now, passed_over),
            make,
            now,
            limit=claims.WEBHOOKS,
        )
        more = more or had_turns > 0
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

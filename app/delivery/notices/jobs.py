"""What the worker does for notices: put events into mails, send what is due."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from app.delivery.notices import queries
from app.delivery.notices.letter import Line, compose
from app.delivery.notices.sending import Outcome, next_try, send
from app.foundation.database import UNREACHABLE, Connection
from app.foundation.settings import Settings
from app.outbox.jobs import queries as parked
from app.outbox.jobs.claims import failed, one_by_one

log = logging.getLogger("rujukan.notices")

GATHERING: Final = "gather_notices"
SENDING: Final = "send_notices"
"""What these jobs are called where what they could not do is noted."""
AGENCIES: Final = 50
"""How many agencies are looked at in one go."""
EVENTS: Final = 500
AT_ONCE: Final = 8
"""Mails that one worker has in hand."""
LEASE: Final = timedelta(minutes=5)
IMMEDIATE: Final = timedelta(minutes=1)
"""At most one mail an agency in this time, of what is immediate."""
KEPT: Final = timedelta(days=30)

WAITED_FOR: Final = frozenset(
    {
        "referral.sent", "referral.info_requested", "referral.info_provided", "referral.cancel_requested",
        "referral.error_reported", "referral.declined", "referral.expired", "referral.note", "referral.reminder", "referral.overdue",
        "transfer.offered", "transfer.info_requested", "transfer.info_provided", "transfer.error_reported", "transfer.declined",
        "transfer.expired", "transfer.note", "transfer.reminder", "transfer.overdue",
        "escalation.opened", "escalation.reminder", "case.unattended",
        "request.opened", "request.reminder", "request.overdue",
    }
)  # fmt: skip
"""Events after which somebody waits for the agency that is told."""


async def gather(conn: asyncpg.Connection, settings: Settings, now: datetime) -> int:
    """Put new events into mails; return of how many agencies. One that fails is parked, and stops no other."""
    return await one_by_one(
        conn,
        GATHERING,
        "agency",
        lambda passed_over: queries.behind(conn, passed_over, now),
        lambda each: _gather_of(conn, settings, each, now),
        now,
        limit=AGENCIES,
    )


async def _gather_of(conn: Connection, settings: Settings, each: asyncpg.Record, now: datetime) -> None:
    agency_id = each["id"]
    events = await queries.events_after(conn, agency_id, each["position"], EVENTS)
    if not events:  # none of them is kept any more
        await queries.seen_to(conn, agency_id, each["feed_position"])
        return
    if wanted := [event for event in events if event["type"] in WAITED_FOR]:
        mail_id = await queries.mail_to_join(
            conn,
            agency_id,
            now=now,
            interval=settings.notice_interval,
            at_once=IMMEDIATE,
            immediate=any(event["immediate"] or event["type"] == "case.unattended" for event in wanted),
        )
        await queries.add(conn, agency_id, mail_id, wanted)
    await queries.seen_to(conn, agency_id, events[-1]["position"])


async def send_due(pool: asyncpg.Pool, settings: Settings, now: datetime) -> int:
    """Send the mails that are due, some at a time; return how many were claimed. No connection is held while a server is slow."""
    async with pool.acquire() as conn:
        claimed = await queries.claim(conn, now=now, lease=LEASE, limit=AT_ONCE)
    await asyncio.gather(*(_attempt(pool, settings, each, now) for each in claimed))
    return len(claimed)


async def _attempt(pool: asyncpg.Pool, settings: Settings, mail: asyncpg.Record, now: datetime) -> None:
    """Send one. What goes wrong here is ours: it is noted, and the mail comes due again as after any other fault, in the end no more."""
    try:
        await _send(pool, settings, mail, now)
        if mail["noted"]:
            async with pool.acquire() as conn:
                await parked.forget(conn, SENDING, mail["id"])
    except UNREACHABLE as error:  # its lease brings it back
        log.warning("a notice is left to its lease: %s", type(error).__name__)
    except Exception as error:
        try:
            async with pool.acquire() as conn, conn.transaction():
                await failed(conn, SENDING, "notice", mail["id"], None, error, now)
                await _record(conn, mail, Outcome("internal"), now)
        except Exception as unwritten:
            log.error("a notice is left to its lease: %s", type(unwritten).__name__)


async def _send(pool: asyncpg.Pool, settings: Settings, mail: asyncpg.Record, now: datetime) -> None:
    async with pool.acquire() as conn:
        address = await queries.address_of(conn, mail["agency_id"])
        lines = await queries.lines_of(conn, mail["id"], mail["agency_id"]) if address is not None else []
        if address is None or not lines:
            await queries.settle(conn, mail["id"], "needless", now=now)
            return
    message = compose(
        settings,
        mail_id=mail["id"],
        to=address["email"],
        language=address["language"],
        lines=[Line(each["subject"], each["reference"]) for each in lines],
        at=mail["created_at"],
        practice=address["sandbox"],
    )
    outcome = await send(settings, message, to=address["email"])
    async with pool.acquire() as conn, conn.transaction():
        await _record(conn, mail, outcome, now)


async def _record(conn: asyncpg.Connection, mail: asyncpg.Record, outcome: Outcome, now: datetime) -> None:
    if outcome.fault is None:
        await queries.settle(conn, mail["id"], "sent", now=now)
        await queries.flag_address(conn, mail["agency_id"], None)
        return
    until = next_try(
        outcome,
        attempts=mail["attempts"],
        first_at=mail["first_at"],
        now=now,
        chance=random.random(),  # noqa: S311 -- spreads retries, decides nothing
    )
    await queries.put_off(conn, mail["id"], until=until, fault=outcome.fault, status=outcome.status, now=now)
    if outcome.fault == "refused":
        await queries.flag_address(conn, mail["agency_id"], now)
    log.warning(
        "notice not taken: %s %s%s",
        outcome.fault,
        outcome.status or "",
        ", given up" if until is None else "",
    )


async def forget(conn: asyncpg.Connection, now: datetime) -> int:
    """Forget mails that ended a month ago."""
    return await queries.forget(conn, before=now - KEPT, limit=1000)

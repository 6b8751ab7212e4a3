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
from app.foundation.settings import Settings

log = logging.getLogger("rujukan.notices")

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
    """Put new events into mails; return of how many agencies. An agency that fails does not stop the others."""
    async with conn.transaction():
        found = await queries.behind(conn, AGENCIES)
        for each in found:
            try:
                async with conn.transaction():
                    await _gather_of(conn, settings, each, now)
            except asyncpg.PostgresError as error:
                log.error("notices of an agency failed: %s", type(error).__name__)
    return len(found)


async def _gather_of(conn: asyncpg.Connection, settings: Settings, each: asyncpg.Record, now: datetime) -> None:
    agency_id = each["agency_id"]
    events = await queries.events_after(conn, agency_id, each["position"], EVENTS)
    if not events:  # the feed keeps nothing of what is missing
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
    for result in await asyncio.gather(*(_send(pool, settings, each, now) for each in claimed), return_exceptions=True):
        if isinstance(result, BaseException):  # its lease brings it back
            log.error("a notice failed: %s", type(result).__name__)
    return len(claimed)


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

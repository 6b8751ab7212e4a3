"""Claims: a job takes one row, does what is due, commits, and takes the next.

A claim is the row's own lock, for the length of one transaction: `FOR UPDATE SKIP LOCKED` gives each row to one worker, and a worker that
dies gives it back untouched. What cannot be done is undone, noted, and tried again later and later, for ever; the rows behind it have their turn.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from app.foundation.database import GONE, Connection
from app.outbox.jobs import queries

log = logging.getLogger("rujukan.jobs")
WAITS: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=15),
)
"""How long after its first, second … failure something is tried again; the last one stays. Somebody waits for a deadline that does not pass."""
PARKED_FROM: Final = 3
"""Failures in a row after which something counts as parked, and people are told. Less may be a lock or a restart."""
SETTLED_AFTER: Final = timedelta(hours=1)
"""What is not tried again so long after its time is not due any more; every job looks more often than that."""
_NOBODYS_FAULT: Final = (
    *GONE,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
)
"""What says something of the database, nothing of the row."""

Claim = Callable[[list[UUID]], Awaitable[asyncpg.Record | None]]
"""Returns the next row that is due (with `id`, and with `case_id` if it has one), locked if the role may; the ids given are passed over."""
Work = Callable[[asyncpg.Record], Awaitable[object]]
"""Does what is due of a row, in the transaction of the claim. False: somebody else has it just now."""


def named(error: BaseException) -> str:
    """Return an error's SQLSTATE, or its type. Its text may hold values."""
    return getattr(error, "sqlstate", None) or type(error).__name__


async def one_by_one(
    conn: Connection, job: str, subject: str, claim: Claim, work: Work, now: datetime, *, limit: int
) -> int:
    """Claim and do up to `limit` rows, each in a transaction of its own; return how many had their turn.

    Raises what says that the database is away. Whatever else a row raises is noted in `parked_job` with its ids, and the next one is taken.
    """
    failing: set[UUID] | None = None
    passed_over: list[UUID] = []
    turns = 0
    for _ in range(limit):
        row: asyncpg.Record | None = None
        try:
            async with conn.transaction():
                row = await claim(passed_over)
                if row is None:
                    break
                if failing is None:
                    failing = await queries.failing(conn, job)
                if await work(row) is False:
                    passed_over.append(row["id"])
                    continue
                if row["id"] in failing:
                    await queries.forget(conn, job, row["id"])
            turns += 1
        except _NOBODYS_FAULT:
            raise
        except Exception as error:
            if row is None or conn.is_closed():
                raise
            await failed(conn, job, subject, row["id"], row.get("case_id"), error, now)
            passed_over.append(row["id"])
            turns += 1
    return turns


async def failed(
    conn: Connection,
    job: str,
    subject: str,
    subject_id: UUID,
    case_id: UUID | None,
    error: BaseException,
    now: datetime,
) -> None:
    """Note that a job could not deal with something, and when it is tried again."""
    attempts = await queries.note_failure(conn, job, subject, subject_id, case_id, named(error), now, WAITS)
    again = int(WAITS[min(attempts, len(WAITS)) - 1].total_seconds())
    told = log.warning if attempts < PARKED_FROM else log.error
    told("%s: %s %s failed (%s), time %d; again in %d s", job, subject, subject_id, named(error), attempts, again)

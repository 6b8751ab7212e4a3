"""The SQL of what jobs could not do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def failing(conn: Connection, job: str) -> set[UUID]:
    """Return what a job has failed at and not done since."""
    return {row[0] for row in await conn.fetch("SELECT subject_id FROM parked_job WHERE job = $1", job)}


async def note_failure(
    conn: Connection,
    job: str,
    subject: str,
    subject_id: UUID,
    case_id: UUID | None,
    error: str,
    now: datetime,
    waits: Collection[timedelta],
) -> int:
    """Count a failure, and say when it is tried again: after the first of `waits`, then the second, in the end always the last.

    Return which failure it was.
    """
    attempts: int = await conn.fetchval(
        """INSERT INTO parked_job AS p (job, subject, subject_id, case_id, error, attempts, first_at, last_at, retry_at)
           VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $6::timestamptz + ($7::interval[])[1])
           ON CONFLICT (job, subject_id) DO UPDATE SET error = $5, attempts = p.attempts + 1, last_at = $6,
               retry_at = $6::timestamptz + ($7::interval[])[least(p.attempts + 1, cardinality($7::interval[]))]
           RETURNING attempts""",
        job,
        subject,
        subject_id,
        case_id,
        error,
        now,
        list(waits),
    )
    return attempts


async def forget(conn: Connection, job: str, subject_id: UUID) -> None:
    """It is done."""
    await conn.execute("DELETE FROM parked_job WHERE job = $1 AND subject_id = $2", job, subject_id)


async def forget_settled(conn: Connection, before: datetime) -> int:
    """Take out what was to be tried again before then and was not: it is not due any more, since somebody has answered. Return how many."""
    done: str = await conn.execute("DELETE FROM parked_job WHERE retry_at < $1", before)
    return int(done.rsplit(" ", 1)[1])


async def listed(conn: Connection, limit: int) -> list[asyncpg.Record]:
    """Return what jobs have failed at and not done since, what waits longest first."""
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT * FROM parked_job ORDER BY first_at, job, subject_id LIMIT $1", limit
    )
    return rows


async def count(conn: Connection, attempts: int) -> tuple[int, datetime | None]:
    """Return how many have failed at least so often, and since when the first of them waits."""
    row = await conn.fetchrow("SELECT count(*), min(first_at) FROM parked_job WHERE attempts >= $1", attempts)
    assert row is not None
    return row[0], row[1]


async def retry(conn: Connection, job: str | None, subject_id: UUID | None, now: datetime) -> int:
    """Have the worker try at once again: one, those of a job, or all. Return how many."""
    done: str = await conn.execute(
        "UPDATE parked_job SET retry_at = $3 WHERE ($1::text IS NULL OR job = $1) AND ($2::uuid IS NULL OR subject_id = $2)",
        job,
        subject_id,
        now,
    )
    return int(done.rsplit(" ", 1)[1])


async def parked_by_job(conn: Connection, attempts: int) -> dict[str, int]:
    """Return how much each job has failed at, at least so often."""
    rows = await conn.fetch("SELECT job, count(*) FROM parked_job WHERE attempts >= $1 GROUP BY job", attempts)
    return {row["job"]: row["count"] for row in rows}


@dataclass(frozen=True, slots=True)
class Queue:
    """Something that waits in a table: what of it does ($1 is now), and since when. All of it is SQL, written here."""

    name: str
    table: str
    since: str
    where: str = "true"
    first: str | None = None
    """What the one that waits longest is found by, if not by `since`."""


QUEUES: Final = (
    Queue("events", "outbox", "recorded_at", first="seq"),
    Queue("log_entries", "log_waiting", "recorded_at", first="seq"),
    Queue("referral_deadlines", "referral", "due_at", "due_at <= $1"),
    Queue("transfer_deadlines", "transfer", "due_at", "due_at <= $1"),
    Queue("request_deadlines", "request", "look_at", "look_at <= $1 AND state = 'open'"),
    Queue("escalations", "escalation", "opened_at", "next_at IS NOT NULL"),
    Queue("escalation_steps", "escalation", "next_at", "next_at <= $1"),
    Queue("deliveries", "delivery", "recorded_at", "state = 'waiting'"),
    Queue("deliveries_due", "delivery", "due_at", "state = 'waiting' AND due_at <= $1"),
    Queue("notices", "notice_mail", "created_at", "state = 'waiting'"),
    Queue("notices_due", "notice_mail", "due_at", "state = 'waiting' AND due_at <= $1"),
    Queue(
        "import_lines",
        "bulk_import i JOIN import_line l ON l.import_id = i.id",
        "i.started_at",
        "i.state = 'running' AND l.outcome IS NULL",
    ),
    Queue("attachment_scans", "attachment", "completed_at", "state = 'scanning' AND due_at IS NOT NULL"),
    Queue("parked_jobs", "parked_job", "first_at"),
)
"""What is measured; a table that is not there, or that the worker may not read, is left out."""
MOST: Final = 100_000


async def length(conn: Connection, queue: Queue, now: datetime) -> tuple[int, datetime | None]:
    """Return how much waits (at most `MOST`), and since when the first does."""
    row = await conn.fetchrow(
        f"""WITH asked AS (SELECT $1::timestamptz AS now)
            SELECT (SELECT count(*) FROM (SELECT FROM {queue.table} WHERE {queue.where} LIMIT {MOST}) AS waiting),
                   (SELECT {queue.since} FROM {queue.table} WHERE {queue.where} ORDER BY {queue.first or queue.since} LIMIT 1)""",  # noqa: S608
        now,
    )
    assert row is not None
    return row[0], row[1]

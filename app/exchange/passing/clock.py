"""The clock: reminders, overdue, expiry. What to do is a pure function of the table's row; the worker does it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import asyncpg

from app.exchange.lifecycle import REMIND_AT, Lifecycle, first_reminder
from app.exchange.passing.service import within
from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.settings import Settings

log = logging.getLogger("rujukan.clock")
_REMINDED, _OVERDUE = 1, 2


@dataclass(frozen=True, slots=True)
class Tick:
    """What the clock does to one row, and when it looks again."""

    act: Literal["remind", "overdue", "extend", "expire"]
    again: datetime | None
    step: int
    respond_by: datetime | None = None


def next_tick(
    lifecycle: Lifecycle,
    settings: Settings,
    *,
    state: str,
    urgency: str,
    respond_by: datetime,
    step: int,
    now: datetime,
    ends: datetime | None = None,
) -> Tick | None:
    """Decide for a row whose time to look has come; None if nothing is due in its state. `ends`: an agreed end, where there is one.

    Nothing expires unannounced: a worker that was away at half-time reminds first, late, and looks again after as long.
    """
    deadline = lifecycle.deadline(state)
    if deadline is None:
        return None
    span = within(settings, deadline, urgency)
    if deadline.at_deadline != "answer":
        if step == 0 and (ends is None or now < ends):
            return Tick("remind", ends or now + span * (1 - REMIND_AT), _REMINDED)
        return Tick("overdue", now + span, _OVERDUE)
    if now < respond_by:
        return Tick("remind", respond_by, _REMINDED)
    if urgency == "immediate":
        return Tick("overdue", now + span * REMIND_AT, _OVERDUE)
    if urgency == "urgent" and step < _OVERDUE:
        return Tick("extend", now + span, _OVERDUE, respond_by=now + span)
    if step == 0:
        return Tick("remind", now + first_reminder(span), _REMINDED)
    return Tick("expire", None, _OVERDUE)


async def watch(conn: Connection, lifecycle: Lifecycle, settings: Settings, now: datetime, *, limit: int = 200) -> int:
    """Look at the rows that are due and do what their deadlines say, in one transaction; safe beside other workers. Return how many."""
    table = lifecycle.name
    async with conn.transaction():
        rows = await conn.fetch(
            f"""SELECT id, case_id, state, urgency, respond_by, clock_step, version, sender_id, receiver_id,
                       {"paper_due_at" if table == "transfer" else "NULL::timestamptz"} AS ends
                FROM {table}
                WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED""",  # noqa: S608 -- one of two names
            now,
            limit,
        )
        for row in rows:
            tick = next_tick(
                lifecycle,
                settings,
                state=row["state"],
                urgency=row["urgency"],
                respond_by=row["respond_by"],
                step=row["clock_step"],
                now=now,
                ends=row["ends"],
            )
            if tick is None:
                log.error("a %s in state %s has come due, and the table has no deadline for it", table, row["state"])
                await conn.execute(f"UPDATE {table} SET due_at = NULL WHERE id = $1", row["id"])  # noqa: S608
            elif tick.act == "expire":
                await _expire(conn, table, row, now)
            else:
                await _look_again(conn, table, row, tick, now)
    return len(rows)


async def _look_again(conn: Connection, table: str, row: asyncpg.Record, tick: Tick, now: datetime) -> None:
    await conn.execute(
        f"""UPDATE {table} SET due_at = $2, clock = $3, clock_step = $4, respond_by = coalesce($5, respond_by) WHERE id = $1""",  # noqa: S608
        row["id"],
        tick.again,
        "due" if tick.act == "remind" else "overdue",
        tick.step,
        tick.respond_by,
    )
    told = [row["receiver_id"]] if tick.act == "remind" else [row["receiver_id"], row["sender_id"]]
    await _tell(conn, table, row, "reminder" if tick.act == "remind" else "overdue", row["state"], told, now)


async def _expire(conn: Connection, table: str, row: asyncpg.Record, now: datetime) -> None:
    await conn.execute(
        f"""UPDATE {table} SET state = 'expired', version = version + 1, updated_at = $2, ended_at = $2, due_at = NULL, clock = 'ok'
            WHERE id = $1""",  # noqa: S608
        row["id"],
        now,
    )
    await conn.execute(
        "UPDATE disclosure SET closed_at = $2 WHERE subject_id = $1 AND closed_at IS NULL", row["id"], now
    )
    await conn.execute(
        """INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, channel,
                             occurred_at, recorded_at)
           VALUES ($1, $2, $3, $4, 'expire', $5, 'expired', $6, $7, $8, 'system', $9, $9)""",
        uuid7(now),
        row["case_id"],
        table,
        row["id"],
        row["state"],
        row["version"] + 1,
        row["sender_id"],
        row["receiver_id"],
        now,
    )
    await conn.fetchval(
        "SELECT append_log($1, NULL, NULL, NULL, NULL, $2, 'done', $3, $4, $5, '{}')",
        now,
        f"{table}:expire",
        table,
        row["id"],
        row["case_id"],
    )
    await _tell(conn, table, row, "expired", "expired", [row["sender_id"], row["receiver_id"]], now)


async def _tell(
    conn: Connection, table: str, row: asyncpg.Record, what: str, state: str, told: list[object], now: datetime
) -> None:
    await conn.executemany(
        "INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [(agency, f"{table}.{what}", table, row["id"], row["case_id"], state, now) for agency in told],
    )


LOOK_EVERY = timedelta(seconds=1)

"""The clock: reminders, escalations, expiry. What to do is a pure function of the table's row; the worker does it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from app.exchange.lifecycle import REMIND_AT, Deadline, Lifecycle, first_reminder
from app.exchange.passing.service import within
from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.settings import Settings
from app.outbox.jobs.claims import one_by_one

_REMINDED, _ESCALATED = 1, 2
_ENDED = {"expire": "expired", "confirm_cancel": "cancelled"}
"""The clock's own moves, and where they lead."""


class NothingSaysWhen(LookupError):
    """A row has come due in a state without a deadline: our mistake. Somebody may wait for it, so it is kept before people until it is put right."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What the clock does to one row, and when it looks again."""

    act: Literal["wait", "remind", "escalate", "repeat", "expire", "confirm_cancel"]
    """`repeat`: says again that the deadline has passed; who is asked about it is the escalation's own ladder."""
    again: datetime | None
    step: int
    respond_by: datetime | None = None
    """A new deadline to answer, where the old one is extended."""


def next_tick(
    lifecycle: Lifecycle,
    settings: Settings,
    *,
    state: str,
    urgency: str,
    deadline_at: datetime,
    step: int,
    now: datetime,
    started: bool = False,
    own: Mapping[str, timedelta] | None = None,
) -> Tick | None:
    """Decide for a row whose time to look has come; None if its state has no deadline. `own`: the receiver's times, by setting.

    Nothing ends unannounced: it expires only after its escalation, and a cancellation that no reminder went before is reminded of first,
    also when the worker was away and the deadline long past.
    """
    row = lifecycle.deadline(state)
    if row is None or row.at_deadline == "none":
        return None
    span = within(settings, row, urgency, own)
    if now < deadline_at:
        reminds = row.remind and step == 0
        return Tick("remind" if reminds else "wait", deadline_at, max(step, _REMINDED))
    if row.at_deadline == "cancel" and not started:
        if step == 0:
            return Tick("remind", now + first_reminder(span), _REMINDED)
        return Tick("confirm_cancel", None, step)
    if step < _ESCALATED:
        return _escalate(row, settings, urgency, span, now)
    if row.at_deadline == "answer" and urgency != "immediate":
        return Tick("expire", None, step)
    return Tick("repeat", now + _rhythm(row, span), _ESCALATED)


def _escalate(row: Deadline, settings: Settings, urgency: str, span: timedelta, now: datetime) -> Tick:
    if row.at_deadline == "answer" and urgency == "urgent":
        return Tick("escalate", now + span, _ESCALATED, respond_by=now + span)
    if row.at_deadline == "answer" and urgency == "standard":
        return Tick("escalate", now + settings.expire_after_escalation, _ESCALATED)
    return Tick("escalate", now + _rhythm(row, span), _ESCALATED)


def _rhythm(row: Deadline, span: timedelta) -> timedelta:
    return span * REMIND_AT if row.at_deadline == "answer" else span


async def watch(conn: Connection, lifecycle: Lifecycle, settings: Settings, now: datetime, *, limit: int = 200) -> int:
    """Look at the rows that are due and do what their deadlines say, one by one; safe beside other workers. Return how many."""
    table = lifecycle.name
    job = f"watch_{table}s"

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            f"""SELECT id, case_id, state, urgency, deadline_at, clock_step, version, sender_id, receiver_id, turn_id,
                       {"started_at" if table == "referral" else "NULL::timestamptz"} AS started_at
                FROM {table} WHERE due_at <= $1
                 AND id <> ALL ($2) AND NOT is_parked('watch_{table}s', id, $1)
                ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED""",  # noqa: S608 -- one of two names
            now,
            passed_over,
        )

    async def work(row: asyncpg.Record) -> None:
        tick = row["deadline_at"] and next_tick(
            lifecycle,
            settings,
            state=row["state"],
            urgency=row["urgency"],
            deadline_at=row["deadline_at"],
            step=row["clock_step"],
            now=now,
            started=row["started_at"] is not None,
            own=await _own_times(conn, row["receiver_id"], now),
        )
        if tick is None:
            raise NothingSaysWhen(
                f"a {table} in state {row['state']} has come due, and nothing says when that state ends"
            )
        if tick.act in _ENDED:
            await _end(conn, table, row, tick.act, now)
            # in the order of their ids, so that nobody who closes several ever waits for us while we wait for them
            await conn.execute(
                """UPDATE disclosure SET closed_at = $2 WHERE closed_at IS NULL AND id IN (
                       SELECT id FROM disclosure WHERE subject_id = $1 AND closed_at IS NULL ORDER BY id FOR UPDATE)""",
                row["id"],
                now,
            )
        else:
            await _look_again(conn, table, row, tick, now)

    return await one_by_one(conn, job, table, claim, work, now, limit=limit)


async def _own_times(conn: Connection, agency_id: UUID, now: datetime) -> dict[str, timedelta] | None:
    """Return the deadlines of an agency that has its own, as `Snapshot.times` does for the API."""
    own = await conn.fetchval(
        """SELECT times::text FROM agreement
           WHERE kind = 'times' AND agency_id = $1 AND from_at <= $2 AND (until_at IS NULL OR until_at > $2)""",
        agency_id,
        now,
    )
    return None if own is None else {name: timedelta(seconds=value) for name, value in json.loads(own).items()}


async def _look_again(conn: Connection, table: str, row: asyncpg.Record, tick: Tick, now: datetime) -> None:
    if tick.act == "escalate":
        await conn.execute("SELECT open_escalation($1, $2, $3, $4)", uuid7(now), table, row["id"], now)
    await conn.execute(
        f"""UPDATE {table} SET due_at = $2, clock_step = $3, clock = coalesce($4, clock), respond_by = coalesce($5, respond_by),
                   deadline_at = coalesce($5, deadline_at) WHERE id = $1""",  # noqa: S608
        row["id"],
        tick.again,
        tick.step,
        {"remind": "due", "escalate": "escalated", "repeat": "escalated"}.get(tick.act),
        tick.respond_by,
    )
    if tick.act == "remind":
        await _tell(conn, table, row, "reminder", row["state"], [row["turn_id"] or row["receiver_id"]], now)
    elif tick.act != "wait":
        await _tell(conn, table, row, "overdue", row["state"], [row["receiver_id"], row["sender_id"]], now)


async def _end(conn: Connection, table: str, row: asyncpg.Record, event: str, now: datetime) -> None:
    state = _ENDED[event]
    await conn.execute(
        f"""UPDATE {table} SET state = $3, version = version + 1, updated_at = $2, ended_at = $2, due_at = NULL, deadline_at = NULL,
                   clock = 'ok' WHERE id = $1""",  # noqa: S608
        row["id"],
        now,
        state,
    )
    await conn.execute(
        """INSERT INTO move (id, case_id, subject, subject_id, event, from_state, to_state, version, sender_id, receiver_id, channel,
                             occurred_at, recorded_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'system', $11, $11)""",
        uuid7(now),
        row["case_id"],
        table,
        row["id"],
        event,
        row["state"],
        state,
        row["version"] + 1,
        row["sender_id"],
        row["receiver_id"],
        now,
    )
    await conn.fetchval(
        "SELECT append_log($1, NULL, NULL, NULL, NULL, $2, 'done', $3, $4, $5, '{}')",
        now,
        f"{table}:{event}",
        table,
        row["id"],
        row["case_id"],
    )
    await _tell(conn, table, row, state, state, [row["sender_id"], row["receiver_id"]], now)


async def _tell(
    conn: Connection, table: str, row: asyncpg.Record, what: str, state: str, told: list[object], now: datetime
) -> None:
    await conn.executemany(
        "INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [(agency, f"{table}.{what}", table, row["id"], row["case_id"], state, now) for agency in told],
    )

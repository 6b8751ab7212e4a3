"""The worker's SQL: what becomes a delivery, what is claimed, what came of it, what is removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from app.delivery.message import Message
from app.delivery.pace import Share
from app.delivery.retry import FEWEST
from app.foundation.database import Connection

LEASE: Final = timedelta(seconds=60)
"""How long a claim holds: some times what an attempt may take, so that only a dead worker's come due again."""
OVERTAKEN_AFTER: Final = timedelta(minutes=5)
"""How long a delivery keeps later ones of its case waiting while it fails."""
FURTHEST: Final = timedelta(hours=30)
"""Further ahead than any try can be due: what is, was made under a clock that went wrong."""
WEBHOOKS: Final = 100
EVENTS: Final = 200
"""Webhooks, and events of each, that one round turns into deliveries."""
WAITING: Final = 5000
"""Deliveries that may wait for one webhook before no more are made: what it is behind by then stays in the feed."""
REMOVED: Final = 1000
FRONT: Final = 100
"""Of what is due at one webhook, how much is looked at in order; if less may go than there is room for, its cases are, up to `CASES`."""
CASES: Final = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is this process's to send, until its lease ends."""

    webhook_id: UUID
    url: str
    message: Message
    number: int
    """Of the attempt, from 1."""
    first_at: datetime
    """The first attempt: with the number, what tells this claim from another."""
    reached_nobody: timedelta
    """How much of the time since then the exchange reached nobody at all, which counts against no message."""
    failing: bool
    """Whether its webhook has failed last, or is slow."""
    noted: bool
    """Whether it, or its webhook, is noted as something that the exchange could not do."""
    keys: tuple[tuple[UUID, bytes], ...] = field(repr=False)
    """The keys it is signed with, sealed, the newest first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a claim, and what follows from it."""

    id: UUID
    at: datetime
    state: str
    """Of the delivery: `delivered`, `failed`, or `waiting` for another attempt at `due_at`."""
    due_at: datetime
    status: int | None
    fault: str | None
    milliseconds: int
    answer: bytes | None = field(repr=False)
    """Sealed."""


_BEHIND = """
SELECT w.id, f.position AS feed_position
FROM webhook w JOIN feed_end f ON f.agency_id = w.agency_id
WHERE w.state = 'active' AND w.position < f.position AND webhook_in_service(w.client_id, w.agency_id)
  AND w.id <> ALL ($4) AND NOT is_parked('make_deliveries', w.id, $1)
  AND (SELECT true FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'waiting' ORDER BY d.due_at, d.position OFFSET $3 LIMIT 1) IS NULL
ORDER BY random() LIMIT $2 FOR NO KEY UPDATE OF w SKIP LOCKED
"""
# A second statement, so that it sees whatever was committed when the rows were locked. Where the feed keeps nothing of what is missing,
# the webhook goes on from its end.
_FAN_OUT = """
WITH taken AS (
    SELECT w.id, w.types, e.* FROM unnest($1::uuid[]) AS l (id) JOIN webhook w USING (id) CROSS JOIN LATERAL (
        SELECT agency_id, position, event_id, type, subject, subject_id, case_id, state, recorded_at FROM event
        WHERE agency_id = w.agency_id AND position > w.position ORDER BY position LIMIT $4) e
), made AS (
    INSERT INTO delivery (webhook_id, message_id, agency_id, position, type, subject, subject_id, case_id, event_state, recorded_at, due_at)
    SELECT id, event_id, agency_id, position, type, subject, subject_id, case_id, state, recorded_at, $3 FROM taken
    WHERE type_wanted(types, type) ON CONFLICT DO NOTHING
), moved AS (
    UPDATE webhook w SET position = coalesce((SELECT max(t.position) FROM taken t WHERE t.id = l.id), l.feed_position)
    FROM unnest($1::uuid[], $2::bigint[]) AS l (id, feed_position) WHERE w.id = l.id
)
SELECT count(*) AS events, coalesce(max(n), 0) AS most FROM (SELECT id, count(*) OVER (PARTITION BY id) AS n FROM taken) AS counted
"""


async def fan_out(
    conn: Connection,
    now: datetime,
    *,
    webhooks: int = WEBHOOKS,
    events: int = EVENTS,
    waiting: int = WAITING,
    passed_over: Collection[UUID] = (),
) -> tuple[int, bool]:
    """Make deliveries of what the feeds have beyond each webhook's position; return how many events that were, and whether there may be more.

    A webhook's row is locked meanwhile, so that nothing is made twice however many workers do it; what another has locked is its own.
    """
    async with conn.transaction():
        behind = await conn.fetch(_BEHIND, now, webhooks, waiting - 1, list(passed_over))
        if not behind:
            return 0, False
        made, most = await fan_out_to(conn, behind, now, events=events)
        return made, len(behind) == webhooks or most == events


async def one_behind(conn: Connection, now: datetime, passed_over: Collection[UUID]) -> asyncpg.Record | None:
    """Lock one webhook that is behind its feed, and return it."""
    return await conn.fetchrow(_BEHIND, now, 1, WAITING - 1, list(passed_over))


async def fan_out_to(
    conn: Connection, behind: Sequence[asyncpg.Record], now: datetime, *, events: int = EVENTS
) -> tuple[int, int]:
    """Make deliveries to webhooks that are locked; return how many events that were, and how many of the one that had most."""
    row = await conn.fetchrow(
        _FAN_OUT, [each["id"] for each in behind], [each["feed_position"] for each in behind], now, events
    )
    assert row is not None
    return row["events"], row["most"]


# Round robin: the first of each webhook comes before the second of any, those under way counted. Which of a webhook's may go, due_deliveries says.
_CLAIM = """
WITH open AS (
    SELECT w.id, w.failing_since IS NOT NULL OR coalesce(b.slow, false) AS failing, coalesce(b.busy, 0) AS busy,
           CASE WHEN w.failing_since IS NOT NULL OR b.slow THEN 1 ELSE coalesce(b.most, $14) END AS most
    FROM webhook w LEFT JOIN unnest($3::uuid[], $11::integer[], $12::integer[], $13::boolean[]) AS b (id, busy, most, slow) ON b.id = w.id
    WHERE w.state = 'active' AND NOT w.id = ANY ($8::uuid[])
      AND (SELECT true FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.due_at <= $1 ORDER BY d.due_at, d.position LIMIT 1)
      AND webhook_in_service(w.client_id, w.agency_id) AND NOT is_parked('send_deliveries', w.id, $1)
), due AS (
    SELECT open.id, d.o_message_id AS message_id, open.most, open.failing,
           open.busy + row_number() OVER (PARTITION BY open.id ORDER BY d.o_due_at, d.o_position) AS place
    FROM open CROSS JOIN LATERAL due_deliveries(open.id, $1, $2, $9, open.most - open.busy, $5, $4) d
    WHERE open.most > open.busy
), turns AS (
    SELECT id, message_id, place, failing, row_number() OVER (PARTITION BY place > 1, failing ORDER BY place, random()) AS turn
    FROM due WHERE place <= most
), taken AS (
    SELECT d.webhook_id, d.message_id, t.failing FROM (
        SELECT * FROM turns WHERE turn <= CASE WHEN failing THEN $10::bigint WHEN place > 1 THEN $7::bigint ELSE $6::bigint END
        ORDER BY place, turn LIMIT $6) t
    JOIN delivery d ON d.webhook_id = t.id AND d.message_id = t.message_id
    -- written so that no index of what waits fits: each is found by its key, and not by a walk through all that is due
    WHERE d.state || '' = 'waiting' AND d.due_at + interval '0' <= $1 FOR NO KEY UPDATE OF d SKIP LOCKED
)
UPDATE delivery d SET due_at = $1::timestamptz + $2::interval, attempts = d.attempts + 1, first_at = coalesce(d.first_at, $1)
FROM taken t, webhook w WHERE d.webhook_id = t.webhook_id AND d.message_id = t.message_id AND w.id = d.webhook_id
RETURNING d.*, w.url, t.failing, reached_nobody(d.first_at, $1) AS reached_nobody,
    EXISTS (SELECT FROM parked_job p WHERE p.job = 'send_deliveries' AND p.subject_id IN (d.message_id, w.id)) AS noted,
    ARRAY(SELECT (k.id, k.private_sealed) FROM webhook_key k WHERE k.webhook_id = w.id AND (k.ends_at IS NULL OR k.ends_at > $1)
          ORDER BY k.created_at DESC, k.id) AS keys
"""


async def claim(
    pool: asyncpg.Pool,
    now: datetime,
    *,
    shares: Mapping[UUID, Share],
    first: int,
    resting: Sequence[UUID],
    room: int,
    room_for_more: int,
    room_for_failing: int,
) -> list[Claimed]:
    """Claim what is due, the oldest first: at most `room`, of which at most `room_for_more` for webhooks that something is being sent to, and at
    most `room_for_failing` for those that have failed last or are slow.

    `shares` says how much of each webhook this process is sending and how much that may be, `first` how much of any other; `resting` which webhooks
    it leaves alone.
    """
    async with pool.acquire() as conn, conn.transaction():
        # planned each time: a plan that was made while the table was small walks through all of it once it is not
        await conn.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = await _claim(conn, now, shares, first, resting, room, room_for_more, room_for_failing)
    return [_claimed(row) for row in sorted(rows, key=lambda row: (row["due_at"], row["position"] or 0))]


async def _claim(
    conn: Connection,
    now: datetime,
    shares: Mapping[UUID, Share],
    first: int,
    resting: Sequence[UUID],
    room: int,
    room_for_more: int,
    room_for_failing: int,
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await conn.fetch(
        _CLAIM,
        now,
        LEASE,
        list(shares),
        CASES,
        FRONT,
        room,
        room_for_more,
        list(resting),
        OVERTAKEN_AFTER,
        room_for_failing,
        [share.busy for share in shares.values()],
        [share.most for share in shares.values()],
        [share.slow for share in shares.values()],
        first,
    )
    return rows


def _claimed(row: asyncpg.Record) -> Claimed:
    return Claimed(
        webhook_id=row["webhook_id"],
        url=row["url"],
        message=Message(
            id=row["message_id"],
            position=row["position"],
            type=row["type"],
            subject=row["subject"],
            subject_id=row["subject_id"],
            case_id=row["case_id"],
            state=row["event_state"],
            time=row["recorded_at"],
        ),
        number=row["attempts"],
        first_at=row["first_at"],
        reached_nobody=row["reached_nobody"],
        failing=row["failing"],
        noted=row["noted"],
        keys=tuple((key[0], key[1]) for key in row["keys"]),
    )


async def record(pool: asyncpg.Pool, claimed: Claimed, attempt: Attempt, *, pause_after: timedelta) -> str | None:
    """Record what came of an attempt; return what became of its webhook: `recovered` after a long time, `paused`, `gone`, or nothing.

    Or what became of all: for some time `nobody` is reached, or for the first time since then somebody was `reached`.
    """
    became: str | None = await pool.fetchval(
        "SELECT record_attempt($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        claimed.webhook_id,
        claimed.message.id,
        claimed.url,
        claimed.number,
        claimed.first_at,
        attempt.at,
        attempt.state,
        attempt.due_at,
        attempt.id,
        attempt.status,
        attempt.fault,
        attempt.milliseconds,
        attempt.answer,
        OVERTAKEN_AFTER,
        pause_after,
        FEWEST,
    )
    return became


async def hasten(pool: asyncpg.Pool, webhook_id: UUID, now: datetime) -> int:
    """Make due what waits for a later attempt at a webhook that answers again; return how many, a batch at most. What is under way stays so."""
    done = await pool.execute(
        """UPDATE delivery SET due_at = $2::timestamptz WHERE (webhook_id, message_id) IN (
               SELECT webhook_id, message_id FROM delivery WHERE webhook_id = $1 AND state = 'waiting' AND due_at > $2::timestamptz + $3::interval
               ORDER BY due_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)""",
        webhook_id,
        now,
        LEASE,
        REMOVED,
    )
    return int(done.split()[-1])


async def hasten_all(pool: asyncpg.Pool, now: datetime) -> int:
    """The same of all webhooks that fail since the last time in which nobody was reached began: it was not their fault."""
    done = await pool.execute(
        """UPDATE delivery SET due_at = $1::timestamptz WHERE (webhook_id, message_id) IN (
               SELECT d.webhook_id, d.message_id FROM webhook w JOIN delivery d
                   ON d.webhook_id = w.id AND d.state = 'waiting' AND d.due_at > $1::timestamptz + $2::interval
               WHERE w.state = 'active' AND w.failing_since >= (SELECT began_at FROM webhook_outage ORDER BY since DESC LIMIT 1)
               LIMIT $3 FOR NO KEY UPDATE OF d SKIP LOCKED)""",
        now,
        LEASE,
        REMOVED,
    )
    return int(done.split()[-1])


async def put_right(conn: Connection, now: datetime) -> int:
    """Make due what is due further ahead than anything can be: a clock had gone wrong. Return how many."""
    done = await conn.execute(
        """UPDATE delivery d SET due_at = $1::timestamptz FROM webhook w
           WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.due_at > $1::timestamptz + $2::interval""",
        now,
        FURTHEST,
    )
    return int(done.split()[-1])


async def remove_old(conn: Connection, before: datetime, given_up_before: datetime) -> int:
    """Remove deliveries that ended before then, with their attempts; return how many, a batch at most.

    What is sent again once its webhook is enabled again, since it was given up, stays up to the other time; so does when nobody was reached.
    """
    await conn.execute("DELETE FROM webhook_outage WHERE until_at < $1", given_up_before)
    removed = await conn.execute(
        """DELETE FROM delivery WHERE (webhook_id, message_id) IN (
               SELECT d.webhook_id, d.message_id FROM delivery d WHERE d.state <> 'waiting' AND d.ended_at < $1
               AND NOT (d.state = 'failed' AND d.ended_at >= $3 AND EXISTS (
                   SELECT FROM webhook w WHERE w.id = d.webhook_id AND w.state <> 'active' AND w.failing_since <= d.ended_at)) LIMIT $2)""",
        before,
        REMOVED,
        given_up_before,
    )
    return int(removed.split()[-1])


async def drop_waiting(conn: Connection, before: datetime, now: datetime) -> int:
    """Drop what has been due since before then, since its webhook is out of service; return how many, a batch at most."""
    dropped = await conn.execute(
        """UPDATE delivery SET state = 'dropped', ended_at = $2 WHERE (webhook_id, message_id) IN (
               SELECT d.webhook_id, d.message_id FROM webhook w JOIN delivery d ON d.webhook_id = w.id AND d.state = 'waiting' AND d.due_at < $1
               WHERE NOT (w.state = 'active' AND webhook_in_service(w.client_id, w.agency_id)) LIMIT $3 FOR NO KEY UPDATE OF d SKIP LOCKED)""",
        before,
        now,
        REMOVED,
    )
    return int(dropped.split()[-1])

"""The SQL of a client's own webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.foundation import json
from app.foundation.database import Connection

TRIES_SHOWN: Final = 15
_WEBHOOKS = """
SELECT w.id, w.url, w.description, w.types, w.state, w.state_at, w.position, w.failing_since, w.created_at, w.changed_at,
    coalesce((SELECT f.position - least(greatest(w.position, f.dropped), f.position) FROM feed_end f WHERE f.agency_id = w.agency_id), 0) AS behind,
    coalesce((SELECT greatest(f.dropped - w.position, 0) FROM feed_end f WHERE f.agency_id = w.agency_id), 0) AS lost,
    d.waiting, d.oldest_waiting_at, d.failed, d.last_success_at
FROM webhook w, LATERAL (SELECT
    (SELECT count(*) FROM delivery x WHERE x.webhook_id = w.id AND x.state = 'waiting') AS waiting,
    (SELECT min(x.recorded_at) FROM delivery x WHERE x.webhook_id = w.id AND x.state = 'waiting') AS oldest_waiting_at,
    (SELECT count(*) FROM delivery x WHERE x.webhook_id = w.id AND x.state = 'failed') AS failed,
    (SELECT max(x.ended_at) FROM delivery x WHERE x.webhook_id = w.id AND x.state = 'delivered') AS last_success_at) AS d
WHERE w.client_id = $1
"""
_DELIVERIES = """
SELECT message_id, type, position, subject, subject_id, case_id, recorded_at, state, due_at, attempts, ended_at, replayed_at
FROM delivery WHERE webhook_id = $1
"""


async def webhooks(tx: Connection, client_id: str) -> list[asyncpg.Record]:
    """Return a client's webhooks for the agency it acts for, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(f"{_WEBHOOKS} ORDER BY w.id", client_id)
    return rows


async def webhook(tx: Connection, client_id: str, id: UUID) -> asyncpg.Record | None:
    """Return one of them."""
    return await tx.fetchrow(f"{_WEBHOOKS} AND w.id = $2", client_id, id)


async def keys(tx: Connection, webhook_ids: Sequence[UUID], at: datetime) -> list[asyncpg.Record]:
    """Return the keys that sign now, the newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT webhook_id, id, public_key, created_at, ends_at FROM webhook_key"
        " WHERE webhook_id = ANY ($1) AND (ends_at IS NULL OR ends_at > $2) ORDER BY ends_at NULLS FIRST, id DESC",
        webhook_ids,
        at,
    )
    return rows


async def deliveries(
    tx: Connection,
    webhook_id: UUID,
    *,
    state: str | None,
    before: tuple[int | None, UUID] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return what a webhook was or is to be sent, the newest event first and tests before all; from behind `before`, a position and an id."""
    where, arguments = "", [webhook_id, limit]
    if state is not None:
        arguments.append(state)
        where += f" AND state = ${len(arguments)}"
    if before is not None and before[0] is None:
        arguments.append(before[1])
        where += f" AND (position IS NOT NULL OR message_id < ${len(arguments)})"
    elif before is not None:
        arguments.append(before[0])
        where += f" AND position < ${len(arguments)}"
    rows: list[asyncpg.Record] = await tx.fetch(
        f"{_DELIVERIES}{where} ORDER BY position DESC NULLS FIRST, message_id DESC LIMIT $2", *arguments
    )
    return rows


async def delivery(tx: Connection, webhook_id: UUID, message_id: UUID) -> asyncpg.Record | None:
    """Return one of them."""
    return await tx.fetchrow(f"{_DELIVERIES} AND message_id = $2", webhook_id, message_id)


async def attempts(tx: Connection, webhook_id: UUID, message_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Return the newest attempts at each message, the newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT t.* FROM unnest($2::uuid[]) AS m(id), LATERAL (
               SELECT id, message_id, at, number, status, fault, milliseconds, answer FROM delivery_attempt
               WHERE webhook_id = $1 AND message_id = m.id ORDER BY at DESC LIMIT $3) AS t""",
        webhook_id,
        message_ids,
        TRIES_SHOWN,
    )
    return rows


async def _post(db: Acting, function: str, key: Key, *arguments: Any) -> asyncpg.Record:
    places = "".join(f", ${place}" for place in range(5, 5 + len(arguments)))
    return await db.one(
        f"SELECT * FROM {function}($1, $2, $3, $4{places})",  # noqa: S608 -- a name written in this file
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        *arguments,
    )


async def repeated(db: Acting, key: Key) -> UUID | None:
    """Return what an earlier request by the same key has made; None if there was none."""
    id: UUID | None = (await _post(db, "repeated_answer", key))["id"]
    return id


async def add(db: Acting, key: Key, values: dict[str, Any], private: bytes) -> UUID:
    """Add a webhook with its first key, and return its id; that of the first time if the request is repeated."""
    row = await _post(db, "add_webhook", key, json.text(values), private, db.settings.webhooks_per_client)
    id: UUID = row["id"]
    return id


async def change(db: Acting, id: UUID, values: dict[str, Any]) -> None:
    """Change what is named."""
    await db.one("SELECT change_webhook($1, $2, $3)", id, json.text(values))


async def switch(db: Acting, key: Key, id: UUID, *, on: bool) -> None:
    """Put it into service, or take it out."""
    await _post(db, "switch_webhook", key, id, on)


async def remove(db: Acting, id: UUID) -> None:
    """Remove it with all that is its own."""
    await db.one("SELECT remove_webhook($1, $2)", id)


async def rotate_key(
    db: Acting, key: Key, id: UUID, *, key_id: UUID, public: str, private: bytes, overlap: timedelta
) -> None:
    """Let a new key sign, and the earlier one only for a while longer."""
    await _post(db, "rotate_webhook_key", key, id, key_id, public, private, overlap)


async def test(db: Acting, key: Key, id: UUID, message_id: UUID) -> UUID:
    """Have a test message sent, and return its id."""
    row = await _post(db, "test_webhook", key, id, message_id)
    made: UUID = row["id"]
    return made


async def replay_one(db: Acting, key: Key, id: UUID, message_id: UUID) -> None:
    """Have a message sent again."""
    await _post(db, "replay_delivery", key, id, message_id)


async def replay(
    db: Acting, key: Key, id: UUID, *, since: datetime | None, after: int | None, limit: int
) -> asyncpg.Record:
    """Have many sent again: what was given up, or all from a time or place on."""
    return await _post(db, "replay_webhook", key, id, since, after, limit)

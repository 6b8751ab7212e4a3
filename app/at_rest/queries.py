"""All SQL about keys at rest, beside the functions of `migrations/sql/keys.sql`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.foundation.keyring import Keyring

ANOTHER_KEYRING = "RJ123"
LONG = 600.0
"""Seconds that reading every sealed row of a large exchange may take; nobody waits for it."""


async def meet(conn: Connection, keyring: Keyring, *, process: UUID | None, now: datetime) -> list[asyncpg.Record]:
    """Say which keyring this is and what it holds; return every key the database knows."""
    held = [
        {
            "id": key.id,
            "month": key.month.isoformat(),
            "made_at": key.made_at.isoformat(),
            "proof": keyring.proof_of(key.id).hex(),
        }
        for key in keyring.keys
    ]
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT * FROM meet_keyring($1, $2, $3, $4, $5)",
        process,
        keyring.fingerprint,
        json.dumps(held),
        keyring.primary,
        now,
    )
    return rows


async def keys(conn: Connection) -> list[asyncpg.Record]:
    """Return every key-encryption key there was, by month."""
    rows: list[asyncpg.Record] = await conn.fetch("SELECT * FROM encryption_key ORDER BY month, made_at, id")
    return rows


async def mark(conn: Connection) -> bytes | None:
    """Return the fingerprint of the keyring the database was made with; None before the first use."""
    found: bytes | None = await conn.fetchval("SELECT fingerprint FROM keyring_mark")
    return found


async def holders(conn: Connection, *, now: datetime) -> list[asyncpg.Record]:
    """Return the processes heard of in the last three minutes."""
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT * FROM keyring_holder WHERE seen_at > $1::timestamptz - interval '3 minutes'", now
    )
    return rows


async def want_at_once(conn: Connection, key: int) -> None:
    """Let a key be used as soon as every process holds it, without waiting for its month and for a day to pass."""
    await conn.execute("UPDATE encryption_key SET at_once = true WHERE id = $1", key)


@asynccontextmanager
async def keyring_locked(conn: Connection) -> AsyncIterator[None]:
    """Let one process at a time change the keyring's file; no transaction, since writing it may ask the key service."""
    await conn.execute("SELECT pg_advisory_lock(hashtext('rujukan.keyring'))")
    try:
        yield
    finally:
        await conn.execute("SELECT pg_advisory_unlock(hashtext('rujukan.keyring'))")


async def counted(conn: Connection) -> list[asyncpg.Record]:
    """Return how much each key wraps in each column. Reads every sealed row."""
    rows: list[asyncpg.Record] = await conn.fetch("SELECT place, key_id, n FROM count_wrapped()", timeout=LONG)
    return rows


async def progress(conn: Connection) -> list[asyncpg.Record]:
    """Return how far each column's keys have been moved."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT s.place, p.key_id, p.after_id, coalesce(p.moved, 0) AS moved, p.started_at, p.ended_at
           FROM sealed_columns() s LEFT JOIN rewrap_progress p ON p.place = s.place ORDER BY s.place"""
    )
    return rows


async def begin_pass(conn: Connection, *, key: int, now: datetime) -> None:
    """Begin again with every column."""
    await conn.execute(
        """INSERT INTO rewrap_progress (place, key_id, started_at) SELECT place, $1, $2 FROM sealed_columns()
           ON CONFLICT (place) DO UPDATE SET key_id = excluded.key_id, after_id = NULL, ended_at = NULL, started_at = excluded.started_at,
               moved = CASE WHEN rewrap_progress.key_id = excluded.key_id THEN rewrap_progress.moved ELSE 0 END""",
        key,
        now,
    )


async def keys_to_move(
    conn: Connection, place: str, *, key: int, after: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return a column's next rows (`id`, `of`, `wrapped`) that another key than `key` wrapped."""
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT * FROM keys_to_move($1, $2, $3, $4)", place, key, after, limit, timeout=LONG
    )
    return rows


async def move_keys(
    conn: Connection,
    place: str,
    moved: Sequence[tuple[UUID, bytes, bytes]],
    *,
    after: UUID | None,
    ended: datetime | None,
) -> int:
    """Put the newly wrapped keys and how far that is, together. Returns how many rows it changed."""
    ids, old, new = ([each[i] for each in moved] for i in range(3))
    async with conn.transaction():
        found: int = await conn.fetchval("SELECT move_keys($1, $2, $3, $4)", place, ids, old, new) if moved else 0
        await conn.execute(
            "UPDATE rewrap_progress SET after_id = coalesce($2, after_id), moved = moved + $3, ended_at = $4 WHERE place = $1",
            place,
            after,
            found,
            ended,
        )
    return found


async def mark_emptied(conn: Connection, keys: Sequence[int], *, now: datetime) -> None:
    """Remember since when nothing is wrapped by these keys."""
    await conn.execute(
        "UPDATE encryption_key SET emptied_at = $2 WHERE id = ANY ($1) AND emptied_at IS NULL AND retired_at IS NOT NULL",
        keys,
        now,
    )


async def mark_used_again(conn: Connection, key: int) -> None:
    """Something is wrapped by it after all."""
    await conn.execute("UPDATE encryption_key SET emptied_at = NULL WHERE id = $1 AND destroyed_at IS NULL", key)


async def mark_destroyed(conn: Connection, key: int, *, now: datetime) -> None:
    """The key is gone for ever."""
    await conn.execute("UPDATE encryption_key SET destroyed_at = $2 WHERE id = $1", key, now)

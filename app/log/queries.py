"""The SQL of the sealed log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from app.log.tree import Node

_SEALER: Final = 7_201_002
"""Advisory lock of the sealer: one at a time, whichever process runs it."""
BITS: Final = 8
"""The stored subtrees are those of 256, 256², … leaves."""


async def is_waiting(conn: Connection) -> bool:
    """Whether an entry waits for its position."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM log_waiting)"))


async def try_sealing(conn: Connection) -> bool:
    """Whether this transaction is the one that seals, until it ends."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _SEALER))


async def to_seal(conn: Connection, limit: int) -> list[asyncpg.Record]:
    """Return the committed entries that have no position yet, in the order in which they were written."""
    return list(await conn.fetch("SELECT * FROM log_to_seal($1)", limit))


async def end_of_leaves(conn: Connection) -> int:
    """Return how many positions have been given."""
    return int(await conn.fetchval("SELECT coalesce(max(position) + 1, 0) FROM log_leaf"))


async def store_sealed(
    conn: Connection,
    *,
    rows: Sequence[asyncpg.Record],
    first: int,
    hashes: Sequence[bytes],
    subtrees: Sequence[tuple[int, int, bytes]],
    size: int,
    note: str,
    at: datetime,
) -> None:
    """Give entries their positions and keep the checkpoint over them. The transaction is the caller's."""
    await conn.execute(
        """INSERT INTO log_leaf (position, entry_id, recorded_at, hash)
           SELECT $1 + n - 1, e, t, h FROM unnest($2::uuid[], $3::timestamptz[], $4::bytea[]) WITH ORDINALITY AS u(e, t, h, n)""",
        first,
        [row["id"] for row in rows],
        [row["recorded_at"] for row in rows],
        list(hashes),
    )
    if subtrees:
        await conn.executemany("INSERT INTO log_subtree (level, position, hash) VALUES ($1, $2, $3)", subtrees)
    await conn.execute("INSERT INTO log_checkpoint (size, note, sealed_at) VALUES ($1, $2, $3)", size, note, at)
    await conn.execute("DELETE FROM log_waiting WHERE seq = ANY ($1)", [row["seq"] for row in rows])


async def newest_checkpoint(conn: Connection) -> asyncpg.Record | None:
    """Return the newest checkpoint, or none while nothing is sealed."""
    return await conn.fetchrow("SELECT size, note, sealed_at FROM log_checkpoint ORDER BY size DESC LIMIT 1")


async def checkpoint_of(conn: Connection, size: int) -> asyncpg.Record | None:
    """Return the checkpoint of a size."""
    return await conn.fetchrow("SELECT size, note, sealed_at FROM log_checkpoint WHERE size = $1", size)


async def leaf_of_entry(conn: Connection, entry_id: UUID) -> asyncpg.Record | None:
    """Return where an entry stands in the tree, or none while it waits."""
    return await conn.fetchrow("SELECT position, hash FROM log_leaf WHERE entry_id = $1", entry_id)


async def stored_hashes(conn: Connection, ranges: Sequence[tuple[int, int, int]]) -> dict[Node, bytes]:
    """Return stored hashes by node. Each range: a level (0: leaves), and positions from the first up to, not including, the second."""
    if not ranges:
        return {}
    rows = await conn.fetch(
        """SELECT r.level, s.position, s.hash FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS r(level, first, last),
                  LATERAL (SELECT position, hash FROM log_leaf WHERE r.level = 0 AND position >= r.first AND position < r.last
                           UNION ALL
                           SELECT position, hash FROM log_subtree
                           WHERE r.level > 0 AND level = r.level AND position >= r.first AND position < r.last) AS s""",
        *(list(column) for column in zip(*ranges, strict=True)),
    )
    return {(row["level"] * BITS, row["position"]): row["hash"] for row in rows}


# keys


async def keys(conn: Connection) -> list[asyncpg.Record]:
    """Return all keys there ever were, newest first, without private halves."""
    return list(
        await conn.fetch(
            "SELECT id, name, public, state, created_at, activated_at, retired_at FROM log_key ORDER BY created_at DESC, id DESC"
        )
    )


async def active_key(conn: Connection) -> asyncpg.Record | None:
    """Return the key that signs, with its sealed private half."""
    return await conn.fetchrow("SELECT * FROM log_key WHERE state = 'active'")


async def lock_keys(conn: Connection) -> list[asyncpg.Record]:
    """Return the keys that sign or will, and keep everybody else from changing any until the transaction ends."""
    await conn.execute("LOCK TABLE log_key IN SHARE ROW EXCLUSIVE MODE")
    return [row for row in await keys(conn) if row["state"] != "retired"]


async def insert_key(
    conn: Connection, *, id: UUID, name: str, public: bytes, state: str, private_sealed: bytes, at: datetime
) -> None:
    """Add a key."""
    await conn.execute(
        """INSERT INTO log_key (id, name, public, state, private_sealed, created_at, activated_at)
           VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $4 = 'active' THEN $6::timestamptz END)""",
        id,
        name,
        public,
        state,
        private_sealed,
        at,
    )


async def activate_key(conn: Connection, id: UUID, *, at: datetime) -> None:
    """Sign with this key from now on."""
    await conn.execute("UPDATE log_key SET state = 'active', activated_at = $2 WHERE id = $1", id, at)


async def retire_key(conn: Connection, id: UUID, *, at: datetime) -> None:
    """Stop signing with this key and destroy its private half. Its public half stays."""
    await conn.execute(
        "UPDATE log_key SET state = 'retired', private_sealed = NULL, retired_at = $2 WHERE id = $1", id, at
    )


async def note_act(
    conn: Connection, *, at: datetime, actor: str, action: str, subject_id: UUID, detail: dict[str, Any]
) -> None:
    """Write the log entry of an act on the log's own keys, in the transaction of the act."""
    await conn.execute(
        "SELECT append_log($1, NULL, NULL, $2, NULL, $3, 'done', 'log_key', $4, NULL, $5)",
        at,
        actor,
        action,
        subject_id,
        json.dumps(detail),
    )


# the whole log, for who audits it

_ENTRIES = """
SELECT l.position, l.entry_id, l.hash, e.*
FROM log_leaf l LEFT JOIN log_entry e ON e.id = l.entry_id AND e.recorded_at = l.recorded_at ORDER BY l.position
"""
_UNPLACED = """
SELECT EXISTS (SELECT FROM log_waiting w WHERE w.entry_id = e.id) AS waits, e.*
FROM log_entry e WHERE NOT EXISTS (SELECT FROM log_leaf l WHERE l.entry_id = e.id AND l.recorded_at = e.recorded_at) ORDER BY e.id
"""


async def every_leaf(conn: Connection) -> AsyncIterator[asyncpg.Record]:
    """Yield every position with its entry (all null where there is none), in order, a few at a time. In the caller's transaction."""
    async for row in conn.cursor(_ENTRIES, prefetch=500):
        yield row


async def every_checkpoint(conn: Connection) -> AsyncIterator[asyncpg.Record]:
    """Yield every checkpoint, the smallest first."""
    async for row in conn.cursor("SELECT size, note FROM log_checkpoint ORDER BY size", prefetch=500):
        yield row


async def every_subtree(conn: Connection) -> AsyncIterator[asyncpg.Record]:
    """Yield every stored subtree, in the order in which they became complete."""
    async for row in conn.cursor(
        "SELECT level, position, hash FROM log_subtree ORDER BY (position + 1) * (1::bigint << (8 * level)), level",
        prefetch=500,
    ):
        yield row


async def every_unplaced(conn: Connection) -> AsyncIterator[asyncpg.Record]:
    """Yield the entries that have no position: those that wait for one (`waits`), and those that nobody wrote by the one way there is."""
    async for row in conn.cursor(_UNPLACED, prefetch=500):
        yield row


async def oldest_waiting(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many entries wait for their position, and since when the oldest."""
    row = await conn.fetchrow("SELECT count(*) AS waiting, min(recorded_at) AS since FROM log_waiting")
    assert row is not None
    return row["waiting"], row["since"]

"""Moving live documents' keys to the key in use, so that an earlier month's key can be destroyed.

Only the wrapped key of a document is replaced; the document stays as it is. It goes column by column in the order of the rows'
ids, a batch at a time; a batch and how far it came commit together, so a process killed anywhere loses nothing and the next goes
on from there. A row is changed only if it still holds what the new key was made from: who writes or erases meanwhile wins.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

import asyncpg
import tink

from app.at_rest import queries
from app.foundation.database import Connection
from app.foundation.keyring import Keyring, Place, SealedColumn

log = logging.getLogger("rujukan.keyring")
BATCH: Final = 500
AGAIN_AFTER: Final = timedelta(minutes=5)
"""How long it waits before it goes through everything again, when something was still wrapped by an earlier key at the end."""


async def rewrap(conn: Connection, keyring: Keyring, *, now: datetime, batch: int = BATCH) -> int | None:
    """Move one batch. Returns how many rows it looked at, or None when there is nothing left to do.

    Costs one query while no earlier key wraps anything.
    """
    keys = await queries.keys(conn)
    primary = next((row["id"] for row in keys if row["primary_at"] and not row["retired_at"]), None)
    retired = [row["id"] for row in keys if row["retired_at"] and not row["emptied_at"]]
    if primary is None or not retired or primary not in {key.id for key in keyring.keys}:
        return None
    keyring.use(primary)
    progress = await queries.progress(conn)
    if any(row["key_id"] != primary for row in progress):
        await queries.begin_pass(conn, key=primary, now=now)
        return 0
    for row in progress:
        if row["ended_at"] is None:
            return await _batch(conn, keyring, row, primary, now=now, batch=batch)
    await _end_pass(conn, progress, retired, primary, now=now)
    return None


async def _batch(
    conn: Connection, keyring: Keyring, row: asyncpg.Record, primary: int, *, now: datetime, batch: int
) -> int:
    place = row["place"]
    found = await queries.keys_to_move(conn, place, key=primary, after=row["after_id"], limit=batch)
    moved = await asyncio.to_thread(_again, keyring, cast(SealedColumn, place), found)
    if len(moved) < len(found):
        log.error("%d of %s are wrapped by a key this keyring lacks, or are damaged", len(found) - len(moved), place)
    after = found[-1]["id"] if found else None
    await queries.move_keys(conn, place, moved, after=after, ended=now if len(found) < batch else None)
    return len(found)


def _again(keyring: Keyring, place: SealedColumn, found: list[asyncpg.Record]) -> list[tuple[UUID, bytes, bytes]]:
    moved = []
    for row in found:
        try:
            again = keyring.rewrapped(Place(place, row["id"], row["of"]), row["wrapped"])
        except tink.TinkError:
            continue
        moved.append((row["id"], row["wrapped"], again))
    return moved


async def _end_pass(
    conn: Connection, progress: list[asyncpg.Record], retired: list[int], primary: int, *, now: datetime
) -> None:
    """Mark the keys that wrap nothing any more; go through everything again later if one does."""
    if min(row["started_at"] for row in progress) > now - AGAIN_AFTER and any(
        holder["uses"] != primary for holder in await queries.holders(conn, now=now)
    ):
        return  # a process may still wrap under the earlier key
    left = {row["key_id"] for row in await queries.counted(conn)}
    await queries.mark_emptied(conn, [key for key in retired if key not in left], now=now)
    if left & set(retired) and max(row["ended_at"] for row in progress) <= now - AGAIN_AFTER:
        await queries.begin_pass(conn, key=primary, now=now)

"""The life of a month's key: added to the file, used, retired, emptied, destroyed.

A key of the coming month is added from the 25th on, so that the file can be given to every machine before its month begins. Two
phases keep processes together: first every file holds the key, then, a day later at the earliest, the database lets it be used.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg

from app.at_rest import queries
from app.at_rest.watch import meet
from app.foundation.database import Connection
from app.foundation.keyring import Keyring, add_key, can_be_written, remove_key, wanted_months
from app.foundation.settings import Settings
from auth.queries import log_act

log = logging.getLogger("rujukan.keyring")


class KeyNeeded(Exception):
    """A key may not be destroyed yet; the text says why."""


class KeyThere(Exception):
    """The month has a key already."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A key, how it stands, how much it wraps and how many of the running processes hold it."""

    id: int
    month: date
    state: str
    since: datetime
    documents: int | None
    held_by: int
    here: bool
    destroyable_at: datetime | None


def state_of(row: asyncpg.Record) -> tuple[str, datetime]:
    """Return how a key stands, and since when."""
    for state, column in (
        ("destroyed", "destroyed_at"),
        ("emptied", "emptied_at"),
        ("retired", "retired_at"),
        ("primary", "primary_at"),
    ):
        if row[column] is not None:
            return state, row[column]
    return "added", row["added_at"]


async def standings(
    conn: Connection, keyring: Keyring, settings: Settings, *, now: datetime, count: bool = True
) -> list[Standing]:
    """Return every key, oldest first; with `count`, reading every sealed row, also how much each wraps."""
    wrapped: dict[int, int] = {}
    for row in await queries.counted(conn) if count else []:
        wrapped[row["key_id"]] = wrapped.get(row["key_id"], 0) + row["n"]
    holders = await queries.holders(conn, now=now)
    held = {key.id for key in keyring.keys}
    found = []
    for row in await queries.keys(conn):
        state, since = state_of(row)
        found.append(
            Standing(
                id=row["id"],
                month=row["month"],
                state=state,
                since=since,
                documents=wrapped.pop(row["id"], 0) if count else None,
                held_by=sum(row["id"] in holder["keys"] for holder in holders),
                here=row["id"] in held,
                destroyable_at=since + timedelta(days=settings.backup_days) if state == "emptied" else None,
            )
        )
    for key, n in wrapped.items():
        found.append(Standing(key, date.min, "unknown", datetime.min.replace(tzinfo=UTC), n, 0, key in held, None))
    return found


async def add(
    conn: Connection,
    keyring: Keyring,
    settings: Settings,
    *,
    month: date,
    now: datetime,
    actor: str,
    at_once: bool = False,
) -> int:
    """Add a key for `month` to the keyring's file, tell the database of it, and return its number.

    `at_once`: another one for a month that has one, used as soon as every process holds it; the present one may have leaked.
    Raises `KeyThere`, `KeyringUnusable`, `OSError`.
    """
    async with queries.keyring_locked(conn):
        if keyring.changed():
            await asyncio.to_thread(keyring.reload)
        rows = await meet(conn, keyring, now=now)
        known = {row["month"] for row in rows} | {key.month for key in keyring.keys}
        if month in known and not at_once:
            raise KeyThere(f"{month:%Y-%m}")
        key = await asyncio.to_thread(add_key, keyring.path, now, month=month, kms=settings.keyring_kms)
        await asyncio.to_thread(keyring.reload)
        async with conn.transaction():
            await meet(conn, keyring, now=now)
            if at_once:
                await queries.want_at_once(conn, key)
                await meet(conn, keyring, now=now)
            await _log(conn, "add", {"key": key, "month": f"{month:%Y-%m}", "at_once": at_once}, now=now, actor=actor)
    return key


async def destroy(
    conn: Connection, keyring: Keyring, settings: Settings, key: int, *, now: datetime, actor: str
) -> bool:
    """Destroy a key: for ever, in the database first and then in the file. Returns whether the file here still held it.

    Repeating it finishes what was begun. Raises `KeyNeeded`, `OSError`.
    """
    async with queries.keyring_locked(conn):
        async with conn.transaction():
            rows = {row["id"]: row for row in await meet(conn, keyring, now=now)}
            primary = next(row["id"] for row in rows.values() if row["primary_at"] and not row["retired_at"])
            needed = await _why_needed(conn, rows.get(key), settings, key, now=now)
            if needed is None and rows[key]["destroyed_at"] is None:
                await queries.mark_destroyed(conn, key, now=now)
                month = f"{rows[key]['month']:%Y-%m}"
                await _log(conn, "destroy", {"key": key, "month": month}, now=now, actor=actor)
        if needed is not None:
            raise KeyNeeded(needed)
        removed = await asyncio.to_thread(remove_key, keyring.path, key, use=primary, kms=settings.keyring_kms)
        if removed:
            await asyncio.to_thread(keyring.reload)
    return removed


async def _why_needed(
    conn: Connection, row: asyncpg.Record | None, settings: Settings, key: int, *, now: datetime
) -> str | None:
    if row is None:
        return f"the database knows no key {key}"
    state, since = state_of(row)
    if state == "destroyed":
        return None
    if state != "emptied":
        return {
            "added": "it has not been used yet: take it out of the file by hand, if no process holds it",
            "primary": "it wraps what is written now",
            "retired": "documents may still be wrapped by it: `rujukan keys rewrap`, then `rujukan keys status`",
        }[state]
    ends = since + timedelta(days=settings.backup_days)
    if now < ends:
        return f"backups up to {ends:%Y-%m-%d} may need it: it wrapped nothing since {since:%Y-%m-%d}, and they are kept {settings.backup_days} days"
    if left := sum(each["n"] for each in await queries.counted(conn) if each["key_id"] == key):
        await queries.mark_used_again(conn, key)
        return f"{left} documents are wrapped by it after all: `rujukan keys rewrap`"
    return None


async def faults(
    conn: Connection, keyring: Keyring, settings: Settings, *, now: datetime
) -> tuple[list[str], list[str]]:
    """Return what is wrong with the keyring, and what people should soon do. Changes nothing."""
    mark = await queries.mark(conn)
    if mark is not None and mark != keyring.fingerprint:
        return ["the keyring is not the one this database was made with"], []
    wrong: list[str] = []
    soon: list[str] = []
    held = {key.id for key in keyring.keys}
    rows = await queries.keys(conn)
    for row in rows:
        state, since = state_of(row)
        name = f"the key {row['id']} of {row['month']:%Y-%m}"
        if state == "destroyed":
            if row["id"] in held:
                soon.append(f"{name} was destroyed, and this file still has it")
        elif row["id"] not in held:
            (wrong if state in ("primary", "retired") else soon).append(f"{name} ({state}) is not in this file")
        elif not keyring.proves(row["id"], row["proof"]):
            wrong.append(f"{name} is another one in this file")
        elif state == "retired" and now > since + timedelta(days=7):
            soon.append(f"{name} still wraps documents")
        elif state == "emptied" and now >= since + timedelta(days=settings.backup_days):
            soon.append(f"{name} has outlived its backups: `rujukan keys destroy-kek {row['id']}`")
    have = {row["month"] for row in rows} | {key.month for key in keyring.keys}
    soon += [
        f"there is no key for {month:%Y-%m}: `rujukan keys rotate-kek`"
        for month in wanted_months(now)
        if month not in have
    ]
    return wrong, soon


async def look_after(conn: Connection, keyring: Keyring, settings: Settings, *, now: datetime) -> None:
    """Add what key is missing for this month and, from the 25th on, for the next, if the file can be written; say what people must do."""
    rows = await queries.keys(conn)
    months = {row["month"] for row in rows} | {key.month for key in keyring.keys}
    for month in wanted_months(now):
        if month in months:
            continue
        if can_be_written(keyring.path):
            try:
                await add(conn, keyring, settings, month=month, now=now, actor="system")
            except KeyThere:
                continue  # another process was first
            log.info("a key for %s was added to the keyring: back it up", f"{month:%Y-%m}")
        else:
            log.warning(
                "the keyring has no key for %s: run `rujukan keys rotate-kek` where its file is kept, and renew every process's copy",
                f"{month:%Y-%m}",
            )
    for row in rows:
        state, since = state_of(row)
        if state == "emptied" and now >= since + timedelta(days=settings.backup_days):
            log.warning(
                "the key %d of %s has outlived its backups: `rujukan keys destroy-kek %d`",
                row["id"],
                f"{row['month']:%Y-%m}",
                row["id"],
            )


async def _log(conn: Connection, act: str, detail: dict[str, Any], *, now: datetime, actor: str) -> None:
    await log_act(conn, at=now, actor=actor, action=f"encryption_key:{act}", subject="encryption_key", detail=detail)

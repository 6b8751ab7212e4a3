"""Erasing: what is due, by the worker; what a restored backup brought back, by its owner.

In one transaction: the act and its proof in the log, then the line in the erasure list, on the disk, then the commit. So nothing is erased that the
list does not know, and a crash at any point loses nothing: before the line nothing happened, after it the worker does the same again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import tink

from app.exchange.records.sealing import preview_told
from app.exchange.retention.erasure_list import (
    Entry,
    ErasureList,
    ErasureListUnusable,
    ErasuresToReplay,
    in_memory,
    read_if_there,
    read_lists,
)
from app.exchange.retention.table import SPECIFIC, Periods
from app.foundation import json
from app.foundation.database import UNREACHABLE, Connection
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, Place, Sealed
from app.foundation.settings import Settings
from app.outbox.jobs.claims import failed
from app.outbox.jobs.queries import failing as parked
from app.outbox.jobs.queries import forget

BATCH = 50
JOB = "erase"
LONG = 600.0
"""Seconds that looking for what is due may take: it goes through every closed case, and nobody waits for it."""
_STOPS: tuple[type[Exception], ...] = (ErasureListUnusable, *UNREACHABLE)
_SPOILT = (tink.TinkError, asyncpg.PostgresError, ValueError, LookupError, TypeError)


async def due(conn: Connection, settings: Settings, at: datetime, limit: int) -> list[asyncpg.Record]:
    """Return what is due by `at`, as the worker."""
    periods = Periods.of(settings)
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT * FROM due_erasures($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        at,
        list(SPECIFIC),
        periods.specific,
        periods.general,
        periods.access,
        periods.words,
        periods.proof,
        periods.patience,
        limit,
        timeout=LONG,
    )
    return rows


@dataclass(frozen=True, slots=True)
class _Resealed:
    seen_key: bytes | None
    key: bytes | None
    parts: list[bytes] | None
    preview: bytes | None


class Eraser:
    """The worker's hand. Lines that an earlier process left without an end are taken up again."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._settings = settings
        self._keyring = keyring
        self._list = ErasureList(settings.erasure_folder)
        self._unfinished: dict[Any, Entry] | None = None
        self._stuck: set[Any] = set()
        """What could not be erased in this round: passed over until the round is at its end, so that it keeps nothing else from being erased."""

    async def erase(self, conn: Connection, now: datetime) -> int:
        """Erase what is due, each thing in a transaction of its own. Return how many there were."""
        if self._unfinished is None:
            self._unfinished = await self._left_unfinished(conn)
        stuck_before = len(self._stuck)
        rows = await due(conn, self._settings, now, BATCH + stuck_before)
        erased = 0
        failing = await parked(conn, JOB) if rows else set()
        for row in rows:
            entry = self._entry(row, now)
            if entry.what in self._stuck:
                continue
            try:
                async with conn.transaction():
                    if not await apply(conn, self._keyring, entry, now):
                        self._stuck.add(entry.what)
                        continue
                    await asyncio.to_thread(self._list.begin, entry)
            except _STOPS:
                raise
            except _SPOILT as error:  # what stays of it cannot be opened, or read: the others are not to wait for it
                await failed(conn, JOB, "erasure", entry.row, entry.case, error, now)
                self._stuck.add(entry.what)
                continue
            if entry.row in failing:
                await forget(conn, JOB, entry.row)
            await asyncio.to_thread(self._list.done, entry)
            self._unfinished.pop(entry.what, None)
            erased += 1
        if not erased and len(rows) < BATCH + stuck_before:  # nothing else is due: the next round tries these again
            self._stuck.clear()
        return erased

    def _entry(self, row: asyncpg.Record, now: datetime) -> Entry:
        made = Entry(
            id=uuid7(now),
            case=row["case_id"],
            kind=row["kind"],
            row=row["row_id"],
            sections=tuple(row["sections"]) if row["sections"] is not None else None,
            cause=row["cause"],
            cause_id=row["cause_id"],
            before=now,
            at=now,
        )
        assert self._unfinished is not None
        return self._unfinished.get(made.what, made)

    async def _left_unfinished(self, conn: Connection) -> dict[Any, Entry]:
        entries, done = await asyncio.to_thread(read_if_there, self._settings.erasure_folder)
        open_ones = [entry for entry in entries if entry.id not in done]
        unknown = await unknown_of(conn, [entry.id for entry in open_ones])
        for entry in open_ones:
            if entry.id not in unknown:  # committed, and then the process ended
                await asyncio.to_thread(self._list.done, entry)
        return in_memory(entry for entry in open_ones if entry.id in unknown)


async def unknown_of(conn: Connection, ids: list[UUID]) -> set[UUID]:
    """Return which of these erasures the database has no proof of."""
    return {row[0] for row in await conn.fetch("SELECT unknown_erasures($1)", ids)} if ids else set()


async def brought_back(conn: Connection, folder: Path, *, newest: bool = False) -> list[Entry]:
    """Return the erasures that were committed once and that the database does not know: it is a restored backup.

    `newest`: look at the newest ones alone, for who asks every few seconds. The list only ever grows.
    """
    entries, done = await asyncio.to_thread(read_if_there, folder, newest=newest)
    unknown = await unknown_of(conn, [entry.id for entry in entries if entry.id in done])
    return [entry for entry in entries if entry.id in unknown]


async def refuse_restored(conn: Connection, folder: Path) -> None:
    """Raise `ErasuresToReplay` if the database knows less than the list, or return."""
    if entries := await brought_back(conn, folder):
        raise ErasuresToReplay(len(entries))


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of replaying a list."""

    erased: int
    left: tuple[Entry, ...]
    """What could not be opened to keep the rest of it: its key-encryption key is not in this keyring."""


async def replay(conn: Connection, keyring: Keyring, path: Path, now: datetime, *, actor: str) -> Replayed:
    """Erase again, as the database's owner, all that a list knows and the database does not. One that cannot be erased stops no other.

    What was begun and may never have been committed is erased only if it is due and nothing keeps it: a hold may have come between.
    """
    entries, done = await asyncio.to_thread(read_lists, path)
    unknown = await unknown_of(conn, [entry.id for entry in entries])
    erased, left = 0, []
    for entry in entries:
        if entry.id in unknown:
            try:
                async with conn.transaction():
                    erased += await apply(conn, keyring, entry, now, actor=actor if entry.id in done else None)
            except tink.TinkError:
                left.append(entry)
    return Replayed(erased, tuple(left))


async def apply(conn: Connection, keyring: Keyring, entry: Entry, now: datetime, *, actor: str | None = None) -> bool:
    """Erase one thing, with its proof, in the caller's transaction. False: it is not due any more. `actor`: who replays it."""
    done: bool
    if entry.kind != "record":
        done = await conn.fetchval(
            "SELECT erase_words($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            entry.id,
            entry.case,
            entry.kind,
            entry.sections,
            entry.before,
            entry.cause,
            entry.cause_id,
            now,
            actor,
        )
        return done
    assert entry.sections is not None
    sealed = await _sealed_anew(conn, keyring, entry)
    done = await conn.fetchval(
        "SELECT erase_sections($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        entry.id,
        entry.case,
        entry.row,
        entry.sections,
        sealed.seen_key,
        sealed.key,
        sealed.parts,
        sealed.preview,
        entry.cause,
        entry.cause_id,
        now,
        actor,
    )
    return done


async def _sealed_anew(conn: Connection, keyring: Keyring, entry: Entry) -> _Resealed:
    """Seal what stays of a version under a fresh key, so that the one that opened what goes is destroyed with it."""
    row = await conn.fetchrow("SELECT * FROM staying_content($1, $2, $3)", entry.case, entry.row, entry.sections)
    if row is None:
        return _Resealed(None, None, None, None)
    if not row["staying"]:
        return _Resealed(row["wrapped_key"], None, None, None)
    opened = keyring.open_parts(
        entry.row, Sealed(row["wrapped_key"], dict(zip(row["staying"], row["parts"], strict=True))), case_id=entry.case
    )
    sealed = keyring.seal(entry.row, opened, case_id=entry.case)
    return _Resealed(
        seen_key=row["wrapped_key"],
        key=sealed.key,
        # the salt goes with the first section: what stays and the commitment would tell by guessing what went
        parts=[*(sealed.parts.get(name, b"") for name in row["sections"]), b""],
        preview=_preview_of_rest(
            keyring, Place("record_version.preview", entry.row, entry.case), row["preview"], row["staying"]
        ),
    )


def _preview_of_rest(keyring: Keyring, place: Place, preview: bytes | None, staying: list[str]) -> bytes | None:
    """Return the preview without what it says of erased sections, sealed anew."""
    if preview is None:
        return None
    parts = orjson.loads(keyring.open_one(place, preview))
    flags = {section: flags if section in staying else [] for section, flags in parts["flags"].items()}
    return keyring.seal_one(place, json.dumps({"preview": preview_told(parts, staying), "flags": flags}))

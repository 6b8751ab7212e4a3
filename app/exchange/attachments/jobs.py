"""The worker's part: uploads that stand still are destroyed, files are scanned, what no record has taken in time is destroyed, and what is left in
another store is removed. Each file by itself: one that fails is tried again later, and stops none of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from app.exchange.attachments import queries
from app.exchange.attachments.encryption import FileKey
from app.exchange.attachments.scanning import ScanFailed, scan
from app.exchange.attachments.service import destroy
from app.exchange.attachments.serving import plain
from app.exchange.attachments.stores import Stores
from app.foundation.database import GONE, Connection
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.outbox.jobs import queries as parked
from app.outbox.jobs.claims import failed

JOB: Final = "look_after_files"
BATCH: Final = 10
LEASE: Final = timedelta(minutes=10)
"""Longer than a batch of scans takes: a file is scanned twice at worst, by two workers, which does no harm."""


class FileKeeper:
    """The worker's hand on files."""

    def __init__(self, settings: Settings, keyring: Keyring, stores: Stores | None = None) -> None:
        self._settings, self._keyring = settings, keyring
        self._stores = stores or Stores(settings)

    async def look_after(self, pool: asyncpg.Pool, now: datetime) -> int:
        """Do what is due. Return how many files there were."""

        def acquire() -> AbstractAsyncContextManager[Connection]:
            connection: AbstractAsyncContextManager[Connection] = pool.acquire()
            return connection

        async with acquire() as conn:
            rows = await queries.claim_due(conn, now, LEASE, BATCH)
        for row in rows:
            try:
                await self._one(acquire, row, now)
            except GONE:
                raise
            except Exception as error:  # a damaged file, a store that is away: the others are not to wait for it
                async with acquire() as conn, conn.transaction():
                    await failed(conn, JOB, "attachment", row["id"], None, error, now)
                    await queries.look_again(conn, row["id"], now)
            else:
                if row["noted"]:
                    async with acquire() as conn:
                        await parked.forget(conn, JOB, row["id"])
        return len(rows)

    async def _one(
        self, acquire: Callable[[], AbstractAsyncContextManager[Connection]], row: asyncpg.Record, now: datetime
    ) -> None:
        if row["state"] == "scanning" and not (row["expires_at"] is not None and row["expires_at"] <= now):
            await self._scan(acquire, row, now)
            return
        if row["stored"] and row["wrapped_key"] is None:
            await self._stores.of(row["store"]).remove(row["id"])  # outside of any transaction
            async with acquire() as conn:
                await queries.forget_content(conn, row["id"], row["expires_at"] if row["state"] == "rejected" else now)
            return
        async with acquire() as conn, conn.transaction():
            if row["state"] == "erased":
                await queries.forget(conn, row["id"])
            elif row["state"] == "uploading":
                if await queries.lock(conn, row["id"], "uploading"):  # it may have come to its end meanwhile
                    await destroy(conn, row["id"], at=now, reason="given_up")
            elif not await queries.hold_unbound(conn, row["id"]):
                await queries.look_again(conn, row["id"], None)
            else:
                await destroy(conn, row["id"], at=now, reason="expired")
                await queries.log_by_worker(
                    conn, row["id"], action="attachment:expire", detail={"sections": [row["section"]]}, at=now
                )

    async def _scan(
        self, acquire: Callable[[], AbstractAsyncContextManager[Connection]], row: asyncpg.Record, now: datetime
    ) -> None:
        attachment_id, size = row["id"], row["size"]
        if self._settings.clamd is None:
            raise ScanFailed("RUJUKAN_CLAMD is not set in this process")
        key = FileKey.kept(attachment_id, row["wrapped_key"], self._keyring)
        store = self._stores.of(row["store"])
        found = await scan(
            self._settings.clamd, plain(store, acquire, attachment_id, key, size=size, start=0, end=size)
        )
        async with acquire() as conn, conn.transaction():
            if not await queries.lock(conn, attachment_id, "scanning"):
                return  # deleted meanwhile, or scanned by another worker
            sections = {"sections": [row["section"]]}
            if found is None:
                await queries.scanned(conn, attachment_id)
                await queries.log_by_worker(conn, attachment_id, action="attachment:scan", detail=sections, at=now)
                await queries.tell(conn, row, event="attachment.ready", at=now)
            else:
                await destroy(conn, attachment_id, at=now, state="rejected", reason="malware")
                await queries.log_by_worker(
                    conn, attachment_id, action="attachment:reject", detail=sections | {"found": found}, at=now
                )
                await queries.tell(conn, row, event="attachment.rejected", at=now)

"""Keeps a process's keyring up with its file, and with what the database says is in use.

Twice a minute a process looks whether the file was renewed, says which keys it holds, and learns which one wraps what is new. No
process is ever given a document under a key it does not hold: a key is used only once all processes have said that they hold it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from app.at_rest import queries
from app.foundation.clock import Clock
from app.foundation.database import UNREACHABLE, Connection, connection
from app.foundation.keyring import Keyring, KeyringUnusable

log = logging.getLogger("rujukan.keyring")
EVERY: Final = 30.0
"""Seconds; a process not heard of for six times that does not count any more."""


async def meet(
    conn: Connection, keyring: Keyring, *, now: datetime, process: UUID | None = None
) -> list[asyncpg.Record]:
    """Compare the keyring with what the database was made with, and use the key the database says. Returns all keys it knows.

    Raises `KeyringUnusable` if it is another keyring, lacks a key that something is wrapped by, or holds another key by its number.
    """
    try:
        rows = await queries.meet(conn, keyring, process=process, now=now)
    except asyncpg.PostgresError as error:
        if error.sqlstate != queries.ANOTHER_KEYRING:
            raise
        raise KeyringUnusable(f"the keyring at {keyring.path} is not the one this database was made with") from error
    held = {key.id for key in keyring.keys}
    for row in rows:
        if row["destroyed_at"] is not None or row["primary_at"] is None:
            continue
        if row["id"] not in held:
            if row["emptied_at"] is None:
                raise KeyringUnusable(
                    f"the keyring at {keyring.path} lacks the key {row['id']} of {row['month']:%Y-%m}, by which records are encrypted"
                )
        elif not keyring.proves(row["id"], row["proof"]):
            raise KeyringUnusable(
                f"the keyring at {keyring.path} holds another key by the number {row['id']} than the database knows: it is damaged"
            )
    primary = next((row["id"] for row in rows if row["primary_at"] and not row["retired_at"]), None)
    if primary is not None:
        keyring.use(primary)
    return rows


class KeyWatch:
    """The look that a process takes at its keyring, over and over."""

    def __init__(self, url: str, keyring: Keyring, clock: Clock) -> None:
        self._url, self._keyring, self._clock = url, keyring, clock
        self._process = uuid4()
        self._task: asyncio.Task[Any] | None = None
        self._seen_at: float = 0
        self.state = "not compared with the database yet"

    async def start(self) -> None:
        """Look once, and go on. Raises `KeyringUnusable`."""
        await self.look()
        self._task = asyncio.create_task(self._go_on(), name="keyring")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def standing(self) -> str:
        """Return `ok`, or what is wrong with the keyring, for `/readyz`."""
        if self.state == "ok" and asyncio.get_running_loop().time() - self._seen_at > 6 * EVERY:
            return "not compared with the database for three minutes"
        return self.state

    async def look(self) -> None:
        """Read the file if it was renewed, and ask the database. Raises `KeyringUnusable` and what asyncpg raises.

        A file that has become unusable stops nobody: what was read before stays in use, as long as the database is content with it.
        """
        if self._keyring.changed():
            try:
                await asyncio.to_thread(self._keyring.reload)
                log.info("the keyring's file was renewed: it holds %d keys", len(self._keyring.keys))
            except KeyringUnusable as error:
                log.error("%s; the earlier one stays in use", error)
        async with connection(self._url) as conn:
            rows = await meet(conn, self._keyring, now=self._clock.now(), process=self._process)
        self._seen_at = asyncio.get_running_loop().time()
        held = {key.id for key in self._keyring.keys}
        for row in rows:
            if row["primary_at"] is None and row["destroyed_at"] is None and row["id"] not in held:
                log.warning(
                    "this process lacks the key %d of %s, which another holds: renew its keyring's file",
                    row["id"],
                    f"{row['month']:%Y-%m}",
                )
        self.state = "ok"

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except KeyringUnusable as error:
                log.error("%s", error)
                self.state = "cannot be used: see the log and `rujukan doctor`"
            except UNREACHABLE as error:
                log.warning("keyring: database unreachable: %s", type(error).__name__)
            except Exception as error:
                log.error("looking at the keyring failed: %s", type(error).__name__)

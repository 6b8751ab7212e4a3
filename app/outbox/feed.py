"""A feed that waits: one listening connection a process, no polling of the database for each waiting client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.foundation.database import UNREACHABLE
from app.outbox import queries
from auth.directory import Snapshot

log = logging.getLogger("rujukan.feed")
LOOK_AGAIN = 0.5
"""How often a waiting feed checks that its caller may still wait."""


class Listener:
    """Wakes whoever waits for an agency's events. While its connection is away, every waiter looks for itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self.closing = False
        self.connected = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(events) for events in self._waiting.values())

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen(), name="feed listener")

    async def stop(self) -> None:
        """Stop listening and let every waiter go."""
        self.release()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def release(self) -> None:
        """Let every waiter go: the process is about to end, and must not wait for who waits."""
        self.closing = True
        self._wake(None)

    async def _listen(self) -> None:
        while True:
            try:
                conn: asyncpg.Connection = await asyncpg.connect(self._url, timeout=5)
            except UNREACHABLE:
                await asyncio.sleep(0.5)
                continue
            gone = asyncio.Event()
            try:
                conn.add_termination_listener(lambda _, gone=gone: gone.set())
                await conn.add_listener(queries.CHANNEL, self._notified)
                self.connected = True
                self._wake(None)  # something may have come while nobody listened
                await gone.wait()
            except UNREACHABLE as error:
                log.warning("feed listener lost its connection: %s", type(error).__name__)
            finally:
                self.connected = False
                with suppress(Exception):
                    await conn.close(timeout=1)

    def _notified(self, _: Any, __: int, ___: str, payload: str) -> None:
        for text in payload.split(","):
            self._wake(UUID(text))

    def _wake(self, agency_id: UUID | None) -> None:
        woken = [agency_id] if agency_id is not None else list(self._waiting)
        for each in woken:
            for event in self._waiting.get(each, ()):
                event.set()

    def enter(self, agency_id: UUID) -> asyncio.Event:
        """Register interest before looking, so that nothing falls between looking and waiting."""
        event = asyncio.Event()
        self._waiting.setdefault(agency_id, set()).add(event)
        return event

    def leave(self, agency_id: UUID, event: asyncio.Event) -> None:
        """Lose interest."""
        waiting = self._waiting.get(agency_id, set())
        waiting.discard(event)
        if not waiting:
            self._waiting.pop(agency_id, None)


async def events_after(
    db: Acting,
    listener: Listener,
    current: Callable[[], Awaitable[Snapshot]],
    still_let_in: Callable[[], Awaitable[bool]],
    *,
    after: int,
    wait: float,
    limit: int,
) -> list[asyncpg.Record]:
    """Return events after a position, waiting up to `wait` seconds for the first; the wait ends with the token, or when the caller is stopped.

    `still_let_in` says whether the token still counts, `current` is the directory's method of that name: who is suspended or has
    no agreement any more does not go on waiting.
    """
    event = listener.enter(db.agency_id)
    try:
        until = min(wait, (db.caller.expires_at - db.clock.now()).total_seconds())
        loop = asyncio.get_running_loop()
        end = loop.time() + until
        while True:
            event.clear()
            rows = await queries.events_after(db, after, limit)
            remaining = end - loop.time()
            if rows or remaining <= 0 or listener.closing:
                return rows
            while remaining > 0 and not event.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), min(remaining, LOOK_AGAIN))
                remaining = end - loop.time()
                if not await still_let_in():
                    return []
                snapshot = await current()
                party = snapshot.agencies.get(db.agency_id)
                if party is None or not party.active:
                    return []
                if db.recorder_id != db.agency_id and not snapshot.may_act_for(
                    db.recorder_id, db.agency_id, db.clock.now()
                ):
                    return []
                if not listener.connected:
                    break
    finally:
        listener.leave(db.agency_id, event)


def as_event(row: asyncpg.Record) -> dict[str, Any]:
    """Return an event as receivers get it."""
    time: datetime = row["recorded_at"]
    return {
        "id": row["event_id"],
        "position": row["position"],
        "type": row["type"],
        "subject": row["subject"],
        "subject_id": row["subject_id"],
        "case_id": row["case_id"],
        "state": row["state"],
        "time": time,
    }

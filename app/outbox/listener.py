"""Who waits for events in this process: one listening connection for all of them, and one sweep that ends the wait of who may wait no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.foundation.clock import Clock
from app.foundation.database import UNREACHABLE
from app.outbox import queries
from auth.directory import Snapshot

log = logging.getLogger("rujukan.feed")
SWEEP: Final = 0.25
"""How often the sweep looks whether anything has changed in who is let in."""
LOOK_AGAIN: Final = 1.0
"""How often it looks at everybody although nothing has: time alone ends keys, agreements and certificates."""
AWAY: Final = 2.0
"""How often all are woken to look for themselves while the listening connection is away."""
AT_ONCE: Final = 500
"""How many are looked at before others get their turn."""

Counts = Callable[[Snapshot, datetime], bool]
"""Whether somebody may go on waiting."""


class Waiter:
    """One that waits for an agency's events."""

    __slots__ = ("_event", "agency_id", "counts", "ended", "fault")

    def __init__(self, agency_id: UUID, counts: Counts) -> None:
        self.agency_id = agency_id
        self.counts = counts
        self.ended = False
        """It may wait no more."""
        self.fault: Exception | None = None
        """Why, if that is not its own doing."""
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Have it look."""
        self._event.set()

    def end(self, fault: Exception | None = None) -> None:
        """Let it go."""
        self.ended, self.fault = True, fault
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until it is woken; False if the time was over first. What wakes it while it looks is not lost."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Listener:
    """Wakes whoever waits for an agency's events."""

    def __init__(self, url: str, current: Callable[[], Awaitable[Snapshot]], clock: Clock, *, looks: int) -> None:
        self._url = url
        self._current = current
        self._clock = clock
        self._waiting: dict[UUID, set[Waiter]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.turn = asyncio.Semaphore(looks)
        """For the looks of those who were woken: many at once, and they would take every connection from everybody else."""
        self.closing = False
        self.connected = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(waiting) for waiting in self._waiting.values())

    def start(self) -> None:
        """Begin to listen."""
        self._tasks = [
            asyncio.create_task(self._listen(), name="feed listener"),
            asyncio.create_task(self._sweep(), name="feed sweep"),
        ]

    async def stop(self) -> None:
        """Stop listening and let every waiter go."""
        self.release()
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def release(self) -> None:
        """Let every waiter go: the process is about to end, and must not wait for who waits."""
        self.closing = True
        for each in self._everybody():
            each.end()

    def enter(self, agency_id: UUID, counts: Counts) -> Waiter:
        """Register interest before looking, so that nothing falls between looking and waiting."""
        waiter = Waiter(agency_id, counts)
        self._waiting.setdefault(agency_id, set()).add(waiter)
        if self.closing:
            waiter.end()
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Lose interest."""
        waiting = self._waiting.get(waiter.agency_id, set())
        waiting.discard(waiter)
        if not waiting:
            self._waiting.pop(waiter.agency_id, None)

    def _everybody(self) -> list[Waiter]:
        return [each for waiting in self._waiting.values() for each in waiting]

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
                self._wake_everybody()  # something may have come while nobody listened
                await gone.wait()
            except UNREACHABLE as error:
                log.warning("feed listener lost its connection: %s", type(error).__name__)
            finally:
                self.connected = False
                with suppress(Exception):
                    await conn.close(timeout=1)

    def _notified(self, _: Any, __: int, ___: str, payload: str) -> None:
        for text in payload.split(","):
            for each in self._waiting.get(UUID(text), ()):
                each.wake()

    def _wake_everybody(self) -> None:
        for each in self._everybody():
            each.wake()

    async def _sweep(self) -> None:
        """End the waits of those who are let in no more, within a second; with the database away, everybody's, as any request's."""
        loop = asyncio.get_running_loop()
        seen: Snapshot | None = None
        looked = woken = loop.time()
        while True:
            await asyncio.sleep(SWEEP)
            if not self._waiting:
                continue
            try:
                snapshot = await self._current()
            except UNREACHABLE as error:
                for each in self._everybody():
                    each.end(error)
                continue
            except Exception as error:
                log.error("feed sweep failed: %s", type(error).__name__)
                for each in self._everybody():
                    each.end(error)
                continue
            now = loop.time()
            if not self.connected and now - woken >= AWAY:
                woken = now
                self._wake_everybody()
            if snapshot is seen and now - looked < LOOK_AGAIN:
                continue
            seen, looked = snapshot, now
            at = self._clock.now()
            for number, each in enumerate(self._everybody(), start=1):
                if not each.ended and not each.counts(snapshot, at):
                    each.end()
                if not number % AT_ONCE:
                    await asyncio.sleep(0)

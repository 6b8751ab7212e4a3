"""Places: how many requests of one client a process works on at once. The others stand in line for a moment, and keep nobody else waiting."""

from __future__ import annotations

import asyncio
from typing import Final

PATIENCE: Final = 1.0
"""Seconds a request waits for a place."""
LINE: Final = 16
"""How many requests may stand in line for each place."""


class _Line:
    __slots__ = ("free", "waiting")

    def __init__(self, places: int) -> None:
        self.free = asyncio.Semaphore(places)
        self.waiting = 0


class Places:
    """The places of each client in this process."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._lines: dict[str, _Line] = {}

    async def enter(self, client_id: str) -> bool:
        """Take a place, waiting a moment for it; False if none has become free. Who has one must `leave`."""
        line = self._lines.get(client_id)
        if line is None:
            line = self._lines[client_id] = _Line(self._places)
        if not line.free.locked():
            await line.free.acquire()
            return True
        if line.waiting >= self._places * LINE:
            return False
        line.waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                return await line.free.acquire()
        except TimeoutError:
            return False
        finally:
            line.waiting -= 1

    def leave(self, client_id: str) -> None:
        """Give a place back."""
        self._lines[client_id].free.release()

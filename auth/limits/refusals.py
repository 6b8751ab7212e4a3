"""How often each client is refused, and why: counted in memory, added to the database every few seconds.

Only clients that there are are counted, so what strangers make up costs no memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from app.foundation.database import UNREACHABLE

log = logging.getLogger("rujukan.limits")
FLUSH_EVERY: Final = 3.0
PATIENCE: Final = 2.0
MILD: Final = ("use-dpop-nonce", "use_dpop_nonce", "too-many-requests")
"""Reasons for which a client in good order is refused too: they are counted, but nobody is told."""
Count = tuple[str, str, int]


class Refusals:
    """A process's counts; `start` it before use and `stop` it after."""

    def __init__(self, add: Callable[[Sequence[Count]], Awaitable[int]]) -> None:
        self._add = add
        self._counts: Counter[tuple[str, str]] = Counter()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to add them to the database."""
        self._task = asyncio.create_task(self._go_on(), name="refusals")

    async def stop(self) -> None:
        """Add what is left, and end."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.flush()

    def count(self, client_id: str, reason: str) -> None:
        """Count one refusal of a client that there is. `reason` is one of our own words, never the caller's."""
        self._counts[client_id, reason] += 1

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Add the counts to the database; while it is away they are kept."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._add([(client_id, reason, count) for (client_id, reason), count in counts.items()])
        except UNREACHABLE:
            self._counts.update(counts)
        except Exception as error:
            log.error("refusals were not counted: %s", type(error).__name__)

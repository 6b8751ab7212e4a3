"""Readers of feeds: each keeps what it has read and where it is, as a system does, and dies between the two."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from tests.soak.agencies import System


@dataclass
class Reader:
    """An agency's reader. `events` and `cursor` are what it has on its disk."""

    system: System
    random: Random
    events: list[dict[str, Any]] = field(default_factory=list)
    cursor: int = 0
    delays: list[float] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)

    async def read(self) -> None:
        """Read for ever."""
        while True:
            after = self.cursor
            page = await self._page(after, wait=5)
            arrived = time.time()
            if self.random.random() < 0.08:
                self.counted["asked twice"] += 1
                again = await self._page(after, wait=0)
                both = min(len(page), len(again))  # each time another limit
                assert again[:both] == page[:both], "the same cursor brings the same events"
            if page and self.random.random() < 0.06:
                self.counted["died before it wrote anything down"] += 1
                await asyncio.sleep(self.random.uniform(0, 0.5))
                continue
            self.delays += [arrived - datetime.fromisoformat(each["time"]).timestamp() for each in page]
            self.events += page
            self.cursor = page[-1]["position"] if page else after
            if self.random.random() < 0.02:
                self.counted["stopped for a while"] += 1
                await asyncio.sleep(self.random.uniform(0.5, 2))

    async def _page(self, after: int, wait: int) -> list[dict[str, Any]]:
        limit = self.random.choice((7, 50, 500))
        reply = await self.system.get(f"/v1/events?after={after}&wait={wait}&limit={limit}")
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["items"]
        return found

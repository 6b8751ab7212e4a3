"""How far a soak has come, said now and then: what grows with its size shows here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg

from tests.soak.agencies import Ledger
from tests.soak.stage import Stage

EVERY = 10.0
_WAITING = """
SELECT (SELECT count(*) FROM outbox) AS outbox, (SELECT count(*) FROM delivery WHERE state = 'waiting') AS deliveries,
    (SELECT count(*) FROM log_waiting) AS log, (SELECT coalesce(sum(position), 0)::bigint FROM feed_end) AS events
"""


@dataclass
class Progress:
    """Says it to `say`, or to nobody; keeps how long each part took."""

    stage: Stage
    ledger: Ledger
    say: Callable[[str], None] | None = None
    took: dict[str, float] = field(default_factory=dict)
    """Seconds of each part that is over."""
    _began: float = field(default_factory=time.monotonic)
    _part: str = "play"

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part, whatever becomes of it."""
        began, self._part = time.monotonic(), name
        try:
            yield
        finally:
            self.took[name] = time.monotonic() - began

    async def tell(self) -> None:
        """Say it every so often, for ever."""
        if self.say is None:
            return
        conn = await asyncpg.connect(self.stage.where.owner)  # the stage's own may be busy
        try:
            before = None
            while True:
                row = await conn.fetchrow(_WAITING)
                assert row is not None
                now, acts, events = time.monotonic(), len(self.ledger.done), int(row["events"])
                if before is not None:
                    took = now - before[0]
                    self.say(
                        f"{now - self._began:6.0f} s  {self._part:<14}{self.ledger.counted['referral send']:7} referrals {acts:7} acts"
                        f" ({(acts - before[1]) / took:5.1f}/s) {events:8} events ({(events - before[2]) / took:5.1f}/s); waiting:"
                        f" {row['outbox']} in the outbox, {row['deliveries']} deliveries, {row['log']} log entries"
                    )
                before = (now, acts, events)
                await asyncio.sleep(EVERY)
        finally:
            await conn.close()

"""Token buckets that all processes share, without a statement of the database for each request.

A bucket holds at most `burst` permits and gets `rate` a second. The shared one stands in the database; a process has a view of it: what was left
when it last asked, what has come in since, and what it has let through itself. It may let through a *lease* without asking, a fifth of a
burst or half of what is left, whatever is less; then it settles: says what it took, and learns what others took. Settling goes on in the
background, for many buckets in one statement; a caller waits for it only when its lease is used up. So the average is exact, and at
one time at most a lease a process is let through too many.

While the database is away nobody waits for it: each process then limits by its own view.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from app.foundation.database import UNREACHABLE
from auth.limits.queries import Spent

log = logging.getLogger("rujukan.limits")
SETTLE_EVERY: Final = 1.0
PAUSE: Final = 0.05
"""Seconds between two statements at least, if nobody waits for one."""
PATIENCE: Final = 0.5
"""Seconds a statement may take, and so a caller waits at most for a database that hangs."""
BATCH: Final = 500
REMEMBERED: Final = 20_000
TIDY_EVERY: Final = 10.0
Settle = Callable[[Sequence[Spent]], Awaitable[list[float]]]


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of something there may be: `burst` at once, `rate` a second on the average; a rate of 0: no limit."""

    name: str
    rate: float
    burst: float

    @property
    def window(self) -> float:
        """Seconds in which an empty bucket fills."""
        return self.burst / self.rate


class Bucket:
    """A process's view of one bucket."""

    __slots__ = ("asked", "key", "known", "known_at", "limit", "unsettled")

    def __init__(self, limit: Limit, key: str, now: float) -> None:
        self.limit = limit
        self.key = f"{limit.name}:{key}"
        self.known, self.known_at = limit.burst, now
        self.unsettled = 0.0
        self.asked: asyncio.Future[None] | None = None
        """Done when what is unsettled now is settled."""

    def left(self, now: float) -> float:
        """Return how many permits there are, as far as this process knows."""
        limit = self.limit
        filled = self.known + limit.rate * (now - self.known_at)
        return (filled if filled < limit.burst else limit.burst) - self.unsettled

    def wait(self, now: float, cost: float = 1.0) -> float:
        """Return the seconds until there will be `cost` permits."""
        return max(0.0, (cost - self.left(now)) / self.limit.rate)

    def settled(self, sent: float, left: float, now: float) -> None:
        """Take in what was left at `now`, after `sent` had been taken."""
        self.known, self.known_at = left, now
        self.unsettled -= sent


class Buckets:
    """The buckets a process knows; `start` settling before use, and `stop` it after.

    Of each limit it knows a bounded number, and forgets the unused first: strangers' addresses push no client out.
    """

    def __init__(self, settle: Settle, *, size: int = REMEMBERED) -> None:
        self._settle = settle
        self._size = size
        self._buckets: defaultdict[str, OrderedDict[str, Bucket]] = defaultdict(OrderedDict)
        self._unsettled: dict[str, Bucket] = {}
        self._wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.away = False
        """Whether the database is."""

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def start(self) -> None:
        """Begin to settle."""
        self._task = asyncio.create_task(self._go_on(), name="limits")

    async def stop(self) -> None:
        """Settle what is left, and end."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        while self._unsettled and await self._settle_some():
            pass

    def find(self, limit: Limit, key: str) -> Bucket:
        """Return the bucket of that key; what this process does not know yet is taken to be full."""
        known = self._buckets[limit.name]
        bucket = known.get(key)
        if bucket is None:
            bucket = known[key] = Bucket(limit, key, time.monotonic())
            if len(known) > self._size:
                known.popitem(last=False)
        else:
            known.move_to_end(key)
        return bucket

    def knows_any(self, limit: Limit) -> bool:
        """Whether this process knows any bucket of this limit."""
        return bool(self._buckets[limit.name])

    def look(self, limit: Limit, key: str) -> Bucket | None:
        """Return the bucket if this process knows it."""
        return self._buckets[limit.name].get(key)

    def spend(self, bucket: Bucket, permits: float) -> None:
        """Take permits whether there are any or not: for what has happened. Negative ones are given back."""
        bucket.unsettled += permits
        self._unsettled[bucket.key] = bucket
        if bucket.unsettled >= bucket.limit.burst / 10:
            self._wanted.set()

    def take(self, bucket: Bucket, now: float) -> bool | None:
        """Take one permit; False if there is none, None if this process may not let more through before it has asked: then `ask`."""
        limit, unsettled = bucket.limit, bucket.unsettled
        left = bucket.left(now)
        if left < 1:
            return False
        lease = (left + unsettled) / 2
        if lease > (most := limit.burst / 5):
            lease = most
        unsettled += 1
        if unsettled > lease and unsettled > 1 and not self.away:
            return None
        bucket.unsettled = unsettled
        self._unsettled[bucket.key] = bucket
        if unsettled >= lease * 0.75:
            self._wanted.set()
        return True

    async def ask_and_take(self, bucket: Bucket) -> bool:
        """Take one permit, after asking the database as often as that needs; False if there is none."""
        while (taken := self.take(bucket, time.monotonic())) is None:
            await self._settling(bucket)
        return taken

    async def _settling(self, bucket: Bucket) -> None:
        if bucket.asked is None:
            bucket.asked = asyncio.get_running_loop().create_future()
            self._unsettled[bucket.key] = bucket
        self._wanted.set()
        self._hurry.set()
        await asyncio.shield(bucket.asked)

    async def _go_on(self) -> None:
        tidied = time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_EVERY):
                    await self._wanted.wait()
            self._wanted.clear()
            if not self._hurry.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(PAUSE):
                        await self._hurry.wait()
            self._hurry.clear()
            while self._unsettled and await self._settle_some():
                pass
            if time.monotonic() - tidied > TIDY_EVERY:
                self._tidy()
                tidied = time.monotonic()
            if self.away:
                await asyncio.sleep(SETTLE_EVERY)

    async def _settle_some(self) -> bool:
        """Settle some of what is unsettled, in one statement; whether the database was there."""
        some = [self._unsettled.pop(key) for key in list(self._unsettled)[:BATCH]]
        some = sorted((each for each in some if each.unsettled or each.asked is not None), key=lambda each: each.key)
        if not some:
            return True
        sent = [bucket.unsettled for bucket in some]
        waiting = [bucket.asked for bucket in some]
        for bucket in some:
            bucket.asked = None
        now = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                left = await self._settle(
                    [
                        Spent(bucket.key, permits, bucket.limit.rate, bucket.limit.burst)
                        for bucket, permits in zip(some, sent, strict=True)
                    ]
                )
            for bucket, permits, remaining in zip(some, sent, left, strict=True):
                bucket.settled(permits, remaining, now)
            self._is_away(None)
        except Exception as error:
            # whatever it is, the gate neither stays shut nor stands open: this process's own view goes on
            self._is_away(error)
            for bucket in (*some, *self._unsettled.values()):
                bucket.settled(bucket.unsettled, bucket.left(now), now)
            waiting += [bucket.asked for bucket in self._unsettled.values()]
            for bucket in self._unsettled.values():
                bucket.asked = None
            self._unsettled.clear()
        finally:
            for future in waiting:
                if future is not None and not future.done():
                    future.set_result(None)
        return not self.away

    def _is_away(self, error: Exception | None) -> None:
        if error is None and self.away:
            log.info("limits are shared again")
        elif error is not None and not self.away:
            level = logging.WARNING if isinstance(error, UNREACHABLE) else logging.ERROR
            log.log(level, "limits are not shared now: %s", type(error).__name__)
        self.away = error is not None

    def _tidy(self) -> None:
        """Forget the buckets that are full again: one that is not known is taken to be."""
        now = time.monotonic()
        for known in self._buckets.values():
            full = [
                key for key, bucket in known.items() if not bucket.unsettled and bucket.left(now) >= bucket.limit.burst
            ]
            for key in full:
                del known[key]

"""Who is let through, who has to wait: the limits of one process, as endpoints ask about them.

* `client`: requests of a client that has proved who it is. Nobody else can use them up: they are taken after the proof.
* `address`: attempts to get in from one address that did not succeed. An attempt that succeeds gives back what it took.
* `failures`: failures of one claimed client from one address. Whoever claims to be a client from elsewhere has a count of his own, so he
  slows himself; and it makes no difference whether there is a client of that name. Where a token is shown, the token (its `jti`) stands in the
  name's place: who only knows a client's name stops no token of it, not even from the same address.
* places: how many requests of a client a process works on at once.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import asyncpg

from app.foundation.clock import Clock
from app.foundation.database import open_pool
from app.foundation.settings import Settings
from auth.address import Address
from auth.limits import queries
from auth.limits.buckets import Bucket, Buckets, Limit
from auth.limits.places import Places
from auth.limits.queries import Spent
from auth.limits.refusals import MILD, Count, Refusals

HELD: Final = "rujukan.place"
"""Where the scope of a request holds the client whose place it has, until it has ended."""
HEADERS: Final = "rujukan.headers"
"""Where the scope of a request holds fields that its answer gets."""
FAILURE: Final = 9
"""What a failure costs its address, beside the 1 that an attempt costs, which is given back if it succeeds."""
FEEDS: Final = 64
"""How many requests of one client may wait for events at once, in each process."""
LONGEST_NAME: Final = 100
"""Characters of a claimed name that are looked at; no client's is longer."""
CROWDED: Final = 1.0
"""Seconds after which to try again where no place became free."""


class Wait(NamedTuple):
    """That somebody has to wait."""

    limit: str
    """`client`, `address`, `failures`, or `concurrency`."""
    seconds: float

    @property
    def retry_after(self) -> str:
        """The wait as `Retry-After` has it (RFC 9110 §10.2.3): whole seconds, at least one."""
        return str(max(1, math.ceil(self.seconds)))


class Limits:
    """The limits of one process; `start` it before use and `stop` it after. Whoever asks gets a `Wait`, or None: go on."""

    def __init__(self, settings: Settings, url: str, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self.client = Limit("client", settings.client_rate, settings.client_burst)
        self.address = Limit("address", settings.address_rate, settings.address_burst)
        self.failures = Limit("failures", settings.failures_per_minute / 60, settings.failures_burst)
        self.buckets = Buckets(self._spend)
        self.refusals = Refusals(self._count)
        self._often = settings.refused_often
        self._places = Places(settings.client_concurrency) if settings.client_concurrency else None
        self._feeds: Counter[str] = Counter()
        self._used_up: set[str] = set()
        self._pool: asyncpg.Pool | None = None
        self._policy = (b"ratelimit-policy", policy_field(self.client) if self.client.rate else b"")

    async def start(self) -> None:
        """Connect, by a connection that no flood of requests can take, and begin."""
        self._pool = await open_pool(self._url, size=1)
        self.buckets.start()
        self.refusals.start()

    async def stop(self) -> None:
        """Settle and end."""
        await self.refusals.stop()
        await self.buckets.stop()
        if self._pool is not None:
            await self._pool.close()

    async def _spend(self, spent: Sequence[Spent]) -> list[float]:
        assert self._pool is not None, "start comes first"
        async with self._pool.acquire() as conn:
            return await queries.spend(conn, spent, at=self._clock.now())

    async def _count(self, counts: Sequence[Count]) -> int:
        assert self._pool is not None, "start comes first"
        async with self._pool.acquire() as conn:
            return await queries.count_refusals(conn, counts, mild=MILD, often=self._often, at=self._clock.now())

    # before anybody is known

    def wait_of_address(self, address: Address | None) -> Wait | None:
        """Return how long an address has to wait before it is looked at, as far as this process knows."""
        if address is None or not self.address.rate:
            return None
        return _wait(self.buckets.look(self.address, address.counted_as))

    def wait_of_claimed(self, claimed: str, address: Address | None) -> Wait | None:
        """Return how long whoever claims to be this client, or shows this token, from there, has to wait, as far as this process knows."""
        if address is None or not self.failures.rate or not self.buckets.knows_any(self.failures):
            return None
        return _wait(self.buckets.look(self.failures, _pair(claimed[:LONGEST_NAME], address.counted_as)))

    async def attempt(self, address: Address | None) -> Wait | None:
        """Take what an attempt costs the address. One that may be made ends in `succeeded`, `failed`, or neither."""
        if address is None or not self.address.rate:
            return None
        bucket = self.buckets.find(self.address, address.counted_as)
        return None if await self.buckets.ask_and_take(bucket) else _wait_for(bucket)

    def succeeded(self, address: Address | None) -> None:
        """Give back what the attempt took."""
        if address is not None and self.address.rate:
            self.buckets.spend(self.buckets.find(self.address, address.counted_as), -1)

    def failed(self, address: Address | None, claimed: str | None = None) -> None:
        """Make the address pay for a failure, and the client it claimed to be, or the token it showed, from there."""
        if address is None:
            return
        if self.address.rate:
            self.buckets.spend(self.buckets.find(self.address, address.counted_as), FAILURE)
        if claimed is not None and self.failures.rate:
            self.buckets.spend(self.buckets.find(self.failures, _pair(claimed[:LONGEST_NAME], address.counted_as)), 1)

    # a client that has proved who it is

    def wait_of_client(self, client_id: str) -> Wait | None:
        """Return how long a client has to wait that has used up its requests, as far as this process knows."""
        if not self._used_up or client_id not in self._used_up:
            return None
        wait = _wait(self.buckets.look(self.client, client_id))
        if wait is None:
            self._used_up.discard(client_id)
        return wait

    async def let_in(self, scope: MutableMapping[str, Any], client_id: str) -> Wait | None:
        """Take a place and a permit for a request. The place is given back when the request ends."""
        if self._places is not None and HELD not in scope:
            if not self._places.enter(client_id) and not await self._places.wait(client_id):
                return Wait("concurrency", CROWDED)
            scope[HELD] = client_id
        if not self.client.rate:
            return None
        bucket, now = self.buckets.find(self.client, client_id), time.monotonic()
        taken = self.buckets.take(bucket, now)
        if taken is None:
            taken = await self.buckets.ask_and_take(bucket)
        scope[HEADERS] = self._fields(bucket, now)
        if taken:
            return None
        self._used_up.add(client_id)
        return _wait_for(bucket)

    def fields_of(self, client_id: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the fields of an answer to a client that is refused before it has taken anything."""
        return self._fields(self.buckets.find(self.client, client_id), time.monotonic()) if self.client.rate else ()

    def _fields(self, bucket: Bucket, now: float) -> tuple[tuple[bytes, bytes], ...]:
        """Return `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): `r` are left, all are back after `t` seconds."""
        left, limit = bucket.left(now), bucket.limit
        field = b'"client";r=%d;t=%d' % (left if left > 0 else 0, math.ceil((limit.burst - left) / limit.rate))
        return (self._policy, (b"ratelimit", field))

    def leave(self, scope: MutableMapping[str, Any]) -> None:
        """Give the request's place back, if it has one."""
        client_id: str | None = scope.pop(HELD, None)
        if client_id is not None and self._places is not None:
            self._places.leave(client_id)

    # who only waits for events

    def begin_waiting(self, scope: MutableMapping[str, Any], client_id: str) -> bool:
        """Give the request's place back while it waits, until `end_waiting`; False if too many of the client's wait already."""
        if self._feeds[client_id] >= FEEDS:
            return False
        self._feeds[client_id] += 1
        self.leave(scope)
        return True

    def end_waiting(self, client_id: str) -> None:
        """Count one less that waits."""
        self._feeds[client_id] -= 1
        if not self._feeds[client_id]:
            del self._feeds[client_id]


def policy_field(limit: Limit) -> bytes:
    """Return the limit as `RateLimit-Policy` has it: `q` requests in `w` seconds."""
    return f'"{limit.name}";q={int(limit.burst)};w={max(1, math.ceil(limit.window))}'.encode()


def _wait(bucket: Bucket | None) -> Wait | None:
    if bucket is None or bucket.left(time.monotonic()) >= 1:
        return None
    return _wait_for(bucket)


def _wait_for(bucket: Bucket) -> Wait:
    return Wait(bucket.limit.name, bucket.wait(time.monotonic()))


@lru_cache(maxsize=4096)
def _pair(claimed: str, address: str) -> str:
    """Name a claimed client from an address, in bounded length whatever was claimed."""
    return f"{hashlib.sha256(claimed.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}|{address}"

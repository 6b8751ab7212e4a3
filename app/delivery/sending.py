"""Sends what is due: claim, commit, send, record. A worker that is killed loses nothing; its claims come due again when their lease ends.

What is sent twice by that has the same `webhook-id`. One receiver that is slow or fails keeps no other waiting: each has few deliveries under
way, a failing or slow one a single one (`pace.py`), half of all places are for receivers that nothing is being sent to, and all that fail or are
slow have a quarter together.
One that goes on failing is left alone for as long as it has failed, up to a minute: that is this process's own memory; when a delivery is due
is the database's.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final
from uuid import UUID

import asyncpg
import tink

from app.delivery import claims, message, retry, signing
from app.delivery.claims import Attempt, Claimed
from app.delivery.pace import Pace, Sending
from app.delivery.retry import Outcome
from app.foundation.clock import Clock
from app.foundation.database import UNREACHABLE
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, Place
from app.foundation.outbound import OutboundError
from app.foundation.posting import Poster
from app.foundation.settings import Settings
from app.outbox.jobs import queries as parked
from app.outbox.jobs.claims import failed, named

log = logging.getLogger("rujukan.delivery")
GATHER: Final = 0.005
GATHER_BUSY: Final = 0.02
"""Seconds between being woken and looking, where something is under way the second: what ends together is followed up by one look."""
GRACE: Final = 8.0
"""Seconds that what is under way is given to end when the process is told to."""
LONGEST_REST: Final = 60.0
LONGEST_ASKED_REST: Final = 3600.0
"""Seconds that a receiver is left alone for its `Retry-After`; the delivery itself waits as long as it was asked to."""
_KEYS_HELD: Final = 1000
_SAME_FAILURE: Final = 4.0
"""Seconds in which what fails again for the same reason is one failure: several messages of a webhook whose key does not open."""
JOB: Final = "send_deliveries"


class NothingToSignWith(Exception):
    """A webhook without a key: nobody would believe its messages."""


class Sender:
    """Sends this process's share. `stop` it after use; it may be told of news by setting `wake`."""

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        clock: Clock,
        pool: asyncpg.Pool,
        *,
        wake: asyncio.Event | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._clock = clock
        self._pool = pool
        self._chance = chance
        self._poster = Poster(settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace = Pace(settings.webhooks_at_once_each)
        self._failing: dict[UUID, float] = {}
        self._rests: dict[UUID, float] = {}
        self._keys: dict[UUID, bytes] = {}
        self._noted: dict[UUID, float] = {}
        self.wake = wake or asyncio.Event()

    async def send_due(self) -> int:
        """Claim what is due and there is room for, begin to send it, and return how much that was."""
        await asyncio.sleep(GATHER_BUSY if self._tasks else GATHER)
        room = self._settings.webhooks_at_once - len(self._tasks)
        if room <= 0:
            return 0
        now = monotonic()
        self._rests = {webhook: until for webhook, until in self._rests.items() if until > now}
        shares = self._pace.shares()
        busy = sum(share.busy > 0 for share in shares.values())
        claimed = await claims.claim(
            self._pool,
            self._clock.now(),
            shares=shares,
            first=self._pace.first,
            resting=list(self._rests),
            room=room,
            room_for_more=max(
                0, self._settings.webhooks_at_once // 2 - (len(self._tasks) - busy)
            ),  # each webhook's first is none of them
            room_for_failing=max(0, -(-self._settings.webhooks_at_once // 4) - self._pace.failing(shares)),
        )
        for each in claimed:
            sending = self._pace.begin(each.webhook_id, failing=each.failing)
            task = asyncio.create_task(self._deliver(each, sending), name="deliver")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(claimed)

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self, grace: float = GRACE) -> None:
        """Let what is under way end; what has not by then is left to its lease."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task
        await self._poster.close()

    async def _deliver(self, claimed: Claimed, sending: Sending) -> None:
        """Send one. Whatever goes wrong here is ours: it is noted, and tried again when its lease has ended, later and later."""
        try:
            keys = [self._key(claimed.webhook_id, *each) for each in claimed.keys]
            if not keys:
                raise NothingToSignWith
            began = monotonic()
            outcome, answer = await self._send(claimed, keys)
            took = monotonic() - began
            self._pace.heard(claimed.webhook_id, took, succeeded=outcome.succeeded)
            self._remember(claimed.webhook_id, outcome, began)
            await self._record(claimed, outcome, answer, round(took * 1000))
            if claimed.noted:
                async with self._pool.acquire() as conn:
                    for id in (claimed.message.id, claimed.webhook_id):
                        await parked.forget(conn, JOB, id)
        except UNREACHABLE as error:
            log.warning("a delivery is left to its lease: %s", type(error).__name__)
        except (NothingToSignWith, tink.TinkError) as error:  # none of its messages can be sent
            await self._failed("webhook", claimed.webhook_id, None, error)
        except Exception as error:
            await self._failed("delivery", claimed.message.id, claimed.message.case_id, error)
        finally:
            self._pace.end(sending)
            self.wake.set()

    async def _failed(self, subject: str, id: UUID, case_id: UUID | None, error: Exception) -> None:
        now = monotonic()
        self._noted = {each: at for each, at in self._noted.items() if now - at < _SAME_FAILURE}
        if id in self._noted:
            return
        self._noted[id] = now
        try:
            async with self._pool.acquire() as conn:
                await failed(conn, JOB, subject, id, case_id, error, self._clock.now())
        except Exception as unwritten:
            log.error("a %s failed (%s), which cannot be noted: %s", subject, named(error), named(unwritten))

    async def _send(self, claimed: Claimed, keys: list[bytes]) -> tuple[Outcome, bytes]:
        now = self._clock.now()
        body = message.body(claimed.message)
        headers = {"Content-Type": "application/json", **signing.headers(str(claimed.message.id), now, body, keys)}
        try:
            answer = await self._poster.post(claimed.url, headers=headers, body=body)
        except OutboundError as error:
            return Outcome(None, error.fault), b""
        asked = retry.retry_after(answer.status, answer.retry_after, now)
        return Outcome(answer.status, retry_after=asked), answer.body

    def _key(self, webhook_id: UUID, id: UUID, sealed: bytes) -> bytes:
        """Open a key, once: which ones count is asked with every claim."""
        if id not in self._keys:
            if len(self._keys) >= _KEYS_HELD:
                self._keys.clear()
            self._keys[id] = self._keyring.open_one(Place("webhook_key.private_sealed", id, webhook_id), sealed)
        return self._keys[id]

    def _remember(self, webhook_id: UUID, outcome: Outcome, began: float) -> None:
        """Leave alone whoever goes on failing: as long as it has, or as it asks."""
        if outcome.succeeded:
            self._failing.pop(webhook_id, None)
            return
        now = monotonic()
        rest = min(now - self._failing.setdefault(webhook_id, began), LONGEST_REST)
        if outcome.retry_after is not None:
            rest = max(rest, min(outcome.retry_after.total_seconds(), LONGEST_ASKED_REST))
        self._rests[webhook_id] = max(now + rest, self._rests.get(webhook_id, now))

    async def _record(self, claimed: Claimed, outcome: Outcome, answer: bytes, milliseconds: int) -> None:
        """Record what came of it, trying again while the database is away, as long as the lease holds."""
        now = self._clock.now()
        state, due_at = "delivered", now
        if not outcome.succeeded:
            tried_for = now - claimed.first_at - claimed.reached_nobody
            delay = retry.next_delay(claimed.number, tried_for, outcome, self._chance)
            state, due_at = ("failed", now) if delay is None else ("waiting", now + delay)
        id = uuid7(now)
        place = Place("delivery_attempt.answer", id, claimed.webhook_id)
        attempt = Attempt(
            id=id,
            at=now,
            state=state,
            due_at=due_at,
            status=outcome.status,
            fault=outcome.fault,
            milliseconds=milliseconds,
            answer=self._keyring.seal_one(place, answer) if answer else None,
        )
        end = monotonic() + claims.LEASE.total_seconds() / 2
        while True:
            try:
                became = await claims.record(
                    self._pool, claimed, attempt, pause_after=self._settings.webhook_pause_after
                )
                break
            except UNREACHABLE:
                if monotonic() > end:
                    raise
                await asyncio.sleep(0.5)
        if became in ("paused", "gone"):
            log.warning("the webhook %s is %s", claimed.webhook_id, became)
        elif became == "recovered":
            while await claims.hasten(self._pool, claimed.webhook_id, self._clock.now()) == claims.REMOVED:
                pass
        elif became == "nobody":
            log.error("nothing gets through to any webhook: is it the exchange's own line, its names or its clock?")
        elif became == "reached":
            log.warning("something gets through to webhooks again")
            while await claims.hasten_all(self._pool, self._clock.now()) == claims.REMOVED:
                pass

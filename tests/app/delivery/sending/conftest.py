"""A sender on the test's database, with receivers on this machine, and webhooks put there by SQL."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.delivery import claims, signing
from app.delivery.sending import Sender
from app.foundation.database import open_pool
from app.foundation.keyring import Place
from app.foundation.settings import Settings
from tests.conftest import GENEROUS, ISSUER
from tests.makers.receivers import Receiver, Receivers, receiving
from tests.makers.world import World

NOBODY = "https://nobody.example/hook"


@dataclass
class Office:
    """Whoever sends: one worker's sender, what it sends to, and what a test looks at behind it."""

    world: World
    receivers: Receivers
    settings: Settings
    pool: asyncpg.Pool
    senders: list[Sender] = field(default_factory=list)

    @property
    def sender(self) -> Sender:
        return self.senders[0]

    @property
    def owner(self) -> asyncpg.Connection:
        return self.world.owner

    def another(self, **settings: Any) -> Sender:
        """A sender as another worker has one."""
        exchange = self.world.exchange
        chosen = self.settings.model_copy(update=settings)
        sender = Sender(chosen, exchange.keyring, exchange.clock, self.pool, chance=lambda: 0.5)
        self.senders.append(sender)
        return sender

    async def webhook(
        self,
        to: Receiver | str = NOBODY,
        *,
        who: str = "iom",
        types: Sequence[str] = (),
        keys: int = 1,
        client: str = "",
    ) -> UUID:
        """A webhook of an agency's system, at the end of its feed."""
        now, agency = self.world.exchange.clock.now(), self.world.id_of(who)
        id: UUID = await self.owner.fetchval(
            """INSERT INTO webhook (agency_id, client_id, url, types, state_at, position, created_at, changed_at)
               VALUES ($1, $2, $3, $4, $5, coalesce((SELECT position FROM feed_end WHERE agency_id = $1), 0), $5, $5) RETURNING id""",
            agency,
            client or f"{who}-system",
            to if isinstance(to, str) else to.url,
            list(types),
            now,
        )
        for _ in range(keys):
            await self.key(id, agency)
        return id

    async def key(self, webhook: UUID, agency: UUID, ends_in: timedelta | None = None) -> str:
        """A key of a webhook, and its public half."""
        now, key_id, private = self.world.exchange.clock.now(), uuid.uuid4(), signing.generate()
        sealed = self.world.exchange.keyring.seal_one(Place("webhook_key.private_sealed", key_id, webhook), private)
        await self.owner.execute(
            "INSERT INTO webhook_key VALUES ($1, $2, $3, $4, $5, $6, $7)",
            key_id,
            webhook,
            agency,
            signing.public_key(private),
            sealed,
            now,
            None if ends_in is None else now + ends_in,
        )
        return signing.public_key(private)

    async def news(
        self, count: int = 1, *, who: str = "iom", type: str = "referral.sent", case: UUID | None = None
    ) -> None:
        """Events in an agency's feed: each of a case of its own, unless it is said of which."""
        subject, _, state = type.partition(".")
        await self.owner.executemany(
            """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7)""",
            [
                (
                    self.world.id_of(who),
                    type,
                    subject,
                    uuid.uuid4(),
                    case or uuid.uuid4(),
                    state,
                    self.world.exchange.clock.now(),
                )
                for _ in range(count)
            ],
        )
        await self.sequence()

    async def sequence(self) -> None:
        while await self.world.exchange.worker.sequence_events():
            pass

    async def grow_old(self, who: str, *, through: int) -> None:
        """The events of a feed up to a position are no longer kept: the worker has dropped them."""
        await self.owner.execute(
            "UPDATE event SET recorded_at = $3 WHERE agency_id = $1 AND position <= $2",
            self.world.id_of(who),
            through,
            self.world.exchange.clock.now() - timedelta(days=400),
        )
        await self.world.exchange.worker.drop_old_events()

    async def fan_out(self, **bounds: int) -> int:
        """Make deliveries of all there is; how many events that were."""
        made, more = 0, True
        while more:
            async with self.pool.acquire() as conn:
                found, more = await claims.fan_out(conn, self.world.exchange.clock.now(), **bounds)
            made += found
        return made

    async def send(self) -> int:
        """Send what is due, and what of it becomes possible by that; how many attempts that were."""
        sent = 0
        self.sender._rests.clear()  # tests that are about it look themselves
        while found := await self.sender.send_due():
            await self.sender.settled()
            self.sender._rests.clear()
            sent += found
        return sent

    async def deliver(self) -> int:
        await self.fan_out()
        return await self.send()

    async def later(self, **by: float) -> None:
        self.world.exchange.later(**by)

    async def deliveries(self, webhook: UUID) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.owner.fetch(
            "SELECT * FROM delivery WHERE webhook_id = $1 ORDER BY position", webhook
        )
        return rows

    async def states(self, webhook: UUID) -> list[str]:
        return [row["state"] for row in await self.deliveries(webhook)]

    async def has_delivered(self, webhook: UUID, count: int) -> None:
        """Wait until so many deliveries of a webhook have been recorded as delivered, by whatever process."""
        async with asyncio.timeout(30):
            while (await self.states(webhook)).count("delivered") < count:  # noqa: ASYNC110 -- another process does it
                await asyncio.sleep(0.02)

    async def attempts(self, webhook: UUID) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.owner.fetch(
            "SELECT * FROM delivery_attempt WHERE webhook_id = $1 ORDER BY id", webhook
        )
        return rows

    async def of(self, webhook: UUID) -> asyncpg.Record:
        row = await self.owner.fetchrow("SELECT * FROM webhook WHERE id = $1", webhook)
        assert row is not None
        return row


@pytest.fixture
async def office(world: World, tmp_path: Path) -> AsyncIterator[Office]:
    async with receiving(tmp_path) as receivers:
        receivers.certify("localhost")
        settings = Settings(public_url=ISSUER, data_dir=tmp_path, **GENEROUS, **receivers.settings)
        pool = await open_pool(world.exchange.addresses.of("worker"), size=4)
        made = Office(world, receivers, settings, pool)
        made.another()
        yield made
        for each in made.senders:
            await each.stop(grace=0)
        await pool.close()


async def running(sender: Sender) -> None:
    """Send as the worker's job does, until cancelled."""
    with suppress(asyncio.CancelledError):
        while True:
            sender.wake.clear()
            if not await sender.send_due():
                with suppress(TimeoutError):
                    await asyncio.wait_for(sender.wake.wait(), 0.05)

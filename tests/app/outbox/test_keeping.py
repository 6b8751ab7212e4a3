"""How long events are kept: whole months are dropped, and whoever comes too late is told how to be up to date again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import ValidationError

from app.foundation.settings import Settings
from app.outbox.queries import drop_events, sequence
from tests.app.outbox.conftest import Make
from tests.makers.world import Agency, World


@pytest.fixture
def now(world: World) -> datetime:
    return world.exchange.clock.now()


@pytest.fixture
async def worker(world: World) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(world.exchange.addresses.worker)
    yield conn
    await conn.close()


async def read(who: Agency, after: int, **headers: str) -> httpx.Response:
    return await who.get(f"/v1/events?after={after}", headers=headers)


def positions(reply: httpx.Response) -> list[int]:
    assert reply.status_code == 200, reply.text
    return [each["position"] for each in reply.json()["items"]]


async def months(world: World) -> set[str]:
    rows = await world.owner.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'event'::regclass"
    )
    return {row["name"] for row in rows}


class TestOldEvents:
    async def test_are_dropped_by_the_month_and_the_feed_remembers_up_to_where(
        self, world: World, make_events: Make, now: datetime
    ) -> None:
        days = world.exchange.settings.event_days
        long_ago, kept = now - timedelta(days=days + 45), now - timedelta(days=days - 5)
        await world.owner.fetchval("SELECT ensure_partitions($1)", long_ago)
        before = await months(world)
        await make_events(
            "iom", 2, at=long_ago - timedelta(days=300)
        )  # no month of its own: it is in the default partition
        await make_events("iom", 3, at=long_ago)
        await make_events("lpsk", 1, at=kept)
        await make_events("iom", 2, at=kept)
        assert positions(await read(world.iom, 0)) == [1, 2, 3, 4, 5, 6, 7]
        assert await world.exchange.worker.drop_old_events() >= 1
        gone = before - await months(world)
        assert f"event_{long_ago:%Y%m}" in gone
        assert not any(name >= f"event_{kept:%Y%m}" for name in gone), "and no month of which something is kept"
        for after in (0, 4):
            told = await read(world.iom, after)
            assert (told.status_code, told.json()["type"]) == (410, "/problems/cursor-too-old")
            assert (told.json()["oldest"], told.json()["next"]) == (6, "/v1/events?after=5")
        assert positions(await world.iom.get(told.json()["next"])) == [6, 7]
        assert positions(await read(world.lpsk, 0)) == [1], "of another agency nothing was dropped"
        assert positions(await read(world.stranger, 0)) == []
        assert await world.exchange.worker.drop_old_events() == 0
        assert positions(await read(world.iom, 5)) == [6, 7]
        assert await world.owner.fetchval("SELECT count(*) FROM event") == 3

    async def test_may_be_all_there_are(self, world: World, make_events: Make, now: datetime) -> None:
        await make_events("iom", 4, at=now - timedelta(days=400))
        await world.exchange.worker.drop_old_events()
        told = (await read(world.iom, 0)).json()
        assert (told["oldest"], told["next"]) == (5, "/v1/events?after=4")
        assert positions(await read(world.iom, 4)) == []
        assert (await read(world.iom, 5)).status_code == 409
        await make_events("iom", 1)
        assert positions(await read(world.iom, 4)) == [5], "positions go on where they were"

    async def test_leave_a_way_to_be_up_to_date_again(self, world: World, make_events: Make, now: datetime) -> None:
        """As the problem's page says: everything of `read_first`, then on from `next`."""
        missed = await world.send()
        await world.exchange.settle()
        await world.owner.execute("UPDATE event SET recorded_at = $1", now - timedelta(days=400))
        await world.exchange.worker.drop_old_events()
        told = (await read(world.iom, 0)).json()
        known: set[str] = set()
        for address in told["read_first"]:
            path: str | None = address
            while path:
                page: dict[str, Any] = (await world.iom.get(path)).json()
                known |= {each["id"] for each in page.get("items", ()) if "id" in each}
                path = page.get("next")
        assert missed.id in known
        later = await world.send()
        await world.exchange.settle()
        (event,) = (await world.iom.get(told["next"])).json()["items"]
        assert event["subject_id"] == later.id

    async def test_are_counted_also_while_they_are_sequenced(
        self, world: World, worker: asyncpg.Connection, make_events: Make, now: datetime
    ) -> None:
        """A drop waits for a batch that has begun: else its events would be gone without anybody having counted them."""
        await make_events("iom", 2, at=now - timedelta(days=400), settle=False)
        other = await asyncpg.connect(world.exchange.addresses.worker)
        async with other.transaction():
            assert await sequence(other, 100) == 2
            dropping = asyncio.create_task(drop_events(worker, now - timedelta(days=90)))
            await asyncio.sleep(0.2)
            assert not dropping.done()
        await dropping
        await other.close()
        assert (await read(world.iom, 0)).status_code == 410
        assert await world.owner.fetchval("SELECT dropped FROM feed_end WHERE agency_id = $1", world.ids["iom"]) == 2

    async def test_are_dropped_later_where_somebody_reads(
        self, world: World, worker: asyncpg.Connection, make_events: Make, now: datetime
    ) -> None:
        """A drop gives up after two seconds: whoever reads would stand in line behind it."""
        await world.owner.fetchval("SELECT ensure_partitions($1)", now - timedelta(days=400))
        async with world.owner.transaction():
            await world.owner.fetchval("SELECT count(*) FROM event")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await drop_events(worker, now - timedelta(days=90))
        assert await drop_events(worker, now - timedelta(days=90)) >= 1

    def test_are_kept_no_shorter_than_answers_are(self) -> None:
        with pytest.raises(ValidationError, match="RUJUKAN_EVENT_DAYS"):
            Settings(event_days=29)
        assert Settings(event_days=7, idempotency_days=7).event_days == 7

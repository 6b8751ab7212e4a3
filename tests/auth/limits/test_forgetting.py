"""Buckets that are full again are forgotten, while processes go on spending from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from auth.limits.queries import Spent, purge, spend
from tests.conftest import Exchange


def one(key: str) -> list[Spent]:
    return [Spent(key, 1, rate=1, burst=5)]


@pytest.fixture
async def worker(exchange: Exchange) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(exchange.addresses.worker)
    yield conn
    await conn.close()


async def test_nobody_who_spends_waits_for_it_crosswise_and_what_is_being_spent_stays(
    exchange: Exchange, worker: asyncpg.Connection
) -> None:
    process = await asyncpg.connect(exchange.addresses.app)
    at = exchange.clock.now()
    for key in ("b", "a"):  # in the table they stand otherwise than those who spend take them
        await spend(process, one(key), at=at)
    later = at + timedelta(minutes=5)
    async with process.transaction():
        await spend(process, one("a"), at=later)
        forgetting = asyncio.create_task(purge(worker, now=later))
        await asyncio.sleep(0.3)
        await spend(process, one("b"), at=later)
    assert await asyncio.wait_for(forgetting, 5) == 1
    left = await exchange.owner.fetch("SELECT key, tokens FROM rate_bucket WHERE key IN ('a', 'b') ORDER BY key")
    assert [tuple(row) for row in left] == [("a", 4.0), ("b", 4.0)]
    await process.close()

"""Token buckets in the database, and what a process may let through without asking it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from auth.limits import buckets as module
from auth.limits import queries
from auth.limits.buckets import Buckets, Limit
from auth.limits.queries import Spent
from tests.conftest import Exchange


class TestTheSharedBucket:
    """`spend_permits`: 10 at once, 2 a second."""

    async def left(self, exchange: Exchange, permits: float, *, key: str = "client:a") -> float:
        (left,) = await queries.spend(exchange.owner, [Spent(key, permits, 2, 10)], at=exchange.clock.now())
        return left

    async def test_begins_full(self, exchange: Exchange) -> None:
        assert await self.left(exchange, 0) == 10
        assert await self.left(exchange, 3) == 7
        assert await self.left(exchange, 0, key="client:b") == 10

    async def test_fills_as_time_goes_on_and_no_higher(self, exchange: Exchange) -> None:
        await self.left(exchange, 8)
        exchange.later(seconds=3)
        assert await self.left(exchange, 0) == pytest.approx(8, abs=0.2)
        exchange.later(hours=1)
        assert await self.left(exchange, 0) == 10

    async def test_takes_back_what_was_not_needed(self, exchange: Exchange) -> None:
        await self.left(exchange, 8)
        assert await self.left(exchange, -5) == pytest.approx(7, abs=0.2)
        assert await self.left(exchange, -50) == 10

    async def test_owes_no_more_than_its_burst(self, exchange: Exchange) -> None:
        await self.left(exchange, 1000)
        assert await self.left(exchange, 1000) == -10
        exchange.later(seconds=6)
        assert await self.left(exchange, 0) == pytest.approx(2, abs=0.2)

    async def test_gains_nothing_from_a_clock_that_went_back(self, exchange: Exchange) -> None:
        await self.left(exchange, 8)
        exchange.later(hours=-5)
        assert await self.left(exchange, 0) == pytest.approx(2, abs=0.2)
        exchange.later(seconds=2)
        assert await self.left(exchange, 0) == pytest.approx(6, abs=0.2), "and goes on by the mended one"

    async def test_is_forgotten_once_it_is_full_again(self, exchange: Exchange) -> None:
        await self.left(exchange, 8)
        assert await queries.purge(exchange.owner, now=exchange.clock.now()) == 0
        exchange.later(seconds=11)
        assert await queries.purge(exchange.owner, now=exchange.clock.now()) == 1

    async def test_is_settled_for_many_at_once(self, exchange: Exchange) -> None:
        many = [Spent(f"address:{number:03}", number, 1, 100) for number in range(100)]
        assert await queries.spend(exchange.owner, many, at=exchange.clock.now()) == [100 - n for n in range(100)]


class Process:
    """What one process lets through, on the shared database."""

    def __init__(self, conn: asyncpg.Connection, exchange: Exchange) -> None:
        self.statements = 0
        self.down = False

        async def settle(spent: Sequence[Spent]) -> list[float]:
            if self.down:
                raise ConnectionRefusedError
            self.statements += 1
            return await queries.spend(conn, spent, at=exchange.clock.now())

        self.buckets = Buckets(settle)
        self.buckets.start()

    async def let_through(self, limit: Limit, times: int, key: str = "a") -> int:
        bucket = self.buckets.find(limit, key)
        return sum([await self.buckets.ask_and_take(bucket) for _ in range(times)])


@pytest.fixture
async def processes(exchange: Exchange) -> Any:
    conns = [await asyncpg.connect(exchange.addresses.app) for _ in range(2)]
    made = [Process(conn, exchange) for conn in conns]
    yield made
    for process, conn in zip(made, conns, strict=True):
        await process.buckets.stop()
        await conn.close()


class TestAProcess:
    NEVER_FILLS = Limit("client", 0.001, 100)

    async def test_lets_through_what_there_is_and_no_more(self, processes: list[Process]) -> None:
        assert await processes[0].let_through(self.NEVER_FILLS, 300) == 100

    async def test_asks_the_database_seldom(self, processes: list[Process]) -> None:
        plenty = Limit("client", 1000, 100_000)
        assert await processes[0].let_through(plenty, 5000) == 5000
        assert processes[0].statements <= 2

    async def test_shares_a_limit_with_the_others(self, processes: list[Process]) -> None:
        one, other = processes
        through = 0
        for _ in range(30):
            through += await one.let_through(self.NEVER_FILLS, 5) + await other.let_through(self.NEVER_FILLS, 5)
        lease = self.NEVER_FILLS.burst / 5
        assert 100 <= through <= 100 + lease

    async def test_learns_that_the_others_have_used_it_up(self, processes: list[Process]) -> None:
        one, other = processes
        assert await one.let_through(self.NEVER_FILLS, 100) == 100
        assert await other.let_through(self.NEVER_FILLS, 300) <= self.NEVER_FILLS.burst / 5

    async def test_says_what_is_left_to_the_others_when_it_ends(
        self, processes: list[Process], exchange: Exchange
    ) -> None:
        one = processes[0]
        assert await one.let_through(self.NEVER_FILLS, 7) == 7
        await one.buckets.stop()
        (left,) = await queries.spend(
            exchange.owner, [Spent("client:a", 0, 0.001, 100)], at=exchange.clock.now() + timedelta(seconds=1)
        )
        assert left == pytest.approx(93, abs=0.1)

    async def test_gives_back_without_a_statement_what_it_took_a_moment_before(self, processes: list[Process]) -> None:
        (one, _), limit = processes, Limit("address", 10, 100)
        for _ in range(1000):
            bucket = one.buckets.find(limit, "x")
            assert await one.buckets.ask_and_take(bucket)
            one.buckets.spend(bucket, -1)
        await one.buckets.stop()
        assert one.statements == 0

    async def test_lets_many_wait_for_one_answer(self, processes: list[Process]) -> None:
        limit = Limit("client", 0.001, 40)
        one = processes[0]
        bucket = one.buckets.find(limit, "a")
        through = await asyncio.gather(*(one.buckets.ask_and_take(bucket) for _ in range(200)))
        assert sum(through) == 40
        assert one.statements < 20

    async def test_knows_a_bounded_number_of_them(self, processes: list[Process]) -> None:
        one = processes[0]
        one.buckets._size = 50
        limit = Limit("address", 10, 100)
        one.buckets.find(Limit("client", 1, 1), "stays")
        for number in range(5000):
            one.buckets.spend(one.buckets.find(limit, str(number)), 1)
        assert len(one.buckets) == 51
        assert one.buckets.look(Limit("client", 1, 1), "stays") is not None, "strangers push no client out"
        await one.buckets.stop()
        assert not one.buckets._unsettled

    async def test_forgets_what_is_full_again(self, processes: list[Process]) -> None:
        one = processes[0]
        await one.let_through(Limit("client", 1_000_000, 10), 5)
        await one.let_through(self.NEVER_FILLS, 5, key="owes")
        await one.buckets.stop()
        one.buckets._tidy()
        assert len(one.buckets) == 1


class TestWhileTheDatabaseIsAway:
    LIMIT = Limit("client", 0.001, 100)

    async def test_a_process_limits_by_itself_and_nobody_waits(self, processes: list[Process]) -> None:
        one = processes[0]
        one.down = True
        assert await asyncio.wait_for(one.let_through(self.LIMIT, 300), 2) == 100
        assert one.buckets.away

    async def test_a_statement_that_hangs_is_not_waited_for(
        self, processes: list[Process], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = processes[0]
        monkeypatch.setattr(module, "PATIENCE", 0.05)
        one.buckets._settle = lambda _: asyncio.sleep(60, [])  # type: ignore[assignment]
        assert await asyncio.wait_for(one.let_through(self.LIMIT, 300), 2) == 100

    async def test_it_is_shared_again_when_it_is_back(
        self, processes: list[Process], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "SETTLE_EVERY", 0.02)
        one, other = processes
        one.down = True
        await one.let_through(self.LIMIT, 50)
        assert one.buckets.away
        one.down = False
        await one.let_through(self.LIMIT, 1)
        await asyncio.sleep(0.3)
        assert not one.buckets.away
        assert 49 <= await other.let_through(self.LIMIT, 100) < 100, "some of it is forgiven, none of the rest"

    async def test_what_it_must_remember_of_strangers_is_bounded(self, processes: list[Process]) -> None:
        one = processes[0]
        one.down = True
        for number in range(3000):
            one.buckets.spend(one.buckets.find(Limit("address", 10, 100), str(number)), 10)
        await asyncio.sleep(0.2)
        assert not one.buckets._unsettled


PROGRAM = """
import asyncio, json, sys
from app.foundation.clock import Clock
from app.foundation.settings import Settings
from auth.limits.limits import Limits

async def main():
    limits = Limits(Settings(client_rate=0.001, client_burst=200), sys.argv[1], Clock())
    await limits.start()
    let_in = 0
    for _ in range(60):
        for _ in range(10):
            scope = {}
            let_in += await limits.let_in(scope, "shared") is None
            limits.leave(scope)
        await asyncio.sleep(0.005)
    await limits.stop()
    print(json.dumps(let_in))

asyncio.run(main())
"""


async def test_two_processes_share_one_limit(exchange: Exchange) -> None:
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, exchange.addresses.app, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    let_in = [json.loads((await process.communicate())[0]) for process in started]
    assert min(let_in) > 0
    assert 200 <= sum(let_in) <= 200 + 40, "together what one might, and at most a lease of 40 more"

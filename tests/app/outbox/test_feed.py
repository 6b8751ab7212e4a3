"""The feed: dense positions, nothing skipped, nothing twice, whoever writes, sequences and reads at the same time."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.client import Credentials, ExchangeClient
from app.outbox.queries import sequence
from auth.admin.agencies import resume_agency, suspend_agency
from auth.admin.client_keys import end_client_key
from auth.admin.clients import add_client
from auth.keys import rotate
from tests.makers.standing import resume_client, suspend_client
from tests.makers.world import Agency, World


@pytest.fixture
async def sequencing(world: World) -> AsyncIterator[None]:
    """The worker's sequencer, running as it does in service."""

    async def run() -> None:
        while True:
            await world.exchange.worker.sequence_events()
            await asyncio.sleep(0.03)

    task = asyncio.create_task(run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def events(who: Agency, after: int = 0, **options: Any) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in {"after": after, **options}.items())
    reply = await who.get(f"/v1/events?{query}")
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def write(conn: asyncpg.Connection, agencies: list[UUID], now: Any) -> list[UUID]:
    """One transaction as a move is one: it takes its place in the outbox early, and commits some time later."""
    ids = [uuid.uuid4() for _ in agencies]
    async with conn.transaction():
        for event_id, agency in zip(ids, agencies, strict=True):
            await conn.execute(
                """INSERT INTO outbox (agency_id, event_id, type, subject, subject_id, case_id, state, recorded_at)
                   VALUES ($1, $2, 'referral.sent', 'referral', $2, $2, 'sent', $3)""",
                agency,
                event_id,
                now,
            )
        await asyncio.sleep(random.random() / 30)
    return ids


class TestPositions:
    async def test_are_dense_while_many_write_two_sequence_and_readers_follow(self, world: World) -> None:
        now = world.exchange.clock.now()
        agencies = [world.ids[code] for code in ("police", "iom", "lpsk")]
        written: dict[UUID, list[UUID]] = {agency: [] for agency in agencies}
        writing = True

        async def writer() -> None:
            conn = await asyncpg.connect(world.exchange.addresses.owner)
            for _ in range(20):
                told = random.choices(agencies, k=random.randint(1, 4))
                for agency, event_id in zip(told, await write(conn, told, now), strict=True):
                    written[agency].append(event_id)
            await conn.close()

        async def sequencer(limit: int) -> None:
            conn = await asyncpg.connect(world.exchange.addresses.worker)
            while writing or await sequence(conn, limit):
                await sequence(conn, limit)
                await asyncio.sleep(0.002)
            await conn.close()

        async def reader(who: Agency) -> list[dict[str, Any]]:
            seen: list[dict[str, Any]] = []
            while True:
                done = not writing and sequenced.done()
                found = await events(who, after=len(seen), limit=50)
                assert [each["position"] for each in found] == list(range(len(seen) + 1, len(seen) + 1 + len(found)))
                seen += found
                if done and not found:
                    return seen
                await asyncio.sleep(0.01)

        async with asyncio.timeout(60):
            sequenced = asyncio.gather(sequencer(7), sequencer(1000))
            readers = asyncio.gather(*(reader(who) for who in (world.police, world.iom, world.lpsk)))
            await asyncio.gather(*(writer() for _ in range(10)))
            writing = False
            await sequenced
            followed = await readers
        for agency, seen in zip(agencies, followed, strict=True):
            found = [UUID(each["id"]) for each in seen]
            assert len(found) == len(set(found)), "nothing comes twice"
            assert set(found) == set(written[agency]), "nothing is skipped"
        assert sum(map(len, written.values())) > 200
        assert await world.owner.fetchval("SELECT count(*) FROM outbox") == 0

    async def test_are_given_by_one_sequencer_at_a_time(self, world: World) -> None:
        await world.send()
        one, other = [await asyncpg.connect(world.exchange.addresses.worker) for _ in range(2)]
        async with one.transaction():
            assert await sequence(one, 100) == 1
            assert await asyncio.wait_for(sequence(other, 100), 5) == 0, "it does not wait for its turn either"
        assert await sequence(other, 100) == 0, "nothing is left"
        assert [each["position"] for each in await events(world.iom)] == [1]
        await one.close()
        await other.close()

    async def test_are_not_used_up_by_a_sequencer_that_dies(self, world: World) -> None:
        await world.send()
        dying = await asyncpg.connect(world.exchange.addresses.worker)
        transaction = dying.transaction()
        await transaction.start()
        assert await sequence(dying, 100) == 1
        dying.terminate()
        await world.send()
        async with asyncio.timeout(5):
            while len(await events(world.iom)) < 2:
                await world.exchange.settle()
        assert [each["position"] for each in await events(world.iom)] == [1, 2]

    async def test_follow_the_order_of_what_happened_to_one_referral(self, world: World) -> None:
        sent = await world.in_progress()
        await world.moved(sent, "complete")
        await world.exchange.settle()
        assert [each["type"] for each in await events(world.police)] == [
            "referral.accepted",
            "referral.in_progress",
            "referral.completed",
        ]

    async def test_are_each_agencys_own(self, world: World) -> None:
        for receiver in ("iom", "lpsk", "iom"):
            await world.send(receiver=receiver)
        await world.exchange.settle()
        assert [each["position"] for each in await events(world.iom)] == [1, 2]
        assert [each["position"] for each in await events(world.lpsk)] == [1]
        assert await events(world.stranger) == []


class TestReading:
    async def test_goes_on_where_it_stopped(self, world: World) -> None:
        for _ in range(5):
            await world.send()
        await world.exchange.settle()
        path, seen = "/v1/events?limit=2", []
        for _ in range(4):
            page = (await world.iom.get(path)).json()
            seen += [each["position"] for each in page["items"]]
            path = page["next"]
        assert seen == [1, 2, 3, 4, 5]
        assert path == "/v1/events?after=5"
        await world.send()
        await world.exchange.settle()
        assert [each["position"] for each in (await world.iom.get(path)).json()["items"]] == [6]

    @pytest.mark.parametrize(
        "query", ["after=-1", "after=x", "wait=61", "wait=-1", "limit=0", "limit=501", "before=1", "after=1&after=2"]
    )
    async def test_refuses_what_it_does_not_know(self, world: World, query: str) -> None:
        assert (await world.iom.get(f"/v1/events?{query}")).status_code == 422

    async def test_shows_nothing_that_is_not_committed_and_sequenced(self, world: World) -> None:
        await world.send()
        assert await events(world.iom) == []
        await world.exchange.settle()
        assert len(await events(world.iom)) == 1


class TestWaiting:
    async def test_ends_when_something_happens(self, world: World, sequencing: None) -> None:
        waiting = asyncio.create_task(events(world.iom, wait=20))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        began = time.monotonic()
        sent = await world.send()
        found = await waiting
        assert time.monotonic() - began < 1.5
        assert [each["subject_id"] for each in found] == [sent.id]

    async def test_is_not_ended_by_what_happens_to_others(self, world: World, sequencing: None) -> None:
        waiting = asyncio.create_task(events(world.lpsk, wait=0.8))
        await asyncio.sleep(0.1)
        await world.send(receiver="iom")
        began = time.monotonic()
        assert await waiting == []
        assert time.monotonic() - began > 0.4

    async def test_ends_empty_at_its_end(self, world: World) -> None:
        began = time.monotonic()
        assert await events(world.iom, wait=0.4) == []
        assert 0.35 < time.monotonic() - began < 2

    async def test_does_not_begin_when_there_is_something_already(self, world: World) -> None:
        await world.send()
        await world.exchange.settle()
        began = time.monotonic()
        assert len(await events(world.iom, wait=30)) == 1
        assert time.monotonic() - began < 1

    async def test_serves_many_at_once(self, world: World, sequencing: None) -> None:
        waiting = [asyncio.create_task(events(world.iom, wait=20)) for _ in range(40)]
        await asyncio.sleep(0.3)
        await world.send()
        found = await asyncio.wait_for(asyncio.gather(*waiting), 10)
        assert [len(each) for each in found] == [1] * 40

    async def test_ends_with_the_token(self, world: World) -> None:
        client = world.iom.client
        token, ath = await client.token()
        world.exchange.later(seconds=world.exchange.settings.access_token_seconds - 1.5)
        url = f"{client.credentials.issuer}/v1/events"
        headers = {"Authorization": f"DPoP {token}", "DPoP": client.proof("GET", url, ath)}
        began = time.monotonic()
        reply: httpx.Response = await world.exchange.http.get("/v1/events?wait=30", headers=headers)
        assert (reply.status_code, reply.json()["items"]) == (200, [])
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("stopped", ["client", "agency"])
    async def test_ends_when_the_caller_is_suspended(self, world: World, sequencing: None, stopped: str) -> None:
        name = {"client": world.iom.client.credentials.client_id, "agency": "iom"}[stopped]
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        now = world.exchange.clock.now()
        waiting = asyncio.create_task(events(world.iom, wait=30))
        await asyncio.sleep(0.2)
        try:
            await {"agency": suspend_agency, "client": suspend_client}[stopped](conn, name, now=now, actor="test")
            began = time.monotonic()
            assert [event["type"] for event in await waiting] in ([], ["client.suspended"])  # it may just hear of it
            assert time.monotonic() - began < 4
            await world.send(receiver="lpsk")
        finally:
            await {"agency": resume_agency, "client": resume_client}[stopped](conn, name, now=now, actor="test")
            await conn.close()
            await world.exchange.directory.refresh()

    @pytest.mark.parametrize("ended", ["token", "key", "signing key"])
    async def test_ends_within_a_second_when_its_token_does(self, world: World, sequencing: None, ended: str) -> None:
        exchange, now = world.exchange, world.exchange.clock.now()
        conn = await asyncpg.connect(exchange.addresses.admin)
        client_id = f"client-{uuid.uuid4().hex[:8]}"
        credentials = Credentials.generate(client_id, exchange.settings.public_url)
        given = {"name": "x", "agencies": ["iom"], "scopes": ["events.read"], "jwks": credentials.public_jwks()}
        await add_client(conn, client_id=client_id, now=now, actor="test", **given)
        await exchange.directory.refresh()
        client = ExchangeClient(credentials, http=exchange.http, clock=exchange.clock)
        waiting = asyncio.create_task(client.get("/v1/events?wait=30"))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        if ended == "token":
            form = {**client.authentication(), "token": (await client.token())[0]}
            assert (await exchange.http.post("/oauth2/revoke", data=form)).status_code == 200
        elif ended == "key":
            await end_client_key(conn, client_id, credentials.signing_key().public.kid, now=now, actor="test")
        else:
            await rotate(conn, exchange.keyring, now, at_once=True)
        reply = await asyncio.wait_for(waiting, 5)
        assert time.monotonic() - began < 1.5
        assert (reply.status_code, reply.json()["items"]) == (200, [])
        await conn.close()

    async def test_outlives_the_listeners_connection(self, world: World, sequencing: None) -> None:
        """The listening connection is cut while somebody waits (with those of other services here); the event arrives all the same."""
        waiting = asyncio.create_task(events(world.iom, wait=20))
        await asyncio.sleep(0.2)
        cut = await world.owner.fetchval(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND usename = 'rujukan_app' AND query ILIKE 'LISTEN%'"""
        )
        assert cut >= 1
        sent = await world.send()
        found = await asyncio.wait_for(waiting, 8)
        assert [each["subject_id"] for each in found] == [sent.id]

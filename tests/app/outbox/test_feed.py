"""The feed: dense positions, nothing skipped, nothing twice, whoever writes, sequences and reads at the same time."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.client import Credentials, ExchangeClient
from app.outbox import feed, queries
from app.outbox.queries import sequence
from auth.admin.agencies import resume_agency, suspend_agency
from auth.admin.client_keys import end_client_key
from auth.admin.clients import add_client
from auth.keys import rotate
from tests.app.outbox.conftest import Make, until
from tests.makers.feeds import begun_to_wait
from tests.makers.standing import resume_client, suspend_client
from tests.makers.world import Agency, World


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
        "query",
        [
            "after=-1",
            "after=x",
            "types=",
            "types=case",
            "wait=61",
            "wait=-1",
            "limit=0",
            "limit=501",
            "before=1",
            "after=1&after=2",
        ],
    )
    async def test_refuses_what_it_does_not_know(self, world: World, query: str) -> None:
        assert (await world.iom.get(f"/v1/events?{query}")).status_code == 422

    async def test_says_how_far_it_is_and_whether_there_is_more(self, world: World, make_events: Make) -> None:
        empty = (await world.iom.get("/v1/events")).json()
        assert (empty["position"], empty["last"], empty["next"]) == (0, 0, "/v1/events?after=0")
        await make_events("iom", 3)
        page = (await world.iom.get("/v1/events?limit=2")).json()
        assert (page["position"], page["last"], page["next"]) == (2, 3, "/v1/events?after=2")
        page = (await world.iom.get(page["next"])).json()
        assert (page["position"], page["last"]) == (3, 3)

    async def test_beyond_the_end_is_told_instead_of_waiting(self, world: World, make_events: Make) -> None:
        for count, after in ((0, 1), (2, 3), (0, 2**63 - 2)):
            await make_events("iom", count)
            reply = await world.iom.get(f"/v1/events?after={after}&wait=30")
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/cursor-ahead")
            told = reply.json()
            assert told["next"] == f"/v1/events?after={told['last']}"
            assert (await world.iom.get(told["next"])).json()["items"] == []
            for path in told["read_first"]:
                assert (await world.iom.get(path)).status_code == 200, path

    @pytest.mark.parametrize(
        ("accept", "status", "form"),
        [
            (None, 200, "application/json"),
            ("*/*", 200, "application/json"),
            ("application/json, text/event-stream", 200, "application/json"),
            ("text/event-stream;q=0.5, application/*", 200, "application/json"),
            ("text/html", 406, "application/problem+json"),
            ("text/event-stream;q=0", 406, "application/problem+json"),
        ],
    )
    async def test_is_json_unless_a_stream_is_asked_for(
        self, world: World, accept: str | None, status: int, form: str
    ) -> None:
        reply = await world.iom.get("/v1/events", headers={} if accept is None else {"Accept": accept})
        assert (reply.status_code, reply.headers["content-type"]) == (status, form)
        assert reply.headers["vary"] == "Accept"

    async def test_shows_nothing_that_is_not_committed_and_sequenced(self, world: World) -> None:
        await world.send()
        assert await events(world.iom) == []
        await world.exchange.settle()
        assert len(await events(world.iom)) == 1


class TestTypes:
    async def test_choose_among_positions_that_stay_the_same(self, world: World, make_events: Make) -> None:
        for type in ("referral.sent", "case.closed", "referral.accepted", "hold.placed"):
            await make_events("iom", 1, type=type)
            await make_events("lpsk", 1, type=type)
        for asked, positions in (
            ("types=referral.*", [1, 3]),
            ("types=referral.sent&types=hold.*", [1, 4]),
            ("types=hold.placed,case.closed,case.closed", [2, 4]),
            ("types=consent.*", []),
        ):
            page = (await world.iom.get(f"/v1/events?{asked}")).json()
            assert [each["position"] for each in page["items"]] == positions, asked
            assert (page["position"], page["last"]) == (4, 4), "also past what was not asked for"
        page = (await world.iom.get("/v1/events?types=referral.*&limit=1")).json()
        assert page["next"] == "/v1/events?after=1&types=referral.*"
        page = (await world.iom.get(page["next"])).json()
        assert ([each["position"] for each in page["items"]], page["position"]) == ([3], 4)

    async def test_that_are_rare_cost_a_bounded_look_and_never_the_same_twice(
        self, world: World, make_events: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feed, "LOOK", 20)
        monkeypatch.setattr(feed, "LOOKS", 2)
        await make_events("iom", 130)
        await make_events("iom", 1, type="hold.placed")
        path, came, seen = "/v1/events?types=hold.placed&wait=5", [], []
        for _ in range(4):
            page = (await world.iom.get(path)).json()
            came.append(page["position"])
            seen += [each["position"] for each in page["items"]]
            path = page["next"] + "&wait=5"
        assert (came, seen) == ([40, 80, 120, 131], [131])

    async def test_end_a_wait_only_when_one_of_them_comes(
        self, world: World, make_events: Make, sequencing: None
    ) -> None:
        waiting = asyncio.create_task(world.iom.get("/v1/events?types=hold.*&wait=20"))
        await begun_to_wait(world.exchange.app)
        for _ in range(3):
            await make_events("iom", 2, settle=False)
            await asyncio.sleep(0.1)
        assert not waiting.done()
        await make_events("iom", 1, type="hold.lifted", settle=False)
        page = (await asyncio.wait_for(waiting, 3)).json()
        assert [(each["position"], each["type"]) for each in page["items"]] == [(7, "hold.lifted")]


class TestWaiting:
    async def test_asks_the_database_nothing_until_something_comes(
        self, world: World, make_events: Make, sequencing: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[UUID] = []
        events_after = queries.events_after

        async def counting(db: Any, *arguments: Any) -> Any:
            asked.append(db.agency_id)
            return await events_after(db, *arguments)

        monkeypatch.setattr(queries, "events_after", counting)
        who = [world.iom, world.lpsk] * 60
        waiting = [asyncio.create_task(events(each, wait=20)) for each in who]
        await until(lambda: len(asked) == len(who))
        await asyncio.sleep(1.5)
        assert len(asked) == len(who), "each looked once, and then waits"
        await make_events("iom", 1, settle=False)
        found = await asyncio.wait_for(asyncio.gather(*waiting[::2]), 10)
        assert [len(each) for each in found] == [1] * 60
        assert len(asked) == len(who) + 60, "those of other agencies were not woken"
        assert not any(each.done() for each in waiting[1::2])
        await make_events("lpsk", 1, settle=False)
        await asyncio.wait_for(asyncio.gather(*waiting[1::2]), 10)

    async def test_ends_when_something_happens(self, world: World, sequencing: None) -> None:
        waiting = asyncio.create_task(events(world.iom, wait=20))
        await begun_to_wait(world.exchange.app)
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
        await begun_to_wait(world.exchange.app, 40)
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
        await begun_to_wait(world.exchange.app)
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
        await begun_to_wait(exchange.app)
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
        await begun_to_wait(world.exchange.app)
        cut = await world.owner.fetchval(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND usename = 'rujukan_app' AND query ILIKE 'LISTEN%'"""
        )
        assert cut >= 1
        sent = await world.send()
        found = await asyncio.wait_for(waiting, 8)
        assert [each["subject_id"] for each in found] == [sent.id]

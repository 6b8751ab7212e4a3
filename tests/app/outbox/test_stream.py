"""The feed as Server-Sent Events, from a real server, by a reader that follows the standard."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

import auth.limits.limits as limits
from app.outbox import stream
from auth.admin.agencies import resume_agency, suspend_agency
from tests.app.outbox.conftest import Make, until
from tests.makers.sse import Dispatched, Reader
from tests.makers.standing import resume_client, suspend_client
from tests.makers.world import Agency, World


@asynccontextmanager
async def streaming(
    http: httpx.AsyncClient, who: Agency, query: str = "", **headers: str
) -> AsyncIterator[httpx.Response]:
    sent = {"Accept": "text/event-stream", **headers, **await who.client.authorization("GET", "/v1/events")}
    async with http.stream("GET", f"/v1/events{query}", headers=sent) as reply:
        yield reply


async def take(events: AsyncIterator[Dispatched], count: int) -> list[Dispatched]:
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


class TestAStream:
    async def test_carries_the_events_of_the_feed(
        self, world: World, over_http: httpx.AsyncClient, sequencing: None
    ) -> None:
        await world.send()
        await world.exchange.settle()
        reader, other = Reader(), Reader()
        async with streaming(over_http, world.iom) as reply, streaming(over_http, world.lpsk) as theirs:
            assert (reply.status_code, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-store", "no")
            events = reader.read(reply)
            (first,) = await take(events, 1)
            sent = await world.send()
            began = time.monotonic()
            (second,) = await take(events, 1)
            assert time.monotonic() - began < 1.5
            await world.send(receiver="lpsk")
            (not_ours,) = await take(other.read(theirs), 1)
        page = (await world.iom.get("/v1/events")).json()
        assert [first.data, second.data] == page["items"]
        assert [(each.id, each.type) for each in (first, second)] == [("1", "referral.sent"), ("2", "referral.sent")]
        assert second.data["subject_id"] == sent.id
        assert not_ours.id == "1", "another agency's stream has its own events and positions"
        assert reader.retry is not None
        assert 1000 <= reader.retry < 4000

    async def test_that_is_lost_again_and_again_loses_nothing(
        self, world: World, over_http: httpx.AsyncClient, make_events: Make, sequencing: None
    ) -> None:
        async def happening() -> None:
            for _ in range(40):
                await make_events("iom", 5, settle=False)
                await asyncio.sleep(0.02)

        causes = asyncio.create_task(happening())
        reader, seen = Reader(), []
        while len(seen) < 200:
            again = {"Last-Event-ID": reader.last_id} if reader.last_id else {}
            async with streaming(over_http, world.iom, "?after=0&limit=7", **again) as reply:
                seen += await take(reader.read(reply), min(random.randint(1, 40), 200 - len(seen)))
        await causes
        assert [int(each.id) for each in seen] == list(range(1, 201))

    async def test_of_a_rare_type_tells_how_far_it_has_come(
        self, world: World, over_http: httpx.AsyncClient, make_events: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
        reader = Reader()
        await make_events("iom", 1, type="hold.placed")
        async with streaming(over_http, world.iom, "?types=hold.*") as reply:
            events = reader.read(reply)
            await take(events, 1)
            await make_events("iom", 3)
            pending = asyncio.ensure_future(anext(events))
            await until(lambda: reader.last_id == "4")
            assert reader.comments >= 1
            assert not pending.done(), "a heartbeat is no event"
            await make_events("iom", 1, type="hold.lifted")
            assert (await asyncio.wait_for(pending, 3)).id == "5"
        async with streaming(over_http, world.iom, "?types=hold.*&after=0", **{"Last-Event-ID": "1"}) as reply:
            assert [each.id for each in await take(Reader().read(reply), 1)] == ["5"], "Last-Event-ID goes first"

    async def test_is_read_no_faster_than_it_is_taken(
        self, world: World, over_http: httpx.AsyncClient, make_events: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks = 0
        look = stream.look

        async def counting(*arguments: Any) -> Any:
            nonlocal looks
            looks += 1
            return await look(*arguments)

        monkeypatch.setattr(stream, "look", counting)
        await make_events("iom", 5000)
        lines = await world.iom.client.authorization("GET", "/v1/events")
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, (over_http.base_url.host, over_http.base_url.port))
        await loop.sock_sendall(
            slow, f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{head}\r\n".encode()
        )
        await asyncio.sleep(0.7)
        assert 0 < looks < 15, "of the 50 there are: the others wait until the reader has taken these"
        stuck = looks
        await asyncio.sleep(0.3)
        assert looks == stuck
        got = b""
        async with asyncio.timeout(10):
            while b"\nid: 5000\n" not in got:
                got += await loop.sock_recv(slow, 65536)
        assert got.count(b"\ndata: ") == 5000
        slow.close()

    async def test_whose_reader_takes_nothing_is_left(
        self, world: World, over_http: httpx.AsyncClient, make_events: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stream, "READ_WITHIN", 0.3)
        await make_events("iom", 3000)
        async with streaming(over_http, world.iom, "?limit=500"):
            await until(lambda: not world.exchange.app.state.listener._waiting)


class TestItsEnd:
    @pytest.mark.parametrize(
        "by", ["the reader", "the agency's suspension", "the client's suspension", "the token", "the process"]
    )
    async def test_is_with(self, world: World, over_http: httpx.AsyncClient, by: str) -> None:
        listener, now = world.exchange.app.state.listener, world.exchange.clock.now()
        client_id = world.iom.client.credentials.client_id
        if by == "the token":
            await world.iom.client.token()
            world.exchange.later(seconds=world.exchange.settings.access_token_seconds - 1)
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        try:
            async with _held(world, by), streaming(over_http, world.iom) as reply:
                assert reply.status_code == 200
                lines = reply.aiter_lines()
                await anext(lines)
                began = time.monotonic()
                if by == "the agency's suspension":
                    await suspend_agency(conn, "iom", now=now, actor="test")
                elif by == "the client's suspension":
                    await suspend_client(conn, client_id, now=now, actor="test")
                elif by == "the process":
                    listener.release()
                if by != "the reader":
                    async with asyncio.timeout(5):
                        assert not [line async for line in lines if line.startswith("data")]
                    assert time.monotonic() - began < 2
            await until(lambda: not listener._waiting)
            assert not world.exchange.app.state.limits._feeds, "it is no longer counted"
        finally:
            listener.closing = False
            if by == "the agency's suspension":
                await resume_agency(conn, "iom", now=now, actor="test")
            elif by == "the client's suspension":
                await resume_client(conn, client_id, now=now, actor="test")
            await conn.close()
            await world.exchange.directory.refresh()


@asynccontextmanager
async def _held(world: World, by: str) -> AsyncIterator[None]:
    """A token that is about to end is not replaced by the client, which would do so by itself."""
    if by != "the token":
        yield
        return
    token = world.iom.client._token
    world.iom.client._token = type(token)(token.value, token.ath, token.bound_to_certificate, float("inf"))
    yield
    world.iom.client.forget_token()


class TestBeforeItBegins:
    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "FEEDS", 1)

    async def test_what_is_wrong_is_a_problem(
        self, world: World, over_http: httpx.AsyncClient, make_events: Make
    ) -> None:
        await make_events("iom", 1)
        for query, headers, status, kind in (
            ("?after=2", {}, 409, "cursor-ahead"),
            ("", {"Last-Event-ID": "2"}, 409, "cursor-ahead"),
            ("", {"Last-Event-ID": "x"}, 422, "invalid-request"),
            ("", {"Last-Event-ID": "-1"}, 422, "invalid-request"),
            ("", {"Last-Event-ID": "9" * 30}, 422, "invalid-request"),
            ("?types=nothing", {}, 422, "invalid-request"),
        ):
            async with streaming(over_http, world.iom, query, **headers) as reply:
                told = (await reply.aread()) and reply.json()
                assert (reply.status_code, told["type"]) == (status, f"/problems/{kind}"), (query, headers)
        async with streaming(over_http, world.iom) as first:
            await anext(first.aiter_lines())
            async with streaming(over_http, world.iom) as second:
                assert (second.status_code, (await second.aread()) and second.json()["limit"]) == (429, "concurrency")
        assert (await world.iom.get("/v1/events?wait=0.01")).status_code in (200, 429)


async def test_the_place_of_a_caller_who_has_gone_is_free(
    world: World, over_http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gives up a request that waits, on a bad line, is not kept out by it until its time is over."""
    monkeypatch.setattr(limits, "FEEDS", 1)
    listener: Any = world.exchange.app.state.listener
    for _ in range(3):
        signed = await world.iom.client.authorization("GET", "/v1/events")
        asking = asyncio.create_task(over_http.get("/v1/events?wait=60", headers=signed))
        await until(lambda: listener.waiting == 1)
        asking.cancel()
        await until(lambda: listener.waiting == 0)

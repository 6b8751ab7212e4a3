"""Posting keeps every rule of fetching, and its connections for a while."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from app.foundation import posting
from app.foundation.outbound import OutboundError
from app.foundation.posting import Answer, Poster
from app.foundation.settings import Settings
from tests.makers.receivers import Receiver, Receivers, Reply, receiving

NAME, OTHER = "hooks.dinsos.example", "hooks.other.example"


@pytest.fixture
async def receivers(tmp_path: Path) -> AsyncIterator[Receivers]:
    async with receiving(tmp_path) as made:
        yield made


@pytest.fixture
async def receiver(receivers: Receivers) -> Receiver:
    return await receivers.open(names=(NAME,))


@pytest.fixture
async def poster(receivers: Receivers, receiver: Receiver) -> AsyncIterator[Poster]:
    made = Poster(Settings(**receivers.settings))
    yield made
    await made.close()


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Say which address the names have: the first answer to the first who asks, the next to the next."""

    def prepare(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
            if host not in (NAME, OTHER):
                return real(host, port, *rest, **named)
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return prepare


async def post(poster: Poster, receiver: Receiver, *, host: str = NAME, path: str = "/hook?a=b") -> Answer:
    return await poster.post(f"https://{host}:{receiver.port}{path}", headers={"X-Ours": "1"}, body=b'{"a":1}')


async def fault(poster: Poster, receiver: Receiver, **where: str) -> str:
    with pytest.raises(OutboundError) as refused:
        await post(poster, receiver, **where)
    return refused.value.fault


class TestAConnection:
    async def test_is_kept_for_the_next_message(self, poster, receiver, resolves) -> None:
        asked = resolves(["127.0.0.1"])
        for _ in range(5):
            assert (await post(poster, receiver)).status == 204
        assert (receiver.connections, len(receiver.got), asked) == (1, 5, [NAME])
        first = receiver.got[0]
        assert (first.path, first.body) == ("/hook?a=b", b'{"a":1}')
        assert first.headers["host"] == f"{NAME}:{receiver.port}"
        assert (first.headers["accept-encoding"], first.headers["x-ours"]) == ("identity", "1")

    async def test_that_is_new_looks_at_the_addresses_again(self, poster, receiver, resolves) -> None:
        """DNS rebinding: the second answer is of the inner network, and nobody connects there."""
        asked = resolves(["127.0.0.1"], ["169.254.169.254"])
        receiver.answers(Reply(close=True))
        assert (await post(poster, receiver)).status == 204
        await asyncio.sleep(0.05)
        assert await fault(poster, receiver) == "address"
        assert (asked, receiver.connections) == ([NAME, NAME], 1)

    async def test_goes_to_the_address_that_was_looked_at(self, poster, receiver, resolves) -> None:
        """A public answer for the check and an inner one for the connection: the name is asked for once."""
        asked = resolves(["127.0.0.1"], ["127.0.0.9"])
        assert (await post(poster, receiver)).status == 204
        assert asked == [NAME]

    async def test_is_made_to_no_address_if_one_of_them_is_inner(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.1", "10.0.0.1"])
        assert await fault(poster, receiver) == "address"
        assert receiver.connections == 0

    async def test_is_not_made_to_this_machine_where_no_setting_opens_it(self, receivers, receiver, resolves) -> None:
        resolves(["127.0.0.1"])
        closed = Poster(Settings(outbound_ca=receivers.ca))
        assert await fault(closed, receiver) == "address"
        await closed.close()

    async def test_for_one_name_serves_no_other_at_the_same_address(self, poster, receiver, resolves) -> None:
        """Its certificate was checked for that name alone."""
        resolves(["127.0.0.1"])
        assert (await post(poster, receiver)).status == 204
        assert await fault(poster, receiver, host=OTHER) == "tls"

    async def test_that_the_receiver_let_go_is_made_again_without_a_failure(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.1"])
        await post(poster, receiver)
        await receiver.stop()
        await receiver.start()
        assert (await post(poster, receiver)).status == 204
        assert receiver.connections == 2

    async def test_is_renewed_after_some_time(self, poster, receiver, resolves, monkeypatch) -> None:
        resolves(["127.0.0.1"])
        monkeypatch.setattr(posting, "RENEW", 0.0)
        for _ in range(3):
            await post(poster, receiver)
        assert receiver.connections == 3

    async def test_is_kept_to_so_many_names_and_no_longer_than_it_is_used(
        self, poster, receivers, receiver, resolves, monkeypatch
    ) -> None:
        resolves(["127.0.0.1"])
        others = [await receivers.open() for _ in range(3)]
        for each in others:
            await post(poster, each)
        monkeypatch.setattr(posting, "MOST_NAMES", 2)
        await post(poster, receiver)
        await post(poster, others[2])
        await post(poster, others[0])
        assert [each.connections for each in others] == [2, 1, 1]
        assert len(poster._pools) == 2
        monkeypatch.setattr(posting, "KEEP_ALIVE", 0.0)
        await post(poster, others[0])
        async with asyncio.timeout(2):
            while others[2].open or others[1].open:  # noqa: ASYNC110 -- the receivers see it end
                await asyncio.sleep(0.01)
        assert len(poster._pools) == 1

    async def test_tries_the_next_address_where_nobody_answers(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.9", "127.0.0.1"])
        assert (await post(poster, receiver)).status == 204


class TestAnAnswer:
    async def test_is_no_more_than_a_status_and_its_first_bytes(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.1"])
        receiver.answers(Reply(500, b"x" * 2_000_000, {"Retry-After": "5"}), Reply(200, b"short"))
        found = await post(poster, receiver)
        assert (found.status, found.body, found.retry_after) == (500, b"x" * 500, "5")
        assert (await post(poster, receiver)).body == b"short"
        assert receiver.connections == 2, "one that says too much is not listened to"

    async def test_that_redirects_is_an_answer_and_not_followed(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.1"])
        receiver.answers(Reply(307, headers={"Location": f"https://{NAME}:{receiver.port}/other"}))
        assert (await post(poster, receiver)).status == 307
        assert len(receiver.got) == 1

    async def test_that_hangs_is_cut(self, poster, receiver, resolves, monkeypatch) -> None:
        monkeypatch.setattr(posting, "PATIENCE", 0.5)
        monkeypatch.setattr(posting, "BODY_PATIENCE", 0.2)
        resolves(["127.0.0.1"])
        receiver.answers(Reply(delay=5), Reply(200, b"abcdefgh" * 100, drip=0.05), Reply())
        assert await fault(poster, receiver) == "timeout"
        dripping = await post(poster, receiver)
        assert (dripping.status, 0 < len(dripping.body) < 20) == (200, True), "its status was said before its body"
        assert (await post(poster, receiver)).status == 204

    async def test_before_which_tls_hangs_leaves_no_connection_open(
        self, receivers, poster, receiver, resolves, monkeypatch
    ) -> None:
        resolves(["127.0.0.1"])
        stalling = await receivers.open(stalls=True)
        for connecting, whole in ((0.2, 5.0), (5.0, 0.5)):
            monkeypatch.setattr(posting, "CONNECT_PATIENCE", connecting)
            monkeypatch.setattr(posting, "PATIENCE", whole + posting.BODY_PATIENCE)
            assert await fault(poster, stalling) == "timeout"
        async with asyncio.timeout(2):
            while stalling.open:  # noqa: ASYNC110 -- the receiver sees it end
                await asyncio.sleep(0.01)
        assert stalling.connections == 2

    async def test_that_is_no_http_is_a_fault(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.1"])
        for raw in (b"", b"\x00\x01\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000):
            receiver.answers(Reply(raw=raw))
            assert await fault(poster, receiver) == "protocol", raw[:10]

    async def test_needs_somebody_there(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.9"])
        assert await fault(poster, receiver) == "unreachable"


async def test_a_url_that_may_not_be_registered_is_not_sent_to_either(poster, receiver) -> None:
    for url, says in ((f"http://{NAME}/", "url"), ("https://10.0.0.1/", "host"), (f"https://{NAME}:22/", "port")):
        with pytest.raises(OutboundError) as refused:
            await poster.post(url, headers={}, body=b"")
        assert refused.value.fault == says


class TestAHostileReceiver:
    async def test_that_drops_every_connection_it_had_has_not_failed(self, poster, receiver, resolves) -> None:
        """As a firewall on the way does that forgets what was silent: one after the other answers nothing."""
        resolves(["127.0.0.1"])
        receiver.answers(Reply(delay=0.1))
        await asyncio.gather(*(post(poster, receiver) for _ in range(5)))
        assert receiver.connections == 5
        receiver.answers(*[Reply(raw=b"")] * 5, Reply())
        assert (await post(poster, receiver)).status == 204
        assert receiver.connections == 6
        receiver.answers(Reply(raw=b""))
        assert await fault(poster, receiver) == "protocol", "a new one that is dropped has"

    async def test_says_only_so_much_before_its_answer(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.1"])
        flood = b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" * 200_000
        receiver.answers(Reply(raw=flood + b"HTTP/1.1 204 No\r\n\r\n"))
        began = asyncio.get_running_loop().time()
        assert await fault(poster, receiver) == "protocol"
        assert asyncio.get_running_loop().time() - began < 2
        receiver.answers(Reply(raw=b"HTTP/1.1 102 Wait\r\n\r\n" * 3 + b"HTTP/1.1 204 No\r\n\r\n"))
        assert (await post(poster, receiver)).status == 204

    async def test_answers_whatever_it_likes(self, poster, receiver, resolves) -> None:
        resolves(["127.0.0.1"])
        for raw, becomes in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nshort", 200),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nmuch more", 200),
            (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx", "protocol"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", "protocol"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", "protocol"),
            (b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n", "protocol"),
            (b"HTTP/1.1 99 Odd\r\n\r\n", "protocol"),
            (b"HTTP/1.1 204 No\r\nRetry-After: \xff\xfe\r\n\r\n", 204),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200),
            (b"\x16\x03\x01" * 50, "protocol"),
        ):
            receiver.answers(Reply(raw=raw))
            try:
                found: object = (await post(poster, receiver)).status
            except OutboundError as error:
                found = error.fault
            assert found == becomes, raw[:60]


async def test_names_that_hang_keep_no_other_from_being_looked_up(
    receivers: Receivers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty messages each to three names whose name servers say nothing, as a receiver might have it that wishes others ill."""
    over, asked, real = threading.Event(), [], socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
        asked.append(host)
        if host == NAME:
            return real("127.0.0.1", port, *rest, **named)
        over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "nobody answers")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(posting, "PATIENCE", 4.0)
    poster = Poster(Settings(**receivers.settings))
    hanging = [
        asyncio.create_task(poster.post(f"https://{each}.hang.example/", headers={}, body=b"{}"))
        for each in "abc"
        for _ in range(40)
    ]
    try:
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        assert (await post(poster, receiver)).status == 204
        assert asyncio.get_running_loop().time() - began < 1
        faults = await asyncio.gather(*hanging, return_exceptions=True)
        assert {getattr(each, "fault", None) for each in faults} == {"timeout"}
        assert len(asked) == 4, "a name is looked up once at a time, however many ask"
    finally:
        over.set()
        await poster.close()

"""Files over a real HTTP server: large ones, and callers that go away or come twice."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psutil

from app.client import ExchangeClient
from tests.makers import files
from tests.trouble.conftest import Service

LARGE = 26_214_400
PATH = "/v1/attachments?section=health"


async def headers(client: ExchangeClient, **more: str) -> dict[str, str]:
    key = more.pop("key", str(uuid.uuid4()))
    return {
        **await client.authorization("POST", "/v1/attachments"),
        "Rujukan-Actor": "officer-7",
        "Idempotency-Key": key,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


@asynccontextmanager
async def upload_begun(
    service: Service, client: ExchangeClient, **more: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection over which the headers of an upload have gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    said = await headers(client, **more)
    lines = [
        f"POST {PATH} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        *(f"{name}: {value}" for name, value in said.items()),
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    await writer.drain()
    try:
        yield reader, writer
    finally:
        writer.close()


async def states(service: Service) -> list[tuple[str, int]]:
    async with service.connection() as conn:
        rows = await conn.fetch(
            "SELECT state, (SELECT count(*) FROM attachment_chunk c WHERE c.attachment_id = a.id) AS chunks FROM attachment a WHERE state <> 'erased'"
        )
    return [tuple(row) for row in rows]


async def until(what: Callable[[list[tuple[str, int]]], bool], service: Service, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not what(found := await states(service)):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


class Peak:
    """How much memory the service took at most."""

    def __init__(self, service: Service) -> None:
        assert service.process is not None
        self._process = psutil.Process(service.process.pid)
        self.before = self.highest = self._process.memory_info().rss

    async def __aenter__(self) -> Peak:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            self.highest = max(self.highest, self._process.memory_info().rss)
            await asyncio.sleep(0.01)

    @property
    def grown(self) -> float:
        """In MiB."""
        return (self.highest - self.before) / 2**20


async def sent(
    service: Service, content: bytes, client: ExchangeClient, *, chunked: bool = True, **more: str
) -> httpx.Response:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 60_000):
            yield content[start : start + 60_000]

    body: Any = pieces() if chunked else content
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
        return await http.post(PATH, content=body, headers=await headers(client, **more))


async def a_large_file_takes_no_memory_to_speak_of(service: Service) -> None:
    content = files.pdf(LARGE)
    async with service.client("police") as client:
        await sent(service, files.PDF, client)  # whatever is loaded at the first time
        async with Peak(service) as up:
            replies = await asyncio.gather(
                *(sent(service, content, client, chunked=chunked) for chunked in (True, False))
            )
        assert [reply.status_code for reply in replies] == [201, 201], [reply.text for reply in replies]
        path = f"{replies[0].headers['Location']}/content"
        digest, size = hashlib.sha256(), 0
        async with Peak(service) as down, httpx.AsyncClient(base_url=service.url, timeout=60) as http:
            said = {**await client.authorization("GET", path), "Rujukan-Actor": "officer-7"}
            async with http.stream("GET", path, headers=said) as got:
                async for part in got.aiter_bytes():
                    digest.update(part)
                    size += len(part)
        assert (size, digest.digest()) == (LARGE, hashlib.sha256(content).digest())
        assert (up.grown, down.grown) < (25, 25), "less than one of the files, for two at once"


async def who_goes_away_leaves_nothing(service: Service) -> None:
    async with service.client("police") as client:
        before = len(await states(service))
        async with upload_begun(service, client, content_length="1000000") as (_, writer):
            writer.write(files.pdf(600_000))
            await writer.drain()
            await until(lambda found: ("uploading", 2) in found, service)
        await until(lambda found: len(found) == before, service)
        # and a reader in the middle of a download
        made = (await sent(service, files.pdf(LARGE), client)).headers["Location"]
        said = {**await client.authorization("GET", f"{made}/content"), "Rujukan-Actor": "officer-7"}
        async with (
            httpx.AsyncClient(base_url=service.url) as http,
            http.stream("GET", f"{made}/content", headers=said) as got,
        ):
            assert got.status_code == 200
            await anext(got.aiter_raw(1000))
        # and a file that is destroyed in the middle of a download: the reader sees that it is not whole
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, limit=1000)
        said = {**await client.authorization("GET", f"{made}/content"), "Rujukan-Actor": "officer-7"}
        writer.write(
            f"GET {made}/content HTTP/1.1\r\nHost: x\r\n".encode()
            + b"".join(f"{n}: {v}\r\n".encode() for n, v in said.items())
            + b"\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with service.connection() as conn:
            await conn.execute(
                "SELECT destroy_attachment($1, 'erased', NULL, now())", uuid.UUID(made.rpartition("/")[2])
            )
        assert len(await reader.read(-1)) < LARGE
        writer.close()


async def who_comes_twice_at_once_with_one_key_gets_one_file(service: Service) -> None:
    content, key = files.pdf(2_000_000), str(uuid.uuid4())
    async with service.client("iom") as client:
        replies = await asyncio.gather(*(sent(service, content, client, key=key) for _ in range(3)))
        assert {reply.status_code for reply in replies} <= {201, 409}
        made = {reply.json()["id"] for reply in replies if reply.status_code == 201}
        assert len(made) == 1
        assert (await sent(service, content, client, key=key)).json()["id"] in made
        listed = (await client.get("/v1/attachments", actor="officer-7")).json()["items"]
        assert {each["id"] for each in listed} == made


async def who_sends_too_much_is_told_as_soon_as_that_is_known(service: Service) -> None:
    async with service.client("police") as client:
        async with upload_begun(service, client, content_length=str(LARGE + 1), expect="100-continue") as (reader, _):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413"), "and not 100: the file is not sent at all"
        before = await states(service)
        async with upload_begun(service, client, transfer_encoding="chunked") as (reader, writer):
            content = files.pdf(LARGE + 100_000)
            for start in range(0, len(content), 100_000):
                piece = content[start : start + 100_000]
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        async with upload_begun(service, client, transfer_encoding="chunked") as (reader, writer):
            page = b"<html>" + b" " * 8000
            writer.write(b"%x\r\n%s\r\n" % (len(page), page))
            assert (await reader.readline()).startswith(b"HTTP/1.1 415"), "at its beginning"
        assert await states(service) == before


async def test_large_files_and_callers_who_go_away_or_come_twice(service: Service) -> None:
    """One after the other on one service: to start it costs more than all of them."""
    await a_large_file_takes_no_memory_to_speak_of(service)
    await who_goes_away_leaves_nothing(service)
    await who_comes_twice_at_once_with_one_key_gets_one_file(service)
    await who_sends_too_much_is_told_as_soon_as_that_is_known(service)

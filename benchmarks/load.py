"""A load generator that costs little: requests are built and signed beforehand, then sent over kept-alive connections."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from app.client import ExchangeClient


@dataclass(frozen=True)
class Result:
    """What came of one run."""

    name: str
    requests: int
    seconds: float
    latencies: list[float]
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def percentile(self, part: float) -> float:
        """Milliseconds below which `part` of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


async def signed(client: ExchangeClient, method: str, path: str, body: Any = None, **headers: str) -> bytes:
    """Return one request as it goes over the wire, with its own proof."""
    content = b"" if body is None else json.dumps(body).encode()
    authorization = await client.authorization(method, path.split("?")[0])
    lines = {"Host": "127.0.0.1", **authorization, "Rujukan-Actor": "bench-1", **headers}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    return head.encode() + content


class _Connection(asyncio.Protocol):
    def __init__(self, work: Any, done: asyncio.Future[None], latencies: list[float], statuses: dict[int, int]) -> None:
        self._work, self._done, self._latencies, self._statuses = work, done, latencies, statuses
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self._work, None)
        if request is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        status = int(head[9:12])
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._latencies.append(time.perf_counter() - self._sent)
        self._buffer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("closed"))


async def run(name: str, port: int, requests: list[bytes], *, connections: int = 16) -> Result:
    """Send `requests` over `connections` at once, each waiting for its answer."""
    loop = asyncio.get_running_loop()
    work = iter(requests)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    started = time.perf_counter()
    ends = []
    for _ in range(connections):
        done = loop.create_future()
        await loop.create_connection(lambda done=done: _Connection(work, done, latencies, statuses), "127.0.0.1", port)
        ends.append(done)
    await asyncio.gather(*ends)
    return Result(name, len(latencies), time.perf_counter() - started, latencies, statuses)


def good(result: Result, status: int) -> Result:
    """Refuse a run with a wrong answer in it."""
    if set(result.statuses) != {status}:
        raise SystemExit(f"{result.name}: unexpected answers {result.statuses}")
    return result

"""The feed, by hand (`python -m benchmarks.feed`): what many waiting requests cost, how late events come, how many a second pass the outbox.

`rujukan serve` runs as it does in service, on real sockets, with its worker; tokens are real. Memory is of the serving process (RSS), processor
time too, as a part of one processor. Delays are from just before the commit to the arrival at whoever waits.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from app.client import Credentials, ExchangeClient
from app.foundation.clock import Clock
from auth.admin.agencies import add_agency
from auth.admin.clients import add_client
from benchmarks import stage
from benchmarks.load import signed

EACH = 50
"""Feeds a client has open; an exchange lets it have 64."""
WRITE = """INSERT INTO outbox (agency_id, event_id, type, subject, subject_id, case_id, state, recorded_at)
SELECT agency, gen_random_uuid(), 'referral.sent', 'referral', id, id, 'sent', now() FROM unnest($1::uuid[], $2::uuid[]) AS t (agency, id)"""


@dataclass
class Agency:
    """One with a system that waits."""

    id: Any
    client: ExchangeClient


@dataclass(eq=False)
class Feed(asyncio.Protocol):
    """A connection that waits, and notes when which event came."""

    came: dict[str, float]
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: bytes = b""
    count: int = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        *lines, self.left = (self.left + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                self.count += 1
                self.came[orjson.loads(line[6:])["subject_id"]] = at
        self.arrived.set()


async def settle(on: stage.Stage, count: int) -> list[Agency]:
    """Register agencies, each with a client."""
    made, clock = [], Clock()
    conn = await asyncpg.connect(on.addresses.of("admin"))
    for number in range(count):
        code = f"bench-{number}"
        await add_agency(conn, code=code, name=code, kind="sentra", now=clock.now(), actor="bench")
        credentials = Credentials.generate(f"{code}-system", on.settings.public_url)
        jwks, now = credentials.public_jwks(), clock.now()
        await add_client(
            conn,
            client_id=credentials.client_id,
            name=code,
            agencies=[code],
            scopes=["events.read"],
            jwks=jwks,
            now=now,
            actor="bench",
        )
        id = await conn.fetchval("SELECT id FROM agency WHERE code = $1", code)
        made.append(Agency(id, ExchangeClient(credentials)))
    await conn.close()
    await asyncio.sleep(1)
    return made


async def open_feeds(
    agencies: list[Agency], each: int, query: str, came: dict[str, float], **headers: str
) -> list[Feed]:
    """Open `each` feeds for every agency; they are signed beforehand, so that the first has not ended when the last begins."""
    loop = asyncio.get_running_loop()
    requests = [
        await signed(agency.client, "GET", f"/v1/events{query}", **headers) for agency in agencies for _ in range(each)
    ]
    feeds = []
    for request in requests:
        _, feed = await loop.create_connection(lambda: Feed(came), "127.0.0.1", stage.PORT)
        feed.transport.write(request)
        feeds.append(feed)
    return feeds


async def measured(process: psutil.Process, seconds: float) -> tuple[float, float]:
    """Return MB and the part of a processor that a process takes."""
    before = process.cpu_times()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return process.memory_info().rss / 1e6, used / seconds


async def delays(
    conn: asyncpg.Connection, agencies: list[Agency], came: dict[str, float], rate: int, seconds: int
) -> list[float]:
    """Write so many events a second, one a transaction, and return how late each came, in milliseconds."""
    ids = [
        str(row["id"])
        for row in await conn.fetch("SELECT gen_random_uuid() AS id FROM generate_series(1, $1)", rate * seconds)
    ]
    wrote, begun = {}, time.perf_counter()
    for number, id in enumerate(ids):
        await asyncio.sleep(max(0, begun + number / rate - time.perf_counter()))
        wrote[id] = time.perf_counter()
        await conn.execute(WRITE, [agencies[number % len(agencies)].id], [id])
    async with asyncio.timeout(60):
        while not came.keys() >= set(ids):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return sorted((came[id] - wrote[id]) * 1000 for id in ids)


async def main(feeds: int, rate: int, seconds: int, flood: int) -> None:
    console, table = Console(), Table(title="The feed; one `rujukan serve` with its worker")
    for column in ("what", "value"):
        table.add_column(column, justify="left" if column == "what" else "right")
    load = os.getloadavg()[0]
    with stage.folder() as folder:
        on = await stage.build(folder)
        agencies = await settle(on, max(1, feeds // EACH))
        command = (sys.executable, "-m", "app.cli", "serve")
        with stage.serving(
            on, *command, env={"RUJUKAN_WORKER_IN_PROCESS": "true", "RUJUKAN_ACCESS_TOKEN_SECONDS": "600"}
        ) as served:
            process = psutil.Process(served.pid)
            conn = await asyncpg.connect(on.addresses.owner)
            for agency in agencies:
                await agency.client.token()
            rest, idle = await measured(process, 5)
            for name, query, headers in (
                ("waiting requests", "?wait=60", {}),
                ("streams", "", {"Accept": "text/event-stream"}),
            ):
                came: dict[str, float] = {}
                opened = await open_feeds(agencies, EACH, query, came, **headers)
                await asyncio.sleep(3)
                memory, used = await measured(process, 10)
                table.add_row(
                    f"{len(opened)} {name}: memory",
                    f"{memory:.0f} MB ({(memory - rest) * 1000 / len(opened):.0f} kB each)",
                )
                table.add_row(f"{len(opened)} {name}: processor (before: {idle:.1%})", f"{used:.1%}")
                for each in opened:
                    each.transport.close()
                await asyncio.sleep(1)
                rest = max(rest, process.memory_info().rss / 1e6) if name == "waiting requests" else rest
            came = {}
            readers = await open_feeds(agencies, 1, "", came, Accept="text/event-stream")
            await asyncio.sleep(1)
            late = await delays(conn, agencies, came, rate, seconds)
            table.add_row(f"from commit to delivery at {rate}/s: p50", f"{statistics.median(late):.0f} ms")
            table.add_row(f"from commit to delivery at {rate}/s: p99", f"{late[int(len(late) * 0.99)]:.0f} ms")
            before, begun = sum(each.count for each in readers), time.perf_counter()
            ids = [
                row["id"]
                for row in await conn.fetch("SELECT gen_random_uuid() AS id FROM generate_series(1, $1)", flood)
            ]
            await conn.execute(WRITE, [agencies[number % len(agencies)].id for number in range(flood)], ids)
            async with asyncio.timeout(300):
                while sum(each.count for each in readers) < before + flood:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            table.add_row(
                "events a second from the outbox to the feeds", f"{flood / (time.perf_counter() - begun):.0f}"
            )
            await conn.close()
            for each in readers:
                each.transport.close()
        for agency in agencies:
            await agency.client.aclose()
    console.print(f"processors: {os.cpu_count()}, load before: {load:.1f}, after: {os.getloadavg()[0]:.1f}")
    console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.feed")
    parser.add_argument("--feeds", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--flood", type=int, default=20_000)
    given = parser.parse_args()
    stage.run_async(main(given.feeds, given.rate, given.seconds, given.flood))

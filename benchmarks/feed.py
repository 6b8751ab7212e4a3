"""By hand: what many waiting feeds cost, how late events come, how many a second pass the outbox; beside the barest server that could do it.

    python -m benchmarks.feed [--feeds 2000] [--rate 100] [--seconds 6] [--flood 20000] [--rounds 3]

`rujukan serve` runs as it does in service, on real sockets, with its worker; tokens are real. The peer (`benchmarks/peers/starlette_feed.py`)
is a Starlette application with one connection that listens: the transaction that writes an event numbers it and sends it along with the
notification, and whoever waits for the agency is given it. Both are started anew for each round. What waits costs memory and processor's time,
which are measured at both in the same seconds; events are sent to one after the other. Memory is of the serving process (RSS), processor's
time too. Delays are from just before the commit to the arrival at whoever waits.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from app.client import Credentials, ExchangeClient
from app.foundation import migrate
from app.foundation.clock import Clock
from auth.admin.agencies import add_agency
from auth.admin.clients import add_client
from benchmarks import stage
from benchmarks.load import signed
from benchmarks.peers import starlette_feed

EACH = 50
"""Feeds a client has open; an exchange lets it have 64."""
PEER_PORT = stage.PORT + 3
WRITE = """INSERT INTO outbox (agency_id, event_id, type, subject, subject_id, case_id, state, recorded_at)
SELECT agency, gen_random_uuid(), 'referral.sent', 'referral', id, id, 'sent', now() FROM unnest($1::uuid[], $2::uuid[]) AS t (agency, id)"""
OURS, PEER = "the exchange", "Starlette and LISTEN"
SETTLED = 0.2
"""Part of a processor under which a side has taken in those that wait."""
SSE = "text/event-stream"


@dataclass
class Agency:
    """One with a system that waits."""

    id: Any
    client: ExchangeClient
    position: int = 0
    """Where its feed ended before its feeds were opened."""


@dataclass(eq=False)
class Feed(asyncio.Protocol):
    """A connection that waits, and notes when which event came."""

    came: dict[str, float]
    head: bytes = b""
    left: bytes = b""
    count: int = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self.head = self.head or data[:12]
        *lines, self.left = (self.left + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                self.count += 1
                self.came[orjson.loads(line[6:])["subject_id"]] = at


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


@dataclass
class Side:
    """One that serves feeds, and the statement that writes its events."""

    port: int
    process: psutil.Process
    conn: asyncpg.Connection
    write: str
    request: Callable[[Agency, str], Awaitable[bytes]]
    """A request of an agency's for its feed, as a type of media."""

    async def open(self, agencies: list[Agency], each: int, accept: str, came: dict[str, float]) -> list[Feed]:
        """Open `each` feeds for every agency; they are signed beforehand, so that the first has not ended when the last begins."""
        loop = asyncio.get_running_loop()
        ends = dict(await self.conn.fetch("SELECT agency_id, position FROM feed_end"))
        for agency in agencies:
            agency.position = ends.get(agency.id, 0)
        requests = [await self.request(agency, accept) for agency in agencies for _ in range(each)]
        feeds = []
        for request in requests:
            _, feed = await loop.create_connection(lambda: Feed(came), "127.0.0.1", self.port)
            feed.transport.write(request)
            feeds.append(feed)
        return feeds

    @property
    def memory(self) -> float:
        """MB."""
        return self.process.memory_info().rss / 1e6

    @property
    def busy(self) -> float:
        """Seconds of a processor it has had so far."""
        return sum(self.process.cpu_times()[:2])

    async def ids(self, count: int) -> list[str]:
        rows = await self.conn.fetch("SELECT gen_random_uuid() AS id FROM generate_series(1, $1)", count)
        return [str(row["id"]) for row in rows]

    async def delays(self, agencies: list[Agency], came: dict[str, float], rate: int, seconds: int) -> list[float]:
        """Write so many events a second, one a transaction, and return how late each came, in milliseconds."""
        ids = await self.ids(rate * seconds)
        wrote, begun = {}, time.perf_counter()
        for number, id in enumerate(ids):
            await asyncio.sleep(max(0, begun + number / rate - time.perf_counter()))
            wrote[id] = time.perf_counter()
            await self.conn.execute(self.write, [agencies[number % len(agencies)].id], [id])
        async with asyncio.timeout(60):
            while not came.keys() >= set(ids):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return sorted((came[id] - wrote[id]) * 1000 for id in ids)

    async def answer(self, agencies: list[Agency], feeds: list[Feed]) -> tuple[float, float]:
        """Write an event for each agency at once, and return seconds until all that wait are answered: by the clock, and of a processor."""
        ids, used, begun = await self.ids(len(agencies)), self.busy, time.perf_counter()
        await self.conn.execute(self.write, [agency.id for agency in agencies], ids)
        async with asyncio.timeout(60):
            while not all(each.head for each in feeds):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return time.perf_counter() - begun, self.busy - used

    async def flood(self, agencies: list[Agency], readers: list[Feed], count: int) -> float:
        """Write so many events at once, and return how many a second have come."""
        ids = await self.ids(count)
        before, begun = sum(each.count for each in readers), time.perf_counter()
        await self.conn.execute(self.write, [agencies[number % len(agencies)].id for number in range(count)], ids)
        async with asyncio.timeout(300):
            while sum(each.count for each in readers) < before + count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return count / (time.perf_counter() - begun)


async def ask_exchange(agency: Agency, accept: str) -> bytes:
    if accept == SSE:
        return await signed(agency.client, "GET", f"/v1/events?after={agency.position}", Accept=SSE)
    return await signed(agency.client, "GET", f"/v1/events?wait=60&after={agency.position}")


async def ask_peer(agency: Agency, accept: str) -> bytes:
    return f"GET /events?agency={agency.id}&wait=60 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n\r\n".encode()


async def waiting(sides: dict[str, Side], agencies: list[Agency], found: Found) -> None:
    """Have many wait at both at once, and measure both in the same seconds."""
    for what, accept in (("waiting requests", "application/json"), ("streams", SSE)):
        rest = {name: side.memory for name, side in sides.items()}
        opened = {name: await side.open(agencies, EACH, accept, {}) for name, side in sides.items()}
        for _ in range(60):
            await asyncio.sleep(1)
            begun = accept != SSE or all(each.head for feeds in opened.values() for each in feeds)
            if begun and max((await processors(sides, 1)).values()) < SETTLED:
                break
        used = await processors(sides, 5)
        count = len(agencies) * EACH
        for name, side in sides.items():
            heads = {each.head for each in opened[name]}
            if heads != {b"HTTP/1.1 200" if accept == SSE else b""}:
                raise SystemExit(f"{name}: unexpected answers to {what}: {heads}")
            if any(each.transport.is_closing() for each in opened[name]):
                raise SystemExit(f"{name}: {what} have ended")
            found.add(f"{count} {what}: MB", name, side.memory)
            if what == "waiting requests":  # what they leave behind is used again by the streams
                found.add(f"{count} {what}: kB each", name, (side.memory - rest[name]) * 1000 / count)
            found.add(f"{count} {what}: % of a processor", name, used[name] * 100)
        for name, side in sides.items():
            if accept != SSE:  # a request whose client has gone waits to its end all the same: it is answered
                took, used_for = await side.answer(agencies, opened[name])
                found.add(f"{count} {what}, all woken: ms until the last is answered", name, took * 1000)
                found.add(f"{count} {what}, all woken: CPU ms each", name, used_for * 1000 / count)
            for feed in opened[name]:
                feed.transport.close()
        await asyncio.sleep(1)


async def processors(sides: dict[str, Side], seconds: float) -> dict[str, float]:
    """Return the part of a processor that each takes."""
    before = {name: side.busy for name, side in sides.items()}
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    return {name: (side.busy - before[name]) / took for name, side in sides.items()}


async def news(
    name: str, side: Side, agencies: list[Agency], given: argparse.Namespace, found: Found, idle: float
) -> None:
    """Send events to one reader of each agency: so many a second, then as many as go."""
    came: dict[str, float] = {}
    readers = await side.open(agencies, 1, SSE, came)
    await asyncio.sleep(1)
    before, began = side.busy, time.perf_counter()
    late = await side.delays(agencies, came, given.rate, given.seconds)
    used = side.busy - before - idle * (time.perf_counter() - began)
    found.add(f"from commit to reader at {given.rate}/s: p50 ms", name, statistics.median(late))
    found.add(f"from commit to reader at {given.rate}/s: p99 ms", name, late[int(len(late) * 0.99)])
    found.add(f"CPU ms an event at {given.rate}/s", name, used * 1000 / len(late))
    found.add("events a second, written to read", name, await side.flood(agencies, readers, given.flood))
    for each in readers:
        each.transport.close()


@dataclass
class Found:
    """Figures by what they are of and by side, one for each round."""

    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, what: str, side: str, figure: float) -> None:
        self.figures.setdefault(what, {}).setdefault(side, []).append(figure)

    def shown(self) -> Table:
        """Return medians, and the exchange's figures divided by the peer's, round by round."""
        table = Table(title="Feeds, one serving process each; medians of the rounds")
        for column in ("what", OURS, PEER, "ratio", "of the rounds"):
            table.add_column(column, justify="left" if column == "what" else "right")
        for what, sides in self.figures.items():
            ours, theirs = sides[OURS], sides[PEER]
            # what of a processor the peer takes while nothing happens is too little to divide by
            ratios = [] if "%" in what else [a / b for a, b in zip(ours, theirs, strict=True)]
            middle = [statistics.median(each) for each in (ours, theirs)]
            table.add_row(
                what,
                *(f"{each:,.0f}" if each >= 100 else f"{each:.2f}" if each < 1 else f"{each:.1f}" for each in middle),
                f"{statistics.median(ratios):.2f}" if ratios else "",
                ", ".join(f"{each:.2f}" for each in ratios),
            )
        return table


async def round_of(
    on: stage.Stage, peer_database: str, agencies: list[Agency], given: argparse.Namespace, found: Found, number: int
) -> None:
    """Start both, and measure each."""
    with (
        stage.serving(
            on,
            *(sys.executable, "-m", "app.cli", "serve"),
            env={"RUJUKAN_WORKER_IN_PROCESS": "true", "RUJUKAN_ACCESS_TOKEN_SECONDS": "600"},
        ) as served,
        stage.serving(
            on,
            *(sys.executable, "-m", "benchmarks.peers.starlette_feed"),
            port=PEER_PORT,
            env={"PEER_PORT": str(PEER_PORT), "PEER_DATABASE_URL": peer_database},
        ) as peer,
    ):
        conns = [await asyncpg.connect(url) for url in (on.addresses.owner, peer_database)]
        sides = {
            OURS: Side(stage.PORT, psutil.Process(served.pid), conns[0], WRITE, ask_exchange),
            PEER: Side(PEER_PORT, psutil.Process(peer.pid), conns[1], starlette_feed.WRITE, ask_peer),
        }
        for agency in agencies:
            await agency.client.token()
        await asyncio.sleep(1)
        idle = await processors(sides, 3)
        for name, side in sides.items():
            found.add("nobody waits: MB", name, side.memory)
            found.add("nobody waits: % of a processor", name, idle[name] * 100)
        await waiting(sides, agencies, found)
        for name in list(sides)[:: -1 if number % 2 else 1]:
            await news(name, sides[name], agencies, given, found, idle[name])
        for conn in conns:
            await conn.close()


async def main(given: argparse.Namespace) -> None:
    console, found, load = Console(width=150), Found(), os.getloadavg()[0]
    with stage.folder() as folder:
        on = await stage.build(folder)
        agencies = await settle(on, max(1, given.feeds // EACH))
        peer_database = str(on.addresses.owner).replace("/rujukan?", "/peer_feed?")
        await migrate.ensure_database(peer_database)
        conn = await asyncpg.connect(peer_database)
        await conn.execute(starlette_feed.SCHEMA)
        await conn.close()
        for number in range(given.rounds):
            await round_of(on, peer_database, agencies, given, found, number)
        for agency in agencies:
            await agency.client.aclose()
    console.print(f"processors: {os.cpu_count()}, load before: {load:.1f}, after: {os.getloadavg()[0]:.1f}")
    console.print(found.shown())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.feed")
    for name, value in (("feeds", 2000), ("rate", 100), ("seconds", 6), ("flood", 20_000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    stage.run_async(main(parser.parse_args()))

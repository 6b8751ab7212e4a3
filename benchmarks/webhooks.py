"""By hand: how many webhooks a second one worker sends, beside a job queue's worker, and how late one comes at 100 a second.

    python -m benchmarks.webhooks [--events 1200] [--webhooks 1] [--seconds 6] [--rate 100] [--rounds 3]

The receivers are HTTPS servers in this process, which answer 204 at once; the worker is `rujukan worker` in a process of its own, on an
embedded PostgreSQL that keeps what it is told (fsync on). The peer is `procrastinate` (`benchmarks/peers/procrastinate_webhooks.py`) with a
database of its own on the same server, as many jobs at once as the exchange sends to so many webhooks, and the same event in each: with no
order among them, and with its locks, by which the messages of a case wait for each other as ours do. Both workers run all the time and take
turns. Delay is from the commit of the event's transaction to the receiver's having it. Processor's time is of the burst: of the worker's
process, and of PostgreSQL, which writes the events as well.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from app.delivery import message, signing
from app.foundation import migrate
from app.foundation.clock import Clock
from app.foundation.keyring import Keyring, Place
from benchmarks import stage
from benchmarks.oauth import busy
from tests.makers.receivers import Receiver, receiving

CASES = 500
"""Events are spread over so many cases: those of one case wait for each other."""
WARM_UP = 100
OURS, PEER, IN_ORDER = "the exchange", "procrastinate", "procrastinate, in order by case"


@dataclass(frozen=True)
class Measured:
    """One turn of one side."""

    rate: float
    """Deliveries a second."""
    worker: float
    database: float
    """Milliseconds of a processor for each delivery."""
    half: float
    most: float
    """Delays at the steady rate in milliseconds: p50 and p99."""


@dataclass
class Side:
    """One that sends, and those it sends to."""

    receivers: list[Receiver]
    worker: psutil.Process
    publish: Callable[[Sequence[UUID]], Awaitable[list[UUID]]]
    """Write an event for each case, in one transaction."""
    found: list[Measured] = field(default_factory=list)

    async def deliver(self, events: int, cases: Sequence[UUID]) -> float:
        """Write events as fast as it goes, and return the seconds until everybody has them."""
        loop = asyncio.get_running_loop()
        had, began = len(self.receivers[0].got), loop.time()
        for first in range(0, events, 1000):
            await self.publish([cases[n % len(cases)] for n in range(first, min(first + 1000, events))])
        for each in self.receivers:
            await each.has_got(had + events, within=300)
        took = loop.time() - began
        for each in self.receivers:
            assert len(set(each.ids)) == had + events
        return took

    async def follow(self, rate: int, seconds: int, cases: Sequence[UUID]) -> list[float]:
        """Write so many events a second, one a transaction, and return how late each came, in milliseconds."""
        loop = asyncio.get_running_loop()
        had, commits, began = len(self.receivers[0].got), {}, loop.time()
        for number in range(seconds * rate):
            await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
            (id,) = await self.publish([cases[number % len(cases)]])
            commits[str(id)] = loop.time()
        for each in self.receivers:
            await each.has_got(had + len(commits), within=60)
        return sorted((got.at - commits[got.id]) * 1000 for each in self.receivers for got in each.got[had:])


async def add_webhook(on: stage.Stage, conn: asyncpg.Connection, agency: UUID, receiver: Receiver) -> None:
    """A webhook of the receiver's system that wants everything."""
    now = Clock().now()
    id = await conn.fetchval(
        """INSERT INTO webhook (agency_id, client_id, url, state_at, position, created_at, changed_at)
           VALUES ($1, $2, $3, $4, 0, $4, $4) RETURNING id""",
        agency,
        f"{stage.RECEIVER}-system",
        receiver.url,
        now,
    )
    key_id, private = uuid.uuid4(), signing.generate()
    sealed = Keyring.of(on.settings).seal_one(Place("webhook_key.private_sealed", key_id, id), private)
    await conn.execute(
        "INSERT INTO webhook_key VALUES ($1, $2, $3, $4, $5, $6, NULL)",
        key_id,
        id,
        agency,
        signing.public_key(private),
        sealed,
        now,
    )


async def publish(conn: asyncpg.Connection, agency: UUID, cases: Sequence[UUID]) -> list[UUID]:
    """Write an event for each case into the outbox."""
    ids = [uuid.uuid4() for _ in cases]
    await conn.executemany(
        """INSERT INTO outbox (agency_id, event_id, type, subject, subject_id, case_id, state, recorded_at)
           VALUES ($1, $2, 'referral.sent', 'referral', $2, $3, 'sent', $4)""",
        [(agency, id, case, Clock().now()) for id, case in zip(ids, cases, strict=True)],
    )
    return ids


async def defer(
    conn: asyncpg.Connection, receivers: Sequence[Receiver], cases: Sequence[UUID], *, in_order: bool
) -> list[UUID]:
    """Write a job of the peer for each case and receiver, in one transaction, by the function that its client calls."""
    ids, now, jobs = [uuid.uuid4() for _ in cases], Clock().now(), []
    for id, case in zip(ids, cases, strict=True):
        event = message.body(message.Message(id, 1, "referral.sent", "referral", id, case, "sent", now)).decode()
        for receiver in receivers:
            args = f'{{"url":{orjson.dumps(receiver.url).decode()},"id":"{id}","message":{event}}}'
            jobs.append(("default", "send", 0, f"{receiver.port} {case}" if in_order else None, None, args, None))
    await conn.fetchval("SELECT procrastinate_defer_jobs_v1($1::procrastinate_job_to_defer_v1[])", jobs)
    return ids


@contextmanager
def working(on: stage.Stage, ca: Path) -> Iterator[psutil.Process]:
    """`rujukan worker` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "worker"],
        env={
            **os.environ,
            "RUJUKAN_DATA_DIR": str(on.folder),
            "RUJUKAN_PUBLIC_URL": on.settings.public_url,
            "RUJUKAN_OUTBOUND_NETWORKS": "127.0.0.0/8",
            "RUJUKAN_OUTBOUND_CA": str(ca),
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def peer_working(database: str, ca: Path, at_once: int) -> Iterator[psutil.Process]:
    """The peer's worker until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from benchmarks.peers.procrastinate_webhooks import run; run()"],
        env={
            **os.environ,
            "PEER_DATABASE_URL": database,
            "PEER_CA": str(ca),
            "PEER_CONCURRENCY": str(at_once),
        },
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


async def peer_database(on: stage.Stage) -> tuple[str, asyncpg.Connection]:
    """A database of the peer's own on the same server."""
    from procrastinate.schema import SchemaManager

    url = str(on.addresses.owner).replace("/rujukan?", "/peer_procrastinate?")
    await migrate.ensure_database(url)
    conn = await asyncpg.connect(url)
    await conn.execute(SchemaManager.get_schema())
    return url, conn


async def measure(side: Side, database: psutil.Process, given: argparse.Namespace, cases: Sequence[UUID]) -> Measured:
    """Give one side its turn."""
    parts = ([side.worker], database.children())
    before = [busy(part) for part in parts]
    took = await side.deliver(given.events, cases)
    count = given.events * len(side.receivers)
    worker, behind = ((busy(part) - had) / count * 1e3 for part, had in zip(parts, before, strict=True))
    late = await side.follow(given.rate, given.seconds, cases)
    return Measured(
        count / took,
        worker,
        behind,
        statistics.median(late),
        late[min(int(len(late) * 0.99), len(late) - 1)],
    )


async def main(given: argparse.Namespace) -> None:
    console = Console(width=150)
    console.print(f"processors: {os.cpu_count()}, load before: {os.getloadavg()[0]:.1f}, webhooks: {given.webhooks}")
    with stage.folder() as folder, tempfile.TemporaryDirectory() as beside:
        on = await stage.build(folder)
        database = psutil.Process(int((on.folder / "postgresql" / "postmaster.pid").read_text().split()[0]))
        conn = await asyncpg.connect(on.addresses.of("owner"))
        agency = await conn.fetchval("SELECT id FROM agency WHERE code = $1", stage.RECEIVER)
        url, peer_conn = await peer_database(on)
        cases = [uuid.uuid4() for _ in range(CASES)]
        at_once = min(on.settings.webhooks_at_once, on.settings.webhooks_at_once_each * given.webhooks)
        async with receiving(Path(beside)) as receivers:
            made, theirs, ordered = [[await receivers.open() for _ in range(given.webhooks)] for _ in range(3)]
            for each in made:
                await add_webhook(on, conn, agency, each)
            with (
                working(on, receivers.ca) as worker,
                peer_working(url, receivers.ca, at_once) as peer_worker,
            ):
                sides = {
                    OURS: Side(made, worker, lambda cases: publish(conn, agency, cases)),
                    PEER: Side(theirs, peer_worker, lambda cases: defer(peer_conn, theirs, cases, in_order=False)),
                    IN_ORDER: Side(ordered, peer_worker, lambda cases: defer(peer_conn, ordered, cases, in_order=True)),
                }
                for side in sides.values():
                    await side.deliver(WARM_UP, cases)
                for each in (conn, peer_conn):
                    await each.execute("ANALYZE")
                for number in range(given.rounds):
                    for side in list(sides.values())[:: -1 if number % 2 else 1]:
                        side.found.append(await measure(side, database, given, cases))
        for each in (conn, peer_conn):
            await each.close()
    console.print(shown({name: side.found for name, side in sides.items()}, given.rate))
    console.print(f"load after: {os.getloadavg()[0]:.1f}")


def shown(found: dict[str, list[Measured]], rate: int) -> Table:
    """Return medians, and what the exchange's are divided by the peer's, round by round."""
    table = Table(title=f"Webhooks over HTTPS, one worker each; medians of {len(found[OURS])} rounds")
    table.add_column("what")
    for column in (OURS, PEER, "ratio (of the rounds)", IN_ORDER, "ratio (of the rounds)"):
        table.add_column(column, justify="right")
    for what, name, form in (
        ("deliveries a second", "rate", "{:.0f}"),
        ("worker, CPU ms each", "worker", "{:.2f}"),
        ("PostgreSQL, CPU ms each", "database", "{:.2f}"),
        (f"delay at {rate}/s: p50 ms", "half", "{:.0f}"),
        (f"delay at {rate}/s: p99 ms", "most", "{:.0f}"),
    ):
        figures = {side: [getattr(each, name) for each in runs] for side, runs in found.items()}
        cells = []
        for side, runs in figures.items():
            cells.append(form.format(statistics.median(runs)))
            if side != OURS:
                ratios = [a / b for a, b in zip(figures[OURS], runs, strict=True)]
                cells.append(f"{statistics.median(ratios):.2f} ({', '.join(f'{each:.2f}' for each in ratios)})")
        table.add_row(what, *cells)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, value in (("events", 1200), ("webhooks", 1), ("seconds", 6), ("rate", 100), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asyncio.run(main(parser.parse_args()))

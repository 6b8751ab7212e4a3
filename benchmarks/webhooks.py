"""By hand: events a second from the outbox to the feed and to webhooks with one worker, and how long one takes at 100 a second.

    python -m benchmarks.webhooks [--events 3000] [--webhooks 1] [--seconds 20] [--rate 100]

The receivers are HTTPS servers in this process, which answer 204 at once; the worker is `rujukan worker` in a process of its own, on an
embedded PostgreSQL that keeps what it is told (fsync on). Delay is from the commit of the event's transaction to the receiver's having it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from app.delivery import signing
from app.foundation.clock import Clock
from app.foundation.keyring import Keyring, Place
from app.outbox.queries import CHANNEL
from benchmarks import stage
from tests.makers.receivers import Receiver, receiving

CASES = 500
"""Events are spread over so many cases: those of one case wait for each other."""


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
    """Write an event for each case, in one transaction."""
    ids = [uuid.uuid4() for _ in cases]
    await conn.executemany(
        """INSERT INTO outbox (agency_id, event_id, type, subject, subject_id, case_id, state, recorded_at)
           VALUES ($1, $2, 'referral.sent', 'referral', $2, $3, 'sent', $4)""",
        [(agency, id, case, Clock().now()) for id, case in zip(ids, cases, strict=True)],
    )
    return ids


@contextmanager
def working(on: stage.Stage, ca: Path) -> Iterator[None]:
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
        yield
    finally:
        process.terminate()
        process.wait(30)


def quantile(times: list[float], part: float) -> str:
    return f"{sorted(times)[min(int(len(times) * part), len(times) - 1)] * 1000:.0f} ms"


async def main(events: int, webhooks: int, seconds: int, rate: int) -> None:
    console = Console()
    console.print(f"processors: {os.cpu_count()}, load before: {os.getloadavg()[0]:.1f}, webhooks: {webhooks}")
    loop = asyncio.get_running_loop()
    with stage.folder() as folder, tempfile.TemporaryDirectory() as beside:
        on = await stage.build(folder)
        conn = await asyncpg.connect(on.addresses.of("owner"))
        agency = await conn.fetchval("SELECT id FROM agency WHERE code = $1", stage.RECEIVER)
        cases = [uuid.uuid4() for _ in range(CASES)]
        fed: list[tuple[int, float]] = []
        listener = await asyncpg.connect(on.addresses.of("owner"))
        asking = asyncio.Lock()

        async def look() -> None:
            async with asking:
                at = loop.time()
                fed.append((await listener.fetchval("SELECT position FROM feed_end WHERE agency_id = $1", agency), at))

        looks: set[asyncio.Task[None]] = set()

        def notified(*_: object) -> None:
            task = asyncio.create_task(look())
            looks.add(task)
            task.add_done_callback(looks.discard)

        await listener.add_listener(CHANNEL, notified)
        async with receiving(Path(beside)) as receivers:
            made = [await receivers.open() for _ in range(webhooks)]
            for each in made:
                await add_webhook(on, conn, agency, each)
            with working(on, receivers.ca):
                await publish(conn, agency, cases[:50])
                for each in made:
                    await each.has_got(50, within=60)
                start = 50
                began = loop.time()
                for position in range(0, events, 1000):
                    size = min(1000, events - position)
                    await publish(conn, agency, [cases[n % CASES] for n in range(size)])
                written = loop.time() - began
                for each in made:
                    await each.has_got(start + events, within=600)
                sent = loop.time() - began
                fed_at = next(at for position, at in fed if position >= start + events) - began
                for each in made:
                    assert len(set(each.ids)) == start + events
                start += events
                commits: dict[str, float] = {}
                for number in range(seconds * rate):
                    await asyncio.sleep(max(0.0, began + sent + 1 + number / rate - loop.time()))
                    (id,) = await publish(conn, agency, [cases[number % CASES]])
                    commits[str(id)] = loop.time()
                for each in made:
                    await each.has_got(start + len(commits), within=60)
                delays = [got.at - commits[got.id] for each in made for got in each.got if got.id in commits]
                order = list(commits.values())
                fed_delays = []
                for number, at in enumerate(order, start + 1):
                    fed_delays.append(next(seen for position, seen in fed if position >= number) - at)
        for other in (conn, listener):
            await other.close()
    table = Table("what", "figure")
    table.add_row("outbox to feed", f"{events / fed_at:,.0f} events/s (written in {written:.1f} s)")
    table.add_row("outbox to webhooks, received", f"{events * webhooks / sent:,.0f} deliveries/s")
    table.add_row(
        f"delay to the feed at {rate}/s", f"p50 {quantile(fed_delays, 0.5)}, p99 {quantile(fed_delays, 0.99)}"
    )
    table.add_row(f"delay to a webhook at {rate}/s", f"p50 {quantile(delays, 0.5)}, p99 {quantile(delays, 0.99)}")
    console.print(table)
    console.print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, value in (("events", 3000), ("webhooks", 1), ("seconds", 20), ("rate", 100)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asyncio.run(main(**vars(parser.parse_args())))

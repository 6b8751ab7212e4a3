"""A worker that is killed, whatever it was at, loses nothing; what its receivers get twice has the same id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from app.delivery import claims
from tests.app.delivery.sending.conftest import Office
from tests.makers.receivers import HANG, Reply

SMALL = """
import asyncio, sys
from pathlib import Path
from app.delivery import claims
from app.delivery.sending import Sender
from app.foundation.clock import Clock
from app.foundation.database import open_pool
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings

async def work(url, keyring, ca):
    settings = Settings(outbound_networks="127.0.0.0/8", outbound_ca=Path(ca))
    pool = await open_pool(url, size=2)
    sender = Sender(settings, Keyring.open(Path(keyring), create=False), Clock(), pool)
    while True:
        async with pool.acquire() as conn:
            await claims.fan_out(conn, Clock().now())
        await sender.send_due()

asyncio.run(work(*sys.argv[1:]))
"""
"""What `rujukan worker` runs of it, without the rest, which would need a database of its own."""


def worker(office: Office) -> subprocess.Popen[bytes]:
    """A worker as a process of its own."""
    exchange = office.world.exchange
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            SMALL,
            exchange.addresses.of("worker"),
            str(exchange.keyring.path),
            str(office.receivers.ca),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )


async def test_between_claim_and_sending_between_sending_and_record_and_after_it(office: Office) -> None:
    stalling = await office.receivers.open(stalls=True)
    hanging, quick = await office.receivers.open(HANG), await office.receivers.open()
    unsent, unrecorded, done = [await office.webhook(each) for each in (stalling, hanging, quick)]
    await office.news()
    process = worker(office)
    try:
        await quick.has_got(1, within=30)
        await hanging.has_got(1)  # it was sent, and nothing is recorded
        await stalling.is_connected_to(1)  # it was claimed, and TLS has not even begun
        await office.has_delivered(done, 1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    for id, state in ((unsent, "waiting"), (unrecorded, "waiting"), (done, "delivered")):
        (row,) = await office.deliveries(id)
        assert (row["state"], row["attempts"]) == (state, 1)
    await stalling.stop()
    stalling.stalls = False
    await stalling.start()
    hanging.answers(Reply())
    assert await office.deliver() == 0, "for a minute its claims are its own"
    await office.later(seconds=claims.LEASE.total_seconds() + 1)
    assert await office.deliver() == 2
    assert [await office.states(id) for id in (unsent, unrecorded, done)] == [["delivered"]] * 3
    assert (len(stalling.got), len(hanging.got), len(quick.got)) == (1, 2, 1)
    assert hanging.ids[0] == hanging.ids[1]


async def test_two_at_once_of_which_one_is_killed_send_everything_in_order(office: Office) -> None:
    receiver = await office.receivers.open(Reply(delay=0.005))
    id = await office.webhook(receiver)
    one, other = worker(office), worker(office)
    try:
        for _ in range(4):
            await office.news(20)
        await receiver.has_got(30, within=30)
        one.send_signal(signal.SIGKILL)
        one.wait(10)
        await office.news(20)
        await office.has_delivered(id, 90)
    finally:
        for process in (one, other):
            process.kill()
            process.wait(10)
    await office.later(seconds=claims.LEASE.total_seconds() + 1)
    await office.deliver()
    assert await office.states(id) == ["delivered"] * 100
    assert set(receiver.positions) == set(range(1, 101))
    assert len(receiver.got) - 100 <= 16, "twice only what was under way"

"""The worker's sequencer, the service on a real socket, and events made without their causes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Any

import httpx
import pytest
import uvicorn

from app.serving import configure
from tests.makers.world import World


@pytest.fixture
async def sequencing(world: World) -> AsyncIterator[None]:
    """The worker's sequencer, running as it does in service."""

    async def run() -> None:
        while True:
            await world.exchange.worker.sequence_events()
            await asyncio.sleep(0.03)

    task = asyncio.create_task(run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:  # they are pytest's
        return nullcontext()


@pytest.fixture
async def over_http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on a real socket; its buffer is small, so that what nobody reads is felt soon."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)
    config = configure(world.exchange.app, grace=1)
    config.lifespan = "off"
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=20, trust_env=False
    ) as http:
        yield http
    server.should_exit = True
    await serving


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that comes soon, or fail."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


Make = Callable[..., Coroutine[Any, Any, None]]
"""Makes events of the agency with a code, so many; by keyword their `type`, their time (`at`), and whether they get positions (`settle`)."""


@pytest.fixture
def make_events(world: World) -> Make:
    """Events of an agency, as many as are wanted, with the position they have in service."""

    async def make(
        code: str, count: int, *, type: str = "referral.accepted", at: datetime | None = None, settle: bool = True
    ) -> None:
        await world.owner.execute(
            """INSERT INTO outbox (agency_id, event_id, type, subject, subject_id, case_id, state, recorded_at)
               SELECT $1, gen_random_uuid(), $2, 'referral', gen_random_uuid(), gen_random_uuid(), 'accepted', $3 FROM generate_series(1, $4)""",
            world.ids[code],
            type,
            at or world.exchange.clock.now(),
            count,
        )
        while settle and await world.exchange.worker.sequence_events():
            pass

    return make

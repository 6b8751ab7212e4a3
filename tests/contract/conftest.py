"""The service behind a real HTTP server, on a database of its own, with a client that holds every scope."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import requests
import uvicorn

import auth.keys
from app.client import Credentials, ExchangeClient
from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from app.main import create_app
from app.serving import configure
from auth.admin.agencies import add_agency
from auth.admin.clients import add_client
from auth.scopes import Scope
from tests.conftest import GENEROUS, clone


@dataclass
class Served:
    """A running server, and how to sign requests to it."""

    url: str
    addresses: Addresses
    clients: dict[str, ExchangeClient]


class Proof(requests.auth.AuthBase):
    """Adds a token and a fresh proof for exactly the request that is sent."""

    def __init__(self, client: ExchangeClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client, self._loop = client, loop

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        assert request.url is not None
        path = requests.utils.urlparse(request.url).path
        request.headers.update(self._loop.run_until_complete(self._client.authorization(str(request.method), path)))
        return request


async def _register(addresses: Addresses, settings: Settings, keyring: Keyring) -> dict[str, ExchangeClient]:
    conn = await asyncpg.connect(addresses.admin)
    now = Clock().now()
    clients = {}
    try:
        await auth.keys.ensure_active(conn, keyring, now)
        for code, kind in (("police", "police_regional"), ("shelter", "trauma_centre")):
            await add_agency(conn, code=code, name=f"The {code}", kind=kind, now=now, actor="test")
            credentials = Credentials.generate(f"{code}-system", settings.public_url)
            await add_client(
                conn,
                client_id=credentials.client_id,
                name=f"System of the {code}",
                agencies=[code],
                scopes=[str(scope) for scope in Scope],
                jwks=credentials.public_jwks(),
                now=now,
                actor="test",
            )
            clients[code] = ExchangeClient(credentials)
    finally:
        await conn.close()
    return clients


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop for signing, apart from the server's."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="session")
def served(
    template: Addresses, tmp_path_factory: pytest.TempPathFactory, loop: asyncio.AbstractEventLoop
) -> Iterator[Served]:
    """A server on a free port, with its worker."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("served")
    settings = Settings(
        public_url=f"http://127.0.0.1:{port}", port=port, data_dir=folder, database_pool_size=6, **GENEROUS
    )
    addresses = loop.run_until_complete(
        clone(template, f"served_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{secrets.token_hex(3)}")
    )
    clients = loop.run_until_complete(_register(addresses, settings, Keyring.open(settings.keyring_path, create=True)))
    server = uvicorn.Server(configure(create_app(settings, where=addresses), grace=3))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield Served(settings.public_url, addresses, clients)
    for client in clients.values():
        loop.run_until_complete(client.aclose())
    server.should_exit = True
    thread.join(20)

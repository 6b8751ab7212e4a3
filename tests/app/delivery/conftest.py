"""What tests of webhooks share: a client that manages its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest

from app.client import Credentials, ExchangeClient
from auth.admin.clients import add_client
from auth.scopes import Scope
from tests.makers.world import World

URL = "https://localhost:9443/news?token=s3cret"


@dataclass
class Hooks:
    """A client of its own, and what it asks about webhooks."""

    world: World
    client: ExchangeClient
    agency: str
    made: list[str] = field(default_factory=list)

    @property
    def client_id(self) -> str:
        return self.client.credentials.client_id

    async def ask(self, method: str, path: str = "", body: Any = None, **options: Any) -> httpx.Response:
        return await self.client.request(method, f"/v1/webhooks{path}", json=body, **options)

    async def add(self, url: str = URL, **more: Any) -> dict[str, Any]:
        """Add a webhook that is taken."""
        reply = await self.ask("POST", "", {"url": url, **more})
        assert reply.status_code == 201, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def read(self, id: str) -> dict[str, Any]:
        reply = await self.ask("GET", f"/{id}")
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found


async def a_client(world: World, agency: str, *, scopes: list[str] | None = None) -> Hooks:
    credentials = Credentials.generate(
        f"{agency}-{secrets.token_hex(4)}", world.exchange.settings.public_url, agency=agency
    )
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    await add_client(
        conn, client_id=credentials.client_id, name="x", agencies=[agency], scopes=scopes or [str(scope) for scope in Scope],
        now=world.exchange.clock.now(), actor="test", jwks=credentials.public_jwks(),
    )  # fmt: skip
    await conn.close()
    await world.exchange.directory.refresh()
    client = ExchangeClient(credentials, http=world.exchange.http, clock=world.exchange.clock)
    return Hooks(world, client, agency)


@pytest.fixture
def near(world: World) -> Iterator[None]:
    """This machine may be sent to: in production no setting opens that."""
    state = world.exchange.app.state
    before = state.settings
    state.settings = before.model_copy(update={"outbound_networks": "127.0.0.0/8,::1/128", "webhooks_per_client": 3})
    yield
    state.settings = before


@pytest.fixture
async def hooks(world: World, near: None) -> Hooks:
    """A client of IOM."""
    return await a_client(world, "iom")

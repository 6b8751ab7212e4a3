"""Services of their own, with limits a test can reach, on the test run's database and clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from app.foundation.clock import Clock
from app.main import create_app
from auth.limits.limits import Limits
from tests.makers import auth as make
from tests.makers.auth import Party

HERE = "203.0.113.7"
ELSEWHERE = "198.51.100.9"


@dataclass
class Site:
    """A service, and who calls it from where."""

    app: FastAPI
    admin: asyncpg.Connection
    owner: asyncpg.Connection
    clock: Clock
    stack: AsyncExitStack

    @property
    def limits(self) -> Limits:
        limits: Limits = self.app.state.limits
        return limits

    def http(self, address: str = HERE) -> httpx.AsyncClient:
        """Return a client that calls from there."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 4711), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url=self.app.state.settings.public_url)
        self.stack.push_async_callback(client.aclose)
        return client

    async def party(self, address: str = HERE) -> Party:
        """Register a client of an agency of its own, that calls from there."""
        agency = await make.add_agency(self.admin, self.clock.now())
        issuer = self.app.state.settings.public_url
        credentials = await make.add_client(self.admin, self.clock.now(), issuer, agencies=[agency])
        await self.refresh()
        return Party(credentials, [agency], self.http(address), self.clock)

    async def may_call_from(self, party: Party, *networks: str) -> None:
        await self.owner.execute(
            "UPDATE client SET networks = $2::text[]::cidr[] WHERE client_id = $1", party.client_id, list(networks)
        )
        await self.refresh()

    async def refresh(self) -> None:
        await self.app.state.directory.refresh()


def from_elsewhere(site: Site, party: Party, address: str = ELSEWHERE) -> Party:
    """The same credentials, used from another address."""
    return Party(party.credentials, party.agencies, site.http(address), party.clock, party.proof_key)


@pytest.fixture
async def site(exchange: Any) -> AsyncIterator[Callable[..., Any]]:
    """Make a service with these settings; several share the database, as processes do."""
    async with AsyncExitStack() as stack:
        admin = await asyncpg.connect(exchange.addresses.admin)
        stack.push_async_callback(admin.close)

        async def make_site(**settings: Any) -> Site:
            changed = exchange.settings.model_copy(update={"database_pool_size": 3, **settings})
            app = create_app(changed, clock=exchange.clock, where=exchange.addresses)
            await stack.enter_async_context(app.router.lifespan_context(app))
            return Site(app, admin, exchange.owner, exchange.clock, stack)

        yield make_site

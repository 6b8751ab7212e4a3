"""A stand-alone authorization server with protected resources, on the real database; each test has clients of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from app.admin.assembly import PATH, create_admin
from app.foundation import http
from app.foundation.clock import Clock
from app.foundation.database import Addresses
from app.foundation.keyring import Keyring
from app.foundation.problems import Problem
from app.foundation.settings import Settings
from auth import endpoints, keys, metadata, queries
from auth.caller import Caller
from auth.directory import Directory
from auth.guard import CurrentCaller, requires
from auth.limits.layer import Admission
from auth.problems import ProofReplayed
from auth.registration import endpoints as registration
from auth.scopes import Scope
from tests.makers import auth as make
from tests.makers.auth import Party

ISSUER = "https://rujukan.example"
router = APIRouter(prefix="/v1", route_class=http.StrictRoute)
Reader = Annotated[Caller, requires(Scope.cases_read)]
Writer = Annotated[Caller, requires(Scope.cases_write, Scope.consents_write)]


async def no_log(request: Request, problem: Problem) -> None:
    """Refusals by rule are the exchange's to log."""


async def use_up(request: Request, caller: Caller) -> dict[str, Any]:
    """Do what every endpoint's transaction does first."""
    async with request.app.state.database.app.acquire() as conn, conn.transaction():
        proof, until = caller.proof_hash, caller.proof_until
        if proof is not None and not await queries.use_proof(conn, proof_hash=proof, until=until):
            raise ProofReplayed
    return {"client_id": caller.client_id, "agency": caller.agency.code, "scopes": sorted(caller.scopes)}


@router.get("/probe")
async def probe(request: Request, caller: Reader, again: CurrentCaller, q: str = "") -> dict[str, Any]:
    assert caller is again, "authenticated once a request"
    return await use_up(request, caller)


@router.get("/probe/{name:path}")
async def named_probe(request: Request, caller: Reader, name: str) -> dict[str, Any]:
    return await use_up(request, caller)


@router.post("/probe")
async def writing_probe(request: Request, caller: Writer) -> dict[str, Any]:
    return await use_up(request, caller)


@dataclass
class World:
    """The running exchange, and a way to administer it."""

    app: FastAPI
    settings: Settings
    clock: Clock
    keyring: Keyring
    directory: Directory
    http: httpx.AsyncClient
    admin: asyncpg.Connection
    addresses: Addresses

    async def act(self, function: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Any:
        """Run an administrative function and have the directory notice."""
        done = await function(self.admin, *arguments, now=self.clock.now(), actor="test", **named)
        await self.directory.refresh()
        return done

    async def agency(self, **values: Any) -> str:
        code = await make.add_agency(self.admin, self.clock.now(), **values)
        await self.directory.refresh()
        return code

    async def party(self, *, agencies: int = 1, **values: Any) -> Party:
        codes = [await make.add_agency(self.admin, self.clock.now()) for _ in range(agencies)]
        credentials = await make.add_client(
            self.admin, self.clock.now(), self.settings.public_url, agencies=codes, **values
        )
        await self.directory.refresh()
        return Party(credentials, codes, self.http, self.clock)

    async def rotate(self, *, at_once: bool = False) -> str:
        kid = await keys.rotate(self.admin, self.keyring, self.clock.now(), at_once=at_once)
        await self.directory.refresh()
        return kid


@pytest.fixture(scope="session")
async def server(addresses: Addresses, exchange: Any) -> AsyncIterator[World]:
    """The test run's database, clock, keys and directory under an app that has nothing but what is tested here."""
    settings = exchange.settings.model_copy(update={"public_url": ISSUER})
    connection = await asyncpg.connect(addresses.admin)
    await keys.ensure_active(connection, exchange.keyring, exchange.clock.now())
    await exchange.directory.refresh()
    app = FastAPI()
    http.install(app, on_refusal=no_log, missing_headers={})
    app.router.routes.extend(endpoints.routes)
    for part in (endpoints.router, metadata.router, registration.router, router):
        app.include_router(part)
    app.state.settings = settings
    app.state.clock, app.state.keyring = exchange.clock, exchange.keyring
    app.state.directory, app.state.database = exchange.directory, exchange.database
    app.state.nonces, app.state.limits = None, exchange.app.state.limits
    app.mount(PATH, create_admin(app.state))
    transport = httpx.ASGITransport(app=http.RequestContext(http.LastResort(Admission(app, settings))))
    async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as client:
        yield World(app, settings, exchange.clock, exchange.keyring, exchange.directory, client, connection, addresses)
    await connection.close()


@pytest.fixture
async def world(server: World) -> AsyncIterator[World]:
    """The server, its clock set back afterwards."""
    before = server.clock.offset
    yield server
    server.clock.shift(before - server.clock.offset)


@pytest.fixture
async def party(world: World) -> Party:
    """A client that acts for one agency and holds every scope."""
    return await world.party()

"""People with authenticators and browsers, and the connection that administers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from auth.people import opening
from auth.people.opening import Rules
from auth.people.person import Person, Role, at_the_machine
from tests.conftest import Exchange
from tests.makers.people import Authenticator, Browser

People = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def conn(exchange: Exchange) -> AsyncIterator[asyncpg.Connection]:
    """The role that administers."""
    made = await asyncpg.connect(exchange.addresses.admin)
    yield made
    await made.close()


@pytest.fixture
async def browser_of(exchange: Exchange) -> AsyncIterator[Callable[[], Browser]]:
    """New browsers, each with cookies and an authenticator of its own."""
    opened: list[httpx.AsyncClient] = []

    def open() -> Browser:
        transport = httpx.ASGITransport(app=exchange.app, raise_app_exceptions=False)
        opened.append(httpx.AsyncClient(transport=transport, base_url=exchange.settings.admin_origin))
        return Browser(opened[-1], Authenticator(exchange.settings.admin_origin))

    yield open
    for each in opened:
        await each.aclose()


@pytest.fixture
def link_of(exchange: Exchange, conn: asyncpg.Connection) -> Callable[..., Awaitable[str]]:
    """The token of a one-time link for somebody new, as one person may make it in development."""

    async def invite(reference: str, *roles: Role) -> str:
        opened = await opening.add(
            conn,
            reference=reference,
            name=f"Person {reference}",
            roles=roles or (Role.operator,),
            by=at_the_machine("root"),
            now=exchange.clock.now(),
            rules=Rules(two_people=False, at_machine=True),
        )
        assert opened.token is not None
        return opened.token

    return invite


@pytest.fixture
def signed_in(link_of: Callable[..., Awaitable[str]], browser_of: Callable[[], Browser]) -> People:
    """The browser of somebody who has enrolled and is signed in."""

    async def make(reference: str = "staff-1", *roles: Role) -> Browser:
        browser = browser_of()
        reply = await browser.enrol(await link_of(reference, *roles))
        assert reply.status_code == 200, reply.text
        return browser

    return make


@pytest.fixture
def log(exchange: Exchange) -> Callable[[str], Awaitable[list[tuple[str, dict[str, Any]]]]]:
    """What the log says of an action: who, and the detail."""

    async def entries(action: str) -> list[tuple[str, dict[str, Any]]]:
        rows = await exchange.owner.fetch(
            "SELECT actor, detail::text AS said FROM log_entry WHERE action = $1 ORDER BY id", action
        )
        return [(row["actor"], json.loads(row["said"])) for row in rows]

    return entries


@pytest.fixture
def two_people(exchange: Exchange) -> Any:
    """The exchange asks for two people's yes, as in production."""
    state = exchange.app.state
    before = state.settings
    state.settings = before.model_copy(update={"two_people": "on"})
    yield
    state.settings = before


def nobody(reference: str) -> Person:
    """Somebody who has proved nothing."""
    return at_the_machine(reference)

"""People with authenticators and browsers, people of each role who are signed in already, and the connection that administers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from auth.people.person import Role
from tests.conftest import Exchange
from tests.makers import admins
from tests.makers.people import Browser, new_browser, new_link


@pytest.fixture
async def conn(exchange: Exchange) -> AsyncIterator[asyncpg.Connection]:
    """The role that administers."""
    made = await asyncpg.connect(exchange.addresses.admin)
    yield made
    await made.close()


@pytest.fixture
async def browser_of(exchange: Exchange) -> AsyncIterator[Callable[[], Browser]]:
    """New browsers."""
    opened: list[Browser] = []

    def open() -> Browser:
        opened.append(new_browser(exchange.app, exchange.settings.admin_origin))
        return opened[-1]

    yield open
    for each in opened:
        await each.http.aclose()


@pytest.fixture
def link_of(exchange: Exchange, conn: asyncpg.Connection) -> Callable[..., Awaitable[str]]:
    """The token of a one-time link for somebody new."""

    async def make(reference: str, *roles: Role) -> str:
        return await new_link(conn, exchange.clock.now(), reference, *roles)

    return make


@pytest.fixture
def signed_in(
    link_of: Callable[..., Awaitable[str]], browser_of: Callable[[], Browser]
) -> Callable[..., Awaitable[Browser]]:
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


@contextmanager
def changed(exchange: Exchange, **update: Any) -> Iterator[None]:
    """For the block, the exchange has other settings."""
    state = exchange.app.state
    before = state.settings
    state.settings = before.model_copy(update=update)
    yield
    state.settings = before


@pytest.fixture
async def operator(exchange: Exchange) -> admins.Administrator:
    """Runs the exchange."""
    return await admins.signed_in(exchange, "op-ani", Role.operator)


@pytest.fixture
async def second(exchange: Exchange) -> admins.Administrator:
    """Runs the exchange too."""
    return await admins.signed_in(exchange, "op-budi", Role.operator)


@pytest.fixture
async def officer(exchange: Exchange) -> admins.Administrator:
    """A protection officer."""
    return await admins.signed_in(exchange, "po-citra", Role.protection_officer)


@pytest.fixture
async def second_officer(exchange: Exchange) -> admins.Administrator:
    """Another protection officer."""
    return await admins.signed_in(exchange, "po-dewi", Role.protection_officer)


@pytest.fixture
async def auditor(exchange: Exchange) -> admins.Administrator:
    """An auditor."""
    return await admins.signed_in(exchange, "au-eka", Role.auditor)


@pytest.fixture
def two_people(exchange: Exchange) -> Iterator[None]:
    """The exchange asks for two people's yes, as in production."""
    with changed(exchange, two_people="on"):
        yield


@pytest.fixture
def provider(exchange: Exchange) -> Iterator[None]:
    """People can sign in at an OpenID provider."""
    with changed(exchange, oidc_issuer="https://idp.example"):
        yield

"""People of each role, signed in; and the rule that two of them are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from auth.people.person import Role
from tests.conftest import Exchange
from tests.makers.admins import Administrator, signed_in


@pytest.fixture
async def operator(exchange: Exchange) -> Administrator:
    """Runs the exchange."""
    return await signed_in(exchange, "op-ani", Role.operator)


@pytest.fixture
async def second(exchange: Exchange) -> Administrator:
    """Runs the exchange too."""
    return await signed_in(exchange, "op-budi", Role.operator)


@pytest.fixture
async def officer(exchange: Exchange) -> Administrator:
    """A protection officer."""
    return await signed_in(exchange, "po-citra", Role.protection_officer)


@pytest.fixture
async def second_officer(exchange: Exchange) -> Administrator:
    """Another protection officer."""
    return await signed_in(exchange, "po-dewi", Role.protection_officer)


@pytest.fixture
async def auditor(exchange: Exchange) -> Administrator:
    """An auditor."""
    return await signed_in(exchange, "au-eka", Role.auditor)


@pytest.fixture
def two_people(exchange: Exchange) -> Iterator[None]:
    """What opens access takes two people's yes, as in production."""
    state: Any = exchange.app.state
    before = state.settings
    state.settings = before.model_copy(update={"two_people": "on"})
    yield
    state.settings = before

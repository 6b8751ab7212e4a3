"""Systems behind one address (one building, one carrier's NAT): a stranger there fails, and the client next to him goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from tests.auth.limits.conftest import Site
from tests.auth.limits.test_requests import NEVER_FILLS, statuses, stranger

Make = Callable[..., Awaitable[Site]]


class TestWhoClaimsToBeTheClientNextDoor:
    FEW: ClassVar[dict[str, Any]] = {"failures_per_minute": NEVER_FILLS, "failures_burst": 5, "address_rate": 0}

    async def test_does_not_stop_the_tokens_it_has(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        token = await party.token()
        assert (await party.call("/v1/me", token=token)).status_code == 200
        assert (await statuses(9, stranger(party).ask))[-1] == 429
        assert await statuses(3, lambda: party.call("/v1/me", token=token)) == [200] * 3

    async def test_with_a_stolen_token_is_slowed_and_stops_that_token_alone(self, site: Make) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        stolen, other = await party.token(), await party.token()
        thief = stranger(party)
        told = await statuses(9, lambda: thief.call("/v1/me", token=stolen))
        assert (told[0], told[-1]) == (401, 429)
        assert await statuses(3, lambda: party.call("/v1/me", token=other)) == [200] * 3
        assert (await party.ask()).status_code == 200

"""Anybody may send a body; reading one costs, so only those of callers whose token counts are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import httpx
import pytest

from app.foundation import http
from tests.auth.limits.conftest import Site
from tests.auth.limits.test_requests import NEVER_FILLS, stranger
from tests.makers.auth import Party

Make = Callable[..., Awaitable[Site]]
LARGE = b"[" + b",".join([b"{}"] * 300_000) + b"]"
"""900 kB that take a third of a second to parse, in which nobody else is served."""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each body that is parsed."""
    sizes: list[int] = []
    parse = http.parse_json

    def noting(body: bytes) -> Any:
        sizes.append(len(body))
        return parse(body)

    monkeypatch.setattr(http, "parse_json", noting)
    return sizes


async def send(party: Party, authorization: str | None) -> httpx.Response:
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    return await party.http.post("/v1/referrals", content=LARGE, headers=headers)


class TestABody:
    FEW: ClassVar[dict[str, Any]] = {"failures_per_minute": NEVER_FILLS, "failures_burst": 5, "address_rate": 0}

    async def test_without_a_token_that_counts_is_not_parsed(self, site: Make, read: list[int]) -> None:
        it = await site()
        party = await it.party()
        token = await party.token()
        for authorization, told in ((None, "unauthenticated"), ("Basic x", "invalid-token"), ("DPoP x.y.z", "invalid-token"),
                                    (f"DPoP {token[:-4]}AAAA", "invalid-token"), (f"Bearer {token}", "invalid-token")):  # fmt: skip
            reply = await send(party, authorization)
            assert (reply.status_code, reply.json()["type"]) == (401, f"/problems/{told}"), authorization
        await it.may_call_from(party, "192.0.2.0/24")
        assert (await send(party, f"DPoP {token}")).json()["reason"] == "network"
        assert read == []

    async def test_with_a_stolen_token_is_parsed_only_so_often(self, site: Make, read: list[int]) -> None:
        it = await site(**self.FEW)
        party = await it.party()
        token = await party.token()
        thief = stranger(party)
        told = [(await thief.call("/v1/referrals", method="POST", token=token, json={})).status_code for _ in range(12)]
        assert (told[0], told[-1]) == (401, 429)
        assert len(read) < 8

    async def test_of_a_client_over_its_limit_is_not_parsed(self, site: Make, read: list[int]) -> None:
        it = await site(client_rate=NEVER_FILLS, client_burst=3)
        party = await it.party()
        token = await party.token()
        while (await party.call("/v1/me", token=token)).status_code == 200:
            pass
        assert (await send(party, f"DPoP {token}")).status_code == 429
        assert read == []

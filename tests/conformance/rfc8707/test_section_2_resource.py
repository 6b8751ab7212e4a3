"""RFC 8707 §2: the resource a token is for is this exchange, or none."""

from __future__ import annotations

import pytest

from tests.makers.auth import unverified


@pytest.mark.parametrize("asked", [False, True])
async def test_the_audience_is_the_exchange_whether_asked_for_or_not(world, party, asked):
    token = await party.token(**({"resource": world.settings.public_url} if asked else {}))
    assert unverified(token)[1]["aud"] == world.settings.public_url


@pytest.mark.parametrize(
    "resource",
    [
        "https://other.example",
        "{}/",
        "{}/v1",
        "{}?x=y",
        "{}#x",
        "{}:443",
        "{}.evil.example",
        "http://rujukan.example",
        "HTTPS://RUJUKAN.EXAMPLE",
        "urn:rujukan",
        "{client}",
        "x",
    ],
)
async def test_any_other_is_invalid_target(world, party, resource):
    reply = await party.ask(resource=resource.format(world.settings.public_url, client=party.client_id))
    assert (reply.status_code, reply.json()) == (
        400,
        {"error": "invalid_target", "error_description": "The resource is not this exchange."},
    )

"""RFC 6749 §3.3: never more than registered, never silently less than asked for."""

from __future__ import annotations

import pytest

from tests.makers.auth import EVERY_SCOPE, unverified

UNKNOWN = {"error": "invalid_scope", "error_description": "The requested scope is invalid, unknown, or malformed."}
BEYOND = {"error": "invalid_scope", "error_description": "The client is not registered for every scope it asks for."}


async def test_none_asked_for_gives_the_registered_ones_and_says_so(world):
    party = await world.party(scopes=("referrals.write", "cases.read"))
    reply = await party.ask()
    assert reply.json()["scope"] == "cases.read referrals.write"
    assert unverified(reply.json()["access_token"])[1]["scope"] == "cases.read referrals.write"


async def test_fewer_can_be_asked_for(party):
    reply = await party.ask(scope="events.read cases.read events.read")
    assert reply.json()["scope"] == "cases.read events.read"


@pytest.mark.parametrize("scope", EVERY_SCOPE)
async def test_every_scope_can_be_had(party, scope):
    assert (await party.ask(scope=scope)).json()["scope"] == scope


@pytest.mark.parametrize(
    "scope",
    [
        " ",
        "   ",
        " cases.read",
        "cases.read ",
        "cases.read  cases.write",
        'cases."read',
        "cases.read\tx",
        "kasus.baca\u00e9",
    ],
)
async def test_what_the_grammar_does_not_allow_is_refused(party, scope):
    reply = await party.ask(scope=scope)
    assert (reply.status_code, reply.json()) == (400, UNKNOWN)


@pytest.mark.parametrize("scope", ["admin", "cases.read admin", "CASES.READ", "cases.*"])
async def test_an_unknown_scope_is_refused(party, scope):
    reply = await party.ask(scope=scope)
    assert (reply.status_code, reply.json()) == (400, UNKNOWN)


async def test_more_than_registered_is_refused_not_trimmed(world):
    party = await world.party(scopes=("cases.read",))
    reply = await party.ask(scope="cases.read cases.write")
    assert (reply.status_code, reply.json()) == (400, BEYOND)

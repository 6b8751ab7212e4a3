"""RFC 6749 §4.4, and this exchange's own parameter: the agency a token speaks for."""

from __future__ import annotations

import asyncpg

from auth.admin.agencies import resume_agency, suspend_agency
from tests.makers.auth import unverified

REQUIRED = {
    "error": "invalid_request",
    "error_description": "agency is required: the client acts for several agencies.",
}
FOREIGN = {
    "error": "invalid_target",
    "error_description": "The client does not act for this agency, or not yet, or the agency is suspended.",
}


async def test_a_client_of_one_agency_need_not_name_it(party):
    reply = await party.ask()
    assert reply.json()["agency"] == party.agencies[0]
    assert unverified(reply.json()["access_token"])[1]["agency"] == party.agencies[0]


async def test_a_client_of_one_agency_may_name_it(party):
    assert (await party.ask(agency=party.agencies[0])).status_code == 200


async def test_a_client_of_several_gets_the_one_it_names(world):
    party = await world.party(agencies=3)
    for code in party.agencies:
        token = await party.token(agency=code)
        assert (await party.call(token=token)).json()["agency"] == code


async def test_a_client_of_several_must_name_one_even_if_only_one_is_active(world):
    party = await world.party(agencies=2)
    await world.act(suspend_agency, party.agencies[0])
    reply = await party.ask()
    assert (reply.status_code, reply.json()) == (400, REQUIRED)


async def test_foreign_unknown_and_suspended_agencies_are_refused_alike(world, party):
    foreign = await world.agency()
    for code in (foreign, "no-such-agency", "\u0000", party.agencies[0].upper()):
        reply = await party.ask(agency=code)
        assert (reply.status_code, reply.json()) == (400, FOREIGN)
    await world.act(suspend_agency, party.agencies[0])
    for asked in ({"agency": party.agencies[0]}, {}):
        reply = await party.ask(**asked)
        assert (reply.status_code, reply.json()) == (400, FOREIGN)
    await world.act(resume_agency, party.agencies[0])
    assert (await party.ask()).status_code == 200


async def test_the_token_is_logged_with_its_agency_and_never_itself(world, party):
    token = await party.token(scope="cases.read")
    claims = unverified(token)[1]
    conn = await asyncpg.connect(world.addresses.owner)
    try:
        rows = await conn.fetch("SELECT *, detail::text AS said FROM log_entry WHERE client_id = $1", party.client_id)
    finally:
        await conn.close()
    (row,) = [row for row in rows if row["action"] == "token:issue"]
    assert row["outcome"] == "done"
    assert claims["jti"] in row["said"]
    assert all(part not in str(dict(row)) for part in token.split("."))


async def test_use_is_noted_once_an_hour(world, party):
    async def used():
        return await world.admin.fetchval("SELECT last_used_at FROM client WHERE client_id = $1", party.client_id)

    await party.token()
    first = await used()
    await party.token()
    assert await used() == first

"""FAPI 2.0 §5.3.4 at `/admin/v1`: a protected resource like any other, for clients that are registered for its scopes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.makers.auth import ABSENT
from tests.makers.standing import resume_client, suspend_client

READS, ASKS = "/admin/v1/clients", "/admin/v1/agencies"
CHANGES = f"{ASKS}/no-such-agency/suspend"
"""What a client may do, and that would do nothing."""


def said(reply) -> tuple[int, str]:
    return reply.status_code, reply.json()["type"].removeprefix("/problems/")


@pytest.fixture
async def operators(world):
    """A client of whoever runs the exchange."""
    return await world.party(scopes=("admin.read", "admin.write"))


async def test_it_is_let_in_with_the_scope_and_a_proof(operators):
    reply = await operators.call(READS)
    assert (reply.status_code, reply.headers["Cache-Control"]) == (200, "no-store")
    assert said(await operators.call(CHANGES, method="POST")) == (404, "admin-not-there")


async def test_without_a_token_or_a_session_nobody_is_signed_in(world):
    assert said(await world.http.get(READS)) == (401, "not-signed-in")
    assert said(await world.http.post(CHANGES)) == (401, "not-signed-in")


class TestScopes:
    @pytest.mark.parametrize("scope", ["admin.write", "cases.read", "events.read directory.read"])
    async def test_reading_takes_admin_read(self, world, scope):
        party = await world.party(scopes=("admin.write", "cases.read", "events.read", "directory.read"))
        reply = await party.call(READS, token=await party.token(scope=scope))
        assert said(reply) == (403, "insufficient-scope")
        assert reply.json()["scopes"] == ["admin.read"]
        assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]
        assert 'scope="admin.read"' in reply.headers["WWW-Authenticate"]

    async def test_changing_takes_admin_write(self, world):
        party = await world.party(scopes=("admin.read",))
        reply = await party.call(CHANGES, method="POST")
        assert (said(reply), reply.json()["scopes"]) == ((403, "insufficient-scope"), ["admin.write"])

    async def test_a_token_narrower_than_the_registration_is_narrow(self, operators):
        token = await operators.token(scope="admin.read")
        assert (await operators.call(READS, token=token)).status_code == 200
        assert said(await operators.call(CHANGES, method="POST", token=token)) == (403, "insufficient-scope")

    async def test_a_scope_that_was_taken_away_is_gone_from_the_tokens_there_are(self, world, operators):
        token = await operators.token()
        await world.admin.execute(
            "UPDATE client SET scopes = '{events.read}' WHERE client_id = $1", operators.client_id
        )
        await world.directory.refresh()
        assert said(await operators.call(READS, token=token)) == (403, "insufficient-scope")


class TestWhoIsOut:
    async def test_a_suspended_client_at_once(self, world, operators):
        token = await operators.token()
        assert (await operators.call(READS, token=token)).status_code == 200
        await world.act(suspend_client, operators.client_id)
        reply = await operators.call(READS, token=token)
        assert (said(reply), reply.json()["reason"]) == ((401, "invalid-token"), "client")
        await world.act(resume_client, operators.client_id)

    async def test_a_revoked_token(self, world, operators):
        token = await operators.token()
        await operators.revoke(token)
        await world.directory.refresh()
        reply = await operators.call(READS, token=token)
        assert (said(reply), reply.json()["reason"]) == ((401, "invalid-token"), "revoked")

    async def test_an_expired_token(self, world, operators):
        token = await operators.token()
        world.clock.shift(timedelta(seconds=301))
        assert (await operators.call(READS, token=token)).json()["reason"] == "expired"


class TestHowTheTokenComes:
    async def test_in_the_query_it_is_not_read(self, operators):
        token = await operators.token()
        reply = await operators.call(f"{READS}?access_token={token}", token=token, headers={"Authorization": ABSENT})
        assert said(reply) == (401, "not-signed-in")
        assert token not in reply.text

    async def test_in_the_query_beside_the_header_it_is_refused(self, operators):
        token = await operators.token()
        reply = await operators.call(f"{READS}?access_token={token}", token=token)
        assert (said(reply), reply.json()["errors"]) == ((422, "invalid-request"), [{"code": "unknown_parameter"}])
        assert token not in reply.text

    @pytest.mark.parametrize(("scheme", "reason"), [("Bearer", "wrong_scheme"), ("Basic", "wrong_scheme")])
    async def test_with_another_scheme_it_is_refused(self, operators, scheme, reason):
        token = await operators.token()
        reply = await operators.call(READS, token=token, headers={"Authorization": f"{scheme} {token}"})
        assert (said(reply), reply.json()["reason"]) == ((401, "invalid-token"), reason)

    async def test_without_a_proof_it_is_refused(self, operators):
        reply = await operators.call(READS, proof=ABSENT)
        assert (said(reply), reply.json()["reason"]) == ((401, "invalid-dpop-proof"), "missing")

    async def test_with_a_session_beside_it_the_token_counts(self, world):
        """Whoever sends both is not let in by the better of the two."""
        party = await world.party(scopes=("events.read",))
        reply = await party.call(READS, headers={"Cookie": "__Host-rujukan-session=x"})
        assert said(reply) == (403, "insufficient-scope")


class TestProofs:
    @pytest.mark.parametrize(("method", "path"), [("GET", READS), ("POST", CHANGES)])
    async def test_are_used_once(self, operators, method, path):
        token = await operators.token()
        proof = operators.proof(method, path, token)
        first = await operators.call(path, method=method, token=token, proof=proof)
        assert first.status_code in (200, 404)
        again = await operators.call(path, method=method, token=token, proof=proof)
        assert said(again) == (401, "dpop-proof-replayed")

    async def test_of_many_at_once_one_succeeds(self, operators):
        token = await operators.token()
        proof = operators.proof("GET", READS, token)
        replies = await asyncio.gather(*(operators.call(READS, token=token, proof=proof) for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [200, 401, 401, 401]

    async def test_used_at_the_exchange_are_used_here(self, world):
        """One memory: and a proof is for one address anyway."""
        party = await world.party(scopes=("admin.read", "cases.read"))
        token = await party.token()
        proof = party.proof("GET", "/v1/probe", token)
        assert (await party.call("/v1/probe", token=token, proof=proof)).status_code == 200
        assert (await party.call(READS, token=token, proof=proof)).json()["reason"] == "htu"

    async def test_are_for_the_address_as_it_is_seen_from_outside(self, operators):
        """The application is mounted: a proof for the path within it is for another address."""
        token = await operators.token()
        proof = operators.proof("GET", READS.removeprefix("/admin"), token)
        assert (await operators.call(READS, token=token, proof=proof)).json()["reason"] == "htu"


async def test_who_acts_is_an_opaque_reference(operators):
    for actor in ("x" * 65, "a b", ""):
        reply = await operators.call(READS, headers={"Rujukan-Actor": actor})
        assert (reply.status_code, reply.json()["errors"][0]["header"]) == (422, "Rujukan-Actor")

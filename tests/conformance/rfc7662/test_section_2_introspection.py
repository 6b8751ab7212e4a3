"""RFC 7662 §2 and §4: what a client is told of a token, and of which tokens it is told nothing."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest

from auth import jose
from auth.admin.agencies import resume_agency, suspend_agency
from auth.admin.client_changes import add_client_key
from auth.scopes import AGENCY_SCOPES
from tests.makers.auth import ABSENT, sign_raw, unverified
from tests.makers.standing import suspend_client

INACTIVE = (200, {"active": False})


async def outcome(party, token, **parameters):
    reply = await party.introspect(token, **parameters)
    return reply.status_code, reply.json()


async def test_section_2_2_an_active_token_says_all_it_stands_for(party):
    token = await party.token(scope="cases.read events.read")
    claims = unverified(token)[1]
    reply = await party.introspect(token)
    assert (reply.status_code, reply.headers["Content-Type"], reply.headers["Cache-Control"]) == (
        200,
        "application/json",
        "no-store",
    )
    assert reply.json() == {
        "active": True,
        "scope": "cases.read events.read",
        "client_id": party.client_id,
        "sub": party.client_id,
        "token_type": "DPoP",
        "iss": party.issuer,
        "aud": party.issuer,
        "exp": claims["exp"],
        "iat": claims["iat"],
        "jti": claims["jti"],
        "cnf": {"jkt": party.proof_key.public.thumbprint},
        "agency": party.agencies[0],
    }


async def test_section_2_2_a_scope_that_is_registered_no_more_is_left_out(world, party):
    token = await party.token(scope="cases.read events.read")
    await world.admin.execute("UPDATE client SET scopes = '{events.read}' WHERE client_id = $1", party.client_id)
    await world.directory.refresh()
    assert (await outcome(party, token))[1]["scope"] == "events.read"


@pytest.mark.parametrize("seen_before", [False, True])
async def test_section_4_another_clients_token_is_not_active(world, seen_before):
    party, other = await world.party(scopes=AGENCY_SCOPES), await world.party()
    token = await other.token()
    if seen_before:
        assert (await outcome(other, token))[1]["active"]
    assert await outcome(party, token) == INACTIVE
    assert (await outcome(other, token))[1]["active"], "and is none the worse for it"


class TestWithAnAdministrativeScope:
    """A client that is registered for `admin.read` may ask about anybody's token."""

    async def test_another_clients_token_is_told(self, world, party):
        operators = await world.party(scopes=("admin.read",))
        token = await party.token(scope="cases.read")
        said = await outcome(operators, token)
        assert said == await outcome(party, token), "the same as to whose it is"
        assert said[1]["client_id"] == party.client_id

    async def test_what_does_not_count_any_more_is_not_active(self, world, party):
        operators = await world.party(scopes=("admin.read",))
        token = await party.token()
        await world.act(suspend_client, party.client_id)
        assert await outcome(operators, token) == INACTIVE
        assert await outcome(operators, "x") == INACTIVE

    async def test_to_write_is_not_to_read(self, world, party):
        writer = await world.party(scopes=("admin.write",))
        assert await outcome(writer, await party.token()) == INACTIVE


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "..", "\u00e9", "\u0000", "a" * 9000, "a b", "null", "eyJhbGciOiJub25lIn0.e30."],
    ids=range(9),
)
async def test_section_2_2_what_is_no_token_is_not_active(party, token):
    assert await outcome(party, token) == INACTIVE


@pytest.mark.parametrize("what", ["assertion", "proof", "another signature", "another server", "a client's own"])
async def test_section_2_2_what_the_exchange_did_not_issue_is_not_active(world, party, what):
    token = await party.token()
    header, claims = unverified(token)
    signing = (await world.directory.current()).signing.active
    own = party.credentials.signing_key()
    made = {
        "assertion": party.assertion(),
        "proof": party.proof("POST", "/oauth2/introspect", token),
        "another signature": token.rpartition(".")[0] + "." + (await party.token()).rpartition(".")[2],
        "another server": sign_raw(header, {**claims, "iss": "https://evil.example"}, signing.key),
        "a client's own": sign_raw({**header, "kid": own.public.kid}, claims, own.key),
    }
    assert await outcome(party, made[what]) == INACTIVE


@pytest.mark.parametrize("seen_before", [False, True])
class TestNotActiveAnyMore:
    """§4: expired, revoked, or its client, key or agency are out."""

    async def token(self, party, seen_before):
        token = await party.token()
        if seen_before:
            assert (await outcome(party, token))[1]["active"]
        return token

    async def test_expired(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        world.clock.shift(timedelta(seconds=301))
        assert await outcome(party, token) == INACTIVE

    async def test_revoked(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await party.revoke(token)
        await world.directory.refresh()
        assert await outcome(party, token) == INACTIVE

    async def test_agency_suspended(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await world.act(suspend_agency, party.agencies[0])
        assert await outcome(party, token) == INACTIVE
        await world.act(resume_agency, party.agencies[0])
        assert await outcome(party, token) == INACTIVE, "what was given before the stop stays out"

    async def test_client_key_ended(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        new = jose.generate()
        await world.act(add_client_key, party.client_id, jwk=new.public_jwk(), overlap=timedelta())
        assert await outcome(party, token, client_assertion=party.assertion(key=new)) == INACTIVE

    async def test_signing_key_withdrawn(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await world.rotate(at_once=True)
        assert await outcome(party, token) == INACTIVE


async def test_section_2_1_a_suspended_client_is_told_nothing_at_all(world, party):
    token = await party.token()
    await world.act(suspend_client, party.client_id)
    assert (await outcome(party, token))[0] == 401


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "made_up", "", "x" * 500])
async def test_section_2_1_the_hint_plays_no_part(party, hint):
    assert (await outcome(party, await party.token(), token_type_hint=hint))[1]["active"]


async def test_a_token_signed_with_our_key_that_lacks_a_claim_is_not_active(world, party):
    header, claims = unverified(await party.token())
    signing = (await world.directory.current()).signing.active
    for name in claims:
        cut = {each: value for each, value in claims.items() if each != name} | {"jti2": secrets.token_hex(4)}
        status, body = await outcome(party, sign_raw(header, cut, signing.key))
        assert status == 200, name
        assert body["active"] in ({True, False} if name == "client_kid" else {False})


class TestBothEndpoints:
    """§2.1 and RFC 7009 §2.1: the client authenticates as at the token endpoint, by the same code."""

    PATHS = ("/oauth2/introspect", "/oauth2/revoke")

    @pytest.mark.parametrize("path", PATHS)
    async def test_token_is_required(self, party, path):
        for token in (ABSENT, ""):
            reply = await party.about(path, token)
            assert (reply.status_code, reply.json()) == (
                400,
                {"error": "invalid_request", "error_description": "token is required."},
            )

    @pytest.mark.parametrize("path", PATHS)
    async def test_without_authentication_nothing_is_said(self, party, path):
        token = await party.token()
        reply = await party.http.post(path, data={"token": token})
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
        reply = await party.http.post(path, data={"token": token}, headers={"Authorization": f"DPoP {token}"})
        assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, 'DPoP realm="oauth2"')
        assert (await outcome(party, token))[1]["active"]

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        "aud", ["https://rujukan.example{}", "https://rujukan.example/oauth2/token", ["https://rujukan.example"]]
    )
    async def test_the_audience_is_the_issuer_here_too(self, party, path, aud):
        aud = aud.format(path) if isinstance(aud, str) else aud
        reply = await party.about(path, await party.token(), client_assertion=party.assertion(aud=aud))
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")

    @pytest.mark.parametrize("first", ["/oauth2/token", *PATHS])
    @pytest.mark.parametrize("second", ["/oauth2/token", *PATHS])
    async def test_an_assertion_is_used_once_wherever_it_was_used(self, party, first, second):
        token, assertion = await party.token(), party.assertion()

        async def use(path):
            if path == "/oauth2/token":
                return await party.ask(client_assertion=assertion)
            return await party.about(path, token, client_assertion=assertion)

        assert (await use(first)).status_code == 200
        reply = await use(second)
        assert (reply.status_code, reply.json()) == (
            401,
            {"error": "invalid_client", "error_description": "The assertion was used before."},
        )

    @pytest.mark.parametrize("path", PATHS)
    async def test_an_assertion_for_somebody_elses_client_id_is_refused(self, world, party, path):
        other = await world.party()
        reply = await party.about(path, await party.token(), client_id=other.client_id)
        assert reply.status_code == 401

    @pytest.mark.parametrize("path", PATHS)
    async def test_they_take_forms_by_post_only(self, world, party, path):
        assert (await world.http.get(f"{path}?token=x")).status_code == 405
        assert (await world.http.post(f"{path}?token=x", data=party.form(token="x"))).status_code == 400
        reply = await world.http.post(path, json={"token": "x"})
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
        twice = await world.http.post(
            path, content="token=a&token=b", headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert twice.json()["error_description"] == "A parameter is repeated."

    @pytest.mark.parametrize("path", PATHS)
    async def test_nothing_sent_is_repeated(self, party, path):
        reply = await party.about(path, "n0thing-to-echo", token_type_hint="n0thing-either")
        assert "n0thing" not in reply.text + str(reply.headers)

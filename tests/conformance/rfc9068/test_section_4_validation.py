"""RFC 9068 §4: which tokens a protected resource takes, also when it has seen them before."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest

from auth import jose
from auth.admin.agencies import close_agency, resume_agency, suspend_agency
from auth.admin.client_changes import add_client_key
from auth.admin.client_keys import end_client_key
from tests.makers.auth import ABSENT, sign_raw, unverified, without_absent
from tests.makers.standing import resume_client, suspend_client


async def reason(party, token):
    reply = await party.call(token=token)
    assert reply.status_code == 401, reply.text
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    return reply.json()["reason"]


async def forged(world, party, header=None, key=None, **claims):
    """Sign a token with the exchange's own key, which only its own mistakes could."""
    right_header, right = unverified(await party.token())
    signing = (await world.directory.current()).signing.active
    merged = without_absent({**right, "jti": secrets.token_urlsafe(16), **claims})
    return sign_raw(without_absent({**right_header, **(header or {})}), merged, key or signing.key)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"typ": ABSENT}, "malformed"),
        ({"typ": "JWT"}, "malformed"),
        ({"typ": "dpop+jwt"}, "malformed"),
        ({"alg": "none"}, "malformed"),
        ({"alg": "HS256"}, "malformed"),
        ({"crit": ["exp"]}, "malformed"),
        ({"kid": ABSENT}, "signing_key"),
        ({"kid": "another"}, "signing_key"),
        ({"kid": 5}, "malformed"),
    ],
    ids=str,
)
async def test_headers(world, party, header, expected):
    assert await reason(party, await forged(world, party, header)) == expected


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": ABSENT}, "issuer"),
        ({"aud": "https://evil.example"}, "audience"),
        ({"aud": ABSENT}, "audience"),
        ({"aud": ["https://rujukan.example"]}, "audience"),
        ({"client_id": "client-nobody"}, "client"),
        ({"client_kid": "another"}, "client_key"),
        ({"agency": "no-such-agency"}, "agency"),
    ],
    ids=str,
)
async def test_claims(world, party, claims, expected):
    assert await reason(party, await forged(world, party, **claims)) == expected


async def test_the_right_claims_pass(world, party):
    assert (await party.call(token=await forged(world, party))).status_code == 200
    assert (await party.call(token=await forged(world, party, {"typ": "application/at+jwt"}))).status_code == 200


async def test_anothers_signature(world, party):
    assert await reason(party, await forged(world, party, key=jose.generate().key)) == "signature"
    head, body, signature = (await party.token()).split(".")
    assert await reason(party, f"{head}.{body}.{signature[:-6]}AAAAAA") == "signature"


async def test_a_client_cannot_sign_its_own(world, party):
    key = party.credentials.signing_key()
    assert await reason(party, await forged(world, party, {"kid": key.public.kid}, key=key.key)) == "signing_key"


async def test_an_assertion_or_a_proof_is_no_token(party):
    assert await reason(party, party.assertion()) == "malformed"
    assert await reason(party, party.proof("GET", "/v1/probe")) == "malformed"


@pytest.mark.parametrize("seen_before", [False, True])
async def test_it_expires(world, party, seen_before):
    token = await party.token()
    if seen_before:
        assert (await party.call(token=token)).status_code == 200
    world.clock.shift(timedelta(seconds=301))
    assert await reason(party, token) == "expired"


@pytest.mark.parametrize("seen_before", [False, True])
class TestWhoIsOut:
    """A suspended client, agency or key is out, and so is a revoked token; also where the token was verified before."""

    async def token(self, party, seen_before):
        token = await party.token()
        if seen_before:
            assert (await party.call(token=token)).status_code == 200
        return token

    async def test_client(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await world.act(suspend_client, party.client_id)
        assert await reason(party, token) == "client"
        await world.act(resume_client, party.client_id)
        assert await reason(party, token) == "client", "what was given before the stop stays out"
        world.clock.shift(timedelta(seconds=2))
        assert (await party.call(token=await self.token(party, seen_before))).status_code == 200

    async def test_agency(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await world.act(suspend_agency, party.agencies[0])
        assert await reason(party, token) == "agency"
        await world.act(resume_agency, party.agencies[0])
        assert await reason(party, token) == "agency", "what was given before the stop stays out"
        world.clock.shift(timedelta(seconds=2))
        assert (await party.call(token=await self.token(party, seen_before))).status_code == 200
        await world.act(close_agency, party.agencies[0])
        assert await reason(party, token) == "agency"

    async def test_agency_the_client_acts_for_no_more(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await world.admin.execute("DELETE FROM client_agency WHERE client_id = $1", party.client_id)
        await world.directory.refresh()
        assert await reason(party, token) == "agency"

    async def test_client_key(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await world.act(end_client_key, party.client_id, party.credentials.signing_key().public.kid)
        assert await reason(party, token) == "client_key"

    async def test_client_key_at_its_date(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        new = jose.generate()
        await world.act(add_client_key, party.client_id, jwk=new.public_jwk(), overlap=timedelta(seconds=60))
        assert (await party.call(token=token)).status_code == 200
        world.clock.shift(timedelta(seconds=61))
        assert await reason(party, token) == "client_key"

    async def test_token(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        now = world.clock.now()
        await world.admin.execute(
            "INSERT INTO revoked_token VALUES ($1, $2, $3)",
            unverified(token)[1]["jti"],
            now + timedelta(minutes=5),
            now,
        )
        await world.directory.refresh()
        assert await reason(party, token) == "revoked"
        assert (await party.call()).status_code == 200

    async def test_scope_that_is_registered_no_more(self, world, party, seen_before):
        token = await self.token(party, seen_before)
        await world.admin.execute("UPDATE client SET scopes = '{events.read}' WHERE client_id = $1", party.client_id)
        await world.directory.refresh()
        reply = await party.call(token=token)
        assert (reply.status_code, reply.json()["scopes"]) == (403, ["cases.read"])


class TestSigningKeys:
    async def test_rotation_keeps_what_was_signed(self, world, party):
        old = await party.token()
        before = {key["kid"] for key in (await world.http.get("/oauth2/jwks")).json()["keys"]}
        world.clock.shift(timedelta(minutes=20))
        kid = await world.rotate()
        assert kid in before  # it was published before it signs
        world.clock.shift(-timedelta(minutes=20))
        assert (await party.call(token=old)).status_code == 200
        new = await party.token()
        assert unverified(new)[0]["kid"] == kid != unverified(old)[0]["kid"]
        assert (await party.call(token=new)).status_code == 200

    async def test_rotation_at_once_ends_what_was_signed(self, world, party):
        token = await party.token()
        assert (await party.call(token=token)).status_code == 200
        await world.rotate(at_once=True)
        assert await reason(party, token) == "signing_key"
        assert (await party.call()).status_code == 200

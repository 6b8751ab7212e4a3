"""RFC 9068 §2: what an access token says, and nothing beyond it."""

from __future__ import annotations

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.makers.auth import unverified


async def test_the_header(world, party):
    header, _ = unverified(await party.token())
    jwks = (await world.http.get("/oauth2/jwks")).json()
    assert set(header) == {"alg", "typ", "kid"}
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert header["kid"] in {key["kid"] for key in jwks["keys"]}


async def test_the_claims(world, party):
    _, claims = unverified(await party.token(scope="cases.read events.read"))
    jti = claims.pop("jti")
    issued, expires = claims.pop("iat"), claims.pop("exp")
    assert claims == {
        "iss": world.settings.public_url,
        "aud": world.settings.public_url,
        "sub": party.client_id,
        "client_id": party.client_id,
        "client_kid": party.credentials.signing_key().public.kid,
        "agency": party.agencies[0],
        "scope": "cases.read events.read",
        "cnf": {"jkt": party.proof_key.public.thumbprint},
    }
    assert expires - issued == 300
    assert abs(issued - party.now) <= 1
    assert len(jti) >= 22  # 128 bits


async def test_each_has_an_identifier_of_its_own(party):
    assert len({unverified(await party.token())[1]["jti"] for _ in range(5)}) == 5


async def test_anybody_can_verify_it_with_the_published_keys(world, party):
    keys = KeySet.import_key_set((await world.http.get("/oauth2/jwks")).json())
    token = jwt.decode(await party.token(), keys, algorithms=["ES256"])
    assert token.claims["client_id"] == party.client_id

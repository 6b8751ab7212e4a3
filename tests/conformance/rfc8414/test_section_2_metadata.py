"""RFC 8414 §2 and §3: the metadata is complete and true: what it lists works, what it does not list does not."""

from __future__ import annotations

import pytest

from auth import jose
from auth.jose import ALGORITHMS
from auth.scopes import Scope

PATH = "/.well-known/oauth-authorization-server"


@pytest.fixture
async def metadata(world):
    reply = await world.http.get(PATH)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/json")
    return reply.json()


def test_it_has_exactly_these_members(metadata):
    issuer = "https://rujukan.example"
    scopes = metadata.pop("scopes_supported")
    assert metadata == {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth2/token",
        "jwks_uri": f"{issuer}/oauth2/jwks",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256", "EdDSA", "Ed25519"],
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256", "EdDSA", "Ed25519"],
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256", "EdDSA", "Ed25519"],
        "registration_endpoint": f"{issuer}/oauth2/register",
        "dpop_signing_alg_values_supported": ["ES256", "PS256", "EdDSA", "Ed25519"],
        "protected_resources": [issuer],
    }
    assert len(scopes) == len(Scope)


async def test_the_issuer_is_the_one_of_tokens(metadata, party):
    claims = jose.parse(await party.token(), {"at+jwt"}).claims
    assert claims["iss"] == metadata["issuer"]


async def test_every_listed_scope_and_grant_works(metadata, party):
    for scope in metadata["scopes_supported"]:
        assert (await party.ask(scope=scope)).status_code == 200
    for grant in metadata["grant_types_supported"]:
        assert (await party.ask(grant_type=grant)).status_code == 200


async def test_every_listed_endpoint_takes_the_listed_way_to_authenticate(metadata, party):
    token = await party.token()
    for name in ("introspection", "revocation"):
        assert metadata[f"{name}_endpoint_auth_methods_supported"] == ["private_key_jwt"]
        path = metadata[f"{name}_endpoint"].removeprefix(metadata["issuer"])
        assert (await party.about(path, token)).status_code == 200


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_listed_algorithm_works(metadata, world, algorithm):
    for endpoint in ("token", "introspection", "revocation"):
        assert algorithm in metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
    assert algorithm in metadata["dpop_signing_alg_values_supported"]
    party = await world.party(algorithm=algorithm)
    party.proof_key = jose.generate(algorithm)
    assert (await party.call()).status_code == 200


async def test_the_jwks_is_there_and_holds_no_private_key(metadata, world):
    reply = await world.http.get(metadata["jwks_uri"])
    assert reply.headers["Content-Type"] == "application/jwk-set+json"
    keys = reply.json()["keys"]
    assert len(keys) >= 2  # the next one is published before it signs
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


@pytest.mark.parametrize("path", [PATH, "/oauth2/jwks", "/.well-known/oauth-protected-resource"])
async def test_it_may_be_kept_for_five_minutes_and_asked_for_by_its_tag(world, path):
    first = await world.http.get(path)
    assert first.headers["Cache-Control"] == "public, max-age=300"
    for tag in (first.headers["ETag"], f"W/{first.headers['ETag']}", f'"x", {first.headers["ETag"]}', "*"):
        again = await world.http.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert (await world.http.get(path, headers={"If-None-Match": '"x"'})).status_code == 200


async def test_a_callers_host_header_plays_no_part(world, metadata):
    reply = await world.http.get(PATH, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert reply.json()["issuer"] == metadata["issuer"]

"""RFC 9728 §2, §3 and §5: what the protected resource says of itself, and where a refused caller is told to look."""

from __future__ import annotations

from auth.scopes import Scope

PATH = "/.well-known/oauth-protected-resource"


async def test_it_has_exactly_these_members(world):
    reply = await world.http.get(PATH)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/json")
    metadata = reply.json()
    assert len(metadata.pop("scopes_supported")) == len(Scope)
    assert metadata == {
        "resource": "https://rujukan.example",
        "authorization_servers": ["https://rujukan.example"],
        "bearer_methods_supported": [],
        "dpop_signing_alg_values_supported": ["ES256", "PS256", "EdDSA", "Ed25519"],
        "dpop_bound_access_tokens_required": True,
        "resource_name": "Rujukan",
    }


async def test_a_refused_caller_finds_its_way_to_a_token(world, party):
    challenge = (await world.http.get("/v1/probe")).headers["WWW-Authenticate"]
    address = challenge.partition('resource_metadata="')[2].partition('"')[0]
    resource = (await world.http.get(address)).json()
    assert address == f"{resource['resource']}{PATH}"
    (issuer,) = resource["authorization_servers"]
    server = (await world.http.get(f"{issuer}/.well-known/oauth-authorization-server")).json()
    assert server["issuer"] == issuer
    assert resource["resource"] in server["protected_resources"]
    reply = await world.http.post(
        server["token_endpoint"], data=party.form(), headers={"DPoP": party.proof("POST", "/oauth2/token")}
    )
    assert reply.status_code == 200

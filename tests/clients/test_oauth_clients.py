"""oauth4webapi and openid-client go the whole way by what the metadata says: no step is made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import Run
from tests.makers import auth as make
from tests.makers.tls import Site

SCRIPTS = ("oauth4webapi.mjs", "openid-client.mjs")
ALGORITHMS = ("ES256", "PS256", "Ed25519")
SCOPES = {"cases.read", "referrals.read"}


@pytest.fixture(params=["off", "on"])
def nonces(request: pytest.FixtureRequest) -> str:
    """Whether proofs must carry a nonce of the exchange."""
    return str(request.param)


@pytest.fixture
def site(exchange: Any, _sites: dict[str, Site], nonces: str) -> Site:
    """The exchange on its own TLS, without and with nonces."""
    return _sites[nonces]


async def client_of(site: Site, algorithm: str = "ES256") -> dict[str, Any]:
    """Register a client, and return what its script is asked with."""
    credentials = await make.add_client(
        site.conn, site.clock.now(), site.url, agencies=[await site.agency()], algorithm=algorithm
    )
    await site.refresh()
    return {"issuer": site.url, "client_id": credentials.client_id, "jwk": dict(credentials.private_jwk or {})}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_goes_from_discovery_to_a_call_and_a_revocation(
    script: str, algorithm: str, site: Site, nonces: str, run: Run
) -> None:
    client = await client_of(site, algorithm)
    told = await run(script, scenario="the whole way", **client)
    assert (told["got"]["token_type"], set(told["got"]["scope"].split())) == ("dpop", SCOPES)
    assert told["me"]["client_id"] == client["client_id"]
    assert (told["active"]["active"], told["active"]["client_id"]) == (True, client["client_id"])
    assert told["inactive"] == {"active": False}
    assert told["refused"] == "invalid_token"
    first = [status for path, status in told["requests"] if path == "/oauth2/token"]
    assert first == ([400, 200] if nonces == "on" else [200])  # the challenge was met, and no more often than once


@pytest.mark.parametrize("script", SCRIPTS)
async def test_is_told_what_is_wrong(script: str, site: Site, run: Run) -> None:
    told = await run(script, scenario="wrong things", **await client_of(site))
    status, challenge = told.pop("replayed")
    assert (status, 'error="invalid_dpop_proof"' in challenge) == (401, True), challenge
    told.pop("requests")
    assert told == {
        "with a key that is not registered": "invalid_client",
        "with a proof by another key": "invalid_dpop_proof",
        "to a scope that is not registered": "invalid_scope",
    }


async def test_is_told_by_the_resource_where_to_ask(site: Site, run: Run) -> None:
    told = await run("oauth4webapi.mjs", scenario="the resource says where to ask", **await client_of(site))
    assert (told["resource"]["resource"], told["resource"]["authorization_servers"]) == (site.url, [site.url])


async def test_the_tokens_are_such_as_another_service_can_check(site: Site, run: Run) -> None:
    client = await client_of(site)
    told = await run("oauth4webapi.mjs", scenario="a service checks a token", **client)
    assert (told["claims"]["aud"], told["claims"]["client_id"]) == (site.url, client["client_id"])

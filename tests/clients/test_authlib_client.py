"""Authlib's own client, which knows `private_key_jwt` but no DPoP: its tokens are bound to the TLS certificate it presents."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from auth.people.oidc import AsyncOAuth2Client, OAuthError
from tests.makers.certificates import Issued, san
from tests.makers.tls import Site

KEYS: dict[str, Callable[[], Key]] = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "PS256": lambda: RSAKey.generate_key(2048),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}


class ForAMinute(PrivateKeyJWT):
    """As it is, it asserts for an hour, which is too long, and uses a `jti` again as soon as it is given claims of its own."""

    def sign(self, auth: Any, token_endpoint: str) -> Any:
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, token_endpoint)


async def client_of(
    site: Site,
    certificate: Issued,
    algorithm: str = "ES256",
    method: type[PrivateKeyJWT] = ForAMinute,
    **assertion: Any,
) -> Any:
    """Register a client whose tokens are bound to its certificate, and return it as Authlib has it."""
    key = KEYS[algorithm]()
    jwks = {"keys": [{**key.as_dict(private=False), "kid": "2026"}]}
    client_id = await site.register(jwks=jwks, certificate_bound=True)
    client = AsyncOAuth2Client(
        client_id,
        key,
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",
        grant_type="client_credentials",
        token_endpoint=f"{site.url}/oauth2/token",
        verify=site.context(certificate),
    )
    audience = assertion.pop("audience", site.url)
    client.register_client_auth_method(method(audience, headers={"kid": "2026"}, alg=algorithm, **assertion))
    return client


@pytest.fixture
def certificate(site: Site) -> Issued:
    """One that an authority of the exchange has issued."""
    return site.ca.issue(names=san("rptc.example.go.id"))


@pytest.mark.parametrize("algorithm", KEYS)
async def test_goes_from_a_token_to_a_call_and_a_revocation(site: Site, certificate: Issued, algorithm: str) -> None:
    async with await client_of(site, certificate, algorithm) as client:
        token = await client.fetch_token(scope="cases.read")
        assert (token["token_type"], token["scope"]) == ("Bearer", "cases.read")
        assert (await client.get(f"{site.url}/v1/me")).json()["client_id"] == client.client_id
        told = await client.introspect_token(f"{site.url}/oauth2/introspect", token["access_token"])
        assert (told.json()["active"], "x5t#S256" in told.json()["cnf"]) == (True, True)
        revoked = await client.revoke_token(f"{site.url}/oauth2/revoke", token["access_token"])
        assert revoked.status_code == 200
        await site.refresh()
        refused = await client.get(f"{site.url}/v1/me")
        assert (refused.status_code, 'error="invalid_token"' in refused.headers["WWW-Authenticate"]) == (401, True)


async def test_has_a_token_that_is_of_no_use_with_another_certificate(site: Site, certificate: Issued) -> None:
    async with await client_of(site, certificate) as client:
        token = await client.fetch_token()
    async with await client_of(site, site.ca.issue(names=san("thief.example"))) as thief:
        thief.token = token
        assert (await thief.get(f"{site.url}/v1/me")).status_code == 401


async def test_is_refused_without_a_certificate_to_bind_to(site: Site, certificate: Issued) -> None:
    async with await client_of(site, certificate) as client:
        bare = AsyncOAuth2Client(client.client_id, client.client_secret, verify=site.context())
        bare.register_client_auth_method(ForAMinute(site.url, headers={"kid": "2026"}, alg="ES256"))
        bare.token_endpoint_auth_method = "private_key_jwt"
        async with bare:
            with pytest.raises(OAuthError):
                await bare.fetch_token(f"{site.url}/oauth2/token", grant_type="client_credentials")


async def test_is_refused_as_it_comes(site: Site, certificate: Issued) -> None:
    """Its defaults: an assertion for the token endpoint instead of the issuer, and for an hour."""
    for wrong in ({"audience": None}, {}):
        async with await client_of(site, certificate, method=PrivateKeyJWT, **wrong) as client:
            with pytest.raises(OAuthError, match="invalid_client"):
                await client.fetch_token()


async def test_is_refused_when_it_asserts_the_same_twice(site: Site, certificate: Issued) -> None:
    claims = {"exp": int(time.time()) + 60}
    async with await client_of(site, certificate, method=PrivateKeyJWT, claims=claims) as client:
        await client.fetch_token()
        with pytest.raises(OAuthError, match="invalid_client"):
            await client.fetch_token()

"""Authlib's own client. It knows `private_key_jwt`, and no DPoP: its tokens are bound to a TLS certificate instead, or a hook proves its requests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from auth.people.oidc import AsyncOAuth2Client
from tests.makers.certificates import Issued
from tests.makers.tls import Site

KEYS: dict[str, Callable[[], Key]] = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "PS256": lambda: RSAKey.generate_key(2048),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}
NAME = "rptc.example.go.id"


def public(key: Key) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), "kid": "2026"}]}


@asynccontextmanager
async def authlib(
    site: Site, client_id: str, key: Key, algorithm: str, certificate: Issued | None = None, **options: Any
) -> AsyncIterator[Any]:
    """Authlib's client, which signs assertions for the issuer: without `token_endpoint` it would name the endpoint's URL."""
    context = site.http(certificate)._transport._pool._ssl_context  # type: ignore[attr-defined]
    async with AsyncOAuth2Client(
        client_id,
        key,
        token_endpoint_auth_method="private_key_jwt",
        grant_type="client_credentials",
        token_endpoint=f"{site.url}/oauth2/token",
        verify=context,
        **options,
    ) as client:
        method = PrivateKeyJWT(site.url, claims={"exp": int(time.time()) + 60}, headers={"kid": "2026"}, alg=algorithm)
        client.register_client_auth_method(method)
        yield client

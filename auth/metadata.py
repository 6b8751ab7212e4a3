"""What the exchange says of itself (RFC 8414, RFC 9728), made from the values the code enforces."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.foundation.published import cacheable
from app.foundation.settings import Settings
from auth.client_auth import mtls
from auth.grants.client_credentials import ClientCredentials
from auth.introspection import Introspection
from auth.jose import ALGORITHMS
from auth.revocation import Revocation
from auth.scopes import Scope
from auth.server import INTROSPECTION_PATH, REGISTRATION_PATH, REVOCATION_PATH, TOKEN_PATH

router = APIRouter(include_in_schema=False)
JWKS_PATH: Final = "/oauth2/jwks"


def authorization_server(settings: Settings) -> dict[str, Any]:
    """Return the authorization server's metadata (RFC 8414 §2)."""
    return _with_mutual_tls(settings, _without_mutual_tls(settings))


def _with_mutual_tls(settings: Settings, metadata: dict[str, Any]) -> dict[str, Any]:
    """Add what RFC 8705 §2.1.1, §3.3 and §5 have, for every endpoint a client authenticates at, if mutual TLS is switched on."""
    if not (methods := mtls.methods(settings)) and not settings.takes_client_certificates:
        return metadata
    base = settings.mtls_url or settings.public_url
    endpoints = [name for name in metadata if f"{name}_auth_methods_supported" in metadata]
    return {
        **metadata,
        **{name: [*metadata[name], *methods] for name in metadata if name.endswith("_endpoint_auth_methods_supported")},
        "tls_client_certificate_bound_access_tokens": True,
        "mtls_endpoint_aliases": {name: base + metadata[name].removeprefix(settings.public_url) for name in endpoints},
    }


def _without_mutual_tls(settings: Settings) -> dict[str, Any]:
    return {
        "issuer": settings.public_url,
        "token_endpoint": settings.public_url + TOKEN_PATH,
        "jwks_uri": settings.public_url + JWKS_PATH,
        "scopes_supported": [str(scope) for scope in Scope],
        "response_types_supported": [],  # required by §2; there is no authorization endpoint
        "grant_types_supported": [ClientCredentials.GRANT_TYPE],
        "token_endpoint_auth_methods_supported": list(ClientCredentials.TOKEN_ENDPOINT_AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint": settings.public_url + INTROSPECTION_PATH,
        "introspection_endpoint_auth_methods_supported": list(Introspection.CLIENT_AUTH_METHODS),
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint": settings.public_url + REVOCATION_PATH,
        "revocation_endpoint_auth_methods_supported": list(Revocation.CLIENT_AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        # RFC 7591 §3
        **({"registration_endpoint": settings.public_url + REGISTRATION_PATH} if settings.registration == "on" else {}),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),  # RFC 9449 §5.1
        "protected_resources": [settings.public_url],  # RFC 9728 §4
    }


def protected_resource(settings: Settings) -> dict[str, Any]:
    """Return the protected resource's metadata (RFC 9728 §2)."""
    certificates = settings.takes_client_certificates
    return {
        "resource": settings.public_url,
        "authorization_servers": [settings.public_url],
        "scopes_supported": [str(scope) for scope in Scope],
        # §2: an empty array says that bearer tokens are not taken; those bound to a certificate look like some
        "bearer_methods_supported": ["header"] if certificates else [],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": not certificates,
        **({"tls_client_certificate_bound_access_tokens": True} if certificates else {}),
        "resource_name": "Rujukan",
    }


@router.get("/.well-known/oauth-authorization-server")
async def authorization_server_metadata(request: Request) -> Response:
    """Publish the authorization server's metadata (RFC 8414 §3)."""
    return cacheable(request, authorization_server(request.app.state.settings))


@router.get("/.well-known/oauth-protected-resource")
async def protected_resource_metadata(request: Request) -> Response:
    """Publish the protected resource's metadata (RFC 9728 §3)."""
    return cacheable(request, protected_resource(request.app.state.settings))

"""Token introspection (RFC 7662): what a client's own access token still stands for; anybody's, for a client with `admin.read`."""

from __future__ import annotations

from typing import Any, ClassVar

from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from auth import jose
from auth.grants.client_credentials import ClientCredentials
from auth.guard import VerifiedTokens
from auth.own_token import KnownToken, token_of
from auth.scopes import Scope, scope_text
from auth.server import OAuthClient, TokenRequest


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """Authlib's endpoint. Its variant for JWTs leaves out `cnf` and `jti`, says `Bearer` and never asks what was revoked."""

    CLIENT_AUTH_METHODS: ClassVar[list[str]] = ClientCredentials.TOKEN_ENDPOINT_AUTH_METHODS

    def __init__(self, verified: VerifiedTokens) -> None:
        super().__init__()
        self.verified = verified

    def authenticate_token(self, request: TokenRequest, client: OAuthClient) -> KnownToken | None:
        """Return the token if it is active: not expired, not revoked, and client, key and agency in good standing."""
        token = token_of(self.server, self.verified, request, client, anybodys=Scope.admin_read)
        return token if token is not None and token.stands else None

    def create_introspection_payload(self, token: KnownToken | None) -> dict[str, Any]:
        """Return the answer of §2.2; of whatever is no active token the client may ask about, nothing but that it is not active."""
        if token is None:
            return {"active": False}
        claims = jose.parse(token.value, {"at+jwt"}).claims
        entry = self.server.snapshot.clients[token.access.client_id]
        same = ("client_id", "sub", "iss", "aud", "exp", "iat", "jti", "cnf", "agency")
        return {
            "active": True,
            "scope": scope_text(token.access.scopes & entry.scopes_now),  # what it may do now
            "token_type": "DPoP" if "jkt" in claims["cnf"] else "Bearer",
            **{name: claims[name] for name in same},
        }

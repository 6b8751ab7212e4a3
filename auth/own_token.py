"""The parameter `token` of introspection and revocation (RFC 7662 §2.1, RFC 7009 §2.1): which token of the client's own it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from authlib.oauth2.rfc6749.errors import InvalidRequestError

from auth.guard import AccessToken, VerifiedTokens, look_at
from auth.problems import InvalidToken
from auth.server import OAuthClient, Server, TokenRequest


@dataclass(frozen=True, slots=True)
class OwnToken:
    """An access token of the client that asks; it verifies and has not expired."""

    access: AccessToken
    stands: bool
    """Whether it is not revoked, and its client, key and agency are in good standing."""
    value: str = field(repr=False)


def token_of(server: Server, verified: VerifiedTokens, request: TokenRequest, client: OAuthClient) -> OwnToken | None:
    """Return the client's own token that the request names; None for anything else. `token_type_hint` plays no part (RFC 7009 §2.2)."""
    value = request.form.get("token")
    if value is None:
        raise InvalidRequestError(description="token is required.")
    try:
        access, stands = look_at(value, verified, server.snapshot, issuer=server.settings.public_url, now=server.now)
    except InvalidToken:
        return None
    return OwnToken(access, stands, value) if access.client_id == client.get_client_id() else None

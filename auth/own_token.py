"""The parameter `token` of introspection and revocation (RFC 7662 §2.1, RFC 7009 §2.1): which token it is, and whether this client may ask."""

from __future__ import annotations

from dataclasses import dataclass, field

from authlib.oauth2.rfc6749.errors import InvalidRequestError

from auth.guard import AccessToken, VerifiedTokens, look_at
from auth.problems import InvalidToken
from auth.scopes import Scope
from auth.server import OAuthClient, Server, TokenRequest


@dataclass(frozen=True, slots=True)
class KnownToken:
    """An access token that the client may ask about; it verifies and has not expired."""

    access: AccessToken
    stands: bool
    """Whether it is not revoked, and its client, key and agency are in good standing."""
    own: bool
    """Whether it is the client's own; else it may ask as an administrator's."""
    value: str = field(repr=False)


def token_of(
    server: Server, verified: VerifiedTokens, request: TokenRequest, client: OAuthClient, *, anybodys: Scope
) -> KnownToken | None:
    """Return the token that the request names: the client's own, or anybody's if it is registered for the scope `anybodys` now.

    None for anything else. `token_type_hint` plays no part (RFC 7009 §2.2).
    """
    value = request.form.get("token")
    if value is None:
        raise InvalidRequestError(description="token is required.")
    try:
        access, stands = look_at(value, verified, server.snapshot, issuer=server.settings.public_url, now=server.now)
    except InvalidToken:
        return None
    own = access.client_id == client.get_client_id()
    return KnownToken(access, stands, own, value) if own or anybodys in client.entry.scopes_now else None

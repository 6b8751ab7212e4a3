"""Token revocation (RFC 7009): a client ends an access token before its time, everywhere within a second: its own; anybody's with `admin.write`."""

from __future__ import annotations

from typing import ClassVar

from authlib.oauth2.rfc7009 import RevocationEndpoint

from auth.grants.client_credentials import ClientCredentials
from auth.guard import VerifiedTokens
from auth.own_token import KnownToken, token_of
from auth.scopes import Scope
from auth.server import OAuthClient, TokenRequest


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Authlib's endpoint. Its variant for JWTs refuses to revoke them."""

    CLIENT_AUTH_METHODS: ClassVar[list[str]] = ClientCredentials.TOKEN_ENDPOINT_AUTH_METHODS

    def __init__(self, verified: VerifiedTokens) -> None:
        super().__init__()
        self.verified = verified
        self.revoked: KnownToken | None = None

    def authenticate_token(self, request: TokenRequest, client: OAuthClient) -> KnownToken | None:
        """Return the token, also while its client, key or agency is suspended: that may end before the token does.

        Anything else is as good as revoked (§2.2). That goes for a foreign token too: to say that it is one would tell that it counts.
        """
        return token_of(self.server, self.verified, request, client, anybodys=Scope.admin_write)

    def revoke_token(self, token: KnownToken, request: TokenRequest) -> None:
        """Leave to the HTTP endpoint what is to be stored."""
        self.revoked = token

"""Client authentication by `private_key_jwt` (RFC 7523 §2.2 and §3, FAPI 2.0 Security Profile §5.3.2.1).

What can be said without knowing the client is checked first, and told; from there on every refusal is the same, and takes
as long: an unknown client's assertion is verified too, with a key nobody has.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from authlib.oauth2.rfc7523.client import JWTBearerClientAssertion

from auth import jose
from auth.errors import ClientRefusedError
from auth.jose import JoseRefusedError, Unverified, VerificationKey

LONGEST: Final = timedelta(minutes=5)
LEEWAY: Final = timedelta(seconds=10)
TYPES: Final = frozenset({None, "jwt", "client-authentication+jwt"})
_MAX_JTI = 256


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that holds, unless it was used before."""

    kid: str
    hash: bytes = field(repr=False)
    until: datetime


class PrivateKeyJwt(JWTBearerClientAssertion):  # type: ignore[misc]
    """Authlib's method, narrowed: issuer-only audience, short life, listed algorithms, one answer for all refusals."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, *, issuer: str, now: datetime) -> None:
        super().__init__(validate_jti=False)  # that it is used once, is the database's to say
        self.issuer = issuer
        self.now = now

    def __call__(self, query_client: Any, request: Any) -> Any:
        """Return the client the assertion proves, and leave the assertion at `request.credential`. Raises `ClientRefusedError`."""
        form = request.form
        if form.get("client_assertion_type") != self.CLIENT_ASSERTION_TYPE or not form.get("client_assertion"):
            raise ClientRefusedError("The client must authenticate by private_key_jwt.")
        token: Unverified | None = request.client_assertion
        try:
            if token is None:
                raise JoseRefusedError
            client_id, until = self._check_claims(token.claims)
        except JoseRefusedError:
            raise ClientRefusedError("The assertion is not a JWT this server takes.") from None
        if form.get("client_id", client_id) != client_id:
            raise ClientRefusedError("client_id is not the subject of the assertion.")  # RFC 7521 §4.2
        client = query_client(client_id)
        key = jose.select(client.entry.keys_at(self.now), token) if client is not None else None
        genuine = token.is_signed_by(key or _decoy(token))
        if client is None or key is None or not genuine or not client.entry.may_sign_in(self.now):
            raise ClientRefusedError
        used = hashlib.sha256(f"{client_id}\0{token.claims['jti']}".encode("utf-8", "surrogatepass")).digest()
        request.credential = Assertion(kid=key.kid or key.thumbprint, hash=used, until=until)
        return client

    def _check_claims(self, claims: dict[str, Any]) -> tuple[str, datetime]:
        subject, jti = claims.get("sub"), claims.get("jti")
        if not isinstance(subject, str) or not subject or claims.get("iss") != subject:
            raise ClientRefusedError("iss and sub must both be the client_id.")
        if claims.get("aud") != self.issuer:
            # arrays and the token endpoint's URL open the audience injection of CVE-2025-27370 and CVE-2025-27371
            raise ClientRefusedError("aud must be the issuer identifier of this server, as a single string.")
        if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
            raise ClientRefusedError("The assertion needs a jti of at most 256 characters.")
        expires, issued, not_before = (jose.numeric_date(claims, name) for name in ("exp", "iat", "nbf"))
        present, leeway = self.now.timestamp(), LEEWAY.total_seconds()
        if expires is None or not present - leeway < expires <= present + LONGEST.total_seconds() + leeway:
            raise ClientRefusedError("exp is required, and must lie at most 5 minutes ahead.")
        if any(time is not None and time > present + leeway for time in (issued, not_before)):
            raise ClientRefusedError("The assertion is not valid yet.")
        if issued is not None and issued < present - LONGEST.total_seconds() - leeway:
            raise ClientRefusedError("The assertion was issued more than 5 minutes ago.")
        return subject, datetime.fromtimestamp(expires, UTC) + 2 * LEEWAY


@cache
def _decoy_for(algorithm: str) -> VerificationKey:
    return jose.generate(algorithm).public


def _decoy(token: Unverified) -> VerificationKey:
    """Return a key of the type the assertion claims, so that refusing takes as long as accepting."""
    return _decoy_for(token.algorithm)

"""The two opaque bearer tokens of registration: random, shown once, kept as hashes; their beginnings say what they are to scanners for secrets."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Final

from authlib.oauth2.rfc6749.errors import OAuth2Error

INITIAL: Final = "rujukan_iat_"
"""Initial access token (RFC 7591 §3): an agency's invitation to register a system."""
MANAGEMENT: Final = "rujukan_rat_"
"""Registration access token (RFC 7592 §3): by which a registered system manages its registration."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]{1,256}=*")  # RFC 6750 §2.1


class RegistrationTokenError(OAuth2Error):  # type: ignore[misc]
    """`invalid_token` (RFC 6750 §3.1): the same whether the token, its client or neither exists, or it is used up."""

    error = "invalid_token"
    status_code = 401
    description = "A valid initial access token or registration access token is required."

    def __init__(self, *, sent: bool = True) -> None:
        super().__init__()
        self.sent = sent

    def get_headers(self) -> list[tuple[str, str]]:
        """Challenge; why, only to who has sent a token."""
        why = ', error="invalid_token"' if self.sent else ""
        return [*super().get_headers(), ("WWW-Authenticate", f'Bearer realm="oauth2"{why}')]


def new(kind: str) -> str:
    """Make a token with 256 random bits."""
    return kind + secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """Return what is stored of a token: it is random and long, so a plain digest cannot be guessed back."""
    return hashlib.sha256(token.encode("ascii")).digest()


def bearer(headers: Sequence[tuple[bytes, bytes]], kind: str) -> str:
    """Return the token of that kind in the one `Authorization` header (RFC 6750 §2.1). Raises `RegistrationTokenError`."""
    sent = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    if not sent:
        raise RegistrationTokenError(sent=False)
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer" or not _TOKEN.fullmatch(token) or not token.startswith(kind):
        raise RegistrationTokenError
    return token

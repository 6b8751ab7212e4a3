"""Errors in OAuth's own form (RFC 6749 §5.2). The texts are constant: nothing a client sent is ever repeated."""

from __future__ import annotations

from typing import Final

from authlib.oauth2.rfc6749.errors import InvalidClientError, OAuth2Error

from auth.limits.limits import Wait


class ClientRefusedError(InvalidClientError):  # type: ignore[misc]
    """`invalid_client`, the same whether the client does not exist, is suspended or did not sign with its key."""

    error = "invalid_client"
    status_code = 401

    def __init__(self, description: str = "Client authentication failed.", *, scheme: str | None = None) -> None:
        super().__init__(description=description)
        self.scheme = scheme

    def get_headers(self) -> list[tuple[str, str]]:
        """Challenge only a client that used the `Authorization` header: others would take it for one of HTTP's own."""
        headers: list[tuple[str, str]] = OAuth2Error.get_headers(self)
        return headers if self.scheme is None else [*headers, ("WWW-Authenticate", f'{self.scheme} realm="oauth2"')]


class AssertionUsedError(ClientRefusedError):
    """`invalid_client`: the assertion was used before, here or at another endpoint."""

    reason = "assertion_used"

    def __init__(self) -> None:
        super().__init__("The assertion was used before.")


class NetworkRefusedError(ClientRefusedError):
    """`invalid_client` like any other: the client may not call from there. That it is another reason, only the counts say."""

    reason = "network"


class TooManyError(OAuth2Error):  # type: ignore[misc]
    """Too many requests, or too many that failed: 429 with `Retry-After` (RFC 6585 §4).

    RFC 6749 §5.2 has no code for it; this is §4.1.2.1's, as for a database that is away: what to do is the same. `slow_down` (RFC 8628
    §3.5) would be wrong, it tells a device that polls to go on with longer pauses.
    """

    error = "temporarily_unavailable"
    description = "Too many requests, or too many that failed. Wait as long as Retry-After says."
    status_code = 429

    def __init__(self, wait: Wait) -> None:
        super().__init__()
        self.wait = wait

    def get_headers(self) -> list[tuple[str, str]]:
        """Say when."""
        return [*super().get_headers(), ("Retry-After", self.wait.retry_after)]


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]
    """`invalid_target` (RFC 8707 §2): a resource that is not this exchange, or an agency the client does not act for."""

    error = "invalid_target"


PROOF_TEXTS: Final = {
    "missing": "A DPoP proof is required.",
    "several": "There must be exactly one DPoP header.",
    "malformed": "The DPoP proof is not a dpop+jwt signed by a listed algorithm with a public jwk in its header.",
    "signature": "The signature of the DPoP proof does not verify.",
    "jti": "The DPoP proof needs a jti of at most 256 characters.",
    "htm": "htm is not the method of this request.",
    "htu": "htu is not the public URL of this endpoint.",
    "iat": "iat must lie within 60 seconds before and 10 seconds after the time of the server.",
    "time": "A time in the DPoP proof is not a number.",
    "nbf": "The DPoP proof is not valid yet.",
    "exp": "The DPoP proof has expired.",
    "nonce": "The DPoP proof must carry the nonce of the DPoP-Nonce header of this answer.",
    "used": "The DPoP proof was used before.",
    "example": "The key of the DPoP proof is a published example.",
}


class ProofRefusedError(OAuth2Error):  # type: ignore[misc]
    """`invalid_dpop_proof` (RFC 9449 §5)."""

    error = "invalid_dpop_proof"

    def __init__(self, reason: str) -> None:
        super().__init__(description=PROOF_TEXTS[reason])


class NonceRequiredError(OAuth2Error):  # type: ignore[misc]
    """`use_dpop_nonce` (RFC 9449 §8): the answer's `DPoP-Nonce` header brings the one to use."""

    error = "use_dpop_nonce"

    def __init__(self) -> None:
        super().__init__(description=PROOF_TEXTS["nonce"])

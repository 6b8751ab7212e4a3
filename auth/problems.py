"""How a caller is told that it was not let in (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from app.foundation.problems import Problem
from auth.jose import ALGORITHMS
from auth.limits.limits import Wait


class NotLetIn(Problem):
    """Base of the problems that carry a `WWW-Authenticate` challenge."""

    error: ClassVar[str | None] = None
    """RFC 6750 §3.1 or RFC 9449 §12.2; None where no credentials were given at all."""

    def parameters(self) -> dict[str, str]:
        """Return the challenge's parameters besides the constant ones."""
        return {} if self.error is None else {"error": self.error, "error_description": self.title}

    def response(self, request: Request) -> Response:
        """Render the problem with its challenge."""
        parameters = {
            **self.parameters(),
            "algs": " ".join(ALGORITHMS),
            "resource_metadata": f"{request.app.state.settings.public_url}/.well-known/oauth-protected-resource",
        }
        challenge = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
        self.headers["WWW-Authenticate"] = f"DPoP {challenge}"
        if request.app.state.settings.takes_client_certificates:
            # RFC 6750 §3 for those bound to a certificate; who said neither is told of both
            del parameters["algs"]
            bearer = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())
            used = request.headers.get("authorization", "").partition(" ")[0].lower()
            if used != "dpop":
                self.headers["WWW-Authenticate"] = bearer if used == "bearer" else f"DPoP {challenge}, {bearer}"
        return super().response(request)


class Unauthenticated(NotLetIn):
    """The request carries no access token.

    Get one at the token endpoint and send it as `Authorization: DPoP <token>` with a `DPoP` proof of possession, or, if it is bound
    to your client certificate, as `Authorization: Bearer <token>` on a connection that presents the certificate. Tokens in the
    query or the body are not read. The metadata that `WWW-Authenticate` points to says where the token endpoint is.
    """

    type, status, title, title_id = "unauthenticated", 401, "An access token is required", "Token akses diperlukan"


class InvalidToken(NotLetIn):
    """The access token does not count, or does not count any more.

    `reason` says why. `expired`, `signing_key`: get a new token. `not_yet`: wait a moment. `wrong_scheme`: a token bound to a DPoP
    key is sent with the scheme `DPoP`, one bound to a client certificate with `Bearer`. `certificate`: the token is bound to a client
    certificate, and this connection presented another, one that has expired, or none; after a renewal get a new token. `malformed`,
    `signature`, `issuer`, `audience`: it is not a token of this exchange for this exchange. `revoked`, `client`, `client_key`,
    `agency`: the token was revoked, or the client, its key or its agency is suspended or at its end; ask the operators. `network`: the
    client may not call from this address; ask the operators from where it may.
    """

    type, status, title, title_id = "invalid-token", 401, "The access token is not valid", "Token akses tidak sah"
    error = "invalid_token"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason=reason)


class InvalidProof(NotLetIn):
    """The DPoP proof does not hold for this request (RFC 9449 §4.3).

    `reason` names the check that failed: `missing`, `several`, `malformed` (not a `dpop+jwt` by a listed algorithm with a public
    `jwk`), `signature`, `wrong_key` (not the key the token is bound to), `htm`, `htu` (the exchange's public URL without query),
    `iat` (more than 60 seconds old, or 10 seconds ahead: check your clock), `time`, `nbf`, `exp`, `ath`, `jti`. Make a new proof
    for each request.
    """

    type, status, title, title_id = "invalid-dpop-proof", 401, "The DPoP proof is not valid", "Bukti DPoP tidak sah"
    error = "invalid_dpop_proof"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class NonceRequired(NotLetIn):
    """The DPoP proof carries no nonce of this exchange, or one that is too old (RFC 9449 §9).

    The header `DPoP-Nonce` of this answer brings a fresh one: send the request again with a new proof whose claim `nonce` it is.
    Every answer that is not kept by caches brings the nonce to use next.
    """

    type, status, title, title_id = (
        "use-dpop-nonce",
        401,
        "The DPoP proof needs a fresh nonce",
        "Bukti DPoP memerlukan nonce baru",
    )
    error = "use_dpop_nonce"


class ProofReplayed(NotLetIn):
    """This DPoP proof was used before, or the exchange cannot know that it was not.

    Each request needs a proof of its own, also a request that is repeated. In the seconds after a failure of its database
    the exchange has forgotten which proofs were used, and refuses those made before it. Send the request again with a new proof.
    """

    type, status, title, title_id = (
        "dpop-proof-replayed",
        401,
        "The DPoP proof was used before",
        "Bukti DPoP sudah pernah dipakai",
    )
    error = "invalid_dpop_proof"


class InsufficientScope(NotLetIn):
    """The token lacks a scope this request needs; `scopes` are all it needs.

    Ask for them when you get the token. If the token endpoint refuses them, they are not registered for your client: ask the
    operators.
    """

    type, status, title, title_id = (
        "insufficient-scope",
        403,
        "The token lacks a scope",
        "Cakupan token tidak mencukupi",
    )
    error = "insufficient_scope"
    log_as = "insufficient_scope"

    def __init__(self, scopes: Sequence[str]) -> None:
        self.scopes = [str(scope) for scope in scopes]
        super().__init__(scopes=self.scopes)

    def parameters(self) -> dict[str, Any]:
        """Name the scopes (RFC 6750 §3)."""
        return {**super().parameters(), "scope": " ".join(self.scopes)}


class TooManyRequests(Problem):
    """You are asking for more than you may, or have failed too often; nothing of this request has happened.

    Wait as long as `Retry-After` says (seconds), then send the same request again, with a new proof and the same `Idempotency-Key`.
    `limit` says which limit it is. `client`: the requests of your client, as the fields `RateLimit-Policy` and `RateLimit` count them.
    `concurrency`: too many of your client's requests at once, or too many that wait for events. `address`: too many attempts from your
    address have failed. `failures`: too many of your client's requests from your address had a proof or certificate that did not hold.
    """

    type, status, title, title_id = "too-many-requests", 429, "Too many requests", "Terlalu banyak permintaan"

    def __init__(self, wait: Wait) -> None:
        super().__init__(headers={"Retry-After": wait.retry_after}, limit=wait.limit)

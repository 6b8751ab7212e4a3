"""The authorization server: Authlib's skeleton, one instance a request, pure computation between a load and a store.

Authlib finds the grant and the authentication method and writes errors; what is decided comes from the directory's
snapshot, and what must be stored is left at `issued`. Nothing in here waits.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import orjson
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidClientError, OAuth2Error
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from starlette.responses import Response

from app.foundation.settings import Settings
from auth import jose
from auth.address import Address
from auth.binding import dpop
from auth.binding.certificate import Certificate
from auth.binding.nonces import Nonces
from auth.client_auth import mtls
from auth.client_auth.private_key_jwt import TYPES, Assertion, PrivateKeyJwt
from auth.directory import AgencyEntry, ClientEntry, Snapshot
from auth.errors import ClientRefusedError, NetworkRefusedError
from auth.grants.client_credentials import ClientCredentials
from auth.jose import JoseRefusedError, Unverified
from auth.scopes import Scope, scope_text

log = logging.getLogger("rujukan.auth")
TOKEN_PATH = "/oauth2/token"  # noqa: S105 -- a path
INTROSPECTION_PATH = "/oauth2/introspect"
REVOCATION_PATH = "/oauth2/revoke"
REGISTRATION_PATH = "/oauth2/register"
Headers = Sequence[tuple[bytes, bytes]]


class OAuthClient(ClientMixin):  # type: ignore[misc]
    """A client of the directory as Authlib asks about it."""

    def __init__(self, entry: ClientEntry) -> None:
        self.entry = entry

    def get_client_id(self) -> str:
        """Return its id."""
        return self.entry.client_id

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether it is registered for this method (RFC 7591 §2)."""
        del endpoint
        return method == self.entry.auth_method

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it is registered for this grant."""
        return bool(grant_type == ClientCredentials.GRANT_TYPE)


class TokenRequest(OAuth2Request):  # type: ignore[misc]
    """A request to the token endpoint or one of its neighbours: form and headers only, the query is never read."""

    def __init__(
        self,
        form: dict[str, str],
        headers: Headers,
        certificate: Certificate | None = None,
        address: Address | None = None,
    ) -> None:
        # Authlib would check that the address is https; the settings have refused anything else in production already
        super().__init__("POST", f"https://localhost{TOKEN_PATH}")
        self._form = form
        self.raw_headers = headers
        self.credential: Assertion | None = None
        self.request_id = ""
        self.certificate = certificate
        self.address = address
        """Where it comes from; None if that cannot be known."""
        self.payload = BasicOAuth2Payload(form)

    @property
    def form(self) -> dict[str, str]:
        """The body's parameters."""
        return self._form

    @cached_property
    def client_assertion(self) -> Unverified | None:
        """The assertion it came with, of which nothing is verified; None if there is none, or none this server takes."""
        try:
            return jose.parse(self._form["client_assertion"], TYPES)
        except (KeyError, JoseRefusedError):
            return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a token request is given."""

    client: ClientEntry
    agency: AgencyEntry
    scopes: frozenset[Scope]
    assertion: Assertion | None
    certificate: Certificate | None
    binding: dpop.Proof | Certificate

    @property
    def proof(self) -> dpop.Proof | None:
        """The proof to use up, if the token is bound by one."""
        return self.binding if isinstance(self.binding, dpop.Proof) else None

    def client_kid(self) -> str | None:
        """Return the registered key that asked, which the token ends with; None where an authority vouches for the client."""
        if self.assertion is not None:
            return self.assertion.kid
        if self.client.auth_method == mtls.SELF_SIGNED and self.certificate is not None:
            return self.certificate.thumbprint
        return None


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that counts once its assertion and proof are used up."""

    decision: Decision
    jti: str
    response: Mapping[str, Any] = field(repr=False)


class Server(AuthorizationServer):  # type: ignore[misc]
    """One token request's server."""

    def __init__(self, *, settings: Settings, snapshot: Snapshot, now: datetime, nonces: Nonces | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.snapshot = snapshot
        self.now = now
        self.nonces = nonces
        self.token_endpoint = _token_endpoint(settings.public_url)
        self.decision: Decision | None = None
        self.jti = secrets.token_urlsafe(16)
        self.issued: Issued | None = None
        self.register_client_auth_method(
            PrivateKeyJwt.CLIENT_AUTH_METHOD, PrivateKeyJwt(issuer=settings.public_url, now=now)
        )
        self.mutual_tls = mtls.methods(settings)
        for method in self.mutual_tls:
            self.register_client_auth_method(method, mtls.MutualTls(method, settings=settings, now=now))
        self.register_grant(ClientCredentials)
        self.register_token_generator("default", self.access_token)

    def query_client(self, client_id: str) -> OAuthClient | None:
        """Return the client of that id, suspended or not."""
        entry = self.snapshot.clients.get(client_id)
        return None if entry is None else OAuthClient(entry)

    def authenticate_client(self, request: TokenRequest, methods: list[str], endpoint: str = "token") -> OAuthClient:
        """Authenticate the client in the one way the request tries, turning whatever Authlib says into the one answer."""
        if self.mutual_tls and "client_assertion" not in request.form:
            if request.certificate is None:
                raise ClientRefusedError(
                    "The client must authenticate by private_key_jwt, or by a client certificate; there is neither."
                )
            methods = list(self.mutual_tls)
        try:
            client: OAuthClient = super().authenticate_client(request, methods, endpoint)
        except ClientRefusedError:
            raise
        except InvalidClientError:
            raise ClientRefusedError from None
        if not client.entry.may_call_from(request.address):
            log.info("client refused: from another network")
            raise NetworkRefusedError
        return client

    def decide(
        self,
        *,
        client: ClientEntry,
        agency: AgencyEntry,
        scopes: frozenset[Scope],
        assertion: Assertion | None,
        certificate: Certificate | None,
        binding: dpop.Proof | Certificate,
    ) -> None:
        """Take the grant's decision, from which the token is made."""
        self.decision = Decision(client, agency, scopes, assertion, certificate, binding)

    def access_token(self, **_: Any) -> dict[str, Any]:
        """Return the token response of RFC 6749 §5.1 and RFC 9449 §5 with an access token by RFC 9068 §2 (RFC 8705 §3.1)."""
        decision, key = self.decision, self.snapshot.signing.active
        assert decision is not None, "a grant that does not raise has decided"
        assert key is not None, "the endpoint has looked"
        issued_at = int(self.now.timestamp())
        lifetime = self.settings.access_token_seconds
        claims = {
            "iss": self.settings.public_url,
            "aud": self.settings.public_url,
            "sub": decision.client.client_id,
            "client_id": decision.client.client_id,
            "agency": decision.agency.code,
            "scope": scope_text(decision.scopes),
            "iat": issued_at,
            "exp": issued_at + lifetime,
            "jti": self.jti,
            "cnf": {"x5t#S256" if decision.proof is None else "jkt": decision.binding.thumbprint},
        }
        if (kid := decision.client_kid()) is not None:
            claims["client_kid"] = kid  # so that the token ends with the key that asked for it
        return {
            "access_token": key.sign({"typ": "at+jwt", "kid": key.public.kid}, claims),
            "token_type": "Bearer" if decision.proof is None else "DPoP",
            "expires_in": lifetime,
            "scope": scope_text(decision.scopes),
            "agency": decision.agency.code,
        }

    def save_token(self, token: dict[str, Any], request: TokenRequest) -> None:
        """Leave what is to be stored to the endpoint."""
        del request
        assert self.decision is not None, "a token is made from a decision"
        self.issued = Issued(self.decision, self.jti, token)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: nobody listens."""

    def create_oauth2_request(self, request: TokenRequest) -> TokenRequest:
        """Return the request, which is Authlib's kind already."""
        return request

    def handle_error_response(self, request: TokenRequest, error: OAuth2Error) -> Response:
        """Leave errors to the endpoint, which answers and counts them all in one place."""
        raise error

    def handle_response(self, status: int, body: Mapping[str, Any], headers: Sequence[tuple[str, str]]) -> Response:
        """Render an answer."""
        return render(status, body, headers)


@lru_cache(maxsize=8)
def _token_endpoint(public_url: str) -> str | None:
    """Return the address proofs must name, normalised."""
    return dpop.normalise(public_url + TOKEN_PATH)


def render(status: int, body: Mapping[str, Any], headers: Sequence[tuple[str, str]]) -> Response:
    """Render what Authlib answers with."""
    return Response(orjson.dumps(body), status, dict(headers))


def log_detail(issued: Issued, *, seconds: int) -> dict[str, Any]:
    """Return what the log says of a token: enough to find and revoke it, nothing of the token itself."""
    return {
        "jti": issued.jti,
        "scope": scope_text(issued.decision.scopes),
        "kid": issued.decision.client_kid(),
        "seconds": seconds,
    }

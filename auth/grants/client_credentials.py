"""The one grant: `client_credentials` (RFC 6749 §4.4), for exactly one agency, always bound to a key (RFC 9449 §5, RFC 8705 §3)."""

from __future__ import annotations

from typing import Any, ClassVar

from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from auth.binding import dpop
from auth.binding.certificate import Certificate
from auth.client_auth.mtls import FAULTS
from auth.directory import AgencyEntry, ClientEntry
from auth.errors import InvalidTargetError, NonceRequiredError, ProofRefusedError
from auth.example_keys import EXAMPLE_KEYS
from auth.scopes import Scope, UnknownScopeError, parse_scope


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    """Authlib's grant, which refuses instead of trimming, and decides on scope, agency, resource and binding."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = ["private_key_jwt"]

    def validate_token_request(self) -> None:
        """Authenticate the client, then decide what it gets; the client's own faults come before those of its proof."""
        super().validate_token_request()
        client: ClientEntry = self.request.client.entry
        self.server.decide(
            client=client,
            scopes=_scopes(client, self.request.payload.scope),
            agency=self._agency(client),
            assertion=self.request.credential,
            certificate=self.request.certificate,
            binding=self._certificate() if client.certificate_bound else self._proof(),
        )

    def validate_requested_scope(self) -> None:
        """Do nothing here: what is asked for is compared with the registration, not with all there is."""

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Return the response of RFC 6749 §5.1. Authlib's own would write the token to its debug log."""
        token = self.generate_token(include_refresh_token=False)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER

    def _agency(self, client: ClientEntry) -> AgencyEntry:
        if (resource := self.request.form.get("resource")) is not None and resource != self.server.settings.public_url:
            raise InvalidTargetError(description="The resource is not this exchange.")  # RFC 8707 §2
        agencies = self.server.snapshot.agencies
        code = self.request.form.get("agency")
        if code is None and len(client.agency_ids) > 1:
            raise InvalidRequestError(description="agency is required: the client acts for several agencies.")
        for agency_id in client.agency_ids:
            agency: AgencyEntry = agencies[agency_id]
            if client.may_speak_for(agency, self.server.now) and code in (None, agency.code):
                return agency
        raise InvalidTargetError(
            description="The client does not act for this agency, or not yet, or the agency is suspended."
        )

    def _certificate(self) -> Certificate:
        certificate: Certificate | None = self.request.certificate
        if certificate is None:
            raise InvalidRequestError(
                description="A client certificate is required: the client's tokens are bound to it (RFC 8705)."
            )
        if (fault := certificate.fault(self.server.now)) is not None:
            raise InvalidRequestError(description=FAULTS[fault])
        if any(name == b"dpop" for name, _ in self.request.raw_headers):
            raise InvalidRequestError(
                description="There must be no DPoP proof: the client is registered for certificate-bound tokens."
            )
        return certificate

    def _proof(self) -> dpop.Proof:
        try:
            proof = dpop.check(
                dpop.header_of(self.request.raw_headers),
                method="POST",
                url=self.server.token_endpoint,
                now=self.server.now,
                nonces=self.server.nonces,
            )
        except dpop.InvalidProofError as refused:
            raise NonceRequiredError if refused.reason == "nonce" else ProofRefusedError(refused.reason) from None
        if self.server.settings.env == "production" and proof.thumbprint in EXAMPLE_KEYS:
            raise ProofRefusedError("example")
        return proof


def _scopes(client: ClientEntry, asked: str | None) -> frozenset[Scope]:
    """Return what is asked for, or all that is registered if nothing is (RFC 6749 §3.3). Never less than was asked for."""
    if asked is None:
        return client.scopes_now
    try:
        scopes = parse_scope(asked)
    except UnknownScopeError:
        raise InvalidScopeError from None
    if not scopes <= client.scopes_now:
        raise InvalidScopeError(description="The client is not registered for every scope it asks for.")
    return scopes

"""What a registration may say (RFC 7591 §2, RFC 8705 §2.1.2 and §3.4, RFC 9449 §5.2), and the one form in which it is kept.

Everything not named here is left out, as RFC 7591 §2 has it: so nothing an administrator decides (status, agencies, networks) can come
in by this way, and no `contacts`, which would be persons. Scopes are those the invitation allows, and there are no client secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2.rfc7591 import ClientMetadataClaims, InvalidClientMetadataError, InvalidRedirectURIError

from app.foundation.outbound import OutboundError, check_url
from app.foundation.settings import Settings
from auth.admin.agencies import check_name
from auth.admin.client_keys import registered_keys
from auth.admin.errors import InvalidValueError, UnusableKeyError
from auth.client_auth import mtls
from auth.client_auth.private_key_jwt import PrivateKeyJwt
from auth.grants.client_credentials import ClientCredentials
from auth.jwks_uri import MOST_KEYS
from auth.scopes import UnknownScopeError, parse_scope

NAMES: Final = {f"tls_client_auth_{kind}": kind for kind in mtls.NAME_KINDS}
FIXED: Final = (
    "token_endpoint_auth_method",
    "scope",
    "tls_client_certificate_bound_access_tokens",
    "dpop_bound_access_tokens",
    *NAMES,
)
"""What cannot change any more once people have approved it."""
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Allowed:
    """How far a registration may go."""

    scopes: frozenset[str]
    settings: Settings

    @property
    def methods(self) -> tuple[str, ...]:
        """The ways of authenticating there are here."""
        return (PrivateKeyJwt.CLIENT_AUTH_METHOD, *mtls.methods(self.settings))


class ClientMetadata(ClientMetadataClaims):  # type: ignore[misc]
    """Authlib's claims, with each member checked by our rules; afterwards they hold what is registered, defaults included."""

    REGISTERED_CLAIMS: Final = [
        "client_name",
        "token_endpoint_auth_method",
        "grant_types",
        "response_types",
        "redirect_uris",
        "scope",
        "jwks",
        "jwks_uri",
        "software_id",
        "software_version",
        "tls_client_certificate_bound_access_tokens",
        "dpop_bound_access_tokens",
        *NAMES,
    ]

    def __init__(self, claims: Mapping[str, Any], header: Any, options: Any, params: Mapping[str, Any]) -> None:
        given = {name: claims[name] for name in self.REGISTERED_CLAIMS if claims.get(name) is not None}
        super().__init__(given, header, {}, params)
        self.allowed: Allowed = params["allowed"]

    @classmethod
    def get_claims_options(cls, metadata: Any) -> dict[str, Any]:
        """Return none: Authlib's own would end in errors of Python for values of the wrong type."""
        del metadata
        return {}

    def validate(self, now: Any = None, leeway: int = 0) -> None:
        """Check everything and put it into its registered form. Raises `InvalidClientMetadataError`, `InvalidRedirectURIError`."""
        super().validate(now, leeway)
        self._validate_names()
        self._validate_source_of_keys()
        self._validate_binding()

    def validate_client_name(self) -> None:
        """Required: people decide by it."""
        name = self.get("client_name")
        try:
            if not isinstance(name, str):
                raise InvalidValueError("")
            check_name(name)
        except InvalidValueError:
            raise InvalidClientMetadataError("client_name is required: 1 to 200 printable characters.") from None

    def validate_token_endpoint_auth_method(self) -> None:
        """One of ours; RFC 7591's default, a secret, is replaced by `private_key_jwt` (§3.2.1)."""
        method = self.setdefault("token_endpoint_auth_method", PrivateKeyJwt.CLIENT_AUTH_METHOD)
        if method not in self.allowed.methods:
            raise InvalidClientMetadataError(
                f"token_endpoint_auth_method must be one of: {', '.join(self.allowed.methods)}."
            )

    def validate_grant_types(self) -> None:
        """The one grant there is, also where nothing is said."""
        if self.get("grant_types", [ClientCredentials.GRANT_TYPE]) != [ClientCredentials.GRANT_TYPE]:
            raise InvalidClientMetadataError(f"grant_types must be {ClientCredentials.GRANT_TYPE} alone.")
        self["grant_types"] = [ClientCredentials.GRANT_TYPE]

    def validate_response_types(self) -> None:
        """None: there is no authorization endpoint."""
        if self.get("response_types", []) != []:
            raise InvalidClientMetadataError("response_types must be empty: there is no authorization endpoint.")
        self["response_types"] = []

    def validate_redirect_uris(self) -> None:
        """None, for the same reason."""
        if self.pop("redirect_uris", []) != []:
            raise InvalidRedirectURIError("redirect_uris must be empty: there is no authorization endpoint.")

    def validate_scope(self) -> None:
        """What the invitation allows, or all of it where nothing is said."""
        asked = self.get("scope", " ".join(sorted(self.allowed.scopes)))
        try:
            if not isinstance(asked, str):
                raise UnknownScopeError("")
            scopes = parse_scope(asked)
        except UnknownScopeError:
            raise InvalidClientMetadataError("scope must be scopes of this exchange, separated by one space.") from None
        if not scopes <= self.allowed.scopes:
            raise InvalidClientMetadataError("scope is more than the registration may have.")
        self["scope"] = " ".join(sorted(scopes))

    def validate_jwks(self) -> None:
        """A JWK Set of public keys (or certificates, `x5c`), each with a `kid` of its own."""
        if "jwks" not in self:
            return
        jwks = self["jwks"]
        keys = jwks.get("keys") if isinstance(jwks, dict) else None
        if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
            raise InvalidClientMetadataError(f"jwks must be a JWK Set of 1 to {MOST_KEYS} keys.")
        if self["token_endpoint_auth_method"] == mtls.TLS_CLIENT_AUTH:
            raise InvalidClientMetadataError("tls_client_auth goes by a name in the certificate, without jwks.")
        try:
            registered = registered_keys(self["token_endpoint_auth_method"], keys)
        except UnusableKeyError:
            raise InvalidClientMetadataError(
                "Each key of jwks must be public, for signatures, with a kid of its own: P-256, Ed25519 or RSA of 2048 to 4096 bits;"
                " for self_signed_tls_client_auth with its certificate in x5c."
            ) from None
        self["jwks"] = {"keys": list(registered.values())}

    def validate_jwks_uri(self) -> None:
        """An address the exchange may ask."""
        if "jwks_uri" not in self:
            return
        try:
            check_url(self["jwks_uri"], self.allowed.settings)
        except OutboundError as error:
            raise InvalidClientMetadataError(f"jwks_uri cannot be asked. {error}") from None

    def validate_software_id(self) -> None:
        """Short and printable."""
        self._validate_text("software_id")

    def validate_software_version(self) -> None:
        """Short and printable."""
        self._validate_text("software_version")

    def _validate_text(self, member: str) -> None:
        value = self.get(member, "-")
        if not isinstance(value, str) or not 0 < len(value) <= _MOST or not value.isprintable():
            raise InvalidClientMetadataError(f"{member} must be 1 to {_MOST} printable characters.")

    def _validate_names(self) -> None:
        given = [name for name in NAMES if name in self]
        if self["token_endpoint_auth_method"] != mtls.TLS_CLIENT_AUTH:
            if given:
                raise InvalidClientMetadataError("A name in a certificate goes with tls_client_auth.")
            return
        if len(given) != 1:
            raise InvalidClientMetadataError(f"tls_client_auth needs exactly one of: {', '.join(NAMES)}.")
        (member,) = given
        try:
            if not isinstance(self[member], str):
                raise mtls.InvalidNameError("")
            self[member] = mtls.normalise_name(NAMES[member], self[member])
        except mtls.InvalidNameError:
            raise InvalidClientMetadataError(f"{member} is no name a certificate could have.") from None

    def _validate_source_of_keys(self) -> None:
        sources = sum(member in self for member in ("jwks", "jwks_uri"))
        if self["token_endpoint_auth_method"] == mtls.TLS_CLIENT_AUTH:
            if sources:
                raise InvalidClientMetadataError("tls_client_auth goes by a name in the certificate, without keys.")
        elif sources != 1:
            raise InvalidClientMetadataError("There must be exactly one of jwks and jwks_uri.")

    def _validate_binding(self) -> None:
        """Tokens are always bound, to one of the two; unsaid, to what the client authenticates by."""
        certificate, dpop = "tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens"
        if any(not isinstance(self.get(member, True), bool) for member in (certificate, dpop)):
            raise InvalidClientMetadataError(f"{certificate} and {dpop} are true or false.")
        by_certificate = self["token_endpoint_auth_method"] != PrivateKeyJwt.CLIENT_AUTH_METHOD
        if certificate in self:
            by_certificate = self[certificate]
        elif dpop in self:
            by_certificate = not self[dpop]
        if self.get(dpop, not by_certificate) == by_certificate:
            raise InvalidClientMetadataError(f"Exactly one of {certificate} and {dpop} must be true.")
        if by_certificate and not self.allowed.settings.takes_client_certificates:
            raise InvalidClientMetadataError("Client certificates are not taken here.")
        self[certificate], self[dpop] = by_certificate, not by_certificate


def to_store(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return checked metadata as the columns of a client, with `keys` as `kid` and `jwk`."""
    method = metadata["token_endpoint_auth_method"]
    keys = registered_keys(method, metadata["jwks"]["keys"]) if "jwks" in metadata else {}
    named = next((member for member in NAMES if member in metadata), None)
    return {
        "name": metadata["client_name"],
        "scopes": metadata["scope"].split(" "),
        "auth_method": method,
        "certificate_bound": metadata["tls_client_certificate_bound_access_tokens"],
        "tls_name_kind": None if named is None else NAMES[named],
        "tls_name": None if named is None else metadata[named],
        "jwks_uri": metadata.get("jwks_uri"),
        "software_id": metadata.get("software_id"),
        "software_version": metadata.get("software_version"),
        "keys": [{"kid": kid, "jwk": jwk} for kid, jwk in keys.items()],
    }


def from_store(row: Mapping[str, Any], keys: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the metadata of a client's columns; `keys`: its JWKs that have no end."""
    found = {
        "client_name": row["name"],
        "token_endpoint_auth_method": row["auth_method"],
        "grant_types": [ClientCredentials.GRANT_TYPE],
        "response_types": [],
        "scope": " ".join(sorted(row["scopes"])),
        "jwks": {"keys": keys} if row["jwks_uri"] is None and keys else None,
        "jwks_uri": row["jwks_uri"],
        "software_id": row["software_id"],
        "software_version": row["software_version"],
        "tls_client_certificate_bound_access_tokens": row["certificate_bound"],
        "dpop_bound_access_tokens": not row["certificate_bound"],
    }
    if row["tls_name"] is not None:
        found[f"tls_client_auth_{row['tls_name_kind']}"] = row["tls_name"]
    return {name: value for name, value in found.items() if value is not None}

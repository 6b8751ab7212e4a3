"""Client authentication by the certificate of the TLS connection (RFC 8705 §2), as the client is registered and no other way.

`tls_client_auth`: an authority of ours vouches for it, and it has the one registered name. `self_signed_tls_client_auth`: it is one
of the registered certificates. What a certificate says of itself is told; beyond that every refusal is the same, and the chain is
built whoever asks, so that an unknown client is refused no sooner.
"""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from authlib.oauth2.rfc6749.errors import InvalidRequestError
from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from app.foundation.settings import Settings
from auth.binding.certificate import Certificate
from auth.directory import ClientEntry
from auth.errors import ClientRefusedError

log = logging.getLogger("rujukan.auth")
TLS_CLIENT_AUTH: Final = "tls_client_auth"
SELF_SIGNED: Final = "self_signed_tls_client_auth"
NAME_KINDS: Final = ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email")
_MORE_ATTRIBUTES = {
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "SN": NameOID.SURNAME,
    "GN": NameOID.GIVEN_NAME,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
}
"""Names OpenSSL prints beside those of RFC 4514 §3; any other is written as its dotted OID."""
FAULTS: Final = {
    "expired": "The client certificate has expired.",
    "not_yet_valid": "The client certificate is not valid yet.",
    "key": "The key of the client certificate must be P-256, P-384, P-521, Ed25519, or RSA of 2048 to 4096 bits.",
    "usage": "The client certificate is not for client authentication (key usage, extended key usage).",
}


class InvalidNameError(ValueError):
    """A name a certificate cannot be registered by."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """The authorities whose client certificates are taken."""

    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    store: verification.Store = field(repr=False)

    def vouch_for(self, certificate: Certificate, now: datetime) -> bool:
        """Whether a chain of certificates that count at `now` leads to one of them (RFC 5280 §6)."""
        verifier = (
            verification.PolicyBuilder()
            .store(self.store)
            .time(now)
            .extension_policies(ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=_of_clients())
            .build_client_verifier()
        )
        try:
            verifier.verify(certificate.leaf, list(certificate.chain))
        except (verification.VerificationError, ValueError):
            return False
        return True


@lru_cache(maxsize=1)
def _of_clients() -> verification.ExtensionPolicy:
    """The rules for a client's own certificate: those of the Web, but it need have no SAN, since a subject may be registered."""
    agnostic = verification.Criticality.AGNOSTIC
    return (
        verification.ExtensionPolicy.webpki_defaults_ee()
        .may_be_present(x509.SubjectAlternativeName, agnostic, None)
        .may_be_present(x509.AuthorityKeyIdentifier, agnostic, None)
    )


@lru_cache(maxsize=8)
def authorities(path: Path) -> Authorities:
    """Read the file of authorities, once. Each in it is trusted, an intermediate one without its root too. Raises `ValueError`, `OSError`."""
    found = x509.load_pem_x509_certificates(path.read_bytes())
    return Authorities(tuple(found), verification.Store(found))


def methods(settings: Settings) -> tuple[str, ...]:
    """Return the methods these settings switch on. Python's TLS lets no self-signed certificate through the handshake."""
    if not settings.takes_client_certificates:
        return ()
    pki = (TLS_CLIENT_AUTH,) if settings.tls_client_ca is not None else ()
    return (*pki, SELF_SIGNED) if settings.behind_proxy else pki


class MutualTls:
    """One of the two methods, as Authlib calls it: returns the client, or None where the certificate is not the client's."""

    def __init__(self, method: str, *, settings: Settings, now: datetime) -> None:
        self.method = method
        self.now = now
        self.authorities = authorities(settings.tls_client_ca) if settings.tls_client_ca is not None else None

    def __call__(self, query_client: Any, request: Any) -> Any:
        """Return the client the certificate proves. Raises `ClientRefusedError` for what is wrong with any certificate."""
        certificate: Certificate = request.certificate
        if "client_secret" in request.form or "client_assertion" in request.form:
            raise InvalidRequestError(description="The client must authenticate in one way only.")  # RFC 6749 §2.3
        if (fault := certificate.fault(self.now)) is not None:
            raise ClientRefusedError(FAULTS[fault])
        client_id = request.form.get("client_id")
        if client_id is None:
            raise ClientRefusedError("client_id is required beside a client certificate.")  # RFC 8705 §2
        vouched = self._is_vouched_for(certificate)
        client = query_client(client_id)
        if client is None or not client.entry.may_sign_in(self.now) or client.entry.auth_method != self.method:
            return None
        if not (vouched and self._is_its(client.entry, certificate)):
            log.info("client certificate refused: %s", "another one" if vouched else "not vouched for")
            return None
        request.credential = None
        return client

    def _is_vouched_for(self, certificate: Certificate) -> bool:
        if self.method == SELF_SIGNED:
            return True
        return self.authorities is not None and self.authorities.vouch_for(certificate, self.now)

    def _is_its(self, client: ClientEntry, certificate: Certificate) -> bool:
        if self.method == SELF_SIGNED:
            registered = client.keys.get(certificate.thumbprint)  # §2.2: the certificate itself, not just its key
            return registered is not None and registered.counts(self.now)
        return client.tls_name is not None and has_name(certificate, *client.tls_name)


def normalise_name(kind: str, value: str) -> str:
    """Return the one way in which a name is registered (RFC 8705 §2.1.2). Raises `InvalidNameError`."""
    try:
        return _normalise(kind, value)
    except ValueError as error:
        raise InvalidNameError(f"that is no {kind.replace('_', ' ')} a certificate could have") from error


def _normalise(kind: str, value: str) -> str:
    if not 0 < len(value) <= 1000 or not value.isprintable():
        raise ValueError(kind)
    if kind == "subject_dn":
        if not (name := _name(value)).rdns:
            raise ValueError(kind)
        return name.rfc4514_string()
    if kind == "san_ip":
        return str(ipaddress.ip_address(value))
    if kind == "san_dns":
        x509.DNSName(value)
        if "*" in value or " " in value:
            raise ValueError("one name, not all that match")
        return value.lower().removesuffix(".")
    if kind == "san_email":
        local, _, host = value.rpartition("@")
        if not local or not host:
            raise ValueError(kind)
        return x509.RFC822Name(f"{local}@{host.lower()}").value
    if kind == "san_uri" and ":" in value:
        return x509.UniformResourceIdentifier(value).value
    raise ValueError(kind)


def has_name(certificate: Certificate, kind: str, name: str) -> bool:
    """Whether the certificate has the registered name: the whole subject, or one entry of its subject alternative name."""
    leaf = certificate.leaf
    if kind == "subject_dn":
        return leaf.subject == _name(name)
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if kind == "san_dns":
        return name in [value.lower() for value in names.get_values_for_type(x509.DNSName)]
    if kind == "san_uri":
        return name in names.get_values_for_type(x509.UniformResourceIdentifier)
    if kind == "san_ip":
        return name in [str(value) for value in names.get_values_for_type(x509.IPAddress)]
    found = (value.rpartition("@") for value in names.get_values_for_type(x509.RFC822Name))
    return name in [f"{local}@{host.lower()}" for local, _, host in found]


@lru_cache(maxsize=1024)
def _name(text: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(text, _MORE_ATTRIBUTES)

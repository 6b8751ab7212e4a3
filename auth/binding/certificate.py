"""Client certificates: what one says, and that a token is bound to it (RFC 8705 §3). `cryptography` parses, never code of ours.

The handshake proved that the caller has the private key; here it is only read what the certificate says. Whether anybody
vouches for it is `client_auth.mtls`'s question: a binding needs no authority (§3, §6.3).
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

MAX_DER: Final = 16_384
MAX_CHAIN: Final = 8
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 4096
PRESENTED: Final = "rujukan.certificate"
"""Where the scope of a request holds the certificate it came with."""
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_ANY_PURPOSE = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


class UnreadableCertificateError(Exception):
    """What should be a certificate is none, or too large."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate a caller proved to hold the key of, with the chain it came with."""

    thumbprint: str
    """`x5t#S256` (RFC 8705 §3.1)."""
    starts_at: datetime
    ends_at: datetime
    misfit: str | None
    """Why it is fit for no client: `key` or `usage`; None if it is."""
    leaf: x509.Certificate = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(repr=False)

    def fault(self, now: datetime) -> str | None:
        """Return why it does not count at `now` whoever issued it: `expired`, `not_yet_valid`, `key`, `usage`; None if it does."""
        if now > self.ends_at:
            return "expired"
        if now < self.starts_at:
            return "not_yet_valid"
        return self.misfit


def presented(scope: Mapping[str, Any]) -> Certificate | None:
    """Return the certificate the request came with, as `client_certificates` left it there."""
    found: Certificate | None = scope.get(PRESENTED)
    return found


@lru_cache(maxsize=1024)
def read(leaf: bytes, chain: tuple[bytes, ...] = ()) -> Certificate:
    """Read a certificate and the chain behind it from DER. Raises `UnreadableCertificateError`."""
    if len(chain) > MAX_CHAIN or any(len(each) > MAX_DER for each in (leaf, *chain)):
        raise UnreadableCertificateError
    try:
        certificate = x509.load_der_x509_certificate(leaf)
        return Certificate(
            thumbprint=thumbprint_of(leaf),
            starts_at=certificate.not_valid_before_utc,
            ends_at=certificate.not_valid_after_utc,
            misfit=_misfit(certificate),
            leaf=certificate,
            chain=tuple(x509.load_der_x509_certificate(each) for each in chain),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise UnreadableCertificateError from None


@lru_cache(maxsize=1024)
def read_pem(chain: tuple[str, ...]) -> Certificate:
    """Read a certificate and the chain behind it from PEM, the caller's own first. Raises `UnreadableCertificateError`."""
    try:
        leaf, *others = (
            x509.load_pem_x509_certificate(each.encode()).public_bytes(Encoding.DER) for each in chain[: MAX_CHAIN + 1]
        )
    except (ValueError, x509.InvalidVersion):
        raise UnreadableCertificateError from None
    return read(leaf, tuple(others))


def thumbprint_of(der: bytes) -> str:
    """Return the `x5t#S256` of a certificate (RFC 8705 §3.1): the base64url SHA-256 of its DER."""
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _misfit(certificate: x509.Certificate) -> str | None:
    if not _is_strong(certificate.public_key()):
        return "key"
    extensions = {type(each.value): each.value for each in certificate.extensions}
    purposes = extensions.get(x509.ExtendedKeyUsage)
    # RFC 5280 §4.2.1.12: an absent extension permits every purpose, a present one only those it names
    if isinstance(purposes, Iterable) and not _ANY_PURPOSE & set(purposes):
        return "usage"
    usage = extensions.get(x509.KeyUsage)
    if isinstance(usage, x509.KeyUsage) and not usage.digital_signature:
        return "usage"
    return None


def _is_strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, _CURVES)
    return isinstance(key, ed25519.Ed25519PublicKey)

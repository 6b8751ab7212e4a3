"""Makes authorities and the certificates they issue, right ones and every kind of wrong one."""

from __future__ import annotations

import ipaddress
import ssl
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


@dataclass(frozen=True)
class Issued:
    """A certificate, its key and the chain that goes with it."""

    certificate: x509.Certificate
    key: Any
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def field(self) -> str:
        """The value of `Client-Cert` (RFC 9440 §2.2)."""
        return f":{b64encode(self.der).decode()}:"

    @property
    def chain_field(self) -> str:
        """The value of `Client-Cert-Chain` (RFC 9440 §2.3)."""
        return ", ".join(f":{b64encode(each.public_bytes(Encoding.DER)).decode()}:" for each in self.chain)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write certificate with chain, and key."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self.pem + b"".join(each.public_bytes(Encoding.PEM) for each in self.chain))
        key.write_bytes(self.key_pem)
        key.chmod(0o600)
        return certificate, key

    def into(self, context: ssl.SSLContext, folder: Path) -> None:
        """Let connections of this context present it."""
        certificate, key = self.write(folder, f"{self.certificate.serial_number:x}")
        context.load_cert_chain(certificate, key)


def name(text: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(text)


def san(dns: str = "", uri: str = "", ip: str = "", email: str = "") -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    found += [x509.DNSName(dns)] if dns else []
    found += [x509.UniformResourceIdentifier(uri)] if uri else []
    found += [x509.IPAddress(ipaddress.ip_address(ip))] if ip else []
    found += [x509.RFC822Name(email)] if email else []
    return found


@cache
def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@dataclass
class Authority:
    """A certificate authority of the test's."""

    issued: Issued

    @classmethod
    def make(cls, subject: str = "CN=Test CA,O=Kementerian Contoh,C=ID") -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(Issued(_authority(name(subject), key, name(subject), key, None), key))

    def below(self, subject: str) -> Authority:
        """Make an intermediate authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _authority(name(subject), key, self.issued.certificate.subject, self.issued.key, self.issued.certificate)
        return Authority(Issued(made, key, (made,)))

    def issue(
        self,
        subject: str = "CN=rs-bhayangkara,O=Polri,C=ID",
        *,
        names: list[x509.GeneralName] | None = None,
        key: Any = None,
        purposes: tuple[x509.ObjectIdentifier, ...] = CLIENT,
        days: tuple[int, int] = (-1, 90),
        signs: bool = True,
    ) -> Issued:
        """Issue a certificate. `days`: from when to when it counts, from today."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        parent = self.issued
        made = _leaf(name(subject), key, parent.certificate.subject, names, purposes, days, signs).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(parent.key.public_key()), critical=False
        )
        return Issued(made.sign(parent.key, hashes.SHA256()), key, parent.chain)


def self_signed(
    subject: str = "CN=dinsos-8171", *, days: tuple[int, int] = (-1, 90), key: Any = None, **values: Any
) -> Issued:
    """Make a certificate nobody vouches for."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    made = _leaf(name(subject), key, name(subject), None, values.get("purposes", ()), days, True)
    return Issued(made.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()), key)


def _leaf(
    subject: x509.Name,
    key: Any,
    issuer: x509.Name,
    names: list[x509.GeneralName] | None,
    purposes: tuple[x509.ObjectIdentifier, ...],
    days: tuple[int, int],
    signs: bool,
) -> x509.CertificateBuilder:
    builder = (
        _builder(subject, key, issuer, *days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=signs, key_agreement=not signs), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not subject.rdns)
    return builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False) if purposes else builder


def _authority(
    subject: x509.Name, key: Any, issuer: x509.Name, issuer_key: Any, parent: x509.Certificate | None
) -> x509.Certificate:
    builder = (
        _builder(subject, key, issuer, -10, 1000)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1 if parent is None else 0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _builder(subject: x509.Name, key: Any, issuer: x509.Name, starts: int, ends: int) -> x509.CertificateBuilder:
    today = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + timedelta(days=starts))
        .not_valid_after(today + timedelta(days=ends))
    )


def _usage(**given: bool) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{each: given.get(each, False) for each in every})


__all__ = ["CLIENT", "SERVER", "Authority", "Issued", "NameOID", "name", "san", "self_signed", "weak_key"]

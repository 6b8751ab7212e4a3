"""Clients' public keys and certificates: what may be registered, and the end of one."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.foundation.database import Connection
from auth import jose
from auth.admin import queries
from auth.admin.errors import InvalidValueError, UnknownKeyError, UnusableKeyError
from auth.admin.found_client import find_client, log_client
from auth.binding.certificate import UnreadableCertificateError, read
from auth.client_auth import mtls
from auth.client_auth.private_key_jwt import PrivateKeyJwt
from auth.example_keys import EXAMPLE_KEYS
from auth.jose import JoseRefusedError, VerificationKey

_KEYS: Final = "keys are P-256 (ES256), Ed25519 (EdDSA) or RSA from 2048 bits (PS256), public only"


async def end_client_key(conn: Connection, client_id: str, kid: str, *, now: datetime, actor: str) -> None:
    """End one key now, with every token that was asked for with it."""
    async with conn.transaction():
        await find_client(conn, client_id)
        if not await queries.end_client_keys(conn, client_id=client_id, kid=kid, but=None, ends_at=now):
            raise UnknownKeyError(f"{client_id} has no such key that has not ended")
        await log_client(conn, client_id, "client:end_key", now, actor, kid=kid)


def certificate_jwk(pem: bytes) -> dict[str, Any]:
    """Return a certificate as the JWK to register it by (`x5c`, RFC 7517 §4.7, RFC 8705 §2.2.2). Raises `UnusableKeyError`."""
    try:
        (found,) = x509.load_pem_x509_certificates(pem)
        if read(found.public_bytes(Encoding.DER)).misfit == "key":
            raise JoseRefusedError("key type, curve or size")
        key = found.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {**jose.jwk_of(key), "x5c": [b64encode(found.public_bytes(Encoding.DER)).decode()]}
    except ValueError:
        raise UnusableKeyError("that is not one certificate in PEM") from None
    except (JoseRefusedError, UnsupportedAlgorithm, UnreadableCertificateError):
        raise UnusableKeyError(f"the certificate's key cannot be used; {_KEYS}") from None


def check_method_of_keys(method: str) -> None:
    """Raise `InvalidValueError` unless it is a method that goes by registered keys or certificates."""
    if method not in (PrivateKeyJwt.CLIENT_AUTH_METHOD, mtls.SELF_SIGNED):
        raise InvalidValueError(
            f"a client authenticates by {PrivateKeyJwt.CLIENT_AUTH_METHOD}, {mtls.TLS_CLIENT_AUTH} or {mtls.SELF_SIGNED}"
        )


def registered_keys(method: str, jwks: object) -> dict[str, dict[str, Any]]:
    """Return what is registered by `kid`: keys, or certificates by their `x5t#S256`."""
    check_method_of_keys(method)
    if method == PrivateKeyJwt.CLIENT_AUTH_METHOD:
        return _public_keys(jwks)
    if not isinstance(jwks, list) or not jwks:
        raise UnusableKeyError("at least one certificate is needed")
    found: dict[str, dict[str, Any]] = {}
    for jwk in jwks:
        try:
            der = b64decode(jwk["x5c"][0], validate=True)
            certificate = read(der)
            again = certificate_jwk(certificate.leaf.public_bytes(Encoding.PEM))
            if jose.import_public(jwk).thumbprint != jose.import_public(again).thumbprint:
                raise UnusableKeyError("a JWK is not the key of its certificate")
        except (JoseRefusedError, UnreadableCertificateError, ValueError, TypeError, LookupError) as error:
            if isinstance(error, UnusableKeyError):
                raise
            raise UnusableKeyError(f"each JWK needs its certificate in x5c; {_KEYS}") from None
        if certificate.misfit is not None:
            raise UnusableKeyError(mtls.FAULTS[certificate.misfit])
        _refuse_examples(jose.import_public(again))
        if certificate.thumbprint in found:
            raise UnusableKeyError("two certificates are the same")
        found[certificate.thumbprint] = {**again, "use": "sig"}
    return found


def one_key(method: str, jwk: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return one key as `registered_keys` does, as `kid` and JWK. Raises `UnusableKeyError`, also if the client has no keys of its own."""
    if method == mtls.TLS_CLIENT_AUTH:
        raise UnusableKeyError(
            "an authority vouches for this client: a renewed certificate with the same name works by itself"
        )
    ((kid, public),) = registered_keys(method, [jwk]).items()
    return kid, public


def _public_keys(jwks: object) -> dict[str, dict[str, Any]]:
    """Return the registered form of each JWK by `kid` (its thumbprint if it has none)."""
    if not isinstance(jwks, list) or not jwks:
        raise UnusableKeyError("a JWK Set with at least one key is needed")
    found: dict[str, dict[str, Any]] = {}
    for jwk in jwks:
        try:
            key = jose.import_public(jwk)
        except JoseRefusedError as refused:
            raise UnusableKeyError(f"{refused}; {_KEYS}") from None
        _refuse_examples(key)
        kid = key.kid or key.thumbprint
        if not kid.isprintable() or not kid.strip():
            raise UnusableKeyError("a kid is printable and not blank")
        if kid in found:
            raise UnusableKeyError("two keys have the same kid")
        found[kid] = {**key.jwk, "kid": kid, "use": "sig", **({"alg": jwk["alg"]} if "alg" in jwk else {})}
    return found


def _refuse_examples(key: VerificationKey) -> None:
    if key.thumbprint in EXAMPLE_KEYS:
        raise UnusableKeyError("that is a published example key, which everybody has: make one of your own")

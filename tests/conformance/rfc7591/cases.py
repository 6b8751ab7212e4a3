"""Registrations that are refused: the change to a right one, and the error of RFC 7591 §3.2.2."""

from __future__ import annotations

import warnings
from base64 import b64encode
from typing import Any

from joserfc.jwk import OctKey

from auth import jose
from tests.makers.auth import ABSENT, ec_key, okp_key, rsa_key
from tests.makers.certificates import self_signed

METADATA, REDIRECT = "invalid_client_metadata", "invalid_redirect_uri"
GOOD = jose.generate().public_jwk()
PRIVATE = jose.generate().private_jwk()
RSA_PRIVATE = {**rsa_key().as_dict(private=True), "kid": "rsa"}


def jwks(*keys: Any, **members: Any) -> dict[str, Any]:
    """A registration with these keys."""
    return {"jwks": {"keys": list(keys), **members}}


def public(key: Any, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **members}


def changed(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **members}.items() if value is not ABSENT}


with warnings.catch_warnings(action="ignore"):
    WEAK = public(rsa_key(1024))
    SECRET = {**OctKey.generate_key(256).as_dict(private=True), "kid": "secret"}

KEYS: dict[str, dict[str, Any]] = {
    "no keys": jwks(),
    "no key set": {"jwks": ABSENT},
    "a list instead of a set": {"jwks": [GOOD]},
    "a text instead of a set": {"jwks": "x"},
    "a number instead of a set": {"jwks": 5},
    "keys that are no list": {"jwks": {"keys": GOOD}},
    "keys that are null": {"jwks": {"keys": None}},
    "a key that is a text": jwks("x"),
    "a key that is null": jwks(None),
    "a key that is a list": jwks([GOOD]),
    "a key without members": jwks({}),
    "an unknown curve": jwks(changed(crv="P-999")),
    "a curve that is a number": jwks(changed(crv=256)),
    "a curve that is a list": jwks(changed(crv=["P-256"])),
    "a curve of another kind": jwks(changed(crv="Ed25519")),
    "P-384": jwks(public(ec_key("P-384"))),
    "secp256k1": jwks(public(ec_key("secp256k1"))),
    "Ed448": jwks(public(okp_key("Ed448"))),
    "X25519": jwks(public(okp_key("X25519"))),
    "a type that is a number": jwks(changed(kty=5)),
    "a type that is a list": jwks(changed(kty=["EC"])),
    "a type that is an object": jwks(changed(kty={"EC": 1})),
    "a type that is null": jwks(changed(kty=None)),
    "no type": jwks(changed(kty=ABSENT)),
    "an unknown type": jwks(changed(kty="XX")),
    "a shared secret": jwks(SECRET),
    "a shared secret among keys": jwks(GOOD, SECRET),
    "RSA of 1024 bits": jwks(WEAK),
    "RSA with exponent 1": jwks(public(rsa_key(), e="AQ")),
    "RSA without modulus": jwks({"kty": "RSA", "e": "AQAB"}),
    "RSA of a million bits": jwks({"kty": "RSA", "e": "AQAB", "n": "A" * 60_000}),
    "a private key": jwks(PRIVATE),
    "a private RSA key": jwks(RSA_PRIVATE),
    "a private prime alone": jwks(public(rsa_key(), p="AQAB")),
    "two keys of one kid": jwks({**GOOD, "kid": "a"}, {**jose.generate().public_jwk(), "kid": "a"}),
    "two keys of one kid and different kinds": jwks({**GOOD, "kid": "a"}, public(okp_key(), kid="a")),
    "eleven keys": jwks(*(jose.generate().public_jwk() for _ in range(11))),
    "a kid that is a number": jwks(changed(kid=5)),
    "an empty kid": jwks(changed(kid="")),
    "a kid too long": jwks(changed(kid="x" * 129)),
    "a kid with NUL": jwks(changed(kid="a\x00b")),
    "a kid that is half a character": jwks(changed(kid="\ud800")),
    "a kid that turns text around": jwks(changed(kid="\u202egnihton")),
    "a key for encryption": jwks(changed(use="enc")),
    "a key for another operation": jwks(changed(key_ops=["encrypt"])),
    "operations that are a number": jwks(changed(key_ops=5)),
    "a key for HMAC": jwks(changed(alg="HS256")),
    "a key for RS256": jwks(public(rsa_key(), alg="RS256")),
    "an algorithm that is a list": jwks(changed(alg=["ES256"])),
    "a point off the curve": jwks(changed(x=GOOD["y"])),
    "a coordinate that is no base64": jwks(changed(x="!!!")),
    "a coordinate that is a number": jwks(changed(x=5)),
    "a coordinate too long": jwks(changed(x="A" * 5000)),
    "both jwks and jwks_uri": {"jwks_uri": "https://keys.example/jwks.json"},
}

ADDRESSES: dict[str, Any] = {
    "http": "http://keys.example/jwks",
    "ftp": "ftp://keys.example/jwks",
    "a file": "file:///etc/passwd",
    "the metadata service": "https://169.254.169.254/latest/meta-data",
    "this machine": "https://localhost/jwks",
    "this machine by number": "https://127.0.0.1/jwks",
    "this machine in decimal": "https://2130706433/jwks",
    "this machine in IPv6": "https://[::1]/jwks",
    "an inner address": "https://10.0.0.1/jwks",
    "an inner name": "https://database/jwks",
    "a password": "https://a:b@keys.example/jwks",
    "another port": "https://keys.example:22/jwks",
    "a fragment": "https://keys.example/jwks#a",
    "a line break": "https://keys.example/\r\nX: y",
    "nothing": "",
    "a number": 5,
    "a list": ["https://keys.example/jwks"],
    "half a character": "https://keys.example/\ud800",
}

MEMBERS: dict[str, dict[str, Any]] = {
    "no name": {"client_name": ABSENT},
    "a name that is null": {"client_name": None},
    "an empty name": {"client_name": ""},
    "a name of blanks": {"client_name": "   "},
    "a name that is a number": {"client_name": 5},
    "a name that is a list": {"client_name": ["x"]},
    "a name too long": {"client_name": "x" * 201},
    "a name with NUL": {"client_name": "a\x00b"},
    "a name that turns text around": {"client_name": "\u202exyz"},
    "a name that is half a character": {"client_name": "\ud83d"},
    "a secret": {"token_endpoint_auth_method": "client_secret_basic"},
    "a secret in the body": {"token_endpoint_auth_method": "client_secret_post"},
    "a signed secret": {"token_endpoint_auth_method": "client_secret_jwt"},
    "no authentication": {"token_endpoint_auth_method": "none"},
    "certificates where they are not taken": {
        "token_endpoint_auth_method": "tls_client_auth",
        "jwks": ABSENT,
        "tls_client_auth_san_dns": "a.example",
    },
    "own certificates where they are not taken": {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
    "a method that is a list": {"token_endpoint_auth_method": ["private_key_jwt"]},
    "a method that is an object": {"token_endpoint_auth_method": {}},
    "a method that is a number": {"token_endpoint_auth_method": 0},
    "the code grant": {"grant_types": ["authorization_code"]},
    "the code grant as well": {"grant_types": ["client_credentials", "authorization_code"]},
    "passwords": {"grant_types": ["password"]},
    "refresh tokens": {"grant_types": ["client_credentials", "refresh_token"]},
    "the implicit grant": {"grant_types": ["implicit"]},
    "no grant": {"grant_types": []},
    "a grant that is a text": {"grant_types": "client_credentials"},
    "grants that are lists": {"grant_types": [["client_credentials"]]},
    "grants that are an object": {"grant_types": {"client_credentials": True}},
    "codes": {"response_types": ["code"]},
    "response types that are a text": {"response_types": "code"},
    "response types that are objects": {"response_types": [{}]},
    "more than invited to": {"scope": "cases.read cases.write"},
    "an administrator's scope": {"scope": "admin.write"},
    "an unknown scope": {"scope": "everything"},
    "an empty scope": {"scope": ""},
    "a scope of blanks": {"scope": "  "},
    "two blanks between scopes": {"scope": "cases.read  events.read"},
    "scopes that are a list": {"scope": ["cases.read"]},
    "a scope that is a number": {"scope": 1},
    "a scope that is half a character": {"scope": "\ud800"},
    "a name in a certificate without certificates": {"tls_client_auth_san_dns": "a.example"},
    "tokens bound to a certificate where none is taken": {"tls_client_certificate_bound_access_tokens": True},
    "tokens bound to nothing": {"tls_client_certificate_bound_access_tokens": False, "dpop_bound_access_tokens": False},
    "tokens not bound by DPoP where nothing else is": {"dpop_bound_access_tokens": False},
    "tokens bound twice": {"tls_client_certificate_bound_access_tokens": True, "dpop_bound_access_tokens": True},
    "a binding that is a text": {"dpop_bound_access_tokens": "true"},
    "a binding that is a number": {"tls_client_certificate_bound_access_tokens": 1},
    "software that is a number": {"software_id": 5},
    "software too long": {"software_id": "x" * 201},
    "an empty version": {"software_version": ""},
    "a version with NUL": {"software_version": "\x00"},
    "a version that is an object": {"software_version": {}},
}

REDIRECTS: dict[str, Any] = {
    "an address": ["https://client.example/callback"],
    "a text": "https://client.example/callback",
    "a number": 5,
    "numbers": [5],
    "an object": {"a": 1},
}

REFUSED = (
    [(f"keys: {name}", change, METADATA) for name, change in KEYS.items()]
    + [(f"jwks_uri: {name}", {"jwks": ABSENT, "jwks_uri": value}, METADATA) for name, value in ADDRESSES.items()]
    + [(f"members: {name}", change, METADATA) for name, change in MEMBERS.items()]
    + [(f"redirect_uris: {name}", {"redirect_uris": value}, REDIRECT) for name, value in REDIRECTS.items()]
)


def _certificate(**members: Any) -> dict[str, Any]:
    issued = self_signed()
    return {**jose.jwk_of(_pem(issued)), "x5c": [b64encode(issued.der).decode()], **members}


def _pem(issued: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(issued.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


CERTIFICATE = _certificate()
SELF_SIGNED = {"token_endpoint_auth_method": "self_signed_tls_client_auth"}
PKI = {"token_endpoint_auth_method": "tls_client_auth", "jwks": ABSENT}
REFUSED_WITH_MUTUAL_TLS: dict[str, dict[str, Any]] = {
    "a key without certificate": SELF_SIGNED,
    "a certificate that is none": {**SELF_SIGNED, **jwks(changed(x5c=["AAAA"]))},
    "a certificate that is a number": {**SELF_SIGNED, **jwks(changed(x5c=[5]))},
    "certificates that are a text": {**SELF_SIGNED, **jwks(changed(x5c="AAAA"))},
    "no certificates": {**SELF_SIGNED, **jwks(changed(x5c=[]))},
    "another key's certificate": {**SELF_SIGNED, **jwks(changed(x5c=CERTIFICATE["x5c"]))},
    "one certificate twice": {**SELF_SIGNED, **jwks(CERTIFICATE, CERTIFICATE)},
    "no name": PKI,
    "two names": {**PKI, "tls_client_auth_san_dns": "a.example", "tls_client_auth_subject_dn": "CN=a"},
    "a name beside keys": {**PKI, "tls_client_auth_san_dns": "a.example", **jwks(GOOD)},
    "a name beside a jwks_uri": {**PKI, "tls_client_auth_san_dns": "a.example", "jwks_uri": "https://keys.example/"},
    "a name that is a number": {**PKI, "tls_client_auth_san_ip": 5},
    "a name that is a list": {**PKI, "tls_client_auth_san_dns": ["a.example"]},
    "an empty name": {**PKI, "tls_client_auth_subject_dn": ""},
    "a subject that is none": {**PKI, "tls_client_auth_subject_dn": "nonsense"},
    "an address that is none": {**PKI, "tls_client_auth_san_ip": "1.2.3"},
    "all names below one": {**PKI, "tls_client_auth_san_dns": "*.example"},
    "a name that is half a character": {**PKI, "tls_client_auth_san_uri": "https://\ud800"},
}

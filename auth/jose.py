"""The one place that reads and writes JWS (RFC 7515) and JWK (RFC 7517). joserfc computes; what is let through is decided here.

Narrower than the RFCs on purpose: three algorithms, no `crit`, no unencoded payload, no key found by a header, strict
JSON, 8 KiB. Whatever is wrong ends in `JoseRefusedError`, also what a library would let escape as another exception.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

MAX_TOKEN: Final = 8192
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 4096  # beyond that a verification costs others their turn
ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"""FAPI 2.0 Security Profile §5.4.1; `EdDSA` only with Ed25519, which RFC 9864 calls by its own name."""

_EDWARDS = frozenset({"EdDSA", "Ed25519"})
_MODELS = {name: JWSRegistry.algorithms["Ed25519" if name in _EDWARDS else name] for name in ALGORITHMS}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PUBLIC_MEMBERS = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("n", "e")}
_NUMBERS = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("n", "e")}
_ESCAPES = (JoseError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError)
"""What parsers and key imports were seen to raise on bytes an attacker chose."""


class JoseRefusedError(Exception):
    """A JWS or JWK that is not taken; the message names the rule, never a value."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JoseRefusedError("duplicate member")  # RFC 7515 §4: names must be unique; last-one-wins hides an audience
    return members


def _constant(_: str) -> float:
    raise JoseRefusedError("not a number")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def _json(segment: str) -> dict[str, Any]:
    value = _decoder.decode(urlsafe_b64decode(segment.encode("ascii")).decode("utf-8"))
    if not isinstance(value, dict):
        raise JoseRefusedError("not a JSON object")
    return value


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, and the algorithms it may verify: told by its type and registration, never by a header."""

    kid: str | None
    thumbprint: str
    algorithms: frozenset[str]
    jwk: Mapping[str, Any] = field(repr=False)
    key: Key = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unverified:
    """A parsed JWS nobody has vouched for yet."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The header's `alg`, already known to be one of `ALGORITHMS`."""
        return str(self.header["alg"])

    @property
    def kid(self) -> str | None:
        """The header's `kid`."""
        return self.header.get("kid")

    def is_signed_by(self, key: VerificationKey) -> bool:
        """Whether the signature verifies with `key`, under an algorithm the key is for."""
        if self.algorithm not in key.algorithms:
            return False
        try:
            return bool(_MODELS[self.algorithm].verify(self.signing_input, self.signature, key.key))
        except _ESCAPES:
            return False


def _media_type(value: object) -> str:
    """Return a `typ` as RFC 7515 §4.1.9 compares it: case-insensitively, `application/` understood."""
    if not isinstance(value, str):
        raise JoseRefusedError("typ is not a string")
    return value.lower().removeprefix("application/")


def _checked(header: dict[str, Any], types: Collection[str | None]) -> dict[str, Any]:
    if header.get("alg") not in ALGORITHMS:
        raise JoseRefusedError("algorithm")
    for name in ("crit", "b64", "zip", "enc"):
        if name in header:
            raise JoseRefusedError(f"{name} is not taken")
    if (_media_type(header["typ"]) if "typ" in header else None) not in types:
        raise JoseRefusedError("typ")
    if not isinstance(header.get("kid", ""), str):
        raise JoseRefusedError("kid is not a string")
    return header


def split(token: str) -> tuple[str, str, str]:
    """Return the three segments, refusing what is too large before anything looks inside."""
    if len(token) > MAX_TOKEN:
        raise JoseRefusedError("too large")
    parts = token.split(".")
    if len(parts) != 3:
        raise JoseRefusedError("not a compact JWS")
    return parts[0], parts[1], parts[2]


def parse(token: str, types: Collection[str | None]) -> Unverified:
    """Parse a compact JWS whose payload is a JSON object, without verifying it."""
    head, payload, signature = split(token)
    return assemble(read_header(head, types), head, payload, signature)


def read_header(head: str, types: Collection[str | None]) -> dict[str, Any]:
    """Parse and check a header segment. `types`: the media types taken, None for an absent `typ`."""
    try:
        return _checked(_json(head), types)
    except _ESCAPES as error:
        raise JoseRefusedError(type(error).__name__) from None


def assemble(header: dict[str, Any], head: str, payload: str, signature: str) -> Unverified:
    """Parse payload and signature under a header that was read before."""
    try:
        encoded = signature.encode("ascii")
        decoded = urlsafe_b64decode(encoded)
        if urlsafe_b64encode(decoded) != encoded:
            raise JoseRefusedError("not base64url")  # RFC 4648 §3.5: else one JWS could be written in several ways
        return Unverified(header, _json(payload), f"{head}.{payload}".encode("ascii"), decoded)
    except _ESCAPES as error:
        raise JoseRefusedError(type(error).__name__) from None


def select(keys: Iterable[VerificationKey], token: Unverified) -> VerificationKey | None:
    """Return the key to verify with: by `kid`, type and algorithm (FAPI 2.0 §5.4.3); without a `kid` only where there is no choice."""
    if token.kid is not None:
        keys = [key for key in keys if key.kid == token.kid]
        fitting = [key for key in keys if token.algorithm in key.algorithms]
        return fitting[0] if len(fitting) == 1 else None
    keys = list(keys)
    return keys[0] if len(keys) == 1 else None


def numeric_date(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a NumericDate (RFC 7519 §2), None where it is absent. Raises `JoseRefusedError` for anything but a finite number."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e11:
        raise JoseRefusedError(f"{name} is not a time")
    return float(value)


def has_private_members(jwk: Mapping[str, Any]) -> bool:
    """Whether a JWK has members that must never leave its owner."""
    return bool(_PRIVATE_MEMBERS & jwk.keys())


def import_public(jwk: object) -> VerificationKey:
    """Return the public key `jwk` describes: P-256, Ed25519 or RSA of 2048 to 4096 bits, for signatures, nothing private in it."""
    try:
        return _import_public(jwk)
    except _ESCAPES as error:
        raise JoseRefusedError(f"not a usable JWK ({type(error).__name__})") from None


def _import_public(jwk: object) -> VerificationKey:
    if not isinstance(jwk, dict):
        raise JoseRefusedError("not a JWK")
    if has_private_members(jwk):
        raise JoseRefusedError("the JWK has private members")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ("verify",)):
        raise JoseRefusedError("the JWK is not for signatures")
    kty = jwk["kty"]
    # only the members that make the key go to the importer: x5u and the like are never looked at
    plain: dict[str, Any] = {"kty": kty, **{name: jwk[name] for name in _PUBLIC_MEMBERS[kty]}}
    if any(not isinstance(value, str) for value in plain.values()):
        raise JoseRefusedError("JWK members must be strings")
    if not all(_is_canonical(plain[name], None if kty == "RSA" else 32) for name in _NUMBERS[kty]):
        raise JoseRefusedError("JWK members must be base64url of full length, without padding and spare bits")
    key, algorithms = _typed(kty, plain)
    kid, alg = jwk.get("kid"), jwk.get("alg")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= 128):
        raise JoseRefusedError("kid")
    if alg is not None and alg not in algorithms:
        raise JoseRefusedError("the JWK is for another algorithm")
    return VerificationKey(kid=kid, thumbprint=key.thumbprint(), algorithms=algorithms, jwk=plain, key=key)


def jwk_of(key: bytes) -> dict[str, Any]:
    """Return the JWK of a public key in PEM. Raises `JoseRefusedError` for a kind this exchange does not take."""
    for kind in (ECKey, OKPKey, RSAKey):
        try:
            return dict(import_public(dict(kind.import_key(key).as_dict(private=False))).jwk)
        except (JoseRefusedError, *_ESCAPES):
            continue
    raise JoseRefusedError("key type, curve or size")


def _typed(kty: Literal["EC", "OKP", "RSA"], plain: dict[str, Any]) -> tuple[Key, frozenset[str]]:
    if kty == "EC" and plain["crv"] == "P-256":
        return ECKey.import_key(plain), frozenset({"ES256"})
    if kty == "OKP" and plain["crv"] == "Ed25519":
        if _ordinate(plain["x"]) in _SMALL_ORDER:
            raise JoseRefusedError("a point of small order")
        return OKPKey.import_key(plain), _EDWARDS
    if kty == "RSA" and MIN_RSA_BITS <= _bits(plain["n"]) <= MAX_RSA_BITS and plain["e"] == "AQAB":
        return RSAKey.import_key(plain), frozenset({"PS256"})
    raise JoseRefusedError("key type, curve or size")


def _is_canonical(number: str, octets: int | None) -> bool:
    """Whether it is the one way to write this number (RFC 7518 §2, §6.2.1.2, RFC 8037 §2): else a key could come back in other letters.

    `octets`: its length; None: as few as it needs.
    """
    raw = urlsafe_b64decode(number.encode("ascii"))
    right = len(raw) == octets if octets is not None else raw[:1] not in (b"", b"\0")
    return right and urlsafe_b64encode(raw).decode("ascii") == number


_FIELD: Final = 2**255 - 19
_EIGHTH: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER: Final = frozenset({0, 1, _FIELD - 1, _EIGHTH, _FIELD - _EIGHTH})
"""Of the eight points on edwards25519 whose order divides 8: as keys they fit signatures that nobody has made (RFC 8032 §5.1.7, §8)."""


def _ordinate(point: str) -> int:
    """Return the y of an encoded point (RFC 8032 §5.1.3), reduced as verifying reduces it."""
    return int.from_bytes(urlsafe_b64decode(point.encode("ascii")), "little") % 2**255 % _FIELD


def _bits(modulus: str) -> int:
    return int.from_bytes(urlsafe_b64decode(modulus.encode("ascii")), "big").bit_length()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the algorithm it signs by."""

    algorithm: str
    public: VerificationKey
    key: Key = field(repr=False)

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Return the compact JWS of `claims` (RFC 7515 §7.1)."""
        head = urlsafe_b64encode(orjson.dumps({"alg": self.algorithm, **header}))
        signing_input = head + b"." + urlsafe_b64encode(orjson.dumps(claims))
        return (signing_input + b"." + urlsafe_b64encode(_MODELS[self.algorithm].sign(signing_input, self.key))).decode(
            "ascii"
        )

    def private_jwk(self) -> dict[str, Any]:
        """Return the JWK with its private members, to be stored encrypted or in its owner's file."""
        return {**self.key.as_dict(private=True), "kid": self.public.kid, "alg": self.algorithm}

    def public_jwk(self) -> dict[str, Any]:
        """Return the JWK to publish or register."""
        return {**self.public.jwk, "kid": self.public.kid, "alg": self.algorithm, "use": "sig"}


def import_private(jwk: Mapping[str, Any]) -> SigningKey:
    """Return the private key `jwk` describes. A missing `kid` becomes the thumbprint (RFC 7638)."""
    try:
        public = import_public(
            {name: value for name, value in jwk.items() if name not in _PRIVATE_MEMBERS and name != "key_ops"}
        )
        plain = {name: value for name, value in jwk.items() if name in _PRIVATE_MEMBERS or name in public.jwk}
        loader: type[ECKey] | type[OKPKey] | type[RSAKey] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}[plain["kty"]]  # type: ignore[assignment]
        key = loader.import_key(plain)
    except _ESCAPES as error:
        raise JoseRefusedError(f"not a usable private JWK ({type(error).__name__})") from None
    if not key.is_private:
        raise JoseRefusedError("the JWK has no private members")
    algorithm = jwk.get("alg") or ("Ed25519" if public.algorithms == _EDWARDS else next(iter(public.algorithms)))
    named = VerificationKey(
        public.kid or public.thumbprint, public.thumbprint, public.algorithms, public.jwk, public.key
    )
    return SigningKey(algorithm=algorithm, public=named, key=key)


def generate(algorithm: str = "ES256") -> SigningKey:
    """Make a new private key for `algorithm`; its `kid` is its thumbprint."""
    key: ECKey | OKPKey | RSAKey
    if algorithm == "ES256":
        key = ECKey.generate_key("P-256")
    elif algorithm in _EDWARDS:
        key = OKPKey.generate_key("Ed25519")
    else:
        key = RSAKey.generate_key(2048)
    return import_private({**key.as_dict(private=True), "alg": algorithm})

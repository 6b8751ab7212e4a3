"""Sealed sections on their way in: what of a JWE the exchange can check. The database checks the rest: whose keys they are (`store_sealed`)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from app.foundation.problems import InvalidRequest
from schemas.record.record import Record
from schemas.record.sealed import EphemeralKey

MARK: Final = b"JWE "
"""Before a sealed section at rest: no JSON begins so."""


class SealedPart(dict[str, Any]):
    """A section that is sealed, as it was given: only the receiving agency can read it."""


def recipients_of(record: Record) -> list[dict[str, Any]] | None:
    """Return to whom each section is sealed, a row for each recipient; None where nothing is. Raises `InvalidRequest`."""
    if record.sealed is None:
        return None
    rows: list[dict[str, Any]] = []
    faults: list[dict[str, str]] = []
    for section, sealed in record.sealed.by_name().items():
        for place, (recipient, epk) in enumerate(zip(sealed.recipients, sealed.ephemeral_keys(), strict=True)):
            if not on_its_curve(epk):
                faults.append(
                    {"pointer": f"/record/sealed/{section}/recipients/{place}/header/epk", "code": "epk_of_its_curve"}
                )
            rows.append({"section": section, "kid": recipient.header.kid, "crv": epk.crv, "place": place})
    if faults:
        raise InvalidRequest(faults)
    return rows or None


def on_its_curve(key: EphemeralKey) -> bool:
    """Whether it is a point that agrees on something: another one would be an attack on the key it is agreed with, or no secret at all."""
    try:
        if key.crv == "X25519":
            return bool(X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(_bytes(key.x))))
        EllipticCurvePublicNumbers(_number(key.x), _number(key.y or ""), SECP256R1()).public_key()
    except ValueError:
        return False
    return True


def _bytes(encoded: str) -> bytes:
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def _number(encoded: str) -> int:
    return int.from_bytes(_bytes(encoded), "big")

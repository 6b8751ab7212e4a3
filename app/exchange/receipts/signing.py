"""What a receipt says, signed: a JWS (RFC 7515) of a type of its own, by the log's key."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from app.log.keys import LogKey
from app.log.tree import HASH_BYTES
from auth.jose import JoseRefusedError, SigningKey, import_private, import_public, parse, select

TYPE: Final = "rujukan-receipt+jws"


def b64url(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """Return what base64url without padding stands for. Raises `ValueError`."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if b64url(raw) != text:
        raise ValueError("not base64url without padding")
    return raw


def statement(
    entry: Mapping[str, Any], leaf_hash: bytes, *, issuer: str, log: str, agency: str | None
) -> dict[str, Any]:
    """Return what is signed. All of it follows from the stored entry: whenever it is asked for, it is the same statement."""
    said = {
        "iss": issuer,
        "log": log,
        "entry": entry["id"],
        "leaf_hash": b64url(leaf_hash),
        "time": entry["recorded_at"],
        "agency": agency,
        "action": entry["action"],
        "subject": entry["subject"],
        "subject_id": entry["subject_id"],
        "case_id": entry["case_id"],
        "record_version": entry["detail"].get("record_version"),
        "commitment": entry["detail"].get("commitment"),
    }
    return {name: value for name, value in said.items() if value is not None}


def sign(said: Mapping[str, Any], key: LogKey) -> str:
    """Return the receipt in compact form. Ed25519 signs deterministically: as long as the key is the same, so is the receipt."""
    signing: SigningKey = import_private({**key.verifier.jwk, "d": b64url(key.private.private_bytes_raw())})
    return signing.sign({"typ": TYPE, "kid": key.verifier.jwk["kid"]}, said)


class ReceiptRefused(ValueError):
    """A receipt that is not taken; the message says why."""


def verify(receipt: str, jwks: list[dict[str, str]]) -> dict[str, Any]:
    """Return what a receipt says, if one of these keys has signed it. Raises `ReceiptRefused`."""
    try:
        token = parse(receipt.strip(), (TYPE,))
        key = select([import_public(jwk) for jwk in jwks], token) if token.kid is not None else None
    except JoseRefusedError as error:
        raise ReceiptRefused(f"not a receipt ({error})") from None
    if key is None:
        raise ReceiptRefused("it is not signed by a key you trust")
    if not token.is_signed_by(key):
        raise ReceiptRefused("the signature is wrong")
    try:
        if len(unb64url(token.claims["leaf_hash"])) != HASH_BYTES:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ReceiptRefused("it names no leaf of the log") from None
    return token.claims

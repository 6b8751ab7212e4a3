"""Signatures of webhooks (Standard Webhooks 1.0): Ed25519, so that nobody but the exchange can make one, and no secret is shared."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VERSION: Final = "v1a"
PUBLIC_PREFIX: Final = "whpk_"


def generate() -> bytes:
    """Return a new private key: the 32 bytes of its seed."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> str:
    """Return the public key as Standard Webhooks writes it: `whpk_` and the base64 of its 32 bytes."""
    return (
        PUBLIC_PREFIX
        + base64.b64encode(Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()).decode()
    )


def headers(message_id: str, at: datetime, body: bytes, private_keys: Sequence[bytes]) -> dict[str, str]:
    """Return `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`: a signature by each key, while one takes over from another."""
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (Ed25519PrivateKey.from_private_bytes(key).sign(signed) for key in private_keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"{VERSION},{base64.b64encode(each).decode()}" for each in signatures),
    }

"""Identifiers: UUIDv7 for machines, short references with a check character for people on the telephone."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

import uuid_utils

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECK: Final = CROCKFORD + "*~$=U"  # Crockford's 37 check symbols
_READ: Final = {**{c: i for i, c in enumerate(CROCKFORD)}, "O": 0, "I": 1, "L": 1}


def uuid7(at: datetime) -> UUID:
    """Return a UUIDv7 (RFC 9562 §5.7) of the given time; ids made later sort later."""
    return UUID(bytes=uuid_utils.uuid7(nanoseconds=int(at.timestamp() * 1_000_000) * 1000).bytes)


def new_reference(prefix: str) -> str:
    """Return a reference to read out, as `K-7XQ2-M4PD-9`: 40 random bits in Crockford's base 32 and a check character."""
    number = secrets.randbits(40)
    digits = "".join(CROCKFORD[(number >> shift) & 31] for shift in range(35, -1, -5))
    return f"{prefix}-{digits[:4]}-{digits[4:]}-{CHECK[number % 37]}"


def read_reference(text: str) -> str | None:
    """Return the reference as it is written, from what a person typed (O for 0, small letters, spaces), or None if it is none."""
    compact = text.upper().replace("-", "").replace(" ", "")
    if len(compact) != 10 or compact[0] not in "KRT":
        return None
    digits, check = compact[1:9], compact[9]
    if any(c not in _READ for c in digits):
        return None
    number = 0
    for c in digits:
        number = number << 5 | _READ[c]
    if CHECK[number % 37] != {"O": "0", "I": "1", "L": "1"}.get(check, check):
        return None
    plain = "".join(CROCKFORD[_READ[c]] for c in digits)
    return f"{compact[0]}-{plain[:4]}-{plain[4:]}-{CHECK[number % 37]}"

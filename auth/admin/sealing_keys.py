"""Agencies' public encryption keys, to which sections are sealed: what may be published, and how they end.

Only an agency's own client adds one: an administrator who could would read what is sealed to it. Administrators end them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from app.foundation.database import Connection
from auth.admin import queries
from auth.admin.errors import InvalidValueError, UnknownKeyError, UnusableKeyError
from auth.example_keys import EXAMPLE_KEYS

ALGORITHM: Final = "ECDH-ES+A256KW"
_CLOCKS_APART: Final = timedelta(seconds=60)
END_REASONS: Final = ("replaced", "lost", "stolen")
_CURVES: Final = {"P-256": ("kty", "crv", "x", "y"), "X25519": ("kty", "crv", "x")}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ESCAPES: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError)


def public_encryption_key(jwk: object) -> tuple[str, dict[str, Any]]:
    """Return a public key as it is published, by its thumbprint (RFC 7638). Raises `UnusableKeyError`."""
    if not isinstance(jwk, Mapping):
        raise UnusableKeyError("a JWK is a JSON object")
    if _PRIVATE & jwk.keys():
        raise UnusableKeyError("it is private, and no secret any more: throw it away and make another")
    if not isinstance(jwk.get("crv"), str) or jwk["crv"] not in _CURVES:
        raise UnusableKeyError("encryption keys are P-256 or X25519")
    if jwk.get("use", "enc") != "enc" or jwk.get("alg", ALGORITHM) != ALGORITHM:
        raise UnusableKeyError(f"use is enc and alg {ALGORITHM}")
    plain: dict[str, Any] = {name: jwk.get(name) for name in _CURVES[jwk["crv"]]}
    try:
        key: ECKey | OKPKey = ECKey.import_key(plain) if jwk["crv"] == "P-256" else OKPKey.import_key(plain)
        if isinstance(key, OKPKey):  # a point of small order makes no secret: it raises
            X25519PrivateKey.generate().exchange(key.public_key)  # type: ignore[arg-type]
        thumbprint = key.thumbprint()
        written = key.as_dict(private=False)
    except _ESCAPES:
        raise UnusableKeyError("the JWK is not a public key of its curve") from None
    if any(written.get(name) != value for name, value in plain.items()):
        raise UnusableKeyError("the JWK is not written as RFC 7518 section 6 says")
    if jwk.get("kid", thumbprint) != thumbprint:
        raise UnusableKeyError("the kid of an encryption key is its thumbprint (RFC 7638), or is left out")
    if thumbprint in EXAMPLE_KEYS:
        raise UnusableKeyError("that is a published example key, which everybody has: make one of your own")
    return thumbprint, {**plain, "kid": thumbprint, "use": "enc", "alg": ALGORITHM}


async def end_sealing_key(
    conn: Connection,
    agency: str,
    kid: str,
    *,
    reason: str,
    compromised_since: datetime | None = None,
    now: datetime,
    actor: str,
) -> list[str]:
    """End a key of an agency now, for good, and tell the agency; returns the `kid` of each that ended.

    `compromised_since`: of a stolen one; what the system that added it has added for this agency since then ends with it, as by the kill switch.
    Raises `UnknownKeyError`, `InvalidValueError`.
    """
    if reason not in END_REASONS:
        raise InvalidValueError(f"a key ends because it is {', '.join(END_REASONS[:-1])} or {END_REASONS[-1]}")
    if compromised_since is not None and reason != "stolen":
        raise InvalidValueError("only of a stolen key is it asked since when it was another's")
    if compromised_since is not None and compromised_since > now + _CLOCKS_APART:
        raise InvalidValueError("a key cannot have been stolen in the future")
    async with conn.transaction():
        agency_id = await _agency(conn, agency)
        row = await conn.fetchrow(
            """UPDATE sealing_key SET ends_at = $3, end_reason = $4
               WHERE agency_id = $1 AND kid = $2 AND (ends_at IS NULL OR ends_at > $3) RETURNING id, client_id""",
            agency_id,
            kid,
            now,
            reason,
        )
        if row is None:
            raise UnknownKeyError(f"{agency} has no such encryption key that has not ended")
        await conn.execute("SELECT tell_of_sealing_key($1, $2)", row["id"], now)
        ended = [kid]
        if compromised_since is not None:
            ended += await end_added_since(conn, row["client_id"], compromised_since, now, agency_id=agency_id)
        await queries.log_act(
            conn,
            at=now,
            actor=actor,
            action="agency:end_encryption_key",
            subject="encryption_key",
            subject_id=row["id"],
            detail={"agency": agency, "kid": kid, "reason": reason}
            | (
                {"compromised_since": compromised_since.isoformat(timespec="seconds"), "ended": ended}
                if compromised_since is not None
                else {}
            ),
        )
    return ended


async def list_sealing_keys(conn: Connection, agency: str) -> list[asyncpg.Record]:
    """Return an agency's keys, the newest first, ended ones too."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT kid, starts_at, ends_at, end_reason, added_at, client_id FROM sealing_key
           WHERE agency_id = $1 ORDER BY added_at DESC, id DESC""",
        await _agency(conn, agency),
    )
    return rows


async def end_added_since(
    conn: Connection, client_id: str, since: datetime, now: datetime, *, agency_id: UUID | None = None
) -> list[str]:
    """End every encryption key that a client has added since it may have been stolen, for one agency or all; returns their `kid`s.

    In the caller's transaction.
    """
    rows = await conn.fetch(
        """UPDATE sealing_key SET ends_at = $3, end_reason = 'stolen'
           WHERE client_id = $1 AND added_at >= $2 AND (ends_at IS NULL OR ends_at > $3) AND agency_id = coalesce($4, agency_id)
           RETURNING id, kid""",
        client_id,
        since,
        now,
        agency_id,
    )
    for row in rows:
        await conn.execute("SELECT tell_of_sealing_key($1, $2)", row["id"], now)
    return [row["kid"] for row in rows]


async def _agency(conn: Connection, code: str) -> UUID:
    id: UUID | None = await conn.fetchval("SELECT id FROM agency WHERE code = $1", code)
    if id is None:
        raise InvalidValueError(f"there is no agency {code}")
    return id

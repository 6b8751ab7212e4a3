"""The keys access tokens are signed by: `next` → `active` → `retiring` → `retired`.

- One key is `active` and signs. One is `next`: published, so that everybody's copy of the JWKS has it before it signs.
- Rotation makes `next` the active one, the active one `retiring`, and a new `next`. A `next` younger than `PUBLISH_BEFORE`
  is not promoted: somebody may still hold a JWKS without it.
- A `retiring` key stays published until the last token it signed has expired; it cannot sign, its private half is gone.
- Rotation at once is for a key that may have leaked: it is withdrawn from the JWKS, and the tokens it signed end with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, Place
from auth import jose, queries
from auth.jose import SigningKey, VerificationKey

ALGORITHM: Final = "ES256"
JWKS_MAX_AGE: Final = timedelta(minutes=5)
PUBLISH_BEFORE: Final = timedelta(minutes=15)
"""Three times what caches may keep a JWKS."""
RETIRING_FOR: Final = timedelta(minutes=15)
"""Longer than the longest life of a token (ten minutes), with room for clocks that differ."""


class NextKeyTooYoungError(ValueError):
    """The next key has not been published for long enough; wait, or rotate at once if the active key may have leaked."""


@dataclass(frozen=True, slots=True)
class Signing:
    """The signing keys as a process holds them: the one that signs, and all that verify, by `kid`."""

    active: SigningKey | None
    published: Mapping[str, tuple[VerificationKey, datetime | None]]

    def verifying(self, kid: str | None, *, now: datetime) -> VerificationKey | None:
        """Return the key named `kid` if tokens signed by it still count."""
        found = self.published.get(kid or "")
        if found is None or (found[1] is not None and found[1] <= now):
            return None
        return found[0]

    def jwks(self, *, now: datetime) -> dict[str, Any]:
        """Return the JWK Set to publish (RFC 7517 §5)."""
        keys = [key for key, until in self.published.values() if until is None or until > now]
        return {"keys": [{**key.jwk, "kid": key.kid, "alg": ALGORITHM, "use": "sig"} for key in keys]}


def load(rows: Iterable[Mapping[str, Any]], keyring: Keyring) -> Signing:
    """Decrypt the active key and read the public halves of all that are published."""
    active: SigningKey | None = None
    published: dict[str, tuple[VerificationKey, datetime | None]] = {}
    for row in rows:
        published[row["kid"]] = (jose.import_public(json.loads(row["jwk"])), row["published_until"])
        if row["state"] == "active":
            active = jose.import_private(json.loads(keyring.open_one(_place(row["id"]), row["private_sealed"])))
    return Signing(active=active, published=published)


async def rotate(
    conn: Connection, keyring: Keyring, now: datetime, at_once: bool = False, *, actor: str = "system"
) -> str:
    """Sign with another key from now on and return its `kid`. `at_once`: the active key is not trusted any more.

    Raises `NextKeyTooYoungError` unless `at_once`.
    """
    async with conn.transaction():
        found = {row["state"]: row for row in await queries.lock_signing_keys(conn)}
        coming, active = found.get("next"), found.get("active")
        if active and coming and not at_once and coming["created_at"] > now - PUBLISH_BEFORE:
            raise NextKeyTooYoungError("the next key was published less than 15 minutes ago")
        if active:
            state, until = ("retired", now) if at_once else ("retiring", now + RETIRING_FOR)
            await queries.end_signing_key(conn, active["id"], state=state, published_until=until)
        if coming:
            await queries.activate_signing_key(conn, coming["id"], at=now)
            kid: str = coming["kid"]
        else:
            kid = await _add(conn, keyring, state="active", now=now)
        await _add(conn, keyring, state="next", now=now)
        await queries.log_act(
            conn,
            at=now,
            actor=actor,
            action="signing_key:rotate",
            subject="signing_key",
            detail={"kid": kid, "at_once": at_once},
        )
    return kid


async def ensure_active(
    conn: Connection, keyring: Keyring, now: datetime, *, rotate_after: timedelta = timedelta(days=90)
) -> None:
    """Make the first keys, retire those whose last token has expired, and rotate what is older than `rotate_after`.

    Costs one query when there is nothing to do; call it at start and every few minutes.
    """
    rows = await queries.signing_keys(conn, retired=False)
    states = {row["state"]: row for row in rows}
    if any(row["state"] == "retiring" and row["published_until"] <= now for row in rows):
        async with conn.transaction():
            for row in await queries.lock_signing_keys(conn):
                if row["state"] == "retiring" and row["published_until"] <= now:
                    await queries.end_signing_key(
                        conn, row["id"], state="retired", published_until=row["published_until"]
                    )
    active, coming = states.get("active"), states.get("next")
    if active is None or coming is None:
        async with conn.transaction():
            present = {row["state"] for row in await queries.lock_signing_keys(conn)}
            for state in ("active", "next"):
                if state not in present:
                    kid = await _add(conn, keyring, state=state, now=now)
                    await queries.log_act(
                        conn,
                        at=now,
                        actor="system",
                        action="signing_key:create",
                        subject="signing_key",
                        detail={"kid": kid},
                    )
    elif active["activated_at"] <= now - rotate_after and coming["created_at"] <= now - PUBLISH_BEFORE:
        await rotate_due(conn, keyring, now, rotate_after=rotate_after)


async def rotate_due(conn: Connection, keyring: Keyring, now: datetime, *, rotate_after: timedelta) -> None:
    """Rotate if the active key is too old, looking again under the lock: another process may have been first."""
    async with conn.transaction():
        found = {row["state"]: row for row in await queries.lock_signing_keys(conn)}
        if found["active"]["activated_at"] <= now - rotate_after:
            await rotate(conn, keyring, now)


async def list_keys(conn: Connection) -> list[Mapping[str, Any]]:
    """Return all signing keys there ever were, newest first, without private halves."""
    return list(await queries.signing_keys(conn))


def _place(key_id: UUID) -> Place:
    return Place("signing_key.private_sealed", key_id)


async def _add(conn: Connection, keyring: Keyring, *, state: str, now: datetime) -> str:
    id: UUID = uuid7(now)
    key = jose.generate(ALGORITHM)
    kid = key.public.thumbprint
    sealed = keyring.seal_one(_place(id), json.dumps(key.private_jwk()).encode())
    await queries.insert_signing_key(
        conn, id=id, kid=kid, state=state, jwk=key.public_jwk(), private_sealed=sealed, at=now
    )
    return kid

"""The keys that sign the log's checkpoints and receipts: `next` → `active` → `retired`.

They are not the keys of access tokens: those are gone after minutes, what these sign is checked years later. So each public half stays
published for as long as there is a log, and the private one is destroyed when its time is over. The next key is made when the present
one begins to sign, and the entry that says so is sealed by the present one: whoever trusts one key of the log finds the next in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.keyring import Keyring, Place
from app.log import queries
from app.log.notes import Verifier

PUBLISH_BEFORE: Final = timedelta(days=1)
"""How long the next key stands in the log and in the published list before it signs, unless the present one may have leaked."""


class NextKeyTooYoung(ValueError):
    """The next key has not been published for a day; wait, or rotate at once if the present one may have leaked."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """The key that signs."""

    verifier: Verifier
    private: Ed25519PrivateKey = field(repr=False)


def origin_of(public_url: str) -> str:
    """Return what a log calls itself (tlog-checkpoint: origin): the exchange's address without the scheme."""
    return f"{urlsplit(public_url).netloc}/log"


def verifier_of(row: Mapping[str, Any]) -> Verifier:
    """Return the public half of a key."""
    return Verifier(row["name"], row["public"])


async def verifiers(conn: Connection) -> list[Verifier]:
    """Return every key the log ever had, newest first."""
    return [verifier_of(row) for row in await queries.keys(conn)]


async def load_active(conn: Connection, keyring: Keyring) -> LogKey | None:
    """Return the key that signs, or none where none was made yet."""
    row = await queries.active_key(conn)
    if row is None:
        return None
    private = Ed25519PrivateKey.from_private_bytes(
        keyring.open_one(Place("log_key.private_sealed", row["id"]), row["private_sealed"])
    )
    return LogKey(verifier_of(row), private)


async def ensure_active(
    conn: Connection, keyring: Keyring, now: datetime, *, public_url: str, rotate_after: timedelta
) -> None:
    """Make the first keys, and rotate what is older than `rotate_after`. One query when there is nothing to do.

    A log keeps the name its first key was made under: the exchange may move to another address, its log stays the same log.
    """
    states = {row["state"]: row for row in await queries.keys(conn) if row["state"] != "retired"}
    active = states.get("active")
    if active and "next" in states:
        if active["activated_at"] <= now - rotate_after and states["next"]["created_at"] <= now - PUBLISH_BEFORE:
            await rotate(conn, keyring, now, unless_younger=rotate_after)
        return
    async with conn.transaction():
        present = {row["state"] for row in await queries.lock_keys(conn)}
        for state in ("active", "next"):
            if state not in present:
                await _add(conn, keyring, name=await _name(conn, public_url), state=state, now=now, actor="system")


async def rotate(
    conn: Connection,
    keyring: Keyring,
    now: datetime,
    at_once: bool = False,
    *,
    actor: str = "system",
    unless_younger: timedelta | None = None,
) -> str | None:
    """Sign with the next key from now on; return it as a verifier key, or nothing if the present one is `unless_younger`.

    Raises `NextKeyTooYoung` unless `at_once`: the present key is not trusted any more.
    """
    async with conn.transaction():
        found = {row["state"]: row for row in await queries.lock_keys(conn)}
        active, coming = found["active"], found["next"]
        if unless_younger is not None and active["activated_at"] > now - unless_younger:
            return None  # another process was first
        if not at_once and coming["created_at"] > now - PUBLISH_BEFORE:
            raise NextKeyTooYoung("the next key was published less than a day ago")
        await queries.retire_key(conn, active["id"], at=now)
        await queries.activate_key(conn, coming["id"], at=now)
        vkey = verifier_of(coming).vkey
        await queries.note_act(
            conn,
            at=now,
            actor=actor,
            action="log_key:rotate",
            subject_id=coming["id"],
            detail={"key": vkey, "instead_of": verifier_of(active).vkey, "at_once": at_once},
        )
        await _add(conn, keyring, name=coming["name"], state="next", now=now, actor=actor)
    return vkey


async def _name(conn: Connection, public_url: str) -> str:
    known = await queries.keys(conn)
    return known[-1]["name"] if known else origin_of(public_url)


async def _add(conn: Connection, keyring: Keyring, *, name: str, state: str, now: datetime, actor: str) -> None:
    id, private = uuid7(now), Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    await queries.insert_key(
        conn,
        id=id,
        name=name,
        public=public,
        state=state,
        private_sealed=keyring.seal_one(Place("log_key.private_sealed", id), private.private_bytes_raw()),
        at=now,
    )
    await queries.note_act(
        conn,
        at=now,
        actor=actor,
        action="log_key:create",
        subject_id=id,
        detail={"key": Verifier(name, public).vkey, "state": state},
    )

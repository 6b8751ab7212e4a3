"""One-time links, by which an administrator gets a way to sign in: a passkey, or their account at the OpenID provider.

Whoever holds the link can become that person, so it is handed over in person or by a channel that is known to be theirs.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.foundation.database import Connection
from auth.people import queries
from auth.queries import log_act

LASTS: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom a link invites."""

    admin_id: UUID
    reference: str
    name: str


def new_token() -> str:
    """Return a token of 256 random bits; only its hash is kept."""
    return secrets.token_urlsafe(32)


def link(admin_origin: str, token: str) -> str:
    """Return the link. The token stands in its fragment, which no browser sends to any server (RFC 9110 §4.2.4, RFC 3986 §3.5)."""
    return f"{admin_origin}/admin/enrol#{token}"


async def invite(
    conn: Connection, admin_id: UUID, reference: str, *, token_hash: bytes, now: datetime, actor: str
) -> None:
    """Let whoever holds the token of this hash enrol as this person, once, within a day; earlier links of theirs end."""
    async with conn.transaction():
        await queries.end_invitations(conn, admin_id, now=now)
        await queries.insert_invitation(conn, token_hash=token_hash, admin_id=admin_id, at=now, expires_at=now + LASTS)
        await log_act(
            conn,
            at=now,
            actor=actor,
            action="admin:invite",
            subject="administrator",
            subject_id=admin_id,
            detail={"reference": reference},
        )


async def look(conn: Connection, token_hash: bytes, *, now: datetime) -> Invited | None:
    """Return whom a link invites; None if it does not count (any more)."""
    row = await queries.invitation(conn, token_hash, now=now)
    return None if row is None else Invited(**dict(row))


async def use(conn: Connection, token_hash: bytes, *, now: datetime) -> Invited | None:
    """Use up a link and return whom it invites; None if it does not count (any more). Undone if the transaction is."""
    row = await queries.use_invitation(conn, token_hash, now=now)
    return None if row is None else Invited(**dict(row))

"""The SQL of signing in at an OpenID provider, as the role `rujukan_admin`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def administrator_of(conn: Connection, *, issuer: str, subject: str) -> asyncpg.Record | None:
    """Return the administrator an account at the provider belongs to: id, reference, status."""
    return await conn.fetchrow(
        "SELECT id, reference, status FROM administrator WHERE oidc_issuer = $1 AND oidc_subject = $2", issuer, subject
    )


async def use_invitation(conn: Connection, token_hash: bytes, *, now: datetime) -> UUID | None:
    """Use an invitation up and return whom it is for; None if it cannot be used any more."""
    found: UUID | None = await conn.fetchval(
        "UPDATE invitation i SET used_at = $2 FROM administrator p"
        " WHERE i.token_hash = $1 AND i.used_at IS NULL AND i.expires_at > $2 AND p.id = i.admin_id AND p.status = 'active'"
        " RETURNING i.admin_id",
        token_hash,
        now,
    )
    return found


async def link(conn: Connection, admin_id: UUID, *, issuer: str, subject: str) -> str | None:
    """Let an administrator sign in by an account and return their reference; None if they have another account already.

    Raises `asyncpg.UniqueViolationError` if the account is another's.
    """
    reference: str | None = await conn.fetchval(
        "UPDATE administrator SET oidc_issuer = $2, oidc_subject = $3"
        " WHERE id = $1 AND (oidc_subject IS NULL OR (oidc_issuer, oidc_subject) = ($2, $3)) RETURNING reference",
        admin_id,
        issuer,
        subject,
    )
    return reference


async def set_confirmed(conn: Connection, token_hash: bytes, *, at: datetime) -> None:
    """Note when whoever has the session proved who they are: at the provider that may have been earlier."""
    await conn.execute("UPDATE admin_session SET confirmed_at = $2 WHERE token_hash = $1", token_hash, at)


async def end_session(conn: Connection, token_hash: bytes, *, now: datetime) -> None:
    """End the session of a token, if it has one."""
    await conn.execute(
        "UPDATE admin_session SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL", token_hash, now
    )


async def renew_session(
    conn: Connection,
    session_id: UUID,
    *,
    token_hash: bytes,
    confirmed_at: datetime,
    now: datetime,
    seen_since: datetime,
) -> bool:
    """Give a session another token, and note when its person proved who they are; False if it has ended meanwhile."""
    done: str = await conn.execute(
        "UPDATE admin_session SET token_hash = $2, confirmed_at = $3, seen_at = greatest(seen_at, $4)"
        " WHERE id = $1 AND ended_at IS NULL AND expires_at > $4 AND seen_at > $5",
        session_id,
        token_hash,
        confirmed_at,
        now,
        seen_since,
    )
    return done == "UPDATE 1"

"""The SQL of the people who administer, as the role `rujukan_admin`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def session_of(
    conn: Connection, token_hash: bytes, *, now: datetime, seen_since: datetime
) -> asyncpg.Record | None:
    """Return the session of a token with its person, and note that it was seen; None if it has ended, or was idle for too long."""
    return await conn.fetchrow(
        "UPDATE admin_session s SET seen_at = greatest(s.seen_at, $2) FROM administrator p"
        " WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3 AND p.id = s.admin_id AND p.status = 'active'"
        " RETURNING s.id, s.admin_id, s.confirmed_at, p.reference, p.roles",
        token_hash,
        now,
        seen_since,
    )


async def insert_session(conn: Connection, **values: Any) -> None:
    """Add a session that begins now."""
    await conn.execute(
        "INSERT INTO admin_session (id, token_hash, admin_id, method, address, user_agent, created_at, confirmed_at, seen_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, $8)",
        *(
            values[name]
            for name in ("id", "token_hash", "admin_id", "method", "address", "user_agent", "at", "expires_at")
        ),
    )


async def insert_ceremony(
    conn: Connection,
    *,
    token_hash: bytes,
    kind: str,
    admin_id: UUID | None,
    data: Mapping[str, Any],
    at: datetime,
    expires_at: datetime,
) -> None:
    """Keep what a sign-in begins with."""
    await conn.execute(
        "INSERT INTO ceremony (token_hash, kind, admin_id, data, created_at, expires_at) VALUES ($1, $2, $3, $4::jsonb, $5, $6)",
        token_hash,
        kind,
        admin_id,
        json.dumps(data),
        at,
        expires_at,
    )


async def take_ceremony(conn: Connection, *, token_hash: bytes, kind: str, now: datetime) -> asyncpg.Record | None:
    """Return what a sign-in began with, and forget it; what has expired is forgotten as well."""
    row = await conn.fetchrow(
        "DELETE FROM ceremony WHERE token_hash = $1 AND kind = $2 RETURNING admin_id, data::text AS data, expires_at",
        token_hash,
        kind,
    )
    await conn.execute("DELETE FROM ceremony WHERE expires_at <= $1", now)
    return row if row is not None and row["expires_at"] > now else None

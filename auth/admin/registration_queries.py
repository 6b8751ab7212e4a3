"""The SQL of invitations to register, as the role `rujukan_admin`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def insert_invitation(conn: Connection, **values: Any) -> None:
    """Add an initial access token."""
    names = ("id", "token_hash", "agency_id", "scopes", "uses_left", "created_by", "created_at", "expires_at")
    await conn.execute(
        "INSERT INTO initial_access_token (id, token_hash, agency_id, scopes, uses_left, created_by, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(values[name] for name in names),
    )


async def invitations(conn: Connection) -> list[asyncpg.Record]:
    """Return all initial access tokens without their hashes, newest first."""
    return list(
        await conn.fetch(
            """SELECT t.id, a.code AS agency, t.scopes, t.uses_left, t.created_by, t.created_at, t.expires_at, t.ended_at,
                      ARRAY(SELECT c.client_id FROM client c WHERE c.registered_by = t.id ORDER BY c.created_at) AS clients
               FROM initial_access_token t JOIN agency a ON a.id = t.agency_id ORDER BY t.created_at DESC, t.id DESC"""
        )
    )


async def end_invitation(conn: Connection, id: UUID, at: datetime) -> bool:
    """End an initial access token; False if there is none, or it has ended."""
    done = await conn.execute(
        "UPDATE initial_access_token SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL", id, at
    )
    return bool(done == "UPDATE 1")


async def waiting(conn: Connection, now: datetime) -> list[asyncpg.Record]:
    """Return the clients that wait for approval, and the approval that waits for each."""
    return list(
        await conn.fetch(
            """SELECT c.client_id, c.name, c.scopes, c.auth_method, c.created_at, c.registered_by, p.id AS approval_id, p.expires_at,
                      ARRAY(SELECT a.code FROM client_agency ca JOIN agency a ON a.id = ca.agency_id
                            WHERE ca.client_id = c.client_id ORDER BY a.code) AS agencies,
                      ARRAY(SELECT y.actor FROM approval_yes y WHERE y.approval_id = p.id ORDER BY y.said_at) AS yes
               FROM client c LEFT JOIN approval p
                 ON p.act = 'client:approve' AND p.subject = c.client_id AND p.state = 'waiting' AND p.expires_at > $1
               WHERE c.status = 'requested' ORDER BY c.created_at, c.client_id""",
            now,
        )
    )


async def registered(conn: Connection, client_id: str) -> asyncpg.Record | None:
    """Return `status` and `detail` (what people are asked to say yes to) of a client, and lock it; None if there is none."""
    return await conn.fetchrow(
        "SELECT status, registration_detail(client_id)::text AS detail FROM client WHERE client_id = $1 FOR UPDATE",
        client_id,
    )

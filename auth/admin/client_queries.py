"""The SQL of a client's life beyond its registration, as the role `rujukan_admin`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def client(conn: Connection, client_id: str) -> asyncpg.Record | None:
    """Return how a client stands, and lock it; None if there is none."""
    return await conn.fetchrow(
        "SELECT id, status, status_before, auth_method, jwks_uri, emergency_until FROM client WHERE client_id = $1 FOR UPDATE",
        client_id,
    )


async def set_emergency(conn: Connection, client_id: str, until: datetime | None) -> None:
    """Say until when an emergency lasts, or that there is none."""
    await conn.execute("UPDATE client SET emergency_until = $2 WHERE client_id = $1", client_id, until)


async def forget_jwks_uri(conn: Connection, client_id: str) -> None:
    """Ask the client's own address for keys no more: whoever holds it could publish another."""
    await conn.execute("UPDATE client SET jwks_uri = NULL WHERE client_id = $1", client_id)


async def forget_jwks_uri_named_since(conn: Connection, client_id: str, since: datetime) -> None:
    """The same, if the client has named the address by itself since then."""
    await conn.execute(
        "UPDATE client SET jwks_uri = NULL WHERE client_id = $1 AND jwks_uri_named_at >= $2 AND jwks_uri IS NOT NULL",
        client_id,
        since,
    )


async def end_keys_added_since(conn: Connection, client_id: str, since: datetime, at: datetime) -> list[asyncpg.Record]:
    """End every key added at or after `since`, for good; returns `id` and `kid` of those that had not ended, or could have come back."""
    return list(
        await conn.fetch(
            "UPDATE client_key SET ends_at = least(ends_at, $3), unpublished_at = NULL WHERE client_id = $1 AND added_at >= $2"
            " AND (ends_at IS NULL OR ends_at > $3 OR unpublished_at IS NOT NULL) RETURNING id, kid",
            client_id,
            since,
            at,
        )
    )


async def key_ids(conn: Connection, client_id: str, kids: Sequence[str]) -> list[UUID]:
    """Return what events name these keys by."""
    rows = await conn.fetch(
        "SELECT id FROM client_key WHERE client_id = $1 AND kid = ANY ($2::text[]) ORDER BY id", client_id, list(kids)
    )
    return [row["id"] for row in rows]


async def forget_registration(conn: Connection, client_ids: Sequence[str]) -> None:
    """Let no registration access token change these clients any more (RFC 7592)."""
    await conn.execute(
        "UPDATE client SET registration_hash = NULL WHERE client_id = ANY ($1::text[]) AND registration_hash IS NOT NULL",
        list(client_ids),
    )


async def end_initial_access_tokens(conn: Connection, client_id: str, since: datetime, at: datetime) -> list[UUID]:
    """End the initial access tokens that the client's agencies were given since then; returns which."""
    rows = await conn.fetch(
        "UPDATE initial_access_token t SET ended_at = $3 FROM client_agency ca"
        " WHERE ca.client_id = $1 AND t.agency_id = ca.agency_id AND t.created_at >= $2 AND t.ended_at IS NULL RETURNING t.id",
        client_id,
        since,
        at,
    )
    return [row["id"] for row in rows]


async def registered_since(conn: Connection, client_id: str, since: datetime) -> list[str]:
    """Return which clients registered themselves since then for an agency of this one."""
    rows = await conn.fetch(
        "SELECT DISTINCT c.client_id FROM client c JOIN initial_access_token t ON t.id = c.registered_by"
        " JOIN client_agency ca ON ca.agency_id = t.agency_id AND ca.client_id = $1"
        " WHERE c.client_id <> $1 AND c.created_at >= $2 ORDER BY c.client_id",
        client_id,
        since,
    )
    return [row["client_id"] for row in rows]


async def withdraw_asked_since(
    conn: Connection, client_id: str, since: datetime, at: datetime, reason: str
) -> list[UUID]:
    """Withdraw what waits for approval and was asked for since then through this client, or about it; returns which."""
    rows = await conn.fetch(
        "UPDATE approval SET state = 'withdrawn', decided_at = $3, reason = $4"
        " WHERE state = 'waiting' AND asked_at >= $2 AND (asked_through = $1 OR (subject = $1 AND act LIKE 'client:%')) RETURNING id",
        client_id,
        since,
        at,
        reason,
    )
    return [row["id"] for row in rows]


async def withdraw_about(
    conn: Connection, client_id: str, at: datetime, reason: str, *, act: str | None = None
) -> None:
    """Withdraw what waits for approval about a client; all of it, or one act."""
    await conn.execute(
        "UPDATE approval SET state = 'withdrawn', decided_at = $2, reason = $3"
        " WHERE state = 'waiting' AND subject = $1 AND act LIKE 'client:%' AND ($4::text IS NULL OR act = $4)",
        client_id,
        at,
        reason,
        act,
    )


async def stranded(conn: Connection, client_id: str, at: datetime) -> list[asyncpg.Record]:
    """Return what waits on agencies that have no other client than this one: never content."""
    return list(await conn.fetch("SELECT * FROM stranded_by($1, $2)", client_id, at))


async def escalate_stranded(conn: Connection, client_id: str, at: datetime) -> int:
    """Open an escalation for each of them, or have the next one asked now; returns how many."""
    count: int = await conn.fetchval("SELECT escalate_stranded($1, $2)", client_id, at)
    return count


async def duty_contacts(conn: Connection, client_id: str) -> list[asyncpg.Record]:
    """Return whom to call at the client's agencies."""
    return list(
        await conn.fetch(
            "SELECT a.code AS agency, d.place, d.role FROM client_agency ca JOIN agency a ON a.id = ca.agency_id"
            " JOIN duty_contact d ON d.agency_id = a.id WHERE ca.client_id = $1 ORDER BY a.code, d.place",
            client_id,
        )
    )


async def waiting_about(conn: Connection, client_id: str, at: datetime) -> list[asyncpg.Record]:
    """Return `id` and `act` of what waits for approval about a client."""
    return list(
        await conn.fetch(
            "SELECT id, act, expires_at FROM approval WHERE subject = $1 AND act LIKE 'client:%' AND state = 'waiting' AND expires_at > $2"
            " ORDER BY asked_at",
            client_id,
            at,
        )
    )


async def leaving(conn: Connection, code: str, at: datetime) -> asyncpg.Record | None:
    """Return what an agency still has, by number, with the ids and codes commands need; None if there is no such agency."""
    return await conn.fetchrow(
        """SELECT a.status, a.desk, a.reviewer, a.capacity = 0 AS takes_nobody, d.*, o.*,
             ARRAY(SELECT c.client_id FROM client c JOIN client_agency ca USING (client_id) WHERE ca.agency_id = a.id AND c.status <> 'retired'
                   AND NOT EXISTS (SELECT FROM client_agency x WHERE x.client_id = c.client_id AND x.agency_id <> a.id) ORDER BY 1) AS clients,
             ARRAY(SELECT c.client_id FROM client c JOIN client_agency ca USING (client_id) WHERE ca.agency_id = a.id AND c.status <> 'retired'
                   AND EXISTS (SELECT FROM client_agency x WHERE x.client_id = c.client_id AND x.agency_id <> a.id) ORDER BY 1) AS shared_clients,
             ARRAY(SELECT g.id::text FROM agreement g WHERE a.id IN (g.agency_id, g.other_id) AND (g.until_at IS NULL OR g.until_at > $2)
                   ORDER BY 1) AS agreements,
             ARRAY(SELECT t.id::text FROM initial_access_token t WHERE t.agency_id = a.id AND t.ended_at IS NULL AND t.expires_at > $2
                   AND t.uses_left > 0 ORDER BY 1) AS tokens,
             ARRAY(SELECT w.id::text FROM administered_webhooks(NULL, NULL, a.code, 'active', NULL, 1000) w) AS webhooks,
             ARRAY(SELECT p.id::text FROM service_point p WHERE p.agency_id = a.id ORDER BY 1) AS service_points,
             ARRAY(SELECT b.code FROM agency b WHERE b.parent_id = a.id AND b.status <> 'closed' ORDER BY 1) AS below
           FROM agency a, duties_of(a.id) d, passing_of(a.id) o WHERE a.code = $1""",
        code,
        at,
    )

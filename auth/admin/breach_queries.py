"""The SQL of a breach, as the role `rujukan_admin`: what the log and the tables say of one client. References and ids, never content."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def standing(conn: Connection, client_id: str) -> asyncpg.Record | None:
    """Return how a client stands; None if there is none."""
    return await conn.fetchrow(
        "SELECT name, status, scopes, networks::text[] AS networks, last_used_at, host(last_used_from) AS last_used_from, emergency_until,"
        " ARRAY(SELECT a.code FROM client_agency ca JOIN agency a ON a.id = ca.agency_id WHERE ca.client_id = c.client_id ORDER BY 1) AS agencies"
        " FROM client c WHERE client_id = $1",
        client_id,
    )


async def logged(conn: Connection, client_id: str, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """Return what the log says that it did, put together by action and by what it was done to."""
    return list(await conn.fetch("SELECT * FROM breach_log($1, $2, $3)", client_id, since, until))


async def tokens(conn: Connection, client_id: str, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """Return how many access tokens it was given, by key."""
    return list(await conn.fetch("SELECT * FROM breach_tokens($1, $2, $3)", client_id, since, until))


async def reach(conn: Connection, client_id: str, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """Return what was open to the agencies it spoke for."""
    return list(await conn.fetch("SELECT * FROM breach_reach($1, $2, $3)", client_id, since, until))


async def moves(conn: Connection, client_id: str, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """Return the moves it made, oldest first, with how what they moved stands now."""
    return list(await conn.fetch("SELECT * FROM breach_moves_shown($1, $2, $3)", client_id, since, until))


async def dispute(
    conn: Connection, client_id: str, since: datetime, until: datetime, moves: Sequence[UUID] | None, at: datetime
) -> list[UUID]:
    """Mark its moves as disputed, all or those named; returns which were not before."""
    found: list[UUID] = await conn.fetchval(
        "SELECT dispute_moves_of($1, $2, $3, $4, $5)", client_id, since, until, moves, at
    )
    return found


async def doubt(conn: Connection, client_id: str, since: datetime, at: datetime) -> tuple[int, list[UUID]]:
    """Let the consents it recorded count no more until they are reconfirmed; returns how many, and of which cases."""
    row = await conn.fetchrow("SELECT * FROM doubt_consents($1, $2, $3)", client_id, since, at)
    assert row is not None
    return row["o_consents"], row["o_cases"]


async def undoubted(conn: Connection, client_id: str, since: datetime) -> int:
    """Return how many consents it recorded since then that count as they are."""
    count: int = await conn.fetchval("SELECT consents_undoubted($1, $2)", client_id, since)
    return count


async def keys(conn: Connection, client_id: str) -> list[asyncpg.Record]:
    """Return its keys, with when they were added and end."""
    return list(
        await conn.fetch(
            "SELECT kid, added_at, added_by, ends_at FROM client_key WHERE client_id = $1 ORDER BY added_at, kid",
            client_id,
        )
    )


async def opened_since(conn: Connection, client_id: str, since: datetime, at: datetime) -> asyncpg.Record:
    """Return what else may open a way in: tokens for registering, clients that registered themselves, what waits for approval."""
    row = await conn.fetchrow(
        """SELECT
             ARRAY(SELECT t.id FROM initial_access_token t JOIN client_agency ca ON ca.agency_id = t.agency_id AND ca.client_id = $1
                   WHERE t.created_at >= $2 ORDER BY 1) AS tokens,
             ARRAY(SELECT t.id FROM initial_access_token t JOIN client_agency ca ON ca.agency_id = t.agency_id AND ca.client_id = $1
                   WHERE t.created_at >= $2 AND t.ended_at IS NULL AND t.expires_at > $3 AND t.uses_left > 0 ORDER BY 1) AS tokens_open,
             ARRAY(SELECT DISTINCT c.client_id FROM client c JOIN initial_access_token t ON t.id = c.registered_by
                   JOIN client_agency ca ON ca.agency_id = t.agency_id AND ca.client_id = $1
                   WHERE c.client_id <> $1 AND c.created_at >= $2 ORDER BY 1) AS registrations,
             ARRAY(SELECT DISTINCT c.client_id FROM client c JOIN initial_access_token t ON t.id = c.registered_by
                   JOIN client_agency ca ON ca.agency_id = t.agency_id AND ca.client_id = $1
                   WHERE c.client_id <> $1 AND c.created_at >= $2 AND c.status NOT IN ('suspended', 'retired') ORDER BY 1) AS registrations_open,
             ARRAY(SELECT p.id FROM approval p WHERE p.state = 'waiting' AND p.expires_at > $3 AND p.asked_at >= $2
                   AND (p.asked_through = $1 OR (p.subject = $1 AND p.act LIKE 'client:%')) ORDER BY 1) AS approvals""",
        client_id,
        since,
        at,
    )
    assert row is not None
    return row


async def acts_on(conn: Connection, client_id: str, since: datetime, actions: Sequence[str]) -> list[asyncpg.Record]:
    """Return which of these administrators did about it since then, with when."""
    return list(
        await conn.fetch(
            "SELECT action, recorded_at FROM log_entry WHERE recorded_at >= $2"
            " AND subject = 'client' AND detail->>'client_id' = $1 AND action = ANY ($3::text[]) ORDER BY recorded_at, id",
            client_id,
            since,
            list(actions),
        )
    )


async def contacts(conn: Connection, codes: Sequence[str]) -> list[asyncpg.Record]:
    """Return the names of agencies, and whom to call there, by role."""
    return list(
        await conn.fetch(
            "SELECT a.code, a.name, ARRAY(SELECT d.role FROM duty_contact d WHERE d.agency_id = a.id ORDER BY d.place) AS roles"
            " FROM agency a WHERE a.code = ANY ($1::text[]) ORDER BY a.code",
            list(codes),
        )
    )

"""The SQL of administration, as the role `rujukan_admin`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from auth.queries import log_act as log_act


async def agency_id_of(conn: Connection, code: str) -> UUID | None:
    """Return the id of the agency with this code."""
    found: UUID | None = await conn.fetchval("SELECT id FROM agency WHERE code = $1", code)
    return found


async def is_practice(conn: Connection, code: str) -> bool:
    """Whether the agency of this code is a practice agency."""
    return bool(await conn.fetchval("SELECT sandbox FROM agency WHERE code = $1", code))


async def insert_agency(conn: Connection, **values: Any) -> bool:
    """Add an agency; False if its code is taken."""
    accepts = values["accepts"]
    done = await conn.execute(
        "INSERT INTO agency (id, code, name, kind, region, country, parent_id, residential, accepts, capacity, note, sandbox, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13) ON CONFLICT (code) DO NOTHING",
        *(values[name] for name in ("id", "code", "name", "kind", "region", "country", "parent_id", "residential")),
        None if accepts is None else json.dumps(accepts),
        *(values[name] for name in ("capacity", "note", "sandbox", "created_at")),
    )
    return bool(done == "INSERT 0 1")


async def set_agency_status(conn: Connection, code: str, status: str, *, at: datetime) -> UUID | None:
    """Set an agency's status and return its id; None if there is no such agency, or it is closed for good.

    No token issued before it is let in again counts for it.
    """
    found: UUID | None = await conn.fetchval(
        "UPDATE agency SET status = $2, tokens_not_before = CASE"
        " WHEN $2 = 'suspended' THEN greatest(tokens_not_before, date_trunc('second', $3::timestamptz) + interval '1 second')"
        " WHEN status = 'suspended' THEN greatest(tokens_not_before, $3::timestamptz) ELSE tokens_not_before END"
        " WHERE code = $1 AND status <> 'closed' RETURNING id",
        code,
        status,
        at,
    )
    return found


async def duties_of(conn: Connection, code: str) -> dict[str, int]:
    """Return how much an agency still answers for, by what it is to it: numbers only."""
    row = await conn.fetchrow(
        """SELECT cases AS "cases it leads", referrals AS "referrals it has accepted", transfers AS "transfers it has accepted",
                  requests AS "requests it has to answer", escalations AS "escalations it has taken"
           FROM agency, duties_of(agency.id) WHERE code = $1""",
        code,
    )
    return dict(row) if row is not None else {}


async def agencies(conn: Connection) -> list[asyncpg.Record]:
    """Return all agencies by code."""
    return list(
        await conn.fetch(
            "SELECT a.id, a.code, a.name, a.kind, a.region, a.country, p.code AS parent, a.status, a.desk, a.reviewer, a.sandbox, a.created_at"
            " FROM agency a LEFT JOIN agency p ON p.id = a.parent_id ORDER BY a.code"
        )
    )


async def set_reviewer(conn: Connection, code: str) -> UUID | None:
    """Make an active agency the one that reviews and return its id; None, and nothing changed, if there is none of that code."""
    found: UUID | None = await conn.fetchval(
        "SELECT id FROM agency WHERE code = $1 AND status = 'active' FOR UPDATE", code
    )
    if found is not None:
        await conn.execute("UPDATE agency SET reviewer = false WHERE reviewer AND id <> $1", found)
        await conn.execute("UPDATE agency SET reviewer = true WHERE id = $1", found)
    return found


async def set_desk(conn: Connection, code: str) -> UUID | None:
    """Make an active agency the one desk and return its id; None, and nothing changed, if there is none of that code."""
    found: UUID | None = await conn.fetchval(
        "SELECT id FROM agency WHERE code = $1 AND status = 'active' FOR UPDATE", code
    )
    if found is not None:
        await conn.execute("UPDATE agency SET desk = false WHERE desk AND id <> $1", found)
        await conn.execute("UPDATE agency SET desk = true WHERE id = $1", found)
    return found


async def lock_agencies(conn: Connection, codes: Sequence[str]) -> dict[str, asyncpg.Record]:
    """Return `id`, `desk`, `reviewer` and `sandbox` of agencies by code, and keep others from changing what they have agreed until commit."""
    rows = await conn.fetch(
        "SELECT id, code, desk, reviewer, sandbox FROM agency WHERE code = ANY ($1) ORDER BY id FOR NO KEY UPDATE",
        codes,
    )
    return {row["code"]: row for row in rows}


async def agreed_already(
    conn: Connection,
    kind: str,
    agency_id: UUID,
    other_id: UUID | None,
    from_at: datetime,
    until_at: datetime | None,
    *,
    purposes: Sequence[str] = (),
    both_ways: bool = False,
) -> bool:
    """Whether an agreement on the same holds at any time between; on data: in the same direction, for one of the same purposes."""
    return bool(
        await conn.fetchval(
            """SELECT true FROM agreement WHERE kind = $1
                 AND ((agency_id = $2 AND other_id IS NOT DISTINCT FROM $3)
                      OR (kind = 'data_sharing' AND agency_id = $3 AND other_id = $2 AND (both_ways OR $7)))
                 AND (kind <> 'data_sharing' OR purposes && $6)
                 AND (from_at, coalesce(until_at, 'infinity')) OVERLAPS ($4::timestamptz, coalesce($5::timestamptz, 'infinity'))
                 AND coalesce(until_at, 'infinity') > from_at LIMIT 1""",
            kind,
            agency_id,
            other_id,
            from_at,
            until_at,
            purposes,
            both_ways,
        )
    )


async def insert_agreement(conn: Connection, **values: Any) -> None:
    """Add an agreement."""
    await conn.execute(
        "INSERT INTO agreement (id, kind, agency_id, other_id, times, purposes, sections, basis, both_ways, reference, from_at, until_at)"
        " VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9, $10, $11, $12)",
        *(values[name] for name in ("id", "kind", "agency_id", "other_id")),
        json.dumps(values["times"]),
        *(values[name] for name in ("purposes", "sections", "basis", "both_ways", "reference", "from_at", "until_at")),
    )


async def end_agreement(conn: Connection, id: UUID, at: datetime) -> bool:
    """End an agreement; False if there is none, or it has ended. One that has not begun never will."""
    done = await conn.execute(
        "UPDATE agreement SET until_at = greatest($2, from_at) WHERE id = $1 AND (until_at IS NULL OR until_at > greatest($2, from_at))",
        id,
        at,
    )
    return bool(done == "UPDATE 1")


async def agreements(conn: Connection) -> list[asyncpg.Record]:
    """Return all agreements by agency and time."""
    return list(
        await conn.fetch(
            "SELECT g.id, g.kind, a.code AS agency, o.code AS other, g.times::text, g.purposes, g.sections,"
            " g.basis, g.both_ways, g.reference, g.from_at, g.until_at"
            " FROM agreement g JOIN agency a ON a.id = g.agency_id LEFT JOIN agency o ON o.id = g.other_id"
            " ORDER BY a.code, g.kind, g.from_at, g.id"
        )
    )


async def insert_service_point(conn: Connection, **values: Any) -> None:
    """Add a service point."""
    await conn.execute(
        "INSERT INTO service_point (id, agency_id, name, confidential, region, address, services, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(
            values[name]
            for name in ("id", "agency_id", "name", "confidential", "region", "address", "services", "created_at")
        ),
    )


async def insert_client(
    conn: Connection,
    *,
    client_id: str,
    name: str,
    scopes: Sequence[str],
    auth_method: str,
    certificate_bound: bool,
    tls_name: tuple[str, str] | None,
    status: str,
    jwks_uri: str | None,
    networks: Sequence[IPv4Network | IPv6Network],
    at: datetime,
) -> bool:
    """Add a client; False if its id is taken. `tls_name`: the kind and the name its certificate is known by."""
    done = await conn.execute(
        "INSERT INTO client (client_id, name, scopes, auth_method, certificate_bound, tls_name_kind, tls_name, status, jwks_uri, networks,"
        " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        client_id,
        name,
        scopes,
        auth_method,
        certificate_bound,
        *(tls_name or (None, None)),
        status,
        jwks_uri,
        list(networks),
        at,
    )
    return bool(done == "INSERT 0 1")


async def insert_client_agency(conn: Connection, *, client_id: str, agency_id: UUID) -> None:
    """Let a client act for an agency."""
    await conn.execute("INSERT INTO client_agency (client_id, agency_id) VALUES ($1, $2)", client_id, agency_id)


async def insert_client_key(
    conn: Connection,
    *,
    client_id: str,
    kid: str,
    jwk: Mapping[str, Any],
    at: datetime,
    by: str = "admin",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> UUID | None:
    """Register a client's public key, which counts from `starts_at` (unset: `at`), and return its id.

    None if it has or had one of that `kid`, or this very key: what has ended stays ended, under whatever name. Only a certificate may be
    renewed for a key that has no end.

    `by`: `admin`, `client` (itself) or `jwks_uri`.
    """
    id: UUID | None = await conn.fetchval(
        "INSERT INTO client_key (client_id, kid, jwk, starts_at, ends_at, added_at, added_by)"
        " SELECT $1, $2, $3::jsonb, $4, $5, $6, $7 WHERE NOT EXISTS ("
        "  SELECT FROM client_key WHERE client_id = $1 AND key_itself(jwk) = key_itself($3::jsonb)"
        "   AND (ends_at IS NOT NULL OR NOT jwk ? 'x5c'))"
        " ON CONFLICT DO NOTHING RETURNING id",
        client_id,
        kid,
        json.dumps(jwk),
        starts_at or at,
        ends_at,
        at,
        by,
    )
    return id


async def end_client_keys(
    conn: Connection, *, client_id: str, kid: str | None, but: str | None, ends_at: datetime
) -> list[str]:
    """End the key `kid`, or all but `but` if None, no later than `ends_at`; returns which.

    What a client has only stopped publishing at its `jwks_uri` ends for good, too: else it would count again once it is published again.
    """
    rows = await conn.fetch(
        "UPDATE client_key SET ends_at = least(ends_at, $4), unpublished_at = NULL"
        " WHERE client_id = $1 AND ($2::text IS NULL OR kid = $2) AND kid IS DISTINCT FROM $3"
        " AND (ends_at IS NULL OR ends_at > $4 OR unpublished_at IS NOT NULL) RETURNING kid",
        client_id,
        kid,
        but,
        ends_at,
    )
    return [row["kid"] for row in rows]


async def set_client_status(conn: Connection, client_id: str, status: str, *, before: str | None, at: datetime) -> None:
    """Set a client's status; `before` is what a suspended one goes back to. Tokens issued before it comes back count no more, nor do
    those of the second in which it was suspended (`iat` is in whole seconds).
    """
    await conn.execute(
        "UPDATE client SET status = $2, status_before = $3, tokens_not_before = CASE"
        " WHEN $2 = 'suspended' THEN greatest(tokens_not_before, date_trunc('second', $4::timestamptz) + interval '1 second')"
        " WHEN status = 'suspended' THEN greatest(tokens_not_before, $4::timestamptz) ELSE tokens_not_before END"
        " WHERE client_id = $1",
        client_id,
        status,
        before,
        at,
    )


async def tell_agencies_of(
    conn: Connection, client_id: str, type: str, *, subject: str, subject_id: UUID, state: str, at: datetime
) -> None:
    """Put an event of a client into the feed of each agency it acts for."""
    await conn.execute(
        "SELECT tell_agencies_of($1, $2, $3, $4, $5, $6)", client_id, type, subject, subject_id, state, at
    )


CLIENTS: Final = (
    "SELECT c.client_id, c.name, c.status, c.scopes, c.auth_method, c.certificate_bound, c.tls_name_kind, c.tls_name,"
    " c.created_at, c.last_used_at, host(c.last_used_from) AS last_used_from, c.status_before, c.jwks_uri, c.emergency_until,"
    " c.networks::text[] AS networks, j.fetched_at AS keys_fetched_at, j.fault AS keys_fault,"
    " ARRAY(SELECT a.code FROM client_agency ca JOIN agency a ON a.id = ca.agency_id"
    "       WHERE ca.client_id = c.client_id ORDER BY a.code) AS agencies,"
    " (SELECT coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'kid', k.kid, 'starts_at', k.starts_at,"
    "  'ends_at', k.ends_at, 'added_at', k.added_at, 'added_by', k.added_by) ORDER BY k.starts_at),"
    "  '[]') FROM client_key k WHERE k.client_id = c.client_id)::text AS keys"
    " FROM client c LEFT JOIN client_jwks j ON j.client_id = c.client_id"
)
"""Clients with their agencies' codes and their keys."""


async def clients(conn: Connection) -> list[asyncpg.Record]:
    """Return all clients with their agencies' codes and their keys."""
    return list(await conn.fetch(f"{CLIENTS} ORDER BY c.client_id"))

"""The SQL of what administrators look up and change one by one, as the role `rujukan_admin`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from auth.admin.queries import CLIENTS

_AGENCY: Final = (
    "SELECT a.id, a.code, a.name, a.kind, a.region, a.country, p.code AS parent, a.status, a.desk, a.reviewer, a.sandbox, a.created_at,"
    " a.residential, coalesce(a.accepts, '{}')::text AS accepts, a.capacity, a.note"
    " FROM agency a LEFT JOIN agency p ON p.id = a.parent_id"
)
_SERVICE_POINT: Final = (
    "SELECT s.id, a.code AS agency, s.name, s.confidential, s.region, s.address, s.services, s.created_at"
    " FROM service_point s JOIN agency a ON a.id = s.agency_id"
)
_AGREEMENT: Final = (
    "SELECT g.id, g.kind, a.code AS agency, o.code AS other, g.times::text AS times, g.purposes, g.sections, g.basis, g.both_ways,"
    " g.reference, g.from_at, g.until_at FROM agreement g JOIN agency a ON a.id = g.agency_id LEFT JOIN agency o ON o.id = g.other_id"
)
AGENCY_COLUMNS: Final = frozenset({"name", "region", "residential", "accepts", "capacity", "note"})
SERVICE_POINT_COLUMNS: Final = frozenset({"name", "confidential", "region", "address", "services"})


def _assignments(changes: Mapping[str, Any], allowed: frozenset[str]) -> str:
    assert changes.keys() <= allowed, "columns are named by the code, never by a caller"
    return ", ".join(f"{name} = ${place}" for place, name in enumerate(changes, start=2))


async def agencies(
    conn: Connection, *, status: str | None, kind: str | None, after: str, limit: int
) -> list[asyncpg.Record]:
    """Return agencies by code, from behind `after`."""
    return list(
        await conn.fetch(
            f"{_AGENCY} WHERE a.code > $1 AND ($2::text IS NULL OR a.status = $2) AND ($3::text IS NULL OR a.kind = $3)"
            " ORDER BY a.code LIMIT $4",
            after,
            status,
            kind,
            limit,
        )
    )


async def agency(conn: Connection, code: str) -> asyncpg.Record | None:
    """Return one agency."""
    return await conn.fetchrow(f"{_AGENCY} WHERE a.code = $1", code)


async def update_agency(conn: Connection, code: str, changes: Mapping[str, Any]) -> UUID | None:
    """Set columns of an agency that is not closed, and return its id; None if there is none."""
    values = {**changes}
    if "accepts" in values:
        values["accepts"] = None if values["accepts"] is None else json.dumps(values["accepts"])
    found: UUID | None = await conn.fetchval(
        f"UPDATE agency SET {_assignments(changes, AGENCY_COLUMNS)} WHERE code = $1 AND status <> 'closed' RETURNING id",  # noqa: S608 -- names from the line above
        code,
        *values.values(),
    )
    return found


async def service_points(conn: Connection, agency: str) -> list[asyncpg.Record]:
    """Return an agency's service points by name."""
    return list(await conn.fetch(f"{_SERVICE_POINT} WHERE a.code = $1 ORDER BY s.name, s.id", agency))


async def service_point(conn: Connection, id: UUID) -> asyncpg.Record | None:
    """Return one service point, and keep others from changing it until commit."""
    return await conn.fetchrow(f"{_SERVICE_POINT} WHERE s.id = $1 FOR UPDATE OF s", id)


async def update_service_point(conn: Connection, id: UUID, changes: Mapping[str, Any]) -> None:
    """Set columns of a service point."""
    await conn.execute(
        f"UPDATE service_point SET {_assignments(changes, SERVICE_POINT_COLUMNS)} WHERE id = $1",  # noqa: S608 -- names from the code
        id,
        *changes.values(),
    )


async def delete_service_point(conn: Connection, id: UUID) -> None:
    """Take a service point away. Raises `ForeignKeyViolationError` if somebody was brought there."""
    await conn.execute("DELETE FROM service_point WHERE id = $1", id)


async def clients(
    conn: Connection, *, status: str | None, agency: str | None, scope: str | None, after: str, limit: int
) -> list[asyncpg.Record]:
    """Return clients by id, from behind `after`."""
    return list(
        await conn.fetch(
            f"{CLIENTS} WHERE c.client_id > $1 AND ($2::text IS NULL OR c.status = $2) AND ($3::text IS NULL OR $3 = ANY (c.scopes))"
            " AND ($4::text IS NULL OR EXISTS (SELECT FROM client_agency ca JOIN agency a ON a.id = ca.agency_id"
            "      WHERE ca.client_id = c.client_id AND a.code = $4)) ORDER BY c.client_id LIMIT $5",
            after,
            status,
            scope,
            agency,
            limit,
        )
    )


async def client(conn: Connection, client_id: str) -> asyncpg.Record | None:
    """Return one client."""
    return await conn.fetchrow(f"{CLIENTS} WHERE c.client_id = $1", client_id)


async def refusals(conn: Connection, client_id: str, *, since: datetime) -> dict[str, int]:
    """Return how often a client was refused since then, by reason."""
    rows = await conn.fetch(
        "SELECT reason, sum(count)::bigint AS count FROM client_refusal WHERE client_id = $1 AND hour >= $2"
        " GROUP BY reason ORDER BY reason",
        client_id,
        since,
    )
    return {row["reason"]: row["count"] for row in rows}


async def set_client_name(conn: Connection, client_id: str, name: str) -> None:
    """Give a client another name."""
    await conn.execute("UPDATE client SET name = $2 WHERE client_id = $1", client_id, name)


async def set_client_scopes(conn: Connection, client_id: str, scopes: Sequence[str]) -> None:
    """Set all scopes of a client."""
    await conn.execute("UPDATE client SET scopes = $2 WHERE client_id = $1", client_id, list(scopes))


async def set_client_networks(conn: Connection, client_id: str, networks: Sequence[IPv4Network | IPv6Network]) -> None:
    """Set all networks a client may call from."""
    await conn.execute("UPDATE client SET networks = $2 WHERE client_id = $1", client_id, list(networks))


async def add_client_agencies(conn: Connection, client_id: str, agency_ids: Sequence[UUID]) -> None:
    """Let a client act for more agencies."""
    await conn.execute(
        "INSERT INTO client_agency (client_id, agency_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING",
        client_id,
        list(agency_ids),
    )


async def remove_client_agencies(conn: Connection, client_id: str, codes: Sequence[str]) -> None:
    """Let a client act for some agencies no more."""
    await conn.execute(
        "DELETE FROM client_agency ca USING agency a WHERE a.id = ca.agency_id AND ca.client_id = $1 AND a.code = ANY ($2)",
        client_id,
        list(codes),
    )


async def kid_of(conn: Connection, client_id: str, key_id: UUID) -> str | None:
    """Return the `kid` of one of a client's keys."""
    found: str | None = await conn.fetchval(
        "SELECT kid FROM client_key WHERE client_id = $1 AND id = $2", client_id, key_id
    )
    return found


async def agreements(
    conn: Connection, *, kind: str | None, agency: str | None, holds_at: datetime | None, after: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return agreements, newest first, from behind `after`; `agency`: on either side."""
    return list(
        await conn.fetch(
            f"{_AGREEMENT} WHERE ($1::uuid IS NULL OR g.id < $1) AND ($2::text IS NULL OR g.kind = $2)"
            " AND ($3::text IS NULL OR a.code = $3 OR o.code = $3)"
            " AND ($4::timestamptz IS NULL OR (g.from_at <= $4 AND coalesce(g.until_at, 'infinity') > $4))"
            " ORDER BY g.id DESC LIMIT $5",
            after,
            kind,
            agency,
            holds_at,
            limit,
        )
    )


async def agreement(conn: Connection, id: UUID) -> asyncpg.Record | None:
    """Return one agreement."""
    return await conn.fetchrow(f"{_AGREEMENT} WHERE g.id = $1", id)


async def log_entries(
    conn: Connection,
    *,
    action: str | None,
    actor: str | None,
    subject: str | None,
    subject_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
    after: UUID | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return what the log says of administrative acts, newest first, from behind `after`. Of anything else this role sees nothing."""
    return list(
        await conn.fetch(
            "SELECT id, recorded_at, actor, client_id, request_id, action, outcome, subject, subject_id, detail::text AS detail FROM log_entry"
            " WHERE ($1::uuid IS NULL OR id < $1) AND ($2::text IS NULL OR action = $2 OR starts_with(action, $2 || ':'))"
            " AND ($3::text IS NULL OR actor = $3) AND ($4::text IS NULL OR subject = $4) AND ($5::uuid IS NULL OR subject_id = $5)"
            " AND ($6::timestamptz IS NULL OR recorded_at >= $6) AND ($7::timestamptz IS NULL OR recorded_at < $7)"
            " ORDER BY id DESC LIMIT $8",
            after,
            action,
            actor,
            subject,
            subject_id,
            since,
            until,
            limit,
        )
    )

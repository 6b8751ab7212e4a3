"""The SQL of the directory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.foundation.database import Connection

_COLUMNS = """SELECT a.id, a.code, a.name, a.kind, a.region, a.country, p.code AS parent, a.status, a.residential, a.accepts, a.capacity
              FROM agency a LEFT JOIN agency p ON p.id = a.parent_id"""


async def agencies(
    tx: Connection, *, sandbox: bool, kind: str | None, region: str | None, after: str | None, limit: int
) -> list[asyncpg.Record]:
    """Return agencies by code: the practice ones, or the real ones. `region` also finds those inside it."""
    rows: list[asyncpg.Record] = await tx.fetch(
        f"""{_COLUMNS} WHERE ($1::text IS NULL OR a.kind = $1)
              AND ($2::text IS NULL OR a.region = $2 OR starts_with(a.region, $2 || '.'))
              AND a.code > coalesce($3, '') AND a.sandbox = $5 ORDER BY a.code LIMIT $4""",
        kind,
        region,
        after,
        limit,
        sandbox,
    )
    return rows


async def agency(tx: Connection, code: str, *, sandbox: bool) -> asyncpg.Record | None:
    """Return one agency, if it is a practice one or a real one as asked."""
    return await tx.fetchrow(f"{_COLUMNS} WHERE a.code = $1 AND a.sandbox = $2", code, sandbox)


async def duty_contacts(tx: Connection, agency_id: UUID) -> list[dict[str, Any]]:
    """Return whom to call at an agency, in order."""
    rows = await tx.fetch(
        "SELECT role, phone, email, hours FROM duty_contact WHERE agency_id = $1 ORDER BY place", agency_id
    )
    return [dict(row) for row in rows]


async def replace_duty_contacts(tx: Connection, agency_id: UUID, contacts: Sequence[dict[str, Any]]) -> None:
    """Replace whom to call at an agency."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('duty contacts ' || $1::text, 0))", str(agency_id))
    await tx.execute("DELETE FROM duty_contact WHERE agency_id = $1", agency_id)
    await tx.executemany(
        "INSERT INTO duty_contact (agency_id, place, role, phone, email, hours) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (agency_id, place, each["role"], each["phone"], each["email"], each["hours"])
            for place, each in enumerate(contacts, start=1)
        ],
    )


async def encryption_keys(tx: Connection, agency_id: UUID, at: datetime) -> list[str]:
    """Return the public keys that sections can be sealed to now, as JSON, the newest first."""
    rows = await tx.fetch(
        "SELECT jwk FROM sealing_key k WHERE agency_id = $1 AND sealing_key_counts(k, $2) ORDER BY starts_at DESC, id DESC",
        agency_id,
        at,
    )
    return [row["jwk"] for row in rows]

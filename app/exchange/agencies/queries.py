"""The SQL of the directory."""

from __future__ import annotations

import asyncpg

from app.foundation.database import Connection

_COLUMNS = """SELECT a.id, a.code, a.name, a.kind, a.region, a.country, p.code AS parent, a.status, a.residential, a.accepts, a.capacity
              FROM agency a LEFT JOIN agency p ON p.id = a.parent_id"""


async def agencies(
    tx: Connection, kind: str | None, region: str | None, after: str | None, limit: int
) -> list[asyncpg.Record]:
    """Return agencies by code; `region` also finds those inside it."""
    rows: list[asyncpg.Record] = await tx.fetch(
        f"""{_COLUMNS} WHERE ($1::text IS NULL OR a.kind = $1)
              AND ($2::text IS NULL OR a.region = $2 OR starts_with(a.region, $2 || '.'))
              AND a.code > coalesce($3, '') ORDER BY a.code LIMIT $4""",
        kind,
        region,
        after,
        limit,
    )
    return rows


async def agency(tx: Connection, code: str) -> asyncpg.Record | None:
    """Return one agency."""
    return await tx.fetchrow(f"{_COLUMNS} WHERE a.code = $1", code)

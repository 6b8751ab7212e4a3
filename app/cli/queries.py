"""The SQL only the command line asks: looking after the database itself."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from app.foundation.database import Connection


async def set_password(conn: Connection, role: str, verifier: str) -> None:
    """Give a login role its password, as a SCRAM verifier."""
    statement = await conn.fetchval(
        "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", role, verifier
    )
    await conn.execute(statement)


async def service_points(conn: Connection, agency: str | None) -> list[asyncpg.Record]:
    """Return service points, of one agency (a code) or of all."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """SELECT s.id, a.code AS agency, s.name, s.confidential, s.region, s.address, s.services, s.created_at
           FROM service_point s JOIN agency a ON a.id = s.agency_id
           WHERE $1::text IS NULL OR a.code = $1 ORDER BY a.code, s.name, s.id""",
        agency,
    )
    return rows


async def agency_is_there(conn: Connection, code: str) -> bool:
    """Whether an agency of that code is in the directory."""
    return bool(await conn.fetchval("SELECT true FROM agency WHERE code = $1", code))


async def about_server(conn: Connection) -> asyncpg.Record:
    """Return the server's version and its clock."""
    row = await conn.fetchrow(
        "SELECT current_setting('server_version_num')::integer AS version, clock_timestamp() AS time"
    )
    assert row is not None
    return row


async def about_role(conn: Connection) -> asyncpg.Record:
    """Return who this connection is, and by what it could pass row-level security."""
    row = await conn.fetchrow(
        """SELECT current_user AS name, r.rolsuper OR r.rolbypassrls AS passes,
                  EXISTS (SELECT FROM pg_roles o WHERE (o.rolsuper OR o.rolbypassrls) AND pg_has_role(r.oid, o.oid, 'MEMBER')) AS could_become,
                  EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relowner = r.oid) AS owns
           FROM pg_roles r WHERE r.rolname = current_user"""
    )
    assert row is not None
    return row


async def may(conn: Connection, table: str, privilege: str) -> bool:
    """Whether this connection's role has a privilege on a table."""
    return bool(await conn.fetchval("SELECT has_table_privilege(to_regclass($1), $2)", table, privilege))


async def missing_partitions(conn: Connection, names: list[str]) -> list[str]:
    """Return which of the tables named are not there."""
    rows = await conn.fetch(
        "SELECT name FROM unnest($1::text[]) name WHERE to_regclass(name) IS NULL ORDER BY name", names
    )
    return [row["name"] for row in rows]


async def oldest_waiting(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many events wait for their position, and since when the oldest does."""
    row = await conn.fetchrow("SELECT count(*) AS waiting, min(recorded_at) AS since FROM outbox")
    assert row is not None
    return row["waiting"], row["since"]


async def usable_signing_keys(conn: Connection) -> list[asyncpg.Record]:
    """Return the signing keys as a process reads them at start."""
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT id, kid, state, jwk::text AS jwk, private_sealed, published_until FROM signing_key WHERE state <> 'retired'"
    )
    return rows

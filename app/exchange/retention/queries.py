"""The SQL of retention, as a case's lead sees it, and of a person's export."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from app.foundation.database import Connection

_ROWS = "SELECT * FROM {table} WHERE case_id = $1 ORDER BY {order}"


async def led_case(tx: Connection, case_id: UUID) -> asyncpg.Record | None:
    """Return a case, with whether the agency leads it."""
    return await tx.fetchrow("SELECT *, is_lead(id) AS leads FROM case_file WHERE id = $1", case_id)


async def kept_of(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return the names of what each version has and what of it is erased."""
    rows: list[asyncpg.Record] = await tx.fetch("SELECT * FROM kept_of_case($1)", case_id)
    return rows


async def remind_of_idle_cases(conn: Connection, now: datetime, idle: timedelta, limit: int) -> int:
    """Remind the leads of open cases in which nothing has happened for `idle`; returns how many cases that were."""
    count: int = await conn.fetchval("SELECT remind_of_idle_cases($1, $2, $3)", now, idle, limit)
    return count


async def active_holds(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return the holds that keep sections of the case from erasure now."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT id, sections FROM legal_hold WHERE case_id = $1 AND state = 'active' ORDER BY id", case_id
    )
    return rows


async def erasures_of(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return what was erased of the case, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM erasure WHERE case_id = $1 ORDER BY recorded_at, id", case_id
    )
    return rows


async def granted_copy(tx: Connection, case_id: UUID, request_id: UUID) -> asyncpg.Record | None:
    """Return the granted request on which a person's data may leave; none of a guardian who has been barred since."""
    return await tx.fetchrow(
        """SELECT * FROM subject_request WHERE id = $2 AND case_id = $1 AND kind IN ('access', 'copy')
           AND answer IN ('granted', 'granted_in_part') AND NOT is_barred(case_id, requester)""",
        case_id,
        request_id,
    )


async def versions(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return the record versions the agency may see, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM record_version WHERE case_id = $1 ORDER BY number", case_id
    )
    return rows


async def elsewhere(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return who else wrote something of the case, and when."""
    rows: list[asyncpg.Record] = await tx.fetch("SELECT * FROM versions_elsewhere($1)", case_id)
    return rows


async def opened_to(tx: Connection, version_id: UUID, agency_id: UUID) -> list[asyncpg.Record]:
    """Return the bases on which a version was disclosed to the agency."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT d.*, coalesce(r.purpose, t.purpose) AS purpose FROM disclosure d
           LEFT JOIN referral r ON r.id = coalesce(d.origin_id, d.subject_id)
           LEFT JOIN transfer t ON t.id = coalesce(d.origin_id, d.subject_id)
           WHERE d.version_id = $1 AND d.receiver_id = $2 AND d.opened_at IS NOT NULL""",
        version_id,
        agency_id,
    )
    return rows


async def rows_of(tx: Connection, table: str, case_id: UUID) -> list[asyncpg.Record]:
    """Return the rows of one of the case's tables that the agency may see, oldest first."""
    assert table in (
        "consent",
        "consent_withdrawal",
        "correction",
        "disclosure",
        "move",
        "case_lead",
        "subject_request",
    )
    statement = _ROWS.format(table=table, order="from_at" if table == "case_lead" else "recorded_at, id")
    rows: list[asyncpg.Record] = await tx.fetch(statement, case_id)
    return rows

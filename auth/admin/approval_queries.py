"""The SQL of approvals, as the role `rujukan_admin`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.foundation.database import Connection

_APPROVAL = """SELECT a.id, a.act, a.subject, a.detail::text AS detail, a.asked_by, a.asked_at, a.expires_at, a.state, a.decided_at, a.reason,
    ARRAY(SELECT y.actor FROM approval_yes y WHERE y.approval_id = a.id ORDER BY y.said_at, y.actor) AS yes FROM approval a"""


async def insert_approval(conn: Connection, **values: Any) -> bool:
    """Add something that waits; False if the same waits already."""
    done = await conn.execute(
        "INSERT INTO approval (id, act, subject, detail, asked_by, asked_through, asked_at, expires_at)"
        " VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8)"
        " ON CONFLICT (act, subject) WHERE state = 'waiting' DO NOTHING",
        *(
            values[name]
            for name in ("id", "act", "subject", "detail", "asked_by", "asked_through", "asked_at", "expires_at")
        ),
    )
    return bool(done == "INSERT 0 1")


async def withdraw_expired(conn: Connection, act: str, subject: str, now: datetime) -> None:
    """Make room for asking again for what has waited too long."""
    await conn.execute(
        "UPDATE approval SET state = 'withdrawn', decided_at = expires_at"
        " WHERE act = $1 AND subject = $2 AND state = 'waiting' AND expires_at <= $3",
        act,
        subject,
        now,
    )


async def lock_approval(conn: Connection, id: UUID) -> asyncpg.Record | None:
    """Return one, and keep others from deciding it until commit."""
    return await conn.fetchrow(
        "SELECT id, act, subject, detail::text AS detail, asked_by, expires_at, state FROM approval WHERE id = $1 FOR UPDATE",
        id,
    )


async def approval(conn: Connection, id: UUID) -> asyncpg.Record | None:
    """Return one with who has said yes."""
    return await conn.fetchrow(f"{_APPROVAL} WHERE a.id = $1", id)


async def approvals(conn: Connection, *, waiting_at: datetime | None) -> list[asyncpg.Record]:
    """Return all that wait at a time, or the last 500 there were, newest first."""
    return list(
        await conn.fetch(
            f"{_APPROVAL} WHERE $1::timestamptz IS NULL OR (a.state = 'waiting' AND a.expires_at > $1)"
            " ORDER BY a.asked_at DESC, a.id DESC LIMIT CASE WHEN $1 IS NULL THEN 500 END",
            waiting_at,
        )
    )


async def insert_yes(conn: Connection, id: UUID, *, actor: str, admin_id: UUID | None, at: datetime) -> bool:
    """Add a person's yes; False if they have said it already."""
    done = await conn.execute(
        "INSERT INTO approval_yes (approval_id, actor, admin_id, said_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        id,
        actor,
        admin_id,
        at,
    )
    return bool(done == "INSERT 0 1")


async def yes_that_count(conn: Connection, id: UUID, *, roles: Sequence[str] | None) -> int:
    """Return how many different people have said yes; with `roles`, only those who have proved who they are and still have one of them."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM approval_yes y LEFT JOIN administrator p ON p.id = y.admin_id"
        " WHERE y.approval_id = $1 AND ($2::text[] IS NULL OR (p.status = 'active' AND p.roles && $2))",
        id,
        roles,
    )
    return count


async def decide(conn: Connection, id: UUID, *, state: str, at: datetime, reason: str | None) -> None:
    """Write down how it ended."""
    await conn.execute(
        "UPDATE approval SET state = $2, decided_at = $3, reason = $4 WHERE id = $1", id, state, at, reason
    )

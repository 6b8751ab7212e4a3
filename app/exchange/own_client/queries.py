"""The SQL of a client's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.foundation import json
from app.foundation.database import Connection
from app.outbox.jobs.claims import one_by_one

BATCH: Final = 200
FIRST, LAST = timedelta(days=14), timedelta(days=2)
"""How long before its last key ends a client's agencies are reminded, twice."""
_COLUMNS = "SELECT id, kid, starts_at, ends_at, added_at, added_by FROM client_key WHERE client_id = $1"


async def keys(tx: Connection, client_id: str) -> list[asyncpg.Record]:
    """Return a client's keys, the newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(f"{_COLUMNS} ORDER BY added_at DESC, id DESC LIMIT 100", client_id)
    return rows


async def key(tx: Connection, client_id: str, id: UUID) -> asyncpg.Record:
    """Return one that is there."""
    row = await tx.fetchrow(f"{_COLUMNS} AND id = $2", client_id, id)
    assert row is not None, "keys are never deleted"
    return row


async def add_key(
    db: Acting, key: Key, *, kid: str, jwk: Mapping[str, Any], starts_at: datetime, ends_at: datetime | None
) -> UUID:
    """Add a key of the client's own, and return its id; that of the first time if the request is repeated."""
    row = await db.one(
        "SELECT id FROM add_own_key($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        kid,
        json.text(jwk),
        starts_at,
        ends_at,
    )
    id: UUID = row["id"]
    return id


async def end_key(db: Acting, key: Key, id: UUID) -> None:
    """End a key of the client's own now."""
    await db.one(
        "SELECT id FROM end_own_key($1, $2, $3, $4, $5)", key.value, key.request_hash, db.settings.idempotency_days, id
    )


async def remind_of_ending_keys(conn: Connection, now: datetime) -> int:
    """Tell the agencies of clients whose last key ends soon, once at each of two times, one by one; return how many keys that were."""

    async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
        return await conn.fetchrow(
            """SELECT x.id, x.client_id, x.kid FROM client_key x JOIN client c USING (client_id)
                WHERE x.ends_at > $1 AND x.ends_at <= $1 + $3::interval AND c.status NOT IN ('suspended', 'retired')
                  AND (x.reminded_at IS NULL OR (x.ends_at <= $1 + $4::interval AND x.reminded_at < x.ends_at - $4::interval))
                  AND NOT EXISTS (SELECT FROM client_key y WHERE y.client_id = x.client_id AND y.kid <> x.kid
                                  AND y.starts_at <= x.ends_at AND (y.ends_at IS NULL OR y.ends_at > x.ends_at))
                 
                 AND x.id <> ALL ($2) AND NOT is_parked('remind_of_ending_keys', x.id, $1)
                ORDER BY x.ends_at LIMIT 1 FOR UPDATE OF x SKIP LOCKED""",
            now,
            passed_over,
            FIRST,
            LAST,
        )

    async def work(row: asyncpg.Record) -> None:
        await conn.execute(
            "UPDATE client_key SET reminded_at = $3 WHERE client_id = $1 AND kid = $2",
            row["client_id"],
            row["kid"],
            now,
        )
        await conn.execute(
            "SELECT tell_agencies_of($1, 'client.key_ending', 'client_key', $2, 'ending', $3)",
            row["client_id"],
            row["id"],
            now,
        )

    return await one_by_one(conn, "remind_of_ending_keys", "client_key", claim, work, now, limit=BATCH)


_SEALING = "SELECT id, kid, starts_at, ends_at, end_reason, added_at, client_id FROM sealing_key WHERE agency_id = $1"


async def sealing_keys(tx: Connection, agency_id: UUID) -> list[asyncpg.Record]:
    """Return an agency's encryption keys, the newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(f"{_SEALING} ORDER BY added_at DESC, id DESC LIMIT 100", agency_id)
    return rows


async def sealing_key(tx: Connection, agency_id: UUID, id: UUID) -> asyncpg.Record | None:
    """Return one of them."""
    return await tx.fetchrow(f"{_SEALING} AND id = $2", agency_id, id)


async def add_sealing_key(
    db: Acting, key: Key, *, kid: str, jwk: Mapping[str, Any], starts_at: datetime, ends_at: datetime | None
) -> UUID:
    """Publish an encryption key of the agency's own, and return its id; that of the first time if the request is repeated."""
    row = await db.one(
        "SELECT id FROM add_sealing_key($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        kid,
        json.text(jwk),
        starts_at,
        ends_at,
    )
    id: UUID = row["id"]
    return id


async def end_sealing_key(db: Acting, key: Key, id: UUID, reason: str) -> None:
    """End an encryption key of the agency's own now."""
    await db.one(
        "SELECT id FROM end_sealing_key($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        id,
        reason,
    )


async def sealed_only_to(tx: Connection, agency_id: UUID, key_id: UUID, at: datetime) -> list[asyncpg.Record]:
    """Return what is open, has come to the agency, and has sections it can open by this key alone; and whether the sender is asked already."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT o.subject, o.id, o.case_id, o.reference, array_agg(DISTINCT s.section) AS sections,
                  EXISTS (SELECT FROM request q WHERE q.case_id = o.case_id AND q.subject_id = o.id AND q.kind = 'reseal'
                          AND q.state = 'open') AS requested
           FROM sealed_recipient s JOIN (
               SELECT 'referral' AS subject, id, case_id, reference, version_id FROM referral WHERE receiver_id = $1 AND ended_at IS NULL
               UNION ALL
               SELECT 'transfer', id, case_id, reference, version_id FROM transfer WHERE receiver_id = $1 AND ended_at IS NULL) o
             ON o.case_id = s.case_id AND o.version_id = s.version_id
           WHERE s.key_id = $2 AND NOT EXISTS (
               SELECT FROM sealed_recipient t JOIN sealing_key k ON k.id = t.key_id
               WHERE t.case_id = s.case_id AND t.version_id = s.version_id AND t.section = s.section AND k.agency_id = $1 AND k.id <> $2
                 AND sealing_key_counts(k, $3))
           GROUP BY o.subject, o.id, o.case_id, o.reference ORDER BY o.id""",
        agency_id,
        key_id,
        at,
    )
    return rows

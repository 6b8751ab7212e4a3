"""The SQL of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.foundation import json
from app.foundation.database import Connection

_OWN = """SELECT a.*, c.id AS case_id, c.id IS NOT NULL AS bound FROM attachment a, case_of_file(a.id) AS c(id)
    WHERE a.agency_id = $1 AND a.state NOT IN ('uploading', 'erased')"""


async def key_was_used(tx: Connection, db: Acting, key: str) -> bool:
    """Whether something was answered to this idempotency key."""
    found: bool = await tx.fetchval(
        """SELECT EXISTS (SELECT FROM idempotency WHERE agency_id = $1 AND client_id = $2 AND key = $3
           AND recorded_at > $4::timestamptz - make_interval(days => $5))""",
        db.agency_id,
        db.caller.client_id,
        key,
        db.at,
        db.settings.idempotency_days,
    )
    return found


async def unbound_bytes(tx: Connection) -> int:
    """Return how much of the agency goes with no record; until the transaction's end no other upload of it begins."""
    found: int = await tx.fetchval("SELECT unbound_bytes()")
    return found


async def begin(
    tx: Connection, db: Acting, *, id: UUID, section: str, store: str, reserved: int, wrapped: bytes, due: datetime
) -> None:
    """Write down that an upload begins."""
    await tx.execute(
        """INSERT INTO attachment (id, agency_id, client_id, section, store, size, wrapped_key, created_at, touched_at, due_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)""",
        id,
        db.agency_id,
        db.caller.client_id,
        section,
        store,
        reserved,
        wrapped,
        db.at,
        due,
    )


async def touch(tx: Connection, id: UUID, *, at: datetime, due: datetime) -> bool:
    """Say that the upload goes on. False if the worker has given it up."""
    done: str = await tx.execute(
        "UPDATE attachment SET touched_at = $2, due_at = $3 WHERE id = $1 AND state = 'uploading'", id, at, due
    )
    return done == "UPDATE 1"


async def add_chunks(tx: Connection, id: UUID, first: int, chunks: Sequence[bytes]) -> None:
    """Keep encrypted chunks in this database."""
    await tx.executemany(
        "INSERT INTO attachment_chunk (attachment_id, number, data) VALUES ($1, $2, $3)",
        [(id, first + place, data) for place, data in enumerate(chunks)],
    )


async def chunks(tx: Connection, id: UUID, first: int, count: int) -> list[bytes]:
    """Return up to `count` encrypted chunks, from `first` on."""
    rows = await tx.fetch(
        "SELECT data FROM attachment_chunk WHERE attachment_id = $1 AND number >= $2 AND number < $3 ORDER BY number",
        id,
        first,
        first + count,
    )
    return [row["data"] for row in rows]


async def finish(
    db: Acting,
    *,
    key: str,
    request_hash: bytes,
    id: UUID,
    file: dict[str, Any],
    detail: bytes,
    at: datetime,
    expires: datetime,
) -> asyncpg.Record:
    """End an upload: what it is, its log entry, the answer to its key, in one statement. Returns `moved`."""
    return await db.one(
        "SELECT * FROM finish_attachment($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key,
        request_hash,
        db.settings.idempotency_days,
        id,
        json.text(file),
        detail,
        at,
        expires,
    )


async def earlier(db: Acting, *, key: str, request_hash: bytes) -> asyncpg.Record:
    """Return the earlier answer to this key; its `id` is none if it has been forgotten since."""
    return await db.one(
        "SELECT * FROM repeated_answer($1, $2, $3, $4)", key, request_hash, db.settings.idempotency_days
    )


async def own(tx: Connection, agency_id: UUID, id: UUID) -> asyncpg.Record | None:
    """Return a file the agency uploaded."""
    return await tx.fetchrow(_OWN + " AND a.id = $2", agency_id, id)


async def page(
    tx: Connection, agency_id: UUID, *, state: str | None, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Return files the agency uploaded, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        _OWN
        + """ AND a.id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND ($3::text IS NULL OR a.state = $3)
            ORDER BY a.id DESC LIMIT $4""",
        agency_id,
        before,
        state,
        limit,
    )
    return rows


async def drop(tx: Connection, id: UUID, at: datetime) -> str:
    """Destroy a file of the agency's that goes with no record: `dropped`, or `none`, `bound`."""
    found: str = await tx.fetchval("SELECT drop_attachment($1, $2)", id, at)
    return found


async def destroy(conn: Connection, id: UUID, *, state: str, reason: str | None, at: datetime) -> bool:
    """Destroy a file's key, detail and content. False if that was done before."""
    found: bool = await conn.fetchval("SELECT destroy_attachment($1, $2, $3, $4)", id, state, reason, at)
    return found


async def claim_due(conn: Connection, now: datetime, lease: timedelta, limit: int) -> list[asyncpg.Record]:
    """Take the files that are due, for as long as the lease: another worker takes them up when it has ended."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """WITH due AS (SELECT id FROM attachment WHERE due_at <= $1 AND NOT is_parked('look_after_files', id, $1)
                        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
            UPDATE attachment a SET due_at = $1::timestamptz + $2::interval FROM due WHERE a.id = due.id
            RETURNING a.*, case_of_file(a.id) IS NOT NULL AS bound,
                EXISTS (SELECT FROM parked_job p WHERE p.job = 'look_after_files' AND p.subject_id = a.id) AS noted""",
        now,
        lease,
        limit,
    )
    return rows


async def lock(conn: Connection, id: UUID, state: str) -> bool:
    """Hold a file's row, if it still is in this state."""
    return await conn.fetchval("SELECT true FROM attachment WHERE id = $1 AND state = $2 FOR UPDATE", id, state) is True


async def hold_unbound(conn: Connection, id: UUID) -> bool:
    """Hold a file's row if no record holds it; whoever binds it waits, and then finds it gone."""
    await conn.execute("SELECT FROM attachment WHERE id = $1 FOR UPDATE", id)
    found: bool = await conn.fetchval("SELECT case_of_file($1) IS NULL", id)
    return found


async def look_again(conn: Connection, id: UUID, due: datetime | None) -> None:
    """Say when the worker looks at it next; None: never."""
    await conn.execute("UPDATE attachment SET due_at = $2 WHERE id = $1", id, due)


async def scanned(conn: Connection, id: UUID) -> None:
    """It is clean."""
    await conn.execute("UPDATE attachment SET state = 'ready', due_at = expires_at WHERE id = $1", id)


async def log_by_worker(conn: Connection, id: UUID, *, action: str, detail: dict[str, Any], at: datetime) -> None:
    """Write the worker's act to the log."""
    await conn.fetchval(
        "SELECT append_log($1, NULL, NULL, 'system', NULL, $2, 'done', 'attachment', $3, NULL, $4)",
        at,
        action,
        id,
        json.text(detail),
    )


async def tell(conn: Connection, row: asyncpg.Record, *, event: str, at: datetime) -> None:
    """Tell the uploader's agency."""
    await conn.execute(
        """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
           VALUES ($1, $2, 'attachment', $3, NULL, $4, $5)""",
        row["agency_id"],
        event,
        row["id"],
        event.partition(".")[2],
        at,
    )


async def forget_content(conn: Connection, id: UUID, due: datetime | None) -> None:
    """The store holds nothing of it any more."""
    await conn.execute("UPDATE attachment SET stored = false, due_at = $2 WHERE id = $1", id, due)


async def forget(conn: Connection, id: UUID) -> None:
    """Forget a file whose content is gone; where a record held it, its row stays, and is looked at no more."""
    await conn.execute(
        """DELETE FROM attachment a WHERE id = $1 AND state = 'erased' AND NOT stored
           AND case_of_file(a.id) IS NULL""",
        id,
    )
    await look_again(conn, id, None)

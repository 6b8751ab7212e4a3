"""The SQL of notes."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.foundation.database import Connection


async def notes_of(tx: Connection, subject_id: UUID) -> list[asyncpg.Record]:
    """Return the notes of a referral or transfer with their moves, in the order in which they were written."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT m.*, n.number, n.kind, n.in_reply_to, n.for_other FROM note n JOIN move m ON m.id = n.move_id AND m.case_id = n.case_id
           WHERE n.subject_id = $1 ORDER BY n.number""",
        subject_id,
    )
    return rows


async def seen_by(tx: Connection, subject_id: UUID) -> dict[UUID, asyncpg.Record]:
    """Return how far each agency has read, as far as the caller may know it."""
    rows = await tx.fetch("SELECT agency_id, through, read_at, unread FROM note_seen WHERE subject_id = $1", subject_id)
    return {row["agency_id"]: row for row in rows}


async def mark_read(db: Acting, subject: str, subject_id: UUID, note_id: UUID) -> bool:
    """Say how far the agency has read, in one statement; False: it may see no such note."""
    row = await db.one("SELECT * FROM mark_notes_read($1, $2, $3, $4)", subject, subject_id, note_id)
    return row["agency_id"] is not None

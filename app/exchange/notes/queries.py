"""The SQL of notes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.foundation.database import Connection


async def notes_of(tx: Connection, subject_id: UUID, *, after: int, limit: int) -> list[asyncpg.Record]:
    """Return notes of a referral or transfer with their moves, in the order in which they were written; from behind a number."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT m.*, n.number, n.kind, n.in_reply_to, n.for_other FROM note n JOIN move m ON m.id = n.move_id AND m.case_id = n.case_id
           WHERE n.subject_id = $1 AND n.number > $2 ORDER BY n.number LIMIT $3""",
        subject_id,
        after,
        limit,
    )
    return rows


async def answers_to(tx: Connection, subject_id: UUID, questions: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Return the ids of the notes that answer each of some, on whatever page they are, in order."""
    rows = await tx.fetch(
        "SELECT in_reply_to, move_id FROM note WHERE subject_id = $1 AND in_reply_to = ANY ($2) ORDER BY number",
        subject_id,
        questions,
    )
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        found.setdefault(row["in_reply_to"], []).append(row["move_id"])
    return found


async def numbered(tx: Connection, subject_id: UUID, numbers: Sequence[int]) -> dict[int, UUID]:
    """Return the ids of the notes that have these numbers."""
    rows = await tx.fetch(
        "SELECT number, move_id FROM note WHERE subject_id = $1 AND number = ANY ($2)", subject_id, numbers
    )
    return {row["number"]: row["move_id"] for row in rows}


async def seen_by(tx: Connection, subject_id: UUID) -> dict[UUID, asyncpg.Record]:
    """Return how far each agency has read, as far as the caller may know it."""
    rows = await tx.fetch("SELECT agency_id, through, read_at, unread FROM note_seen WHERE subject_id = $1", subject_id)
    return {row["agency_id"]: row for row in rows}


async def mark_read(db: Acting, subject: str, subject_id: UUID, note_id: UUID) -> bool:
    """Say how far the agency has read, in one statement; False: it may see no such note."""
    row = await db.one("SELECT * FROM mark_notes_read($1, $2, $3, $4)", subject, subject_id, note_id)
    return row["agency_id"] is not None

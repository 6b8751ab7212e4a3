"""The SQL of reviews."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection

_PAGE = """SELECT * FROM review WHERE ($1::text IS NULL OR state = $1) AND ($2::timestamptz IS NULL OR due_at < $2)
      AND ($3::timestamptz IS NULL OR (due_at, id) > ($3, $4)) AND {whose}
    ORDER BY due_at, id LIMIT $5"""
_WHOSE = {True: "NOT practice", False: "(sender_id = current_agency() OR receiver_id = current_agency())"}


async def page(
    tx: Connection,
    *,
    reviews: bool,
    state: str | None,
    due_before: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return reviews, the one due first first: to the reviewers all of them, to others those of what they sent or got."""
    rows: list[asyncpg.Record] = await tx.fetch(
        _PAGE.format(whose=_WHOSE[reviews]), state, due_before, *(after or (None, None)), limit
    )
    return rows


async def review_by_id(tx: Connection, review_id: UUID) -> asyncpg.Record | None:
    """Return a review that the agency may see."""
    return await tx.fetchrow("SELECT * FROM review WHERE id = $1", review_id)


async def reason_of(tx: Connection, review_id: UUID) -> bytes | None:
    """Return the sealed reason of the disclosure, for the reviewers and who disclosed."""
    reason: bytes | None = await tx.fetchval("SELECT review_reason($1)", review_id)
    return reason


async def decide(
    db: Acting, key: Key, review_id: UUID, state: str, *, until: datetime | None, ground: bytes
) -> MovedRow:
    """Decide a review, in one statement; what was not justified locks with it."""
    row = await db.one(
        "SELECT * FROM decide_review($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        review_id,
        state,
        until,
        ground,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def rebase(db: Acting, key: Key, change: dict[str, Any], *, reasons: Sequence[bytes | None]) -> MovedRow:
    """Put sections of a referral or transfer on other bases, in one statement."""
    row = await db.one(
        "SELECT * FROM rebase($1, $2, $3, $4, $5, $6)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(change),
        reasons,
    )
    return MovedRow(*row)

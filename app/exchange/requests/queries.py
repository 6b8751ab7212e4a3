"""The SQL of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection

_PAGE = """SELECT * FROM request
    WHERE {whose} AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
      AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR kind = $4)
    ORDER BY id DESC LIMIT $5"""
_WHOSE = {"to": "to_id = $1", "from": "from_id = $1", "lead": "case_id = $1 AND is_lead($1)"}


async def answer_request(
    db: Acting,
    key: Key,
    request_id: UUID,
    answer: dict[str, Any],
    *,
    detail: bytes | None,
    reasons: Sequence[bytes | None],
) -> MovedRow:
    """Answer a request, in one statement; with a new basis, what it covers opens again."""
    row = await db.one(
        "SELECT * FROM answer_request($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        request_id,
        json.text(answer),
        detail,
        reasons,
    )
    return MovedRow(*row)


async def page(
    tx: Connection, role: str, whose: UUID, *, before: UUID | None, state: str | None, kind: str | None, limit: int
) -> list[asyncpg.Record]:
    """Return requests, newest first. `whose`: the agency, or for `lead` the case."""
    rows: list[asyncpg.Record] = await tx.fetch(_PAGE.format(whose=_WHOSE[role]), whose, before, state, kind, limit)
    return rows


async def request_by_id(tx: Connection, request_id: UUID) -> asyncpg.Record | None:
    """Return a request the agency asked, is asked, or leads the case of."""
    return await tx.fetchrow("SELECT * FROM request WHERE id = $1", request_id)


async def locked_by(tx: Connection, request_id: UUID, receiver_id: UUID) -> list[asyncpg.Record]:
    """Return what a withdrawal, a narrowing or the end of a vital interest locked and a new basis may open again, with the purpose it was for."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT d.id, d.sender_id, d.version_id, d.lock_reason, d.sections, coalesce(r.purpose, t.purpose) AS purpose FROM disclosure d
           LEFT JOIN referral r ON r.id = coalesce(d.origin_id, d.subject_id)
           LEFT JOIN transfer t ON t.id = coalesce(d.origin_id, d.subject_id)
           WHERE d.request_id = $1 AND d.receiver_id = $2 AND d.lock_reason IN ('consent_withdrawn', 'consent_narrowed', 'review_lapsed')
             AND d.closed_at IS NULL ORDER BY d.id""",
        request_id,
        receiver_id,
    )
    return rows

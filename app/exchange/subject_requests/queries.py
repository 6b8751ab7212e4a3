"""The SQL of subject requests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection

_WHOSE = {
    "lead": "case_id IN (SELECT id FROM case_file WHERE lead_id = $1)",
    "author": "author_id = $1",
    "officer": "is_reviewer() AND $1::uuid IS NOT NULL",
}
_PAGE = """SELECT * FROM subject_request
    WHERE {whose} AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
      AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR kind = $4) AND ($5::uuid IS NULL OR case_id = $5)
    ORDER BY id DESC LIMIT $6"""


async def open_request(db: Acting, key: Key, case_id: UUID, request: dict[str, Any], detail: bytes) -> MovedRow:
    """Write down what is asked, in one statement."""
    row = await db.one(
        "SELECT * FROM open_subject_request($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        case_id,
        json.text(request),
        detail,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def answer_request(db: Acting, key: Key, request_id: UUID, answer: dict[str, Any], detail: bytes) -> MovedRow:
    """Answer it, with what follows, in one statement."""
    row = await db.one(
        "SELECT * FROM answer_subject_request($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        request_id,
        json.text(answer),
        detail,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def lift_restriction(db: Acting, key: Key, request_id: UUID, lift: dict[str, Any], detail: bytes) -> MovedRow:
    """Lift a granted restriction, in one statement."""
    row = await db.one(
        "SELECT * FROM lift_restriction($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        request_id,
        json.text(lift),
        detail,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def page(
    tx: Connection,
    role: str,
    agency_id: UUID,
    *,
    before: UUID | None,
    state: str | None,
    kind: str | None,
    case_id: UUID | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return subject requests, newest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        _PAGE.format(whose=_WHOSE[role]), agency_id, before, state, kind, case_id, limit
    )
    return rows


async def by_id(tx: Connection, request_id: UUID) -> asyncpg.Record | None:
    """Return a request the agency wrote down, answers as lead, or reviews; with whether it leads the case."""
    return await tx.fetchrow("SELECT *, is_lead(case_id) AS leads FROM subject_request WHERE id = $1", request_id)


async def asked_of_holders(tx: Connection, case_id: UUID, request_id: UUID) -> list[UUID]:
    """Return what holders were asked in its consequence."""
    rows = await tx.fetch(
        "SELECT id FROM request WHERE case_id = $1 AND subject = 'subject_request' AND subject_id = $2 ORDER BY id",
        case_id,
        request_id,
    )
    return [row["id"] for row in rows]

"""The SQL of consents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def give_consent(db: Acting, key: Key, case_id: UUID, consent: dict[str, Any], detail: bytes | None) -> MovedRow:
    """Record a consent, in one statement."""
    row = await db.one(
        "SELECT * FROM give_consent($1, $2, $3, $4, $5, $6, $7)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        case_id,
        json.text(consent),
        detail,
    )
    return MovedRow(*row)


async def withdraw_consent(
    db: Acting, key: Key, case_id: UUID, consent_id: UUID, withdrawal: dict[str, Any], detail: bytes | None
) -> MovedRow:
    """Withdraw a consent and lock what rests on it, in one statement."""
    row = await db.one(
        "SELECT * FROM withdraw_consent($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        case_id,
        consent_id,
        json.text(withdrawal),
        detail,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def withdrawals_of(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return the withdrawals of the case's consents that the agency may see, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT w.* FROM consent_withdrawal w JOIN consent c ON c.id = w.consent_id AND c.case_id = w.case_id
           WHERE w.case_id = $1 ORDER BY w.recorded_at, w.id""",
        case_id,
    )
    return rows


async def consents_of(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return the consents of a case that the agency may see."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM consent WHERE case_id = $1 ORDER BY recorded_at, id", case_id
    )
    return rows

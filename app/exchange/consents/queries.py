"""The SQL of consents."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def give_consent(db: Acting, key: Key, case_id: UUID, consent: dict[str, Any], detail: bytes) -> MovedRow:
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
    """Take a consent back, in whole or in part, and lock what rested on it, in one statement."""
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


async def reconfirm_consent(
    db: Acting, key: Key, case_id: UUID, consent_id: UUID, act: dict[str, Any], detail: bytes
) -> MovedRow:
    """Reconfirm a consent in doubt and open what rests on it, in one statement."""
    row = await db.one(
        "SELECT * FROM reconfirm_consent($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        case_id,
        consent_id,
        json.text(act),
        detail,
    )
    return MovedRow(*row)


class Consents(NamedTuple):
    """The consents of a case that the agency may see, and what became of them; each oldest first."""

    consents: list[asyncpg.Record]
    withdrawals: list[asyncpg.Record]
    reconfirmations: list[asyncpg.Record]


async def consents_of(tx: Connection, case_id: UUID) -> Consents:
    """Return the consents of a case that the agency may see."""
    return Consents(
        await tx.fetch("SELECT * FROM consent WHERE case_id = $1 ORDER BY recorded_at, id", case_id),
        await tx.fetch(
            """SELECT w.* FROM consent_withdrawal w JOIN consent c ON c.id = w.consent_id AND c.case_id = w.case_id
               WHERE w.case_id = $1 ORDER BY w.recorded_at, w.id""",
            case_id,
        ),
        await tx.fetch("SELECT * FROM consent_reconfirmation WHERE case_id = $1 ORDER BY recorded_at, id", case_id),
    )


async def evidence_of(tx: Connection, case_id: UUID, consent_id: UUID, attachment_id: UUID) -> asyncpg.Record | None:
    """Return the file that proves a consent or its reconfirmation, if row-level security opens it to the agency."""
    return await tx.fetchrow(
        """SELECT a.* FROM consent_attachment e JOIN attachment a ON a.id = e.attachment_id
           WHERE e.case_id = $1 AND e.consent_id = $2 AND e.attachment_id = $3 AND a.state = 'ready' LIMIT 1""",
        case_id,
        consent_id,
        attachment_id,
    )

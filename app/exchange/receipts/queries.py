"""The SQL of receipts."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def entry(tx: Connection, entry_id: UUID) -> asyncpg.Record | None:
    """Return the entry of an act for which the agency may hold a receipt."""
    return await tx.fetchrow("SELECT * FROM entry_for_receipt($1)", entry_id)


async def entries_of(tx: Connection, subject_id: UUID, case_id: UUID) -> list[asyncpg.Record]:
    """Return the acts on a referral or transfer for which the agency may hold receipts, oldest first."""
    return list(await tx.fetch("SELECT * FROM entries_for_receipts($1, $2)", subject_id, case_id))

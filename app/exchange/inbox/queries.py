"""The SQL of the work list, and of references."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.foundation.database import Connection


async def waiting(
    db: Acting, kinds: Sequence[str] | None, *, overdue: bool, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """Return what waits for the agency, soonest deadline first."""
    return await db.all(
        "SELECT * FROM list_inbox($1, $2, $3, $4, $5, $6)",
        list(kinds) if kinds else None,
        overdue,
        *(after or (None, None)),
        limit,
    )


async def counts(db: Acting, at_most: int) -> list[asyncpg.Record]:
    """Return how many of each kind wait, each counted up to a limit."""
    return await db.all("SELECT * FROM count_inbox($1, $2)", at_most)


async def named(tx: Connection, subject: str, reference: str) -> asyncpg.Record | None:
    """Return the id of the case, referral or transfer of this reference, if the agency may see it."""
    statement = {
        "case": "SELECT id, id AS case_id FROM case_file WHERE reference = $1",
        "referral": "SELECT id, case_id FROM referral WHERE reference = $1",
        "transfer": "SELECT id, case_id FROM transfer WHERE reference = $1",
    }[subject]
    return await tx.fetchrow(statement, reference)

"""The SQL of the access report."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection


async def access_to(
    tx: Connection, case_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """Return who saw or passed on something of a case, oldest first: to its lead and to the reviewing agency, nothing to others."""
    return list(
        await tx.fetch("SELECT * FROM access_to_case($1, $2, $3, $4)", case_id, *(after or (None, None)), limit)
    )

"""The log of administrative acts, for auditors. Of cases this role reads nothing (`app/migrations/sql/log.sql`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.foundation.database import Connection
from auth.admin import change_queries as queries


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log."""

    id: UUID
    recorded_at: datetime
    actor: str
    client_id: str | None
    request_id: str | None
    action: str
    outcome: str
    subject: str | None
    subject_id: UUID | None
    detail: Mapping[str, Any]


async def page_of_log(
    conn: Connection,
    *,
    action: str | None = None,
    actor: str | None = None,
    subject: str | None = None,
    subject_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[Entry]:
    """Return at most `limit` entries, newest first, from behind the one `after`. `action`: such as `client:approve`, or `client` for all of them."""
    rows = await queries.log_entries(
        conn,
        action=action,
        actor=actor,
        subject=subject,
        subject_id=subject_id,
        since=since,
        until=until,
        after=after,
        limit=limit,
    )
    return [Entry(**{**dict(row), "detail": json.loads(row["detail"])}) for row in rows]

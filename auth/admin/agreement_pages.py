"""Agreements page by page, and one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.foundation.database import Connection
from auth.admin import change_queries as queries
from auth.admin.agreements import ListedAgreement
from auth.admin.errors import UnknownAgreementError


async def read_one(conn: Connection, id: UUID) -> ListedAgreement:
    """Return one agreement. Raises `UnknownAgreementError`."""
    row = await queries.agreement(conn, id)
    if row is None:
        raise UnknownAgreementError("there is no such agreement")
    return _agreement(row)


async def page_of_agreements(
    conn: Connection,
    *,
    kind: str | None = None,
    agency: str | None = None,
    holds_at: datetime | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[ListedAgreement]:
    """Return at most `limit` agreements, newest first, from behind the one `after`."""
    return [
        _agreement(row)
        for row in await queries.agreements(conn, kind=kind, agency=agency, holds_at=holds_at, after=after, limit=limit)
    ]


def _agreement(row: Mapping[str, Any]) -> ListedAgreement:
    times = {name: timedelta(seconds=value) for name, value in json.loads(row["times"]).items()}
    return ListedAgreement(**{**dict(row), "times": times})

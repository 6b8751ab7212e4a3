"""Webhooks as administrators see them, and take them out of service. They add and change none: what goes where is for its client to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from app.foundation.database import Connection
from auth.admin import webhook_queries as queries
from auth.admin.errors import UnknownWebhookError
from auth.queries import log_act

MOST = 1000
"""How many are listed at once where there are no pages."""


@dataclass(frozen=True, slots=True)
class ListedWebhook:
    """A webhook, of its address the host alone: the rest may hold a secret of the receiver's."""

    id: UUID
    client_id: str
    agency: str
    """Code of the agency whose events are sent."""
    host: str
    state: str
    state_at: datetime
    failing_since: datetime | None
    created_at: datetime
    changed_at: datetime
    """When its client last changed address, types or state."""


async def page_of_webhooks(
    conn: Connection,
    *,
    client_id: str | None = None,
    agency: str | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int = MOST,
) -> list[ListedWebhook]:
    """Return at most `limit` webhooks by id, from behind the id `after`."""
    rows = await queries.webhooks(
        conn, client_id=client_id, agency=agency, state=state, after=None if after is None else UUID(after), limit=limit
    )
    return [listed(row) for row in rows]


async def disable_webhook(conn: Connection, id: UUID, *, now: datetime, actor: str) -> ListedWebhook:
    """Take one out of service; its agency is told, and its client may put it into service again. Raises `UnknownWebhookError`."""
    async with conn.transaction():
        if not await queries.disable(conn, id, now):
            raise UnknownWebhookError(f"there is no webhook {id}")
        await log_act(conn, at=now, actor=actor, action="webhook:stop", subject="webhook", detail={"webhook": str(id)})
        (found,) = await queries.webhooks(conn, id=id, limit=1)
    return listed(found)


async def stop_changed_since(conn: Connection, client_id: str, since: datetime, now: datetime) -> list[ListedWebhook]:
    """Take out of service what a client made, led elsewhere or put into service since then, and return all of those."""
    await queries.stop_changed_since(conn, client_id, since, now)
    return [each for each in await page_of_webhooks(conn, client_id=client_id) if each.changed_at >= since]


def listed(row: asyncpg.Record) -> ListedWebhook:
    """Return a row as administrators see it."""
    return ListedWebhook(**dict(row))

"""One client, found and kept from others until commit; and what is logged of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from app.foundation.database import Connection
from auth.admin import client_queries
from auth.admin.errors import ClientMoveError, UnknownClientError
from auth.queries import log_act


async def find_client(conn: Connection, client_id: str) -> asyncpg.Record:
    """Return how a client stands, and lock it: `id`, `status`, `status_before`, `auth_method`, `jwks_uri`, `emergency_until`.

    Raises `UnknownClientError`.
    """
    found = await client_queries.client(conn, client_id)
    if found is None:
        raise UnknownClientError(f"there is no client {client_id}")
    return found


async def find_unretired_client(conn: Connection, client_id: str) -> asyncpg.Record:
    """Return what `find_client` does of a client that can still be changed. Raises `UnknownClientError`, `ClientMoveError`."""
    found = await find_client(conn, client_id)
    if found["status"] == "retired":
        raise ClientMoveError(f"{client_id} is retired: nothing about it changes any more")
    return found


async def log_client(conn: Connection, client_id: str, action: str, now: datetime, actor: str, **detail: Any) -> None:
    """Write the log entry of an act on a client, in the act's transaction."""
    await log_act(conn, at=now, actor=actor, action=action, subject="client", detail={"client_id": client_id, **detail})

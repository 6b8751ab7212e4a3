"""What ends an emergency: two people's yes, or one person's no. How one begins is in `auth.admin.client_life`."""

from __future__ import annotations

from datetime import datetime

from app.foundation.database import Connection
from auth.admin import client_queries
from auth.admin.clients import change_client
from auth.admin.errors import ClientMoveError
from auth.admin.found_client import find_client, log_client


async def resume(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """Let a suspended client be again what it was, with its whole scopes: two people have said yes. Ended keys stay ended."""
    async with conn.transaction():
        await change_client(conn, client_id, "resume", now=now, actor=actor)
        await client_queries.set_emergency(conn, client_id, None)


async def settle_emergency(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """Give a client its whole scopes again after an emergency. Raises `UnknownClientError`, `ClientMoveError`."""
    async with conn.transaction():
        row = await find_client(conn, client_id)
        if row["emergency_until"] is None or row["status"] in ("suspended", "retired"):
            raise ClientMoveError(f"{client_id} is {row['status']}, and in no emergency")
        await client_queries.set_emergency(conn, client_id, None)
        await log_client(conn, client_id, "client:settle_emergency", now, actor)


async def refuse_emergency(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """Shut out a client whose emergency key somebody does not agree to."""
    async with conn.transaction():
        if (await find_client(conn, client_id))["status"] not in ("suspended", "retired"):
            await change_client(conn, client_id, "suspend", now=now, actor=actor)

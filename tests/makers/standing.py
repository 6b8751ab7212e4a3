"""A client shut out and let in again, without what the kill switch does besides."""

from __future__ import annotations

from datetime import datetime

from app.foundation.database import Connection
from auth.admin.clients import change_client


async def suspend_client(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """Shut a client out."""
    await change_client(conn, client_id, "suspend", now=now, actor=actor)


async def resume_client(conn: Connection, client_id: str, *, now: datetime, actor: str) -> None:
    """Let it be again what it was."""
    await change_client(conn, client_id, "resume", now=now, actor=actor)

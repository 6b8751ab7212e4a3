"""Sessions of the people who administer: kept by the server, known by a token of which only the hash is stored."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from app.foundation.database import Connection
from auth.people import queries
from auth.people.person import Person, Role

COOKIE: Final = "__Host-rujukan-session"
IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)


def token_hash(token: str) -> bytes:
    """Return what is stored of a token: it is random and long, so a plain digest cannot be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def find(conn: Connection, token: str, *, now: datetime, request_id: str | None = None) -> Person | None:
    """Return whose session it is, and note that it was seen; None if it does not count any more."""
    row = await queries.session_of(conn, token_hash(token), now=now, seen_since=now - IDLE)
    if row is None:
        return None
    return Person(
        row["reference"],
        frozenset(Role(name) for name in row["roles"]),
        admin_id=row["admin_id"],
        session_id=row["id"],
        confirmed_at=row["confirmed_at"],
        request_id=request_id,
    )

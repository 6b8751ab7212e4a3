"""Sessions of the people who administer: kept by the server, known by a token of which only the hash is stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from starlette.responses import Response

from app.foundation.database import Connection
from app.foundation.ids import uuid7
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


async def begin(
    conn: Connection, admin_id: UUID, *, method: str, address: str | None, user_agent: str | None, now: datetime
) -> str:
    """Begin a session and return its token, which is never seen again. `method`: `passkey`, `oidc` or `command_line`."""
    token = secrets.token_urlsafe(32)
    await queries.insert_session(
        conn,
        id=uuid7(now),
        token_hash=token_hash(token),
        admin_id=admin_id,
        method=method,
        address=address,
        user_agent=None if user_agent is None else "".join(filter(str.isprintable, user_agent))[:200],
        at=now,
        expires_at=now + LONGEST,
    )
    return token


def hand_over(response: Response, token: str) -> None:
    """Give the browser its token (RFC 6265bis: `__Host-`, HttpOnly, Secure, SameSite)."""
    response.set_cookie(
        COOKIE, token, max_age=int(LONGEST.total_seconds()), path="/", secure=True, httponly=True, samesite="strict"
    )


def take_back(response: Response) -> None:
    """Have the browser forget its token."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")

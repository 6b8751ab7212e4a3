"""Sessions of the people who administer: kept by the server, known by a token of which only the hash is stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from starlette.responses import Response

from app.foundation.database import Connection
from app.foundation.ids import uuid7
from auth.admin.errors import UnknownSessionError
from auth.people import queries
from auth.people.person import Person, Role
from auth.queries import log_act

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
    conn: Connection,
    admin_id: UUID,
    *,
    method: str,
    address: str | None,
    user_agent: str | None,
    now: datetime,
    confirmed_at: datetime | None = None,
) -> str:
    """Begin a session and return its token, which is never seen again. `method`: `passkey`, `oidc` or `command_line`.

    `confirmed_at`: when its person proved who they are, if that was before now.
    """
    token = secrets.token_urlsafe(32)
    await begin_for(
        conn,
        admin_id,
        token_hash=token_hash(token),
        method=method,
        address=address,
        user_agent=user_agent,
        confirmed_at=confirmed_at or now,
        now=now,
    )
    return token


async def sign_in(
    conn: Connection,
    admin_id: UUID,
    reference: str,
    *,
    method: str,
    address: str | None,
    user_agent: str | None,
    now: datetime,
    confirmed_at: datetime | None = None,
    earlier: bytes | None = None,
) -> str:
    """Begin a session of somebody who has just proved who they are, as `begin` does, and write it down.

    `earlier`: hash of the token of a session the browser had, which ends.
    """
    if earlier is not None:
        await queries.end_session_of_token(conn, earlier, now=now)
    token = await begin(
        conn, admin_id, method=method, address=address, user_agent=user_agent, now=now, confirmed_at=confirmed_at
    )
    await log_act(
        conn,
        at=now,
        actor=reference,
        action="admin:sign-in",
        subject="administrator",
        subject_id=admin_id,
        detail={"method": method},
    )
    return token


async def begin_for(
    conn: Connection,
    admin_id: UUID,
    *,
    token_hash: bytes,
    method: str,
    address: str | None,
    user_agent: str | None,
    confirmed_at: datetime,
    now: datetime,
) -> None:
    """Begin a session for whoever knows the token of this hash; its person last proved who they are at `confirmed_at`."""
    await queries.insert_session(
        conn,
        id=uuid7(now),
        token_hash=token_hash,
        admin_id=admin_id,
        method=method,
        address=address,
        user_agent=None if user_agent is None else "".join(filter(str.isprintable, user_agent))[:200],
        at=now,
        confirmed_at=confirmed_at,
        expires_at=now + LONGEST,
    )


async def renew(
    conn: Connection,
    session_id: UUID,
    reference: str,
    *,
    method: str,
    now: datetime,
    confirmed_at: datetime | None = None,
) -> str | None:
    """Return another token for a session whose person has proved again who they are; the earlier one is of no use.

    `confirmed_at`: when they did, if that was before now. None: the session has ended.
    """
    token = secrets.token_urlsafe(32)
    async with conn.transaction():
        renewed = await queries.renew_session(
            conn,
            session_id,
            token_hash=token_hash(token),
            confirmed_at=confirmed_at or now,
            now=now,
            seen_since=now - IDLE,
        )
        if not renewed:
            return None
        await log_act(
            conn,
            at=now,
            actor=reference,
            action="admin:confirm",
            subject="admin_session",
            subject_id=session_id,
            detail={"method": method},
        )
        return token


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session in a list."""

    id: UUID
    admin_id: UUID
    reference: str
    method: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    confirmed_at: datetime
    seen_at: datetime
    expires_at: datetime


async def list_sessions(conn: Connection, *, admin_id: UUID | None, now: datetime) -> list[ListedSession]:
    """Return the sessions that count, of one person or of everybody."""
    rows = await queries.live_sessions(conn, admin_id=admin_id, now=now, seen_since=now - IDLE)
    return [ListedSession(**dict(row)) for row in rows]


async def end(conn: Connection, session_id: UUID, *, by: Person, now: datetime, own: bool) -> None:
    """End a session, with `own` only one of theirs. Raises `UnknownSessionError`."""
    async with conn.transaction():
        whose = None
        if not own or by.admin_id is not None:
            whose = await queries.end_session(conn, session_id, now=now, admin_id=by.admin_id if own else None)
        if whose is None:
            raise UnknownSessionError("there is no such session")
        await log_act(
            conn,
            at=now,
            actor=by.reference,
            action="admin:session-end",
            subject="admin_session",
            subject_id=session_id,
            detail={"of": whose},
        )


async def end_others(conn: Connection, *, by: Person, now: datetime) -> int:
    """End all sessions of a person but the one they speak from; returns how many."""
    assert by.admin_id is not None, "somebody who has signed in"
    async with conn.transaction():
        count = await queries.end_sessions_of(conn, by.admin_id, now=now, but=by.session_id)
        await log_act(
            conn,
            at=now,
            actor=by.reference,
            action="admin:session-end-others",
            subject="administrator",
            subject_id=by.admin_id,
            detail={"ended": count},
        )
        return count


async def sign_out(conn: Connection, *, by: Person, now: datetime) -> None:
    """End the session a person speaks from."""
    assert by.session_id is not None, "somebody who has signed in"
    async with conn.transaction():
        await queries.end_session(conn, by.session_id, now=now)
        await log_act(
            conn,
            at=now,
            actor=by.reference,
            action="admin:sign-out",
            subject="admin_session",
            subject_id=by.session_id,
            detail={},
        )


def hand_over(response: Response, token: str) -> None:
    """Give the browser its token (RFC 6265bis: `__Host-`, HttpOnly, Secure, SameSite)."""
    response.set_cookie(
        COOKIE, token, max_age=int(LONGEST.total_seconds()), path="/", secure=True, httponly=True, samesite="strict"
    )


def take_back(response: Response) -> None:
    """Have the browser forget its token."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")

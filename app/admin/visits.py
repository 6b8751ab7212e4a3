"""What the ways in ask for, before anybody is known: the database, the time, where the browser is, and that it asks from our own pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import asyncpg
from fastapi import Depends, Request
from starlette.responses import Response

from app.foundation.database import Connection
from app.foundation.http import refuse_bad_request
from app.foundation.settings import Settings
from auth.address import address_of
from auth.people import ceremonies, passkeys, sessions
from auth.people.ceremonies import Ceremony
from auth.people.guard import PATIENCE
from auth.people.passkeys import Begun, CopiedError, Kind, RefusedError, Site
from auth.people.problems import CeremonyOver, CrossSite, PasskeyCopied, PasskeyRefused
from auth.problems import TooManyRequests

COOKIE: Final = "__Host-rujukan-ceremony"
"""Finds the ceremony this browser has begun, and is of no use to another."""


@dataclass(frozen=True, slots=True)
class Visiting:
    """A browser at the door."""

    now: datetime
    settings: Settings
    pool: asyncpg.Pool
    request_id: str | None
    address: str | None
    user_agent: str | None
    ceremony: str | None
    session: str | None

    @property
    def site(self) -> Site:
        """To whom passkeys belong."""
        return Site(self.settings.admin_origin)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction whose log entries name the request; committed at the end of the block, undone by an error."""
        async with self.pool.acquire(timeout=PATIENCE) as conn, conn.transaction():
            await conn.execute("SELECT set_config('rujukan.request_id', $1, true)", self.request_id or "")
            yield conn

    async def take(self, kind: Kind) -> Ceremony:
        """Return what this browser has begun, which is over with that, whatever comes of it. Raises `CeremonyOver`."""
        if self.ceremony is None:
            raise CeremonyOver
        async with self.transaction() as conn:
            found = await ceremonies.finish(conn, kind, self.ceremony, now=self.now)
        if found is None:
            raise CeremonyOver
        return found

    @asynccontextmanager
    async def proving(self, doing: Kind) -> AsyncIterator[Connection]:
        """Open a transaction in which a passkey is checked; a refusal undoes it, is logged, and becomes a problem."""
        try:
            async with self.transaction() as conn:
                yield conn
        except RefusedError as refused:
            async with self.transaction() as conn:
                await passkeys.note_refusal(conn, refused, doing=doing, now=self.now)
            raise (PasskeyCopied if isinstance(refused, CopiedError) else PasskeyRefused) from None

    def begin(self, response: Response, begun: Begun) -> None:
        """Have the browser remember what it has begun."""
        response.set_cookie(
            COOKIE,
            begun.token,
            max_age=int(ceremonies.LASTS.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )

    async def sign_in(self, conn: Connection, response: Response, proven: passkeys.Proven, *, method: str) -> None:
        """Begin a session in this browser, in place of any it had."""
        token = await sessions.sign_in(
            conn,
            proven.admin_id,
            proven.reference,
            method=method,
            address=self.address,
            user_agent=self.user_agent,
            now=self.now,
            earlier=None if self.session is None else sessions.token_hash(self.session),
        )
        sessions.hand_over(response, token)
        over(response)


def over(response: Response) -> None:
    """Have the browser forget what it had begun."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


async def _visiting(request: Request) -> Visiting:
    state = request.app.state
    if request.method not in ("GET", "HEAD") and request.headers.get("origin") != state.settings.admin_origin:
        raise CrossSite
    refuse_bad_request(request)
    limits, address = state.limits, address_of(request.scope)
    if (wait := limits.wait_of_address(address) or await limits.attempt(address)) is not None:
        raise TooManyRequests(wait)
    return Visiting(
        state.clock.now(),
        state.settings,
        state.database.admin,
        request.scope.get("request_id"),
        None if address is None else str(address.ip),
        request.headers.get("user-agent"),
        request.cookies.get(COOKIE),
        request.cookies.get(sessions.COOKIE),
    )


Visit = Annotated[Visiting, Depends(_visiting)]

"""What administrative endpoints ask for: the database as `rujukan_admin`, the time, and who acts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import asyncpg
from fastapi import Depends, Request

from app.foundation.database import Connection
from app.foundation.keyring import Keyring
from app.foundation.settings import Settings
from auth.people.guard import PATIENCE, CurrentPerson
from auth.people.person import Person


@dataclass(frozen=True, slots=True)
class Administering:
    """Somebody administering, at one time."""

    person: Person
    now: datetime
    settings: Settings
    keyring: Keyring
    pool: asyncpg.Pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction, whose log entries name the request and the client; committed at the end of the block, undone by an error."""
        async with self.pool.acquire(timeout=PATIENCE) as conn, conn.transaction():
            await conn.execute(
                "SELECT set_config('rujukan.request_id', $1, true), set_config('rujukan.client', $2, true)",
                self.person.request_id or "",
                self.person.client_id or "",
            )
            yield conn


async def _administering(request: Request, person: CurrentPerson) -> Administering:
    state = request.app.state
    return Administering(person, state.clock.now(), state.settings, state.keyring, state.database.admin)


Admin = Annotated[Administering, Depends(_administering)]

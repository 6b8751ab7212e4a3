"""Exports: everything an agency may read now, line by line, as the single readings give it, and logged as they are.

Each page is read in a transaction of its own, which ends before anything of it is sent: however slowly it is taken, no connection is held, and
no more than a page is in memory. Before each page it is looked at again whether the caller may go on.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from starlette.responses import StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Asked

from app.dependencies import Acting
from app.exchange.bulk import queries
from app.exchange.bulk.problems import ExportRunning
from app.exchange.cases.service import read_case
from app.exchange.consents.service import read_consent
from app.exchange.passing import reading
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation import json
from app.foundation.database import UNREACHABLE, Connection
from app.foundation.ids import uuid7
from app.foundation.paging import decode_cursor, encode_cursor
from app.foundation.problems import NotFound
from auth.directory import Snapshot
from auth.scopes import Scope
from schemas import SCHEMA_VERSION
from schemas.exchange.bulk import EXPORT_VERSION

log = logging.getLogger("rujukan.exports")
Document = dict[str, Any]
IDS_AT_ONCE: Final = 1_000
PAGE: Final = 20
"""Documents read in one transaction."""
LEASE: Final = timedelta(seconds=60)
AFTER_TOKEN: Final = 60.0
"""Seconds that whoever reads has for the last page and the end, once its token has ended."""
NEEDED: Final = frozenset({Scope.exports_read, Scope.cases_read, Scope.referrals_read, Scope.transfers_read})
_FIRST: Final = UUID(int=0)
_releasing: set[asyncio.Task[None]] = set()


async def _case(tx: Connection, db: Acting, row: asyncpg.Record) -> Document:
    return await read_case(db, row["id"], within=tx)


async def _referral(tx: Connection, db: Acting, row: asyncpg.Record) -> Document:
    return await reading.read(db, REFERRAL, row["id"], within=tx)


async def _transfer(tx: Connection, db: Acting, row: asyncpg.Record) -> Document:
    return await reading.read(db, TRANSFER, row["id"], within=tx)


async def _consent(tx: Connection, db: Acting, row: asyncpg.Record) -> Document:
    return await read_consent(db, row["case_id"], row["id"], within=tx)


KINDS: Final[dict[str, Callable[[Connection, Acting, asyncpg.Record], Awaitable[Document]]]] = {
    "case": _case,
    "referral": _referral,
    "transfer": _transfer,
    "consent": _consent,
}
"""How each kind is read, in the order of an export: as its own endpoint reads it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an export is to hold."""

    kinds: tuple[str, ...]
    since: datetime | None

    def scope(self, db: Acting) -> str:
        """Return what its cursors are good for."""
        return f"/v1/exports {db.agency_id} {','.join(self.kinds)} {self.since.isoformat() if self.since else ''}"


class Bounded(StreamingResponse):
    """An answer that a reader who does not read cannot keep open for ever: there is nothing to look at the token at while nothing is taken."""

    def __init__(self, lines: AsyncGenerator[bytes], *, seconds: float, media_type: str) -> None:
        super().__init__(lines, media_type=media_type)
        self._lines, self._seconds = lines, seconds

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Answer. What is late ends the connection before the line that says the end."""
        async with aclosing(self._lines), asyncio.timeout(self._seconds):
            await super().__call__(scope, receive, send)


class Export:
    """One export on its way."""

    def __init__(
        self,
        db: Acting,
        wanted: Wanted,
        *,
        after: str | None,
        current: Callable[[], Awaitable[Snapshot]],
        still_let_in: Callable[[], Awaitable[bool]],
    ) -> None:
        self._db, self._wanted = db, wanted
        self._id = uuid7(db.at)
        self._current, self._still_let_in = current, still_let_in
        self._kind, self._after = wanted.kinds[0], _FIRST
        self._resumed = after is not None
        if after is not None:
            self._kind, last = decode_cursor(db.keyring, wanted.scope(db), after, length=2)
            self._after = UUID(last)
        self._counts = dict.fromkeys(wanted.kinds, 0)
        self._over: str | None = None
        self._left = False

    async def begin(self) -> None:
        """Take the place for an export, and log it. Raises `ExportRunning`."""
        db = self._db
        async with db.transaction() as tx:
            other = await queries.take_export(
                tx, db.agency_id, db.caller.client_id, self._id, at=db.at, until=db.at + LEASE
            )
            if other is not None:
                raise ExportRunning(seconds=int((other - db.at).total_seconds()))
            said = {"kinds": list(self._wanted.kinds), "since": self._wanted.since, "resumed": self._resumed}
            await tx.fetchval(
                "SELECT log_by($1, 'export:begin', 'done', 'export', $2, NULL, $3)",
                db.parameter(),
                self._id,
                json.text(said),
            )

    @property
    def seconds(self) -> float:
        """How long it may take at most, read or not."""
        return (self._db.caller.expires_at - self._db.at).total_seconds() + AFTER_TOKEN

    async def lines(self) -> AsyncGenerator[bytes]:
        """Yield the export, a page at a time."""
        try:
            yield json.dumps(self._head()) + b"\n"
            for kind in self._wanted.kinds[self._wanted.kinds.index(self._kind) :]:
                if kind != self._kind:
                    self._kind, self._after = kind, _FIRST
                async for page in self._pages(kind):
                    yield page
                if self._over:
                    break
            await self._leave()  # before the end is told: whoever reads it may ask for another
            yield json.dumps(self._end()) + b"\n"
        finally:
            if not self._left:  # whoever goes away cancels this: the place is given back all the same
                task = asyncio.get_running_loop().create_task(self._leave())
                _releasing.add(task)
                task.add_done_callback(_releasing.discard)

    async def _pages(self, kind: str) -> AsyncIterator[bytes]:
        while True:
            if (db := await self._now()) is None:
                return
            try:
                async with db.transaction() as tx:
                    ids = await queries.ids_of(
                        tx, kind, db.agency_id, after=self._after, since=self._wanted.since, limit=IDS_AT_ONCE
                    )
                for start in range(0, len(ids), PAGE):
                    if start and (db := await self._now()) is None:
                        return
                    if page := await self._page(db, kind, ids[start : start + PAGE]):
                        yield page
                    if self._over:
                        return
            except UNREACHABLE as error:
                log.warning("export: database unreachable: %s", type(error).__name__)
                self._over = "unavailable"
                return
            if len(ids) < IDS_AT_ONCE:
                return

    async def _now(self) -> Acting | None:
        """Return the caller as it is now, or None, with the reason, if it may not go on."""
        if not await self._still_let_in():
            self._over = "token"
            return None
        snapshot, db = await self._current(), self._db
        party = snapshot.agencies.get(db.agency_id)
        if not db.caller.scopes & snapshot.clients[db.caller.client_id].scopes_now >= NEEDED:
            self._over = "scope"
        elif (
            party is None
            or not party.active
            or (
                db.recorder_id != db.agency_id
                and not snapshot.may_act_for(db.recorder_id, db.agency_id, db.clock.now())
            )
        ):
            self._over = "agency"
        else:
            return dataclasses.replace(db, agency=party, at=db.clock.now(), directory=snapshot)
        return None

    async def _page(self, db: Acting, kind: str, rows: Sequence[asyncpg.Record]) -> bytes:
        try:
            async with db.transaction() as tx:
                if await self._displaced(tx, db):
                    return b""
                read = [(row, await self._read(tx, db, kind, row)) for row in rows]
        except UNREACHABLE:
            raise
        except Exception:  # one of them cannot be read: the others can
            read = [(row, await self._alone(db, kind, row)) for row in rows]
        lines = []
        for row, document in read:
            self._after = row["id"]
            if document is not None:
                self._counts[kind] += 1
                lines.append(json.dumps(document) + b"\n")
        return b"".join(lines)

    async def _displaced(self, tx: Connection, db: Acting) -> bool:
        """Keep the place; whether another export of the client has it, since this one was taken too slowly."""
        until = db.at + LEASE
        other = await queries.take_export(tx, db.agency_id, db.caller.client_id, self._id, at=db.at, until=until)
        self._over = "another_export" if other is not None else None
        return other is not None

    async def _read(self, tx: Connection, db: Acting, kind: str, row: asyncpg.Record) -> Document | None:
        try:
            data = await KINDS[kind](tx, db, row)
        except NotFound:  # it ceased to be the agency's meanwhile
            return None
        return self._line(kind, row, data)

    async def _alone(self, db: Acting, kind: str, row: asyncpg.Record) -> Document | None:
        try:
            async with db.transaction() as tx:
                return await self._read(tx, db, kind, row)
        except UNREACHABLE:
            raise
        except Exception as error:
            log.error("export: %s %s cannot be read: %s", kind, row["id"], type(error).__name__)
            return self._line(kind, row, None)

    def _line(self, kind: str, row: asyncpg.Record, data: Document | None) -> Document:
        cursor = encode_cursor(self._db.keyring, self._wanted.scope(self._db), [kind, str(row["id"])])
        return {"kind": kind, "id": row["id"], "data": data, "after": cursor}

    def _head(self) -> Document:
        db = self._db
        return {
            "kind": "export",
            "export_version": EXPORT_VERSION,
            "schema_version": SCHEMA_VERSION,
            "agency": reading.agency_ref(db, db.agency_id),
            "at": db.at,
            "kinds": list(self._wanted.kinds),
            "since": self._wanted.since,
            "resumed": self._resumed,
        }

    def _end(self) -> Document:
        return {
            "kind": "end",
            "complete": self._over is None,
            "reason": self._over,
            "counts": self._counts,
            "at": self._db.clock.now(),
        }

    async def _leave(self) -> None:
        db = self._db
        try:
            async with db.transaction() as tx:
                await queries.leave_export(tx, db.agency_id, db.caller.client_id, self._id)
            self._left = True
        except Exception as error:  # the lease ends by itself
            log.warning("export: its place was not given back: %s", type(error).__name__)

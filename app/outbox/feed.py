"""Reading a feed: a page of it, and waiting for the next event."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import asyncpg
from starlette.types import Scope

from app.dependencies import Acting
from app.outbox import queries
from app.outbox.listener import Counts, Listener, Waiter
from app.outbox.problems import CursorAhead, CursorTooOld
from auth.directory import Snapshot
from auth.guard import still_let_in

LOOK: Final = 2_000
"""Positions among which one statement looks for the types asked for."""
LOOKS: Final = 10
"""Statements that one request may take to find the first; then it is told how far that was, and asks again."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a look found."""

    rows: list[asyncpg.Record]
    position: int
    """How far it went."""
    last: int
    """The feed's end."""

    @property
    def whole(self) -> bool:
        """Whether there is nothing more as yet."""
        return self.position >= self.last


async def look(db: Acting, after: int | None, types: Sequence[str] | None, limit: int) -> Page:
    """Return the events that come after a position (None: after what the client has acknowledged), of the types asked for.

    Raises `CursorTooOld` if events between are not kept any more, `CursorAhead` if the feed does not go that far.
    """
    for _ in range(LOOKS):
        *rows, standing = await queries.events_after(db, after, types, limit, LOOK)
        if standing["after"] < standing["dropped"]:
            raise CursorTooOld(standing["dropped"])
        if standing["after"] > standing["last"]:
            raise CursorAhead(standing["last"])
        after = rows[-1]["position"] if len(rows) == limit else standing["position"]
        page = Page(rows, after, standing["last"])
        if rows or page.whole:
            break
    return page


async def next_page(
    db: Acting,
    listener: Listener,
    waiter: Waiter | None,
    *,
    after: int | None,
    types: Sequence[str] | None,
    limit: int,
    wait: float,
) -> Page:
    """Return events after a position, with a `waiter` waiting up to `wait` seconds for the first; that ends with the token, or a stop.

    Raises as `look` does, and what kept the process from knowing whether the caller may still wait.
    """
    end = asyncio.get_running_loop().time() + min(wait, left_of(db))
    page = await look(db, after, types, limit)
    while waiter is not None and page.whole and not page.rows:
        remaining = end - asyncio.get_running_loop().time()
        if remaining <= 0 or not await waiter.wait(remaining):
            break
        if waiter.ended:
            if waiter.fault is not None:
                raise waiter.fault
            break
        async with listener.turn:
            page = await look(db, page.position, types, limit)
    return page


def left_of(db: Acting) -> float:
    """Return how many seconds the caller's token has left."""
    return (db.caller.expires_at - db.clock.now()).total_seconds()


def may_wait(db: Acting, scope: Scope) -> Counts:
    """Return what says whether the caller of a request may go on waiting: its token still counts, its agency, and the agreement it acts by."""
    return partial(_may_wait, db, scope)


def _may_wait(db: Acting, scope: Scope, snapshot: Snapshot, now: datetime) -> bool:
    party = snapshot.agencies.get(db.agency_id)
    return (
        still_let_in(scope, snapshot, now)
        and party is not None
        and party.active
        and (db.recorder_id == db.agency_id or snapshot.may_act_for(db.recorder_id, db.agency_id, now))
    )


def as_event(row: asyncpg.Record) -> dict[str, Any]:
    """Return an event as receivers get it."""
    time: datetime = row["recorded_at"]
    return {
        "id": row["event_id"],
        "position": row["position"],
        "type": row["type"],
        "subject": row["subject"],
        "subject_id": row["subject_id"],
        "case_id": row["case_id"],
        "state": row["state"],
        "time": time,
    }

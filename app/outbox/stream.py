"""The feed as Server-Sent Events (WHATWG HTML, "Server-sent events"), in the form FastAPI writes them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import asyncpg
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from app.dependencies import Acting
from app.foundation import json
from app.foundation.database import UNREACHABLE
from app.foundation.problems import Problem
from app.outbox.feed import Page, as_event, left_of, look
from app.outbox.listener import Listener, Waiter

log = logging.getLogger("rujukan.feed")
HEARTBEAT: Final = 15.0
"""Seconds after which a stream without events says that it lives: what is between ends connections that seem dead."""
AGAIN: Final = (1000, 4000)
"""Milliseconds after which an ended stream is asked for again: each another time, or all would come at once after a restart."""
READ_WITHIN: Final = 60.0
"""Seconds within which a reader must have taken what is before the next page. One that takes nothing is cut off."""
ENDS: Final[tuple[type[Exception], ...]] = (Problem, *UNREACHABLE)
"""What ends a stream that has begun."""


class EventStream(EventSourceResponse):
    """A stream that is written no faster than it is read: the next page is read only once the one before has been passed on."""

    def __init__(self, content: AsyncIterator[bytes], *, at_end: Callable[[], None]) -> None:
        super().__init__(content, headers={"X-Accel-Buffering": "no", "Vary": "Accept"})
        self._at_end = at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; whatever ends it, it waits no more."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._at_end()

    async def stream_response(self, send: Send) -> None:
        """Send head and body; a reader that takes nothing for long is left."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in self.body_iterator:
                async with asyncio.timeout(READ_WITHIN):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            async with asyncio.timeout(READ_WITHIN):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            log.info("a feed's reader took nothing for %d seconds and was left", READ_WITHIN)


async def stream(
    db: Acting, listener: Listener, waiter: Waiter, first: Page, types: Sequence[str] | None, limit: int
) -> AsyncIterator[bytes]:
    """Yield the first page and all that follows, until the token ends, the caller is stopped, or the process ends.

    What goes wrong ends it too: whoever asks again is told in full.
    """
    page, told = first, -1
    begun = format_sse_event(retry=secrets.choice(range(*AGAIN)), id=None if first.rows else str(first.position))
    if not first.rows:
        told = first.position
    yield begun
    while True:
        if page.rows:
            yield b"".join(map(as_sse, page.rows))
            told = page.rows[-1]["position"]
        left = left_of(db)
        if waiter.ended or left <= 0:
            return
        if page.whole and not await waiter.wait(min(HEARTBEAT, left)):
            # with the position it has come to: whoever wants a rare type need not look through the same events again
            yield format_sse_event(comment="", id=None if page.position == told else str(page.position))
            told = page.position
            continue
        if waiter.ended:
            return
        try:
            async with listener.turn:
                page = await look(db, page.position, types, limit)
        except ENDS as error:
            log.info("a stream ended: %s", type(error).__name__)
            return


def as_sse(row: asyncpg.Record) -> bytes:
    """Return an event as a stream carries it: `id` is its position, `event` its type, `data` the event itself."""
    return format_sse_event(data_str=json.text(as_event(row)), event=row["type"], id=str(row["position"]))

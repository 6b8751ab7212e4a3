"""The barest feed: Starlette, one connection that listens, and whoever waits is woken with the event that the notification itself carries.

Who asks is not looked at, nothing is read from the database, and what comes while nobody listens is lost. The numbering is `SCHEMA`'s: the
transaction that writes events takes the next positions of their agencies, so writers for one agency wait for each other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

HEARTBEAT = 15.0
SCHEMA = """
CREATE TABLE feed_end (agency_id uuid PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE event (agency_id uuid, position bigint, event_id uuid NOT NULL, type text NOT NULL, subject text NOT NULL, subject_id uuid NOT NULL,
    case_id uuid, state text NOT NULL, recorded_at timestamptz NOT NULL, PRIMARY KEY (agency_id, position));
"""
WRITE = """
WITH given AS (
    SELECT agency, id, row_number() OVER (PARTITION BY agency ORDER BY n) AS place, count(*) OVER (PARTITION BY agency) AS of
    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS t (agency, id, n)
), ends AS (
    INSERT INTO feed_end AS f (agency_id, position) SELECT agency, count(*) FROM given GROUP BY agency ORDER BY agency
    ON CONFLICT (agency_id) DO UPDATE SET position = f.position + excluded.position RETURNING agency_id, position
), placed AS (
    INSERT INTO event (agency_id, position, event_id, type, subject, subject_id, case_id, state, recorded_at)
    SELECT g.agency, e.position - g.of + g.place, gen_random_uuid(), 'referral.sent', 'referral', g.id, g.id, 'sent', now()
    FROM given g JOIN ends e ON e.agency_id = g.agency RETURNING *
)
SELECT count(*) FROM (SELECT pg_notify('feed', agency_id || ' ' || json_build_object('id', event_id, 'position', position, 'type', type,
    'subject', subject, 'subject_id', subject_id, 'case_id', case_id, 'state', state, 'time', recorded_at)) FROM placed ORDER BY position) AS told
"""

waiting: dict[str, set[asyncio.Queue[bytes]]] = {}


def notified(_: Any, __: int, ___: str, payload: str) -> None:
    agency, _, event = payload.partition(" ")
    for each in waiting.get(agency, ()):
        each.put_nowait(event.encode())


@asynccontextmanager
async def listening(_: Starlette) -> AsyncIterator[None]:
    conn = await asyncpg.connect(os.environ["PEER_DATABASE_URL"])
    await conn.add_listener("feed", notified)
    yield
    await conn.close()


@asynccontextmanager
async def queue_of(agency: str) -> AsyncIterator[asyncio.Queue[bytes]]:
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    waiting.setdefault(agency, set()).add(queue)
    try:
        yield queue
    finally:
        waiting[agency].discard(queue)


async def stream(agency: str) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async with queue_of(agency) as queue:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    event = await queue.get()
            except TimeoutError:
                yield b":\n\n"
            else:
                yield b"event: referral.sent\ndata: " + event + b"\n\n"


async def events(request: Request) -> Response:
    agency = request.query_params["agency"]
    if request.headers.get("accept") == "text/event-stream":
        return StreamingResponse(stream(agency), media_type="text/event-stream")
    async with queue_of(agency) as queue:
        try:
            async with asyncio.timeout(float(request.query_params["wait"])):
                found = await queue.get()
        except TimeoutError:
            found = b""
    return Response(b'{"items":[' + found + b"]}", media_type="application/json")


async def healthz(_: Request) -> Response:
    return PlainTextResponse("alive")


app = Starlette(routes=[Route("/events", events), Route("/healthz", healthz)], lifespan=listening)

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )

"""/v1/events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import asyncpg
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.types import Scope as Asgi

from app.dependencies import Acting, CallerConnection, MayNotActFor
from app.foundation import json
from app.foundation.http import StrictRoute
from app.foundation.negotiation import MediaType, NotAcceptable, accepted
from app.foundation.problems import (
    InvalidRequest,
    MalformedBody,
    ServiceUnavailable,
    UnsupportedMediaType,
    answers,
)
from app.outbox import feed, queries
from app.outbox.listener import Waiter
from app.outbox.problems import CursorAhead, CursorTooOld, PositionBehind
from app.outbox.stream import EventStream, stream
from app.outbox.types import wanted
from auth.caller import Caller
from auth.guard import requires
from auth.limits.limits import Wait
from auth.problems import TooManyRequests
from auth.scopes import Scope
from schemas.exchange.event import Acknowledgement, EventPage, FeedPosition

LOOK_LATER = 5.0
"""Seconds after which a feed is tried again that may not wait beside those that wait already."""
FURTHEST: Final = 9_223_372_036_854_775_806
JSON: Final = MediaType("application/json")
SSE: Final = MediaType("text/event-stream")
_STREAM: Final[dict[str, Any]] = {
    "description": "A page of events; or, asked for as `text/event-stream`, all of them as they come.",
    "content": {
        SSE.name: {
            "schema": {
                "type": "string",
                "description": "Server-Sent Events: `id` is the position, `event` the type, `data` an `Event` as JSON. A comment comes where nothing"
                " else does for 15 seconds; `retry` says when to ask again once the stream has ended.",
            },
            "example": "id: 7\nevent: referral.sent\ndata: {…}\n\n",
        }
    },
}
CanRead = Annotated[Caller, requires(Scope.events_read)]
router = APIRouter(prefix="/v1/events", tags=["events"], route_class=StrictRoute)


@router.get(
    "",
    response_model=EventPage,
    responses={
        200: _STREAM,
        **answers(InvalidRequest, MayNotActFor, NotAcceptable, CursorTooOld, CursorAhead, ServiceUnavailable),
    },
)
async def read_events(
    request: Request,
    caller: CanRead,
    db: CallerConnection,
    after: Annotated[
        Annotated[int, Query(ge=0, le=FURTHEST)] | Literal["acknowledged"],
        Query(
            description="Position of the last event you have; 0 for the beginning; `acknowledged` for the last one your client has acknowledged."
        ),
    ] = 0,
    types: Annotated[
        list[str] | None,
        Query(
            min_length=1,
            max_length=100,
            description="Only events of these types: whole names, or `referral.*` for all of a kind; repeated, or separated by commas."
            " Positions stay those of the whole feed.",
        ),
    ] = None,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the first event; the token's end ends it sooner.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most; in a stream, how many at a time.")] = 100,
    last_event_id: Annotated[
        int | None,
        Header(
            alias="Last-Event-ID",
            ge=0,
            le=FURTHEST,
            description="Position of the last event you have, as a reader of a stream sends it by itself; goes before `after`.",
        ),
    ] = None,
) -> Response:
    """Read the agency's events in order; if asked to, wait for the next one, or follow them as a stream.

    Positions are dense and never change: nothing is skipped, nothing comes twice. An event says what changed; fetch it with your own token.
    With `Accept: text/event-stream` the answer does not end before your token does (then ask again; `Last-Event-ID` says from where).
    """
    form = accepted(request, (JSON, SSE))
    chosen = None if types is None else wanted(types)
    if types is not None and chosen is None:
        raise InvalidRequest([{"parameter": "types", "code": "unknown_type"}])
    begin = last_event_id if last_event_id is not None else None if after == "acknowledged" else after
    if form is SSE:
        return await _stream(request, db, begin, chosen, limit)
    waiter = _begin_waiting(request, db) if wait else None
    there = None if waiter is None else asyncio.create_task(_watch(request, waiter), name="feed reader")
    try:
        page = await feed.next_page(
            db, request.app.state.listener, waiter, after=begin, types=chosen, limit=limit, wait=wait
        )
    finally:
        if waiter is not None and there is not None:
            there.cancel()
            _end_waiting(request.scope, db, waiter)
    document = {
        "items": [feed.as_event(row) for row in page.rows],
        "next": _address(page.position, chosen),
        "position": page.position,
        "last": page.last,
    }
    return Response(json.dumps(document), media_type=JSON.name, headers={"Vary": "Accept"})


async def _stream(
    request: Request, db: Acting, after: int | None, types: Sequence[str] | None, limit: int
) -> EventStream:
    listener = request.app.state.listener
    waiter = _begin_waiting(request, db)
    try:
        first = await feed.look(db, after, types, limit)
    except BaseException:
        _end_waiting(request.scope, db, waiter)
        raise
    return EventStream(
        stream(db, listener, waiter, first, types, limit), at_end=partial(_end_waiting, request.scope, db, waiter)
    )


async def _watch(request: Request, waiter: Waiter) -> None:
    """End the wait of a caller who has gone: its place, of the few a client has, is for whom it asks with next."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    waiter.end()


def _begin_waiting(request: Request, db: Acting) -> Waiter:
    state = request.app.state
    if not state.limits.begin_waiting(request.scope, db.caller.client_id):
        raise TooManyRequests(Wait("concurrency", LOOK_LATER))
    waiter: Waiter = state.listener.enter(db.agency_id, feed.may_wait(db, request.scope))
    return waiter


def _end_waiting(scope: Asgi, db: Acting, waiter: Waiter) -> None:
    state = scope["app"].state
    state.listener.leave(waiter)
    state.limits.end_waiting(db.caller.client_id)


def _address(position: int, types: Sequence[str] | None) -> str:
    chosen = "" if types is None else f"&types={quote(','.join(types), safe='.*,_')}"
    return f"/v1/events?after={position}{chosen}"


@router.get(
    "/position", response_model=FeedPosition, responses=answers(InvalidRequest, MayNotActFor, ServiceUnavailable)
)
async def read_position(caller: CanRead, db: CallerConnection) -> Response:
    """Read how far your client has acknowledged the feed. It also says how many events wait, and from where on events are kept."""
    return _standing(await queries.acknowledge(db, None))


@router.put(
    "/position",
    response_model=FeedPosition,
    responses=answers(
        MayNotActFor,
        MalformedBody,
        UnsupportedMediaType,
        InvalidRequest,
        CursorTooOld,
        CursorAhead,
        PositionBehind,
        ServiceUnavailable,
    ),
)
async def acknowledge_events(caller: CanRead, db: CallerConnection, body: Acknowledgement) -> Response:
    """Acknowledge the events up to a position: how far your client has handled this agency's feed, kept for it by the exchange.

    Nobody has to. It only goes forward, unless you say `rewind`; `GET /v1/events?after=acknowledged` goes on from there.
    """
    found = await queries.acknowledge(db, body.position, rewind=body.rewind)
    if found["done"]:
        return _standing(found)
    if body.position > found["last"]:
        raise CursorAhead(found["last"])
    if body.position < found["dropped"]:
        raise CursorTooOld(found["dropped"])
    raise PositionBehind(found["position"])


def _standing(found: asyncpg.Record) -> Response:
    document = {
        "position": found["position"],
        "acknowledged_at": found["acknowledged_at"],
        "last": found["last"],
        "waiting": found["last"] - max(found["position"] or 0, found["dropped"]),
        "oldest": found["dropped"] + 1,
    }
    return Response(json.dumps(document), media_type=JSON.name)

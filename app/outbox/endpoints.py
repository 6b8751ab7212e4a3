"""/v1/events."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.dependencies import CallerConnection, MayNotActFor
from app.foundation import json
from app.foundation.http import StrictRoute
from app.foundation.problems import InvalidRequest, ServiceUnavailable, answers
from app.outbox import feed
from auth.caller import Caller
from auth.guard import requires, still_let_in
from auth.limits.limits import Wait
from auth.problems import TooManyRequests
from auth.scopes import Scope
from schemas.exchange.event import EventPage

LOOK_LATER = 5.0
"""Seconds after which a feed is tried again that may not wait beside those that wait already."""
router = APIRouter(prefix="/v1/events", tags=["events"], route_class=StrictRoute)


@router.get("", response_model=EventPage, responses=answers(InvalidRequest, MayNotActFor, ServiceUnavailable))
async def read_events(
    request: Request,
    caller: Annotated[Caller, requires(Scope.events_read)],
    db: CallerConnection,
    after: Annotated[
        int,
        Query(
            ge=0, le=9_223_372_036_854_775_806, description="Position of the last event you have; 0 for the beginning."
        ),
    ] = 0,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the first event; the token's end ends it sooner.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> Response:
    """Read the agency's events in order, waiting for the next one if asked to.

    Positions are dense and never change: nothing is skipped, nothing comes twice. An event says what changed; fetch it with your own token.
    """
    state = request.app.state
    if wait and not state.limits.begin_waiting(request.scope, caller.client_id):
        raise TooManyRequests(Wait("concurrency", LOOK_LATER))
    try:
        rows = await feed.events_after(
            db,
            state.listener,
            state.directory.current,
            partial(still_let_in, request),
            after=after,
            wait=wait,
            limit=limit,
        )
    finally:
        if wait:
            state.limits.end_waiting(caller.client_id)
    last = rows[-1]["position"] if rows else after
    page = {"items": [feed.as_event(row) for row in rows], "next": f"/v1/events?after={last}"}
    return Response(json.dumps(page), media_type="application/json")

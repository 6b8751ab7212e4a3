"""/v1/inbox and /v1/references."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection
from app.exchange.inbox import service
from app.exchange.passing import http
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import inbox as wire

router = APIRouter(prefix="/v1", tags=["inbox"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.referrals_read, Scope.transfers_read)]


@router.get("/inbox", response_model=wire.InboxPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def read_inbox(
    caller: CanRead,
    db: CaseConnection,
    kind: Annotated[
        list[wire.Waiting] | None,
        Query(max_length=20, description="Only these kinds; repeat the parameter for several."),
    ] = None,
    overdue: Annotated[bool, Query(description="Only what is past its deadline.")] = False,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List what waits for the caller's agency, soonest deadline first: to answer, to start, to confirm, escalated, requested.

    Each entry has its `moves` and, where they need it, the `version` to make them on. Envelopes only: nothing about the person.
    """
    return http.json_response(await service.inbox(db, kinds=kind, overdue=overdue, cursor=cursor, limit=limit))


@router.get("/inbox/counts", response_model=wire.InboxCounts, responses=answers(*http.ALWAYS))
async def count_inbox(caller: CanRead, db: CaseConnection) -> Response:
    """Count what waits, by kind, and how much of it is overdue. A thousand means a thousand or more."""
    return http.json_response(await service.counts(db))


@router.get("/references/{reference}", response_model=wire.Named, responses=answers(*http.ALWAYS, NotFound))
async def find_reference(
    reference: Annotated[
        str, Path(max_length=40, description="As it was read out: small letters, spaces and O for 0 will do.")
    ],
    caller: CanRead,
    db: CaseConnection,
) -> Response:
    """Find what a reference names, among what the caller may see."""
    return http.json_response(await service.named(db, reference))

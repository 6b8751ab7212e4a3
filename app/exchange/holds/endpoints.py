"""/v1/holds."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.holds import service
from app.exchange.passing import http, problems
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import hold as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/holds", tags=["legal holds"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.protection_write)]
HoldId = Annotated[UUID, Path(description="The hold's id.")]


@router.post(
    "",
    status_code=201,
    responses=answers(*http.ALWAYS, *http.POSTED, problems.OfficerOnly, problems.UnknownCase),
)
async def place_hold(
    response: Response, body: wire.NewHold, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Keep sections of a case from erasure on an authority's order.

    By a protection officer of the reviewing agency. It stops the erasure of these sections and of nothing else, and opens nothing
    to anybody: the officer included. The case's lead is told.
    """
    return http.created(response, "/v1/holds", await service.place_hold(db, body, key))


@router.get("", response_model=wire.HoldPage, responses=answers(*http.ALWAYS, InvalidCursor, problems.OfficerOnly))
async def list_holds(
    caller: CanRead,
    db: CaseConnection,
    role: Annotated[
        Literal["lead", "officer"],
        Query(
            description="`lead`: of cases your agency leads; `officer`: all, for protection officers (scope `protection.read`)."
        ),
    ] = "lead",
    state: Annotated[Literal["active", "lifted", "ended"] | None, Query(description="Only this state.")] = None,
    case: http.CaseFilter = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List legal holds, newest first."""
    return http.json_response(
        await service.list_holds(db, role=role, state=state, case_id=case, cursor=cursor, limit=limit)
    )


@router.get("/{hold_id}", response_model=wire.Hold, responses=answers(*http.ALWAYS, NotFound))
async def read_hold(hold_id: HoldId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a hold, as a protection officer; the case's lead learns that it is there and for which sections. Reading is logged."""
    return http.json_response(await service.read_hold(db, hold_id))


@router.post(
    "/{hold_id}/review",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.OfficerOnly, problems.HoldEnded),
)
async def review_hold(
    hold_id: HoldId, body: wire.ReviewHold, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Say that the hold stays, why, and when it is looked at again."""
    return await service.review_hold(db, hold_id, body, key)


@router.post(
    "/{hold_id}/lift",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.OfficerOnly, problems.HoldEnded),
)
async def lift_hold(
    hold_id: HoldId, body: wire.LiftHold, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """End the hold now, with a reason. What was due meanwhile is erased soon after."""
    return await service.lift_hold(db, hold_id, body, key)

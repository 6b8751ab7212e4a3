"""/v1/cases."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.cases import service
from app.exchange.passing import http
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import case as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/cases", tags=["cases"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]


@router.post("", status_code=201, responses=answers(*http.ALWAYS, *http.POSTED))
async def open_case(
    response: Response, body: wire.OpenCase, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Open a case. The caller's agency becomes its lead. A referral can also open its case in the same request."""
    return http.created(response, "/v1/cases", await service.open_case(db, body, key))


@router.get("", response_model=wire.CasePage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_cases(
    caller: CanRead,
    db: CaseConnection,
    role: Annotated[Literal["lead", "earlier_lead"], Query(description="Cases led now, or led before.")] = "lead",
    state: Annotated[Literal["open", "follow_up", "closed"] | None, Query(description="Only this state.")] = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List the cases the caller's agency leads, newest first."""
    return http.json_response(await service.list_cases(db, role=role, state=state, cursor=cursor, limit=limit))


@router.get("/{case_id}", response_model=wire.Case, responses=answers(*http.ALWAYS, NotFound))
async def read_case(
    case_id: Annotated[UUID, Path(description="The case's id.")], caller: CanRead, db: CaseConnection
) -> Response:
    """Read a case: who leads it, and who did. An agency that was sent something of it sees who leads now."""
    found = await service.read_case(db, case_id)
    return http.json_response(found, version=found["version"])

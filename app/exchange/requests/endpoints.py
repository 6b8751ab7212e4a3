"""/v1/requests."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.passing import http, problems
from app.exchange.requests import service
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import request as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/requests", tags=["requests"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]
RequestId = Annotated[UUID, Path(description="The request's id.")]


@router.get("", response_model=wire.RequestPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_requests(
    caller: CanRead,
    db: CaseConnection,
    role: Annotated[
        Literal["to", "from", "lead"],
        Query(
            description="`to`: what your agency is asked; `from`: what it asked; `lead`: all of one case, with `case_id`."
        ),
    ] = "to",
    state: Annotated[Literal["open", "answered"] | None, Query(description="Only this state.")] = None,
    kind: Annotated[wire.RequestKind | None, Query(description="Only this kind.")] = None,
    case: http.CaseFilter = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List requests about data, newest first, without what is said in them."""
    found = await service.list_requests(db, role=role, state=state, kind=kind, case_id=case, cursor=cursor, limit=limit)
    return http.json_response(found)


@router.get("/{request_id}", response_model=wire.Request, responses=answers(*http.ALWAYS, NotFound))
async def read_request(request_id: RequestId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a request, as who asks, who is asked, or the case's lead. Reading is logged."""
    return http.json_response(await service.read_request(db, request_id))


@router.post(
    "/{request_id}/answer",
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.RequestAnswered,
        problems.NothingToRebase,
        problems.AgreementRequired,
        problems.DisclosureRefused,
    ),
)
async def answer_request(
    request_id: RequestId, body: wire.AnswerRequest, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Say what was done, once: the data erased, restricted, kept by law, or put on a new basis; the record corrected or not; what went wrong.

    A new basis is checked like any other. The sections it names open again; every basis of this kind, and all that is kept, is marked for review.
    """
    return await service.answer_request(db, request_id, body, key)

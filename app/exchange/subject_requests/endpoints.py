"""/v1/subject-requests."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.passing import http, problems
from app.exchange.subject_requests import service
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.codes.protection import SubjectRequestKind
from schemas.exchange import subject_request as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/subject-requests", tags=["subject requests"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]
RequestId = Annotated[UUID, Path(description="The subject request's id.")]


@router.post("", status_code=201, responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.GuardianBarred))
async def open_subject_request(
    response: Response, body: wire.NewSubjectRequest, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Write down what a person asks about their data, as any party of the case. The case's lead answers within three days of the asking.

    A guardian who is barred is refused, and the lead is told that they came; nothing is revealed.
    """
    return http.created(response, "/v1/subject-requests", await service.open_request(db, body, key))


@router.get(
    "", response_model=wire.SubjectRequestPage, responses=answers(*http.ALWAYS, InvalidCursor, problems.OfficerOnly)
)
async def list_subject_requests(
    caller: CanRead,
    db: CaseConnection,
    role: Annotated[
        Literal["lead", "author", "officer"],
        Query(
            description="`lead`: what your agency answers; `author`: what it wrote down; `officer`: all, for protection officers"
            " (scope `protection.read`)."
        ),
    ] = "lead",
    state: Annotated[Literal["open", "answered"] | None, Query(description="Only this state.")] = None,
    kind: Annotated[SubjectRequestKind | None, Query(description="Only this kind.")] = None,
    case: http.CaseFilter = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List subject requests, newest first, without what is said in them."""
    found = await service.list_requests(db, role=role, state=state, kind=kind, case_id=case, cursor=cursor, limit=limit)
    return http.json_response(found)


@router.get("/{request_id}", response_model=wire.SubjectRequest, responses=answers(*http.ALWAYS, NotFound))
async def read_subject_request(request_id: RequestId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a subject request, as who wrote it down, the case's lead, or a protection officer. Reading is logged."""
    return http.json_response(await service.read_request(db, request_id))


@router.post(
    "/{request_id}/answer",
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.NotLead,
        problems.RequestAnswered,
        problems.SectionsHeld,
    ),
)
async def answer_subject_request(
    request_id: RequestId, body: wire.AnswerSubjectRequest, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Answer, once, as the case's lead: grant it, in part, or refuse it on a ground of the law.

    A granted restriction or erasure locks the sections for every holder at once, and asks each to do the same (`GET /v1/requests`). The exchange
    erases its own once they have answered. A granted correction names the correction that was made; every holder has been told by it.
    A granted access or copy is made with `GET /v1/cases/{case_id}/export`.
    """
    return await service.answer_request(db, request_id, body, key)


@router.post(
    "/{request_id}/lift",
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.NotLead,
        problems.GuardianBarred,
        problems.RestrictionNotInForce,
        problems.RestrictionStands,
    ),
)
async def lift_restriction(
    request_id: RequestId, body: wire.LiftRestriction, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Lift a granted restriction, once, as the case's lead: the person asked, its reason ended, or a court ordered it.

    What only it kept shut is open again to who holds it, who is told. What is locked besides, or what another granted request reaches, stays locked.
    To keep a part restricted, grant a new request for that part first. What a court asked for is lifted on a court's order alone; what the person
    asked for, on no parent's or guardian's wish.
    """
    return await service.lift_restriction(db, request_id, body, key)

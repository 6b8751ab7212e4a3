"""/v1/cases."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey, IfMatch
from app.exchange.cases import service
from app.exchange.passing import http, problems
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
CaseId = Annotated[UUID, Path(description="The case's id.")]


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
async def read_case(case_id: CaseId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a case: for its lead all that happened to it. An agency that was sent something of it sees who leads now."""
    found = await service.read_case(db, case_id)
    return http.json_response(found, version=found["version"])


@router.post("/{case_id}/follow-up", responses=answers(*http.ALWAYS, *http.MOVED))
async def follow_up_case(
    case_id: CaseId, body: wire.FollowUp, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Go on to following the person up, by a plan and until a planned end."""
    return await service.follow_up(db, case_id, body, seen, key)


@router.post("/{case_id}/close", responses=answers(*http.ALWAYS, *http.MOVED, problems.CaseHasOpenDuties))
async def close_case(
    case_id: CaseId, body: wire.Close, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Close the case. Every party is told. Refused while a transfer or an immediate referral of it is open; other referrals go on."""
    return await service.close(db, case_id, body, seen, key)


@router.post("/{case_id}/reopen", responses=answers(*http.ALWAYS, *http.MOVED))
async def reopen_case(
    case_id: CaseId, body: wire.Reopen, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Open a closed case again, as its last lead, with a reason and what it rests on. Every party is told."""
    return await service.reopen(db, case_id, body, seen, key)


@router.post("/{case_id}/correct-death", responses=answers(*http.ALWAYS, *http.MOVED))
async def correct_death(
    case_id: CaseId, body: wire.CorrectDeath, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Take back a death that was recorded by mistake, also by another party. Every clock of the case runs again, and every party is told."""
    return await service.correct_death(db, case_id, body, seen, key)


@router.post("/{case_id}/victim-status", responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NotLead))
async def record_victim_status(
    case_id: CaseId, body: wire.NewVictimStatus, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Record a decision about the person's status as a victim. Earlier ones stay; no referral, access or service changes by it."""
    return await service.record_victim_status(db, case_id, body, key)


@router.post("/{case_id}/guardian", responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NotLead))
async def mark_guardian(
    case_id: CaseId, body: wire.MarkGuardian, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Say that the guardian is suspect, or no longer. A barred guardian neither gives nor withdraws consent, and is told nothing."""
    return await service.mark_guardian(db, case_id, body, key)

"""/v1/reassignments."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey, IfMatch
from app.exchange.passing import http, problems
from app.exchange.passing.problems import DeskOnly
from app.exchange.reassignments import service
from app.exchange.reassignments.problems import LeadsAlready, ReassignmentOpen, SecondPersonRequired
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import reassignment as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/reassignments", tags=["reassignments"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]
AtTheDesk = Annotated[Caller, requires(Scope.desk_write)]
ReassignmentId = Annotated[UUID, Path(description="The reassignment's id.")]


@router.post(
    "",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        DeskOnly,
        problems.UnknownCase,
        problems.UnknownReceiver,
        problems.ReceiverUnavailable,
        problems.CaseClosed,
        LeadsAlready,
        ReassignmentOpen,
    ),
)
async def propose_reassignment(
    response: Response, body: wire.NewReassignment, caller: AtTheDesk, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Propose, at the ministry's desk, a new lead for a case whose lead is gone. The present lead is told, and stays until the new one agrees."""
    return http.created(response, "/v1/reassignments", await service.propose(db, body, key))


@router.get("", response_model=wire.ReassignmentPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_reassignments(
    caller: CanRead,
    db: CaseConnection,
    state: Annotated[
        list[Literal["proposed", "approved", "agreed", "declined", "withdrawn"]] | None,
        Query(max_length=5, description="Only these states; repeat the parameter for several."),
    ] = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List reassignments, newest first: all for the desk; for others those of cases they lead or, once approved, are to lead."""
    return http.json_response(await service.list_reassignments(db, states=state, cursor=cursor, limit=limit))


@router.get("/{reassignment_id}", response_model=wire.Reassignment, responses=answers(*http.ALWAYS, NotFound))
async def read_reassignment(reassignment_id: ReassignmentId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a reassignment."""
    found = await service.read_reassignment(db, reassignment_id)
    return http.json_response(found, version=found["version"])


@router.post(
    "/{reassignment_id}/approve",
    responses=answers(
        *http.ALWAYS, *http.MOVED, DeskOnly, SecondPersonRequired, problems.CaseClosed, problems.AgreementRequired
    ),
)
async def approve_reassignment(
    reassignment_id: ReassignmentId,
    body: wire.ApproveReassignment,
    caller: Annotated[Caller, requires(Scope.protection_write)],
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Approve it, as a protection officer of the desk and another person than who proposed it. The new lead is asked."""
    return await service.move(db, "approve", reassignment_id=reassignment_id, seen=seen, key=key)


@router.post(
    "/{reassignment_id}/agree",
    responses=answers(*http.ALWAYS, *http.MOVED, problems.CaseClosed, problems.AgreementRequired),
)
async def agree_to_reassignment(
    reassignment_id: ReassignmentId,
    body: wire.AgreeToReassignment,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Agree to lead the case. It is yours with this, with its open referrals, and its newest record opens to you."""
    return await service.move(db, "agree", reassignment_id=reassignment_id, seen=seen, key=key)


@router.post("/{reassignment_id}/decline", responses=answers(*http.ALWAYS, *http.MOVED))
async def decline_reassignment(
    reassignment_id: ReassignmentId,
    body: wire.DeclineReassignment,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Decline to lead the case. The lead stays as it is, and the desk is told."""
    return await service.move(db, "decline", reassignment_id=reassignment_id, seen=seen, key=key, reason=body.reason)


@router.post("/{reassignment_id}/withdraw", responses=answers(*http.ALWAYS, *http.MOVED, DeskOnly))
async def withdraw_reassignment(
    reassignment_id: ReassignmentId,
    body: wire.WithdrawReassignment,
    caller: AtTheDesk,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Take it back, at the desk, before the new lead has agreed."""
    return await service.move(db, "withdraw", reassignment_id=reassignment_id, seen=seen, key=key, reason=body.reason)

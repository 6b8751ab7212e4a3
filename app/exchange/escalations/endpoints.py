"""/v1/escalations."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.escalations import service
from app.exchange.escalations.problems import EscalationNotOpen, NotReroutable
from app.exchange.passing import http, problems
from app.exchange.passing.problems import DeskOnly
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import escalation as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/escalations", tags=["escalations"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.referrals_read)]
CanAct = Annotated[Caller, requires(Scope.referrals_write)]
CanReroute = Annotated[Caller, requires(Scope.desk_write)]
EscalationId = Annotated[UUID, Path(description="The escalation's id.")]


@router.get("", response_model=wire.EscalationPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_escalations(
    caller: CanRead,
    db: CaseConnection,
    state: Annotated[Literal["open", "taken", "closed"] | None, Query(description="Only this state.")] = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List what the caller's agency was asked to see to because a deadline passed, newest first."""
    return http.json_response(await service.list_escalations(db, state=state, cursor=cursor, limit=limit))


@router.get("/{escalation_id}", response_model=wire.Escalation, responses=answers(*http.ALWAYS, NotFound))
async def read_escalation(escalation_id: EscalationId, caller: CanRead, db: CaseConnection) -> Response:
    """Read an escalation: what is late, who was asked when, who takes care of it, and whom to call at the receiver.

    The ministry's desk also sees the preview, while it may act and nobody has accepted. Reading is logged.
    """
    return http.json_response(await service.read_escalation(db, escalation_id))


@router.post("/{escalation_id}/take", responses=answers(*http.ALWAYS, *http.POSTED, NotFound, EscalationNotOpen))
async def take_escalation(
    escalation_id: EscalationId, body: wire.Take, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Say that your agency sees to it. Nobody else is asked from then on, and whoever was asked learns of it."""
    return await service.take_escalation(db, escalation_id, key)


@router.post(
    "/{escalation_id}/reroute",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        DeskOnly,
        EscalationNotOpen,
        NotReroutable,
        problems.CaseClosed,
        problems.DisclosureRefused,
        problems.OpenTwin,
        problems.ReceiverUnavailable,
        problems.RecordVersionUnavailable,
        problems.UnknownReceiver,
    ),
)
async def reroute_referral(
    escalation_id: EscalationId,
    response: Response,
    body: wire.Reroute,
    caller: CanReroute,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """As the ministry's desk, send what nobody answered to another agency as well.

    It carries what a vital interest opens of the same record version, to be reviewed afterwards. The sender remains responsible; the desk
    does not become a party. The first of the two to accept has it.
    """
    return http.created(response, "/v1/referrals", await service.reroute(db, escalation_id, body, key))

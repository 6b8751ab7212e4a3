"""/v1/emergency-access."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.emergencies import service
from app.exchange.emergencies.problems import EmergencyEnded, EmergencyNotForYou, EmergencyOpen, TooManyKnocks
from app.exchange.passing import http, problems
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import emergency as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/emergency-access", tags=["emergency access"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]
EmergencyId = Annotated[UUID, Path(description="The emergency access's id.")]


@router.post(
    "",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        EmergencyNotForYou,
        EmergencyOpen,
        TooManyKnocks,
        problems.DisclosureRefused,
    ),
)
async def open_emergency_access(
    response: Response, body: wire.OpenEmergency, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Open named sections of a case's record for a few hours, because life is at stake.

    For an agency that takes part in the case, or did; and, by the case's reference, for one of a kind that helps and has the person before it. Inside
    the country only. The case's lead and the reviewing agency are told in the same moment, every reading is logged, and it is reviewed within three
    days. It lets read and never act: nothing can be moved, passed on or printed with it.
    """
    moved = await service.open_emergency(db, body, key)
    response.headers["Location"] = f"/v1/emergency-access/{moved.id}"
    return moved


@router.get("", response_model=wire.EmergencyPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_emergency_access(
    caller: CanRead,
    db: CaseConnection,
    case: http.CaseFilter = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List emergency access, newest first: your agency's own, that to cases it leads; for the reviewing agency all of it."""
    return http.json_response(await service.list_emergencies(db, case_id=case, cursor=cursor, limit=limit))


@router.get("/{emergency_id}", response_model=wire.Emergency, responses=answers(*http.ALWAYS, NotFound))
async def read_emergency_access(emergency_id: EmergencyId, caller: CanRead, db: CaseConnection) -> Response:
    """Read under emergency access: the sections, each as the newest version of the record has it, to who has it and while it lasts.

    The lead and the reviewing agency read why it was opened, not the sections. Every reading is logged.
    """
    return http.json_response(await service.read_emergency(db, emergency_id))


@router.post("/{emergency_id}/end", responses=answers(*http.ALWAYS, *http.POSTED, NotFound, EmergencyEnded))
async def end_emergency_access(
    emergency_id: EmergencyId, body: wire.EndEmergency, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """End emergency access at once: as who has it, as the case's lead, or as the reviewing agency. Nobody reads by it from then on."""
    return await service.end_emergency(db, emergency_id, key)

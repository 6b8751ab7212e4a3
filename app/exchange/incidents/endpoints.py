"""/v1/incidents."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.incidents import service
from app.exchange.passing import http, problems
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import incident as wire

router = APIRouter(prefix="/v1/incidents", tags=["incidents"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]
IncidentId = Annotated[UUID, Path(description="The incident's id.")]


@router.post("", status_code=201, responses=answers(*http.ALWAYS, *http.POSTED, NotFound))
async def open_incident(
    response: Response, body: wire.NewIncident, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> wire.IncidentRecorded:
    """Write down that something went wrong with personal data. The three days to the notice run from when it was noticed.

    It is seen by your agency, the reviewing agency, and the leads of the cases it names, each of which learns of its own case only.
    """
    made = await service.open_incident(db, body, key)
    response.headers["Location"] = f"/v1/incidents/{made.id}"
    return made


@router.get("", response_model=wire.IncidentPage, responses=answers(*http.ALWAYS, InvalidCursor, problems.OfficerOnly))
async def list_incidents(
    caller: CanRead,
    db: CaseConnection,
    role: Annotated[
        Literal["concerned", "officer"],
        Query(
            description="`concerned`: reported by your agency, its to see to, or of a case it leads; `officer`: all, for protection officers"
            " (scope `protection.read`)."
        ),
    ] = "concerned",
    state: Annotated[Literal["open", "closed"] | None, Query(description="Only this state.")] = None,
    case: http.CaseFilter = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List incidents, newest first, without what is said of them."""
    return http.json_response(
        await service.list_incidents(db, role=role, state=state, case_id=case, cursor=cursor, limit=limit)
    )


@router.get("/{incident_id}", response_model=wire.Incident, responses=answers(*http.ALWAYS, NotFound))
async def read_incident(incident_id: IncidentId, caller: CanRead, db: CaseConnection) -> Response:
    """Read an incident with all that was added to it. Reading is logged."""
    return http.json_response(await service.read_incident(db, incident_id))


@router.post("/{incident_id}/entries", responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.IncidentClosed))
async def add_to_incident(
    incident_id: IncidentId, body: wire.AddToIncident, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> wire.IncidentRecorded:
    """Add what became known or was done. What was written stays as it is. A protection officer needs `protection.write`."""
    return await service.add_to_incident(db, incident_id, body, key)


@router.post(
    "/{incident_id}/close",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.IncidentClosed, problems.IncidentIncomplete),
)
async def close_incident(
    incident_id: IncidentId, body: wire.CloseIncident, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> wire.IncidentRecorded:
    """Close an incident: with the notice that was given (UU 27/2022 art 46: what data, when and how, what was done), or with why there was none.

    By who reported it, who is responsible for it, or a protection officer.
    """
    return await service.close_incident(db, incident_id, body, key)

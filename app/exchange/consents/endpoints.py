"""/v1/cases/{case_id}/consents."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.consents import service
from app.exchange.passing import http, problems
from app.foundation.http import StrictRoute
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import case as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/cases/{case_id}/consents", tags=["consents"], route_class=StrictRoute)
CaseId = Annotated[UUID, Path(description="The case's id.")]


@router.post("", status_code=201, responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.CaseClosed))
async def give_consent(
    case_id: CaseId,
    response: Response,
    body: wire.NewConsent,
    caller: Annotated[Caller, requires(Scope.consents_write)],
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Record what the person agreed to: which sections, to which agencies or kinds, for which purposes, until when."""
    return http.created(response, f"/v1/cases/{case_id}/consents", await service.give_consent(db, case_id, body, key))


@router.get("", response_model=wire.ConsentPage, responses=answers(*http.ALWAYS, NotFound))
async def list_consents(
    case_id: CaseId, caller: Annotated[Caller, requires(Scope.cases_read)], db: CaseConnection
) -> Response:
    """List the consents of a case: all of them for its lead, one's own for others."""
    return http.json_response(await service.list_consents(db, case_id))

"""/v1/cases/{case_id}/retention and /export."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from app.dependencies import CaseConnection
from app.exchange.passing import http, problems
from app.exchange.retention import service
from app.foundation.http import StrictRoute
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import retention as wire

router = APIRouter(prefix="/v1/cases", tags=["retention"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CaseId = Annotated[UUID, Path(description="The case's id.")]
NDJSON: Final = "application/x-ndjson"
LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Lines of JSON, each with its type: export, case, record, elsewhere, consent, consent_withdrawal, correction,"
        " disclosure, move, subject_request, and at last end: without it the copy is not whole.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/{case_id}/retention",
    response_model=wire.Retention,
    responses=answers(*http.ALWAYS, NotFound, problems.NotLead),
)
async def read_retention(case_id: CaseId, caller: CanRead, db: CaseConnection) -> Response:
    """See what of the case is erased when, what holds keep, and what is gone, as its lead."""
    return http.json_response(await service.preview(db, case_id))


@router.get(
    "/{case_id}/export",
    response_class=StreamingResponse,
    responses=LINES | answers(*http.ALWAYS, NotFound, problems.NotLead, problems.NothingGranted),
)
async def export_person(
    case_id: CaseId,
    caller: CanRead,
    db: CaseConnection,
    request: Annotated[
        UUID | None, Query(description="The granted subject request, of kind `access` or `copy`, on which it leaves.")
    ] = None,
) -> Response:
    """Make a person's copy of all about them that the case's lead may read.

    Portable lines of JSON, for that person. It has all versions of the record, consents, corrections, to whom what was disclosed
    on what basis, and what happened. It has not: what
    was refused, sections about others that the answer did not name (`family`, `safety`), places, who in an agency acted, words of others.
    What other agencies wrote and did not share with the lead is named as `elsewhere`: the person can ask there.
    """
    return StreamingResponse(await service.export(db, case_id, request), media_type=NDJSON)

"""The access report of a case: to read, and to print for the person."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.dependencies import CaseConnection
from app.exchange.access import service
from app.exchange.access.sheet import AskedBy
from app.exchange.forms.service import as_page
from app.exchange.passing import http
from app.exchange.passing.problems import GuardianBarred
from app.foundation.http import StrictRoute
from app.foundation.i18n import language_of
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.codes.labels import Lang
from schemas.exchange import access as wire

router = APIRouter(prefix="/v1", tags=["access report"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanReview = Annotated[Caller, requires(Scope.protection_read)]
CaseId = Annotated[UUID, Path(description="The case's id.")]
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page made for printing on A4.", "content": {"text/html": {"schema": {"type": "string"}}}}
}


@router.get(
    "/cases/{case_id}/access-report",
    response_model=wire.AccessReport,
    responses=answers(*http.ALWAYS, NotFound, InvalidCursor),
)
async def read_access_report(
    case_id: CaseId, caller: CanRead, db: CaseConnection, cursor: http.Cursor = None, limit: http.PageLimit = 50
) -> Response:
    """Read who saw or passed on what of a case, on what basis, when: for its lead, oldest first. Reading it is an entry of it too."""
    found = await service.access_report(db, case_id, reviewing=False, cursor=cursor, limit=limit)
    return http.json_response(found)


@router.get(
    "/protection/cases/{case_id}/access-report",
    response_model=wire.AccessReport,
    responses=answers(*http.ALWAYS, NotFound, InvalidCursor),
)
async def review_access(
    case_id: CaseId, caller: CanReview, db: CaseConnection, cursor: http.Cursor = None, limit: http.PageLimit = 50
) -> Response:
    """Read the same as the reviewing agency: of any case, with every agency's own reference of who acted. Nothing about the person."""
    found = await service.access_report(db, case_id, reviewing=True, cursor=cursor, limit=limit)
    return http.json_response(found)


@router.get(
    "/cases/{case_id}/access-report/form",
    response_class=Response,
    responses={**_PAGE, **answers(*http.ALWAYS, NotFound, GuardianBarred)},
)
async def print_access_report(
    request: Request,
    case_id: CaseId,
    caller: CanRead,
    db: CaseConnection,
    asked_by: Annotated[
        AskedBy, Query(description="Who asks for it: the person, or the guardian, who gets none while under suspicion.")
    ] = "person",
    lang: Annotated[Lang | None, Query(description="`id` or `en`; unset: by `Accept-Language`.")] = None,
) -> Response:
    """Print the report for the person, in plain words: agencies by name, kinds of data, reasons and days. For the case's lead to hand over.

    No names of staff, systems or service points are on it.
    """
    page = await service.print_access_report(db, case_id, asked_by=asked_by, lang=lang or language_of(request))
    return as_page(page)

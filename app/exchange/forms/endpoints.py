"""Forms to print: of a referral, of a transfer, and blank ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.dependencies import CaseConnection
from app.exchange.forms import service
from app.exchange.passing import http
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.http import StrictRoute, refuse_bad_request
from app.foundation.problems import InvalidRequest, NotFound, answers
from app.foundation.published import cacheable
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.codes.labels import Lang

router = APIRouter(prefix="/v1", tags=["forms"], route_class=StrictRoute)
FormLang = Annotated[Lang, Query(description="The form's language: `id` or `en`.")]
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page made for printing on A4.", "content": {"text/html": {"schema": {"type": "string"}}}}
}


@router.get(
    "/referrals/{referral_id}/form",
    response_class=Response,
    responses={**_PAGE, **answers(*http.ALWAYS, NotFound)},
)
async def print_referral(
    referral_id: Annotated[UUID, Path(description="The referral's id.")],
    caller: Annotated[Caller, requires(Scope.referrals_read)],
    db: CaseConnection,
    lang: FormLang = "id",
) -> Response:
    """Print a referral: what its reading shows the caller now, and before acceptance the preview alone. Logged as a reading.

    Not put on paper, though readable: where the person is, once the place is to stay secret; ways of contact not known to be safe; the
    name of a confidential service point.
    """
    return service.as_page(await service.print_passed(db, REFERRAL, referral_id, lang))


@router.get(
    "/transfers/{transfer_id}/form",
    response_class=Response,
    responses={**_PAGE, **answers(*http.ALWAYS, NotFound)},
)
async def print_transfer(
    transfer_id: Annotated[UUID, Path(description="The transfer's id.")],
    caller: Annotated[Caller, requires(Scope.transfers_read)],
    db: CaseConnection,
    lang: FormLang = "id",
) -> Response:
    """Print a transfer, with what comes with the case. As a referral's form in everything else."""
    return service.as_page(await service.print_passed(db, TRANSFER, transfer_id, lang))


@router.get(
    "/forms/referral",
    response_class=Response,
    responses={**_PAGE, 304: {"description": "Unchanged."}, **answers(InvalidRequest)},
)
async def blank_referral_form(
    request: Request,
    profile: Annotated[
        Literal["emergency", "full"],
        Query(description="`emergency`: one page, for a call at night. `full`: every section of the record."),
    ] = "emergency",
    lang: FormLang = "id",
) -> Response:
    """Get a blank form to fill in by hand, with the codes that are typed afterwards. Public: it says nothing of anybody."""
    refuse_bad_request(request)
    page = service.blank(profile, lang)
    return cacheable(request, page.body, media_type=service.MEDIA_TYPE, headers=page.headers)

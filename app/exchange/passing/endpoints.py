"""/v1/disclosures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from app.dependencies import CaseConnection, IdempotencyKey, IdempotencyKeyRequired
from app.exchange.passing import http, previewing, problems
from app.foundation.http import StrictRoute
from app.foundation.problems import MalformedBody, NotFound, UnsupportedMediaType, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import disclosure as wire

router = APIRouter(prefix="/v1/disclosures", tags=["disclosures"], route_class=StrictRoute)


@router.post(
    "/preview",
    response_model=wire.PreviewedDisclosure,
    responses=answers(
        *http.ALWAYS,
        MalformedBody,
        UnsupportedMediaType,
        IdempotencyKeyRequired,
        NotFound,
        problems.GuardianBarred,
        problems.UnknownReceiver,
        problems.ReceiverUnavailable,
    ),
)
async def preview_disclosure(
    body: wire.PreviewDisclosure,
    caller: Annotated[Caller, requires(Scope.referrals_write)],
    db: CaseConnection,
    key: IdempotencyKey,
) -> Response:
    """Ask which sections could go to an agency, or to a kind of agency, before sending them. Nothing is sent.

    The answer is what sending would be answered with at this moment, as far as the disclosure decides: not whether the case is yours
    to refer. It has no effect but an entry in the log. `Idempotency-Key` is needed as with every POST, and not kept: the same request
    may be answered otherwise when a consent or an agreement has changed.
    """
    return http.json_response(await previewing.preview(db, body))

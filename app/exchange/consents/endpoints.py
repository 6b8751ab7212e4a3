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
ConsentId = Annotated[UUID, Path(description="The consent's id.")]


@router.post(
    "",
    status_code=201,
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.CaseClosed, problems.GuardianBarred),
)
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


@router.get("/{consent_id}", response_model=wire.Consent, responses=answers(*http.ALWAYS, NotFound))
async def read_consent(
    case_id: CaseId, consent_id: ConsentId, caller: Annotated[Caller, requires(Scope.cases_read)], db: CaseConnection
) -> Response:
    """Read a consent with its withdrawals, as its author or the case's lead."""
    return http.json_response(await service.read_consent(db, case_id, consent_id))


@router.post(
    "/{consent_id}/withdraw",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToWithdraw, problems.GuardianBarred),
)
async def withdraw_consent(
    case_id: CaseId,
    consent_id: ConsentId,
    body: wire.WithdrawConsent,
    caller: Annotated[Caller, requires(Scope.consents_write)],
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Record that a consent is taken back, whole or for some sections.

    Whoever leads or led the case, recorded the consent, or is party of something that rests on it may record it; also when the case is closed or
    the consent has run out. What rests on it locks for every holder at once; whoever had it open is asked to erase it and answers in three days.
    No referral or transfer changes its state: nobody loses a bed over it.
    """
    return await service.withdraw_consent(db, case_id, consent_id, body, key)

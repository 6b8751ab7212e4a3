"""/v1/cases/{case_id}/consents."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.attachments.serving import download
from app.exchange.consents import service
from app.exchange.passing import downloading, http, problems
from app.foundation.http import StrictRoute
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import consent as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/cases/{case_id}/consents", tags=["consents"], route_class=StrictRoute)
CaseId = Annotated[UUID, Path(description="The case's id.")]
ConsentId = Annotated[UUID, Path(description="The consent's id.")]


@router.post(
    "",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.CaseClosed,
        problems.GuardianBarred,
        problems.ConsentVoid,
        problems.FilesUnusable,
    ),
)
async def give_consent(
    case_id: CaseId,
    response: Response,
    body: wire.NewConsent,
    caller: Annotated[Caller, requires(Scope.consents_write)],
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Record what the person agreed to: which sections, to which agencies or kinds, for which purposes, until when.

    By the lead, and by whoever holds an accepted referral of the case. What the person was told must hold all that UU 27/2022 art 21(1) demands, or
    the consent is void and is refused, with what is missing. Nothing can rest on what was only spoken, nor on what nobody but an interpreter who is
    not independent has heard: then `provable` is false. For a child somebody else decides, and `child` says what the child says; if it does not
    agree, nothing rests on the consent.
    """
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
    """Read a consent and what became of it, as its author or the case's lead."""
    return http.json_response(await service.read_consent(db, case_id, consent_id))


@router.get("/{consent_id}/evidence/{attachment_id}", response_class=Response, responses=downloading.FILE)
async def read_evidence_of_consent(
    request: Request,
    case_id: CaseId,
    consent_id: ConsentId,
    attachment_id: downloading.AttachmentId,
    caller: Annotated[Caller, requires(Scope.cases_read)],
    db: CaseConnection,
    range: downloading.Range = None,
    if_range: downloading.IfRange = None,
) -> Response:
    """Download the file that proves a consent, or its reconfirmation.

    Its author may, and the case's lead. Each download is logged.
    """
    row = await service.read_evidence(db, case_id, consent_id, attachment_id, content=request.method != "HEAD")
    return await download(request, db, row, keyring=db.keyring, stores=request.app.state.stores)


router.add_api_route(
    "/{consent_id}/evidence/{attachment_id}",
    read_evidence_of_consent,
    methods=["HEAD"],
    include_in_schema=False,
    response_class=Response,
)


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
    No referral or transfer changes its state: nobody loses a bed over it. What widened the consent later is taken back with it.
    """
    return await service.withdraw_consent(db, case_id, consent_id, body, key)


@router.post(
    "/{consent_id}/narrow",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToWithdraw, problems.GuardianBarred),
)
async def narrow_consent(
    case_id: CaseId,
    consent_id: ConsentId,
    body: wire.NarrowConsent,
    caller: Annotated[Caller, requires(Scope.consents_write)],
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Record that a consent covers less from now on: without these sections, agencies, kinds or purposes, or until an earlier time.

    Whoever may withdraw it may narrow it. What is lost locks for every holder at once, as in a withdrawal; whoever had it open is asked to erase it.
    An agency that is taken out stays out, also where its kind is named. Of what nothing is left is withdrawn.
    """
    return await service.narrow_consent(db, case_id, consent_id, body, key)


@router.post(
    "/{consent_id}/widen",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.CaseClosed,
        problems.GuardianBarred,
        problems.ConsentVoid,
        problems.FilesUnusable,
        problems.ConsentOver,
    ),
)
async def widen_consent(
    case_id: CaseId,
    consent_id: ConsentId,
    response: Response,
    body: wire.NewConsent,
    caller: Annotated[Caller, requires(Scope.consents_write)],
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Record that the person agreed to more. It is an act of consent of its own, with its own notice and proof, and gets an id of its own.

    By its author or the lead. Nothing opens by it: what is to be disclosed on it names the new id. Taking back the earlier consent takes this one
    back too.
    """
    made = await service.give_consent(db, case_id, body, key, widens=consent_id)
    return http.created(response, f"/v1/cases/{case_id}/consents", made)


@router.post(
    "/{consent_id}/reconfirm",
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.GuardianBarred,
        problems.ConsentVoid,
        problems.FilesUnusable,
        problems.ConsentOver,
        problems.NothingToReconfirm,
        problems.AnotherClientNeeded,
    ),
)
async def reconfirm_consent(
    case_id: CaseId,
    consent_id: ConsentId,
    body: wire.ReconfirmConsent,
    caller: Annotated[Caller, requires(Scope.consents_write)],
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Record that the person was asked again about a consent in doubt, and still agrees.

    By its author or the lead, through another client than the one that was compromised, and proved like a new consent. The consent counts again, and
    what was locked by the doubt opens to its holders.
    """
    return await service.reconfirm_consent(db, case_id, consent_id, body, key)

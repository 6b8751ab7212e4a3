"""/v1/cases/{case_id}/corrections, /correction-proposals, /record-versions; /v1/corrections."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.attachments.serving import download
from app.exchange.corrections import service
from app.exchange.passing import downloading, http, problems
from app.foundation.http import StrictRoute
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import correction as wire
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1", tags=["corrections"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.cases_read)]
CanAct = Annotated[Caller, requires(Scope.cases_write)]
CaseId = Annotated[UUID, Path(description="The case's id.")]


@router.post(
    "/cases/{case_id}/corrections",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.NotLead,
        problems.RequestAnswered,
        problems.SealedToWrongKeys,
        problems.FilesUnusable,
    ),
)
async def correct_record(
    case_id: CaseId,
    response: Response,
    body: wire.CorrectRecord,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Put sections of the record right, as the case's lead, in any state of the case.

    Every holder of one of these sections gets what concerns it, on the basis it holds the section on, and is told; who accepts later finds it too.
    The preview of a referral that is not accepted yet stays as it is: its sender amends it (`POST /v1/referrals/{id}/amend`).
    """
    return http.created(response, "/v1/corrections", await service.correct_record(db, case_id, body, key))


@router.get(
    "/cases/{case_id}/corrections", response_model=wire.CorrectionPage, responses=answers(*http.ALWAYS, NotFound)
)
async def list_corrections(case_id: CaseId, caller: CanRead, db: CaseConnection) -> Response:
    """List the corrections of a case: all of them for its lead, for others those of what they hold."""
    return http.json_response(await service.list_corrections(db, case_id))


@router.get("/corrections/{correction_id}", response_model=wire.Correction, responses=answers(*http.ALWAYS, NotFound))
async def read_correction(
    correction_id: Annotated[UUID, Path(description="The correction's id.")], caller: CanRead, db: CaseConnection
) -> Response:
    """Read a correction: of its sections those you hold. Reading is logged."""
    return http.json_response(await service.read_correction(db, correction_id))


@router.get(
    "/corrections/{correction_id}/attachments/{attachment_id}", response_class=Response, responses=downloading.FILE
)
async def read_file_of_correction(
    request: Request,
    correction_id: Annotated[UUID, Path(description="The correction's id.")],
    attachment_id: downloading.AttachmentId,
    caller: CanRead,
    db: CaseConnection,
    range: downloading.Range = None,
    if_range: downloading.IfRange = None,
) -> Response:
    """Download a file of a correction, in whole or a range of it.

    You may if you may now read its section and the papers that name it.

    Each download is a disclosure, and is logged; `HEAD` gives nothing out.
    """
    row = await service.read_file(db, correction_id, attachment_id, content=request.method != "HEAD")
    return await download(request, db, row, keyring=db.keyring, stores=request.app.state.stores)


router.add_api_route(
    "/corrections/{correction_id}/attachments/{attachment_id}",
    read_file_of_correction,
    methods=["HEAD"],
    include_in_schema=False,
    response_class=Response,
)


@router.post(
    "/cases/{case_id}/correction-proposals",
    status_code=201,
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.LeadCorrectsItself),
)
async def propose_correction(
    case_id: CaseId,
    response: Response,
    body: wire.ProposeCorrection,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Tell the lead what is wrong in the record, as any party of the case. It becomes a request, which the lead answers within three days."""
    return http.created(response, "/v1/requests", await service.propose_correction(db, case_id, body, key))


@router.post(
    "/cases/{case_id}/record-versions/{version_id}/retract",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.VersionRetracted),
)
async def retract_version(
    case_id: CaseId,
    version_id: Annotated[UUID, Path(description="The record version's id, `record_version` of what it came with.")],
    body: wire.RetractVersion,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Take back a record that is another person's, as its author; or as a protection officer at the ministry's desk (scope `protection.write`).

    It is locked for everyone at once, the author included, in whatever state what it came with is. Whoever read it is asked to erase it, and the
    author to explain. It cannot be sent again.
    """
    return await service.retract_version(db, case_id, version_id, body, key)

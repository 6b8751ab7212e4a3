"""/v1/attachments."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response

from app.dependencies import (
    ActorRequired,
    CaseConnection,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    MayNotActFor,
    RequestInProgress,
)
from app.exchange.attachments import problems, service
from app.exchange.attachments.content import KINDS
from app.foundation import json
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import InvalidRequest, NotFound, ServiceUnavailable, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.codes.disclosure import Section
from schemas.exchange import attachment as wire
from schemas.exchange.common import Limit

router = APIRouter(prefix="/v1/attachments", tags=["attachments"], route_class=StrictRoute)
CanUpload = Annotated[Caller, requires(Scope.attachments_write)]
AttachmentId = Annotated[UUID, Path(description="The file's id.")]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="A fresh UUID for a new file; the same one to repeat an upload. It is compared by the file's digest.",
    ),
]
ALWAYS = (ActorRequired, InvalidRequest, MayNotActFor, ServiceUnavailable)
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file's bytes, as they are. `Content-Type` must agree with them; `application/octet-stream`: you do not know.",
        "content": dict.fromkeys((*KINDS, "application/octet-stream"), _BINARY),
    }
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"*/*": _BINARY}},
    206: {"description": "The range that was asked for (RFC 9110 §14).", "content": {"*/*": _BINARY}},
}


@router.post(
    "",
    status_code=201,
    response_model=wire.UploadedAttachment,
    openapi_extra=_BODY,
    responses=answers(
        *ALWAYS,
        IdempotencyKeyRequired,
        IdempotencyKeyReused,
        RequestInProgress,
        problems.AttachmentEmpty,
        problems.UploadCutOff,
        problems.UploadTooSlow,
        problems.QuotaReached,
        problems.AttachmentTooLarge,
        problems.AttachmentTypeRefused,
        problems.AttachmentTypeContradicted,
        problems.DigestMismatch,
        problems.FileStoreUnavailable,
        NotFound,
    ),
)
async def upload_attachment(
    request: Request,
    caller: CanUpload,
    db: CaseConnection,
    key: Key,
    section: Annotated[Section, Query(description="The section of the record that the file belongs to.")],
    content_digest: Annotated[
        str | None, Header(alias="Content-Digest", description="`sha-256=:<Base64>:` of the file (RFC 9530); verified.")
    ] = None,
    content_disposition: Annotated[
        str | None,
        Header(
            alias="Content-Disposition",
            description="`attachment; filename*=UTF-8''<name>` (RFC 6266): the file's name, for your own agency alone; encrypted.",
        ),
    ] = None,
) -> Response:
    """Upload a file. The body is the file itself, not a form.

    It goes with a record afterwards, and is disclosed where its section of that record is. Until then only your agency sees it, and it is
    destroyed at `expires_at`. Where files are scanned it is `scanning` first; the event `attachment.ready` or `attachment.rejected` follows.
    """
    found = await service.upload(
        request, db, section=section, key=service.StreamedKey(key), stores=request.app.state.stores
    )
    headers = {"Location": f"/v1/attachments/{found['id']}"}
    return Response(json.dumps(found), 201, headers, "application/json")


@router.get("", response_model=wire.AttachmentPage, responses=answers(*ALWAYS, InvalidCursor))
async def list_attachments(
    caller: CanUpload,
    db: CaseConnection,
    state: Annotated[wire.AttachmentState | None, Query(description="Only this state.")] = None,
    cursor: Annotated[str | None, Query(max_length=400, description="Taken from `next`.")] = None,
    limit: Annotated[Limit, Query(description="How many at most.")] = 50,
) -> Response:
    """List the files your agency uploaded, newest first."""
    return _json(await service.list_attachments(db, state=state, cursor=cursor, limit=limit))


@router.get("/{attachment_id}", response_model=wire.Attachment, responses=answers(*ALWAYS, NotFound))
async def read_attachment(attachment_id: AttachmentId, caller: CanUpload, db: CaseConnection) -> Response:
    """Read what is known of a file your agency uploaded: whether it is ready, its digest, its name."""
    return _json(await service.read_attachment(db, attachment_id))


@router.get(
    "/{attachment_id}/content",
    responses={
        **answers(
            *ALWAYS,
            NotFound,
            problems.AttachmentNotReady,
            problems.RangeNotSatisfiable,
            problems.FileStoreUnavailable,
        ),
        **_FILE,
    },
    response_class=Response,
)
async def read_attachment_content(
    request: Request,
    attachment_id: AttachmentId,
    caller: CanUpload,
    db: CaseConnection,
    range: Annotated[
        str | None, Header(alias="Range", description="One range of bytes; several are answered with the whole.")
    ] = None,
    if_range: Annotated[str | None, Header(alias="If-Range", description="The `ETag` of the part you have.")] = None,
) -> Response:
    """Download a file your agency uploaded, in whole or a range of it. `Repr-Digest` is that of the whole. Reading is logged."""
    return await service.read_content(request, db, attachment_id, stores=request.app.state.stores)


router.add_api_route(
    "/{attachment_id}/content",
    read_attachment_content,
    methods=["HEAD"],
    include_in_schema=False,
    response_class=Response,
)


@router.delete("/{attachment_id}", status_code=204, responses=answers(*ALWAYS, NotFound, problems.AttachmentBound))
async def delete_attachment(attachment_id: AttachmentId, caller: CanUpload, db: CaseConnection) -> Response:
    """Destroy a file your agency uploaded that goes with no record."""
    await service.delete_attachment(db, attachment_id)
    return Response(status_code=204)


def _json(document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), media_type="application/json")

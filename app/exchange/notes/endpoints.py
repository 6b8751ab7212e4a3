"""Notes of referrals and transfers. They are written by `POST` beside the other moves."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from app.dependencies import CaseConnection
from app.exchange.notes import service
from app.exchange.passing import http
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import MalformedBody, NotFound, UnsupportedMediaType, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import note as wire

router = APIRouter(prefix="/v1", route_class=StrictRoute)
CanReadReferrals = Annotated[Caller, requires(Scope.referrals_read)]
CanReadTransfers = Annotated[Caller, requires(Scope.transfers_read)]
CanActOnReferrals = Annotated[Caller, requires(Scope.referrals_write)]
CanActOnTransfers = Annotated[Caller, requires(Scope.transfers_write)]
ReferralId = Annotated[UUID, Path(description="The referral's id.")]
TransferId = Annotated[UUID, Path(description="The transfer's id.")]
MARKED: dict[int | str, dict[str, Any]] = {204: {"description": "So it is: read up to that note, or further already."}}


@router.get(
    "/referrals/{referral_id}/notes",
    tags=["referrals"],
    response_model=wire.Notes,
    responses=answers(*http.ALWAYS, NotFound, InvalidCursor),
)
async def list_notes_of_referral(
    referral_id: ReferralId,
    caller: CanReadReferrals,
    db: CaseConnection,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """Read what both sides of a referral have written, oldest first: each text while what it rests on is open to you. The reading is logged.

    It marks nothing as read, and changes nothing.
    """
    return http.json_response(await service.list_notes(db, REFERRAL, referral_id, cursor=cursor, limit=limit))


@router.put(
    "/referrals/{referral_id}/notes/read",
    tags=["referrals"],
    status_code=204,
    response_class=Response,
    responses=MARKED | answers(*http.ALWAYS, MalformedBody, UnsupportedMediaType, NotFound),
)
async def mark_notes_of_referral_read(
    referral_id: ReferralId, body: wire.MarkRead, caller: CanActOnReferrals, db: CaseConnection
) -> Response:
    """Say that your agency has read the notes up to this one. The other side sees it; an earlier note than before changes nothing."""
    await service.mark_read(db, REFERRAL, referral_id, body.through)
    return Response(status_code=204)


@router.get(
    "/transfers/{transfer_id}/notes",
    tags=["transfers"],
    response_model=wire.Notes,
    responses=answers(*http.ALWAYS, NotFound, InvalidCursor),
)
async def list_notes_of_transfer(
    transfer_id: TransferId,
    caller: CanReadTransfers,
    db: CaseConnection,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """Read what both sides of a transfer have written, oldest first: each text while what it rests on is open to you. The reading is logged.

    It marks nothing as read, and changes nothing.
    """
    return http.json_response(await service.list_notes(db, TRANSFER, transfer_id, cursor=cursor, limit=limit))


@router.put(
    "/transfers/{transfer_id}/notes/read",
    tags=["transfers"],
    status_code=204,
    response_class=Response,
    responses=MARKED | answers(*http.ALWAYS, MalformedBody, UnsupportedMediaType, NotFound),
)
async def mark_notes_of_transfer_read(
    transfer_id: TransferId, body: wire.MarkRead, caller: CanActOnTransfers, db: CaseConnection
) -> Response:
    """Say that your agency has read the notes up to this one. The other side sees it; an earlier note than before changes nothing."""
    await service.mark_read(db, TRANSFER, transfer_id, body.through)
    return Response(status_code=204)

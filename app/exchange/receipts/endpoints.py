"""/v1/receipts, and /v1/log: what anybody may know of the sealed log."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.dependencies import CallerConnection, CaseConnection, MayNotActFor
from app.exchange.passing import http
from app.exchange.receipts import service
from app.exchange.receipts.problems import NoCheckpoint, NotThatSize
from app.foundation import json
from app.foundation.http import StrictRoute, refuse_bad_request
from app.foundation.problems import InvalidRequest, NotFound, ServiceUnavailable, answers
from app.foundation.published import cacheable
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import receipt as wire

router = APIRouter(prefix="/v1", tags=["receipts"], route_class=StrictRoute)
AnyClient = Annotated[Caller, requires()]
_NOTE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A signed note.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    304: {"description": "Unchanged."},
}
Size = Annotated[int, Query(ge=1, le=2**53 - 1)]


@router.get(
    "/referrals/{referral_id}/receipts", response_model=wire.ReceiptList, responses=answers(*http.ALWAYS, NotFound)
)
async def list_referral_receipts(
    referral_id: Annotated[UUID, Path(description="The referral's id.")],
    caller: Annotated[Caller, requires(Scope.referrals_read)],
    db: CaseConnection,
) -> Response:
    """List the acts on a referral, by either party, for which each of them may hold a receipt."""
    return http.json_response(await service.list_receipts(db, "referral", referral_id))


@router.get(
    "/transfers/{transfer_id}/receipts", response_model=wire.ReceiptList, responses=answers(*http.ALWAYS, NotFound)
)
async def list_transfer_receipts(
    transfer_id: Annotated[UUID, Path(description="The transfer's id.")],
    caller: Annotated[Caller, requires(Scope.transfers_read)],
    db: CaseConnection,
) -> Response:
    """List the acts on a transfer, by either party, for which each of them may hold a receipt."""
    return http.json_response(await service.list_receipts(db, "transfer", transfer_id))


@router.get(
    "/receipts/{receipt_id}",
    response_model=wire.Receipt,
    responses=answers(InvalidRequest, NotFound, MayNotActFor, ServiceUnavailable),
)
async def read_receipt(
    receipt_id: Annotated[UUID, Path(description="`log_entry` of the answer to the act.")],
    caller: AnyClient,
    db: CallerConnection,
) -> Response:
    """Get the signed receipt of an act: for whose act it was, and for the parties of the referral or transfer it was about. Needs no scope.

    Ask at once and keep it: from then on nobody can alter the act, nor say that it was not. Seconds later it also has the act's position in the
    log and the proof of it.
    """
    return http.json_response(await service.read_receipt(db, receipt_id))


@router.get("/log/checkpoint", response_class=Response, responses=_NOTE | answers(NoCheckpoint, ServiceUnavailable))
async def read_log_checkpoint(request: Request) -> Response:
    """Get the newest signed checkpoint of the log (C2SP tlog-checkpoint). Public: it says how many entries there are, and their root hash.

    The more people keep copies, the less anybody can rewrite the log, whoever holds the exchange's keys. Keep it, and compare the next with it.
    """
    refuse_bad_request(request)
    note, _ = await service.newest_checkpoint(request.app.state.database.app)
    return cacheable(request, note.encode(), media_type="text/plain; charset=utf-8", max_age=timedelta(seconds=5))


@router.get(
    "/log/proof/consistency",
    response_model=wire.ConsistencyProof,
    responses={304: {"description": "Unchanged."}, **answers(InvalidRequest, NotThatSize, ServiceUnavailable)},
)
async def prove_log_consistency(
    request: Request,
    earlier: Annotated[Size, Query(alias="from", description="Size of the checkpoint you have.")],
    later: Annotated[Size, Query(alias="to", description="Size of a later one.")],
) -> Response:
    """Prove that the log at one size begins with the log at an earlier one: nothing was altered or removed in between. Public."""
    refuse_bad_request(request)
    found = await service.consistency(request.app.state.database.app, earlier, later)
    return cacheable(request, json.dumps(found), max_age=timedelta(days=1))


@router.get(
    "/log/keys",
    response_model=wire.LogKeys,
    responses={304: {"description": "Unchanged."}, **answers(ServiceUnavailable)},
)
async def list_log_keys(request: Request) -> Response:
    """List the public keys by which checkpoints and receipts are checked: every one the log ever had. Public."""
    refuse_bad_request(request)
    return cacheable(request, json.dumps(await service.public_keys(request.app.state.database.app)))

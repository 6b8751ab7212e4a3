"""/v1/transfers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from app.dependencies import CaseConnection, IdempotencyKey, IfMatch, VersionRequired
from app.exchange.attachments.serving import download
from app.exchange.passing import downloading, http, moves, problems
from app.exchange.passing import service as passing
from app.exchange.passing.disclosed import disclosure
from app.exchange.passing.reading import page, read, read_file
from app.exchange.reviews import service as reviews
from app.exchange.transfers import service
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import disclosure as disclosures
from schemas.exchange import referral as wire
from schemas.exchange.common import Moved
from schemas.exchange.review import Rebase

router = APIRouter(prefix="/v1/transfers", tags=["transfers"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.transfers_read)]
CanAct = Annotated[Caller, requires(Scope.transfers_write)]
TransferId = Annotated[UUID, Path(description="The transfer's id.")]


@router.post(
    "",
    status_code=201,
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.AgreementRequired,
        problems.DisclosureRefused,
        problems.NotLead,
        problems.UnknownReceiver,
        problems.ReceiverUnavailable,
        problems.TransferAlreadyOpen,
        problems.CaseClosed,
        problems.NothingToReplace,
        problems.RecordVersionUnavailable,
        problems.SealedSectionsUnanswered,
        problems.SealedToOthers,
        problems.SealedToWrongKeys,
        problems.FilesUnusable,
    ),
)
async def offer_transfer(
    response: Response, body: wire.NewTransfer, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Offer to hand over responsibility for a case. Only its lead may; a case has at most one open transfer.

    The answer's transfer has a manifest of what comes with the case; the receiver repeats its digest when it accepts.
    """
    return http.created(response, "/v1/transfers", await service.offer(db, body, key))


@router.get("", response_model=wire.TransferPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_transfers(
    caller: CanRead,
    db: CaseConnection,
    role: http.Role = "receiver",
    state: http.States = None,
    urgency: http.Urgencies = None,
    case: http.CaseFilter = None,
    updated_since: http.UpdatedSince = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List transfers offered to the caller's agency, or by it. Envelopes only: nothing about the person."""
    found = await page(
        db,
        TRANSFER,
        role=role,
        states=state,
        urgency=urgency,
        case_id=case,
        updated_since=updated_since,
        cursor=cursor,
        limit=limit,
    )
    return http.json_response(found)


@router.get("/{transfer_id}", response_model=wire.Transfer, responses=answers(*http.ALWAYS, NotFound))
async def read_transfer(transfer_id: TransferId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a transfer with its manifest: the preview before it is accepted, the whole record afterwards. Reading is logged."""
    found = await read(db, TRANSFER, transfer_id)
    return http.json_response(found, version=found["version"])


@router.get(
    "/{transfer_id}/disclosure",
    response_model=disclosures.DisclosureView,
    responses=answers(*http.ALWAYS, NotFound),
)
async def read_disclosure_of_transfer(transfer_id: TransferId, caller: CanRead, db: CaseConnection) -> Response:
    """Read what the transfer discloses to its receiver: each section, on what basis, until when, and by which rule the others are withheld.

    What is withheld stands here alike whether or not the record holds anything there. Nothing of the record is opened; the reading is logged.
    """
    return http.json_response(await disclosure(db, TRANSFER, transfer_id))


@router.get("/{transfer_id}/attachments/{attachment_id}", response_class=Response, responses=downloading.FILE)
async def read_file_of_transfer(
    request: Request,
    transfer_id: TransferId,
    attachment_id: downloading.AttachmentId,
    caller: CanRead,
    db: CaseConnection,
    range: downloading.Range = None,
    if_range: downloading.IfRange = None,
) -> Response:
    """Download a file that goes with the transfer, in whole or a range of it.

    You may if you may now read its section and the papers that name it.

    Each download is a disclosure, and is logged; `HEAD` gives nothing out. The record's `files` say which there are.
    """
    row = await read_file(db, TRANSFER, transfer_id, attachment_id, content=request.method != "HEAD")
    return await download(request, db, row, keyring=db.keyring, stores=request.app.state.stores)


router.add_api_route(
    "/{transfer_id}/attachments/{attachment_id}",
    read_file_of_transfer,
    methods=["HEAD"],
    include_in_schema=False,
    response_class=Response,
)


@router.post(
    "/{transfer_id}/acknowledge",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.MoveNotAllowed, problems.OutOfOrder),
)
async def acknowledge_transfer(
    transfer_id: TransferId, body: wire.Acknowledge, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Say that the offer is being looked at. Needs no version."""
    return await service.acknowledge(db, transfer_id, body, key)


@router.post(
    "/{transfer_id}/accept",
    responses=answers(*http.ALWAYS, *http.MOVED, problems.AnotherManifest, problems.ServicePointUnknown),
)
async def accept_transfer(
    transfer_id: TransferId,
    body: wire.AcceptTransfer,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Agree to take over the case. The whole record opens; the lead does not move until the handover is confirmed."""
    return await service.accept(db, transfer_id, body, seen, key)


@router.post("/{transfer_id}/decline", responses=answers(*http.ALWAYS, *http.MOVED, problems.UnknownReceiver))
async def decline_transfer(
    transfer_id: TransferId, body: wire.Decline, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Refuse the case, with a coded reason. The lead stays where it is."""
    return await service.decline(db, transfer_id, body, seen, key)


@router.post("/{transfer_id}/confirm-handover", responses=answers(*http.ALWAYS, *http.MOVED, problems.NotLead))
async def confirm_handover(
    transfer_id: TransferId,
    body: wire.ConfirmHandover,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Take over the case. Its lead agency changes in the same transaction, and with it the sender of its open referrals."""
    return await service.confirm_handover(db, transfer_id, body, seen, key)


@router.post("/{transfer_id}/recall", responses=answers(*http.ALWAYS, *http.MOVED))
async def recall_transfer(
    transfer_id: TransferId, body: wire.Recall, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Take the offer back before it is accepted."""
    return await moves.because(db, TRANSFER, "recall", transfer_id, body, seen, key)


@router.post("/{transfer_id}/request-info", responses=answers(*http.ALWAYS, *http.MOVED))
async def request_info_of_transfer(
    transfer_id: TransferId,
    body: wire.RequestInfo,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Ask before answering. Pauses the deadline to answer, up to 24 hours in all; never that of an immediate one."""
    return await moves.request_info(db, TRANSFER, transfer_id, body, seen, key)


@router.post(
    "/{transfer_id}/provide-info",
    responses=answers(
        *http.ALWAYS,
        *http.MOVED,
        problems.AgreementRequired,
        problems.DisclosureRefused,
        problems.SealedSectionsUnanswered,
        problems.SealedToWrongKeys,
        problems.FilesUnusable,
    ),
)
async def provide_info_of_transfer(
    transfer_id: TransferId,
    body: wire.ProvideInfo,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Answer the receiver's question: by a text that names its section and basis, or by a new version of the record."""
    return await moves.provide_info(db, TRANSFER, transfer_id, body, seen, key)


@router.post("/{transfer_id}/abort", responses=answers(*http.ALWAYS, *http.MOVED))
async def abort_transfer(
    transfer_id: TransferId, body: wire.Abort, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """End an accepted transfer before its handover. The lead stays; the receiver answers for erasing what it read."""
    return await moves.because(db, TRANSFER, "abort", transfer_id, body, seen, key)


@router.post("/{transfer_id}/handover-paper", responses=answers(*http.ALWAYS, *http.MOVED))
async def supply_handover_paper(
    transfer_id: TransferId,
    body: wire.SupplyPaper,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Supply the handover paper (BAST) that was pending."""
    return await service.handover_paper(db, transfer_id, body, seen, key)


@router.post("/{transfer_id}/enter-in-error", responses=answers(*http.ALWAYS, *http.MOVED))
async def enter_transfer_in_error(
    transfer_id: TransferId,
    body: wire.EnterInError,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Take out what should never have been sent, before it is accepted. Everything locks at once."""
    return await moves.because(db, TRANSFER, "enter_in_error", transfer_id, body, seen, key)


@router.post("/{transfer_id}/report-error", responses=answers(*http.ALWAYS, *http.MOVED))
async def report_error_of_transfer(
    transfer_id: TransferId,
    body: wire.ReportError,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Say of what was accepted that it should never have been sent. The receiver confirms."""
    return await moves.because(db, TRANSFER, "report_error", transfer_id, body, seen, key)


@router.post("/{transfer_id}/confirm-error", responses=answers(*http.ALWAYS, *http.MOVED))
async def confirm_error_of_transfer(
    transfer_id: TransferId,
    body: wire.ConfirmError,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Confirm that it was sent in error, after the sender has reported it. Everything locks at once."""
    return await moves.confirm_error(db, TRANSFER, transfer_id, body, seen, key)


@router.post(
    "/{transfer_id}/notes",
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.MoveNotAllowed,
        problems.AgreementRequired,
        problems.DisclosureRefused,
    ),
)
async def write_note_on_transfer(
    transfer_id: TransferId, body: wire.Note, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Write to the other party. What a sender writes belongs to a section, and is read like it; needs no version."""
    return await moves.note(db, TRANSFER, transfer_id, body, key)


@router.post(
    "/{transfer_id}/reseal-request",
    status_code=201,
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToReseal, problems.ResealRequested),
)
async def request_reseal_of_transfer(
    transfer_id: TransferId, body: wire.RequestReseal, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Ask the sender to seal sections again: what they were sealed to is lost, has ended, or does not open them.

    A request with a deadline (`GET /v1/requests/{id}`); a new version of the record that has the sections answers it.
    """
    return await moves.request_reseal(db, TRANSFER, transfer_id, body, key)


@router.post(
    "/{transfer_id}/moves/{move_id}/dispute",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToDispute),
)
async def dispute_move_of_transfer(
    transfer_id: TransferId,
    move_id: http.MoveId,
    body: wire.Dispute,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Dispute what another agency recorded for yours. The move stands, marked as disputed; both parties and the recorder are told."""
    return await passing.dispute(db, TRANSFER, subject_id=transfer_id, move_id=move_id, key=key, body=body)


@router.post(
    "/{transfer_id}/rebase",
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        VersionRequired,
        problems.AgreementRequired,
        problems.DisclosureRefused,
        problems.NothingToRebase,
        problems.StaleVersion,
    ),
)
async def rebase_transfer(
    transfer_id: TransferId, body: Rebase, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Put sections you sent on another basis, a consent or a law: what rests on a vital interest before its time is out, what ended, what locked.

    What the receiver had open it reads on, or again. The state does not change.
    """
    return await reviews.rebase(db, TRANSFER, transfer_id, body, seen, key)


@router.post(
    "/{transfer_id}/moves/{move_id}/confirm",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToConfirm, problems.AnotherClientNeeded),
)
async def confirm_move_of_transfer(
    transfer_id: TransferId,
    move_id: http.MoveId,
    body: wire.Confirmation,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Confirm that a move disputed because of a breach was your own. Through another system than the one in doubt."""
    return await passing.confirm_move(db, TRANSFER, subject_id=transfer_id, move_id=move_id, key=key, body=body)


@router.post(
    "/{transfer_id}/amend",
    responses=answers(
        *http.ALWAYS,
        *http.MOVED,
        problems.AgreementRequired,
        problems.DisclosureRefused,
        problems.SealedSectionsUnanswered,
        problems.SealedToWrongKeys,
        problems.FilesUnusable,
    ),
)
async def amend_transfer(
    transfer_id: TransferId, body: wire.Amend, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Send a new version of the record, with its bases. The earlier version closes to the receiver."""
    return await passing.new_version(db, TRANSFER, "amend", subject_id=transfer_id, seen=seen, key=key, body=body)

"""/v1/referrals."""

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
from app.exchange.referrals import service
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.referrals.representations import IN_FHIR, Wanted, represent
from app.exchange.reviews import service as reviews
from app.foundation.http import StrictRoute
from app.foundation.negotiation import NotAcceptable
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.exchange import disclosure as disclosures
from schemas.exchange import referral as wire
from schemas.exchange.common import Moved
from schemas.exchange.review import Rebase

router = APIRouter(prefix="/v1/referrals", tags=["referrals"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.referrals_read)]
CanAct = Annotated[Caller, requires(Scope.referrals_write)]
ReferralId = Annotated[UUID, Path(description="The referral's id.")]


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
        problems.OpenTwin,
        problems.CaseClosed,
        problems.NothingToReplace,
        problems.RecordVersionUnavailable,
        problems.SealedToOthers,
        problems.SealedToWrongKeys,
        problems.FilesUnusable,
        problems.OfferGroupUnusable,
        problems.Taken,
    ),
)
async def send_referral(
    response: Response, body: wire.NewReferral, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Refer a person to another agency.

    Creating a referral sends it. It may open its case and record a consent in the same request, so that a call at night is one
    request. Every included section must rest on exactly one basis; a section that may not go is refused, never cut out.
    """
    return http.created(response, "/v1/referrals", await service.send(db, body, key))


@router.get("", response_model=wire.ReferralPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_referrals(
    caller: CanRead,
    db: CaseConnection,
    role: http.RoleOrLead = "receiver",
    state: http.States = None,
    urgency: http.Urgencies = None,
    case: http.CaseFilter = None,
    updated_since: http.UpdatedSince = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List referrals that came to the caller's agency or went from it, or all of a case it leads. Envelopes only: nothing about the person."""
    found = await page(
        db,
        REFERRAL,
        role=role,
        states=state,
        urgency=urgency,
        case_id=case,
        updated_since=updated_since,
        cursor=cursor,
        limit=limit,
    )
    return http.json_response(found)


@router.get(
    "/{referral_id}",
    response_model=wire.Referral,
    responses=IN_FHIR | answers(*http.ALWAYS, NotFound, NotAcceptable),
)
async def read_referral(referral_id: ReferralId, caller: CanRead, db: CaseConnection, wanted: Wanted) -> Response:
    """Read a referral: the preview before it is accepted, the whole record afterwards. Reading is logged and changes no state.

    `Accept: application/fhir+json` gets the same as a FHIR R4 Bundle, as far as FHIR has a place for it.
    """
    return await represent(db, await read(db, REFERRAL, referral_id), wanted)


@router.get(
    "/{referral_id}/disclosure",
    response_model=disclosures.DisclosureView,
    responses=answers(*http.ALWAYS, NotFound),
)
async def read_disclosure_of_referral(referral_id: ReferralId, caller: CanRead, db: CaseConnection) -> Response:
    """Read what the referral discloses to its receiver: each section, on what basis, until when, and by which rule the others are withheld.

    What is withheld stands here alike whether or not the record holds anything there. Nothing of the record is opened; the reading is logged.
    """
    return http.json_response(await disclosure(db, REFERRAL, referral_id))


@router.get("/{referral_id}/attachments/{attachment_id}", response_class=Response, responses=downloading.FILE)
async def read_file_of_referral(
    request: Request,
    referral_id: ReferralId,
    attachment_id: downloading.AttachmentId,
    caller: CanRead,
    db: CaseConnection,
    range: downloading.Range = None,
    if_range: downloading.IfRange = None,
) -> Response:
    """Download a file that goes with the referral, in whole or a range of it.

    You may if you may now read its section and the papers that name it.

    Each download is a disclosure, and is logged; `HEAD` gives nothing out. The record's `files` say which there are.
    """
    row = await read_file(db, REFERRAL, referral_id, attachment_id, content=request.method != "HEAD")
    return await download(request, db, row, keyring=db.keyring, stores=request.app.state.stores)


router.add_api_route(
    "/{referral_id}/attachments/{attachment_id}",
    read_file_of_referral,
    methods=["HEAD"],
    include_in_schema=False,
    response_class=Response,
)


@router.post(
    "/{referral_id}/acknowledge",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.MoveNotAllowed, problems.OutOfOrder),
)
async def acknowledge_referral(
    referral_id: ReferralId, body: wire.Acknowledge, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Say that the referral is being looked at. Needs no version."""
    return await service.acknowledge(db, referral_id, body, key)


@router.post(
    "/{referral_id}/accept", responses=answers(*http.ALWAYS, *http.MOVED, problems.Taken, problems.ServicePointUnknown)
)
async def accept_referral(
    referral_id: ReferralId, body: wire.Accept, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Take the person, saying where to and when. The whole record opens with this, and not before."""
    return await service.accept(db, referral_id, body, seen, key)


@router.post("/{referral_id}/decline", responses=answers(*http.ALWAYS, *http.MOVED, problems.UnknownReceiver))
async def decline_referral(
    referral_id: ReferralId, body: wire.Decline, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Refuse, with a coded reason, and suggest who else might help. What was seen of the record closes."""
    return await service.decline(db, referral_id, body, seen, key)


@router.post("/{referral_id}/start", responses=answers(*http.ALWAYS, *http.MOVED))
async def start_referral(
    referral_id: ReferralId, body: wire.Start, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Say that the person has arrived, or that a first service was given."""
    return await service.start(db, referral_id, body, seen, key)


@router.post(
    "/{referral_id}/services",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.MoveNotAllowed, problems.OutOfOrder),
)
async def record_service(
    referral_id: ReferralId, body: wire.RecordService, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Record a service that was planned, given or missed. Needs no version; the sender learns of it as the policy allows."""
    return await service.record_service(db, referral_id, body, key)


@router.post("/{referral_id}/complete", responses=answers(*http.ALWAYS, *http.MOVED, problems.OutcomesIncomplete))
async def complete_referral(
    referral_id: ReferralId, body: wire.Complete, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """End the referral: the services are given. One coded outcome for each need of the record."""
    return await service.complete(db, referral_id, body, seen, key)


@router.post("/{referral_id}/fail", responses=answers(*http.ALWAYS, *http.MOVED))
async def fail_referral(
    referral_id: ReferralId, body: wire.Fail, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """End the referral without its services. The person's own decision to leave is one of the reasons."""
    return await service.fail(db, referral_id, body, seen, key)


@router.post("/{referral_id}/recall", responses=answers(*http.ALWAYS, *http.MOVED))
async def recall_referral(
    referral_id: ReferralId, body: wire.Recall, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Take a referral back before it is accepted."""
    return await moves.because(db, REFERRAL, "recall", referral_id, body, seen, key)


@router.post("/{referral_id}/request-info", responses=answers(*http.ALWAYS, *http.MOVED))
async def request_info_of_referral(
    referral_id: ReferralId,
    body: wire.RequestInfo,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Ask before answering. Pauses the deadline to answer, up to 24 hours in all; never that of an immediate one."""
    return await moves.request_info(db, REFERRAL, referral_id, body, seen, key)


@router.post(
    "/{referral_id}/provide-info",
    responses=answers(
        *http.ALWAYS,
        *http.MOVED,
        problems.AgreementRequired,
        problems.DisclosureRefused,
        problems.OpenTwin,
        problems.SealedToWrongKeys,
        problems.FilesUnusable,
    ),
)
async def provide_info_of_referral(
    referral_id: ReferralId,
    body: wire.ProvideInfo,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Answer the receiver's question: by a text that names its section and basis, or by a new version of the record."""
    return await moves.provide_info(db, REFERRAL, referral_id, body, seen, key)


@router.post("/{referral_id}/hold", responses=answers(*http.ALWAYS, *http.MOVED))
async def hold_referral(
    referral_id: ReferralId, body: wire.Hold, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Pause the services, and say when that is looked at again."""
    return await service.hold(db, referral_id, body, seen, key)


@router.post("/{referral_id}/resume", responses=answers(*http.ALWAYS, *http.MOVED))
async def resume_referral(
    referral_id: ReferralId, body: wire.Resume, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Go on with the services."""
    return await service.resume(db, referral_id, body, seen, key)


@router.post("/{referral_id}/request-cancel", responses=answers(*http.ALWAYS, *http.MOVED))
async def request_cancel_of_referral(
    referral_id: ReferralId,
    body: wire.RequestCancel,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Ask the receiver to end what it has accepted. It decides; where nothing was started, silence ends it after three days."""
    return await moves.because(db, REFERRAL, "request_cancel", referral_id, body, seen, key)


@router.post("/{referral_id}/confirm-cancel", responses=answers(*http.ALWAYS, *http.MOVED))
async def confirm_cancel_of_referral(
    referral_id: ReferralId,
    body: wire.ConfirmCancel,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """End the referral, as the sender asked."""
    return await service.confirm_cancel(db, referral_id, body, seen, key)


@router.post("/{referral_id}/refuse-cancel", responses=answers(*http.ALWAYS, *http.MOVED))
async def refuse_cancel_of_referral(
    referral_id: ReferralId,
    body: wire.RefuseCancel,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Go on, although the sender asked to end it. The state is what it was before."""
    return await moves.because(db, REFERRAL, "refuse_cancel", referral_id, body, seen, key)


@router.post("/{referral_id}/enter-in-error", responses=answers(*http.ALWAYS, *http.MOVED))
async def enter_referral_in_error(
    referral_id: ReferralId,
    body: wire.EnterInError,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Take out what should never have been sent, before it is accepted. Everything locks at once."""
    return await moves.because(db, REFERRAL, "enter_in_error", referral_id, body, seen, key)


@router.post("/{referral_id}/report-error", responses=answers(*http.ALWAYS, *http.MOVED))
async def report_error_of_referral(
    referral_id: ReferralId,
    body: wire.ReportError,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Say of what was accepted that it should never have been sent. The receiver confirms."""
    return await moves.because(db, REFERRAL, "report_error", referral_id, body, seen, key)


@router.post("/{referral_id}/confirm-error", responses=answers(*http.ALWAYS, *http.MOVED))
async def confirm_error_of_referral(
    referral_id: ReferralId,
    body: wire.ConfirmError,
    caller: CanAct,
    db: CaseConnection,
    seen: IfMatch,
    key: IdempotencyKey,
) -> Moved:
    """Confirm that it was sent in error, after the sender has reported it. Everything locks at once."""
    return await moves.confirm_error(db, REFERRAL, referral_id, body, seen, key)


@router.post(
    "/{referral_id}/notes",
    responses=answers(
        *http.ALWAYS,
        *http.POSTED,
        NotFound,
        problems.MoveNotAllowed,
        problems.AgreementRequired,
        problems.DisclosureRefused,
    ),
)
async def write_note_on_referral(
    referral_id: ReferralId, body: wire.Note, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Write to the other party. What a sender writes belongs to a section, and is read like it; needs no version."""
    return await moves.note(db, REFERRAL, referral_id, body, key)


@router.post(
    "/{referral_id}/reseal-request",
    status_code=201,
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToReseal, problems.ResealRequested),
)
async def request_reseal_of_referral(
    referral_id: ReferralId, body: wire.RequestReseal, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Ask the sender to seal sections again: what they were sealed to is lost, has ended, or does not open them.

    A request with a deadline (`GET /v1/requests/{id}`); a new version of the record that has the sections answers it.
    """
    return await moves.request_reseal(db, REFERRAL, referral_id, body, key)


@router.post(
    "/{referral_id}/moves/{move_id}/dispute",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToDispute),
)
async def dispute_move_of_referral(
    referral_id: ReferralId,
    move_id: http.MoveId,
    body: wire.Dispute,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Dispute what another agency recorded for yours. The move stands, marked as disputed; both parties and the recorder are told."""
    return await passing.dispute(db, REFERRAL, subject_id=referral_id, move_id=move_id, key=key, body=body)


@router.post(
    "/{referral_id}/rebase",
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
async def rebase_referral(
    referral_id: ReferralId, body: Rebase, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Put sections you sent on another basis, a consent or a law: what rests on a vital interest before its time is out, what ended, what locked.

    What the receiver had open it reads on, or again. The state does not change.
    """
    return await reviews.rebase(db, REFERRAL, referral_id, body, seen, key)


@router.post(
    "/{referral_id}/moves/{move_id}/confirm",
    responses=answers(*http.ALWAYS, *http.POSTED, NotFound, problems.NothingToConfirm, problems.AnotherClientNeeded),
)
async def confirm_move_of_referral(
    referral_id: ReferralId,
    move_id: http.MoveId,
    body: wire.Confirmation,
    caller: CanAct,
    db: CaseConnection,
    key: IdempotencyKey,
) -> Moved:
    """Confirm that a move disputed because of a breach was your own. Through another system than the one in doubt."""
    return await passing.confirm_move(db, REFERRAL, subject_id=referral_id, move_id=move_id, key=key, body=body)


@router.post(
    "/{referral_id}/amend",
    responses=answers(
        *http.ALWAYS,
        *http.MOVED,
        problems.AgreementRequired,
        problems.DisclosureRefused,
        problems.OpenTwin,
        problems.SealedToWrongKeys,
        problems.FilesUnusable,
    ),
)
async def amend_referral(
    referral_id: ReferralId, body: wire.Amend, caller: CanAct, db: CaseConnection, seen: IfMatch, key: IdempotencyKey
) -> Moved:
    """Send a new version of the record, with its bases. The earlier version closes to the receiver."""
    return await passing.new_version(db, REFERRAL, "amend", subject_id=referral_id, seen=seen, key=key, body=body)

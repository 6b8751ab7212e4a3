"""/v1/reviews, and another basis for what was sent."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.dependencies import CaseConnection, IdempotencyKey
from app.exchange.passing import http
from app.exchange.passing.problems import OfficerOnly
from app.exchange.reviews import service
from app.exchange.reviews.problems import AnotherReviewerRequired, ReviewDecided
from app.foundation.http import StrictRoute
from app.foundation.paging import InvalidCursor
from app.foundation.problems import NotFound, answers
from auth.caller import Caller
from auth.guard import requires
from auth.scopes import Scope
from schemas.base import Moment
from schemas.exchange import review as wire
from schemas.exchange.basis import ReviewState
from schemas.exchange.common import Moved

router = APIRouter(prefix="/v1/reviews", tags=["reviews"], route_class=StrictRoute)
CanRead = Annotated[Caller, requires(Scope.protection_read)]
CanAct = Annotated[Caller, requires(Scope.protection_write)]
ReviewId = Annotated[UUID, Path(description="The review's id.")]
DECIDED = (*http.ALWAYS, *http.POSTED, NotFound, OfficerOnly, ReviewDecided, AnotherReviewerRequired)


@router.get("", response_model=wire.ReviewPage, responses=answers(*http.ALWAYS, InvalidCursor))
async def list_reviews(
    caller: CanRead,
    db: CaseConnection,
    state: Annotated[
        ReviewState | None,
        Query(description="Only this state. `waiting` is the queue; `closed` ran out of time and can still be judged."),
    ] = None,
    due_before: Annotated[Moment | None, Query(description="Only what is due before then.")] = None,
    cursor: http.Cursor = None,
    limit: http.PageLimit = 50,
) -> Response:
    """List reviews, the one due first first: for the reviewing agency all of them, for others those of what they sent or got."""
    found = await service.list_reviews(db, state=state, due_before=due_before, cursor=cursor, limit=limit)
    return http.json_response(found)


@router.get("/{review_id}", response_model=wire.Review, responses=answers(*http.ALWAYS, NotFound))
async def read_review(review_id: ReviewId, caller: CanRead, db: CaseConnection) -> Response:
    """Read a review, as the reviewing agency, who disclosed, who holds it, or the case's lead. Reading is logged."""
    return http.json_response(await service.read_review(db, review_id))


@router.post("/{review_id}/justify", responses=answers(*DECIDED))
async def justify_disclosure(
    review_id: ReviewId, body: wire.Justify, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Find, as the reviewing agency, that there was a ground. A vital interest still ends in time, unless you let it last until a day.

    Nobody reviews what they disclosed themselves: another person of your agency must.
    """
    return await service.justify(db, review_id, body, key)


@router.post("/{review_id}/find-unjustified", responses=answers(*DECIDED))
async def find_disclosure_unjustified(
    review_id: ReviewId, body: wire.FindUnjustified, caller: CanAct, db: CaseConnection, key: IdempotencyKey
) -> Moved:
    """Find, as the reviewing agency, that there was no ground. The sections lock at once; whoever had them open is asked to erase them.

    The state of the referral does not change: the person stays where they are, and for a day `safety` and current medicines stay readable to
    whoever has them in their care. Sender, receiver and lead are told.
    """
    return await service.find_unjustified(db, review_id, body, key)

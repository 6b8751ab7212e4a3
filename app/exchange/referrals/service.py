"""Referrals: what happens."""

from __future__ import annotations

from uuid import UUID

from app.dependencies import Acting, Key
from app.exchange.lifecycle import Party
from app.exchange.passing import problems, queries
from app.exchange.passing import service as passing
from app.exchange.passing.accepting import acceptance, place
from app.exchange.passing.reading import needs_in_record
from app.exchange.referrals.lifecycle import REFERRAL
from app.foundation.problems import InvalidRequest, Problem
from schemas.codes.referral import NotCompletedReason
from schemas.exchange import referral as wire
from schemas.exchange.common import Moved


async def send(db: Acting, body: wire.NewReferral, key: Key) -> Moved:
    """Send a referral."""
    return await passing.send(db, REFERRAL, body, key)


async def acknowledge(db: Acting, referral_id: UUID, body: wire.Acknowledge, key: Key) -> Moved:
    """Say that it is being looked at."""
    return await passing.move(db, REFERRAL, "acknowledge", subject_id=referral_id, seen=None, key=key, body=body)


async def accept(db: Acting, referral_id: UUID, body: wire.Accept, seen: int, key: Key) -> Moved:
    """Take the person: the record opens."""
    point = place(db, body)
    if isinstance(point, Problem):
        return await passing.unless_repeated(db, REFERRAL, key, point, by=Party.RECEIVER)
    return await passing.move(
        db,
        REFERRAL,
        "accept",
        subject_id=referral_id,
        seen=seen,
        key=key,
        body=body,
        detail=acceptance(body),
        service_point_id=point,
    )


async def decline(db: Acting, referral_id: UUID, body: wire.Decline, seen: int, key: Key) -> Moved:
    """Refuse, with a coded reason."""
    said = passing.declined(db, body)
    if isinstance(said, Problem):
        return await passing.unless_repeated(db, REFERRAL, key, said, by=Party.RECEIVER)
    return await passing.move(
        db,
        REFERRAL,
        "decline",
        subject_id=referral_id,
        seen=seen,
        key=key,
        body=body,
        detail=said,
        log={"reason": body.reason},
    )


async def start(db: Acting, referral_id: UUID, body: wire.Start, seen: int, key: Key) -> Moved:
    """Say that the person has arrived or got a first service."""
    return await passing.move(
        db, REFERRAL, "start", subject_id=referral_id, seen=seen, key=key, body=body, detail={"by": body.by}
    )


async def record_service(db: Acting, referral_id: UUID, body: wire.RecordService, key: Key) -> Moved:
    """Append a service; needs no version."""
    said = body.model_dump(
        mode="json", include={"service", "need", "on", "status", "next_appointment"}, exclude_none=True
    )
    return await passing.move(
        db, REFERRAL, "record_service", subject_id=referral_id, seen=None, key=key, body=body, detail=said
    )


async def complete(db: Acting, referral_id: UUID, body: wire.Complete, seen: int, key: Key) -> Moved:
    """End it with an outcome for each need of the record."""
    async with db.transaction() as tx:
        row = await queries.find(tx, "referral", referral_id)
        needed = (
            await needs_in_record(tx, db, row["version_id"])
            if row is not None and row["receiver_id"] == db.agency_id
            else set()
        )
    told = {str(each.need) for each in body.outcomes}
    if needed and needed != told:
        return await passing.unless_repeated(
            db,
            REFERRAL,
            key,
            problems.OutcomesIncomplete(missing=sorted(needed - told), unexpected=sorted(told - needed)),
            by=Party.RECEIVER,
        )
    outcomes = [{"need": each.need, "outcome": each.outcome} for each in body.outcomes]
    return await passing.move(
        db, REFERRAL, "complete", subject_id=referral_id, seen=seen, key=key, body=body, detail={"outcomes": outcomes}
    )


async def fail(db: Acting, referral_id: UUID, body: wire.Fail, seen: int, key: Key) -> Moved:
    """End it without its services."""
    return await passing.move(
        db,
        REFERRAL,
        "fail",
        subject_id=referral_id,
        seen=seen,
        key=key,
        body=body,
        detail={"reason": body.reason, "text": body.text},
        death=body.reason == NotCompletedReason.DECEASED,
    )


async def hold(db: Acting, referral_id: UUID, body: wire.Hold, seen: int, key: Key) -> Moved:
    """Pause the services until a review."""
    deadline = REFERRAL.deadline("on_hold")
    assert deadline is not None
    at_most = db.at + passing.within(db.settings, deadline, "", db.directory.times(db.at).get(db.agency_id))
    if not db.at < body.review_at <= at_most:
        refused = InvalidRequest([{"pointer": "/review_at", "code": "outside_the_limit"}])
        return await passing.unless_repeated(db, REFERRAL, key, refused, by=Party.RECEIVER)
    return await passing.move(
        db,
        REFERRAL,
        "hold",
        subject_id=referral_id,
        seen=seen,
        key=key,
        body=body,
        detail={"text": body.reason},
        review_at=body.review_at,
    )


async def resume(db: Acting, referral_id: UUID, body: wire.Resume, seen: int, key: Key) -> Moved:
    """Go on."""
    return await passing.move(db, REFERRAL, "resume", subject_id=referral_id, seen=seen, key=key, body=body)


async def confirm_cancel(db: Acting, referral_id: UUID, body: wire.ConfirmCancel, seen: int, key: Key) -> Moved:
    """End it, as the sender asked."""
    return await passing.move(db, REFERRAL, "confirm_cancel", subject_id=referral_id, seen=seen, key=key, body=body)

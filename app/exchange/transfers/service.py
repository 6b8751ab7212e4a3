"""Transfers: what happens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.dependencies import Acting, Key
from app.exchange.lifecycle import Party, first_reminder
from app.exchange.passing import service as passing
from app.exchange.passing.accepting import acceptance, place
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.problems import InvalidRequest, Problem
from schemas.codes.referral import HandoverPaper
from schemas.exchange import referral as wire
from schemas.exchange.common import Moved


async def offer(db: Acting, body: wire.NewTransfer, key: Key) -> Moved:
    """Offer the case."""
    return await passing.send(db, TRANSFER, body, key)


async def acknowledge(db: Acting, transfer_id: UUID, body: wire.Acknowledge, key: Key) -> Moved:
    """Say that it is being looked at."""
    return await passing.move(db, TRANSFER, "acknowledge", subject_id=transfer_id, seen=None, key=key, body=body)


async def accept(db: Acting, transfer_id: UUID, body: wire.AcceptTransfer, seen: int, key: Key) -> Moved:
    """Agree to take over; the lead does not move yet."""
    point = place(db, body)
    if isinstance(point, Problem):
        return await passing.unless_repeated(db, TRANSFER, key, point, by=Party.RECEIVER)
    return await passing.move(
        db,
        TRANSFER,
        "accept",
        subject_id=transfer_id,
        seen=seen,
        key=key,
        body=body,
        detail=acceptance(body),
        service_point_id=point,
        manifest_digest=body.manifest_digest,
    )


async def decline(db: Acting, transfer_id: UUID, body: wire.Decline, seen: int, key: Key) -> Moved:
    """Refuse, with a coded reason; the lead stays."""
    said = passing.declined(db, body)
    if isinstance(said, Problem):
        return await passing.unless_repeated(db, TRANSFER, key, said, by=Party.RECEIVER)
    return await passing.move(
        db,
        TRANSFER,
        "decline",
        subject_id=transfer_id,
        seen=seen,
        key=key,
        body=body,
        detail=said,
        log={"reason": body.reason},
    )


async def confirm_handover(db: Acting, transfer_id: UUID, body: wire.ConfirmHandover, seen: int, key: Key) -> Moved:
    """Take over the case: its lead changes in the same transaction."""
    facts: dict[str, Any] = {"paper": body.paper}
    if body.paper == HandoverPaper.PENDING:
        if body.due is not None and body.due <= db.at:
            refused = InvalidRequest([{"pointer": "/due", "code": "in_the_past"}])
            return await passing.unless_repeated(db, TRANSFER, key, refused, by=Party.RECEIVER)
        due = body.due or db.at + db.settings.paper_within
        facts |= {"paper_due_at": due, "final_due_at": db.at + first_reminder(due - db.at)}
    said = body.model_dump(mode="json", include={"number", "date"}, exclude_none=True)
    return await passing.move(
        db, TRANSFER, "confirm_handover", subject_id=transfer_id, seen=seen, key=key, body=body, detail=said, **facts
    )


async def handover_paper(db: Acting, transfer_id: UUID, body: wire.SupplyPaper, seen: int, key: Key) -> Moved:
    """Supply the paper that was pending."""
    return await passing.move(
        db,
        TRANSFER,
        "handover_paper",
        subject_id=transfer_id,
        seen=seen,
        key=key,
        body=body,
        detail={"number": body.number, "date": body.date.isoformat()},
        paper=HandoverPaper.ISSUED,
    )

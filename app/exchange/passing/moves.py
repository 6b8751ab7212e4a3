"""The moves that referrals and transfers share: questions, notes, errors."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.lifecycle import Lifecycle
from app.exchange.passing import queries, refusals
from app.exchange.passing import service as passing
from app.exchange.records.sealing import in_order
from app.foundation.ids import uuid7
from schemas.exchange import referral as wire
from schemas.exchange.common import Moved
from schemas.record.record import SECTIONS


async def request_info(
    db: Acting, lifecycle: Lifecycle, subject_id: UUID, body: wire.RequestInfo, seen: int, key: Key
) -> Moved:
    """Ask before answering; pauses the deadline."""
    said = {"text": body.question}
    return await passing.move(
        db, lifecycle, "request_info", subject_id=subject_id, seen=seen, key=key, body=body, detail=said
    )


async def provide_info(
    db: Acting, lifecycle: Lifecycle, subject_id: UUID, body: wire.ProvideInfo, seen: int, key: Key
) -> Moved:
    """Answer the question, by words or by a new version of the record."""
    by_record = passing.new_version if body.record is not None else passing.words
    return await by_record(db, lifecycle, "provide_info", subject_id=subject_id, seen=seen, key=key, body=body)


async def note(db: Acting, lifecycle: Lifecycle, subject_id: UUID, body: wire.Note, key: Key) -> Moved:
    """Write to the other party; needs no version."""
    facts = {"note_kind": body.kind, "in_reply_to": body.in_reply_to}
    return await passing.words(db, lifecycle, "note", subject_id=subject_id, seen=None, key=key, body=body, facts=facts)


async def because(
    db: Acting,
    lifecycle: Lifecycle,
    event: str,
    subject_id: UUID,
    body: wire.Recall | wire.RequestCancel | wire.RefuseCancel | wire.EnterInError | wire.Abort,
    seen: int,
    key: Key,
) -> Moved:
    """Make a move that needs a reason in words, and nothing else."""
    said = {"text": body.reason}
    return await passing.move(db, lifecycle, event, subject_id=subject_id, seen=seen, key=key, body=body, detail=said)


async def confirm_error(
    db: Acting, lifecycle: Lifecycle, subject_id: UUID, body: wire.ConfirmError, seen: int, key: Key
) -> Moved:
    """Agree that it was sent in error; everything locks."""
    return await passing.move(db, lifecycle, "confirm_error", subject_id=subject_id, seen=seen, key=key, body=body)


async def request_reseal(
    db: Acting, lifecycle: Lifecycle, subject_id: UUID, body: wire.RequestReseal, key: Key
) -> Moved:
    """Ask the sender to seal sections again; its answer has a deadline."""
    request_id = uuid7(db.at)
    try:
        row = await queries.request_reseal(
            db,
            key,
            lifecycle.name,
            subject_id,
            request_id,
            sections=in_order(body.sections, SECTIONS),
            cause=body.cause,
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle) or error) from error
    return passing.moved(row, [])

"""Reviews: listed, read, decided; and what a sender puts on another basis."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key, occurred
from app.exchange.lifecycle import Lifecycle, Party
from app.exchange.passing import problems, refusals
from app.exchange.passing.queries import earlier_answer
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import grown_up, moved, party_row, undisclosable, unless_repeated
from app.exchange.passing.storing import bases_for_storage
from app.exchange.records.sealing import in_order
from app.exchange.reviews import queries
from app.exchange.reviews.problems import AnotherReviewerRequired, ReviewDecided
from app.foundation import json
from app.foundation.ids import uuid7
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from schemas.codes.laws import known_articles
from schemas.codes.referral import Purpose
from schemas.exchange.common import Moved
from schemas.exchange.review import FindUnjustified, Justify, Rebase
from schemas.record.record import SECTIONS

Document = dict[str, Any]


def _envelope(db: Acting, row: asyncpg.Record) -> Document:
    law = row["legal_basis"]
    return {
        **{
            name: row[name]
            for name in (
                "id",
                "case_id",
                "basis",
                "subject",
                "subject_id",
                "legal_basis",
                "article",
                "opened_at",
                "due_at",
                "clock",
                "state",
                "decided_at",
            )
        },
        "sender": agency_ref(db, row["sender_id"]) if row["sender_id"] else None,
        "receiver": agency_ref(db, row["receiver_id"]),
        "sections": in_order(row["sections"], SECTIONS),
        "despite_restriction": in_order(row["despite_restriction"], SECTIONS),
        "article_known": known_articles(law, row["article"] or "") if law else None,
    }


async def list_reviews(
    db: Acting, *, state: str | None, due_before: datetime | None, cursor: str | None, limit: int
) -> Document:
    """Return a page of reviews without what is said in them, the one due first first."""
    filters = {"state": state, "due_before": due_before.isoformat() if due_before else None, "limit": str(limit)}
    scope = f"/v1/reviews {db.agency_id} {sorted(filters.items(), key=str)}"
    after = None
    if cursor is not None:
        due, row_id = decode_cursor(db.keyring, scope, cursor, length=2)
        after = (datetime.fromisoformat(due), UUID(row_id))
    async with db.transaction() as tx:
        rows = await queries.page(
            tx, reviews=db.reviews, state=state, due_before=due_before, after=after, limit=limit + 1
        )
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [rows[-1]["due_at"].isoformat(), str(rows[-1]["id"])])
    return {"items": [_envelope(db, row) for row in rows], "next": next_link("/v1/reviews", filters, more)}


async def read_review(db: Acting, review_id: UUID) -> Document:
    """Return a review, to its reviewers and to who disclosed with the written reason and ground; the reading is logged."""
    async with db.transaction() as tx:
        row = await queries.review_by_id(tx, review_id)
        if row is None:
            raise NotFound
        sealed = await queries.reason_of(tx, review_id)
        await tx.fetchval(
            "SELECT log_by($1, 'review:read', 'done', 'review', $2, $3, $4)",
            db.parameter(),
            review_id,
            row["case_id"],
            json.text({"basis": row["basis"], "reason": sealed is not None}),
        )
    whole = db.reviews or row["sender_id"] == db.agency_id
    place = (
        Place("disclosure.reason", row["disclosure_id"], row["case_id"])
        if row["disclosure_id"]
        else Place("emergency_access.detail", row["subject_id"])
    )
    said = orjson.loads(db.keyring.open_one(place, sealed)) if sealed is not None else {}
    given = Place("review.ground", row["id"])
    ground = orjson.loads(db.keyring.open_one(given, row["ground"])) if whole and row["ground"] else {}
    return _envelope(db, row) | {
        "reason": said.get("reason"),
        "court_order": {
            name: said.get(name) for name in ("authority", "number", "date", "scope", "addressed_to", "valid_until")
        }
        if "authority" in said
        else None,
        "disclosed_by": agency_ref(db, row["disclosed_by_id"]) if row["disclosed_by_id"] else None,
        "disclosed_actor": row["disclosed_actor"] if whole else None,
        "log_entry": row["log_entry"],
        "decided_by": agency_ref(db, row["decided_by_id"]) if row["decided_by_id"] else None,
        "ground": ground.get("text"),
        "moves": ["justify", "find-unjustified"] if db.reviews and row["state"] in ("waiting", "closed") else [],
    }


async def justify(db: Acting, review_id: UUID, body: Justify, key: Key) -> Moved:
    """Find that there was a ground; of a vital interest, perhaps for longer."""
    late = body.until is not None and not db.at < body.until <= db.at + db.settings.justified_at_most
    refused = InvalidRequest([{"pointer": "/until", "code": "too_far_ahead_or_past"}]) if late else None
    return await _decide(db, review_id, "justified", key, text=body.text, until=body.until, refused=refused)


async def find_unjustified(db: Acting, review_id: UUID, body: FindUnjustified, key: Key) -> Moved:
    """Find that there was none: the sections lock, and their holder is asked to erase."""
    return await _decide(db, review_id, "not_justified", key, text=body.text)


async def _decide(
    db: Acting,
    review_id: UUID,
    state: str,
    key: Key,
    *,
    text: str,
    until: datetime | None = None,
    refused: Problem | None = None,
) -> Moved:
    try:
        if refused is None and not db.reviews:
            async with db.transaction() as tx:
                refused = NotFound() if await queries.review_by_id(tx, review_id) is None else problems.OfficerOnly()
        if refused is not None:
            if (earlier := await earlier_answer(db, key)) is None:
                raise refused
            return moved(earlier, [])
        ground = db.keyring.seal_one(Place("review.ground", review_id), json.dumps({"text": text}))
        return moved(await queries.decide(db, key, review_id, state, until=until, ground=ground), [])
    except asyncpg.PostgresError as error:
        raise (_problem_of(error) or error) from error


def _problem_of(error: asyncpg.PostgresError) -> Problem | None:
    if error.sqlstate == "RJ090":
        return ReviewDecided(**orjson.loads(error.detail or "{}"))
    if error.sqlstate == "RJ091":
        return AnotherReviewerRequired()
    if error.sqlstate == "RJ092":
        return InvalidRequest([{"pointer": "/until", "code": "only_a_vital_interest_lasts_longer"}])
    return refusals.problem_of(error)


async def rebase(db: Acting, lifecycle: Lifecycle, subject_id: UUID, body: Rebase, seen: int, key: Key) -> Moved:
    """Put sections that were sent on another basis; nothing else changes, and the receiver is told."""
    row = await party_row(db, lifecycle, subject_id)
    happened = occurred(body.occurred_at, db.at)
    refused: Problem | None = happened if isinstance(happened, Problem) else None
    sections = in_order({section for basis in body.bases for section in basis.sections}, SECTIONS)
    if row is None or row["sender_id"] != db.agency_id:
        return await unless_repeated(db, lifecycle, key, NotFound(), by=Party.SENDER)
    if any(basis.kind == "vital_interest" for basis in body.bases):
        refused = refused or problems.NothingToRebase()
    receiver = db.directory.agencies[row["receiver_id"]]
    adult = await grown_up(db, body.bases, version_id=row["version_id"])
    refused = refused or await undisclosable(
        db, receiver, Purpose(row["purpose"]), sections, body.bases, case_id=row["case_id"], adult=adult
    )
    if refused is not None:
        return await unless_repeated(db, lifecycle, key, refused, by=Party.SENDER)
    bases, reasons = bases_for_storage(db, body.bases, None, case_id=row["case_id"])
    change = {
        "subject": lifecycle.name,
        "id": subject_id,
        "seen": seen,
        "sections": sections,
        "bases": bases,
        "receiver_code": receiver.code,
        "receiver_kind": receiver.kind,
        "move_id": uuid7(db.at),
        "occurred_at": happened,
        "channel": body.channel,
        "recorded_by_id": db.recorder_id,
    }
    try:
        made = await queries.rebase(db, key, change, reasons=reasons)
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, lifecycle, sections=tuple(sections)) or error) from error
    return moved(made, lifecycle.moves_open(made.state, [Party.SENDER]), None, body.bases)

"""Subject requests: written down, answered, read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key
from app.exchange.passing import problems, refusals
from app.exchange.passing.queries import earlier_answer
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import moved
from app.exchange.records.sealing import in_order
from app.exchange.subject_requests import queries
from app.foundation import json
from app.foundation.ids import uuid7
from app.foundation.keyring import Place, SealedColumn
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from schemas.exchange.common import Moved
from schemas.exchange.subject_request import AnswerSubjectRequest, LiftRestriction, NewSubjectRequest
from schemas.record.record import SECTIONS

Document = dict[str, Any]
LEEWAY = timedelta(seconds=60)


async def open_request(db: Acting, body: NewSubjectRequest, key: Key) -> Moved:
    """Write down what a person asks; the case's lead is told."""
    if body.received_at > db.at + LEEWAY:
        raise InvalidRequest([{"pointer": "/received_at", "code": "in_the_future"}])
    request_id = uuid7(db.at)
    request = {
        "id": request_id,
        "kind": body.kind,
        "requester": body.requester,
        "identity_check": body.identity_check,
        "identity_checked_by": body.identity_checked_by,
        "sections": in_order(body.sections or (), SECTIONS),
        "received_at": min(body.received_at, db.at),
        "recorded_by_id": db.recorder_id,
    }
    detail = db.keyring.seal_one(Place("subject_request.detail", request_id), json.dumps({"text": body.text}))
    try:
        return moved(await queries.open_request(db, key, body.case_id, request, detail), [])
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error


async def answer_request(db: Acting, request_id: UUID, body: AnswerSubjectRequest, key: Key) -> Moved:
    """Answer it as the case's lead."""
    async with db.transaction() as tx:
        row = await queries.by_id(tx, request_id)
    answer = {
        "answer": body.answer,
        "sections": in_order(body.sections, SECTIONS) if body.sections else None,
        "refusal_ground": body.refusal_ground,
        "correction_id": body.correction,
        "delivery": body.delivery,
        "delivered_on": body.delivered_on,
    }
    detail = db.keyring.seal_one(Place("subject_request.answer_detail", request_id), json.dumps({"text": body.text}))
    try:
        if (refused := _unanswerable(db, row, body)) is not None:
            if (earlier := await earlier_answer(db, key)) is None:
                raise refused
            return moved(earlier, [])
        return moved(await queries.answer_request(db, key, request_id, answer, detail), [])
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error


async def lift_restriction(db: Acting, request_id: UUID, body: LiftRestriction, key: Key) -> Moved:
    """Lift a granted restriction as the case's lead; what only it kept shut is open again."""
    told = body.wish.asked_at if body.wish is not None else body.person_told_at
    if told is not None and told > db.at + LEEWAY:
        pointer = "/wish/asked_at" if body.wish is not None else "/person_told_at"
        raise InvalidRequest([{"pointer": pointer, "code": "in_the_future"}])
    if body.order is not None and body.order.dated_on > (db.at + timedelta(hours=14)).date():
        raise InvalidRequest([{"pointer": "/order/dated_on", "code": "in_the_future"}])
    lift = {"ground": body.ground, "requester": body.wish.requester if body.wish is not None else None}
    said = body.model_dump(mode="json", include={"text", "wish", "person_told_at", "order"})
    detail = db.keyring.seal_one(Place("subject_request.lift_detail", request_id), json.dumps(said))
    try:
        return moved(await queries.lift_restriction(db, key, request_id, lift, detail), [])
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error


def _unanswerable(db: Acting, row: asyncpg.Record | None, body: AnswerSubjectRequest) -> Problem | None:
    if row is None or not (row["leads"] or row["author_id"] == db.agency_id):
        return NotFound()
    granted, kind = body.answer != "refused", row["kind"]
    if granted and (kind == "correct") != (body.correction is not None):
        return InvalidRequest([{"pointer": "/correction", "code": "correction_with_correct"}])
    if body.delivery is not None and kind not in ("access", "copy"):
        return InvalidRequest([{"pointer": "/delivery", "code": "nothing_to_deliver"}])
    if body.delivered_on is not None and body.delivered_on > (db.at + timedelta(hours=14)).date():
        return InvalidRequest([{"pointer": "/delivered_on", "code": "in_the_future"}])
    if body.sections and row["sections"] and not set(body.sections) <= set(row["sections"]):
        return InvalidRequest([{"pointer": "/sections", "code": "not_asked_about"}])
    return None


async def list_requests(
    db: Acting,
    *,
    role: str,
    state: str | None,
    kind: str | None,
    case_id: UUID | None,
    cursor: str | None,
    limit: int,
) -> Document:
    """Return a page of subject requests without what is said in them."""
    if role == "officer" and not db.is_officer():
        raise problems.OfficerOnly
    filters = {
        "role": role,
        "state": state,
        "kind": kind,
        "case_id": str(case_id) if case_id else None,
        "limit": str(limit),
    }
    scope = f"/v1/subject-requests {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.page(
            tx, role, db.agency_id, before=before, state=state, kind=kind, case_id=case_id, limit=limit + 1
        )
        await tx.fetchval(
            "SELECT log_by($1, 'subject_request:list', 'done', NULL, NULL, $2, '{}')", db.parameter(), case_id
        )
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {"items": [_envelope(db, row) for row in rows], "next": next_link("/v1/subject-requests", filters, more)}


async def read_request(db: Acting, request_id: UUID) -> Document:
    """Return a subject request with what was said: to its author, the lead, and protection officers."""
    async with db.transaction() as tx:
        row = await queries.by_id(tx, request_id)
        if row is None:
            raise NotFound
        party = row["leads"] or row["author_id"] == db.agency_id
        if not party and not db.is_officer():
            raise NotFound
        asked = await queries.asked_of_holders(tx, row["case_id"], request_id) if row["leads"] else []
        await tx.fetchval(
            "SELECT log_by($1, 'subject_request:read', 'done', 'subject_request', $2, $3, '{}')",
            db.parameter(),
            request_id,
            row["case_id"],
        )
    return _envelope(db, row) | {
        "text": _said(db, row, "subject_request.detail"),
        "answer_text": _said(db, row, "subject_request.answer_detail"),
        "lift": _said_of_lift(db, row),
        "requests": asked,
    }


def _said(db: Acting, row: asyncpg.Record, column: SealedColumn) -> str | None:
    sealed = row[column.partition(".")[2]]
    if sealed is None:
        return None
    text: str | None = orjson.loads(db.keyring.open_one(Place(column, row["id"]), sealed))["text"]
    return text


def _said_of_lift(db: Acting, row: asyncpg.Record) -> Document | None:
    if row["lifted_at"] is None:
        return None
    nothing: Document = {"text": None, "wish": None, "person_told_at": None, "order": None}
    if row["lift_detail"] is None:
        return nothing
    said: Document = orjson.loads(
        db.keyring.open_one(Place("subject_request.lift_detail", row["id"]), row["lift_detail"])
    )
    return nothing | said


def _envelope(db: Acting, row: asyncpg.Record) -> Document:
    copied = (
        "id",
        "case_id",
        "kind",
        "requester",
        "identity_check",
        "identity_checked_by",
        "received_at",
        "recorded_at",
        "due_at",
        "clock",
        "state",
        "answer",
        "refusal_ground",
        "delivery",
        "delivered_on",
        "answered_at",
        "erased_at",
        "lifted_at",
        "lift_ground",
    )
    return {
        **{name: row[name] for name in copied},
        "recorded_by": agency_ref(db, row["author_id"]),
        "sections": in_order(row["sections"], SECTIONS),
        "granted_sections": in_order(row["answered_sections"] or (), SECTIONS),
        "correction": row["correction_id"],
        "answered_by": agency_ref(db, row["answered_by_id"]) if row["answered_by_id"] else None,
        "lifted_by": agency_ref(db, row["lifted_by_id"]) if row["lifted_by_id"] else None,
    }

"""Requests: listed, read, answered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key, occurred
from app.exchange.passing import problems, refusals
from app.exchange.passing.queries import earlier_answer
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import grown_up, moved, refusal
from app.exchange.passing.storing import bases_for_storage
from app.exchange.records.sealing import in_order
from app.exchange.requests import queries
from app.foundation import json
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from app.policy.agreements import agreed
from app.policy.bases import Asking, day_of, faults, replaced
from app.policy.decide import decide
from schemas.codes.agencies import AgencyKind
from schemas.codes.laws import in_force, law_of
from schemas.codes.referral import Purpose
from schemas.exchange.common import Moved
from schemas.exchange.request import AnswerRequest
from schemas.record.record import SECTIONS

Document = dict[str, Any]
ANSWERS = {
    "erasure": ("erased", "restricted", "kept", "re_based"),
    "correction": ("corrected", "refused"),
    "reseal": ("refused",),
}


def _envelope(db: Acting, row: asyncpg.Record) -> Document:
    return {
        **{
            name: row[name]
            for name in (
                "id",
                "case_id",
                "kind",
                "cause",
                "subject",
                "subject_id",
                "requested_at",
                "recorded_at",
                "due_at",
                "clock",
                "state",
                "answer",
                "answered_at",
            )
        },
        "asked_by": agency_ref(db, row["from_id"]),
        "asked": agency_ref(db, row["to_id"]),
        "record_version": row["version_id"],
        "sections": in_order(row["sections"], SECTIONS),
    }


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
    """Return a page of requests without what is said in them."""
    if (role == "lead") != (case_id is not None):
        raise InvalidRequest([{"parameter": "case_id", "code": "missing" if role == "lead" else "only_with_lead"}])
    filters = {
        "role": role,
        "state": state,
        "kind": kind,
        "case_id": str(case_id) if case_id else None,
        "limit": str(limit),
    }
    scope = f"/v1/requests {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.page(
            tx, role, case_id or db.agency_id, before=before, state=state, kind=kind, limit=limit + 1
        )
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {"items": [_envelope(db, row) for row in rows], "next": next_link("/v1/requests", filters, more)}


async def read_request(db: Acting, request_id: UUID) -> Document:
    """Return a request with what is said on both sides, and log the reading."""
    async with db.transaction() as tx:
        row = await queries.request_by_id(tx, request_id)
        if row is None:
            raise NotFound
        await tx.fetchval(
            "SELECT log_by($1, 'request:read', 'done', 'request', $2, $3, '{}')",
            db.parameter(),
            request_id,
            row["case_id"],
        )
    said = (
        orjson.loads(db.keyring.open_one(Place("request.detail", request_id, row["case_id"]), row["detail"]))
        if row["detail"]
        else {}
    )
    answered = (
        orjson.loads(
            db.keyring.open_one(Place("request.answer_detail", request_id, row["case_id"]), row["answer_detail"])
        )
        if row["answer_detail"]
        else {}
    )
    return _envelope(db, row) | {
        "text": said.get("text"),
        "pointers": said.get("pointers", []),
        "answer_text": answered.get("text"),
        "legal_basis": row["legal_basis"],
        "article": row["article"],
        "correction": row["correction_id"],
    }


async def answer_request(db: Acting, request_id: UUID, body: AnswerRequest, key: Key) -> Moved:
    """Answer a request that asks the caller's agency."""
    happened = occurred(body.occurred_at, db.at)
    async with db.transaction() as tx:
        row = await queries.request_by_id(tx, request_id)
        locked = await queries.locked_by(tx, request_id, db.agency_id) if body.bases else []
    adult = await grown_up(db, body.bases, version_id=next((each["version_id"] for each in locked), None))
    try:
        refused = happened if isinstance(happened, Problem) else _unanswerable(db, row, body, locked, adult=adult)
        if refused is not None:
            if (earlier := await earlier_answer(db, key)) is None:
                raise refused
            return moved(earlier, [])
        assert row is not None, "what is not there is refused"
        bases, reasons = _reopening(db, body, locked, case_id=row["case_id"])
        answer: Document = {
            "kind": row["kind"],
            "answer": body.answer,
            "legal_basis": body.legal_basis,
            "article": body.article,
            "correction_id": body.correction,
            "receiver_code": db.agency.code,
            "receiver_kind": db.agency.kind,
            **({"bases": bases} if bases else {}),
        }
        said = {"text": body.text, "channel": body.channel, "occurred_at": happened}
        detail = db.keyring.seal_one(Place("request.answer_detail", request_id, row["case_id"]), json.dumps(said))
        return moved(await queries.answer_request(db, key, request_id, answer, detail=detail, reasons=reasons), [])
    except asyncpg.PostgresError as error:
        named = tuple(section for basis in body.bases for section in basis.sections)
        raise (refusals.problem_of(error, sections=named) or error) from error


def _unanswerable(
    db: Acting, row: asyncpg.Record | None, body: AnswerRequest, locked: list[asyncpg.Record], *, adult: bool
) -> Problem | None:
    if row is None or row["to_id"] != db.agency_id:
        return NotFound()
    if row["state"] == "answered":
        return problems.RequestAnswered()
    if body.answer not in ANSWERS[row["kind"]]:
        return InvalidRequest([{"pointer": "/answer", "code": "another_kind_of_request"}])
    law = law_of(body.legal_basis) if body.legal_basis is not None else None
    if body.legal_basis is not None and (law is None or not in_force(law, day_of(db.at))):
        code = "legal_basis_unknown" if law is None else "legal_basis_not_in_force"
        return InvalidRequest([{"pointer": "/legal_basis", "code": code}])
    if any(basis.kind == "vital_interest" for basis in body.bases) and any(
        each["lock_reason"] == "review_lapsed" for each in locked
    ):
        return problems.NothingToRebase()
    named = [str(section) for basis in body.bases for section in basis.sections]
    if not set(named) <= {section for each in locked for section in each["sections"]}:
        return problems.NothingToRebase()
    for purpose, sender_id in sorted({(each["purpose"], each["sender_id"]) for each in locked}):
        sender = db.directory.agencies[sender_id]
        sections = {
            section
            for each in locked
            if (each["purpose"], each["sender_id"]) == (purpose, sender_id)
            for section in each["sections"]
        }
        included = in_order(sections & set(named), SECTIONS)
        decision = decide(
            kind=AgencyKind(db.agency.kind),
            abroad=db.agency.country != db.settings.emergency_country,
            purpose=Purpose(purpose),
            included=included,
            bases=body.bases,
            at=db.at,
            agreed=agreed(
                db.directory,
                sender,
                db.agency,
                Purpose(purpose),
                home=db.settings.emergency_country,
                at=db.at,
            ),
            faults=faults(body.bases, Asking(at=db.at, parties=(sender.code, db.agency.code), adult=adult)),
        )
        # a basis may name what another purpose included
        refused = {name: why for name, why in decision.refused.items() if name in included}
        if refused:
            sendable = [name for name in decision.sendable if name not in refused]
            return refusal(
                refused,
                sendable,
                sender=sender,
                receiver=db.agency,
                purpose=Purpose(purpose),
                not_in_force=replaced(body.bases, db.at),
            )
    return None


def _reopening(
    db: Acting, body: AnswerRequest, locked: list[asyncpg.Record], *, case_id: UUID
) -> tuple[list[Document], list[bytes | None]]:
    """Return a row for each locked disclosure and basis that overlap, and their reasons sealed, in the same order."""
    rows: list[Document] = []
    reasons: list[bytes | None] = []
    for each in locked:
        bases = [basis for basis in body.bases if set(basis.sections) & set(each["sections"])]
        stored, sealed = bases_for_storage(db, bases, None, case_id=case_id)
        for row in stored:
            row |= {
                "place": len(rows) + 1,
                "locked_id": each["id"],
                "purpose": each["purpose"],
                "sections": in_order(set(row["sections"]) & set(each["sections"]), SECTIONS),
            }
            rows.append(row)
        reasons += sealed
    return rows, reasons

"""Legal holds: placed, reviewed and lifted by a protection officer; the lead sees that there is one."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key
from app.exchange.holds import queries
from app.exchange.passing import problems, refusals
from app.exchange.passing.queries import MovedRow
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import moved
from app.exchange.records.sealing import in_order
from app.foundation import json
from app.foundation.ids import read_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound
from auth.scopes import Scope
from schemas.exchange.common import Moved
from schemas.exchange.hold import LiftHold, NewHold, ReviewHold
from schemas.record.record import SECTIONS

Document = dict[str, Any]


async def place_hold(db: Acting, body: NewHold, key: Key) -> Moved:
    """Keep sections of a case from erasure."""
    if not db.is_officer(Scope.protection_write):
        raise problems.OfficerOnly
    today = db.at.date()
    faults = _review_faults(db, body.review_on)
    if body.dated_on > today + timedelta(days=1):
        faults.append({"pointer": "/dated_on", "code": "in_the_future"})
    if body.until is not None and body.until < today:
        faults.append({"pointer": "/until", "code": "in_the_past"})
    if faults:
        raise InvalidRequest(faults)
    hold_id = uuid7(db.at)
    hold = {
        "id": hold_id,
        "case_reference": read_reference(body.case_reference),
        "authority": body.authority,
        "dated_on": body.dated_on,
        "sections": in_order(body.sections, SECTIONS),
        "until_on": body.until,
        "review_at": _midnight(body.review_on),
    }
    said = {"authority_name": body.authority_name, "number": body.number, "text": body.text}
    return await _done(
        queries.place_hold(db, key, hold, db.keyring.seal_one(Place("legal_hold.detail", hold_id), json.dumps(said)))
    )


async def review_hold(db: Acting, hold_id: UUID, body: ReviewHold, key: Key) -> Moved:
    """Say that it stays, and when it is looked at again."""
    if not db.is_officer(Scope.protection_write):
        raise problems.OfficerOnly
    if faults := _review_faults(db, body.review_on):
        raise InvalidRequest(faults)
    review_id = uuid7(db.at)
    change = {"review_id": review_id, "review_at": _midnight(body.review_on)}
    detail = db.keyring.seal_one(Place("legal_hold_review.detail", review_id), json.dumps({"text": body.text}))
    return await _done(queries.change_hold(db, key, hold_id, change, detail))


async def lift_hold(db: Acting, hold_id: UUID, body: LiftHold, key: Key) -> Moved:
    """End it."""
    if not db.is_officer(Scope.protection_write):
        raise problems.OfficerOnly
    detail = db.keyring.seal_one(Place("legal_hold.end_detail", hold_id), json.dumps({"reason": body.reason}))
    return await _done(queries.change_hold(db, key, hold_id, {}, detail))


def _review_faults(db: Acting, on: date) -> list[dict[str, str]]:
    today = db.at.date()
    if on <= today:
        return [{"pointer": "/review_on", "code": "in_the_past"}]
    if on > today + db.settings.review_hold_within:
        return [{"pointer": "/review_on", "code": "too_late"}]
    return []


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time(), tzinfo=UTC)


async def _done(act: Awaitable[MovedRow]) -> Moved:
    try:
        return moved(await act, [])
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error


async def list_holds(
    db: Acting, *, role: str, state: str | None, case_id: UUID | None, cursor: str | None, limit: int
) -> Document:
    """Return a page of holds."""
    if role == "officer" and not db.is_officer():
        raise problems.OfficerOnly
    filters = {"role": role, "state": state, "case_id": str(case_id) if case_id else None, "limit": str(limit)}
    scope = f"/v1/holds {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.holds(
            tx, officer=role == "officer", case_id=case_id, state=state, before=before, limit=limit + 1
        )
        await tx.fetchval("SELECT log_by($1, 'hold:list', 'done', NULL, NULL, $2, '{}')", db.parameter(), case_id)
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {"items": [_envelope(db, row) for row in rows], "next": next_link("/v1/holds", filters, more)}


async def read_hold(db: Acting, hold_id: UUID) -> Document:
    """Return a hold: whole to protection officers, to the lead without the order and what was said."""
    async with db.transaction() as tx:
        rows = await queries.holds(tx, officer=db.is_officer(), hold_id=hold_id)
        if not rows:
            raise NotFound
        row = rows[0]
        reviews = await queries.reviews_of(tx, hold_id) if db.is_officer() else []
        await tx.fetchval(
            "SELECT log_by($1, 'hold:read', 'done', 'hold', $2, $3, '{}')", db.parameter(), hold_id, row["case_id"]
        )
    said = _said(db, Place("legal_hold.detail", row["id"]), row["detail"]) if db.is_officer() else {}
    ended = _said(db, Place("legal_hold.end_detail", row["id"]), row["end_detail"]) if db.is_officer() else {}
    return _envelope(db, row) | {
        "authority_name": said.get("authority_name"),
        "number": said.get("number"),
        "text": said.get("text"),
        "reason": ended.get("reason"),
        "reviews": [
            {
                "recorded_at": each["recorded_at"],
                "review_on": each["review_at"].date(),
                "text": _said(db, Place("legal_hold_review.detail", each["id"]), each["detail"]).get("text"),
            }
            for each in reviews
        ],
    }


def _said(db: Acting, place: Place, sealed: bytes | None) -> Document:
    return orjson.loads(db.keyring.open_one(place, sealed)) if sealed is not None else {}


def _envelope(db: Acting, row: asyncpg.Record) -> Document:
    return {
        **{
            name: row[name]
            for name in ("id", "case_id", "authority", "dated_on", "clock", "state", "placed_at", "ended_at")
        },
        "placed_by": agency_ref(db, row["placed_by_id"]),
        "sections": in_order(row["sections"], SECTIONS),
        "until": row["until_on"],
        "review_on": row["review_at"].date(),
    }

"""Emergency access: opened, read, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key
from app.exchange.emergencies import queries
from app.exchange.emergencies.problems import EmergencyEnded, EmergencyNotForYou, EmergencyOpen, TooManyKnocks
from app.exchange.passing import problems, refusals
from app.exchange.passing.queries import earlier_answer
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import moved
from app.exchange.records.sealing import in_order
from app.foundation import json
from app.foundation.ids import read_reference, uuid7
from app.foundation.keyring import Place, Sealed
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from app.policy import table
from schemas.codes.agencies import AgencyKind
from schemas.exchange.common import Moved
from schemas.exchange.emergency import OpenEmergency
from schemas.record.record import SECTIONS

Document = dict[str, Any]


async def open_emergency(db: Acting, body: OpenEmergency, key: Key) -> Moved:
    """Open named sections for a few hours; lead and reviewers are told at once."""
    kind = AgencyKind(db.agency.kind)
    reference = read_reference(body.reference) if body.reference is not None else None
    try:
        if (earlier := await earlier_answer(db, key)) is not None:
            return moved(earlier, [])
        if refused := _refused(db, kind, body):
            raise refused
        if body.reference is not None:
            if reference is None:
                raise InvalidRequest([{"pointer": "/reference", "code": "no_reference"}])
            if await queries.knock(db, db.at - timedelta(days=1)) > db.settings.emergency_knocks_per_day:
                raise TooManyKnocks
        emergency_id = uuid7(db.at)
        lasts = timedelta(hours=body.hours) if body.hours is not None else db.settings.emergency_access_lasts
        wanted = {
            "id": emergency_id,
            "sections": in_order(body.sections, SECTIONS),
            "reason": body.reason,
            "until_at": db.at + lasts,
            "due_at": db.at + db.settings.review_vital_interest_within,
            "may_knock": kind in table.MAY_KNOCK,
            **({"reference": reference} if reference else {"case_id": body.case_id}),
        }
        detail = db.keyring.seal_one(Place("emergency_access.detail", emergency_id), json.dumps({"reason": body.text}))
        return moved(await queries.open_emergency(db, key, wanted, detail=detail), [])
    except asyncpg.PostgresError as error:
        raise (_problem_of(error) or error) from error


def _refused(db: Acting, kind: AgencyKind, body: OpenEmergency) -> Problem | None:
    if db.recorder_id != db.agency_id or db.agency.country != db.settings.emergency_country:
        return EmergencyNotForYou()
    if body.reference is not None and kind not in table.MAY_KNOCK:
        return EmergencyNotForYou()
    refused = {
        str(section): "basis_does_not_open" if section not in table.EMERGENCY else "agency_kind"
        for section in body.sections
        if section not in table.EMERGENCY & table.KINDS[kind]
    }
    if kind in table.CONSENT_ONLY:
        refused = dict.fromkeys(map(str, body.sections), "consent_only")
    if not refused:
        return None
    return problems.DisclosureRefused(
        refused=refused, sendable=[str(section) for section in body.sections if section not in refused]
    )


def _envelope(db: Acting, row: asyncpg.Record) -> Document:
    return {
        **{
            name: row[name]
            for name in ("id", "case_id", "reason", "by_reference", "started_at", "until_at", "end_reason")
        },
        "agency": agency_ref(db, row["agency_id"]),
        "sections": in_order(row["sections"], SECTIONS),
        # over is over, whether or not the worker has looked
        "ended_at": row["ended_at"] or (row["until_at"] if row["until_at"] <= db.at else None),
        "state": "ended" if row["ended_at"] or row["until_at"] <= db.at else "open",
    }


async def list_emergencies(db: Acting, *, case_id: UUID | None, cursor: str | None, limit: int) -> Document:
    """Return a page of emergency accesses without what is read under them."""
    filters = {"case_id": str(case_id) if case_id else None, "limit": str(limit)}
    scope = f"/v1/emergency-access {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.page(tx, case_id=case_id, before=before, limit=limit + 1)
    more = encode_cursor(db.keyring, scope, [str(rows[limit - 1]["id"])]) if len(rows) > limit else None
    return {
        "items": [_envelope(db, row) for row in rows[:limit]],
        "next": next_link("/v1/emergency-access", filters, more),
    }


async def read_emergency(db: Acting, emergency_id: UUID) -> Document:
    """Return an emergency access; to who has it, while it lasts, with the sections. Every reading is logged under its id."""
    async with db.transaction() as tx:
        row = await queries.emergency_by_id(tx, emergency_id)
        if row is None:
            raise NotFound
        own = row["agency_id"] == db.agency_id and db.recorder_id == db.agency_id
        rows = await queries.content(tx, emergency_id, db.at) if own else []
        # the kind of an agency may have changed since
        allowed = table.EMERGENCY & table.KINDS[AgencyKind(db.agency.kind)]
        rows = [each for each in rows if each["section"] in allowed]
        read = in_order((each["section"] for each in rows), SECTIONS)
        await tx.fetchval(
            "SELECT log_by($1, 'emergency_access:read', 'done', 'emergency_access', $2, $3, $4)",
            db.parameter(),
            emergency_id,
            row["case_id"],
            json.text(
                {"sections": read, "basis": "vital_interest", "until": row["until_at"]}
                | ({"bases": [{"basis": "vital_interest", "sections": read}]} if read else {})
            ),
        )
    opened = {each["section"]: _opened(db, each, row["case_id"]) for each in rows}
    place = Place("emergency_access.detail", row["id"])
    said = orjson.loads(db.keyring.open_one(place, row["detail"])) if row["detail"] else {}
    return _envelope(db, row) | {
        "text": said.get("reason"),
        "record": {name: opened[name] for name in in_order(opened, SECTIONS)} if own else None,
        "actor": row["actor"] if own or db.reviews else None,
    }


def _opened(db: Acting, row: asyncpg.Record, case_id: UUID) -> Any:
    parts = db.keyring.open_parts(
        row["version_id"], Sealed(row["wrapped_key"], {row["section"]: row["part"]}), case_id=case_id
    )
    return orjson.loads(parts[row["section"]])


async def end_emergency(db: Acting, emergency_id: UUID, key: Key) -> Moved:
    """End it at once, as who has it, the lead, or the reviewers."""
    try:
        return moved(await queries.end_emergency(db, key, emergency_id), [])
    except asyncpg.PostgresError as error:
        raise (_problem_of(error) or error) from error


def _problem_of(error: asyncpg.PostgresError) -> Problem | None:
    if error.sqlstate == "RJ093":
        return EmergencyOpen(**orjson.loads(error.detail or "{}"))
    if error.sqlstate == "RJ094":
        return EmergencyEnded()
    return refusals.problem_of(error)

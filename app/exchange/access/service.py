"""The access report: the log's entries about one case, as its lead, the reviewing agency and the person may know them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting
from app.exchange.access import queries
from app.exchange.access.sheet import AccessSheet, AskedBy
from app.exchange.cases.queries import case_by_id
from app.exchange.forms.service import Page, access_page
from app.exchange.passing.problems import GuardianBarred
from app.exchange.passing.reading import agency_ref
from app.exchange.records.sealing import in_order
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import NotFound
from schemas.codes.labels import Lang
from schemas.record.record import SECTIONS

Document = dict[str, Any]
BATCH: Final = 500
_PASSED_ON: Final = frozenset({"send", "offer", "reroute", "amend", "note", "provide_info"})
_KINDS: Final = {
    "case:correct": "corrected",
    "subject_request:answer": "restricted",
    "subject_request:lift": "restriction_lifted",
    "case:read": "case",
    "case:access_report": "report",
    "consent:read": "consents",
    "consent_file:read": "consents",
    "attachment:read": "file",
    "referral_file:read": "file",
    "transfer_file:read": "file",
    "correction_file:read": "file",
    "consent:list": "consents",
}


async def access_report(db: Acting, case_id: UUID, *, reviewing: bool, cursor: str | None, limit: int) -> Document:
    """Return a page of who saw what of a case; for its lead, or, `reviewing`, for the reviewing agency. The reading is logged."""
    path = f"/v1/protection/cases/{case_id}/access-report" if reviewing else f"/v1/cases/{case_id}/access-report"
    scope = f"{path} {db.agency_id}"
    after = None
    if cursor is not None:
        at, entry_id = decode_cursor(db.keyring, scope, cursor, length=2)
        after = (datetime.fromisoformat(at), UUID(entry_id))
    async with db.transaction() as tx:
        if reviewing:
            if not db.reviews:
                raise NotFound
        else:
            await _led_case(tx, db, case_id)
        rows = await queries.access_to(tx, case_id, after, limit + 1)
        if reviewing and after is None and not rows:
            raise NotFound  # every case there is has been opened, and what opened it was seen by somebody
        if after is None:
            await _log(tx, db, case_id, {"reviewing": reviewing})
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [rows[-1]["recorded_at"].isoformat(), str(rows[-1]["id"])])
    return {
        "case_id": case_id,
        "items": [entry_of(db, row, all_actors=reviewing) for row in rows],
        "next": next_link(path, {"limit": str(limit)}, more),
    }


async def print_access_report(db: Acting, case_id: UUID, *, asked_by: AskedBy, lang: Lang) -> Page:
    """Return the report to be handed to the person, or to who asks for them. Raises `GuardianBarred` for a guardian under suspicion."""
    async with db.transaction() as tx:
        case = await _led_case(tx, db, case_id)
        if asked_by == "guardian" and case["guardian_barred_at"] is not None:
            raise GuardianBarred(case_id)
        sheet = AccessSheet(case["reference"], lang, asked_by=asked_by, printed_by=db.agency, at=db.at)
        async for row in _every(tx, case_id):
            sheet.add(entry_of(db, row, all_actors=False))
        await _log(tx, db, case_id, {"asked_by": asked_by})
    return access_page(sheet)


async def _led_case(tx: Connection, db: Acting, case_id: UUID) -> asyncpg.Record:
    case = await case_by_id(tx, case_id)
    if case is None or case["lead_id"] != db.agency_id:
        raise NotFound
    return case


async def _every(tx: Connection, case_id: UUID) -> AsyncIterator[asyncpg.Record]:
    after = None
    while rows := await queries.access_to(tx, case_id, after, BATCH):
        for row in rows:
            yield row
        after = (rows[-1]["recorded_at"], rows[-1]["id"])


async def _log(tx: Connection, db: Acting, case_id: UUID, detail: Document) -> None:
    await tx.fetchval(
        "SELECT log_by($1, 'case:access_report', 'done', 'case', $2, $2, $3)",
        db.parameter(),
        case_id,
        json.text(detail),
    )


def entry_of(db: Acting, row: asyncpg.Record, *, all_actors: bool) -> Document:
    """Return an entry of the log as the report has it."""
    detail: Document = orjson.loads(row["detail"])
    event = row["action"].partition(":")[2]
    bases = [
        {"basis": each["basis"], "sections": each["sections"], "consent": each.get("consent")}
        for each in detail.get("bases") or ()
    ]
    previewed = detail.get("previewed") or ()
    based = [name for each in bases for name in each["sections"]]
    kind = _KINDS.get(row["action"])
    if kind is None and event in _PASSED_ON:
        kind, shown = "sent", detail.get("sections") or based
    else:
        read = {*(detail.get("sections") or ()), *(detail.get("words") or ())}  # of the record, and in words
        shown = read or previewed
        kind = kind or ("read" if read or detail.get("after_withdrawal") else "preview" if previewed else "envelope")
    recorder = detail.get("recorded_by")
    return {
        "log_entry": row["id"],
        "kind": kind,
        "recorded_at": row["recorded_at"],
        "agency": agency_ref(db, row["agency_id"]),
        "recorded_by": agency_ref(db, UUID(recorder)) if recorder else None,
        "actor": row["actor"] if all_actors or row["agency_id"] == db.agency_id else None,
        "to": agency_ref(db, row["receiver_id"]) if kind == "sent" and row["receiver_id"] else None,
        "subject": row["subject"],
        "subject_id": row["subject_id"],
        "sections": in_order(shown, SECTIONS),
        "despite_restriction": in_order(detail.get("despite_restriction") or (), SECTIONS),
        "after_withdrawal": in_order(detail.get("after_withdrawal") or (), SECTIONS),
        "bases": bases,
        "purpose": detail.get("purpose"),
    }

"""Incidents: written down, added to, closed with the notice that was given, read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key
from app.exchange.incidents import queries
from app.exchange.passing import problems, refusals
from app.exchange.passing.queries import MovedRow, earlier_answer
from app.exchange.passing.reading import agency_ref
from app.foundation import json
from app.foundation.ids import new_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound
from auth.scopes import Scope
from schemas.exchange.incident import AddToIncident, CloseIncident, IncidentRecorded, NewIncident

Document = dict[str, Any]
LEEWAY = timedelta(seconds=60)


def _recorded(row: MovedRow) -> IncidentRecorded:
    return IncidentRecorded(
        id=row.id, reference=row.reference, state=row.state, recorded_at=row.recorded_at, log_entry=row.log_id
    )


def _refuse_the_future(db: Acting, **times: datetime | None) -> None:
    late = [name for name, at in times.items() if at is not None and at > db.at + LEEWAY]
    if late:
        raise InvalidRequest([{"pointer": f"/{name}", "code": "in_the_future"} for name in late])


async def open_incident(db: Acting, body: NewIncident, key: Key) -> IncidentRecorded:
    """Write an incident down; the leads of the cases it names and the reviewing agency are told."""
    _refuse_the_future(db, noticed_at=body.noticed_at, happened_at=body.happened_at)
    if body.happened_at is not None and body.happened_at > body.noticed_at:
        raise InvalidRequest([{"pointer": "/happened_at", "code": "after_it_was_noticed"}])
    incident_id = uuid7(db.at)
    incident = {
        "id": incident_id,
        "reference": new_reference("I"),
        "kind": body.kind,
        "happened_at": body.happened_at,
        "noticed_at": min(body.noticed_at, db.at),
        "data_classes": list(body.data_classes),
        "persons": body.persons,
        "cases": list(body.cases),
        "recorded_by_id": db.recorder_id,
    }
    detail = db.keyring.seal_one(
        Place("incident.detail", incident_id), json.dumps({"how": body.how, "action": body.action})
    )
    try:
        return _recorded(await queries.open_incident(db, key, incident, detail))
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error


async def add_to_incident(db: Acting, incident_id: UUID, body: AddToIncident, key: Key) -> IncidentRecorded:
    """Append to it."""
    entry_id = uuid7(db.at)
    added = {"entry_id": entry_id, "close": False, "recorded_by_id": db.recorder_id}
    return await _add(
        db,
        incident_id,
        added,
        db.keyring.seal_one(Place("incident_entry.detail", entry_id), json.dumps({"text": body.text})),
        key,
    )


async def close_incident(db: Acting, incident_id: UUID, body: CloseIncident, key: Key) -> IncidentRecorded:
    """Close it: with all that UU 27/2022 art 46 asks of a notice, or with why there was none."""
    _refuse_the_future(
        db,
        subject_told_at=body.subject_told_at,
        authority_told_at=body.authority_told_at,
        happened_at=body.happened_at,
    )
    async with db.transaction() as tx:
        found = await queries.incidents(tx, db.agency_id, officer=db.is_officer(), incident_id=incident_id)
    if found and found[0]["state"] == "open" and body.no_notice_reason is None:
        missing = [
            name
            for name in ("data_classes", "persons", "happened_at")
            if getattr(body, name) is None and found[0][name] in (None, [])
        ]
        if missing:
            try:
                earlier = await earlier_answer(db, key)
            except asyncpg.PostgresError as error:
                raise (refusals.problem_of(error) or error) from error
            if earlier is not None:
                return _recorded(earlier)
            raise problems.IncidentIncomplete(missing)
    closing = {
        "close": True,
        "subject_told_at": body.subject_told_at,
        "authority_told_at": body.authority_told_at,
        "no_notice_reason": body.no_notice_reason,
        "persons": body.persons,
        "happened_at": body.happened_at,
        "data_classes": list(body.data_classes) if body.data_classes else None,
        "recorded_by_id": db.recorder_id,
    }
    said = {"action": body.action, "text": body.text, "authority_paper": body.authority_paper}
    sealed = db.keyring.seal_one(Place("incident.close_detail", incident_id), json.dumps(said))
    return await _add(db, incident_id, closing, sealed, key)


async def _add(db: Acting, incident_id: UUID, added: Document, detail: bytes, key: Key) -> IncidentRecorded:
    async with db.transaction() as tx:
        mine = await queries.incidents(tx, db.agency_id, officer=False, incident_id=incident_id)
    if not mine and not db.is_officer(Scope.protection_write):
        raise NotFound
    try:
        return _recorded(await queries.add_to_incident(db, key, incident_id, added, detail))
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error


async def list_incidents(
    db: Acting, *, role: str, state: str | None, case_id: UUID | None, cursor: str | None, limit: int
) -> Document:
    """Return a page of incidents without what is said of them."""
    if role == "officer" and not db.is_officer():
        raise problems.OfficerOnly
    filters = {"role": role, "state": state, "case_id": str(case_id) if case_id else None, "limit": str(limit)}
    scope = f"/v1/incidents {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.incidents(
            tx, db.agency_id, officer=role == "officer", case_id=case_id, before=before, state=state, limit=limit + 1
        )
        await tx.fetchval("SELECT log_by($1, 'incident:list', 'done', NULL, NULL, $2, '{}')", db.parameter(), case_id)
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {"items": [_envelope(db, row) for row in rows], "next": next_link("/v1/incidents", filters, more)}


async def read_incident(db: Acting, incident_id: UUID) -> Document:
    """Return an incident with all that was said of it."""
    async with db.transaction() as tx:
        rows = await queries.incidents(tx, db.agency_id, officer=db.is_officer(), incident_id=incident_id)
        if not rows:
            raise NotFound
        row = rows[0]
        entries = await queries.entries_of(tx, incident_id)
        await tx.fetchval(
            "SELECT log_by($1, 'incident:read', 'done', 'incident', $2, NULL, '{}')", db.parameter(), incident_id
        )
    said = orjson.loads(db.keyring.open_one(Place("incident.detail", row["id"]), row["detail"]))
    closing = (
        orjson.loads(db.keyring.open_one(Place("incident.close_detail", row["id"]), row["close_detail"]))
        if row["close_detail"]
        else {}
    )
    return _envelope(db, row) | {
        "how": said["how"],
        "action": said.get("action"),
        "entries": [
            {
                "id": each["id"],
                "by": agency_ref(db, each["agency_id"]),
                "recorded_at": each["recorded_at"],
                "text": orjson.loads(db.keyring.open_one(Place("incident_entry.detail", each["id"]), each["detail"]))[
                    "text"
                ],
            }
            for each in entries
        ],
        "authority_paper": closing.get("authority_paper"),
        "closing_action": closing.get("action"),
        "closing_text": closing.get("text"),
    }


def _envelope(db: Acting, row: asyncpg.Record) -> Document:
    copied = (
        "id",
        "reference",
        "kind",
        "subject",
        "subject_id",
        "cases",
        "happened_at",
        "noticed_at",
        "recorded_at",
        "data_classes",
        "persons",
        "due_at",
        "clock",
        "state",
        "subject_told_at",
        "authority_told_at",
        "no_notice_reason",
        "closed_at",
    )
    return {
        **{name: row[name] for name in copied},
        "reported_by": agency_ref(db, row["author_id"]),
        "responsible": agency_ref(db, row["responsible_id"]),
    }

"""What of a case is erased when; and the copy of everything about one person, for that person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting
from app.exchange.attachments.binding import held_with_files
from app.exchange.passing import problems
from app.exchange.passing.reading import agency_ref, allowed_for, in_force, readable_files
from app.exchange.records.sealing import as_record, in_order, open_sections
from app.exchange.retention import queries
from app.exchange.retention.table import SPECIFIC, Periods
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.keyring import Place
from app.foundation.problems import NotFound
from schemas.record.record import SECTIONS

Document = dict[str, Any]
OF_OTHERS: Final = ("family", "safety")
"""Sections that say much of others: the family, suspects, who else lives in a house. They leave only if the answer names them, after a look
(UU 27/2022 art 33)."""


async def preview(db: Acting, case_id: UUID) -> Document:
    """Return what of a case is erased when, and what holds keep, for its lead."""
    async with db.transaction() as tx:
        case = await queries.led_case(tx, case_id)
        if case is None:
            raise NotFound
        if not case["leads"]:
            raise problems.NotLead
        kept = await queries.kept_of(tx, case_id)
        holds = await queries.active_holds(tx, case_id)
        erased = await queries.erasures_of(tx, case_id)
        await tx.fetchval("SELECT log_by($1, 'case:retention', 'done', 'case', $2, $2, '{}')", db.parameter(), case_id)
    left = {name for row in kept for name in row["sections"] if name not in row["erased_sections"]}
    with_files = {name for row in kept for name in row["file_sections"]}
    kept_by = {hold["id"]: held_with_files(hold["sections"], with_files) for hold in holds}
    held = {name for sections in kept_by.values() for name in sections}
    periods = Periods.of(db.settings)
    closed = case["closed_at"] if case["state"] == "closed" else None
    done = {row["kind"] for row in erased if closed and row["cause"] == "retention" and row["recorded_at"] >= closed}
    items = []
    for kind in ("record_specific", "record_general", "access", "words", "proof"):
        sections = [name for name in in_order(left, SECTIONS) if (name in SPECIFIC) == (kind == "record_specific")]
        is_record = kind.startswith("record_")
        if kind in done or (is_record and not sections):
            continue
        stopped = set(sections) & held if is_record else held if kind == "proof" else set()
        items.append(
            {
                "kind": kind,
                "sections": sections if is_record else [],
                "erased_on": periods.after(kind, closed).date() if closed else None,
                "held_by": [hold["id"] for hold in holds if kept_by[hold["id"]] & stopped],
                "held_sections": in_order(stopped, SECTIONS),
            }
        )
    return {
        "case_id": case_id,
        "state": case["state"],
        "closed_at": closed,
        "items": items,
        "erased": [
            {
                "id": row["id"],
                "kind": row["kind"],
                "record_version": row["row_id"] if row["kind"] == "record" else None,
                "sections": in_order(row["sections"] or (), SECTIONS),
                "cause": row["cause"],
                "at": row["recorded_at"],
            }
            for row in erased
        ],
    }


async def export(db: Acting, case_id: UUID, request_id: UUID | None) -> AsyncIterator[bytes]:
    """Return all about one person as lines of JSON, once it is allowed and logged. What is sealed is opened line by line."""
    async with db.transaction() as tx:
        case = await queries.led_case(tx, case_id)
        if case is None:
            raise NotFound
        if not case["leads"]:
            raise problems.NotLead
        request = await queries.granted_copy(tx, case_id, request_id) if request_id is not None else None
        if request is None:
            raise problems.NothingGranted
        granted = set(request["answered_sections"] or (name for name in SECTIONS if name not in OF_OTHERS))
        await tx.fetchval(
            "SELECT log_by($1, 'case:export', 'done', 'case', $2, $2, $3)",
            db.parameter(),
            case_id,
            json.text({"subject_request": request_id, "sections": in_order(granted, SECTIONS)}),
        )
    return _lines(db, case, request, granted)


async def _lines(db: Acting, case: asyncpg.Record, request: asyncpg.Record, granted: set[str]) -> AsyncIterator[bytes]:
    def line(kind: str, document: Document) -> bytes:
        return json.dumps({"type": kind, **document}) + b"\n"

    case_id = case["id"]
    withheld = [name for name in SECTIONS if name not in granted]
    yield line(
        "export",
        {
            "format": "rujukan-person-export-1",
            "made_at": db.at,
            "by": agency_ref(db, db.agency_id),
            "subject_request": request["id"],
            "sections": in_order(granted, SECTIONS),
            "withheld_sections": withheld,
            "refusal_ground": request["refusal_ground"],
        },
    )
    async with db.transaction() as tx:
        leads = await queries.rows_of(tx, "case_lead", case_id)
        yield line(
            "case",
            {
                "id": case_id,
                "reference": case["reference"],
                "state": case["state"],
                "opened_at": case["opened_at"],
                "closed_at": case["closed_at"],
                "leads": [
                    {"agency": agency_ref(db, each["agency_id"]), "since": each["from_at"], "until": each["until_at"]}
                    for each in leads
                ],
            },
        )
        seen = set()
        for version in await queries.versions(tx, case_id):
            names = await _readable(db, tx, version) & granted
            sections = await open_sections(tx, db.keyring, version, names)
            if version["author_id"] == db.agency_id or sections:
                seen.add((version["author_id"], version["recorded_at"]))
                yield line(
                    "record",
                    {
                        "record_version": version["id"],
                        "schema_version": version["schema_version"],
                        "by": agency_ref(db, version["author_id"]),
                        "recorded_at": version["recorded_at"],
                        "record": {
                            name: each
                            for name, each in as_record(version["schema_version"], sections).items()
                            if name != "schema_version"
                        },
                        "withheld_sections": [name for name in version["sections"] if name not in sections],
                        "files": await readable_files(tx, db, version, set(sections)),
                        "erased_sections": in_order(version["erased_sections"], SECTIONS),
                    },
                )
        for row in await queries.elsewhere(tx, case_id):
            if (row["author_id"], row["recorded_at"]) not in seen:
                yield line("elsewhere", {"by": agency_ref(db, row["author_id"]), "recorded_at": row["recorded_at"]})
        for row in await queries.rows_of(tx, "consent", case_id):
            yield line("consent", _consent(db, row))
        for row in await queries.rows_of(tx, "consent_withdrawal", case_id):
            yield line(
                "consent_withdrawal",
                {
                    "consent": row["consent_id"],
                    "requested_by": row["requested_by"],
                    "requested_at": row["requested_at"],
                    "sections": row["sections"],
                },
            )
        for row in await queries.rows_of(tx, "correction", case_id):
            yield line(
                "correction",
                {"record_version": row["version_id"], "sections": row["sections"], "recorded_at": row["recorded_at"]},
            )
        for row in await queries.rows_of(tx, "disclosure", case_id):
            yield line("disclosure", _disclosure(db, row))
        for row in await queries.rows_of(tx, "move", case_id):
            yield line("move", _move(db, row, granted))
        for row in await queries.rows_of(tx, "subject_request", case_id):
            yield line(
                "subject_request",
                {
                    "id": row["id"],
                    "kind": row["kind"],
                    "requester": row["requester"],
                    "received_at": row["received_at"],
                    "answer": row["answer"],
                    "refusal_ground": row["refusal_ground"],
                    "answered_at": row["answered_at"],
                    "lifted_at": row["lifted_at"],
                },
            )
    yield line("end", {})


async def _readable(db: Acting, tx: Connection, version: asyncpg.Record) -> set[str]:
    """Return the sections of a version the lead may itself read: what it may not read it cannot hand on."""
    if version["author_id"] == db.agency_id:
        return set(version["sections"])
    return {
        name
        for each in await queries.opened_to(tx, version["id"], db.agency_id)
        if in_force(each, db.at) and each["purpose"]
        for name in set(each["sections"]) & allowed_for(db, [each["purpose"]])
    }


def _consent(db: Acting, row: asyncpg.Record) -> Document:
    place = Place("consent.detail", row["id"], row["case_id"])
    said = orjson.loads(db.keyring.open_one(place, row["detail"])) if row["detail"] else {}
    return {
        "id": row["id"],
        "giver": row["giver"],
        "method": row["method"],
        "language": row["language"],
        "given_at": row["given_at"],
        "until": row["until_at"],
        "withdrawn_at": row["withdrawn_at"],
        "sections": row["sections"],
        "agencies": row["agencies"],
        "agency_kinds": row["agency_kinds"],
        "purposes": row["purposes"],
        "recorded_by": agency_ref(db, row["author_id"]),
        "notice": said.get("notice"),
        "own_view": (said.get("child") or {}).get("own_view"),
    }


def _disclosure(db: Acting, row: asyncpg.Record) -> Document:
    return {
        "record_version": row["version_id"],
        "from": agency_ref(db, row["sender_id"]),
        "to": agency_ref(db, row["receiver_id"]),
        "sections": row["sections"],
        "basis": row["basis"],
        "consent": row["consent_id"],
        "legal_basis": row["legal_basis"],
        "article": row["article"],
        "until": row["until_at"],
        "recorded_at": row["recorded_at"],
        "opened_at": row["opened_at"],
        "closed_at": row["closed_at"],
        "locked_at": row["locked_at"],
        "lock_reason": row["lock_reason"],
    }


def _move(db: Acting, row: asyncpg.Record, granted: set[str]) -> Document:
    """Return a move: what was said only where it belongs to a granted section and the lead said it or was told. Never who acted, never a place."""
    text = None
    if row["detail"] is not None and row["section"] in granted and db.agency_id == row["agency_id"]:
        place = Place("move.detail", row["id"], row["subject_id"])
        text = orjson.loads(db.keyring.open_one(place, row["detail"])).get("text")
    return {
        "subject": row["subject"],
        "subject_id": row["subject_id"],
        "event": row["event"],
        "state": row["to_state"],
        "by": agency_ref(db, row["agency_id"]) if row["agency_id"] else None,
        "channel": row["channel"],
        "occurred_at": row["occurred_at"],
        "recorded_at": row["recorded_at"],
        "section": row["section"],
        "text": text,
    }

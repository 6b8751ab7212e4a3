"""Corrections: made by the lead, proposed by any party, read by whoever holds what was wrong; and a wrong record taken back."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key, occurred
from app.exchange.attachments.binding import files_of, sections_of
from app.exchange.cases.queries import case_by_id
from app.exchange.corrections import queries
from app.exchange.passing import refusals
from app.exchange.passing.queries import MovedRow, file_of_version
from app.exchange.passing.reading import (
    LEAVES_IN_HAND,
    agency_ref,
    allowed_for,
    in_force,
    log_file,
    readable_files,
    sections_in_hand,
)
from app.exchange.passing.service import moved
from app.exchange.passing.storing import guardian_suspected
from app.exchange.records.sealed import SealedPart, recipients_of
from app.exchange.records.sealing import as_record, in_order, open_sections, read_version, seal_sections
from app.foundation import json
from app.foundation.ids import new_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.problems import NotFound, Problem
from auth.scopes import Scope
from schemas.exchange.common import Moved
from schemas.exchange.correction import CorrectRecord, ProposeCorrection, RetractVersion
from schemas.record.record import SECTIONS, Record, included

Document = dict[str, Any]


async def _done(act: Awaitable[MovedRow], record: Record | None = None) -> Moved:
    try:
        return moved(await act, [], record)
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error


async def correct_record(db: Acting, case_id: UUID, body: CorrectRecord, key: Key) -> Moved:
    """Put sections right, for every holder of what was wrong in them."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        raise happened
    correction_id, version_id = uuid7(db.at), uuid7(db.at)
    sealed = seal_sections(db.keyring, body.record, version_id=version_id, case_id=case_id)
    correction = {
        "id": correction_id,
        "case_id": case_id,
        "version_id": version_id,
        "schema_version": body.record.schema_version,
        "sections": list(included(body.record)),
        "guardian_suspected": guardian_suspected(body.record),
        "sealed": recipients_of(body.record),
        "files": files_of(body.record),
        "proposal_id": body.proposal,
        "channel": body.channel,
        "occurred_at": happened,
        "recorded_by_id": db.recorder_id,
        "commitment": sealed.commitment,
    }
    detail = db.keyring.seal_one(
        Place("correction.detail", correction_id, case_id), json.dumps({"reason": body.reason})
    )
    act = queries.correct_record(db, key, correction, wrapped_key=sealed.wrapped_key, parts=sealed.parts, detail=detail)
    return await _done(act, body.record)


async def propose_correction(db: Acting, case_id: UUID, body: ProposeCorrection, key: Key) -> Moved:
    """Tell the lead what is wrong."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        raise happened
    request_id = uuid7(db.at)
    sections = in_order({pointer.split("/")[1] for pointer in body.pointers}, SECTIONS)
    said = {"pointers": list(body.pointers), "text": body.text}
    detail = db.keyring.seal_one(Place("request.detail", request_id, case_id), json.dumps(said))
    return await _done(queries.propose_correction(db, key, case_id, request_id, sections, detail))


async def retract_version(db: Acting, case_id: UUID, version_id: UUID, body: RetractVersion, key: Key) -> Moved:
    """Take a record version back: it is locked for everyone, and its author explains."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        raise happened
    incident_id = uuid7(db.at)
    place = Place("incident.detail", incident_id)
    detail = db.keyring.seal_one(place, json.dumps({"how": body.reason, "action": None}))
    officer = db.agency.desk and Scope.protection_write in db.caller.scopes
    return await _done(
        queries.retract_version(
            db,
            key,
            case_id,
            version_id,
            incident_id=incident_id,
            incident_reference=new_reference("I"),
            detail=detail,
            officer=officer,
        )
    )


async def list_corrections(db: Acting, case_id: UUID) -> Document:
    """Return the corrections of a case: all of them for its lead, its own for an earlier lead."""
    async with db.transaction() as tx:
        if await case_by_id(tx, case_id) is None:
            raise NotFound
        rows = await queries.corrections_of(tx, case_id)
        found = [await _entry(tx, db, row) for row in rows]
        await tx.fetchval("SELECT log_by($1, 'correction:list', 'done', 'case', $2, $2, '{}')", db.parameter(), case_id)
    return {"items": [entry for entry in found if entry["sections"]]}


async def _entry(tx: Any, db: Acting, row: asyncpg.Record) -> Document:
    """Return a correction without what it says; its sections as far as the caller may read or, as lead, know of them."""
    sections = row["sections"] if await _may_know_all(tx, db, row) else await _open_to(tx, db, row)
    return {
        "id": row["id"],
        "record_version": row["version_id"],
        "sections": in_order(sections, SECTIONS),
        "recorded_at": row["recorded_at"],
        "by": agency_ref(db, row["author_id"]),
        "proposal": row["proposal_id"],
    }


async def _may_know_all(tx: Any, db: Acting, row: asyncpg.Record) -> bool:
    return row["author_id"] == db.agency_id or bool(await tx.fetchval("SELECT is_lead($1)", row["case_id"]))


async def _open_to(tx: Any, db: Acting, row: asyncpg.Record) -> set[str]:
    """Return what a holder may read: what was disclosed of the correction and is open in its own referral or transfer, as the policy allows."""
    origins = [each for each in await queries.origins_of(tx, row["id"], db.agency_id) if in_force(each, db.at)]
    return {
        section
        for held in await queries.held_of(tx, row["id"], db.agency_id)
        if in_force(held, db.at)
        for section in set(held["sections"]) & allowed_for(db, [held["purpose"]])
        if any(each["subject_id"] == held["origin_id"] and section in each["sections"] for each in origins)
    }


def _rested_on(held: list[asyncpg.Record], shown: set[str], at: datetime) -> Document:
    """Return what the log says of the bases on which sections were shown; nothing of what is the reader's own."""
    bases = [
        {"basis": each["basis"], "sections": in_order(shown & set(each["sections"]), SECTIONS)}
        | ({"consent": each["consent_id"]} if each["consent_id"] else {})
        for each in held
        if in_force(each, at) and shown & set(each["sections"])
    ]
    return {"bases": bases} if bases else {}


async def _to_this_holder(tx: Any, db: Acting, sections: Document) -> Document:
    """Return sections without the recipients that are other holders: who else holds what is nobody's business. The JWE stays valid."""
    sealed = {name: each for name, each in sections.items() if isinstance(each, SealedPart)}
    if not sealed:
        return sections
    kids = {row["kid"] for row in await queries.own_sealing_keys(tx, db.agency_id)}
    kept = {
        name: SealedPart(each, recipients=[one for one in each["recipients"] if one["header"]["kid"] in kids])
        for name, each in sealed.items()
    }
    return {**sections, **kept}


async def read_correction(db: Acting, correction_id: UUID) -> Document:
    """Return a correction as the caller may read it, and log what was shown, in one transaction."""
    async with db.transaction() as tx:
        row = await queries.correction_by_id(tx, correction_id)
        if row is None:
            raise NotFound
        held = await queries.held_of(tx, correction_id, db.agency_id)
        is_author, knows_all = row["author_id"] == db.agency_id, await _may_know_all(tx, db, row)
        names = set(row["sections"]) if is_author else await _open_to(tx, db, row)
        version = await read_version(tx, row["version_id"])
        sections = await open_sections(tx, db.keyring, version, names) if version else {}
        if not is_author:
            sections = await _to_this_holder(tx, db, sections)
        in_hand = {}
        if any(each["lock_reason"] in LEAVES_IN_HAND for each in held):
            allowed = allowed_for(db, {each["purpose"] for each in held}) - set(sections)
            found = await sections_in_hand(
                tx, db, case_id=row["case_id"], subject_id=correction_id, version_id=row["version_id"]
            )
            in_hand = {name: part for name, part in found.items() if name in allowed}
        if not (knows_all or sections or in_hand or any(each["opened_at"] for each in held)):
            raise NotFound  # not yet accepted: there is nothing to know of it
        if held and sections:
            await queries.note_reading(tx, correction_id, db.agency_id, db.at)
        await tx.fetchval(
            "SELECT log_by($1, 'correction:read', 'done', 'correction', $2, $3, $4)",
            db.parameter(),
            correction_id,
            row["case_id"],
            json.text(
                {"sections": in_order(sections, SECTIONS)}
                | _rested_on(held, set() if is_author else set(sections), db.at)
                | ({"after_withdrawal": sorted(in_hand)} if in_hand else {})
            ),
        )
        entry = await _entry(tx, db, row)
        files = await readable_files(tx, db, version, set(sections)) if version else []
    shown = {**sections, **in_hand}
    disclosed = set(row["sections"]) if knows_all else {name for each in held for name in each["sections"]}
    said = (
        orjson.loads(db.keyring.open_one(Place("correction.detail", row["id"], row["case_id"]), row["detail"]))
        if knows_all and row["detail"]
        else {}
    )
    return entry | {
        "case_id": row["case_id"],
        "record": as_record(version["schema_version"], shown) if version and shown else None,
        "files": files,
        "withheld": in_order(disclosed - set(sections), SECTIONS),
        "reason": said.get("reason"),
    }


async def read_file(db: Acting, correction_id: UUID, attachment_id: UUID, *, content: bool) -> asyncpg.Record:
    """Return a file of a correction, as stored, to whoever may now read both its section and the papers of it. Raises `NotFound`."""
    async with db.transaction() as tx:
        row = await queries.correction_by_id(tx, correction_id)
        version = await read_version(tx, row["version_id"]) if row is not None else None
        file = await file_of_version(tx, version, attachment_id, db.at) if version is not None else None
        if row is None or file is None:
            raise NotFound
        is_author, needed = row["author_id"] == db.agency_id, sections_of(file["section"])
        if not needed <= (set(row["sections"]) if is_author else await _open_to(tx, db, row)):
            raise NotFound
        if content:
            held = await queries.held_of(tx, correction_id, db.agency_id)
            if held:
                await queries.note_reading(tx, correction_id, db.agency_id, db.at)
            rested_on = _rested_on(held, set() if is_author else needed, db.at)
            await log_file(tx, db, "correction", correction_id, file, case_id=row["case_id"], detail=rested_on)
    return file

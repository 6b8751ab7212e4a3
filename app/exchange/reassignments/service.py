"""Reassignments: proposed and approved by the desk, agreed to by the new lead, read by those and by the present lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key
from app.exchange.lifecycle import Party
from app.exchange.passing import refusals
from app.exchange.passing.problems import AgreementRequired, DeskOnly, ReceiverUnavailable, UnknownReceiver
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import REFERENCE_PREFIX, moved, unless_repeated
from app.exchange.reassignments import queries
from app.exchange.reassignments.lifecycle import REASSIGNMENT
from app.exchange.reassignments.problems import LeadsAlready, ReassignmentOpen, SecondPersonRequired
from app.foundation import json
from app.foundation.ids import new_reference, read_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from app.policy.agreements import agreed, crosses_border
from schemas.codes.referral import Purpose
from schemas.exchange import reassignment as wire
from schemas.exchange.common import Moved
from schemas.record.record import SECTIONS

Document = dict[str, Any]


async def propose(db: Acting, body: wire.NewReassignment, key: Key) -> Moved:
    """Propose a new lead for the case of a reference."""
    _as_desk(db)
    new_lead = db.directory.known_to(db.agency, body.to)
    refused: Problem | None = None
    if new_lead is None:
        refused = UnknownReceiver("/to")
    elif not new_lead.active:
        refused = ReceiverUnavailable()
    elif body.paper.date > db.at.date():
        refused = InvalidRequest([{"pointer": "/paper/date", "code": "in_the_future"}])
    if new_lead is None or refused is not None:
        return await unless_repeated(db, REASSIGNMENT, key, refused or UnknownReceiver("/to"), by=Party.DESK)
    reassignment_id = uuid7(db.at)
    proposed = {
        "id": reassignment_id,
        "case_reference": read_reference(body.case),
        "to_id": new_lead.id,
        "to_code": new_lead.code,
    }
    said = body.model_dump_json(include={"reason", "paper"}).encode()
    try:
        row = await queries.propose_reassignment(
            db, key, proposed, db.keyring.seal_one(Place("reassignment.detail", reassignment_id), said)
        )
    except asyncpg.PostgresError as error:
        raise (_problem_of(error) or error) from error
    return moved(row, REASSIGNMENT.moves_open(row.state, [Party.DESK]))


async def move(
    db: Acting, event: str, *, reassignment_id: UUID, seen: int, key: Key, reason: str | None = None
) -> Moved:
    """Make the move the table's row describes. What an agreement needs to be carried out comes with every one of them."""
    row = REASSIGNMENT[event]
    if row.by == Party.DESK:
        _as_desk(db)
    if event in _DISCLOSING and (refused := await _unagreed(db, reassignment_id)) is not None:
        return await unless_repeated(db, REASSIGNMENT, key, refused, by=row.by)
    parameters = {
        "id": reassignment_id,
        "event": event,
        "from_states": row.from_states,
        "to_state": row.to,
        "party": row.by,
        "seen": seen,
        "transfer_id": uuid7(db.at),
        "transfer_reference": new_reference(REFERENCE_PREFIX["transfer"]),
        "disclosure_id": uuid7(db.at),
        "recorded_by_id": db.recorder_id,
    }
    detail = (
        db.keyring.seal_one(Place("reassignment.end_detail", reassignment_id), json.dumps({"reason": reason}))
        if reason is not None
        else None
    )
    try:
        answer = await queries.apply_reassignment_move(db, key, parameters, detail)
    except asyncpg.PostgresError as error:
        raise (_problem_of(error) or error) from error
    return moved(answer, REASSIGNMENT.moves_open(answer.state, [row.by]))


_DISCLOSING = ("approve", "agree")
"""The moves that lead to the new lead's reading the whole record."""


async def _unagreed(db: Acting, reassignment_id: UUID) -> Problem | None:
    """Return the refusal of a case that would cross the border without an agreement that covers the whole record."""
    async with db.transaction() as tx:
        row = await queries.reassignment_by_id(tx, reassignment_id)
    if row is None:
        return None
    sender, receiver = (db.directory.agencies[row[end]] for end in ("from_id", "to_id"))
    home, purpose = db.settings.emergency_country, Purpose.CASE_RESPONSIBILITY
    if not crosses_border(sender, receiver, home=home):
        return None
    bounds = agreed(db.directory, sender, receiver, purpose, home=home, at=db.at)
    covered = bounds.sections if bounds is not None else frozenset()
    missing = [section for section in SECTIONS if section not in covered]
    if not missing:
        return None
    return AgreementRequired(
        sender=sender.code,
        receiver=receiver.code,
        purpose=purpose,
        refused=dict.fromkeys(missing, "agreement"),
        sendable=[],
    )


async def list_reassignments(db: Acting, *, states: Sequence[str] | None, cursor: str | None, limit: int) -> Document:
    """Return a page of what the desk proposed, or what the caller is asked or about to lose."""
    filters = {"state": list(states) if states else None, "limit": str(limit)}
    scope = f"/v1/reassignments {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.reassignments(tx, list(states) if states else None, before, limit + 1)
        await tx.fetchval("SELECT log_by($1, 'reassignment:list', 'done', NULL, NULL, NULL, '{}')", db.parameter())
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {
        "items": [_reassignment(db, row) for row in rows],
        "next": next_link("/v1/reassignments", filters, more),
    }


async def read_reassignment(db: Acting, reassignment_id: UUID) -> Document:
    """Return a reassignment, and log the reading."""
    async with db.transaction() as tx:
        row = await queries.reassignment_by_id(tx, reassignment_id)
        if row is None:
            raise NotFound
        await tx.fetchval(
            "SELECT log_by($1, 'reassignment:read', 'done', 'reassignment', $2, $3, '{}')",
            db.parameter(),
            reassignment_id,
            row["case_id"],
        )
    return _reassignment(db, row)


def _as_desk(db: Acting) -> None:
    """Refuse whoever is not the desk, also who records for it: its two persons must be told apart by its own staff references."""
    if not db.agency.desk or db.recorder_id != db.agency_id:
        raise DeskOnly


def _problem_of(error: asyncpg.PostgresError) -> Problem | None:
    detail: dict[str, Any] = orjson.loads(error.detail) if getattr(error, "detail", None) else {}
    match error.sqlstate:
        case "RJ075":
            return SecondPersonRequired()
        case "RJ076":
            return LeadsAlready()
        case "RJ077":
            return ReassignmentOpen(**detail)
    return refusals.problem_of(error, REASSIGNMENT)


def _reassignment(db: Acting, row: asyncpg.Record) -> Document:
    said = (
        orjson.loads(db.keyring.open_one(Place("reassignment.detail", row["id"]), row["detail"]))
        if row["detail"]
        else {}
    )
    ended = row["end_detail"] and orjson.loads(
        db.keyring.open_one(Place("reassignment.end_detail", row["id"]), row["end_detail"])
    )
    parties = [Party.DESK] if db.agency.desk else []
    if row["to_id"] == db.agency_id:
        parties.append(Party.RECEIVER)
    return {
        "id": row["id"],
        "case_id": row["case_id"],
        "case_reference": row["case_reference"],
        "from": agency_ref(db, row["from_id"]),
        "to": agency_ref(db, row["to_id"]),
        "state": row["state"],
        "version": row["version"],
        "reason": said.get("reason"),
        "paper": said.get("paper"),
        "end_reason": ended["reason"] if ended else None,
        "proposed_at": row["proposed_at"],
        "approved_at": row["approved_at"],
        "updated_at": row["updated_at"],
        "transfer_id": row["transfer_id"],
        "moves": REASSIGNMENT.moves_open(row["state"], parties),
    }

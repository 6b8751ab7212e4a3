"""Cases: what happens, and what is read."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key, occurred
from app.exchange.cases import queries
from app.exchange.cases.lifecycle import CASE
from app.exchange.lifecycle import Need, Party, Tell
from app.exchange.links.service import links_of
from app.exchange.passing import refusals
from app.exchange.passing.queries import MovedRow, consents_named, moves_of
from app.exchange.passing.reading import agency_ref, move_record, said_of
from app.exchange.passing.service import moved, unless_repeated
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.ids import new_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from schemas.codes.referral import CaseClosureReason
from schemas.exchange import case as wire
from schemas.exchange.common import Moved, MoveRequest

TOLD_AS = {"close": "case.closed", "reopen": "case.reopened", "correct_death": "case.death_corrected"}
"""How the parties learn of a move that tells them."""


async def open_case(db: Acting, body: wire.OpenCase, key: Key) -> Moved:
    """Open a case with the caller as its lead."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, CASE, key, happened, by=Party.LEAD)
    case = {
        "id": uuid7(db.at),
        "reference": new_reference("K"),
        "entry_channel": body.entry_channel,
        "occurred_at": happened,
        "channel": body.channel,
    }
    try:
        row = await queries.open_case(db, key, case)
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return _moved_by_lead(row)


async def follow_up(db: Acting, case_id: UUID, body: wire.FollowUp, seen: int, key: Key) -> Moved:
    """Go on to following the person up."""
    if body.until < db.at.date():
        refused = InvalidRequest([{"pointer": "/until", "code": "in_the_past"}])
        return await unless_repeated(db, CASE, key, refused, by=Party.LEAD)
    return await move(db, "follow_up", case_id=case_id, seen=seen, key=key, body=body)


async def close(db: Acting, case_id: UUID, body: wire.Close, seen: int, key: Key) -> Moved:
    """Close the case; a death also stops its clocks."""
    return await move(
        db,
        "close",
        case_id=case_id,
        seen=seen,
        key=key,
        body=body,
        death=body.reason == CaseClosureReason.DECEASED,
    )


async def reopen(db: Acting, case_id: UUID, body: wire.Reopen, seen: int, key: Key) -> Moved:
    """Open a closed case again."""
    named = {place: basis.consent_id for place, basis in enumerate(body.bases) if basis.kind == "consent"}
    if named:
        async with db.transaction() as tx:
            known = await consents_named(tx, case_id, [each for each in named.values() if each])
        standing = {consent_id for consent_id, row in known.items() if row["withdrawn_at"] is None}
        if unknown := [place for place, consent_id in named.items() if consent_id not in standing]:
            refused = InvalidRequest(
                [{"pointer": f"/bases/{place}/consent_id", "code": "no_standing_consent"} for place in unknown]
            )
            return await unless_repeated(db, CASE, key, refused, by=Party.LEAD)
    return await move(db, "reopen", case_id=case_id, seen=seen, key=key, body=body)


async def move(
    db: Acting, event: str, *, case_id: UUID, seen: int, key: Key, body: MoveRequest, death: bool = False
) -> Moved:
    """Make the move the table's row describes. All that the body says besides when and how is sealed."""
    row = CASE[event]
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, CASE, key, happened, by=row.by)
    move_id = uuid7(db.at)
    parameters = {
        "id": case_id,
        "event": event,
        "from_states": row.from_states,
        "to_state": row.to,
        "seen": seen,
        "tells": TOLD_AS[event] if Tell.PARTIES in row.tells else None,
        "death": death,
        "move_id": move_id,
        "occurred_at": happened,
        "channel": body.channel,
        "recorded_by_id": db.recorder_id,
    }
    try:
        answer = await queries.apply_case_move(db, key, parameters, _sealed(db, case_id, move_id, body))
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, CASE) or error) from error
    return _moved_by_lead(answer)


async def correct_death(db: Acting, case_id: UUID, body: wire.CorrectDeath, seen: int, key: Key) -> Moved:
    """Take back a death that was recorded by mistake: the clocks run again."""
    return await move(db, "correct_death", case_id=case_id, seen=seen, key=key, body=body)


async def record_victim_status(db: Acting, case_id: UUID, body: wire.NewVictimStatus, key: Key) -> Moved:
    """Append a decision about the person's status as a victim; nothing else changes."""
    if body.decided_on > db.at.date():
        refused = InvalidRequest([{"pointer": "/decided_on", "code": "in_the_future"}])
        return await unless_repeated(db, CASE, key, refused, by=Party.LEAD)
    status_id = uuid7(db.at)
    detail = db.keyring.seal_one(Place("victim_status.detail", status_id, case_id), body.model_dump_json().encode())
    try:
        row = await queries.record_victim_status(db, key, case_id, status_id, detail)
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return _moved_by_lead(row)


async def mark_guardian(db: Acting, case_id: UUID, body: wire.MarkGuardian, key: Key) -> Moved:
    """Bar the guardian, or lift it."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, CASE, key, happened, by=Party.LEAD)
    move_id = uuid7(db.at)
    mark = {
        "id": case_id,
        "event": "bar_guardian" if body.suspect else "clear_guardian",
        "suspect": body.suspect,
        "move_id": move_id,
        "occurred_at": happened,
        "channel": body.channel,
        "recorded_by_id": db.recorder_id,
    }
    try:
        row = await queries.mark_guardian(db, key, mark, _sealed(db, case_id, move_id, body))
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return _moved_by_lead(row)


def _sealed(db: Acting, case_id: UUID, move_id: UUID, body: MoveRequest) -> bytes:
    said = body.model_dump(mode="json", exclude={"occurred_at", "channel"}, exclude_none=True)
    return db.keyring.seal_one(Place("move.detail", move_id, case_id), json.dumps(said))


def _moved_by_lead(row: MovedRow) -> Moved:
    return moved(row, CASE.moves_open(row.state, [Party.LEAD]))


def _envelope(db: Acting, row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "reference": row["reference"],
        "state": row["state"],
        "version": row["version"],
        "lead": agency_ref(db, row["lead_id"]),
        "opened_at": row["opened_at"],
        "updated_at": row["updated_at"],
    }


async def list_cases(db: Acting, *, role: str, state: str | None, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of the cases the caller leads, or led before."""
    filters = {"role": role, "state": state, "limit": str(limit)}
    scope = f"/v1/cases {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    query = queries.cases_led if role == "lead" else queries.cases_led_before
    async with db.transaction() as tx:
        rows = await query(tx, db.agency_id, state, before, limit + 1)
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {"items": [_envelope(db, row) for row in rows], "next": next_link("/v1/cases", filters, more)}


async def read_case(db: Acting, case_id: UUID, *, within: Connection | None = None) -> dict[str, Any]:
    """Return a case as the caller may know it, and log the reading."""
    async with db.transaction(within) as tx:
        row = await queries.case_by_id(tx, case_id)
        if row is None:
            raise NotFound
        leads = await queries.leads_of(tx, case_id)
        is_lead = row["lead_id"] == db.agency_id
        for_lead = await _for_lead(db, tx, row) if is_lead else _FOR_OTHERS
        await tx.fetchval(
            "SELECT log_by($1, 'case:read', 'done', 'case', $2, $2, $3)",
            db.parameter(),
            case_id,
            json.text({"leads": len(leads)}),
        )
    return (
        _envelope(db, row)
        | {
            "leads": [
                {
                    "agency": agency_ref(db, lead["agency_id"]),
                    "since": lead["from_at"],
                    "until": lead["until_at"],
                    "transfer_id": lead["transfer_id"],
                }
                for lead in leads
            ],
            "moves": CASE.moves_open(
                row["state"],
                [Party.LEAD] if is_lead else [],
                [Need.DEATH_RECORDED] if row["deceased_at"] is not None else [],
            ),
        }
        | for_lead
    )


_FOR_OTHERS: Final[dict[str, Any]] = {
    "history": [],
    "plan": None,
    "closure": None,
    "victim_status": [],
    "guardian_barred": None,
    "links": [],
}


async def _for_lead(db: Acting, tx: Connection, row: asyncpg.Record) -> dict[str, Any]:
    """Return what the lead alone may know."""
    moves = await moves_of(tx, row["id"])
    latest = {each["event"]: each for each in moves if each["detail"] is not None}
    plan = said_of(db, latest["follow_up"]) if "follow_up" in latest else None
    closure = said_of(db, latest["close"]) if row["state"] == "closed" and "close" in latest else None
    return {
        "history": [move_record(db, each) for each in moves],
        "plan": plan,
        "closure": closure and {"reason": closure["reason"], "text": closure.get("text")},
        "victim_status": [
            _victim_status(db, each) for each in await queries.victim_status_of(tx, row["id"]) if each["detail"]
        ],
        "guardian_barred": row["guardian_barred_at"] is not None,
        "links": await links_of(db, tx, row["id"]),
    }


def _victim_status(db: Acting, row: asyncpg.Record) -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(
        db.keyring.open_one(Place("victim_status.detail", row["id"], row["case_id"]), row["detail"])
    )
    return {"id": row["id"], **said, "by": agency_ref(db, row["agency_id"]), "recorded_at": row["recorded_at"]}

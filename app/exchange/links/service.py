"""Links between cases: proposed, answered, ended, read; each side sees its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key, occurred
from app.exchange.lifecycle import Party
from app.exchange.links import queries
from app.exchange.links.lifecycle import LINK
from app.exchange.passing import refusals
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import moved, unless_repeated
from app.foundation import json
from app.foundation.database import Connection
from app.foundation.ids import read_reference, uuid7
from app.foundation.keyring import Place
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import NotFound, Problem
from schemas.exchange import link as wire
from schemas.exchange.common import Moved, MoveRequest

Document = dict[str, Any]


async def propose(db: Acting, case_id: UUID, body: wire.NewLink, key: Key) -> Moved:
    """Propose a link to the case whose reference was typed. What is no reference is looked for all the same, and not found."""
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, LINK, key, happened, by=Party.SENDER)
    link_id = uuid7(db.at)
    link = {
        "id": link_id,
        "case_id": case_id,
        "other": read_reference(body.other),
        "kind": body.kind,
        "move_id": uuid7(db.at),
        "occurred_at": happened,
        "channel": body.channel,
        "recorded_by_id": db.recorder_id,
    }
    try:
        row = await queries.propose_link(db, key, link, _sealed(db, Place("case_link.detail", link_id), body.text))
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error) or error) from error
    return moved(row, LINK.moves_open(row.state, [Party.SENDER]))


async def move(
    db: Acting, event: str, *, link_id: UUID, seen: int, key: Key, body: MoveRequest, reason: str | None = None
) -> Moved:
    """Make the move the table's row describes."""
    row = LINK[event]
    happened = occurred(body.occurred_at, db.at)
    if isinstance(happened, Problem):
        return await unless_repeated(db, LINK, key, happened, by=row.by)
    parameters = {
        "id": link_id,
        "event": event,
        "from_states": row.from_states,
        "to_state": row.to,
        "party": row.by,
        "seen": seen,
        "move_id": uuid7(db.at),
        "occurred_at": happened,
        "channel": body.channel,
        "recorded_by_id": db.recorder_id,
    }
    try:
        answer = await queries.apply_link_move(
            db, key, parameters, _sealed(db, Place("case_link.end_detail", link_id), reason)
        )
    except asyncpg.PostgresError as error:
        raise (refusals.problem_of(error, LINK) or error) from error
    return moved(answer, LINK.moves_open(answer.state, [row.by]))


async def list_links(db: Acting, *, states: Sequence[str] | None, cursor: str | None, limit: int) -> Document:
    """Return a page of the links of the caller's cases, newest first."""
    filters = {"state": list(states) if states else None, "limit": str(limit)}
    scope = f"/v1/case-links {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.own_links(tx, states=list(states) if states else None, before=before, limit=limit + 1)
        await tx.fetchval("SELECT log_by($1, 'link:list', 'done', NULL, NULL, NULL, '{}')", db.parameter())
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
    return {"items": [_link(db, row) for row in rows], "next": next_link("/v1/case-links", filters, more)}


async def read_link(db: Acting, link_id: UUID) -> Document:
    """Return a link as the caller's side may know it, and log the reading."""
    async with db.transaction() as tx:
        rows = await queries.own_links(tx, link_id=link_id)
        if not rows:
            raise NotFound
        await tx.fetchval(
            "SELECT log_by($1, 'link:read', 'done', 'link', $2, $3, '{}')", db.parameter(), link_id, rows[0]["case_id"]
        )
    return _link(db, rows[0])


async def links_of(db: Acting, tx: Connection, case_id: UUID) -> list[Document]:
    """Return the links of a case the caller leads, as that case's side may know them."""
    return [_link(db, row) for row in await queries.own_links(tx, case_id=case_id)]


def _link(db: Acting, row: asyncpg.Record) -> Document:
    own = Party.SENDER if row["proposed_here"] else Party.RECEIVER
    return {
        "id": row["id"],
        "case_id": row["case_id"],
        "case_reference": row["case_reference"],
        "kind": row["kind"],
        "state": row["state"],
        "version": row["version"],
        "proposed_here": row["proposed_here"],
        "other_lead": agency_ref(db, row["other_lead_id"]) if row["other_lead_id"] else None,
        "text": _said(db, Place("case_link.detail", row["id"]), row["detail"]),
        "reason": _said(db, Place("case_link.end_detail", row["id"]), row["end_detail"]),
        "proposed_at": row["proposed_at"],
        "updated_at": row["updated_at"],
        "moves": LINK.moves_open(row["state"], [Party.SENDER, Party.RECEIVER] if row["leads_both"] else [own]),
    }


def _sealed(db: Acting, place: Place, text: str | None) -> bytes | None:
    return db.keyring.seal_one(place, json.dumps({"text": text})) if text is not None else None


def _said(db: Acting, place: Place, sealed: bytes | None) -> str | None:
    return str(orjson.loads(db.keyring.open_one(place, sealed))["text"]) if sealed is not None else None

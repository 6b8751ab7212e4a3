"""Cases: what happens, and what is read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key, occurred
from app.exchange.cases import queries
from app.exchange.cases.lifecycle import CASE
from app.exchange.lifecycle import Party
from app.exchange.passing import refusals
from app.exchange.passing.reading import agency_ref
from app.exchange.passing.service import moved, unless_repeated
from app.foundation import json
from app.foundation.ids import new_reference, uuid7
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import NotFound, Problem
from schemas.exchange.case import OpenCase
from schemas.exchange.common import Moved


async def open_case(db: Acting, body: OpenCase, key: Key) -> Moved:
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


async def read_case(db: Acting, case_id: UUID) -> dict[str, Any]:
    """Return a case as the caller may know it, and log the reading."""
    async with db.transaction() as tx:
        row = await queries.case_by_id(tx, case_id)
        if row is None:
            raise NotFound
        leads = await queries.leads_of(tx, case_id)
        await tx.fetchval(
            "SELECT log_by($1, 'case:read', 'done', 'case', $2, $2, $3)",
            db.parameter(),
            case_id,
            json.text({"leads": len(leads)}),
        )
    is_lead = row["lead_id"] == db.agency_id
    return _envelope(db, row) | {
        "leads": [
            {
                "agency": agency_ref(db, lead["agency_id"]),
                "since": lead["from_at"],
                "until": lead["until_at"],
                "transfer_id": lead["transfer_id"],
            }
            for lead in leads
        ],
        "moves": CASE.moves_open(row["state"], [Party.LEAD] if is_lead else []),
    }

"""Imports as they are read, and cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, get_args
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.exchange.bulk import queries
from app.exchange.bulk.problems import ImportNotOpen
from app.foundation.database import Connection
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import NotFound
from schemas.exchange.bulk import LineOutcome

Document = dict[str, Any]
OUTCOMES: Final[tuple[str, ...]] = get_args(LineOutcome)
_ENDED: Final = ("finished", "cancelled", "stopped")


def as_import(db: Acting, row: asyncpg.Record, counts: Mapping[str, int]) -> Document:
    """Return an import as its agency reads it."""
    of_each = {outcome: counts.get(outcome, 0) for outcome in (*OUTCOMES, "waiting")}
    handled = row["lines"] - of_each["waiting"] - of_each["cancelled"]
    speed = None
    if row["started_at"] is not None and handled:
        took = ((row["ended_at"] or db.clock.now()) - row["started_at"]).total_seconds()
        speed = round(handled / max(took, 0.001), 2)
    return {
        "id": row["id"],
        "key": row["key"],
        "client": row["client_id"],
        "state": row["state"],
        "reason": row["reason"],
        "lines": row["lines"],
        "bytes": row["size"],
        "counts": of_each,
        "lines_per_second": speed,
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "kept_until": row["ended_at"] and row["ended_at"] + timedelta(days=db.settings.import_days),
    }


async def _counted(tx: Connection, rows: Sequence[asyncpg.Record]) -> dict[UUID, dict[str, int]]:
    """Return the counts of imports; of those that have ended they are kept."""
    found = await queries.counts_of(tx, [row["id"] for row in rows if row["counts"] is None])
    return found | {row["id"]: queries.as_json(row["counts"]) for row in rows if row["counts"] is not None}


async def shown(db: Acting, row: asyncpg.Record) -> Document:
    """Return an import that was just changed."""
    async with db.transaction() as tx:
        return as_import(db, row, (await _counted(tx, [row])).get(row["id"], {}))


async def read_import(db: Acting, import_id: UUID) -> Document:
    """Return how an import stands."""
    async with db.transaction() as tx:
        row = await _found(tx, import_id)
        return as_import(db, row, (await _counted(tx, [row])).get(row["id"], {}))


async def list_imports(db: Acting, *, key: str | None, state: str | None, cursor: str | None, limit: int) -> Document:
    """Return a page of the agency's imports."""
    filters = {"key": key, "state": state, "limit": str(limit)}
    scope = f"/v1/imports {db.agency_id} {sorted(filters.items(), key=str)}"
    before = UUID(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.list_imports(tx, db.agency_id, key=key, state=state, before=before, limit=limit + 1)
        more = None
        if len(rows) > limit:
            rows = rows[:limit]
            more = encode_cursor(db.keyring, scope, [str(rows[-1]["id"])])
        counts = await _counted(tx, rows)
    return {
        "items": [as_import(db, row, counts.get(row["id"], {})) for row in rows],
        "next": next_link("/v1/imports", filters, more),
    }


async def list_results(
    db: Acting, import_id: UUID, *, outcomes: Sequence[str] | None, cursor: str | None, limit: int
) -> Document:
    """Return a page of what became of an import's lines."""
    path = f"/v1/imports/{import_id}/results"
    filters: dict[str, Any] = {"outcome": list(outcomes) if outcomes else None, "limit": str(limit)}
    scope = f"{path} {db.agency_id} {sorted(filters.items(), key=str)}"
    after = int(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else 0
    async with db.transaction() as tx:
        await _found(tx, import_id)
        rows = await queries.list_results(tx, import_id, outcomes=outcomes, after=after, limit=limit + 1)
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [str(rows[-1]["number"])])
    return {"items": [_as_result(row) for row in rows], "next": next_link(path, filters, more)}


async def cancel_import(db: Acting, import_id: UUID) -> Document:
    """Look at no more line of an import. What was sent stays sent."""
    async with db.transaction() as tx:
        row = await _found(tx, import_id)
        cancelled = await queries.change_state(
            tx, import_id, client_id=None, from_states=["receiving", "running"], to="cancelled", at=db.clock.now()
        )
        if cancelled is None:
            if row["state"] != "cancelled":
                raise ImportNotOpen(state=row["state"])
            return as_import(db, row, (await _counted(tx, [row])).get(import_id, {}))
        await queries.leave_lines(tx, import_id, db.clock.now())
        await tx.fetchval(
            "SELECT log_by($1, 'import:cancel', 'done', 'import', $2, NULL, '{}')", db.parameter(), import_id
        )
        counts = (await queries.counts_of(tx, [import_id])).get(import_id, {})
        await queries.keep_counts(tx, import_id, counts)
        return as_import(db, cancelled, counts)


async def _found(tx: Connection, import_id: UUID) -> asyncpg.Record:
    row = await queries.find_import(tx, import_id)
    if row is None:
        raise NotFound
    return row


def _as_result(row: asyncpg.Record) -> Document:
    return {
        "line": row["number"],
        "key": row["key"],
        "outcome": row["outcome"],
        "referral_id": row["referral_id"],
        "case_id": row["case_id"],
        "reference": row["reference"],
        "problem": queries.as_json(row["problem"]),
        "warnings": queries.as_json(row["warnings"]) or [],
        "handled_at": row["handled_at"],
    }

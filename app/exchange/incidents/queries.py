"""The SQL of incidents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection

_PAGE = """SELECT i.*, ARRAY(SELECT k.case_id FROM incident_case k WHERE k.incident_id = i.id ORDER BY 1) AS cases FROM incident i
    WHERE ($1::uuid IS NULL OR i.id = $1) AND i.id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
      AND ($3::text IS NULL OR i.state = $3)
      AND ($4::uuid IS NULL OR EXISTS (SELECT FROM incident_case k WHERE k.incident_id = i.id AND k.case_id = $4))
      AND ($6::boolean OR i.author_id = $7 OR i.responsible_id = $7
           OR EXISTS (SELECT FROM incident_case k JOIN case_file c ON c.id = k.case_id WHERE k.incident_id = i.id AND c.lead_id = $7))
    ORDER BY i.id DESC LIMIT $5"""


async def open_incident(db: Acting, key: Key, incident: dict[str, Any], detail: bytes) -> MovedRow:
    """Write down an incident, in one statement."""
    row = await db.one(
        "SELECT * FROM open_incident($1, $2, $3, $4, $5, $6, $7)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(incident),
        detail,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def add_to_incident(db: Acting, key: Key, incident_id: UUID, added: dict[str, Any], detail: bytes) -> MovedRow:
    """Add to an incident, or close it, in one statement."""
    row = await db.one(
        "SELECT * FROM add_to_incident($1, $2, $3, $4, $5, $6, $7)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        incident_id,
        json.text(added),
        detail,
    )
    return MovedRow(*row)


async def incidents(
    tx: Connection,
    agency_id: UUID,
    *,
    officer: bool,
    incident_id: UUID | None = None,
    case_id: UUID | None = None,
    before: UUID | None = None,
    state: str | None = None,
    limit: int = 1,
) -> list[asyncpg.Record]:
    """Return incidents the agency is concerned by, newest first; as an officer also those it only reviews."""
    rows: list[asyncpg.Record] = await tx.fetch(_PAGE, incident_id, before, state, case_id, limit, officer, agency_id)
    return rows


async def entries_of(tx: Connection, incident_id: UUID) -> list[asyncpg.Record]:
    """Return what was added to an incident, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM incident_entry WHERE incident_id = $1 ORDER BY recorded_at, id", incident_id
    )
    return rows

"""The SQL of corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.passing.queries import MovedRow
from app.foundation import json
from app.foundation.database import Connection


async def correct_record(
    db: Acting, key: Key, correction: dict[str, Any], *, wrapped_key: bytes, parts: Sequence[bytes], detail: bytes
) -> MovedRow:
    """Store a correction and pass it on to every holder, in one statement."""
    row = await db.one(
        "SELECT * FROM correct_record($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(correction),
        wrapped_key,
        parts,
        detail,
    )
    return MovedRow(*row)


async def propose_correction(
    db: Acting, key: Key, case_id: UUID, request_id: UUID, sections: Sequence[str], detail: bytes
) -> MovedRow:
    """Ask the lead to correct the record, in one statement."""
    row = await db.one(
        "SELECT * FROM propose_correction($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        case_id,
        request_id,
        list(sections),
        detail,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def retract_version(
    db: Acting,
    key: Key,
    case_id: UUID,
    version_id: UUID,
    *,
    incident_id: UUID,
    incident_reference: str,
    detail: bytes,
    officer: bool,
) -> MovedRow:
    """Take a record version back from everyone, in one statement. `officer`: the caller is a protection officer."""
    row = await db.one(
        "SELECT * FROM retract_version($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        case_id,
        version_id,
        incident_id,
        incident_reference,
        detail,
        officer,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def correction_by_id(tx: Connection, correction_id: UUID) -> asyncpg.Record | None:
    """Return a correction the agency made, leads the case of, or holds."""
    return await tx.fetchrow("SELECT * FROM correction WHERE id = $1", correction_id)


async def corrections_of(tx: Connection, case_id: UUID) -> list[asyncpg.Record]:
    """Return the corrections of a case, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM correction WHERE case_id = $1 ORDER BY recorded_at, id", case_id
    )
    return rows


async def held_of(tx: Connection, correction_id: UUID, receiver_id: UUID) -> list[asyncpg.Record]:
    """Return what of a correction was disclosed to the receiver, with what it holds of each origin: its purpose and the sections open there."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT d.*, coalesce(r.purpose, t.purpose) AS purpose FROM disclosure d
           LEFT JOIN referral r ON r.id = d.origin_id LEFT JOIN transfer t ON t.id = d.origin_id
           WHERE d.subject_id = $1 AND d.receiver_id = $2""",
        correction_id,
        receiver_id,
    )
    return rows


async def origins_of(tx: Connection, correction_id: UUID, receiver_id: UUID) -> list[asyncpg.Record]:
    """Return the receiver's own bases on the referrals and transfers whose sections were corrected."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT * FROM disclosure WHERE receiver_id = $2 AND opened_at IS NOT NULL AND subject_id IN (
               SELECT origin_id FROM disclosure WHERE subject_id = $1 AND receiver_id = $2)""",
        correction_id,
        receiver_id,
    )
    return rows


async def note_reading(tx: Connection, correction_id: UUID, receiver_id: UUID, at: datetime) -> None:
    """Remember that a holder who accepted after the correction has read it, so that it is asked too should the basis go."""
    await tx.execute(
        "UPDATE disclosure SET opened_at = $3 WHERE subject_id = $1 AND receiver_id = $2 AND opened_at IS NULL",
        correction_id,
        receiver_id,
        at,
    )


async def own_sealing_keys(tx: Connection, agency_id: UUID) -> list[asyncpg.Record]:
    """Return an agency's own keys that sections can be sealed to, past ones too."""
    rows: list[asyncpg.Record] = await tx.fetch("SELECT kid FROM sealing_key WHERE agency_id = $1", agency_id)
    return rows

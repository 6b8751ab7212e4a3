"""The SQL of sending, moving and reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from app.dependencies import Acting, Key
from app.exchange.records.sealing import SealedRecord
from app.foundation import json
from app.foundation.database import Connection


class MovedRow(NamedTuple):
    """The SQL composite `moved`."""

    repeated: bool
    subject: str
    id: UUID
    case_id: UUID
    reference: str
    state: str
    version: int
    log_id: UUID
    recorded_at: Any
    met: list[str] | None = None
    """Conditions of moves that the row meets, by `Need`."""


def _record(sealed: SealedRecord | None) -> tuple[Any, ...]:
    return (sealed.needs_hash, sealed.wrapped_key, sealed.parts, sealed.preview) if sealed else (None, None, None, None)


async def send(
    db: Acting,
    key: Key,
    envelope: dict[str, Any],
    *,
    sealed: SealedRecord | None,
    reasons: Sequence[bytes | None],
    consent_detail: bytes | None,
    detail: bytes | None,
) -> MovedRow:
    """Send a referral or offer a transfer, in one statement."""
    row = await db.one(
        "SELECT * FROM send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(envelope),
        *_record(sealed),
        reasons,
        consent_detail,
        detail,
    )
    return MovedRow(*row)


async def apply_move(
    db: Acting,
    key: Key,
    move: dict[str, Any],
    *,
    detail: bytes | None,
    sealed: SealedRecord | None = None,
    reasons: Sequence[bytes | None] = (),
) -> MovedRow:
    """Make a move, in one statement."""
    row = await db.one(
        "SELECT * FROM apply_move($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        json.text(move),
        detail,
        *_record(sealed),
        reasons,
    )
    return MovedRow(*row)


async def dispute_move(
    db: Acting, key: Key, subject: str, subject_id: UUID, move_id: UUID, own: dict[str, Any], *, detail: bytes
) -> MovedRow:
    """Dispute a move that another agency recorded, in one statement."""
    row = await db.one(
        "SELECT * FROM dispute_move($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        subject,
        subject_id,
        move_id,
        json.text(own),
        detail,
    )
    return MovedRow(*row)


async def request_reseal(
    db: Acting, key: Key, subject: str, subject_id: UUID, request_id: UUID, *, sections: list[str], cause: str
) -> MovedRow:
    """Ask the sender to seal sections again, in one statement."""
    row = await db.one(
        "SELECT * FROM request_reseal($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        subject,
        subject_id,
        request_id,
        sections,
        cause,
        db.settings.answer_request_within,
    )
    return MovedRow(*row)


async def confirm_move(
    db: Acting, key: Key, subject: str, subject_id: UUID, move_id: UUID, own: dict[str, Any]
) -> MovedRow:
    """Confirm a disputed move of the caller's, in one statement."""
    row = await db.one(
        "SELECT * FROM confirm_move($1, $2, $3, $4, $5, $6, $7, $8)",
        key.value,
        key.request_hash,
        db.settings.idempotency_days,
        subject,
        subject_id,
        move_id,
        json.text(own),
    )
    return MovedRow(*row)


async def earlier_answer(db: Acting, key: Key) -> MovedRow | None:
    """Return the answer this key got before, if it did."""
    row = await db.one(
        "SELECT * FROM repeated_answer($1, $2, $3, $4)", key.value, key.request_hash, db.settings.idempotency_days
    )
    return MovedRow(*row) if row is not None and row["id"] is not None else None


async def consents_named(tx: Connection, case_id: UUID, ids: Sequence[UUID]) -> dict[UUID, asyncpg.Record]:
    """Return those of the consents that are of this case, that count, and that the agency may see."""
    rows = await tx.fetch(
        """SELECT * FROM consent WHERE case_id = $1 AND id = ANY ($2) AND NOT is_barred(case_id, giver)
           AND doubted_at IS NULL AND provable AND assent IS DISTINCT FROM 'refused'""",
        case_id,
        ids,
    )
    return {row["id"]: row for row in rows}


async def consent_gaps(
    tx: Connection,
    case_id: UUID,
    consent_id: UUID | None,
    sections: Sequence[str],
    receiver: str,
    kind: str,
    purpose: str,
    *,
    child: bool,
    at: datetime,
) -> dict[str, str]:
    """Return why which of these sections cannot rest on a consent of the case, for this receiver and purpose."""
    found = await tx.fetchval(
        "SELECT consent_gaps($1, $2, $3, $4, $5, $6, $7, $8)",
        case_id,
        consent_id,
        sections,
        receiver,
        kind,
        purpose,
        child,
        at,
    )
    gaps: dict[str, str] = orjson.loads(found)
    return gaps


async def restricted_sections(tx: Connection, case_id: UUID, at: datetime) -> dict[str, asyncpg.Record]:
    """Return the sections that the person of a case had restricted at a time, each with the request and since when, to whoever has a part in it."""
    rows = await tx.fetch("SELECT * FROM restricted_sections($1, $2)", case_id, at)
    return {row["section"]: row for row in rows}


async def without_barred(tx: Connection, case_id: UUID, disclosures: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
    """Leave out what rests on the word of a guardian since barred: it stays as it is, and nothing new goes by it."""
    return [
        each
        for each in disclosures
        if each["consent_id"] is None
        or not await tx.fetchval("SELECT rests_on_barred($1, $2)", case_id, each["consent_id"])
    ]


async def knows_case(tx: Connection, case_id: UUID) -> bool:
    """Return whether the agency may know of a case."""
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM case_file WHERE id = $1)", case_id))


async def is_barred(tx: Connection, case_id: UUID, giver: str) -> bool:
    """Return whether what this giver says does not count in a case."""
    return bool(await tx.fetchval("SELECT is_barred($1, $2)", case_id, giver))


async def list_page(
    db: Acting,
    subject: str,
    *,
    role: str,
    states: list[str] | None,
    open_only: bool,
    urgency: list[str] | None,
    case_id: UUID | None,
    updated_since: Any,
    after: tuple[Any, UUID] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return envelopes, newest first; with `updated_since`, oldest change first."""
    after_updated, after_id = after or (None, None)
    function = {"referral": "list_referrals", "transfer": "list_transfers"}[subject]
    return await db.all(
        f"SELECT * FROM {function}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",  # noqa: S608 -- one of two names
        role,
        states,
        open_only,
        urgency,
        case_id,
        updated_since,
        after_updated,
        after_id,
        limit,
    )


_FOUND = {
    subject: f"""SELECT s.*, coalesce((SELECT n.unread FROM note_seen n WHERE n.agency_id = (SELECT current_agency())
                                       AND n.subject_id = s.id AND n.case_id = s.case_id), 0) AS notes_unread
                 FROM {subject} s WHERE s.id = $1"""  # noqa: S608 -- one of two names
    for subject in ("referral", "transfer")
}


async def find(tx: Connection, subject: str, subject_id: UUID) -> asyncpg.Record | None:
    """Return a referral or transfer the agency is party to, with how many notes wait for it to be read (`notes_unread`)."""
    return await tx.fetchrow(_FOUND[subject], subject_id)


async def disclosures_of(tx: Connection, subject_id: UUID, version_id: UUID) -> list[asyncpg.Record]:
    """Return the bases of the present version, and of words that have one of their own."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT d.*, v.id AS review_id, v.state AS review_state, v.due_at AS review_due_at, v.decided_at AS review_decided_at
           FROM disclosure d LEFT JOIN review v ON v.disclosure_id = d.id AND v.case_id = d.case_id
           WHERE d.subject_id = $1 AND (d.version_id = $2 OR d.move_id IS NOT NULL) ORDER BY d.recorded_at, d.id""",
        subject_id,
        version_id,
    )
    return rows


async def corrections_since(
    tx: Connection, subject_id: UUID, receiver_id: UUID, since: datetime
) -> list[asyncpg.Record]:
    """Return what of a referral or transfer was corrected after `since`, oldest first, as far as it was disclosed to the receiver."""
    rows: list[asyncpg.Record] = await tx.fetch(
        """SELECT c.id, c.recorded_at, d.sections, d.closed_at, d.locked_at, d.until_at
           FROM disclosure d JOIN correction c ON c.id = d.subject_id AND c.case_id = d.case_id
           WHERE d.origin_id = $1 AND d.receiver_id = $2 AND c.recorded_at > $3 ORDER BY c.recorded_at, c.id""",
        subject_id,
        receiver_id,
        since,
    )
    return rows


async def content_in_hand(
    tx: Connection, *, case_id: UUID, subject_id: UUID, version_id: UUID, locked_after: datetime
) -> list[asyncpg.Record]:
    """Return the sealed `safety` and `health` of a version that stay readable to whoever has the person with them."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM content_in_hand($1, $2, $3, $4)", case_id, subject_id, version_id, locked_after
    )
    return rows


async def moves_of(tx: Connection, subject_id: UUID) -> list[asyncpg.Record]:
    """Return what happened, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        "SELECT * FROM move WHERE subject_id = $1 ORDER BY version, recorded_at, id", subject_id
    )
    return rows


_FILE = """SELECT a.* FROM record_attachment r JOIN attachment a ON a.id = r.attachment_id
           WHERE r.version_id = $1 AND r.case_id = $2 AND a.state = 'ready'
             AND ($3::uuid <> current_agency() OR holds_file(a.id, r.case_id, $4))"""
"""To its author, a version opens files that are its own, or that it holds: not another's for having named it."""


async def files_of_version(tx: Connection, version: asyncpg.Record, at: datetime) -> list[asyncpg.Record]:
    """Return the files of a version that row-level security opens to the agency, oldest first."""
    rows: list[asyncpg.Record] = await tx.fetch(
        f"{_FILE} ORDER BY a.id", version["id"], version["case_id"], version["author_id"], at
    )
    return rows


async def file_of_version(
    tx: Connection, version: asyncpg.Record, attachment_id: UUID, at: datetime
) -> asyncpg.Record | None:
    """Return one of them, as it is stored."""
    return await tx.fetchrow(
        f"{_FILE} AND a.id = $5", version["id"], version["case_id"], version["author_id"], at, attachment_id
    )


async def files_that_come(tx: Connection, subject: str, subject_id: UUID) -> list[asyncpg.Record]:
    """Return the section, type and size of each file of a referral's or transfer's version, for its parties, whether or not it is open to them."""
    rows: list[asyncpg.Record] = await tx.fetch("SELECT * FROM files_that_come($1, $2)", subject, subject_id)
    return rows


async def section_of_note(tx: Connection, subject_id: UUID, note_id: UUID) -> str | None:
    """Return the section that a note of a referral or transfer names, if it is there and names one."""
    found: str | None = await tx.fetchval(
        "SELECT section FROM move WHERE id = $1 AND subject_id = $2 AND event = 'note'", note_id, subject_id
    )
    return found


async def note_reading(tx: Connection, subject: str, subject_id: UUID, at: Any) -> None:
    """Remember when the receiver first read it. Reading changes nothing else."""
    statement = {
        "referral": "UPDATE referral SET first_read_at = $2 WHERE id = $1 AND first_read_at IS NULL",
        "transfer": "UPDATE transfer SET first_read_at = $2 WHERE id = $1 AND first_read_at IS NULL",
    }[subject]
    await tx.execute(statement, subject_id, at)

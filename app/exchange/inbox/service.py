"""The work list: what waits, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.exchange.inbox import queries
from app.exchange.passing.reading import agency_ref, met_by, parties_of
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.ids import read_reference
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import NotFound
from schemas.exchange.inbox import Waiting

COUNTED: Final = 1000
"""How far each kind is counted."""
_LIFECYCLES: Final = {"referral": REFERRAL, "transfer": TRANSFER}
_MOVES: Final = {
    Waiting.ESCALATION: ["take"],  # what is taken already waits for the taker alone, to be seen through
    Waiting.REQUEST: ["answer"],
    Waiting.ANSWER_SUBJECT_REQUEST: ["answer"],
    Waiting.SEE_TO_INCIDENT: ["add", "close"],
    Waiting.CONFIRM_LINK: ["confirm", "refuse"],
    Waiting.AGREE_REASSIGNMENT: ["agree", "decline"],
}
"""What can be done about what has no lifecycle of its own."""
_WITHOUT_DEADLINE: Final = frozenset({Waiting.CONFIRM_LINK, Waiting.AGREE_REASSIGNMENT, Waiting.READ_NOTES})
_SUBJECTS: Final = {"K": "case", "R": "referral", "T": "transfer"}


async def inbox(
    db: Acting, *, kinds: Sequence[Waiting] | None, overdue: bool, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Return a page of what waits for the caller, soonest deadline first. Envelopes only: nothing is decrypted."""
    filters = {
        "kind": [str(kind) for kind in kinds] if kinds else None,
        "overdue": "true" if overdue else None,
        "limit": str(limit),
    }
    scope = f"/v1/inbox {db.agency_id} {sorted(filters.items(), key=str)}"
    after = None
    if cursor is not None:
        deadline, row_id = decode_cursor(db.keyring, scope, cursor, length=2)
        after = (datetime.fromisoformat(deadline), UUID(row_id))
    rows = await queries.waiting(db, kinds, overdue=overdue, after=after, limit=limit + 1)
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = encode_cursor(db.keyring, scope, [rows[-1]["deadline_at"].isoformat(), str(rows[-1]["id"])])
    return {"items": [_item(db, row) for row in rows], "next": next_link("/v1/inbox", filters, more)}


def _item(db: Acting, row: asyncpg.Record) -> dict[str, Any]:
    lifecycle = _LIFECYCLES.get(row["subject"])
    return {
        "kind": row["kind"],
        "subject": row["subject"],
        "id": row["id"],
        "case_id": row["case_id"],
        "reference": row["reference"],
        "state": row["state"],
        "version": row["version"],
        "urgency": row["urgency"],
        "since": row["since"],
        "deadline": None if row["kind"] in _WITHOUT_DEADLINE else row["deadline_at"],
        "clock": row["clock"],
        "other": agency_ref(db, row["other_id"]) if row["other_id"] else None,
        "moves": lifecycle.moves_open(row["state"], parties_of(db, row), met_by(row))
        if lifecycle
        else ([] if row["state"] == "taken" else _MOVES[Waiting(row["kind"])]),
    }


async def counts(db: Acting) -> dict[str, Any]:
    """Return how many of each kind wait, every kind named."""
    rows = {row["kind"]: row for row in await queries.counts(db, COUNTED)}
    return {
        "counts": {
            kind.value: {"waiting": rows[kind]["waiting"], "overdue": rows[kind]["overdue"]}
            if kind in rows
            else {"waiting": 0, "overdue": 0}
            for kind in Waiting
        }
    }


async def named(db: Acting, typed: str) -> dict[str, Any]:
    """Return what a reference names, as a person typed it. Raises `NotFound` also where its check character does not fit."""
    reference = read_reference(typed)
    if reference is None:
        raise NotFound
    subject = _SUBJECTS[reference[0]]
    async with db.transaction() as tx:
        row = await queries.named(tx, subject, reference)
    if row is None:
        raise NotFound
    return {"subject": subject, "id": row["id"], "case_id": row["case_id"]}

"""Notes: what two sides write to each other, who may read it now, and how far each has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.exchange.lifecycle import Lifecycle
from app.exchange.notes import queries
from app.exchange.passing import queries as passing
from app.exchange.passing.reading import Reader, agency_ref, said_of
from app.foundation import json
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound
from app.policy import table

Document = dict[str, Any]


async def list_notes(db: Acting, lifecycle: Lifecycle, subject_id: UUID, *, cursor: str | None, limit: int) -> Document:
    """Return a page of the notes, each with its text as far as the caller may read it now; the reading is logged. It marks nothing as read.

    The lead who is neither side learns that something was written, and of which kind. Raises `NotFound`.
    """
    path, filters = f"/v1/{lifecycle.name}s/{subject_id}/notes", {"limit": str(limit)}
    scope = f"{path} {db.agency_id} {sorted(filters.items(), key=str)}"
    after = int(decode_cursor(db.keyring, scope, cursor, length=1)[0]) if cursor is not None else 0
    async with db.transaction() as tx:
        row = await passing.find(tx, lifecycle.name, subject_id)
        if row is None:
            raise NotFound
        notes = await queries.notes_of(tx, subject_id, after=after, limit=limit + 1)
        more = None
        if len(notes) > limit:
            notes = notes[:limit]
            more = encode_cursor(db.keyring, scope, [str(notes[-1]["number"])])
        answers = await queries.answers_to(tx, subject_id, [each["id"] for each in notes if each["kind"] == "question"])
        seen = await queries.seen_by(tx, subject_id)
        ids = await queries.numbered(tx, subject_id, [each["through"] for each in seen.values()])
        disclosures = await passing.disclosures_of(tx, subject_id, row["version_id"])
        sides = [row["sender_id"], row["receiver_id"]]
        is_party = db.agency_id in sides
        said = {each["id"]: said_of(db, each) for each in notes if is_party and each["detail"] is not None}
        reader = Reader(db, row, disclosures)
        shown = reader.words(notes, said)
        await tx.fetchval(
            "SELECT log_by($1, 'note:read', 'done', $2, $3, $4, $5)",
            db.parameter(),
            lifecycle.name,
            subject_id,
            row["case_id"],
            json.text({"words": shown, "purpose": row["purpose"], "notes": len(notes)}),
        )
    other_id = next((each for each in sides if each != db.agency_id), None) if is_party else None
    # the same rules from the other side: what is computed here asks no database
    other = (
        Reader(replace(db, agency=db.directory.agencies[other_id]), row, disclosures) if other_id is not None else None
    )
    read_by_other = seen[other_id]["through"] if other_id in seen else 0
    return {
        "items": [
            _note(db, each, reader, other, said, answers, read=each["number"] <= read_by_other, is_party=is_party)
            for each in notes
        ],
        "next": next_link(path, filters, more),
        "unread": row["notes_unread"] if is_party else 0,
        "read": [
            {
                "agency": agency_ref(db, side),
                "through": ids.get(seen[side]["through"]) if side in seen else None,
                "at": seen[side]["read_at"] if side in seen else None,
            }
            for side in dict.fromkeys(sides)
        ]
        if is_party
        else [],
    }


def _note(
    db: Acting,
    each: asyncpg.Record,
    reader: Reader,
    other: Reader | None,
    said: Mapping[UUID, Document],
    answers: Mapping[UUID, list[UUID]],
    *,
    read: bool,
    is_party: bool,
) -> Document:
    text = reader.text(each, said)
    own = each["agency_id"] == db.agency_id
    return {
        "id": each["id"],
        "number": each["number"],
        "kind": each["kind"],
        "author": agency_ref(db, each["agency_id"]),
        "recorded_by": agency_ref(db, each["recorded_by_id"]) if each["recorded_by_id"] != each["agency_id"] else None,
        "occurred_at": each["occurred_at"],
        "recorded_at": each["recorded_at"],
        "section": each["section"],
        "in_reply_to": each["in_reply_to"],
        "answers": answers.get(each["id"], []),
        "text": text,
        "withheld": None if text is not None else _why(each, reader, said, is_party=is_party),
        "open_to_other": other.text(each, said) is not None if own and other is not None else None,
        "read_by_other": read if own and other is not None else None,
    }


def _why(each: asyncpg.Record, reader: Reader, said: Mapping[UUID, Document], *, is_party: bool) -> str:
    if each["detail"] is None:
        return "erased"
    if not is_party:
        return "not_a_party"
    back = "basis" not in said[each["id"]] and reader.is_sender and each["agency_id"] != reader.agency_id
    return "not_for_sender" if back and table.Back.NOTES not in reader.back.flowing(each) else "not_open"


async def mark_read(db: Acting, lifecycle: Lifecycle, subject_id: UUID, through: UUID) -> None:
    """Say that the caller's agency has read the notes up to one; never back, and nothing else changes. Raises `NotFound`, `InvalidRequest`."""
    async with db.transaction() as tx:
        row = await passing.find(tx, lifecycle.name, subject_id)
    if row is None or db.agency_id not in (row["sender_id"], row["receiver_id"]):
        raise NotFound
    if not await queries.mark_read(db, lifecycle.name, subject_id, through):
        raise InvalidRequest([{"pointer": "/through", "code": "unknown_note"}])

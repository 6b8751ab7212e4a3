"""An agency's own encryption keys, which its clients look after: what happens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key
from app.exchange.own_client import queries
from app.exchange.own_client.problems import KeyUnusable
from app.exchange.own_client.service import STARTS_AFTER, itself, problem_of
from app.exchange.records.sealing import in_order
from app.foundation.problems import InvalidRequest, NotFound
from auth.admin.errors import UnusableKeyError
from auth.admin.sealing_keys import public_encryption_key
from schemas.exchange import own_client as wire
from schemas.record.record import SECTIONS


async def list_keys(db: Acting) -> dict[str, Any]:
    """Return the agency's encryption keys, the newest first."""
    itself(db)
    async with db.transaction() as tx:
        rows = await queries.sealing_keys(tx, db.agency_id)
    return {"items": [_key(db, row) for row in rows]}


async def add_key(db: Acting, body: wire.NewKey, key: Key) -> dict[str, Any]:
    """Publish a key, to which sections can be sealed in an hour; the agency is told."""
    itself(db)
    try:
        kid, jwk = public_encryption_key(body.jwk)
    except UnusableKeyError as error:
        raise KeyUnusable(str(error)) from None
    starts_at = db.at + STARTS_AFTER
    if body.ends_at is not None and body.ends_at <= starts_at:
        raise InvalidRequest([{"pointer": "/ends_at", "code": "before_it_starts"}])
    try:
        id = await queries.add_sealing_key(db, key, kid=kid, jwk=jwk, starts_at=starts_at, ends_at=body.ends_at)
    except asyncpg.PostgresError as error:
        raise problem_of(error) from error
    async with db.transaction() as tx:
        return _key(db, await queries.sealing_key(tx, db.agency_id, id))


async def end_key(db: Acting, key_id: UUID, body: wire.EndEncryptionKey, key: Key) -> dict[str, Any]:
    """End a key at once; returns what is sealed to it and to no other of the agency's keys that count."""
    itself(db)
    try:
        await queries.end_sealing_key(db, key, key_id, body.reason)
    except asyncpg.PostgresError as error:
        raise problem_of(error) from error
    return await sealed_only_to(db, key_id)


async def sealed_only_to(db: Acting, key_id: UUID) -> dict[str, Any]:
    """Return the open referrals and transfers with sections that the agency can open by this key alone, with the key."""
    itself(db)
    async with db.transaction() as tx:
        row = await queries.sealing_key(tx, db.agency_id, key_id)
        if row is None:
            raise NotFound
        found = await queries.sealed_only_to(tx, db.agency_id, key_id, db.at)
    return {
        "key": _key(db, row),
        "items": [
            {
                "subject": each["subject"],
                "id": each["id"],
                "case_id": each["case_id"],
                "reference": each["reference"],
                "sections": in_order(each["sections"], SECTIONS),
                "requested": each["requested"],
            }
            for each in found
        ],
    }


def _key(db: Acting, row: asyncpg.Record) -> dict[str, Any]:
    counts = row["starts_at"] <= db.at and (row["ends_at"] is None or db.at < row["ends_at"])
    return {
        **{name: row[name] for name in ("id", "kid", "starts_at", "ends_at", "end_reason", "added_at")},
        "added_by": row["client_id"],
        "counts": counts,
    }

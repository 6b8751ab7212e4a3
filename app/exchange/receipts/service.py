"""Receipts: signed when they are asked for, over what is stored and cannot change."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.dependencies import Acting
from app.exchange.passing.queries import disclosures_of, find
from app.exchange.passing.reading import agency_ref, reads_all
from app.exchange.receipts import queries, signing
from app.exchange.receipts.problems import NoCheckpoint, NotThatSize
from app.exchange.records.sealing import open_salt, read_version
from app.foundation.database import Connection
from app.foundation.problems import NotFound, ServiceUnavailable
from app.log import keys, proofs
from app.log import queries as log
from app.log.leaf import entry_of, leaf_of
from app.log.tree import hash_leaf

Document = dict[str, Any]


async def read_receipt(db: Acting, entry_id: UUID) -> Document:
    """Return the receipt of an act, and where it is sealed."""
    async with db.transaction() as tx:
        row = await queries.entry(tx, entry_id)
        if row is None:
            raise NotFound
        entry = entry_of(row)
        key = await keys.load_active(tx, db.keyring)
        if key is None:
            raise ServiceUnavailable  # made with the first entry that is sealed
        by = db.directory.agencies.get(row["agency_id"]) if row["agency_id"] else None
        leaf_hash = hash_leaf(leaf_of(entry))
        said = signing.statement(
            entry,
            leaf_hash,
            issuer=db.settings.public_url,
            log=key.verifier.name,
            agency=by.code if by else None,
        )
        sealed = await _sealed(tx, entry_id)
        salt = await _salt(tx, db, entry)
    is_own = db.agency_id == row["agency_id"]
    return {
        "log_entry": entry_id,
        "receipt": signing.sign(said, key),
        "sealed": sealed,
        "salt": signing.b64url(salt) if salt is not None else None,
        "entry": entry if is_own else None,
    }


async def _sealed(tx: Connection, entry_id: UUID) -> Document | None:
    leaf = await log.leaf_of_entry(tx, entry_id)
    newest = await log.newest_checkpoint(tx) if leaf is not None else None
    if leaf is None or newest is None:
        return None
    proof = await proofs.inclusion(tx, leaf["position"], newest["size"])
    return {"position": leaf["position"], "checkpoint": newest["note"], "proof": in_base64(proof)}


async def _salt(tx: Connection, db: Acting, entry: Document) -> bytes | None:
    """Return the salt of what was committed to, for its author and for who may read the whole of it now."""
    if entry["detail"].get("commitment") is None:
        return None
    version = await read_version(tx, UUID(entry["detail"]["record_version"]))
    if version is None:
        return None
    if version["author_id"] != db.agency_id:
        if entry["subject"] not in ("referral", "transfer"):
            return None
        subject_id = UUID(entry["subject_id"])
        row = await find(tx, entry["subject"], subject_id)
        if row is None or not reads_all(db, row, version, await disclosures_of(tx, subject_id, version["id"])):
            return None
    return await open_salt(tx, db.keyring, version)


async def list_receipts(db: Acting, subject: str, subject_id: UUID) -> Document:
    """Return the acts on a referral or transfer of which the caller is a party, oldest first."""
    async with db.transaction() as tx:
        row = await find(tx, subject, subject_id)
        if row is None or db.agency_id not in (row["sender_id"], row["receiver_id"]):
            raise NotFound
        rows = await queries.entries_of(tx, subject_id, row["case_id"])
    return {
        "items": [
            {
                "log_entry": each["id"],
                "action": each["action"],
                "by": agency_ref(db, each["agency_id"]),
                "recorded_at": each["recorded_at"],
                "receipt": f"/v1/receipts/{each['id']}",
            }
            for each in rows
        ]
    }


def in_base64(hashes: list[bytes]) -> list[str]:
    """Return hashes as the log's documents write them."""
    return [base64.b64encode(each).decode() for each in hashes]


async def newest_checkpoint(pool: asyncpg.Pool) -> tuple[str, datetime]:
    """Return the newest checkpoint and when it was signed. Raises `NoCheckpoint`."""
    async with pool.acquire(timeout=5) as conn:
        row = await log.newest_checkpoint(conn)
    if row is None:
        raise NoCheckpoint
    return row["note"], row["sealed_at"]


async def consistency(pool: asyncpg.Pool, earlier: int, later: int) -> Document:
    """Return the proof that the log at a size begins with the log at an earlier one. Raises `NotThatSize`."""
    async with pool.acquire(timeout=5) as conn:
        newest = await log.newest_checkpoint(conn)
        if earlier > later or newest is None or later > newest["size"]:
            raise NotThatSize(newest=newest["size"] if newest else 0)
        proof = await proofs.consistency(conn, earlier, later)
    return {"earlier": earlier, "later": later, "proof": in_base64(proof)}


async def public_keys(pool: asyncpg.Pool) -> Document:
    """Return every key of the log, newest first."""
    async with pool.acquire(timeout=5) as conn:
        rows = await log.keys(conn)
    found = []
    for row in rows:
        verifier = keys.verifier_of(row)
        found.append(
            {
                "vkey": verifier.vkey,
                "jwk": verifier.jwk,
                "state": row["state"],
                "created_at": row["created_at"],
                "activated_at": row["activated_at"],
                "retired_at": row["retired_at"],
            }
        )
    return {"origin": rows[-1]["name"] if rows else None, "keys": found}

"""The directory, as callers may see it."""

from __future__ import annotations

from typing import Any

import asyncpg
import orjson

from app.dependencies import Acting
from app.exchange.agencies import queries
from app.exchange.agencies.problems import NotOwnAgency
from app.foundation import json
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import NotFound
from schemas.exchange.directory import DutyContacts


def _agency(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "code": row["code"],
        "name": row["name"],
        "kind": row["kind"],
        "region": row["region"],
        "country": row["country"],
        "parent": row["parent"],
        "status": row["status"],
        "residential": row["residential"],
        "accepts": orjson.loads(row["accepts"]) if row["accepts"] else {},
        "capacity": row["capacity"],
    }


def etag(db: Acting) -> str:
    """Return the directory's version: it changes when anything in it does, and practice agencies have one of their own."""
    return f'W/"{db.directory.epoch}{"-practice" * db.agency.sandbox}"'


async def list_agencies(
    db: Acting, *, kind: str | None, region: str | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Return a page of agencies, by code: to a practice agency those like it, to a real one the real ones."""
    filters = {"kind": kind, "region": region, "limit": str(limit)}
    scope = f"/v1/agencies {db.agency.sandbox} {sorted(filters.items(), key=str)}"
    after = decode_cursor(db.keyring, scope, cursor, length=1)[0] if cursor is not None else None
    async with db.transaction() as tx:
        rows = await queries.agencies(
            tx, sandbox=db.agency.sandbox, kind=kind, region=region, after=after, limit=limit + 1
        )
    more = encode_cursor(db.keyring, scope, [rows[limit - 1]["code"]]) if len(rows) > limit else None
    return {"items": [_agency(row) for row in rows[:limit]], "next": next_link("/v1/agencies", filters, more)}


async def read_agency(db: Acting, code: str) -> dict[str, Any]:
    """Return one agency."""
    async with db.transaction() as tx:
        row = await queries.agency(tx, code, sandbox=db.agency.sandbox)
    if row is None:
        raise NotFound
    return _agency(row)


async def list_service_points(db: Acting, code: str) -> dict[str, Any]:
    """Return an agency's service points. Confidential ones only to the agency itself, and even then without an address."""
    async with db.transaction():
        pass  # uses up the proof
    owner = db.directory.known_to(db.agency, code)
    if owner is None:
        raise NotFound
    points = sorted(
        (
            point
            for point in db.directory.service_points.values()
            if point.agency_id == owner.id and (not point.confidential or owner.id == db.agency_id)
        ),
        key=lambda point: point.name,
    )
    return {
        "items": [
            {
                "id": point.id,
                "name": point.name,
                "confidential": point.confidential,
                "region": point.region,
                "address": None if point.confidential else point.address,
                "services": list(point.services),
            }
            for point in points
        ]
    }


async def list_duty_contacts(db: Acting, code: str) -> dict[str, Any]:
    """Return whom to call at an agency."""
    owner = db.directory.known_to(db.agency, code)
    async with db.transaction() as tx:
        contacts = await queries.duty_contacts(tx, owner.id) if owner else []
    if owner is None:
        raise NotFound
    return {"items": contacts}


async def list_encryption_keys(db: Acting, code: str) -> dict[str, Any]:
    """Return the keys that sections for an agency can be sealed to now, as a JWK Set."""
    owner = db.directory.known_to(db.agency, code)
    async with db.transaction() as tx:
        keys = await queries.encryption_keys(tx, owner.id, db.at) if owner else []
    if owner is None:
        raise NotFound
    return {"keys": [orjson.loads(key) for key in keys]}


async def replace_duty_contacts(db: Acting, code: str, body: DutyContacts) -> dict[str, Any]:
    """Replace whom to call at one's own agency; logged by number, without what was entered."""
    if db.directory.known_to(db.agency, code) is None:
        raise NotFound
    if code != db.agency.code:
        raise NotOwnAgency
    contacts = body.model_dump(mode="json")["items"]
    async with db.transaction() as tx:
        await queries.replace_duty_contacts(tx, db.agency_id, contacts)
        await tx.fetchval(
            "SELECT log_by($1, 'agency:duty_contacts', 'done', 'agency', $2, NULL, $3)",
            db.parameter(),
            db.agency_id,
            json.text({"contacts": len(contacts)}),
        )
    return {"items": contacts}


async def me(db: Acting) -> dict[str, Any]:
    """Say who the caller is taken for."""
    agency = await read_agency(db, db.agency.code)
    client = db.directory.clients[db.caller.client_id]
    ends = [entry.ends_at for entry in client.keys.values()]
    return {
        "client_id": db.caller.client_id,
        "agency": agency,
        "scopes": sorted(db.caller.scopes),
        "token_expires_at": db.caller.expires_at,
        "key_ends_at": None if None in ends or not ends else max(end for end in ends if end is not None),
        "sandbox": db.agency.sandbox,
        "server_time": db.at,
    }

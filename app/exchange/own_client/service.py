"""A client's own keys: what happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.dependencies import Acting, Key, MayNotActFor
from app.exchange.own_client import queries
from app.exchange.own_client.problems import KeyKnown, KeysElsewhere, KeyUnusable, LastKey, TooManyKeys
from app.exchange.passing import refusals
from app.foundation.problems import InvalidRequest, Problem
from auth.admin.client_keys import registered_keys
from auth.admin.errors import UnusableKeyError
from auth.client_auth.mtls import TLS_CLIENT_AUTH
from schemas.exchange import own_client as wire

STARTS_AFTER: Final = timedelta(hours=1)
"""How long a key that a client adds waits: its agency is told at once, and has that time to say that it was not its own."""
_REFUSED: Final[dict[str, type[Problem]]] = {"RJ120": KeyKnown, "RJ121": TooManyKeys, "RJ122": LastKey}


async def list_keys(db: Acting) -> dict[str, Any]:
    """Return the client's keys, the newest first."""
    itself(db)
    async with db.transaction() as tx:
        rows = await queries.keys(tx, db.caller.client_id)
    return {"items": [_key(db, row) for row in rows]}


async def add_key(db: Acting, body: wire.NewKey, key: Key) -> dict[str, Any]:
    """Add a key, which works in an hour; every agency of the client is told."""
    itself(db)
    client = db.directory.clients[db.caller.client_id]
    if client.auth_method == TLS_CLIENT_AUTH or client.jwks_uri is not None:
        raise KeysElsewhere
    try:
        ((kid, jwk),) = registered_keys(client.auth_method, [body.jwk]).items()
    except UnusableKeyError as error:
        raise KeyUnusable(str(error)) from None
    starts_at = db.at + STARTS_AFTER
    if body.ends_at is not None and body.ends_at <= starts_at:
        raise InvalidRequest([{"pointer": "/ends_at", "code": "before_it_starts"}])
    try:
        id = await queries.add_key(db, key, kid=kid, jwk=jwk, starts_at=starts_at, ends_at=body.ends_at)
    except asyncpg.PostgresError as error:
        raise problem_of(error) from error
    return await _read(db, id)


async def end_key(db: Acting, key_id: UUID, key: Key) -> dict[str, Any]:
    """End a key at once, with every token that was asked for with it."""
    itself(db)
    try:
        await queries.end_key(db, key, key_id)
    except asyncpg.PostgresError as error:
        raise problem_of(error) from error
    return await _read(db, key_id)


async def _read(db: Acting, id: UUID) -> dict[str, Any]:
    async with db.transaction() as tx:
        return _key(db, await queries.key(tx, db.caller.client_id, id))


def itself(db: Acting) -> None:
    """A client's keys are its own: no agreement lets another agency speak for them."""
    if db.recorder_id != db.agency_id:
        raise MayNotActFor


def problem_of(error: asyncpg.PostgresError) -> Exception:
    """Return the problem that a refusal of the database means; the error itself if it is none."""
    made = _REFUSED.get(error.sqlstate or "")
    return made() if made is not None else refusals.problem_of(error) or error


def _key(db: Acting, row: asyncpg.Record) -> dict[str, Any]:
    counts = row["starts_at"] <= db.at and (row["ends_at"] is None or db.at < row["ends_at"])
    return {**dict(row), "counts": counts}

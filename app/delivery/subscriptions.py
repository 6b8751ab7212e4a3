"""A client's own webhooks: what happens when it adds, changes, tests and replays them. Sending is another matter.

A webhook belongs to the client that made it and to the agency it acted for: another client of the same agency does not see it, since its
address and its receiver's answers are that system's own. Whatever a thief could misuse is told to the agency.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.delivery import queries, signing
from app.delivery.problems import KeyRotationRunning, TooManyWebhooks, WebhookOutOfService, WebhookUrlUnusable
from app.dependencies import Acting, IdempotencyKeyReused, Key, MayNotActFor, RequestInProgress
from app.foundation.database import Connection
from app.foundation.ids import uuid7
from app.foundation.keyring import Place
from app.foundation.outbound import FAULTS, PATIENCE, OutboundError, check_url, resolve
from app.foundation.paging import decode_cursor, encode_cursor, next_link
from app.foundation.problems import InvalidRequest, NotFound, Problem
from app.outbox.problems import CursorTooOld
from schemas.exchange import webhook as wire

PATH: Final = "/v1/webhooks"
REPLAYED_AT_ONCE: Final = 10_000
_REFUSED: Final[dict[str, type[Problem]]] = {
    "RJ404": NotFound,
    "RJ010": RequestInProgress,
    "RJ011": IdempotencyKeyReused,
    "RJ150": TooManyWebhooks,
    "RJ151": KeyRotationRunning,
    "RJ152": WebhookOutOfService,
}


async def list_webhooks(db: Acting) -> dict[str, Any]:
    """Return the client's webhooks for its agency, oldest first."""
    itself(db)
    async with db.transaction() as tx:
        return {"items": await _shown(db, tx, await queries.webhooks(tx, db.caller.client_id))}


async def read_webhook(db: Acting, id: UUID) -> dict[str, Any]:
    """Return one of them. Raises `NotFound`."""
    itself(db)
    async with db.transaction() as tx:
        (shown,) = await _shown(db, tx, [await _own(db, tx, id)])
    return shown


async def add_webhook(db: Acting, body: wire.NewWebhook, key: Key) -> dict[str, Any]:
    """Add a webhook, which is sent events from now on, or from the place in the feed that is named. Its agency is told."""
    itself(db)
    if (fault := await _fault_of(db, body.url)) is not None:
        if (earlier := await _asked(queries.repeated(db, key))) is not None:
            return await read_webhook(db, earlier)  # it was right then
        raise WebhookUrlUnusable(fault)
    id, key_id, private = uuid7(db.at), uuid7(db.at), signing.generate()
    values = {**body.model_dump(mode="json"), "id": id, "key_id": key_id, "public_key": signing.public_key(private)}
    return await read_webhook(
        db, await _asked(queries.add(db, key, values, _sealed(db, private, key_id=key_id, webhook_id=id)))
    )


async def change_webhook(db: Acting, id: UUID, body: wire.WebhookChange) -> dict[str, Any]:
    """Change what is named of it; another address is checked as at first. Its agency is told of another address or other types."""
    itself(db)
    values = body.model_dump(mode="json", exclude_unset=True)
    if body.url is not None:
        async with db.transaction() as tx:
            await _own(db, tx, id)  # whose it is first: nobody has names looked up for webhooks that are not theirs
        if (fault := await _fault_of(db, body.url)) is not None:
            raise WebhookUrlUnusable(fault)
    await _asked(queries.change(db, id, values))
    return await read_webhook(db, id)


async def switch_webhook(db: Acting, id: UUID, key: Key, *, on: bool) -> dict[str, Any]:
    """Put it into service, or take it out."""
    itself(db)
    await _asked(queries.switch(db, key, id, on=on))
    return await read_webhook(db, id)


async def remove_webhook(db: Acting, id: UUID) -> None:
    """Remove it."""
    itself(db)
    await _asked(queries.remove(db, id))


async def rotate_key(db: Acting, id: UUID, body: wire.NewWebhookKey, key: Key) -> dict[str, Any]:
    """Let a new key sign at once, and the earlier one beside it for a while."""
    itself(db)
    key_id, private = uuid7(db.at), signing.generate()
    await _asked(
        queries.rotate_key(
            db,
            key,
            id,
            key_id=key_id,
            public=signing.public_key(private),
            private=_sealed(db, private, key_id=key_id, webhook_id=id),
            overlap=timedelta(seconds=body.overlap_seconds),
        )
    )
    return await read_webhook(db, id)


async def test_webhook(db: Acting, id: UUID, key: Key) -> dict[str, Any]:
    """Have a test message sent."""
    itself(db)
    return await _delivery(db, id, await _asked(queries.test(db, key, id, uuid7(db.at))))


async def list_deliveries(db: Acting, id: UUID, *, state: str | None, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of what it was or is to be sent, with the attempts."""
    itself(db)
    path, filters = f"{PATH}/{id}/deliveries", {"state": state, "limit": str(limit)}
    scope = f"{path} {db.agency_id} {sorted(filters.items(), key=str)}"
    before = None
    if cursor is not None:
        position, message = decode_cursor(db.keyring, scope, cursor, length=2)
        before = (int(position) if position else None, UUID(message))
    async with db.transaction() as tx:
        await _own(db, tx, id)
        rows = await queries.deliveries(tx, id, state=state, before=before, limit=limit + 1)
        items = await _with_tries(db, tx, id, rows[:limit])
    more = None
    if len(rows) > limit:
        last = rows[limit - 1]
        place = "" if last["position"] is None else str(last["position"])
        more = encode_cursor(db.keyring, scope, [place, str(last["message_id"])])
    return {"items": items, "next": next_link(path, filters, more)}


async def replay_delivery(db: Acting, id: UUID, message_id: UUID, key: Key) -> dict[str, Any]:
    """Have a message sent again, under the same id."""
    itself(db)
    await _asked(queries.replay_one(db, key, id, message_id))
    return await _delivery(db, id, message_id)


async def replay(db: Acting, id: UUID, body: wire.Replay, key: Key) -> dict[str, Any]:
    """Have what was given up sent again, or all from a time or place in the feed on."""
    itself(db)
    if len(body.model_fields_set) != 1:
        raise InvalidRequest([{"pointer": "", "code": "exactly_one_of_these"}])
    made = await _asked(
        queries.replay(db, key, id, since=body.since, after=body.after_position, limit=REPLAYED_AT_ONCE)
    )
    return {
        "replayed": made["version"],
        "last_position": int(made["reference"]) if made["reference"] else None,
        "more": made["state"] == "more",
    }


def itself(db: Acting) -> None:
    """A client's webhooks are for its own agencies: no agreement lets another agency have one's events sent anywhere."""
    if db.recorder_id != db.agency_id:
        raise MayNotActFor


async def _fault_of(db: Acting, url: str) -> str | None:
    """Return the rule that an address breaks now, by its form or by what its name resolves to."""
    try:
        async with asyncio.timeout(PATIENCE):
            await resolve(check_url(url, db.settings), db.settings)
    except TimeoutError:
        return "timeout"
    except OutboundError as error:
        return error.fault
    return None


async def _asked(doing: Any) -> Any:
    try:
        return await doing
    except asyncpg.PostgresError as error:
        if error.sqlstate == "RJ153":
            raise InvalidRequest([{"pointer": "/after_position", "code": "after_the_end"}]) from error
        if error.sqlstate == "RJ154":
            raise CursorTooOld(int(error.detail)) from error
        if (problem := _REFUSED.get(error.sqlstate or "")) is not None:
            raise problem() from error
        raise


def _sealed(db: Acting, private: bytes, *, key_id: UUID, webhook_id: UUID) -> bytes:
    return db.keyring.seal_one(Place("webhook_key.private_sealed", key_id, webhook_id), private)


async def _own(db: Acting, tx: Connection, id: UUID) -> asyncpg.Record:
    row = await queries.webhook(tx, db.caller.client_id, id)
    if row is None:
        raise NotFound
    return row


async def _shown(db: Acting, tx: Connection, rows: Sequence[asyncpg.Record]) -> list[dict[str, Any]]:
    keys: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for key in await queries.keys(tx, [row["id"] for row in rows], db.at):
        keys[key["webhook_id"]].append({name: key[name] for name in wire.WebhookKey.model_fields})
    return [{**dict(row), "keys": keys[row["id"]]} for row in rows]


async def _delivery(db: Acting, id: UUID, message_id: UUID) -> dict[str, Any]:
    async with db.transaction() as tx:
        await _own(db, tx, id)
        row = await queries.delivery(tx, id, message_id)
        if row is None:
            raise NotFound
        (made,) = await _with_tries(db, tx, id, [row])
    return made


async def _with_tries(db: Acting, tx: Connection, id: UUID, rows: Sequence[asyncpg.Record]) -> list[dict[str, Any]]:
    tries: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await queries.attempts(tx, id, [row["message_id"] for row in rows]):
        tries[row["message_id"]].append(_try(db, id, row))
    return [_message(row, tries[row["message_id"]]) for row in rows]


def _message(row: asyncpg.Record, tries: list[dict[str, Any]]) -> dict[str, Any]:
    made = dict(row)
    made["time"] = made.pop("recorded_at")
    if row["state"] != "waiting":
        made["due_at"] = None
    return {**made, "tries": tries}


def _try(db: Acting, webhook_id: UUID, row: asyncpg.Record) -> dict[str, Any]:
    answer = row["answer"]
    if answer is not None:
        answer = shown(db.keyring.open_one(Place("delivery_attempt.answer", row["id"], webhook_id), answer))
    return {
        "at": row["at"],
        "number": row["number"],
        "status": row["status"],
        "fault": row["fault"],
        "says": FAULTS.get(row["fault"]) if row["fault"] else None,
        "milliseconds": row["milliseconds"],
        "answer": answer,
    }


def shown(answer: bytes) -> str:
    """Return what a receiver answered as text that changes nothing where it is shown: controls, overrides and what is no UTF-8 become U+FFFD."""
    return "".join(each if each.isprintable() else "\ufffd" for each in answer.decode("utf-8", "replace"))

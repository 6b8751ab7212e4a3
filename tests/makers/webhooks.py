"""Webhooks and what was sent to them, as the worker leaves it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.delivery import signing
from app.foundation.ids import uuid7
from app.foundation.keyring import Place
from tests.makers.world import World


async def subscribed(world: World, agency: str, *, url: str = "https://localhost:9443/news?token=s3cret") -> UUID:
    """A webhook of an agency's system, with a key, a message that was sent and what was answered."""
    now, agency_id = world.exchange.clock.now(), world.id_of(agency)
    id, key_id, private = uuid7(now), uuid7(now), signing.generate()
    await world.owner.execute(
        "INSERT INTO webhook (id, agency_id, client_id, url, state_at, position, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, 0, $5, $5)",
        id, agency_id, f"{agency}-system", url, now,
    )  # fmt: skip
    await world.owner.execute(
        "INSERT INTO webhook_key (id, webhook_id, agency_id, public_key, private_sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        key_id, id, agency_id, signing.public_key(private),
        world.exchange.keyring.seal_one(Place("webhook_key.private_sealed", key_id, id), private), now,
    )  # fmt: skip
    await tried(world, agency, id, await put(world, agency, id, "failed"), b"No.", status=500)
    return id


async def put(world: World, agency: str, webhook: UUID, state: str, *, position: int | None = 1, **values: Any) -> UUID:
    """A message that was tried three times."""
    now = world.exchange.clock.now()
    id = uuid7(now)
    await world.owner.execute(
        "INSERT INTO delivery (webhook_id, message_id, agency_id, position, type, subject, subject_id, event_state, recorded_at, state, due_at,"
        " ended_at, attempts, first_at) VALUES ($1, $2, $3, $4, 'referral.sent', 'referral', $2, 'sent', $5, $6, $7, $8, 3, $5)",
        webhook, id, world.id_of(agency), position, now, state, now + timedelta(hours=5),
        values.get("ended_at", None if state == "waiting" else now),
    )  # fmt: skip
    return id


async def tried(world: World, agency: str, webhook: UUID, message: UUID, answer: bytes | None, **values: Any) -> None:
    """An attempt at it."""
    now = world.exchange.clock.now()
    id = uuid7(now)
    sealed = None
    if answer is not None:
        sealed = world.exchange.keyring.seal_one(Place("delivery_attempt.answer", id, webhook), answer)
    await world.owner.execute(
        "INSERT INTO delivery_attempt (id, webhook_id, message_id, agency_id, at, number, status, fault, milliseconds, answer)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 120, $9)",
        id, webhook, message, world.id_of(agency), now, values.get("number", 1), values.get("status"), values.get("fault"), sealed,
    )  # fmt: skip

"""Makes files that an agency has uploaded, and names them in papers."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.exchange.attachments.encryption import CHUNK, FileKey
from app.foundation import json
from app.foundation.ids import uuid7
from app.foundation.keyring import Place
from tests.makers import records
from tests.makers.world import World

CONTENT = b"%PDF-1.7 an invented letter of a doctor %%EOF"


async def uploaded(
    world: World,
    who: str = "police",
    section: str = "health",
    *,
    state: str = "ready",
    content: bytes = CONTENT,
    name: str = "hers.pdf",
    for_: timedelta = timedelta(days=1),
) -> str:
    """A file of an agency, for a section; its id. It is put there past the upload, encrypted as that does it."""
    at, keyring = world.exchange.clock.now(), world.exchange.keyring
    id = uuid7(at)
    key, wrapped = FileKey.new(id, keyring)
    detail = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "name": name}
    parts = [content[place : place + CHUNK] for place in range(0, len(content), CHUNK)]
    await world.owner.execute(
        """INSERT INTO attachment (id, agency_id, client_id, section, state, media_type, size, chunks, store, wrapped_key, detail, created_at,
                                   touched_at, completed_at, expires_at, due_at)
           VALUES ($1, $2, $3, $4, $5, 'application/pdf', $6, $7, 'database', $8, $9, $10, $10, $10, $11, $11)""",
        id,
        world.id_of(who),
        f"{who}-system",
        section,
        state,
        len(content),
        len(parts),
        wrapped,
        keyring.seal_one(Place("attachment.detail", id), json.dumps(detail)),
        at,
        at + for_,
    )
    for number, part in enumerate(parts):
        sealed = key.seal(number, part, size=len(content) if number == len(parts) - 1 else None)
        await world.owner.execute("INSERT INTO attachment_chunk VALUES ($1, $2, $3)", id, number, sealed)
    return str(id)


def papers(*files: str | None) -> dict[str, Any]:
    """The section `attachments` with a paper for each file."""
    return {"papers": [{"kind": "medical_letter", **({"file": each} if each else {})} for each in files]}


SECTIONS = ("identity", "safety", "health", "needs", "attachments")
"""The sections of `record`."""


def record(*files: str | None, **sections: Any) -> dict[str, Any]:
    """A record that has `health` and the papers."""
    return records.record(health={"infectious": "contact"}, attachments=papers(*files), **sections)


def referral(*files: str | None, receiver: str = "sentra", **more: Any) -> dict[str, Any]:
    """A referral with files, on a legal obligation."""
    body = {"purpose": "social_rehabilitation", "record": record(*files), "bases": [records.legal_basis(*SECTIONS)]}
    return records.referral(receiver, **{**body, **more})


async def bound(world: World, file: str) -> list[UUID]:
    """The versions that a file goes with."""
    rows = await world.owner.fetch(
        "SELECT version_id FROM record_attachment WHERE attachment_id = $1 ORDER BY 1", UUID(file)
    )
    return [row["version_id"] for row in rows]


MOMENT = timedelta(seconds=1)


def paper(place: int) -> str:
    """The pointer of a paper's file in a request."""
    return f"/record/attachments/papers/{place}/file"

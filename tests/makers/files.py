"""Makes files that an agency has uploaded, and names them in papers."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.foundation import json
from app.foundation.ids import uuid7
from app.foundation.keyring import Place
from tests.makers import records
from tests.makers.world import World


async def uploaded(
    world: World, who: str = "police", section: str = "health", *, state: str = "ready", **more: Any
) -> str:
    """A file of an agency, for a section; its id."""
    at = world.exchange.clock.now()
    id = uuid7(at)
    content = more.pop("content", b"%PDF-1.7 invented")
    detail = {"sha256": hashlib.sha256(content).hexdigest(), "name": more.pop("name", None)}
    await world.owner.execute(
        """INSERT INTO attachment (id, agency_id, client_id, section, state, media_type, size, chunks, store, wrapped_key, detail, created_at,
                                   touched_at, completed_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, 'application/pdf', $6, 1, 'database', $7, $8, $9, $9, $9, $10)""",
        id,
        world.ids[who],
        f"{who}-system",
        section,
        state,
        len(content),
        b"\1key",
        world.exchange.keyring.seal_one(Place("attachment.detail", id), json.dumps(detail)),
        at,
        at + more.pop("for_", timedelta(days=1)),
    )
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

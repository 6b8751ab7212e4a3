"""Makes records with sealed sections, as agencies' systems would, and the keys they are sealed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sealing import generate_key, public_part, seal_section
from tests.makers import records
from tests.makers.world import Agency, World

MEDICINE = "Rifampicin 450 sealed"
STORY = "They kept him below deck in the harbour of Tegal."
HEALTH = {"infectious": "contact", "medicines": [{"name": MEDICINE}]}
NARRATIVE = {"entries": [{"text": STORY, "language": "en", "author_role": "social_worker"}]}
HEALTH_PREVIEW = {"infectious": "contact", "medicines": "yes"}
SECTIONS = ("identity", "safety", "health", "needs", "narrative")
PURPOSE = "social_rehabilitation"
"""One that lets a shelter have health and narrative."""


async def publish(world: World, *agencies: Agency, curve: str = "P-256") -> list[dict[str, Any]]:
    """Have agencies publish a key each, and let the hour pass; returns the private keys."""
    made = []
    for agency in agencies:
        key = generate_key(curve)
        reply = await agency.post("/v1/me/encryption-keys", {"jwk": public_part(key)})
        assert reply.status_code == 201, reply.text
        made.append({**key, "id": reply.json()["id"]})
    world.exchange.later(hours=1, seconds=1)
    return made


def sealed_record(*keys: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A record whose health and narrative are sealed to these keys, each its public or private half."""
    to = [public_part(key) for key in keys]
    return {
        **records.record(),
        "sealed": {"health": seal_section("health", HEALTH, to), "narrative": seal_section("narrative", NARRATIVE, to)},
        "sealed_preview": HEALTH_PREVIEW,
        **more,
    }


def request(*keys: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What `World.send` takes besides who sends it to whom."""
    return {
        "purpose": PURPOSE,
        "record": sealed_record(*keys),
        "bases": [records.legal_basis(*SECTIONS)],
        **more,
    }

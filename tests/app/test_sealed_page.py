"""The example of docs/sealed.md is what the service takes and gives back, and what opens."""

from __future__ import annotations

import json

from app.sealing import open_section
from auth.example_keys import EXAMPLE_KEYS
from tests.makers import records, sealed_page
from tests.makers.world import World


def test_the_page_has_the_example_as_it_is_made() -> None:
    assert sealed_page.example() in sealed_page.PAGE.read_text()


async def test_the_example_is_sent_read_and_opened(world: World) -> None:
    reply = await world.shelter.post("/v1/me/encryption-keys", {"jwk": sealed_page.PUBLISHED})
    assert reply.json()["type"].endswith("key-unusable"), "everybody has it"
    assert sealed_page.KID in EXAMPLE_KEYS
    await world.owner.execute(
        """INSERT INTO sealing_key (agency_id, kid, jwk, starts_at, added_at, client_id)
           VALUES ($1, $2, $3, $4, $4, 'shelter-system')""",
        world.ids["shelter"],
        sealed_page.KID,
        json.dumps(sealed_page.PUBLISHED),
        world.exchange.clock.now(),
    )
    published = (await world.police.get("/v1/agencies/shelter/encryption-keys")).json()
    assert published == {"keys": [sealed_page.PUBLISHED]}
    sent = await world.accepted(
        receiver="shelter",
        purpose="social_rehabilitation",
        record=sealed_page.RECORD,
        bases=[records.legal_basis("health", "needs")],
    )
    found = (await world.shelter.get(sent.path)).json()["record"]
    assert found["sealed"] == {"health": sealed_page.JWE}
    assert open_section("health", found["sealed"]["health"], sealed_page.RECEIVER) == sealed_page.SECTION
    assert (await world.stranger.get(sent.path)).status_code == 404

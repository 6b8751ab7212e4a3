"""The contract over HTTP: it is not sent again to who has it, and nobody waits while it is made."""

from __future__ import annotations

import asyncio

import httpx

from app.foundation.settings import Settings
from app.main import create_app
from tests.makers.world import World


async def test_is_the_document_and_is_kept_by_who_has_it(world: World):
    http = world.exchange.http
    first = await http.get("/openapi.json")
    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert first.json() == world.exchange.app.openapi()
    again = await http.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_is_made_while_others_are_answered():
    transport = httpx.ASGITransport(app=create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as http:
        asked = asyncio.create_task(http.get("/openapi.json"))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
    assert (await asked).json()["openapi"].startswith("3.1")
    assert turns > 10, "the loop had no turn while the document was made"

"""The contract over HTTP: it is not sent again to who has it, and nobody waits while it is made."""

from __future__ import annotations

import asyncio

import httpx

from app.foundation.settings import Settings
from app.main import create_app
from tests.contract.document import DOCUMENT
from tests.makers.world import World


async def test_is_the_document_and_is_kept_by_who_has_it(world: World):
    http = world.exchange.http
    world.exchange.app.openapi_schema = DOCUMENT  # made below
    first = await http.get("/openapi.json")
    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert first.json() == DOCUMENT
    again = await http.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (first.headers["content-encoding"], first.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert int(first.headers["content-length"]) < 200_000
    for plain in ("identity", "gzip;q=0, br", "gzip; q=0.0", ""):
        known = {"Accept-Encoding": plain, "If-None-Match": first.headers["etag"]}
        other = await http.get("/openapi.json", headers=known)
        assert (other.status_code, "content-encoding" in other.headers) == (200, False), plain
        assert other.json() == DOCUMENT


async def test_is_made_while_others_are_answered():
    transport = httpx.ASGITransport(app=create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange.test") as http:
        asked = asyncio.create_task(http.get("/openapi.json"))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
    assert (await asked).json() == DOCUMENT
    assert turns > 10, "the loop had no turn while the document was made"

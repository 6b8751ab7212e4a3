"""The optional acknowledgement: how far a client says it has handled an agency's feed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import httpx

from app.client import Credentials, ExchangeClient
from auth.admin.clients import add_client
from tests.app.outbox.conftest import Make
from tests.makers.world import Agency, World

PATH = "/v1/events/position"


async def put(who: Agency, body: Any) -> httpx.Response:
    return await who.client.request("PUT", PATH, json=body)


async def standing(who: Agency) -> tuple[Any, ...]:
    reply = await who.get(PATH)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    return told["position"], told["last"], told["waiting"], told["oldest"]


class TestAPosition:
    async def test_is_kept_for_each_client_and_agency(self, world: World, make_events: Make) -> None:
        assert await standing(world.iom) == (None, 0, 0, 1)
        await make_events("iom", 5)
        await make_events("lpsk", 2)
        assert await standing(world.iom) == (None, 5, 5, 1)
        reply = await put(world.iom, {"position": 3})
        assert (reply.status_code, reply.json()) == (200, (await world.iom.get(PATH)).json())
        assert await standing(world.iom) == (3, 5, 2, 1)
        assert await standing(world.lpsk) == (None, 2, 2, 1)
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        beside = Credentials.generate("iom-archive", world.exchange.settings.public_url)
        given: dict[str, Any] = {"name": "x", "agencies": ["iom"], "scopes": ["events.read"]}
        await add_client(
            conn,
            client_id="iom-archive",
            jwks=beside.public_jwks(),
            now=world.exchange.clock.now(),
            actor="test",
            **given,
        )
        await conn.close()
        await world.exchange.directory.refresh()
        archive = Agency("iom", ExchangeClient(beside, clock=world.exchange.clock, http=world.exchange.http))
        assert await standing(archive) == (None, 5, 5, 1), "another system of the agency has its own"

    async def test_is_where_reading_can_begin(self, world: World, make_events: Make) -> None:
        await make_events("iom", 4)
        page = (await world.iom.get("/v1/events?after=acknowledged")).json()
        assert [each["position"] for each in page["items"]] == [1, 2, 3, 4], "nothing yet is the beginning"
        await put(world.iom, {"position": 3})
        page = (await world.iom.get("/v1/events?after=acknowledged")).json()
        assert ([each["position"] for each in page["items"]], page["next"]) == ([4], "/v1/events?after=4")
        assert len((await world.iom.get("/v1/events")).json()["items"]) == 4, "left out, it is the beginning"

    async def test_only_goes_forward_unless_that_is_said(self, world: World, make_events: Make) -> None:
        await make_events("iom", 5)
        for body, status, now in (
            ({"position": 4}, 200, 4),
            ({"position": 4}, 200, 4),
            ({"position": 2}, 409, 4),
            ({"position": 2, "rewind": False}, 409, 4),
            ({"position": 2, "rewind": True}, 200, 2),
            ({"position": 5, "rewind": True}, 200, 5),
            ({"position": 6}, 409, 5),
            ({"position": 6, "rewind": True}, 409, 5),
            ({"position": 0, "rewind": True}, 200, 0),
        ):
            reply = await put(world.iom, body)
            assert (reply.status_code, (await standing(world.iom))[0]) == (status, now), body
        await put(world.iom, {"position": 4})
        told = (await put(world.iom, {"position": 3})).json()
        assert (told["type"], told["position"]) == ("/problems/position-behind", 4)
        told = (await put(world.iom, {"position": 9})).json()
        assert (told["type"], told["last"]) == ("/problems/cursor-ahead", 5)
        assert (await put(world.stranger, {"position": 1})).json()["last"] == 0

    async def test_does_not_go_where_nothing_is_kept(self, world: World, make_events: Make) -> None:
        await make_events("iom", 3, at=world.exchange.clock.now() - timedelta(days=400))
        await make_events("iom", 2)
        await put(world.iom, {"position": 1})
        await world.exchange.worker.drop_old_events()
        assert await standing(world.iom) == (1, 5, 2, 4)
        assert (await world.iom.get("/v1/events?after=acknowledged")).status_code == 410
        told = await put(world.iom, {"position": 2})
        assert (told.status_code, told.json()["oldest"]) == (410, 4)
        assert (await put(world.iom, {"position": 3})).status_code == 200
        assert await standing(world.iom) == (3, 5, 2, 4)

    async def test_is_a_whole_number(self, world: World) -> None:
        bodies = (
            {}, [], None, 3, {"position": -1}, {"position": "3"}, {"position": 1.5}, {"position": True}, {"position": None},
            {"position": 2**63 - 1}, {"position": 10**400}, {"position": 1, "rewind": "yes"}, {"position": 1, "rewind": None},
            {"position": 1, "more": 1},
        )  # fmt: skip
        for body in bodies:
            reply = await put(world.iom, body)
            assert reply.status_code in (400, 422), (body, reply.text)
        assert await standing(world.iom) == (None, 0, 0, 1)

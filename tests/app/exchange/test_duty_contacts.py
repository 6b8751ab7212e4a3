"""Whom to call at an agency, by function: kept by the agency itself, known to all."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.makers.world import Agency, World

NIGHT = {"role": "night duty", "phone": "+62215550100", "email": "jaga@iom.example", "hours": "21–06"}
HEAD = {"role": "head of shelter", "phone": "+62215550101", "email": None, "hours": None}
PATH = "/v1/agencies/iom/duty-contacts"


async def put(agency: Agency, *contacts: dict[str, Any], path: str = PATH) -> httpx.Response:
    return await agency.client.request("PUT", path, json={"items": list(contacts)}, actor=agency.actor)


class TestDutyContacts:
    async def test_are_read_by_everybody_in_the_order_given(self, world: World) -> None:
        assert (await put(world.iom, NIGHT, HEAD)).json() == {"items": [NIGHT, HEAD]}
        for agency in (world.iom, world.stranger):
            reply = await agency.get(PATH)
            assert (reply.status_code, reply.json()) == (200, {"items": [NIGHT, HEAD]})

    async def test_are_none_until_there_are_some(self, world: World) -> None:
        assert (await world.police.get(PATH)).json() == {"items": []}
        assert (await world.police.get("/v1/agencies/nobody-there/duty-contacts")).status_code == 404

    async def test_are_replaced_as_a_whole(self, world: World) -> None:
        await put(world.iom, NIGHT, HEAD)
        await put(world.iom, HEAD)
        assert (await world.police.get(PATH)).json() == {"items": [HEAD]}
        await put(world.iom)
        assert (await world.police.get(PATH)).json() == {"items": []}

    async def test_are_the_agencys_own(self, world: World) -> None:
        await put(world.iom, NIGHT)
        reply = await put(world.police, HEAD)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/not-own-agency")
        assert (await put(world.police, HEAD, path="/v1/agencies/nobody-there/duty-contacts")).status_code == 404
        assert (await world.police.get(PATH)).json() == {"items": [NIGHT]}
        assert [entry["outcome"] for entry in await world.refusals()] == ["not_own_agency", "not_found"]

    async def test_are_logged_without_what_they_say(self, world: World) -> None:
        await put(world.iom, NIGHT, HEAD)
        (entry,) = await world.log(action="agency:duty_contacts")
        assert (entry["agency_id"], entry["actor"]) == (world.ids["iom"], "officer-7")
        assert entry["detail"] == '{"contacts": 2}'

    async def test_are_one_list_when_two_write_at_once(self, world: World) -> None:
        replies = await asyncio.gather(*(put(world.iom, NIGHT, HEAD) for _ in range(6)))
        assert {reply.status_code for reply in replies} == {200}
        assert (await world.police.get(PATH)).json() == {"items": [NIGHT, HEAD]}

    @pytest.mark.parametrize(
        ("contact", "pointer"),
        [
            ({**HEAD, "phone": "021 555 0100"}, "/items/0/phone"),
            ({**HEAD, "phone": "call us"}, "/items/0/phone"),
            ({**HEAD, "email": "not an address"}, "/items/0/email"),
            ({**HEAD, "role": " "}, "/items/0/role"),
            ({**HEAD, "role": "x" * 101}, "/items/0/role"),
            ({**HEAD, "role": "two\nlines"}, "/items/0/role"),
            ({**HEAD, "address": "Jalan Rahasia 1"}, "/items/0/…"),
            ({"role": "night duty"}, "/items/0/phone"),
        ],
    )
    async def test_are_refused_where_they_are_wrong(self, world: World, contact: dict[str, Any], pointer: str) -> None:
        reply = await put(world.iom, contact)
        assert reply.status_code == 422
        assert [each["pointer"] for each in reply.json()["errors"]] in ([pointer], ["/items/0/address"])
        assert (await world.police.get(PATH)).json() == {"items": []}

    async def test_are_ten_at_most(self, world: World) -> None:
        assert (await put(world.iom, *[HEAD] * 10)).status_code == 200
        assert (await put(world.iom, *[HEAD] * 11)).status_code == 422

    async def test_are_kept_in_one_form_of_number(self, world: World) -> None:
        reply = await put(world.iom, {**HEAD, "phone": "0812-3456-7890"})
        assert reply.json()["items"][0]["phone"] == "+6281234567890"

"""Service points over `/admin/v1`: whatever is sent, a confidential one has no address."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.makers.admins import new_agency
from tests.makers.world import World

ADDRESS = "Jalan Kanari 4711"


@pytest.fixture
async def path(operator) -> str:
    """Where the service points of a new agency are."""
    made = (await operator.post("/agencies", new_agency())).json()
    return f"/agencies/{made['code']}/service-points"


async def added(operator, path: str, **values: Any) -> dict[str, Any]:
    reply = await operator.post(path, {"name": "Rumah", "confidential": False, **values})
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_is_added_and_listed(operator, path):
    made = await added(operator, path, address=ADDRESS, region="31", services=["shelter", "shelter"])
    assert (made["address"], made["services"]) == (ADDRESS, ["shelter"])
    assert (await operator.get(path)).json() == {"items": [made]}


async def test_a_confidential_one_is_refused_with_an_address(operator, path, auditor):
    reply = await operator.post(path, {"name": "Rumah", "confidential": True, "address": ADDRESS})
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/admin-not-right")
    assert "4711" not in reply.text
    assert (await operator.get(path)).json() == {"items": []}


async def test_one_that_becomes_confidential_loses_its_address(operator, path, auditor):
    made = await added(operator, path, address=ADDRESS)
    changed = (await operator.patch(f"/service-points/{made['id']}", {"confidential": True})).json()
    assert (changed["confidential"], changed["address"]) == (True, None)
    assert "4711" not in (await auditor.get("/log")).text


@pytest.mark.parametrize("change", [{"confidential": False}, {"address": ADDRESS}])
async def test_one_that_is_confidential_stays_so_and_takes_no_address(operator, path, change):
    made = await added(operator, path, confidential=True)
    assert (await operator.patch(f"/service-points/{made['id']}", change)).status_code == 422
    assert (await operator.get(path)).json() == {"items": [made]}


async def test_what_is_not_named_stays(operator, path):
    made = await added(operator, path, address=ADDRESS)
    changed = (
        await operator.patch(f"/service-points/{made['id']}", {"name": "Kantor", "services": ["shelter"]})
    ).json()
    assert changed == {**made, "name": "Kantor", "services": ["shelter"]}


async def test_is_removed_once(operator, path):
    made = await added(operator, path)
    assert (await operator.post(f"/service-points/{made['id']}/remove")).json() == made
    assert (await operator.post(f"/service-points/{made['id']}/remove")).status_code == 404
    assert (await operator.get(path)).json() == {"items": []}


async def test_one_where_people_were_brought_is_not_removed(operator, world: World):
    point = world.service_points["office"]
    sent = await world.send(receiver="shelter")
    assert (await world.move(sent, "accept", world.acceptance(service_point=point))).status_code == 200
    reply = await operator.post(f"/service-points/{point}/remove")
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/admin-not-possible")
    assert point in (await operator.get("/agencies/shelter/service-points")).text


async def test_there_is_none_of_an_agency_that_is_not(operator):
    assert (await operator.get("/agencies/no-such-agency/service-points")).status_code == 404
    body = {"name": "Rumah", "confidential": False}
    assert (await operator.post("/agencies/no-such-agency/service-points", body)).status_code == 404
    assert (await operator.patch(f"/service-points/{uuid.uuid4()}", {"name": "x"})).status_code == 404

"""What opens access takes the yes of two different people who have signed in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auth.people.person import Role
from tests.makers.admins import Administrator, new_client, signed_in
from tests.makers.world import World

pytestmark = pytest.mark.usefixtures("two_people")


@pytest.fixture
async def asked(operator, world) -> dict:
    """The approval of a client that somebody registered."""
    reply = await operator.post("/clients", new_client("police"))
    assert reply.status_code == 202, reply.text
    return reply.json()["approval"]


async def status(who: Administrator, asked: dict) -> str:
    return (await who.get(f"/clients/{asked['subject']}")).json()["status"]


async def test_whoever_asked_has_said_yes_and_cannot_say_it_again(operator, asked):
    assert (asked["yes"], asked["needed"]) == (["op-ani"], 2)
    reply = await operator.approve(asked)
    assert (reply.status_code, reply.json()["type"]) == (403, "/problems/may-not-approve")
    assert await status(operator, asked) == "requested"


async def test_another_can(operator, second, asked):
    assert (await second.approve(asked)).json()["yes"] == ["op-ani", "op-budi"]
    assert await status(operator, asked) == "approved"


async def test_it_is_said_once(second, officer, asked):
    await second.approve(asked)
    for who in (second, officer):
        assert (await who.approve(asked)).status_code == 404, "nothing waits any more"


async def test_an_auditor_can_look_and_say_nothing(auditor, operator, asked):
    assert (await auditor.get("/approvals")).json()["items"] == [asked]
    for act, body in (("approve", None), ("refuse", {"reason": "No."})):
        reply = await auditor.post(f"/approvals/{asked['id']}/{act}", body)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/role-required")
    assert await status(operator, asked) == "requested"


async def test_whoever_has_not_proved_lately_who_they_are_must_do_so(exchange, operator, asked):
    late = await signed_in(exchange, "op-late", Role.operator, confirmed=timedelta(minutes=11))
    reply = await late.approve(asked)
    assert (reply.status_code, reply.json()["type"]) == (403, "/problems/confirmation-required")
    assert await status(operator, asked) == "requested"


async def test_whoever_asked_takes_it_back(operator, second, asked):
    withdrawn = await operator.post(f"/approvals/{asked['id']}/refuse", {"reason": "A mistake."})
    assert withdrawn.json()["state"] == "withdrawn"
    assert (await second.approve(asked)).status_code == 404
    assert await status(operator, asked) == "sandbox"


async def test_it_waits_for_a_week(exchange, asked):
    exchange.later(days=7, seconds=1)
    later = await signed_in(exchange, "op-later", Role.operator)
    assert (await later.approve(asked)).status_code == 404
    assert (await later.get("/approvals")).json()["items"] == []
    (found,) = (await later.get("/approvals?all=true")).json()["items"]
    assert found["state"] == "expired"


class TestAClientsToken:
    """It proves a client, not a person."""

    async def test_can_ask_and_cannot_say_yes(self, world: World, second, officer):
        body = new_client("police")
        asked = await world.ministry.client.request(
            "POST", "/admin/v1/clients", json=body, headers={"Rujukan-Actor": "officer-7"}
        )
        assert asked.status_code == 202, asked.text
        approval = asked.json()["approval"]
        assert (approval["asked_by"], approval["state"]) == ("officer-7", "waiting")
        reply = await world.ministry.client.request("POST", f"/admin/v1/approvals/{approval['id']}/approve")
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/person-required")
        assert (await second.approve(approval)).json()["state"] == "waiting", "one person's yes is not two"
        assert (await officer.approve(approval)).json()["state"] == "approved"

    async def test_cannot_take_the_place_of_whoever_it_names(self, world: World, second, officer):
        """It says whatever it likes about who acts; the person of that reference has not said yes by it, and still can."""
        asked = await world.ministry.client.request(
            "POST", "/admin/v1/clients", json=new_client("police"), headers={"Rujukan-Actor": second.reference}
        )
        assert asked.json()["approval"]["yes"] == []
        assert (await second.approve(asked.json()["approval"])).json()["yes"] == [second.reference]
        assert (await officer.approve(asked.json()["approval"])).json()["state"] == "approved"

    async def test_stops_at_once(self, world: World, operator, auditor, asked):
        code = asked["detail"]["agencies"][0]
        made = (await operator.post("/agencies", {"code": f"{code}-x", "name": "X", "kind": "police"})).json()
        reply = await world.ministry.client.request("POST", f"/admin/v1/agencies/{made['code']}/suspend")
        assert reply.json()["status"] == "suspended"
        (entry,) = (await auditor.get(f"/log?action=agency:suspend&subject_id={made['id']}")).json()["items"]
        assert (entry["actor"], entry["client_id"]) == ("client:ministry-system", "ministry-system")

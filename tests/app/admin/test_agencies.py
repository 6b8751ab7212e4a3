"""Agencies over `/admin/v1`: added, changed, stopped by one person, let in again by two."""

from __future__ import annotations

import pytest

from tests.makers.admins import new_agency
from tests.makers.world import World


@pytest.fixture
async def agency(operator) -> str:
    """An agency that was just added; its code."""
    body = new_agency()
    assert (await operator.post("/agencies", body)).status_code == 201
    return body["code"]


class TestAdding:
    async def test_answers_with_all_that_is_written_down(self, operator):
        body = new_agency(
            region="31.75", accepts={"women": "yes", "men": "no"}, capacity=12, note="Call first.", residential="yes"
        )
        reply = await operator.post("/agencies", body)
        assert reply.status_code == 201, reply.text
        made = reply.json()
        assert {name: made[name] for name in body} == body
        assert (made["status"], made["desk"], made["sandbox"], made["country"]) == ("active", False, False, "ID")
        assert (await operator.get(f"/agencies/{body['code']}")).json() == made

    async def test_twice_is_refused_and_changes_nothing(self, operator, agency):
        reply = await operator.post("/agencies", new_agency(code=agency, name="Another"))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/admin-not-possible")
        assert (await operator.get(f"/agencies/{agency}")).json()["name"] == "Rumah Aman"

    async def test_belongs_to_an_agency_that_is_there(self, operator, agency):
        assert (await operator.post("/agencies", new_agency(parent=agency))).json()["parent"] == agency
        reply = await operator.post("/agencies", new_agency(parent="no-such-agency"))
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/admin-not-there")

    async def test_is_logged_with_the_request_it_came_by(self, operator, auditor, agency):
        entries = (await auditor.get("/log?action=agency:add")).json()["items"]
        assert [(entry["actor"], entry["detail"]) for entry in entries] == [("op-ani", {"code": agency})]
        assert entries[0]["request_id"]
        assert entries[0]["client_id"] is None


class TestListing:
    async def test_goes_by_pages_and_shows_each_once(self, operator):
        bodies = [new_agency(kind="village_government") for _ in range(3)]
        added = sorted([(await operator.post("/agencies", body)).json()["code"] for body in bodies])
        path, found = "/agencies?kind=village_government&limit=2", []
        while path:
            page = (await operator.get(path)).json()
            assert len(page["items"]) <= 2
            found += [each["code"] for each in page["items"]]
            path = page["next"] and page["next"].removeprefix("/admin/v1")
        assert [code for code in found if code in added] == added
        assert found == sorted(set(found))

    async def test_refuses_a_cursor_of_another_list(self, operator):
        await operator.post("/agencies", new_agency())
        await operator.post("/agencies", new_agency())
        following = (await operator.get("/agencies?limit=1")).json()["next"].removeprefix("/admin/v1")
        assert (await operator.get(following)).status_code == 200
        reply = await operator.get(f"{following}&status=active")
        assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-cursor")


class TestChanging:
    async def test_leaves_what_is_not_named(self, operator, agency):
        await operator.patch(f"/agencies/{agency}", {"capacity": 4, "note": "Call first."})
        changed = (await operator.patch(f"/agencies/{agency}", {"note": None, "name": "Rumah Harapan"})).json()
        assert (changed["name"], changed["capacity"], changed["note"]) == ("Rumah Harapan", 4, None)

    async def test_of_nothing_or_of_nobody_is_refused(self, operator, agency):
        assert (await operator.patch(f"/agencies/{agency}", {})).json()["type"] == "/problems/admin-not-right"
        assert (await operator.patch("/agencies/no-such-agency", {"note": "x"})).status_code == 404

    async def test_is_logged_by_what_changed_and_not_by_its_value(self, operator, auditor, agency):
        await operator.patch(f"/agencies/{agency}", {"note": "Canary4711"})
        (entry,) = (await auditor.get("/log?action=agency:change")).json()["items"]
        assert entry["detail"] == {"code": agency, "changed": ["note"]}


class TestStopping:
    async def test_takes_one_person_and_starting_again_two(self, operator, second, officer, agency, two_people):
        assert (await officer.post(f"/agencies/{agency}/suspend")).json()["status"] == "suspended"
        asked = await operator.post(f"/agencies/{agency}/resume")
        assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
        assert (await operator.get(f"/agencies/{agency}")).json()["status"] == "suspended"
        assert (await second.approve(asked.json())).json()["state"] == "approved"
        assert (await operator.get(f"/agencies/{agency}")).json()["status"] == "active"

    async def test_twice_is_as_once(self, operator, agency):
        for _ in range(2):
            assert (await operator.post(f"/agencies/{agency}/suspend")).json()["status"] == "suspended"

    async def test_what_is_not_suspended_is_not_asked_for(self, operator, agency, two_people):
        reply = await operator.post(f"/agencies/{agency}/resume")
        assert (reply.status_code, reply.json()["says"]) == (409, f"{agency} is active, not suspended")
        assert (await operator.get("/approvals")).json()["items"] == []

    async def test_asking_twice_is_refused(self, operator, second, agency, two_people):
        await operator.post(f"/agencies/{agency}/suspend")
        assert (await operator.post(f"/agencies/{agency}/resume")).status_code == 202
        for who in (operator, second):
            assert (await who.post(f"/agencies/{agency}/resume")).status_code == 409

    async def test_closing_is_for_good(self, operator, agency):
        assert (await operator.post(f"/agencies/{agency}/close")).json()["status"] == "closed"
        for path in ("close", "suspend", "resume", "desk"):
            assert (await operator.post(f"/agencies/{agency}/{path}")).status_code in (404, 409)
        assert (await operator.patch(f"/agencies/{agency}", {"note": "x"})).status_code == 404

    async def test_who_still_answers_for_people_is_not_closed(self, operator, world: World):
        await world.accepted()
        reply = await operator.post("/agencies/iom/close")
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/admin-not-possible")
        assert (await operator.get("/agencies/iom")).json()["status"] == "active"


class TestTheDesk:
    async def test_is_made_by_two_people(self, operator, officer, agency, world: World, two_people):
        asked = await operator.post(f"/agencies/{agency}/desk")
        assert asked.status_code == 202
        assert (await operator.get(f"/agencies/{agency}")).json()["desk"] is False
        assert (await officer.approve(asked.json())).json()["state"] == "approved"
        assert (await operator.get(f"/agencies/{agency}")).json()["desk"] is True
        assert (await operator.post(f"/agencies/{agency}/desk")).status_code == 409
        await world.set_desk(None)

    async def test_is_no_practice_agency(self, operator):
        made = (await operator.post("/agencies", new_agency(sandbox=True))).json()
        assert (await operator.post(f"/agencies/{made['code']}/desk")).status_code == 422


class TestTheReviewer:
    async def test_is_made_by_two_people_and_is_no_practice_agency(
        self, operator, officer, agency, world: World, two_people
    ):
        asked = await operator.post(f"/agencies/{agency}/reviewer")
        assert asked.status_code == 202
        assert (await operator.get(f"/agencies/{agency}")).json()["reviewer"] is False
        assert (await officer.approve(asked.json())).json()["state"] == "approved"
        assert (await operator.get(f"/agencies/{agency}")).json()["reviewer"] is True
        assert (await operator.post(f"/agencies/{agency}/reviewer")).status_code == 409
        made = (await operator.post("/agencies", new_agency(sandbox=True))).json()
        assert (await operator.post(f"/agencies/{made['code']}/reviewer")).status_code == 422
        assert await world.owner.fetchval("SELECT code FROM agency WHERE reviewer") == agency
        await world.owner.execute("UPDATE agency SET reviewer = false WHERE reviewer")

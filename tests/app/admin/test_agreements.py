"""Agreements over `/admin/v1`: two protection officers let them hold, one ends them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.makers.admins import new_agency


@pytest.fixture
async def agencies(operator) -> list[str]:
    """Two agencies."""
    return [(await operator.post("/agencies", new_agency())).json()["code"] for _ in range(2)]


def acts_for(agencies: list[str], **values: Any) -> dict[str, Any]:
    return {"kind": "acts_for", "agency": agencies[0], "by": agencies[1], "reference": "PKS 12/2026", **values}


def times(agencies: list[str], **values: Any) -> dict[str, Any]:
    given = {"respond_within_urgent": 4 * 3600}
    return {"kind": "times", "agency": agencies[0], "times": given, "reference": "PKS 13/2026", **values}


class TestAdding:
    async def test_takes_two_people(self, officer, second_officer, auditor, agencies, two_people):
        asked = await officer.post("/agreements", acts_for(agencies))
        assert (asked.status_code, asked.json()["detail"]["other"]) == (202, agencies[1])
        assert (await officer.get(f"/agreements?agency={agencies[0]}")).json()["items"] == []
        assert (await officer.approve(asked.json())).json()["type"] == "/problems/may-not-approve"
        assert (await auditor.approve(asked.json())).json()["type"] == "/problems/role-required"
        assert (await second_officer.approve(asked.json())).json()["state"] == "approved"
        (made,) = (await officer.get(f"/agreements?agency={agencies[1]}&holds=true")).json()["items"]
        assert (made["kind"], made["agency"], made["other"]) == ("acts_for", *agencies)
        assert (await officer.get(f"/agreements/{made['id']}")).json() == made

    async def test_gives_an_agency_deadlines_of_its_own(self, officer, agencies):
        assert (await officer.post("/agreements", times(agencies))).json()["state"] == "approved"
        (made,) = (await officer.get(f"/agreements?agency={agencies[0]}")).json()["items"]
        assert (made["times"], made["other"]) == ({"respond_within_urgent": 14_400}, None)

    async def test_lets_an_agency_send_more(self, officer, agencies):
        sharing = {
            "purposes": ["return"],
            "sections": ["needs", "safety"],
            "basis": "UU 27/2022, Pasal 56",
            "both_ways": True,
        }
        given = {"kind": "data_sharing", "agency": agencies[0], "other": agencies[1], "reference": "MoU 7", **sharing}
        assert (await officer.post("/agreements", given)).json()["state"] == "approved"
        (made,) = (await officer.get(f"/agreements?agency={agencies[1]}&kind=data_sharing")).json()["items"]
        assert {name: made[name] for name in sharing} == sharing

    async def test_the_same_twice_is_refused(self, officer, agencies, two_people):
        assert (await officer.post("/agreements", times(agencies))).status_code == 202
        assert (await officer.post("/agreements", times(agencies))).status_code == 409
        assert (await officer.post("/agreements", acts_for(agencies))).status_code == 202

    async def test_what_holds_already_is_not_asked_for(self, officer, agencies):
        await officer.post("/agreements", times(agencies))
        assert (await officer.post("/agreements", times(agencies))).status_code == 409

    @pytest.mark.parametrize(
        "values",
        [
            {"times": {"respond_within_urgent": 60}},
            {"times": {"respond_within_urgent": 366 * 86_400}},
            {"times": {"canary4711": 3600}},
            {"until_at": "2020-01-01T00:00:00Z"},
            {"reference": " "},
        ],
        ids=["too short", "too long", "no such time", "over", "blank"],
    )
    async def test_what_could_not_hold_is_not_asked_for(self, officer, agencies, values, two_people):
        reply = await officer.post("/agreements", times(agencies, **values))
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/admin-not-right")
        assert "canary4711" not in reply.text
        assert (await officer.get("/approvals")).json()["items"] == []

    async def test_with_an_agency_that_is_not_there_or_with_itself(self, officer, agencies):
        assert (await officer.post("/agreements", acts_for(agencies, by="no-such-agency"))).status_code == 404
        assert (await officer.post("/agreements", acts_for(agencies, by=agencies[0]))).status_code == 422

    async def test_one_that_was_to_begin_while_it_waited_begins_then(
        self, officer, second_officer, exchange, agencies, two_people
    ):
        until = exchange.clock.now() + timedelta(minutes=5)
        asked = await officer.post("/agreements", acts_for(agencies, until_at=until.isoformat()))
        exchange.later(minutes=6)
        late = await second_officer.approve(asked.json())
        assert (late.status_code, late.json()["type"]) == (422, "/problems/admin-not-right"), "it would be over"
        assert (await officer.get(f"/approvals/{asked.json()['id']}")).json()["state"] == "waiting"


class TestEnding:
    async def test_is_done_at_once_and_once(self, officer, auditor, agencies, two_people, second_officer):
        asked = await officer.post("/agreements", acts_for(agencies))
        await second_officer.approve(asked.json())
        (made,) = (await officer.get(f"/agreements?agency={agencies[0]}")).json()["items"]
        path = f"/agreements/{made['id']}/end"
        assert (await auditor.post(path)).json()["type"] == "/problems/role-required"
        assert (await officer.post(path)).json()["until_at"] is not None
        assert (await officer.post(path)).status_code == 404
        assert (await officer.get(f"/agreements?agency={agencies[0]}&holds=true")).json()["items"] == []

    async def test_of_none_there_is(self, officer):
        assert (await officer.post(f"/agreements/{uuid.uuid4()}/end")).status_code == 404
        assert (await officer.get(f"/agreements/{uuid.uuid4()}")).status_code == 404


async def test_listing_goes_by_pages(officer, operator, agencies):
    others = [(await operator.post("/agencies", new_agency())).json()["code"] for _ in range(2)]
    for by in (agencies[1], *others):
        await officer.post("/agreements", acts_for(agencies, by=by))
    path, found = f"/agreements?agency={agencies[0]}&kind=acts_for&limit=2", []
    while path:
        page = (await officer.get(path)).json()
        found += [each["other"] for each in page["items"]]
        path = page["next"] and page["next"].removeprefix("/admin/v1")
    assert found == [others[1], others[0], agencies[1]], "the newest first"

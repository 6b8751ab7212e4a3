"""Who administers, over HTTP: added, invited, given roles and resumed by two; narrowed and shut out by one."""

from __future__ import annotations

import pytest

from auth.people.person import Role
from tests.makers.people import problem

NEW = {"reference": "staff-9", "name": "Nine", "roles": ["auditor"]}


@pytest.fixture
async def operators(signed_in):
    """Two operators, and an auditor and a protection officer beside them."""
    return (
        await signed_in("staff-1"),
        await signed_in("staff-2"),
        await signed_in("staff-3", Role.auditor),
        await signed_in("staff-4", Role.protection_officer),
    )


async def approve(browser, asked) -> int:
    return (await browser.post(f"approvals/{asked.json()['approval']['id']}/approve")).status_code


def token_of(asked) -> str:
    return asked.json()["link"].partition("#")[2]


@pytest.mark.usefixtures("two_people")
class TestOpening:
    async def test_another_administrator_takes_two_operators(self, operators, browser_of):
        first, second, *_ = operators
        asked = await first.post("administrators", NEW)
        assert (asked.status_code, asked.json()["done"]) == (202, False)
        assert asked.json()["link"].startswith("https://rujukan.test/admin/enrol#")
        early = await browser_of().post("enrolment/begin", {"token": token_of(asked)})
        assert problem(early) == (410, "link-over"), "before the second yes"
        assert await approve(first, asked) == 403, "the same person again"
        said = await second.post(f"approvals/{asked.json()['approval']['id']}/approve")
        assert (await browser_of().enrol(token_of(asked), code=said.json()["code"])).status_code == 200

    async def test_the_yes_of_other_roles_does_not_count(self, operators):
        first, _, auditor, officer = operators
        asked = await first.post("administrators", NEW)
        assert await approve(auditor, asked) == 403
        assert await approve(officer, asked) == 403
        assert (await first.get("administrators/staff-9")).status_code == 404

    async def test_more_roles_take_two_and_fewer_are_narrowed_at_once(self, operators, log):
        first, second, *_ = operators
        asked = await first.post("administrators/staff-3/roles", {"roles": ["auditor", "protection_officer"]})
        assert asked.json()["done"] is False
        assert await approve(second, asked) == 200
        roles = (await first.get("administrators/staff-3")).json()["roles"]
        assert roles == ["auditor", "protection_officer"]
        at_once = await first.post("administrators/staff-3/roles", {"roles": ["auditor"]})
        assert at_once.json() == {"done": True, "approval": None, "link": None}
        assert (await first.get("administrators/staff-3")).json()["roles"] == ["auditor"]
        assert [(actor, said["before"]) for actor, said in await log("admin:roles")] == [
            ("staff-2", ["auditor"]),
            ("staff-1", ["auditor", "protection_officer"]),
        ]

    async def test_other_roles_count_from_the_next_request(self, operators):
        first, second, auditor, _ = operators
        assert (await auditor.get("sessions?all=true")).status_code == 200
        asked = await first.post("administrators/staff-3/roles", {"roles": ["protection_officer"]})
        assert await approve(second, asked) == 200
        assert problem(await auditor.get("sessions?all=true")) == (403, "role-required")

    async def test_another_way_in_takes_two_even_where_the_first_has_ended(self, operators, browser_of):
        """Else one person could end another's passkey, invite them, and be two."""
        first, *_ = operators
        (key,) = (await first.get("administrators/staff-2")).json()["passkeys"]
        assert (await first.post(f"administrators/staff-2/passkeys/{key['id']}/end")).status_code == 204
        asked = await first.post("administrators/staff-2/invite")
        assert asked.json()["done"] is False
        early = await browser_of().post("enrolment/begin", {"token": token_of(asked)})
        assert problem(early) == (410, "link-over")

    async def test_resuming_takes_two_and_stopping_one(self, operators):
        first, second, auditor, officer = operators
        assert (await officer.post("administrators/staff-3/suspend")).json() == {"ended": 1}
        assert problem(await auditor.get("me")) == (401, "not-signed-in")
        asked = await first.post("administrators/staff-3/resume")
        assert problem(await auditor.sign_in()) == (403, "passkey-refused")
        assert await approve(second, asked) == 200
        assert problem(await auditor.get("me")) == (401, "not-signed-in"), "what has ended stays ended"
        assert (await auditor.sign_in()).status_code == 200

    async def test_the_yes_of_who_was_shut_out_counts_no_more(self, operators, signed_in):
        first, second, *_ = operators
        third = await signed_in("staff-5")
        asked = await first.post("administrators", NEW)
        await second.post("administrators/staff-1/suspend")
        await approve(second, asked)
        assert (await second.get("administrators/staff-9")).status_code == 404
        assert await approve(third, asked) == 200
        assert (await second.get("administrators/staff-9")).status_code == 200

    async def test_a_client_opens_nothing(self, world):
        reply = await world.police.post("/admin/v1/administrators", NEW)
        assert problem(reply) == (403, "person-required")


class TestWhoMay:
    async def test_open_is_operators(self, operators):
        _, _, auditor, officer = operators
        for browser in (auditor, officer):
            for path, body in (("", NEW), ("/staff-1/invite", {}), ("/staff-1/roles", {"roles": ["auditor"]})):
                assert problem(await browser.post(f"administrators{path}", body)) == (403, "role-required")

    async def test_stop_is_not_auditors(self, operators):
        _, _, auditor, officer = operators
        assert problem(await auditor.post("administrators/staff-1/suspend")) == (403, "role-required")
        assert (await officer.post("administrators/staff-1/suspend")).status_code == 200

    async def test_read_is_everybodys_who_administers(self, operators, browser_of):
        for browser in operators:
            items = (await browser.get("administrators")).json()["items"]
            assert [each["reference"] for each in items] == ["staff-1", "staff-2", "staff-3", "staff-4"]
        assert problem(await browser_of().get("administrators")) == (401, "not-signed-in")


class TestBadInput:
    @pytest.mark.parametrize(
        "changed",
        [
            {"reference": ""},
            {"reference": "Ibu Nine"},
            {"reference": "x" * 65},
            {"reference": "Siti\u202e"},
            {"name": ""},
            {"name": "a\nb"},
            {"name": "x" * 201},
            {"roles": []},
            {"roles": ["operator", "protection_officer", "auditor"]},
        ],
    )
    async def test_is_told_and_nothing_is_added(self, signed_in, changed):
        browser = await signed_in("staff-1")
        reply = await browser.post("administrators", {**NEW, **changed})
        assert problem(reply) == (422, "admin-not-right")
        assert len((await browser.get("administrators")).json()["items"]) == 1

    @pytest.mark.parametrize("changed", [{"roles": ["king"]}, {"roles": "operator"}, {"reference": None}, {"more": 1}])
    async def test_of_another_form_is_told_too(self, signed_in, changed):
        browser = await signed_in("staff-1")
        assert problem(await browser.post("administrators", {**NEW, **changed})) == (422, "invalid-request")

    async def test_a_reference_is_taken_once(self, signed_in):
        browser = await signed_in("staff-1")
        taken = await browser.post("administrators", {**NEW, "reference": "staff-1"})
        assert problem(taken) == (409, "admin-not-possible")

    async def test_what_is_not_there_is_told(self, signed_in):
        browser = await signed_in("staff-1")
        for path in ("invite", "resume", "suspend", "passkeys/01a21e5e-002c-79c2-b026-2cb987358bae/end"):
            assert problem(await browser.post(f"administrators/nobody/{path}")) == (404, "admin-not-there")
        assert problem(await browser.post("administrators/staff-1/resume")) == (409, "admin-not-possible")

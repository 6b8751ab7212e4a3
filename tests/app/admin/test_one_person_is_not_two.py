"""What one person tries in order to be two: each holds what the other lacks, and only what was just proved counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auth.people.person import Role
from tests.makers import admins
from tests.makers.people import problem

pytestmark = pytest.mark.usefixtures("two_people", "world")
NEW = {"reference": "staff-9", "name": "Nine", "roles": ["operator"]}


def token_of(asked) -> str:
    return asked.json()["link"].partition("#")[2]


async def approve(who, asked):
    return await who.post(f"/approvals/{asked.json()['approval']['id']}/approve")


class TestTheLink:
    """Whoever asks holds the link, whoever says the last yes is shown a code, and a newcomer needs both."""

    @pytest.fixture
    async def asked(self, operator):
        return await operator.post("/administrators", NEW)

    async def test_is_of_no_use_to_whoever_asked(self, asked, second, browser_of):
        assert (await approve(second, asked)).status_code == 200
        reply = await browser_of().post("enrolment/begin", {"token": token_of(asked)})
        assert problem(reply) == (403, "code-required")

    @pytest.mark.parametrize("code", ["", "0000-0000-0000-0000", "x" * 40, "\u202e"])
    async def test_is_of_no_use_with_another_code(self, asked, second, browser_of, code):
        await approve(second, asked)
        reply = await browser_of().post("enrolment/begin", {"token": token_of(asked), "code": code})
        assert problem(reply) == (403, "code-required")

    async def test_is_of_use_with_the_code_however_it_is_typed(self, asked, second, browser_of):
        code = (await approve(second, asked)).json()["code"]
        typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        assert (await browser_of().enrol(token_of(asked), code=typed)).status_code == 200

    async def test_the_code_is_shown_once_and_kept_as_a_hash(self, asked, exchange, operator, second):
        shown = (await approve(second, asked)).json()
        assert "code" not in asked.json()["approval"]
        for who in (operator, second):
            assert shown["code"] not in (await who.get("/approvals?all=true")).text
        stored = await exchange.owner.fetch(
            "SELECT i::text AS row FROM invitation i UNION ALL SELECT a::text FROM approval a UNION ALL SELECT l::text FROM log_entry l"
        )
        assert not [row for row in stored if shown["code"] in row["row"]]

    async def test_another_link_takes_another_yes_and_has_another_code(self, asked, operator, second, browser_of):
        """Else whoever asked could have themselves given a link without one."""
        first = (await approve(second, asked)).json()["code"]
        again = await operator.post("/administrators/staff-9/invite")
        assert again.json()["done"] is False
        code = (await approve(second, again)).json()["code"]
        assert problem(await browser_of().post("enrolment/begin", {"token": token_of(again), "code": first})) == (
            403,
            "code-required",
        )
        assert (await browser_of().enrol(token_of(again), code=code)).status_code == 200

    async def test_an_approval_of_anything_else_shows_none(self, operator, second):
        asked = await operator.post("/clients", admins.new_client("police"))
        assert (await approve(second, asked)).json()["code"] is None

    async def test_wrong_codes_are_paid_for(self, asked, second, exchange, browser_of, monkeypatch):
        await approve(second, asked)
        paid = []
        monkeypatch.setattr(exchange.app.state.limits, "failed", paid.append)
        await browser_of().post("enrolment/begin", {"token": token_of(asked), "code": "0000"})
        assert len(paid) == 1


class TestAYes:
    async def test_of_an_old_session_is_not_given_by_asking(self, exchange, second, officer):
        """A session that somebody else found open may ask; it takes a fresh proof to say yes."""
        late = await admins.signed_in(exchange, "op-late", Role.operator, confirmed=timedelta(minutes=11))
        asked = await late.post("/clients", admins.new_client("police"))
        assert asked.json()["approval"]["yes"] == []
        assert (await approve(second, asked)).json()["state"] == "waiting"
        assert (await approve(officer, asked)).json()["state"] == "approved"

    async def test_of_who_has_lost_the_role_meanwhile_does_not_count(self, operator, second, officer):
        asked = await operator.post("/clients", admins.new_client("police"))
        moved = await second.post("/administrators/op-ani/roles", {"roles": ["auditor"]})
        assert (await approve(await self._third(second), moved)).status_code == 200
        assert (await approve(second, asked)).json()["state"] == "waiting", "an auditor's yes is none"
        assert (await approve(officer, asked)).json()["state"] == "approved"

    async def _third(self, beside):
        return await admins.signed_in(beside.exchange, "op-cahya", Role.operator)

    async def test_to_roles_does_not_outlive_their_narrowing(self, operator, second):
        """What was asked for before somebody was narrowed is not done to them afterwards."""
        third = await self._third(second)
        await admins.signed_in(second.exchange, "op-dua", Role.operator, Role.protection_officer)
        asked = await operator.post("/administrators/op-dua/roles", {"roles": ["operator", "auditor"]})
        assert (await third.post("/administrators/op-dua/roles", {"roles": ["protection_officer"]})).json()["done"]
        assert problem(await approve(second, asked)) == (409, "admin-not-possible")
        assert (await second.get("/administrators/op-dua")).json()["roles"] == ["protection_officer"]


async def test_what_waits_is_not_hidden_behind_what_was_decided(exchange, operator, second):
    """Whoever may ask could else bury what another person should have refused."""
    asked = (await operator.post("/clients", admins.new_client("police"))).json()["approval"]
    await exchange.owner.execute(
        "INSERT INTO approval (id, act, subject, detail, asked_by, asked_at, expires_at, state, decided_at)"
        " SELECT gen_random_uuid(), act, n::text, detail, asked_by, asked_at + interval '1 s', expires_at, 'refused', asked_at"
        " FROM approval, generate_series(1, 500) n"
    )
    assert [each["id"] for each in (await second.get("/approvals")).json()["items"]] == [asked["id"]]


class TestSessions:
    async def test_are_not_ended_by_an_auditor(self, operator, auditor):
        (session,) = (await operator.get("/sessions")).json()["items"]
        assert (await auditor.post(f"/sessions/{session['id']}/end")).status_code == 404
        assert (await operator.get("/me")).status_code == 200

    async def test_of_people_are_not_shown_to_a_client(self, world, operator):
        """Where people sit, and at which browser, is no system's business."""
        reply = await world.ministry.client.request("GET", "/admin/v1/sessions?all=true")
        assert problem(reply) == (403, "person-required")


class TestAnAccountAtTheProvider:
    async def test_is_parted_from_its_person_by_one(self, exchange, operator, second):
        """Somebody else may have taken it over: its sessions end with it."""
        await exchange.owner.execute(
            "UPDATE administrator SET oidc_issuer = 'https://idp.example', oidc_subject = 'x' WHERE reference = 'op-ani'"
        )
        assert (await second.post("/administrators/op-ani/unlink")).status_code == 204
        assert problem(await operator.get("/me")) == (401, "not-signed-in")
        assert (await second.get("/administrators/op-ani")).json()["linked"] is False
        assert (await second.post("/administrators/op-ani/unlink")).status_code == 409

"""At two in the morning over HTTP: the kill switch and whom it leaves waiting, an emergency key, an agency that leaves."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.client import Credentials
from auth import jose
from auth.admin.clients import add_client
from auth.people.person import Role
from tests.conftest import Exchange
from tests.makers import cases
from tests.makers.admins import Administrator, signed_in
from tests.makers.world import World

SINCE = {"reason": "A laptop is gone."}


@pytest.fixture
async def operator(exchange: Exchange) -> Administrator:
    return await signed_in(exchange, "op-ani", Role.operator)


@pytest.fixture
async def second(exchange: Exchange) -> Administrator:
    return await signed_in(exchange, "po-budi", Role.protection_officer)


@pytest.fixture
async def auditor(exchange: Exchange) -> Administrator:
    return await signed_in(exchange, "au-citra", Role.auditor)


@pytest.fixture
def two_people(exchange: Exchange) -> Iterator[None]:
    state: Any = exchange.app.state
    before = state.settings
    state.settings = before.model_copy(update={"two_people": "on"})
    yield
    state.settings = before


@pytest.fixture
async def restored(world: World) -> AsyncIterator[None]:
    """The world's clients as they were, afterwards."""
    yield
    await world.owner.execute(
        "UPDATE client SET status = 'active', status_before = NULL, emergency_until = NULL WHERE client_id LIKE '%-system'"
    )
    await world.owner.execute(
        "UPDATE client_key SET ends_at = NULL WHERE added_by = 'admin' AND client_id LIKE '%-system'"
    )
    await world.exchange.directory.refresh()


async def another_client(world: World, agency: str) -> Credentials:
    """A second client of an agency."""
    credentials = Credentials.generate(f"client-{secrets.token_hex(4)}", world.exchange.settings.public_url)
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    await add_client(
        conn, client_id=credentials.client_id, name="x", agencies=[agency], scopes=["events.read"],
        jwks=credentials.public_jwks(), now=world.exchange.clock.now(), actor="test",
    )  # fmt: skip
    await conn.close()
    await world.exchange.directory.refresh()
    return credentials


@pytest.mark.usefixtures("restored")
class TestTheKillSwitch:
    async def test_stops_by_one_person_of_either_office_without_proving_again_who_they_are(
        self, exchange: Exchange, world: World
    ) -> None:
        for role in (Role.operator, Role.protection_officer):
            somebody = await signed_in(exchange, f"x-{role}", role, confirmed=timedelta(hours=3))
            reply = await somebody.post("/clients/iom-system/suspend", SINCE)
            assert reply.status_code == 200, reply.text
        assert reply.json()["was"] == "suspended"
        await exchange.directory.refresh()
        assert (await world.exchange.http.post("/oauth2/token")).status_code in (400, 401)

    async def test_is_not_an_auditors(self, auditor: Administrator) -> None:
        assert (await auditor.post("/clients/iom-system/suspend", SINCE)).status_code == 403

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 422),
            ({"reason": ""}, 422),
            ({"reason": "x" * 501}, 422),
            ({"reason": "x", "compromised_since": "2026-01-01T02:00:00"}, 422),
            ({"reason": "x", "compromised_since": "yesterday"}, 422),
            ({"reason": "x", "compromised_since": "2190-01-01T00:00:00Z"}, 422),
            ({"reason": "x", "more": 1}, 422),
        ],
    )
    async def test_of_what_cannot_be_read_stops_nothing(
        self, world: World, operator: Administrator, body: dict[str, Any], status: int
    ) -> None:
        assert (await operator.post("/clients/iom-system/suspend", body)).status_code == status
        assert await world.owner.fetchval("SELECT status FROM client WHERE client_id = 'iom-system'") == "active"

    async def test_of_a_client_there_is_none_is_told_so(self, operator: Administrator) -> None:
        assert (await operator.post("/clients/nobody-here/suspend", SINCE)).status_code == 404

    async def test_lists_what_it_strands_and_nothing_of_its_content(self, exchange: Exchange, world: World) -> None:
        """What the answer says is what stands in the database: every open one of the agency, and none that has ended."""
        busy = await world.busy()
        operator = await signed_in(exchange, "op-late", Role.operator)
        reply = await operator.post("/clients/iom-system/suspend", SINCE)
        found = {each["id"]: each for each in reply.json()["stranded"]}
        truth = await world.owner.fetch(
            """SELECT id::text, case_id::text, reference, state, urgency, sender_id, receiver_id FROM
               (SELECT id, case_id, reference, state, urgency, sender_id, receiver_id, ended_at FROM referral
                UNION ALL SELECT id, case_id, reference, state, urgency, sender_id, receiver_id, ended_at FROM transfer) AS passed
               WHERE $1 IN (sender_id, receiver_id) AND ended_at IS NULL""",
            world.ids["iom"],
        )
        assert found.keys() == {row["id"] for row in truth}
        assert len(found) >= 2
        codes = {id: code for code, id in world.ids.items()}
        for row in truth:
            each = found[row["id"]]
            assert (each["case_id"], each["reference"], each["state"]) == (
                row["case_id"],
                row["reference"],
                row["state"],
            )
            mine = "receiver" if row["receiver_id"] == world.ids["iom"] else "sender"
            other = row["sender_id"] if mine == "receiver" else row["receiver_id"]
            assert (each["agency"], each["agency_is"], each["other"]) == ("iom", mine, codes[other])
        assert "Surya" not in reply.text
        assert busy["amended"].id in found

    async def test_strands_nothing_where_the_agency_has_another_client(
        self, world: World, operator: Administrator
    ) -> None:
        await world.send(receiver="iom")
        other = await another_client(world, "iom")
        try:
            assert (await operator.get("/clients/iom-system/stranded")).json()["items"] == []
            await operator.post(f"/clients/{other.client_id}/suspend", SINCE)
            assert len((await operator.get("/clients/iom-system/stranded")).json()["items"]) == 1, (
                "as if it were stopped"
            )
        finally:
            await operator.post(f"/clients/{other.client_id}/retire")

    async def test_has_the_other_side_asked_at_once_and_passes_over_who_hears_nothing(
        self, world: World, operator: Administrator
    ) -> None:
        sent = await world.send(receiver="iom")
        offered = await world.send(sender="iom", receiver="shelter", kind="transfer")
        await world.set_desk("ministry")
        await operator.post("/clients/iom-system/suspend", SINCE)
        reply = await operator.post("/clients/iom-system/escalate-stranded")
        assert reply.json() == {"escalated": 2}, reply.text
        await world.exchange.settle()
        for code, passed in (("police", sent), ("shelter", offered)):
            (mine,) = (await world.agencies[code].get("/v1/escalations")).json()["items"]
            assert (mine["subject_id"], mine["reason"]) == (passed.id, "client_suspended")
        told = await world.owner.fetchval(
            "SELECT count(*) FROM event WHERE agency_id = $1 AND type = 'escalation.opened'", world.ids["iom"]
        )
        assert told == 0
        assert (await world.move(sent, "recall")).status_code == 200, "the sender re-routes"
        closed = (await world.police.get("/v1/escalations")).json()["items"][0]
        assert closed["state"] == "closed"
        await world.set_desk(None)

    async def test_has_the_same_asked_again_only_while_nobody_sees_to_it(
        self, world: World, operator: Administrator
    ) -> None:
        await world.send(receiver="iom")
        await operator.post("/clients/iom-system/suspend", SINCE)
        await operator.post("/clients/iom-system/escalate-stranded")
        await world.exchange.settle()
        assert (await operator.post("/clients/iom-system/escalate-stranded")).json() == {"escalated": 1}
        (mine,) = (await world.police.get("/v1/escalations")).json()["items"]
        assert (await world.police.post(f"/v1/escalations/{mine['id']}/take")).status_code == 200
        assert (await operator.post("/clients/iom-system/escalate-stranded")).json() == {"escalated": 0}
        (listed,) = (await operator.get("/clients/iom-system/stranded")).json()["items"]
        assert listed["escalation"] == "taken"

    async def test_takes_back_what_the_silent_agency_had_taken(self, exchange: Exchange, world: World) -> None:
        sent = await world.send(receiver="iom", urgency="immediate")
        await world.escalated(sent)
        operator = await signed_in(exchange, "op-late", Role.operator)
        (mine,) = (await world.iom.get("/v1/escalations")).json()["items"]
        await world.iom.post(f"/v1/escalations/{mine['id']}/take")
        await operator.post("/clients/iom-system/suspend", SINCE)
        await operator.post("/clients/iom-system/escalate-stranded")
        await world.exchange.settle()
        (asked,) = (await world.police.get("/v1/escalations")).json()["items"]
        assert (asked["id"], asked["state"]) == (mine["id"], "open")

    async def test_escalates_nothing_of_a_client_that_works(self, world: World, operator: Administrator) -> None:
        await world.send(receiver="iom")
        assert (await operator.post("/clients/iom-system/escalate-stranded")).status_code == 409

    async def test_is_undone_by_two_people_alone(
        self, world: World, operator: Administrator, second: Administrator, two_people: None
    ) -> None:
        await operator.post("/clients/iom-system/suspend", SINCE)
        waits = await operator.post("/clients/iom-system/resume")
        assert waits.status_code == 202
        await world.exchange.directory.refresh()
        assert (await second.approve(waits.json())).json()["state"] == "approved"
        assert await world.owner.fetchval("SELECT status FROM client WHERE client_id = 'iom-system'") == "active"


@pytest.mark.usefixtures("restored")
class TestAnEmergencyKey:
    async def test_is_given_by_an_operator_who_has_just_proved_who_they_are(
        self, exchange: Exchange, world: World, operator: Administrator, second: Administrator, two_people: None
    ) -> None:
        contacts = {"items": [{"role": "Duty officer", "phone": "+6221123456"}]}
        said = await world.sentra.client.request("PUT", "/v1/agencies/sentra/duty-contacts", json=contacts, actor="x")
        assert said.status_code == 200
        body = {"jwk": jose.generate().public_jwk(), "called_back": "duty officer"}
        stale = await signed_in(exchange, "op-stale", Role.operator, confirmed=timedelta(minutes=11))
        for who, status in ((stale, 401), (second, 403), (operator, 200)):
            reply = await who.post("/clients/sentra-system/emergency-key", body)
            assert reply.status_code in (status, 403), reply.text
        made = reply.json()
        assert (len(made["ended"]), made["approval"]["act"]) == (1, "client:emergency")
        assert (await second.approve(made["approval"])).json()["state"] == "approved"
        await world.owner.execute(
            "UPDATE client_key SET ends_at = starts_at, added_by = 'client' WHERE kid = $1", made["kid"]
        )

    async def test_without_a_call_is_refused(self, world: World, operator: Administrator) -> None:
        body = {"jwk": jose.generate().public_jwk(), "called_back": "nobody"}
        reply = await operator.post("/clients/lpsk-system/emergency-key", body)
        assert (reply.status_code, "nobody" in reply.text) == (422, False)


class TestAnAgencyThatLeaves:
    async def steps(self, who: Administrator, code: str) -> dict[str, dict[str, Any]]:
        reply = await who.get(f"/agencies/{code}/offboarding")
        assert reply.status_code == 200, reply.text
        return {each["what"]: each for each in reply.json()["steps"]}

    async def test_is_told_what_is_left_in_order(
        self, world: World, operator: Administrator, auditor: Administrator
    ) -> None:
        leaving = await world.newcomer("leaving-police", "police_regional")
        await cases.opened(world, leaving.code)
        await world.accepted(sender="iom", receiver=leaving.code)
        await world.send(sender="iom", receiver=leaving.code)
        steps = await self.steps(auditor, leaving.code)
        left = {what.split(":")[0]: each["remaining"] for what, each in steps.items() if each["remaining"]}
        assert left == {
            "say in the directory that it takes nobody new": 1,
            "answer what it was asked": 1,
            "hand over the cases it leads, or close them": 1,
            "see through the referrals it has accepted": 1,
            "retire its clients": 1,
            "close it for good": 1,
        }
        assert list(steps)[-1] == "close it for good"
        assert steps["retire its clients: last, it needs them until here"]["which"] == ["leaving-police-system"]

    async def test_changes_nothing_by_being_asked(self, world: World, operator: Administrator) -> None:
        before = await world.owner.fetchval("SELECT value FROM epoch")
        await self.steps(operator, "police")
        assert await world.owner.fetchval("SELECT value FROM epoch") == before
        assert await world.log(action="agency:close") == []

    async def test_of_an_agency_there_is_none_is_told_so(self, operator: Administrator) -> None:
        assert (await operator.get("/agencies/nowhere/offboarding")).status_code == 404

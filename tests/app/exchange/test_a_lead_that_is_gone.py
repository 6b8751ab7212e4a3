"""A case whose lead is gone gets a new one by two people of the desk and the new lead's own word; until then nothing moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests.app.log.test_every_act_is_logged import everything, torn
from tests.makers import cases, records
from tests.makers.cases import Case
from tests.makers.world import Agency, Passed, World

REASON = "The unit was dissolved; Pak Surya no longer answers."
SECOND = "officer-8"


@pytest.fixture(autouse=True)
async def desk(world: World) -> AsyncIterator[Agency]:
    async with cases.desk_at(world, "ministry") as desk:
        yield desk


def proposal(case: Case, to: str = "iom", /, **more: Any) -> dict[str, Any]:
    paper = {"number": "B-7/RS/2026", "date": "2026-01-05"}
    return {"case": case.reference, "to": to, "reason": REASON, "paper": paper, **more}


class Reassignment:
    """A reassignment on its way."""

    def __init__(self, world: World, case: Case, made: dict[str, Any], to: str) -> None:
        self.world, self.case = world, case
        self.id: str = made["id"]
        self.version: int = made["version"]
        self.to = world.agencies[to]

    @property
    def path(self) -> str:
        return f"/v1/reassignments/{self.id}"

    async def move(
        self, event: str, by: Agency | None = None, *, actor: str | None = None, seen: int | None = None, **more: Any
    ) -> httpx.Response:
        who = by or (self.to if event in ("agree", "decline") else self.world.ministry)
        body = {"reason": f"{event}: {REASON}"} if event in ("decline", "withdraw") else {}
        person = actor or (SECOND if event == "approve" else who.actor)
        reply = await who.post(f"{self.path}/{event}", {**body, **more}, if_match=seen or self.version, actor=person)
        if reply.status_code == 200:
            self.version = reply.json()["version"]
        return reply

    async def moved(self, *events: str) -> Reassignment:
        for event in events:
            reply = await self.move(event)
            assert reply.status_code == 200, reply.text
        return self


async def proposed(world: World, case: Case, to: str = "iom") -> Reassignment:
    reply = await world.ministry.post("/v1/reassignments", proposal(case, to))
    assert reply.status_code == 201, reply.text
    return Reassignment(world, case, reply.json(), to)


async def led(world: World, **more: Any) -> tuple[Case, Passed]:
    """A case the police lead, whose accepted referral LPSK holds."""
    held = await world.accepted(sender="police", receiver="lpsk", **more)
    return await cases.case_of(world, held.case_id), held


class TestProposing:
    async def test_tells_the_lead_which_stays_and_can_act(self, world: World) -> None:
        case, _ = await led(world)
        await world.owner.execute("TRUNCATE outbox")
        made = await proposed(world, case)
        assert await world.told() == [("police", "case.reassignment_proposed")]
        read = (await world.police.get(made.path)).json()
        assert (read["state"], read["from"]["code"], read["to"]["code"]) == ("proposed", "police", "iom")
        assert (read["reason"], read["moves"]) == (REASON, [])
        await world.send(sender="police", receiver="shelter", case_id=case.id)
        assert await world.lead_of(case.id) == "police"

    async def test_is_the_desks_alone(self, world: World) -> None:
        case = await cases.opened(world)
        for who in (world.police, world.stranger):
            reply = await who.post("/v1/reassignments", proposal(case))
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/desk-only")
        assert [entry["outcome"] for entry in await world.refusals()] == ["desk_only", "desk_only"]

    async def test_is_not_done_by_who_records_for_the_desk(self, world: World) -> None:
        """Its staff references are not the desk's: two persons could not be told apart."""
        await world.owner.execute(
            "INSERT INTO agreement (id, kind, agency_id, other_id, reference, from_at) VALUES ($1, 'acts_for', $2, $3, 'x', '2020-01-01Z')",
            uuid4(),
            world.ids["ministry"],
            world.ids["lpsk"],
        )
        await world.exchange.app.state.directory.refresh()
        try:
            reply = await world.lpsk.post(
                "/v1/reassignments", proposal(await cases.opened(world)), headers={"Rujukan-Acts-For": "ministry"}
            )
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/may-not-act-for")
        finally:
            await world.owner.execute("DELETE FROM agreement")
            await world.exchange.app.state.directory.refresh()

    async def test_finds_the_case_by_its_reference_as_it_is_typed(self, world: World) -> None:
        case = await cases.opened(world)
        reply = await world.ministry.post(
            "/v1/reassignments", proposal(case, case=case.reference.lower().replace("-", " "))
        )
        assert (reply.status_code, reply.json()["case_id"]) == (201, case.id)
        for typed in ("K-0000-0000-0", "nonsense"):
            reply = await world.ministry.post("/v1/reassignments", proposal(case, case=typed))
            assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unknown-case")
            assert reply.json()["errors"] == [{"pointer": "/case", "code": "unknown_case"}]

    async def test_names_an_active_agency_that_does_not_lead_it(self, world: World) -> None:
        case = await cases.opened(world)
        for to, problem in (("police", "leads-already"), ("no-such", "unknown-receiver")):
            reply = await world.ministry.post("/v1/reassignments", proposal(case, to))
            assert reply.json()["type"] == f"/problems/{problem}"
        await world.owner.execute("UPDATE agency SET status = 'suspended' WHERE code = 'sentra'")
        await world.exchange.app.state.directory.refresh()
        try:
            reply = await world.ministry.post("/v1/reassignments", proposal(case, "sentra"))
            assert reply.json()["type"] == "/problems/receiver-unavailable"
        finally:
            await world.owner.execute("UPDATE agency SET status = 'active'")
            await world.exchange.app.state.directory.refresh()

    async def test_is_open_once_a_case(self, world: World) -> None:
        case = await cases.opened(world)
        made = await proposed(world, case)
        reply = await world.ministry.post("/v1/reassignments", proposal(case, "lpsk"))
        assert (reply.status_code, reply.json()["reassignment_id"]) == (409, made.id)
        await made.moved("withdraw")
        await proposed(world, case, "lpsk")

    async def test_is_not_for_a_closed_case(self, world: World) -> None:
        reply = await world.ministry.post("/v1/reassignments", proposal(await cases.closed(world)))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/case-closed")

    async def test_twice_by_one_key_is_one(self, world: World) -> None:
        case = await cases.opened(world)
        replies = [
            await world.ministry.post("/v1/reassignments", proposal(case), idempotency_key="once") for _ in range(2)
        ]
        assert replies[0].json() == replies[1].json()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"case": ""}, {"case": None}, {"to": "x"}, {"reason": ""}, {"paper": None}, {"paper": {"number": "B-7"}},
            {"paper": {"number": "", "date": "2026-01-05"}}, {"paper": {"number": "B-7", "date": "2999-01-01"}},
        ],
    )  # fmt: skip
    async def test_takes_no_nonsense(self, world: World, wrong: dict[str, Any]) -> None:
        reply = await world.ministry.post("/v1/reassignments", proposal(await cases.opened(world), **wrong))
        assert reply.status_code == 422
        assert "Surya" not in reply.text


class TestApproving:
    async def test_takes_a_second_person(self, world: World) -> None:
        made = await proposed(world, await cases.opened(world))
        reply = await made.move("approve", actor="officer-7")
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/second-person-required")
        assert (await made.move("approve")).status_code == 200
        assert [entry["outcome"] for entry in await world.refusals()] == ["second_person"]

    async def test_needs_the_scope_of_a_protection_officer(self, world: World) -> None:
        made = await proposed(world, await cases.opened(world))
        world.ministry.client.scope = "cases.read cases.write desk.write"
        world.ministry.client.forget_token()
        try:
            reply = await made.move("approve")
        finally:
            world.ministry.client.scope = None
            world.ministry.client.forget_token()
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/insufficient-scope")

    async def test_shows_it_to_the_new_lead_and_not_before(self, world: World) -> None:
        made = await proposed(world, await cases.opened(world))
        assert (await world.iom.get(made.path)).status_code == 404
        for event in ("agree", "decline"):
            assert (await made.move(event)).status_code == 404
        await world.owner.execute("TRUNCATE outbox")
        await made.moved("approve")
        assert await world.told() == [("iom", "case.reassignment_approved")]
        read = (await world.iom.get(made.path)).json()
        assert (read["moves"], read["reason"]) == (["agree", "decline"], REASON)
        assert (await world.iom.get(f"/v1/cases/{made.case.id}")).status_code == 404, "not a party yet"

    async def test_is_the_desks_alone(self, world: World) -> None:
        made = await proposed(world, await cases.opened(world))
        for who in (world.police, world.iom, world.stranger):
            assert (await made.move("approve", who)).status_code == 403

    async def test_needs_the_version_seen(self, world: World) -> None:
        made = await proposed(world, await cases.opened(world))
        assert (await made.move("approve", seen=4)).status_code == 412


class TestAgreeing:
    async def test_moves_the_lead_and_tells_every_party(self, world: World) -> None:
        case, _ = await led(world)
        made = await (await proposed(world, case)).moved("approve")
        await world.owner.execute("TRUNCATE outbox")
        await made.moved("agree")
        assert await world.lead_of(case.id) == "iom"
        assert await world.told() == [
            ("lpsk", "case.lead_changed"),
            ("ministry", "review.opened"),
            ("ministry", "case.reassignment_agreed"),
            ("police", "case.lead_changed"),
        ]
        now = await case.read(world.iom)
        assert [(each["agency"]["code"], each["until"] is None) for each in now["leads"]] == [
            ("police", False),
            ("iom", True),
        ]
        assert now["history"][-1]["event"] == "reassign_lead"
        assert len(await world.log(action="reassignment:agree", outcome="done")) == 1

    async def test_opens_the_newest_record_to_the_new_lead_under_legal_obligation(self, world: World) -> None:
        rich = {
            "record": records.full_record(),
            "bases": [records.legal_basis(*records.FULL_SECTIONS)],
            "purpose": "social_rehabilitation",
        }
        case, _ = await led(world, **rich)
        made = await (await proposed(world, case)).moved("approve", "agree")
        transfer = (await world.iom.get(made.path)).json()["transfer_id"]
        assert (await case.read(world.iom))["leads"][-1]["transfer_id"] == transfer
        read = (await world.iom.get(f"/v1/transfers/{transfer}")).json()
        assert (read["state"], read["purpose"], read["sender"]["code"]) == (
            "completed",
            "case_responsibility",
            "police",
        )
        assert read["record"]["identity"]["names"][0]["full"] == records.NAME
        assert [(each["basis"], each["access"]) for each in read["disclosures"]] == [("legal_obligation", "full")]
        assert [(each["event"], each["by"]["code"]) for each in read["history"]] == [("reassign_lead", "iom")]
        assert len(read["manifest"]["open_referrals"]) == 1
        # and with it the new lead can go on working
        version = read["record_version"]
        basis = records.legal_basis("identity", "needs")
        body = records.referral(
            "shelter", case=None, case_id=case.id, record=None, record_version=version, bases=[basis]
        )
        assert (await world.iom.post("/v1/referrals", body)).status_code == 201

    async def test_opens_what_the_earlier_lead_held_in_full_and_no_version_it_held_in_part(self, world: World) -> None:
        handed = await world.handed_over(sender="shelter", receiver="police")
        case = await cases.case_of(world, handed.case_id)
        whole = (await world.row(handed))["version_id"]
        # written by another, and withdrawn in part from the police: no version of theirs
        later = await world.handed_over(sender="police", receiver="lpsk", case_id=case.id)
        back = await world.handed_over(sender="lpsk", receiver="police", case_id=case.id)
        await world.owner.execute("UPDATE disclosure SET closed_at = now() WHERE subject_id = $1", UUID(back.id))
        await world.owner.execute(
            "UPDATE record_version SET author_id = $2 WHERE id = $1",
            (await world.row(later))["version_id"],
            world.ids["lpsk"],
        )
        case.version = (await cases.row_of(world, case))["version"]
        made = await (await proposed(world, case)).moved("approve", "agree")
        transfer = (await world.iom.get(made.path)).json()["transfer_id"]
        opened = await world.owner.fetchval("SELECT version_id FROM transfer WHERE id = $1", UUID(transfer))
        assert opened == whole

    async def test_works_for_a_case_without_a_record(self, world: World) -> None:
        case = await cases.opened(world)
        made = await (await proposed(world, case)).moved("approve", "agree")
        read = (await world.iom.get(made.path)).json()
        assert (read["state"], read["transfer_id"]) == ("agreed", None)
        assert await world.lead_of(case.id) == "iom"

    async def test_gives_open_referrals_the_new_sender_and_absorbs_its_own(self, world: World) -> None:
        case, held = await led(world)
        own = await world.send(sender="police", receiver="iom", case_id=case.id)
        await (await proposed(world, case)).moved("approve", "agree")
        assert (await world.row(held))["sender_id"] == world.ids["iom"]
        assert (await world.row(own))["state"] == "absorbed"
        await world.moved(held, "start", "complete")

    @pytest.mark.parametrize(
        ("accepted", "state", "event"), [(False, "recalled", "recall"), (True, "aborted", "abort")]
    )
    async def test_ends_what_the_earlier_lead_had_offered(
        self, world: World, accepted: bool, state: str, event: str
    ) -> None:
        offered = await (world.accepted if accepted else world.send)(
            kind="transfer", sender="police", receiver="sentra"
        )
        case = await cases.case_of(world, offered.case_id)
        made = await (await proposed(world, case)).moved("approve")
        await world.owner.execute("TRUNCATE outbox")
        await made.moved("agree")
        row = await world.row(offered)
        assert (row["state"], row["due_at"], row["version"]) == (state, None, offered.version + 1)
        assert ("sentra", f"transfer.{state}") in await world.told()
        read = (await world.sentra.get(offered.path)).json()
        assert (read["history"][-1]["event"], read["history"][-1]["by"], read["record"]) == (event, None, None)
        reply = await world.move(offered, "confirm_handover")
        assert (reply.status_code, await world.lead_of(case.id)) == (409, "iom")

    async def test_brings_the_links_of_the_case(self, world: World) -> None:
        case, other = await cases.opened(world), await cases.opened(world, "shelter")
        link = await world.police.post(f"{case.path}/links", {"kind": "family", "other": other.reference})
        await (await proposed(world, case)).moved("approve", "agree")
        path = f"/v1/case-links/{link.json()['id']}"
        assert (await world.iom.get(path)).status_code == 200
        assert (await world.police.get(path)).status_code == 404
        assert (await world.shelter.get(path)).json()["other_lead"]["code"] == "iom"

    async def test_shuts_the_earlier_lead_out(self, world: World) -> None:
        case, _ = await led(world)
        await (await proposed(world, case)).moved("approve", "agree")
        reply = await world.police.post("/v1/referrals", records.referral("shelter", case=None, case_id=case.id))
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/not-lead")
        for seen in (1, 2):
            assert (await cases.move(world, case, "close", by=world.police, seen=seen)).status_code == 409
        assert (await case.read(world.police))["lead"]["code"] == "iom"

    async def test_is_the_new_leads_alone(self, world: World) -> None:
        made = await (await proposed(world, await cases.opened(world))).moved("approve")
        for who, status in ((world.ministry, 409), (world.police, 409), (world.stranger, 404), (world.lpsk, 404)):
            assert (await made.move("agree", who)).status_code == status
        assert await world.lead_of(made.case.id) == "police"

    async def test_is_refused_once_the_lead_has_closed_the_case(self, world: World) -> None:
        case = await cases.opened(world)
        made = await (await proposed(world, case)).moved("approve")
        await cases.moved(world, case, "close")
        reply = await made.move("agree")
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/case-closed")
        assert await world.lead_of(case.id) == "police"
        await made.moved("withdraw")

    async def test_cannot_happen_before_the_second_person(self, world: World) -> None:
        made = await proposed(world, await cases.opened(world), "ministry")
        reply = await made.move("agree", world.ministry)
        assert (reply.status_code, reply.json()["state"]) == (409, "proposed")

    async def test_twice_by_one_key_moves_the_lead_once(self, world: World) -> None:
        made = await (await proposed(world, await cases.opened(world))).moved("approve")
        replies = [await world.iom.post(f"{made.path}/agree", {}, if_match=2, idempotency_key="once") for _ in range(2)]
        assert replies[0].status_code == 200
        assert replies[0].json() == replies[1].json()
        assert await world.owner.fetchval("SELECT count(*) FROM case_lead") == 2


class TestAnAgreementThatBreaksHalfWay:
    @pytest.mark.parametrize("action", ["reassignment:agree", "referral:absorb", "transfer:recall"])
    async def test_has_not_happened(self, world: World, action: str) -> None:
        case, _ = await led(world)
        await world.send(sender="police", receiver="iom", case_id=case.id)
        await world.send(kind="transfer", sender="police", receiver="sentra", case_id=case.id)
        made = await (await proposed(world, case)).moved("approve")
        before = await everything(world)
        async with torn(world, action):
            assert (await made.move("agree")).status_code == 500
        assert await everything(world) == before
        assert (await world.iom.get(made.path)).json()["state"] == "approved"
        await made.moved("agree")


class TestDecliningAndWithdrawing:
    async def test_declined_leaves_the_lead_and_tells_desk_and_lead(self, world: World) -> None:
        made = await (await proposed(world, await cases.opened(world))).moved("approve")
        await world.owner.execute("TRUNCATE outbox")
        await made.moved("decline")
        assert await world.told() == [
            ("ministry", "case.reassignment_declined"),
            ("police", "case.reassignment_declined"),
        ]
        assert (await world.ministry.get(made.path)).json()["end_reason"] == f"decline: {REASON}"
        assert await world.lead_of(made.case.id) == "police"

    @pytest.mark.parametrize("approved", [False, True])
    async def test_withdrawn_tells_the_lead_and_whoever_was_asked(self, world: World, approved: bool) -> None:
        made = await proposed(world, await cases.opened(world))
        if approved:
            await made.moved("approve")
        await world.owner.execute("TRUNCATE outbox")
        await made.moved("withdraw")
        asked = ["iom"] if approved else []
        assert await world.told() == [(who, "case.reassignment_withdrawn") for who in [*asked, "police"]]
        for event in ("approve", "withdraw"):
            assert (await made.move(event)).status_code == 409

    async def test_is_withdrawn_by_the_leads_own_handover(self, world: World) -> None:
        """A lead that hands over was not gone."""
        case = await cases.opened(world)
        made = await (await proposed(world, case)).moved("approve")
        await world.handed_over(sender="police", receiver="shelter", case_id=case.id)
        reply = await made.move("agree")
        assert (reply.status_code, reply.json()["state"]) == (409, "withdrawn")
        assert await world.lead_of(case.id) == "shelter"
        told = await world.told()
        assert ("iom", "case.reassignment_withdrawn") in told
        assert ("ministry", "case.reassignment_withdrawn") in told


class TestRaces:
    async def test_a_handover_and_an_agreement_leave_one_lead(self, world: World) -> None:
        for place in range(12):
            accepted = await world.accepted(kind="transfer", sender="police", receiver="shelter")
            case = await cases.case_of(world, accepted.case_id)
            made = await (await proposed(world, case)).moved("approve")
            acts = [made.move("agree"), world.move(accepted, "confirm_handover")]
            replies = await asyncio.gather(*(acts if place % 2 else acts[::-1]))
            assert sorted(reply.status_code for reply in replies) == [200, 409], [reply.text for reply in replies]
            rows = await world.owner.fetch(
                "SELECT agency_id FROM case_lead WHERE case_id = $1 AND until_at IS NULL", UUID(case.id)
            )
            (lead,) = [row["agency_id"] for row in rows]
            assert lead == (await cases.row_of(world, case))["lead_id"]

    async def test_of_agreeing_and_withdrawing_one_wins(self, world: World) -> None:
        for _ in range(8):
            made = await (await proposed(world, await cases.opened(world))).moved("approve")
            replies = await asyncio.gather(made.move("agree", seen=2), made.move("withdraw", seen=2))
            assert sorted(reply.status_code for reply in replies) == [200, 409]


class TestWhoSees:
    async def test_is_the_desk_the_lead_and_once_approved_the_new_lead(self, world: World) -> None:
        made = await proposed(world, await cases.opened(world))

        async def seen() -> dict[str, bool]:
            found = {}
            for code, who in world.agencies.items():
                listed = [each["id"] for each in (await who.get("/v1/reassignments")).json()["items"]]
                read = (await who.get(made.path)).status_code == 200
                assert read == (listed == [made.id]), code
                found[code] = read
            return found

        assert {code for code, sees in (await seen()).items() if sees} == {"ministry", "police"}
        await made.moved("approve")
        assert {code for code, sees in (await seen()).items() if sees} == {"ministry", "police", "iom"}
        await made.moved("agree")
        assert {code for code, sees in (await seen()).items() if sees} == {"ministry", "iom"}

    async def test_comes_in_pages(self, world: World) -> None:
        made = [(await proposed(world, await cases.opened(world))).id for _ in range(3)]
        page = (await world.ministry.get("/v1/reassignments?limit=2")).json()
        rest = (await world.ministry.get(page["next"])).json()
        assert [each["id"] for each in page["items"] + rest["items"]] == made[::-1]
        assert (await world.ministry.get("/v1/reassignments?state=agreed")).json()["items"] == []

    async def test_finds_no_reason_and_no_paper_in_the_open(self, world: World) -> None:
        made = await (await proposed(world, await cases.opened(world))).moved("approve", "decline")
        assert made.version == 3
        for table in ("reassignment", "move", "log_entry", "idempotency", "outbox"):
            for row in await world.owner.fetch(f"SELECT t::text AS row FROM {table} t"):
                assert "Surya" not in row["row"], table
                assert "B-7" not in row["row"], table


class TestTheFunctions:
    @pytest.mark.parametrize("who", ["stranger", "iom", "police"])
    async def test_that_may_do_more_do_nothing_for_others(self, world: World, who: str) -> None:
        case, _ = await led(world)
        made = await proposed(world, case)
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids[who]))
            for statement in (
                "SELECT store_reassignment(uuidv7(), 'K-0000-0000-0', $1, 'x', now(), '')",
                "SELECT move_lead($1, $1, $1, NULL, now())",
                "SELECT carry_out_reassignment(r, now(), NULL, NULL, NULL, NULL) FROM reassignment r WHERE id <> $1",
                "UPDATE reassignment SET state = 'approved' WHERE id <> $1",
                "INSERT INTO reassignment (id) VALUES ($1)",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.execute(statement, world.ids["iom"])
            row = conn.fetchrow(
                "SELECT (change_reassignment($1, 'agree', '{proposed}', 'agreed', 'receiver', 1, 'x', now(), NULL, NULL, NULL, NULL, NULL)).*",
                UUID(made.id),
            )
            if who == "police":  # sees it, and is refused
                with pytest.raises(asyncpg.PostgresError) as refused:
                    await row
                assert refused.value.sqlstate == "RJ409"
            else:
                assert (await row)["id"] is None
        finally:
            await conn.close()
        assert await world.lead_of(case.id) == "police"

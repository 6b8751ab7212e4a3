"""A case is followed up, closed and reopened by who leads it now, and by nobody else; death stops its clocks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.app.log.test_every_act_is_logged import everything, torn
from tests.makers import cases, records
from tests.makers.cases import Case
from tests.makers.world import Agency, World

PLAN = "Ibu Ratna calls her on the first of each month."


async def told(world: World) -> list[tuple[str, str]]:
    return [each for each in await world.told() if each[1].startswith("case.")]


async def full_of_parties(world: World) -> Case:
    """Led by IOM after the police; the shelter holds a referral, LPSK completed one, the Sentra declined, the embassy has not answered."""
    handed = await world.handed_over(sender="police", receiver="iom")
    case_id = handed.case_id
    await world.accepted(sender="iom", receiver="shelter", case_id=case_id)
    await world.moved(await world.in_progress(sender="iom", receiver="lpsk", case_id=case_id), "complete")
    await world.moved(await world.send(sender="iom", receiver="sentra", case_id=case_id), "decline")
    await world.send(sender="iom", receiver="ministry", case_id=case_id)
    await world.owner.execute("TRUNCATE outbox")
    return await cases.case_of(world, case_id)


PARTIES = ["lpsk", "ministry", "police", "shelter"]
"""Of that case, but for its lead."""


class TestFollowingUp:
    async def test_keeps_the_plan_for_the_lead(self, world: World) -> None:
        case = await cases.moved(world, await full_of_parties(world), "follow_up", plan=PLAN)
        read = await case.read()
        until = str(world.exchange.clock.now().date())
        assert (read["state"], read["plan"]) == ("follow_up", {"plan": PLAN, "until": until})
        for other in (world.police, world.shelter):
            assert (await case.read(other))["plan"] is None
        assert (await world.stranger.get(case.path)).status_code == 404

    async def test_tells_nobody(self, world: World) -> None:
        await cases.moved(world, await full_of_parties(world), "follow_up")
        assert await world.told() == []

    async def test_leaves_no_word_of_the_plan_in_the_database(self, world: World) -> None:
        case = await cases.moved(world, await cases.opened(world), "follow_up", plan=PLAN)
        for table in ("move", "log_entry", "idempotency", "outbox"):
            stored = await world.owner.fetch(f"SELECT t::text AS row FROM {table} t")
            assert not [row for row in stored if "Ratna" in row["row"]], table
        assert case.version == 2

    @pytest.mark.parametrize(
        ("wrong", "at"),
        [
            ({"plan": ""}, "/plan"),
            ({"plan": " \n "}, "/plan"),
            ({"plan": "x" * 10_001}, "/plan"),
            ({"plan": 7}, "/plan"),
            ({"until": "soon"}, "/until"),
            ({"until": "2020-01-01"}, "/until"),
            ({"until": None}, "/until"),
            ({"lead": "iom"}, "/…"),
        ],
    )
    async def test_needs_a_plan_and_an_end(self, world: World, wrong: dict[str, Any], at: str) -> None:
        case = await cases.opened(world)
        reply = await cases.move(world, case, "follow_up", **wrong)
        assert (reply.status_code, [error["pointer"] for error in reply.json()["errors"]]) == (422, [at])
        assert (await cases.row_of(world, case))["state"] == "open"


class TestClosing:
    async def test_tells_every_party_once_and_not_who_declined(self, world: World) -> None:
        await cases.moved(world, await full_of_parties(world), "close")
        assert await world.told() == [(party, "case.closed") for party in PARTIES]

    async def test_keeps_the_reason_for_the_lead(self, world: World) -> None:
        case = await cases.moved(
            world, await full_of_parties(world), "close", reason="returned", text="To Tegal, with her aunt."
        )
        read = await case.read()
        assert read["closure"] == {"reason": "returned", "text": "To Tegal, with her aunt."}
        assert (await cases.row_of(world, case))["closed_at"] is not None
        for other in (world.police, world.shelter):
            seen = await case.read(other)
            assert (seen["state"], seen["closure"], seen["history"]) == ("closed", None, [])

    async def test_is_refused_while_an_immediate_referral_or_a_transfer_is_open(self, world: World) -> None:
        first = await world.send(receiver="iom", urgency="immediate")
        second = await world.send(receiver="lpsk", case_id=first.case_id, urgency="immediate")
        offered = await world.send(kind="transfer", receiver="ministry", case_id=first.case_id)
        await world.moved(second, "accept")
        case = await cases.case_of(world, first.case_id)
        reply = await cases.move(world, case, "close")
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/case-has-open-duties")
        assert reply.json()["transfers"] == [offered.id]
        assert reply.json()["referrals"] == sorted([first.id, second.id])

        await world.moved(first, "recall")
        await world.moved(second, "start", "complete")
        await world.moved(offered, "decline")
        await cases.moved(world, case, "close")

    async def test_lets_other_referrals_go_on(self, world: World) -> None:
        held = await world.accepted(receiver="iom")
        await cases.moved(world, await cases.case_of(world, held.case_id), "close")
        await world.moved(held, "start", "complete")

    async def test_ends_sending(self, world: World) -> None:
        case = await cases.closed(world)
        reply = await world.police.post("/v1/referrals", records.referral(case=None, case_id=case.id))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/case-closed")

    @pytest.mark.parametrize("wrong", [{"reason": "tired"}, {"reason": None}, {"text": ""}, {"text": ["x"]}])
    async def test_needs_a_reason_of_the_list(self, world: World, wrong: dict[str, Any]) -> None:
        reply = await cases.move(world, await cases.opened(world), "close", **wrong)
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request")


class TestReopening:
    async def test_is_told_to_every_party_and_opens_sending_again(self, world: World) -> None:
        case = await cases.moved(world, await full_of_parties(world), "close")
        await world.owner.execute("TRUNCATE outbox")
        await cases.moved(world, case, "reopen")
        assert await world.told() == [(party, "case.reopened") for party in PARTIES]
        row = await cases.row_of(world, case)
        assert (row["state"], row["closed_at"]) == ("open", None)
        assert (await case.read())["closure"] is None
        await world.send(sender="iom", receiver="sentra", case_id=case.id)

    async def test_needs_a_reason_and_what_it_rests_on(self, world: World) -> None:
        case = await cases.closed(world)
        for wrong in (
            {"bases": []},
            {"bases": None},
            {"reason": ""},
            {"bases": [{"kind": "consent", "sections": ["needs"]}]},
        ):
            assert (await cases.move(world, case, "reopen", **wrong)).status_code == 422
        assert (await cases.row_of(world, case))["state"] == "closed"

    async def test_rests_on_no_consent_that_is_withdrawn_or_of_another_case(self, world: World) -> None:
        case, other = await cases.opened(world), await cases.opened(world)
        given = records.consent(world.exchange.clock.now())
        own = (await world.police.post(f"{case.path}/consents", given)).json()["id"]
        anothers = (await world.police.post(f"{other.path}/consents", given)).json()["id"]
        await cases.moved(world, case, "close")

        async def resting_on(consent: str) -> int:
            basis = {"kind": "consent", "sections": ["needs"], "consent_id": consent}
            return (await cases.move(world, case, "reopen", bases=[basis])).status_code

        assert await resting_on(anothers) == 422
        assert await resting_on(str(uuid4())) == 422
        await world.owner.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", UUID(own))
        assert await resting_on(own) == 422
        await world.owner.execute("UPDATE consent SET withdrawn_at = NULL WHERE id = $1", UUID(own))
        assert await resting_on(own) == 200


class TestTheHistory:
    async def test_is_the_leads_alone_and_passes_on_with_the_lead(self, world: World) -> None:
        case = await cases.moved(world, await cases.opened(world), "follow_up", "close", "reopen")
        history = (await case.read())["history"]
        assert [(each["event"], each["from_state"], each["to_state"], each["version"]) for each in history] == [
            ("open_case", None, "open", 1),
            ("follow_up", "open", "follow_up", 2),
            ("close", "follow_up", "closed", 3),
            ("reopen", "closed", "open", 4),
        ]
        assert {each["by"]["code"] for each in history} == {"police"}
        await world.handed_over(sender="police", receiver="iom", case_id=case.id)
        assert (await case.read())["history"] == []
        assert [each["event"] for each in (await case.read(world.iom))["history"]][:4] == [
            each["event"] for each in history
        ]

    async def test_says_when_and_how_it_really_happened(self, world: World) -> None:
        at = (world.exchange.clock.now() - timedelta(days=3)).isoformat()
        case = await cases.moved(world, await cases.opened(world), "close", occurred_at=at, channel="paper")
        entry = (await case.read())["history"][-1]
        assert (entry["occurred_at"][:19], entry["channel"]) == (at[:19], "paper")
        for days in (-31, 1):
            wrong = (world.exchange.clock.now() + timedelta(days=days)).isoformat()
            assert (await cases.move(world, case, "reopen", occurred_at=wrong)).status_code == 422

    async def test_is_one_log_entry_a_move(self, world: World) -> None:
        case = await cases.opened(world)
        for event in ("follow_up", "close", "reopen"):
            reply = await cases.move(world, case, event)
            (entry,) = await world.log(action=f"case:{event}")
            assert (str(entry["id"]), entry["outcome"], str(entry["case_id"])) == (
                reply.json()["log_entry"],
                "done",
                case.id,
            )
            assert (entry["actor"], entry["agency_id"]) == ("officer-7", world.ids["police"])


class TestWhatCannotBeLogged:
    @pytest.mark.parametrize("reason", ["returned", "deceased"])
    async def test_does_not_happen(self, world: World, reason: str) -> None:
        case = await full_of_parties(world)
        before = await everything(world)
        async with torn(world, "case:close"):
            assert (await cases.move(world, case, "close", reason=reason)).status_code == 500
        assert await everything(world) == before
        await cases.moved(world, case, "close", reason=reason)

    async def test_is_neither_a_decision_nor_a_mark(self, world: World) -> None:
        case = await cases.opened(world)
        before = await everything(world)
        mark = {"suspect": True, "reason": "He signed the contract."}
        for path, body, action in (("victim-status", STATUS, "victim_status"), ("guardian", mark, "bar_guardian")):
            async with torn(world, f"case:{action}"):
                assert (await world.police.post(f"{case.path}/{path}", body)).status_code == 500
            assert await everything(world) == before
        assert await world.owner.fetchval("SELECT count(*) FROM victim_status") == 0

    async def test_is_not_shown(self, world: World) -> None:
        case = await cases.moved(world, await cases.opened(world), "follow_up", plan=PLAN)
        async with torn(world, "case:read"):
            reply = await world.police.get(case.path)
        assert (reply.status_code, PLAN in reply.text) == (500, False)


class TestForAnotherAgency:
    async def test_a_case_is_closed_under_an_agreement_and_shown_as_such(self, world: World) -> None:
        case = await cases.opened(world)
        await world.owner.execute(
            "INSERT INTO agreement (id, kind, agency_id, other_id, reference, from_at) VALUES ($1, 'acts_for', $2, $3, 'x', '2020-01-01Z')",
            uuid4(),
            world.ids["police"],
            world.ids["lpsk"],
        )
        await world.exchange.app.state.directory.refresh()
        try:
            body, header = {"reason": "returned"}, {"Rujukan-Acts-For": "police"}
            reply = await world.lpsk.post(f"{case.path}/close", body, if_match=1, headers=header)
            assert reply.status_code == 200, reply.text
            entry = (await case.read())["history"][-1]
            assert (entry["by"]["code"], entry["recorded_by"]["code"]) == ("police", "lpsk")
        finally:
            await world.owner.execute("DELETE FROM agreement")
            await world.exchange.app.state.directory.refresh()


class TestAnOldPage:
    async def test_is_refused_by_its_version(self, world: World) -> None:
        case = await cases.moved(world, await cases.opened(world), "follow_up")
        reply = await cases.move(world, case, "close", seen=1)
        assert (reply.status_code, reply.json()["type"]) == (412, "/problems/stale-version")
        assert (reply.json()["state"], reply.json()["version"]) == ("follow_up", 2)

    async def test_needs_a_version_at_all(self, world: World) -> None:
        case = await cases.opened(world)
        reply = await world.police.post(f"{case.path}/close", {"reason": "returned"})
        assert (reply.status_code, reply.json()["type"]) == (428, "/problems/version-required")

    async def test_of_an_earlier_lead_moves_nothing_even_with_the_right_version(self, world: World) -> None:
        case = await cases.opened(world)
        await world.handed_over(sender="police", receiver="iom", case_id=case.id)
        for seen in (1, 2):
            reply = await cases.move(world, case, "close", seen=seen)
            assert (reply.status_code, reply.json()["moves"]) == (409, [])
        assert (await cases.row_of(world, case))["state"] == "open"

    async def test_by_the_same_key_gets_the_same_answer(self, world: World) -> None:
        case = await cases.opened(world)
        first = await cases.move(world, case, "close", seen=1, key="close-it")
        second = await cases.move(world, case, "close", seen=1, key="close-it")
        assert first.json() == second.json()
        assert (await cases.row_of(world, case))["version"] == 2
        third = await cases.move(world, case, "close", seen=1, key="close-it", reason="lost_contact")
        assert (third.status_code, third.json()["type"]) == (422, "/problems/idempotency-key-reused")


class TestRaces:
    async def test_of_two_closures_one_wins(self, world: World) -> None:
        for _ in range(10):
            case = await cases.opened(world)
            replies = await asyncio.gather(*(cases.move(world, case, "close", seen=1) for _ in range(3)))
            assert sorted(reply.status_code for reply in replies) == [200, 409, 409]
            assert (await cases.row_of(world, case))["version"] == 2

    async def test_a_closure_and_an_immediate_referral_do_not_both_happen(self, world: World) -> None:
        outcomes = set()
        for place in range(20):
            case = await cases.opened(world)
            referral = world.police.post(
                "/v1/referrals", records.referral(case=None, case_id=case.id, urgency="immediate")
            )
            closing = cases.move(world, case, "close", seen=1)
            acts = (referral, closing) if place % 2 else (closing, referral)
            replies = await asyncio.gather(*acts)
            sent, close = replies if place % 2 else reversed(replies)
            outcomes.add((sent.status_code, close.status_code))
        assert outcomes <= {(201, 409), (409, 200)}


class TestADeath:
    async def dead(self, world: World) -> Case:
        case = await full_of_parties(world)
        return await cases.moved(world, case, "close", reason="deceased")

    async def test_stops_every_clock_of_the_case_and_of_no_other(self, world: World) -> None:
        other = await world.send()
        case = await self.dead(world)
        rows = await world.owner.fetch("SELECT due_at, clock FROM referral WHERE case_id = $1", UUID(case.id))
        assert [(row["due_at"], row["clock"]) for row in rows] == [(None, "ok")] * len(rows)
        assert (await world.row(other))["due_at"] is not None

    async def test_tells_every_party_once(self, world: World) -> None:
        case = await self.dead(world)
        expected = sorted([(party, what) for party in PARTIES for what in ("case.closed", "case.deceased")])
        assert sorted(await world.told()) == expected
        await world.owner.execute("TRUNCATE outbox")
        await self.as_app(world, "shelter", case)
        assert await world.told() == []

    async def as_app(self, world: World, who: str, case: Case) -> None:
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids[who]))
            await conn.execute("SELECT apply_death($1, now())", UUID(case.id))
        finally:
            await conn.close()

    async def test_may_be_told_of_by_any_party_and_by_nobody_else(self, world: World) -> None:
        case = await full_of_parties(world)
        for nobody in ("stranger", "sentra"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await self.as_app(world, nobody, case)
        await self.as_app(world, "shelter", case)
        assert await world.told() == [(who, "case.deceased") for who in sorted({*PARTIES, "iom"} - {"shelter"})]

    async def test_that_was_a_mistake_is_undone_by_reopening(self, world: World) -> None:
        case = await cases.moved(world, await self.dead(world), "reopen")
        assert (await cases.row_of(world, case))["deceased_at"] is None
        waiting = await world.owner.fetchval(
            "SELECT count(*) FROM referral WHERE case_id = $1 AND ended_at IS NULL AND due_at IS NULL", UUID(case.id)
        )
        assert waiting == 0, "the clock looks again at all that is open"

    async def test_that_a_party_recorded_by_mistake_is_corrected_by_the_lead(self, world: World) -> None:
        waiting = await world.send(receiver="shelter", urgency="immediate")
        told_dead = await world.in_progress(sender="police", receiver="lpsk", case_id=waiting.case_id)
        await world.move(told_dead, "fail", {"reason": "deceased"})
        assert (await world.row(waiting))["due_at"] is None
        case = await cases.case_of(world, waiting.case_id)
        assert "correct_death" in (await case.read())["moves"]
        await world.owner.execute("TRUNCATE outbox")
        reply = await cases.move(world, case, "correct_death")
        assert (reply.status_code, reply.json()["state"]) == (200, "open"), reply.text
        assert await world.told() == [("lpsk", "case.death_corrected"), ("shelter", "case.death_corrected")]
        assert (await world.row(waiting))["due_at"] is not None
        assert "correct_death" not in (await case.read())["moves"]
        again = await cases.move(world, case, "correct_death")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/move-not-allowed")

    async def test_ends_the_asking_for_a_paper(self, world: World) -> None:
        handed = await world.accepted(kind="transfer", receiver="ministry")
        await world.move(handed, "confirm_handover", {"paper": "pending"})
        await cases.moved(world, await cases.case_of(world, handed.case_id), "close", reason="deceased")
        world.exchange.later(days=30)
        await world.exchange.settle()
        assert (await world.row(handed))["clock"] == "ok"


STATUS = {
    "status": "identified",
    "ground": "Three indicators; decided with Pak Surya of the unit.",
    "own_statement": "They kept my passport.",
    "decided_on": "2026-01-02",
}


class TestVictimStatus:
    async def test_is_a_history_the_newest_last(self, world: World) -> None:
        case = await cases.opened(world)
        for status in ("presumed", "identified", "not_identified"):
            reply = await world.police.post(f"{case.path}/victim-status", {**STATUS, "status": status})
            assert (reply.status_code, reply.json()["state"], reply.json()["version"]) == (200, "open", 1), reply.text
        decisions = (await case.read())["victim_status"]
        assert [each["status"] for each in decisions] == ["presumed", "identified", "not_identified"]
        assert {name: decisions[0][name] for name in ("ground", "own_statement", "decided_on")} == {
            name: STATUS[name] for name in ("ground", "own_statement", "decided_on")
        }
        assert decisions[0]["by"]["code"] == "police"

    async def test_lost_changes_nothing_else(self, world: World) -> None:
        started = await world.in_progress(receiver="iom")
        tables = ("referral", "transfer", "disclosure", "consent", "move", "record_version", "case_lead", "outbox")

        async def all_else() -> list[Any]:
            return [await world.owner.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

        before, case = await all_else(), await cases.case_of(world, started.case_id)
        reply = await world.police.post(f"{case.path}/victim-status", {**STATUS, "status": "not_identified"})
        assert reply.status_code == 200
        assert await all_else() == before
        read = (await world.iom.get(started.path)).json()
        assert (read["state"], read["record"]["identity"]["names"][0]["full"]) == ("in_progress", records.NAME)
        await world.moved(started, "record_service", "complete")

    async def test_is_written_and_read_by_the_present_lead_alone(self, world: World) -> None:
        held = await world.accepted(receiver="shelter")
        case = await cases.case_of(world, held.case_id)
        await world.police.post(f"{case.path}/victim-status", STATUS)
        await world.handed_over(sender="police", receiver="iom", case_id=case.id)
        assert len((await case.read(world.iom))["victim_status"]) == 1
        for other, code in ((world.police, 403), (world.shelter, 403), (world.stranger, 404)):
            reply = await other.post(f"{case.path}/victim-status", STATUS)
            assert reply.status_code == code
            if code == 403:
                assert (await case.read(other))["victim_status"] == []

    async def test_is_shown_by_the_database_to_the_present_lead_alone(self, world: World) -> None:
        held = await world.accepted(receiver="shelter")
        await world.police.post(f"/v1/cases/{held.case_id}/victim-status", STATUS)
        await world.handed_over(sender="police", receiver="iom", case_id=held.case_id)
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            for code, agency_id in world.ids.items():
                await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(agency_id))
                assert len(await conn.fetch("SELECT * FROM victim_status")) == (code == "iom"), code
        finally:
            await conn.close()

    async def test_is_sealed_whole_and_logged_without_content(self, world: World) -> None:
        case = await cases.opened(world)
        await world.police.post(f"{case.path}/victim-status", STATUS)
        for table in ("victim_status", "log_entry", "move", "idempotency"):
            for row in await world.owner.fetch(f"SELECT t::text AS row FROM {table} t"):
                assert "Surya" not in row["row"], table
                assert "identified" not in row["row"], table
        assert len(await world.log(action="case:victim_status")) == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"status": "victim"},
            {"ground": ""},
            {"ground": None},
            {"decided_on": "2999-01-01"},
            {"decided_on": 0},
            {"own_statement": ""},
        ],
    )
    async def test_takes_no_nonsense(self, world: World, wrong: dict[str, Any]) -> None:
        case = await cases.opened(world)
        reply = await world.police.post(f"{case.path}/victim-status", {**STATUS, **wrong})
        assert reply.status_code == 422
        assert "Surya" not in reply.text

    async def test_is_recorded_once_by_one_key(self, world: World) -> None:
        case = await cases.opened(world)
        replies = [
            await world.police.post(f"{case.path}/victim-status", STATUS, idempotency_key="once") for _ in range(2)
        ]
        assert replies[0].json() == replies[1].json()
        assert len((await case.read())["victim_status"]) == 1


class TestTheGuardiansMark:
    async def mark(self, case: Case, suspect: object, by: Agency | None = None, **more: Any) -> int:
        body = {"suspect": suspect, "reason": "The uncle signed the contract.", **more}
        return (await (by or case.lead).post(f"{case.path}/guardian", body)).status_code

    async def test_is_set_and_lifted_by_the_lead_and_shown_to_it_alone(self, world: World) -> None:
        held = await world.accepted(receiver="shelter")
        case = await cases.case_of(world, held.case_id)
        assert (await case.read())["guardian_barred"] is False
        for suspect in (True, True, False, True):
            assert await self.mark(case, suspect) == 200
            assert (await case.read())["guardian_barred"] is suspect
            assert (await case.read(world.shelter))["guardian_barred"] is None
        assert [each["event"] for each in (await case.read())["history"]][-2:] == ["clear_guardian", "bar_guardian"]
        assert await told(world) == []

    async def test_keeps_the_time_it_was_first_set(self, world: World) -> None:
        case = await cases.opened(world)
        await self.mark(case, True)
        first = (await cases.row_of(world, case))["guardian_barred_at"]
        world.exchange.later(hours=1)
        await self.mark(case, True)
        assert (await cases.row_of(world, case))["guardian_barred_at"] == first

    async def test_is_not_for_others_to_set(self, world: World) -> None:
        held = await world.accepted(receiver="shelter")
        case = await cases.case_of(world, held.case_id)
        assert await self.mark(case, True, by=world.shelter) == 403
        assert await self.mark(case, True, by=world.stranger) == 404
        assert (await cases.row_of(world, case))["guardian_barred_at"] is None

    @pytest.mark.parametrize("wrong", [{"suspect": "yes"}, {"suspect": 1}, {"suspect": None}, {"reason": ""}])
    async def test_takes_no_nonsense(self, world: World, wrong: dict[str, Any]) -> None:
        case = await cases.opened(world)
        assert await self.mark(case, **{"suspect": True, **wrong}) == 422
        assert (await cases.row_of(world, case))["guardian_barred_at"] is None

    async def test_may_be_set_by_any_party_that_sends_a_record_and_lifted_only_by_the_lead(self, world: World) -> None:
        held = await world.accepted(receiver="shelter")
        case = await cases.case_of(world, held.case_id)
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            for who, suspect, may in (
                ("stranger", True, False),
                ("shelter", True, True),
                ("shelter", False, False),
                ("police", False, True),
            ):
                await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids[who]))
                act = conn.execute("SELECT bar_guardian($1, $2, now())", UUID(case.id), suspect)
                if may:
                    await act
                    assert ((await cases.row_of(world, case))["guardian_barred_at"] is not None) is suspect
                else:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await act
        finally:
            await conn.close()


class TestTheRow:
    @pytest.mark.parametrize(
        "change",
        ["state = 'closed'", "version = 9", "closed_at = now()", "guardian_barred_at = NULL", "deceased_at = now()"],
    )
    async def test_is_changed_by_no_forgotten_condition(self, world: World, change: str) -> None:
        await world.accepted(receiver="shelter")
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids["shelter"]))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(f"UPDATE case_file SET {change}")
        finally:
            await conn.close()

    @pytest.mark.parametrize("who", ["shelter", "stranger"])
    async def test_is_not_reached_by_others_through_the_functions_that_may_do_more(
        self, world: World, who: str
    ) -> None:
        held = await world.accepted(receiver="shelter")
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids[who]))
            row = await conn.fetchrow("SELECT * FROM change_case($1, '{open}', 'closed', 1, now())", UUID(held.case_id))
            assert list(row) == [None, None, None]
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute("SELECT publish_case($1, 'x', now())", UUID(held.case_id))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(
                    "SELECT move_lead($1, $2, $3, NULL, now())", UUID(held.case_id), world.ids["police"], world.ids[who]
                )
        finally:
            await conn.close()

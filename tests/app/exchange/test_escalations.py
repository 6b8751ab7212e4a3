"""Nobody waits unseen: what is late is asked about in turn, by night too, until one takes it; and the desk may ask elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.exchange.escalations.queries import climb
from app.exchange.passing.clock import watch
from app.exchange.referrals.lifecycle import REFERRAL
from tests.makers import records
from tests.makers.world import Agency, Passed, World

RICH: dict[str, Any] = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}
CANARIES = (
    records.NAME,
    "Surya",
    records.SECRET_PLACE,
    "Cempaka",
    records.SECRET_STORY,
    "Rifampicin",
    "Melati",
    "harbour",
    "+62812",
)
"""Words of `full_record` that stand in no preview."""


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Agency]:
    """The ministry is the desk."""
    await world.set_desk("ministry")
    yield world.ministry
    await world.set_desk(None)


@asynccontextmanager
async def changed(world: World, code: str, column: str, value: str) -> AsyncIterator[None]:
    """For the block, an agency is other than it is."""
    before = await world.owner.fetchval(f"SELECT {column} FROM agency WHERE code = $1", code)
    try:
        await world.owner.execute(f"UPDATE agency SET {column} = $2 WHERE code = $1", code, value)
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]
        yield
    finally:
        await world.owner.execute(f"UPDATE agency SET {column} = $2 WHERE code = $1", code, before)
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]


async def minutes(world: World, *each: int) -> None:
    """Let minutes pass, and the worker look after each."""
    for some in each:
        world.exchange.later(minutes=some)
        await world.exchange.settle()


async def late(world: World, **more: Any) -> Passed:
    """An immediate referral whose hour has just passed: its receiver is asked now."""
    sent = await world.send(**{"urgency": "immediate", **more})
    await minutes(world, 31, 30)
    return sent


async def late_onward(world: World) -> Passed:
    """As `late`, by a shelter that passes on what the police, who lead the case, referred to it: four agencies to be asked."""
    own = records.legal_basis(*records.FULL_SECTIONS, onward=True)
    served = await world.in_progress(receiver="shelter", **{**RICH, "bases": [own]})
    return await late(world, sender="shelter", receiver="lpsk", case_id=served.case_id)


async def at_the_desk(world: World, **more: Any) -> tuple[Passed, str]:
    """A late referral about which receiver, sender and desk were asked in vain; and the escalation's id."""
    sent = await late(world, **{**RICH, **more})
    await minutes(world, 16, 16)
    return sent, await escalation_of(world, sent)


async def escalation_of(world: World, passed: Passed) -> str:
    return str(
        await world.owner.fetchval(
            "SELECT id FROM escalation WHERE subject_id = $1 ORDER BY opened_at DESC LIMIT 1", UUID(passed.id)
        )
    )


async def asked(world: World, escalation: str) -> list[str]:
    rows = await world.owner.fetch(
        """SELECT k.role, a.code FROM escalation_asked k JOIN agency a ON a.id = k.agency_id
           WHERE escalation_id = $1 ORDER BY asked_at""",
        UUID(escalation),
    )
    return [f"{row['role']} {row['code']}" for row in rows]


async def news(world: World, code: str, subject_id: str) -> list[str]:
    """The types of the events about one thing in an agency's feed."""
    await world.exchange.settle()
    found = (await world.agencies[code].get("/v1/events?limit=500")).json()["items"]
    return [each["type"] for each in found if each["subject_id"] == subject_id]


async def state_of(agency: Agency, escalation: str) -> str:
    reply = await agency.get(f"/v1/escalations/{escalation}")
    assert reply.status_code == 200, reply.text
    return str(reply.json()["state"])


class TestTheLadder:
    async def test_asks_one_after_the_other_until_the_desk_and_then_the_desk_again(
        self, world: World, desk: Agency
    ) -> None:
        sent = await late_onward(world)
        escalation = await escalation_of(world, sent)
        assert await asked(world, escalation) == ["receiver lpsk"]
        await minutes(world, 14)
        assert await asked(world, escalation) == ["receiver lpsk"]
        await minutes(world, 2)
        assert await asked(world, escalation) == ["receiver lpsk", "sender shelter"]
        assert (await world.police.get(f"/v1/escalations/{escalation}")).status_code == 404
        await minutes(world, 16, 16)
        assert await asked(world, escalation) == ["receiver lpsk", "sender shelter", "lead police", "desk ministry"]
        await minutes(world, 16, 16)
        assert await news(world, "ministry", escalation) == ["escalation.opened", *["escalation.reminder"] * 2]
        for code in ("lpsk", "shelter", "police"):
            assert await news(world, code, escalation) == ["escalation.opened"]
        assert await news(world, "stranger", escalation) == []

    async def test_asks_nobody_twice_who_is_two_of_them(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        assert await asked(world, escalation) == ["receiver iom", "sender police", "desk ministry"]

    async def test_passes_over_who_takes_no_part(self, world: World, desk: Agency) -> None:
        sent = await world.send(urgency="immediate")
        async with changed(world, "iom", "status", "suspended"):
            await minutes(world, 31, 30)
            assert await asked(world, await escalation_of(world, sent)) == ["sender police"]

    async def test_ends_at_the_sender_where_there_is_no_desk_and_says_so_again(self, world: World) -> None:
        _, escalation = await at_the_desk(world)
        assert await asked(world, escalation) == ["receiver iom", "sender police"]
        assert await news(world, "police", escalation) == ["escalation.opened", "escalation.reminder"]

    @pytest.mark.parametrize(("urgency", "hours"), [("urgent", 4), ("standard", 24)])
    async def test_has_more_time_where_there_is_more(self, world: World, urgency: str, hours: int) -> None:
        sent = await world.send(urgency=urgency)
        half = {"urgent": 12.1, "standard": 84.1}[urgency]
        for _ in range(2):
            world.exchange.later(hours=half)
            await world.exchange.settle()
        escalation = await escalation_of(world, sent)
        world.exchange.later(hours=hours - 0.1)
        await world.exchange.settle()
        assert await asked(world, escalation) == ["receiver iom"]
        world.exchange.later(hours=0.2)
        await world.exchange.settle()
        assert await asked(world, escalation) == ["receiver iom", "sender police"]

    async def test_skips_nobody_when_the_worker_was_away_for_a_month(self, world: World, desk: Agency) -> None:
        sent = await world.send(urgency="immediate")
        world.exchange.later(days=30)
        await world.exchange.settle()
        escalation = await escalation_of(world, sent)
        assert await asked(world, escalation) == ["receiver iom"]
        world.exchange.later(days=30)
        await world.exchange.settle()
        assert await asked(world, escalation) == ["receiver iom", "sender police"]

    async def test_is_climbed_once_however_many_workers_look(self, world: World, desk: Agency) -> None:
        late_ones = [await world.send(urgency="immediate") for _ in range(3)]
        await minutes(world, 31, 30)
        await world.owner.execute("TRUNCATE outbox, event")
        conns = [await asyncpg.connect(world.exchange.addresses.worker) for _ in range(4)]
        try:
            for _ in range(4):
                world.exchange.later(minutes=16)
                now = world.exchange.clock.now()
                done = await asyncio.gather(*(climb(conn, world.exchange.settings, now, limit=2) for conn in conns))
                done += await asyncio.gather(*(climb(conn, world.exchange.settings, now, limit=2) for conn in conns))
                assert sum(done) == await world.owner.fetchval("SELECT count(*) FROM escalation")
        finally:
            for conn in conns:
                await conn.close()
        for each in late_ones:
            assert len(await asked(world, await escalation_of(world, each))) == 3
        assert Counter(await world.told()) == {
            ("police", "escalation.opened"): 3,
            ("ministry", "escalation.opened"): 3,
            ("ministry", "escalation.reminder"): 6,
        }

    async def test_is_one_a_deadline_however_often_it_repeats(self, world: World) -> None:
        await late(world)
        await minutes(world, *[31] * 6)
        assert await world.owner.fetchval("SELECT count(*) FROM escalation") == 1

    async def test_is_climbed_for_a_late_handover_too(self, world: World, desk: Agency) -> None:
        accepted = await world.accepted(kind="transfer", receiver="sentra")
        for _ in range(2):
            world.exchange.later(days=3.6)
            await world.exchange.settle()
        escalation = await escalation_of(world, accepted)
        read = (await world.sentra.get(f"/v1/escalations/{escalation}")).json()
        assert (read["subject"], read["reason"], read["now"]["state"]) == ("transfer", "accepted", "accepted")


class TestTaking:
    async def test_stops_the_ladder_and_tells_who_was_asked(self, world: World, desk: Agency) -> None:
        sent = await late(world)
        await minutes(world, 16)
        escalation = await escalation_of(world, sent)
        reply = await world.police.post(f"/v1/escalations/{escalation}/take")
        assert reply.status_code == 200, reply.text
        assert (reply.json()["id"], reply.json()["state"]) == (escalation, "taken")
        await minutes(world, *[16] * 5)
        assert await asked(world, escalation) == ["receiver iom", "sender police"]
        assert await news(world, "iom", escalation) == ["escalation.opened", "escalation.taken"]
        assert await news(world, "police", escalation) == ["escalation.opened"]
        read = (await world.iom.get(f"/v1/escalations/{escalation}")).json()
        assert (read["state"], read["taken_by"]["code"], read["moves"]) == ("taken", "police", [])
        (entry,) = await world.log(action="escalation:take")
        assert (entry["agency_id"], str(entry["subject_id"])) == (world.ids["police"], escalation)

    async def test_counts_no_more_once_the_taker_takes_part_no_more(self, world: World, desk: Agency) -> None:
        sent = await late(world)
        escalation = await escalation_of(world, sent)
        await world.iom.post(f"/v1/escalations/{escalation}/take")
        async with changed(world, "iom", "status", "suspended"):
            await minutes(world, 16, 16, 16)
            assert await asked(world, escalation) == ["receiver iom", "sender police", "desk ministry"]
            assert await state_of(world.police, escalation) == "open"
            assert (await desk.post(f"/v1/escalations/{escalation}/take")).status_code == 200

    async def test_happens_once(self, world: World) -> None:
        sent = await late(world)
        await minutes(world, 16)
        path = f"/v1/escalations/{await escalation_of(world, sent)}/take"
        replies = await asyncio.gather(*(agency.post(path) for agency in (world.police, world.iom) * 3))
        assert sorted(reply.status_code for reply in replies) == [200, *[409] * 5]
        refused = next(reply for reply in replies if reply.status_code == 409).json()
        assert (refused["type"], refused["state"]) == ("/problems/escalation-not-open", "taken")
        assert not {"police", "iom"} & set(str(refused).replace('"', " ").replace("'", " ").split())

    async def test_is_answered_the_same_when_repeated(self, world: World) -> None:
        sent = await late(world)
        path = f"/v1/escalations/{await escalation_of(world, sent)}/take"
        first, again = [await world.iom.post(path, idempotency_key="take-it") for _ in range(2)]
        assert first.json() == again.json()
        assert len(await world.log(action="escalation:take")) == 1

    async def test_is_for_those_who_were_asked(self, world: World, desk: Agency) -> None:
        sent = await late(world)
        escalation = await escalation_of(world, sent)
        for agency in (world.police, desk, world.stranger):  # not yet, not yet, never
            assert (await agency.post(f"/v1/escalations/{escalation}/take")).status_code == 404
            assert (await agency.get(f"/v1/escalations/{escalation}")).status_code == 404
            assert (await agency.get("/v1/escalations")).json()["items"] == []


class TestAnAnswer:
    @pytest.mark.parametrize("event", ["accept", "decline", "recall"])
    async def test_closes_what_was_escalated(self, world: World, desk: Agency, event: str) -> None:
        sent = await late(world)
        await minutes(world, 16)
        escalation = await escalation_of(world, sent)
        await world.moved(sent, event)
        await minutes(world, *[16] * 3)
        assert await asked(world, escalation) == ["receiver iom", "sender police"]
        assert await state_of(world.iom, escalation) == "closed"
        other = "iom" if event == "recall" else "police"
        assert await news(world, other, escalation) == ["escalation.opened", "escalation.closed"]

    async def test_leaves_the_next_deadline_to_be_escalated_anew(self, world: World) -> None:
        sent = await late(world)
        first = await escalation_of(world, sent)
        await world.moved(sent, "accept")
        await minutes(world, 121, 120)
        second = await escalation_of(world, sent)
        assert first != second
        read = (await world.iom.get(f"/v1/escalations/{second}")).json()
        assert (read["reason"], read["state"]) == ("accepted", "open")

    async def test_that_a_service_was_given_closes_the_silence(self, world: World) -> None:
        served = await world.in_progress()
        for _ in range(2):
            world.exchange.later(days=15.1)
            await world.exchange.settle()
        escalation = await escalation_of(world, served)
        assert await state_of(world.iom, escalation) == "open"
        await world.moved(served, "record_service")
        assert await state_of(world.iom, escalation) == "closed"

    async def test_that_makes_the_receiver_lead_closes_what_is_absorbed(self, world: World) -> None:
        sent = await late(world)
        escalation = await escalation_of(world, sent)
        await world.handed_over(receiver="iom", case_id=sent.case_id)
        assert (await world.row(sent))["state"] == "absorbed"
        assert await state_of(world.iom, escalation) == "closed"


class TestExpiry:
    async def test_leaves_the_escalation_open_until_the_person_is_referred_again(
        self, world: World, desk: Agency
    ) -> None:
        sent = await world.send()
        await world.past_the_deadline()
        await world.exchange.settle()
        assert (await world.row(sent))["state"] == "expired"
        escalation = await escalation_of(world, sent)
        assert await state_of(world.police, escalation) == "open"
        world.exchange.later(days=1.1)
        await world.exchange.settle()
        assert await asked(world, escalation) == ["receiver iom", "sender police", "desk ministry"]
        await world.send(receiver="sentra", case_id=sent.case_id, replaces=sent.id)
        read = (await desk.get(f"/v1/escalations/{escalation}")).json()
        assert (read["state"], read["close_reason"]) == ("closed", "replaced")


class TestReading:
    async def test_says_whom_to_call(self, world: World) -> None:
        contacts = [
            {"role": "night duty", "phone": "+62215550100", "email": None, "hours": "21–06"},
            {"role": "head of shelter", "phone": "+62215550101", "email": "jaga@iom.example", "hours": None},
        ]
        put = await world.iom.client.request(
            "PUT", "/v1/agencies/iom/duty-contacts", json={"items": contacts}, actor="officer-7"
        )
        assert put.status_code == 200, put.text
        sent = await late(world)
        await minutes(world, 16)
        read = (await world.police.get(f"/v1/escalations/{await escalation_of(world, sent)}")).json()
        assert read["contacts"] == contacts
        assert read["reference"] == sent.reply.json()["reference"]
        assert (read["urgency"], read["asked_as"], read["now"]["state"]) == ("immediate", "sender", "sent")
        assert [(each["agency"]["code"], each["role"]) for each in read["asked"]] == [
            ("iom", "receiver"),
            ("police", "sender"),
        ]
        assert read["moves"] == ["take"]

    async def test_shows_the_desk_the_preview_and_nothing_more(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        reply = await desk.get(f"/v1/escalations/{escalation}")
        read = reply.json()
        assert [service["need"] if isinstance(service, dict) else service for service in read["preview"]["needs"]]
        assert read["preview"]["sex"] == "male"
        assert read["moves"] == ["take", "reroute"]
        for word in CANARIES:
            assert word not in reply.text
        (entry,) = await world.log(action="escalation:read")
        assert '"preview": true' in entry["detail"]
        assert (await desk.get(sent.path)).status_code == 404

    async def test_shows_it_to_nobody_else_who_was_asked(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        for agency in (world.police, world.iom):
            assert (await agency.get(f"/v1/escalations/{escalation}")).json()["preview"] is None

    async def test_shows_of_it_what_the_bases_cover_and_no_more(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        await world.owner.execute(
            "UPDATE disclosure SET sections = '{needs,safety}' WHERE subject_id = $1", UUID(sent.id)
        )
        preview = (await desk.get(f"/v1/escalations/{escalation}")).json()["preview"]
        assert (preview["sex"], preview["age_band"], preview["care_tonight"]) == (None, None, None)

    async def test_shows_it_no_more_once_another_has_taken_it(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        await world.police.post(f"/v1/escalations/{escalation}/take")
        read = (await desk.get(f"/v1/escalations/{escalation}")).json()
        assert (read["preview"], read["moves"]) == (None, [])

    async def test_shows_it_no_more_once_somebody_has_the_person(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        await world.moved(sent, "accept")
        read = (await desk.get(f"/v1/escalations/{escalation}")).json()
        assert (read["preview"], read["moves"], read["now"]["state"]) == (None, [], "accepted")

    async def test_lists_newest_first_by_state_and_page(self, world: World, desk: Agency) -> None:
        one, two, three = [await escalation_of(world, await late(world)) for _ in range(3)]
        await world.iom.post(f"/v1/escalations/{two}/take")
        first = (await world.iom.get("/v1/escalations?limit=2")).json()
        assert [each["id"] for each in first["items"]] == [three, two]
        rest = (await world.iom.get(first["next"])).json()
        assert ([each["id"] for each in rest["items"]], rest["next"]) == ([one], None)
        found = {
            state: [each["id"] for each in (await world.iom.get(f"/v1/escalations?state={state}")).json()["items"]]
            for state in ("open", "taken", "closed")
        }
        assert found == {"open": [three, one], "taken": [two], "closed": []}
        assert (await world.iom.get("/v1/escalations?state=late")).status_code == 422


async def reroute(agency: Agency, escalation: str, receiver: str = "sentra", **more: Any) -> httpx.Response:
    body = {"receiver": receiver, "reason": "No answer since midnight; the person waits at the harbour.", **more}
    options = {"idempotency_key": body.pop("key")} if "key" in body else {}
    return await agency.post(f"/v1/escalations/{escalation}/reroute", body, **options)


class TestReRouting:
    async def test_asks_another_agency_on_a_vital_interest(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        reply = await reroute(desk, escalation)
        assert reply.status_code == 201, reply.text
        made = reply.json()
        new = Passed("referral", made["id"], made["case_id"], 1, world.police, world.sentra, reply)
        assert (made["case_id"], made["state"], made["moves"]) == (sent.case_id, "sent", [])

        # the sender remains responsible, the desk is no party
        row = await world.row(new)
        assert (row["sender_id"], row["sent_by_id"], row["recorded_by_id"]) == (
            world.ids["police"],
            world.ids["ministry"],
            world.ids["ministry"],
        )
        assert (await desk.get(new.path)).status_code == 404
        seen = (await world.police.get(new.path)).json()
        assert (seen["sender"]["code"], seen["history"][0]["by"]["code"]) == ("police", "ministry")
        assert await news(world, "sentra", new.id) == ["referral.sent"]
        assert await news(world, "police", new.id) == ["referral.rerouted"]
        assert await news(world, "ministry", new.id) == []

        # what a vital interest opens of the same version, and no more
        assert row["version_id"] == (await world.row(sent))["version_id"]
        (basis,) = seen["disclosures"]
        opened = ["identity", "location", "safety", "health", "needs"]
        assert (basis["basis"], sorted(basis["sections"]), basis["onward"]) == ("vital_interest", sorted(opened), False)
        assert (await world.sentra.get(new.path)).json()["record"] is None
        await world.moved(new, "accept")
        read = (await world.sentra.get(new.path)).json()
        assert set(read["record"]) - {"schema_version"} == set(opened)
        assert read["record"]["identity"]["names"][0]["full"] == records.NAME

        # to be reviewed
        (entry,) = await world.log(action="referral:reroute")
        assert str(entry["subject_id"]) == new.id
        assert '"vital_interest"' in entry["detail"]
        assert '"health"' in entry["detail"]
        reason = await world.owner.fetchval("SELECT reason FROM disclosure WHERE subject_id = $1", UUID(new.id))
        assert b"midnight" not in reason
        assert "midnight" not in entry["detail"]

    async def test_puts_both_into_one_group_and_keeps_the_first_one_open(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        made = (await reroute(desk, escalation)).json()
        rows = await world.owner.fetch("SELECT offer_group, replaces_id, state FROM referral ORDER BY sent_at")
        assert rows[0]["offer_group"] == rows[1]["offer_group"] is not None
        assert [(row["replaces_id"], row["state"]) for row in rows] == [(None, "sent"), (None, "sent")]
        assert await state_of(desk, escalation) == "taken"
        assert await news(world, "police", escalation) == ["escalation.opened", "escalation.taken"]
        await minutes(world, 31, 30)
        assert made["id"] in [
            str(row["subject_id"]) for row in await world.owner.fetch("SELECT subject_id FROM escalation")
        ]

    async def test_follows_what_has_expired(self, world: World, desk: Agency) -> None:
        sent = await world.send(**RICH)
        await world.past_the_deadline()
        for _ in range(2):
            await world.exchange.settle()
            world.exchange.later(days=1.1)
        escalation = await escalation_of(world, sent)
        assert (await desk.get(f"/v1/escalations/{escalation}")).json()["preview"] is not None
        reply = await reroute(desk, escalation, urgency="urgent")
        assert reply.status_code == 201, reply.text
        row = await world.owner.fetchrow("SELECT * FROM referral WHERE id = $1", UUID(reply.json()["id"]))
        assert row is not None
        assert (str(row["replaces_id"]), row["urgency"]) == (sent.id, "urgent")
        read = (await desk.get(f"/v1/escalations/{escalation}")).json()
        assert (read["state"], read["close_reason"]) == ("closed", "rerouted")
        assert (await news(world, "police", escalation))[-1] == "escalation.closed"
        assert (await reroute(desk, escalation, "shelter")).status_code == 409

    async def test_can_follow_the_desks_own_taking(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        assert (await desk.post(f"/v1/escalations/{escalation}/take")).status_code == 200
        assert (await reroute(desk, escalation)).status_code == 201

    async def test_happens_once_when_it_is_repeated(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        first, again = [await reroute(desk, escalation, key="elsewhere") for _ in range(2)]
        assert first.json() == again.json()
        assert await world.owner.fetchval("SELECT count(*) FROM referral") == 2

    async def refused(self, reply: httpx.Response, status: int, problem: str) -> None:
        assert (reply.status_code, reply.json()["type"]) == (status, f"/problems/{problem}"), reply.text

    async def test_is_the_desks_alone(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        for agency in (world.police, world.iom):
            await self.refused(await reroute(agency, escalation), 403, "desk-only")
        await self.refused(await reroute(world.stranger, escalation), 404, "not-found")
        await world.set_desk(None)
        await self.refused(await reroute(desk, escalation), 404, "not-found")
        assert await world.owner.fetchval("SELECT count(*) FROM referral") == 1

    async def test_waits_until_the_desk_is_asked(self, world: World, desk: Agency) -> None:
        sent = await late(world)
        await self.refused(await reroute(desk, await escalation_of(world, sent)), 404, "not-found")

    async def test_needs_a_receiver_that_can_be_asked(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        await self.refused(await reroute(desk, escalation, "nobody-there"), 422, "unknown-receiver")
        for receiver in ("ministry", "police"):
            await self.refused(await reroute(desk, escalation, receiver), 409, "receiver-unavailable")
        async with changed(world, "sentra", "status", "suspended"):
            await self.refused(await reroute(desk, escalation), 409, "receiver-unavailable")

    async def test_stays_inside_the_country(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        async with changed(world, "sentra", "country", "MY"):
            reply = await reroute(desk, escalation)
        await self.refused(reply, 403, "disclosure-refused")
        assert {each["reason"] for each in reply.json()["refused"]} == {"abroad"}

    async def test_goes_to_nobody_who_may_not_hold_the_needs(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        await self.refused(await reroute(desk, escalation, "embassy"), 403, "disclosure-refused")

    async def test_leaves_out_what_the_receiver_may_not_hold(self, world: World, desk: Agency) -> None:
        await world.set_desk("shelter")
        sent = await late(world, sender="iom", receiver="lpsk", **RICH)
        await minutes(world, 16, 16)
        reply = await reroute(world.shelter, await escalation_of(world, sent), "police")
        row = await world.owner.fetchrow("SELECT sections FROM referral WHERE id = $1", UUID(reply.json()["id"]))
        assert row is not None
        assert row["sections"] == ["identity", "location", "safety", "needs"]  # the police get no health

    async def test_never_gives_more_time_than_there_was(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        reply = await reroute(desk, escalation, urgency="urgent")
        await self.refused(reply, 422, "invalid-request")
        assert reply.json()["errors"] == [{"pointer": "/urgency", "code": "longer_than_before"}]

    async def test_makes_no_twin(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        await world.send(receiver="sentra", case_id=sent.case_id, **RICH)
        await self.refused(await reroute(desk, escalation), 409, "open-twin")

    async def test_is_over_once_somebody_has_answered(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        await world.moved(sent, "accept")
        await self.refused(await reroute(desk, escalation), 409, "escalation-not-open")

    async def test_leaves_to_others_what_they_have_taken(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        await world.police.post(f"/v1/escalations/{escalation}/take")
        reply = await reroute(desk, escalation)
        await self.refused(reply, 409, "escalation-not-open")
        assert reply.json()["state"] == "taken"

    async def test_is_for_referrals(self, world: World, desk: Agency) -> None:
        sent = await world.send(kind="transfer", receiver="sentra", urgency="immediate")
        await minutes(world, 31, 30, 16, 16)
        await self.refused(await reroute(desk, await escalation_of(world, sent), "shelter"), 409, "not-reroutable")

    async def test_is_for_what_nobody_has_accepted(self, world: World, desk: Agency) -> None:
        accepted = await world.accepted(urgency="immediate")
        await minutes(world, 121, 120, 16, 16)
        await self.refused(await reroute(desk, await escalation_of(world, accepted)), 409, "not-reroutable")

    async def test_asks_nobody_who_became_the_sender_meanwhile(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        found = await world.owner.fetchrow("SELECT version_id FROM referral WHERE id = $1", UUID(sent.id))
        assert found is not None
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids["ministry"]))
            envelope = {
                "escalation_id": escalation,
                "receiver_id": str(world.ids["police"]),
                "version_id": str(found["version_id"]),
                "sections": ["needs"],
            }
            with pytest.raises(asyncpg.PostgresError) as refusal:
                await conn.execute("SELECT apply_reroute($1, NULL, NULL, NULL, now())", json.dumps(envelope))
            assert refusal.value.sqlstate == "RJ032"
        finally:
            await conn.close()

    async def test_races_with_an_acceptance_and_leaves_no_half(self, world: World, desk: Agency) -> None:
        for _ in range(8):
            sent, escalation = await at_the_desk(world)
            rerouted, accepted = await asyncio.gather(reroute(desk, escalation), world.move(sent, "accept"))
            assert accepted.status_code == 200, accepted.text
            assert rerouted.status_code in (201, 409), rerouted.text
            if rerouted.status_code == 409:
                assert rerouted.json()["type"] in ("/problems/escalation-not-open", "/problems/not-reroutable")
            count = await world.owner.fetchval("SELECT count(*) FROM referral WHERE case_id = $1", UUID(sent.case_id))
            assert count == (2 if rerouted.status_code == 201 else 1)


class TestAnUnattendedCase:
    async def unattended(self, world: World, case_id: str) -> set[str]:
        await world.exchange.settle()
        rows = await world.owner.fetch(
            "SELECT code FROM event e JOIN agency a ON a.id = e.agency_id WHERE type = 'case.unattended' AND subject_id = $1",
            UUID(case_id),
        )
        assert len(rows) == len(set(rows))
        return {row["code"] for row in rows}

    async def test_is_told_to_lead_and_desk_when_the_last_one_declines(self, world: World, desk: Agency) -> None:
        sent = await world.send(urgency="immediate")
        other = await world.send(urgency="immediate", receiver="sentra", case_id=sent.case_id)
        await world.moved(sent, "decline")
        assert await self.unattended(world, sent.case_id) == set()
        await world.moved(other, "decline")
        assert await self.unattended(world, sent.case_id) == {"police", "ministry"}

    async def test_is_told_when_the_last_two_end_at_the_same_moment(self, world: World, desk: Agency) -> None:
        for _ in range(10):
            one = await world.send(urgency="immediate")
            two = await world.send(urgency="immediate", receiver="sentra", case_id=one.case_id)
            replies = await asyncio.gather(world.move(one, "decline"), world.move(two, "decline"))
            assert [reply.status_code for reply in replies] == [200, 200]
            assert await self.unattended(world, one.case_id) == {"police", "ministry"}

    async def test_is_not_told_to_the_lead_that_did_it_itself(self, world: World, desk: Agency) -> None:
        sent = await world.moved(await world.send(urgency="immediate"), "recall")
        assert await self.unattended(world, sent.case_id) == {"ministry"}

    @pytest.mark.parametrize("urgency", ["urgent", "standard"])
    async def test_is_one_that_could_not_wait(self, world: World, desk: Agency, urgency: str) -> None:
        sent = await world.moved(await world.send(urgency=urgency), "decline")
        assert await self.unattended(world, sent.case_id) == set()

    async def test_is_none_if_somebody_had_the_person(self, world: World, desk: Agency) -> None:
        sent = await world.moved(await world.accepted(urgency="immediate"), "fail")
        assert await self.unattended(world, sent.case_id) == set()

    async def test_is_told_to_the_lead_alone_where_there_is_no_desk(self, world: World) -> None:
        sent = await world.moved(await world.send(urgency="immediate"), "decline")
        assert await self.unattended(world, sent.case_id) == {"police"}


class TestTheDatabase:
    """What the functions refuse by themselves, whoever calls them."""

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT close_escalations($1, now())",
            "SELECT publish_unattended($1, now())",
        ],
    )
    @pytest.mark.parametrize("agency", ["stranger", None])
    async def test_lets_no_stranger_close_or_tell(self, world: World, statement: str, agency: str | None) -> None:
        sent = await late(world)
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            if agency:
                await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids[agency]))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement, UUID(sent.id))
        finally:
            await conn.close()

    async def test_gives_the_record_to_the_desk_alone(self, world: World, desk: Agency) -> None:
        _, escalation = await at_the_desk(world)
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            for code, rows in (("ministry", 1), ("police", 0), ("stranger", 0)):
                await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids[code]))
                found = await conn.fetch("SELECT * FROM escalated_record($1, now())", UUID(escalation))
                assert len(found) == rows, code
            assert await conn.fetch("SELECT * FROM escalation") == []
            assert await conn.fetch("SELECT * FROM escalation_asked") == []
            assert await conn.fetch("SELECT * FROM escalation_subject($1)", UUID(escalation)) == []
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute("SELECT apply_reroute('{}', NULL, NULL, NULL, now())")
            for statement in ("UPDATE escalation SET next_at = NULL", "DELETE FROM escalation_asked"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.execute(statement)
            with pytest.raises(asyncpg.PostgresError, match="nothing here"):
                await conn.execute("SELECT apply_take($1, now())", UUID(escalation))
        finally:
            await conn.close()


class TestAllAtOnce:
    """Answers, handovers, the desk and the workers, over the same rows in the same moment: somebody is told no, nobody waits for ever."""

    async def test_ends_in_one_truth(self, world: World, desk: Agency) -> None:
        for _ in range(6):
            sent, escalation = await at_the_desk(world)
            offered = await world.accepted(kind="transfer", receiver="lpsk", case_id=sent.case_id)
            conns = [await asyncpg.connect(world.exchange.addresses.worker) for _ in range(4)]
            world.exchange.later(minutes=31)
            now, settings = world.exchange.clock.now(), world.exchange.settings
            try:
                replies = await asyncio.gather(
                    reroute(desk, escalation),
                    world.move(sent, "accept"),
                    world.move(offered, "confirm_handover"),
                    world.police.post(f"/v1/escalations/{escalation}/take"),
                    *(watch(conn, REFERRAL, settings, now) for conn in conns[:2]),
                    *(climb(conn, settings, now) for conn in conns[2:]),
                )
            finally:
                for conn in conns:
                    await conn.close()
            rerouted, accepted, confirmed, taken = replies[:4]
            assert (accepted.status_code, confirmed.status_code) == (200, 200), (accepted.text, confirmed.text)
            assert rerouted.status_code in (201, 409)
            assert taken.status_code in (200, 404, 409)  # 404: it leads the case no longer
            assert (rerouted.status_code, taken.status_code) != (201, 200)
            row = await world.owner.fetchrow(
                "SELECT closed_at, taken_by_id, next_at FROM escalation WHERE id = $1", UUID(escalation)
            )
            assert row is not None
            assert (row["closed_at"] is not None, row["next_at"]) == (True, None)
            assert await world.lead_of(sent.case_id) == "lpsk"


class TestAfterAHandover:
    async def test_the_earlier_lead_neither_sees_nor_silences_what_is_late(self, world: World, desk: Agency) -> None:
        sent = await world.send(sender="police", receiver="iom", urgency="immediate")
        await minutes(world, 31, 30, 16)
        escalation = await escalation_of(world, sent)
        assert await asked(world, escalation) == ["receiver iom", "sender police"]
        await world.handed_over(sender="police", receiver="sentra", case_id=sent.case_id)
        assert (await world.police.get(f"/v1/escalations/{escalation}")).status_code == 404
        assert (await world.police.get("/v1/escalations")).json()["items"] == []
        assert (await world.police.post(f"/v1/escalations/{escalation}/take")).status_code == 404
        assert (await world.sentra.get(f"/v1/escalations/{escalation}")).json()["asked_as"] == "lead"
        assert await news(world, "sentra", escalation) == ["escalation.opened"]
        await minutes(world, 16)
        assert (await asked(world, escalation))[-1] == "desk ministry"

    async def test_what_the_earlier_lead_had_taken_is_open_again(self, world: World, desk: Agency) -> None:
        sent = await world.send(sender="police", receiver="iom", urgency="immediate")
        await minutes(world, 31, 30, 16)
        escalation = await escalation_of(world, sent)
        assert (await world.police.post(f"/v1/escalations/{escalation}/take")).status_code == 200
        await world.handed_over(sender="police", receiver="sentra", case_id=sent.case_id)
        assert await state_of(world.sentra, escalation) == "open"
        await minutes(world, 1)
        assert (await asked(world, escalation))[-1] == "desk ministry"


class TestARetractedVersion:
    async def test_is_not_rerouted(self, world: World, desk: Agency) -> None:
        sent, escalation = await at_the_desk(world)
        version = (await sent.sender.get(sent.path)).json()["record_version"]
        path = f"/v1/cases/{sent.case_id}/record-versions/{version}/retract"
        assert (await sent.sender.post(path, {"reason": "Another person's."})).status_code == 200
        shown = (await desk.get(f"/v1/escalations/{escalation}")).json()
        assert (shown["preview"], shown["moves"]) == (None, ["take"])
        body = {"receiver": "shelter", "reason": "Nobody answers."}
        reply = await desk.post(f"/v1/escalations/{escalation}/reroute", body)
        assert reply.json()["type"] == "/problems/not-reroutable"
        assert (await world.shelter.get("/v1/referrals?role=receiver")).json()["items"] == []


class TestANewLead:
    async def test_replaces_what_expired_under_the_earlier_one(self, world: World, desk: Agency) -> None:
        sent = await world.send(sender="police", receiver="iom", urgency="urgent")
        escalation = await world.escalated(sent, 12.1, 12, 12, 13)
        await world.handed_over(sender="police", receiver="sentra", case_id=sent.case_id)
        body = records.referral("shelter", case=None, case_id=sent.case_id, replaces=sent.id)
        assert (await world.lpsk.post("/v1/referrals", body)).status_code == 404
        assert (await world.sentra.post("/v1/referrals", body)).status_code == 201
        assert await state_of(desk, escalation) == "closed"

"""Deadlines: what is due reminds, then escalates, and only then ends anything; once, however many workers look."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from app.exchange.lifecycle import Lifecycle
from app.exchange.passing.clock import Tick, next_tick, watch
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.settings import Settings
from tests.makers import records
from tests.makers.world import Passed, World

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = Settings()


def tick(lifecycle: Lifecycle, state: str, urgency: str, *, left: timedelta = HOUR, step: int = 0) -> Tick | None:
    """What the clock decides for a row it looks at now, with so much `left` to answer."""
    return next_tick(lifecycle, SETTINGS, state=state, urgency=urgency, respond_by=NOW + left, step=step, now=NOW)


class TestNextTick:
    @pytest.mark.parametrize("state", ["sent", "received", "info_requested"])
    @pytest.mark.parametrize(
        ("urgency", "left", "step", "decided"),
        [
            # while there is time: a reminder, and a look at the deadline itself
            ("immediate", HOUR / 2, 0, Tick("remind", NOW + HOUR / 2, 1)),
            ("urgent", HOUR, 0, Tick("remind", NOW + HOUR, 1)),
            ("standard", DAY, 0, Tick("remind", NOW + DAY, 1)),
            # at the deadline: immediate stays overdue for as long as it takes, at half its time
            ("immediate", timedelta(), 1, Tick("overdue", NOW + HOUR / 2, 2)),
            ("immediate", -HOUR, 2, Tick("overdue", NOW + HOUR / 2, 2)),
            ("immediate", -90 * DAY, 2, Tick("overdue", NOW + HOUR / 2, 2)),
            # urgent is extended once
            ("urgent", timedelta(), 1, Tick("extend", NOW + DAY, 2, respond_by=NOW + DAY)),
            ("urgent", timedelta(), 0, Tick("extend", NOW + DAY, 2, respond_by=NOW + DAY)),
            ("urgent", timedelta(), 2, Tick("expire", None, 2)),
            # standard expires
            ("standard", timedelta(), 1, Tick("expire", None, 2)),
            # but nothing expires unannounced: a worker that was away reminds late, and looks again
            ("standard", timedelta(), 0, Tick("remind", NOW + 3.5 * DAY, 1)),
        ],
    )
    def test_while_an_answer_is_awaited(
        self, state: str, urgency: str, left: timedelta, step: int, decided: Tick
    ) -> None:
        assert tick(REFERRAL, state, urgency, left=left, step=step) == decided
        transfer_state = "offered" if state == "sent" else state
        assert tick(TRANSFER, transfer_state, urgency, left=left, step=step) == decided

    @pytest.mark.parametrize(
        ("lifecycle", "state", "urgency", "span"),
        [
            (REFERRAL, "accepted", "immediate", 4 * HOUR),
            (REFERRAL, "accepted", "urgent", 48 * HOUR),
            (REFERRAL, "accepted", "standard", 7 * DAY),
            (REFERRAL, "in_progress", "immediate", 30 * DAY),
            (REFERRAL, "on_hold", "standard", 30 * DAY),
            (REFERRAL, "cancel_requested", "standard", 3 * DAY),
            (TRANSFER, "accepted", "immediate", 7 * DAY),
        ],
    )
    def test_afterwards_reminds_and_then_repeats_for_ever(
        self, lifecycle: Lifecycle, state: str, urgency: str, span: timedelta
    ) -> None:
        assert tick(lifecycle, state, urgency) == Tick("remind", NOW + span / 2, 1)
        for step in (1, 2):
            assert tick(lifecycle, state, urgency, step=step) == Tick("overdue", NOW + span, 2)

    @pytest.mark.parametrize("lifecycle", [REFERRAL, TRANSFER], ids=["referral", "transfer"])
    def test_leaves_alone_what_has_ended(self, lifecycle: Lifecycle) -> None:
        for state in set(lifecycle.final_states) - {"completed"}:
            assert tick(lifecycle, state, "standard") is None
        assert tick(REFERRAL, "completed", "standard") is None

    def test_asks_for_a_pending_paper_before_and_after_its_day(self) -> None:
        due = NOW + 2 * DAY
        decide = partial(next_tick, TRANSFER, SETTINGS, state="completed", urgency="standard", respond_by=NOW, now=NOW)
        assert decide(step=0, ends=due) == Tick("remind", due, 1)
        assert decide(step=1, ends=NOW) == Tick("overdue", NOW + 7 * DAY, 2)

    @pytest.mark.parametrize("lifecycle", [REFERRAL, TRANSFER], ids=["referral", "transfer"])
    @pytest.mark.parametrize("urgency", ["immediate", "urgent", "standard"])
    def test_always_looks_again_unless_it_ends_the_matter(self, lifecycle: Lifecycle, urgency: str) -> None:
        for state in lifecycle.open_states:
            for step in (0, 1, 2):
                for left in (HOUR, timedelta(), -HOUR):
                    decided = tick(lifecycle, state, urgency, left=left, step=step)
                    assert decided is not None
                    assert (decided.again is None) == (decided.act == "expire")
                    assert decided.again is None or decided.again > NOW
                    if decided.act == "expire":
                        assert state in lifecycle["expire"].from_states
                        assert urgency != "immediate"


async def events(world: World, code: str, about: Passed) -> list[str]:
    """The events of one referral or transfer in an agency's feed."""
    await world.exchange.settle()
    found = (await world.agencies[code].get("/v1/events?limit=500")).json()["items"]
    return [each["type"].split(".")[1] for each in found if each["subject_id"] == about.id]


async def clock_of(passed: Passed) -> tuple[str, str]:
    read = (await passed.sender.get(passed.path)).json()
    return read["state"], read["clock"]


class TestAStandardReferral:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_reminds_its_receiver_at_half_time(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind)
        world.exchange.later(days=3.4)
        await world.exchange.settle()
        assert await clock_of(sent) == (sent.reply.json()["state"], "ok")
        world.exchange.later(days=0.2)
        assert (await events(world, "iom", sent))[1:] == ["reminder"]
        assert await events(world, "police", sent) == []
        assert await clock_of(sent) == (sent.reply.json()["state"], "due")

    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_expires_unanswered_and_tells_both(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind)
        for _ in range(2):
            world.exchange.later(days=3.6)
            await world.exchange.settle()
        assert (await events(world, "iom", sent))[1:] == ["reminder", "expired"]
        assert await events(world, "police", sent) == ["expired"]
        read = (await world.police.get(sent.path)).json()
        assert (read["state"], read["clock"], read["version"], read["moves"]) == ("expired", "ok", 2, [])
        last = read["history"][-1]
        assert (last["event"], last["by"], last["recorded_by"], last["version"]) == ("expire", None, None, 2)
        assert read["ended_at"] == last["recorded_at"]
        assert [each["access"] for each in (await world.iom.get(sent.path)).json()["disclosures"]] == ["closed"]
        (entry,) = await world.log(action=f"{kind}:expire")
        assert (entry["agency_id"], str(entry["subject_id"]), entry["outcome"]) == (None, sent.id, "done")
        assert (await world.stranger.get(sent.path)).status_code == 404

    async def test_that_was_acknowledged_expires_all_the_same(self, world: World) -> None:
        sent = await world.moved(await world.send(), "acknowledge")
        await world.past_the_deadline()
        await world.exchange.settle()
        assert (await clock_of(sent))[0] == "expired"

    async def test_that_expired_can_be_sent_again(self, world: World) -> None:
        sent = await world.send()
        await world.past_the_deadline()
        await world.exchange.settle()
        late = await world.move(sent, "accept")
        assert (late.status_code, late.json()["state"]) == (409, "expired")
        again = await world.send(case_id=sent.case_id, replaces=sent.id)
        assert (await clock_of(again))[0] == "sent"

    async def test_answered_in_time_does_not_expire(self, world: World) -> None:
        accepted = await world.accepted()
        world.exchange.later(days=30)
        await world.exchange.settle()
        assert (await clock_of(accepted))[0] == "accepted"

    async def test_has_the_time_its_sender_gives_it(self, world: World) -> None:
        sooner = (world.exchange.clock.now() + timedelta(days=1)).isoformat()
        sent = await world.send(respond_by=sooner)
        world.exchange.later(hours=13)
        assert (await events(world, "iom", sent))[1:] == ["reminder"]
        world.exchange.later(hours=12)
        assert (await events(world, "iom", sent))[1:] == ["reminder", "expired"]

    @pytest.mark.parametrize("by", [timedelta(days=8), timedelta(days=-1), timedelta()])
    async def test_cannot_be_given_more_time_than_its_urgency_has(self, world: World, by: timedelta) -> None:
        body = records.referral("iom", respond_by=(world.exchange.clock.now() + by).isoformat())
        reply = await world.police.post("/v1/referrals", body)
        assert reply.status_code == 422
        assert reply.json()["errors"] == [{"pointer": "/respond_by", "code": "outside_the_urgency"}]


class TestAnImmediateReferral:
    async def test_stays_open_overdue_and_reminds_both_again_and_again(self, world: World) -> None:
        sent = await world.send(urgency="immediate")
        world.exchange.later(minutes=31)
        await world.exchange.settle()
        assert await clock_of(sent) == ("sent", "due")
        for _ in range(4):
            world.exchange.later(minutes=31)
            await world.exchange.settle()
            assert await clock_of(sent) == ("sent", "overdue")
        assert (await events(world, "iom", sent))[1:] == ["reminder", *["overdue"] * 4]
        assert await events(world, "police", sent) == ["overdue"] * 4

    async def test_can_be_accepted_late(self, world: World) -> None:
        sent = await world.send(urgency="immediate")
        for _ in range(3):
            world.exchange.later(days=1)
            await world.exchange.settle()
        assert (await world.move(sent, "accept")).status_code == 200
        assert await clock_of(sent) == ("accepted", "ok")
        assert (await world.iom.get(sent.path)).json()["record"] is not None


class TestAnUrgentReferral:
    async def test_is_extended_once_and_then_expires(self, world: World) -> None:
        sent = await world.send(urgency="urgent")
        first = (await world.police.get(sent.path)).json()["respond_by"]
        for _ in range(2):
            world.exchange.later(hours=12.1)
            await world.exchange.settle()
        extended = (await world.police.get(sent.path)).json()
        assert (extended["state"], extended["clock"], extended["version"]) == ("sent", "overdue", 1)
        gained = datetime.fromisoformat(extended["respond_by"]) - datetime.fromisoformat(first)
        assert timedelta(hours=24) <= gained < timedelta(hours=25)
        world.exchange.later(hours=24.1)
        await world.exchange.settle()
        assert await clock_of(sent) == ("expired", "ok")
        assert (await events(world, "iom", sent))[1:] == ["reminder", "overdue", "expired"]
        assert await events(world, "police", sent) == ["overdue", "expired"]

    async def test_can_be_answered_in_its_extension(self, world: World) -> None:
        sent = await world.send(urgency="urgent")
        world.exchange.later(hours=25)
        await world.exchange.settle()
        assert (await world.move(sent, "accept")).status_code == 200


class TestAnAcceptedReferral:
    async def test_that_is_not_started_reminds_and_never_ends_by_itself(self, world: World) -> None:
        accepted = await world.accepted(urgency="immediate")
        for _ in range(5):
            world.exchange.later(hours=2.1)
            await world.exchange.settle()
        assert await clock_of(accepted) == ("accepted", "overdue")
        told = (await events(world, "iom", accepted))[1:]
        assert (told[0], set(told[1:])) == ("reminder", {"overdue"})
        assert await events(world, "police", accepted) == ["accepted", *told[1:]]
        await world.moved(accepted, "start")
        assert await clock_of(accepted) == ("in_progress", "ok")

    async def test_in_progress_reminds_when_nothing_is_recorded_for_a_month(self, world: World) -> None:
        started = await world.in_progress()
        world.exchange.later(days=14)
        await world.moved(started, "record_service")
        world.exchange.later(days=14)
        assert "reminder" not in await events(world, "iom", started)
        world.exchange.later(days=2)
        assert (await events(world, "iom", started))[-1] == "reminder"
        world.exchange.later(days=16)
        assert (await events(world, "iom", started))[-1] == "overdue"
        await world.moved(started, "record_service")
        assert await clock_of(started) == ("in_progress", "ok")

    async def test_that_ends_is_watched_no_more(self, world: World) -> None:
        ended = await world.moved(await world.in_progress(), "complete")
        assert (await world.row(ended))["due_at"] is None


class TestAnAcceptedTransfer:
    async def test_that_is_not_confirmed_reminds_and_never_ends_by_itself(self, world: World) -> None:
        accepted = await world.accepted(kind="transfer")
        for _ in range(6):
            world.exchange.later(days=3.6)
            await world.exchange.settle()
        assert await clock_of(accepted) == ("accepted", "overdue")
        assert "overdue" in await events(world, "police", accepted)
        assert await world.lead_of(accepted.case_id) == "police"
        await world.moved(accepted, "confirm_handover")
        assert await world.lead_of(accepted.case_id) == "iom"


class TestSeveralWorkers:
    async def watched(self, world: World, count: int, **options: Any) -> list[int]:
        conns = [await asyncpg.connect(world.exchange.addresses.worker) for _ in range(count)]
        now = world.exchange.clock.now()
        try:
            return await asyncio.gather(
                *(watch(conn, REFERRAL, world.exchange.settings, now, **options) for conn in conns)
            )
        finally:
            for conn in conns:
                await conn.close()

    async def test_do_it_once(self, world: World) -> None:
        sent = [await world.send() for _ in range(12)]
        await world.past_the_deadline()
        await world.owner.execute("TRUNCATE outbox")
        done = await self.watched(world, 4, limit=5)
        done += await self.watched(world, 4, limit=5)
        assert sum(done) == 12
        assert len(await world.told()) == 24
        assert len(await world.log(action="referral:expire")) == 12
        assert {(await world.row(each))["state"] for each in sent} == {"expired"}
        assert {(await world.row(each))["version"] for each in sent} == {2}

    async def test_leave_alone_what_is_being_answered_at_this_moment(self, world: World) -> None:
        for _ in range(15):
            sent = await world.send()
            await world.past_the_deadline()
            accept = world.move(sent, "accept")
            reply, _ = await asyncio.gather(accept, self.watched(world, 2))
            row = await world.row(sent)
            assert (reply.status_code, row["state"]) in ((200, "accepted"), (409, "expired"))
            moves = await world.owner.fetch(
                "SELECT event FROM move WHERE subject = 'referral' ORDER BY recorded_at, id"
            )
            assert [move["event"] for move in moves][1:] == [{"accepted": "accept", "expired": "expire"}[row["state"]]]
            await world.owner.execute("TRUNCATE move, referral")

    async def test_lose_nothing_when_one_dies_in_the_middle(self, world: World) -> None:
        sent = await world.send()
        await world.past_the_deadline()
        dying = await asyncpg.connect(world.exchange.addresses.worker)
        await dying.transaction().start()
        assert await watch(dying, REFERRAL, world.exchange.settings, world.exchange.clock.now()) == 1
        dying.terminate()
        async with asyncio.timeout(5):
            while (await world.row(sent))["state"] == "sent":
                await world.exchange.settle()
        assert await events(world, "police", sent) == ["expired"]


class TestAHandover:
    async def test_with_its_paper_pending_is_not_forgotten(self, world: World) -> None:
        offered = await world.accepted(kind="transfer", receiver="ministry")
        assert (await world.move(offered, "confirm_handover", {"paper": "pending"})).status_code == 200
        told = len(await events(world, "ministry", offered))
        for _ in range(2):
            world.exchange.later(days=3.6)
            await world.exchange.settle()
        assert (await events(world, "ministry", offered))[told:] == ["reminder", "overdue"]
        assert (await events(world, "police", offered))[-1] == "overdue"
        assert await clock_of(offered) == ("completed", "overdue")

    async def test_with_its_paper_issued_is_over(self, world: World) -> None:
        offered = await world.accepted(kind="transfer", receiver="ministry")
        body = {"paper": "issued", "number": "BAST-7", "date": "2026-01-01"}
        assert (await world.move(offered, "confirm_handover", body)).status_code == 200
        told = len(await events(world, "ministry", offered))
        world.exchange.later(days=30)
        assert (await events(world, "ministry", offered))[told:] == []

"""Deadlines: what is due reminds, then escalates, and only then ends anything; once, however many workers look."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.exchange.lifecycle import Lifecycle
from app.exchange.passing.clock import Tick, next_tick, watch
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from app.foundation.settings import Settings
from app.worker import Worker
from schemas.codes.referral import Urgency
from tests.makers import records
from tests.makers.world import Passed, World

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = Settings()
LIFECYCLES = {"referral": REFERRAL, "transfer": TRANSFER}

TABLE = """
referral  sent             immediate   0.5h remind, 1h escalate, 1.5h repeat, 2h repeat, …
referral  sent             urgent      12h remind, 24h escalate, 2d expire
referral  sent             standard    3.5d remind, 7d escalate, 8d expire
referral  received         immediate   0.5h remind, 1h escalate, 1.5h repeat, 2h repeat, …
referral  received         urgent      12h remind, 24h escalate, 2d expire
referral  received         standard    3.5d remind, 7d escalate, 8d expire
referral  info_requested   immediate   0.5h remind, 1h escalate, 1.5h repeat, 2h repeat, …
referral  info_requested   urgent      12h remind, 24h escalate, 2d expire
referral  info_requested   standard    3.5d remind, 7d escalate, 8d expire
referral  accepted         immediate   2h remind, 4h escalate, 8h repeat, 12h repeat, …
referral  accepted         urgent      24h remind, 2d escalate, 4d repeat, 6d repeat, …
referral  accepted         standard    3.5d remind, 7d escalate, 14d repeat, 21d repeat, …
referral  in_progress      immediate   15d remind, 30d escalate, 60d repeat, 90d repeat, …
referral  in_progress      urgent      15d remind, 30d escalate, 60d repeat, 90d repeat, …
referral  in_progress      standard    15d remind, 30d escalate, 60d repeat, 90d repeat, …
referral  on_hold          immediate   15d remind, 30d escalate, 60d repeat, 90d repeat, …
referral  on_hold          urgent      15d remind, 30d escalate, 60d repeat, 90d repeat, …
referral  on_hold          standard    15d remind, 30d escalate, 60d repeat, 90d repeat, …
referral  cancel_requested immediate   36h remind, 3d confirm_cancel
referral  cancel_requested urgent      36h remind, 3d confirm_cancel
referral  cancel_requested standard    36h remind, 3d confirm_cancel
transfer  offered          immediate   0.5h remind, 1h escalate, 1.5h repeat, 2h repeat, …
transfer  offered          urgent      12h remind, 24h escalate, 2d expire
transfer  offered          standard    3.5d remind, 7d escalate, 8d expire
transfer  received         immediate   0.5h remind, 1h escalate, 1.5h repeat, 2h repeat, …
transfer  received         urgent      12h remind, 24h escalate, 2d expire
transfer  received         standard    3.5d remind, 7d escalate, 8d expire
transfer  info_requested   immediate   0.5h remind, 1h escalate, 1.5h repeat, 2h repeat, …
transfer  info_requested   urgent      12h remind, 24h escalate, 2d expire
transfer  info_requested   standard    3.5d remind, 7d escalate, 8d expire
transfer  accepted         immediate   3.5d remind, 7d escalate, 14d repeat, 21d repeat, …
transfer  accepted         urgent      3.5d remind, 7d escalate, 14d repeat, 21d repeat, …
transfer  accepted         standard    3.5d remind, 7d escalate, 14d repeat, 21d repeat, …
transfer  completed        immediate   3.5d remind, 7d escalate, 14d repeat, 21d repeat, …
transfer  completed        urgent      3.5d remind, 7d escalate, 14d repeat, 21d repeat, …
transfer  completed        standard    3.5d remind, 7d escalate, 14d repeat, 21d repeat, …
"""
"""What the clock does about a row that nobody touches, and how long after it came into its state. A completed transfer: while its paper is
pending. A cancellation is of a referral that was not started; one that was escalates, see below."""
ROWS = [line.split(maxsplit=3) for line in TABLE.strip().splitlines()]


def span_of(lifecycle: Lifecycle, state: str, urgency: str) -> timedelta:
    row = lifecycle.deadline(state)
    assert row is not None, f"{state} has no deadline"
    span: timedelta = getattr(SETTINGS, row.setting + (urgency if row.by_urgency else ""))
    return span


def life(lifecycle: Lifecycle, state: str, urgency: str, *, started: bool = False) -> str:
    """Everything the clock does to a row by itself, as the table writes it; the fifth look and later ones are an ellipsis."""
    deadline = NOW + span_of(lifecycle, state, urgency)
    at, step, seen = NOW + (deadline - NOW) / 2, 0, []
    while len(seen) < 4:
        tick = next_tick(
            lifecycle, SETTINGS, state=state, urgency=urgency, deadline_at=deadline, step=step, now=at, started=started
        )
        assert tick is not None
        hours = (at - NOW) / HOUR
        seen.append(f"{hours:g}h {tick.act}" if hours < 48 else f"{hours / 24:g}d {tick.act}")
        if tick.again is None:
            return ", ".join(seen)
        assert tick.again > at
        deadline, at, step = tick.respond_by or deadline, tick.again, tick.step
    return ", ".join([*seen, "…"])


class TestTheTable:
    @pytest.mark.parametrize(("kind", "state", "urgency", "expected"), ROWS, ids=[" ".join(row[:3]) for row in ROWS])
    def test_says_what_happens_to_what_nobody_touches(self, kind: str, state: str, urgency: str, expected: str) -> None:
        assert life(LIFECYCLES[kind], state, urgency) == expected

    def test_has_a_row_for_every_open_state_and_urgency(self) -> None:
        watched = [("referral", state) for state in REFERRAL.open_states]
        watched += [("transfer", state) for state in (*TRANSFER.open_states, "completed")]
        assert [(row[0], row[1], row[2]) for row in ROWS] == [
            (*each, urgency.value) for each, urgency in product(watched, Urgency)
        ]

    @pytest.mark.parametrize("urgency", list(Urgency))
    def test_ends_no_state_in_which_somebody_holds_the_person(self, urgency: str) -> None:
        for state in ("accepted", "in_progress", "on_hold"):
            assert life(REFERRAL, state, urgency).endswith("repeat, …")
        assert life(REFERRAL, "cancel_requested", urgency, started=True) == (
            "36h remind, 3d escalate, 6d repeat, 9d repeat, …"
        )
        assert life(TRANSFER, "accepted", urgency).endswith("repeat, …")

    @pytest.mark.parametrize("state", ["sent", "received", "info_requested"])
    def test_never_lets_an_immediate_one_expire(self, state: str) -> None:
        decided = tick(REFERRAL, state, "immediate", left=-90 * DAY, step=2)
        assert decided == Tick("repeat", NOW + HOUR / 2, 2)


def tick(lifecycle: Lifecycle, state: str, urgency: str, *, left: timedelta, step: int, **more: Any) -> Tick | None:
    """What the clock decides for a row it looks at now, with so much `left` until its deadline."""
    return next_tick(
        lifecycle, SETTINGS, state=state, urgency=urgency, deadline_at=NOW + left, step=step, now=NOW, **more
    )


class TestAWorkerThatWasAway:
    """Whatever it finds long past, it says before it ends anything."""

    @pytest.mark.parametrize(
        ("state", "urgency", "decided"),
        [
            ("sent", "immediate", Tick("escalate", NOW + HOUR / 2, 2)),
            ("sent", "urgent", Tick("escalate", NOW + DAY, 2, respond_by=NOW + DAY)),
            ("sent", "standard", Tick("escalate", NOW + DAY, 2)),
            ("accepted", "immediate", Tick("escalate", NOW + 4 * HOUR, 2)),
            ("cancel_requested", "standard", Tick("remind", NOW + 36 * HOUR, 1)),
        ],
    )
    def test_announces_first(self, state: str, urgency: str, decided: Tick) -> None:
        assert tick(REFERRAL, state, urgency, left=-90 * DAY, step=0) == decided

    def test_waits_for_a_deadline_that_was_moved(self) -> None:
        assert tick(REFERRAL, "received", "standard", left=DAY, step=2) == Tick("wait", NOW + DAY, 2)

    @pytest.mark.parametrize("state", ["declined", "expired", "completed"])
    def test_has_nothing_to_do_about_what_has_ended(self, state: str) -> None:
        assert tick(REFERRAL, state, "standard", left=-DAY, step=0) is None

    def test_knows_the_times_an_agency_has_agreed(self) -> None:
        own = {"respond_within_urgent": 6 * HOUR}
        decided = tick(REFERRAL, "sent", "urgent", left=timedelta(), step=1, own=own)
        assert decided == Tick("escalate", NOW + 6 * HOUR, 2, respond_by=NOW + 6 * HOUR)
        assert tick(REFERRAL, "sent", "immediate", left=timedelta(), step=1, own=own) == Tick(
            "escalate", NOW + HOUR / 2, 2
        )


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
        for days in (3.6, 3.6):
            world.exchange.later(days=days)
            await world.exchange.settle()
        assert await clock_of(sent) == (sent.reply.json()["state"], "escalated")
        world.exchange.later(days=1.1)
        assert (await events(world, "iom", sent))[1:] == ["reminder", "overdue", "expired"]
        assert await events(world, "police", sent) == ["overdue", "expired"]
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
        assert (await events(world, "iom", sent))[1:] == ["reminder", "overdue"]

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
            assert await clock_of(sent) == ("sent", "escalated")
        assert (await events(world, "iom", sent))[1:] == ["reminder", *["overdue"] * 4]
        assert await events(world, "police", sent) == ["overdue"] * 4

    async def test_can_be_accepted_weeks_late(self, world: World) -> None:
        sent = await world.send(urgency="immediate")
        for _ in range(4):
            world.exchange.later(days=7)
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
        assert (extended["state"], extended["clock"], extended["version"]) == ("sent", "escalated", 1)
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
        assert await clock_of(accepted) == ("accepted", "escalated")
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
        assert await clock_of(accepted) == ("accepted", "escalated")
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
        assert await events(world, "police", sent) == ["overdue", "expired"]

    async def test_run_months_in_seconds_and_tell_everything_once(self, world: World) -> None:
        """Three workers at once, from day to day; what is told is what the table says, no more and no less."""
        sent = {urgency: [await world.send(urgency=urgency) for _ in range(4)] for urgency in ("urgent", "standard")}
        waiting = [await world.send(urgency="immediate") for _ in range(4)]
        held = [await world.accepted() for _ in range(4)]
        await world.owner.execute("TRUNCATE outbox")
        exchange = world.exchange
        workers = [Worker(exchange.settings, exchange.addresses, exchange.keyring, exchange.clock) for _ in range(3)]
        for worker in workers:
            worker.jobs = list  # type: ignore[method-assign,assignment]
            await worker.start()
        try:
            for _ in range(240):
                exchange.later(hours=12)
                await asyncio.gather(*(worker.watch_deadlines() for worker in workers))
                await asyncio.gather(*(worker.climb_escalations() for worker in workers))
        finally:
            for worker in workers:
                await worker.stop()
        rows = await world.owner.fetch("SELECT agency_id, type, subject_id, recorded_at FROM outbox")
        told = Counter((str(row["subject_id"]), row["type"].split(".")[1], row["agency_id"]) for row in rows)
        by, to = world.ids["police"], world.ids["iom"]
        for passed in sent["standard"] + sent["urgent"]:
            assert [told[passed.id, what, to] for what in ("reminder", "overdue", "expired")] == [1, 1, 1]
            assert [told[passed.id, what, by] for what in ("reminder", "overdue", "expired")] == [0, 1, 1]
        for passed in waiting:  # its hour was over at the first of 240 looks
            assert [told[passed.id, what, to] for what in ("reminder", "overdue", "expired")] == [0, 240, 0]
        for passed in held:  # due after 7 days, and every 7 days again
            assert [told[passed.id, what, to] for what in ("reminder", "overdue", "expired")] == [1, 17, 0]
        assert len(set(rows)) == len(rows)
        assert await world.owner.fetchval("SELECT count(*) FROM escalation") == 16
        asked = await world.owner.fetch("SELECT escalation_id, role FROM escalation_asked")
        assert Counter(row["role"] for row in asked) == {
            "receiver": 16,
            "sender": 16,
        }  # the lead is the sender; no desk


class TestAnAcceptedReferralOnHold:
    async def test_is_reminded_of_its_review_and_never_ends(self, world: World) -> None:
        held = await world.in_progress()
        now = world.exchange.clock.now()
        await world.put(held, "on_hold")
        await world.owner.execute(
            "UPDATE referral SET deadline_at = $2, due_at = $3, clock_step = 0 WHERE id = $1",
            UUID(held.id), now + 4 * DAY, now + 2 * DAY,
        )  # fmt: skip
        before = len(await events(world, "iom", held))
        for _ in range(3):
            world.exchange.later(days=2.1)
            await world.exchange.settle()
        assert (await events(world, "iom", held))[before:] == ["reminder", "overdue"]
        assert await clock_of(held) == ("on_hold", "escalated")


class TestACancellation:
    async def asked_for(self, world: World, *, started: bool) -> Passed:
        asked = await (world.in_progress() if started else world.accepted())
        now = world.exchange.clock.now()
        await world.owner.execute(
            """UPDATE referral SET state = 'cancel_requested', state_before = state, deadline_at = $2, due_at = $3, clock_step = 0
               WHERE id = $1""",
            UUID(asked.id), now + 3 * DAY, now + 1.5 * DAY,
        )  # fmt: skip
        return asked

    async def test_nobody_answers_is_carried_out_if_nothing_was_started(self, world: World) -> None:
        asked = await self.asked_for(world, started=False)
        told = {who: len(await events(world, who, asked)) for who in ("iom", "police")}
        for _ in range(2):
            world.exchange.later(days=1.6)
            await world.exchange.settle()
        assert (await events(world, "iom", asked))[told["iom"] :] == ["reminder", "cancelled"]
        assert (await events(world, "police", asked))[told["police"] :] == ["cancelled"]
        read = (await world.police.get(asked.path)).json()
        assert (read["state"], read["clock"], read["moves"]) == ("cancelled", "ok", [])
        last = read["history"][-1]
        assert (last["event"], last["by"], last["from_state"]) == ("confirm_cancel", None, "cancel_requested")
        assert [each["access"] for each in read["disclosures"]] == ["closed"]
        (entry,) = await world.log(action="referral:confirm_cancel")
        assert (entry["agency_id"], str(entry["subject_id"])) == (None, asked.id)

    async def test_of_what_was_started_is_escalated_and_stays_open(self, world: World) -> None:
        asked = await self.asked_for(world, started=True)
        for _ in range(4):
            world.exchange.later(days=1.6)
            await world.exchange.settle()
        assert await clock_of(asked) == ("cancel_requested", "escalated")


class TestAQuestion:
    async def test_reminds_whoever_must_answer_it(self, world: World) -> None:
        sent = await world.send()
        await world.put(sent, "info_requested")
        told = len(await events(world, "iom", sent))
        world.exchange.later(days=3.6)
        assert await events(world, "police", sent) == ["reminder"]
        assert len(await events(world, "iom", sent)) == told


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
        assert await clock_of(offered) == ("completed", "escalated")

    async def test_with_its_paper_issued_is_over(self, world: World) -> None:
        offered = await world.accepted(kind="transfer", receiver="ministry")
        body = {"paper": "issued", "number": "BAST-7", "date": "2026-01-01"}
        assert (await world.move(offered, "confirm_handover", body)).status_code == 200
        told = len(await events(world, "ministry", offered))
        world.exchange.later(days=30)
        assert (await events(world, "ministry", offered))[told:] == []

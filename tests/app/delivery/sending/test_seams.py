"""What happens where one part hands over to another: an address that changes, a receiver that ends, a client that is away for weeks."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import uuid
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest

from app.delivery import claims, jobs, pace, subscriptions
from app.delivery.claims import Attempt
from app.foundation.ids import uuid7
from app.outbox.jobs.claims import PARKED_FROM
from tests.app.delivery.sending.conftest import Office, running
from tests.makers.receivers import HANG, Reply

GONE = Reply(410)


async def enable(office: Office, webhook: UUID) -> None:
    """As its client does it."""
    reply = await office.world.iom.post(f"/v1/webhooks/{webhook}/enable")
    assert (reply.status_code, reply.json()["state"]) == (200, "active")


async def clean(office: Office) -> None:
    async with office.pool.acquire() as conn:
        await jobs.remove_old_deliveries(conn, office.settings, office.world.exchange.clock.now())


class TestAnAddressThatChanges:
    async def test_gets_what_the_earlier_one_said_it_was_gone_for(self, office: Office) -> None:
        earlier, later = await office.receivers.open(Reply(410, delay=0.3)), await office.receivers.open()
        id = await office.webhook(earlier)
        await office.news()
        await office.fan_out()
        await office.sender.send_due()
        await earlier.has_got(1)
        await office.owner.execute("UPDATE webhook SET url = $2 WHERE id = $1", id, later.url)
        await office.sender.settled()
        assert ((await office.of(id))["state"], await office.states(id)) == ("active", ["waiting"])
        await office.later(seconds=1)
        office.sender._rests.clear()
        await office.send()
        assert (later.positions, await office.states(id)) == ([1], ["delivered"])


class TestGone:
    async def test_loses_nothing_also_where_a_success_is_known_after_it(self, office: Office) -> None:
        receiver = await office.receivers.open(GONE, Reply(delay=0.4))
        id = await office.webhook(receiver)
        await office.news(2)
        await office.fan_out()
        await office.sender.send_due()
        await office.sender.settled()
        assert ((await office.of(id))["state"], sorted(await office.states(id))) == ("gone", ["delivered", "failed"])
        receiver.answers(Reply())
        await enable(office, id)
        await office.send()
        assert sorted(set(receiver.positions)) == [1, 2]
        assert (await office.states(id), (await office.of(id))["failing_since"]) == (["delivered"] * 2, None)

    async def test_loses_nothing_whatever_the_order_in_which_answers_are_recorded(self, office: Office) -> None:
        id = await office.webhook()
        await office.news(2)
        await office.fan_out()
        now = office.world.exchange.clock.now()
        claimed = await claims.claim(
            office.pool, now, shares={}, first=8, resting=[], room=8, room_for_more=8, room_for_failing=8
        )
        for each, at in zip(claimed, (now + timedelta(milliseconds=2), now + timedelta(milliseconds=1)), strict=True):
            attempt = Attempt(uuid7(at), at, "failed", at, 410, None, 1, None)
            await claims.record(office.pool, each, attempt, pause_after=timedelta(days=3))
        assert await office.states(id) == ["failed"] * 2
        await office.later(seconds=1)
        await enable(office, id)
        assert await office.states(id) == ["waiting"] * 2


class TestOutOfService:
    async def test_for_longer_than_deliveries_and_no_longer_than_events_are_kept_loses_nothing(
        self, office: Office
    ) -> None:
        """What was given up, what waited, and what came since."""
        receiver = await office.receivers.open(GONE)
        id = await office.webhook(receiver, types=["referral.*"])
        await office.news(2)
        await office.fan_out(events=1)
        await office.owner.execute("UPDATE delivery SET due_at = due_at + interval '1 hour' WHERE position > 1")
        await office.send()
        await office.news()
        for _ in range(8):
            await office.later(days=10)
            await clean(office)
        assert await office.states(id) == ["failed", "waiting"]
        receiver.answers(Reply())
        await office.world.exchange.directory.refresh()
        await enable(office, id)
        await office.deliver()
        assert len(set(receiver.ids)) == 3
        assert await office.states(id) == ["delivered"] * 3
        await office.later(days=31)
        await clean(office)
        assert await office.states(id) == [], "in service, what ended is kept no longer than ever"


class TestHowManyHang:
    async def test_makes_no_difference_to_who_answers(self, office: Office) -> None:
        """More receivers than there are places, of which each has failed."""
        hanging, quick = await office.receivers.open(HANG), await office.receivers.open()
        ids = [await office.webhook(hanging) for _ in range(20)]
        await office.owner.execute("UPDATE webhook SET failing_since = now() WHERE id = ANY ($1)", ids)
        id = await office.webhook(quick)
        await office.news()
        await office.owner.execute("UPDATE webhook SET position = 1 WHERE id = $1", id)
        sender = office.another(webhooks_at_once=8)
        await office.fan_out()
        task = asyncio.create_task(running(sender))
        await hanging.has_got(2)
        await asyncio.sleep(0.2)
        assert len(hanging.got) == 2, "who has failed has a quarter of all places"
        await office.news(3)
        await office.fan_out()
        await quick.has_got(3, within=2)
        task.cancel()
        await task


class TestWhoAnswersAndHangsByTurns:
    async def test_has_no_more_places_than_who_only_hangs_and_delays_nobody(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Eight of them, one for each place there is; a success in between makes them no quicker."""
        monkeypatch.setattr(pace, "SLOW", 0.4)
        turns = [await office.receivers.open() for _ in range(8)]
        for each in turns:
            await office.webhook(each)
            each.answers(*[Reply(delay=1.2), Reply()] * 20)
        quick = await office.receivers.open()
        id = await office.webhook(quick, who="police")
        await office.news(40)
        sender = office.another(webhooks_at_once=8)
        await office.fan_out()
        task = asyncio.create_task(running(sender))
        await asyncio.sleep(1.4)  # by now they are known
        for each in turns:
            each.most_at_once = 0
        loop, delays = asyncio.get_running_loop(), []
        for number in range(1, 21):
            await office.news(who="police")
            began = loop.time()
            await office.fan_out()
            sender.wake.set()
            got = await quick.has_got(number)
            delays.append(got[-1].at - began)
            await asyncio.sleep(0.05)
        task.cancel()
        await task
        assert sorted(delays)[-2] < 0.8, delays
        assert max(each.most_at_once for each in turns) == 1
        assert min(len(each.got) for each in turns) > 0, "and none of them waits for ever"
        await sender.settled()
        assert set(await office.states(id)) == {"delivered"}

    async def test_begins_with_little_and_is_sent_more_with_each_quick_answer(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(delay=0.05))
        await office.webhook(receiver)
        await office.news(40)
        await office.fan_out()
        assert await office.sender.send_due() == pace.FIRST
        task = asyncio.create_task(running(office.sender))
        await receiver.has_got(40)
        task.cancel()
        await task
        assert pace.FIRST < receiver.most_at_once <= office.settings.webhooks_at_once_each


class TestWhenNobodyIsReached:
    """The exchange's own line is down: nobody is paused for that, and nothing is given up."""

    async def test_that_time_counts_against_no_webhook_and_no_message_and_operators_are_told(
        self, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        back, away = await office.receivers.open(), await office.receivers.open()
        first, second = await office.webhook(back), await office.webhook(away, who="police")
        gone = await office.receivers.open()
        await office.webhook(gone, who="police")
        await gone.stop()  # for good, before anything is sent

        async def days(count: int) -> None:
            for _ in range(2 * count):
                await office.later(hours=12)
                await office.news()
                await office.news(who="police")
                office.sender._rests.clear()
                await office.deliver()

        async def told() -> list[tuple[str, str]]:
            rows = await office.owner.fetch("SELECT job, error FROM parked_job WHERE attempts >= $1", PARKED_FROM)
            return [tuple(row) for row in rows]

        await days(1)
        assert (len(back.got), len(away.got)) == (2, 2)
        for each in (back, away):
            await each.stop()
        with caplog.at_level(logging.WARNING, "rujukan.delivery"):
            await days(5)
        assert [(await office.of(id))["state"] for id in (first, second)] == ["active"] * 2
        assert {*(await office.states(first)), *(await office.states(second))} == {"delivered", "waiting"}
        assert await told() == [("reach_receivers", "reached_nobody")]
        assert [each.getMessage()[:20] for each in caplog.records] == ["nothing gets through"], "once"

        await back.start()
        await days(1)
        assert set(await office.states(first)) == {"delivered"}
        assert await told() == []
        outage = await office.owner.fetchval("SELECT until_at - since FROM webhook_outage")
        assert timedelta(days=4.5) < outage < timedelta(days=5.5)
        await days(1)
        # seven days of failure, of which two count
        assert (await office.of(second))["state"] == "active"
        assert set(await office.states(second)) == {"delivered", "waiting"}
        await days(2)
        assert (await office.of(second))["state"] == "paused", "for by now others were reached for days"
        assert (await office.of(first))["state"] == "active"
        outages = await office.owner.fetchval("SELECT count(*) FROM webhook_outage")
        assert outages == 1, "two that are gone for good are no fault of the exchange's while nobody else is tried"


class TestABacklog:
    async def test_of_many_cases_is_never_looked_at_as_a_whole(self, office: Office) -> None:
        """A claim costs what it takes, not what waits behind that: also in what was planned while there was nothing yet."""
        id, other = await office.webhook(), await office.webhook()
        now, agency = office.world.exchange.clock.now(), office.world.id_of("iom")
        walk = await office.owner.prepare(
            """EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
               SELECT * FROM due_deliveries($1, $2, interval '60 seconds', interval '5 minutes', 8, 64, 1000)"""
        )
        for analysed in (False, True):
            await office.owner.execute(
                """INSERT INTO delivery (webhook_id, message_id, agency_id, position, type, subject, subject_id, case_id, event_state,
                                         recorded_at, due_at)
                   SELECT $1, gen_random_uuid(), $2, g, 'referral.sent', 'referral', $2, gen_random_uuid(), 'sent', $3, $3
                   FROM generate_series(1, 2000) g""",
                other if analysed else id,
                agency,
                now,
            )
            if analysed:
                await office.owner.execute("ANALYZE delivery")
            plan = json.loads(await walk.fetchval(id, now))[0]["Plan"]
            assert plan["Actual Rows"] == 8
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 400, plan

    async def test_of_one_case_makes_no_claim_slow_and_nothing_else_wait(self, office: Office) -> None:
        """Whatever the statistics say: nobody's messages wait while the database walks through those of one case."""
        id, case, others = await office.webhook(), uuid.uuid4(), [uuid.uuid4() for _ in range(3)]
        put = """INSERT INTO delivery (webhook_id, message_id, agency_id, position, type, subject, subject_id, case_id, event_state,
                                       recorded_at, due_at)
                 SELECT $1, gen_random_uuid(), $2, $5 + g, 'referral.sent', 'referral', $2, $6, 'sent', $3, $3
                 FROM generate_series(1, $4::integer) g"""
        now, agency = office.world.exchange.clock.now(), office.world.id_of("iom")

        async def claimed(at: datetime) -> tuple[list[tuple[int, UUID | None]], float]:
            began = perf_counter()
            got = await claims.claim(
                office.pool, at, shares={}, first=8, resting=[], room=8, room_for_more=8, room_for_failing=8
            )
            took = perf_counter() - began
            return [(each.message.position or 0, each.message.case_id) for each in got], took

        await office.owner.execute(put, id, agency, now, 30_000, 0, case)
        for number, other in enumerate((*others, None)):
            await office.owner.execute(put, id, agency, now, 2, 40_000 + 10 * number, other)
        got, first_took = await claimed(now)
        behind = [(40_001 + 10 * number, other) for number, other in enumerate(others)]
        assert sorted(got) == [(1, case), *behind, (40_031, None), (40_032, None)]
        await office.owner.execute("ANALYZE delivery")
        got, took = await claimed(now)
        assert (got, first_took < 0.5, took < 0.1) == ([], True, True), (first_took, took)
        # what has failed for long, and is not tried soon, keeps none of its case waiting
        await office.owner.execute(
            "UPDATE delivery SET first_at = $1::timestamptz - interval '1 hour', due_at = $1::timestamptz + interval '1 hour' WHERE attempts > 0", now
        )  # fmt: skip
        got, _ = await claimed(now)
        assert sorted(got, key=str) == sorted([(2, case), *((place + 1, other) for place, other in behind)], key=str)
        # and they are still there, for who walks through all
        await office.owner.execute("DELETE FROM delivery")
        await office.owner.execute(put, id, agency, now, 5_000, 0, case)
        got, took = await claimed(now)
        assert (got, took < 0.2) == ([(1, case)], True), took


async def test_an_address_whose_name_hangs_is_refused_in_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if host == "name.hang.example":
            over.wait(20)
        return real("localhost", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(subscriptions, "PATIENCE", 0.2)
    try:
        async with asyncio.timeout(10):
            reply = await office.world.iom.post("/v1/webhooks", {"url": "https://name.hang.example/"})
        assert (reply.status_code, reply.json()["fault"]) == (422, "timeout")
    finally:
        over.set()

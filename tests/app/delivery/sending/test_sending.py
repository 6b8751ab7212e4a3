"""What is due is sent, signed, recorded, tried again, given up; one receiver keeps no other waiting; order is kept by case."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest

from app.delivery import claims, message
from app.delivery.claims import OVERTAKEN_AFTER
from app.delivery.message import Message
from app.foundation import posting
from app.foundation.keyring import Place
from auth import queries
from auth.directory import build
from tests.app.delivery.sending.conftest import Office, running
from tests.makers.receivers import HANG, Reply


class TestAMessage:
    async def test_is_the_feeds_event_signed_by_the_webhooks_keys(self, office: Office) -> None:
        receiver, stranger = await office.receivers.open(), await office.receivers.open()
        id = await office.webhook(receiver, keys=0)
        await office.webhook(stranger, who="stranger")
        iom = office.world.id_of("iom")
        old, new = await office.key(id, iom, timedelta(hours=1)), await office.key(id, iom)
        await office.world.send(receiver="iom")
        await office.sequence()
        assert await office.deliver() == 1
        (got,) = receiver.got
        feed = (await office.world.iom.get("/v1/events?after=0")).json()["items"]
        assert got.document == {"type": "referral.sent", "timestamp": feed[-1]["time"], "data": feed[-1]}
        assert got.id == feed[-1]["id"]
        assert got.headers["content-type"] == "application/json"
        assert got.is_signed_by(old)
        assert got.is_signed_by(new)
        assert not got.is_signed_by(await office.key(id, iom))
        assert stranger.got == [], "an agency that has no part in it is sent nothing"
        await office.later(hours=2)
        await office.news()
        await office.deliver()
        assert not receiver.got[-1].is_signed_by(old), "a key that has ended signs nothing"
        assert receiver.got[-1].is_signed_by(new)

    async def test_for_a_test_has_no_place_in_the_feed(self, office: Office) -> None:
        receiver = await office.receivers.open()
        id, message, now = await office.webhook(receiver), uuid.uuid4(), office.world.exchange.clock.now()
        await office.owner.execute(
            """INSERT INTO delivery (webhook_id, message_id, agency_id, type, subject, subject_id, event_state, recorded_at, due_at)
               VALUES ($1, $2, $3, 'webhook.test', 'webhook', $1, 'active', $4, $4)""",
            id,
            message,
            office.world.id_of("iom"),
            now,
        )
        assert await office.send() == 1
        data = receiver.got[0].document["data"]
        assert (data["position"], data["type"], data["case_id"], data["id"]) == (0, "webhook.test", None, str(message))

    async def test_without_a_key_that_opens_is_left_to_its_lease(
        self, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver = await office.receivers.open()
        without, broken, good = [await office.webhook(receiver, keys=each) for each in (0, 1, 1)]
        await office.owner.execute(
            "UPDATE webhook_key SET private_sealed = '\\x00112233445566' WHERE webhook_id = $1", broken
        )
        await office.news()
        with caplog.at_level(logging.WARNING, "rujukan.jobs"):
            assert await office.deliver() == 3
        assert await office.states(good) == ["delivered"]
        assert await office.states(without) == await office.states(broken) == ["waiting"]
        assert len(caplog.records) == 2


class TestAnAttempt:
    async def test_is_recorded_with_its_answer_sealed(self, office: Office, caplog: pytest.LogCaptureFixture) -> None:
        receiver = await office.receivers.open(Reply(500, b"Pak Surya " * 100), Reply(200, b"thanks"))
        id = await office.webhook(receiver)
        await office.news()
        with caplog.at_level(logging.DEBUG):
            assert await office.deliver() == 1
            await office.later(seconds=10)
            assert await office.deliver() == 1
        first, second = await office.attempts(id)
        assert [(each["number"], each["status"], each["fault"]) for each in (first, second)] == [
            (1, 500, None),
            (2, 200, None),
        ]
        keyring = office.world.exchange.keyring
        opened = [
            keyring.open_one(Place("delivery_attempt.answer", row["id"], id), row["answer"]) for row in (first, second)
        ]
        assert opened == [(b"Pak Surya " * 100)[:500], b"thanks"]
        assert "Surya" not in caplog.text
        assert receiver.ids[0] == receiver.ids[1]
        assert receiver.got[0].body == receiver.got[1].body
        (row,) = await office.deliveries(id)
        assert (row["state"], row["attempts"], row["ended_at"] is None) == ("delivered", 2, False)

    async def test_that_fails_is_made_again_later_and_given_up_after_three_days(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(500))
        id = await office.webhook(receiver)
        await office.owner.execute("UPDATE webhook SET failing_since = NULL WHERE id = $1", id)
        await office.news()
        made = await office.deliver()
        while await office.states(id) == ["waiting"]:
            (row,) = await office.deliveries(id)
            assert await office.send() == 0, "not before its time"
            await office.later(seconds=(row["due_at"] - office.world.exchange.clock.now()).total_seconds() + 0.01)
            made += await office.send()
        assert (await office.states(id), made) == (["failed"], 17)
        assert [row["number"] for row in await office.attempts(id)] == list(range(1, 18))
        assert len(set(receiver.ids)) == 1

    async def test_of_each_kind_of_failure_says_which(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(posting, "PATIENCE", 2.5)
        monkeypatch.setattr(posting, "BODY_PATIENCE", 0.1)
        receivers = office.receivers
        gone = await receivers.open()
        await gone.stop()
        other = await receivers.open()
        other.context = receivers.certify("elsewhere.example")
        await other.stop()
        await other.start()
        expected = {
            (await receivers.open(Reply(404))).url: (404, None),
            (await receivers.open(Reply(302, headers={"Location": "https://localhost/"}))).url: (302, None),
            (await receivers.open(HANG)).url: (None, "timeout"),
            (await receivers.open(stalls=True)).url: (None, "timeout"),
            (await receivers.open(Reply(raw=b"what?\r\n\r\n"))).url: (None, "protocol"),
            gone.url: (None, "unreachable"),
            other.url: (None, "tls"),
            "https://10.0.0.1/": (None, "host"),
            "https://nobody.invalid/": (None, "unresolved"),
        }
        for url in expected:
            await office.webhook(url)
        await office.news()
        await office.deliver()
        rows = await office.owner.fetch(
            """SELECT w.url, a.status, a.fault, d.state FROM delivery_attempt a JOIN webhook w ON w.id = a.webhook_id
               JOIN delivery d USING (webhook_id, message_id)"""
        )
        assert {row["url"]: (row["status"], row["fault"]) for row in rows} == expected
        assert {row["state"] for row in rows} == {"waiting"}

    async def test_waits_as_long_as_the_receiver_asks(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(429, headers={"Retry-After": "3000"}), Reply(503), Reply())
        id = await office.webhook(receiver)
        await office.news(2)
        await office.fan_out()
        assert await office.sender.send_due() == 2
        await office.sender.settled()
        now = office.world.exchange.clock.now()
        waits = sorted((row["due_at"] - now).total_seconds() for row in await office.deliveries(id))
        assert waits[0] == pytest.approx(5, abs=2)
        assert waits[1] == pytest.approx(3000, abs=2)
        await office.later(seconds=60)
        assert await office.sender.send_due() == 0, "who is told to wait sends nothing else either"


class TestAWebhook:
    async def test_that_answers_410_is_gone_and_its_agency_is_told(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(410))
        id, other = await office.webhook(receiver), await office.webhook(await office.receivers.open())
        await office.news(types := 3)
        await office.owner.execute("UPDATE webhook SET failing_since = now() WHERE id = $1", id)
        await office.fan_out()
        await office.send()
        assert (await office.of(id))["state"] == "gone"
        assert await office.states(id) == ["failed", *["waiting"] * (types - 1)], (
            "what waits is kept for when it is enabled again"
        )
        await office.sequence()
        told = (await office.world.iom.get("/v1/events?after=3")).json()["items"]
        assert [(each["type"], each["subject_id"], each["state"]) for each in told] == [
            ("webhook.gone", str(id), "gone")
        ]
        assert (await office.world.stranger.get("/v1/events")).json()["items"] == []
        logged = await office.owner.fetchrow("SELECT * FROM log_entry WHERE action = 'webhook:gone'")
        assert (logged["agency_id"], logged["client_id"], logged["subject_id"]) == (
            office.world.id_of("iom"),
            "iom-system",
            id,
        )
        await office.deliver()
        assert len(receiver.got) == 1
        assert await office.states(other) == ["delivered"] * 4

    async def test_that_only_fails_for_days_is_paused_and_a_success_in_between_keeps_it(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(500))
        id = await office.webhook(receiver)
        for _ in range(3):
            await office.news()
            await office.deliver()
            await office.later(days=2)
        failing = await office.of(id)
        assert (failing["state"], failing["failing_since"] is None) == ("active", False), (
            "few attempts say little, however far the clock has gone"
        )
        receiver.answers(Reply(), Reply(500))
        await office.news()
        await office.fan_out()
        await office.sender.send_due()
        await office.sender.settled()
        assert (await office.of(id))["failing_since"] is None
        for _ in range(4):
            await office.news(3)
            await office.deliver()
            await office.later(hours=25)
        assert (await office.of(id))["state"] == "paused"
        await office.sequence()
        feed = (await office.world.iom.get("/v1/events?limit=500")).json()["items"]
        assert [each["type"] for each in feed if each["subject"] == "webhook"] == ["webhook.paused"]
        assert await office.owner.fetchval("SELECT count(*) FROM log_entry WHERE action = 'webhook:pause'") == 1
        sent = len(receiver.got)
        await office.deliver()
        assert len(receiver.got) == sent
        receiver.answers(Reply())
        now = office.world.exchange.clock.now()
        await office.owner.execute("UPDATE webhook SET state = 'active', state_at = $1 WHERE id = $2", now, id)
        await office.deliver()
        await office.later(hours=20)
        await office.deliver()
        assert set(await office.states(id)) <= {"delivered", "failed"}, (
            "all that waited was sent when it was enabled again"
        )

    async def test_that_answers_again_gets_what_waits_at_once_and_in_order(self, office: Office) -> None:
        receiver, case = await office.receivers.open(Reply(500)), uuid.uuid4()
        id = await office.webhook(receiver)
        await office.news(4, case=case)
        for _ in range(7):
            await office.deliver()
            await office.later(minutes=20)
        assert sorted(set(receiver.positions)) == [1, 2, 3, 4], "what fails for long is overtaken"
        await office.owner.execute("UPDATE delivery SET due_at = due_at + interval '7 hours'")
        receiver.answers(Reply())
        receiver.got.clear()
        await office.news()
        assert await office.deliver() == 5
        assert receiver.positions == [5, 1, 2, 3, 4]
        assert set(await office.states(id)) == {"delivered"}


class TestOrder:
    async def test_is_kept_within_a_case_and_nobody_waits_for_another_case(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(delay=0.02))
        await office.webhook(receiver)
        cases = [uuid.uuid4() for _ in range(3)]
        for _ in range(5):
            for case in cases:
                await office.news(case=case)
        one, two = asyncio.create_task(running(office.sender)), asyncio.create_task(running(office.another()))
        await office.fan_out()
        await receiver.has_got(15)
        for task in (one, two):
            task.cancel()
            await task
        for case in cases:
            seen = [each.position for each in receiver.got if each.document["data"]["case_id"] == str(case)]
            assert seen == sorted(seen)
        assert sorted(receiver.positions) == list(range(1, 16)), "nothing twice, nothing missing"
        assert 1 < receiver.most_at_once <= 3

    async def test_waits_for_what_fails_for_five_minutes_and_no_longer(self, office: Office) -> None:
        receiver, case = await office.receivers.open(Reply(500), Reply()), uuid.uuid4()
        id = await office.webhook(receiver)
        await office.news(2, case=case)
        await office.deliver()
        assert receiver.positions == [1]
        await office.owner.execute("UPDATE delivery SET due_at = due_at + interval '1 hour' WHERE position = 1")
        await office.later(seconds=OVERTAKEN_AFTER.total_seconds() - 5)
        assert await office.deliver() == 0
        await office.later(seconds=10)
        await office.deliver()
        assert receiver.positions[:2] == [1, 2]
        assert await office.states(id) == ["delivered", "delivered"], (
            "and what was overtaken follows when its receiver answers"
        )


class TestFairness:
    async def test_a_receiver_that_hangs_or_drowns_in_news_delays_no_other(self, office: Office) -> None:
        hanging, busy, quick = [await office.receivers.open(each) for each in (HANG, Reply(delay=0.05), Reply())]
        hung = await office.webhook(hanging)
        await office.webhook(busy)
        await office.news(60)
        sender = office.another(webhooks_at_once=12, webhooks_at_once_each=10)
        await office.fan_out()
        task = asyncio.create_task(running(sender))
        await hanging.has_got(1)
        await busy.has_got(1)
        await office.webhook(quick)
        await office.news()
        began = asyncio.get_running_loop().time()
        await office.fan_out()
        (got,) = await quick.has_got(1)
        assert got.at - began < 0.5
        assert len(busy.got) < 61
        assert len(sender._tasks) <= 12
        task.cancel()
        await task
        assert await office.states(hung) == ["waiting"] * 61

    async def test_who_fails_is_sent_one_at_a_time_and_rarely(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(500, delay=0.02))
        id = await office.webhook(receiver)
        await office.owner.execute("UPDATE webhook SET failing_since = now() WHERE id = $1", id)
        await office.news(50)
        await office.fan_out()
        task = asyncio.create_task(running(office.sender))
        await asyncio.sleep(1)
        task.cancel()
        await task
        assert receiver.most_at_once == 1
        assert 2 <= len(receiver.got) <= 8, "each time it is left alone as long as it has failed"


@dataclass
class Same:
    """A pool that has one connection, which sees what is not committed."""

    conn: asyncpg.Connection

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        yield self.conn


class TestWhoIsSentNothing:
    async def test_is_whoever_would_be_given_no_token(self, office: Office) -> None:
        """The database's rule is the directory's, for each way in which somebody is out."""
        world, owner = office.world, office.owner
        now = world.exchange.clock.now()
        await world.practice()
        cases = {
            "nothing": "SELECT 1",
            "client suspended": "UPDATE client SET status = 'suspended', status_before = 'active' WHERE client_id = 'iom-system'",
            "client retired": "UPDATE client SET status = 'retired' WHERE client_id = 'iom-system'",
            "client not active yet": "UPDATE client SET status = 'approved' WHERE client_id = 'iom-system'",
            "emergency": "UPDATE client SET emergency_until = now() + interval '1 hour' WHERE client_id = 'iom-system'",
            "no scope for events": "UPDATE client SET scopes = array_remove(scopes, 'events.read') WHERE client_id = 'iom-system'",
            "no scope for webhooks": "UPDATE client SET scopes = array_remove(scopes, 'webhooks.write') WHERE client_id = 'iom-system'",
            "agency suspended": "UPDATE agency SET status = 'suspended' WHERE code = 'iom'",
            "agency closed": "UPDATE agency SET status = 'closed' WHERE code = 'iom'",
            "speaks for it no more": "DELETE FROM client_agency WHERE client_id = 'iom-system'",
            "practice, not approved": "UPDATE client SET status = 'requested' WHERE client_id = 'practice-police-system'",
            "practice, suspended": "UPDATE client SET status = 'suspended', status_before = 'sandbox' WHERE client_id = 'practice-police-system'",
        }
        served = set()
        for name, change in cases.items():
            who = "practice-police" if name.startswith("practice") else "iom"
            client, agency_id = f"{who}-system", world.id_of(who)
            transaction = owner.transaction(isolation="repeatable_read")
            await transaction.start()
            try:
                await owner.execute(change)
                found = await owner.fetchval("SELECT webhook_in_service($1, $2)", client, agency_id)
                snapshot = build(await queries.everything(Same(owner), now=now), world.exchange.keyring)  # type: ignore[arg-type]
            finally:
                await transaction.rollback()
            entry = snapshot.clients.get(client)
            said = (
                entry is not None
                and entry.may_speak_for(snapshot.agencies[agency_id], now)
                and {"events.read", "webhooks.write"} <= entry.scopes_now
            )
            assert found == said, name
            served |= {name} if found else set()
        assert served == {"nothing", "practice, not approved"}

    async def test_goes_on_where_it_was_when_let_in_again(self, office: Office) -> None:
        receiver = await office.receivers.open()
        id = await office.webhook(receiver)
        await office.news()
        await office.fan_out()
        await office.owner.execute("UPDATE agency SET status = 'suspended' WHERE code = 'iom'")
        try:
            await office.news()
            assert await office.deliver() == 0
            assert (await office.of(id))["position"] == 1
        finally:
            await office.owner.execute("UPDATE agency SET status = 'active' WHERE code = 'iom'")
        await office.deliver()
        assert sorted(receiver.positions) == [1, 2]

    async def test_is_also_who_speaks_for_the_agency_under_an_agreement_alone_and_so_cannot_see_the_webhook(
        self, office: Office
    ) -> None:
        """A client of two agencies loses one, whose other then acts for it; the agreement ends; it is given the agency back."""
        world, owner, now = office.world, office.owner, office.world.exchange.clock.now()
        lost, kept = world.id_of("shelter"), world.id_of("iom")
        to_both = "INSERT INTO client_agency (client_id, agency_id) VALUES ('iom-system', $1)"
        receiver, others = await office.receivers.open(), await office.receivers.open()
        await owner.execute(to_both, lost)
        id = await office.webhook(receiver, who="shelter", client="iom-system")
        own = await office.webhook(others)
        await office.news(who="shelter")
        await office.deliver()
        assert receiver.positions == [1]

        await office.news(who="shelter")
        await office.fan_out()  # made, and not sent yet
        await owner.execute("DELETE FROM client_agency WHERE client_id = 'iom-system' AND agency_id = $1", lost)
        await owner.execute(
            """INSERT INTO agreement (id, kind, agency_id, other_id, reference, from_at, until_at)
               VALUES (uuidv7(), 'acts_for', $1, $2, 'MoU 1', $3::timestamptz, $3::timestamptz + interval '1 day')""",
            lost,
            kept,
            now,
        )
        await world.exchange.directory.refresh()
        await office.news(who="shelter")
        await office.news()
        await office.deliver()
        read = await world.iom.get(f"/v1/webhooks/{id}", headers={"Rujukan-Acts-For": "shelter"})
        assert (read.status_code, receiver.positions) == (403, [1]), "what it may not see it is not sent"
        await office.later(days=2)
        await office.deliver()
        assert (receiver.positions, others.positions) == ([1], [1]), "nor at the agreement's end; its own go on"

        await owner.execute(to_both, lost)
        await office.deliver()
        assert receiver.positions == [1, 2, 3]
        assert set(await office.states(own)) == {"delivered"}


class TestTrouble:
    async def test_a_receiver_that_restarts_gets_all_of_it(self, office: Office) -> None:
        receiver = await office.receivers.open()
        id = await office.webhook(receiver)
        await office.news(3)
        await office.deliver()
        await receiver.stop()
        await office.news(3)
        await office.deliver()
        assert (await office.of(id))["failing_since"] is not None
        await receiver.start()
        await office.later(seconds=10)
        await office.deliver()
        assert sorted(receiver.positions) == [1, 2, 3, 4, 5, 6]
        assert set(await office.states(id)) == {"delivered"}

    async def test_a_process_that_is_told_to_end_lets_what_is_under_way_end(self, office: Office) -> None:
        slow, hanging = await office.receivers.open(Reply(delay=0.3)), await office.receivers.open(HANG)
        done, left = await office.webhook(slow), await office.webhook(hanging)
        await office.news()
        await office.fan_out()
        sender = office.another()
        assert await sender.send_due() == 2
        await hanging.has_got(1)
        began = asyncio.get_running_loop().time()
        await sender.stop(grace=1)
        assert asyncio.get_running_loop().time() - began < 2
        assert await office.states(done) == ["delivered"]
        assert await office.states(left) == ["waiting"]
        assert await office.attempts(left) == []
        hanging.answers(Reply())
        assert await office.send() == 0, "its lease still holds"
        await office.later(seconds=claims.LEASE.total_seconds() + 1)
        assert await office.send() == 1
        assert hanging.ids[0] == hanging.ids[1], "by which its receiver knows that it came twice"

    async def test_what_the_exchange_cannot_sign_or_say_is_parked_and_the_rest_is_sent(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        receivers = [await office.receivers.open() for _ in range(2)]
        broken, whole = [await office.webhook(receiver) for receiver in receivers]
        sealed = await office.owner.fetchval("SELECT private_sealed FROM webhook_key WHERE webhook_id = $1", broken)
        await office.owner.execute("UPDATE webhook_key SET private_sealed = '\\x00' WHERE webhook_id = $1", broken)
        case, right = uuid.uuid4(), message.body
        await office.news(3, case=case)

        def body(said: Message) -> bytes:
            if said.position == 2:
                raise ValueError("of Surya")
            return right(said)

        async def parked() -> set[tuple[str, uuid.UUID]]:
            rows = await office.owner.fetch("SELECT subject, subject_id FROM parked_job WHERE job = 'send_deliveries'")
            return {(row["subject"], row["subject_id"]) for row in rows}

        with monkeypatch.context() as mute:
            mute.setattr(message, "body", body)
            await office.deliver()
            second = (await office.deliveries(whole))[1]["message_id"]
            assert await parked() == {("webhook", broken), ("delivery", second)}
            assert (receivers[0].positions, receivers[1].positions) == ([], [1]), "the case waits"
            for _ in range(8):
                await office.later(seconds=120)
                office.sender._noted.clear()
                await office.send()
            assert receivers[1].positions == [1, 3], "and not for ever"
            assert await office.states(whole) == ["delivered", "waiting", "delivered"]
        await office.owner.execute("UPDATE webhook_key SET private_sealed = $2 WHERE webhook_id = $1", broken, sealed)
        await office.later(minutes=16)
        await office.send()
        assert (sorted(receivers[0].positions), receivers[1].positions) == ([1, 2, 3], [1, 3, 2])
        assert await parked() == set()

    async def test_a_database_that_goes_away_is_told_when_it_is_back(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(delay=0.3))
        id = await office.webhook(receiver)
        await office.news()
        await office.fan_out()
        assert await office.sender.send_due() == 1
        await receiver.has_got(1)
        name = await office.owner.fetchval("SELECT current_database()")
        # of this database alone: the role is everybody's who runs tests beside
        await office.owner.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        try:
            await office.owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rujukan_worker' AND datname = $1",
                name,
            )
            await asyncio.sleep(0.8)
        finally:
            await office.owner.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        await office.sender.settled()
        assert await office.states(id) == ["delivered"]
        assert len(receiver.got) == 1

    async def test_an_old_claim_decides_nothing_about_a_newer_one(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(500, delay=0.4), Reply(delay=0.05))
        id = await office.webhook(receiver)
        await office.news()
        await office.fan_out()
        assert await office.sender.send_due() == 1
        await receiver.has_got(1)
        await office.later(seconds=claims.LEASE.total_seconds() + 1)
        other = office.another()
        assert await other.send_due() == 1
        await other.settled()
        await office.sender.settled()
        assert await office.states(id) == ["delivered"], "a failure that is known late takes no success back"
        assert [row["status"] for row in await office.attempts(id)] == [204, 500]

    async def test_a_replay_while_it_is_under_way_is_sent_once_more(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(delay=0.2), Reply())
        id = await office.webhook(receiver)
        await office.news()
        await office.fan_out()
        await office.sender.send_due()
        await receiver.has_got(1)
        now = office.world.exchange.clock.now()
        await office.owner.execute(
            """UPDATE delivery SET state = 'waiting', due_at = $1, attempts = 0, first_at = NULL, ended_at = NULL, replayed_at = $1""",
            now,
        )
        await office.sender.settled()
        assert await office.states(id) == ["waiting"]
        assert await office.send() == 1
        assert receiver.ids[0] == receiver.ids[1]

    async def test_a_webhook_that_is_removed_while_it_is_sent_to_leaves_nothing(self, office: Office) -> None:
        receiver = await office.receivers.open(Reply(delay=0.2))
        id = await office.webhook(receiver)
        await office.news()
        await office.fan_out()
        await office.sender.send_due()
        await receiver.has_got(1)
        await office.owner.execute("DELETE FROM webhook WHERE id = $1", id)
        await office.sender.settled()
        assert await office.attempts(id) == []

    async def test_one_that_raises_keeps_no_other_from_being_sent(
        self, office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver = await office.receivers.open()
        id = await office.webhook(receiver)
        await office.news(3)
        body = message.body

        def broken(one: Message) -> bytes:
            if one.position == 2:
                raise LookupError("a row nobody foresaw")
            return body(one)

        monkeypatch.setattr(message, "body", broken)
        with caplog.at_level(logging.WARNING, "rujukan.jobs"):
            await office.deliver()
        assert await office.states(id) == ["delivered", "waiting", "delivered"]
        (said,) = [record.getMessage() for record in caplog.records]
        second = (await office.deliveries(id))[1]["message_id"]
        assert said == f"send_deliveries: delivery {second} failed (LookupError), time 1; again in 5 s"

"""What the feeds have becomes deliveries, once, whoever does it; what is old is removed."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import asyncpg

from app.delivery import claims, jobs
from tests.app.delivery.sending.conftest import Office


class TestFanOut:
    async def test_makes_what_a_webhook_wants_and_nothing_of_another_agencys(self, office: Office) -> None:
        types = {
            (): {"referral.sent", "referral.note", "transfer.offered", "referrals.sent"},
            ("referral.sent",): {"referral.sent"},
            ("referral.*",): {"referral.sent", "referral.note"},
            ("transfer.*", "referral.note"): {"transfer.offered", "referral.note"},
            ("referral",): set(),
        }
        wants = {chosen: await office.webhook(types=chosen) for chosen in types}
        strangers = await office.webhook(who="stranger")
        await office.world.owner.execute(
            "UPDATE webhook SET state = 'disabled' WHERE id = $1", off := await office.webhook()
        )
        for type in ("referral.sent", "referral.note", "transfer.offered", "referrals.sent"):
            await office.news(type=type)
        await office.news(who="police", type="referral.accepted")
        await office.fan_out()
        for chosen, id in wants.items():
            assert {row["type"] for row in await office.deliveries(id)} == types[chosen], chosen
            assert (await office.of(id))["position"] == 4, "also past what it does not want"
        assert await office.deliveries(strangers) == []
        assert ((await office.of(off))["position"], await office.deliveries(off)) == (0, [])
        await office.world.owner.execute("UPDATE webhook SET state = 'active' WHERE id = $1", off)
        await office.fan_out()
        assert [row["position"] for row in await office.deliveries(off)] == [1, 2, 3, 4], (
            "it catches up from where it was"
        )

    async def test_by_several_at_once_and_in_small_rounds_makes_everything_once(self, office: Office) -> None:
        ids = [await office.webhook() for _ in range(7)]
        await office.news(23)
        writing = True

        async def worker() -> None:
            while writing or await office.fan_out(webhooks=3, events=4):
                await office.fan_out(webhooks=3, events=4)
                await asyncio.sleep(0.005)

        async def writer() -> None:
            for _ in range(10):
                await office.news(3)

        workers = asyncio.gather(worker(), worker(), worker())
        await writer()
        writing = False
        await workers
        await office.fan_out()
        for id in ids:
            assert [row["position"] for row in await office.deliveries(id)] == list(range(1, 54))

    async def test_waits_for_nobody_who_holds_a_webhook(self, office: Office) -> None:
        held, free = await office.webhook(), await office.webhook()
        await office.news()
        other = await asyncpg.connect(office.world.exchange.addresses.owner)
        async with other.transaction():
            await other.execute("UPDATE webhook SET description = 'held' WHERE id = $1", held)
            async with asyncio.timeout(5):
                await office.fan_out()
                await office.news()
        await other.close()
        assert (len(await office.deliveries(held)), len(await office.deliveries(free))) == (0, 1)
        await office.fan_out()
        assert (len(await office.deliveries(held)), len(await office.deliveries(free))) == (2, 2)

    async def test_leaves_in_the_feed_what_a_webhook_is_far_behind(self, office: Office) -> None:
        receiver = await office.receivers.open()
        id = await office.webhook(receiver)
        await office.news(20)
        await office.fan_out(events=4, waiting=10)
        assert len(await office.deliveries(id)) == 12
        await office.send()
        await office.fan_out(events=4, waiting=10)
        await office.send()
        assert sorted(receiver.positions) == list(range(1, 21))

    async def test_goes_on_from_the_oldest_that_the_feed_still_keeps(self, office: Office) -> None:
        id, late = await office.webhook(), await office.webhook(types=["transfer.*"])
        strangers = await office.webhook(who="stranger")
        await office.news(2, who="stranger")
        await office.news(6)
        await office.grow_old("iom", through=4)
        assert (
            await office.owner.fetchval("SELECT dropped FROM feed_end WHERE agency_id = $1", office.world.id_of("iom"))
            == 4
        )
        hook = await office.world.iom.get(f"/v1/webhooks/{id}")
        assert [hook.json()[name] for name in ("position", "lost", "behind")] == [0, 4, 2], (
            "what is not kept does not follow"
        )
        await office.fan_out()
        assert (await office.world.iom.get(f"/v1/webhooks/{id}")).json()["lost"] == 0
        assert [row["position"] for row in await office.deliveries(id)] == [5, 6]
        assert [row["position"] for row in await office.deliveries(strangers)] == [1, 2], (
            "of another agency nothing went"
        )
        await office.owner.execute("UPDATE webhook SET position = 2 WHERE id = $1", late)
        await office.grow_old("iom", through=6)
        assert (await office.world.iom.get(f"/v1/webhooks/{late}")).json()["behind"] == 0
        assert await office.fan_out() == 0
        assert (await office.of(late))["position"] == 6, "where it keeps nothing, from its end"
        await office.news()
        await office.fan_out()
        assert [row["position"] for row in await office.deliveries(id)] == [5, 6, 7]

    async def test_parks_a_webhook_it_cannot_deal_with_and_the_others_have_theirs(self, office: Office) -> None:
        poisoned, *others = [await office.webhook(who=who) for who in ("iom", "iom", "police")]
        for who in ("iom", "police"):
            await office.news(2, who=who)
        await office.owner.execute(
            f"""CREATE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.webhook_id = '{poisoned}' THEN RAISE EXCEPTION 'of Surya' USING ERRCODE = 'RJ999'; END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER poisoned BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION poisoned();"""
        )

        async def make() -> None:
            async with office.pool.acquire() as conn:
                while await jobs.make_deliveries(conn, office.sender, office.world.exchange.clock.now()):
                    pass

        async def counts() -> list[int]:
            return [len(await office.deliveries(id)) for id in (poisoned, *others)]

        await make()
        await office.news()
        await make()
        assert await counts() == [0, 3, 2]
        (row,) = await office.owner.fetch("SELECT * FROM parked_job")
        assert (row["job"], row["subject"], row["subject_id"]) == ("make_deliveries", "webhook", poisoned)
        assert (row["error"], row["attempts"]) == ("RJ999", 1)
        await office.owner.execute("DROP TRIGGER poisoned ON delivery; DROP FUNCTION poisoned()")
        await office.later(seconds=6)
        await make()
        assert await counts() == [3, 3, 2]
        assert await office.owner.fetch("SELECT FROM parked_job") == []


class TestTheWorker:
    async def test_makes_and_sends_at_once_what_it_has_given_a_position(self, office: Office) -> None:
        from app.worker import Worker

        exchange, receiver = office.world.exchange, await office.receivers.open()
        await office.webhook(receiver)
        worker = Worker(office.settings, exchange.addresses, exchange.keyring, exchange.clock)
        names = ("sequence events", "make deliveries", "send deliveries")
        every = worker.jobs
        worker.jobs = lambda: [job for job in every() if job.name in names]  # type: ignore[method-assign]
        await worker.start()
        try:
            await asyncio.sleep(0.3)
            began = asyncio.get_running_loop().time()
            await office.owner.execute(
                """INSERT INTO outbox (agency_id, type, subject, subject_id, case_id, state, recorded_at)
                   VALUES ($1, 'referral.sent', 'referral', $2, $2, 'sent', $3)""",
                office.world.id_of("iom"),
                uuid.uuid4(),
                exchange.clock.now(),
            )
            (got,) = await receiver.has_got(1)
            assert got.at - began < 1.5, "neither job waited for its second"
            assert {job.name for job in every()} >= {*names, "remove old deliveries"}
        finally:
            await worker.stop()


class TestRemoving:
    async def test_takes_what_ended_long_ago_and_drops_what_waited_as_long_in_vain(self, office: Office) -> None:
        receiver = await office.receivers.open()
        served, out = await office.webhook(receiver), await office.webhook(receiver)
        await office.news(2)
        await office.fan_out()
        await office.owner.execute("UPDATE webhook SET state = 'disabled' WHERE id = $1", out)
        await office.send()

        async def clean() -> None:
            async with office.pool.acquire() as conn:
                await jobs.remove_old_deliveries(conn, office.settings, office.world.exchange.clock.now())

        await office.later(days=29)
        await clean()
        assert (await office.states(served), await office.states(out)) == (["delivered"] * 2, ["waiting"] * 2)
        await office.later(days=2)
        await clean()
        assert (await office.states(served), await office.states(out)) == ([], ["waiting"] * 2)
        await office.later(days=91)
        await clean()
        assert await office.states(out) == ["dropped"] * 2, "the feed has it no more either"
        assert await office.attempts(served) == []
        await office.later(days=31)
        await clean()
        assert await office.states(out) == []

    async def test_leaves_what_is_only_slow_to_be_sent(self, office: Office) -> None:
        id = await office.webhook()
        await office.news()
        await office.fan_out()
        await office.later(days=40)
        async with office.pool.acquire() as conn:
            await jobs.remove_old_deliveries(conn, office.settings, office.world.exchange.clock.now())
        assert await office.states(id) == ["waiting"]

    async def test_a_clock_that_was_a_year_ahead_keeps_nothing_waiting(self, office: Office) -> None:
        receiver = await office.receivers.open()
        id = await office.webhook(receiver)
        await office.later(days=365)
        await office.news()
        await office.fan_out()
        office.world.exchange.later(days=-365)
        assert await office.send() == 0
        async with office.pool.acquire() as conn:
            await jobs.remove_old_deliveries(conn, office.settings, office.world.exchange.clock.now())
        assert await office.send() == 1
        assert await office.states(id) == ["delivered"]
        assert (await office.deliveries(id))[0]["due_at"] < office.world.exchange.clock.now() + timedelta(days=1)


async def test_the_worker_reads_no_answer_and_changes_no_address(office: Office) -> None:
    """What it may do to these tables, tried as it is logged in."""
    await office.webhook()
    for statement in (
        "SELECT answer FROM delivery_attempt",
        "UPDATE webhook SET url = 'https://elsewhere.example/'",
        "UPDATE webhook SET agency_id = uuidv7()",
        "UPDATE webhook_key SET ends_at = now()",
        "DELETE FROM webhook",
        "UPDATE delivery SET subject_id = uuidv7()",
    ):
        try:
            await office.pool.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            continue
        raise AssertionError(statement)
    assert timedelta(days=1) < claims.FURTHEST

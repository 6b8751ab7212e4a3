"""One thing that fails keeps no other from being done, is not forgotten, and is said loudly."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app import worker as assembly
from app.exchange.emergencies.jobs import end_emergencies
from app.exchange.passing.clock import watch
from app.exchange.referrals.lifecycle import REFERRAL
from app.foundation import metrics
from app.outbox.jobs import queries
from app.outbox.jobs.claims import PARKED_FROM, WAITS, one_by_one
from app.worker import Job, Worker
from auth.people.person import Role
from tests.makers.admins import signed_in
from tests.makers.world import World

POISON = """
CREATE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.subject_id = '{id}' THEN RAISE EXCEPTION 'of Surya' USING ERRCODE = 'RJ999'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER poisoned BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION poisoned();
"""
"""Nothing can be told of one subject any more, whatever job would."""


class Poison:
    """Makes one subject fail in every job that has something to tell of it."""

    def __init__(self, owner: asyncpg.Connection, id: str) -> None:
        self._owner, self._id = owner, id

    async def __aenter__(self) -> None:
        await self._owner.execute(POISON.format(id=self._id))

    async def __aexit__(self, *_: object) -> None:
        await self._owner.execute("DROP TRIGGER poisoned ON outbox; DROP FUNCTION poisoned()")


async def parked(world: World) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await world.owner.fetch("SELECT * FROM parked_job ORDER BY first_at")
    return rows


async def test_what_cannot_be_watched_does_not_keep_the_rest_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a whole watch to fail: the requests, holds and emergencies behind it still have their time."""
    done: list[str] = []

    async def broken(*_: object) -> int:
        raise LookupError("a row nobody foresaw")

    async def ended(*arguments: object) -> int:
        done.append("emergencies")
        return await end_emergencies(*arguments)  # type: ignore[arg-type]

    async def held(*_: object) -> int:
        done.append("holds")
        return 3

    monkeypatch.setattr(assembly, "watch", broken)
    monkeypatch.setattr(assembly, "watch_reviews", broken)
    monkeypatch.setattr(assembly, "end_emergencies", ended)
    monkeypatch.setattr(assembly, "watch_holds", held)
    for job in (world.exchange.worker.watch_deadlines, world.exchange.worker.watch_reviews):
        with pytest.raises(LookupError):
            await job()
    assert done == ["holds", "emergencies"]


class TestARowThatRaises:
    async def test_is_parked_and_the_others_have_their_time(self, world: World) -> None:
        first, *others = [await world.send() for _ in range(3)]
        world.exchange.later(days=3.6)
        async with Poison(world.owner, first.id):
            await world.exchange.settle()
            assert [(await world.row(each))["clock"] for each in (first, *others)] == ["ok", "due", "due"]
            (row,) = await parked(world)
            assert (row["job"], row["subject"], str(row["subject_id"])) == ("watch_referrals", "referral", first.id)
            assert (str(row["case_id"]), row["error"], row["attempts"]) == (first.case_id, "RJ999", 1)
            assert row["retry_at"] - row["last_at"] == WAITS[0]

            waits = []
            for _ in range(6):
                world.exchange.later(seconds=(row["retry_at"] - row["last_at"]).total_seconds() + 0.01)
                await world.exchange.settle()
                (row,) = await parked(world)
                waits.append(row["retry_at"] - row["last_at"])
            assert waits == [*WAITS[1:], WAITS[-1], WAITS[-1]], "it is tried again for ever, a quarter of an hour apart"
            assert row["attempts"] == 7

        world.exchange.later(seconds=WAITS[-1].total_seconds())
        await world.exchange.settle()
        assert (await world.row(first))["clock"] == "due"
        assert await parked(world) == []

    async def test_is_shown_to_administrators_and_to_nobody_else(self, world: World) -> None:
        sent = await world.send()
        world.exchange.later(days=3.6)
        auditor = await signed_in(world.exchange, "aud-1", Role.auditor)
        officer = await signed_in(world.exchange, "po-1", Role.protection_officer)
        async with Poison(world.owner, sent.id):
            for state in ("retrying", "retrying", "parked"):
                await world.exchange.settle()
                reply = await auditor.get("/jobs")
                assert reply.status_code == 200, reply.text
                (item,) = reply.json()["items"]
                assert (item["state"], item["subject_id"], item["case_id"]) == (state, sent.id, sent.case_id)
                world.exchange.later(minutes=3)
            assert "Surya" not in reply.text
            await world.exchange.worker.measure()
            assert metrics.PARKED.labels("watch_referrals")._value.get() == 1
            assert metrics.QUEUE.labels("parked_jobs")._value.get() == 1
            assert metrics.QUEUE_AGE.labels("referral_deadlines")._value.get() > 0
            assert (await world.exchange.http.get("/readyz")).status_code == 200
        assert (await officer.get("/jobs")).status_code == 403
        assert (await world.exchange.http.get("/admin/v1/jobs")).status_code == 401
        app = await asyncpg.connect(world.exchange.addresses.app)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.fetch("SELECT * FROM parked_job")
        await app.close()

    async def test_is_tried_at_once_when_somebody_asks(self, world: World) -> None:
        sent = await world.send()
        world.exchange.later(days=3.6)
        async with Poison(world.owner, sent.id):
            await world.exchange.settle()
        await world.exchange.settle()
        assert len(await parked(world)) == 1
        admin = await asyncpg.connect(world.exchange.addresses.admin)
        now = world.exchange.clock.now()
        assert await queries.retry(admin, "watch_transfers", None, now) == 0
        assert await queries.retry(admin, "watch_referrals", UUID(sent.id), now) == 1
        await admin.close()
        await world.exchange.settle()
        assert (await world.row(sent))["clock"] == "due"

    async def test_is_forgotten_when_somebody_has_answered_meanwhile(self, world: World) -> None:
        sent = await world.send()
        world.exchange.later(days=3.6)
        async with Poison(world.owner, sent.id):
            await world.exchange.settle()
        await world.move(sent, "accept")
        await world.exchange.settle()
        await world.exchange.worker.forget_used_ids()
        assert len(await parked(world)) == 1, "it may still be due"
        world.exchange.later(hours=1.1)
        await world.exchange.settle()
        await world.exchange.worker.forget_used_ids()
        assert await parked(world) == []

    async def test_keeps_no_escalation_from_being_climbed(self, world: World) -> None:
        first, second = [await world.send(urgency="immediate") for _ in range(2)]
        world.exchange.later(hours=1.1)
        await world.exchange.worker.watch_deadlines()
        poisoned, other = [
            await world.owner.fetchval("SELECT id FROM escalation WHERE subject_id = $1", UUID(each.id))
            for each in (first, second)
        ]
        async with Poison(world.owner, str(poisoned)):
            await world.exchange.worker.climb_escalations()
        rungs = dict(await world.owner.fetch("SELECT id, rung FROM escalation"))
        assert (rungs[poisoned], rungs[other]) == (0, 1)
        assert [row["job"] for row in await parked(world)] == ["climb_escalations"]

    async def test_in_a_state_that_nothing_says_the_end_of_is_kept_before_people(self, world: World) -> None:
        sent = await world.send()
        now = world.exchange.clock.now()
        await world.owner.execute("UPDATE referral SET due_at = $1, deadline_at = NULL", now)
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        await watch(conn, REFERRAL, world.exchange.settings, now)
        await conn.close()
        assert (await world.row(sent))["due_at"] is not None
        assert [row["error"] for row in await parked(world)] == ["NothingSaysWhen"]


class TestClaims:
    async def test_stop_when_the_database_goes(self, world: World) -> None:
        """That says nothing of the row: it is not noted, and the job ends, to begin again."""
        conn = await asyncpg.connect(world.exchange.addresses.worker)

        async def claim(_: list[UUID]) -> asyncpg.Record | None:
            return await conn.fetchrow("SELECT uuidv7() AS id")

        async def work(_: asyncpg.Record) -> None:
            conn.terminate()
            raise asyncpg.ConnectionDoesNotExistError

        with pytest.raises((asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError)):
            await one_by_one(conn, "test", "nothing", claim, work, world.exchange.clock.now(), limit=3)
        assert await parked(world) == []

    async def test_pass_over_a_row_that_only_waits_too_long(self, world: World) -> None:
        """A statement that is cancelled is the row's matter: else one lock would stop a whole queue."""
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        seen: list[UUID] = []

        async def claim(passed_over: list[UUID]) -> asyncpg.Record | None:
            return await conn.fetchrow("SELECT uuidv7() AS id") if len(passed_over) < 2 else None

        async def work(row: asyncpg.Record) -> None:
            seen.append(row["id"])
            raise asyncpg.QueryCanceledError

        assert await one_by_one(conn, "test", "nothing", claim, work, world.exchange.clock.now(), limit=9) == 2
        await conn.close()
        assert {row["subject_id"] for row in await parked(world)} == set(seen)
        assert PARKED_FROM > 1, "once may be chance"


async def test_a_job_that_fails_as_a_whole_is_shown_until_it_does_not(world: World) -> None:
    exchange = world.exchange
    own = Worker(exchange.settings, exchange.addresses, exchange.keyring, exchange.clock)
    failing = True

    async def run() -> int:
        if failing:
            raise LookupError("of Surya")
        return 0

    own.jobs = lambda: [Job("seal log", 0.01, run)]  # type: ignore[method-assign]

    async def noted(how_many: int) -> list[Any]:
        async with asyncio.timeout(10):
            while True:
                if len(rows := await parked(world)) == how_many:
                    return rows
                await asyncio.sleep(0.02)

    await own.start()
    (row,) = await noted(1)
    assert (row["job"], row["subject"], row["subject_id"].int, row["error"]) == ("seal log", "job", 0, "LookupError")
    await own.stop()
    failing = False
    await own.start()
    await noted(0)
    await own.stop()


async def test_what_is_always_woken_takes_no_more_than_its_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a job has to look at, and however often there is news: it rests before it looks again."""
    own = Worker(world.exchange.settings, world.exchange.addresses, world.exchange.keyring, world.exchange.clock)
    news, runs = asyncio.Event(), 0

    async def looks() -> int:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.05)
        news.set()
        return 0

    monkeypatch.setattr(own, "jobs", lambda: [Job("look", 5.0, looks, wake=news, rest=2.0)])
    await own.start()
    await asyncio.sleep(0.8)
    await own.stop()
    assert 2 <= runs <= 6


async def test_no_row_of_the_outbox_can_stop_the_sequencer(world: World) -> None:
    """It moves rows as they are; what the one table takes the other takes too."""
    columns: dict[str, dict[str, Any]] = {"outbox": {}, "event": {}}
    for row in await world.owner.fetch(
        """SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
           WHERE table_name IN ('outbox', 'event') AND column_name NOT IN ('seq', 'position')"""
    ):
        columns[row["table_name"]][row["column_name"]] = (row["data_type"], row["is_nullable"])
    assert columns["event"] == columns["outbox"]
    checks = await world.owner.fetchval(
        "SELECT count(*) FROM pg_constraint WHERE conrelid IN ('event'::regclass, 'event_default'::regclass) AND contype IN ('c', 'f', 'u', 'x')"
    )
    assert checks == 0

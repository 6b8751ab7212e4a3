"""A move is decided on a version that was seen; a request that is repeated happens once and gets the same answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.client import Credentials, ExchangeClient
from auth.admin import agencies
from auth.admin.agencies import add_service_point
from auth.admin.clients import add_client
from auth.scopes import Scope
from tests.makers import records
from tests.makers.world import Agency, Passed, World

VERSIONED = ["accept", "decline", "recall", "start", "complete", "fail", "amend"]


async def ready_for(world: World, event: str) -> Passed:
    """A referral in a state in which the event is possible."""
    if event == "complete":
        return await world.in_progress()
    return await (world.accepted() if event in ("start", "fail") else world.send())


def by(passed: Passed, event: str) -> Agency:
    return passed.sender if event in ("recall", "amend") else passed.receiver


class TestIfMatch:
    @pytest.mark.parametrize("event", VERSIONED)
    async def test_is_required_by_every_move_that_counts(self, world: World, event: str) -> None:
        ready = await ready_for(world, event)
        before = await world.row(ready)
        body = await world.body(ready, event)
        reply = await by(ready, event).post(f"{ready.path}/{event}", body)
        assert (reply.status_code, reply.json()["type"]) == (428, "/problems/version-required")
        assert await world.row(ready) == before

    async def test_is_required_by_the_moves_of_a_transfer(self, world: World) -> None:
        offered = await world.send(kind="transfer")
        for event in ("accept", "decline", "recall", "amend", "confirm-handover"):
            body = await world.body(offered, event.replace("-", "_"))
            assert (await by(offered, event).post(f"{offered.path}/{event}", body)).status_code == 428, event

    @pytest.mark.parametrize("event", VERSIONED)
    async def test_that_is_stale_is_refused_and_loses_nothing(self, world: World, event: str) -> None:
        ready = await ready_for(world, event)
        if event in ("recall", "accept", "decline", "amend"):
            await world.moved(ready, "amend")
        else:
            await world.moved(ready, "amend", "amend")
        before = await world.row(ready)
        reply = await world.move(ready, event, seen=1)
        problem = reply.json()
        assert (reply.status_code, problem["type"]) == (412, "/problems/stale-version")
        assert (problem["state"], problem["version"]) == (before["state"], before["version"])
        assert await world.row(ready) == before
        assert [entry["outcome"] for entry in await world.refusals()] == ["stale"]

        again = await world.move(ready, event, seen=problem["version"])
        assert again.status_code == 200, "the same body, once the new version was seen"

    @pytest.mark.parametrize("form", ['"1"', 'W/"1"'])
    async def test_is_taken_weak_or_strong(self, world: World, form: str) -> None:
        sent = await world.send()
        reply = await world.iom.post(f"{sent.path}/accept", world.acceptance(), if_match=form)
        assert reply.status_code == 200

    @pytest.mark.parametrize("form", ["1", "*", '"0"', '"-1"', '"1", "2"', 'w/"1"', '"1e3"', '"01"', ""])
    async def test_is_nothing_but_one_quoted_number(self, world: World, form: str) -> None:
        sent = await world.send()
        reply = await world.iom.post(f"{sent.path}/accept", world.acceptance(), if_match=form)
        assert reply.status_code in (422, 428), reply.text
        assert (await world.row(sent))["state"] == "sent"

    async def test_is_what_reading_and_creating_give(self, world: World) -> None:
        sent = await world.send()
        assert sent.reply.headers["ETag"] == '"1"'
        assert (await world.iom.get(sent.path)).headers["ETag"] == '"1"'
        await world.moved(sent, "accept")
        assert (await world.iom.get(sent.path)).headers["ETag"] == '"2"'

    async def test_is_not_asked_for_by_acknowledging_and_recording_services(self, world: World) -> None:
        sent = await world.send()
        assert (await world.iom.post(f"{sent.path}/acknowledge", {})).status_code == 200
        assert (await world.row(sent))["version"] == 1
        await world.moved(sent, "accept", "start")
        body = records.move("record_service", world.exchange.clock.now())
        for _ in range(2):
            reply = await world.iom.post(f"{sent.path}/services", body)
            assert (reply.status_code, reply.json()["version"]) == (200, 3)
        assert len((await world.iom.get(sent.path)).json()["services"]) == 2

    async def test_lets_one_of_two_at_once_win(self, world: World) -> None:
        sent = await world.send()
        replies = await asyncio.gather(*(world.move(sent, "accept", seen=1) for _ in range(10)))
        assert sorted(reply.status_code for reply in replies) == [200] + [409] * 9
        assert (await world.row(sent))["version"] == 2


CREATIONS = ["referral", "transfer", "case", "consent"]


async def creation(world: World, what: str) -> tuple[str, dict[str, Any]]:
    """A path to create something at, and a body."""
    if what == "case":
        return "/v1/cases", {"entry_channel": "police_report"}
    if what == "consent":
        case = (await world.police.post("/v1/cases", {"entry_channel": "police_report"})).json()["id"]
        return f"/v1/cases/{case}/consents", records.consent(world.exchange.clock.now())
    return f"/v1/{what}s", (records.referral if what == "referral" else records.transfer)("iom")


def same(first: httpx.Response, again: httpx.Response) -> bool:
    headers = ("Location", "ETag", "Content-Type")
    return (first.status_code, first.content, *map(first.headers.get, headers)) == (
        again.status_code,
        again.content,
        *map(again.headers.get, headers),
    )


class TestIdempotencyKey:
    @pytest.mark.parametrize("what", CREATIONS)
    async def test_is_required_to_create(self, world: World, what: str) -> None:
        path, body = await creation(world, what)
        reply = await without_key(world, world.police, path, body)
        assert (reply.status_code, reply.json()["type"]) == (400, "/problems/idempotency-key-required")

    async def test_is_required_to_move(self, world: World) -> None:
        sent = await world.send()
        for event in ("acknowledge", "accept"):
            reply = await without_key(world, world.iom, f"{sent.path}/{event}", await world.body(sent, event))
            assert reply.status_code == 400
        assert (await world.row(sent))["state"] == "sent"

    @pytest.mark.parametrize("what", CREATIONS)
    async def test_gives_a_repeated_creation_the_same_answer(self, world: World, what: str) -> None:
        path, body = await creation(world, what)
        counted = "SELECT count(*) FROM " + {"case": "case_file"}.get(what, what)
        first = await world.police.post(path, body, idempotency_key="night-call-1")
        made = await world.owner.fetchval(counted)
        world.exchange.later(hours=5)
        again = await world.police.post(path, body, idempotency_key="night-call-1")
        assert first.status_code == 201
        assert same(first, again)
        assert await world.owner.fetchval(counted) == made

    @pytest.mark.parametrize("event", ["acknowledge", *VERSIONED])
    async def test_gives_a_repeated_move_the_same_answer(self, world: World, event: str) -> None:
        ready = await ready_for(world, event)
        body = await world.body(ready, event)

        async def make() -> httpx.Response:
            return await by(ready, event).post(
                f"{ready.path}/{event}", body, if_match=ready.version, idempotency_key="the-same"
            )

        first = await make()
        told, moves = await world.told(), await world.owner.fetchval("SELECT count(*) FROM move")
        world.exchange.later(days=2)
        again = await make()
        assert first.status_code == 200
        assert same(first, again)
        assert (await world.told(), await world.owner.fetchval("SELECT count(*) FROM move")) == (told, moves)

    async def test_counts_a_service_once(self, world: World) -> None:
        started = await world.in_progress()
        body = records.move("record_service", world.exchange.clock.now())
        replies = [await world.iom.post(f"{started.path}/services", body, idempotency_key="visit") for _ in range(3)]
        assert same(replies[0], replies[1])
        assert same(replies[0], replies[2])
        assert len((await world.iom.get(started.path)).json()["services"]) == 1

    async def test_belongs_to_one_request(self, world: World) -> None:
        sent = await world.send()
        first = await world.police.post("/v1/referrals", records.referral("iom"), idempotency_key="k")
        assert first.status_code == 201
        for path, body in (
            ("/v1/referrals", records.referral("lpsk")),
            ("/v1/transfers", records.transfer("iom")),
            (f"{sent.path}/recall", {"reason": "x"}),
        ):
            reply = await world.police.post(path, body, idempotency_key="k", if_match=1)
            assert (reply.status_code, reply.json()["type"]) == (422, "/problems/idempotency-key-reused"), path
        assert len((await world.police.get("/v1/referrals?role=sender")).json()["items"]) == 2

    @pytest.mark.parametrize("key", ["", "with space", "é", "x" * 256, "tab\t"])
    async def test_is_visible_ascii_of_some_length(self, world: World, key: str) -> None:
        headers = await world.police.client.authorization("POST", "/v1/referrals")
        headers |= {"Rujukan-Actor": "a", "Content-Type": "application/json"}
        reply = await world.exchange.http.request(
            "POST",
            "/v1/referrals",
            json=records.referral("iom"),
            headers=[*((name, value) for name, value in headers.items()), ("Idempotency-Key", key.encode())],
        )
        assert reply.status_code in (400, 422), reply.text
        assert await world.owner.fetchval("SELECT count(*) FROM referral") == 0

    async def test_makes_one_referral_of_twenty_identical_requests(self, world: World) -> None:
        body = records.referral("iom")
        replies = await asyncio.gather(
            *(world.police.post("/v1/referrals", body, idempotency_key="same") for _ in range(20))
        )
        made = {reply.json()["id"] for reply in replies if reply.status_code == 201}
        refused = [reply for reply in replies if reply.status_code != 201]
        assert len(made) == 1
        for reply in refused:
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/request-in-progress")
            assert reply.headers["Retry-After"] == "1"
        assert await world.owner.fetchval("SELECT count(*) FROM referral") == 1
        assert (await world.police.post("/v1/referrals", body, idempotency_key="same")).json()["id"] in made

    async def test_tells_who_comes_while_the_first_still_runs(self, world: World, holding: Holding) -> None:
        async with holding("police", "police-system", "slow"):
            running = await world.police.post("/v1/referrals", records.referral("iom"), idempotency_key="slow")
            assert (running.status_code, running.json()["type"]) == (409, "/problems/request-in-progress")
            other = await world.police.post("/v1/referrals", records.referral("iom"), idempotency_key="other")
            assert other.status_code == 201
        done = await world.police.post("/v1/referrals", records.referral("iom"), idempotency_key="slow")
        assert done.status_code == 201

    async def test_keeps_no_failure(self, world: World) -> None:
        sent = await world.send()
        refused = await world.police.post(f"{sent.path}/recall", {"reason": "x"}, if_match=7, idempotency_key="once")
        assert refused.status_code == 412
        assert await world.owner.fetchval("SELECT count(*) FROM idempotency WHERE key = 'once'") == 0
        done = await world.police.post(f"{sent.path}/recall", {"reason": "x"}, if_match=1, idempotency_key="once")
        assert done.status_code == 200

    async def test_is_each_clients_own(self, world: World, second_system: Agency) -> None:
        """Two systems of the police, and one of another agency, may use the same key."""
        body = records.referral("iom")
        made = {
            (await who.post("/v1/referrals", body, idempotency_key="k")).json()["id"]
            for who in (world.police, second_system, world.ministry)
        }
        assert len(made) == 3

    async def test_is_forgotten_after_thirty_days(self, world: World) -> None:
        body = {"entry_channel": "police_report"}
        first = await world.police.post("/v1/cases", body, idempotency_key="k")
        world.exchange.later(days=29)
        assert same(first, await world.police.post("/v1/cases", body, idempotency_key="k"))
        world.exchange.later(days=2)
        assert (await world.police.post("/v1/cases", body, idempotency_key="k")).json()["id"] != first.json()["id"]


class TestARepeatedRequest:
    """It gets its answer whatever has happened since: it is the same act, and the act was done."""

    @pytest.fixture(autouse=True)
    async def all_resumed(self, world: World) -> AsyncIterator[None]:
        yield
        await self.set_status(world, "iom", "resume")

    async def set_status(self, world: World, code: str, act: str) -> None:
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        await getattr(agencies, f"{act}_agency")(conn, code, now=world.exchange.clock.now(), actor="test")
        await conn.close()
        await world.exchange.directory.refresh()

    async def test_after_the_receiver_was_suspended(self, world: World) -> None:
        body = records.referral("iom")
        first = await world.police.post("/v1/referrals", body, idempotency_key="k")
        await self.set_status(world, "iom", "suspend")
        assert same(first, await world.police.post("/v1/referrals", body, idempotency_key="k"))
        fresh = await world.police.post("/v1/referrals", body)
        assert (fresh.status_code, fresh.json()["type"]) == (409, "/problems/receiver-unavailable")

    async def test_after_the_consent_ran_out(self, world: World) -> None:
        now = world.exchange.clock.now()
        body = records.referral(
            "iom",
            consent=records.consent(now, until=in_days(now, 3)),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        first = await world.police.post("/v1/referrals", body, idempotency_key="k")
        assert first.status_code == 201
        world.exchange.later(days=4)
        assert same(first, await world.police.post("/v1/referrals", body, idempotency_key="k"))
        assert (await world.police.post("/v1/referrals", body)).status_code == 403

    async def test_after_the_basis_ended(self, world: World) -> None:
        until = in_days(world.exchange.clock.now(), 3)
        body = records.referral("iom", bases=[records.legal_basis(until=until)])
        first = await world.police.post("/v1/referrals", body, idempotency_key="k")
        assert first.status_code == 201, first.text
        world.exchange.later(days=4)
        assert same(first, await world.police.post("/v1/referrals", body, idempotency_key="k"))
        assert (await world.police.post("/v1/referrals", body)).status_code == 403

    async def test_after_respond_by_has_passed(self, world: World) -> None:
        now = world.exchange.clock.now()
        body = records.referral("iom", respond_by=in_days(now, 2))
        first = await world.police.post("/v1/referrals", body, idempotency_key="k")
        world.exchange.later(days=3)
        assert same(first, await world.police.post("/v1/referrals", body, idempotency_key="k"))

    async def test_after_the_version_has_moved_on(self, world: World) -> None:
        sent = await world.send()
        body = world.acceptance()
        first = await world.iom.post(f"{sent.path}/accept", body, if_match=1, idempotency_key="k")
        sent.version = 2
        await world.moved(sent, "start", "complete")
        assert same(first, await world.iom.post(f"{sent.path}/accept", body, if_match=1, idempotency_key="k"))

    async def test_after_the_act_lies_too_far_back(self, world: World) -> None:
        """It happened 20 days before it was recorded; repeated 15 days later it would be refused as new."""
        happened = {"occurred_at": in_days(world.exchange.clock.now(), -20)}
        sent = await world.send(**happened)
        moved = {"accept": world.acceptance(**happened), "start": happened}
        first = {
            event: await world.iom.post(f"{sent.path}/{event}", body, if_match=n, idempotency_key=event)
            for n, (event, body) in enumerate(moved.items(), start=1)
        }
        opened = await world.police.post(
            "/v1/cases", {"entry_channel": "public_report", **happened}, idempotency_key="case"
        )
        assert opened.status_code == 201, opened.text
        world.exchange.later(days=15)
        for n, (event, body) in enumerate(moved.items(), start=1):
            again = await world.iom.post(f"{sent.path}/{event}", body, if_match=n, idempotency_key=event)
            assert first[event].status_code == 200
            assert same(first[event], again), again.text
            new = await world.iom.post(f"{sent.path}/{event}", body, if_match=n)
            assert new.status_code == 422
        again = await world.police.post(
            "/v1/cases", {"entry_channel": "public_report", **happened}, idempotency_key="case"
        )
        assert same(opened, again)

    async def test_after_the_service_point_is_gone(self, world: World) -> None:
        sent = await world.send(receiver="shelter")
        conn = await asyncpg.connect(world.exchange.addresses.admin)
        gone = await add_service_point(
            conn, agency="shelter", name="Closed soon", confidential=True, now=world.exchange.clock.now(), actor="test"
        )
        await world.exchange.directory.refresh()
        body = world.acceptance(service_point=str(gone), meeting_point="Harbour gate")
        first = await world.shelter.post(f"{sent.path}/accept", body, if_match=1, idempotency_key="k")
        assert first.status_code == 200, first.text
        await world.owner.execute("UPDATE referral SET service_point_id = NULL")
        await conn.execute("DELETE FROM service_point WHERE id = $1", gone)
        await conn.close()
        await world.exchange.directory.refresh()
        assert same(first, await world.shelter.post(f"{sent.path}/accept", body, if_match=1, idempotency_key="k"))
        assert (await world.shelter.post(f"{sent.path}/accept", body, if_match=1)).status_code == 422

    async def test_after_the_due_date_of_its_paper_has_passed(self, world: World) -> None:
        accepted = await world.accepted(kind="transfer")
        body = {"paper": "pending", "due": in_days(world.exchange.clock.now(), 2)}
        path = f"{accepted.path}/confirm-handover"
        first = await world.iom.post(path, body, if_match=2, idempotency_key="k")
        world.exchange.later(days=3)
        assert same(first, await world.iom.post(path, body, if_match=2, idempotency_key="k"))

    async def test_after_the_case_was_handed_over(self, world: World) -> None:
        """The police amended; the case is the ministry's now; the police's system asks again what came of it."""
        sent = await world.send(receiver="lpsk")
        body = await world.body(sent, "amend")
        first = await world.police.post(f"{sent.path}/amend", body, if_match=1, idempotency_key="k")
        offered = await world.send(kind="transfer", receiver="ministry", case_id=sent.case_id)
        await world.moved(offered, "accept", "confirm_handover")
        assert same(first, await world.police.post(f"{sent.path}/amend", body, if_match=1, idempotency_key="k"))
        assert (await world.police.post(f"{sent.path}/amend", body, if_match=1)).status_code == 404


def in_days(at: datetime, days: int) -> str:
    return (at + timedelta(days=days)).isoformat()


async def without_key(world: World, who: Agency, path: str, body: Any) -> httpx.Response:
    headers = await who.client.authorization("POST", path)
    headers |= {"Rujukan-Actor": "officer-7", "If-Match": '"1"'}
    reply: httpx.Response = await world.exchange.http.post(path, json=body, headers=headers)
    return reply


class Holding:
    """Holds a key as a request does that has not ended."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, agency: str, client: str, key: str) -> Holding:
        self.name = f"{self.world.ids[agency]}{client} {key}"
        return self

    async def __aenter__(self) -> None:
        self.conn = await asyncpg.connect(self.world.exchange.addresses.app)
        await self.conn.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", self.name)

    async def __aexit__(self, *_: object) -> None:
        await self.conn.close()


@pytest.fixture
def holding(world: World) -> Holding:
    return Holding(world)


@pytest.fixture
async def second_system(world: World) -> Agency:
    """Another system of the police."""
    name = f"police-second-{uuid.uuid4().hex[:6]}"
    credentials = Credentials.generate(name, world.exchange.settings.public_url)
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    await add_client(
        conn,
        client_id=name,
        name="Another system of the police",
        agencies=["police"],
        scopes=[str(scope) for scope in Scope],
        jwks=credentials.public_jwks(),
        now=world.exchange.clock.now(),
        actor="test",
    )
    await conn.close()
    await world.exchange.directory.refresh()
    return Agency("police", ExchangeClient(credentials, clock=world.exchange.clock, http=world.exchange.http))

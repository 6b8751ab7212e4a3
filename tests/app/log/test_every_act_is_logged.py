"""One entry for each act, reading and refusal, committed with it or not at all; the log outlives what it tells of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.exchange.lifecycle import Party
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from tests.makers import records
from tests.makers.world import BY_SENDER, Passed, World

STATE = (
    "case_file", "case_lead", "consent", "record_version", "record_content", "referral", "transfer", "disclosure", "move",
    "outbox", "idempotency",
)  # fmt: skip


def served(lifecycle: Any) -> list[tuple[str, str]]:
    return [
        (lifecycle.name, move.event)
        for move in lifecycle.moves
        if move.from_states and move.by not in (Party.CLOCK, Party.SYSTEM)
    ]


MOVES = served(REFERRAL) + served(TRANSFER)


async def ready_for(world: World, kind: str, event: str) -> Passed:
    return await world.ready_for(await world.send(kind=kind), event)


async def everything(world: World) -> list[str]:
    return [
        await world.owner.fetchval(
            f"SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM {table} t"
        )
        for table in STATE
    ]


@asynccontextmanager
async def torn(world: World, action: str) -> AsyncIterator[None]:
    """While it lasts, no entry of this action can be written."""
    await world.owner.execute(
        f"""CREATE FUNCTION torn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'torn'; END $$;
            GRANT EXECUTE ON FUNCTION torn() TO PUBLIC;
            CREATE TRIGGER torn BEFORE INSERT ON log_entry FOR EACH ROW WHEN (NEW.action = '{action}') EXECUTE FUNCTION torn()"""
    )
    try:
        yield
    finally:
        await world.owner.execute("DROP TRIGGER torn ON log_entry; DROP FUNCTION torn()")


class TestAMove:
    @pytest.mark.parametrize(("kind", "event"), MOVES)
    async def test_is_one_entry_that_says_who_did_what(self, world: World, kind: str, event: str) -> None:
        ready = await ready_for(world, kind, event)
        before = len(await world.log())
        reply = await world.move(ready, event)
        (entry,) = (await world.log())[before:]
        who = ready.sender if event in BY_SENDER else ready.receiver
        assert reply.json()["log_entry"] == str(entry["id"])
        assert (entry["action"], entry["outcome"]) == (f"{kind}:{event}", "done")
        assert (entry["agency_id"], entry["client_id"]) == (world.ids[who.code], f"{who.code}-system")
        assert (entry["actor"], entry["request_id"]) == ("officer-7", reply.headers["X-Request-Id"])
        assert (str(entry["subject_id"]), str(entry["case_id"])) == (ready.id, ready.case_id)

    @pytest.mark.parametrize(("kind", "event"), MOVES)
    async def test_that_cannot_be_logged_does_not_happen(self, world: World, kind: str, event: str) -> None:
        ready = await ready_for(world, kind, event)
        before = await everything(world)
        async with torn(world, f"{kind}:{event}"):
            assert (await world.move(ready, event)).status_code == 500
        assert await everything(world) == before
        assert (await world.move(ready, event)).status_code == 200


class TestACreation:
    @pytest.mark.parametrize(
        ("path", "actions"),
        [
            ("/v1/referrals", ["case:open_case", "consent:give", "referral:send"]),
            ("/v1/transfers", ["case:open_case", "consent:give", "transfer:offer"]),
            ("/v1/cases", ["case:open_case"]),
        ],
    )
    async def test_is_an_entry_for_each_thing_made_or_nothing_is_made(
        self, world: World, path: str, actions: list[str]
    ) -> None:
        body: dict[str, Any] = {"entry_channel": "police_report"}
        if path != "/v1/cases":
            now = world.exchange.clock.now()
            body = records.referral("iom", consent=records.consent(now), bases=[records.legal_basis()])
        for action in actions:
            async with torn(world, action):
                assert (await world.police.post(path, body)).status_code == 500
            assert len(set(await everything(world))) == 1, "nothing is left"
        reply = await world.police.post(path, body)
        assert reply.status_code == 201, reply.text
        entries = await world.log()
        assert [entry["action"] for entry in entries] == actions
        assert {entry["request_id"] for entry in entries} == {reply.headers["X-Request-Id"]}


class TestAReading:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_is_one_entry_with_the_sections_it_showed(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind)
        for who, state, sections in (
            (sent.receiver, None, "[]"),
            (sent.receiver, "accept", '["identity", "safety", "needs"]'),
            (sent.sender, None, '["identity", "safety", "needs"]'),
        ):
            if state:
                await world.moved(sent, state)
            before = len(await world.log())
            reply = await who.get(sent.path)
            (entry,) = (await world.log())[before:]
            assert (entry["action"], entry["agency_id"]) == (f"{kind}:read", world.ids[who.code])
            assert (entry["actor"], entry["request_id"]) == ("officer-7", reply.headers["X-Request-Id"])
            assert f'"sections": {sections}' in entry["detail"]

    async def test_that_cannot_be_logged_shows_nothing(self, world: World) -> None:
        accepted = await world.accepted()
        async with torn(world, "referral:read"):
            reply = await world.iom.get(accepted.path)
        assert reply.status_code == 500
        assert records.NAME not in reply.text
        assert (await world.row(accepted))["first_read_at"] is None

    async def test_of_a_case_and_of_its_consents_is_logged(self, world: World) -> None:
        sent = await world.send()
        await world.police.get(f"/v1/cases/{sent.case_id}")
        await world.police.get(f"/v1/cases/{sent.case_id}/consents")
        assert [entry["action"] for entry in await world.log()][-2:] == ["case:read", "consent:list"]

    async def test_names_the_person_who_looks(self, world: World) -> None:
        accepted = await world.accepted()
        reply = await world.iom.client.get(accepted.path)
        assert (reply.status_code, reply.json()["type"]) == (400, "/problems/actor-required")
        for actor in ("", "Ibu Sari", "x" * 65, "sari@iom.int é"):
            headers = [("Rujukan-Actor", actor.encode())]
            signed = await world.iom.client.authorization("GET", accepted.path)
            reply = await world.exchange.http.get(accepted.path, headers=[*signed.items(), *headers])
            assert reply.status_code in (400, 422), actor
            assert records.NAME not in reply.text


class TestARefusal:
    async def refused(self, world: World, what: str) -> httpx.Response:
        sent = await world.send()
        if what == "not_found":
            return await world.stranger.get(sent.path)
        if what == "not_allowed":
            return await world.move(sent, "start")
        if what == "stale":
            return await world.move(sent, "accept", seen=9)
        if what == "not_lead":
            body = records.transfer("lpsk", case=None, case_id=sent.case_id)
            return await world.iom.post("/v1/transfers", body)
        if what == "open_twin":
            return await world.police.post("/v1/referrals", records.referral("iom", case=None, case_id=sent.case_id))
        return await world.police.post("/v1/referrals", records.referral("iom", bases=[records.legal_basis("needs")]))

    @pytest.mark.parametrize("what", ["not_found", "not_allowed", "stale", "not_lead", "open_twin", "disclosure"])
    async def test_is_one_entry_in_a_transaction_of_its_own(self, world: World, what: str) -> None:
        reply = await self.refused(world, what)
        (entry,) = await world.refusals()
        assert entry["outcome"] == what
        assert (entry["request_id"], entry["actor"]) == (reply.headers["X-Request-Id"], "officer-7")
        assert entry["agency_id"] is not None
        assert entry["client_id"].endswith("-system")
        assert records.NAME not in entry["detail"]

    async def test_is_not_given_before_it_is_logged(self, world: World) -> None:
        sent = await world.send()
        async with torn(world, "read_referral"):
            assert (await world.stranger.get(sent.path)).status_code == 500
        assert (await world.stranger.get(sent.path)).status_code == 404


class TestTheHistory:
    async def test_is_kept_of_every_move_with_who_made_it_and_when(self, world: World) -> None:
        happened = (world.exchange.clock.now()).replace(microsecond=0)
        sent = await world.send()
        await world.move(sent, "accept", world.acceptance(channel="phone", occurred_at=happened.isoformat()))
        await world.moved(sent, "start", "complete")
        history = (await world.police.get(sent.path)).json()["history"]
        assert [(each["event"], each["by"]["code"], each["to_state"], each["version"]) for each in history] == [
            ("send", "police", "sent", 1),
            ("accept", "iom", "accepted", 2),
            ("start", "iom", "in_progress", 3),
            ("complete", "iom", "completed", 4),
        ]
        assert (history[1]["channel"], history[1]["occurred_at"][:19]) == ("phone", happened.isoformat()[:19])
        assert "officer-7" not in str(history), "who acts inside an agency is its own affair"

    @pytest.mark.parametrize("days", [-31, 1])
    async def test_takes_no_move_from_the_future_or_from_long_ago(self, world: World, days: int) -> None:
        sent = await world.send()
        at = (world.exchange.clock.now() + timedelta(days=days)).isoformat()
        reply = await world.move(sent, "acknowledge", {"occurred_at": at})
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["pointer"] == "/occurred_at"
        assert (await world.row(sent))["state"] == "sent"


class TestAnEntry:
    async def test_is_not_written_for_another_agency(self, world: World) -> None:
        conn = await asyncpg.connect(world.exchange.addresses.app)
        write = "SELECT append_log(now(), $1, 'x', 'x', 'x', 'referral:read', 'done', NULL, NULL, NULL, '{}')"
        try:
            await conn.execute("SELECT set_config('rujukan.agency', $1, false)", str(world.ids["iom"]))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.fetchval(write, world.ids["police"])
            await conn.fetchval(write, world.ids["iom"])
        finally:
            await conn.close()
        assert await world.owner.fetchval("SELECT count(*) FROM log_entry WHERE client_id = 'x'") == 1

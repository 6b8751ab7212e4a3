"""What happened before it is recorded: on the telephone, on paper, while a shelter was offline, or recorded by another agency."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.exchange.lifecycle import Party
from app.exchange.referrals.lifecycle import REFERRAL
from app.exchange.transfers.lifecycle import TRANSFER
from tests.makers import records
from tests.makers.feeds import begun_to_wait
from tests.makers.world import BEFORE, Agency, Passed, World

HOUR = timedelta(hours=1)
FOR_SHELTER = {"Rujukan-Acts-For": "shelter"}


def ago(world: World, **by: float) -> str:
    at: datetime = world.exchange.clock.now() - timedelta(**by)
    return at.isoformat()


async def moved_at(
    world: World, passed: Passed, event: str, *, channel: str = "phone", by: Agency | None = None, **when: float
) -> httpx.Response:
    """Make a move that happened some time ago."""
    body = {**await world.body(passed, event), "occurred_at": ago(world, **when), "channel": channel}
    return await world.move(passed, event, body, by=by)


async def history(passed: Passed, who: Agency) -> list[dict[str, Any]]:
    reply = await who.get(passed.path)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["history"]
    return found


EVERY = [
    (lifecycle.name, move.event)
    for lifecycle in (REFERRAL, TRANSFER)
    for move in lifecycle.moves
    if move.from_states and move.by not in (Party.CLOCK, Party.SYSTEM)
]
every_move = pytest.mark.parametrize(("kind", "event"), EVERY)


@every_move
class TestEveryMove:
    @pytest.fixture
    async def passed(self, world: World, kind: str, event: str) -> Passed:
        """Sent three days ago, and moved on to where the move is possible within the hour."""
        sent = await world.ready_for(await world.send(kind=kind, receiver="ministry"), event)
        world.exchange.later(days=3)
        return sent

    async def test_says_when_and_how_it_happened(self, world: World, passed: Passed, kind: str, event: str) -> None:
        reply = await moved_at(world, passed, event, channel="paper", hours=7)
        assert reply.status_code == 200, reply.text
        for who in (world.police, world.ministry):
            told = (await history(passed, who))[-1]
            if told["event"] != event:
                assert event == "record_service", "who learns the state only learns no services"
                continue
            assert told["channel"] == "paper"
            recorded, occurred = (datetime.fromisoformat(told[name]) for name in ("recorded_at", "occurred_at"))
            assert abs(recorded - occurred - 7 * HOUR) < timedelta(seconds=5)
        assert (await world.stranger.get(passed.path)).status_code == 404

    @pytest.mark.parametrize(
        ("when", "code"),
        [({"seconds": -62}, "in_the_future"), ({"days": 30, "seconds": 2}, "too_long_ago")],
        ids=["tomorrow", "a month ago"],
    )
    async def test_has_a_time_that_can_be(
        self, world: World, passed: Passed, kind: str, event: str, when: Any, code: str
    ) -> None:
        row = await world.row(passed)
        reply = await moved_at(world, passed, event, **when)
        assert (reply.status_code, reply.json()["errors"]) == (422, [{"pointer": "/occurred_at", "code": code}])
        assert await world.row(passed) == row

    async def test_that_changes_the_state_comes_after_what_is_recorded_already(
        self, world: World, passed: Passed, kind: str, event: str
    ) -> None:
        row = await world.row(passed)
        reply = await moved_at(world, passed, event, days=4)
        if event in ("note", "amend", "report_error", "handover_paper", "record_service"):
            assert reply.status_code == 200
            return
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/out-of-order"), reply.text
        first = "send" if kind == "referral" else "offer"
        before = [first, *(each for each in BEFORE.get(event, ()) if each != "report_error")]
        assert reply.json()["event"] == before[-1]
        assert datetime.fromisoformat(reply.json()["occurred_at"]) == row["last_occurred_at"]
        assert (reply.json()["state"], reply.json()["version"]) == (row["state"], row["version"])
        assert await world.row(passed) == row
        assert [entry["outcome"] for entry in await world.refusals()] == ["out_of_order"]


class TestTheTime:
    async def test_a_little_ahead_is_now(self, world: World) -> None:
        """The clock of the agency's system goes some seconds fast."""
        sent = await world.send()
        assert (await moved_at(world, sent, "accept", seconds=-50)).status_code == 200
        row = await world.row(sent)
        assert row["last_occurred_at"] <= world.exchange.clock.now()
        assert (await world.move(sent, "start")).status_code == 200

    @pytest.mark.parametrize(("seconds", "status"), [(1, 200), (58, 200), (65, 409)])
    async def test_may_be_written_without_seconds(self, world: World, seconds: float, status: int) -> None:
        """Sent at 14:05:58, accepted at "14:05"; or the shelter's clock goes slow."""
        sent = await world.send()
        assert (await moved_at(world, sent, "accept", seconds=seconds)).status_code == status

    async def test_of_sending_may_lie_in_the_past_too(self, world: World) -> None:
        sent = await world.send(occurred_at=ago(world, days=2), channel="phone")
        assert (await moved_at(world, sent, "accept", days=1)).status_code == 200
        told = await history(sent, world.police)
        assert [(move["event"], move["channel"]) for move in told] == [("send", "phone"), ("accept", "phone")]

    @pytest.mark.parametrize("when", [{"seconds": -62}, {"days": 31}])
    async def test_of_sending_has_the_same_limits(self, world: World, when: dict[str, float]) -> None:
        for kind in ("referral", "transfer"):
            body = getattr(records, kind)("iom", occurred_at=ago(world, **when))
            reply = await world.police.post(f"/v1/{kind}s", body)
            assert reply.status_code == 422
            assert reply.json()["errors"][0]["pointer"] == "/occurred_at"

    async def test_of_an_earlier_move_does_not_shorten_the_deadline(self, world: World) -> None:
        """Deadlines run from when the exchange learnt of it: what is recorded late is not overdue at once."""
        sent = await world.send(urgency="urgent", occurred_at=ago(world, days=5))
        assert (await moved_at(world, sent, "accept", days=4)).status_code == 200
        row = await world.row(sent)
        assert row["deadline_at"] - world.exchange.clock.now() > timedelta(hours=47)

    @pytest.mark.parametrize("channel", ["system", "phone", "paper", "in_person"])
    async def test_comes_with_a_channel_that_there_is(self, world: World, channel: str) -> None:
        sent = await world.send()
        assert (await moved_at(world, sent, "accept", channel=channel, seconds=0)).status_code in (200, 409)
        reply = await moved_at(world, sent, "start", channel="pigeon", seconds=0)
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/channel")


class TestAShelterThatWasOffline:
    """Two days without a connection: what it did then is recorded afterwards."""

    async def test_records_it_in_the_order_in_which_it_happened(self, world: World) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        world.exchange.later(days=2)
        for event, hours in (
            ("acknowledge", 47), ("accept", 46), ("start", 40), ("record_service", 30), ("record_service", 20), ("complete", 10),
        ):  # fmt: skip
            reply = await moved_at(world, sent, event, channel="paper", hours=hours)
            assert reply.status_code == 200, (event, reply.text)
        told = await history(sent, world.iom)
        assert [move["event"] for move in told[1:]] == [
            "acknowledge", "accept", "start", "record_service", "record_service", "complete",
        ]  # fmt: skip
        times = [move["occurred_at"] for move in told]
        assert times == sorted(times)
        assert (await world.row(sent))["state"] == "completed"

    async def test_is_told_what_stands_in_the_way_of_another_order(self, world: World) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        world.exchange.later(days=2)
        started = await moved_at(world, sent, "start", hours=40)
        assert (started.status_code, started.json()["type"]) == (409, "/problems/move-not-allowed")
        assert (started.json()["state"], started.json()["event"]) == ("sent", "send")
        assert (await moved_at(world, sent, "accept", hours=30)).status_code == 200
        early = await moved_at(world, sent, "start", hours=40)
        assert (early.status_code, early.json()["type"], early.json()["event"]) == (
            409, "/problems/out-of-order", "accept",
        )  # fmt: skip
        assert (await moved_at(world, sent, "start", hours=20)).status_code == 200

    async def test_finds_that_the_sender_has_taken_it_back(self, world: World) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        world.exchange.later(days=1)
        await world.moved(sent, "recall")
        recalled_at = (await world.row(sent))["ended_at"]
        world.exchange.later(days=1)
        reply = await moved_at(world, sent, "accept", hours=36)
        problem = reply.json()
        assert (reply.status_code, problem["type"]) == (409, "/problems/move-not-allowed")
        assert (problem["state"], problem["event"], problem["moves"]) == ("recalled", "recall", [])
        assert datetime.fromisoformat(problem["since"]) == recalled_at
        assert (await world.shelter.get(sent.path)).json()["record"] is None

    async def test_finds_that_the_time_to_answer_is_over(self, world: World) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        for _ in range(40):
            world.exchange.later(days=1)
            await world.exchange.settle()
            if (await world.row(sent))["state"] == "expired":
                break
        reply = await moved_at(world, sent, "accept", days=2)
        problem = reply.json()
        assert (reply.status_code, problem["state"], problem["event"]) == (409, "expired", "expire")
        assert problem["since"] is not None

    async def test_finds_that_another_was_first(self, world: World) -> None:
        group = str(uuid.uuid4())
        mine = await world.send(sender="iom", receiver="shelter", offer_group=group)
        theirs = await world.send(sender="iom", receiver="sentra", case_id=mine.case_id, offer_group=group)
        world.exchange.later(days=1)
        await world.moved(theirs, "accept")
        reply = await moved_at(world, mine, "accept", hours=20)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/taken")


class TestAnAgreementOnTheTelephone:
    AGREED = {"agreed_at": "2026-01-05T22:15:00+07:00", "with_role": "duty officer of the night"}  # noqa: RUF012

    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_is_shown_to_both_parties_and_to_nobody_else(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind, receiver="ministry", prior_agreement=self.AGREED)
        for who in (world.police, world.ministry):
            found = (await who.get(sent.path)).json()["prior_agreement"]
            assert found == {"agreed_at": "2026-01-05T15:15:00Z", "with_role": "duty officer of the night"}
        assert (await world.stranger.get(sent.path)).status_code == 404
        assert (await world.row(sent))["state"] in ("sent", "offered"), "the receiver still has to accept"

    async def test_is_not_shown_to_a_lead_that_is_no_party(self, world: World) -> None:
        held = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        onward = await world.send(sender="iom", receiver="lpsk", case_id=held.case_id, prior_agreement=self.AGREED)
        reply = await world.police.get(onward.path)
        assert (reply.status_code, reply.json()["prior_agreement"]) == (200, None)
        assert "duty officer" not in reply.text

    async def test_stands_in_no_log_and_no_plain_column(self, world: World) -> None:
        await world.send(prior_agreement=self.AGREED)
        for table in ("log_entry", "move", "referral", "outbox", "idempotency"):
            assert await world.owner.fetch(f"SELECT FROM {table} t WHERE t::text LIKE '%duty officer%'") == []

    async def test_is_none_where_none_was_made(self, world: World) -> None:
        assert (await world.police.get((await world.send()).path)).json()["prior_agreement"] is None


@pytest.fixture
async def agreement(world: World) -> AsyncIterator[UUID]:
    """The ministry records for the shelter, from yesterday on."""
    agreement_id = uuid.uuid4()
    await world.owner.execute(
        "INSERT INTO agreement (id, kind, agency_id, other_id, reference, from_at) VALUES ($1, 'acts_for', $2, $3, 'PKS 7/2026', $4)",
        agreement_id,
        world.ids["shelter"],
        world.ids["ministry"],
        world.exchange.clock.now() - timedelta(days=1),
    )
    await world.exchange.directory.refresh()  # type: ignore[attr-defined]
    yield agreement_id
    await world.owner.execute("DELETE FROM agreement WHERE id = $1", agreement_id)
    await world.exchange.directory.refresh()  # type: ignore[attr-defined]


async def record(
    world: World, passed: Passed, event: str, *, headers: Any = None, by: str = "ministry", **options: Any
) -> httpx.Response:
    """The ministry makes a move for the shelter."""
    versioned = event not in ("acknowledge", "note", "record_service")
    reply = await world.agencies[by].post(
        f"{passed.path}/{records.path_of(event)}",
        options.pop("body", None) or await world.body(passed, event),
        headers=FOR_SHELTER if headers is None else headers,
        if_match=passed.version if versioned else None,
        **options,
    )
    if reply.status_code == 200:
        passed.version = reply.json()["version"]
    return reply


class TestNobody:
    async def test_is_the_desk_by_proxy(self, world: World, agreement: UUID) -> None:
        await world.owner.execute(
            "UPDATE agreement SET agency_id = $2, other_id = $3 WHERE id = $1",
            agreement,
            world.ids["ministry"],
            world.ids["sentra"],
        )
        await world.set_desk("ministry")
        try:
            reply = await world.sentra.get("/v1/escalations", headers={"Rujukan-Acts-For": "ministry"})
        finally:
            await world.set_desk(None)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/may-not-act-for")


class TestWhoRecordsForAnother:
    async def test_makes_the_moves_of_the_party(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        for event in ("acknowledge", "accept", "start", "record_service", "note", "hold", "resume", "complete"):
            reply = await record(world, sent, event)
            assert reply.status_code == 200, (event, reply.text)
        for who in (world.iom, world.shelter):
            told = await history(sent, who)
            assert [(move["by"]["code"], (move["recorded_by"] or {}).get("code")) for move in told] == [
                ("iom", None), *[("shelter", "ministry")] * 8,
            ]  # fmt: skip

    async def test_is_named_in_the_log_beside_the_party(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        await record(world, sent, "accept")
        await world.ministry.get(sent.path, headers=FOR_SHELTER)
        for action in ("referral:accept", "referral:read"):
            (entry,) = await world.log(action=action)
            assert entry["agency_id"] == world.ids["shelter"]
            assert entry["client_id"] == "ministry-system"
            assert str(world.ids["ministry"]) in entry["detail"]

    async def test_reads_lists_and_works_through_what_is_the_partys(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        for path in ("/v1/referrals", "/v1/inbox"):
            assert [each["id"] for each in (await world.ministry.get(path, headers=FOR_SHELTER)).json()["items"]] == [
                sent.id
            ]
            assert (await world.ministry.get(path)).json()["items"] == []
        assert (await world.ministry.get(sent.path, headers=FOR_SHELTER)).json()["preview"] is not None
        reference = (await world.row(sent))["reference"]
        assert (await world.ministry.get(f"/v1/references/{reference}", headers=FOR_SHELTER)).status_code == 200

    async def test_sees_nothing_of_it_as_itself(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        assert (await world.ministry.get(sent.path)).status_code == 404
        assert (await record(world, sent, "accept", headers={})).status_code == 404

    async def test_follows_the_partys_feed(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        await world.exchange.settle()
        found = (await world.ministry.get("/v1/events?after=0", headers=FOR_SHELTER)).json()["items"]
        assert [(event["type"], event["subject_id"]) for event in found] == [("referral.sent", sent.id)]
        assert (await world.ministry.get("/v1/events?after=0")).json()["items"] == []

    async def test_sends_for_the_party_and_opens_its_cases(self, world: World, agreement: UUID) -> None:
        reply = await world.ministry.post("/v1/referrals", records.referral("iom"), headers=FOR_SHELTER)
        assert reply.status_code == 201, reply.text
        read = (await world.iom.get(reply.headers["location"])).json()
        assert read["sender"]["code"] == "shelter"
        assert read["history"][0]["recorded_by"]["code"] == "ministry"
        assert await world.lead_of(reply.json()["case_id"]) == "shelter"
        opened = await world.owner.fetchrow("SELECT * FROM move WHERE event = 'open_case'")
        assert opened is not None
        assert (opened["agency_id"], opened["recorded_by_id"]) == (world.ids["shelter"], world.ids["ministry"])

    async def test_may_answer_for_the_party_what_it_sent_itself(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="ministry", receiver="shelter")
        assert (await record(world, sent, "accept")).status_code == 200
        told = (await history(sent, world.ministry))[-1]
        assert (told["by"]["code"], told["recorded_by"]["code"]) == ("shelter", "ministry")

    async def test_may_act_for_the_sender_of_what_came_to_it(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="shelter", receiver="ministry")
        assert (await record(world, sent, "recall")).status_code == 200
        assert (await world.row(sent))["state"] == "recalled"

    async def test_tells_the_other_party_and_not_itself(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        await world.owner.execute("TRUNCATE outbox")
        await record(world, sent, "accept")
        assert await world.told() == [("iom", "referral.accepted")]

    async def test_takes_over_a_case_for_the_party(self, world: World, agreement: UUID) -> None:
        offered = await world.send(kind="transfer", sender="iom", receiver="shelter")
        for event in ("accept", "confirm_handover"):
            assert (await record(world, offered, event)).status_code == 200
        assert await world.lead_of(offered.case_id) == "shelter"


class TestTheKeysOfWhoRecordsForAnother:
    async def test_are_kept_apart_from_its_own(self, world: World, agreement: UUID) -> None:
        mine = await world.send(sender="iom", receiver="ministry")
        theirs = await world.send(sender="iom", receiver="shelter")
        own = await record(world, mine, "accept", headers={}, idempotency_key="one")
        other = await record(world, theirs, "accept", idempotency_key="one")
        assert (own.status_code, other.status_code) == (200, 200)
        assert own.json()["id"] != other.json()["id"]

    async def test_repeat_the_answer_under_the_same_header_and_no_other(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        body = await world.body(sent, "accept")
        options: dict[str, Any] = {"if_match": 1, "idempotency_key": "one"}
        first = await world.ministry.post(f"{sent.path}/accept", body, headers=FOR_SHELTER, **options)
        again = await world.ministry.post(f"{sent.path}/accept", body, headers=FOR_SHELTER, **options)
        assert (first.status_code, again.json()) == (200, first.json())
        assert (await world.ministry.post(f"{sent.path}/accept", body, **options)).status_code == 404
        by_itself = await world.shelter.post(f"{sent.path}/accept", body, **options)
        assert by_itself.status_code == 409, "another client's key is another key"


class TestActingForAnotherWithoutAnAgreement:
    async def refused(self, world: World, who: Agency, code: str, sent: Passed) -> None:
        headers = {"Rujukan-Acts-For": code}
        for reply in (
            await who.get(sent.path, headers=headers),
            await who.get("/v1/inbox", headers=headers),
            await who.get("/v1/events", headers=headers),
            await who.post(f"{sent.path}/acknowledge", {}, headers=headers),
        ):
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/may-not-act-for"), reply.text
        assert (await world.row(sent))["state"] == "sent"

    async def test_is_refused_and_logged_as_the_callers_own_act(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        await self.refused(world, world.police, "shelter", sent)
        entries = await world.refusals()
        assert {(entry["agency_id"], entry["outcome"]) for entry in entries} == {(world.ids["police"], "acts_for")}

    async def test_is_refused_the_other_way_round(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="ministry")
        await self.refused(world, world.shelter, "ministry", sent)

    async def test_is_refused_for_an_agency_there_is_none(self, world: World, agreement: UUID) -> None:
        await self.refused(world, world.ministry, "no-such-agency", await world.send(sender="iom", receiver="shelter"))

    async def test_is_refused_once_the_agreement_has_ended(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        await world.owner.execute(
            "UPDATE agreement SET until_at = $2 WHERE id = $1", agreement, world.exchange.clock.now() + HOUR
        )
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]
        assert (await world.ministry.get(sent.path, headers=FOR_SHELTER)).status_code == 200
        world.exchange.later(hours=1)
        await self.refused(world, world.ministry, "shelter", sent)

    async def test_is_refused_before_it_begins(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        await world.owner.execute(
            "UPDATE agreement SET from_at = $2 WHERE id = $1", agreement, world.exchange.clock.now() + HOUR
        )
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]
        await self.refused(world, world.ministry, "shelter", sent)

    async def test_is_refused_while_the_party_is_suspended(self, world: World, agreement: UUID) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        await world.owner.execute("UPDATE agency SET status = 'suspended' WHERE code = 'shelter'")
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]
        try:
            await self.refused(world, world.ministry, "shelter", sent)
        finally:
            await world.owner.execute("UPDATE agency SET status = 'active' WHERE code = 'shelter'")
            await world.exchange.directory.refresh()  # type: ignore[attr-defined]

    async def test_is_refused_also_by_the_database_that_is_asked_past_the_service(
        self, world: World, agreement: UUID
    ) -> None:
        """The row that ended the agreement is newer than the process's picture of it: refused, and no fault of the exchange."""
        sent = await world.send(sender="iom", receiver="shelter")
        await world.owner.execute(
            "UPDATE agreement SET until_at = $2 WHERE id = $1", agreement, world.exchange.clock.now() - HOUR
        )
        reply = await world.ministry.get(sent.path, headers=FOR_SHELTER)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/may-not-act-for"), reply.text

    @pytest.mark.parametrize("stopped", ["agreement", "recorder"])
    async def test_ends_a_wait_that_had_begun(self, world: World, agreement: UUID, stopped: str) -> None:
        waiting = asyncio.create_task(world.ministry.get("/v1/events?after=0&wait=20", headers=FOR_SHELTER))
        await begun_to_wait(world.exchange.app)
        if stopped == "agreement":
            now = world.exchange.clock.now()
            await world.owner.execute("UPDATE agreement SET until_at = $2 WHERE id = $1", agreement, now)
        else:
            await world.owner.execute("UPDATE agency SET status = 'suspended' WHERE code = 'ministry'")
        await world.exchange.directory.refresh()  # type: ignore[attr-defined]
        try:
            async with asyncio.timeout(5):
                assert (await waiting).json()["items"] == []
        finally:
            await world.owner.execute("UPDATE agency SET status = 'active' WHERE code = 'ministry'")
            await world.exchange.directory.refresh()  # type: ignore[attr-defined]

    @pytest.mark.parametrize("code", ["", "X", "shelter ", "Shelter", "a" * 65, "she lter"])
    async def test_needs_a_code_that_can_be(self, world: World, code: str) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        reply = await world.ministry.get(sent.path, headers={"Rujukan-Acts-For": code})
        assert reply.status_code in (403, 422)
        assert (await world.ministry.get("/v1/events", headers={"Rujukan-Acts-For": code})).status_code in (403, 422)


class TestActingForOneself:
    async def test_is_acting(self, world: World) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        reply = await record(world, sent, "accept", by="shelter")
        assert reply.status_code == 200
        told = (await history(sent, world.iom))[-1]
        assert (told["by"]["code"], told["recorded_by"]) == ("shelter", None)


class TestADispute:
    """The shelter says that it never accepted what the ministry recorded for it."""

    @pytest.fixture
    async def accepted(self, world: World, agreement: UUID) -> Passed:
        sent = await world.send(sender="iom", receiver="shelter")
        assert (await record(world, sent, "accept")).status_code == 200
        return sent

    async def dispute(
        self, passed: Passed, who: Agency, event: str = "accept", by: Agency | None = None, **options: Any
    ) -> httpx.Response:
        (move,) = [each for each in await history(passed, by or passed.receiver) if each["event"] == event]
        body = {"reason": "Nobody here has seen her; Bu Ratna was away."}
        return await who.post(f"{passed.path}/moves/{move['id']}/dispute", body, **options)

    async def test_marks_the_move_and_leaves_it_standing(self, world: World, accepted: Passed) -> None:
        await history(accepted, world.shelter)
        before = await world.row(accepted)
        reply = await self.dispute(accepted, world.shelter)
        assert (reply.status_code, reply.json()["state"]) == (200, "accepted"), reply.text
        assert reply.json()["version"] == before["version"]
        assert await world.row(accepted) == before
        for who in (world.iom, world.shelter):
            told = await history(accepted, who)
            assert [(move["event"], move["disputed_at"] is not None) for move in told] == [
                ("send", False), ("accept", True), ("dispute", False),
            ]  # fmt: skip
            assert (told[2]["by"]["code"], told[2]["recorded_by"]) == ("shelter", None)

    async def test_tells_the_other_party_and_who_recorded_it(self, world: World, accepted: Passed) -> None:
        await world.owner.execute("TRUNCATE outbox")
        await self.dispute(accepted, world.shelter)
        assert await world.told() == [("iom", "referral.disputed"), ("ministry", "referral.disputed")]

    async def test_gives_its_reason_to_the_other_party_and_not_to_log_or_event(
        self, world: World, accepted: Passed
    ) -> None:
        await self.dispute(accepted, world.shelter)
        assert "Bu Ratna" in (await world.iom.get(accepted.path)).text
        for table in ("log_entry", "move", "outbox", "idempotency"):
            assert await world.owner.fetch(f"SELECT FROM {table} t WHERE t::text LIKE '%Ratna%'") == []
        (entry,) = await world.log(action="referral:dispute")
        assert entry["agency_id"] == world.ids["shelter"]

    async def test_is_made_once(self, world: World, accepted: Passed) -> None:
        first = await self.dispute(accepted, world.shelter, idempotency_key="one")
        again = await self.dispute(accepted, world.shelter, idempotency_key="one")
        assert (again.status_code, again.json()) == (200, first.json())
        reply = await self.dispute(accepted, world.shelter)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-dispute")

    async def test_is_the_partys_own(self, world: World, accepted: Passed) -> None:
        as_party = await self.dispute(accepted, world.ministry, headers=FOR_SHELTER)
        assert (as_party.status_code, as_party.json()["type"]) == (409, "/problems/nothing-to-dispute")
        for who in (world.ministry, world.iom, world.stranger):
            assert (await self.dispute(accepted, who)).status_code == 404, who.code
        assert (await history(accepted, world.iom))[1]["disputed_at"] is None

    async def test_is_not_of_what_the_party_did_itself(self, world: World, accepted: Passed) -> None:
        await world.moved(accepted, "start")
        reply = await self.dispute(accepted, world.shelter, "start")
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-dispute")
        assert [entry["outcome"] for entry in await world.refusals()] == ["dispute"]

    async def test_is_of_a_move_there_is(self, world: World, accepted: Passed) -> None:
        other = await world.send(sender="iom", receiver="shelter")
        (move,) = [each for each in await history(accepted, world.shelter) if each["event"] == "accept"]
        for path in (f"{accepted.path}/moves/{uuid.uuid4()}", f"{other.path}/moves/{move['id']}"):
            assert (await world.shelter.post(f"{path}/dispute", {"reason": "No."})).status_code == 404
        wrong = f"/v1/transfers/{accepted.id}/moves/{move['id']}/dispute"
        assert (await world.shelter.post(wrong, {"reason": "No."})).status_code == 404

    async def test_tells_who_is_party_now(self, world: World, accepted: Passed) -> None:
        """The case has gone to Sentra since: it is the sender now, and has to know."""
        handed = await world.send(kind="transfer", sender="iom", receiver="sentra", case_id=accepted.case_id)
        await world.moved(handed, "accept", "confirm_handover")
        await world.owner.execute("TRUNCATE outbox")
        assert (await self.dispute(accepted, world.shelter)).status_code == 200
        assert await world.told() == [("ministry", "referral.disputed"), ("sentra", "referral.disputed")]

    async def test_of_a_confirmed_handover_tells_the_earlier_lead(self, world: World, agreement: UUID) -> None:
        offered = await world.send(kind="transfer", sender="iom", receiver="shelter")
        for event in ("accept", "confirm_handover"):
            assert (await record(world, offered, event)).status_code == 200
        await world.owner.execute("TRUNCATE outbox")
        assert (await self.dispute(offered, world.shelter, "confirm_handover")).status_code == 200
        assert await world.told() == [("iom", "transfer.disputed"), ("ministry", "transfer.disputed")]
        assert await world.lead_of(offered.case_id) == "shelter", "the move stands"

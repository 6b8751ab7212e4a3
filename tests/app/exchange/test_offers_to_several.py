"""Several shelters asked at once: one takes the person, and the others are told so; never two, whatever meets whatever."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.makers import records
from tests.makers.effort import examples
from tests.makers.world import Agency, Passed, World

ASKED = ("iom", "ministry", "sentra", "shelter", "lpsk")


async def ask(world: World, *receivers: str, sender: str = "police", **more: Any) -> list[Passed]:
    """One case offered to several receivers as one group."""
    group = more.pop("offer_group", str(uuid.uuid4()))
    offers: list[Passed] = []
    for receiver in receivers:
        case = {"case_id": offers[0].case_id} if offers else {}
        offers.append(await world.send(sender=sender, receiver=receiver, offer_group=group, **{**more, **case}))
    return offers


async def states(world: World, offers: list[Passed]) -> list[str]:
    return [(await world.row(offer))["state"] for offer in offers]


def another(offer: Passed, receiver: str, group: str, **more: Any) -> dict[str, Any]:
    """The body of one more offer of the same case."""
    return records.referral(receiver, case=None, case_id=offer.case_id, offer_group=group, **more)


async def group_of(world: World, offer: Passed) -> str:
    return str((await world.row(offer))["offer_group"])


class TestAnAcceptance:
    async def test_takes_the_other_offers_back(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry", "sentra")
        await world.moved(offers[1], "acknowledge")
        await world.moved(offers[2], "request_info")
        await world.moved(offers[0], "accept")
        assert await states(world, offers) == ["accepted", "recalled", "recalled"]
        for offer, version in ((offers[1], 2), (offers[2], 3)):
            read = (await offer.receiver.get(offer.path)).json()
            assert (read["state"], read["version"], read["moves"]) == ("recalled", version, [])
            last = read["history"][-1]
            assert (last["event"], last["by"], last["channel"], last["version"]) == ("recall", None, "system", version)

    async def test_tells_each_of_them_and_the_sender(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry", "sentra")
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(offers[0], "accept")
        assert await world.told() == [
            ("ministry", "referral.recalled"),
            ("police", "referral.accepted"),
            ("police", "referral.recalled"),
            ("police", "referral.recalled"),
            ("sentra", "referral.recalled"),
        ]
        entries = await world.log(action="referral:recall")
        assert {str(entry["subject_id"]) for entry in entries} == {offers[1].id, offers[2].id}
        assert {entry["agency_id"] for entry in entries} == {None}

    async def test_closes_what_the_others_saw(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry")
        assert (await world.ministry.get(offers[1].path)).json()["preview"] is not None
        await world.moved(offers[0], "accept")
        reply = await world.ministry.get(offers[1].path)
        assert (reply.json()["preview"], reply.json()["record"]) == (None, None)
        assert records.NAME not in reply.text
        assert {each["access"] for each in reply.json()["disclosures"]} == {"closed"}

    async def test_is_one_and_the_second_is_told_that_it_is_taken(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry")
        await world.moved(offers[0], "accept")
        reply = await world.move(offers[1], "accept", seen=1)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/taken")
        assert (reply.json()["state"], reply.json()["version"]) == ("recalled", 2)
        assert [entry["outcome"] for entry in await world.refusals()] == ["taken"]
        assert (await world.stranger.get(offers[1].path)).status_code == 404

    async def test_leaves_alone_what_has_been_answered(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry", "sentra")
        await world.moved(offers[1], "decline")
        await world.moved(offers[2], "recall")
        await world.moved(offers[0], "accept")
        assert await states(world, offers) == ["accepted", "declined", "recalled"]
        assert (await world.row(offers[1]))["version"] == 2

    async def test_leaves_other_referrals_of_the_case_alone(self, world: World) -> None:
        (offer,) = await ask(world, "iom")
        single = await world.send(receiver="ministry", case_id=offer.case_id)
        (other_group,) = await ask(world, "sentra", case_id=offer.case_id)
        await world.moved(offer, "accept")
        assert await states(world, [single, other_group]) == ["sent", "sent"]

    async def test_may_come_back_and_gets_its_first_answer(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry")
        body = world.acceptance()
        first = await world.iom.post(f"{offers[0].path}/accept", body, if_match=1, idempotency_key="night")
        again = await world.iom.post(f"{offers[0].path}/accept", body, if_match=1, idempotency_key="night")
        assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
        assert (await world.row(offers[1]))["version"] == 2


class TestAGroup:
    async def test_is_known_to_its_sender_alone(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry")
        group = await group_of(world, offers[0])
        assert (await world.police.get(offers[0].path)).json()["offer_group"] == group
        for path in (offers[0].path, "/v1/referrals", "/v1/inbox"):
            assert group not in (await world.iom.get(path)).text

    async def test_has_at_most_five_that_have_not_answered(self, world: World) -> None:
        offers = await ask(world, *ASKED)
        group = await group_of(world, offers[0])
        reply = await world.police.post("/v1/referrals", another(offers[0], "stranger", group))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/offer-group")
        await world.moved(offers[0], "decline")
        assert (await world.police.post("/v1/referrals", another(offers[0], "stranger", group))).status_code == 201

    async def test_is_of_one_case(self, world: World) -> None:
        (offer,) = await ask(world, "iom")
        body = records.referral("ministry", offer_group=await group_of(world, offer))
        reply = await world.police.post("/v1/referrals", body)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/offer-group")
        assert await world.owner.fetchval("SELECT count(*) FROM case_file") == 1, "nothing of a refused request stays"

    async def test_takes_no_more_once_it_is_accepted(self, world: World) -> None:
        offers = await ask(world, "iom", "ministry")
        await world.moved(offers[0], "accept")
        body = another(offers[0], "sentra", await group_of(world, offers[0]))
        reply = await world.police.post("/v1/referrals", body)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/taken")
        del body["offer_group"]
        assert (await world.police.post("/v1/referrals", body)).status_code == 201

    async def test_has_each_receiver_once(self, world: World) -> None:
        (offer,) = await ask(world, "iom")
        reply = await world.police.post("/v1/referrals", another(offer, "iom", await group_of(world, offer)))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/open-twin")

    async def test_goes_to_the_new_lead_with_the_case(self, world: World) -> None:
        offers = await ask(world, "iom", "sentra")
        group = await group_of(world, offers[0])
        handed = await world.send(kind="transfer", receiver="ministry", case_id=offers[0].case_id)
        await world.moved(handed, "accept", "confirm_handover")
        added = await world.ministry.post("/v1/referrals", another(offers[0], "shelter", group))
        assert added.status_code == 201, added.text
        await world.moved(offers[0], "accept")
        late = await world.shelter.post(f"/v1/referrals/{added.json()['id']}/accept", world.acceptance(), if_match=1)
        assert (late.status_code, late.json()["type"]) == (409, "/problems/taken")
        assert await states(world, offers) == ["accepted", "recalled"]


class TestAGroupIdOfSomebodyElse:
    async def test_in_another_case_recalls_nothing_of_theirs(self, world: World) -> None:
        theirs = await ask(world, "iom", "sentra", sender="ministry")
        group = await group_of(world, theirs[0])
        mine = await ask(world, "shelter", "lpsk", offer_group=group)
        await world.moved(mine[0], "accept")
        assert await states(world, theirs) == ["sent", "sent"]
        assert await states(world, mine) == ["accepted", "recalled"]
        await world.moved(theirs[1], "accept")
        assert await states(world, theirs) == ["recalled", "accepted"]

    async def test_in_the_same_case_recalls_nothing_of_the_leads(self, world: World) -> None:
        """A holder who may refer on, and knows or guesses the lead's group, does not end what the lead has asked for."""
        held = await world.accepted(receiver="shelter", bases=[records.legal_basis(onward=True)])
        theirs = await ask(world, "iom", "sentra", case_id=held.case_id)
        group = await group_of(world, theirs[0])
        sent = await world.shelter.post("/v1/referrals", another(held, "lpsk", group))
        assert sent.status_code == 201, sent.text
        reply = await world.lpsk.post(f"/v1/referrals/{sent.json()['id']}/accept", world.acceptance(), if_match=1)
        assert reply.status_code == 200
        assert await states(world, theirs) == ["sent", "sent"]

    async def test_is_refused_to_the_lead_who_sees_whose_it_is(self, world: World) -> None:
        held = await world.accepted(receiver="shelter", bases=[records.legal_basis(onward=True)])
        (theirs,) = await ask(world, "lpsk", sender="shelter", case_id=held.case_id)
        reply = await world.police.post("/v1/referrals", another(held, "iom", await group_of(world, theirs)))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/offer-group")


async def outcome(world: World, offers: list[Passed]) -> None:
    """One accepted, the others recalled, everybody told once, nothing of the record open to who was not first."""
    rows = [await world.row(offer) for offer in offers]
    assert Counter(row["state"] for row in rows) == {"accepted": 1, "recalled": len(rows) - 1}
    for row in rows:
        moves = await world.owner.fetch(
            "SELECT event FROM move WHERE subject_id = $1 ORDER BY recorded_at, id", row["id"]
        )
        last = "accept" if row["state"] == "accepted" else "recall"
        assert [move["event"] for move in moves] == ["send", last]
        is_open = await world.owner.fetchval(
            "SELECT bool_or(opened_at IS NOT NULL AND closed_at IS NULL) FROM disclosure WHERE subject_id = $1",
            row["id"],
        )
        assert is_open == (row["state"] == "accepted")
    told = await world.owner.fetch(
        "SELECT type, count(*) AS n FROM outbox WHERE case_id = $1 AND type <> 'referral.sent' GROUP BY type",
        rows[0]["case_id"],
    )
    # each recalled receiver, and the sender of each
    assert {row["type"]: row["n"] for row in told} == {"referral.accepted": 1, "referral.recalled": 2 * (len(rows) - 1)}


def told_the_truth(replies: list[httpx.Response]) -> None:
    """One 200; every other one was told that it is taken."""
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * (len(replies) - 1), [
        r.text for r in replies
    ]
    lost = [reply.json() for reply in replies if reply.status_code == 409]
    assert {(each["type"], each["state"]) for each in lost} == {("/problems/taken", "recalled")}


class TestTheRace:
    @pytest.mark.parametrize(("asked", "runs"), [(2, examples(120)), (5, examples(80))])
    async def test_of_acceptances_has_one_winner(self, world: World, asked: int, runs: int) -> None:
        won: Counter[int] = Counter()
        for run in range(runs):
            offers = await ask(world, *ASKED[:asked])
            tasks = [world.move(offer, "accept", world.acceptance(), seen=1) for offer in offers]
            replies = await asyncio.gather(*(tasks if run % 2 else reversed(tasks)))
            replies = replies if run % 2 else replies[::-1]
            told_the_truth(replies)
            await outcome(world, offers)
            won[next(place for place, reply in enumerate(replies) if reply.status_code == 200)] += 1
        assert len(won) > 1, "it must not always be the same who wins"

    @pytest.mark.parametrize("asked", [2, 5])
    async def test_really_meets_in_the_database(self, world: World, asked: int) -> None:
        """All wait for the case at once, held by another; when it lets go, one goes first and the others find the place taken."""
        for _ in range(10):
            offers = await ask(world, *ASKED[:asked])
            async with Held(world, offers[0].case_id) as held:
                tasks = [
                    asyncio.create_task(world.move(offer, "accept", world.acceptance(), seen=1)) for offer in offers
                ]
                await held.waited_for_by(asked)
            told_the_truth(list(await asyncio.gather(*tasks)))
            await outcome(world, offers)

    async def test_of_an_acceptance_with_the_senders_recall_has_one_truth(self, world: World) -> None:
        ended: Counter[str] = Counter()
        for run in range(60):
            offers = await ask(world, "iom", "ministry")
            (first, second), accept = offers, world.acceptance()

            async def accepting(first: Passed = first, accept: Any = accept, run: int = run) -> httpx.Response:
                await asyncio.sleep(0.002 * (run % 3))
                return await world.move(first, "accept", accept, seen=1)

            async def recalling(offer: Passed, run: int = run) -> httpx.Response:
                await asyncio.sleep(0.002 * (run // 3 % 3))
                return await world.move(offer, "recall", seen=1)

            accepted, own, sibling = await asyncio.gather(accepting(), recalling(first), recalling(second))
            assert sorted((accepted.status_code, own.status_code)) == [200, 409], (accepted.text, own.text)
            assert sibling.status_code in (200, 409)
            assert (await states(world, offers))[1] == "recalled" or own.status_code == 200
            assert await states(world, offers) == [
                "accepted" if accepted.status_code == 200 else "recalled",
                "recalled",
            ]
            recalls = await world.owner.fetchval(
                "SELECT count(*) FROM move WHERE subject_id = $1 AND event = 'recall'", UUID(second.id)
            )
            assert recalls == 1
            ended["accepted" if accepted.status_code == 200 else "recalled"] += 1
        assert len(ended) == 2, "both orders must have been tried"

    async def test_of_an_acceptance_with_all_else_that_can_happen_never_stands_still(self, world: World) -> None:
        """Amending, asking, declining, sending one more and accepting, all at once: no deadlock, no 500, one that holds."""
        chance = random.Random(4711)
        seen: Counter[tuple[str, int]] = Counter()
        for _ in range(60):
            offers = await ask(world, "iom", "ministry", "sentra")
            group = await group_of(world, offers[0])
            first, second, third = offers
            acts: dict[str, Any] = {
                "accept": lambda first=first: world.move(first, "accept", world.acceptance(), seen=1),
                "accept too": lambda second=second: world.move(second, "accept", world.acceptance(), seen=1),
                "amend": lambda first=first: world.move(first, "amend", seen=1),
                "amend another": lambda third=third: world.move(third, "amend", seen=1),
                "decline": lambda third=third: world.move(third, "decline", seen=1),
                "ask": lambda second=second: world.move(second, "request_info", seen=1),
                "send": lambda first=first, group=group: world.police.post(
                    "/v1/referrals", another(first, "shelter", group)
                ),
            }
            names = chance.sample(sorted(acts), len(acts))
            replies = dict(zip(names, await asyncio.gather(*(acts[name]() for name in names)), strict=True))
            for name, reply in replies.items():
                assert reply.status_code in (200, 201, 409, 412), (name, reply.text)
                seen[name, reply.status_code] += 1
            rows = await world.owner.fetch("SELECT * FROM referral WHERE offer_group = $1", UUID(group))
            accepted = [row for row in rows if row["accepted_at"] is not None]
            assert len(accepted) <= 1
            if accepted:
                left = [row["state"] for row in rows if row["accepted_at"] is None]
                assert set(left) <= {"recalled", "declined"}, left
            else:
                assert 200 not in (replies["accept"].status_code, replies["accept too"].status_code)
        assert seen["accept", 200] + seen["accept too", 200] > 10
        assert seen["send", 201] > 0


class Held:
    """For the block, another connection holds the case's row."""

    def __init__(self, world: World, case_id: str) -> None:
        self._world, self._case_id = world, UUID(case_id)

    async def __aenter__(self) -> Held:
        self._conn = await asyncpg.connect(self._world.exchange.addresses.owner)
        self._transaction = self._conn.transaction()
        await self._transaction.start()
        await self._conn.execute("SELECT FROM case_file WHERE id = $1 FOR NO KEY UPDATE", self._case_id)
        return self

    async def waited_for_by(self, count: int) -> None:
        async with asyncio.timeout(20):
            while count > await self._world.owner.fetchval(  # noqa: ASYNC110 -- another process's locks send no event
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ):
                await asyncio.sleep(0.005)

    async def __aexit__(self, *error: object) -> None:
        await self._transaction.rollback()
        await self._conn.close()


@pytest.mark.parametrize("by", ["sender", "receiver"])
async def test_an_offer_needs_no_group(world: World, by: str) -> None:
    sent = await world.send()
    who: Agency = getattr(sent, by)
    assert (await who.get(sent.path)).json()["offer_group"] is None

"""What is disclosed without consent is reviewed by one agency, in time: judged, put on another basis, or closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests.makers import records
from tests.makers.world import Agency, Passed, World

VITAL = {
    "kind": "vital_interest",
    "sections": ["identity", "safety", "needs"],
    "reason": "He was bleeding on the quay.",
}
WORDS = {"text": "He could not be asked."}


@pytest.fixture
async def reviewers(world: World) -> AsyncIterator[Agency]:
    """The agency that reviews."""
    await world.owner.execute("UPDATE agency SET reviewer = true WHERE code = 'lpsk'")
    await world.exchange.directory.refresh()
    yield world.lpsk
    await world.owner.execute("UPDATE agency SET reviewer = false WHERE reviewer")
    await world.exchange.directory.refresh()


async def vital(world: World, **more: Any) -> Passed:
    """An accepted referral on a vital interest, whose person has arrived."""
    return await world.in_progress(receiver="shelter", bases=[VITAL], **more)


async def queue(who: Agency, **filters: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    reply = await who.get(f"/v1/reviews?{query}")
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def path_of(who: Agency) -> str:
    (review,) = await queue(who)
    return f"/v1/reviews/{review['id']}"


async def sections(passed: Passed) -> list[str]:
    record = (await passed.receiver.get(passed.path)).json()["record"]
    return sorted(set(record or {}) - {"schema_version"})


async def rebased(passed: Passed, *bases: dict[str, Any], **options: Any) -> httpx.Response:
    options.setdefault("if_match", passed.version)
    reply = await passed.sender.post(f"{passed.path}/rebase", {"bases": list(bases)}, **options)
    if reply.status_code == 200:
        passed.version = reply.json()["version"]
    return reply


class TestTheQueue:
    async def test_has_every_basis_but_consent_the_one_due_first_first(self, world: World, reviewers: Agency) -> None:
        await world.send(sender="police", receiver="iom")
        sent = await vital(world)
        await world.consented()
        found = await queue(reviewers, state="waiting")
        assert [each["basis"] for each in found] == ["vital_interest", "legal_obligation"]
        first = found[0]
        assert (first["sender"]["code"], first["receiver"]["code"]) == ("police", "shelter")
        assert (first["subject"], first["subject_id"]) == ("referral", sent.id)
        assert first["sections"] == ["identity", "safety", "needs"]
        assert (found[1]["legal_basis"], found[1]["article"], found[1]["article_known"]) == (
            "uu-21-2007",
            "art. 51",
            True,
        )
        soon = (world.exchange.clock.now() + timedelta(days=4)).isoformat().replace("+00:00", "Z")
        assert [each["basis"] for each in await queue(reviewers, due_before=soon)] == ["vital_interest"]
        assert records.NAME not in str(found)
        assert "quay" not in str(found)

    async def test_goes_on_where_it_stopped(self, world: World, reviewers: Agency) -> None:
        for _ in range(3):
            await world.send(sender="police", receiver="iom")
        page = (await reviewers.get("/v1/reviews?limit=2")).json()
        rest = (await reviewers.get(page["next"])).json()
        assert len({each["id"] for each in page["items"] + rest["items"]}) == 3
        assert rest["next"] is None
        assert (await world.iom.get(page["next"])).status_code == 400

    async def test_is_the_reviewers_and_of_others_their_own(self, world: World, reviewers: Agency) -> None:
        await vital(world)
        path = await path_of(reviewers)
        assert len(await queue(world.police)) == len(await queue(world.shelter)) == 1
        for who in (world.stranger, world.iom, world.sentra):
            assert await queue(who) == []
            for reply in (await who.get(path), await who.post(f"{path}/justify", WORDS)):
                assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
        assert (await reviewers.get(f"/v1/reviews/{uuid4()}")).status_code == 404

    async def test_is_told_of_what_comes(self, world: World, reviewers: Agency) -> None:
        await world.exchange.settle()
        await world.send(bases=[VITAL])
        assert await world.told() == [("iom", "referral.sent"), ("lpsk", "review.opened")]

    async def test_is_the_desks_where_nobody_was_made_the_reviewer(self, world: World) -> None:
        await vital(world)
        await world.set_desk("ministry")
        try:
            assert len(await queue(world.ministry)) == 1
        finally:
            await world.set_desk(None)
        assert await queue(world.ministry) == []

    async def test_has_nothing_of_practice_agencies(self, world: World, reviewers: Agency) -> None:
        police, _ = await world.practice()
        await world.send(sender=police.code, receiver="practice-iom")
        assert await queue(reviewers) == []
        assert len(await queue(police)) == 1


class TestAReview:
    async def test_shows_reason_and_log_entry_to_the_reviewers_and_who_disclosed(
        self, world: World, reviewers: Agency
    ) -> None:
        sent = await vital(world)
        path = await path_of(reviewers)
        for who in (reviewers, world.police):
            found = (await who.get(path)).json()
            assert (found["reason"], found["disclosed_actor"]) == (VITAL["reason"], "officer-7")
            assert found["log_entry"] == sent.reply.json()["log_entry"]
        held = (await world.shelter.get(path)).json()
        assert (held["reason"], held["disclosed_actor"], held["ground"]) == (None, None, None)
        assert [row["agency_id"] for row in await world.log(action="review:read")] == [
            world.id_of(code) for code in ("lpsk", "police", "shelter")
        ]

    async def test_is_decided_once_by_the_reviewers_alone(self, world: World, reviewers: Agency) -> None:
        sent = await vital(world)
        path = await path_of(reviewers)
        for who in (world.police, world.shelter):
            reply = await who.post(f"{path}/justify", WORDS)
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/officer-only")
        await world.exchange.settle()
        first = await reviewers.post(f"{path}/justify", WORDS, idempotency_key="once")
        again = await reviewers.post(f"{path}/justify", WORDS, idempotency_key="once")
        assert (first.status_code, first.json()["state"], again.json()) == (200, "justified", first.json()), first.text
        assert await world.told() == [("police", "review.decided"), ("shelter", "review.decided")]
        second = await reviewers.post(f"{path}/find-unjustified", WORDS)
        assert (second.status_code, second.json()["state"]) == (409, "justified")
        assert (await world.police.get(path)).json()["ground"] == WORDS["text"]
        (basis,) = (await world.shelter.get(sent.path)).json()["disclosures"]
        assert basis["review"]["state"] == "justified"
        assert basis["access"] == "full"
        (entry,) = await world.log(action="review:decide")
        assert WORDS["text"] not in entry["detail"]

    async def test_of_ones_own_disclosure_is_another_persons(self, world: World, reviewers: Agency) -> None:
        await world.send(sender="lpsk", receiver="iom", bases=[VITAL])
        path = await path_of(reviewers)
        reply = await reviewers.post(f"{path}/justify", WORDS)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/another-reviewer-required")
        assert (await reviewers.post(f"{path}/justify", WORDS, actor="officer-8")).status_code == 200

    async def test_not_justified_locks_asks_to_erase_and_leaves_the_person_where_they_are(
        self, world: World, reviewers: Agency
    ) -> None:
        sent = await vital(world)
        path = await path_of(reviewers)
        await world.exchange.settle()
        reply = await reviewers.post(f"{path}/find-unjustified", WORDS)
        assert (reply.status_code, reply.json()["state"]) == (200, "not_justified"), reply.text
        assert await world.told() == [
            ("police", "review.decided"),
            ("shelter", "request.opened"),
            ("shelter", "review.decided"),
        ]
        found = (await world.shelter.get(sent.path)).json()
        assert (found["state"], found["disclosures"][0]["access"]) == ("in_progress", "locked")
        assert found["disclosures"][0]["locked_because"] == "not_justified"
        assert await sections(sent) == ["safety"]  # for a day
        world.exchange.later(hours=25)
        assert await sections(sent) == []
        (request,) = await world.requests(world.shelter)
        assert (request["kind"], request["cause"], request["asked_by"]["code"]) == (
            "erasure",
            "not_justified",
            "police",
        )
        basis = {
            "answer": "re_based",
            "bases": [records.legal_basis("safety")],
        }  # the holder does not overrule the reviewers
        refused = await world.shelter.post(f"/v1/requests/{request['id']}/answer", basis)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/nothing-to-rebase")

    async def test_of_what_nobody_has_accepted_asks_nobody(self, world: World, reviewers: Agency) -> None:
        sent = await world.send(receiver="shelter", bases=[VITAL])
        await reviewers.post(f"{await path_of(reviewers)}/find-unjustified", WORDS)
        assert await world.requests(world.shelter) == []
        assert (await world.shelter.get(sent.path)).json()["preview"]["needs"] == []
        await world.moved(sent, "accept")
        assert await sections(sent) == []

    @pytest.mark.parametrize(
        "wrong", [{}, {"text": ""}, {"text": 7}, {"text": "x" * 10_001}, {"text": "x", "more": 1}], ids=str
    )
    async def test_says_why(self, world: World, reviewers: Agency, wrong: dict[str, Any]) -> None:
        await vital(world)
        assert (await reviewers.post(f"{await path_of(reviewers)}/justify", wrong)).status_code == 422


class TestTheClock:
    async def test_reminds_and_then_closes_what_rests_on_a_vital_interest(
        self, world: World, reviewers: Agency
    ) -> None:
        sent = await vital(world)
        await world.exchange.settle()
        await world.owner.execute("TRUNCATE outbox; DELETE FROM event")
        await world.owner.execute("UPDATE referral SET due_at = NULL")  # its own clock is not looked at here
        world.exchange.later(hours=37)
        await world.exchange.worker.watch_reviews()
        assert await world.told() == [("lpsk", "review.due"), ("police", "review.due")]
        assert await sections(sent) == ["identity", "needs", "safety"]
        world.exchange.later(hours=35.1)
        assert await sections(sent) == []  # over, also while no worker looks
        await world.owner.execute("TRUNCATE outbox")
        await world.exchange.worker.watch_reviews()
        assert await world.told() == [
            ("lpsk", "review.overdue"),
            ("police", "review.overdue"),
            ("shelter", "request.opened"),
            ("shelter", "review.overdue"),
        ]
        assert await sections(sent) == ["safety"]  # whoever has him knows for another day what keeps him safe
        assert (await world.shelter.get(sent.path)).json()["state"] == "in_progress"
        assert await world.exchange.worker.watch_reviews() == 0
        (review,) = await queue(reviewers, state="closed")
        reply = await reviewers.post(f"/v1/reviews/{review['id']}/justify", WORDS)  # judged late, it stays closed
        assert reply.json()["state"] == "justified"
        world.exchange.later(hours=25)
        assert await sections(sent) == []

    async def test_lets_the_holder_go_on_by_law_and_not_on_another_vital_interest(self, world: World) -> None:
        sent = await vital(world)
        world.exchange.later(hours=73)
        await world.exchange.settle()
        (request,) = await world.requests(world.shelter)
        path = f"/v1/requests/{request['id']}/answer"
        refused = await world.shelter.post(path, {"answer": "re_based", "bases": [VITAL]})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/nothing-to-rebase")
        reply = await world.shelter.post(path, {"answer": "re_based", "bases": [records.legal_basis()]})
        assert reply.status_code == 200, reply.text
        assert await sections(sent) == ["identity", "needs", "safety"]

    async def test_waits_longer_where_the_reviewers_let_it(self, world: World, reviewers: Agency) -> None:
        sent = await vital(world)
        path = await path_of(reviewers)
        now = world.exchange.clock.now()
        for until in (now - timedelta(hours=1), now + timedelta(days=31), now + timedelta(hours=1)):
            reply = await reviewers.post(f"{path}/justify", {**WORDS, "until": until.isoformat()})
            assert reply.status_code == 422, until
        later = (now + timedelta(days=10)).isoformat()
        assert (await reviewers.post(f"{path}/justify", {**WORDS, "until": later})).status_code == 200
        world.exchange.later(days=9)
        await world.exchange.settle()
        assert await sections(sent) == ["identity", "needs", "safety"]
        world.exchange.later(days=1.1)
        await world.exchange.settle()
        assert (await world.shelter.get(sent.path)).json()["disclosures"][0]["locked_because"] == "review_lapsed"

    async def test_closes_at_the_deadline_what_was_right_only_then(self, world: World, reviewers: Agency) -> None:
        sent = await vital(world)
        await reviewers.post(f"{await path_of(reviewers)}/justify", WORDS)
        world.exchange.later(hours=73)
        await world.exchange.settle()
        (basis,) = (await world.shelter.get(sent.path)).json()["disclosures"]
        assert (basis["locked_because"], basis["review"]["state"]) == ("review_lapsed", "justified")

    async def test_keeps_asking_about_a_law_and_closes_nothing(self, world: World, reviewers: Agency) -> None:
        sent = await world.in_progress(receiver="shelter")
        await world.owner.execute("UPDATE referral SET due_at = NULL")
        for days in (31, 31):
            world.exchange.later(days=days)
            await world.exchange.settle()
        (review,) = await queue(reviewers)
        assert (review["state"], review["clock"]) == ("waiting", "overdue")
        assert await sections(sent) == ["identity", "needs", "safety"]
        told = await world.owner.fetch("SELECT type FROM event WHERE type LIKE 'review.%' ORDER BY position")
        assert [row["type"] for row in told] == ["review.opened", "review.overdue", "review.overdue"]

    async def test_does_not_wait_for_whoever_holds_the_case(self, world: World) -> None:
        sent = await vital(world)
        world.exchange.later(hours=73)
        conn = await asyncpg.connect(world.exchange.addresses.owner)
        try:
            async with conn.transaction():
                await conn.execute("SELECT FROM case_file WHERE id = $1 FOR UPDATE", UUID(sent.case_id))
                assert await asyncio.wait_for(world.exchange.worker.watch_reviews(), 5) == 0
        finally:
            await conn.close()
        assert await world.exchange.worker.watch_reviews() == 1


class TestAnotherBasis:
    async def test_takes_the_place_of_a_vital_interest(self, world: World, reviewers: Agency) -> None:
        sent = await vital(world)
        await world.exchange.settle()
        reply = await rebased(sent, records.legal_basis())
        assert reply.status_code == 200, reply.text
        assert await world.told() == [
            ("lpsk", "review.decided"),
            ("lpsk", "review.opened"),
            ("shelter", "review.decided"),
            ("shelter", "referral.rebased"),
        ]
        world.exchange.later(days=4)
        await world.exchange.settle()
        assert await sections(sent) == ["identity", "needs", "safety"]
        assert sorted(each["state"] for each in await queue(reviewers)) == ["re_based", "waiting"]
        history = (await world.shelter.get(sent.path)).json()["history"]
        assert [each["event"] for each in history][-1] == "rebase"

    async def test_may_take_a_part_and_the_rest_ends(self, world: World) -> None:
        sent = await vital(world)
        assert (await rebased(sent, records.legal_basis("needs"))).status_code == 200
        world.exchange.later(hours=73)
        await world.exchange.settle()
        world.exchange.later(hours=25)
        assert await sections(sent) == ["needs"]

    async def test_opens_again_what_was_locked_and_answers_the_request(self, world: World) -> None:
        sent = await vital(world)
        world.exchange.later(hours=73)
        await world.exchange.settle()
        given = records.consent(world.exchange.clock.now())
        consent = (await world.police.post(f"/v1/cases/{sent.case_id}/consents", given)).json()["id"]
        on = {"kind": "consent", "consent_id": consent, "sections": ["identity", "safety", "needs"]}
        reply = await rebased(sent, on)
        assert reply.status_code == 200, reply.text
        assert await sections(sent) == ["identity", "needs", "safety"]
        (request,) = await world.requests(world.shelter)
        assert (request["state"], request["answer"]) == ("answered", "re_based")

    async def test_carries_the_corrections_along(self, world: World) -> None:
        sent = await vital(world)
        identity = {**records.record()["identity"], "sex": "female"}
        corrected = await world.police.post(
            f"/v1/cases/{sent.case_id}/corrections",
            {"record": {"schema_version": "1.0", "identity": identity}, "reason": "Read wrongly."},
        )
        assert corrected.status_code == 201, corrected.text
        path = f"/v1/corrections/{corrected.json()['id']}"
        assert "identity" in (await world.shelter.get(path)).json()["record"]
        assert (await rebased(sent, records.legal_basis())).status_code == 200
        world.exchange.later(days=4)
        await world.exchange.settle()
        assert "identity" in (await world.shelter.get(path)).json()["record"]

    async def test_is_for_what_was_sent_by_its_sender_on_what_he_saw(self, world: World) -> None:
        sent = await vital(world)
        for who in (world.shelter, world.stranger):
            reply = await who.post(f"{sent.path}/rebase", {"bases": [records.legal_basis()]}, if_match=sent.version)
            assert reply.status_code == 404, who.code
        assert (await rebased(sent, records.legal_basis(), if_match=sent.version + 1)).status_code == 412
        assert (await rebased(sent, records.legal_basis(), if_match=None)).status_code == 428
        for basis in (VITAL, records.legal_basis("health")):
            reply = await rebased(sent, basis)
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase"), reply.text
        assert (await rebased(sent, {"kind": "consent", "sections": ["needs"]})).status_code == 422
        assert (await rebased(sent)).status_code == 422
        consented = await world.consented()
        reply = await rebased(consented, records.legal_basis())  # a consent that stands is not gone round
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase")

    async def test_of_a_transfer(self, world: World) -> None:
        sent = await world.accepted(kind="transfer", bases=[VITAL], receiver="ministry")
        assert (await rebased(sent, records.legal_basis())).status_code == 200
        world.exchange.later(hours=73)
        await world.exchange.settle()
        assert await sections(sent) == ["identity", "needs", "safety"]


class TestAtTheSameTime:
    async def test_one_of_judging_rebasing_and_withdrawing_comes_after_the_other(
        self, world: World, reviewers: Agency
    ) -> None:
        for _ in range(4):
            sent = await vital(world)
            review = (await queue(reviewers, state="waiting"))[0]
            given = records.consent(world.exchange.clock.now())
            consent = (await world.police.post(f"/v1/cases/{sent.case_id}/consents", given)).json()["id"]
            on = {"kind": "consent", "consent_id": consent, "sections": ["identity", "safety", "needs"]}
            withdrawal = {"requested_by": "person", "requested_at": world.exchange.clock.now().isoformat()}
            judged, moved, taken = await asyncio.gather(
                reviewers.post(f"/v1/reviews/{review['id']}/find-unjustified", WORDS),
                rebased(sent, on),
                world.police.post(f"/v1/cases/{sent.case_id}/consents/{consent}/withdraw", withdrawal),
            )
            assert taken.status_code == 200, taken.text
            assert judged.status_code in (200, 409), judged.text
            assert moved.status_code in (200, 403), moved.text
            assert set(await sections(sent)) <= {"safety"}, (judged.text, moved.text)
            open_now = await world.owner.fetchval(
                "SELECT count(*) FROM disclosure WHERE subject_id = $1 AND closed_at IS NULL AND locked_at IS NULL"
                " AND (until_at IS NULL OR until_at > $2)",
                UUID(sent.id),
                world.exchange.clock.now(),
            )
            # the vital interest stands where nobody found against it and nothing took its place
            assert open_now == (0 if judged.status_code == 200 or moved.status_code == 200 else 1)
            await world.owner.execute("DELETE FROM review")

"""Several reasons to lock the same sections: the strictest counts, and what lifts one lifts no other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from tests.app.exchange.test_consents import (
    CONSENTED,
    MIXED,
    act,
    another_system,
    doubt,
    give,
    locked,
    on,
    open_case,
    read,
    refer,
)
from tests.app.exchange.test_consents import refused as refused_of
from tests.app.exchange.test_reviews import WORDS, path_of, queue, rebased, reviewers, sections, vital
from tests.app.exchange.test_subject_requests import FULL, answer, asked
from tests.makers import cases, records
from tests.makers.world import Agency, Passed, World

__all__ = ["reviewers"]


async def grant(world: World, sent: Passed, kind: str, *names: str) -> None:
    """The person asks for it at the shelter, and the lead grants it."""
    path = await asked(world, world.shelter, sent.case_id, kind, sections=list(names))
    assert (await answer(world.police, path)).status_code == 200


class TestWhatThePersonAskedFor:
    async def test_outlasts_a_doubt_that_is_over(self, world: World) -> None:
        sent = await world.consented(*CONSENTED, **MIXED)
        consent, case = await world.consent_of(sent), sent.case_id
        await doubt(world, "police-system", world.exchange.clock.now() - timedelta(hours=1))
        await grant(world, sent, "restrict", "health")
        await grant(world, sent, "erase", "psychosocial")
        assert locked(await read(sent)) == {
            "safety": "consent_doubted",
            "health": "restricted",
            "psychosocial": "erasure_asked",
        }
        assert {each["cause"] for each in await world.requests(world.shelter)} == {
            "restriction_asked",
            "erasure_asked",
        }, "its holder is asked, although it was locked already"
        world.exchange.later(hours=1)
        reply = await act(world, case, consent, "reconfirm", await another_system(world, "police"))
        assert reply.status_code == 200, reply.text
        assert locked(await read(sent)) == {"health": "restricted", "psychosocial": "erasure_asked"}

    async def test_outlasts_the_bases_that_others_find(self, world: World, reviewers: Agency) -> None:
        """Neither the holder of what was withdrawn nor the sender of what is restricted opens it again by a law; the person can."""
        sent = await world.consented(*CONSENTED, **MIXED)
        assert (await world.withdraw(sent, "health", "psychosocial")).status_code == 200
        (withdrawn,) = await world.requests(world.shelter)
        await grant(world, sent, "restrict", "health", "safety", "narrative")
        by_law = {"answer": "re_based", "bases": [records.legal_basis("health")]}
        reply = await world.shelter.post(f"/v1/requests/{withdrawn['id']}/answer", by_law)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase"), reply.text
        for name in ("health", "safety", "narrative"):
            reply = await rebased(sent, records.legal_basis(name))
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase"), name
        assert (await rebased(sent, records.legal_basis("psychosocial"))).status_code == 200
        assert await sections(sent) == ["contact", "identity", "location", "needs", "psychosocial"]
        # an earlier consent does not speak of it, one given since does
        world.exchange.later(minutes=5)
        now = world.exchange.clock.now()
        early, late = [
            await give(
                world,
                sent.case_id,
                sections=("health",),
                agencies=["shelter", "sentra"],
                given_at=(now - timedelta(minutes=ago)).isoformat(),
            )
            for ago in (10, 1)
        ]
        assert refused_of(await rebased(sent, on(early, "health"))) == {"health": "restricted"}
        body = {**FULL, "bases": [on(early, "health"), records.legal_basis(*set(records.FULL_SECTIONS) - {"health"})]}
        again = await refer(world, sent.case_id, early, "sentra", **body)
        assert refused_of(again) == {"health": "restricted"}
        assert (await rebased(sent, on(late, "health"))).status_code == 200
        assert await sections(sent) == ["contact", "health", "identity", "location", "needs", "psychosocial"]
        assert "health" not in str(await queue(reviewers, state="waiting")), "a part that locks opens no second review"


class TestWideningWhatIsTakenBackAtThisMoment:
    async def test_waits_and_is_refused(self, world: World) -> None:
        case = await open_case(world)
        first = await give(world, case)
        async with world.owner.transaction():  # as a withdrawal does
            await world.owner.execute("SELECT FROM case_file WHERE id = $1 FOR NO KEY UPDATE", UUID(case))
            await world.owner.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", UUID(first))
            widening = asyncio.create_task(act(world, case, first, "widen"))
            await asyncio.sleep(0.5)
        reply = await widening
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/consent-over"), reply.text


class TestWhatTheReviewersDecided:
    async def test_is_not_undone_by_the_holder_of_what_had_lapsed(self, world: World, reviewers: Agency) -> None:
        sent = await vital(world)
        path = await path_of(reviewers)
        world.exchange.later(hours=73)
        await world.exchange.settle()
        (request,) = await world.requests(world.shelter)
        assert (await reviewers.post(f"{path}/find-unjustified", WORDS)).status_code == 200
        assert set(locked(await read(sent)).values()) == {"not_justified"}
        assert len(await world.requests(world.shelter)) == 1, "asked once is enough"
        by_law = {"answer": "re_based", "bases": [records.legal_basis("safety")]}
        reply = await world.shelter.post(f"/v1/requests/{request['id']}/answer", by_law)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase")
        assert (await rebased(sent, records.legal_basis())).status_code == 200, "the sender may, reviewed anew"

    async def test_of_a_part_is_asked_for_once(self, world: World, reviewers: Agency) -> None:
        """A restriction that splits what is under review opens no second review, and the first one ends in time."""
        sent = await vital(world)
        await grant(world, sent, "restrict", "identity")
        assert len(await queue(reviewers)) == 1
        world.exchange.later(hours=73)
        await world.exchange.settle()
        assert locked(await read(sent)) == {
            "identity": "restricted",
            "safety": "review_lapsed",
            "needs": "review_lapsed",
        }
        assert await queue(reviewers, state="waiting") == []


class TestAGuardianBarredMeanwhile:
    async def test_gets_no_answer_and_no_copy(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        case = await cases.case_of(world, sent.case_id)
        granted = await asked(world, world.shelter, sent.case_id, "copy", requester="guardian")
        assert (await answer(world.police, granted)).status_code == 200
        waiting = [
            await asked(world, world.shelter, sent.case_id, kind, requester="parent") for kind in ("copy", "erase")
        ]
        barred = {"suspect": True, "reason": "He took her passport."}
        assert (await world.police.post(f"{case.path}/guardian", barred)).status_code == 200
        for path in waiting:
            reply = await answer(world.police, path)
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/guardian-barred"), path
        copy = await world.police.get(f"{case.path}/export?request={granted.rpartition('/')[2]}")
        assert (copy.status_code, copy.json()["type"]) == (403, "/problems/nothing-granted")
        assert locked(await read(sent)) == {}
        no = {"answer": "refused", "refusal_ground": "endangers_safety_or_health", "text": "He is suspect."}
        assert (await answer(world.police, waiting[0], **no)).status_code == 200


class TestACorrectionMadeMeanwhile:
    async def test_arrives_with_what_is_opened_again(self, world: World) -> None:
        """Whether the holder finds a law or the sender does: nobody goes on reading what was put right while they could not."""
        for by_holder in (True, False):
            sent = await vital(world)
            world.exchange.later(hours=73)
            await world.exchange.settle()
            right = {"record": {"safety": {"must_know": "There are two of them."}}, "reason": "Two men."}
            assert (await world.police.post(f"/v1/cases/{sent.case_id}/corrections", right)).status_code == 201
            assert (await read(sent))["corrections"] == []
            if by_holder:
                (request,) = await world.requests(world.shelter)
                by_law = {"answer": "re_based", "bases": [records.legal_basis()]}
                reply = await world.shelter.post(f"/v1/requests/{request['id']}/answer", by_law)
            else:
                reply = await rebased(sent, records.legal_basis())
            assert reply.status_code == 200, reply.text
            (corrected,) = (await read(sent))["corrections"]
            assert corrected["sections"] == ["safety"], by_holder
            assert "two of them" in (await world.shelter.get(f"/v1/corrections/{corrected['id']}")).text
            assert (await world.stranger.get(f"/v1/corrections/{corrected['id']}")).status_code == 404

"""Faults that systems of this kind were reported for, one class each, and what happens here instead."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.app.log.test_every_act_is_logged import everything, torn
from tests.makers import cases, records
from tests.makers.world import World


class TestAStaleRevoke:
    """A share was revoked from an old page after it had been accepted: each side then held another truth about who owned the case."""

    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_changes_nothing_and_is_told_the_truth(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind, receiver="ministry")
        seen = sent.version
        await world.moved(sent, "accept")
        reply = await world.move(sent, "recall", seen=seen)
        assert (reply.status_code, reply.json()["state"], reply.json()["version"]) == (409, "accepted", sent.version)
        for who in (sent.sender, sent.receiver):
            assert (await who.get(sent.path)).json()["state"] == "accepted"


class TestTheSameCaseOfferedTwice:
    """A case was offered to two agencies on different terms, both accepted, and both believed that they led it."""

    async def test_is_refused_while_the_first_offer_is_open(self, world: World) -> None:
        first = await world.send(kind="transfer", receiver="ministry")
        again = records.transfer("iom", case=None, case_id=first.case_id, urgency="urgent")
        reply = await world.police.post("/v1/transfers", again)
        assert (reply.status_code, reply.json()["transfer_id"]) == (409, first.id)

    async def test_to_several_at_once_is_accepted_by_one(self, world: World) -> None:
        group = str(uuid4())
        first = await world.send(receiver="iom", offer_group=group)
        second = await world.send(receiver="lpsk", case_id=first.case_id, offer_group=group)
        replies = await asyncio.gather(world.move(first, "accept"), world.move(second, "accept"))
        assert sorted(reply.status_code for reply in replies) == [200, 409]
        assert sorted([(await world.row(p))["state"] for p in (first, second)]) == ["accepted", "recalled"]


class TestAnEditOfAChild:
    """Saving something that hung on a case, a note or a service, wrote the saver's agency into the case as its owner."""

    async def test_never_moves_the_lead(self, world: World) -> None:
        held = await world.in_progress(receiver="iom")
        await world.moved(held, "record_service", "note", "amend", "hold", "resume")
        assert await world.lead_of(held.case_id) == "police"


class TestAHandbackThatBreaksHalfway:
    """A crash in the middle of giving a case back left it with no owner, or with two."""

    async def test_has_not_happened(self, world: World) -> None:
        handed = await world.handed_over(sender="police", receiver="ministry")
        back = await world.accepted(kind="transfer", sender="ministry", receiver="police", case_id=handed.case_id)
        before = await everything(world)
        async with torn(world, "transfer:confirm_handover"):
            assert (await world.move(back, "confirm_handover")).status_code == 500
        assert await everything(world) == before
        assert await world.lead_of(handed.case_id) == "ministry"
        await world.moved(back, "confirm_handover")
        assert await world.lead_of(handed.case_id) == "police"


class TestAReturn:
    """A case could be returned to where it came from without that agency's agreement: nobody there knew that it was theirs again."""

    async def test_is_a_transfer_that_the_other_accepts(self, world: World) -> None:
        handed = await world.handed_over(sender="police", receiver="ministry")
        back = await world.send(kind="transfer", sender="ministry", receiver="police", case_id=handed.case_id)
        assert (await world.move(back, "confirm_handover")).status_code == 409
        assert await world.lead_of(handed.case_id) == "ministry"


class TestAnOldLeadOnAnOldPage:
    """Whoever had the case open on the screen went on editing it after it had been handed over."""

    async def test_changes_nothing(self, world: World) -> None:
        sent = await world.send(receiver="iom")
        case = await cases.case_of(world, sent.case_id)
        await world.handed_over(sender="police", receiver="ministry", case_id=sent.case_id)
        before = await world.row(sent)
        for event in ("recall", "amend"):
            assert (await world.move(sent, event, by=world.police)).status_code == 404
        assert (await cases.move(world, case, "close", by=world.police)).status_code == 409
        assert await world.row(sent) == before
        assert (await cases.row_of(world, case))["state"] == "open"


class TestARejection:
    """A rejected referral simply vanished from a list; the sender waited on, believing that the person was expected."""

    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_is_told_to_the_sender_with_its_reason(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind, sender="lpsk", receiver="ministry")
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(sent, "decline")
        assert ("lpsk", f"{kind}.declined") in await world.told()
        assert (await world.lpsk.get(sent.path)).json()["state"] == "declined"


class TestAnUnknownAnswer:
    """An answer that the receiving system did not know was stored as "accepted"."""

    @pytest.mark.parametrize("event", ["accepted", "yes", "approve", "ACCEPT"])
    async def test_is_no_acceptance(self, world: World, event: str) -> None:
        sent = await world.send()
        reply = await world.iom.post(f"{sent.path}/{event}", {}, if_match=sent.version)
        assert reply.status_code == 404
        assert (await world.row(sent))["state"] == "sent"

    async def test_is_no_reason_to_decline(self, world: World) -> None:
        sent = await world.send()
        assert (await world.move(sent, "decline", {"reason": "perhaps"})).status_code == 422
        assert (await world.row(sent))["state"] == "sent"


class TestAPreview:
    """What was shown for deciding held the name and the story of somebody who was then turned away."""

    async def test_shows_no_name_no_place_no_story(self, world: World) -> None:
        sent = await world.send(
            receiver="iom",
            record=records.full_record(),
            purpose="social_rehabilitation",
            bases=[records.legal_basis(*records.FULL_SECTIONS)],
        )
        shown = (await world.iom.get(sent.path)).text
        for secret in (records.NAME, records.SECRET_PLACE, records.SECRET_STORY):
            assert secret not in shown


class TestAWithdrawal:
    """The check that every act needs a valid consent also stood before the act that takes the consent back."""

    async def test_needs_no_consent(self, world: World) -> None:
        sent = await world.consented(consent=records.consent(world.exchange.clock.now()))
        assert (await world.withdraw(sent, "safety")).status_code == 200
        assert (await world.withdraw(sent)).status_code == 200
        assert (await world.move(sent, "start")).status_code == 200, "the person keeps the bed"


class TestTheOldOwnersList:
    """Lists were kept by who had made a thing; after a handover the old owner went on finding what was sent later."""

    async def test_holds_nothing_that_is_the_new_leads(self, world: World) -> None:
        sent = await world.send(receiver="iom")
        await world.handed_over(sender="police", receiver="ministry", case_id=sent.case_id)
        later = await world.send(sender="ministry", receiver="lpsk", case_id=sent.case_id)
        for who, expected in ((world.police, set()), (world.ministry, {sent.id, later.id})):
            listed = (await who.get("/v1/referrals?role=sender")).json()["items"]
            assert {each["id"] for each in listed} == expected


class TestAnIllegalMove:
    """A move that the state did not allow was ignored, and answered with a 200."""

    async def test_is_an_error_that_says_what_is_possible(self, world: World) -> None:
        sent = await world.send()
        reply = await world.move(sent, "complete")
        assert (reply.status_code, reply.json()["state"]) == (409, "sent")
        assert "accept" in reply.json()["moves"]
        assert len(await world.refusals()) == 1


class TestAnExpiry:
    """An invitation ran out without a word: the sender thought that it still stood, the receiver that it was never meant."""

    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_is_told_to_both(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind, receiver="ministry")
        await world.past_the_deadline()
        await world.exchange.settle()
        assert (await world.row(sent))["state"] == "expired"
        for who in (sent.sender, sent.receiver):
            events = (await who.get("/v1/events")).json()["items"]
            assert [each["type"] for each in events].count(f"{kind}.expired") == 1

    async def test_is_not_for_who_needs_help_at_once(self, world: World) -> None:
        sent = await world.send(urgency="immediate")
        for _ in range(3):
            world.exchange.later(days=2)
            await world.exchange.settle()
        await world.moved(sent, "accept")

"""Whoever answers for a case sees who else was asked about the person and how that stands; what was told stays with those it was told to."""

from __future__ import annotations

from tests.makers import records
from tests.makers.world import Passed, World


async def onward(world: World) -> Passed:
    """A referral that IOM, holding one of the police's case, sends on to LPSK, and that is accepted."""
    held = await world.accepted(bases=[records.legal_basis(onward=True)])
    sent = await world.send(
        sender="iom",
        receiver="lpsk",
        case_id=held.case_id,
        purpose="legal_assistance",
        record=records.record(needs=("restitution",)),
    )
    reply = await world.move(sent, "accept", world.acceptance(meeting_point="At the harbour office"))
    assert reply.status_code == 200, reply.text
    return sent


class TestTheLead:
    async def test_lists_the_referrals_others_sent_of_its_case(self, world: World) -> None:
        sent = await onward(world)
        reply = await world.police.get(f"/v1/referrals?role=lead&case_id={sent.case_id}")
        assert [item["receiver"]["code"] for item in reply.json()["items"]] == ["lpsk", "iom"]
        assert all(item["moves"] == [] for item in reply.json()["items"] if item["receiver"]["code"] == "lpsk")

    async def test_reads_how_one_stands_and_nothing_of_the_person(self, world: World) -> None:
        sent = await onward(world)
        reply = await world.police.get(sent.path)
        assert reply.status_code == 200
        read = reply.json()
        assert read["state"] == "accepted"
        assert (read["record"], read["preview"], read["disclosures"]) == (None, None, [])
        assert records.NAME not in reply.text

    async def test_is_told_and_can_fetch_what_it_is_told_of(self, world: World) -> None:
        sent = await onward(world)
        await world.exchange.settle()
        events = (await world.police.get("/v1/events")).json()["items"]
        (told,) = [event for event in events if event["subject_id"] == sent.id]
        assert told["type"] == "referral.accepted"
        assert (await world.police.get(f"/v1/referrals/{told['subject_id']}")).status_code == 200

    async def test_cannot_make_a_move_of_theirs(self, world: World) -> None:
        sent = await onward(world)
        for event, body in (("start", {}), ("recall", {"reason": "Not ours to take back."})):
            reply = await world.police.post(f"{sent.path}/{event}", body, if_match=sent.version)
            assert reply.status_code == 409
            assert reply.json()["moves"] == []

    async def test_names_the_case(self, world: World) -> None:
        assert (await world.police.get("/v1/referrals?role=lead")).status_code == 422


class TestOthers:
    async def test_see_nothing_by_asking_as_the_lead(self, world: World) -> None:
        sent = await onward(world)
        for agency in (world.iom, world.stranger):
            reply = await agency.get(f"/v1/referrals?role=lead&case_id={sent.case_id}")
            assert reply.json()["items"] == []

    async def test_who_led_it_before_sees_them_no_longer(self, world: World) -> None:
        sent = await onward(world)
        offered = await world.accepted(sender="police", receiver="ministry", kind="transfer", case_id=sent.case_id)
        assert (await world.move(offered, "confirm-handover", {"paper": "not_used"})).status_code == 200
        assert (await world.police.get(sent.path)).status_code == 404
        assert (await world.ministry.get(sent.path)).status_code == 200

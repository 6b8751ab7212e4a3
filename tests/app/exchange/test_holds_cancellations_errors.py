"""Pausing, asking to end, and taking out what should never have been sent; and the papers of a handover."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.makers import records
from tests.makers.world import Agency, Passed, World


async def read(passed: Passed, who: Agency | None = None) -> dict[str, Any]:
    reply = await (who or passed.receiver).get(passed.path)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def left(world: World, passed: Passed) -> timedelta:
    """How long until the present state should have ended."""
    row = await world.row(passed)
    within: timedelta = row["deadline_at"] - world.exchange.clock.now()
    return within


def about(found: timedelta, **expected: float) -> bool:
    return abs(found - timedelta(**expected)) < timedelta(minutes=1)


class TestAHold:
    async def test_pauses_until_its_review(self, world: World) -> None:
        held = await world.moved(await world.in_progress(), "hold")
        for who in (world.police, world.iom):
            found = await read(held, who)
            assert (found["state"], found["clock"]) == ("on_hold", "ok")
            assert found["deadline"] == found["review_at"] is not None
        assert about(await left(world, held), days=7)
        assert about((await world.row(held))["due_at"] - world.exchange.clock.now(), days=3.5)
        assert (await world.stranger.get(held.path)).status_code == 404

    @pytest.mark.parametrize(
        ("days", "status"), [(-1, 422), (0, 422), (0.01, 200), (29.9, 200), (30.1, 422), (4000, 422)]
    )
    async def test_is_reviewed_within_a_month(self, world: World, days: float, status: int) -> None:
        passed = await world.in_progress()
        before = await world.row(passed)
        at = (world.exchange.clock.now() + timedelta(days=days)).isoformat()
        reply = await world.move(passed, "hold", {"reason": "In hospital.", "review_at": at})
        assert reply.status_code == status, reply.text
        if status == 422:
            assert reply.json()["errors"] == [{"pointer": "/review_at", "code": "outside_the_limit"}]
            assert await world.row(passed) == before

    async def test_ends_by_resuming_and_the_time_begins_anew(self, world: World) -> None:
        held = await world.moved(await world.in_progress(), "hold")
        world.exchange.later(days=5)
        await world.exchange.settle()
        assert (await world.row(held))["clock"] == "due"
        await world.moved(held, "resume")
        found = await read(held)
        assert (found["state"], found["clock"], found["review_at"]) == ("in_progress", "ok", None)
        assert about(await left(world, held), days=30)
        assert (await world.row(held))["clock_step"] == 0

    async def test_tells_the_sender_that_it_pauses_and_goes_on(self, world: World) -> None:
        passed = await world.in_progress(sender="iom", receiver="shelter")
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(passed, "hold", "resume")
        assert await world.told() == [("iom", "referral.on_hold"), ("iom", "referral.resumed")]
        assert "In hospital." in (await world.iom.get(passed.path)).text

    async def test_is_not_told_why_to_who_learns_the_state_only(self, world: World) -> None:
        held = await world.moved(await world.in_progress(), "hold")
        assert "In hospital." not in (await world.police.get(held.path)).text

    async def test_allows_completing_failing_and_cancelling(self, world: World) -> None:
        for event, state in (
            ("complete", "completed"),
            ("fail", "not_completed"),
            ("request_cancel", "cancel_requested"),
        ):
            held = await world.moved(await world.in_progress(), "hold", event)
            assert (await world.row(held))["state"] == state

    async def test_takes_no_service_while_it_lasts(self, world: World) -> None:
        held = await world.moved(await world.in_progress(), "hold")
        assert (await world.move(held, "record_service")).status_code == 409

    async def test_may_be_made_again(self, world: World) -> None:
        held = await world.moved(await world.in_progress(), "hold", "resume")
        world.exchange.later(days=1)
        await world.moved(held, "hold")
        assert about(await left(world, held), days=7)


BEFORE = {"accepted": (), "in_progress": ("start",), "on_hold": ("start", "hold")}
each_state = pytest.mark.parametrize("state", BEFORE)


@each_state
class TestAskingToCancel:
    async def ask(self, world: World, state: str, **more: Any) -> Passed:
        passed = await world.moved(await world.accepted(**more), *BEFORE[state])
        self.deadline = (await world.row(passed))["deadline_at"]
        world.exchange.later(hours=1)
        return await world.moved(passed, "request_cancel")

    async def test_leaves_the_decision_to_the_receiver_for_three_days(self, world: World, state: str) -> None:
        asked = await self.ask(world, state)
        assert about(await left(world, asked), days=3)
        assert (await read(asked))["moves"] == ["confirm_cancel", "refuse_cancel", "complete", "note"]
        assert (await read(asked, world.police))["moves"] == ["report_error", "amend", "note"]
        assert (await read(asked))["record"] is not None, "whoever has the person still reads what it needs"
        assert ("iom", "referral.cancel_requested") in await world.told()

    async def test_ends_it_once_confirmed(self, world: World, state: str) -> None:
        asked = await self.ask(world, state)
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(asked, "confirm_cancel")
        found = await read(asked)
        assert (found["state"], found["record"], found["moves"], found["deadline"]) == ("cancelled", None, [], None)
        assert {each["access"] for each in found["disclosures"]} == {"closed"}
        assert (await read(asked, world.police))["record"] is not None, "its own"
        assert await world.told() == [("police", "referral.cancelled")]

    async def test_refused_goes_back_to_where_it_was(self, world: World, state: str) -> None:
        asked = await self.ask(world, state)
        await world.owner.execute("TRUNCATE outbox")
        reply = await world.move(asked, "refuse_cancel")
        assert (reply.status_code, reply.json()["state"]) == (200, state), reply.text
        row = await world.row(asked)
        assert (row["state"], row["state_before"], row["clock"], row["clock_step"]) == (state, None, "ok", 0)
        assert reply.json()["moves"] == (await read(asked))["moves"]
        assert "refuse_cancel" not in reply.json()["moves"]
        expected = {"accepted": {"days": 7}, "in_progress": {"days": 30}}.get(state)
        if expected:
            assert about(await left(world, asked), **expected)
        else:
            assert row["deadline_at"] == row["review_at"] == self.deadline, "the review stays where it was"
        assert await world.told() == [("police", "referral.cancel_refused")]

    async def test_refused_may_be_asked_again(self, world: World, state: str) -> None:
        asked = await world.moved(await self.ask(world, state), "refuse_cancel", "request_cancel")
        assert (await world.row(asked))["state_before"] == state
        await world.moved(asked, "refuse_cancel")
        assert (await world.row(asked))["state"] == state

    async def test_is_answered_by_completing_too(self, world: World, state: str) -> None:
        asked = await world.moved(await self.ask(world, state), "complete")
        assert (await read(asked))["state"] == "completed"

    async def test_survives_an_amendment_and_a_note(self, world: World, state: str) -> None:
        asked = await world.moved(await self.ask(world, state), "amend", "note", "refuse_cancel")
        assert (await world.row(asked))["state"] == state

    async def test_says_why_to_the_receiver_and_why_not_to_a_helper(self, world: World, state: str) -> None:
        asked = await self.ask(world, state, sender="ministry", receiver="shelter")
        assert "His brother has come" in (await world.shelter.get(asked.path)).text
        await world.moved(asked, "refuse_cancel")
        assert "He wishes to stay." in (await world.ministry.get(asked.path)).text
        assert (await world.stranger.get(asked.path)).status_code == 404

    async def test_goes_with_the_case_to_a_new_lead(self, world: World, state: str) -> None:
        asked = await self.ask(world, state)
        handed = await world.send(kind="transfer", receiver="ministry", case_id=asked.case_id)
        await world.moved(handed, "accept", "confirm_handover")
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(asked, "refuse_cancel")
        assert await world.told() == [("ministry", "referral.cancel_refused")]
        assert (await world.row(asked))["state"] == state


KINDS = ("referral", "transfer")
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
class TestEnteredInError:
    @pytest.mark.parametrize("before", [(), ("acknowledge",), ("request_info",)], ids=str)
    async def test_before_acceptance_the_sender_takes_it_out_alone(
        self, world: World, kind: str, before: tuple[str, ...]
    ) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), *before)
        assert "enter_in_error" in (await read(sent, world.police))["moves"]
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(sent, "enter_in_error")
        await self.locked(world, sent)
        assert await world.told() == [("ministry", f"{kind}.entered_in_error")]

    async def locked(self, world: World, passed: Passed) -> None:
        found = await read(passed)
        assert (found["state"], found["moves"], found["deadline"], found["clock"]) == (
            "entered_in_error",
            [],
            None,
            "ok",
        )
        assert (found["record"], found["preview"]) == (None, None)
        assert found["withheld"] == ["identity", "safety", "needs"]
        assert {each["access"] for each in found["disclosures"]} == {"locked"}
        assert records.NAME not in str(found)
        own = await read(passed, world.police)
        assert own["record"] is not None
        assert {each["access"] for each in own["disclosures"]} == {"locked"}
        assert (await world.stranger.get(passed.path)).status_code == 404

    async def test_after_acceptance_the_sender_cannot_alone(self, world: World, kind: str) -> None:
        accepted = await world.accepted(kind=kind, receiver="ministry")
        reply = await world.move(accepted, "enter_in_error")
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/move-not-allowed")
        assert "report_error" in reply.json()["moves"]
        assert (await read(accepted))["record"] is not None

    async def test_after_acceptance_the_sender_reports_and_the_receiver_confirms(self, world: World, kind: str) -> None:
        accepted = await world.accepted(kind=kind, receiver="ministry")
        assert "confirm_error" not in (await read(accepted))["moves"]
        early = await world.move(accepted, "confirm_error")
        assert (early.status_code, "confirm_error" in early.json()["moves"]) == (409, False)

        await world.owner.execute("TRUNCATE outbox")
        reported = await world.move(accepted, "report_error")
        assert (reported.status_code, reported.json()["state"]) == (200, "accepted"), reported.text
        assert "confirm_error" not in reported.json()["moves"]
        found = await read(accepted)
        assert "confirm_error" in found["moves"]
        assert found["error_reported_at"] is not None
        assert found["record"] is not None, "the receiver looks before it confirms"
        assert "Another person's record." in str(found["history"])
        assert await world.told() == [("ministry", f"{kind}.error_reported")]

        await world.owner.execute("TRUNCATE outbox")
        await world.moved(accepted, "confirm_error")
        await self.locked(world, accepted)
        assert await world.told() == [("police", f"{kind}.entered_in_error")]

    async def test_reported_does_not_stop_the_work(self, world: World, kind: str) -> None:
        accepted = await world.moved(await world.accepted(kind=kind, receiver="ministry"), "report_error")
        await world.moved(accepted, {"referral": "start", "transfer": "confirm_handover"}[kind])

    async def test_reported_twice_is_still_confirmed_once(self, world: World, kind: str) -> None:
        accepted = await world.accepted(kind=kind, receiver="ministry")
        await world.moved(accepted, "report_error", "report_error", "confirm_error")
        assert (await world.move(accepted, "confirm_error")).status_code == 409

    async def test_needs_a_reason_of_its_sender(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind, receiver="ministry")
        for body in ({}, {"reason": ""}, {"reason": None}):
            assert (await world.move(sent, "enter_in_error", body or {"channel": "system"})).status_code == 422
        assert (await world.row(sent))["state"] in ("sent", "offered")

    async def test_locks_the_words_that_went_with_it(self, world: World, kind: str) -> None:
        accepted = await world.accepted(kind=kind, receiver="ministry")
        words = {"text": "Her sister lives in Tual.", "section": "safety"}
        await world.move(accepted, "note", words, by=world.police)
        await world.move(accepted, "note", {**words, "basis": records.legal_basis("safety")}, by=world.police)
        await world.moved(accepted, "report_error", "confirm_error")
        assert "Tual" not in (await world.ministry.get(accepted.path)).text

    async def test_leaves_the_sender_free_to_send_the_right_one(self, world: World, kind: str) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), "enter_in_error")
        assert (await world.send(kind=kind, receiver="ministry", case_id=sent.case_id)).case_id == sent.case_id


class TestAnErrorOfEveryAcceptedState:
    @pytest.mark.parametrize("state", [*BEFORE, "cancel_requested"])
    async def test_is_confirmed_and_locks(self, world: World, state: str) -> None:
        before = {**BEFORE, "cancel_requested": ("start", "request_cancel")}[state]
        passed = await world.moved(await world.accepted(), *before, "report_error")
        assert (await world.row(passed))["state"] == state
        await world.moved(passed, "confirm_error")
        assert (await read(passed))["record"] is None

    async def test_tells_the_lead_where_another_sent_it(self, world: World) -> None:
        held = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        onward = await world.accepted(sender="iom", receiver="lpsk", case_id=held.case_id)
        await world.moved(onward, "report_error")
        await world.owner.execute("TRUNCATE outbox")
        await world.moved(onward, "confirm_error")
        assert await world.told() == [("iom", "referral.entered_in_error"), ("police", "referral.entered_in_error")]

    async def test_on_an_old_version_is_stale(self, world: World) -> None:
        """Something was recorded between the sender's look and its report: it looks again first."""
        passed = await world.accepted()
        await world.moved(passed, "start")
        reply = await world.move(passed, "report_error", seen=passed.version - 1)
        assert (reply.status_code, reply.json()["state"]) == (412, "in_progress")


class TestAnAbort:
    @pytest.mark.parametrize("by", ["sender", "receiver"])
    async def test_of_either_leaves_the_lead_and_closes_the_record(self, world: World, by: str) -> None:
        partner = await world.accepted(sender="police", receiver="lpsk")
        offered = await world.send(kind="transfer", receiver="ministry", case_id=partner.case_id, tasks=["Call Tual."])
        await world.moved(offered, "accept")
        await world.owner.execute("TRUNCATE outbox")
        who, other = (world.police, "ministry") if by == "sender" else (world.ministry, "police")
        reply = await world.move(offered, "abort", by=who)
        assert (reply.status_code, reply.json()["state"], reply.json()["moves"]) == (200, "aborted", [])
        assert await world.lead_of(offered.case_id) == "police"
        found = await read(offered)
        assert (found["record"], found["handover"], found["deadline"]) == (None, None, None)
        assert "Call Tual." not in str(found)
        assert {each["access"] for each in found["disclosures"]} == {"locked"}
        asked = [("ministry", "request.opened")]  # to erase what it has read, also where it has aborted itself
        assert sorted(await world.told()) == sorted(
            [("lpsk", "case.lead_unchanged"), (other, "transfer.aborted"), *asked]
        )
        assert (await world.row(partner))["sender_id"] == world.ids["police"]

    async def test_lets_the_case_be_offered_again(self, world: World) -> None:
        aborted = await world.moved(await world.accepted(kind="transfer", receiver="ministry"), "abort")
        again = await world.send(kind="transfer", receiver="ministry", case_id=aborted.case_id, replaces=aborted.id)
        await world.moved(again, "accept", "confirm_handover")
        assert await world.lead_of(again.case_id) == "ministry"

    async def test_is_not_for_what_is_not_accepted_or_is_over(self, world: World) -> None:
        offered = await world.send(kind="transfer", receiver="ministry")
        for who in (world.police, world.ministry):
            assert (await world.move(offered, "abort", by=who)).status_code == 409
        await world.moved(offered, "accept", "confirm_handover")
        for who in (world.police, world.ministry):
            assert (await world.move(offered, "abort", by=who)).status_code == 409
        assert (await world.move(offered, "abort", by=world.stranger)).status_code == 404
        assert await world.lead_of(offered.case_id) == "ministry"


class TestAPaper:
    async def pending(self, world: World, **more: Any) -> Passed:
        accepted = await world.accepted(kind="transfer", receiver="ministry")
        reply = await world.move(accepted, "confirm_handover", {"paper": "pending", **more})
        assert reply.status_code == 200, reply.text
        return accepted

    async def test_that_is_pending_is_due_in_a_week(self, world: World) -> None:
        handed = await self.pending(world)
        found = await read(handed)
        assert (found["state"], found["paper"], found["moves"]) == ("completed", "pending", ["handover_paper"])
        assert found["deadline"] == found["paper_due_at"]
        assert about(await left(world, handed), days=7)
        assert (await read(handed, world.police))["moves"] == []

    async def test_is_supplied_once_and_ends_the_wait(self, world: World) -> None:
        handed = await self.pending(world)
        world.exchange.later(days=6)
        await world.exchange.settle()
        assert (await world.row(handed))["clock"] == "due"
        await world.moved(handed, "handover_paper")
        for who in (world.police, world.ministry):
            found = await read(handed, who)
            assert (found["paper"], found["deadline"], found["clock"], found["moves"]) == ("issued", None, "ok", [])
            assert (found["paper_number"], found["paper_date"]) == (
                "BAST-17/2026",
                world.exchange.clock.now().date().isoformat(),
            )
        assert (await world.row(handed))["due_at"] is None
        assert await world.told() == [("police", "transfer.handover_paper")]
        reply = await world.move(handed, "handover_paper")
        assert (reply.status_code, reply.json()["moves"]) == (409, [])

    async def test_is_the_receivers_to_supply(self, world: World) -> None:
        handed = await self.pending(world)
        assert (await world.move(handed, "handover_paper", by=world.police)).status_code == 409
        assert (await world.move(handed, "handover_paper", by=world.stranger)).status_code == 404

    async def test_needs_number_and_date(self, world: World) -> None:
        handed = await self.pending(world)
        for body in ({"number": "BAST-1"}, {"date": "2026-01-05"}, {"number": "", "date": "2026-01-05"}):
            assert (await world.move(handed, "handover_paper", body)).status_code == 422

    @pytest.mark.parametrize(
        "paper", [{"paper": "not_used"}, {"paper": "issued", "number": "B-1", "date": "2026-01-05"}]
    )
    async def test_that_is_not_pending_is_not_supplied(self, world: World, paper: dict[str, Any]) -> None:
        accepted = await world.accepted(kind="transfer", receiver="ministry")
        reply = await world.move(accepted, "confirm_handover", paper)
        assert reply.json()["moves"] == []
        for who in (world.police, world.ministry):
            found = await read(accepted, who)
            assert found["deadline"] is None
            assert (found["paper_number"], found["paper_date"]) == (paper.get("number"), paper.get("date"))
        assert (await world.move(accepted, "handover_paper")).status_code == 409

    async def test_has_the_due_date_that_was_agreed(self, world: World) -> None:
        due = world.exchange.clock.now() + timedelta(days=21)
        handed = await self.pending(world, due=due.isoformat())
        assert about(await left(world, handed), days=21)
        assert about((await world.row(handed))["due_at"] - world.exchange.clock.now(), days=10.5)

    async def test_may_be_supplied_after_the_case_has_moved_on(self, world: World) -> None:
        handed = await self.pending(world)
        await world.handed_over(sender="ministry", receiver="sentra", case_id=handed.case_id)
        await world.moved(handed, "handover_paper")
        assert (await read(handed))["paper"] == "issued"

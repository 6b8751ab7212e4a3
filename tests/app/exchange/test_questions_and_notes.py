"""Asking, answering and writing: what pauses the deadline, and who may read which words when."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.makers import records
from tests.makers.world import Agency, Passed, World

HOUR = timedelta(hours=1)
WORDS = "He takes Rifampicin, his brother told us on the quay."
"""What must be found nowhere but where it was written to."""


async def read(passed: Passed, who: Agency | None = None) -> dict[str, Any]:
    reply = await (who or passed.receiver).get(passed.path)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def texts(passed: Passed, who: Agency, event: str = "note") -> list[str | None]:
    """What somebody reads with each such move, oldest first."""
    return [move["text"] for move in (await read(passed, who))["history"] if move["event"] == event]


def answer(section: str = "needs", **basis: Any) -> dict[str, Any]:
    """An answer in words, with a basis of its own."""
    return {"text": WORDS, "section": section, "basis": records.legal_basis(section, **basis)}


async def respond_by(world: World, passed: Passed) -> datetime:
    at: datetime = (await world.row(passed))["respond_by"]
    return at


@pytest.mark.parametrize("kind", ["referral", "transfer"])
class TestAQuestion:
    async def test_is_put_to_the_sender_and_read_by_both(self, world: World, kind: str) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), "acknowledge", "request_info")
        assert await texts(sent, world.police, "request_info") == ["Does he need an interpreter?"]
        assert await texts(sent, world.ministry, "request_info") == ["Does he need an interpreter?"]
        assert (await world.stranger.get(sent.path)).status_code == 404
        assert (await read(sent, world.police))["state"] == "info_requested"
        assert ("police", f"{kind}.info_requested") in await world.told()

    async def test_lets_the_receiver_decide_without_an_answer(self, world: World, kind: str) -> None:
        for event, state in (("accept", "accepted"), ("decline", "declined")):
            sent = await world.moved(await world.send(kind=kind, receiver="ministry"), "request_info", event)
            assert (await read(sent))["state"] == state

    async def test_is_not_put_twice_before_the_answer(self, world: World, kind: str) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), "request_info")
        reply = await world.move(sent, "request_info")
        assert (reply.status_code, reply.json()["event"]) == (409, "request_info")

    async def test_is_answered_by_words_that_name_section_and_basis(self, world: World, kind: str) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), "request_info")
        reply = await world.move(sent, "provide_info", answer())
        assert (reply.status_code, reply.json()["state"]) == (200, "received"), reply.text
        assert reply.json()["moves"] == ["recall", "enter_in_error", "amend", "note"]
        assert await texts(sent, world.ministry, "provide_info") == [WORDS]
        assert await texts(sent, world.police, "provide_info") == [WORDS]
        (said,) = [move for move in (await read(sent))["history"] if move["event"] == "provide_info"]
        assert said["section"] == "needs"
        assert (await read(sent))["record"] is None, "words open nothing else"
        assert world.told
        assert await world.told() == [("ministry", f"{kind}.{'sent' if kind == 'referral' else 'offered'}"),
                                      ("ministry", f"{kind}.info_provided"),
                                      ("police", f"{kind}.info_requested")]  # fmt: skip

    async def test_is_answered_by_a_new_record(self, world: World, kind: str) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), "request_info")
        before = await read(sent)
        await world.moved(sent, "provide_info")
        after = await read(sent)
        assert (after["state"], after["record"]) == ("received", None)
        assert after["record_version"] != before["record_version"]
        assert after["preview"] is not None
        await world.moved(sent, "accept")
        assert (await read(sent))["record"]["identity"]["names"][0]["full"] == records.NAME

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, ""),
            ({"text": WORDS}, ""),
            ({"text": WORDS, "section": "needs"}, ""),
            ({"text": WORDS, "basis": records.legal_basis("needs")}, "/basis"),
            ({"text": WORDS, "section": "health", "basis": records.legal_basis("needs")}, ""),
            ({"text": WORDS, "section": "needs", "basis": records.legal_basis("needs", "health")}, ""),
            ({"text": WORDS, "section": "needs", "basis": {"kind": "consent", "sections": ["needs"]}}, ""),
            ({**answer(), "record": records.record()}, ""),
            ({**answer(), "bases": [records.legal_basis("needs")]}, ""),
            ({"record": records.record()}, ""),
            ({"record": records.record(), "bases": [records.legal_basis()], "section": "needs"}, ""),
            ({**answer(), "section": "secrets"}, "/section"),
        ],
        ids=str,
    )
    async def test_gets_no_answer_that_rests_on_nothing(
        self, world: World, kind: str, body: dict[str, Any], pointer: str
    ) -> None:
        sent = await world.moved(await world.send(kind=kind, receiver="ministry"), "request_info")
        before = await world.row(sent)
        reply = await world.move(sent, "provide_info", body)
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request"), reply.text
        assert WORDS not in reply.text
        assert await world.row(sent) == before


class TestThePause:
    @pytest.mark.parametrize("urgency", ["urgent", "standard"])
    async def test_of_one_question_lasts_as_long_as_the_answer_took(self, world: World, urgency: str) -> None:
        sent = await world.send(urgency=urgency)
        promised = await respond_by(world, sent)
        world.exchange.later(hours=2)
        await world.moved(sent, "request_info")
        assert await respond_by(world, sent) == promised + 24 * HOUR
        world.exchange.later(hours=5)
        await world.moved(sent, "provide_info")
        assert abs(await respond_by(world, sent) - (promised + 5 * HOUR)) < timedelta(minutes=1)

    async def test_moves_every_time_that_depends_on_it(self, world: World) -> None:
        sent = await world.send(urgency="standard")
        before = await world.row(sent)
        await world.moved(sent, "request_info")
        paused = await world.row(sent)
        world.exchange.later(hours=3)
        await world.moved(sent, "provide_info")
        after = await world.row(sent)
        for name in ("respond_by", "deadline_at", "due_at"):
            assert paused[name] - before[name] == 24 * HOUR, name
            assert after[name] - before[name] == after["pause_used"], name
        assert abs(after["pause_used"] - 3 * HOUR) < timedelta(minutes=1)
        assert after["paused_at"] is None

    async def test_is_a_day_in_all_over_several_questions(self, world: World) -> None:
        sent = await world.send(urgency="standard")
        promised = await respond_by(world, sent)
        for hours, in_all in ((10, 10), (10, 20), (10, 24), (10, 24)):
            await world.moved(sent, "request_info")
            assert await respond_by(world, sent) == promised + 24 * HOUR
            world.exchange.later(hours=hours)
            await world.moved(sent, "provide_info")
            assert abs(await respond_by(world, sent) - (promised + in_all * HOUR)) < timedelta(minutes=1)

    async def test_ends_though_no_answer_comes(self, world: World) -> None:
        sent = await world.moved(await world.send(urgency="standard"), "request_info")
        world.exchange.later(days=3)
        await world.moved(sent, "provide_info")
        row = await world.row(sent)
        assert row["respond_by"] - row["sent_at"] == timedelta(days=8)
        assert row["pause_used"] == timedelta(days=1)

    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    @pytest.mark.parametrize("in_words", [True, False])
    async def test_is_none_for_an_immediate_one(self, world: World, kind: str, in_words: bool) -> None:
        """The hour that a person in danger waits neither stops for a question nor shrinks by its answer."""
        sent = await world.send(kind=kind, receiver="ministry", urgency="immediate")
        before = await world.row(sent)
        await world.moved(sent, "request_info")
        world.exchange.later(minutes=5)
        await world.move(sent, "provide_info", answer() if in_words else None)
        after = await world.row(sent)
        assert after["state"] == "received"
        for name in ("respond_by", "deadline_at", "due_at"):
            assert after[name] == before[name], name

    async def test_ends_with_the_acceptance(self, world: World) -> None:
        sent = await world.moved(await world.send(urgency="urgent"), "request_info", "accept")
        row = await world.row(sent)
        assert row["deadline_at"] - row["accepted_at"] == timedelta(hours=48)

    async def test_is_not_longer_by_a_note_or_an_amendment(self, world: World) -> None:
        sent = await world.moved(await world.send(urgency="urgent"), "request_info")
        before = await respond_by(world, sent)
        await world.moved(sent, "note", "amend")
        assert await respond_by(world, sent) == before
        assert (await world.row(sent))["state"] == "info_requested"


class TestANoteBeforeAcceptance:
    async def test_of_the_sender_names_section_and_basis(self, world: World) -> None:
        sent = await world.send()
        for body, pointer in (
            ({"text": WORDS}, "/section"),
            ({"text": WORDS, "section": "needs"}, "/basis"),
        ):
            reply = await world.move(sent, "note", body, by=world.police)
            assert reply.status_code == 422
            assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]
        assert (await world.move(sent, "note", answer(), by=world.police)).status_code == 200
        assert await texts(sent, world.iom) == [WORDS]

    async def test_of_the_receiver_needs_neither(self, world: World) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        assert (await world.move(sent, "note", {"text": "Which ship?"})).status_code == 200
        assert await texts(sent, world.iom) == ["Which ship?"]

    async def test_counts_no_version_and_needs_none(self, world: World) -> None:
        sent = await world.send()
        assert (await world.move(sent, "note", answer(), by=world.police)).json()["version"] == 1
        assert (await world.move(sent, "accept", seen=1)).status_code == 200

    async def test_tells_the_other_party_and_nobody_else(self, world: World) -> None:
        sent = await world.send(sender="iom", receiver="shelter")
        for who, other in ((world.iom, "shelter"), (world.shelter, "iom")):
            await world.owner.execute("TRUNCATE outbox")
            assert (await world.move(sent, "note", answer(), by=who)).status_code == 200
            assert await world.told() == [(other, "referral.note")]

    @pytest.mark.parametrize(
        ("receiver", "purpose", "section", "reason"),
        [
            ("embassy", "documents", "needs", "consent_only"),
            ("iom", "livelihood", "health", "purpose"),
        ],
    )
    async def test_is_refused_where_the_policy_refuses_its_section(
        self, world: World, receiver: str, purpose: str, section: str, reason: str
    ) -> None:
        consent = {**records.consent(world.exchange.clock.now(), sections=("needs", "identity")),
                   "agency_kinds": ["foreign_mission", "international_organisation"], "purposes": [purpose]}  # fmt: skip
        record = {name: value for name, value in records.record().items() if name != "safety"}
        sent = await world.send(
            receiver=receiver,
            purpose=purpose,
            consent=consent,
            record=record,
            bases=[{"kind": "consent", "sections": ["identity", "needs"]}],
        )
        reply = await world.move(sent, "note", answer(section), by=world.police)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused")
        assert reply.json()["refused"] == [{"section": section, "reason": reason}]
        assert reply.json()["sendable_sections"] == []
        assert WORDS not in reply.text
        assert await texts(sent, world.agencies[receiver]) == []
        assert [entry["outcome"] for entry in await world.refusals()] == ["disclosure"]

    async def test_rests_on_no_consent_that_does_not_cover_it(self, world: World) -> None:
        sent = await world.send()
        given = await world.police.post(
            f"/v1/cases/{sent.case_id}/consents", records.consent(world.exchange.clock.now(), sections=("needs",))
        )
        consent_id = given.json()["id"]
        for section, status in (("needs", 200), ("health", 403)):
            basis = {"kind": "consent", "consent_id": consent_id, "sections": [section]}
            body = {"text": WORDS, "section": section, "basis": basis}
            reply = await world.move(sent, "note", body, by=world.police)
            assert reply.status_code == status, reply.text
        assert await texts(sent, world.iom) == [WORDS]

    async def test_closes_with_what_it_was_about(self, world: World) -> None:
        for event in ("decline", "recall", "enter_in_error"):
            sent = await world.send()
            await world.move(sent, "note", answer(), by=world.police)
            await world.moved(sent, event)
            assert await texts(sent, world.iom) == [None], event
            assert await texts(sent, world.police) == [WORDS], event


class TestANoteAfterAcceptance:
    async def test_rests_on_what_its_section_was_sent_on(self, world: World) -> None:
        accepted = await world.accepted()
        reply = await world.move(accepted, "note", {"text": WORDS, "section": "safety"}, by=world.police)
        assert reply.status_code == 200, reply.text
        assert await texts(accepted, world.iom) == [WORDS]

    async def test_of_a_section_that_was_not_sent_needs_a_basis(self, world: World) -> None:
        accepted = await world.accepted()
        reply = await world.move(accepted, "note", {"text": WORDS, "section": "health"}, by=world.police)
        assert (reply.status_code, reply.json()["errors"]) == (
            422, [{"pointer": "/basis", "code": "section_not_sent"}],
        )  # fmt: skip
        assert (await world.move(accepted, "note", answer("health"), by=world.police)).status_code == 200
        assert await texts(accepted, world.iom) == [WORDS]
        assert "health" not in (await read(accepted))["record"]

    async def test_is_read_as_long_as_its_own_basis_lasts(self, world: World) -> None:
        accepted = await world.accepted()
        until = (world.exchange.clock.now() + 2 * HOUR).isoformat()
        await world.move(accepted, "note", answer("health", until=until), by=world.police)
        assert await texts(accepted, world.iom) == [WORDS]
        world.exchange.later(hours=3)
        assert await texts(accepted, world.iom) == [None]
        assert await texts(accepted, world.police) == [WORDS]

    async def test_is_read_as_long_as_its_section_is_open(self, world: World) -> None:
        until = (world.exchange.clock.now() + 2 * HOUR).isoformat()
        bases = [records.legal_basis("identity", "needs"), records.legal_basis("safety", until=until)]
        accepted = await world.accepted(bases=bases)
        for section in ("safety", "needs"):
            await world.move(accepted, "note", {"text": WORDS, "section": section}, by=world.police)
        assert await texts(accepted, world.iom) == [WORDS, WORDS]
        world.exchange.later(hours=3)
        assert await texts(accepted, world.iom) == [None, WORDS]

    async def test_needs_a_basis_once_its_section_is_open_no_more(self, world: World) -> None:
        """It would be written to nobody: the sender must know, while whoever has the person still can be told."""
        until = (world.exchange.clock.now() + 2 * HOUR).isoformat()
        bases = [records.legal_basis("identity", "needs"), records.legal_basis("safety", until=until)]
        accepted = await world.accepted(bases=bases)
        world.exchange.later(hours=3)
        reply = await world.move(accepted, "note", {"text": WORDS, "section": "safety"}, by=world.police)
        assert (reply.status_code, reply.json()["errors"]) == (
            422,
            [{"pointer": "/basis", "code": "section_not_open"}],
        )
        assert (await world.move(accepted, "note", answer("safety"), by=world.police)).status_code == 200
        assert await texts(accepted, world.iom) == [WORDS]

    async def test_gives_nobody_a_right_to_refer_on(self, world: World) -> None:
        """Only the record's own bases do; words that may be passed on are words, and no authority over the case."""
        accepted = await world.accepted()
        reply = await world.move(accepted, "note", answer("needs", onward=True), by=world.police)
        assert reply.status_code == 200
        onward = await world.iom.post("/v1/referrals", records.referral("lpsk", case=None, case_id=accepted.case_id))
        assert (onward.status_code, onward.json()["type"]) == (403, "/problems/not-lead")

    async def test_is_not_read_while_its_basis_is_locked(self, world: World) -> None:
        accepted = await world.accepted()
        await world.move(accepted, "note", answer("health"), by=world.police)
        await world.move(accepted, "note", {"text": WORDS, "section": "safety"}, by=world.police)
        await world.owner.execute(
            "UPDATE disclosure SET locked_at = now(), lock_reason = 'withdrawn' WHERE subject_id = $1",
            UUID(accepted.id),
        )
        assert await texts(accepted, world.iom) == [None, None]

    async def test_outlasts_an_amendment_that_keeps_its_section(self, world: World) -> None:
        accepted = await world.accepted()
        await world.move(accepted, "note", {"text": WORDS, "section": "safety"}, by=world.police)
        await world.move(accepted, "note", answer("health"), by=world.police)
        await world.moved(accepted, "amend")
        assert await texts(accepted, world.iom) == [WORDS, WORDS]

    async def test_closes_with_the_section_an_amendment_left_out(self, world: World) -> None:
        accepted = await world.accepted()
        await world.move(accepted, "note", {"text": WORDS, "section": "safety"}, by=world.police)
        without = {name: value for name, value in records.record().items() if name != "safety"}
        body = {"record": without, "bases": [records.legal_basis("identity", "needs")]}
        assert (await world.move(accepted, "amend", body)).status_code == 200
        assert await texts(accepted, world.iom) == [None]

    async def test_is_written_no_more_once_it_has_ended(self, world: World) -> None:
        ended = await world.moved(await world.in_progress(), "complete")
        for who in (world.police, world.iom):
            assert (await world.move(ended, "note", answer(), by=who)).status_code == 409


class TestANoteOnAConsent:
    async def test_waits_for_a_withdrawal_under_way_and_is_then_refused(self, world: World) -> None:
        """Else what was written would stay open on a consent that is withdrawn."""
        lawful = await world.accepted(receiver="iom")
        consent = records.consent(world.exchange.clock.now())
        given = await world.police.post(f"/v1/cases/{lawful.case_id}/consents", consent)
        basis = {"kind": "consent", "consent_id": given.json()["id"], "sections": ["safety"]}
        body = {"text": "He is afraid of the harbour.", "section": "safety", "basis": basis}
        async with world.owner.transaction():
            await world.owner.execute("SELECT FROM case_file WHERE id = $1 FOR UPDATE", UUID(lawful.case_id))
            writing = asyncio.create_task(world.move(lawful, "note", body, by=world.police))
            await asyncio.sleep(0.3)
            assert not writing.done()
            await world.owner.execute(
                "UPDATE consent SET withdrawn_at = $2 WHERE id = $1",
                UUID(given.json()["id"]),
                world.exchange.clock.now(),
            )
        reply = await writing
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused")


class TestTheWayBack:
    async def test_lets_a_helper_read_what_the_receiver_writes(self, world: World) -> None:
        accepted = await world.accepted(sender="iom", receiver="shelter")
        await world.move(accepted, "note", {"text": WORDS, "section": "health"})
        assert await texts(accepted, world.iom) == [WORDS]

    async def test_shows_the_police_the_question_and_no_note(self, world: World) -> None:
        sent = await world.moved(await world.send(), "request_info")
        await world.move(sent, "note", {"text": WORDS})
        await world.moved(sent, "accept", "start")
        await world.move(sent, "hold", {**records.move("hold", world.exchange.clock.now()), "reason": WORDS})
        assert await texts(sent, world.police, "request_info") == ["Does he need an interpreter?"]
        reply = await world.police.get(sent.path)
        assert WORDS not in reply.text

    async def test_shows_the_police_a_note_that_brings_a_basis_for_it(self, world: World) -> None:
        accepted = await world.accepted()
        until = (world.exchange.clock.now() + HOUR).isoformat()
        reply = await world.move(accepted, "note", answer("location", until=until))
        assert reply.status_code == 200, reply.text
        assert await texts(accepted, world.police) == [WORDS]
        world.exchange.later(hours=2)
        assert await texts(accepted, world.police) == [None]

    @pytest.mark.parametrize("section", ["health", "psychosocial"])
    async def test_takes_no_note_to_the_police_of_what_they_may_not_hold(self, world: World, section: str) -> None:
        accepted = await world.accepted(purpose="identification")
        reply = await world.move(accepted, "note", answer(section))
        assert (reply.status_code, reply.json()["refused"]) == (403, [{"section": section, "reason": "agency_kind"}])


class TestTheLead:
    async def test_that_is_no_party_learns_that_something_was_said_and_not_what(self, world: World) -> None:
        held = await world.accepted(sender="police", receiver="iom", bases=[records.legal_basis(onward=True)])
        onward = await world.send(sender="iom", receiver="lpsk", case_id=held.case_id)
        await world.moved(onward, "request_info")
        await world.move(onward, "provide_info", answer())
        await world.move(onward, "note", {"text": WORDS})
        reply = await world.police.get(onward.path)
        assert reply.status_code == 200
        assert [move["event"] for move in reply.json()["history"]] == ["send", "request_info", "provide_info", "note"]
        assert [move["text"] for move in reply.json()["history"]] == [None] * 4
        for event in ("note", "request_info", "provide_info"):
            tried = await world.move(onward, event, by=world.police)
            assert (tried.status_code, tried.json()["moves"]) == (409, []), event


class TestAfterAHandover:
    """The police's referral to IOM has notes both ways; then the ministry leads the case and is its sender."""

    @pytest.fixture
    async def referred(self, world: World) -> Passed:
        referred = await world.accepted(sender="police", receiver="iom")
        await world.move(referred, "note", answer("health"), by=world.police)
        await world.move(referred, "note", {"text": WORDS, "section": "safety"}, by=world.police)
        await world.move(referred, "note", answer("location"))
        offered = await world.send(kind="transfer", sender="police", receiver="ministry", case_id=referred.case_id)
        await world.moved(offered, "accept", "confirm_handover")
        return referred

    async def test_the_new_lead_reads_neither_what_the_earlier_one_wrote_nor_what_was_for_it_alone(
        self, world: World, referred: Passed
    ) -> None:
        assert await texts(referred, world.ministry) == [None, None, None]

    async def test_the_receiver_reads_on(self, world: World, referred: Passed) -> None:
        assert await texts(referred, world.iom) == [WORDS, WORDS, WORDS]

    async def test_the_earlier_lead_reads_nothing_new(self, world: World, referred: Passed) -> None:
        new = {**answer("safety"), "text": "Written after the handover."}
        assert (await world.move(referred, "note", new)).status_code == 200
        assert (await world.move(referred, "note", new, by=world.ministry)).status_code == 200
        assert (await world.police.get(referred.path)).status_code == 404
        assert (await world.move(referred, "note", answer(), by=world.police)).status_code == 404
        assert (await texts(referred, world.ministry))[3:] == ["Written after the handover."] * 2
        assert (await texts(referred, world.iom))[3:] == ["Written after the handover."] * 2

    async def test_the_events_go_to_the_new_lead(self, world: World, referred: Passed) -> None:
        await world.owner.execute("TRUNCATE outbox")
        await world.move(referred, "note", {"text": WORDS})
        assert await world.told() == [("ministry", "referral.note")]


class TestWhatIsWritten:
    async def test_stands_in_no_log_no_event_and_no_plain_column(self, world: World) -> None:
        sent = await world.send()
        await world.move(sent, "request_info", {"question": WORDS})
        await world.move(sent, "provide_info", answer())
        await world.moved(sent, "accept")
        await world.move(sent, "note", answer("health"), by=world.police)
        await world.move(sent, "note", {"text": WORDS})
        await world.exchange.settle()
        tables = await world.owner.fetch(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition"
        )
        for table in tables:
            rows = await world.owner.fetch(f'SELECT t::text AS row FROM "{table["relname"]}" t')
            found = [row["row"] for row in rows if "Rifampicin" in row["row"]]
            assert found == [], table["relname"]
        for entry in await world.log(action="referral:note"):
            assert "Rifampicin" not in str(dict(entry))
        noted = [entry["detail"] for entry in await world.log(action="referral:note")]
        assert '"health"' in noted[0], "the log says which section"
        assert '"legal_obligation"' in noted[0], "and on which basis"

    async def test_is_not_repeated_by_a_problem(self, world: World) -> None:
        declined = await world.moved(await world.send(), "decline")
        for who in (world.police, world.iom, world.stranger):
            reply = await world.move(declined, "note", answer(), by=who)
            assert "Rifampicin" not in reply.text

    async def test_is_said_once_however_often_it_is_sent(self, world: World) -> None:
        sent = await world.send()
        for _ in range(3):
            reply = await world.police.post(f"{sent.path}/notes", answer(), idempotency_key="one-note")
            assert reply.status_code == 200
        assert await texts(sent, world.iom) == [WORDS]
        await world.moved(sent, "decline")
        again = await world.police.post(f"{sent.path}/notes", answer(), idempotency_key="one-note")
        assert (again.status_code, again.json()["state"]) == (200, "sent"), "the original answer, also when it is over"

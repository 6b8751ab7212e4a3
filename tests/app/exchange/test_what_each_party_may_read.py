"""A preview before acceptance, the whole record from then on, and back to the sender what the policy allows its kind."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.exchange.records.sealing import PREVIEW_DRAWN_FROM, preview_in_parts, preview_told
from schemas.record.preview import Preview, PreviewCare, preview_of
from schemas.record.record import SECTIONS, Record
from tests.makers import records
from tests.makers.effort import examples
from tests.makers.world import Agency, Passed, World
from tests.schemas.record_strategies import previewed_records

FULL = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}
WORDS = (
    records.NAME,
    "Surya",
    records.SECRET_PLACE,
    records.SECRET_STORY,
    "Rifampicin",
    "Melati",
    "6281234567890",
    "harbour",
)
"""Words of the full record that no preview may hold."""


async def read(passed: Passed, who: Agency | None = None) -> dict[str, Any]:
    reply = await (who or passed.receiver).get(passed.path)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def soon(world: World, **by: float) -> str:
    at: datetime = world.exchange.clock.now() + timedelta(**by)
    return at.isoformat()


class TestBeforeAcceptance:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    @pytest.mark.parametrize("event", [None, "acknowledge"])
    async def test_the_receiver_sees_the_preview_and_no_word_of_the_record(
        self, world: World, kind: str, event: str | None
    ) -> None:
        sent = await world.send(kind=kind, **{**FULL, "purpose": "case_responsibility"})
        if event:
            await world.moved(sent, event)
        reply = await world.iom.get(sent.path)
        found = reply.json()
        assert found["record"] is None
        assert found["preview"]["sex"] == "male"
        assert found["preview"]["region"] == "81.71"
        assert found["withheld"] == list(records.FULL_SECTIONS)
        assert [each["access"] for each in found["disclosures"]] == ["preview"]
        assert [word for word in WORDS if word in reply.text] == []

    async def test_the_sender_sees_its_own_record(self, world: World) -> None:
        found = await read(await world.send(**FULL), world.police)
        assert set(found["record"]) == {"schema_version", *records.FULL_SECTIONS}
        assert found["preview"]["sex"] == "male"

    async def test_a_stranger_sees_nothing_and_the_attempt_is_logged(self, world: World) -> None:
        sent = await world.send(**FULL)
        reply = await world.stranger.get(sent.path)
        assert reply.status_code == 404
        assert [word for word in (*WORDS, "police", "iom") if word in reply.text] == []
        (entry,) = await world.refusals()
        assert (entry["agency_id"], entry["action"], str(entry["subject_id"])) == (
            world.ids["stranger"],
            "read_referral",
            sent.id,
        )

    async def test_reading_is_remembered_and_is_not_acknowledging(self, world: World) -> None:
        sent = await world.send()
        assert (await read(sent, world.police))["first_read_at"] is None
        await read(sent)
        seen = await read(sent, world.police)
        assert seen["first_read_at"] is not None
        assert (seen["state"], seen["acknowledged_at"]) == ("sent", None)
        world.exchange.later(minutes=5)
        await read(sent)
        assert (await read(sent, world.police))["first_read_at"] == seen["first_read_at"]


class TestFromAcceptanceOn:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_the_receiver_sees_all_that_was_sent(self, world: World, kind: str) -> None:
        accepted = await world.accepted(kind=kind, **{**FULL, "purpose": "case_responsibility"})
        found = await read(accepted)
        assert set(found["record"]) == {"schema_version", *records.FULL_SECTIONS}
        assert found["record"]["location"]["addresses"][0]["place"]["street"] == records.SECRET_PLACE
        assert (found["withheld"], found["preview"]) == ([], None)
        assert [each["access"] for each in found["disclosures"]] == ["full"]
        assert (await world.stranger.get(accepted.path)).status_code == 404

    @pytest.mark.parametrize("end", ["complete", "fail"])
    async def test_the_receiver_keeps_it_after_its_services_have_ended(self, world: World, end: str) -> None:
        ended = await world.moved(await world.in_progress(**FULL), end)
        assert (await read(ended))["record"]["identity"]["names"][0]["full"] == records.NAME

    async def test_the_log_says_which_sections_were_read_and_for_what(self, world: World) -> None:
        accepted = await world.accepted(**FULL)
        await read(accepted)
        entry = (await world.log(action="referral:read", agency_id=world.ids["iom"]))[-1]
        sections = list(records.FULL_SECTIONS)
        assert json.loads(entry["detail"]) == {
            "preview": False,
            "purpose": "social_rehabilitation",
            "sections": sections,
            "bases": [{"basis": "legal_obligation", "sections": sections}],
        }


class TestAfterwards:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    @pytest.mark.parametrize("end", ["decline", "recall", "expire"])
    async def test_the_receiver_of_what_was_never_accepted_sees_the_envelope_alone(
        self, world: World, kind: str, end: str
    ) -> None:
        sent = await world.send(kind=kind, **{**FULL, "purpose": "case_responsibility"})
        if end == "expire":
            await world.past_the_deadline()
            await world.exchange.settle()
        else:
            await world.moved(sent, end)
        reply = await world.iom.get(sent.path)
        found = reply.json()
        assert (found["record"], found["preview"]) == (None, None)
        assert found["withheld"] == list(records.FULL_SECTIONS)
        assert [each["access"] for each in found["disclosures"]] == ["closed"]
        assert found["ended_at"] is not None
        assert [word for word in WORDS if word in reply.text] == []
        assert (await read(sent, world.police))["record"] is not None

    async def test_declining_what_was_accepted_closes_it_again(self, world: World) -> None:
        accepted = await world.accepted(**FULL)
        await read(accepted)
        await world.moved(accepted, "decline")
        found = await read(accepted)
        assert (found["record"], found["state"]) == (None, "declined")

    async def test_the_case_is_no_longer_shown_to_whom_it_was_only_sent(self, world: World) -> None:
        sent = await world.send()
        assert (await world.iom.get(f"/v1/cases/{sent.case_id}")).json()["lead"]["code"] == "police"
        await world.moved(sent, "decline")
        assert (await world.iom.get(f"/v1/cases/{sent.case_id}")).status_code == 404


class TestABasisThatEnds:
    def bases(self, world: World) -> list[dict[str, Any]]:
        """Health and location for three days; the rest without end."""
        rest = [name for name in records.FULL_SECTIONS if name not in ("health", "location")]
        return [records.legal_basis(*rest), records.legal_basis("health", "location", until=soon(world, days=3))]

    async def test_before_acceptance_opens_nothing_and_the_acceptance_counts(self, world: World) -> None:
        sent = await world.send(**{**FULL, "bases": self.bases(world)})
        world.exchange.later(days=4)
        before = await read(sent)
        assert (before["preview"]["care_tonight"]["infectious"], before["preview"]["region"]) == (None, None)
        assert before["preview"]["sex"] == "male"
        assert (await world.move(sent, "accept")).json()["state"] == "accepted"
        found = await read(sent)
        assert found["withheld"] == ["location", "health"]
        assert not {"location", "health"} & set(found["record"])
        assert sorted(each["access"] for each in found["disclosures"]) == ["ended", "full"]

    async def test_after_acceptance_closes_its_sections_and_no_others(self, world: World) -> None:
        accepted = await world.accepted(**{**FULL, "bases": self.bases(world)})
        assert (await read(accepted))["withheld"] == []
        world.exchange.later(days=4)
        found = await read(accepted)
        assert found["withheld"] == ["location", "health"]
        assert found["record"]["identity"]["names"][0]["full"] == records.NAME
        assert found["state"] == "accepted", "nobody loses a bed over it"
        await world.moved(accepted, "start", "complete")

    async def test_is_a_consent_that_ends_before_the_basis_says(self, world: World) -> None:
        now = world.exchange.clock.now()
        accepted = await world.accepted(
            consent=records.consent(now, until=soon(world, days=3)),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"], "until": soon(world, days=60)}],
        )
        (basis,) = (await read(accepted))["disclosures"]
        assert datetime.fromisoformat(basis["until"]) < now + timedelta(days=4)
        world.exchange.later(days=4)
        found = await read(accepted)
        assert (found["record"], found["withheld"]) == (None, ["identity", "safety", "needs"])
        assert [each["access"] for each in found["disclosures"]] == ["ended"]


class TestAnAmendment:
    other = records.record(identity={"names": [{"full": "Another Spelling"}]})

    async def test_before_acceptance_shows_the_new_preview(self, world: World) -> None:
        sent = await world.send(**FULL)
        await world.move(sent, "amend", {"record": records.record(), "bases": [records.legal_basis()]})
        found = await read(sent)
        assert found["preview"]["region"] is None
        assert found["withheld"] == ["identity", "safety", "needs"]
        assert len(found["disclosures"]) == 1

    async def test_after_acceptance_closes_the_old_version_and_opens_the_new(self, world: World) -> None:
        accepted = await world.accepted(**FULL)
        old = (await read(accepted))["record_version"]
        await world.move(accepted, "amend", {"record": self.other, "bases": [records.legal_basis()]})
        reply = await world.iom.get(accepted.path)
        found = reply.json()
        assert found["record_version"] != old
        assert found["record"]["identity"]["names"][0]["full"] == "Another Spelling"
        assert records.NAME not in reply.text
        open_now = await world.owner.fetch("SELECT version_id FROM disclosure WHERE closed_at IS NULL")
        assert [str(row["version_id"]) for row in open_now] == [found["record_version"]]

    async def test_needs_a_basis_for_what_it_adds(self, world: World) -> None:
        accepted = await world.accepted()
        reply = await world.move(accepted, "amend", {"record": records.full_record(), "bases": [records.legal_basis()]})
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused")
        assert (await world.row(accepted))["version"] == 2
        assert await world.owner.fetchval("SELECT count(*) FROM record_version") == 1

    async def test_counts_as_a_version_of_the_case(self, world: World) -> None:
        sent = await world.moved(await world.send(), "amend", "amend")
        numbers = await world.owner.fetch(
            "SELECT number FROM record_version WHERE case_id = $1 ORDER BY number", UUID(sent.case_id)
        )
        assert [row["number"] for row in numbers] == [1, 2, 3]


class TestBackToTheSender:
    async def served(self, world: World, sender: str) -> Passed:
        """A referral by `sender` to the shelter, with two services recorded and an outcome."""
        started = await world.in_progress(sender=sender, receiver="shelter")
        return await world.moved(started, "record_service", "record_service")

    @pytest.mark.parametrize("sender", ["police", "embassy"])
    async def test_flows_state_arrival_and_end_alone_to_police_and_missions(self, world: World, sender: str) -> None:
        served = await self.served(world, sender)
        before = await read(served, served.sender)
        assert (before["state"], before["services"]) == ("in_progress", [])
        assert before["started_at"] is not None
        assert [each["event"] for each in before["history"]] == ["send", "accept", "start"]
        await world.moved(served, "complete")
        after = await read(served, served.sender)
        assert (after["state"], after["ending"]["outcomes"], after["ending"]["reason"]) == ("completed", [], None)

    async def test_flows_not_even_when_a_service_was_given_to_police(self, world: World) -> None:
        started = await world.in_progress(sender="police", receiver="shelter")
        before = await read(started, world.police)
        world.exchange.later(days=3)
        since = world.exchange.clock.now().isoformat().replace("+", "%2B")
        await world.moved(started, "record_service")
        assert await read(started, world.police) == before
        assert before["deadline"] is None
        listed = (await world.police.get(f"/v1/referrals?role=sender&updated_since={since}")).json()["items"]
        assert listed == []

    async def test_flows_not_why_services_ended_to_police(self, world: World) -> None:
        served = await self.served(world, "police")
        await world.move(served, "fail", {"reason": "other", "text": "The person said something in confidence."})
        reply = await world.police.get(served.path)
        assert "confidence" not in reply.text
        assert reply.json()["ending"] == {"reason": None, "text": None, "suggested_receivers": [], "outcomes": []}
        assert "confidence" in (await world.shelter.get(served.path)).text

    @pytest.mark.parametrize("sender", ["iom", "ministry", "lpsk"])
    async def test_flow_services_and_outcomes_to_who_helps(self, world: World, sender: str) -> None:
        served = await self.served(world, sender)
        found = await read(served, served.sender)
        assert [each["service"] for each in found["services"]] == ["shelter", "shelter"]
        await world.moved(served, "complete")
        found = await read(served, served.sender)
        assert found["ending"]["outcomes"] == [{"need": "shelter_men", "outcome": "met"}]

    async def test_flows_why_it_was_declined_and_who_else_may_help(self, world: World) -> None:
        sent = await world.send(receiver="iom")
        await world.move(sent, "decline", {"reason": "no_place_for_men", "suggested_receivers": ["lpsk", "sentra"]})
        ending = (await read(sent, world.police))["ending"]
        assert (ending["reason"], ending["suggested_receivers"]) == ("no_place_for_men", ["lpsk", "sentra"])

    @pytest.mark.parametrize("accepted", [False, True])
    async def test_flows_no_free_text_to_who_learns_the_state_only(self, world: World, accepted: bool) -> None:
        sent = await (world.accepted() if accepted else world.send())
        await world.move(sent, "decline", {"reason": "other", "text": "He says his brother sold him."})
        ending = (await read(sent, world.police))["ending"]
        assert (ending["text"], ending["reason"]) == (None, None if accepted else "other")


class TestAConfidentialPlace:
    @pytest.mark.parametrize("kind", ["referral", "transfer"])
    async def test_is_never_named_to_the_sender(self, world: World, kind: str) -> None:
        sent = await world.send(kind=kind, receiver="shelter")
        body = {**await world.body(sent, "accept"), "service_point": world.service_points["house"]}
        body |= {"meeting_point": "Harbour police post", "contact": "Duty officer"}
        assert (await world.move(sent, "accept", body)).status_code == 200
        replies = [await world.police.get(sent.path), await world.police.get(f"/v1/{kind}s?role=sender")]
        for reply in replies:
            assert "Shelter house" not in reply.text
            assert world.service_points["house"] not in reply.text
        told = replies[0].json()["acceptance"]
        assert (told["service_point"], told["meeting_point"]) == (None, "Harbour police post")
        assert (await read(sent))["acceptance"]["service_point"] == "Shelter house"

    async def test_is_in_no_directory_but_its_own_agencys(self, world: World) -> None:
        path = "/v1/agencies/shelter/service-points"
        for who in (world.police, world.ministry, world.stranger):
            reply = await who.get(path)
            assert [point["name"] for point in reply.json()["items"]] == ["Shelter office"]
            assert world.service_points["house"] not in reply.text
        own = {point["name"]: point for point in (await world.shelter.get(path)).json()["items"]}
        assert own["Shelter house"]["address"] is None
        assert own["Shelter office"]["address"] == "Jalan Umum 1"

    async def test_asks_for_a_meeting_point(self, world: World) -> None:
        sent = await world.send(receiver="shelter")
        reply = await world.move(sent, "accept", world.acceptance(service_point=world.service_points["house"]))
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/service-point")
        assert reply.json()["errors"] == [{"pointer": "/meeting_point", "code": "meeting_point_required"}]
        assert (await world.row(sent))["state"] == "sent"

    async def test_cannot_be_claimed_or_found_out_by_another_agency(self, world: World) -> None:
        sent = await world.send(receiver="iom")
        replies = [
            await world.move(sent, "accept", world.acceptance(service_point=point))
            for point in (world.service_points["house"], world.service_points["office"], str(UUID(int=7)))
        ]
        assert {reply.status_code for reply in replies} == {422}
        assert {str(reply.json()["errors"]) for reply in replies} == {
            "[{'pointer': '/service_point', 'code': 'unknown'}]"
        }

    async def test_that_is_open_is_named(self, world: World) -> None:
        sent = await world.send(receiver="shelter")
        await world.move(sent, "accept", world.acceptance(service_point=world.service_points["office"]))
        assert (await read(sent, world.police))["acceptance"]["service_point"] == "Shelter office"


class TestTheOutcomes:
    async def test_are_one_for_each_need(self, world: World) -> None:
        started = await world.in_progress(record=records.record(needs=("shelter_men", "medical")))

        def outcomes(*needs: str) -> dict[str, Any]:
            return {"outcomes": [{"need": need, "outcome": "met"} for need in needs]}

        for needs, missing, unexpected in (
            (["shelter_men"], ["medical"], []),
            (["shelter_men", "medical", "schooling"], [], ["schooling"]),
        ):
            reply = await world.move(started, "complete", outcomes(*needs))
            assert (reply.status_code, reply.json()["type"]) == (422, "/problems/outcomes-incomplete")
            assert (reply.json()["missing"], reply.json()["unexpected"]) == (missing, unexpected)
        assert (await world.move(started, "complete", outcomes("shelter_men", "shelter_men"))).status_code == 422
        assert (await world.move(started, "complete", outcomes("medical", "shelter_men"))).status_code == 200


class TestThePreview:
    def test_says_of_each_part_which_section_it_draws_on(self) -> None:
        nested = {f"care_tonight.{name}" for name in PreviewCare.model_fields}
        assert set(PREVIEW_DRAWN_FROM) == (set(Preview.model_fields) - {"care_tonight", "safety_flags"}) | nested
        assert set(PREVIEW_DRAWN_FROM.values()) <= set(SECTIONS)

    @settings(max_examples=examples(150), deadline=None)
    @given(document=previewed_records, kept=st.sets(st.sampled_from(SECTIONS)))
    def test_of_some_sections_is_that_of_a_record_which_has_no_others(
        self, document: dict[str, Any], kept: set[str]
    ) -> None:
        on = date(2026, 11, 25)
        whole = Record.model_validate_json(json.dumps(document))
        part = whole.model_copy(update=dict.fromkeys(set(SECTIONS) - kept))
        told = preview_told(json.loads(json.dumps(preview_in_parts(whole, on=on))), kept)
        assert told == preview_of(part, on=on).model_dump(mode="json")

    async def test_does_not_say_by_a_flag_what_a_section_not_sent_on_holds(self, world: World) -> None:
        family = {"guardian": {"standing": "parent", "suspected": "yes"}}
        sections = ("identity", "safety", "needs", "family")
        first = await world.send(
            receiver="shelter", record=records.record(family=family), bases=[records.legal_basis(*sections)]
        )
        shown = await read(first, world.shelter)
        assert "guardian_suspected" in shown["preview"]["safety_flags"]
        await world.move(first, "decline", {"reason": "no_place"})
        again = await world.send(
            receiver="sentra",
            case_id=first.case_id,
            record=None,
            record_version=shown["record_version"],
            replaces=first.id,
            bases=[records.legal_basis("identity", "safety", "needs")],
        )
        assert (await read(again, world.sentra))["preview"]["safety_flags"] == []

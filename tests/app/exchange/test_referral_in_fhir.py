"""A referral read as a FHIR Bundle: the same person, the same limits, the same trace in the log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle

from tests.contract.document import DOCUMENT
from tests.makers import records
from tests.makers.world import Agency, Passed, World

FULL = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}
WORDS = {
    "identity": records.NAME,
    "location": records.SECRET_PLACE,
    "narrative": records.SECRET_STORY,
    "health": "Rifampicin",
    "psychosocial": "Melati",
    "contact": "6281234567890",
    "safety": "harbour",
}
"""Words of the full record, by section."""
FHIR = "application/fhir+json"


async def get(passed: Passed, who: Agency | None = None, accept: str = FHIR) -> httpx.Response:
    return await (who or passed.receiver).get(passed.path, headers={"Accept": accept})


def resources(reply: httpx.Response, kind: str) -> list[dict[str, Any]]:
    assert reply.status_code == 200, reply.text
    return [each["resource"] for each in reply.json()["entry"] if each["resource"]["resourceType"] == kind]


class TestWhoReads:
    async def test_the_receiver_gets_no_word_of_it_before_acceptance(self, world: World) -> None:
        sent = await world.send(**FULL)
        reply = await get(sent)
        (person,) = resources(reply, "Patient")
        assert "name" not in person
        assert person["gender"] == "male"
        assert [word for word in WORDS.values() if word in reply.text] == []
        (withheld,) = resources(reply, "OperationOutcome")
        assert len(withheld["issue"]) == len(records.FULL_SECTIONS)

    async def test_and_the_whole_of_it_from_then_on(self, world: World) -> None:
        accepted = await world.accepted(**FULL)
        reply = await get(accepted)
        assert Bundle.model_validate_json(reply.text).id == accepted.id
        (person,) = resources(reply, "Patient")
        assert person["name"] == [{"text": records.NAME}]
        assert person["birthDate"] == "1994-03"
        shown = [section for section, word in WORDS.items() if word in reply.text]
        # the place ends at the regency, the telephone is not safe, the account is not for a file that is copied
        assert shown == ["identity", "health", "psychosocial", "safety"]
        assert person["address"][0]["country"] == "ID"

    async def test_of_a_basis_that_has_ended_nothing_is_left(self, world: World) -> None:
        until = (world.exchange.clock.now() + timedelta(days=3)).isoformat()
        rest = [name for name in records.FULL_SECTIONS if name not in ("health", "psychosocial")]
        bases = [records.legal_basis(*rest), records.legal_basis("health", "psychosocial", until=until)]
        accepted = await world.accepted(**{**FULL, "bases": bases})
        assert "Rifampicin" in (await get(accepted)).text
        world.exchange.later(days=4)
        reply = await get(accepted)
        assert [word for word in ("Rifampicin", "Melati") if word in reply.text] == []
        assert records.NAME in reply.text
        (withheld,) = resources(reply, "OperationOutcome")
        assert [each["details"]["coding"][0]["code"] for each in withheld["issue"]] == ["health", "psychosocial"]

    async def test_after_a_refusal_the_person_is_a_case(self, world: World) -> None:
        declined = await world.moved(await world.send(**FULL), "decline")
        reply = await get(declined)
        (person,) = resources(reply, "Patient")
        assert set(person) == {"resourceType", "id", "meta", "identifier"}
        assert resources(reply, "Task")[0]["status"] == "rejected"
        assert [word for word in WORDS.values() if word in reply.text] == []

    async def test_the_sender_reads_its_own(self, world: World) -> None:
        sent = await world.send(**FULL)
        assert records.NAME in (await get(sent, world.police)).text

    async def test_a_stranger_gets_what_it_gets_as_json(self, world: World) -> None:
        sent = await world.send(**FULL)
        reply = await get(sent, world.stranger)
        assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")

    async def test_it_is_logged_as_reading_is(self, world: World) -> None:
        accepted = await world.accepted(**FULL)
        await get(accepted)
        await get(accepted, accept="application/json")
        fhir, plain = (await world.log(action="referral:read", agency_id=world.ids["iom"]))[-2:]
        assert fhir["detail"] == plain["detail"]
        assert json.loads(fhir["detail"])["sections"] == list(records.FULL_SECTIONS)


class TestEveryState:
    @pytest.mark.parametrize(
        ("events", "status"),
        [
            (("acknowledge",), "received"),
            (("request_info", "provide_info"), "received"),
            (("accept", "start", "record_service"), "in-progress"),
            (("accept", "start", "hold"), "on-hold"),
            (("accept", "request_cancel"), "accepted"),
            (("accept", "start", "complete"), "completed"),
            (("accept", "fail"), "failed"),
            (("recall",), "cancelled"),
            (("enter_in_error",), "entered-in-error"),
        ],
        ids=lambda value: value[-1] if isinstance(value, tuple) else value,
    )
    async def test_is_a_task(self, world: World, events: tuple[str, ...], status: str) -> None:
        sent = await world.moved(await world.send(), *events)
        for who in (world.iom, world.police):
            (task,) = resources(await get(sent, who), "Task")
            assert task["status"] == status

    async def test_after_a_withdrawal_only_what_protects_is_left(self, world: World) -> None:
        now = world.exchange.clock.now()
        sections = ("identity", "safety", "health", "needs")
        record = records.record(health={"medicines": [{"name": "Rifampicin 450"}], "note": "Batuk lama."})
        accepted = await world.in_progress(
            record=record,
            consent=records.consent(now, sections=sections),
            bases=[{"kind": "consent", "sections": list(sections)}],
        )
        (given,) = resources(await get(accepted), "Consent")
        assert given["status"] == "active"
        assert (await world.withdraw(accepted)).status_code == 200
        found = await get(accepted)
        assert [each["status"] for each in resources(found, "Consent")] == ["inactive"]
        assert [each["code"]["text"] for each in resources(found, "Flag")] == ["He was followed from the harbour."]
        assert "Rifampicin" in found.text
        assert [word for word in (records.NAME, "Batuk lama") if word in found.text] == []


class TestAccept:
    @pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, application/fhir+json;q=0.5"])
    async def test_json_is_the_default(self, world: World, accept: str) -> None:
        reply = await get(await world.send(), accept=accept)
        assert (reply.headers["content-type"], reply.headers["vary"]) == ("application/json", "Accept")
        assert reply.headers["etag"] == '"1"'

    async def test_fhir_says_its_version(self, world: World) -> None:
        reply = await get(await world.send(), accept="application/fhir+json; fhirVersion=4.0, */*;q=0.1")
        assert reply.headers["content-type"] == "application/fhir+json; fhirVersion=4.0"
        assert (reply.headers["vary"], reply.headers["cache-control"]) == ("Accept", "no-store")

    async def test_its_etag_is_another_and_still_moves(self, world: World) -> None:
        sent = await world.send()
        tag = (await get(sent)).headers["etag"]
        assert tag == 'W/"1"'
        moved = await world.iom.post(f"{sent.path}/accept", await world.body(sent, "accept"), headers={"If-Match": tag})
        assert moved.status_code == 200, moved.text

    @pytest.mark.parametrize(
        "accept",
        ["text/html", "application/fhir+xml", "application/fhir+json;fhirVersion=5.0", "*/*;q=0", "x" * 5000],
        ids=["html", "xml", "R5", "nothing", "huge"],
    )
    async def test_any_other_is_refused_and_nothing_is_read(self, world: World, accept: str) -> None:
        sent = await world.accepted(**FULL)
        before = len(await world.log(action="referral:read"))
        reply = await get(sent, accept=accept)
        assert (reply.status_code, reply.json()["type"]) == (406, "/problems/not-acceptable")
        assert reply.json()["available"] == ["application/json", "application/fhir+json; fhirVersion=4.0"]
        assert reply.headers["vary"] == "Accept"
        assert len(await world.log(action="referral:read")) == before

    def test_openapi_lists_both(self) -> None:
        answer = DOCUMENT["paths"]["/v1/referrals/{referral_id}"]["get"]["responses"]["200"]
        assert list(answer["content"]) == ["application/json", "application/fhir+json"]

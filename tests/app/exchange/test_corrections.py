"""What was wrong in a record is put right for every holder of it, by the lead; any party may say what is wrong."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.makers import records
from tests.makers.world import Agency, Passed, World

RIGHT = {"identity": {"names": [{"full": "Surya Wijaya Ampel"}], "sex": "male"}, "safety": {"must_know": "Two men."}}
FULL = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}


async def correct(world: World, case_id: str, by: Agency | None = None, **more: Any) -> httpx.Response:
    body = {"record": RIGHT, "reason": "Spelt otherwise in the passport.", **more}
    return await (by or world.police).post(f"/v1/cases/{case_id}/corrections", body)


async def corrected(world: World, case_id: str, by: Agency | None = None, **more: Any) -> str:
    """The path of a correction that was made."""
    reply = await correct(world, case_id, by, **more)
    assert reply.status_code == 201, reply.text
    assert reply.headers["Location"] == f"/v1/corrections/{reply.json()['id']}"
    return str(reply.headers["Location"])


async def read(who: Agency, path: str) -> dict[str, Any]:
    reply = await who.get(path)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


class TestACorrection:
    async def test_reaches_every_holder_with_what_it_holds_and_nobody_else(self, world: World) -> None:
        first = await world.accepted(receiver="iom")
        ended = await world.moved(await world.in_progress(receiver="lpsk", case_id=first.case_id), "complete")
        less = await world.accepted(
            receiver="sentra",
            case_id=first.case_id,
            record={"identity": RIGHT["identity"], "needs": records.record()["needs"]},
            bases=[records.legal_basis("identity", "needs")],
        )
        declined = await world.moved(await world.send(receiver="shelter", case_id=first.case_id), "decline")
        await world.exchange.settle()
        path = await corrected(world, first.case_id)
        assert await world.told() == [(who, "case.corrected") for who in ("iom", "lpsk", "sentra")]
        for holder, sections in (
            (world.iom, ["identity", "safety"]),
            (world.lpsk, ["identity", "safety"]),
            (world.sentra, ["identity"]),
        ):
            found = await read(holder, path)
            assert (found["sections"], found["withheld"]) == (sections, [])
            assert set(found["record"]) == {"schema_version", *sections}
            assert found["record"]["identity"]["names"][0]["full"] == "Surya Wijaya Ampel"
            assert found["reason"] is None
        for who in (world.shelter, world.stranger):
            assert (await who.get(path)).status_code == 404
        for passed, sections in (
            (first, ["identity", "safety"]),
            (ended, ["identity", "safety"]),
            (less, ["identity"]),
        ):
            shown = (await read(passed.receiver, passed.path))["corrections"]
            assert [(f"/v1/corrections/{each['id']}", each["sections"]) for each in shown] == [(path, sections)]
        assert (await read(declined.receiver, declined.path))["corrections"] == []

    async def test_reaches_onward_holders(self, world: World) -> None:
        first = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        await world.accepted(sender="iom", receiver="shelter", case_id=first.case_id)
        path = await corrected(world, first.case_id)
        assert (await read(world.shelter, path))["sections"] == ["identity", "safety"]

    async def test_is_read_whole_by_the_lead_with_its_reason(self, world: World) -> None:
        sent = await world.accepted()
        path = await corrected(world, sent.case_id)
        found = await read(world.police, path)
        assert (found["sections"], found["reason"]) == (["identity", "safety"], "Spelt otherwise in the passport.")
        assert set(found["record"]) == {"schema_version", "identity", "safety"}
        listed = (await read(world.police, f"/v1/cases/{sent.case_id}/corrections"))["items"]
        assert [f"/v1/corrections/{each['id']}" for each in listed] == [path]
        assert (await world.stranger.get(f"/v1/cases/{sent.case_id}/corrections")).status_code == 404

    async def test_is_the_leads_in_any_state_of_the_case(self, world: World) -> None:
        sent = await world.accepted(receiver="iom")
        await world.owner.execute("UPDATE case_file SET state = 'closed' WHERE id = $1", UUID(sent.case_id))
        assert (await correct(world, sent.case_id)).status_code == 201

    async def test_is_made_by_the_lead_alone(self, world: World) -> None:
        sent = await world.accepted()
        reply = await correct(world, sent.case_id, world.iom)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/not-lead")
        for who, case in ((world.stranger, sent.case_id), (world.police, str(uuid4()))):
            assert (await correct(world, case, who)).status_code == 404

    async def test_is_made_by_the_new_lead_after_a_handover_and_stays_unknown_to_the_earlier(
        self, world: World
    ) -> None:
        sent = await world.accepted(sender="iom", receiver="sentra")
        handed = await world.handed_over(sender="iom", receiver="ministry", case_id=sent.case_id)
        assert (await correct(world, handed.case_id, world.iom)).status_code == 403
        path = await corrected(world, handed.case_id, world.ministry)
        assert (await read(world.sentra, path))["sections"] == ["identity", "safety"]
        assert (await world.iom.get(path)).status_code == 404
        assert (await read(world.iom, f"/v1/cases/{handed.case_id}/corrections"))["items"] == []

    async def test_by_an_earlier_lead_is_known_to_the_new_one_by_its_sections_only(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="sentra")
        path = await corrected(world, sent.case_id, world.iom)
        await world.handed_over(sender="iom", receiver="ministry", case_id=sent.case_id)
        found = await read(world.ministry, path)
        assert (found["sections"], found["record"]) == (["identity", "safety"], None)
        assert (await read(world.iom, path))["record"] is not None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"record": {}},
            {"record": {"schema_version": "1.0"}},
            {"record": {"identity": {"names": [{"full": "X"}], "shoe_size": 9}}},
            {"reason": ""},
            {"proposal": "seven"},
        ],
        ids=str,
    )
    async def test_takes_no_bad_input(self, world: World, wrong: dict[str, Any]) -> None:
        sent = await world.accepted()
        assert (await correct(world, sent.case_id, **wrong)).status_code == 422
        assert await world.owner.fetchval("SELECT count(*) FROM correction") == 0

    async def test_repeated_with_its_key_is_made_once(self, world: World) -> None:
        sent = await world.accepted()
        body = {"record": RIGHT, "reason": "Spelt otherwise."}
        path = f"/v1/cases/{sent.case_id}/corrections"
        replies = [await world.police.post(path, body, idempotency_key="once") for _ in range(2)]
        assert replies[0].json() == replies[1].json()
        assert await world.owner.fetchval("SELECT count(*) FROM correction") == 1

    async def test_is_logged_when_made_and_when_read(self, world: World) -> None:
        sent = await world.accepted()
        path = await corrected(world, sent.case_id)
        await read(world.iom, path)
        await world.stranger.get(path)
        (made,) = await world.log(action="case:correct")
        assert '"told": 1' in made["detail"]
        (shown,) = await world.log(action="correction:read")
        assert '"sections": ["identity", "safety"]' in shown["detail"]
        assert [entry["action"] for entry in await world.refusals()] == ["read_correction"]

    async def test_alone_cannot_be_sent_as_a_record(self, world: World) -> None:
        sent = await world.accepted()
        path = await corrected(world, sent.case_id)
        version = (await read(world.police, path))["record_version"]
        body = records.referral(
            "sentra",
            case=None,
            case_id=sent.case_id,
            record=None,
            record_version=version,
            bases=[records.legal_basis("identity")],
        )
        reply = await world.police.post("/v1/referrals", body)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/record-version-unavailable")


class TestWhatItRestsOn:
    """A correction is open to its holder exactly as far as what it corrects is."""

    async def test_opens_with_an_acceptance_that_comes_later(self, world: World) -> None:
        sent = await world.send()
        path = await corrected(world, sent.case_id)
        assert (await world.iom.get(path)).status_code == 404
        assert (await read(world.iom, sent.path))["corrections"] == []
        await world.moved(sent, "accept")
        assert [each["sections"] for each in (await read(world.iom, sent.path))["corrections"]] == [
            ["identity", "safety"]
        ]
        assert (await read(world.iom, path))["record"]["safety"]["must_know"] == "Two men."

    async def test_closes_when_the_referral_does(self, world: World) -> None:
        sent = await world.accepted()
        path = await corrected(world, sent.case_id)
        await read(world.iom, path)
        await world.moved(sent, "decline")
        found = await read(world.iom, path)
        assert (found["record"], found["withheld"]) == (None, ["identity", "safety"])

    async def test_closes_when_its_basis_ends(self, world: World) -> None:
        until = (world.exchange.clock.now().replace(year=2099)).isoformat()
        sent = await world.accepted(bases=[records.legal_basis(until=until)])
        path = await corrected(world, sent.case_id)
        await world.owner.execute("UPDATE disclosure SET until_at = now() - interval '1 day'")
        assert (await read(world.iom, path))["record"] is None

    async def test_locks_with_the_consent_and_is_asked_for_once_with_the_rest(self, world: World) -> None:
        sent = await world.consented()
        path = await corrected(world, sent.case_id)
        assert (await read(world.iom, path))["record"] is not None
        await world.withdraw(sent, "identity")
        assert (await read(world.iom, path))["sections"] == ["safety"]
        await world.withdraw(sent)
        found = await read(world.iom, path)
        assert (found["record"], found["withheld"]) == (None, ["identity", "safety"])
        assert len(await world.requests(world.iom)) == 2, "one for each withdrawal"

    async def test_opens_again_with_a_new_basis(self, world: World) -> None:
        sent = await world.consented()
        path = await corrected(world, sent.case_id)
        await world.withdraw(sent)
        (request,) = await world.requests(world.iom)
        body = {"answer": "re_based", "bases": [records.legal_basis("identity", "needs")]}
        reply = await world.iom.post(f"/v1/requests/{request['id']}/answer", body)
        assert reply.status_code == 200, reply.text
        found = await read(world.iom, path)
        assert (found["sections"], found["withheld"]) == (["identity"], ["safety"])

    async def test_keeps_safety_readable_for_a_day_to_who_has_the_person(self, world: World) -> None:
        sent = await world.moved(await world.consented(), "start")
        path = await corrected(world, sent.case_id)
        await world.withdraw(sent)
        found = await read(world.iom, path)
        assert (set(found["record"]), found["withheld"]) == ({"schema_version", "safety"}, ["identity", "safety"])
        world.exchange.later(hours=25)
        assert (await read(world.iom, path))["record"] is None

    async def test_is_asked_for_at_who_accepted_and_read_it_later(self, world: World) -> None:
        sent = await world.consented(accepted=False)
        path = await corrected(world, sent.case_id)
        await world.moved(sent, "accept")
        await read(world.iom, path)
        opened = await world.owner.fetchval("SELECT opened_at FROM disclosure WHERE subject = 'correction'")
        assert opened is not None
        await world.withdraw(sent)
        assert (await read(world.iom, path))["record"] is None

    async def test_does_not_outlive_an_amendment_in_the_list(self, world: World) -> None:
        sent = await world.accepted()
        await corrected(world, sent.case_id)
        await world.moved(sent, "amend")
        assert (await read(world.iom, sent.path))["corrections"] == []

    async def test_goes_along_when_the_old_version_is_sent_again(self, world: World) -> None:
        first = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        version = str((await world.row(first))["version_id"])
        path = await corrected(world, first.case_id)
        again = {"record": None, "record_version": version, "case_id": first.case_id}
        rerouted = await world.send(receiver="sentra", **again, bases=[records.legal_basis("identity", "needs")])
        onward = await world.accepted(sender="iom", receiver="shelter", **again)
        assert (await world.sentra.get(path)).status_code == 404
        await world.moved(rerouted, "accept")
        for passed, sections in ((rerouted, ["identity"]), (onward, ["identity", "safety"])):
            shown = (await read(passed.receiver, passed.path))["corrections"]
            assert [(f"/v1/corrections/{each['id']}", each["sections"]) for each in shown] == [(path, sections)]
            assert (await read(passed.receiver, path))["sections"] == sections

    async def test_retracted_goes_along_no_more(self, world: World) -> None:
        first = await world.accepted()
        version = str((await world.row(first))["version_id"])
        path = await corrected(world, first.case_id)
        await retract(world, first, version=(await read(world.police, path))["record_version"])
        again = {"record": None, "record_version": version, "case_id": first.case_id}
        second = await world.accepted(receiver="sentra", **again)
        assert (await read(world.sentra, second.path))["corrections"] == []

    async def test_is_what_the_policy_lets_a_kind_have(self, world: World) -> None:
        sent = await world.accepted(**FULL)
        path = await corrected(world, sent.case_id)
        await world.owner.execute("UPDATE referral SET purpose = 'shelter'")
        assert (await read(world.iom, path))["sections"] == ["identity", "safety"]
        narrative = {"narrative": records.full_record()["narrative"]}
        other = await corrected(world, sent.case_id, record=narrative)
        found = await read(world.iom, other)
        assert (found["record"], found["withheld"]) == (None, ["narrative"])

    async def test_made_while_it_is_withdrawn_leaves_nothing_open(self, world: World) -> None:
        for _ in range(10):
            sent = await world.consented()
            made, given = await asyncio.gather(correct(world, sent.case_id), world.withdraw(sent))
            assert (made.status_code, given.status_code) == (201, 200)
            left = await world.owner.fetchval(
                "SELECT count(*) FROM disclosure WHERE consent_id IS NOT NULL AND locked_at IS NULL"
            )
            assert left == 0


async def propose(world: World, who: Agency, case_id: str, **more: Any) -> httpx.Response:
    body = {"pointers": ["/identity/names/0/full", "/safety"], "text": "The passport says Wijaya.", **more}
    return await who.post(f"/v1/cases/{case_id}/correction-proposals", body)


class TestAProposal:
    async def proposed(self, world: World) -> tuple[Passed, str]:
        sent = await world.accepted()
        await world.exchange.settle()
        reply = await propose(world, world.iom, sent.case_id)
        assert (reply.status_code, reply.json()["state"]) == (201, "open"), reply.text
        return sent, str(reply.headers["Location"])

    async def test_asks_the_lead_and_says_where_it_is_wrong(self, world: World) -> None:
        _, path = await self.proposed(world)
        assert await world.told() == [("police", "request.opened")]
        for who in (world.police, world.iom):
            found = await read(who, path)
            assert (found["kind"], found["sections"]) == ("correction", ["identity", "safety"])
            assert (found["asked"]["code"], found["asked_by"]["code"]) == ("police", "iom")
            assert found["pointers"] == ["/identity/names/0/full", "/safety"]
            assert found["text"] == "The passport says Wijaya."
        assert (await world.stranger.get(path)).status_code == 404
        assert b"Wijaya" not in await world.owner.fetchval("SELECT detail FROM request")

    async def test_is_answered_by_the_correction_that_names_it(self, world: World) -> None:
        sent, path = await self.proposed(world)
        made = await corrected(world, sent.case_id, proposal=path.rpartition("/")[2])
        found = await read(world.iom, path)
        assert (found["state"], found["answer"]) == ("answered", "corrected")
        assert f"/v1/corrections/{found['correction']}" == made
        assert ("iom", "request.answered") in await world.told()
        again = await correct(world, sent.case_id, proposal=path.rpartition("/")[2])
        assert (again.status_code, again.json()["type"]) == (409, "/problems/request-answered")
        assert await world.owner.fetchval("SELECT count(*) FROM correction") == 1

    async def test_is_answered_by_naming_a_correction_or_refused_with_a_ground(self, world: World) -> None:
        sent, path = await self.proposed(world)
        made = (await corrected(world, sent.case_id)).rpartition("/")[2]
        other = (await corrected(world, (await world.accepted()).case_id)).rpartition("/")[2]
        for wrong in (str(uuid4()), other):
            reply = await world.police.post(f"{path}/answer", {"answer": "corrected", "correction": wrong})
            assert reply.json()["errors"] == [{"pointer": "/correction", "code": "unknown_correction"}]
        assert (await world.police.post(f"{path}/answer", {"answer": "refused"})).status_code == 422
        assert (await world.police.post(f"{path}/answer", {"answer": "erased"})).status_code == 422
        reply = await world.police.post(f"{path}/answer", {"answer": "corrected", "correction": made})
        assert reply.status_code == 200, reply.text

    async def test_refused_stays_with_its_ground(self, world: World) -> None:
        _, path = await self.proposed(world)
        body = {"answer": "refused", "text": "The register has it as we do."}
        assert (await world.police.post(f"{path}/answer", body)).status_code == 200
        assert (await read(world.iom, path))["answer_text"] == "The register has it as we do."

    async def test_goes_with_the_case_to_a_new_lead(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="sentra")
        path = (await propose(world, world.sentra, sent.case_id)).headers["Location"]
        await world.handed_over(sender="iom", receiver="ministry", case_id=sent.case_id)
        assert ("ministry", "request.opened") in await world.told()
        body = {"answer": "refused", "text": "It is right."}
        assert (await world.iom.post(f"{path}/answer", body)).status_code == 404
        assert (await world.ministry.post(f"{path}/answer", body)).status_code == 200

    async def test_is_for_parties_alone(self, world: World) -> None:
        sent = await world.accepted()
        assert (await propose(world, world.stranger, sent.case_id)).status_code == 404
        assert (await propose(world, world.iom, str(uuid4()))).status_code == 404
        reply = await propose(world, world.police, sent.case_id)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/lead-corrects-itself")
        assert await world.owner.fetchval("SELECT count(*) FROM request") == 0

    @pytest.mark.parametrize(
        "wrong",
        [
            {"pointers": []},
            {"pointers": ["identity"]},
            {"pointers": ["/diary"]},
            {"pointers": ["/identity/~2"]},
            {"pointers": ["/identity/names\n"]},
            {"pointers": ["/identity/\u202e"]},
            {"pointers": ["/identity"] * 31},
            {"pointers": ["/identity/" + "x" * 300]},
            {"text": ""},
            {"text": None},
        ],
        ids=lambda wrong: str(wrong)[:40],
    )
    async def test_takes_no_bad_input(self, world: World, wrong: dict[str, Any]) -> None:
        sent = await world.accepted()
        assert (await propose(world, world.iom, sent.case_id, **wrong)).status_code == 422


async def version_of(world: World, passed: Passed) -> str:
    return str((await world.row(passed))["version_id"])


async def retract(world: World, passed: Passed, by: Agency | None = None, version: str | None = None) -> httpx.Response:
    path = f"/v1/cases/{passed.case_id}/record-versions/{version or await version_of(world, passed)}/retract"
    return await (by or passed.sender).post(path, {"reason": "This is another Surya."})


class TestTheWrongPersonsRecord:
    @pytest.mark.parametrize("state", ["sent", "accepted", "completed", "declined"])
    async def test_is_locked_for_everyone_at_once_in_any_state(self, world: World, state: str) -> None:
        sent = await world.send(**FULL)
        await world.put(sent, state)
        assert (await retract(world, sent)).status_code == 200
        for who in (sent.sender, sent.receiver):
            reply = await who.get(sent.path)
            found = reply.json()
            assert (found["record"], found["preview"], found["state"]) == (None, None, state)
            assert found["withheld"] == list(records.FULL_SECTIONS)
            assert [each["access"] for each in found["disclosures"]] == ["locked"]
            assert "Rifampicin" not in reply.text
            assert records.NAME not in reply.text

    async def test_is_asked_back_from_who_read_it_and_explained_by_its_author(self, world: World) -> None:
        opened = await world.accepted(receiver="iom")
        version = await version_of(world, opened)
        again = {"record": None, "record_version": version, "case_id": opened.case_id}
        previewed = await world.send(receiver="lpsk", **again)
        await world.lpsk.get(previewed.path)
        await world.send(receiver="sentra", **again)  # never looked at
        await world.exchange.settle()
        assert (await retract(world, opened)).status_code == 200
        for reader in (world.iom, world.lpsk):
            (asked,) = await world.requests(reader)
            assert (asked["kind"], asked["cause"], asked["record_version"]) == ("erasure", "version_retracted", version)
        assert await world.requests(world.sentra) == []
        (incident,) = (await read(world.police, "/v1/incidents"))["items"]
        assert (incident["kind"], incident["subject_id"]) == ("wrong_person", version)
        assert await world.told() == [
            ("iom", "record.retracted"),
            ("iom", "request.opened"),
            ("lpsk", "record.retracted"),
            ("lpsk", "request.opened"),
            ("police", "incident.opened"),
        ]
        path = f"/v1/incidents/{incident['id']}"
        assert (await read(world.police, path))["how"] == "This is another Surya."
        assert (await world.iom.get(path)).status_code == 404, "who read it was asked to erase it, no more"
        assert (await world.police.post(f"{path}/entries", {"text": "Two people with one name."})).status_code == 200

    async def test_cannot_be_put_on_a_new_basis(self, world: World) -> None:
        sent = await world.consented()
        await world.withdraw(sent)
        (earlier,) = await world.requests(world.iom)
        await retract(world, sent)
        body = {"answer": "re_based", "bases": [records.legal_basis()]}
        for request in await world.requests(world.iom):
            reply = await world.iom.post(f"/v1/requests/{request['id']}/answer", body)
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase")
        assert earlier["cause"] == "consent_withdrawn"

    async def test_leaves_nothing_readable_for_a_day(self, world: World) -> None:
        sent = await world.moved(await world.consented(), "start")
        await world.withdraw(sent)
        await retract(world, sent)
        assert (await read(world.iom, sent.path))["record"] is None

    async def test_cannot_be_sent_again(self, world: World) -> None:
        sent = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        version = await version_of(world, sent)
        await retract(world, sent)
        for who in (world.police, world.iom):
            body = records.referral("sentra", case=None, case_id=sent.case_id, record=None, record_version=version)
            reply = await who.post("/v1/referrals", body)
            assert reply.status_code in (403, 409), reply.text
            assert reply.json()["type"] in ("/problems/record-version-unavailable", "/problems/not-lead")

    async def test_is_replaced_by_the_right_one(self, world: World) -> None:
        sent = await world.accepted()
        await retract(world, sent)
        await world.moved(sent, "amend", "start")
        assert (await read(world.iom, sent.path))["record"] is not None
        await world.moved(sent, "complete")

    async def test_does_not_keep_the_services_from_ending(self, world: World) -> None:
        sent = await world.in_progress()
        await retract(world, sent)
        await world.moved(sent, "complete")

    async def test_is_retracted_once(self, world: World) -> None:
        sent = await world.accepted()
        assert (await retract(world, sent)).status_code == 200
        again = await retract(world, sent)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/version-retracted")
        assert len(await world.requests(world.iom)) == 1

    async def test_is_retracted_by_its_author_and_no_other_party(self, world: World) -> None:
        sent = await world.accepted()
        for who in (world.iom, world.stranger, world.ministry):
            assert (await retract(world, sent, who)).status_code == 404, who.code
        assert (await retract(world, sent, version=str(uuid4()))).status_code == 404
        other = await world.accepted()
        assert (await retract(world, other, version=await version_of(world, sent))).status_code == 404
        assert (await read(world.iom, sent.path))["withheld"] == []

    async def test_by_a_protection_officer_of_the_desk(self, world: World, desk: Agency) -> None:
        sent = await world.accepted(sender="iom", receiver="shelter")
        await world.exchange.settle()
        desk.client.scope = "cases.read cases.write"
        desk.client.forget_token()
        try:
            assert (await retract(world, sent, desk)).status_code == 404, "the desk without such an officer"
        finally:
            desk.client.scope = None
            desk.client.forget_token()
        assert (await retract(world, sent, desk)).status_code == 200
        (incident,) = (await read(world.iom, "/v1/incidents"))["items"]
        assert (incident["reported_by"]["code"], incident["responsible"]["code"]) == ("ministry", "iom")
        assert ("iom", "record.retracted") in await world.told()

    async def test_is_logged_without_its_reason(self, world: World) -> None:
        sent = await world.accepted()
        await retract(world, sent)
        (entry,) = await world.log(action="record:retract")
        assert "Surya" not in entry["detail"]
        assert '"requests": 1' in entry["detail"]

    async def test_while_it_is_accepted_never_opens(self, world: World) -> None:
        for _ in range(15):
            sent = await world.send(**FULL)
            body, version = await world.body(sent, "accept"), await version_of(world, sent)
            taken, back = await asyncio.gather(world.move(sent, "accept", body), retract(world, sent, version=version))
            assert (taken.status_code, back.status_code) == (200, 200)
            assert (await read(sent.receiver, sent.path))["record"] is None

    async def test_that_was_a_correction_goes_too(self, world: World) -> None:
        sent = await world.accepted()
        path = await corrected(world, sent.case_id)
        await read(world.iom, path)
        version = (await read(world.police, path))["record_version"]
        assert (await retract(world, sent, version=version)).status_code == 200
        for who in (world.iom, world.police):
            assert (await read(who, path))["record"] is None
        assert (await read(world.iom, sent.path))["withheld"] == []
        assert (await read(world.iom, sent.path))["corrections"] == []

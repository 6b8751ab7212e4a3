"""What a person asks about their data: written down by any party, answered by the lead in time, with what follows from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from tests.makers import cases, records
from tests.makers.world import Agency, Passed, World

FULL: dict[str, Any] = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}


async def ask(world: World, by: Agency, case_id: str, kind: str = "access", **more: Any) -> httpx.Response:
    body = {
        "case_id": case_id,
        "kind": kind,
        "requester": "person",
        "identity_check": "known_to_staff",
        "identity_checked_by": "recording_agency",
        "received_at": world.exchange.clock.now().isoformat(),
        "text": "I want to know what they wrote about me.",
        **more,
    }
    return await by.post("/v1/subject-requests", body)


async def asked(world: World, by: Agency, case_id: str, kind: str = "access", **more: Any) -> str:
    reply = await ask(world, by, case_id, kind, **more)
    assert reply.status_code == 201, reply.text
    return str(reply.headers["Location"])


async def answer(by: Agency, path: str, **body: Any) -> httpx.Response:
    return await by.post(f"{path}/answer", {"answer": "granted", **body})


async def told_after(world: World, **by: float) -> list[tuple[str, str]]:
    """Who is told of subject requests once that much time has passed and the worker has looked."""
    await world.exchange.settle()
    world.exchange.later(**by)
    while await world.exchange.worker.watch_deadlines():
        pass
    return [each for each in await world.told() if each[1].startswith("subject_request.")]


async def open_to(passed: Passed, who: Agency | None = None) -> list[str]:
    record = (await (who or passed.receiver).get(passed.path)).json()["record"] or {}
    return [name for name in record if name != "schema_version"]


class TestASubjectRequest:
    async def test_is_written_down_by_a_party_goes_to_the_lead_and_comes_back(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        path = await asked(world, world.shelter, sent.case_id, sections=["health"])
        assert ("police", "subject_request.opened") in await world.told()
        for who in (world.iom, world.stranger):
            assert (await ask(world, who, sent.case_id)).status_code == 404
            assert (await who.get(path)).status_code == 404
            assert (await answer(who, path)).status_code == 404
        found = (await world.police.get(path)).json()
        assert (found["text"], found["sections"], found["recorded_by"]["code"]) == (
            "I want to know what they wrote about me.",
            ["health"],
            "shelter",
        )
        assert (await answer(world.shelter, path)).json()["type"] == "/problems/not-lead"
        refused = {"answer": "refused", "refusal_ground": "endangers_safety_or_health", "text": "The suspect reads it."}
        for wrong in (
            {"answer": "refused"},
            {"refusal_ground": "not_held"},
            {"sections": ["identity"]},
            {"correction": sent.id},
        ):
            assert (await answer(world.police, path, **wrong)).status_code == 422, wrong
        assert (await answer(world.police, path, **refused)).status_code == 200
        assert (await answer(world.police, path)).json()["type"] == "/problems/request-answered"
        assert ("shelter", "subject_request.answered") in await world.told()
        found = (await world.shelter.get(path)).json()
        assert (found["answer"], found["refusal_ground"], found["answer_text"]) == (
            "refused",
            "endangers_safety_or_health",
            "The suspect reads it.",
        )
        (entry,) = await world.log(action="subject_request:answer")
        assert '"ground": "endangers_safety_or_health"' in entry["detail"]
        assert "suspect" not in entry["detail"]
        assert [each["id"] for each in (await world.police.get("/v1/subject-requests")).json()["items"]] == [
            found["id"]
        ]
        listed = (await world.shelter.get("/v1/subject-requests?role=author&state=answered")).json()["items"]
        assert [each["id"] for each in listed] == [found["id"]]
        assert (await world.shelter.get("/v1/subject-requests")).json()["items"] == []

    async def test_is_refused_to_a_barred_guardian_and_the_lead_is_told(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        case = await cases.case_of(world, sent.case_id)
        assert (
            await world.police.post(f"{case.path}/guardian", {"suspect": True, "reason": "He took her passport."})
        ).status_code == 200
        await world.exchange.settle()
        reply = await ask(world, world.shelter, sent.case_id, requester="guardian")
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/guardian-barred")
        assert await world.told() == [("police", "case.guardian_barred")]
        assert (await world.police.get("/v1/subject-requests")).json()["items"] == []
        assert (await ask(world, world.shelter, sent.case_id, requester="court_guardian")).status_code == 201

    async def test_is_due_three_days_after_the_asking_and_follows_the_lead(self, world: World, desk: Agency) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        now = world.exchange.clock.now()
        path = await asked(world, world.shelter, sent.case_id, received_at=(now - timedelta(hours=12)).isoformat())
        future = (now + timedelta(hours=1)).isoformat()
        assert (await ask(world, world.shelter, sent.case_id, received_at=future)).status_code == 422
        moved = await world.handed_over(sender="police", receiver="iom", case_id=sent.case_id)
        assert moved.kind == "transfer"
        told = [each for each in await world.told() if each[1].startswith("subject_request")]
        assert told == [("iom", "subject_request.opened"), ("police", "subject_request.opened")]
        assert (await world.police.get(path)).status_code == 404, "the earlier lead answers no more"
        assert await told_after(world, hours=31) == [("iom", "subject_request.reminder")]
        assert (await world.iom.get(path)).json()["clock"] == "due"
        for hours in (31, 73):  # overdue, and again
            assert await told_after(world, hours=hours) == [
                (who, "subject_request.overdue") for who in ("iom", "ministry", "shelter")
            ]
        as_officer = (await desk.get("/v1/subject-requests?role=officer")).json()["items"]
        assert [each["clock"] for each in as_officer] == ["overdue"]
        assert (await world.iom.get("/v1/subject-requests?role=officer")).json()["type"] == "/problems/officer-only"

    async def test_of_correction_names_the_correction_by_which_every_holder_was_told(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        path = await asked(world, world.shelter, sent.case_id, "correct")
        right = {"record": {"identity": records.record()["identity"]}, "reason": "Misspelt."}
        made = await world.police.post(f"/v1/cases/{sent.case_id}/corrections", right)
        assert (await answer(world.police, path)).status_code == 422, "without it nothing was corrected"
        assert (await answer(world.police, path, correction=sent.id)).status_code == 422
        assert (await answer(world.police, path, correction=made.json()["id"])).status_code == 200
        assert ("shelter", "case.corrected") in await world.told()


class TestAGrantedRestriction:
    async def test_locks_for_every_holder_who_answers(self, world: World) -> None:
        first = await world.in_progress(receiver="shelter", **FULL)
        second = await world.accepted(receiver="lpsk", case_id=first.case_id, **FULL)
        path = await asked(
            world, world.shelter, first.case_id, "restrict", sections=["health", "psychosocial", "safety"]
        )
        assert (await answer(world.police, path)).status_code == 200
        for passed in (first, second):
            assert {"health", "psychosocial"}.isdisjoint(await open_to(second))
            assert "identity" in await open_to(passed)
            (request,) = await world.requests(passed.receiver)
            assert (request["cause"], request["sections"]) == (
                "restriction_asked",
                ["safety", "health", "psychosocial"],
            )
        assert "safety" in await open_to(first), "for a day, to whoever has the person with them"
        reasons = {each["access"] for each in (await world.lpsk.get(second.path)).json()["disclosures"]}
        assert reasons == {"full", "locked"}
        asked_of = (await world.police.get(path)).json()["requests"]
        assert len(asked_of) == 2
        reply = await world.shelter.post(f"/v1/requests/{asked_of[0]}/answer", {"answer": "restricted"})
        assert reply.status_code in (200, 404)
        assert await world.owner.fetchval("SELECT count(*) FROM erasure") == 0


async def erased(world: World) -> int:
    return int(await world.owner.fetchval("SELECT count(*) FROM erasure"))


class TestAGrantedErasure:
    async def test_erases_here_once_the_holders_have_answered(self, world: World) -> None:
        first = await world.accepted(receiver="shelter", **FULL)
        unread = await world.send(receiver="lpsk", case_id=first.case_id, **FULL)
        path = await asked(world, world.shelter, first.case_id, "erase", sections=["health", "narrative"])
        before = await world.owner.fetchrow(
            "SELECT * FROM record_content WHERE version_id = $1", (await world.row(first))["version_id"]
        )
        assert (await answer(world.police, path)).status_code == 200
        assert await world.exchange.worker.erase_what_is_due() == 0, "nobody has answered yet"
        (request,) = await world.requests(world.shelter)
        await world.shelter.post(f"/v1/requests/{request['id']}/answer", {"answer": "erased"})
        while await world.exchange.worker.erase_what_is_due():
            pass
        after = await world.owner.fetchrow("SELECT * FROM record_content WHERE version_id = $1", before["version_id"])
        assert after["wrapped_key"] != before["wrapped_key"]
        assert [part for part in after["parts"] if part == b""] == [b""] * 3, "two sections, and the salt"
        assert after["parts"][-1] == b""
        own = (await world.police.get(first.path)).json()["record"]
        assert "health" not in own
        assert own["identity"]["names"]
        assert (await world.police.get(path)).json()["erased_at"] is not None
        preview = (await world.lpsk.get(unread.path)).json()["preview"]
        assert preview["needs"]
        assert preview["care_tonight"] is None or preview["care_tonight"].get("medicines") is None
        entries = await world.log(action="erasure:apply")
        assert {'"health"' in entry["detail"] for entry in entries} == {True}
        again = await world.police.post(
            "/v1/referrals",
            records.referral(
                "sentra",
                case=None,
                case_id=first.case_id,
                record=None,
                record_version=str(before["version_id"]),
                **{k: v for k, v in FULL.items() if k != "record"},
            ),
        )
        assert again.json()["type"] == "/problems/record-version-unavailable"

    async def test_waits_no_longer_than_a_month_for_an_answer(self, world: World) -> None:
        first = await world.accepted(receiver="shelter", **FULL)
        path = await asked(world, world.shelter, first.case_id, "erase")
        await answer(world.police, path)
        world.exchange.later(days=29)
        assert await world.exchange.worker.erase_what_is_due() == 0
        world.exchange.later(days=2)
        while await world.exchange.worker.erase_what_is_due():
            pass
        assert await world.owner.fetchval("SELECT count(*) FROM record_content") == 0
        assert (await world.police.get(first.path)).json()["record"] is None

    async def test_is_refused_for_what_a_hold_keeps(self, world: World, desk: Agency) -> None:
        first = await world.accepted(receiver="shelter", **FULL)
        case = await cases.case_of(world, first.case_id)
        held = await desk.post("/v1/holds", records.hold(world.exchange.clock.now(), case.reference, "health"))
        assert held.status_code == 201, held.text
        path = await asked(world, world.shelter, first.case_id, "erase")
        reply = await answer(world.police, path)
        assert (reply.json()["type"], reply.json()["sections"]) == ("/problems/sections-held", ["health"])
        part = {
            "answer": "granted_in_part",
            "sections": ["psychosocial"],
            "refusal_ground": "legal_case",
            "text": "The court.",
        }
        assert (await answer(world.police, path, **part)).status_code == 200


class TestARetractedVersion:
    async def test_is_gone_once_its_readers_have_answered(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        version = (await world.row(sent))["version_id"]
        await world.police.post(f"/v1/cases/{sent.case_id}/record-versions/{version}/retract", {"reason": "Another's."})
        assert await world.exchange.worker.erase_what_is_due() == 0
        (request,) = await world.requests(world.shelter)
        await world.shelter.post(f"/v1/requests/{request['id']}/answer", {"answer": "erased"})
        assert await world.exchange.worker.erase_what_is_due() == 1
        assert await world.owner.fetchval("SELECT count(*) FROM record_content WHERE version_id = $1", version) == 0
        row = await world.owner.fetchrow("SELECT * FROM record_version WHERE id = $1", UUID(str(version)))
        assert row is not None
        assert (row["preview"], row["erased_sections"]) == (None, row["sections"])
        (entry,) = await world.log(action="erasure:apply")
        assert '"cause": "retraction"' in entry["detail"]
        assert (await world.shelter.get(sent.path)).json()["record"] is None

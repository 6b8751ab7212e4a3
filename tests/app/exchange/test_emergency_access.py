"""Emergency access reads, for a few hours, named sections of a case; it is told at once, reviewed, and lets nobody act."""

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

RICH = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}
NEED = {"sections": ["identity", "health"], "reason": "medical_emergency", "text": "He does not wake up."}


@pytest.fixture
async def reviewers(world: World) -> AsyncIterator[Agency]:
    """The agency that reviews."""
    await world.owner.execute("UPDATE agency SET reviewer = true WHERE code = 'sentra'")
    await world.exchange.directory.refresh()
    yield world.sentra
    await world.owner.execute("UPDATE agency SET reviewer = false WHERE reviewer")
    await world.exchange.directory.refresh()


async def reference_of(world: World, case_id: str) -> str:
    found: str = await world.owner.fetchval("SELECT reference FROM case_file WHERE id = $1", UUID(case_id))
    return found


async def ask(who: Agency, **more: Any) -> httpx.Response:
    options = {name: more.pop(name) for name in ("idempotency_key", "actor") if name in more}
    return await who.post("/v1/emergency-access", {**NEED, **more}, **options)


async def opened(who: Agency, **more: Any) -> str:
    reply = await ask(who, **more)
    assert reply.status_code == 201, reply.text
    path: str = reply.headers["location"]
    assert path == f"/v1/emergency-access/{reply.json()['id']}"
    return path


async def shown(who: Agency, path: str) -> list[str]:
    reply = await who.get(path)
    assert reply.status_code == 200, reply.text
    return [name for name, part in (reply.json()["record"] or {}).items() if part is not None]


class TestOpening:
    async def test_by_a_party_that_was_not_sent_these_sections(self, world: World, reviewers: Agency) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        other = await world.accepted(receiver="iom", case_id=sent.case_id)
        await world.exchange.settle()
        path = await opened(other.receiver, case_id=sent.case_id)
        assert await world.told() == [
            ("police", "emergency_access.opened"),
            ("sentra", "emergency_access.opened"),
            ("sentra", "review.opened"),
        ]
        found = (await world.iom.get(path)).json()
        assert found["record"]["health"]["medicines"][0]["name"] == "Rifampicin 450"
        assert found["record"]["identity"]["names"][0]["full"] == records.NAME
        assert (found["state"], found["by_reference"], found["text"]) == ("open", False, NEED["text"])
        assert await shown(world.iom, path) == ["identity", "health"]
        entries = await world.log(action="emergency_access:read")
        assert {str(row["subject_id"]) for row in entries} == {found["id"]}
        assert len(entries) == 2
        assert NEED["text"] not in "".join(row["detail"] for row in await world.log())

    async def test_by_the_reference_of_whoever_has_the_person_before_them(
        self, world: World, reviewers: Agency
    ) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        case, referral = await reference_of(world, sent.case_id), sent.reply.json()["reference"]
        for written in (case, case.lower().replace("-", " "), referral):
            path = await opened(world.stranger, reference=written)
            assert await shown(world.stranger, path) == ["identity", "health"], written
            await world.stranger.post(f"{path}/end")
        assert (await world.stranger.get(path)).json()["by_reference"]

    async def test_is_not_for_who_has_no_part_and_no_reference(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        for wrong in ({"case_id": sent.case_id}, {"case_id": str(uuid4())}, {"reference": "K-0000-0000-0"}):
            reply = await ask(world.stranger, **wrong)
            assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found"), wrong
        mistyped = (await reference_of(world, sent.case_id))[:-1] + "?"
        for unreadable in (mistyped, "K-0000-0000-1", "12 345 67 89"):
            assert (await ask(world.stranger, reference=unreadable)).status_code == 422, unreadable
        declined = await world.moved(await world.send(receiver="iom", case_id=sent.case_id), "decline")
        assert (await ask(declined.receiver, case_id=sent.case_id)).status_code == 404

    async def test_is_not_for_investigators_missions_or_who_is_abroad_without_a_part(self, world: World) -> None:
        sent = await world.accepted(sender="iom", receiver="shelter", **RICH)
        reference = await reference_of(world, sent.case_id)
        for who in (world.police, world.embassy, await world.mission()):
            reply = await ask(who, reference=reference)
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/emergency-not-for-you"), who.code
        practice, _ = await world.practice()
        assert (await ask(practice, reference=reference)).status_code == 403
        assert (await ask(world.newcomers["practice-iom"], reference=reference)).status_code == 404

    async def test_opens_what_keeps_alive_and_the_kind_may_hold(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        for section in ("narrative", "psychosocial", "contact", "attachments"):
            reply = await ask(world.shelter, case_id=sent.case_id, sections=["needs", section])
            assert reply.status_code == 403
            assert reply.json()["refused"] == [{"section": section, "reason": "basis_does_not_open"}]
            assert reply.json()["sendable_sections"] == ["needs"]
        reply = await ask(world.police, case_id=sent.case_id)  # health is not for who may prosecute
        assert reply.json()["refused"] == [{"section": "health", "reason": "agency_kind"}]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"reference": "K-0000-0000-0"},
            {"sections": []},
            {"sections": ["identity", "identity"]},
            {"sections": ["soul"]},
            {"reason": "curiosity"},
            {"text": ""},
            {"hours": 0},
            {"hours": 25},
            {"hours": "4"},
            {"case_id": None},
            {"more": 1},
        ],
        ids=str,
    )
    async def test_refuses_a_body_that_is_wrong(self, world: World, wrong: dict[str, Any]) -> None:
        assert (await ask(world.shelter, **{"case_id": str(uuid4()), **wrong})).status_code == 422

    async def test_is_once_at_a_time_and_repeated_by_its_key(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        both = await asyncio.gather(*(ask(world.shelter, case_id=sent.case_id, idempotency_key="k") for _ in range(2)))
        first = await ask(world.shelter, case_id=sent.case_id, idempotency_key="k")
        assert {reply.status_code for reply in both} <= {201, 409}
        assert first.status_code == 201
        second = await ask(world.shelter, case_id=sent.case_id)
        assert (second.status_code, second.json()["emergency_access_id"]) == (409, first.json()["id"])

    async def test_by_references_is_not_often(self, world: World) -> None:
        for _ in range(world.exchange.settings.emergency_knocks_per_day):
            assert (await ask(world.stranger, reference="K-0000-0000-0")).status_code == 404
        sent = await world.accepted(receiver="shelter", **RICH)
        reference = await reference_of(world, sent.case_id)
        reply = await ask(world.stranger, reference=reference)
        assert (reply.status_code, reply.json()["type"]) == (429, "/problems/too-many-knocks")
        assert (await ask(world.lpsk, reference=reference)).status_code == 201  # one agency does not shut out another
        world.exchange.later(hours=25)
        assert (await ask(world.stranger, reference=reference)).status_code == 201


class TestReading:
    async def test_ends_by_itself(self, world: World, reviewers: Agency) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        path = await opened(world.iom, reference=await reference_of(world, sent.case_id), hours=2)
        await world.owner.execute("UPDATE referral SET due_at = NULL")
        world.exchange.later(hours=2)
        assert await shown(world.iom, path) == []  # also while no worker has looked
        assert (await world.iom.get(path)).json()["state"] == "ended"
        await world.owner.execute("TRUNCATE outbox")
        await world.exchange.worker.watch_reviews()
        assert await world.told() == [
            ("iom", "emergency_access.ended"),
            ("police", "emergency_access.ended"),
            ("sentra", "emergency_access.ended"),
        ]
        assert (await world.iom.get(path)).json()["end_reason"] == "time"
        await opened(world.iom, reference=await reference_of(world, sent.case_id))

    @pytest.mark.parametrize(("who", "why"), [("police", "lead"), ("sentra", "reviewer"), ("iom", "holder")])
    async def test_is_ended_at_once_by_lead_reviewers_or_who_has_it(
        self, world: World, reviewers: Agency, who: str, why: str
    ) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        path = await opened(world.iom, reference=await reference_of(world, sent.case_id))
        for other in (world.shelter, world.stranger):
            assert (await other.post(f"{path}/end")).status_code == 404, other.code
        assert (await world.who(who).post(f"{path}/end")).status_code == 200
        assert await shown(world.iom, path) == []
        assert (await world.iom.get(path)).json()["end_reason"] == why
        again = await world.who(who).post(f"{path}/end")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/emergency-ended")

    async def test_of_the_reason_is_for_lead_and_reviewers_and_of_the_sections_for_nobody_else(
        self, world: World, reviewers: Agency
    ) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        path = await opened(world.iom, reference=await reference_of(world, sent.case_id))
        for who in (world.police, reviewers):
            found = (await who.get(path)).json()
            assert (found["text"], found["record"]) == (NEED["text"], None), who.code
            assert [each["id"] for each in (await who.get("/v1/emergency-access")).json()["items"]] == [found["id"]]
        for who in (world.shelter, world.stranger, world.lpsk):
            assert (await who.get(path)).status_code == 404, who.code
            assert (await who.get(f"/v1/emergency-access?case_id={sent.case_id}")).json()["items"] == []
        assert (await world.iom.get(f"/v1/emergency-access/{uuid4()}")).status_code == 404

    async def test_is_of_the_newest_version_and_of_none_that_was_retracted(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        path = await opened(world.iom, reference=await reference_of(world, sent.case_id))
        newer = {**records.full_record()["health"], "medicines": [{"name": "Insulin"}]}
        await world.police.post(
            f"/v1/cases/{sent.case_id}/corrections",
            {"record": {"schema_version": "1.0", "health": newer}, "reason": "Read wrongly."},
        )
        found = (await world.iom.get(path)).json()["record"]
        assert found["health"]["medicines"][0]["name"] == "Insulin"
        version = (await world.police.get(sent.path)).json()["record_version"]
        await world.police.post(
            f"/v1/cases/{sent.case_id}/record-versions/{version}/retract", {"reason": "Another person's."}
        )
        assert await shown(world.iom, path) == ["health"]

    async def test_lets_nobody_act_or_read_anywhere_else(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **RICH)
        path = await opened(world.iom, reference=await reference_of(world, sent.case_id))
        await shown(world.iom, path)
        version = (await world.police.get(sent.path)).json()["record_version"]
        onward = {
            **records.referral("lpsk", record=None, case=None, bases=[records.legal_basis("needs")]),
            "case_id": sent.case_id,
            "record_version": version,
        }
        for reply in (
            await world.iom.get(sent.path),
            await world.iom.get(f"/v1/cases/{sent.case_id}"),
            await world.iom.get(f"{sent.path}/form"),
            await world.iom.client.get(sent.path, actor="a", headers={"Accept": "application/fhir+json"}),
            await world.iom.post("/v1/referrals", onward),
            await world.iom.post(f"{sent.path}/notes", {"text": "I read it."}),
            await world.iom.post(f"/v1/cases/{sent.case_id}/consents", records.consent(world.exchange.clock.now())),
            await world.iom.post(
                f"/v1/cases/{sent.case_id}/correction-proposals", {"pointers": ["/health"], "text": "No."}
            ),
        ):
            assert reply.status_code == 404, (reply.request.url, reply.text)
        # and past the service, as the role it runs as
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            async with conn.transaction():
                await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.id_of("iom")))
                for table in (
                    "case_file",
                    "referral",
                    "disclosure",
                    "record_version",
                    "record_content",
                    "move",
                    "consent",
                ):
                    assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0, table
                now = world.exchange.clock.now()
                emergency = UUID(path.rpartition("/")[2])
                rows = await conn.fetch("SELECT section FROM emergency_content($1, $2)", emergency, now)
                assert [row["section"] for row in rows] == ["health", "identity"]
                rows = await conn.fetch("SELECT * FROM emergency_content($1, $2)", emergency, now + timedelta(hours=5))
                assert rows == []
                await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.id_of("stranger")))
                assert await conn.fetch("SELECT * FROM emergency_content($1, $2)", emergency, now) == []
        finally:
            await conn.close()


class TestItsReview:
    async def test_finds_that_there_was_no_ground_and_ends_it(self, world: World, reviewers: Agency) -> None:
        sent: Passed = await world.accepted(receiver="shelter", **RICH)
        path = await opened(world.iom, reference=await reference_of(world, sent.case_id))
        reply = await reviewers.get("/v1/reviews")
        review = next(each for each in reply.json()["items"] if each["basis"] == "emergency_access")
        assert (review["sender"], review["receiver"]["code"]) == (None, "iom")
        found = (await reviewers.get(f"/v1/reviews/{review['id']}")).json()
        assert found["reason"] == NEED["text"]
        assert (found["disclosed_by"]["code"], found["disclosed_actor"]) == ("iom", "officer-7")
        (entry,) = await world.log(action="emergency_access:open")
        assert found["log_entry"] == str(entry["id"])
        reply = await reviewers.post(f"/v1/reviews/{review['id']}/find-unjustified", {"text": "He was awake."})
        assert reply.status_code == 200, reply.text
        assert await shown(world.iom, path) == []
        assert (await world.iom.get(path)).json()["end_reason"] == "not_justified"
        (request,) = await world.requests(world.iom)
        assert (request["kind"], request["cause"], request["subject"]) == (
            "erasure",
            "not_justified",
            "emergency_access",
        )
        assert (await world.iom.post(f"/v1/requests/{request['id']}/answer", {"answer": "erased"})).status_code == 200

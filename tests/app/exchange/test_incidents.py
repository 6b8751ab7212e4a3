"""Incidents with personal data: written down by any agency, seen by those concerned, closed with the notice or with why there was none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.makers.world import Agency, World


async def report(world: World, by: Agency, *case_ids: str, **more: Any) -> httpx.Response:
    body = {
        "kind": "wrong_receiver",
        "noticed_at": world.exchange.clock.now().isoformat(),
        "data_classes": ["specific_health"],
        "cases": list(case_ids),
        "how": "The wrong name was chosen from the list.",
        **more,
    }
    return await by.post("/v1/incidents", body)


async def reported(world: World, by: Agency, *case_ids: str, **more: Any) -> str:
    reply = await report(world, by, *case_ids, **more)
    assert reply.status_code == 201, reply.text
    assert reply.headers["Location"] == f"/v1/incidents/{reply.json()['id']}"
    return str(reply.headers["Location"])


async def told_after(world: World, **by: float) -> list[tuple[str, str]]:
    await world.exchange.settle()
    world.exchange.later(**by)
    while await world.exchange.worker.watch_deadlines():
        pass
    return [each for each in await world.told() if each[1].startswith("incident.")]


def notice(now: datetime) -> dict[str, Any]:
    return {
        "subject_told_at": now.isoformat(),
        "authority_told_at": now.isoformat(),
        "authority_paper": "B-12/2026",
        "action": "The receiver erased it; the list now asks twice.",
    }


class TestAnIncident:
    async def test_is_seen_by_those_concerned_each_with_its_own_case(self, world: World, desk: Agency) -> None:
        mine = await world.accepted(sender="police", receiver="shelter")
        other = await world.accepted(sender="iom", receiver="shelter")
        path = await reported(world, world.shelter, mine.case_id, other.case_id)
        assert [each for each in await world.told() if each[1] == "incident.opened"] == [
            (who, "incident.opened") for who in ("iom", "ministry", "police")
        ]
        for who, cases in (
            (world.police, [mine.case_id]),
            (world.iom, [other.case_id]),
            (world.shelter, sorted([mine.case_id, other.case_id])),
            (desk, sorted([mine.case_id, other.case_id])),
        ):
            found = (await who.get(path)).json()
            assert (found["cases"], found["how"]) == (cases, "The wrong name was chosen from the list."), who.code
        for who in (world.stranger, world.lpsk):
            assert (await who.get(path)).status_code == 404
            assert (await who.post(f"{path}/entries", {"text": "I too."})).status_code == 404
            assert (await who.get("/v1/incidents")).json()["items"] == []
        assert (await report(world, world.stranger, mine.case_id)).status_code == 404, "of a case of others"
        assert (await world.police.get(f"/v1/incidents?case_id={other.case_id}")).json()["items"] == []
        assert len((await desk.get("/v1/incidents?role=officer")).json()["items"]) == 1
        assert (await world.police.get("/v1/incidents?role=officer")).status_code == 403

    async def test_is_added_to_and_closed_with_the_whole_notice(self, world: World) -> None:
        now = world.exchange.clock.now()
        path = await reported(world, world.shelter)
        for text in ("The receiver was called.", "It has been erased there."):
            assert (await world.shelter.post(f"{path}/entries", {"text": text})).status_code == 200
        incomplete = await world.shelter.post(f"{path}/close", notice(now))
        assert (incomplete.status_code, incomplete.json()["missing"]) == (409, ["/persons", "/happened_at"])
        known = {"persons": 1, "happened_at": (now - timedelta(hours=2)).isoformat()}
        for wrong in (
            {"action": "Nothing."},
            {"no_notice_reason": "not_opened", "action": "Nothing."},
            {**notice(now), **known, "no_notice_reason": "not_opened", "text": "x"},
            {**notice(now), **known, "subject_told_at": (now + timedelta(days=1)).isoformat()},
            {**notice(now), **known, "persons": -1},
        ):
            assert (await world.shelter.post(f"{path}/close", wrong)).status_code == 422, wrong
        key = "11111111-2222-4333-8444-555555555555"
        bodies = [
            (await world.shelter.post(f"{path}/close", notice(now) | known, idempotency_key=key)).json()
            for _ in range(2)
        ]
        assert bodies[0] == bodies[1]
        found = (await world.shelter.get(path)).json()
        assert (found["state"], found["authority_paper"], found["persons"]) == ("closed", "B-12/2026", 1)
        assert [each["text"] for each in found["entries"]] == ["The receiver was called.", "It has been erased there."]
        late = await world.shelter.post(f"{path}/entries", {"text": "And one more."})
        assert late.json()["type"] == "/problems/incident-closed"
        entries = [entry["detail"] for entry in await world.log() if entry["action"].startswith("incident:")]
        assert entries
        assert not any("B-12" in entry or "list" in entry for entry in entries)

    async def test_is_closed_without_a_notice_for_a_reason(self, world: World) -> None:
        path = await reported(world, world.shelter)
        body = {"no_notice_reason": "not_opened", "action": "Recalled.", "text": "The log shows no reading."}
        assert (await world.shelter.post(f"{path}/close", body)).status_code == 200
        assert await told_after(world, days=9) == []

    async def test_has_three_days_to_the_notice_from_when_it_was_noticed(self, world: World, desk: Agency) -> None:
        sent = await world.accepted(sender="police", receiver="shelter")
        noticed = world.exchange.clock.now() - timedelta(hours=36)
        await reported(world, world.shelter, sent.case_id, noticed_at=noticed.isoformat())
        assert await told_after(world, hours=17) == []
        assert await told_after(world, hours=2) == [("shelter", "incident.reminder")]
        overdue = [(who, "incident.overdue") for who in ("ministry", "police", "shelter")]
        assert await told_after(world, hours=18) == overdue
        assert await told_after(world, hours=73) == overdue
        assert (
            await report(world, world.shelter, noticed_at=(noticed + timedelta(days=30)).isoformat())
        ).status_code == 422

"""Legal holds: placed, reviewed and lifted by protection officers; they keep, and open nothing."""

from __future__ import annotations

from datetime import timedelta

from auth.scopes import Scope
from tests.makers import cases, records
from tests.makers.world import Agency, World


class TestALegalHold:
    async def test_is_placed_by_an_officer_and_known_to_the_lead_without_the_order(
        self, world: World, desk: Agency
    ) -> None:
        sent = await world.accepted(receiver="shelter")
        case = await cases.case_of(world, sent.case_id)
        now = world.exchange.clock.now()
        body = records.hold(now, case.reference.lower(), "health", "safety")
        for who in (world.police, world.stranger):
            assert (await who.post("/v1/holds", body)).json()["type"] == "/problems/officer-only"
        unknown = await desk.post("/v1/holds", records.hold(now, "K-0000-0000-0"))
        assert unknown.json()["type"] == "/problems/unknown-case"
        for wrong in (
            {"review_on": now.date().isoformat()},
            {"review_on": (now + timedelta(days=400)).date().isoformat()},
            {"dated_on": (now + timedelta(days=9)).date().isoformat()},
            {"until": (now - timedelta(days=1)).date().isoformat()},
            {"sections": []},
        ):
            assert (await desk.post("/v1/holds", body | wrong)).status_code == 422, wrong
        made = await desk.post("/v1/holds", body)
        assert made.status_code == 201, made.text
        path = made.headers["Location"]
        assert ("police", "hold.placed") in await world.told()
        assert (await desk.get(path)).json()["number"] == "17/Pid.Sus/2026/PN Btm"
        seen = (await world.police.get(path)).json()
        assert (seen["sections"], seen["number"], seen["text"]) == (["safety", "health"], None, None)
        for who in (world.shelter, world.stranger):
            assert (await who.get(path)).status_code == 404
            assert (await who.get("/v1/holds")).json()["items"] == []
        for opened in (case.path, f"{case.path}/retention", sent.path):
            assert (await desk.get(opened)).status_code == 404, "a hold opens nothing"

    async def test_needs_the_officers_scopes(self, world: World, desk: Agency) -> None:
        sent = await world.accepted(receiver="shelter")
        case = await cases.case_of(world, sent.case_id)
        made = await desk.post("/v1/holds", records.hold(world.exchange.clock.now(), case.reference))
        desk.client.scope = " ".join(scope for scope in Scope if not scope.startswith("protection"))
        desk.client.forget_token()
        try:
            assert (await desk.get(made.headers["Location"])).status_code == 404
            assert (await desk.get("/v1/holds?role=officer")).status_code == 403
            assert (await desk.post(f"{made.headers['Location']}/lift", {"reason": "x"})).status_code == 403
        finally:
            desk.client.scope = None
            desk.client.forget_token()

    async def test_is_reviewed_in_time_and_lifted_or_ends(self, world: World, desk: Agency) -> None:
        sent = await world.accepted(receiver="shelter")
        case = await cases.case_of(world, sent.case_id)
        now = world.exchange.clock.now()
        until = (now + timedelta(days=200)).date().isoformat()
        path = (await desk.post("/v1/holds", records.hold(now, case.reference, until=until))).headers["Location"]

        async def told_after(days: float) -> list[tuple[str, str]]:
            await world.exchange.settle()
            world.exchange.later(days=days)
            while await world.exchange.worker.watch_deadlines():
                pass
            return [each for each in await world.told() if each[1].startswith("hold.")]

        assert await told_after(88) == []
        assert await told_after(3) == [("ministry", "hold.review_due")]
        assert await told_after(7) == [("ministry", "hold.review_due")], "again every week"
        review = {
            "review_on": (world.exchange.clock.now() + timedelta(days=300)).date().isoformat(),
            "text": "The appeal.",
        }
        assert (await desk.post(f"{path}/review", review)).status_code == 200
        found = (await desk.get(path)).json()
        assert (found["clock"], [each["text"] for each in found["reviews"]]) == ("ok", ["The appeal."])
        assert (await world.police.get(path)).json()["reviews"] == []
        assert await told_after(104) == [("ministry", "hold.ended"), ("police", "hold.ended")]
        assert (await desk.post(f"{path}/lift", {"reason": "Acquitted."})).json()["type"] == "/problems/hold-ended"
        another = (await desk.post("/v1/holds", records.hold(world.exchange.clock.now(), case.reference))).headers[
            "Location"
        ]
        assert (await desk.post(f"{another}/lift", {"reason": "Acquitted."})).status_code == 200
        assert ("police", "hold.lifted") in await world.told()
        assert (await desk.get(another)).json()["reason"] == "Acquitted."
        assert (await world.police.get(another)).json()["reason"] is None

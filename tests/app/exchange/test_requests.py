"""Holders, leads and authors are asked about data, by a deadline that is watched; each answers once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app.exchange.requests import queries
from app.exchange.requests.jobs import watch_requests
from tests.makers import records
from tests.makers.world import Agency, Passed, World

REST = ("identity", "contact", "location", "needs", "narrative")
CONSENTED = ("safety", "health", "psychosocial")
MIXED = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "receiver": "shelter",
    "bases": [{"kind": "consent", "sections": list(CONSENTED)}, records.legal_basis(*REST)],
}
KEPT = {"answer": "kept", "text": "A court needs it.", "legal_basis": "uu-21-2007", "article": "art. 51"}


async def asked(world: World, **more: Any) -> tuple[Passed, str]:
    """A referral with three sections on a consent that was withdrawn, and the path of the request to its receiver."""
    sent = await world.consented(*CONSENTED, **{**MIXED, **more})
    reply = await world.withdraw(sent)
    assert reply.status_code == 200, reply.text
    (request,) = await world.requests(sent.receiver)
    return sent, f"/v1/requests/{request['id']}"


async def answer(who: Agency, path: str, body: dict[str, Any], **options: Any) -> httpx.Response:
    return await who.post(f"{path}/answer", body, **options)


async def withheld(passed: Passed) -> list[str]:
    found: list[str] = (await passed.receiver.get(passed.path)).json()["withheld"]
    return found


class TestAnErasureRequest:
    @pytest.mark.parametrize("body", [{"answer": "erased"}, {"answer": "restricted"}, KEPT], ids=lambda b: b["answer"])
    async def test_is_answered_once_and_the_lock_stays(self, world: World, body: dict[str, Any]) -> None:
        sent, path = await asked(world)
        reply = await answer(world.shelter, path, body)
        assert (reply.status_code, reply.json()["state"]) == (200, "answered"), reply.text
        again = await answer(world.shelter, path, {"answer": "erased"})
        assert (again.status_code, again.json()["type"]) == (409, "/problems/request-answered")
        found = (await world.shelter.get(path)).json()
        assert (found["state"], found["answer"], found["clock"]) == ("answered", body["answer"], "ok")
        assert (found["answer_text"], found["legal_basis"]) == (body.get("text"), body.get("legal_basis"))
        assert await withheld(sent) == list(CONSENTED)

    async def test_tells_the_lead_that_asked_and_not_who_recorded_the_withdrawal(self, world: World) -> None:
        first = await world.consented(receiver="iom")
        second = await world.accepted(
            receiver="lpsk",
            case_id=first.case_id,
            bases=[
                {
                    "kind": "consent",
                    "consent_id": await world.consent_of(first),
                    "sections": ["identity", "safety", "needs"],
                }
            ],
        )
        await world.withdraw(first, by=second.receiver)
        (request,) = await world.requests(world.iom)
        await world.exchange.settle()
        await answer(world.iom, f"/v1/requests/{request['id']}", {"answer": "erased"})
        assert await world.told() == [("police", "request.answered")]

    async def test_is_answered_by_whom_it_asks_and_seen_by_its_sides(self, world: World) -> None:
        _, path = await asked(world)
        for who in (world.police, world.stranger, world.iom):
            assert (await answer(who, path, {"answer": "erased"})).status_code == 404, who.code
        assert (await world.police.get(path)).status_code == 200
        for who in (world.stranger, world.iom):
            reply = await who.get(path)
            assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
            assert await world.requests(who) == []
        assert (await world.stranger.get(f"/v1/requests/{uuid4()}")).status_code == 404

    async def test_with_its_key_repeated_gets_its_answer(self, world: World) -> None:
        _, path = await asked(world)
        first = await answer(world.shelter, path, {"answer": "erased"}, idempotency_key="once")
        again = await answer(world.shelter, path, {"answer": "erased"}, idempotency_key="once")
        assert (first.status_code, again.json()) == (200, first.json())

    async def test_at_once_by_two_people_is_answered_once(self, world: World) -> None:
        _, path = await asked(world)
        replies = await asyncio.gather(
            answer(world.shelter, path, {"answer": "erased"}), answer(world.shelter, path, {"answer": "restricted"})
        )
        assert sorted(reply.status_code for reply in replies) == [200, 409]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"answer": "maybe"},
            {"answer": "kept"},
            {"answer": "kept", "text": "A court needs it."},
            {"answer": "erased", "legal_basis": "uu-21-2007", "article": "art. 51"},
            {"answer": "re_based"},
            {"answer": "erased", "bases": [records.legal_basis("safety")]},
            {"answer": "re_based", "bases": [{"kind": "consent", "sections": ["safety"]}]},
            {"answer": "corrected"},
            {"answer": "refused", "text": "No."},
            {"answer": "explained", "text": "It was so."},
            {"answer": "erased", "correction": str(UUID(int=7))},
            {},
        ],
        ids=str,
    )
    async def test_takes_no_answer_that_says_too_little_or_something_else(
        self, world: World, wrong: dict[str, Any]
    ) -> None:
        _, path = await asked(world)
        assert (await answer(world.shelter, path, wrong)).status_code == 422
        assert (await world.shelter.get(path)).json()["state"] == "open"

    async def test_is_logged_in_words_that_say_nothing_of_the_person(self, world: World) -> None:
        _, path = await asked(world)
        await answer(world.shelter, path, {**KEPT, "text": "Surya asked us to."})
        (entry,) = await world.log(action="request:answer")
        assert "Surya" not in entry["detail"]
        assert '"answer": "kept"' in entry["detail"]
        assert '"review": true' in entry["detail"]
        assert b"Surya" not in await world.owner.fetchval("SELECT answer_detail FROM request")


class TestANewBasis:
    async def test_opens_what_it_names_again_and_no_more(self, world: World) -> None:
        sent, path = await asked(world)
        body = {"answer": "re_based", "bases": [records.legal_basis("safety", "health")]}
        reply = await answer(world.shelter, path, body)
        assert reply.status_code == 200, reply.text
        found = (await world.shelter.get(sent.path)).json()
        assert found["withheld"] == ["psychosocial"]
        assert found["record"]["health"]["medicines"][0]["name"] == "Rifampicin 450"
        assert sorted((each["basis"], each["access"]) for each in found["disclosures"]) == [
            ("consent", "locked"),
            ("legal_obligation", "full"),
            ("legal_obligation", "full"),
        ]
        shown = (await world.police.get(sent.path)).json()["disclosures"]
        assert len(shown) == 3, "the sender sees on what it rests now"
        (entry,) = await world.log(action="request:answer")
        assert '"review": true' in entry["detail"]

    async def test_shows_the_whole_section_again_within_the_day(self, world: World) -> None:
        sent = await world.moved(await world.consented(*CONSENTED, **MIXED), "start")
        await world.withdraw(sent)
        (request,) = await world.requests(world.shelter)
        body = {"answer": "re_based", "bases": [records.legal_basis("health")]}
        assert (await answer(world.shelter, f"/v1/requests/{request['id']}", body)).status_code == 200
        found = (await world.shelter.get(sent.path)).json()
        assert found["record"]["health"]["infectious"] == "contact"
        assert found["record"]["safety"]["must_know"] == "He was followed from the harbour."
        assert found["withheld"] == ["safety", "psychosocial"]

    async def test_is_a_consent_given_anew(self, world: World) -> None:
        sent, path = await asked(world)
        given = await world.shelter.post(
            f"/v1/cases/{sent.case_id}/consents", records.consent(world.exchange.clock.now(), sections=("safety",))
        )
        basis = {"kind": "consent", "consent_id": given.json()["id"], "sections": ["safety"]}
        assert (await answer(world.shelter, path, {"answer": "re_based", "bases": [basis]})).status_code == 200
        assert await withheld(sent) == ["health", "psychosocial"]
        again = await world.shelter.post(
            f"/v1/cases/{sent.case_id}/consents/{given.json()['id']}/withdraw",
            {"requested_by": "person", "requested_at": world.exchange.clock.now().isoformat()},
        )
        assert again.status_code == 200, again.text
        assert await withheld(sent) == list(CONSENTED)

    async def test_is_not_the_consent_that_was_withdrawn(self, world: World) -> None:
        sent, path = await asked(world)
        basis = {"kind": "consent", "consent_id": await world.consent_of(sent), "sections": ["safety"]}
        reply = await answer(world.shelter, path, {"answer": "re_based", "bases": [basis]})
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused")
        assert (await world.shelter.get(path)).json()["state"] == "open"
        assert await withheld(sent) == list(CONSENTED)

    async def test_is_checked_by_the_policy(self, world: World) -> None:
        _, path = await asked(world)
        basis = {"kind": "vital_interest", "sections": ["safety", "psychosocial"], "reason": "Tonight."}
        reply = await answer(world.shelter, path, {"answer": "re_based", "bases": [basis]})
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused")
        assert reply.json()["refused"] == [{"section": "psychosocial", "reason": "basis_does_not_open"}]
        assert reply.json()["sendable_sections"] == ["safety"]
        twice = [records.legal_basis("safety"), records.legal_basis("safety")]
        reply = await answer(world.shelter, path, {"answer": "re_based", "bases": twice})
        assert reply.json()["refused"] == [{"section": "safety", "reason": "two_bases"}]

    async def test_opens_nothing_that_was_not_locked(self, world: World) -> None:
        _, path = await asked(world)
        reply = await answer(world.shelter, path, {"answer": "re_based", "bases": [records.legal_basis("legal")]})
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase")

    async def test_opens_nothing_of_what_has_closed_since(self, world: World) -> None:
        sent, path = await asked(world)
        await world.moved(sent, "decline")
        reply = await answer(world.shelter, path, {"answer": "re_based", "bases": [records.legal_basis("safety")]})
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-rebase")

    async def test_given_while_its_consent_is_withdrawn_leaves_nothing_open(self, world: World) -> None:
        for _ in range(10):
            sent = await world.consented(*CONSENTED, **MIXED)
            await world.withdraw(sent)
            request = (await world.requests(world.shelter, state="open"))[0]
            given = await world.shelter.post(
                f"/v1/cases/{sent.case_id}/consents", records.consent(world.exchange.clock.now(), sections=("safety",))
            )
            consent = given.json()["id"]
            body = {"requested_by": "person", "requested_at": world.exchange.clock.now().isoformat()}
            basis = {"kind": "consent", "consent_id": consent, "sections": ["safety"]}
            again, taken = await asyncio.gather(
                answer(world.shelter, f"/v1/requests/{request['id']}", {"answer": "re_based", "bases": [basis]}),
                world.shelter.post(f"/v1/cases/{sent.case_id}/consents/{consent}/withdraw", body),
            )
            assert (again.status_code in (200, 403), taken.status_code) == (True, 200)
            assert await withheld(sent) == list(CONSENTED)


class TestTheList:
    async def test_is_paged_newest_first_and_filtered(self, world: World) -> None:
        paths = [(await asked_again(world)) for _ in range(3)]
        await answer(world.shelter, paths[0], {"answer": "erased"})
        seen: list[str] = []
        address: str | None = "/v1/requests?role=to&limit=2"
        while address:
            page = (await world.shelter.get(address)).json()
            seen += [each["id"] for each in page["items"]]
            address = page["next"]
        assert [f"/v1/requests/{each}" for each in seen] == paths[::-1]
        assert [each["state"] for each in await world.requests(world.shelter, state="answered")] == ["answered"]
        assert len(await world.requests(world.shelter, state="open", kind="erasure")) == 2
        assert await world.requests(world.shelter, kind="correction") == []
        assert len(await world.requests(world.police, role="from")) == 3

    async def test_of_a_case_is_its_leads(self, world: World) -> None:
        sent, _ = await asked(world)
        query = {"role": "lead", "case_id": sent.case_id}
        assert len(await world.requests(world.police, **query)) == 1
        assert await world.requests(world.shelter, **query) == []
        for wrong in ("role=lead", f"role=to&case_id={sent.case_id}", "role=sender", "state=done", "kind=x", "limit=0"):
            assert (await world.police.get(f"/v1/requests?{wrong}")).status_code == 422, wrong

    async def test_does_not_take_a_cursor_of_another_agency(self, world: World) -> None:
        for _ in range(2):
            await asked_again(world)
        address = (await world.shelter.get("/v1/requests?limit=1")).json()["next"]
        assert (await world.police.get(address)).json()["type"] == "/problems/invalid-cursor"


async def asked_again(world: World) -> str:
    sent = await world.consented(*CONSENTED, **MIXED)
    await world.withdraw(sent)
    return f"/v1/requests/{(await world.requests(world.shelter))[0]['id']}"


class TestAMillionOthers:
    async def test_are_not_read_for_a_page_or_by_the_clock(self, world: World) -> None:
        """The plans, as the roles that run them, with an agency that is asked in one of a thousand."""
        sent, _ = await asked(world)
        await world.owner.execute(
            """INSERT INTO request (id, case_id, kind, cause, from_id, to_id, subject, subject_id, sections, requested_at, recorded_at,
                                    due_at, look_at)
               SELECT uuidv7(make_interval(secs => -n)), $1, 'erasure', 'consent_withdrawn', $2,
                      CASE WHEN n % 1000 = 0 THEN $3::uuid ELSE $4::uuid END, 'consent', $1, '{safety}', now(), now(), now(),
                      CASE WHEN n % 1000 = 0 THEN now() END FROM generate_series(1, 20000) n""",
            UUID(sent.case_id),
            world.ids["police"],
            world.ids["shelter"],
            world.ids["iom"],
        )
        await world.owner.execute("ANALYZE request")
        page = queries._PAGE.format(whose=queries._WHOSE["to"])
        for who, index, setup, statement in (
            ("app", "request_to", f"SET rujukan.agency = '{world.ids['shelter']}'", page),
            (
                "worker",
                "request_look",
                "SELECT 1",
                "SELECT id FROM request WHERE look_at <= now() AND state = 'open' ORDER BY look_at LIMIT 200",
            ),
        ):
            conn = await asyncpg.connect(getattr(world.exchange.addresses, who))
            await conn.execute(setup)
            given = [world.ids["shelter"], None, None, None, 51] if "$1" in statement else []
            plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {statement}", *given))
            await conn.close()
            assert f"{index} on request" in plan, plan
            assert "Seq Scan on request" not in plan, plan


class TestTheClock:
    async def told_after(self, world: World, **by: float) -> list[tuple[str, str]]:
        """Who is told once that much time has passed and the worker has looked."""
        while await world.exchange.worker.sequence_events():
            pass
        world.exchange.later(**by)
        while await world.exchange.worker.watch_deadlines():
            pass
        return [(who, what) for who, what in await world.told() if what.startswith("request.")]

    async def test_reminds_then_tells_both_sides_and_the_desk_again_and_again(self, world: World, desk: Agency) -> None:
        _, path = await asked(world)
        assert await self.told_after(world, hours=35) == []
        assert await self.told_after(world, hours=2) == [("shelter", "request.reminder")]
        assert (await world.shelter.get(path)).json()["clock"] == "due"
        late = [("ministry", "request.overdue"), ("police", "request.overdue"), ("shelter", "request.overdue")]
        assert await self.told_after(world, hours=36) == late
        assert (await world.shelter.get(path)).json()["clock"] == "overdue"
        assert await self.told_after(world, hours=70) == []
        assert await self.told_after(world, hours=3) == late
        assert (await answer(world.shelter, path, {"answer": "erased"})).status_code == 200, "a late answer counts"
        assert await self.told_after(world, days=30) == []

    async def test_runs_from_the_persons_request_but_is_never_due_in_the_past(self, world: World) -> None:
        now = world.exchange.clock.now()
        for ago, left in ((timedelta(hours=30), timedelta(hours=42)), (timedelta(days=9), timedelta())):
            sent = await world.accepted(
                consent=records.consent(now - timedelta(days=20)),
                bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
            )
            await world.withdraw(sent, requested_at=(now - ago).isoformat())
            (newest, *_) = await world.requests(world.iom)
            due = datetime.fromisoformat(newest["due_at"])
            assert abs(due - (now + left)) < timedelta(seconds=20)
            assert due >= datetime.fromisoformat(newest["recorded_at"])

    async def test_is_safe_with_several_workers(self, world: World) -> None:
        for _ in range(6):
            await asked_again(world)
        world.exchange.later(hours=37)
        await world.owner.execute("DELETE FROM outbox")
        conns = [await asyncpg.connect(world.exchange.addresses.worker) for _ in range(3)]
        try:
            now = world.exchange.clock.now()
            await asyncio.gather(*(watch_requests(conn, world.exchange.settings, now) for conn in conns))
        finally:
            for conn in conns:
                await conn.close()
        told = [each for each in await world.told() if each[1].startswith("request.")]
        assert told == [("shelter", "request.reminder")] * 6

    @pytest.mark.parametrize("column", ["sections", "detail", "answer_detail", "answer", "requested_at"])
    async def test_learns_of_no_section_and_no_answer(self, world: World, column: str) -> None:
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(f"SELECT {column} FROM request")
        finally:
            await conn.close()


class TestAskingForErasureOfWhatHasEnded:
    """`ask_erasure`, which the move that ends something calls."""

    async def ask(self, world: World, passed: Passed, who: str) -> None:
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            async with conn.transaction():
                await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids[who]))
                await conn.execute(
                    "SELECT ask_erasure($1, $2, 'transfer_aborted', $3)",
                    passed.kind,
                    UUID(passed.id),
                    world.exchange.clock.now(),
                )
        finally:
            await conn.close()

    @pytest.mark.parametrize("by", ["police", "iom"])
    async def test_asks_the_receiver_for_all_that_was_open(self, world: World, by: str) -> None:
        sent = await world.accepted(kind="transfer")
        await world.put(sent, "aborted")
        await self.ask(world, sent, by)
        (request,) = await world.requests(world.iom)
        assert (request["cause"], request["asked_by"]["code"], request["subject"]) == (
            "transfer_aborted",
            "police",
            "transfer",
        )
        assert (request["subject_id"], request["sections"]) == (sent.id, ["identity", "safety", "needs"])
        found = (await world.iom.get(sent.path)).json()
        assert [each["access"] for each in found["disclosures"]] == ["locked"]
        assert found["record"] is None
        path = f"/v1/requests/{request['id']}"
        body = {"answer": "re_based", "bases": [records.legal_basis()]}
        assert (await answer(world.iom, path, body)).json()["type"] == "/problems/nothing-to-rebase"
        assert (await answer(world.iom, path, {"answer": "erased"})).status_code == 200

    async def test_asks_nothing_of_who_never_had_it_open(self, world: World) -> None:
        sent = await world.send(kind="transfer")
        await world.owner.execute(
            "UPDATE transfer SET state = 'aborted', ended_at = now() WHERE id = $1", UUID(sent.id)
        )
        await self.ask(world, sent, "police")
        assert await world.requests(world.iom) == []

    @pytest.mark.parametrize("who", ["stranger", "ministry"])
    async def test_is_for_its_parties_alone(self, world: World, who: str) -> None:
        sent = await world.accepted(kind="transfer")
        await world.put(sent, "aborted")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await self.ask(world, sent, who)

    async def test_locks_nothing_that_is_still_open(self, world: World) -> None:
        sent = await world.accepted(kind="transfer")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await self.ask(world, sent, "police")
        assert (await world.iom.get(sent.path)).json()["record"] is not None

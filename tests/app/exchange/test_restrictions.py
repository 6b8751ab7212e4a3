"""What a person had restricted: how it is lifted, and on what it goes all the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from tests.app.exchange.test_a_lead_that_is_gone import proposed
from tests.app.exchange.test_consents import CONSENTED, MIXED, act, give, locked, on, read
from tests.app.exchange.test_consents import refused as refused_of
from tests.app.exchange.test_escalations import reroute
from tests.app.exchange.test_locks_meet import grant
from tests.app.exchange.test_reviews import queue, rebased, reviewers
from tests.app.exchange.test_subject_requests import FULL, answer, asked, open_to
from tests.makers import cases, records
from tests.makers.ndjson import imported, line, results
from tests.makers.world import Agency, World

__all__ = ["reviewers"]
RESTRICTED = ("health", "psychosocial")


def wish(world: World, **more: Any) -> dict[str, Any]:
    """The person asks that their data be used again."""
    said = {
        "requester": "person",
        "identity_check": "known_to_staff",
        "identity_checked_by": "recording_agency",
        "asked_at": world.exchange.clock.now().isoformat(),
        **more,
    }
    return {"ground": "person_asked", "text": "She wants the doctor to know again.", "wish": said}


async def restricted(world: World, case_id: str, *sections: str, **more: Any) -> str:
    """A restriction that the lead has granted; returns its path."""
    path = await asked(world, world.shelter, case_id, "restrict", sections=list(sections), **more)
    assert (await answer(world.police, path)).status_code == 200
    return path


async def lift(by: Agency, path: str, body: dict[str, Any], **options: Any) -> httpx.Response:
    return await by.post(f"{path}/lift", body, **options)


class TestLifting:
    async def test_opens_again_what_it_alone_kept_shut(self, world: World, reviewers: Agency) -> None:
        sent = await world.in_progress(receiver="shelter", **FULL)
        other = await world.accepted(receiver="lpsk", case_id=sent.case_id, **FULL)
        path = await restricted(world, sent.case_id, *RESTRICTED, "narrative")
        kept = await restricted(world, sent.case_id, "narrative")
        right = {"record": {"health": {"infectious": "airborne"}}, "reason": "Tested since."}
        assert (await world.police.post(f"/v1/cases/{sent.case_id}/corrections", right)).status_code == 201
        await world.exchange.settle()

        # by the lead alone
        body = wish(world)
        assert (await lift(world.shelter, path, body)).json()["type"] == "/problems/not-lead"
        for who in (world.lpsk, world.stranger, world.iom):
            assert (await lift(who, path, body)).status_code == 404, who.code
        for wrong in (
            {**body, "ground": "reason_ended"},
            {**body, "wish": None},
            {**body, "person_told_at": body["wish"]["asked_at"]},
            wish(world, asked_at=(world.exchange.clock.now() + timedelta(hours=1)).isoformat()),
            wish(world, requester="court"),
        ):
            assert (await lift(world.police, path, wrong)).status_code == 422, wrong
        assert set(RESTRICTED).isdisjoint(await open_to(other))

        first = await lift(world.police, path, body, idempotency_key="lifted-once")
        assert (first.status_code, first.json()["state"]) == (200, "lifted"), first.text
        assert (await lift(world.police, path, body, idempotency_key="lifted-once")).json() == first.json()
        again = await lift(world.police, path, body)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/restriction-not-in-force")

        told = await world.told()
        for who in ("shelter", "lpsk"):
            assert (who, "referral.restriction_lifted") in told
        assert ("shelter", "subject_request.lifted") in told
        assert not [each for each in told if each[0] in ("stranger", "iom")]
        for passed in (sent, other):
            assert locked(await read(passed)) == {"narrative": "restricted"}, "another request reaches it"
            assert set(RESTRICTED) <= set(await open_to(passed))
            (corrected,) = (await read(passed))["corrections"]
            assert corrected["sections"] == ["health"], "what was put right meanwhile"
        (request,) = await world.requests(world.lpsk)
        assert (request["state"], request["sections"]) == ("open", ["narrative"]), (
            "they need answer no more for the rest"
        )
        assert len(await queue(reviewers)) == 2, "nothing was disclosed anew"

        found = (await world.police.get(path)).json()
        assert (found["lift_ground"], found["lifted_by"]["code"], found["lift"]["text"]) == (
            "person_asked",
            "police",
            body["text"],
        )
        assert found["lift"]["wish"]["requester"] == "person"
        assert (await world.shelter.get(path)).json()["lift"] == found["lift"]
        (entry,) = await world.log(action="subject_request:lift", outcome="done")
        assert '"sections": ["health", "psychosocial"]' in entry["detail"]
        assert "doctor" not in entry["detail"]
        report = (await world.police.get(f"/v1/cases/{sent.case_id}/access-report")).json()["items"]
        assert [(each["kind"], each["sections"]) for each in report if "restrict" in each["kind"]] == [
            ("restricted", ["health", "psychosocial", "narrative"]),
            ("restricted", ["narrative"]),
            ("restriction_lifted", list(RESTRICTED)),
        ]
        printed = await world.police.get(f"/v1/cases/{sent.case_id}/access-report/form?lang=en")
        assert "Lifted the restriction of the data" in printed.text

        # a review that finds no ground locks what was lifted too
        review = next(each for each in await queue(reviewers) if each["subject_id"] == sent.id)
        judged = await reviewers.post(f"/v1/reviews/{review['id']}/find-unjustified", {"text": "None of it."})
        assert judged.status_code == 200, judged.text
        shut = dict.fromkeys(records.FULL_SECTIONS, "not_justified") | {"narrative": "restricted"}
        assert locked(await read(sent)) == shut
        assert (await lift(world.police, kept, body)).status_code == 200
        assert locked(await read(sent))["narrative"] == "not_justified"
        assert "narrative" in await open_to(other)

    async def test_opens_nothing_that_was_taken_back_or_doubted_before_or_meanwhile(self, world: World) -> None:
        sent = await world.consented(*CONSENTED, **MIXED)
        consent = await world.consent_of(sent)
        assert (await world.withdraw(sent, "safety")).status_code == 200
        (early,) = await world.requests(world.shelter, state="open")
        path = await restricted(world, sent.case_id, *CONSENTED, "narrative")
        assert (await world.withdraw(sent, "health")).status_code == 200
        now = world.exchange.clock.now().isoformat()
        ended = {"ground": "reason_ended", "text": "It was looked into.", "person_told_at": now}
        assert (await lift(world.police, path, ended)).status_code == 200
        assert locked(await read(sent)) == {"safety": "consent_narrowed", "health": "consent_narrowed"} or locked(
            await read(sent)
        ) == {"safety": "consent_withdrawn", "health": "consent_withdrawn"}
        assert {"psychosocial", "narrative"} <= set(await open_to(sent))
        waiting = {each["sections"][0]: each for each in await world.requests(world.shelter, state="open")}
        assert waiting["safety"]["id"] == early["id"], "it was asked already"
        assert waiting["health"]["cause"].startswith("consent_"), "it is asked now"
        # the consent counts again for what it still covers
        reply = await act(world, sent.case_id, consent, "withdraw")
        assert reply.status_code == 200, reply.text
        assert "psychosocial" in locked(await read(sent))

    async def test_is_not_by_somebody_elses_wish(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        by_court = await restricted(world, sent.case_id, "health", requester="court", identity_check="court_paper")
        by_person = await restricted(world, sent.case_id, "psychosocial")
        now = world.exchange.clock.now()
        ended = {"ground": "reason_ended", "text": "It is over.", "person_told_at": now.isoformat()}
        for path, body, needs in (
            (by_court, wish(world), "court_order"),
            (by_court, ended, "court_order"),
            (by_person, wish(world, requester="guardian"), "person"),
        ):
            reply = await lift(world.police, path, body)
            assert (reply.status_code, reply.json()["type"], reply.json()["needs"]) == (
                409,
                "/problems/restriction-stands",
                needs,
            )
        assert set(locked(await read(sent))) == set(RESTRICTED)
        order = {"authority": "PN Ambon", "number": "17/Pdt.P/2026", "dated_on": now.date().isoformat()}
        reply = await lift(world.police, by_court, {"ground": "court_order", "text": "As ordered.", "order": order})
        assert reply.status_code == 200, reply.text
        assert (await lift(world.police, by_person, wish(world, requester="representative"))).status_code == 200
        assert locked(await read(sent)) == {}
        assert ("shelter", "request.answered") in await world.told()
        assert [each["answer"] for each in await world.requests(world.shelter)] == ["lifted", "lifted"]
        # what was never granted, or is no restriction, is not lifted
        refused = await asked(world, world.shelter, sent.case_id, "restrict", sections=["health"])
        copy = await asked(world, world.shelter, sent.case_id, "copy")
        no = {"answer": "refused", "refusal_ground": "legal_case", "text": "The trial goes on."}
        assert (await answer(world.police, refused, **no)).status_code == 200
        assert (await answer(world.police, copy)).status_code == 200
        for path in (refused, copy):
            assert (await lift(world.police, path, wish(world))).json()["type"] == "/problems/restriction-not-in-force"


def based(kind: str) -> dict[str, Any]:
    """A basis of this kind for `health`."""
    if kind == "vital_interest":
        return {"kind": kind, "sections": ["health"], "reason": "She does not wake up."}
    if kind == "court_order":
        return {
            "kind": kind,
            "sections": ["health"],
            "authority": "PN Ambon",
            "number": "17/Pid.Sus/2026",
            "date": "2026-01-05",
            "scope": ["health"],
            "addressed_to": "police",
            "valid_until": None,
            "reason": "For the trial.",
        }
    return records.legal_basis("health", kind=kind)


class TestSending:
    async def test_a_restricted_section_goes_on_what_the_law_itself_allows_and_says_so(
        self, world: World, reviewers: Agency, desk: Agency
    ) -> None:
        """Every way to disclose, on every kind of basis: one rule. What goes is warned of, logged as such, and shown to the reviewers."""
        sent = await world.accepted(receiver="shelter", **FULL)
        case = sent.case_id
        unread = await world.send(
            receiver="lpsk",
            case_id=case,
            **{**FULL, "urgency": "immediate", "record": records.full_record(needs=("medical",))},
        )
        named = ["iom", "sentra", "shelter", "lpsk", "ministry"]
        purposes = ["social_rehabilitation", "case_responsibility"]
        early = await give(world, case, sections=RESTRICTED, agencies=named, purposes=purposes)
        world.exchange.later(minutes=1)
        path = await restricted(world, case, *RESTRICTED, "location")
        since = world.exchange.clock.now()
        world.exchange.later(minutes=1)
        record = records.record(health={"infectious": "contact"})
        rest = records.legal_basis()

        async def send(basis: dict[str, Any], receiver: str, **more: Any) -> httpx.Response:
            body = {
                "case": None,
                "case_id": case,
                "record": record,
                "purpose": "social_rehabilitation",
                "bases": [rest, basis],
            }
            return await world.police.post("/v1/referrals", records.referral(receiver, **{**body, **more}))

        async def reused(basis: dict[str, Any]) -> httpx.Response:
            version = str((await world.row(sent))["version_id"])
            return await send(basis, "iom", record=None, record_version=version)

        async def offer(basis: dict[str, Any]) -> httpx.Response:
            body = {"case": None, "case_id": case, "record": record, "bases": [rest, basis]}
            return await world.police.post("/v1/transfers", records.transfer("ministry", **body))

        async def amend(basis: dict[str, Any]) -> httpx.Response:
            body = {"record": record, "bases": [rest, basis]}
            return await world.move(sent, "amend", body)

        async def note(basis: dict[str, Any]) -> httpx.Response:
            said = {"text": "She had a fever.", "section": "health", "basis": basis}
            return await world.move(sent, "note", said, by=world.police)

        async def back(basis: dict[str, Any]) -> httpx.Response:  # the police hold no health
            said = {"text": "She moved.", "section": "location", "basis": {**basis, "sections": ["location"]}}
            return await world.move(sent, "note", said, by=world.shelter)

        ways = {"referral": lambda b: send(b, "sentra"), "an earlier version": reused, "transfer": offer}
        ways |= {"amend": amend, "note": note, "note back": back}
        consent = on(early, "health")
        table = {
            "consent": (consent, False),
            "public_task": (based("public_task"), False),
            "vital_interest": (based("vital_interest"), True),
            "legal_obligation": (based("legal_obligation"), True),
            "court_order": (based("court_order"), True),
        }
        for kind in ("consent", "public_task"):
            for way, through in ways.items():
                if (way, kind) == ("note back", "consent"):
                    continue  # nobody but the lead rests anything on it
                reply = await through(table[kind][0])
                section = "location" if way == "note back" else "health"
                assert refused_of(reply) == {section: "restricted"}, (way, kind, reply.text)
                (by,) = reply.json()["restrictions"]
                assert (by["section"], by["subject_request"]) == (section, path.rpartition("/")[2])
                assert timedelta() <= since - datetime.fromisoformat(by["since"]) < timedelta(seconds=50)
                assert "doctor" not in reply.text
        for who, section in ((world.police, "health"), (world.police, "psychosocial"), (world.shelter, "location")):
            reply = await world.move(sent, "note", {"text": "As before.", "section": section}, by=who)
            assert refused_of(reply) == {section: "restricted"}, (who.code, section)
        preview = {"receiver": "sentra", "purpose": "social_rehabilitation", "case_id": case, "sections": ["health"]}
        for kind in ("public_task", "best_interests_of_child", "vital_interest", "legal_obligation", "court_order"):
            thought = {**preview, "bases": [{"kind": kind, "sections": ["health"]}]}
            verdict = (await world.police.post("/v1/disclosures/preview", thought)).json()
            assert verdict["allowed"] is table.get(kind, ("", False))[1], kind
        # one line of many is refused as it would be alone
        alone = {"case": None, "case_id": case, "record": record, "bases": [rest, based("public_task")]}
        content = line("restricted", receiver="sentra", purpose="social_rehabilitation", **alone)
        (result,) = await results(world.police, (await imported(world, world.police, content))["id"])
        assert result["problem"]["refused"] == [{"section": "health", "reason": "restricted"}], result
        count = "SELECT count(*) FROM referral WHERE case_id = $1"
        assert await world.owner.fetchval(count, UUID(case)) == 2, "nothing went"

        for kind, way in (
            ("vital_interest", "referral"),
            ("court_order", "an earlier version"),
            ("legal_obligation", "transfer"),
            ("vital_interest", "amend"),
            ("legal_obligation", "note"),
            ("vital_interest", "note back"),
        ):
            reply = await ways[way](table[kind][0])
            assert reply.status_code in (200, 201), (way, kind, reply.text)
            pointer = "/basis" if way.startswith("note") else "/bases/1"
            warned = [each["pointer"] for each in reply.json()["warnings"] if each["code"] == "restricted_sent"]
            assert warned == [pointer], (way, kind)
            entry = next(each for each in await world.log(id=reply.json()["log_entry"]))
            section = "location" if way == "note back" else "health"
            assert f'"despite_restriction": ["{section}"]' in entry["detail"], (way, kind)
            found = [each for each in await queue(reviewers) if each["despite_restriction"] == [section]]
            assert any(each["basis"] == kind and each["subject_id"] == reply.json()["id"] for each in found), (
                way,
                kind,
            )
        assert locked(await read(sent)) == {}, "the version that was amended is shut, the new one open"
        reply = await world.move(sent, "note", {"text": "Still ill.", "section": "health"}, by=world.police)
        assert reply.status_code == 200, "it rests on what was sent since"
        report = (await world.police.get(f"/v1/cases/{case}/access-report")).json()["items"]
        assert {tuple(each["despite_restriction"]) for each in report if each["kind"] == "sent"} == {(), ("health",)}

        # the desk, and an emergency
        escalation = await world.escalated(unread, 0.51, 0.5, 0.27, 0.27)
        reply = await reroute(desk, escalation, "sentra")
        assert reply.status_code == 201, reply.text
        assert [each["code"] for each in reply.json()["warnings"]] == ["restricted_sent"]
        need = {"sections": ["health"], "reason": "medical_emergency", "text": "She does not wake up."}
        assert (await world.shelter.post("/v1/emergency-access", {**need, "case_id": case})).status_code == 201
        assert [
            each["despite_restriction"] for each in await queue(reviewers) if each["basis"] == "emergency_access"
        ] == [["health"]]
        (entry,) = await world.log(action="emergency_access:open", outcome="done")
        assert '"despite_restriction": ["health"]' in entry["detail"]
        # neither the sender's law nor a consent from before opens what is shut; a consent since does
        await grant(world, sent, "restrict", "identity")
        assert (await rebased(sent, records.legal_basis("identity"))).json()["type"] == "/problems/nothing-to-rebase"
        # once lifted, all of it goes as before
        assert (await lift(world.police, path, wish(world))).status_code == 200
        reply = await send(consent, "embassy", bases=[{**consent, "sections": ["health"]}])
        assert "restricted" not in refused_of(reply).values()
        # a new lead gets all of it by law, and it is said
        made = await proposed(world, await cases.case_of(world, case), "iom")
        await made.moved("approve", "agree")
        (entry,) = await world.log(action="reassignment:agree", outcome="done")
        assert '"despite_restriction": ["identity"]' in entry["detail"]

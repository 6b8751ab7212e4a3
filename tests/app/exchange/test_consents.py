"""What a consent must say to count, how it becomes less or more, and what happens when nobody can trust who recorded it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app.client import Credentials, ExchangeClient
from auth.admin.clients import add_client
from auth.scopes import Scope
from tests.makers import records
from tests.makers.world import Agency, Passed, World

BASIC = ("identity", "safety", "needs")
BIASED = {"role": "family", "independent": False}
FAIR = {"role": "sworn", "independent": True}
MIXED = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "receiver": "shelter",
    "bases": [
        {"kind": "consent", "sections": ["safety", "health", "psychosocial"]},
        records.legal_basis("identity", "contact", "location", "needs", "narrative"),
    ],
}
CONSENTED = ("safety", "health", "psychosocial")
PAPERS = ("identity", "migration", "needs")


def on(consent: str | None = None, *sections: str, **more: Any) -> dict[str, Any]:
    """A basis: this consent, or the one in the same request."""
    named = {"consent_id": consent} if consent else {}
    return {"kind": "consent", "sections": list(sections or BASIC), **named, **more}


def refused(reply: httpx.Response) -> dict[str, str]:
    assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused"), reply.text
    return {each["section"]: each["reason"] for each in reply.json()["refused"]}


async def open_case(world: World) -> str:
    reply = await world.police.post("/v1/cases", {"entry_channel": "police_report"})
    return str(reply.json()["id"])


async def give(world: World, case: str, who: Agency | None = None, **more: Any) -> str:
    body = records.consent(world.exchange.clock.now(), **more)
    reply = await (who or world.police).post(f"/v1/cases/{case}/consents", body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def act(world: World, case: str, consent: str, move: str, who: Agency | None = None, **body: Any) -> Any:
    """Narrow, withdraw, widen or reconfirm a consent, as the police unless another is named."""
    now = world.exchange.clock.now()
    if move in ("narrow", "withdraw"):
        body = {"requested_by": "person", "requested_at": now.isoformat(), **body}
    else:
        body = {"widen": records.consent, "reconfirm": records.consent_act}[move](now, **body)
    return await (who or world.police).post(f"/v1/cases/{case}/consents/{consent}/{move}", body)


async def shown(world: World, case: str, consent: str, who: Agency | None = None) -> dict[str, Any]:
    reply = await (who or world.police).get(f"/v1/cases/{case}/consents/{consent}")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def read(passed: Passed) -> dict[str, Any]:
    reply = await passed.receiver.get(passed.path)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def locked(found: dict[str, Any]) -> dict[str, str]:
    """Why which section is closed to its receiver."""
    return {
        name: each["locked_because"]
        for each in found["disclosures"]
        for name in each["sections"]
        if each["locked_because"]
    }


async def refer(
    world: World, case: str, consent: str, receiver: str = "sentra", who: Agency | None = None, **more: Any
) -> Any:
    """Refer on, resting on a consent by its id."""
    body = records.referral(receiver, **{"case": None, "case_id": case, "bases": [on(consent)], **more})
    return await (who or world.police).post("/v1/referrals", body)


class TestWhatItSays:
    async def test_is_read_by_its_author_and_the_lead_as_it_was_said_and_is_sealed(self, world: World) -> None:
        case = await open_case(world)
        said = {
            "interpreter": FAIR,
            "witness": "the ward sister",
            "evidence": {"sha256": "ab" * 32, "kept_by": "iom"},
            "communication": "In easy words, with pictures.",
            "notice": {**records.NOTICE, "items": [*records.NOTICE["items"], "no_loss_of_help"], "language": "id"},
        }
        consent = await give(world, case, **said)
        found = await shown(world, case, consent)
        assert {name: found[name] for name in said} == said
        assert (found["provable"], found["own"], found["doubted_at"], found["withdrawals"]) == (True, True, None, [])
        row = await world.owner.fetchrow("SELECT *, consent::text AS whole FROM consent")
        assert row is not None
        assert b"ward sister" not in row["detail"]
        assert "easy words" not in row["whole"]
        assert row["client_id"] == "police-system"
        assert (await world.stranger.get(f"/v1/cases/{case}/consents/{consent}")).status_code == 404

    async def test_holds_all_that_the_law_demands_to_be_told(self, world: World) -> None:
        case = await open_case(world)
        for told, missing in (
            (["legality", "purpose", "kinds_of_data", "details", "rights"], ["retention", "period"]),
            ([], records.NOTICE["items"]),
        ):
            now = world.exchange.clock.now()
            consent = records.consent(now, notice={"version": "1", "items": told})
            inline = records.referral("iom", consent=consent, bases=[on()])
            for reply in (
                await world.police.post(f"/v1/cases/{case}/consents", consent),
                await world.police.post("/v1/referrals", inline),
            ):
                assert (reply.status_code, reply.json()["type"]) == (422, "/problems/consent-void")
                assert reply.json()["missing"] == missing
        assert await world.owner.fetchval("SELECT count(*) FROM consent") == 0
        assert [entry["outcome"] for entry in await world.refusals()] == ["consent_void"] * 4

    async def test_takes_nothing_that_contradicts_itself(self, world: World) -> None:
        case = await open_case(world)
        child = {"assent": "given"}
        wrong: list[dict[str, Any]] = [
            {"notice": None},
            {"notice": {"version": "1", "items": ["everything"]}},
            {"interpreter": {"role": "none", "independent": True}},
            {"interpreter": "staff"},
            {"method": "spoken", "evidence": {"sha256": "ab" * 32}},
            {"evidence": {"sha256": "ab" * 32, "kept_by": "nobody"}},
            {"evidence": {"sha256": "xyz"}},
            {"giver": "person", "child": child},
            {"giver": "representative", "child": child},
            {"giver": "parent", "child": None},
            {"giver": "guardian", "child": None},
            {"giver": "state_authority", "decision": None},
            {"giver": "court_guardian", "decision": None},
            {"giver": "guardian", "child": {"assent": "maybe"}},
            {"witness": "x" * 5000},
        ]
        for more in wrong:
            body = records.consent(world.exchange.clock.now(), **more)
            reply = await world.police.post(f"/v1/cases/{case}/consents", body)
            assert reply.status_code == 422, more
        assert await world.owner.fetchval("SELECT count(*) FROM consent") == 0
        # for an adult with a disability a guardian decides too (UU 27/2022 art 26)
        assert await give(world, case, giver="guardian", child=None, communication="In sign language.")


class TestWhatRestsOnIt:
    async def test_is_nothing_where_nobody_can_prove_it(self, world: World) -> None:
        """Inline and by its id, before the transaction and in it: the same reason, for each section."""
        for how, counts in (
            ({"method": "spoken"}, False),
            ({"method": "spoken", "witness": "a nurse"}, False),
            ({"interpreter": BIASED}, False),
            ({"interpreter": BIASED, "witness": "a nurse who knows both languages"}, True),
            ({"interpreter": BIASED, "method": "video_recording"}, True),
            ({"interpreter": FAIR}, True),
        ):
            now = world.exchange.clock.now()
            consent = records.consent(now, **how)
            inline = await world.police.post("/v1/referrals", records.referral("iom", consent=consent, bases=[on()]))
            case = await open_case(world)
            id = await give(world, case, **how)
            assert (await shown(world, case, id))["provable"] is counts, how
            named = await refer(world, case, id)
            if counts:
                assert (inline.status_code, named.status_code) == (201, 201), how
                continue
            assert refused(inline) == refused(named) == dict.fromkeys(BASIC, "consent_not_provable"), how
            more = await refer(world, case, id, record=records.full_record())  # refused for other reasons too
            assert set(refused(more).values()) == {"consent_not_provable", "no_basis"}

    async def test_never_goes_to_a_foreign_mission_unless_it_is_the_persons_own(self, world: World) -> None:
        child = {"assent": "given"}
        for how, counts in (
            ({}, True),
            ({"giver": "person_with_support"}, True),
            ({"interpreter": FAIR}, True),
            ({"interpreter": BIASED, "method": "audio_recording"}, False),
            ({"giver": "representative"}, False),
            ({"giver": "guardian"}, False),
            ({"giver": "court_guardian"}, False),
            ({"giver": "court_guardian", "child": child}, True),
            ({"giver": "state_authority"}, True),
            ({"giver": "state_authority", "child": {"assent": "not_able"}}, False),
        ):
            given = records.consent(
                world.exchange.clock.now(), sections=PAPERS, agencies=["embassy", "lpsk"], purposes=["documents"], **how
            )
            papers = {
                "record": records.record(safety=None, migration={}),
                "purpose": "documents",
                "consent": given,
                "bases": [on(None, *PAPERS)],
            }
            reply = await world.iom.post("/v1/referrals", records.referral("embassy", **papers))
            if counts:
                assert reply.status_code == 201, (how, reply.text)
            else:
                assert refused(reply) == dict.fromkeys(PAPERS, "consent_not_own"), how
                other = await world.iom.post("/v1/referrals", records.referral("lpsk", **papers))
                assert other.status_code == 201, (how, other.text)

    async def test_needs_a_childs_assent_and_somebody_who_decides_for_it(self, world: World) -> None:
        def of(birth: dict[str, Any]) -> dict[str, Any]:
            body = records.record()
            body["identity"]["birth"] = birth
            return body

        year = world.exchange.clock.now().year
        for birth, giver, assent, reason in (
            ({"date": f"{year - 12}-03"}, "person", None, "consent_not_for_child"),
            ({"age_band": "age_12_17"}, "person", None, "consent_not_for_child"),
            ({"date": f"{year - 19}-01-01", "disputed": "yes"}, "person", None, "consent_not_for_child"),
            ({"date": f"{year - 12}-03"}, "guardian", "refused", "consent_without_assent"),
            ({"date": f"{year - 12}-03"}, "guardian", "given", None),
            ({"date": f"{year - 3}-03"}, "state_authority", "not_able", None),
            ({"date": f"{year - 30}-03"}, "person", None, None),
        ):
            child = {"child": {"assent": assent}} if assent else {}
            consent = records.consent(world.exchange.clock.now(), giver=giver, **child)
            body = records.referral("iom", record=of(birth), consent=consent, bases=[on()])
            reply = await world.police.post("/v1/referrals", body)
            if reason is None:
                assert reply.status_code == 201, (birth, reply.text)
            else:
                assert refused(reply) == dict.fromkeys(BASIC, reason), birth


class TestNarrowing:
    @pytest.mark.parametrize(
        ("less", "lost"),
        [
            ({"sections": ["health"]}, {"health"}),
            ({"agencies": ["shelter"]}, set(CONSENTED)),  # although its kind is named
            ({"agency_kinds": ["trauma_centre"]}, set(CONSENTED)),
            ({"purposes": ["social_rehabilitation"]}, set(CONSENTED)),
            ({"sections": ["health"], "purposes": ["shelter"]}, {"health"}),
            ({"agencies": ["lpsk"]}, set()),
        ],
        ids=["sections", "agency", "kind", "purpose", "two", "another agency"],
    )
    async def test_locks_what_is_lost_and_nothing_else(
        self, world: World, less: dict[str, Any], lost: set[str]
    ) -> None:
        sent = await world.consented(*CONSENTED, **MIXED)
        consent = await world.consent_of(sent)
        await world.exchange.settle()
        reply = await act(world, sent.case_id, consent, "narrow", **less)
        assert (reply.status_code, reply.json()["state"]) == (200, "narrowed"), reply.text
        found = await read(sent)
        assert set(found["withheld"]) == lost
        assert locked(found) == dict.fromkeys(lost, "consent_narrowed")
        told = [("shelter", "consent.narrowed"), ("shelter", "request.opened")] if lost else []
        assert await world.told() == told
        (kept,) = (await shown(world, sent.case_id, consent))["withdrawals"]
        assert (kept["event"], kept["recorded_by"]["code"]) == ("narrowed", "police")
        assert {name: kept[name] for name in less} == less
        again = MIXED | {
            "bases": [on(consent, *CONSENTED), MIXED["bases"][1]],
            "record": records.full_record(needs=("psychosocial",)),
        }
        resent = await world.police.post("/v1/referrals", records.referral(case=None, case_id=sent.case_id, **again))
        assert resent.status_code == (403 if lost else 201), resent.text
        (entry,) = await world.log(action="consent:narrow")
        assert entry["outcome"] == "done"

    async def test_to_an_earlier_end_ends_what_rests_on_it_then(self, world: World) -> None:
        sent = await world.consented(*CONSENTED, **MIXED)
        consent, now = await world.consent_of(sent), world.exchange.clock.now()
        await world.exchange.settle()
        until = (now + timedelta(days=2)).isoformat()
        assert (await act(world, sent.case_id, consent, "narrow", until=until)).status_code == 200
        assert await world.told() == [("shelter", "consent.narrowed")]
        assert (await read(sent))["withheld"] == []
        later = (now + timedelta(days=9)).isoformat()
        assert (await act(world, sent.case_id, consent, "narrow", until=later)).status_code == 409, "no later end"
        world.exchange.later(days=3)
        found = await read(sent)
        assert locked(found) == dict.fromkeys(CONSENTED, "consent_ended")
        assert not set(CONSENTED) & set(found["record"])
        assert (await act(world, sent.case_id, consent, "narrow", until=until)).json()["errors"][0][
            "code"
        ] == "in_the_past"

    async def test_is_what_a_withdrawal_is_for_whom_it_asks_and_for_whoever_has_the_person(self, world: World) -> None:
        sent = await world.moved(await world.consented(*CONSENTED, **MIXED), "start")
        consent = await world.consent_of(sent)
        assert (
            await act(world, sent.case_id, consent, "narrow", world.shelter, sections=["safety"])
        ).status_code == 200
        assert (await read(sent))["record"]["safety"]["must_know"] == "He was followed from the harbour."
        (asked,) = await world.requests(world.shelter)
        assert (asked["cause"], asked["sections"], asked["asked_by"]["code"]) == (
            "consent_narrowed",
            ["safety"],
            "police",
        )
        answer = {"answer": "re_based", "bases": [records.legal_basis("safety")]}
        assert (await world.shelter.post(f"/v1/requests/{asked['id']}/answer", answer)).status_code == 200
        assert (await read(sent))["withheld"] == []

    async def test_to_nothing_is_a_withdrawal_and_what_is_gone_is_not_taken_twice(self, world: World) -> None:
        case = await open_case(world)
        consent = await give(world, case, agencies=["iom"], agency_kinds=["sentra"])
        for less, status in (
            ({"agency_kinds": ["sentra"]}, 200),
            ({"agency_kinds": ["sentra"]}, 409),
            ({"sections": ["health"]}, 409),
            ({"agencies": ["nobody"]}, 422),
            ({}, 422),
            ({"agencies": ["iom"]}, 200),
            ({"sections": ["needs"]}, 409),
        ):
            assert (await act(world, case, consent, "narrow", **less)).status_code == status, less
        found = await shown(world, case, consent)
        assert found["withdrawn_at"] is not None
        assert found["agencies"] == ["iom"], "as it covered last"

    async def test_is_for_nobody_without_a_part_in_it(self, world: World) -> None:
        sent, other = await world.consented(), await open_case(world)
        consent = await world.consent_of(sent)
        for who, case, id in (
            (world.stranger, sent.case_id, consent),
            (world.police, other, consent),
            (world.police, sent.case_id, str(uuid4())),
        ):
            assert (await act(world, case, id, "narrow", who, sections=["needs"])).status_code == 404
        assert (await read(sent))["withheld"] == []

    async def test_while_it_is_accepted_never_opens_what_is_lost(self, world: World) -> None:
        for _ in range(12):
            sent = await world.consented(*CONSENTED, accepted=False, **MIXED)
            consent, body = await world.consent_of(sent), await world.body(sent, "accept")
            taken, given = await asyncio.gather(
                world.move(sent, "accept", body), act(world, sent.case_id, consent, "narrow", agencies=["shelter"])
            )
            assert (taken.status_code, given.status_code) == (200, 200), (taken.text, given.text)
            found = await read(sent)
            assert not set(CONSENTED) & set(found["record"])
            assert locked(found) == dict.fromkeys(CONSENTED, "consent_narrowed")


class TestWhatElseRestsOnIt:
    async def test_a_note_and_a_correction_lock_with_it(self, world: World) -> None:
        sent = await world.consented(*CONSENTED, **MIXED)
        consent, case = await world.consent_of(sent), sent.case_id
        note = {"text": "He dreams of the ship.", "section": "psychosocial", "basis": on(consent, "psychosocial")}
        assert (await world.police.post(f"{sent.path}/notes", note)).status_code == 200
        right = {"record": {"psychosocial": {"wishes": "To see Melati and her mother."}}, "reason": "He said more."}
        correction = (await world.police.post(f"/v1/cases/{case}/corrections", right)).headers["Location"]
        assert "dreams of the ship" in (await world.shelter.get(sent.path)).text
        assert "her mother" in (await world.shelter.get(correction)).text
        reply = await act(world, case, consent, "narrow", sections=["psychosocial"])
        assert reply.status_code == 200, reply.text
        assert "dreams of the ship" not in (await world.shelter.get(sent.path)).text
        assert "her mother" not in (await world.shelter.get(correction)).text
        assert "dreams of the ship" in (await world.police.get(sent.path)).text
        assert (await world.stranger.get(correction)).status_code == 404


class TestWidening:
    async def test_is_an_act_of_its_own_by_which_nothing_opens(self, world: World) -> None:
        case = await open_case(world)
        first = await give(world, case, sections=("identity",), agency_kinds=["sentra"])
        made = await act(world, case, first, "widen", method="audio_recording", agency_kinds=["trauma_centre"])
        assert (made.status_code, made.json()["state"]) == (201, "widened"), made.text
        second = made.json()["id"]
        assert (await shown(world, case, second))["widens"] == first
        assert (await shown(world, case, first))["widened_by"] == [second]
        assert refused(await refer(world, case, first, "shelter")) == dict.fromkeys(BASIC, "consent")
        assert refused(await refer(world, case, second, "sentra")) == dict.fromkeys(BASIC, "consent")
        assert (await refer(world, case, second, "shelter")).status_code == 201
        assert (await world.log(action="consent:widen"))[0]["subject_id"] == UUID(second)

    async def test_needs_its_own_proof_and_notice(self, world: World) -> None:
        case = await open_case(world)
        first = await give(world, case)
        void = await act(world, case, first, "widen", notice={"version": "1", "items": ["purpose"]})
        assert void.json()["type"] == "/problems/consent-void"
        spoken = await act(world, case, first, "widen", method="spoken")
        assert refused(await refer(world, case, spoken.json()["id"])) == dict.fromkeys(BASIC, "consent_not_provable")
        assert (await refer(world, case, first)).status_code == 201

    async def test_is_taken_back_with_what_it_widens(self, world: World) -> None:
        case = await open_case(world)
        first = await give(world, case, sections=("identity", "needs"))
        second = (await act(world, case, first, "widen")).json()["id"]
        sent = await world.accepted(case_id=case, receiver="shelter", bases=[on(second)])
        assert (await act(world, case, first, "narrow", sections=["needs"])).status_code == 200
        assert locked(await read(sent)) == {"needs": "consent_narrowed"}
        assert (await act(world, case, first, "withdraw")).status_code == 200
        assert locked(await read(sent)) == {
            "identity": "consent_withdrawn", "safety": "consent_withdrawn", "needs": "consent_narrowed"
        }  # fmt: skip
        assert (await shown(world, case, second))["withdrawn_at"] is not None
        over = await act(world, case, first, "widen")
        assert (over.status_code, over.json()["type"]) == (409, "/problems/consent-over")

    async def test_tells_the_lead_and_who_recorded_it_and_is_for_them_alone(self, world: World) -> None:
        held = await world.accepted(receiver="iom")
        await world.exchange.settle()
        first = await give(world, held.case_id, world.iom)
        assert await world.told() == [("police", "consent.given")]
        await world.exchange.settle()
        assert (await act(world, held.case_id, first, "widen")).status_code == 201
        assert await world.told() == [("iom", "consent.widened")]
        third = await world.accepted(receiver="lpsk", case_id=held.case_id)
        for who in (world.stranger, third.receiver):
            assert (await act(world, held.case_id, first, "widen", who)).status_code == 404


async def doubt(world: World, client: str, since: Any) -> tuple[int, list[UUID]]:
    """What the administration does when a client was found compromised."""
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    row = await conn.fetchrow("SELECT * FROM doubt_consents($1, $2, $3)", client, since, world.exchange.clock.now())
    await conn.close()
    return row["o_consents"], row["o_cases"]


async def another_system(world: World, code: str) -> Agency:
    """Another client of an agency."""
    credentials = Credentials.generate(f"{code}-{uuid4().hex[:8]}", world.exchange.settings.public_url)
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    await add_client(
        conn,
        client_id=credentials.client_id,
        name="Another system",
        agencies=[code],
        scopes=[str(scope) for scope in Scope],
        jwks=credentials.public_jwks(),
        status="active",
        now=world.exchange.clock.now(),
        actor="test",
    )
    await conn.close()
    await world.exchange.directory.refresh()
    return Agency(code, ExchangeClient(credentials, clock=world.exchange.clock, http=world.exchange.http))


class TestDoubt:
    async def test_locks_what_rests_on_what_a_compromised_system_recorded(self, world: World) -> None:
        start = world.exchange.clock.now()
        before = await world.consented(*CONSENTED, **MIXED)
        world.exchange.later(hours=1)
        since = world.exchange.clock.now()
        sent = await world.consented(*CONSENTED, **MIXED)
        other = await world.consented(sender="lpsk", receiver="iom")
        await world.exchange.settle()
        assert await doubt(world, "police-system", since) == (1, [UUID(sent.case_id)])
        assert await world.told() == [("police", "consent.doubted"), ("shelter", "consent.doubted")]
        found = await read(sent)
        assert locked(found) == dict.fromkeys(CONSENTED, "consent_doubted")
        assert not set(CONSENTED) & set(found["record"])
        assert await world.requests(world.shelter) == [], "nobody erases what may open again"
        assert ((await read(before))["withheld"], (await read(other))["withheld"]) == ([], [])
        consent = await world.consent_of(sent)
        assert (await shown(world, sent.case_id, consent))["doubted_at"] is not None
        again = await refer(world, sent.case_id, consent, purpose="shelter")
        assert refused(again) == {"identity": "consent", "needs": "consent", "safety": "consent_doubted"}
        (entry,) = await world.log(action="consent:doubt")
        assert (entry["case_id"], entry["agency_id"]) == (UUID(sent.case_id), None)
        assert await doubt(world, "police-system", since) == (0, [])
        assert (await doubt(world, "police-system", start))[0] == 1

    async def test_is_over_when_the_person_was_asked_again_through_another_system(self, world: World) -> None:
        sent = await world.consented(*CONSENTED, **MIXED)
        consent, case, since = await world.consent_of(sent), sent.case_id, world.exchange.clock.now()
        not_in_doubt = await act(world, case, consent, "reconfirm")
        assert (not_in_doubt.status_code, not_in_doubt.json()["type"]) == (409, "/problems/nothing-to-reconfirm")
        await doubt(world, "police-system", since - timedelta(hours=1))
        right = {"record": {"safety": {"must_know": "Two men."}}, "reason": "There were two."}
        assert (await world.police.post(f"/v1/cases/{case}/corrections", right)).status_code == 201
        world.exchange.later(hours=1)
        same = await act(world, case, consent, "reconfirm")
        assert (same.status_code, same.json()["type"]) == (403, "/problems/another-client-needed")
        other = await another_system(world, "police")
        for wrong in (
            {"method": "spoken"},
            {"interpreter": BIASED},
            {"given_at": since.isoformat()},
            {"giver": "guardian", "child": {"assent": "refused"}},
        ):
            assert (await act(world, case, consent, "reconfirm", other, **wrong)).status_code == 422, wrong
        assert (await act(world, case, consent, "reconfirm", world.shelter)).status_code == 404
        assert (await act(world, case, consent, "reconfirm", world.stranger)).status_code == 404
        assert locked(await read(sent)) == dict.fromkeys(CONSENTED, "consent_doubted")
        await world.exchange.settle()
        reply = await act(world, case, consent, "reconfirm", other, method="thumbprint", witness="a nurse")
        assert (reply.status_code, reply.json()["state"]) == (200, "reconfirmed"), reply.text
        assert ("shelter", "consent.reconfirmed") in await world.told()
        found = await read(sent)
        assert (found["withheld"], locked(found)) == ([], {})
        (corrected,) = found["corrections"]
        assert corrected["sections"] == ["safety"], "what was put right meanwhile arrives"
        now = await shown(world, case, consent)
        assert (now["method"], now["witness"], now["doubted_at"]) == ("thumbprint", "a nurse", None)
        assert [each["method"] for each in now["reconfirmations"]] == ["thumbprint"]
        # the second system is compromised too
        second = await world.owner.fetchval("SELECT client_id FROM consent")
        assert (await doubt(world, second, since))[0] == 1
        assert locked(await read(sent)) == dict.fromkeys(CONSENTED, "consent_doubted")

    async def test_does_not_keep_the_person_from_taking_it_back(self, world: World) -> None:
        sent = await world.consented(*CONSENTED, **MIXED)
        consent, since = await world.consent_of(sent), world.exchange.clock.now() - timedelta(hours=1)
        await doubt(world, "police-system", since)
        assert (await act(world, sent.case_id, consent, "narrow", sections=["health"])).status_code == 200
        assert locked(await read(sent)) == {
            "safety": "consent_doubted", "health": "consent_narrowed", "psychosocial": "consent_doubted"
        }  # fmt: skip
        assert (await act(world, sent.case_id, consent, "withdraw", world.shelter)).status_code == 200
        assert [each["sections"] for each in await world.requests(world.shelter)] == [
            ["safety", "psychosocial"],
            ["health"],
        ]
        other = await another_system(world, "police")
        over = await act(world, sent.case_id, consent, "reconfirm", other)
        assert over.json()["type"] == "/problems/consent-over"
        assert set(locked(await read(sent)).values()) == {"consent_withdrawn", "consent_narrowed"}

    async def test_leaves_to_whoever_has_the_person_what_keeps_everybody_safe_for_a_day(self, world: World) -> None:
        sent = await world.moved(await world.consented(*CONSENTED, **MIXED), "start")
        await doubt(world, "police-system", world.exchange.clock.now() - timedelta(hours=1))
        found = await read(sent)
        assert found["record"]["safety"]["must_know"] == "He was followed from the harbour."
        assert found["record"]["health"] == {"medicines": [{"name": "Rifampicin 450"}]}
        assert "psychosocial" not in found["record"]
        world.exchange.later(hours=25)
        assert not {"safety", "health"} & set((await read(sent))["record"])

    async def test_is_raised_by_no_agency(self, world: World) -> None:
        conn = await asyncpg.connect(world.exchange.addresses.app)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetchrow("SELECT * FROM doubt_consents('x', now(), now())")
        await conn.close()


class TestOnward:
    async def held(self, world: World, **more: Any) -> tuple[Passed, str]:
        """IOM holds a referral that rests on the police's consent, and may refer on."""
        sent = await world.consented(bases=[on(onward=True, **more)])
        return sent, await world.consent_of(sent)

    async def test_whoever_holds_it_may_rest_on_it_and_sees_no_more_of_it(self, world: World) -> None:
        first, consent = await self.held(world)
        assert (await world.iom.get(f"/v1/cases/{first.case_id}/consents")).json()["items"] == []
        assert (await world.iom.get(f"/v1/cases/{first.case_id}/consents/{consent}")).status_code == 404
        made = await refer(world, first.case_id, consent, "sentra", world.iom)
        assert made.status_code == 201, made.text
        assert refused(await refer(world, first.case_id, consent, "ministry", world.iom)) == dict.fromkeys(
            BASIC, "consent"
        )
        second = Passed("referral", made.json()["id"], first.case_id, 1, world.iom, world.sentra, made)
        await world.moved(second, "accept")
        assert (await read(second))["withheld"] == []
        assert (await act(world, first.case_id, consent, "withdraw")).status_code == 200
        assert (await read(second))["record"] is None, "it ends for everybody down the line"

    async def test_nobody_else_may_nor_on_more_than_is_held(self, world: World) -> None:
        first, consent = await self.held(world)
        plain = await world.accepted(receiver="lpsk", case_id=first.case_id, bases=[records.legal_basis(onward=True)])
        assert refused(await refer(world, first.case_id, consent, "sentra", plain.receiver)) == dict.fromkeys(
            BASIC, "consent"
        )
        assert (await refer(world, first.case_id, consent, "sentra", world.stranger)).status_code == 404
        more = {"record": records.full_record(), "purpose": "social_rehabilitation"}
        rest = [name for name in records.FULL_SECTIONS if name not in (*BASIC, "health")]
        bases = [on(consent, *BASIC, "health"), records.legal_basis(*rest)]
        assert refused(await refer(world, first.case_id, consent, "sentra", world.iom, bases=bases, **more)) == {
            "health": "consent"
        }

    async def test_ends_with_what_the_holder_holds(self, world: World) -> None:
        until = (world.exchange.clock.now() + timedelta(days=2)).replace(microsecond=0)
        first, consent = await self.held(world, until=until.isoformat())
        made = await refer(world, first.case_id, consent, "sentra", world.iom)
        kept = await world.owner.fetchval(
            "SELECT until_at FROM disclosure WHERE subject_id = $1", UUID(made.json()["id"])
        )
        assert kept == until
        world.exchange.later(days=3)
        assert (await refer(world, first.case_id, consent, "lpsk", world.iom)).status_code == 403


class TestABarredGuardian:
    async def sent(self, world: World) -> tuple[Passed, str]:
        """A referral on a guardian's consent, whose guardian is barred since."""
        child = records.consent(world.exchange.clock.now(), giver="guardian")
        sent = await world.accepted(consent=child, bases=[on()])
        consent = await world.consent_of(sent)
        mark = {"suspect": True, "reason": "The uncle took the money."}
        assert (await world.police.post(f"/v1/cases/{sent.case_id}/guardian", mark)).status_code == 200
        return sent, consent

    async def test_neither_gives_widens_narrows_nor_reconfirms(self, world: World) -> None:
        sent, consent = await self.sent(world)
        for move, said in (
            ("widen", {"giver": "guardian"}),
            ("narrow", {"requested_by": "guardian", "sections": ["needs"]}),
            ("withdraw", {"requested_by": "parent"}),
        ):
            reply = await act(world, sent.case_id, consent, move, **said)
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/guardian-barred"), move
        await doubt(world, "police-system", world.exchange.clock.now() - timedelta(hours=1))
        world.exchange.later(hours=1)
        other = await another_system(world, "police")
        reply = await act(world, sent.case_id, consent, "reconfirm", other, giver="guardian")
        assert reply.json()["type"] == "/problems/guardian-barred"
        # whom a court has set in the guardian's place decides instead
        reply = await act(
            world, sent.case_id, consent, "reconfirm", other, giver="court_guardian", child={"assent": "given"}
        )
        assert reply.status_code == 200, reply.text
        assert (await refer(world, sent.case_id, consent)).status_code == 201

    async def test_is_barred_by_a_correction_that_says_so_too(self, world: World) -> None:
        consent = records.consent(world.exchange.clock.now(), giver="guardian")
        sent = await world.accepted(consent=consent, bases=[on()])
        right = {
            "record": {
                "family": {"guardian": {"standing": "parent", "suspected": "yes"}},
                "safety": {"must_know": "Not the uncle."},
            },
            "reason": "The uncle sold the boat.",
        }
        assert (await world.police.post(f"/v1/cases/{sent.case_id}/corrections", right)).status_code == 201
        assert (await world.police.get(f"/v1/cases/{sent.case_id}")).json()["guardian_barred"] is True
        assert (await read(sent))["corrections"] == [], "nothing new goes by their word"

    async def test_opens_nothing_new_by_what_they_said_before(self, world: World) -> None:
        """What was sent stays; no correction, note or new basis goes by it."""
        sent, consent = await self.sent(world)
        right = {"record": {"safety": {"must_know": "Two men."}}, "reason": "There were two."}
        assert (await world.police.post(f"/v1/cases/{sent.case_id}/corrections", right)).status_code == 201
        found = await read(sent)
        assert (found["withheld"], found["corrections"]) == ([], [])
        note = {"text": "Call first.", "section": "needs"}
        reply = await world.police.post(f"{sent.path}/notes", note)
        assert reply.json()["errors"] == [{"pointer": "/basis", "code": "section_not_open"}]
        assert refused(await refer(world, sent.case_id, consent)) == dict.fromkeys(BASIC, "consent")
        own = records.consent(world.exchange.clock.now())
        second = await world.consented(case_id=sent.case_id, receiver="lpsk", consent=own)
        await world.withdraw(second)
        (asked,) = await world.requests(world.lpsk)
        answer = {"answer": "re_based", "bases": [on(consent)]}
        assert refused(await world.lpsk.post(f"/v1/requests/{asked['id']}/answer", answer)) == dict.fromkeys(
            BASIC, "consent"
        )

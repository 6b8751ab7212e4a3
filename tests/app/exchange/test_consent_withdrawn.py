"""A consent taken back locks what rests on it, for every holder, at once. The person stays where they are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.makers import records
from tests.makers.world import Agency, Passed, World

MIXED = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "receiver": "shelter",
    "bases": [
        {"kind": "consent", "sections": ["safety", "health", "psychosocial"]},
        records.legal_basis("identity", "contact", "location", "needs", "narrative"),
    ],
}
"""Three sections on the person's consent, the rest on a law."""
CONSENTED = ("safety", "health", "psychosocial")


async def read(passed: Passed, who: Agency | None = None) -> dict[str, Any]:
    reply = await (who or passed.receiver).get(passed.path)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def access(found: dict[str, Any]) -> dict[str, str]:
    """How each section stands, by the bases it rests on."""
    return {section: each["access"] for each in found["disclosures"] for section in each["sections"]}


async def mixed(world: World, *, accepted: bool = True) -> Passed:
    return await world.consented(*CONSENTED, accepted=accepted, **MIXED)


async def give(world: World, who: Agency, case_id: str, *sections: str, **more: Any) -> str:
    body = records.consent(world.exchange.clock.now(), sections=sections or ("identity", "safety", "needs"), **more)
    reply = await who.post(f"/v1/cases/{case_id}/consents", body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def withdraw_named(world: World, who: Agency, case_id: str, consent: str, **more: Any) -> httpx.Response:
    body = {"requested_by": "person", "requested_at": world.exchange.clock.now().isoformat(), **more}
    return await who.post(f"/v1/cases/{case_id}/consents/{consent}/withdraw", body)


class TestAWithdrawal:
    async def test_locks_what_rests_on_the_consent_and_nothing_else(self, world: World) -> None:
        sent = await mixed(world)
        assert (await read(sent))["withheld"] == []
        reply = await world.withdraw(sent)
        assert (reply.status_code, reply.json()["state"]) == (200, "withdrawn")
        reading = await world.shelter.get(sent.path)
        found = reading.json()
        assert found["withheld"] == ["safety", "health", "psychosocial"]
        assert {name: state for name, state in access(found).items() if state != "full"} == dict.fromkeys(
            CONSENTED, "locked"
        )
        assert found["record"]["identity"]["names"][0]["full"] == records.NAME
        assert "Rifampicin" not in reading.text

    async def test_puts_nobody_out(self, world: World) -> None:
        """A consent over data is no consent over a bed: no state changes, and the services go on to their end."""
        sent = await world.moved(await mixed(world), "start")
        before = await world.row(sent)
        await world.withdraw(sent)
        after = await world.row(sent)
        assert {name: after[name] for name in before.keys()} == dict(before)  # noqa: SIM118 -- a record is no dict
        await world.moved(sent, "record_service", "complete")
        assert (await read(sent))["state"] == "completed"

    async def test_of_some_sections_splits_what_rests_on_it(self, world: World) -> None:
        sent = await mixed(world)
        reply = await world.withdraw(sent, "psychosocial")
        assert reply.status_code == 200, reply.text
        found = await read(sent)
        assert found["withheld"] == ["psychosocial"]
        assert access(found) == {**dict.fromkeys(records.FULL_SECTIONS, "full"), "psychosocial": "locked"}
        consent = await world.consent_of(sent)
        told = (await world.police.get(f"/v1/cases/{sent.case_id}/consents/{consent}")).json()
        assert (told["sections"], told["withdrawn_at"]) == (["safety", "health"], None)
        await world.withdraw(sent)
        assert (await read(sent))["withheld"] == ["safety", "health", "psychosocial"]
        told = (await world.police.get(f"/v1/cases/{sent.case_id}/consents/{consent}")).json()
        assert told["withdrawn_at"] is not None
        assert [each["sections"] for each in told["withdrawals"]] == [["psychosocial"], ["safety", "health"]]

    async def test_of_one_consent_leaves_what_rests_on_another(self, world: World) -> None:
        case = (await world.send(receiver="iom")).case_id
        first = await give(world, world.police, case, "safety", "health")
        second = await give(world, world.police, case, "psychosocial", "narrative")
        sent = await world.accepted(
            case_id=case,
            **MIXED
            | {
                "bases": [
                    {"kind": "consent", "consent_id": first, "sections": ["safety", "health"]},
                    {"kind": "consent", "consent_id": second, "sections": ["psychosocial", "narrative"]},
                    records.legal_basis("identity", "contact", "location", "needs"),
                ]
            },
        )
        assert (await withdraw_named(world, world.police, case, first, sections=["health"])).status_code == 200
        assert (await read(sent))["withheld"] == ["health"]
        assert (await withdraw_named(world, world.police, case, second)).status_code == 200
        assert (await read(sent))["withheld"] == ["health", "psychosocial", "narrative"]
        (newest, oldest) = await world.requests(world.shelter)
        assert (oldest["sections"], newest["sections"]) == (["health"], ["psychosocial", "narrative"])

    async def test_reaches_the_preview_too(self, world: World) -> None:
        sent = await mixed(world, accepted=False)
        assert (await read(sent))["preview"]["care_tonight"]["infectious"] == "contact"
        await world.withdraw(sent)
        assert (await read(sent))["preview"]["care_tonight"] is None
        assert await world.requests(world.shelter) == [], "who saw the preview alone is told, not asked"
        assert ("shelter", "consent.withdrawn") in await world.told()

    async def test_before_an_acceptance_keeps_closed_what_rested_on_it(self, world: World) -> None:
        sent = await mixed(world, accepted=False)
        await world.withdraw(sent)
        assert (await world.move(sent, "accept")).json()["state"] == "accepted"
        await world.moved(sent, "start")
        found = await read(sent)
        assert found["withheld"] == ["safety", "health", "psychosocial"]
        assert not set(CONSENTED) & set(found["record"]), "never open before, so nothing stays readable either"

    async def test_tells_the_lead_and_every_holder_and_asks_each(self, world: World) -> None:
        first = await world.consented()
        consent = await world.consent_of(first)
        second = await world.accepted(
            receiver="lpsk",
            case_id=first.case_id,
            bases=[{"kind": "consent", "consent_id": consent, "sections": ["identity", "safety", "needs"]}],
        )
        await world.exchange.settle()
        await world.withdraw(first, by=second.receiver)
        assert await world.told() == [
            ("iom", "consent.withdrawn"),
            ("iom", "request.opened"),
            ("lpsk", "request.opened"),
            ("police", "consent.withdrawn"),
        ]
        for holder in (world.iom, world.lpsk):
            (asked,) = await world.requests(holder)
            assert (asked["kind"], asked["cause"], asked["asked_by"]["code"]) == (
                "erasure",
                "consent_withdrawn",
                "police",
            )
            assert asked["sections"] == ["identity", "safety", "needs"]

    async def test_is_logged_with_its_sections_and_without_its_reason(self, world: World) -> None:
        sent = await world.consented()
        await world.withdraw(sent, "safety", reason="Surya does not trust them any more.")
        (entry,) = await world.log(action="consent:withdraw")
        assert '"sections": ["safety"]' in entry["detail"]
        assert "Surya" not in entry["detail"]
        (kept,) = await world.owner.fetch("SELECT * FROM consent_withdrawal")
        assert b"Surya" not in kept["detail"]
        consent = await world.consent_of(sent)
        told = (await world.police.get(f"/v1/cases/{sent.case_id}/consents/{consent}")).json()
        assert told["withdrawals"][0]["reason"] == "Surya does not trust them any more."

    async def test_happens_once(self, world: World) -> None:
        sent = await mixed(world)
        await world.withdraw(sent, "health")
        before = len(await world.requests(world.shelter))
        for again in (["health"], ["health", "location"]):
            reply = await world.withdraw(sent, *again)
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-withdraw")
        assert (await world.withdraw(sent)).status_code == 200
        assert (await world.withdraw(sent)).status_code == 409
        assert len(await world.requests(world.shelter)) == before + 1

    async def test_repeated_with_its_key_gets_its_answer(self, world: World) -> None:
        sent = await world.consented()
        path = f"/v1/cases/{sent.case_id}/consents/{await world.consent_of(sent)}/withdraw"
        body = {"requested_by": "person", "requested_at": world.exchange.clock.now().isoformat()}
        first = await world.police.post(path, body, idempotency_key="once")
        again = await world.police.post(path, body, idempotency_key="once")
        assert (first.status_code, again.json()) == (200, first.json())

    async def test_keeps_the_consent_from_being_used_again(self, world: World) -> None:
        sent = await world.consented()
        consent = await world.consent_of(sent)
        await world.withdraw(sent, "safety")
        bases = [{"kind": "consent", "consent_id": consent, "sections": ["identity", "safety", "needs"]}]
        body = records.referral("sentra", case=None, case_id=sent.case_id, bases=bases)
        reply = await world.police.post("/v1/referrals", body)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused")
        assert reply.json()["sendable_sections"] == ["identity", "needs"]
        await world.withdraw(sent)
        assert (await world.police.post("/v1/referrals", body)).json()["sendable_sections"] == []

    @pytest.mark.parametrize(
        ("change", "code"),
        [({"days": 1}, "in_the_future"), ({"days": -400}, "before_it_was_given")],
    )
    async def test_is_of_a_time_between_the_giving_and_now(
        self, world: World, change: dict[str, int], code: str
    ) -> None:
        sent = await world.consented()
        at = (world.exchange.clock.now() + timedelta(**change)).isoformat()
        reply = await world.withdraw(sent, requested_at=at)
        assert reply.status_code == 422
        assert reply.json()["errors"] == [{"pointer": "/requested_at", "code": code}]
        assert (await read(sent))["withheld"] == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"sections": []},
            {"sections": ["diary"]},
            {"requested_by": "nobody"},
            {"requested_at": "yesterday"},
            {"extra": 1},
        ],
        ids=lambda wrong: next(iter(wrong)),
    )
    async def test_takes_no_bad_input(self, world: World, wrong: dict[str, Any]) -> None:
        sent = await world.consented()
        assert (await world.withdraw(sent, **wrong)).status_code == 422
        assert (await read(sent))["withheld"] == []


class TestACheckOfTheConsent:
    """Reported of comparable systems: a consent check that blocks the very withdrawal it should serve."""

    async def test_does_not_block_it_when_the_consent_has_run_out(self, world: World) -> None:
        now = world.exchange.clock.now()
        sent = await world.accepted(
            consent=records.consent(now, until=(now + timedelta(days=2)).isoformat()),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        world.exchange.later(days=3)
        assert (await world.withdraw(sent)).status_code == 200
        assert access(await read(sent)) == dict.fromkeys(("identity", "safety", "needs"), "locked")
        assert len(await world.requests(world.iom)) == 1, "it still holds what it read"

    async def test_does_not_block_it_when_most_was_withdrawn_before(self, world: World) -> None:
        sent = await world.consented()
        await world.withdraw(sent, "identity", "needs")
        assert (await world.withdraw(sent, "safety", by=world.iom)).status_code == 200

    async def test_does_not_block_it_when_the_case_is_closed(self, world: World) -> None:
        sent = await world.consented()
        await world.owner.execute("UPDATE case_file SET state = 'closed' WHERE id = $1", UUID(sent.case_id))
        assert (await world.withdraw(sent)).status_code == 200
        assert (await read(sent))["record"] is None

    async def test_does_not_block_it_when_the_guardian_who_gave_it_is_barred(self, world: World) -> None:
        now = world.exchange.clock.now()
        sent = await world.accepted(
            consent=records.consent(now, giver="guardian"),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        await bar(world, sent)
        assert (await world.withdraw(sent)).status_code == 200
        assert (await read(sent))["record"] is None


class TestWhoMayRecordIt:
    @pytest.mark.parametrize("who", ["police", "iom"])
    async def test_the_lead_and_whoever_holds_what_rests_on_it(self, world: World, who: str) -> None:
        sent = await world.consented()
        assert (await world.withdraw(sent, by=world.agencies[who])).status_code == 200

    async def test_whoever_recorded_it_and_an_earlier_lead(self, world: World) -> None:
        handed = await world.handed_over(sender="iom", receiver="ministry")
        consent = await give(world, world.ministry, handed.case_id)
        for who, sections in ((world.iom, ["identity"]), (world.ministry, ["safety"])):
            reply = await withdraw_named(world, who, handed.case_id, consent, sections=sections)
            assert reply.status_code == 200, who.code

    async def test_a_stranger_never(self, world: World) -> None:
        sent = await world.consented()
        for path in (
            f"/v1/cases/{sent.case_id}/consents/{await world.consent_of(sent)}/withdraw",
            f"/v1/cases/{sent.case_id}/consents/{uuid4()}/withdraw",
        ):
            body = {"requested_by": "person", "requested_at": world.exchange.clock.now().isoformat()}
            reply = await world.stranger.post(path, body)
            assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
        assert (await read(sent))["withheld"] == []

    async def test_nor_a_receiver_whose_referral_rests_on_something_else(self, world: World) -> None:
        sent = await world.consented()
        await world.accepted(receiver="lpsk", case_id=sent.case_id)
        assert (await world.withdraw(sent, by=world.lpsk)).status_code == 404
        assert (
            await world.lpsk.get(f"/v1/cases/{sent.case_id}/consents/{await world.consent_of(sent)}")
        ).status_code == 404

    async def test_nobody_by_the_id_of_another_case(self, world: World) -> None:
        sent, other = await world.consented(), await world.consented()
        consent = await world.consent_of(sent)
        assert (await withdraw_named(world, world.police, other.case_id, consent)).status_code == 404
        assert (await read(sent))["withheld"] == []


class TestAfterAHandover:
    async def test_the_new_lead_loses_what_rests_on_it_like_any_holder(self, world: World) -> None:
        handed = await world.handed_over(
            sender="iom",
            receiver="ministry",
            consent=records.consent(
                world.exchange.clock.now(), agency_kinds=["ministry_social"], purposes=["case_responsibility"]
            ),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        await world.exchange.settle()
        reply = await world.withdraw(handed, by=world.iom)
        assert reply.status_code == 200, reply.text
        assert await world.lead_of(handed.case_id) == "ministry"
        found = await read(handed)
        assert found["withheld"] == ["identity", "safety", "needs"]
        assert set(found["record"]) == {"schema_version", "safety"}
        assert await world.told() == [("ministry", "consent.withdrawn"), ("ministry", "request.opened")]

    async def test_referrals_that_moved_with_the_case_lock(self, world: World) -> None:
        sent = await world.consented(sender="iom", receiver="sentra")
        await world.handed_over(sender="iom", receiver="ministry", case_id=sent.case_id)
        reply = await world.withdraw(sent, by=world.ministry)
        assert reply.status_code == 200, reply.text
        assert (await read(sent))["record"] is None


class TestOnward:
    async def onward(self, world: World) -> tuple[Passed, Passed, str]:
        """The police refer to IOM; IOM refers on to a shelter, on a consent that IOM recorded."""
        first = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        consent = await give(world, world.iom, first.case_id)
        second = await world.accepted(
            sender="iom",
            receiver="shelter",
            case_id=first.case_id,
            bases=[{"kind": "consent", "consent_id": consent, "sections": ["identity", "safety", "needs"]}],
        )
        return first, second, consent

    async def test_holders_lose_it_too_also_when_the_lead_records_it(self, world: World) -> None:
        first, second, consent = await self.onward(world)
        assert (await withdraw_named(world, world.police, first.case_id, consent)).status_code == 200
        assert (await read(second))["record"] is None
        assert (await read(first))["withheld"] == [], "that one rests on a law"
        assert len(await world.requests(world.shelter)) == 1
        assert await world.requests(world.iom) == []

    async def test_what_rests_on_a_basis_of_its_own_stays(self, world: World) -> None:
        first = await world.consented(
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"], "onward": True}]
        )
        second = await world.accepted(sender="iom", receiver="shelter", case_id=first.case_id)
        await world.withdraw(first)
        assert (await read(first))["record"] is None
        assert (await read(second))["withheld"] == []
        body = records.referral("sentra", case=None, case_id=first.case_id)
        assert (await world.iom.post("/v1/referrals", body)).json()["type"] == "/problems/not-lead", "no more onward"


class TestTheDayAfter:
    """`safety` and current medicines stay readable for a day, to whoever has the person with them."""

    async def test_shows_safety_and_medicines_and_says_they_are_locked(self, world: World) -> None:
        sent = await world.moved(await mixed(world), "start")
        await world.withdraw(sent)
        found = await read(sent)
        assert found["record"]["safety"]["must_know"] == "He was followed from the harbour."
        assert found["record"]["health"] == {"medicines": [{"name": "Rifampicin 450"}]}
        assert "psychosocial" not in found["record"]
        assert found["withheld"] == ["safety", "health", "psychosocial"]
        assert access(found)["safety"] == access(found)["health"] == "locked"
        entry = (await world.log(action="referral:read", agency_id=world.ids["shelter"]))[-1]
        assert '"after_withdrawal": ["health", "safety"]' in entry["detail"]

    async def test_ends_after_a_day(self, world: World) -> None:
        sent = await world.moved(await mixed(world), "start")
        await world.withdraw(sent)
        world.exchange.later(hours=23.9)
        assert "safety" in (await read(sent))["record"]
        world.exchange.later(hours=0.2)
        assert not {"safety", "health"} & set((await read(sent))["record"])

    async def test_is_for_nobody_who_does_not_have_the_person(self, world: World) -> None:
        sent = await mixed(world)
        await world.withdraw(sent)
        assert not {"safety", "health"} & set((await read(sent))["record"]), "accepted, and not arrived"

    async def test_is_over_with_the_services(self, world: World) -> None:
        sent = await world.moved(await mixed(world), "start", "complete")
        await world.withdraw(sent)
        assert not {"safety", "health"} & set((await read(sent))["record"])

    async def test_shows_only_the_locked_section_of_the_two(self, world: World) -> None:
        sent = await world.moved(await mixed(world), "start")
        await world.withdraw(sent, "health", "psychosocial")
        found = await read(sent)
        assert found["record"]["health"] == {"medicines": [{"name": "Rifampicin 450"}]}
        assert found["withheld"] == ["health", "psychosocial"]


async def bar(world: World, passed: Passed) -> None:
    """Mark the guardian of the case as a suspect, by the owner's hand."""
    await world.owner.execute(
        "UPDATE case_file SET guardian_barred_at = $2 WHERE id = $1", UUID(passed.case_id), world.exchange.clock.now()
    )


class TestABarredGuardian:
    @pytest.mark.parametrize("giver", ["parent", "guardian"])
    async def test_can_neither_give_nor_withdraw(self, world: World, giver: str) -> None:
        sent = await world.consented()
        await bar(world, sent)
        await world.exchange.settle()
        given = await world.iom.post(
            f"/v1/cases/{sent.case_id}/consents", records.consent(world.exchange.clock.now(), giver=giver)
        )
        taken = await world.withdraw(sent, by=world.iom, requested_by=giver)
        for reply in (given, taken):
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/guardian-barred")
        assert (await read(sent))["withheld"] == []
        assert await world.told() == [("police", "case.guardian_barred")] * 2
        assert [entry["outcome"] for entry in await world.refusals()] == ["guardian_barred"] * 2

    async def test_is_refused_inline_in_a_referral_too(self, world: World) -> None:
        first = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        await bar(world, first)
        await world.exchange.settle()
        body = records.referral(
            "shelter",
            case=None,
            case_id=first.case_id,
            consent=records.consent(world.exchange.clock.now(), giver="guardian"),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        reply = await world.iom.post("/v1/referrals", body)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/guardian-barred")
        assert await world.told() == [("police", "case.guardian_barred")]
        assert await world.owner.fetchval("SELECT count(*) FROM consent") == 0

    async def test_is_nothing_to_tell_the_lead_who_tried(self, world: World) -> None:
        sent = await world.consented()
        await bar(world, sent)
        await world.exchange.settle()
        assert (await world.withdraw(sent, requested_by="guardian")).status_code == 403
        assert await world.told() == []

    @pytest.mark.parametrize("giver", ["person", "court_guardian", "representative"])
    async def test_does_not_bar_the_person_or_whom_a_court_has_set(self, world: World, giver: str) -> None:
        sent = await world.consented()
        await bar(world, sent)
        given = await give(world, world.police, sent.case_id, giver=giver)
        assert given
        assert (await world.withdraw(sent, requested_by=giver)).status_code == 200

    async def test_leaves_what_was_sent_on_an_earlier_consent_and_opens_nothing_new_on_it(self, world: World) -> None:
        consent = records.consent(world.exchange.clock.now(), giver="guardian")
        basis = {"kind": "consent", "sections": ["identity", "safety", "needs"]}
        sent = await world.accepted(consent=consent, bases=[basis])
        await bar(world, sent)
        assert (await read(sent))["withheld"] == []
        named = {**basis, "consent_id": await world.consent_of(sent)}
        body = records.referral("sentra", case=None, case_id=sent.case_id, bases=[named])
        reply = await world.police.post("/v1/referrals", body)
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused")
        assert {each["reason"] for each in reply.json()["refused"]} == {"consent"}

    async def test_of_one_case_says_nothing_of_another(self, world: World) -> None:
        await bar(world, await world.consented())
        other = await world.consented()
        assert (await world.withdraw(other, requested_by="guardian")).status_code == 200


class TestWithdrawingWhileItIsAccepted:
    async def test_never_opens_what_rests_on_a_withdrawn_consent(self, world: World) -> None:
        """Whichever comes first, also where two bases rest on the consent; and nothing fails."""
        apart = [
            {"kind": "consent", "sections": ["psychosocial"]},
            {"kind": "consent", "sections": ["safety", "health"]},
            MIXED["bases"][1],
        ]
        for place in range(40):
            bases = apart if place % 2 else MIXED["bases"]
            sent = await world.consented(*CONSENTED, accepted=False, **{**MIXED, "bases": bases})
            body = await world.body(sent, "accept")
            taken, given = await asyncio.gather(world.move(sent, "accept", body), world.withdraw(sent))
            assert (taken.status_code, given.status_code) == (200, 200), (taken.text, given.text)
            found = await read(sent)
            assert not set(CONSENTED) & set(found["record"])
            assert found["withheld"] == ["safety", "health", "psychosocial"]
            left = await world.owner.fetchval(
                "SELECT count(*) FROM disclosure WHERE consent_id IS NOT NULL AND locked_at IS NULL"
            )
            assert left == 0

    async def test_at_once_by_two_is_done_once_for_each_section(self, world: World) -> None:
        for _ in range(10):
            sent = await mixed(world)
            consent = await world.consent_of(sent)
            first, second = await asyncio.gather(
                withdraw_named(world, world.police, sent.case_id, consent, sections=["safety", "health"]),
                withdraw_named(world, world.shelter, sent.case_id, consent, sections=["health", "psychosocial"]),
            )
            assert (first.status_code, second.status_code) == (200, 200)
            kept = await world.owner.fetch(
                "SELECT unnest(sections) AS section FROM consent_withdrawal WHERE case_id = $1", UUID(sent.case_id)
            )
            assert sorted(row["section"] for row in kept) == ["health", "psychosocial", "safety"]
            assert (await read(sent))["withheld"] == ["safety", "health", "psychosocial"]

    async def test_while_it_is_sent_on_leaves_nothing_open(self, world: World) -> None:
        for _ in range(10):
            sent = await world.consented()
            basis = {
                "kind": "consent",
                "consent_id": await world.consent_of(sent),
                "sections": ["identity", "safety", "needs"],
            }
            body = records.referral("sentra", case=None, case_id=sent.case_id, bases=[basis])
            again, _ = await asyncio.gather(world.police.post("/v1/referrals", body), world.withdraw(sent))
            assert again.status_code in (201, 403)
            left = await world.owner.fetchval(
                "SELECT count(*) FROM disclosure WHERE consent_id IS NOT NULL AND locked_at IS NULL"
            )
            assert left == 0


class TestWhoRecordsAWithdrawal:
    async def two(self, world: World) -> tuple[Passed, Passed]:
        """Two agencies that were each sent the same on one consent; the first has accepted."""
        first = await world.consented(receiver="shelter")
        basis = {
            "kind": "consent",
            "sections": ["identity", "safety", "needs"],
            "consent_id": await world.consent_of(first),
        }
        return first, await world.send(receiver="iom", case_id=first.case_id, bases=[basis])

    async def test_one_holder_learns_nothing_of_the_others(self, world: World) -> None:
        first, second = await self.two(world)
        await world.moved(second, "accept")
        assert (await world.withdraw(first, by=world.iom)).status_code == 200
        assert (await world.iom.get("/v1/requests?role=from")).json()["items"] == []
        assert [each["asked"]["code"] for each in await world.requests(world.iom)] == ["iom"]
        assert {each["asked_by"]["code"] for each in await world.requests(world.shelter)} == {"police"}
        asked = (await world.police.get("/v1/requests?role=from")).json()["items"]
        assert {each["asked"]["code"] for each in asked} == {"iom", "shelter"}

    async def test_who_refused_the_person_cannot_lock_what_others_hold(self, world: World) -> None:
        first, second = await self.two(world)
        await world.moved(second, "decline")
        assert (await world.withdraw(first, by=world.iom)).status_code == 404
        assert (await read(first))["withheld"] == []

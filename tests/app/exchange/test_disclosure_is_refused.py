"""Refuse, never trim: a request that includes more than its bases cover leaves nothing behind, and says what one retry may send."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from auth.admin.agencies import add_agency
from tests.makers import records
from tests.makers.world import World

BASIC = ("identity", "safety", "needs")
STORED = (
    "case_file", "case_lead", "referral", "record_version", "record_content", "disclosure", "consent", "move", "outbox",
    "idempotency",
)  # fmt: skip


async def stored(world: World) -> int:
    """How many rows there are of everything a refusal must not leave."""
    counts = [await world.owner.fetchval(f"SELECT count(*) FROM {table}") for table in STORED]
    return sum(counts)


def refused(reply: Any) -> dict[str, str]:
    problem = reply.json()
    assert (reply.status_code, problem["type"]) == (403, "/problems/disclosure-refused"), reply.text
    return {each["section"]: each["reason"] for each in problem["refused"]}


def consented(*sections: str, **more: Any) -> dict[str, Any]:
    return {"kind": "consent", "sections": list(sections or BASIC), **more}


def with_only(body: dict[str, Any], sections: list[str]) -> dict[str, Any]:
    """The same request with these sections and the bases that cover them: what a client does on being refused."""
    bases = [{**basis, "sections": [name for name in basis["sections"] if name in sections]} for basis in body["bases"]]
    kept, seen = [], set()
    for basis in bases:
        basis["sections"] = [name for name in basis["sections"] if name not in seen]
        seen |= set(basis["sections"])
        if basis["sections"]:
            kept.append(basis)
    record = {name: value for name, value in body["record"].items() if name in (*sections, "schema_version")}
    return {**body, "record": record, "bases": kept}


@pytest.fixture
async def abroad(world: World) -> str:
    """A shelter in another country."""
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    if "abroad" not in (await world.exchange.directory.refresh()).by_code:
        await add_agency(
            conn,
            code="abroad",
            name="A shelter abroad",
            kind="trauma_centre",
            country="MY",
            now=world.exchange.clock.now(),
            actor="test",
        )
    await conn.close()
    await world.exchange.directory.refresh()
    return "abroad"


class TestEachReason:
    def case(self, reason: str, now: datetime) -> tuple[dict[str, Any], dict[str, str]]:
        """A request that is refused for this reason, and what is refused."""
        full = {"record": records.full_record(), "purpose": "social_rehabilitation"}
        rest = [name for name in records.FULL_SECTIONS if name != "health"]
        ended = (now - timedelta(hours=1)).isoformat()
        requests: dict[str, tuple[dict[str, Any], str]] = {
            "no_basis": ({**full, "bases": [records.legal_basis(*rest)]}, "health"),
            "two_bases": ({"bases": [records.legal_basis(), records.legal_basis("identity")]}, "identity"),
            "not_included": ({"bases": [records.legal_basis(*BASIC, "legal")]}, "legal"),
            "purpose": (
                {**full, "purpose": "shelter", "bases": [records.legal_basis(*records.FULL_SECTIONS)]},
                "narrative",
            ),
            "basis_does_not_open": (
                {
                    **full,
                    "bases": [
                        records.legal_basis(*(name for name in records.FULL_SECTIONS if name != "contact")),
                        {"kind": "vital_interest", "sections": ["contact"], "reason": "Her life is at stake."},
                    ],
                },
                "contact",
            ),
            "basis_ended": (
                {"bases": [records.legal_basis("needs", "safety"), records.legal_basis("identity", until=ended)]},
                "identity",
            ),
        }
        request, section = requests[reason]
        return records.referral("iom", **request), {section: reason}

    @pytest.mark.parametrize(
        "reason", ["no_basis", "two_bases", "not_included", "purpose", "basis_does_not_open", "basis_ended"]
    )
    async def test_is_named_and_one_retry_with_what_may_go_succeeds(self, world: World, reason: str) -> None:
        body, expected = self.case(reason, world.exchange.clock.now())
        before = await stored(world)
        reply = await world.police.post("/v1/referrals", body)
        assert refused(reply) == expected
        assert await stored(world) == before == 0
        (entry,) = await world.refusals()
        assert (entry["outcome"], entry["agency_id"]) == ("disclosure", world.ids["police"])

        sendable = reply.json()["sendable_sections"]
        if reason in ("two_bases", "basis_ended"):
            assert "identity" not in sendable
        again = await world.police.post("/v1/referrals", with_only(body, sendable))
        assert again.status_code == 201, again.text
        assert (await world.stranger.get("/v1/referrals")).json()["items"] == []

    async def test_agency_kind_holds_for_the_police(self, world: World) -> None:
        body = records.referral(
            "police",
            record=records.full_record(),
            purpose="witness_protection",
            bases=[records.legal_basis(*records.FULL_SECTIONS)],
        )
        reply = await world.iom.post("/v1/referrals", body)
        assert refused(reply) == {"health": "agency_kind", "psychosocial": "agency_kind"}
        assert (
            await world.iom.post("/v1/referrals", with_only(body, reply.json()["sendable_sections"]))
        ).status_code == 201

    async def test_consent_only_holds_for_a_foreign_mission(self, world: World) -> None:
        papers = records.record(safety=None, migration={})
        sections = ("identity", "migration", "needs")
        body = records.referral("embassy", purpose="documents", record=papers, bases=[records.legal_basis(*sections)])
        assert refused(await world.iom.post("/v1/referrals", body)) == dict.fromkeys(sections, "consent_only")
        given = records.consent(
            world.exchange.clock.now(), sections=sections, agencies=["embassy"], purposes=["documents"]
        )
        body |= {"consent": given, "bases": [consented(*sections)]}
        assert (await world.iom.post("/v1/referrals", body)).status_code == 201

    async def test_abroad_holds_for_a_vital_interest(self, world: World, abroad: str) -> None:
        vital = {"kind": "vital_interest", "sections": list(BASIC), "reason": "Her life is at stake."}
        assert refused(await world.iom.post("/v1/referrals", records.referral(abroad, bases=[vital]))) == dict.fromkeys(
            BASIC, "abroad"
        )
        assert (await world.iom.post("/v1/referrals", records.referral("lpsk", bases=[vital]))).status_code == 201

    async def test_values_are_never_in_the_answer(self, world: World) -> None:
        reply = await world.police.post(
            "/v1/referrals", records.referral("iom", record=records.full_record(), bases=[records.legal_basis()])
        )
        refused(reply)
        for word in (records.NAME, records.SECRET_PLACE, records.SECRET_STORY, "Found on a fishing vessel"):
            assert word not in reply.text


class TestAConsent:
    async def send(self, world: World, *, receiver: str = "iom", **more: Any) -> Any:
        body = records.referral(receiver, **{"bases": [consented()], **more})
        return await world.police.post("/v1/referrals", body)

    @pytest.mark.parametrize(
        ("changes", "sections"),
        [
            ({"sections": ["needs", "safety"]}, ["identity"]),
            ({"agency_kinds": ["sentra"]}, list(BASIC)),
            ({"agency_kinds": [], "agencies": ["lpsk"]}, list(BASIC)),
            ({"purposes": ["legal_assistance"]}, list(BASIC)),
            ({"given_at": "later"}, list(BASIC)),
            ({"until": "past"}, list(BASIC)),
        ],
        ids=["section", "kind", "agency", "purpose", "not yet given", "over"],
    )
    async def test_covers_what_was_agreed_to_and_nothing_else(
        self, world: World, changes: dict[str, Any], sections: list[str]
    ) -> None:
        now = world.exchange.clock.now()
        if changes.get("given_at"):
            changes = {"given_at": (now + timedelta(hours=1)).isoformat()}
        if changes.get("until"):
            changes = {
                "given_at": (now - timedelta(days=9)).isoformat(),
                "until": (now - timedelta(days=2)).isoformat(),
            }
        reply = await self.send(world, consent=records.consent(now, **changes))
        assert refused(reply) == dict.fromkeys(sections, "consent")
        assert await stored(world) == 0
        assert reply.json()["sendable_sections"] == [name for name in BASIC if name not in sections]
        assert (await self.send(world, consent=records.consent(now))).status_code == 201

    async def test_is_refused_together_with_all_else_so_that_one_retry_is_enough(self, world: World) -> None:
        """Identity fails by the consent, narrative by the purpose: both are said at once."""
        now = world.exchange.clock.now()
        body = records.referral(
            "iom",
            record=records.full_record(),
            consent=records.consent(now, sections=("safety",)),
            bases=[
                consented("identity", "safety"),
                records.legal_basis(*(name for name in records.FULL_SECTIONS if name not in ("identity", "safety"))),
            ],
        )
        reply = await world.police.post("/v1/referrals", body)
        assert refused(reply) == {"identity": "consent", "narrative": "purpose"}
        again = await world.police.post("/v1/referrals", with_only(body, reply.json()["sendable_sections"]))
        assert again.status_code == 201, again.text

    async def test_named_by_its_id_is_refused_together_with_all_else(self, world: World) -> None:
        case, given = await self.given(world, sections=("safety", "needs"))
        body = records.referral(
            "iom",
            case=None,
            case_id=case,
            record=records.full_record(),
            bases=[
                consented("identity", "safety", "needs", consent_id=given),
                records.legal_basis("contact", "location", "health", "psychosocial"),
            ],
        )
        reply = await world.police.post("/v1/referrals", body)
        assert refused(reply) == {"identity": "consent", "narrative": "no_basis"}
        again = await world.police.post("/v1/referrals", with_only(body, reply.json()["sendable_sections"]))
        assert again.status_code == 201, again.text

    async def given(self, world: World, **changes: Any) -> tuple[str, str]:
        """A case of the police with a consent; their ids."""
        case = (await world.police.post("/v1/cases", {"entry_channel": "police_report"})).json()["id"]
        consent = records.consent(world.exchange.clock.now(), **changes)
        reply = await world.police.post(f"/v1/cases/{case}/consents", consent)
        assert reply.status_code == 201, reply.text
        return case, reply.json()["id"]

    async def test_of_its_case_is_named_by_its_id(self, world: World) -> None:
        case, given = await self.given(world)
        reply = await self.send(world, case=None, case_id=case, bases=[consented(consent_id=given)])
        assert reply.status_code == 201, reply.text
        (basis,) = (await world.police.get(f"/v1/referrals/{reply.json()['id']}")).json()["disclosures"]
        assert (basis["basis"], basis["consent_id"]) == ("consent", given)

    async def test_of_another_case_covers_nothing(self, world: World) -> None:
        _, of_another = await self.given(world)
        case, _ = await self.given(world)
        reply = await self.send(world, case=None, case_id=case, bases=[consented(consent_id=of_another)])
        assert refused(reply) == dict.fromkeys(BASIC, "consent")

    async def test_that_has_run_out_covers_nothing(self, world: World) -> None:
        until = (world.exchange.clock.now() + timedelta(days=3)).isoformat()
        case, given = await self.given(world, until=until)
        world.exchange.later(days=4)
        reply = await self.send(world, case=None, case_id=case, bases=[consented(consent_id=given)])
        assert refused(reply) == dict.fromkeys(BASIC, "consent")

    async def test_must_cover_what_an_amendment_adds(self, world: World) -> None:
        case, given = await self.given(world)
        sent = await world.send(case_id=case, bases=[consented(consent_id=given)])
        more = {
            "record": records.record(location={"addresses": []}),
            "bases": [consented("identity", "safety", "needs", "location", consent_id=given)],
        }
        reply = await world.move(sent, "amend", more)
        assert refused(reply) == {"location": "consent"}
        assert reply.json()["sendable_sections"] == list(BASIC)
        assert (await world.row(sent))["version"] == 1

    async def test_is_named_or_given_in_the_request(self, world: World) -> None:
        assert (await self.send(world)).status_code == 422

    async def test_is_seen_by_its_author_and_the_lead_and_by_nobody_else(self, world: World) -> None:
        held = await world.accepted(receiver="iom")
        case = held.case_id
        mine = records.consent(world.exchange.clock.now())
        for who in (world.police, world.iom):
            assert (await who.post(f"/v1/cases/{case}/consents", mine)).status_code == 201
        listed = {
            who.code: [
                each["recorded_by"]["code"] for each in (await who.get(f"/v1/cases/{case}/consents")).json()["items"]
            ]
            for who in (world.police, world.iom)
        }
        assert listed == {"police": ["police", "iom"], "iom": ["iom"]}
        assert (await world.stranger.get(f"/v1/cases/{case}/consents")).status_code == 404
        assert (await world.stranger.post(f"/v1/cases/{case}/consents", mine)).status_code == 404

    async def test_is_not_recorded_by_whom_the_case_was_only_sent_to(self, world: World) -> None:
        sent = await world.send()
        consent = records.consent(world.exchange.clock.now())
        assert (await world.iom.post(f"/v1/cases/{sent.case_id}/consents", consent)).status_code == 404
        assert await world.owner.fetchval("SELECT count(*) FROM consent") == 0


class TestTheReceiver:
    async def test_must_be_known(self, world: World) -> None:
        reply = await world.police.post("/v1/referrals", records.referral("nobody"))
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unknown-receiver")

    async def test_is_another_agency(self, world: World) -> None:
        reply = await world.police.post("/v1/referrals", records.referral("police"))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/receiver-unavailable")


class TestTheReason:
    async def test_a_legal_basis_has_one_and_it_is_kept_sealed(self, world: World) -> None:
        sent = await world.send()
        kept = await world.owner.fetchval("SELECT reason FROM disclosure")
        assert b"fishing vessel" not in kept
        assert "fishing vessel" not in (await world.iom.get(sent.path)).text
        without = records.legal_basis()
        del without["reason"]
        assert (await world.police.post("/v1/referrals", records.referral("iom", bases=[without]))).status_code == 422

    async def test_contract_and_legitimate_interest_are_no_bases(self, world: World) -> None:
        for kind in ("contract", "legitimate_interest"):
            basis = records.legal_basis(kind=kind)
            reply = await world.police.post("/v1/referrals", records.referral("iom", bases=[basis]))
            assert reply.status_code == 422

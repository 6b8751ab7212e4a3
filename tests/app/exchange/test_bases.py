"""Another basis than consent holds only by a law in force, a court's order that fits, or for a child; it is refused by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from tests.makers import records
from tests.makers.world import World

ALL = ("identity", "safety", "needs")


def order(world: World, **more: Any) -> dict[str, Any]:
    return {
        "kind": "court_order",
        "sections": list(ALL),
        "authority": "Pengadilan Negeri Ambon",
        "number": "12/Pen.Pid/2026/PN Amb",
        "date": world.exchange.clock.now().date().isoformat(),
        "scope": list(ALL),
        "addressed_to": "police",
        "reason": "The court asks for it.",
        **more,
    }


async def sent_on(world: World, basis: dict[str, Any], **more: Any) -> httpx.Response:
    return await world.police.post("/v1/referrals", records.referral("iom", bases=[basis], **more))


async def reasons(world: World, basis: dict[str, Any], **more: Any) -> dict[str, str]:
    reply = await sent_on(world, basis, **more)
    assert (reply.status_code, reply.json()["type"]) == (403, "/problems/disclosure-refused"), reply.text
    return {each["section"]: each["reason"] for each in reply.json()["refused"]}


class TestALaw:
    async def test_that_was_replaced_is_refused_with_what_replaced_it(self, world: World) -> None:
        reply = await sent_on(world, records.legal_basis(legal_basis="permensos-30-2017", article="Pasal 5"))
        assert reply.status_code == 403
        assert {each["reason"] for each in reply.json()["refused"]} == {"legal_basis_not_in_force"}
        assert reply.json()["not_in_force"] == [{"legal_basis": "permensos-30-2017", "replaced_by": "permensos-8-2023"}]
        assert reply.json()["sendable_sections"] == []
        (refused,) = await world.refusals()
        assert (refused["action"], refused["outcome"]) == ("send_referral", "disclosure")

    async def test_is_looked_at_on_the_day_in_the_country(self, world: World) -> None:
        basis = records.legal_basis(legal_basis="perda-diy-6-2025", article="Pasal 29", kind="public_task")
        assert (await sent_on(world, basis)).status_code == 201

    async def test_is_refused_for_what_it_cannot_ground(self, world: World) -> None:
        cases = {
            "legal_basis_unknown": {"legal_basis": "uu-99-1999"},
            # a list of grounds is no ground, and a duty of secrecy no duty to tell
            "article_does_not_ground": {"legal_basis": "uu-27-2022", "article": "Pasal 20 ayat (2) huruf d"},
        }
        for why, more in cases.items():
            assert await reasons(world, records.legal_basis(**more)) == dict.fromkeys(ALL, why)
        assert await reasons(world, records.legal_basis(article="Pasal 44")) == dict.fromkeys(
            ALL, "article_does_not_ground"
        )

    async def test_with_an_article_the_list_does_not_have_is_taken_with_a_warning(self, world: World) -> None:
        for article in ("art. 99", "the task of the unit"):
            reply = await sent_on(world, records.legal_basis(article=article), case={"entry_channel": "police_report"})
            assert reply.status_code == 201, reply.text
            assert [(each["code"], each["pointer"]) for each in reply.json()["warnings"]] == [
                ("article_unknown", "/bases/0/article")
            ]
            known = await world.owner.fetchval(
                "SELECT article FROM review WHERE subject_id = $1", UUID(reply.json()["id"])
            )
            assert known == article


class TestTheBestInterestsOfAChild:
    async def test_are_no_basis_for_an_adult(self, world: World) -> None:
        basis = records.legal_basis(kind="best_interests_of_child")
        assert await reasons(world, basis) == dict.fromkeys(ALL, "not_a_child")
        mine = await world.send()  # nor when the record is sent again, unread
        version = (await world.police.get(mine.path)).json()["record_version"]
        again = await world.police.post(
            "/v1/referrals",
            {
                **records.referral("lpsk", bases=[basis], case=None, record=None),
                "case_id": mine.case_id,
                "record_version": version,
            },
        )
        assert {each["reason"] for each in again.json()["refused"]} == {"not_a_child"}

    async def test_are_one_for_a_child_and_for_whom_nobody_can_say(self, world: World) -> None:
        basis = records.legal_basis(kind="best_interests_of_child")
        identity = records.record()["identity"]
        for birth in ({"date": "2013-03"}, {"date": "1994-03", "disputed": "yes"}, {"missing": "unknown"}):
            reply = await sent_on(world, basis, record=records.record(identity={**identity, "birth": birth}))
            assert reply.status_code == 201, reply.text


class TestACourtsOrder:
    async def test_opens_what_it_names_until_its_last_day(self, world: World) -> None:
        last = (world.exchange.clock.now() + timedelta(days=3)).date().isoformat()
        reply = await sent_on(world, order(world, valid_until=last))
        assert reply.status_code == 201, reply.text
        (basis,) = (await world.iom.get(f"/v1/referrals/{reply.json()['id']}")).json()["disclosures"]
        assert basis["until"] == f"{last}T17:00:00Z"  # midnight in Jakarta
        assert basis["review"]["state"] == "waiting"

    async def test_is_refused_by_what_is_wrong_with_it(self, world: World) -> None:
        day = world.exchange.clock.now().date()
        wrong: dict[str, dict[str, Any]] = {
            "court_order_in_the_future": {"date": (day + timedelta(days=2)).isoformat()},
            "court_order_expired": {"valid_until": (day - timedelta(days=2)).isoformat()},
            "court_order_for_another": {"addressed_to": "sentra"},
        }
        for why, more in wrong.items():
            assert await reasons(world, order(world, **more)) == dict.fromkeys(ALL, why)
        assert await reasons(world, order(world, scope=["identity", "needs"])) == {"safety": "court_order_scope"}

    async def test_says_all_that_makes_it_one(self, world: World) -> None:
        for missing in ("authority", "number", "date", "scope", "addressed_to", "reason"):
            basis = {name: value for name, value in order(world).items() if name != missing}
            reply = await sent_on(world, basis)
            assert reply.status_code == 422, missing
        assert (await sent_on(world, order(world, scope=[]))).status_code == 422


class TestAVitalInterest:
    async def test_opens_what_keeps_alive_inside_the_country_and_ends_in_three_days(self, world: World) -> None:
        basis = {"kind": "vital_interest", "sections": ["identity", "health"], "reason": "Unconscious."}
        rich = {"record": records.full_record(), "purpose": "medical_care"}
        opens = dict.fromkeys(records.FULL_SECTIONS, "no_basis") | {"identity": None, "health": None}
        reply = await sent_on(world, {**basis, "sections": ["identity", "health", "psychosocial"]}, **rich)
        found = {each["section"]: each["reason"] for each in reply.json()["refused"]}
        assert found["psychosocial"] == "basis_does_not_open"
        assert not {"identity", "health"} & set(found)
        assert opens.keys() == set(records.FULL_SECTIONS)
        sent = await world.accepted(
            bases=[{"kind": "vital_interest", "sections": list(ALL), "reason": "Unconscious.", "until": None}]
        )
        (shown,) = (await world.iom.get(sent.path)).json()["disclosures"]
        due = await world.owner.fetchval("SELECT due_at FROM review")
        assert due - await world.owner.fetchval("SELECT opened_at FROM review") == timedelta(hours=72)
        assert shown["until"] == shown["review"]["due_at"]

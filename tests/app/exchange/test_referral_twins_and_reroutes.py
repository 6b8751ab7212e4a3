"""A person is never referred twice as two; a refused referral goes on to the next agency without being typed again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.makers import records
from tests.makers.world import Passed, World

FULL = records.legal_basis(*records.FULL_SECTIONS)


def again(case_id: str, receiver: str = "iom", **more: Any) -> dict[str, Any]:
    return records.referral(receiver, **{"case": None, "case_id": case_id, **more})


class TestAnOpenTwin:
    async def test_is_refused_with_its_id(self, world: World) -> None:
        sent = await world.send()
        reply = await world.police.post("/v1/referrals", again(sent.case_id))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/open-twin")
        assert reply.json()["referral_id"] == sent.id
        assert [entry["outcome"] for entry in await world.refusals()] == ["open_twin"]

    async def test_is_one_whatever_the_order_of_its_needs(self, world: World) -> None:
        sent = await world.send(record=records.record(needs=("shelter_men", "medical")))
        body = again(sent.case_id, record=records.record(needs=("medical", "shelter_men")))
        assert (await world.police.post("/v1/referrals", body)).status_code == 409

    @pytest.mark.parametrize(
        "other", [{"receiver": "lpsk"}, {"record": records.record(needs=("legal_aid",))}], ids=["receiver", "needs"]
    )
    async def test_is_none_with_another(self, world: World, other: dict[str, Any]) -> None:
        sent = await world.send()
        assert (await world.police.post("/v1/referrals", again(sent.case_id, **other))).status_code == 201

    async def test_of_another_case_is_none(self, world: World) -> None:
        await world.send()
        await world.send()

    async def test_may_follow_once_the_first_has_ended(self, world: World) -> None:
        sent = await world.moved(await world.send(), "decline")
        assert (await world.police.post("/v1/referrals", again(sent.case_id))).status_code == 201

    async def test_cannot_be_made_by_amending_another_into_it(self, world: World) -> None:
        sent = await world.send()
        other = await world.send(case_id=sent.case_id, record=records.record(needs=("legal_aid",)))
        reply = await world.move(other, "amend")
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/open-twin")
        assert reply.json()["referral_id"] == sent.id
        assert (await world.row(other))["version"] == 1

    async def test_is_not_made_by_twenty_requests_at_once(self, world: World) -> None:
        case = await world.send(receiver="lpsk")
        replies = await asyncio.gather(*(world.police.post("/v1/referrals", again(case.case_id)) for _ in range(20)))
        assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19
        (made,) = [reply.json()["id"] for reply in replies if reply.status_code == 201]
        assert {reply.json()["referral_id"] for reply in replies if reply.status_code == 409} == {made}
        assert len((await world.iom.get("/v1/referrals")).json()["items"]) == 1

    async def test_sent_by_another_agency_is_named_to_the_lead_alone(self, world: World) -> None:
        """The police lead and see all referrals of the case; a holder learns that there is a twin, and not which."""
        held = await world.accepted(receiver="iom", bases=[records.legal_basis(onward=True)])
        by_holder = await world.send(sender="iom", receiver="lpsk", case_id=held.case_id)
        reply = await world.police.post("/v1/referrals", again(held.case_id, "lpsk"))
        assert (reply.status_code, reply.json()["referral_id"]) == (409, by_holder.id)
        await world.send(receiver="sentra", case_id=held.case_id)
        reply = await world.iom.post("/v1/referrals", again(held.case_id, "sentra"))
        assert (reply.status_code, reply.json()["referral_id"]) == (409, None)


class TestARefusedReferral:
    async def test_goes_on_to_the_next_agency_without_being_sent_again(self, world: World) -> None:
        declined = await world.moved(await world.send(receiver="iom"), "decline")
        version = (await world.police.get(declined.path)).json()["record_version"]
        moved_on = await world.send(
            receiver="lpsk", case_id=declined.case_id, record=None, record_version=version, replaces=declined.id
        )
        await world.moved(moved_on, "accept")
        read = (await world.lpsk.get(moved_on.path)).json()
        assert read["record"]["identity"]["names"][0]["full"] == records.NAME
        assert read["record_version"] == version
        assert await world.owner.fetchval("SELECT count(*) FROM record_content") == 1

    async def test_tells_the_next_agency_nothing_of_the_first(self, world: World) -> None:
        declined = await world.moved(await world.send(receiver="iom"), "decline")
        moved_on = await world.send(receiver="lpsk", case_id=declined.case_id, replaces=declined.id)
        assert (await world.police.get(moved_on.path)).json()["replaces"] == declined.id
        reply = await world.lpsk.get(moved_on.path)
        assert reply.json()["replaces"] is None
        assert declined.id not in reply.text
        assert "iom" not in reply.text
        assert (await world.iom.get(moved_on.path)).status_code == 404

    async def test_is_not_replaced_while_it_is_open(self, world: World) -> None:
        open_still = await world.send(receiver="iom")
        reply = await world.police.post("/v1/referrals", again(open_still.case_id, "lpsk", replaces=open_still.id))
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/nothing-to-replace")

    async def test_is_replaced_by_its_own_sender_and_in_its_own_case_only(self, world: World) -> None:
        declined = await world.moved(await world.send(receiver="iom"), "decline")
        other_case = await world.send(receiver="lpsk")
        reply = await world.police.post("/v1/referrals", again(other_case.case_id, replaces=declined.id))
        assert reply.json()["type"] == "/problems/nothing-to-replace"
        of_ministry = await world.send(sender="ministry", receiver="lpsk")
        reply = await world.ministry.post("/v1/referrals", again(of_ministry.case_id, replaces=declined.id))
        assert reply.json()["type"] == "/problems/nothing-to-replace"


class TestARecordVersion:
    async def test_of_another_case_cannot_be_sent(self, world: World) -> None:
        one, other = await world.send(), await world.send()
        version = (await world.police.get(one.path)).json()["record_version"]
        reply = await world.police.post(
            "/v1/referrals", again(other.case_id, "lpsk", record=None, record_version=version)
        )
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/record-version-unavailable")

    async def test_cannot_be_sent_with_sections_it_does_not_have(self, world: World) -> None:
        sent = await world.send()
        version = (await world.police.get(sent.path)).json()["record_version"]
        bases = [records.legal_basis("identity", "needs", "safety", "health")]
        reply = await world.police.post(
            "/v1/referrals", again(sent.case_id, "lpsk", record=None, record_version=version, bases=bases)
        )
        assert reply.json()["type"] == "/problems/record-version-unavailable"

    async def test_may_go_with_fewer_sections_than_it_has_and_then_tells_no_more(self, world: World) -> None:
        sent = await world.send(record=records.full_record(), purpose="social_rehabilitation", bases=[FULL])
        version = (await world.police.get(sent.path)).json()["record_version"]
        fewer = await world.send(
            receiver="lpsk", case_id=sent.case_id, record=None, record_version=version, bases=[records.legal_basis()]
        )
        preview = (await world.lpsk.get(fewer.path)).json()["preview"]
        assert preview["sex"] == "male"
        assert preview["needs"]
        assert (preview["care_tonight"], preview["region"], preview["country"]) == (None, None, None)
        await world.moved(fewer, "accept")
        read = await world.lpsk.get(fewer.path)
        assert set(read.json()["record"]) == {"schema_version", "identity", "safety", "needs"}
        assert records.SECRET_PLACE not in read.text
        whole = (await world.iom.get(sent.path)).json()["preview"]
        assert (whole["care_tonight"]["infectious"], whole["region"]) == ("contact", "81.71")


class TestOnwardSending:
    async def holder(self, world: World, **basis: Any) -> Passed:
        """IOM, holding the police's referral on this basis."""
        return await world.accepted(receiver="iom", bases=[records.legal_basis(**basis)])

    async def test_needs_a_basis_that_covers_it(self, world: World) -> None:
        held = await self.holder(world, onward=False)
        reply = await world.iom.post("/v1/referrals", again(held.case_id, "lpsk"))
        assert (reply.status_code, reply.json()["type"]) == (403, "/problems/not-lead")

    async def test_is_possible_with_one(self, world: World) -> None:
        held = await self.holder(world, onward=True)
        sent = await world.send(sender="iom", receiver="lpsk", case_id=held.case_id)
        assert (await world.lpsk.get(sent.path)).json()["sender"]["code"] == "iom"
        assert await world.lead_of(held.case_id) == "police"
        assert (await world.stranger.get(sent.path)).status_code == 404

    async def test_must_wait_until_the_referral_is_accepted(self, world: World) -> None:
        sent = await world.send(receiver="iom", bases=[records.legal_basis(onward=True)])
        assert (await world.iom.post("/v1/referrals", again(sent.case_id, "lpsk"))).status_code == 403

    async def test_ends_with_the_referral_it_rests_on(self, world: World) -> None:
        held = await self.holder(world, onward=True)
        await world.moved(held, "fail")
        assert (await world.iom.post("/v1/referrals", again(held.case_id, "lpsk"))).status_code == 404

    async def test_ends_with_its_basis(self, world: World) -> None:
        until = world.exchange.clock.now().replace(microsecond=0)
        held = await self.holder(world, onward=True, until=until.replace(year=until.year + 1).isoformat())
        world.exchange.later(days=370)
        assert (await world.iom.post("/v1/referrals", again(held.case_id, "lpsk"))).status_code == 403

    async def test_is_no_way_to_hand_over_the_case(self, world: World) -> None:
        held = await self.holder(world, onward=True)
        body = records.transfer("ministry", case=None, case_id=held.case_id)
        assert (await world.iom.post("/v1/transfers", body)).status_code == 403

    async def test_of_a_held_version_passes_on_only_what_may_be_passed_on(self, world: World) -> None:
        """IOM holds health, but not to pass it on; the legal section of the version it does not hold at all."""
        first = await world.send(
            receiver="ministry", record=records.full_record(), purpose="social_rehabilitation", bases=[FULL]
        )
        version = (await world.police.get(first.path)).json()["record_version"]
        held = await world.accepted(
            receiver="iom",
            case_id=first.case_id,
            purpose="social_rehabilitation",
            record=None,
            record_version=version,
            bases=[records.legal_basis(onward=True), records.legal_basis("health")],
        )

        async def pass_on(*sections: str) -> Any:
            body = again(
                held.case_id,
                "lpsk",
                record=None,
                record_version=version,
                purpose="social_rehabilitation",
                bases=[records.legal_basis(*sections)],
            )
            return await world.iom.post("/v1/referrals", body)

        for stolen in ("health", "psychosocial", "narrative", "location"):
            reply = await pass_on("identity", "safety", "needs", stolen)
            assert (reply.status_code, reply.json()["type"]) == (409, "/problems/record-version-unavailable"), stolen
        assert (await pass_on("identity", "safety", "needs")).status_code == 201

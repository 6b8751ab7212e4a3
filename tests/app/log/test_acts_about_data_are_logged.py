"""What is done about data is logged in the transaction that does it, or it does not happen."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.app.log.test_every_act_is_logged import torn
from tests.makers import records
from tests.makers.world import World

TABLES = (
    "consent",
    "consent_withdrawal",
    "consent_reconfirmation",
    "correction",
    "request",
    "disclosure",
    "record_version",
    "record_content",
    "outbox",
)


async def everything(world: World) -> list[str]:
    return [
        await world.owner.fetchval(f"SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM {name} t")
        for name in TABLES
    ]


class TestAnAct:
    @pytest.mark.parametrize(
        "action",
        [
            "consent:withdraw",
            "consent:narrow",
            "consent:widen",
            "consent:reconfirm",
            "case:correct",
            "case:propose_correction",
            "record:retract",
            "request:answer",
        ],
    )
    async def test_is_one_entry_that_says_who_did_it_or_does_not_happen(self, world: World, action: str) -> None:
        sent, earlier = await world.consented(), await world.consented()
        await world.withdraw(earlier)
        case, consent = f"/v1/cases/{sent.case_id}", await world.consent_of(sent)
        (request,) = await world.requests(world.iom)
        version = (await world.row(sent))["version_id"]
        now = world.exchange.clock.now().isoformat()
        who, path, body = {
            "consent:withdraw": (
                world.iom,
                f"{case}/consents/{consent}/withdraw",
                {"requested_by": "person", "requested_at": now},
            ),
            "consent:narrow": (
                world.iom,
                f"{case}/consents/{consent}/narrow",
                {"requested_by": "person", "requested_at": now, "purposes": ["shelter"]},
            ),
            "consent:widen": (
                world.police,
                f"{case}/consents/{consent}/widen",
                records.consent(world.exchange.clock.now()),
            ),
            "consent:reconfirm": (
                world.police,
                f"{case}/consents/{consent}/reconfirm",
                records.consent_act(world.exchange.clock.now()),
            ),
            "case:correct": (
                world.police,
                f"{case}/corrections",
                {"record": {"safety": {"must_know": "Two men."}}, "reason": "There were two."},
            ),
            "case:propose_correction": (
                world.iom,
                f"{case}/correction-proposals",
                {"pointers": ["/safety"], "text": "There were two."},
            ),
            "record:retract": (
                world.police,
                f"{case}/record-versions/{version}/retract",
                {"reason": "Another person."},
            ),
            "request:answer": (world.iom, f"/v1/requests/{request['id']}/answer", {"answer": "erased"}),
        }[action]
        if action == "consent:reconfirm":
            await world.owner.execute(
                "UPDATE consent SET doubted_at = $1, client_id = 'another'", datetime.fromisoformat(now)
            )
        before = await everything(world)
        async with torn(world, action):
            assert (await who.post(path, body)).status_code == 500
        assert await everything(world) == before
        reply = await who.post(path, body)
        assert reply.status_code in (200, 201), reply.text
        entry = (await world.log(action=action))[-1]
        assert reply.json()["log_entry"] == str(entry["id"])
        assert (entry["agency_id"], entry["actor"]) == (world.ids[who.code], "officer-7")
        assert entry["request_id"] == reply.headers["X-Request-Id"]
        assert str(entry["case_id"]) in (sent.case_id, earlier.case_id)


class TestARefusedDisclosure:
    async def test_names_the_sections_and_what_each_of_them_lacked(self, world: World) -> None:
        body = records.referral("iom", bases=[records.legal_basis("needs", "safety")])
        reply = await world.police.post("/v1/referrals", body)
        assert reply.status_code == 403, reply.text
        entry = (await world.refusals())[-1]
        assert (entry["action"], entry["outcome"], entry["actor"]) == ("send_referral", "disclosure", "officer-7")
        detail = json.loads(entry["detail"])
        assert detail == {"sections": ["identity"], "refused": [{"section": "identity", "reason": "no_basis"}]}

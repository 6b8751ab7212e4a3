"""What comes with a case: a manifest that anyone can check, and words that are read from acceptance on."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import rfc8785

from tests.makers import records
from tests.makers.world import Agency, Passed, World

TASKS = ["Ring her sister in Tual — «Ibu» 🙏, before Friday.", 'Medicine: "Rifampicin"; 2×/day']
MEASURES = ["Never alone with the agent\N{RIGHT SINGLE QUOTATION MARK}s cousin."]
WITH_WORDS = {"kind": "transfer", "receiver": "ministry", "tasks": TASKS, "protective_measures": MEASURES}


async def read(passed: Passed, who: Agency | None = None) -> dict[str, Any]:
    reply = await (who or passed.receiver).get(passed.path)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def digest(document: Any) -> str:
    """SHA-256 of the canonical form, as a client makes it."""
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


class TestTheManifest:
    @pytest.mark.parametrize("words", [True, False])
    async def test_has_the_digest_that_a_client_makes_of_it(self, world: World, words: bool) -> None:
        consent = records.consent(
            world.exchange.clock.now(), agency_kinds=["ministry_social"], purposes=["case_responsibility"]
        )
        more = WITH_WORDS if words else {"kind": "transfer", "receiver": "ministry"}
        referred = await world.accepted(receiver="lpsk")
        offered = await world.send(
            **more,
            case_id=referred.case_id,
            consent=consent,
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        for who in (world.police, world.ministry):
            found = await read(offered, who)
            assert digest(found["manifest"]) == found["manifest_digest"]
            assert found["manifest"]["open_referrals"] == [referred.id]
            assert len(found["manifest"]["consents"]) == 1
            counts = (found["manifest"]["tasks"], found["manifest"]["protective_measures"])
            assert counts == ((2, 1) if words else (0, 0))
            assert (found["manifest"]["words"] is not None) == words

    async def test_holds_no_word_of_what_it_counts(self, world: World) -> None:
        offered = await world.send(**WITH_WORDS)
        for word in ("Tual", "Rifampicin", "cousin"):
            assert word not in str((await read(offered))["manifest"])
            for table in ("transfer", "move", "log_entry", "idempotency", "outbox"):
                assert await world.owner.fetch(f"SELECT FROM {table} t WHERE t::text LIKE $1", f"%{word}%") == []

    async def test_names_only_consents_in_force_and_referrals_that_are_open(self, world: World) -> None:
        referred = await world.moved(await world.send(receiver="lpsk"), "decline")
        now = world.exchange.clock.now()
        given = [
            (await world.police.post(f"/v1/cases/{referred.case_id}/consents", records.consent(now))).json()["id"]
            for _ in range(2)
        ]
        await world.owner.execute("UPDATE consent SET withdrawn_at = $2 WHERE id = $1", UUID(given[0]), now)
        offered = await world.send(kind="transfer", receiver="ministry", case_id=referred.case_id)
        manifest = (await read(offered))["manifest"]
        assert (manifest["consents"], manifest["open_referrals"]) == ([given[1]], [])


class TestTheWords:
    async def test_are_read_from_acceptance_on_and_not_before(self, world: World) -> None:
        offered = await world.send(**WITH_WORDS)
        assert (await read(offered))["handover"] is None
        assert (await read(offered, world.police))["handover"]["tasks"] == TASKS
        for event in ("acknowledge", "request_info"):
            await world.moved(offered, event)
            assert (await read(offered))["handover"] is None
        await world.moved(offered, "accept")
        found = (await read(offered))["handover"]
        assert (found["tasks"], found["protective_measures"]) == (TASKS, MEASURES)
        await world.moved(offered, "confirm_handover")
        assert (await read(offered))["handover"]["tasks"] == TASKS
        assert (await world.stranger.get(offered.path)).status_code == 404

    async def test_are_those_whose_digest_the_manifest_held_before(self, world: World) -> None:
        offered = await world.send(**WITH_WORDS)
        promised = (await read(offered))["manifest"]["words"]
        await world.moved(offered, "accept")
        found = (await read(offered))["handover"]
        assert digest(found) == promised
        assert len(found["salt"]) == 64
        assert digest({**found, "tasks": found["tasks"][:1]}) != promised

    async def test_have_a_salt_of_their_own(self, world: World) -> None:
        manifests = [(await read(await world.send(**WITH_WORDS)))["manifest"] for _ in range(2)]
        assert manifests[0]["words"] != manifests[1]["words"]

    @pytest.mark.parametrize(
        "events", [("decline",), ("recall",), ("enter_in_error",), ("accept", "abort"), ("accept", "report_error", "confirm_error")],
        ids=str,
    )  # fmt: skip
    async def test_are_not_read_once_nothing_came_of_it(self, world: World, events: tuple[str, ...]) -> None:
        offered = await world.moved(await world.send(**WITH_WORDS), *events)
        found = await read(offered)
        assert found["handover"] is None
        assert "Tual" not in str(found)
        assert (await read(offered, world.police))["handover"]["tasks"] == TASKS, "its own"

    async def test_are_not_read_when_every_basis_has_ended(self, world: World) -> None:
        until = world.exchange.clock.now() + timedelta(minutes=1)
        bases = [records.legal_basis(until=until.isoformat())]
        offered = await world.moved(await world.send(**WITH_WORDS, bases=bases), "accept")
        assert (await read(offered))["handover"] is not None
        world.exchange.later(minutes=2)
        assert (await read(offered))["handover"] is None

    async def test_stay_with_the_offer_when_its_record_is_amended(self, world: World) -> None:
        offered = await world.send(**WITH_WORDS)
        before = (await read(offered))["manifest"]
        await world.moved(offered, "amend")
        after = await read(offered)
        for name in ("tasks", "protective_measures", "words"):
            assert after["manifest"][name] == before[name]
        assert after["manifest"]["salt"] != before["salt"]
        assert digest(after["manifest"]) == after["manifest_digest"]
        await world.moved(offered, "request_info", "provide_info", "accept")
        assert digest((await read(offered))["handover"]) == before["words"]

    async def test_may_be_left_out(self, world: World) -> None:
        accepted = await world.accepted(kind="transfer", receiver="ministry")
        for who in (world.police, world.ministry):
            assert (await read(accepted, who))["handover"] is None

    @pytest.mark.parametrize(
        "words", [{"tasks": ["x"] * 31}, {"tasks": [""]}, {"protective_measures": ["a\0b"]}, {"tasks": "Ring."}]
    )
    async def test_have_limits(self, world: World, words: dict[str, Any]) -> None:
        reply = await world.police.post("/v1/transfers", records.transfer("ministry", **words))
        assert reply.status_code == 422

    async def test_are_no_part_of_a_referral(self, world: World) -> None:
        assert (await world.police.post("/v1/referrals", records.referral(tasks=TASKS))).status_code == 422

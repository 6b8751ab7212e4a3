"""A file ends with its section, its version or its case: its key is destroyed, unless another version has it or a hold keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.exchange.retention import erasing
from app.exchange.retention.erasing import replay
from app.exchange.retention.erasure_list import read_lists
from tests.makers import cases, records
from tests.makers import record_files as files
from tests.makers.world import Passed, World


@pytest.fixture(autouse=True)
def folder(world: World, tmp_path: Path) -> Path:
    """A worker with an erasure list of its own."""
    settings = world.exchange.settings.model_copy(update={"erasure_list": tmp_path / "erasures"})
    settings.__dict__.pop("erasure_folder", None)
    world.exchange.worker._eraser = erasing.Eraser(settings, world.exchange.keyring)
    return tmp_path / "erasures"


async def sent(world: World, *named: str, **more: Any) -> Passed:
    reply = await world.police.post("/v1/referrals", files.referral(*named, **more))
    assert reply.status_code == 201, reply.text
    made = reply.json()
    passed = Passed(
        "referral", made["id"], made["case_id"], 1, world.police, world.who(more.get("receiver", "sentra")), reply
    )
    return await world.moved(passed, "accept")


async def erase(world: World) -> None:
    while await world.exchange.worker.erase_what_is_due():
        pass


async def close(world: World, passed: Passed) -> None:
    await world.moved(passed, "start", "complete")
    assert (await cases.move(world, await cases.case_of(world, passed.case_id), "close")).status_code == 200


async def state_of(world: World, file: str) -> str | None:
    """Its state, having looked that its key and its chunks are there or gone accordingly."""
    row = await world.owner.fetchrow("SELECT * FROM attachment WHERE id = $1", UUID(file))
    chunks = await world.owner.fetchval("SELECT count(*) FROM attachment_chunk WHERE attachment_id = $1", UUID(file))
    if row is None:
        assert chunks == 0
        return None
    assert (row["wrapped_key"] is None, row["detail"] is None, chunks == 0) == (row["state"] == "erased",) * 3
    return str(row["state"])


def asked(world: World, passed: Passed, kind: str, **more: Any) -> dict[str, Any]:
    """What a person asks about their data."""
    return {
        "case_id": passed.case_id,
        "kind": kind,
        "requester": "person",
        "identity_check": "known_to_staff",
        "identity_checked_by": "recording_agency",
        "received_at": world.exchange.clock.now().isoformat(),
        **more,
    }


async def ask_to_erase(world: World, passed: Passed, *sections: str) -> None:
    """The person asks for the erasure of sections, and it is granted and done."""
    made = await world.police.post("/v1/subject-requests", asked(world, passed, "erase", sections=list(sections)))
    assert made.status_code == 201, made.text
    reply = await world.police.post(f"/v1/subject-requests/{made.json()['id']}/answer", {"answer": "granted"})
    assert reply.status_code == 200, reply.text
    world.exchange.later(days=30)
    await erase(world)


class TestAFile:
    async def test_of_a_closed_case_goes_with_its_sections(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await sent(world, file)
        await close(world, passed)
        world.exchange.later(days=729)
        await erase(world)
        assert await state_of(world, file) == "ready"
        preview = (await world.police.get(f"/v1/cases/{passed.case_id}/retention")).json()
        assert "attachments" in preview["items"][0]["sections"]
        world.exchange.later(days=2)
        await erase(world)
        assert await state_of(world, file) == "erased"
        assert (await world.police.get(f"{passed.path}/attachments/{file}")).status_code == 404
        assert (await world.police.get(passed.path)).json()["files"] == []
        await world.exchange.worker.look_after_files()
        assert await state_of(world, file) is None, "nothing of it is left"

    async def test_goes_when_the_person_asks_that_its_section_goes(self, world: World) -> None:
        file, other = await files.uploaded(world), await files.uploaded(world, section="safety")
        passed = await sent(world, file, other)
        await ask_to_erase(world, passed, "health")
        assert await state_of(world, file) == "erased"
        assert await state_of(world, other) == "ready"
        assert [each["id"] for each in (await world.police.get(passed.path)).json()["files"]] == [other]
        await ask_to_erase(world, passed, "attachments")
        assert await state_of(world, other) == "erased", "what no paper names is nobody's"

    async def test_stays_with_a_version_that_still_has_it(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await sent(world, file)
        version = (await world.police.get(passed.path)).json()["record_version"]
        await sent(world, file, receiver="lpsk", case=None, case_id=passed.case_id)
        path = f"/v1/cases/{passed.case_id}/record-versions/{version}/retract"
        assert (await world.police.post(path, {"reason": "Sent to the wrong place."})).status_code == 200
        world.exchange.later(days=30)
        await erase(world)
        assert await state_of(world, file) == "ready"
        assert len(await files.bound(world, file)) == 1
        assert (await world.sentra.get(f"{passed.path}/attachments/{file}")).status_code == 404

    async def test_taken_back_by_its_uploader_goes_from_those_it_was_passed_on_to(self, world: World) -> None:
        """It is another person's: whoever passed it on, in a version of its own, keeps it no longer than its uploader."""
        file, right = await files.uploaded(world), await files.uploaded(world, "sentra")
        passed = await sent(world, file, bases=[records.legal_basis(*files.SECTIONS, onward=True)])
        body = files.referral(file, right, receiver="lpsk", case=None, case_id=passed.case_id)
        reply = await world.sentra.post("/v1/referrals", body)
        onward = Passed("referral", reply.json()["id"], passed.case_id, 1, world.sentra, world.lpsk, reply)
        await world.moved(onward, "accept")
        path = f"{onward.path}/attachments/{file}"
        assert (await world.lpsk.get(path)).status_code == 200
        version = (await world.police.get(passed.path)).json()["record_version"]
        retract = f"/v1/cases/{passed.case_id}/record-versions/{version}/retract"
        assert (await world.police.post(retract, {"reason": "Another person's."})).status_code == 200

        async def gone() -> None:
            for who in (world.lpsk, world.sentra):
                assert (await who.get(path)).status_code == 404
                for told in (onward.path, f"{onward.path}/disclosure"):
                    assert [each["id"] for each in (await who.get(told)).json()["files"]] == [right]
            assert (await world.police.get(f"/v1/attachments/{file}/content")).status_code == 404

        await gone()
        world.exchange.later(days=30)
        await erase(world)
        assert await state_of(world, file) == "erased", "though a version of another agency still names it"
        await gone()
        assert await state_of(world, right) == "ready"

    async def test_of_a_version_taken_back_goes_with_it(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await sent(world, file)
        version = (await world.police.get(passed.path)).json()["record_version"]
        path = f"/v1/cases/{passed.case_id}/record-versions/{version}/retract"
        assert (await world.police.post(path, {"reason": "Another person's."})).status_code == 200
        world.exchange.later(days=30)
        await erase(world)
        assert await state_of(world, file) == "erased"

    @pytest.mark.parametrize("held", ["health", "attachments"])
    async def test_under_a_hold_stays_and_what_names_it_with_it(self, world: World, held: str) -> None:
        file, other = await files.uploaded(world), await files.uploaded(world, section="safety")
        passed = await sent(world, file, other)
        await close(world, passed)
        case = await cases.case_of(world, passed.case_id)
        await world.owner.execute("UPDATE agency SET reviewer = true WHERE code = 'ministry'")
        await world.exchange.directory.refresh()
        placed = await world.ministry.post("/v1/holds", records.hold(world.exchange.clock.now(), case.reference, held))
        await world.owner.execute("UPDATE agency SET reviewer = false")
        await world.exchange.directory.refresh()
        assert placed.status_code == 201, placed.text
        world.exchange.later(days=732)
        await erase(world)
        assert await state_of(world, file) == "ready"
        assert await state_of(world, other) == ("ready" if held == "attachments" else "erased")
        item = (await world.police.get(f"/v1/cases/{passed.case_id}/retention")).json()["items"][0]
        assert set(item["held_sections"]) == {"health", "attachments", *(("safety",) if held == "attachments" else ())}
        await world.owner.execute("UPDATE legal_hold SET state = 'lifted', ended_at = $1", world.exchange.clock.now())
        await erase(world)
        assert await state_of(world, file) == "erased"


async def test_evidence_goes_with_the_rest_of_the_proof(world: World) -> None:
    file = await files.uploaded(world)
    given = records.consent(world.exchange.clock.now(), evidence={"attachment": file}, method="audio_recording")
    basis = {"kind": "consent", "sections": ["identity", "safety", "needs"]}
    passed = await world.accepted(consent=given, bases=[basis])
    await close(world, passed)
    world.exchange.later(days=366 * 5 + 10)
    await erase(world)
    assert await state_of(world, file) == "ready"
    world.exchange.later(days=366 * 5 + 10)
    await erase(world)
    assert await state_of(world, file) in ("erased", None)


async def test_a_restored_backup_forgets_the_file_again(world: World, folder: Path) -> None:
    file = await files.uploaded(world)
    passed = await sent(world, file)
    await ask_to_erase(world, passed, "health")
    assert await state_of(world, file) == "erased"
    # the backup: as it was before
    brought_back = await files.uploaded(world)
    await world.owner.execute("TRUNCATE erasure")
    await world.owner.execute("UPDATE record_version SET erased_sections = '{}'")
    await world.owner.execute(
        "INSERT INTO record_attachment SELECT id, case_id, $1, 'health' FROM record_version", UUID(brought_back)
    )
    assert read_lists(folder)[1]
    await replay(world.owner, world.exchange.keyring, folder, world.exchange.clock.now(), actor="operator")
    assert await state_of(world, brought_back) == "erased"


async def test_a_person_s_copy_lists_the_files_the_lead_may_read(world: World) -> None:
    file, other = await files.uploaded(world), await files.uploaded(world, section="safety")
    passed = await sent(world, file, other)
    made = await world.police.post("/v1/subject-requests", asked(world, passed, "copy"))
    assert made.status_code == 201, made.text
    granted = await world.police.post(f"/v1/subject-requests/{made.json()['id']}/answer", {"answer": "granted"})
    assert granted.status_code == 200, granted.text
    reply = await world.police.get(f"/v1/cases/{passed.case_id}/export?request={made.json()['id']}")
    (line,) = [each for each in map(orjson.loads, reply.text.splitlines()) if each["type"] == "record"]
    assert [each["id"] for each in line["files"]] == [file], (
        "safety speaks of others: it leaves only if the answer names it"
    )

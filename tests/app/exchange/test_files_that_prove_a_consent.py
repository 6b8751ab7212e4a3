"""A recording or a scan that proves a consent is kept with it, and heard by who may read the consent."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.makers import record_files as files
from tests.makers import records
from tests.makers.world import Passed, World

AUDIO = {"method": "audio_recording"}


def consent(world: World, file: Any, **more: Any) -> dict[str, Any]:
    """A consent with a recording."""
    return records.consent(world.exchange.clock.now(), evidence={"attachment": file}, **{**AUDIO, **more})


def fault(reply: httpx.Response) -> tuple[str, str]:
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/files-unusable"), reply.text
    (error,) = reply.json()["errors"]
    return error["pointer"], error["code"]


async def recorded(world: World, file: str) -> tuple[Passed, str]:
    """A referral of the police on a consent that a recording proves, and where the recording is."""
    passed = await world.accepted(
        consent=consent(world, file), bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}]
    )
    return passed, f"/v1/cases/{passed.case_id}/consents/{await world.consent_of(passed)}"


class TestARecording:
    async def test_counts_as_its_digest_would_and_is_heard_by_author_and_lead(self, world: World) -> None:
        file = await files.uploaded(world)
        passed, path = await recorded(world, file)
        found = (await world.police.get(path)).json()
        assert (found["provable"], found["evidence"]) == (True, {"attachment": file})
        heard = await world.police.get(f"{path}/evidence/{file}")
        assert (heard.status_code, heard.content) == (200, files.CONTENT)
        for other in (world.iom, world.stranger, world.lpsk):
            assert (await other.get(f"{path}/evidence/{file}")).status_code == 404, other.code
            assert (await other.get(f"/v1/attachments/{file}/content")).status_code == 404
        assert (await world.police.get(f"{path}/evidence/{uuid4()}")).status_code == 404
        assert (await world.police.get(f"{passed.path}/attachments/{file}")).status_code == 404, (
            "it is no part of the record"
        )
        assert (await world.iom.get(passed.path)).json()["files"] == []
        (entry,) = await world.log(action="consent_file:read")
        assert (entry["subject"], str(entry["subject_id"])) == ("consent", path.rsplit("/", 1)[-1])
        report = (await world.police.get(f"/v1/cases/{passed.case_id}/access-report?limit=200")).json()["items"]
        assert [each["sections"] for each in report if each["kind"] == "consents"] == [[], []]

    async def test_by_another_than_the_lead_is_heard_by_the_lead_too(self, world: World) -> None:
        passed = await world.accepted()
        file = await files.uploaded(world, "iom")
        case = f"/v1/cases/{passed.case_id}/consents"
        made = await world.iom.post(case, consent(world, file))
        assert made.status_code == 201, made.text
        path = f"{case}/{made.json()['id']}/evidence/{file}"
        assert (await world.police.get(path)).content == files.CONTENT
        assert (await world.iom.get(path)).content == files.CONTENT
        assert (await world.sentra.get(path)).status_code == 404

    async def test_cannot_be_what_is_not_there_or_is_another_thing(self, world: World) -> None:
        of_iom, unready = await files.uploaded(world, "iom"), await files.uploaded(world, state="scanning")
        of_record = await files.uploaded(world)
        body = files.referral(of_record)
        case_id = (await world.police.post("/v1/referrals", body)).json()["case_id"]
        path = f"/v1/cases/{case_id}/consents"
        for file, code in (
            (str(uuid4()), "unknown_attachment"),
            (of_iom, "unknown_attachment"),
            (unready, "attachment_not_ready"),
            (of_record, "attachment_of_a_record"),
        ):
            assert fault(await world.police.post(path, consent(world, file))) == ("/evidence/attachment", code)
        for file in ("", "x", 7, [of_iom]):
            assert (await world.police.post(path, consent(world, file))).status_code == 422
        nothing = await world.police.post(path, records.consent(world.exchange.clock.now(), evidence={}, **AUDIO))
        assert nothing.status_code == 422
        inline = records.referral(
            "iom",
            consent=consent(world, of_iom),
            bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}],
        )
        assert fault(await world.police.post("/v1/referrals", inline)) == (
            "/consent/evidence/attachment",
            "unknown_attachment",
        )
        assert (await world.police.get(path)).json()["items"] == []

    async def test_goes_with_one_case_and_with_no_record(self, world: World) -> None:
        file = await files.uploaded(world)
        passed, _ = await recorded(world, file)
        again = await world.police.post(f"/v1/cases/{passed.case_id}/consents", consent(world, file))
        assert again.status_code == 201, "one recording may prove two acts"
        other = await world.accepted(receiver="lpsk")
        reply = await world.police.post(f"/v1/cases/{other.case_id}/consents", consent(world, file))
        assert fault(reply) == ("/evidence/attachment", "attachment_of_another_case")
        body = files.referral(file, receiver="lpsk", case=None, case_id=passed.case_id)
        assert fault(await world.police.post("/v1/referrals", body)) == (files.paper(0), "attachment_is_evidence")
        deleted = await world.police.client.request("DELETE", f"/v1/attachments/{file}", actor="officer-7")
        assert deleted.status_code == 409, "it is the consent's now"

    async def test_of_what_was_only_spoken_is_a_contradiction_as_before(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await world.accepted()
        body = consent(world, file, method="spoken")
        assert (await world.police.post(f"/v1/cases/{passed.case_id}/consents", body)).status_code == 422


async def test_a_reconfirmation_has_proof_of_its_own(world: World) -> None:
    first, second = await files.uploaded(world), await files.uploaded(world, content=b"%PDF-1.7 asked again")
    _, path = await recorded(world, first)
    await world.owner.execute(
        "UPDATE consent SET doubted_at = $1, client_id = 'iom-system'", world.exchange.clock.now()
    )
    again = records.consent_act(world.exchange.clock.now(), evidence={"attachment": second}, **AUDIO)
    reply = await world.police.post(f"{path}/reconfirm", again)
    assert reply.status_code == 200, reply.text
    assert (await world.police.get(path)).json()["evidence"]["attachment"] == second
    assert (await world.police.get(f"{path}/evidence/{first}")).content == files.CONTENT
    assert (await world.police.get(f"{path}/evidence/{second}")).content == b"%PDF-1.7 asked again"

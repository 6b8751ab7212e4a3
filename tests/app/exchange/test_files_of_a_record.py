"""A file goes with a record by the paper that names it, and is read by who may read its section and the papers, as long as that is so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson

from tests.makers import record_files as files
from tests.makers import records
from tests.makers.record_files import paper
from tests.makers.world import Agency, Passed, World


async def sent(world: World, *named: str | None, receiver: str = "sentra", **more: Any) -> Passed:
    """A referral of the police with these files."""
    reply = await world.police.post("/v1/referrals", files.referral(*named, receiver=receiver, **more))
    assert reply.status_code == 201, reply.text
    made = reply.json()
    return Passed("referral", made["id"], made["case_id"], 1, world.police, world.who(receiver), reply)


async def accepted(world: World, *named: str | None, **more: Any) -> Passed:
    """The same, accepted."""
    return await world.moved(await sent(world, *named, **more), "accept")


def faults(reply: httpx.Response) -> dict[str, str]:
    """What a refusal says of each file."""
    assert (reply.status_code, reply.json()["type"]) == (409, "/problems/files-unusable"), reply.text
    return {each["pointer"]: each["code"] for each in reply.json()["errors"]}


async def listed(who: Agency, path: str) -> list[str]:
    """The files that an agency finds with a referral or a correction."""
    reply = await who.get(path)
    assert reply.status_code == 200, reply.text
    return [each["id"] for each in reply.json()["files"]]


class TestSending:
    async def test_binds_the_files_and_keeps_them(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await sent(world, file, None)
        assert len(await files.bound(world, file)) == 1
        assert await world.owner.fetchval("SELECT expires_at FROM attachment") is None
        await world.moved(passed, "accept")
        found = (await world.sentra.get(passed.path)).json()
        assert found["record"]["attachments"]["papers"][0]["file"] == file
        (shown,) = found["files"]
        assert (shown["id"], shown["section"], shown["media_type"]) == (file, "health", "application/pdf")
        assert len(shown["sha256"]) == 64
        fhir = await world.sentra.get(passed.path, headers={"Accept": "application/fhir+json"})
        assert fhir.status_code == 200, "which has no place for files"

    async def test_is_refused_as_a_whole_with_a_pointer_for_each_file_that_cannot_go(self, world: World) -> None:
        named: list[tuple[str, str | None]] = [
            (await files.uploaded(world), None),
            (str(uuid4()), "unknown_attachment"),
            (await files.uploaded(world, "iom"), "unknown_attachment"),
            (await files.uploaded(world, state="uploading"), "attachment_not_ready"),
            (await files.uploaded(world, state="scanning"), "attachment_not_ready"),
            (await files.uploaded(world, state="rejected"), "attachment_rejected"),
            (await files.uploaded(world, state="erased"), "attachment_gone"),
            (await files.uploaded(world, for_=-files.MOMENT), "attachment_gone"),
            (await files.uploaded(world, section="narrative"), "section_not_included"),
        ]
        reply = await world.police.post("/v1/referrals", files.referral(*(each for each, _ in named)))
        assert faults(reply) == {paper(place): code for place, (_, code) in enumerate(named) if code}
        assert await world.owner.fetchval("SELECT count(*) FROM case_file") == 0
        assert await world.owner.fetchval("SELECT count(*) FROM record_attachment") == 0
        assert [each["outcome"] for each in await world.refusals()] == ["files"]

    async def test_takes_a_file_for_one_case_alone(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await accepted(world, file)
        assert faults(await world.police.post("/v1/referrals", files.referral(file))) == {
            paper(0): "attachment_of_another_case"
        }
        again = files.referral(file, receiver="lpsk", case=None, case_id=passed.case_id)
        assert (await world.police.post("/v1/referrals", again)).status_code == 201
        assert len(await files.bound(world, file)) == 2

    async def test_twice_with_one_key_binds_once_and_a_file_twice_in_a_record_is_no_record(self, world: World) -> None:
        file, key = await files.uploaded(world), str(uuid4())
        replies = [await world.police.post("/v1/referrals", files.referral(file), idempotency_key=key) for _ in "12"]
        assert [each.status_code for each in replies] == [201, 201]
        assert replies[0].json() == replies[1].json()
        assert len(await files.bound(world, file)) == 1
        twice = await world.police.post("/v1/referrals", files.referral(file, file))
        assert twice.status_code == 422
        assert twice.json()["errors"] == [{"pointer": "/record/attachments", "code": "file_twice"}]

    async def test_takes_nothing_but_an_id(self, world: World) -> None:
        for wrong in ("", "x", 7, [], {"id": "x"}, "../health", "0" * 32 + "x", [str(uuid4())]):
            body = files.referral(None)
            body["record"]["attachments"]["papers"][0]["file"] = wrong
            reply = await world.police.post("/v1/referrals", body)
            assert reply.status_code == 422, wrong
            assert paper(0) in {each["pointer"] for each in reply.json()["errors"]}, wrong


class TestAnAmendment:
    async def test_discloses_the_files_it_names_and_no_others(self, world: World) -> None:
        first, second = await files.uploaded(world), await files.uploaded(world)
        passed = await accepted(world, first)
        assert await listed(world.sentra, passed.path) == [first]
        body = {"record": files.record(second), "bases": [records.legal_basis(*files.SECTIONS)]}
        assert (await world.move(passed, "amend", body)).status_code == 200
        assert await listed(world.sentra, passed.path) == [second]
        body = {"record": files.record(str(uuid4())), "bases": [records.legal_basis(*files.SECTIONS)]}
        assert faults(await world.move(passed, "amend", body)) == {paper(0): "unknown_attachment"}
        assert await listed(world.sentra, passed.path) == [second]


class TestWhoMayRead:
    async def test_is_nobody_before_acceptance_but_the_author(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await sent(world, file)
        assert await listed(world.police, passed.path) == [file]
        assert await listed(world.sentra, passed.path) == []
        assert file not in (await world.sentra.get(passed.path)).text
        for other in (world.iom, world.stranger):
            assert (await other.get(passed.path)).status_code == 404

    async def test_is_who_may_read_both_its_section_and_the_papers(self, world: World) -> None:
        file = await files.uploaded(world)
        at = world.exchange.clock.now()
        health = {"consent": records.consent(at, sections=("health",))}
        rest = records.legal_basis(*(set(files.SECTIONS) - {"health"}))
        passed = await accepted(world, file, bases=[{"kind": "consent", "sections": ["health"]}, rest], **health)
        assert await listed(world.sentra, passed.path) == [file]
        assert (await world.withdraw(passed)).status_code == 200
        found = (await world.sentra.get(passed.path)).json()
        assert found["record"]["attachments"]["papers"][0]["file"] == file, "the paper is still named"
        assert found["files"] == []
        assert await listed(world.police, passed.path) == [file], "the author's own record"

    async def test_row_level_security_says_the_same(self, world: World) -> None:
        """What the application would find, had it forgotten to ask: nothing, one section being locked."""
        file = await files.uploaded(world)
        health = {"consent": records.consent(world.exchange.clock.now(), sections=("health",))}
        rest = records.legal_basis(*(set(files.SECTIONS) - {"health"}))
        passed = await sent(world, file, bases=[{"kind": "consent", "sections": ["health"]}, rest], **health)

        async def seen() -> set[str]:
            found = set()
            for code, agency_id in world.ids.items():
                async with world.exchange.app.state.database.app.acquire() as conn, conn.transaction():
                    await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(agency_id))
                    if await conn.fetchval("SELECT count(*) FROM attachment"):
                        found.add(code)
            return found

        assert await seen() == {"police"}
        await world.moved(passed, "accept")
        assert await seen() == {"police", "sentra"}
        await world.withdraw(passed)
        assert await seen() == {"police"}


class TestADisclosure:
    async def test_says_which_files_would_come_and_how_open_they_are(self, world: World) -> None:
        file = await files.uploaded(world)
        passed = await sent(world, file)

        async def told(who: Agency) -> Any:
            return (await who.get(f"{passed.path}/disclosure")).json()["files"]

        (before,) = await told(world.sentra)
        assert before == {
            "id": file, "section": "health", "media_type": None, "size": None, "access": "preview", "withheld_by": "not_accepted",
        }  # fmt: skip
        await world.moved(passed, "accept")
        (after,) = await told(world.sentra)
        assert (after["access"], after["withheld_by"], after["media_type"]) == ("full", None, "application/pdf")
        assert await told(world.police) == [after]

    async def test_tells_a_new_lead_that_a_file_came_and_nothing_of_it(self, world: World) -> None:
        """It stands as the sender now; the file is its receiver's and the earlier lead's."""
        file = await files.uploaded(world)
        passed = await accepted(world, file)
        over = await world.send(kind="transfer", sender="police", receiver="ministry", case_id=passed.case_id)
        await world.moved(over, "accept", "confirm_handover")
        (told,) = (await world.ministry.get(f"{passed.path}/disclosure")).json()["files"]
        assert (told["id"], told["section"], told["media_type"], told["size"]) == (file, "health", None, None)
        for who, code in ((world.ministry, 404), (world.police, 404), (world.sentra, 200)):
            assert (await who.get(f"{passed.path}/attachments/{file}")).status_code == code, who.code
        assert await listed(world.ministry, passed.path) == []


async def test_an_agency_that_holds_the_files_passes_them_on_and_no_others(world: World) -> None:
    file, other = await files.uploaded(world), await files.uploaded(world)
    passed = await accepted(world, file, bases=[records.legal_basis(*files.SECTIONS, onward=True)])
    more = {"case": None, "case_id": passed.case_id}
    again = await world.sentra.post("/v1/referrals", files.referral(file, receiver="lpsk", **more))
    assert again.status_code == 201, again.text
    reused = files.referral(receiver="shelter", record=None, **more)
    reused["record_version"] = (await world.sentra.get(passed.path)).json()["record_version"]
    onward = await world.sentra.post("/v1/referrals", reused)
    assert onward.status_code == 201, onward.text
    for code, reply in (("lpsk", again), ("shelter", onward)):
        theirs = Passed("referral", reply.json()["id"], passed.case_id, 1, world.sentra, world.who(code), reply)
        await world.moved(theirs, "accept")
        assert await listed(world.who(code), theirs.path) == [file]
    not_held = await world.sentra.post("/v1/referrals", files.referral(other, receiver="iom", **more))
    assert faults(not_held) == {paper(0): "unknown_attachment"}
    await sent(world, other, receiver="iom", case=None, case_id=passed.case_id)
    not_held = await world.sentra.post("/v1/referrals", files.referral(other, receiver="ministry", **more))
    assert faults(not_held) == {paper(0): "unknown_attachment"}, "of the same case, and not disclosed to it"


async def test_having_passed_a_file_on_is_no_right_to_it(world: World) -> None:
    """A holder that named it in a version of its own has it as long as it holds it: the file is still another's."""
    file, own = await files.uploaded(world), await files.uploaded(world, "sentra")
    consent = records.consent(world.exchange.clock.now(), sections=("health", "attachments"))
    bases = [
        {"kind": "consent", "sections": ["health", "attachments"], "onward": True},
        records.legal_basis("identity", "safety", "needs", onward=True),
    ]
    passed = await accepted(world, file, bases=bases, consent=consent)
    more = {"case": None, "case_id": passed.case_id}
    reply = await world.sentra.post("/v1/referrals", files.referral(file, own, receiver="lpsk", **more))
    onward = Passed("referral", reply.json()["id"], passed.case_id, 1, world.sentra, world.lpsk, reply)
    assert await listed(world.sentra, onward.path) == [file, own]
    assert (await world.withdraw(passed)).status_code == 200
    assert await listed(world.sentra, onward.path) == [own]
    assert (await world.sentra.get(f"{onward.path}/attachments/{file}")).status_code == 404
    again = await world.sentra.post("/v1/referrals", files.referral(file, receiver="shelter", **more))
    assert faults(again) == {paper(0): "unknown_attachment"}
    assert (await world.police.get(f"{passed.path}/attachments/{file}")).status_code == 200, "its uploader's"


async def test_files_of_a_correction_go_to_whoever_holds_its_sections(world: World) -> None:
    first, second = await files.uploaded(world), await files.uploaded(world)
    passed = await accepted(world, first)
    right = {
        "record": {"attachments": files.papers(second), "health": {"infectious": "none"}},
        "reason": "Another letter.",
    }
    made = await world.police.post(f"/v1/cases/{passed.case_id}/corrections", right)
    assert made.status_code == 201, made.text
    path = f"/v1/corrections/{made.json()['id']}"
    assert await listed(world.sentra, path) == [second]
    assert await listed(world.police, path) == [second]
    assert (await world.iom.get(path)).status_code == 404
    lone = {"record": {"attachments": files.papers(await files.uploaded(world))}, "reason": "Without its section."}
    reply = await world.police.post(f"/v1/cases/{passed.case_id}/corrections", lone)
    assert faults(reply) == {paper(0): "section_not_included"}


async def test_a_version_taken_back_takes_its_files_from_everyone(world: World) -> None:
    file = await files.uploaded(world)
    passed = await accepted(world, file)
    version = (await world.police.get(passed.path)).json()["record_version"]
    path = f"/v1/cases/{passed.case_id}/record-versions/{version}/retract"
    assert (await world.police.post(path, {"reason": "Another person's."})).status_code == 200
    assert await listed(world.sentra, passed.path) == []
    assert await listed(world.police, passed.path) == []
    again = files.referral(file, receiver="lpsk", case=None, case_id=passed.case_id)
    assert faults(await world.police.post("/v1/referrals", again)) == {paper(0): "attachment_gone"}
    async with world.exchange.app.state.database.app.acquire() as conn, conn.transaction():
        await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids["police"]))
        assert await conn.fetchval("SELECT count(*) FROM attachment WHERE id = $1", UUID(file)) == 0


class TestADownload:
    async def test_is_the_file_or_a_part_of_it_and_is_logged_each_time(self, world: World) -> None:
        content = files.CONTENT * 9000  # two chunks
        file = await files.uploaded(world, content=content)
        passed = await accepted(world, file)
        path = f"{passed.path}/attachments/{file}"
        whole = await world.sentra.get(path)
        assert (whole.status_code, whole.content) == (200, content)
        assert whole.headers["cache-control"] == "no-store"
        assert whole.headers["content-disposition"].startswith("attachment;")
        part = await world.sentra.get(path, headers={"Range": "bytes=262140-262150"})
        assert (part.status_code, part.content) == (206, content[262140:262151])
        head = await world.sentra.client.request("HEAD", path, actor="officer-7")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(content)), b"")
        entries = await world.log(action="referral_file:read")
        assert len(entries) == 2, "once for each request, and nothing for a HEAD, which gives nothing out"
        assert orjson.loads(entries[0]["detail"]) == {
            "sections": ["health", "attachments"],
            "attachment": file,
            "purpose": "social_rehabilitation",
            "bases": [{"basis": "legal_obligation", "sections": ["health", "attachments"]}],
        }
        assert (await world.police.get(path)).content == content, "the author's own"
        report = (await world.police.get(f"/v1/cases/{passed.case_id}/access-report?limit=200")).json()["items"]
        assert [each["agency"]["code"] for each in report if each["kind"] == "file"] == ["sentra", "sentra", "police"]
        sheet = await world.police.get(f"/v1/cases/{passed.case_id}/access-report/form?lang=en")
        assert "Opened a file of your data" in sheet.text
        assert content[:20].decode() not in sheet.text

    async def test_is_there_for_whom_the_sections_are_open_and_as_long_as_they_are(self, world: World) -> None:
        file, other = await files.uploaded(world), await files.uploaded(world)
        at = world.exchange.clock.now()
        consent = {"consent": records.consent(at, sections=("health",))}
        rest = records.legal_basis(*(set(files.SECTIONS) - {"health"}))
        passed = await sent(world, file, bases=[{"kind": "consent", "sections": ["health"]}, rest], **consent)
        elsewhere = await accepted(world, other, receiver="lpsk")
        path = f"{passed.path}/attachments/{file}"

        async def readers(path: str = path) -> set[str]:
            return {code for code, who in world.agencies.items() if (await who.get(path)).status_code == 200}

        assert await readers() == {"police"}, "not accepted yet"
        await world.moved(passed, "accept")
        assert await readers() == {"police", "sentra"}
        assert await readers(f"{passed.path}/attachments/{other}") == set(), "of another referral"
        assert await readers(f"{elsewhere.path}/attachments/{file}") == set()
        assert await readers(f"/v1/transfers/{passed.id}/attachments/{file}") == set()
        assert await readers(f"/v1/attachments/{file}/content") == {"police"}, "the uploader's own way to it"
        assert (await world.sentra.get(f"{passed.path}/attachments/{uuid4()}")).status_code == 404
        assert (await world.sentra.get(f"{passed.path}/attachments/x")).status_code in (404, 422)
        before = len(await world.log(action="referral_file:read"))
        assert (await world.withdraw(passed)).status_code == 200
        for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=0-3"})):
            reply = await world.sentra.client.request(method, path, headers=headers, actor="officer-7")
            assert reply.status_code == 404, "also for whoever has the person with them: no file is needed tonight"
        assert await readers() == {"police"}
        assert len(await world.log(action="referral_file:read")) == before + 1

    async def test_ends_with_the_basis_and_with_the_record(self, world: World) -> None:
        file = await files.uploaded(world)
        until = (world.exchange.clock.now() + timedelta(hours=3)).isoformat()
        passed = await accepted(world, file, bases=[records.legal_basis(*files.SECTIONS, until=until)])
        path = f"{passed.path}/attachments/{file}"
        assert (await world.sentra.get(path)).status_code == 200
        world.exchange.later(hours=3)
        assert (await world.sentra.get(path)).status_code == 404
        version = (await world.police.get(passed.path)).json()["record_version"]
        retract = f"/v1/cases/{passed.case_id}/record-versions/{version}/retract"
        assert (await world.police.post(retract, {"reason": "Another person's."})).status_code == 200
        for way in (path, f"/v1/attachments/{file}/content", f"/v1/attachments/{file}"):
            assert (await world.police.get(way)).status_code == 404, "taken back from its author too"

    async def test_of_a_transfer_and_of_a_correction(self, world: World) -> None:
        file, letter = await files.uploaded(world), await files.uploaded(world, content=b"%PDF-1.7 the right letter")
        body = files.referral(file, receiver="ministry", purpose="case_responsibility")
        made = (await world.police.post("/v1/transfers", body)).json()
        offered = Passed("transfer", made["id"], made["case_id"], 1, world.police, world.ministry, httpx.Response(201))
        path = f"{offered.path}/attachments/{file}"
        assert (await world.ministry.get(path)).status_code == 404
        await world.moved(offered, "accept")
        assert (await world.ministry.get(path)).content == files.CONTENT
        right = {
            "record": {"attachments": files.papers(letter), "health": {"infectious": "none"}},
            "reason": "Another.",
        }
        fixed = await world.police.post(f"/v1/cases/{offered.case_id}/corrections", right)
        way = f"/v1/corrections/{fixed.json()['id']}/attachments/{letter}"
        assert (await world.ministry.get(way)).content == b"%PDF-1.7 the right letter"
        assert (await world.iom.get(way)).status_code == 404
        assert len(await world.log(action="correction_file:read")) == 1
        assert len(await world.log(action="transfer_file:read")) == 1

    async def test_is_not_opened_by_an_emergency(self, world: World) -> None:
        """Nor are the papers that name files: what is needed to keep somebody alive is written in the record."""
        file = await files.uploaded(world)
        passed = await accepted(world, file)
        reference = await world.owner.fetchval("SELECT reference FROM case_file WHERE id = $1", UUID(passed.case_id))
        asked = {
            "sections": ["health"],
            "reason": "medical_emergency",
            "text": "He does not wake up.",
            "reference": reference,
        }
        opened = await world.iom.post("/v1/emergency-access", asked)
        assert opened.status_code == 201, opened.text
        found = await world.iom.get(f"/v1/emergency-access/{opened.json()['id']}")
        assert found.json()["record"]["health"]
        assert file not in found.text
        assert (await world.iom.get(f"{passed.path}/attachments/{file}")).status_code == 404
        assert (await world.iom.get(f"/v1/attachments/{file}/content")).status_code == 404
        more = await world.iom.post("/v1/emergency-access", asked | {"sections": ["attachments"]})
        assert more.status_code == 403

"""Sections that only the receiver can read: sent, previewed, read, replaced; and everything that is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import rfc8785

from app.exchange.records.sealing import SALT
from app.foundation.keyring import Sealed
from app.sealing import generate_key, open_section, public_part, seal_section
from schemas.mappings.htcds.writing import export
from schemas.record.record import Record
from tests.makers import records, sealed
from tests.makers.sealed import HEALTH, MEDICINE, NARRATIVE, STORY, publish, sealed_record
from tests.makers.world import Agency, Passed, World

Document = dict[str, Any]


async def read(passed: Passed, who: Agency | None = None) -> Document:
    reply = await (who or passed.receiver).get(passed.path)
    assert reply.status_code == 200, reply.text
    found: Document = reply.json()
    return found


def with_header(jwe: Document, **changed: Any) -> Document:
    """The same with another protected header: it does not decrypt any more, which the exchange cannot know."""
    header = json.loads(base64.urlsafe_b64decode(jwe["protected"] + "=="))
    header = {name: value for name, value in (header | changed).items() if value is not None}
    written = json.dumps(header, separators=(",", ":")).encode()
    return {**jwe, "protected": base64.urlsafe_b64encode(written).decode().rstrip("=")}


class TestASealedSection:
    async def test_is_read_by_its_receiver_and_its_sender_and_by_nobody_else(self, world: World) -> None:
        police, shelter = await publish(world, world.police, world.shelter)
        given = sealed.request(shelter, police)
        sent = await world.send(receiver="shelter", **given)
        assert [(each["code"], each["pointer"]) for each in sent.reply.json()["warnings"]] == [
            ("sealed_unchecked", "/record/sealed/health"),
            ("sealed_unchecked", "/record/sealed/narrative"),
        ]
        before = await read(sent)
        assert before["record"] is None
        assert before["sealed"] == ["health", "narrative"]
        assert before["preview"]["care_tonight"] == {
            "infectious": "contact",
            "medicines": "yes",
            "self_harm_watch": None,
        }
        await world.moved(sent, "accept")
        for who, key in ((world.shelter, shelter), (world.police, police)):
            found = await read(sent, who)
            assert found["record"]["sealed"] == given["record"]["sealed"], "as it was given"
            assert "health" not in found["record"]
            assert open_section("health", found["record"]["sealed"]["health"], key) == HEALTH
            assert open_section("narrative", found["record"]["sealed"]["narrative"], key) == NARRATIVE
            assert found["withheld"] == []
        assert (await world.stranger.get(sent.path)).status_code == 404

    async def test_is_readable_nowhere_in_the_database_not_even_with_the_keyring(self, world: World) -> None:
        (shelter,) = await publish(world, world.shelter, curve="X25519")
        sent = await world.accepted(receiver="shelter", **sealed.request(shelter))
        assert MEDICINE not in str(await read(sent))
        row = await world.owner.fetchrow("SELECT * FROM record_version")
        content = await world.owner.fetchrow("SELECT * FROM record_content")
        opened = world.exchange.keyring.open_parts(
            row["id"],
            Sealed(content["wrapped_key"], dict(zip((*row["sections"], SALT), content["parts"], strict=True))),
            case_id=row["case_id"],
        )
        assert opened["health"].startswith(b"JWE ")
        assert MEDICINE.encode() not in opened["health"]
        tables = await world.owner.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        for table in tables:
            for words in (MEDICINE, STORY):
                found = await world.owner.fetch(f"SELECT FROM {table['relname']} t WHERE t::text LIKE $1", f"%{words}%")
                assert found == [], table["relname"]

    async def test_needs_a_basis_and_the_policy_as_an_open_one(self, world: World) -> None:
        (shelter,) = await publish(world, world.shelter)
        body = records.referral("shelter", **sealed.request(shelter))
        body["bases"] = [records.legal_basis("identity", "safety", "health", "needs")]
        reply = await world.police.post("/v1/referrals", body)
        assert reply.json()["refused"] == [{"section": "narrative", "reason": "no_basis"}]
        body = records.referral("shelter", **{**sealed.request(shelter), "purpose": "shelter"})
        assert {each["section"] for each in (await world.police.post("/v1/referrals", body)).json()["refused"]} == {
            "narrative"
        }

    async def test_locks_with_the_consent_it_rests_on(self, world: World) -> None:
        (shelter,) = await publish(world, world.shelter)
        body = {
            **sealed.request(shelter),
            "consent": records.consent(world.exchange.clock.now(), sections=sealed.SECTIONS),
        }
        body["bases"] = [{"kind": "consent", "sections": list(sealed.SECTIONS)}]
        sent = await world.accepted(receiver="shelter", **body)
        assert "sealed" in (await read(sent))["record"]
        assert (await world.withdraw(sent, "health")).status_code == 200
        found = await read(sent)
        assert list(found["record"]["sealed"]) == ["narrative"]
        assert found["withheld"] == ["health"]
        assert (await world.withdraw(sent)).status_code == 200
        assert "sealed" not in ((await read(sent))["record"] or {})

    async def test_replaces_an_open_one_and_the_other_way_round(self, world: World) -> None:
        (shelter,) = await publish(world, world.shelter)
        bases = [records.legal_basis(*sealed.SECTIONS)]
        sent = await world.accepted(receiver="shelter", **sealed.request(shelter))
        opened = {**records.record(), "health": HEALTH, "narrative": NARRATIVE}
        for record, is_sealed in ((opened, []), (sealed_record(shelter), ["health", "narrative"])):
            reply = await world.move(sent, "amend", {"record": record, "bases": bases})
            assert reply.status_code == 200, reply.text
            assert (await read(sent))["sealed"] == is_sealed

    async def test_says_in_a_guardians_case_whether_the_guardian_is_barred(self, world: World) -> None:
        (shelter,) = await publish(world, world.shelter)
        family = seal_section("family", {}, [public_part(shelter)])
        record = {
            **records.record(),
            "sealed": {"family": family},
            "sealed_preview": {"dependants": {"count": 1, "age_bands": ["age_0_5"]}, "guardian_suspected": "yes"},
        }
        bases = [records.legal_basis("identity", "safety", "family", "needs")]
        sent = await world.send(receiver="shelter", purpose=sealed.PURPOSE, record=record, bases=bases)
        preview = (await read(sent))["preview"]
        assert preview["safety_flags"] == ["guardian_suspected"]
        assert preview["dependants"]["count"] == 1
        assert await world.owner.fetchval(
            "SELECT guardian_barred_at IS NOT NULL FROM case_file WHERE id = $1", UUID(sent.case_id)
        )


class TestRefused:
    async def test_is_whatever_is_not_as_it_should_be(self, world: World) -> None:
        police, shelter = await publish(world, world.police, world.shelter)
        good = sealed_record(shelter, police)
        health, narrative = good["sealed"]["health"], good["sealed"]["narrative"]
        first = health["recipients"][0]

        def header(**members: Any) -> Document:
            return {**health, "recipients": [{**first, "header": {**first["header"], **members}}]}

        off_curve = {**first["header"]["epk"], "x": first["header"]["epk"]["y"]}
        wrong: dict[str, tuple[Document, str, str]] = {
            "sealed and open": ({"health": HEALTH}, "/record", "sealed_and_plain"),
            "needs": ({"sealed": {"needs": health}}, "/record/sealed/needs", "extra_forbidden"),
            "safety": ({"sealed": {"safety": health}}, "/record/sealed/safety", "extra_forbidden"),
            "swapped": ({"sealed": {"health": narrative, "narrative": health}}, "/record/sealed/health", "another_section"),
            "section renamed": (
                {"sealed": {"health": with_header(health, section="narrative")}}, "/record/sealed/health", "another_section"),
            "another version": (
                {"sealed": {"health": with_header(health, schema_version="2.0")}}, "/record/sealed/health", "another_version"),
            "compressed": ({"sealed": {"health": with_header(health, zip="DEF")}}, "/record/sealed/health", "compressed"),
            "alg dir": ({"sealed": {"health": header(alg="dir")}}, "/record/sealed/health/recipients/0/header/alg", "literal_error"),
            "alg dir, protected": (
                {"sealed": {"health": with_header(header(alg=None), alg="dir")}}, "/record/sealed/health", "algorithm"),
            "enc": ({"sealed": {"health": with_header(health, enc="A128CBC-HS256")}}, "/record/sealed/health", "algorithm"),
            "typ": ({"sealed": {"health": with_header(health, typ="JWT")}}, "/record/sealed/health", "type"),
            "crit": ({"sealed": {"health": with_header(health, crit=["exp"])}}, "/record/sealed/health", "header_member"),
            "words in a header": (
                {"sealed": {"health": with_header(health, name="Surya")}}, "/record/sealed/health", "header_member"),
            "aad": ({"sealed": {"health": {**health, "aad": "U3VyeWE"}}}, "/record/sealed/health/…", "extra_forbidden"),
            "unprotected": (
                {"sealed": {"health": {**health, "unprotected": {}}}}, "/record/sealed/health/…", "extra_forbidden"),
            "no recipient": ({"sealed": {"health": {**health, "recipients": []}}}, "/record/sealed/health/recipients", "too_short"),
            "many recipients": (
                {"sealed": {"health": {**health, "recipients": [first] * 21}}}, "/record/sealed/health/recipients", "too_long"),
            "a recipient twice": (
                {"sealed": {"health": {**health, "recipients": [first, first]}}}, "/record/sealed/health", "recipient_twice"),
            "no epk": ({"sealed": {"health": header(epk=None)}}, "/record/sealed/health", "header_once"),
            "off the curve": (
                {"sealed": {"health": header(epk=off_curve)}}, "/record/sealed/health/recipients/0/header/epk", "epk_of_its_curve"),
            "huge": ({"sealed": {"health": {**health, "ciphertext": "A" * 350_001}}}, "/record/sealed/health/ciphertext", "string_too_long"),
            "too much in all": (
                {"sealed": {"health": {**health, "ciphertext": "A" * 262_000}}}, "/record", "record_too_large"),
            "a string": ({"sealed": {"health": "eyJ"}}, "/record/sealed/health", "model_attributes_type"),
            "no preview": ({"sealed_preview": None}, "", "sealed_preview_incomplete"),
            "half a preview": ({"sealed_preview": {"infectious": "contact"}}, "", "sealed_preview_incomplete"),
            "too much preview": ({"sealed_preview": {**sealed.HEALTH_PREVIEW, "sex": "male"}}, "", "sealed_preview_unasked"),
            "words in the preview": (
                {"sealed_preview": {"infectious": "Surya has it", "medicines": "yes"}}, "/record/sealed_preview/infectious", "enum"),
        }  # fmt: skip
        seen: dict[str, Any] = {}
        for name, (change, _, _) in wrong.items():
            record = {key: value for key, value in {**copy.deepcopy(good), **change}.items() if value is not None}
            left_out = () if "narrative" in record["sealed"] else ("narrative",)
            bases = [records.legal_basis(*(each for each in sealed.SECTIONS if each not in left_out))]
            body = records.referral("shelter", purpose=sealed.PURPOSE, record=record, bases=bases)
            reply = await world.police.post("/v1/referrals", body)
            found = {(each["pointer"], each["code"]) for each in reply.json().get("errors", ())}
            seen[name] = (reply.status_code, found)
            assert "Surya" not in reply.text
        bad = {
            name: seen[name]
            for name, (_, at, code) in wrong.items()
            if seen[name][0] != 422 or (at, code) not in seen[name][1]
        }
        assert bad == {}
        assert await world.owner.fetchval("SELECT count(*) FROM referral") == 0

    async def test_are_keys_that_are_not_the_receivers_now(self, world: World) -> None:
        police, shelter, lpsk, old = await publish(world, world.police, world.shelter, world.lpsk, world.shelter)
        assert (
            await world.shelter.post(f"/v1/me/encryption-keys/{old['id']}/end", {"reason": "lost"})
        ).status_code == 200
        early = generate_key("X25519")
        assert (await world.shelter.post("/v1/me/encryption-keys", {"jwk": public_part(early)})).status_code == 201

        async def faults(*keys: Document, change: Callable[[Document], None] | None = None) -> set[tuple[str, str]]:
            record = sealed_record(*keys)
            del record["sealed"]["narrative"]
            if change:
                change(record["sealed"]["health"])
            bases = [records.legal_basis("identity", "safety", "health", "needs")]
            body = records.referral("shelter", purpose=sealed.PURPOSE, record=record, bases=bases)
            reply = await world.police.post("/v1/referrals", body)
            assert (reply.status_code, reply.json()["type"].rsplit("/", 1)[-1]) == (422, "sealed-to-wrong-keys"), (
                reply.text
            )
            return {
                (each["pointer"].removeprefix("/record/sealed/health"), each["code"]) for each in reply.json()["errors"]
            }

        missing = ("/recipients", "receiver_missing")
        assert await faults(generate_key()) == {("/recipients/0/header/kid", "unknown_key"), missing}
        assert await faults(police) == {missing}
        assert await faults(shelter, lpsk) == {("/recipients/1/header/kid", "not_a_party")}
        assert await faults(shelter, old) == {("/recipients/1/header/kid", "ended_key")}
        assert await faults(shelter, early) == {("/recipients/1/header/kid", "key_not_begun")}

        def another_curve(jwe: Document) -> None:
            epk = seal_section("health", {}, [public_part(early)])["recipients"][0]["header"]["epk"]
            jwe["recipients"][0]["header"]["epk"] = epk

        assert await faults(shelter, change=another_curve) == {("/recipients/0/header/kid", "another_curve")}
        assert await world.owner.fetchval("SELECT count(*) FROM sealed_recipient") == 0

    async def test_is_a_version_sent_again_to_whom_it_is_not_sealed(self, world: World) -> None:
        police, shelter, sentra = await publish(world, world.police, world.shelter, world.sentra)
        first = await world.moved(await world.send(receiver="shelter", **sealed.request(shelter, police)), "decline")
        version = (await read(first, world.police))["record_version"]
        again = {"case_id": first.case_id, "record": None, "record_version": version, "purpose": sealed.PURPOSE}
        body = records.referral("sentra", **again, case=None, bases=[records.legal_basis(*sealed.SECTIONS)])
        reply = await world.police.post("/v1/referrals", body)
        assert (reply.status_code, reply.json()["sections"]) == (409, ["health", "narrative"])
        body["bases"] = [records.legal_basis()]
        assert (await world.police.post("/v1/referrals", body)).status_code == 201
        fresh = await world.send(receiver="sentra", **sealed.request(sentra, urgency="urgent"))
        assert (
            open_section(
                "health", (await read(await world.moved(fresh, "accept")))["record"]["sealed"]["health"], sentra
            )
            == HEALTH
        )


class TestACorrection:
    async def test_is_sealed_to_every_holder_and_shows_each_its_own_recipient_alone(self, world: World) -> None:
        police, shelter, lpsk = await publish(world, world.police, world.shelter, world.lpsk)
        purpose = {"purpose": sealed.PURPOSE}
        bases = [records.legal_basis("identity", "safety", "health", "needs")]
        plain = {**records.record(), "health": HEALTH}
        first = await world.accepted(receiver="shelter", record=plain, bases=bases, **purpose)
        await world.accepted(receiver="sentra", record=plain, bases=bases, case_id=first.case_id, **purpose)
        right = {"infectious": "none", "medicines": []}

        async def correct(*keys: Document) -> Any:
            sections = {"health": seal_section("health", right, [public_part(key) for key in keys])}
            body = {"record": {"schema_version": "1.0", "sealed": sections}, "reason": "The test was another person's."}
            return await world.police.post(f"/v1/cases/{first.case_id}/corrections", body)

        reply = await correct(shelter, police)
        assert (reply.status_code, reply.json()["errors"]) == (
            422, [{"pointer": "/record/sealed/health/recipients", "code": "receiver_missing"}],
        )  # fmt: skip
        assert (await correct(shelter, police, lpsk)).status_code == 422
        (sentra,) = await publish(world, world.sentra)
        reply = await correct(shelter, police, sentra)
        assert reply.status_code == 201, reply.text
        for who, key in ((world.shelter, shelter), (world.sentra, sentra)):
            found = (await who.get(f"/v1/corrections/{reply.json()['id']}")).json()["record"]["sealed"]["health"]
            assert [each["header"]["kid"] for each in found["recipients"]] == [key["kid"]]
            assert open_section("health", found, key) == right
        assert (await world.lpsk.get(f"/v1/corrections/{reply.json()['id']}")).status_code == 404
        assert MEDICINE not in reply.text


class TestAHandover:
    async def offered(self, world: World, referred: Passed, record: Document, *sections: str, **more: Any) -> Any:
        body = records.transfer(
            "ministry",
            case=None,
            case_id=referred.case_id,
            record=record,
            bases=[records.legal_basis(*sections)],
            **more,
        )
        return await world.police.post("/v1/transfers", body)

    async def test_answers_for_every_sealed_section(self, world: World) -> None:
        police, shelter, ministry = await publish(world, world.police, world.shelter, world.ministry)
        referred = await world.send(receiver="shelter", **sealed.request(shelter, police))
        refused = await self.offered(world, referred, records.record(), "identity", "safety", "needs")
        assert (refused.status_code, refused.json()["sections"]) == (409, ["health", "narrative"])
        assert refused.json()["type"].endswith("sealed-sections-unanswered")
        again = sealed_record(ministry)
        left = [{"section": "narrative", "reason": "person_declined", "text": "He wants to tell it himself."}]
        both = await self.offered(world, referred, again, *sealed.SECTIONS, left_behind=left)
        assert both.json()["errors"][0]["code"] == "left_behind_once"
        del again["sealed"]["narrative"]
        reply = await self.offered(world, referred, again, "identity", "safety", "health", "needs", left_behind=left)
        assert reply.status_code == 201, reply.text
        offered = Passed("transfer", reply.json()["id"], referred.case_id, 1, world.police, world.ministry, reply)
        found = await read(offered)
        answers = [
            {"answer": "resealed", "reason": None, "section": "health"},
            {"answer": "left_behind", "reason": "person_declined", "section": "narrative"},
        ]
        assert found["manifest"]["sealed"] == answers
        assert "tell it himself" not in str(found)
        plain = {**records.record(), "health": HEALTH}
        bases = [records.legal_basis("identity", "safety", "health", "needs")]
        missing = await world.move(offered, "amend", {"record": records.record(), "bases": [records.legal_basis()]})
        assert missing.json()["sections"] == ["health"], "an amendment answers too"
        assert (await world.move(offered, "amend", {"record": plain, "bases": bases})).status_code == 200
        found = await read(offered)
        assert [each["answer"] for each in found["manifest"]["sealed"]] == ["opened", "left_behind"]
        await world.moved(offered, "accept")
        found = await read(offered)
        assert found["handover"]["left_behind"] == [{"section": "narrative", "text": "He wants to tell it himself."}]
        assert hashlib.sha256(rfc8785.dumps(found["manifest"])).hexdigest() == found["manifest_digest"]
        assert hashlib.sha256(rfc8785.dumps(found["handover"])).hexdigest() == found["manifest"]["words"]

    async def test_lets_the_new_lead_refer_onward_by_sealing_again(self, world: World) -> None:
        ministry, sentra = await publish(world, world.ministry, world.sentra)
        moved = await world.handed_over(
            receiver="ministry", record=sealed_record(ministry), bases=[records.legal_basis(*sealed.SECTIONS)]
        )
        mine = (await read(moved))["record"]["sealed"]
        bases = [records.legal_basis(*sealed.SECTIONS)]
        passed_on = {**records.record(), "sealed": mine, "sealed_preview": sealed.HEALTH_PREVIEW}
        body = records.referral(
            "sentra", case=None, case_id=moved.case_id, purpose=sealed.PURPOSE, record=passed_on, bases=bases
        )
        refused = await world.ministry.post("/v1/referrals", body)
        assert {each["code"] for each in refused.json()["errors"]} == {"receiver_missing"}
        onward = await world.accepted(
            sender="ministry", receiver="sentra", case_id=moved.case_id, **sealed.request(sentra, ministry)
        )
        assert open_section("health", (await read(onward))["record"]["sealed"]["health"], sentra) == HEALTH


class TestAnEndedKey:
    async def test_lists_what_only_it_opens_and_each_sender_is_asked_once(self, world: World) -> None:
        police, shelter = await publish(world, world.police, world.shelter)
        sent = await world.accepted(receiver="shelter", **sealed.request(shelter, police))
        (fresh,) = await publish(world, world.shelter)
        both = await world.accepted(receiver="shelter", sender="iom", **sealed.request(shelter, fresh))
        reply = await world.shelter.post(f"/v1/me/encryption-keys/{shelter['id']}/end", {"reason": "lost"})
        assert reply.status_code == 200, reply.text
        found = reply.json()
        assert (found["key"]["end_reason"], found["key"]["counts"]) == ("lost", False)
        assert [(each["id"], each["sections"], each["requested"]) for each in found["items"]] == [
            (sent.id, ["health", "narrative"], False)
        ]
        assert both.id not in reply.text
        path = f"/v1/me/encryption-keys/{shelter['id']}/sealed"
        assert (await world.shelter.get(path)).json()["items"] == found["items"]
        assert (await world.police.get(path)).status_code == 404

        asked = {"sections": ["health", "narrative"], "cause": "key_lost"}
        assert (await world.police.post(f"{sent.path}/reseal-request", asked)).status_code == 404, "its own sender"
        assert (await world.stranger.post(f"{sent.path}/reseal-request", asked)).status_code == 404
        nothing = await world.shelter.post(
            f"{sent.path}/reseal-request", {"sections": ["identity"], "cause": "key_lost"}
        )
        assert nothing.json()["type"].endswith("nothing-to-reseal")
        reply = await world.shelter.post(f"{sent.path}/reseal-request", asked)
        assert reply.status_code == 201, reply.text
        assert (
            (await world.shelter.post(f"{sent.path}/reseal-request", asked)).json()["type"].endswith("reseal-requested")
        )
        (request,) = await world.requests(world.police, kind="reseal")
        assert (request["id"], request["sections"], request["cause"], request["state"]) == (
            reply.json()["id"], ["health", "narrative"], "key_lost", "open",
        )  # fmt: skip
        assert ("police", "request.opened") in await world.told()
        assert (await world.shelter.get(path)).json()["items"][0]["requested"] is True

        half = {**sealed_record(fresh, police)}
        del half["sealed"]["narrative"]
        bases = [records.legal_basis("identity", "safety", "health", "needs")]
        assert (await world.move(sent, "amend", {"record": half, "bases": bases})).status_code == 200
        assert (await world.requests(world.police, kind="reseal"))[0]["state"] == "open", "half of it"
        body = {"record": sealed_record(fresh, police), "bases": [records.legal_basis(*sealed.SECTIONS)]}
        assert (await world.move(sent, "amend", body)).status_code == 200
        assert (await world.requests(world.police, kind="reseal"))[0]["answer"] == "resealed"
        assert open_section("health", (await read(sent))["record"]["sealed"]["health"], fresh) == HEALTH
        assert (await world.shelter.get(path)).json()["items"] == []

    async def test_leaves_a_repeated_request_its_first_answer(self, world: World) -> None:
        (shelter,) = await publish(world, world.shelter)
        body = records.referral("shelter", **sealed.request(shelter))
        first = await world.police.post("/v1/referrals", body, idempotency_key="k-1")
        await world.shelter.post(f"/v1/me/encryption-keys/{shelter['id']}/end", {"reason": "replaced"})
        again = await world.police.post("/v1/referrals", body, idempotency_key="k-1")
        assert (again.status_code, again.json()) == (201, first.json())


class TestElsewhere:
    async def test_forms_fhir_and_sheets_say_that_it_is_sealed(self, world: World) -> None:
        (shelter,) = await publish(world, world.shelter)
        sent = await world.accepted(receiver="shelter", **sealed.request(shelter))
        page = (await world.shelter.get(f"{sent.path}/form?lang=en")).text
        assert page.count("Sealed: only the receiver can read it") >= 2
        assert sent.reply.status_code == 201
        made = (await world.shelter.get(sent.path, headers={"Accept": "application/fhir+json"})).json()
        (outcome,) = [
            each["resource"] for each in made["entry"] if each["resource"]["resourceType"] == "OperationOutcome"
        ]
        assert [issue["details"]["coding"][0]["code"] for issue in outcome["issue"]] == ["health", "narrative"]
        assert all("Sealed" in issue["diagnostics"] for issue in outcome["issue"])
        losses = export(Record.model_validate((await read(sent))["record"])).losses
        assert [loss.pointer for loss in losses if loss.reason == "sealed"] == [
            "/record/sealed/health",
            "/record/sealed/narrative",
        ]

    async def test_the_desk_asks_another_without_what_is_sealed_to_the_first(self, world: World, desk: Agency) -> None:
        iom, shelter = await publish(world, world.iom, world.shelter)
        record = sealed_record(iom)
        del record["sealed"]["narrative"]
        bases = [records.legal_basis("identity", "safety", "health", "needs")]
        sent = await world.send(receiver="iom", purpose=sealed.PURPOSE, urgency="immediate", record=record, bases=bases)
        escalation = await world.escalated(sent)
        for _ in range(4):
            world.exchange.later(hours=1)
            await world.exchange.settle()
        body = {"receiver": "shelter", "reason": "No answer; the person waits at the harbour."}
        reply = await desk.post(f"/v1/escalations/{escalation}/reroute", body)
        assert reply.status_code == 201, reply.text
        new = Passed("referral", reply.json()["id"], sent.case_id, 1, world.police, world.shelter, reply)
        found = await read(await world.moved(new, "accept"))
        assert sorted(found["record"]) == ["identity", "needs", "safety", "schema_version"]
        assert shelter["kid"] not in str(found)

    async def test_the_database_shows_no_other_agency_to_whom_anything_is_sealed(self, world: World) -> None:
        police, shelter = await publish(world, world.police, world.shelter)
        await world.send(receiver="shelter", **sealed.request(shelter, police))
        conn = await asyncpg.connect(world.exchange.addresses.app)
        try:
            seen = {}
            for who in ("police", "shelter", "lpsk", "stranger"):
                async with conn.transaction():
                    await conn.execute("SELECT set_config('rujukan.agency', $1, true)", str(world.ids[who]))
                    seen[who] = await conn.fetchval("SELECT count(*) FROM sealed_recipient")
            assert seen == {"police": 4, "shelter": 2, "lpsk": 0, "stranger": 0}, "to it, or by it"
        finally:
            await conn.close()

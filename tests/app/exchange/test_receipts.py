"""Receipts: for who did it and for whom it concerns, the same whenever they are asked for, checked with the public key alone."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from typer.testing import CliRunner

from app.cli import app
from app.exchange.receipts.signing import unb64url
from app.exchange.records.sealing import FRACTIONAL, commitment_to
from schemas.record.record import SECTION_MODELS, Record
from tests.makers import records
from tests.makers.world import Agency, World


async def receipt(who: Agency, moved: Any) -> dict[str, Any]:
    answer = moved.json() if hasattr(moved, "json") else moved
    reply = await who.get(answer["receipt"])
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def says(found: dict[str, Any]) -> dict[str, Any]:
    payload = found["receipt"].split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said


class Offline:
    """Files in a folder, and `rujukan verify` on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: Any) -> str:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def verify(self, *arguments: str) -> tuple[int, str]:
        # a database or an exchange that does not exist: nothing is asked of either
        env = {
            "RUJUKAN_DATABASE_URL": "postgresql://nowhere.invalid/x",
            "RUJUKAN_PUBLIC_URL": "https://nowhere.invalid",
        }
        result = CliRunner().invoke(app, ["verify", *arguments], env=env, prog_name="rujukan")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output


@pytest.fixture
async def offline(world: World, tmp_path: Path) -> Offline:
    """What somebody has who kept the log's keys."""
    await world.send()
    await world.exchange.worker.seal_log()
    made = Offline(tmp_path)
    made.write("keys.json", (await world.exchange.http.get("/v1/log/keys")).text)
    return made


class TestAReceipt:
    async def test_holds_offline_with_entry_place_and_document(self, world: World, offline: Offline) -> None:
        sent = await world.send(
            record=records.full_record(),
            purpose="social_rehabilitation",
            bases=[records.legal_basis(*records.FULL_SECTIONS)],
        )
        at_once = await receipt(world.police, sent.reply)
        assert at_once["sealed"] is None
        await world.exchange.worker.seal_log()
        found = await receipt(world.police, sent.reply)
        assert found["receipt"] == at_once["receipt"], "whenever it is asked for"
        said = says(found)
        assert (said["agency"], said["action"], said["subject_id"]) == ("police", "referral:send", sent.id)
        assert said["entry"] == sent.reply.json()["log_entry"] == found["entry"]["id"]
        record = (await world.police.get(sent.path)).json()
        keys, file = str(offline.folder / "keys.json"), offline.write("receipt.json", found)
        code, out = offline.verify("receipt", file, "--key", keys, "--document", offline.write("record.json", record))
        assert code == 0, out
        assert "it is for this document" in out
        assert f"position {found['sealed']['position']} " in out
        # the same by hand, as the documentation says: the salt, and the record in the form of RFC 8785
        by_hand = hashlib.sha256(unb64url(found["salt"]) + rfc8785.dumps(record["record"])).digest()
        assert by_hand == unb64url(said["commitment"])
        published = json.loads((offline.folder / "keys.json").read_text())["keys"]
        vkey = next(each["vkey"] for each in published if each["state"] == "active")
        assert offline.verify("receipt", offline.write("alone.jws", found["receipt"]), "--key", vkey)[0] == 0

    async def test_does_not_hold_for_anything_else(self, world: World, offline: Offline) -> None:
        sent = await world.send()
        await world.exchange.worker.seal_log()
        found = await receipt(world.police, sent.reply)
        record = (await world.police.get(sent.path)).json()["record"]
        keys = str(offline.folder / "keys.json")
        other = await receipt(world.police, (await world.send()).reply)
        head, payload, signature = found["receipt"].split(".")
        sealed = found["sealed"]
        wrong: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
            "another entry": ({**found, "entry": {**found["entry"], "actor": "somebody"}}, record),
            "no entry at all": ({**found, "entry": {"id": 1}}, record),
            "another act's place": ({**found, "receipt": other["receipt"], "entry": None}, record),
            "another position": ({**found, "sealed": {**sealed, "position": sealed["position"] - 1}}, record),
            "a step too few": ({**found, "sealed": {**sealed, "proof": sealed["proof"][:-1]}}, record),
            "no proof": ({**found, "sealed": {}}, record),
            "an altered checkpoint": (
                {**found, "sealed": {**sealed, "checkpoint": sealed["checkpoint"].replace("\n", "0\n", 1)}},
                record,
            ),
            "an altered payload": ({**found, "receipt": f"{head}.{payload[:-2]}AA.{signature}"}, record),
            "an altered signature": ({**found, "receipt": f"{head}.{payload}.{signature[:-6]}AAAAAA"}, record),
            "another salt": ({**found, "salt": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")}, record),
            "another document": (found, {**record, "safety": {"must_know": "Nothing."}}),
            "no receipt": ({"receipt": "nothing"}, record),
        }
        for name, (altered, document) in wrong.items():
            code, out = offline.verify(
                "receipt",
                offline.write("r.json", altered),
                "--key",
                keys,
                "--document",
                offline.write("d.json", document),
            )
            assert code == 1, (name, out)
        strange = "other.example/log+" + "00000000+AQ=="
        assert offline.verify("receipt", offline.write("r.json", found), "--key", strange)[0] == 2

    async def test_is_for_the_parties_and_nobody_else(self, world: World) -> None:
        sent = await world.accepted()
        accepted = (await world.log(action="referral:accept"))[-1]["id"]
        path = f"/v1/receipts/{accepted}"
        own, others = (await world.iom.get(path)).json(), (await world.police.get(path)).json()
        assert own["receipt"] == others["receipt"], "both hold the same"
        assert own["entry"]["actor"] == "officer-7"
        assert others["entry"] is None, "whom the other agency has on its staff is its own affair"
        for agency in (world.stranger, world.lpsk, world.ministry):
            assert (await agency.get(path)).status_code == 404
            assert (await agency.get(sent.reply.json()["receipt"])).status_code == 404
            assert (await agency.get(f"/v1/referrals/{sent.id}/receipts")).status_code == 404
        assert (await world.iom.get(f"/v1/receipts/{uuid.uuid4()}")).status_code == 404
        listed = (await world.iom.get(f"/v1/referrals/{sent.id}/receipts")).json()["items"]
        assert [(each["action"], each["by"]["code"]) for each in listed] == [
            ("referral:send", "police"),
            ("referral:accept", "iom"),
        ]
        assert (await world.iom.get(f"/v1/transfers/{sent.id}/receipts")).status_code == 404

    async def test_never_tells_of_readings_or_services_of_the_other_party(self, world: World) -> None:
        """Some senders do not even learn when a service was given."""
        sent = await world.in_progress()
        await world.moved(sent, "record_service")
        await world.iom.get(sent.path)
        for action in ("referral:record_service", "referral:read"):
            entry = (await world.log(action=action))[-1]["id"]
            assert (await world.iom.get(f"/v1/receipts/{entry}")).status_code == 200
            assert (await world.police.get(f"/v1/receipts/{entry}")).status_code == 404
        listed = (await world.police.get(f"/v1/referrals/{sent.id}/receipts")).json()["items"]
        assert {each["action"] for each in listed} == {"referral:send", "referral:accept", "referral:start"}

    async def test_gives_the_salt_to_who_may_read_the_whole_document_while_they_may(self, world: World) -> None:
        sent = await world.consented(accepted=False)
        path = sent.reply.json()["receipt"]
        assert (await world.police.get(path)).json()["salt"]
        assert (await world.iom.get(path)).json()["salt"] is None, "not before it is accepted"
        await world.moved(sent, "accept")
        salt = (await world.iom.get(path)).json()["salt"]
        assert salt == (await world.police.get(path)).json()["salt"]
        assert len(unb64url(salt)) == 32
        await world.withdraw(sent)
        assert (await world.iom.get(path)).json()["salt"] is None

    async def test_is_the_same_for_a_repeated_request_and_there_for_every_kind_of_act(self, world: World) -> None:
        key = str(uuid.uuid4())
        body = {"entry_channel": "police_report"}
        first, again = [await world.police.post("/v1/cases", body, idempotency_key=key) for _ in range(2)]
        assert first.json()["receipt"] == again.json()["receipt"]
        assert (await receipt(world.police, first))["receipt"] == (await receipt(world.police, again))["receipt"]
        case = first.json()["id"]
        given = await world.police.post(f"/v1/cases/{case}/consents", records.consent(world.exchange.clock.now()))
        assert says(await receipt(world.police, given))["action"] == "consent:give"
        offered = await world.handed_over()
        assert says(await receipt(world.police, offered.reply))["action"] == "transfer:offer"
        corrected = await world.iom.post(
            f"/v1/cases/{offered.case_id}/corrections",
            {"record": {"safety": {"must_know": "Two men."}}, "reason": "There were two."},
        )
        found = await receipt(world.iom, corrected)
        assert says(found)["commitment"]
        assert found["salt"]


def test_the_commitment_is_over_what_rfc_8785_writes() -> None:
    """Also where the quick way would write it otherwise: fractions, and names that are not ASCII."""
    documents: list[dict[str, Any]] = [
        json.loads(Record.model_validate(records.full_record()).model_dump_json(exclude_none=True)),
        {
            "schema_version": "1.0",
            "psychosocial": {"a": [6.0, -0.0, 2.5, 0.1, 106.80000000000001, {"b": -3.0, "z": None, "c": True}]},
            "exploitation": {"tiny": 1e-7, "huge": 1e21},
        },
        {
            "schema_version": "1.0",
            "extensions": {
                "iom": {"\u20ac": 1, "\r": 2, "\U0001f600": 3, "\ufb33": 4, "1": 1.0, "\u00f6": [1e-7, -0.0]}
            },
        },
        {
            "schema_version": "1.0",
            "narrative": {"text": 'A "quote", a \\ and [1.5] \u2028 \u0007 ö 😀', "on": "2026-01-01"},
        },
    ]
    for document in documents:
        expected = hashlib.sha256(b"salt" + rfc8785.dumps(document)).digest()
        assert unb64url(commitment_to(document, b"salt")) == expected, document


def test_the_sections_with_fractions_are_those_that_are_looked_through_for_them() -> None:
    found = {
        name for name, model in SECTION_MODELS.items() if '"type": "number"' in json.dumps(model.model_json_schema())
    }
    assert found == FRACTIONAL


class TestTheLog:
    async def test_is_checked_by_anybody_from_checkpoint_to_checkpoint(self, world: World, offline: Offline) -> None:
        http = world.exchange.http
        keys = str(offline.folder / "keys.json")
        earlier = await http.get("/v1/log/checkpoint")
        assert (earlier.status_code, earlier.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        old = offline.write("old.txt", earlier.text)
        await world.accepted()
        await world.exchange.worker.seal_log()
        new = offline.write("new.txt", (await http.get("/v1/log/checkpoint")).text)
        before, after = (int((offline.folder / each).read_text().split("\n")[1]) for each in ("old.txt", "new.txt"))
        assert before < after
        reply = await http.get(f"/v1/log/proof/consistency?from={before}&to={after}")
        proof = offline.write("proof.json", reply.text)
        code, out = offline.verify("checkpoint", new, "--key", keys, "--earlier", old, "--proof", proof)
        assert (code, "nothing was altered" in out) == (0, True), out
        assert offline.verify("checkpoint", new, "--key", keys, "--earlier", new)[0] == 0
        assert offline.verify("checkpoint", new, "--key", keys, "--earlier", old)[0] == 2, "the proof is needed"
        for wrong in ({"proof": []}, {"proof": ["x"]}, {}, {"proof": [base64.b64encode(bytes(32)).decode()] * 3}):
            bad = offline.write("bad.json", wrong)
            assert offline.verify("checkpoint", new, "--key", keys, "--earlier", old, "--proof", bad)[0] == 1
        tag = reply.headers["etag"]
        again = await http.get(f"/v1/log/proof/consistency?from={before}&to={after}", headers={"If-None-Match": tag})
        assert again.status_code == 304
        for query in ("from=2&to=1", f"from=1&to={after + 1}", "from=1&to=9007199254740991"):
            reply = await http.get(f"/v1/log/proof/consistency?{query}")
            assert (reply.status_code, reply.json()["newest"]) == (404, after)
        for query in ("from=0&to=1", "from=1", "from=x&to=1", "from=1&to=99999999999999999999"):
            assert (await http.get(f"/v1/log/proof/consistency?{query}")).status_code == 422

    async def test_has_no_checkpoint_before_anything_is_sealed(self, world: World) -> None:
        reply = await world.exchange.http.get("/v1/log/checkpoint")
        assert (reply.status_code, reply.json()["type"]) == (404, "/problems/no-checkpoint")

"""A system of the shelter was stolen: what it had, read and did, whom it touches, and what its moves and consents count for since."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.client import Credentials, ExchangeClient
from auth.admin.clients import add_client
from auth.people.person import Role
from auth.scopes import Scope
from schemas.documents.sensitivity import DATA_CLASSES
from tests.makers import record_files, records
from tests.makers.admins import Administrator, signed_in
from tests.makers.world import Agency, Passed, World

FULL = {"record": records.full_record(), "purpose": "social_rehabilitation"}
OPEN = {**FULL, "bases": [records.legal_basis(*records.FULL_SECTIONS)]}


@pytest.fixture
async def officer(world: World) -> Administrator:
    return await signed_in(world.exchange, "po-budi", Role.protection_officer)


@pytest.fixture
async def auditor(world: World) -> Administrator:
    return await signed_in(world.exchange, "au-citra", Role.auditor)


async def another_system(world: World, *codes: str) -> Agency:
    """A client of these agencies besides those they have; it speaks for the first."""
    name, agency = f"{codes[0]}-{uuid.uuid4().hex[:8]}", codes[0] if len(codes) > 1 else None
    credentials = Credentials.generate(name, world.exchange.settings.public_url, agency=agency)
    conn = await asyncpg.connect(world.exchange.addresses.admin)
    await add_client(
        conn, client_id=credentials.client_id, name="Another system", agencies=list(codes),
        scopes=[str(scope) for scope in Scope], jwks=credentials.public_jwks(), status="active",
        now=world.exchange.clock.now(), actor="test",
    )  # fmt: skip
    await conn.close()
    await world.exchange.directory.refresh()
    client = ExchangeClient(credentials, clock=world.exchange.clock, http=world.exchange.http)
    return Agency(codes[0], client)


async def ask(who: Administrator, since: datetime, client: str = "shelter-system", **more: Any) -> Any:
    said = {
        "since": since.isoformat(),
        **{name: str(value).lower() if isinstance(value, bool) else value for name, value in more.items()},
    }
    reply = await who.get(f"/clients/{client}/breach", params=said)
    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    return reply.json()


async def dispute(who: Administrator, since: datetime, client: str = "shelter-system", **more: Any) -> httpx.Response:
    return await who.post(f"/clients/{client}/breach/dispute", {"since": since.isoformat(), **more})


async def history(passed: Passed, who: Agency) -> dict[str, dict[str, Any]]:
    reply = await who.get(passed.path)
    assert reply.status_code == 200, reply.text
    return {each["event"]: each for each in reply.json()["history"]}


@dataclass
class Night:
    """What was there before, and what the shelter's system did since."""

    before: Passed
    read: Passed
    previewed: Passed
    not_read: Passed
    others: Passed
    since: datetime


@pytest.fixture
async def night(world: World) -> Night:
    """The shelter's system read one record before, and since then another, accepted it, and looked at an offer it did not answer."""
    before = await world.accepted(receiver="shelter", **OPEN)
    await world.shelter.get(before.path)
    read = await world.send(sender="iom", receiver="shelter", **OPEN)
    previewed = await world.send(sender="lpsk", receiver="shelter")
    not_read = await world.accepted(sender="ministry", receiver="shelter")
    others = await world.accepted(sender="iom", receiver="lpsk", **OPEN)
    world.exchange.later(hours=2)
    since = world.exchange.clock.now()
    world.exchange.later(minutes=1)
    await world.moved(read, "accept", "start")
    for passed in (read, read, previewed):
        await world.shelter.get(passed.path)
    await world.lpsk.get(others.path)
    await world.stranger.get(read.path)
    await world.shelter.get(others.path)  # not its own: 404, logged as a refusal
    world.exchange.later(minutes=1)
    return Night(before, read, previewed, not_read, others, since)


class TestTheReport:
    async def test_says_what_was_read_of_whom_and_nothing_of_what_it_says(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        found = await ask(officer, night.since)
        read = found["did_read"]
        assert {case["case_id"] for case in read["cases"]} == {night.read.case_id, night.previewed.case_id}
        (case,) = [each for each in read["cases"] if each["case_id"] == night.read.case_id]
        assert case["lead"] == "iom"
        assert set(case["sections"]) == set(records.FULL_SECTIONS)
        (thing,) = case["things"]
        assert (thing["how"], thing["kind"], thing["id"], thing["agency"]) == (
            "referral:read",
            "referral",
            night.read.id,
            "shelter",
        )
        assert (thing["times"], len(thing["log_entries"])) == (2, 2)
        assert thing["reference"] == (await world.row(night.read))["reference"]
        assert set(case["data_classes"]) == {
            str(each) for name in records.FULL_SECTIONS for each in DATA_CLASSES[name]
        } | {"specific_other_law"}
        (seen,) = [each for each in read["cases"] if each["case_id"] == night.previewed.case_id]
        assert (seen["sections"], seen["things"][0]["preview"]) == ([], True)
        assert set(seen["data_classes"]) == {"general", "specific_child", "specific_health", "specific_other_law"}
        assert read["persons"]["cases"] == 2
        assert read["persons"]["by_section"]["health"] == 1
        assert read["persons"]["by_data_class"]["specific_health"] == 2
        assert found["tokens"][0]["kid"]
        assert [(each["action"], each["times"]) for each in found["refused"]] == [("read_referral", 1)]
        assert (found["writes"], found["client_id"], found["agencies"]) == (None, "shelter-system", ["shelter"])
        whole = json.dumps(found)
        assert [word for word in (records.NAME, "Surya", "Jalan") if word in whole] == []

    async def test_counts_each_file_that_was_downloaded(self, world: World, officer: Administrator) -> None:
        file = await record_files.uploaded(world)
        passed = await world.accepted(
            receiver="shelter",
            purpose="social_rehabilitation",
            record=record_files.record(file),
            bases=[records.legal_basis(*record_files.SECTIONS)],
        )
        since = world.exchange.clock.now()
        world.exchange.later(minutes=1)
        for headers in ({}, {"Range": "bytes=0-3"}):
            assert (await world.shelter.get(f"{passed.path}/attachments/{file}", headers=headers)).is_success
        (case,) = (await ask(officer, since))["did_read"]["cases"]
        (thing,) = case["things"]
        assert (thing["how"], thing["id"], thing["times"]) == ("referral_file:read", passed.id, 2)
        assert set(case["sections"]) == {"health", "attachments"}

    async def test_says_what_stood_open_besides(self, world: World, night: Night, officer: Administrator) -> None:
        could = (await ask(officer, night.since))["could_read"]
        found = {case["case_id"]: case for case in could["cases"]}
        assert found.keys() == {each.case_id for each in (night.before, night.read, night.previewed, night.not_read)}
        assert {thing["how"] for thing in found[night.before.case_id]["things"]} == {"disclosed"}
        assert set(found[night.before.case_id]["sections"]) == set(records.FULL_SECTIONS)
        assert {thing["how"] for thing in found[night.read.case_id]["things"]} == {"disclosed", "preview"}
        assert {thing["how"] for thing in found[night.previewed.case_id]["things"]} == {"preview"}
        # what had closed before is not in it; what closes now was
        world.exchange.later(minutes=20)
        later = world.exchange.clock.now()
        await world.moved(night.previewed, "decline")
        assert night.previewed.case_id in {
            each["case_id"] for each in (await ask(officer, later))["could_read"]["cases"]
        }
        world.exchange.later(minutes=20)
        after = await ask(officer, world.exchange.clock.now())
        assert night.previewed.case_id not in {each["case_id"] for each in after["could_read"]["cases"]}
        assert after["did_read"]["persons"]["cases"] == 0

    async def test_knows_its_borders_the_first_instant_in_the_last_out(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        (entry, *_) = await world.log(
            action="referral:read", subject_id=UUID(night.read.id), client_id="shelter-system"
        )
        at = entry["recorded_at"]
        instant = timedelta(microseconds=1)
        for since, until, times in (
            (at, at + instant, 1), (at - instant, at, 0), (at + instant, at + timedelta(hours=1), 1), (night.since, None, 2)
        ):  # fmt: skip
            ends = {} if until is None else {"until": until.isoformat()}
            found = await ask(officer, since, **ends)
            things = [
                thing for case in found["did_read"]["cases"] for thing in case["things"] if thing["id"] == night.read.id
            ]
            assert sum(each["times"] for each in things) == times, (since, until)
        for wrong in (
            {"since": "2190-01-01T00:00:00Z"},
            {"since": at.isoformat(), "until": at.isoformat()},
            {"since": "2026-01-01T02:00:00"},
            {},
        ):
            assert (await officer.get("/clients/shelter-system/breach", params=wrong)).status_code == 422, wrong

    async def test_names_who_else_is_affected_and_has_it_told_in_both_languages(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        found = await ask(officer, night.since)
        assert [each["code"] for each in found["affected"]] == ["iom", "lpsk"]
        case = await world.owner.fetchval("SELECT reference FROM case_file WHERE id = $1", UUID(night.read.case_id))
        assert found["affected"][0]["cases"] == [case]
        for lang, words in (
            ("id", ("Pasal 46", "3 x 24 jam", "Kesehatan", "Dibaca, menurut log: 2 orang")),
            ("en", ("article 46", "3 x 24 hours", "Read, by the log: 2 persons", "The iom (iom)", "____")),
        ):
            for word in words:
                assert word.lower() in found["notice"][lang].lower(), word

    async def test_lists_what_it_did_if_asked(self, world: World, night: Night, officer: Administrator) -> None:
        case = night.before.case_id
        own = await world.send(sender="shelter", receiver="lpsk", consent=records.consent(world.exchange.clock.now()),
                               bases=[{"kind": "consent", "sections": ["identity", "safety", "needs"]}])  # fmt: skip
        writes = (await ask(officer, night.since, writes=True))["writes"]
        made = [(each["event"], each["subject_id"]) for each in writes["moves"]]
        assert made[:2] == [("accept", night.read.id), ("start", night.read.id)]
        assert set(made[2:]) == {("open_case", own.case_id), ("send", own.id)}
        assert {each["how"] for each in writes["acts"]} >= {"consent:give"}
        assert all(each["agency"] == "shelter" for each in writes["moves"])
        assert [each["kid"] for each in writes["keys"]] == []
        assert case not in json.dumps(writes)

    async def test_is_of_one_client_and_not_of_another_of_the_same_agency(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        other = await another_system(world, "shelter")
        await other.get(night.not_read.path)
        await world.moved(night.not_read, "start")
        (move,) = (await ask(officer, night.since, other.client.credentials.client_id, writes=True))["did_read"][
            "cases"
        ]
        assert move["case_id"] == night.not_read.case_id
        mine = await ask(officer, night.since, writes=True)
        assert night.not_read.case_id not in {each["case_id"] for each in mine["did_read"]["cases"]}
        assert (await ask(officer, night.since, "stranger-system"))["did_read"]["persons"]["cases"] == 0
        assert (
            await officer.get("/clients/nobody-here/breach", params={"since": night.since.isoformat()})
        ).status_code == 404

    async def test_covers_every_agency_a_client_speaks_for(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        both = await another_system(world, "sentra", "lpsk")
        client = both.client.credentials.client_id
        found = await ask(officer, night.since, client)
        assert found["agencies"] == ["lpsk", "sentra"]
        assert {case["case_id"] for case in found["could_read"]["cases"]} == {
            night.previewed.case_id,
            night.others.case_id,
        }
        assert found["did_read"]["persons"]["cases"] == 0

    async def test_counts_what_an_emergency_opened_while_it_lasted(self, world: World, officer: Administrator) -> None:
        sent = await world.send(**OPEN)
        since = world.exchange.clock.now()
        need = {"case_id": sent.case_id, "sections": ["identity", "health"], "hours": 1}
        need |= {"reason": "medical_emergency", "text": "He does not wake up."}
        world.exchange.later(minutes=1)
        opened = await world.iom.post("/v1/emergency-access", need)
        assert opened.status_code == 201, opened.text
        could = (await ask(officer, since, "iom-system"))["could_read"]["cases"]
        (thing,) = [thing for case in could for thing in case["things"] if thing["how"] == "emergency"]
        assert (thing["id"], thing["sections"]) == (opened.json()["id"], ["identity", "health"])
        world.exchange.later(minutes=64)
        later = await signed_in(world.exchange, "po-late", Role.protection_officer)
        for client, start in (("lpsk-system", since), ("iom-system", since + timedelta(minutes=62))):
            others = (await ask(later, start, client))["could_read"]["cases"]
            assert "emergency" not in {thing["how"] for case in others for thing in case["things"]}, client

    async def test_counts_what_the_desk_was_asked_about(self, world: World) -> None:
        await world.set_desk("ministry")
        try:
            since = world.exchange.clock.now()
            late = await world.send(urgency="immediate")
            await world.escalated(late, 0.51, 0.5, 0.3, 0.3, 0.3, 0.3)
            officer = await signed_in(world.exchange, "po-late", Role.protection_officer)
            (case,) = (await ask(officer, since, "ministry-system"))["could_read"]["cases"]
            assert (case["case_id"], case["sections"]) == (late.case_id, [])
            assert [(thing["how"], thing["kind"]) for thing in case["things"]] == [("preview", "referral")]
        finally:
            await world.set_desk(None)

    async def test_is_for_a_protection_officer_and_an_auditor_and_is_logged(
        self, world: World, night: Night, officer: Administrator, auditor: Administrator
    ) -> None:
        await ask(auditor, night.since)
        await ask(officer, night.since)
        rows = await world.log(action="breach:report")
        assert [row["actor"] for row in rows] == ["au-citra", "po-budi"]
        operator = await signed_in(world.exchange, "op-ani", Role.operator)
        reply = await operator.get("/clients/shelter-system/breach", params={"since": night.since.isoformat()})
        assert reply.status_code == 403
        assert (await dispute(auditor, night.since)).status_code == 403
        assert (await dispute(operator, night.since)).status_code == 403
        assert (
            await auditor.post("/clients/shelter-system/breach/doubt-consents", {"since": night.since.isoformat()})
        ).status_code == 403

    async def test_says_what_is_not_done_yet_until_it_is(
        self, world: World, night: Night, officer: Administrator, restored: None
    ) -> None:
        def left(found: Any) -> dict[str, int]:
            return {each["what"]: each["count"] for each in found["undone"]}

        first = await ask(officer, night.since)
        assert left(first) == {"stop": 1, "end_keys": 1, "dispute_moves": 2}
        assert all(each["command"].startswith("rujukan ") for each in first["undone"])
        stop = {"reason": "Stolen.", "compromised_since": night.since.isoformat()}
        assert (await officer.post("/clients/shelter-system/suspend", stop)).status_code == 200
        assert left(await ask(officer, night.since)) == {"end_keys": 1, "dispute_moves": 2}
        assert (await dispute(officer, night.since)).status_code == 200
        last = await ask(officer, night.since)
        assert left(last) == {"end_keys": 1}
        assert [each["action"] for each in last["measures"]] == ["client:suspend", "client:stop", "breach:dispute"]
        assert "the system was shut out" in last["notice"]["en"]

    async def test_finds_a_clients_time_by_a_small_index_of_every_month(self, world: World) -> None:
        rows = await world.owner.fetch(
            """SELECT c.relname, EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am a ON a.oid = x.relam
                                         WHERE i.indrelid = c.oid AND a.amname = 'brin') AS found
               FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhparent = 'log_entry'::regclass"""
        )
        assert len(rows) >= 4
        assert {row["relname"] for row in rows if not row["found"]} == set()


@pytest.fixture
async def restored(world: World) -> AsyncIterator[None]:
    """The shelter's client as it was, afterwards."""
    yield
    await world.owner.execute(
        "UPDATE client SET status = 'active', status_before = NULL, tokens_not_before = NULL WHERE client_id LIKE '%-system'"
    )
    await world.owner.execute("UPDATE client_key SET ends_at = NULL WHERE client_id LIKE '%-system'")
    await world.exchange.directory.refresh()


class TestDisputedMoves:
    async def test_stand_and_are_seen_by_both_and_told_to_the_lead(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        await world.owner.execute("TRUNCATE outbox")
        row = await world.row(night.read)
        reply = await dispute(officer, night.since)
        assert reply.status_code == 200, reply.text
        assert len(reply.json()["disputed"]) == 2
        assert {each["event"] for each in reply.json()["open"]} == {"accept", "start"}
        assert await world.row(night.read) == row, "nobody loses a bed"
        assert set(await world.told()) == {("iom", "referral.disputed"), ("shelter", "referral.disputed")}
        for who in (world.iom, world.shelter):
            moves = await history(night.read, who)
            assert {name: each["disputed_ground"] for name, each in moves.items()} == {
                "send": None, "accept": "breach", "start": "breach"
            }  # fmt: skip
        assert (await history(night.before, world.police))["accept"]["disputed_at"] is None
        assert (await world.stranger.get(night.read.path)).status_code == 404
        entries = await world.log(action="referral:dispute")
        assert {entry["case_id"] for entry in entries} == {UUID(night.read.case_id)}
        assert json.loads(entries[0]["detail"])["ground"] == "breach"
        await world.owner.execute("TRUNCATE outbox")
        assert (await dispute(officer, night.since)).json()["disputed"] == []
        assert await world.told() == []

    async def test_are_those_named_and_only_the_clients_own(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        accept = (await history(night.read, world.iom))["accept"]["id"]
        others = (await history(night.others, world.iom))["accept"]["id"]
        before = (await history(night.before, world.police))["accept"]["id"]
        for wrong in (others, before, str(uuid.uuid4())):
            reply = await dispute(officer, night.since, moves=[accept, wrong])
            assert (reply.status_code, wrong in reply.text) == (404, True), reply.text
        assert await world.owner.fetchval("SELECT count(*) FROM move WHERE disputed_at IS NOT NULL") == 0
        assert (await dispute(officer, night.since, moves=[accept])).json()["disputed"] == [accept]
        for body in (
            {},
            {"since": "x"},
            {"since": night.since.isoformat(), "moves": "all"},
            {"since": night.since.isoformat(), "x": 1},
        ):
            assert (await officer.post("/clients/shelter-system/breach/dispute", body)).status_code == 422, body

    async def test_are_confirmed_by_the_party_through_another_system(
        self, world: World, night: Night, officer: Administrator
    ) -> None:
        path = f"{night.read.path}/moves/{(await history(night.read, world.iom))['accept']['id']}/confirm"
        early = await world.shelter.post(path)
        assert (early.status_code, early.json()["type"]) == (409, "/problems/nothing-to-confirm")
        await dispute(officer, night.since)
        same = await world.shelter.post(path)
        assert (same.status_code, same.json()["type"]) == (403, "/problems/another-client-needed")
        for who in (world.iom, world.stranger):
            assert (await who.post(path)).status_code == 404
        other = await another_system(world, "shelter")
        await world.owner.execute("TRUNCATE outbox")
        reply = await other.post(path, idempotency_key="one")
        assert (reply.status_code, reply.json()["state"]) == (200, "in_progress"), reply.text
        assert (await other.post(path, idempotency_key="one")).json() == reply.json()
        assert await world.told() == [("iom", "referral.confirmed")]
        assert (await other.post(path)).json()["type"] == "/problems/nothing-to-confirm"
        moves = await history(night.read, world.iom)
        assert moves["accept"]["confirmed_at"] is not None
        assert moves["accept"]["disputed_at"] is not None
        assert moves["confirm_move"]["by"]["code"] == "shelter"
        assert {each["event"] for each in (await dispute(officer, night.since)).json()["open"]} == {"start"}
        # the second system was stolen too: what it confirmed is in doubt again, and neither may say so
        name = other.client.credentials.client_id
        assert moves["accept"]["id"] in (await dispute(officer, night.since, name)).json()["disputed"]
        assert (await history(night.read, world.iom))["accept"]["confirmed_at"] is None
        for stolen in (world.shelter, other):
            assert (await stolen.post(path)).json()["type"] == "/problems/another-client-needed"
        assert (await (await another_system(world, "shelter")).post(path)).status_code == 200
        assert [row["outcome"] for row in await world.refusals() if row["outcome"] == "another_client_needed"] != []

    async def test_on_a_transfer_too(self, world: World, officer: Administrator) -> None:
        since = world.exchange.clock.now()
        offered = await world.accepted(kind="transfer", sender="iom", receiver="shelter")
        await world.owner.execute("TRUNCATE outbox")
        assert len((await dispute(officer, since)).json()["disputed"]) == 1
        assert set(await world.told()) == {("iom", "transfer.disputed"), ("shelter", "transfer.disputed")}
        move = (await history(offered, world.iom))["accept"]
        other = await another_system(world, "shelter")
        assert (await other.post(f"{offered.path}/moves/{move['id']}/confirm")).status_code == 200
        assert ("iom", "transfer.confirmed") in await world.told()

    async def test_are_those_it_recorded_for_another_agency_too(self, world: World, officer: Administrator) -> None:
        agreement = uuid.uuid4()
        sent = await world.send(sender="iom", receiver="shelter")
        since = world.exchange.clock.now()
        await world.owner.execute(
            "INSERT INTO agreement (id, kind, agency_id, other_id, reference, from_at) VALUES ($1, 'acts_for', $2, $3, 'PKS', $4)",
            agreement, world.ids["shelter"], world.ids["ministry"], since - timedelta(days=1),
        )  # fmt: skip
        await world.exchange.directory.refresh()
        try:
            reply = await world.ministry.post(
                f"{sent.path}/accept",
                await world.body(sent, "accept"),
                headers={"Rujukan-Acts-For": "shelter"},
                if_match=sent.version,
            )
            assert reply.status_code == 200, reply.text
            found = await ask(officer, since, "ministry-system", writes=True)
            (move,) = found["writes"]["moves"]
            assert (move["agency"], move["recorder"], move["event"]) == ("shelter", "ministry", "accept")
            assert {"iom", "shelter"} == {each["code"] for each in found["affected"]}
            assert sent.case_id in {each["case_id"] for each in found["could_read"]["cases"]}, "in the shelter's name"
            await dispute(officer, since, "ministry-system")
            assert (await ask(officer, since))["did_read"]["persons"]["cases"] == 0
            assert (await world.shelter.post(f"{sent.path}/moves/{move['id']}/confirm")).status_code == 200, (
                "its own system"
            )
        finally:
            await world.owner.execute("DELETE FROM agreement WHERE id = $1", agreement)
            await world.exchange.directory.refresh()


class TestItsConsents:
    async def test_count_only_when_reconfirmed(self, world: World, officer: Administrator) -> None:
        since = world.exchange.clock.now()
        world.exchange.later(minutes=1)
        sent = await world.consented(sender="shelter", receiver="iom")
        other = await world.consented(sender="lpsk", receiver="iom")
        assert {each["what"] for each in (await ask(officer, since))["undone"]} >= {"doubt_consents", "dispute_moves"}
        reply = await dispute(officer, since, doubt_consents=True)
        assert (reply.json()["consents_doubted"], reply.json()["cases_of_consents"]) == (1, [sent.case_id])
        assert len(reply.json()["disputed"]) == 1
        assert (await world.iom.get(sent.path)).json()["withheld"] == ["identity", "safety", "needs"]
        assert (await world.iom.get(other.path)).json()["withheld"] == []
        again = await officer.post("/clients/shelter-system/breach/doubt-consents", {"since": since.isoformat()})
        assert again.json() == {"consents": 0, "cases": []}
        assert "doubt_consents" not in {each["what"] for each in (await ask(officer, since))["undone"]}
        assert len(await world.log(action="breach:doubt_consents")) == 1


class TestAtTheCommandLine:
    async def run(self, world: World, *arguments: str) -> Any:
        env = {
            "RUJUKAN_DATABASE_URL": world.exchange.addresses.app,
            "RUJUKAN_DATABASE_ADMIN_URL": world.exchange.addresses.admin,
            "RUJUKAN_DATA_DIR": str(world.exchange.settings.data_dir),
            "RUJUKAN_CLOCK_OFFSET_SECONDS": str(
                int((world.exchange.clock.now() - datetime.now().astimezone()).total_seconds()) + 1
            ),
        }
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=env, prog_name="rujukan")

    async def test_reports_disputes_and_doubts(self, world: World, night: Night) -> None:
        asked = ("--client", "shelter-system", "--since", night.since.isoformat(), "--actor", "night-desk")
        said = await self.run(world, "breach", "report", *asked, "--writes")
        assert said.exit_code == 0, said.output
        for word in (
            "It did read of 2 persons",
            "rujukan clients suspend shelter-system",
            "lpsk",
            "accept",
            "rujukan breach dispute",
        ):
            assert word in said.output
        drawn = await self.run(world, "breach", "report", *asked, "--notice", "id")
        assert drawn.output.startswith("PEMBERITAHUAN KEGAGALAN PELINDUNGAN DATA PRIBADI")
        listed = json.loads((await self.run(world, "breach", "report", *asked, "--json")).output)
        assert listed["did_read"]["persons"]["cases"] == 2
        done = await self.run(world, "breach", "dispute", *asked)
        assert "2 moves are disputed now" in done.output
        assert "0 consents of 0 cases" in (await self.run(world, "breach", "doubt-consents", *asked)).output
        assert {row["actor"] for row in await world.log(action="breach:report")} == {"night-desk"}
        wrong = await self.run(world, "breach", "report", "--client", "nobody", "--since", "6h")
        assert (wrong.exit_code, "there is no client nobody" in wrong.output) == (2, True)
        assert (await self.run(world, "breach", "dispute", *asked, "--move", str(uuid.uuid4()))).exit_code == 2

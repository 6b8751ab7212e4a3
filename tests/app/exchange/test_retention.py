"""What a closed case still has is erased when its time is over: not before, not what a hold keeps, and never to come back with a backup."""

from __future__ import annotations

import asyncio
import io
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from app.exchange.retention import erasing
from app.exchange.retention.erasing import Replayed, brought_back, refuse_restored, replay
from app.exchange.retention.erasure_list import Entry, ErasureList, ErasureListUnusable, ErasuresToReplay, read_lists
from app.foundation import json
from app.foundation.database import Addresses
from app.foundation.keyring import Place
from app.main import readiness
from app.sealing import open_section
from tests.conftest import clone
from tests.makers import cases, records, sealed
from tests.makers.world import Agency, Passed, World

FULL: dict[str, Any] = {
    "record": records.full_record(),
    "purpose": "social_rehabilitation",
    "bases": [records.legal_basis(*records.FULL_SECTIONS)],
}
SPECIFIC = ["safety", "health", "psychosocial", "needs", "narrative"]


@pytest.fixture(autouse=True)
def folder(world: World, tmp_path: Path) -> Path:
    """A worker with an erasure list of its own."""
    worker(world, tmp_path / "erasures")
    return tmp_path / "erasures"


def worker(world: World, folder: Path) -> erasing.Eraser:
    """Begin as a new process does."""
    settings = world.exchange.settings.model_copy(update={"erasure_list": folder})
    settings.__dict__.pop("erasure_folder", None)
    world.exchange.worker._eraser = erasing.Eraser(settings, world.exchange.keyring)
    return world.exchange.worker._eraser


async def closed(world: World) -> Passed:
    """A case with much in it, closed."""
    sent = await world.consented("identity", "safety", "needs", receiver="shelter")
    await world.moved(sent, "start", "note")
    await world.moved(sent, "complete")
    given = await world.police.post("/v1/referrals", records.referral("lpsk", case=None, case_id=sent.case_id, **FULL))
    assert given.status_code == 201, given.text
    other = Passed("referral", given.json()["id"], sent.case_id, 1, world.police, world.lpsk, given)
    await world.moved(other, "accept", "start", "complete")
    await world.police.post(f"/v1/cases/{sent.case_id}/victim-status", await status(world))
    right = {"record": {"identity": records.record()["identity"]}, "reason": "Misspelt."}
    assert (await world.police.post(f"/v1/cases/{sent.case_id}/corrections", right)).status_code == 201
    case = await cases.case_of(world, sent.case_id)
    reply = await cases.move(world, case, "close")
    assert reply.status_code == 200, reply.text
    return other


async def status(world: World) -> dict[str, Any]:
    return {
        "status": "identified",
        "decided_on": world.exchange.clock.now().date().isoformat(),
        "ground": "Interview.",
        "own_statement": "I was sold.",
    }


async def erase(world: World) -> int:
    """Erase all that is due; return how many things that were."""
    found = 0
    while some := await world.exchange.worker.erase_what_is_due():
        found += some
    return found


async def left(world: World, case_id: str) -> set[str]:
    rows = await world.owner.fetch(
        """SELECT unnest(v.sections) AS name, v.erased_sections FROM record_version v JOIN record_content k ON k.version_id = v.id
           WHERE v.case_id = $1""",
        UUID(case_id),
    )
    return {row["name"] for row in rows if row["name"] not in row["erased_sections"]}


async def words_left(world: World) -> dict[str, int]:
    columns = {
        "move": "detail",
        "victim_status": "detail",
        "consent": "detail",
        "correction": "detail",
        "disclosure": "reason",
    }
    found = {
        table: await world.owner.fetchval(f"SELECT count({column}) FROM {table}") for table, column in columns.items()
    }
    return {table: count for table, count in found.items() if count}


class TestACaseThatNobodyCloses:
    async def test_reminds_its_lead_after_a_year_of_nothing_and_again_a_year_later(self, world: World) -> None:
        idle, busy = await world.accepted(), await world.accepted()
        worker, told = (
            world.exchange.worker,
            "SELECT case_id FROM event WHERE type = 'case.idle' AND agency_id = $1 ORDER BY position",
        )

        async def reminded() -> list[str]:
            await worker.remind_of_idle_cases()
            await world.exchange.settle()
            return [str(row["case_id"]) for row in await world.owner.fetch(told, world.id_of("police"))]

        world.exchange.later(days=300)
        await world.moved(busy, "start")
        assert await reminded() == []
        world.exchange.later(days=66)
        assert await reminded() == [idle.case_id]
        assert await reminded() == [idle.case_id], "once"
        world.exchange.later(days=300)
        assert await reminded() == [idle.case_id, busy.case_id]
        world.exchange.later(days=66)
        assert await reminded() == [idle.case_id, busy.case_id, idle.case_id]


class TestAClosedCase:
    async def test_is_erased_step_by_step_each_in_its_time(self, world: World) -> None:
        sent = await closed(world)
        case = f"/v1/cases/{sent.case_id}"
        assert await erase(world) == 0
        preview = (await world.police.get(f"{case}/retention")).json()
        kinds = [each["kind"] for each in preview["items"]]
        assert kinds == ["record_specific", "record_general", "access", "words", "proof"]
        assert set(SPECIFIC) >= set(preview["items"][0]["sections"]) >= {"health"}
        for who, status_code in ((world.lpsk, 403), (world.shelter, 403), (world.stranger, 404), (world.iom, 404)):
            assert (await who.get(f"{case}/retention")).status_code in (status_code, 404), who.code
        assert (await world.lpsk.get(sent.path)).json()["record"]["identity"]

        world.exchange.later(days=366)
        assert await erase(world) == 1
        assert (await world.lpsk.get(sent.path)).json()["record"] is None, "closed to those who do not lead"
        assert (await world.police.get(sent.path)).json()["record"]["health"]

        world.exchange.later(days=366)
        assert await erase(world) > 1
        assert await left(world, sent.case_id) == {"contact", "identity", "location"}
        own = (await world.police.get(sent.path)).json()
        assert "health" not in own["record"]
        assert own["record"]["identity"]["names"]
        assert set(await words_left(world)) == {"consent", "correction", "disclosure"} & set(await words_left(world))

        world.exchange.later(days=366 * 3 + 10)
        await erase(world)
        assert await left(world, sent.case_id) == set()
        assert await world.owner.fetchval("SELECT count(*) FROM record_content") == 0
        world.exchange.later(days=366 * 5 + 10)
        await erase(world)
        assert await words_left(world) == {}
        assert await erase(world) == 0, "nothing is erased twice"

        world.exchange.clock.shift(-world.exchange.clock.offset)  # tokens end with the clock
        for path in (case, sent.path, f"{case}/consents", f"{case}/corrections", f"{case}/retention"):
            reply = await world.police.get(path)
            assert reply.status_code == 200, (path, reply.text)
        assert (await world.police.get(case)).json()["victim_status"] == []
        assert (await world.police.get(f"{case}/retention")).json()["items"] == []
        correction = (await world.police.get(f"{case}/corrections")).json()["items"][0]["id"]
        found = (await world.police.get(f"/v1/corrections/{correction}")).json()
        assert (found["reason"], found["record"]) in ((None, None), (None, {"schema_version": "1.0"}))

    async def test_that_is_opened_again_keeps_all_it_has(self, world: World) -> None:
        sent = await closed(world)
        world.exchange.later(days=729)
        assert await erase(world) == 1
        case = await cases.case_of(world, sent.case_id)
        assert (await cases.move(world, case, "reopen")).status_code == 200
        world.exchange.later(days=3000)
        assert await erase(world) == 0

    async def test_says_in_the_log_what_was_erased_and_why(self, world: World) -> None:
        sent = await closed(world)
        world.exchange.later(days=731)
        await erase(world)
        entries = [orjson.loads(entry["detail"]) for entry in await world.log(action="erasure:apply")]
        of_records = [entry for entry in entries if entry["kind"] == "record"]
        assert {entry["cause"] for entry in entries} == {"retention"}
        assert all(set(entry["sections"]) <= set(SPECIFIC) for entry in of_records)
        shown = (await world.police.get(f"/v1/cases/{sent.case_id}/retention")).json()["erased"]
        assert {each["id"] for each in shown} == {entry["erasure"] for entry in entries}
        assert not any(records.NAME in str(entry) for entry in entries)


class TestAHold:
    async def test_stops_the_erasure_of_its_sections_and_of_nothing_else(self, world: World, desk: Agency) -> None:
        sent = await closed(world)
        case = await cases.case_of(world, sent.case_id)
        hold = await desk.post("/v1/holds", records.hold(world.exchange.clock.now(), case.reference, "health"))
        assert hold.status_code == 201, hold.text
        item = (await world.police.get(f"{case.path}/retention")).json()["items"][0]
        assert (item["held_by"], item["held_sections"]) == ([hold.json()["id"]], ["health"])
        world.exchange.later(days=4000)
        await erase(world)
        assert await left(world, sent.case_id) == {"health"}
        world.exchange.clock.shift(-world.exchange.clock.offset)
        assert list((await world.police.get(sent.path)).json()["record"]) == ["schema_version", "health"]
        assert "correction" in await words_left(world), "what proves that the held was lawful stays with it"
        lifted = await desk.post(f"{hold.headers['Location']}/lift", {"reason": "Acquitted."})
        assert lifted.status_code == 200, lifted.text
        world.exchange.later(days=4000)
        await erase(world)
        assert await left(world, sent.case_id) == set()
        assert await words_left(world) == {}

    async def test_placed_at_the_last_moment_is_seen_or_comes_too_late_but_never_both(
        self, world: World, desk: Agency
    ) -> None:
        for _ in range(3):
            sent = await closed(world)
            case = await cases.case_of(world, sent.case_id)
            world.exchange.later(days=731)
            desk.client.forget_token()
            held, _ = await asyncio.gather(
                desk.post("/v1/holds", records.hold(world.exchange.clock.now(), case.reference, "health")), erase(world)
            )
            assert held.status_code == 201
            await erase(world)
            gone = "health" not in await left(world, sent.case_id)
            rows = await world.owner.fetch(
                "SELECT recorded_at FROM erasure WHERE case_id = $1 AND 'health' = ANY (sections)", UUID(sent.case_id)
            )
            assert gone == bool(rows)


class Crash(Exception):
    """The process ends here."""


class TestACrash:
    @pytest.mark.parametrize("at", ["before the line", "after the line", "before done is written"])
    async def test_loses_nothing_and_erases_nothing_twice(
        self, world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, at: str
    ) -> None:
        sent = await closed(world)
        world.exchange.later(days=731)
        eraser = world.exchange.worker._eraser
        begin, done = eraser._list.begin, eraser._list.done

        def crash_begin(entry: Any) -> None:
            if at == "after the line":
                begin(entry)
            raise Crash

        def crash_done(entry: Any) -> None:
            raise Crash

        if at == "before done is written":
            monkeypatch.setattr(eraser._list, "done", crash_done)
        else:
            monkeypatch.setattr(eraser._list, "begin", crash_begin)
        with pytest.raises(Crash):
            await world.exchange.worker.erase_what_is_due()
        proved = await world.owner.fetchval("SELECT count(*) FROM erasure")
        assert proved == (1 if at == "before done is written" else 0)
        assert done is not None
        worker(world, folder)
        await erase(world)
        assert await left(world, sent.case_id) == {"contact", "identity", "location"}
        entries, finished = read_lists(folder)
        rows = await world.owner.fetch("SELECT id FROM erasure")
        assert {entry.id for entry in entries} == finished == {row["id"] for row in rows}
        assert await brought_back(world.owner, folder) == []

    async def test_in_the_middle_of_a_line_leaves_a_list_that_can_be_read(self, world: World, folder: Path) -> None:
        await closed(world)
        world.exchange.later(days=731)
        await erase(world)
        before = read_lists(folder)
        (file,) = folder.iterdir()  # noqa: ASYNC240 -- a test's own folder
        file.write_bytes(file.read_bytes() + b'{"id": "0197')
        assert read_lists(folder) == before
        worker(world, folder)
        await closed(world)
        world.exchange.later(days=731)
        await erase(world)
        assert len(read_lists(folder)[0]) > len(before[0])

    async def test_of_years_is_read_at_its_end_only_by_who_asks_every_few_seconds(self, folder: Path) -> None:
        made = ErasureList(folder)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        ids = [uuid4() for _ in range(1000)]
        lines = [
            json.dumps(asdict(Entry(each, each, "record", each, ("health",), "retention", None, now, now)))
            + b"\n"
            + json.dumps({"done": each})
            for each in ids
        ]
        made.append({"done": ids[0]})
        (name,) = os.listdir(folder)
        with open(folder / name, "wb") as file:  # noqa: ASYNC230
            file.write(b"\n".join(lines) + b"\n")
        entries, done = read_lists(folder, newest=True)
        assert 50 < len(entries) < 1000
        assert ids[-1] in done & {entry.id for entry in entries}
        assert len(read_lists(folder)[0]) == 1000

    async def test_of_the_disk_stops_the_erasure(self, world: World, tmp_path: Path) -> None:
        sent = await closed(world)
        world.exchange.later(days=731)
        (tmp_path / "a file").touch()
        worker(world, tmp_path / "a file" / "erasures")
        with pytest.raises(ErasureListUnusable):
            await world.exchange.worker.erase_what_is_due()
        assert "health" in await left(world, sent.case_id)
        assert await world.owner.fetchval("SELECT count(*) FROM erasure") == 0


async def dump(owner: asyncpg.Connection) -> dict[str, bytes]:
    """A logical backup: the rows of every table. (`pg_dump` of the embedded server's release is not at hand everywhere.)"""
    tables = await owner.fetch(
        """SELECT c.relname, string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
           WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace GROUP BY c.relname"""
    )
    found = {}
    for row in tables:
        quoted = ", ".join(f'"{each}"' for each in row["columns"].split(", "))
        rows = io.BytesIO()
        name = f"{row['relname']} ({row['columns']})"
        await owner.copy_from_query(f"SELECT {quoted} FROM {row['relname']}", output=rows, format="binary")
        found[name] = rows.getvalue()
    return found


async def restore(owner: asyncpg.Connection, backup: dict[str, bytes]) -> None:
    """Put a backup into a database that has the schema and nothing else."""
    await owner.execute("SET session_replication_role = replica")
    for name, rows in backup.items():
        table, columns = name.rstrip(")").split(" (")
        await owner.execute(f'DELETE FROM "{table}"')
        await owner.copy_to_table(table, source=io.BytesIO(rows), columns=columns.split(", "), format="binary")
    await owner.execute("SET session_replication_role = DEFAULT")
    counted = await owner.fetch(
        """SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           WHERE a.attidentity <> '' AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"""
    )
    for table, column in counted:
        sequence = f"pg_get_serial_sequence('{table}', '{column}')"
        await owner.execute(f"SELECT setval({sequence}, coalesce(max({column}), 0) + 1) FROM {table}")


class TestARestoredBackup:
    async def test_forgets_again_what_was_erased_since_before_it_serves(
        self, world: World, folder: Path, template: Addresses
    ) -> None:
        await closed(world)
        later = await closed(world)
        backup = await dump(world.owner)
        world.exchange.later(days=731)
        await erase(world)
        await asked_to_erase(world, later)
        await erase(world)
        restored = await clone(template, f"restored_{uuid4().hex[:8]}")
        owner = await asyncpg.connect(restored.owner)
        app, as_worker = await asyncpg.connect(restored.app), await asyncpg.connect(restored.worker)
        try:
            await restore(owner, backup)
            count = "SELECT count(*) FROM record_version WHERE 'health' = ANY (sections) AND NOT 'health' = ANY (erased_sections)"
            assert await owner.fetchval(count) == 2
            with pytest.raises(ErasuresToReplay):
                await refuse_restored(app, folder)
            now, keyring = world.exchange.clock.now(), world.exchange.keyring
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await replay(as_worker, keyring, folder, now, actor="operator")
            entries, _ = read_lists(folder)
            assert await replay(owner, keyring, folder, now, actor="operator") == Replayed(len(entries), ())
            assert await replay(owner, keyring, folder, now, actor="operator") == Replayed(0, ())
            await refuse_restored(app, folder)
            assert await owner.fetchval(count) == 0
            same = "SELECT id, sections, erased_sections, preview IS NULL FROM record_version ORDER BY id"
            assert await owner.fetch(same) == await world.owner.fetch(same)
            kept = "SELECT version_id FROM record_content ORDER BY version_id"
            assert await owner.fetch(kept) == await world.owner.fetch(kept)
            logged = "SELECT count(*) FROM log_entry WHERE action = 'erasure:replay' AND actor = 'operator'"
            assert await owner.fetchval(logged) == len(entries)
        finally:
            for conn in (owner, app, as_worker):
                await conn.close()
            assert restored.owner is not None
            name = restored.owner.split("/")[3].split("?")[0]
            await world.owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def test_keeps_what_a_hold_came_upon_before_it_was_erased(
        self, world: World, folder: Path, desk: Agency
    ) -> None:
        """A line without its end says that it was tried. What it names may have been kept since."""
        sent = await closed(world)
        now, case = world.exchange.clock.now(), await cases.case_of(world, sent.case_id)
        hold = await desk.post("/v1/holds", records.hold(now, case.reference, "health"))
        assert hold.status_code == 201, hold.text
        version = (await world.row(sent))["version_id"]
        entry = Entry(uuid4(), UUID(sent.case_id), "record", version, ("health",), "retention", None, now, now)
        written = ErasureList(folder)
        written.begin(entry)
        owner, keyring = world.owner, world.exchange.keyring
        assert await replay(owner, keyring, folder, now, actor="operator") == Replayed(0, ())
        assert "health" in await left(world, sent.case_id)
        written.done(entry)
        assert await replay(owner, keyring, folder, now, actor="operator") == Replayed(1, ())
        assert "health" not in await left(world, sent.case_id)

    async def test_goes_past_what_its_keyring_cannot_open_and_says_what_that_was(
        self, world: World, folder: Path
    ) -> None:
        """The keyring of another month was restored with it: all that can be erased is, and the rest is named."""
        locked, other = await closed(world), await closed(world)
        now, versions = world.exchange.clock.now(), [(await world.row(each))["version_id"] for each in (locked, other)]
        written = ErasureList(folder)
        for sent, version in zip((locked, other), versions, strict=True):
            written.begin(
                entry := Entry(uuid4(), UUID(sent.case_id), "record", version, ("health",), "retention", None, now, now)
            )
            written.done(entry)
        foreign = "UPDATE record_content SET wrapped_key = overlay(wrapped_key PLACING '\\x00000001'::bytea FROM 2) WHERE version_id = $1"
        await world.owner.execute(foreign, versions[0])
        done = await replay(world.owner, world.exchange.keyring, folder, now, actor="operator")
        assert (done.erased, [entry.row for entry in done.left]) == (1, [versions[0]])
        assert "health" not in await left(world, other.case_id)

    async def test_is_not_ready_while_the_list_knows_more(self, world: World, folder: Path) -> None:
        app = world.exchange.app
        before = app.state.settings
        settings = before.model_copy(update={"erasure_list": folder})
        settings.__dict__.pop("erasure_folder", None)
        app.state.settings = settings
        try:
            await closed(world)
            world.exchange.later(days=731)
            await erase(world)
            assert (await readiness(app))["erasures"] == "ok"
            await world.owner.execute("DELETE FROM erasure")
            assert (await readiness(app))["erasures"].startswith("restored")
        finally:
            app.state.settings = before


async def asked_to_erase(world: World, sent: Passed) -> str:
    """A person's request, granted, with every holder's answer given."""
    world.police.client.forget_token()
    made = await world.police.post(
        "/v1/subject-requests",
        {
            "case_id": sent.case_id,
            "kind": "erase",
            "requester": "person",
            "identity_check": "document_seen",
            "identity_checked_by": "recording_agency",
            "received_at": world.exchange.clock.now().isoformat(),
        },
    )
    assert made.status_code == 201, made.text
    path = str(made.headers["Location"])
    assert (await world.police.post(f"{path}/answer", {"answer": "granted"})).status_code == 200
    world.exchange.later(days=31)
    return path


class TestTheWorker:
    async def test_passes_over_what_it_cannot_erase_until_all_else_is(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erasing, "BATCH", 1)
        for _ in range(2):
            await closed(world)
        spoilt = await world.owner.fetchval(
            "SELECT v.id FROM record_version v JOIN record_content k ON k.version_id = v.id WHERE 'health' = ANY (v.sections) ORDER BY v.id LIMIT 1"
        )
        place = Place(
            "record_version.preview",
            spoilt,
            await world.owner.fetchval("SELECT case_id FROM record_version WHERE id = $1", spoilt),
        )
        unreadable = world.exchange.keyring.seal_one(place, b"[]")
        await world.owner.execute("UPDATE record_version SET preview = $2 WHERE id = $1", spoilt, unreadable)
        world.exchange.later(days=731)
        for _ in range(2):
            await erase(world)
        left = "SELECT DISTINCT id FROM record_version WHERE 'health' = ANY (sections) AND NOT 'health' = ANY (erased_sections)"
        assert [row["id"] for row in await world.owner.fetch(left)] == [spoilt]
        assert await words_left(world)
        await world.owner.execute("UPDATE record_version SET preview = NULL WHERE id = $1", spoilt)
        for _ in range(3):
            await erase(world)
        assert await world.owner.fetch(left) == [], "tried again in a later round"

    async def test_erases_only_what_is_due(self, world: World) -> None:
        """Its role alone could destroy nothing and read nothing of a case that is open."""
        sent = await world.accepted(receiver="shelter", **FULL)
        version = (await world.row(sent))["version_id"]
        conn = await asyncpg.connect(world.exchange.addresses.worker)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.fetch("SELECT * FROM staying_content($1, $2, '{health}')", UUID(sent.case_id), version)
            key = await world.owner.fetchval("SELECT wrapped_key FROM record_content WHERE version_id = $1", version)
            arguments = (UUID(sent.case_id), version, records.FULL_SECTIONS, key, world.exchange.clock.now())
            tried = "SELECT erase_sections(uuidv7(), $1, $2, $3, $4, NULL, NULL, NULL, 'retention', NULL, $5, NULL)"
            assert await conn.fetchval(tried, *arguments) is False
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.fetchval(tried.replace("$5, NULL)", "$5, 'me')"), *arguments)
            for statement in (
                "SELECT * FROM erasure",
                "DELETE FROM record_content",
                "UPDATE record_version SET preview = NULL",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.execute(statement)
        finally:
            await conn.close()

    async def test_does_not_let_what_it_cannot_erase_hold_up_the_rest(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erasing, "BATCH", 1)
        broken, whole = [await world.accepted(receiver="shelter", **FULL) for _ in range(2)]
        await world.owner.execute(
            "UPDATE record_content SET parts = parts[1:2] WHERE case_id = $1", UUID(broken.case_id)
        )
        for sent in (broken, whole):
            await granted(world, sent, "erase", sections=["health"])
        world.exchange.later(days=31)
        for _ in range(4):
            await world.exchange.worker.erase_what_is_due()
        assert "health" not in await left(world, whole.case_id)
        assert "health" in await left(world, broken.case_id), "it is tried again, in every round"

    async def test_several_at_once_erase_each_thing_once(self, world: World, folder: Path) -> None:
        for _ in range(2):
            await closed(world)
        world.exchange.later(days=731)
        now = world.exchange.clock.now()
        conns = [await asyncpg.connect(world.exchange.addresses.worker) for _ in range(3)]
        erasers = [worker(world, folder) for _ in conns]
        try:
            await asyncio.gather(*(each.erase(conn, now) for each, conn in zip(erasers, conns, strict=True)))
        finally:
            for conn in conns:
                await conn.close()
        rows = await world.owner.fetch("SELECT row_id, kind, unnest(coalesce(sections, '{}')) AS name FROM erasure")
        assert len({(row["row_id"], row["kind"], row["name"]) for row in rows}) == len(rows)


async def granted(world: World, sent: Passed, kind: str = "copy", **more: Any) -> str:
    """A granted request of a person for their data: its id."""
    made = await world.police.post(
        "/v1/subject-requests",
        {
            "case_id": sent.case_id,
            "kind": kind,
            "requester": "person",
            "identity_check": "document_seen",
            "identity_checked_by": "recording_agency",
            "received_at": (world.exchange.clock.now() - timedelta(hours=1)).isoformat(),
        },
    )
    answered = await world.police.post(f"{made.headers['Location']}/answer", {"answer": "granted", **more})
    assert answered.status_code == 200, answered.text
    return str(made.json()["id"])


class TestTheCopyForThePerson:
    async def test_has_all_the_lead_may_read_and_nothing_of_others(self, world: World) -> None:
        sent = await world.consented("identity", "safety", "needs", receiver="shelter")
        await world.moved(sent, "start", "note")
        onward = records.referral(
            "lpsk", case=None, case_id=sent.case_id, bases=[records.legal_basis("identity", "needs", "safety")]
        )
        assert (await world.police.post("/v1/referrals", onward)).status_code == 201
        request = await granted(world, sent)
        path = f"/v1/cases/{sent.case_id}/export?request={request}"
        for who in (world.shelter, world.stranger, world.iom):
            assert (await who.get(path)).status_code in (403, 404), who.code
        reply = await world.police.get(path)
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-ndjson")
        assert reply.headers["cache-control"] == "no-store"
        lines = [orjson.loads(line) for line in reply.content.splitlines()]
        assert (lines[0]["type"], lines[-1]["type"]) == ("export", "end")
        record = next(line for line in lines if line["type"] == "record")
        assert record["record"]["identity"]["names"] == [{"full": records.NAME}]
        assert "safety" not in record["record"]
        assert "safety" in record["withheld_sections"]
        assert {"consent", "disclosure", "move", "subject_request", "case"} <= {line["type"] for line in lines}
        assert b"officer-7" not in reply.content
        assert b"actor" not in reply.content
        (entry,) = await world.log(action="case:export")
        assert request in entry["detail"]

    async def test_has_the_sections_the_answer_names(self, world: World) -> None:
        sent = await world.accepted(receiver="shelter", **FULL)
        request = await granted(
            world,
            sent,
            answer="granted_in_part",
            sections=["safety", "identity"],
            refusal_ground="reveals_others",
            text="Names of witnesses.",
        )
        reply = await world.police.get(f"/v1/cases/{sent.case_id}/export?request={request}")
        record = next(line for line in map(orjson.loads, reply.content.splitlines()) if line["type"] == "record")
        assert list(record["record"]) == ["identity", "safety"]

    async def test_has_what_the_exchange_cannot_read_as_it_was_sealed_and_not_as_a_section(self, world: World) -> None:
        shelter, police = await sealed.publish(world, world.shelter, world.police)
        sent = await world.accepted(receiver="shelter", **sealed.request(shelter, police))
        request = await granted(world, sent)
        reply = await world.police.get(f"/v1/cases/{sent.case_id}/export?request={request}")
        record = next(line for line in map(orjson.loads, reply.content.splitlines()) if line["type"] == "record")
        assert not {"health", "narrative"} & set(record["record"])
        assert open_section("health", record["record"]["sealed"]["health"], police) == sealed.HEALTH

    async def test_needs_a_granted_request_of_this_case(self, world: World) -> None:
        sent, other = await world.accepted(receiver="shelter", **FULL), await world.accepted(receiver="shelter", **FULL)
        wrong = [await granted(world, other), str(UUID(int=7)), await granted(world, sent, "restrict")]
        for request in wrong:
            reply = await world.police.get(f"/v1/cases/{sent.case_id}/export?request={request}")
            assert (reply.status_code, reply.json()["type"]) == (403, "/problems/nothing-granted")
        assert (await world.police.get(f"/v1/cases/{sent.case_id}/export")).status_code == 403
